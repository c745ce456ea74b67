"""Late work: what is taken off follows due date, extension, settings and marks, by sums made apart."""

from __future__ import annotations

from datetime import datetime

import nbformat
import pytest
from nbformat.v4 import new_notebook

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.late import FAILED_RULE, LateError, assign_penalty, extend, set_due_date
from fmnist_helpers.grading.marks import final, read_marks
from fmnist_helpers.grading.release import ChangedError, release
from tests.grading.conftest import answer_cell, graded_cell

NAME = "ex03_loss"
PER_DAY = """
from nbgrader.plugins import LateSubmissionPlugin

class PerDay(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return {rule}

get_config().AssignLatePenalties.plugin_class = PerDay
"""


@pytest.fixture
def classroom(tmp_path) -> Classroom:
    """A class of one, whose work was graded (3 of 5 points) before its explanation was marked."""
    folder = tmp_path / "class"
    made = Classroom(folder, folder / "submitted")
    made.prepare()
    with made.gradebook() as gradebook:
        gradebook.add_assignment(NAME)
        gradebook.add_notebook(NAME, NAME)
        for cell, most in (("test", 3), ("explain", 2)):
            gradebook.add_grade_cell(cell, NAME, NAME, max_score=most, cell_type="code")
        gradebook.add_student("ada", first_name="Ada", last_name="Lovelace")
        gradebook.add_submission(NAME, "ada", timestamp="2027-03-02 12:00:00 UTC")
        grade = gradebook.find_grade("test", NAME, NAME, "ada")
        grade.auto_score, grade.needs_manual_grade = 3, False
        gradebook.db.commit()
    return made


def settings(classroom: Classroom, text: str) -> None:
    (classroom.folder / "own_settings.py").write_text(text)


def marks_now(classroom: Classroom):
    assert assign_penalty(classroom, "ada", NAME) == ""
    marks = read_marks(classroom, "ada", NAME)
    return marks.points, marks.penalty, final(marks)


def mark_by_hand(classroom: Classroom, points: float) -> None:
    with classroom.gradebook() as gradebook:
        grade = gradebook.find_grade("explain", NAME, NAME, "ada")
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def test_penalty_follows_due_date_settings_extension_and_marks(classroom):
    assert marks_now(classroom) == (3, 0, 3)
    set_due_date(classroom, NAME, "2027-03-01 12:00 UTC")
    assert marks_now(classroom) == (3, 0, 3)
    settings(classroom, PER_DAY.format(rule="total_seconds_late / 86400"))
    assert marks_now(classroom) == (3, 1, 2)
    settings(classroom, 'get_config().LateSubmissionPlugin.penalty_method = "zero"')
    assert marks_now(classroom) == (3, 3, 0)
    mark_by_hand(classroom, 2)
    assert marks_now(classroom) == (5, 5, 0)
    extend(classroom, "ada", NAME, "2027-03-02 11:00 UTC")
    assert marks_now(classroom) == (5, 5, 0)
    extend(classroom, "ada", NAME, "2027-03-02T13:00+01:00")
    assert marks_now(classroom) == (5, 0, 5)
    extend(classroom, "ada", NAME, "never")
    assert marks_now(classroom) == (5, 5, 0)
    set_due_date(classroom, NAME, "never")
    assert marks_now(classroom) == (5, 0, 5)


def test_no_more_is_taken_off_than_there_is(classroom):
    set_due_date(classroom, NAME, "2027-02-01 12:00 UTC")
    settings(classroom, PER_DAY.format(rule="100"))
    assert marks_now(classroom) == (3, 3, 0)


def test_a_rule_that_raises_changes_nothing_and_is_told(classroom):
    set_due_date(classroom, NAME, "2027-03-01 12:00 UTC")
    settings(classroom, PER_DAY.format(rule="1"))
    assert marks_now(classroom) == (3, 1, 2)
    settings(classroom, PER_DAY.format(rule="1 / 0"))
    said = assign_penalty(classroom, "ada", NAME)
    assert said == f"{FAILED_RULE}: the rule raised ZeroDivisionError: division by zero"
    assert read_marks(classroom, "ada", NAME).penalty == 1


