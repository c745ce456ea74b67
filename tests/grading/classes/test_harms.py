"""The table of harms, graded by the real command: nobody else loses a mark, and what the grader holds stays bounded."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading import sandbox
from fmnist_helpers.grading.classroom import LOG_BYTES
from fmnist_helpers.grading.listener import SUBMISSION_BYTES
from tests.exercises import hostile
from tests.exercises.harms import CALLS, HARMS
from tests.exercises.hostile import ASSIGNMENT, POINTS
from tests.grading.conftest import PROBLEM, SANDBOX, Graded

pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)
MISSING = " ".join(sandbox.missing_limits(sandboxed=True)) if not PROBLEM else ""
UNLIMITED = {"fills files in memory": "memory", "fills shared segments": "memory"}
"""Harms that only a cgroup prevents → of what."""
CASES = [case for case in HARMS if UNLIMITED.get(case.student, "no") not in MISSING.split()]
PEAK = """
import resource, sys
from fmnist_helpers.grading.__main__ import main
status = main(sys.argv[1:])
print("peak:", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


def log_in() -> None:
    """Get a session keyring, as whoever has logged in has one; a process without any shares none."""
    ctypes.CDLL(None).syscall(CALLS[1], 1, b"of the grader")


def graded(folder: Path, cases: list[hostile.Case]) -> tuple[Graded, int]:
    """Grade a class, and return it with the most memory that the command's process took."""
    release = folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    cases = hostile.write(folder / "submitted", release, cases, sandboxed=True)
    (folder / "temporary").mkdir()
    arguments = ["grade", "--out", folder, "--cell-seconds", 30, "--memory", 5, *SANDBOX]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=3600,
        env={**os.environ, "TQDM_DISABLE": "1", "TMPDIR": str(folder / "temporary")},
        preexec_fn=log_in,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Graded(folder, done, cases), int(re.search(r"peak: (\d+)", done.stderr)[1])


@pytest.fixture(scope="module")
def harmed(tmp_path_factory, released) -> tuple[Graded, int]:
    return graded(Path(shutil.copytree(released, tmp_path_factory.mktemp("harms") / "class")), CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.student)
def test_each_keeps_what_it_earned_and_the_neighbours_lose_nothing(harmed, case):
    row = harmed[0].rows[case.student]
    told = "; ".join(row[column] for column in ("detail", "flags", "notes"))
    marks = {task: float(row[task]) for task in POINTS}
    assert marks == {task: 0 if task in case.lost else most for task, most in POINTS.items()}, told
    assert row["status"] == case.status, told
    assert case.words in told and len(told) < 600


def test_memory_of_the_grader_is_that_of_a_class_of_honest_students(harmed, tmp_path, released):
    honest = [case for case in CASES if case.student in ("honest", "z honest")]
    _, usual = graded(Path(shutil.copytree(released, tmp_path / "class")), honest)
    assert harmed[1] < usual + 300_000_000


def test_what_is_written_is_bounded(harmed):
    folder = harmed[0].folder
    autograded = {path: path.stat().st_size for path in (folder / "autograded").rglob("*.ipynb")}
    assert len(autograded) == len(CASES) and max(autograded.values()) < 1.2 * SUBMISSION_BYTES
    assert max(path.stat().st_size for path in (folder / "feedback").rglob("*.html")) < 3 * SUBMISSION_BYTES
    assert all(path.stat().st_size <= LOG_BYTES for path in folder.glob("nbgrader.log*"))
    assert (folder / "grades.csv").stat().st_size < 100_000
    assert max(map(len, harmed[0].done.stdout.splitlines())) < 1000 and len(harmed[0].done.stderr) < 10_000
    assert sum(path.stat().st_size for path in (folder / "outcomes").rglob("*.json")) < 300_000


def test_nothing_is_left_in_the_temporary_place_and_no_group(harmed):
    left = (harmed[0].folder / "temporary").rglob("*")
    # torch makes this folder in every program that makes an optimiser, one for each user, and leaves it empty.
    assert [path for path in left if not path.name.startswith("torchinductor_")] == []
    assert sandbox.stale_groups() == []


def told(harmed: tuple[Graded, int], student: str, what: str) -> str:
    """Return what a submission has printed behind these words."""
    return re.search(rf"{what}: (.*?)\\n", harmed[0].outputs(student))[1]


@pytest.mark.skipif(not all(CALLS), reason="the numbers of the system calls are not known here")
def test_key_that_one_submission_left_is_found_by_no_other(harmed):
    assert told(harmed, "a leaves a key", "left a key") == "True"
    assert told(harmed, "z looks for a key", "found keys") == "[]"


def test_nothing_of_the_host_or_of_a_neighbour_is_seen(harmed):
    student = "looks at the host"
    assert told(harmed, student, "seen of the host") == told(harmed, student, "neighbours") == "[]"
    assert len(told(harmed, student, "processes").split(",")) <= 3
    assert told(harmed, student, "groups") == "{'/'}"


def test_what_was_brought_is_copied_nowhere_for_good(harmed):
    folder = harmed[0].folder
    assert [path.relative_to(folder).parts[0] for path in folder.rglob("beside.txt")] == ["submitted"]


def test_no_folder_holds_more_than_its_size(harmed):
    limits = sandbox.Limits()
    assert (
        int(told(harmed, "fills every folder", "filled").split()[0])
        <= 2 * limits.file_mib + sandbox.SHARED_MIB
    )
    assert 0 < int(told(harmed, "fills files without a name", "unlinked")) <= limits.file_mib
    assert told(harmed, "makes namespaces", "namespaces") == "[-1, -1, -1]"
    assert told(harmed, "looks for the sockets", "folders of sockets") == "[]"


def test_honest_figure_is_kept_whole(harmed):
    assert (
        len(re.findall(r'"image/png": "[^"]{400000}', harmed[0].outputs("honest: a figure of 300 kB"))) == 1
    )
    assert len(re.findall(r'"image/png": "[^"]{130000}', harmed[0].outputs("honest: a live plot"))) == 1


def test_what_is_left_out_is_said(harmed):
    assert "MB is left out" in harmed[0].outputs("honest: an interactive figure")
    assert "the rest is cut" in harmed[0].outputs("many cells")
    # Of lines nbgrader itself keeps a thousand.
    assert "Output truncated" in harmed[0].outputs("honest: twenty thousand lines")
    assert "the last" in harmed[0].outputs("clears and fills")
