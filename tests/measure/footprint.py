"""What a command takes: its seconds, and the processor time and memory of it and all processes that it starts.

The command runs under a process of its own (this file, run as a program), which inherits whatever the command leaves
behind and reads several times a second what all of them have taken so far. Linux only.

Memory is the sum of proportional set sizes (PSS): a page that several processes share counts once.

Processor time is the larger of two counts. One is what Linux hands on to whoever waits for a process: exact, but it
lacks the processes that nobody waits for, such as those in a sandbox that is ended as a whole. The other is the sum of
the last readings: it lacks what a process does after its last one, so up to a quarter of a second each.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.tools.course import COURSE

READINGS_EVERY = 0.25
"""Seconds between two readings of the memory."""
LEFT_BEHIND_SECONDS = 60
"""How long processes that outlive the command may take to end."""
PR_SET_CHILD_SUBREAPER = 36
"""What Linux calls the wish to inherit the orphans among one's descendants."""


class Footprint(NamedTuple):
    """What a command took."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


def footprint(command: Sequence[str | Path], folder: Path, **environment: str) -> Footprint:
    """Run a command in a folder, with these variables beside those of this process, and return what it took.

    Raises:
        RuntimeError: if it, or the process that watches it, ends with another status than 0; says what was printed.
    """
    with tempfile.TemporaryDirectory() as place:
        result, printed = Path(place, "result.json"), Path(place, "printed.txt")
        watcher = [sys.executable, "-m", "tests.measure.footprint", str(result), str(folder)]
        with open(printed, "wb") as file:
            done = subprocess.run(
                [*watcher, *map(str, command)],
                cwd=COURSE,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            end = printed.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(map(str, command))} ended with status {done.returncode}:\n{end}")
        return Footprint(*json.loads(result.read_text()))


def _watch(command: list[str], folder: str) -> tuple[int, Footprint]:
    """Run a command and return its status and what it took; this process has no other child."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "orphans cannot be inherited here")
    start, peak = time.perf_counter(), 0
    last_read: dict[psutil.Process, float] = {}
    process = subprocess.Popen(command, cwd=folder)
    ended = os.pidfd_open(process.pid)
    while not select.select([ended], [], [], READINGS_EVERY)[0]:
        # A process is known by its number and its start, so that a number which is given again is another one.
        descendants = psutil.Process().children(recursive=True)
        last_read |= {one: _processor_seconds(one, last_read.get(one, 0.0)) for one in descendants}
        peak = max(peak, sum(_proportional_bytes(one.pid) for one in descendants))
    seconds = time.perf_counter() - start
    status = process.wait()
    _wait_for_what_is_left()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    handed_on = usage.ru_utime + usage.ru_stime
    return status, Footprint(seconds, max(handed_on, sum(last_read.values())), peak)


def _processor_seconds(process: psutil.Process, before: float) -> float:
    """Return what a process itself has taken, without its children; what it had ``before`` if it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system
    return before


def _proportional_bytes(process: int) -> int:
    # A process that has ended meanwhile has no memory.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


def _wait_for_what_is_left() -> None:
    """Wait for the orphans, whose processor time counts only then.

    Raises:
        TimeoutError: if one goes on and on.
    """
    deadline = time.monotonic() + LEFT_BEHIND_SECONDS
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        left = [process.cmdline() for process in psutil.Process().children(recursive=True)]
        raise TimeoutError(f"the command has ended, and these have not: {left}")


if __name__ == "__main__":
    _status, _taken = _watch(sys.argv[3:], sys.argv[2])
    Path(sys.argv[1]).write_text(json.dumps(_taken))
    sys.exit(_status)
