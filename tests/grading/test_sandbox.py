"""The command and the environment of a submission's kernel, what can be written inside, and cgroups."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading import sandbox, submissions
from fmnist_helpers.grading.listener import leave_keyring
from fmnist_helpers.grading.sandbox import (
    Limits,
    environment,
    kernel_command,
    missing_limits,
    own_core,
    process_groups,
    remove_stale_groups,
    remove_stale_spools,
    spool,
    stale_groups,
)
from tests.grading.conftest import PROBLEM

inside_only = pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    for name in ("files", "package"):
        (tmp_path / name).mkdir()
    (tmp_path / "files" / "helper.py").touch()
    (tmp_path / "files" / "ex.ipynb").touch()
    return tmp_path / "files", tmp_path / "package"


def run_inside(folders: tuple[Path, Path], code: str, limits: Limits = Limits()) -> str:  # noqa: B008
    """Run Python in a sandbox as a kernel would be, and return what it prints."""
    with process_groups(limits) as groups:
        command = kernel_command(*folders, limits, groups, sandboxed=True)
        place = command.index(sys.executable)
        done = subprocess.run(
            [*command[:place], sys.executable, "-c", code], capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- the command -------------------------------------------------------------------------------------------


def test_command_binds_no_source_and_no_other_folder_and_nothing_that_can_be_written(folders):
    command = kernel_command(*folders, Limits(), [], sandboxed=True)
    bound = [command[place + 1] for place, word in enumerate(command) if word in ("--bind", "--ro-bind")]
    files, package = folders
    assert str(files / "helper.py") in bound
    assert str(files / "ex.ipynb") not in bound and str(files) not in bound
    course = str(submissions.__file__).split("/fmnist_helpers/")[0]
    # Of our package it sees the part that judges nothing, and in another place.
    assert command[command.index(str(package)) + 1] == "/course"
    assert f"{course}/fmnist_helpers" not in bound
    assert course not in bound and os.path.expanduser("~") not in bound
    assert "--bind" not in command and "--dev-bind" not in command
    assert "--unshare-all" in command and "--share-net" not in command


def test_every_package_of_ours_beside_python_is_hidden(folders, tmp_path, monkeypatch):
    """On a hub all users have the wheel, and the instructor works in a copy of the course."""
    (tmp_path / "site" / "fmnist_helpers").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(tmp_path / "site")])
    command = kernel_command(*folders, Limits(), [], sandboxed=True)
    bound = command.index(str(tmp_path))
    hidden = command.index(str(tmp_path / "site" / "fmnist_helpers"))
    assert command[hidden - 1] == "--tmpfs" and hidden > bound


def test_environment_of_the_kernel_holds_nothing_of_the_instructor(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    assert "abc" not in str(environment(Limits(), "/course"))
    assert (
        environment(Limits(memory_gib=2, file_mib=1, processes=7), "/course")["FMNIST_GRADING_LIMITS"]
        == "2147483648 1048576 7"
    )


# --- what is inside ----------------------------------------------------------------------------------------

FILL = """
import os, sys
limit, written = 400 * 2**20, {}
places = {line.split()[4] for line in open("/proc/self/mountinfo")}
places |= {path for path, _, _ in os.walk("/", topdown=True) if path.count("/") < 4}
for place in sorted(places):
    if place.startswith("/proc") or not os.path.isdir(place):
        continue
    total = 0
    try:
        for number in range(10):
            with open(os.path.join(place, f"filler{number}"), "wb", buffering=0) as file:
                for _ in range(50):
                    total += file.write(bytes(2**20))
    except OSError:
        pass
    if total:
        written[place] = total // 2**20
print(written)
"""


@pytest.mark.slow
@inside_only
def test_only_folders_in_memory_of_a_bounded_size_can_be_written(folders):
    written = eval(run_inside(folders, FILL, Limits(file_mib=100)))
    assert set(written) == {"/tmp", "/submission", "/dev/shm"}
    assert written["/tmp"] <= 100 and written["/submission"] <= 100
    assert written["/dev/shm"] <= sandbox.SHARED_MIB


NAMESPACES = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print([os.strerror(ctypes.get_errno()) for flag in (0x10000000, 0x10020000) if libc.unshare(flag) == -1])
"""


@inside_only
def test_no_namespace_with_memory_of_its_own_can_be_made(folders):
    assert len(eval(run_inside(folders, NAMESPACES))) == 2


