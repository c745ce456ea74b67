"""That the machine on which the hub runs leaves nothing behind, also where it is killed."""

from __future__ import annotations

import pwd
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.hub import world
from tests.tools.course import COURSE

MAKE = """
from tests.hub.world import World

world = World()
world.add_user("ada", "four words no one guesses")
world.write("/srv/left", "behind")
print(world.run("cat", "/srv/left").stdout, world.first, flush=True)
input()
"""


def test_killed_it_leaves_no_process_no_user_and_no_file(possible):
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKE], cwd=COURSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    said, first = maker.stdout.readline().split()
    assert said == "behind" and psutil.pid_exists(int(first))
    maker.kill()
    maker.wait()
    deadline = time.monotonic() + 30
    while psutil.pid_exists(int(first)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(int(first))
    assert not Path("/srv/left").exists()
    assert "ada" not in {user.pw_name for user in pwd.getpwall()}


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(world, "PROGRAMS", ("sh", "no-such-program"))
    monkeypatch.setattr(world.os, "geteuid", lambda: 0)
    assert "no-such-program" in world.missing() and " sh" not in world.missing()
    monkeypatch.setattr(world.os, "geteuid", lambda: 1000)
    assert "root" in world.missing()
