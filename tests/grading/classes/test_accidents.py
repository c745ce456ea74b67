"""A class of honest students to whom everything happened, graded by the real command: nobody loses anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook

from tests.exercises import accidents
from tests.exercises.accidents import ACCIDENTS, Accident
from tests.exercises.hostile import ASSIGNMENT, DUE, MANUAL, POINTS
from tests.grading.conftest import SANDBOX, Graded, command


@pytest.fixture(scope="module")
def graded(tmp_path_factory, released) -> Graded:
    folder = Path(shutil.copytree(released, tmp_path_factory.mktemp("accidents") / "a [class]"))
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=DUE)
    accidents.write(folder / "submitted", folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")
    done = command("grade", "--out", folder, *SANDBOX)
    assert done.returncode == 0, done.stdout + done.stderr
    return Graded(folder, done, [])


def told(graded: Graded, accident: Accident) -> str:
    row = graded.rows[accident.student]
    return "; ".join(filter(None, (row[column] for column in ("detail", "flags", "notes"))))


def test_there_are_as_many_students_as_accidents(graded):
    assert set(graded.rows) == {accident.student for accident in ACCIDENTS}
    assert len(graded.rows) == len(ACCIDENTS) > 45


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda accident: accident.student)
def test_full_marks_or_a_sentence(graded, accident):
    row = graded.rows[accident.student]
    said = told(graded, accident)
    assert row["status"] == accident.status, said
    assert accident.words in said
    if accident.status == MANUAL:
        assert {task: float(row[task]) for task in POINTS} == POINTS, said
        assert row["waiting"] == "explain"
        assert float(row["late_hours"]) == accident.hours_late
    else:
        assert row["points"] == "" and accident.words
    # What is nothing to speak of is not spoken of.
    assert bool(said) == bool(accident.words), said


@pytest.mark.parametrize("accident", [a for a in ACCIDENTS if a.words], ids=lambda accident: accident.student)
def test_screen_names_whoever_needs_a_look_and_nobody_else(graded, accident):
    listed = graded.done.stdout.partition("Look at these")[2]
    lines = [line for line in listed.splitlines() if line.startswith(f"  {accident.student[:24]}, ")]
    assert len(lines) == 1 and len(lines[0]) < 300


def test_screen_does_not_speak_of_the_others(graded):
    listed = graded.done.stdout.partition("Look at these")[2].splitlines()[1:]
    assert len([line for line in listed if line.startswith("  ")]) == sum(bool(a.words) for a in ACCIDENTS)


@pytest.mark.parametrize("student", ["explanation beside", "explanation in a comment", "explanation split"])
def test_person_who_marks_sees_the_whole_explanation(graded, student):
    page = graded.page(student)
    words = {"explanation split": ("The first half.", "The second half.")}
    for text in words.get(student, ("Only a validation split can tell, said",)):
        assert text in page


@pytest.mark.parametrize(
    "accident", [a for a in ACCIDENTS if "picture" in a.student or a.student == "attachment"]
)
def test_picture_stands_on_the_page(graded, accident):
    if accident.student == "30 MB of pictures":
        return
    assert accidents.ENCODED in graded.page(accident.student).replace("\n", "")


def test_second_run_repeats_nothing(graded):
    before = (graded.folder / "grades.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in (graded.folder / "outcomes").rglob("*.json")}
    assert command("grade", "--out", graded.folder, *SANDBOX).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (graded.folder / "outcomes").rglob("*.json")} == times
    assert (graded.folder / "grades.csv").read_bytes() == before