def test_an_extension_waits_for_what_is_handed_in_later(classroom, monkeypatch):
    set_due_date(classroom, NAME, "2027-03-01 12:00 UTC")
    with classroom.gradebook() as gradebook:
        gradebook.add_student("ben")
    assert extend(classroom, "ben", NAME, "2027-03-05 12:00 UTC") == (
        f"ben may hand in {NAME} until 2027-03-05 12:00 UTC."
    )
    # What nbgrader's autograder does first of all.
    with classroom.gradebook() as gradebook:
        gradebook.update_or_create_submission(NAME, "ben", timestamp="2027-03-05 13:00:00 UTC")
        assert gradebook.find_submission(NAME, "ben").total_seconds_late == 3600


def due_for(classroom: Classroom, student: str) -> datetime:
    with classroom.gradebook() as gradebook:
        return gradebook.find_submission(NAME, student).duedate


def test_an_extension_ends_when_it_was_promised_to_however_the_due_date_moves(classroom):
    set_due_date(classroom, NAME, "2027-03-01 12:00 UTC")
    extend(classroom, "ada", NAME, "2027-03-05 12:00 UTC")
    for when in ("2027-02-20 12:00 UTC", "2027-03-03 12:00 UTC"):
        assert set_due_date(classroom, NAME, when).splitlines() == [
            f"{NAME} is due {when}.",
            "Extensions stay as they were promised: ada, until 2027-03-05 12:00 UTC.",
        ]
        assert due_for(classroom, "ada") == datetime(2027, 3, 5, 12)


@pytest.mark.parametrize("when", ["2027-03-06 12:00 UTC", "never"])
def test_nobody_has_less_time_than_all_others(classroom, when):
    set_due_date(classroom, NAME, "2027-03-01 12:00 UTC")
    extend(classroom, "ada", NAME, "2027-03-05 12:00 UTC")
    said = set_due_date(classroom, NAME, when).splitlines()
    assert said[1:] == ["Extensions no longer needed, and taken back: ada, until 2027-03-05 12:00 UTC."]
    assert due_for(classroom, "ada") == (None if when == "never" else datetime(2027, 3, 6, 12))
    assert read_marks(classroom, "ada", NAME).late_seconds == 0


def write_source(classroom: Classroom, *tests: str) -> None:
    path = classroom.source / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [answer_cell("a = 1"), *(graded_cell(name, "assert a == 1") for name in tests)]
    nbformat.write(new_notebook(cells=cells), path)


def test_an_exercise_may_change_beneath_an_extension_and_not_beneath_marks(tmp_path):
    made = Classroom(tmp_path / "class", tmp_path / "class" / "submitted", tmp_path / "source")
    made.prepare()
    write_source(made, "one")
    set_due_date(made, NAME, "2027-03-01 12:00 UTC")
    with made.gradebook() as gradebook:
        gradebook.add_student("ada")
    extend(made, "ada", NAME, "2027-03-05 12:00 UTC")
    write_source(made, "one", "two")
    release(made, NAME)
    assert due_for(made, "ada") == datetime(2027, 3, 5, 12)
    with made.gradebook() as gradebook:
        (copy,) = gradebook.find_submission(NAME, "ada").notebooks
        assert sorted(grade.name for grade in copy.grades) == ["one", "two"]
        assert [comment.name for comment in copy.comments] == ["answer"]
        gradebook.find_grade("one", NAME, NAME, "ada").auto_score = 4
        gradebook.db.commit()
    write_source(made, "one")
    with pytest.raises(ChangedError, match=r"has changed since it was graded .*gone: two"):
        release(made, NAME)


