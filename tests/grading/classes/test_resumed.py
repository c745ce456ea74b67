"""Grading that is killed, interrupted or done again."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook

from tests.exercises import hostile
from tests.exercises.hostile import ASSIGNMENT, POINTS, UNREADABLE
from tests.grading.conftest import PROBLEM, SANDBOX, Graded, command


@pytest.fixture
def small_class(tmp_path, released) -> Path:
    """Four honest students, one of whom gets a task wrong."""
    folder = Path(shutil.copytree(released, tmp_path / "class"))
    release = folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    right = hostile.solved(nbformat.read(release, as_version=4))
    for number in range(4):
        notebook = nbformat.from_dict(right)
        if number == 3:
            hostile.cell_of(notebook, "train_clipped").source = "def train_clipped(*arguments): return []"
        target = folder / "submitted" / f"student {number}" / ASSIGNMENT
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{ASSIGNMENT}.ipynb")
    return folder


def test_grading_killed_midway_goes_on_where_it_was(small_class):
    arguments = ["grade", "--out", small_class, "--jobs", "1", *SANDBOX]
    outcomes = small_class / "outcomes"
    started = subprocess.Popen(
        [sys.executable, "-m", "fmnist_helpers.grading", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list(outcomes.rglob("*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)
    started.send_signal(signal.SIGKILL)
    started.wait()
    finished = {path: path.read_bytes() for path in outcomes.rglob("*.json")}
    assert 2 <= len(finished) < 4
    done = command(*arguments)
    after = Graded(small_class, done, [])
    points = {name: float(row["points"]) for name, row in after.rows.items()}
    whole = sum(POINTS.values())
    assert points == {"student 0": whole, "student 1": whole, "student 2": whole, "student 3": whole - 5}
    # What was finished before was not touched, but for the page of the last one, which may have been under way.
    for path, content in finished.items():
        now, before = json.loads(path.read_bytes()), json.loads(content)
        assert {**now, "feedback": ""} == {**before, "feedback": ""}


def test_interrupt_ends_at_once_and_says_how_to_go_on(small_class):
    arguments = ["grade", "--out", small_class, "--jobs", "1", *SANDBOX]
    for number in range(4):
        path = small_class / "submitted" / f"student {number}" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        hostile.cell_of(notebook, "predict").source = "import time; time.sleep(50)"
        nbformat.write(notebook, path)
    started = subprocess.Popen(
        [sys.executable, "-m", "fmnist_helpers.grading", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background (make test &, nohup) ignores the signal, and a child would inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list((small_class / "staged").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(3)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=120)
    assert started.returncode == 130
    assert "the same command goes on from there" in told
    assert not list((small_class / "outcomes").rglob("*.json"))


def test_table_keeps_other_assignments_and_own_settings_count(small_class):
    for name in ("student 1", "student 2", "student 3"):
        shutil.rmtree(small_class / "submitted" / name)
    other = small_class / "submitted" / "student 0" / "ex03_loss"
    other.mkdir()
    (other / "ex03_loss.ipynb").write_text("")
    (small_class / "own_settings.py").write_text("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    (small_class / "submitted" / "student 0" / ASSIGNMENT / "timestamp.txt").write_text(
        "2026-03-02 12:00:00 UTC"
    )
    with Gradebook(f"sqlite:///{small_class / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=hostile.DUE)
    options = [] if not PROBLEM else ["--no-sandbox"]
    command("grade", "--out", small_class, "--assignment", ASSIGNMENT, *options)
    command("grade", "--out", small_class, "--assignment", "ex03_loss", *options)
    with open(small_class / "grades.csv", encoding="utf-8-sig", newline="") as file:
        rows = {row["assignment"]: row for row in csv.DictReader(file)}
    assert rows["ex03_loss"]["status"] == UNREADABLE
    assert float(rows[ASSIGNMENT]["penalty"]) == float(rows[ASSIGNMENT]["points"]) == sum(POINTS.values())


def test_changed_submission_is_graded_again(small_class):
    arguments = ["grade", "--out", small_class, *SANDBOX]
    shutil.rmtree(small_class / "submitted" / "student 1")
    shutil.rmtree(small_class / "submitted" / "student 2")
    command(*arguments)
    path = small_class / "submitted" / "student 3" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    path.write_bytes(
        (small_class / "submitted" / "student 0" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes()
    )
    rows = Graded(small_class, command(*arguments), []).rows
    assert float(rows["student 3"]["points"]) == sum(POINTS.values())


def test_submission_graded_again_gets_the_same_problems_and_the_same_marks(small_class):
    arguments = ["grade", "--out", small_class, *SANDBOX]
    for number in (1, 2):
        shutil.rmtree(small_class / "submitted" / f"student {number}")
    paths = {n: small_class / "outcomes" / f"student {n}" / f"{ASSIGNMENT}.json" for n in (0, 3)}
    first = Graded(small_class, command(*arguments), []).rows
    seeds = {number: json.loads(path.read_text())["seed"] for number, path in paths.items()}
    assert seeds[0] != seeds[3]
    for path in paths.values():
        path.unlink()
    again = Graded(small_class, command(*arguments), []).rows
    assert {number: json.loads(path.read_text())["seed"] for number, path in paths.items()} == seeds
    assert again == first