KEYS = """
import ctypes, sys
libc, add, control = ctypes.CDLL(None), *{calls}
libc.syscall.restype = ctypes.c_long
found = []
for ring in (-3, -4, -5, -2):  # session, user, user and session, process
    name = f"answer{{-ring}}".encode()
    if libc.syscall(control, 10, ring, b"user", name, 0) > 0:
        found.append(ring)
    libc.syscall(add, b"user", name, b"42", 2, ring)
    if ring != -2:
        found += ["not kept"] * (libc.syscall(control, 10, ring, b"user", name, 0) < 0)
print(found, "answer" in open("/proc/keys").read())
"""
CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(os.uname().machine)


@inside_only
@pytest.mark.skipif(CALLS is None, reason="the numbers of the system calls are not known here")
def test_keys_of_one_submission_are_found_by_no_other_and_not_left_to_the_grader(folders):
    libc = ctypes.CDLL(None)
    # As whoever has logged in: a process without a keyring shares none.
    assert libc.syscall(CALLS[1], 1, b"of the grader") > 0

    def run() -> str:
        # As the process that listens does before it starts a kernel.
        with process_groups(Limits()) as groups:
            command = kernel_command(*folders, Limits(), groups, sandboxed=True)
            place = command.index(sys.executable)
            command = [*command[:place], sys.executable, "-c", KEYS.format(calls=CALLS)]
            return subprocess.check_output(command, text=True, preexec_fn=leave_keyring)

    # Each finds what it has just left itself, and that alone.
    assert run() == "[] True\n"
    assert run() == "[] True\n"
    assert all(libc.syscall(CALLS[1], 10, ring, b"user", b"answer3", 0) < 0 for ring in (-3, -4, -5))


# --- an older bubblewrap -----------------------------------------------------------------------------------


@pytest.fixture
def older(tmp_path, monkeypatch):
    """Return what puts a bubblewrap on the path that does not know some options."""

    def install(*unknown: str) -> None:
        real = sandbox.shutil.which("bwrap")
        script = '#!/bin/sh\nfor word in "$@"; do case $word in\n'
        script += "".join(f'{one}) echo "bwrap: Unknown option $word" >&2; exit 1;;\n' for one in unknown)
        (tmp_path / "bwrap").write_text(f'{script}esac; done\nexec {real} "$@"\n')
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return install


@inside_only
@pytest.mark.parametrize("unknown", [["--disable-userns"], ["--size"], ["--disable-userns", "--size"]])
def test_older_bubblewrap_does_what_it_can_and_the_rest_is_told(older, folders, unknown):
    assert not any(option in " ".join(missing_limits(sandboxed=True)) for option in unknown)
    older(*unknown)
    assert sandbox.bubblewrap_problem() == ""
    words = " ".join(missing_limits(sandboxed=True))
    assert all(option in words for option in unknown) and "can" in words
    assert not any(option in " ".join(missing_limits(sandboxed=False)) for option in unknown)
    assert run_inside(folders, "print('works')") == "works\n"
    assert not set(unknown) & set(kernel_command(*folders, Limits(), [], sandboxed=True))


@inside_only
def test_bubblewrap_that_does_not_work_is_a_problem_with_its_words(older):
    older("--unshare-all")
    assert "Unknown option --unshare-all" in sandbox.bubblewrap_problem()


# --- cgroups -----------------------------------------------------------------------------------------------


def test_what_cannot_be_limited_is_said(monkeypatch):
    monkeypatch.setattr(sandbox, "_parents", lambda limits: iter(()))
    (words,) = missing_limits(sandboxed=False)
    assert all(what in words for what in ("processes", "memory", "processor"))
    with process_groups(Limits()) as groups:
        assert groups == []


def test_what_is_limited_here_is_not_missing():
    with process_groups(Limits()) as groups:
        files = {path.name for group in groups for path in group.iterdir()}
    words = " ".join(missing_limits(sandboxed=False))
    assert ("processor" in words) == (not files & {"cpu.max", "cpu.cfs_quota_us"})
    assert ("number of its processes" in words) == ("pids.max" not in files)


def test_group_that_no_process_can_enter_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "_parents", lambda limits: iter([(tmp_path, {"pids.max": 3})]))
    monkeypatch.setattr(sandbox, "_new_group", lambda parent: tmp_path / "no group")
    with process_groups(Limits()) as groups:
        assert groups == []