def test_an_assignment_nobody_has_released_can_be_due(tmp_path):
    made = Classroom(tmp_path / "class", tmp_path / "class" / "submitted")
    made.prepare()
    assert set_due_date(made, NAME, "1 March 2027, 23:59 UTC") == f"{NAME} is due 2027-03-01 23:59 UTC."
    with made.gradebook() as gradebook:
        assignment = gradebook.find_assignment(NAME)
        assert assignment.duedate == datetime(2027, 3, 1, 23, 59)
        assert assignment.notebooks


@pytest.mark.parametrize("written", ["Zo\u00eb", "Zoe\u0308", "zo\u00eb/", "Zoe\u0308/"])
@pytest.mark.parametrize("on_disk", ["Zo\u00eb", "Zoe\u0308"])
def test_a_student_is_the_same_however_the_name_is_written(classroom, on_disk, written):
    (classroom.submitted / on_disk / NAME).mkdir(parents=True)
    set_due_date(classroom, NAME, "2027-03-01 12:00 UTC")
    assert extend(classroom, written, NAME, "never").startswith("Zo\u00eb may hand in")
    with classroom.gradebook() as gradebook:
        assert {student.id for student in gradebook.students} == {"ada", "Zo\u00eb"}


@pytest.mark.parametrize("name", ["", "/", "..", ".", "ada/ex03_loss", "ben"])
def test_what_is_no_students_name_enters_nobody(classroom, name):
    (classroom.submitted / "ada" / NAME).mkdir(parents=True)
    set_due_date(classroom, NAME, "2027-03-01 12:00 UTC")
    with pytest.raises(LateError, match=r"there is no student .*; known are ada"):
        extend(classroom, name, NAME, "never")
    with classroom.gradebook() as gradebook:
        assert [student.id for student in gradebook.students] == ["ada"]


@pytest.mark.parametrize(
    ("due", "student", "until", "said"),
    [
        ("never", "ada", "2027-03-05 12:00 UTC", "has no due date; set one first"),
        (
            "2027-03-01 12:00 UTC",
            "ada",
            "2027-02-05 12:00 UTC",
            "is before the due date, 2027-03-01 12:00 UTC",
        ),
        ("2027-03-01 12:00 UTC", "eda", "2027-03-05 12:00 UTC", "there is no student eda; known are ada"),
        (
            "2027-03-01 12:00 UTC",
            "ada",
            "02/03/2027",
            r"02/03/2027 was not used.*write it as 2027-03-01 23:59 UTC",
        ),
        ("2027-03-01 12:00 UTC", "ada", "", "it is empty"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(classroom, due, student, until, said):
    set_due_date(classroom, NAME, due)
    with pytest.raises(LateError, match=said):
        extend(classroom, student, NAME, until)


def test_commands_say_what_they_did(classroom, capsys):
    out = ["--out", str(classroom.folder)]
    assert main(["due", NAME, "--at", "2027-03-01 12:00 UTC", *out]) == 0
    assert main(["extend", "ada", NAME, "--until", "2027-03-03 12:00 UTC", *out]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME} is due 2027-03-01 12:00 UTC.",
        f"ada may hand in {NAME} until 2027-03-03 12:00 UTC.",
    ]
    assert main(["due", NAME, "--at", "Sunday, 2 March 2027, 12:00 UTC", *out]) == 0
    assert main(["extend", "ada", NAME, "--until", "2027-03-03", *out]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME} is due 2027-03-02 12:00 UTC; the time stamp Sunday, 2 March 2027, 12:00 UTC names a day of the week "
        "that 2027-03-02 is not.",
        "Extensions stay as they were promised: ada, until 2027-03-03 12:00 UTC.",
        f"ada may hand in {NAME} until 2027-03-03 00:00 UTC; the time stamp 2027-03-03 names no time of day and no "
        "time zone, and was read as 2027-03-03 00:00:00 UTC.",
    ]
    assert main(["due", "ex99", "--at", "never", *out]) == 2
    assert main(["extend", "ada", NAME, "--until", "soon", *out]) == 1
    assert "write it as 2027-03-01 23:59 UTC" in capsys.readouterr().err
