"""What a person has marked stays where neither the answer nor the points changed, and waits where they did."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading import by_hand
from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.grade import Grader, Options
from fmnist_helpers.grading.marks import FAILED_RULE, OLD_MARKS, Outcome, read_marks, write_outcome

NAME = "ex03_loss"
WHO = ("ada", NAME)


def cell(make, name: str, source: str, **marks):
    marks = {"grade_id": name, "grade": False, "solution": False, "locked": False, "task": False} | marks
    return make(source, metadata={"nbgrader": {"schema_version": 3, **marks}})


def write_graded(classroom: Classroom, code: str = "a = 1", words: str = "Because.") -> None:
    """Write the notebook as the grader leaves it."""
    cells = [
        cell(new_code_cell, "answer", code, solution=True),
        cell(new_code_cell, "test", "check(a)", grade=True),
        cell(new_markdown_cell, "why", words, grade=True, solution=True),
    ]
    path = classroom.folder / "autograded" / "ada" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)


@pytest.fixture
def classroom(tmp_path) -> Classroom:
    """Both cells were marked by a person: the test overruled, the explanation read."""
    made = Classroom(tmp_path / "class", tmp_path / "class" / "submitted")
    made.prepare()
    with made.gradebook() as gradebook:
        gradebook.add_assignment(NAME)
        gradebook.add_notebook(NAME, NAME)
        for name, most in (("test", 3), ("why", 2)):
            gradebook.add_grade_cell(name, NAME, NAME, max_score=most, cell_type="code")
        gradebook.add_student("ada")
        gradebook.add_submission(NAME, "ada")
        for name, points in (("test", 3), ("why", 1.5)):
            grade = gradebook.find_grade(name, NAME, NAME, "ada")
            grade.auto_score = 0 if name == "test" else None
            grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()
    write_graded(made)
    return made


def grade_anew(classroom: Classroom, *, most: float = 2, **written: str) -> tuple[float, tuple[str, ...]]:
    """Do what nbgrader does with marks while it grades; return the points and what waits."""
    before = by_hand.marked(classroom, *WHO)
    write_graded(classroom, **written)
    with classroom.gradebook() as gradebook:
        gradebook.find_grade_cell("why", NAME, NAME).max_score = most
        for name in ("test", "why"):
            # nbgrader has every mark given by hand wait for another look.
            gradebook.find_grade(name, NAME, NAME, "ada").needs_manual_grade = True
        gradebook.db.commit()
    by_hand.keep(classroom, *WHO, before)
    marks = read_marks(classroom, *WHO)
    return marks.points, marks.waiting


def test_marks_stay_where_nothing_that_they_were_given_for_has_changed(classroom):
    assert grade_anew(classroom) == (4.5, ())
    assert grade_anew(classroom) == (4.5, ())


def test_only_what_was_given_for_another_answer_waits(classroom):
    assert grade_anew(classroom, words="Because of it.") == (3, ("why",))
    # It waits until a person has looked, however often it is graded.
    assert grade_anew(classroom, words="Because of it.") == (3, ("why",))


def test_a_mark_on_a_test_belongs_to_the_answer_above(classroom):
    assert grade_anew(classroom, code="a = 2") == (1.5, ("test",))


def test_other_points_ask_for_another_look(classroom):
    assert grade_anew(classroom, most=4) == (3, ("why",))


def test_what_was_never_graded_keeps_nothing(tmp_path):
    made = Classroom(tmp_path / "class", tmp_path / "class" / "submitted")
    made.prepare()
    assert by_hand.marked(made, *WHO) == {}
    by_hand.keep(made, *WHO, {})


def outcome_of(grader: Grader) -> Outcome:
    return next(one for one in grader.others([]) if one.student == "ada")


def test_again_drops_what_was_given_by_hand_only_where_a_cell_is_named(classroom):
    grader = Grader(classroom, Options())
    assert not grader.again("ada", NAME)
    write_outcome(classroom.folder / "outcomes" / "ada" / f"{NAME}.json", Outcome(*WHO, key="k"))
    assert grader.again("ada", NAME) and outcome_of(grader).key == ""
    assert read_marks(classroom, *WHO).points == 4.5
    assert not grader.again("ada", NAME, "no such cell")
    assert grader.again("ada", NAME, "test")
    assert read_marks(classroom, *WHO).points == 1.5


def test_a_note_on_what_was_never_graded_is_refused(classroom, capsys):
    out = ["--out", str(classroom.folder), "--note", "seen"]
    assert main(["accept", "ada", NAME, *out]) == 2
    assert capsys.readouterr().err == f"There is nothing graded of ada in {NAME}.\n"
    write_outcome(classroom.folder / "outcomes" / "ada" / f"{NAME}.json", Outcome(*WHO, flags=["odd"]))
    assert main(["accept", "ada", NAME, *out]) == 0


def test_a_note_on_flags_holds_for_the_same_work_alone(classroom):
    grader = Grader(classroom, Options())
    assert not grader.accept("ada", NAME, "seen")
    path = classroom.folder / "outcomes" / "ada" / f"{NAME}.json"
    write_outcome(path, Outcome(*WHO, digest="one", flags=["odd"]))
    assert grader.accept("ada", NAME, "seen") and outcome_of(grader).accepted == "seen"
    assert grader._accepted(Outcome(*WHO, digest="one")) == ("seen", ["odd"])
    assert grader._accepted(Outcome(*WHO, digest="two")) == ("", None)


def test_what_only_one_run_says_is_not_kept_and_not_accepted(classroom):
    grader = Grader(classroom, Options())
    path = classroom.folder / "outcomes" / "ada" / f"{NAME}.json"
    write_outcome(path, Outcome(*WHO, flags=["odd", f"{FAILED_RULE}: why", f"{OLD_MARKS}: why"]))
    assert outcome_of(grader).flags == ["odd"]
    assert grader.accept("ada", NAME, "seen") and outcome_of(grader).accepted_flags == ["odd"]