def hung_groups(tmp_path: Path, monkeypatch) -> list[Path]:
    """Groups that cannot be removed, as of processes that do not die."""
    (tmp_path / "group" / "something").mkdir(parents=True)
    monkeypatch.setattr(sandbox, "END_SECONDS", 1)
    return [tmp_path / "group"] * 3


def test_end_of_groups_that_cannot_be_removed_is_bounded(tmp_path, monkeypatch):
    groups = hung_groups(tmp_path, monkeypatch)
    begin = time.monotonic()
    sandbox._end(groups)
    assert time.monotonic() - begin < 2


@pytest.fixture
def killed() -> str:
    """The mark of a process that was killed."""
    code = "from fmnist_helpers.grading import sandbox; print(sandbox._mark())"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


def test_groups_of_a_run_that_was_killed_are_removed_with_what_runs_in_them(killed, monkeypatch):
    with process_groups(Limits()) as groups:
        if not groups:
            pytest.skip("no cgroup can be made here")
        monkeypatch.setattr(sandbox, "_mark", lambda: killed)
        left = [sandbox._new_group(group.parent) for group in groups]
        monkeypatch.undo()
        sleeper = subprocess.Popen(["sleep", "600"])
        (left[0] / "cgroup.procs").write_text(str(sleeper.pid))
        assert set(stale_groups()) >= set(left)
        remove_stale_groups()
        assert sleeper.wait(10) == -9
        assert not any(group.exists() for group in left)
        # Our own are no leftovers.
        assert all(group.exists() for group in groups)


def test_number_of_a_process_that_was_given_again_is_no_obstacle():
    process, start = sandbox._mark().split("-")
    assert not sandbox._is_stale(f"fmnist-{process}-{start}-x") and sandbox._is_stale(f"fmnist-{process}-1-x")
    assert not sandbox._is_stale("fmnist-thing") and not sandbox._is_stale("fmnist-1-2")


# --- where no cgroup can be had ----------------------------------------------------------------------------


def test_submissions_are_spread_over_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {2, 5})
    with own_core([]) as one, own_core([]) as two:
        assert {one, two} == {2, 5}
        with own_core([]) as three:
            assert three in (2, 5)
    with own_core([]) as again:
        assert again == 2


def test_command_without_a_share_is_nice_and_stays_on_its_core(folders):
    command = kernel_command(*folders, Limits(), [], sandboxed=False, core=min(os.sched_getaffinity(0)))
    place = command.index(sys.executable)
    code = "import json, os; print(json.dumps([os.nice(0), sorted(os.sched_getaffinity(0))]))"
    told = json.loads(subprocess.check_output([*command[:place], sys.executable, "-c", code]))
    assert told == [min(os.nice(0) + 10, 19), [min(os.sched_getaffinity(0))]]


# --- the folder in which a kernel is met -------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def test_folder_of_sockets_is_removed_with_whatever_is_in_it(temporary, tmp_path):
    (tmp_path / "precious").mkdir(mode=0o750)
    (tmp_path / "precious" / "work.txt").write_text("still here")
    with spool() as place:
        (place / "closed" / "deep").mkdir(parents=True)
        (place / "link").symlink_to(tmp_path / "precious")
        (place / "closed" / "link").symlink_to(tmp_path / "precious" / "work.txt")
        os.mkfifo(place / "closed" / "deep" / "fifo")
        os.chmod(place / "closed" / "deep", 0)
        os.chmod(place / "closed", 0o500)
    assert list(temporary.iterdir()) == []
    assert (tmp_path / "precious" / "work.txt").read_text() == "still here"
    assert (tmp_path / "precious").stat().st_mode & 0o777 == 0o750


def test_folders_of_runs_that_were_killed_are_removed_and_no_others(temporary, tmp_path, killed):
    (tmp_path / "precious").mkdir()
    (temporary / f"fmnist-{killed}-abc" / "closed").mkdir(parents=True)
    os.chmod(temporary / f"fmnist-{killed}-abc" / "closed", 0)
    (temporary / f"fmnist-{killed}-link").symlink_to(tmp_path / "precious")
    (temporary / "fmnist-mine").mkdir()
    (temporary / "fmnist-12-34").mkdir()
    with spool() as place:
        remove_stale_spools()
        assert sorted(path.name for path in temporary.iterdir()) == sorted(
            [place.name, "fmnist-mine", "fmnist-12-34", f"fmnist-{killed}-link"]
        )
    assert (tmp_path / "precious").is_dir()
