"""One status a submission, tables that invent no zero, and settings that nbgrader reads."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.marks import FAILED, Marks, Outcome, remarks_on, status_of
from fmnist_helpers.grading.report import attention, table, write_csv
from tests.exercises.hostile import ASSIGNMENT


def outcome(**options) -> Outcome:
    return Outcome("ada", ASSIGNMENT, **options)


def marks(**options) -> Marks:
    return Marks(
        **{
            "points": 3.0,
            "most": 5.0,
            "tasks": {"a": 3.0},
            "waiting": (),
            "late_seconds": 0.0,
            "penalty": 0.0,
            "comments": (),
            **options,
        }
    )


@pytest.mark.parametrize(
    ("told", "found", "status"),
    [
        (outcome(), marks(), "graded"),
        (outcome(), marks(waiting=("explain",)), "needs manual grading"),
        (outcome(flags=["changed x"]), marks(waiting=("explain",)), "flagged"),
        (outcome(stopped="the kernel died", flags=["changed x"]), marks(), "graded in part"),
        (outcome(problem="unreadable"), None, "unreadable"),
        (outcome(problem="not submitted"), marks(), "not submitted"),
        (outcome(), None, FAILED),
    ],
)
def test_status_is_the_worst_that_is_true(told, found, status):
    assert status_of(told, found) == status


def test_csv_has_empty_cells_and_no_zeros_for_what_is_not_known(tmp_path):
    rows = [
        (outcome(), marks(tasks={"a": 0.0, "b": None}, waiting=("b",))),
        (outcome(problem="unreadable"), None),
    ]
    write_csv(tmp_path / "grades.csv", rows)
    lines = (tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].endswith(",notes,unprotected,a,b")
    assert lines[1] == f"ada,{ASSIGNMENT},needs manual grading,3.0,5.0,0.0,0.0,3.0,b,,,,,0.0,"
    assert lines[2] == f"ada,{ASSIGNMENT},unreadable" + "," * 12


def test_late_work_counts_less_in_table_and_csv_alike(tmp_path):
    rows = [(outcome(), marks(penalty=1.25, late_seconds=5400)), (outcome(), marks(penalty=9.0))]
    write_csv(tmp_path / "grades.csv", rows)
    with open(tmp_path / "grades.csv", encoding="utf-8-sig", newline="") as file:
        told = [
            (row["points"], row["late_hours"], row["penalty"], row["final"]) for row in csv.DictReader(file)
        ]
    assert told == [("3.0", "1.5", "1.25", "1.75"), ("3.0", "0.0", "9.0", "0.0")]
    assert "1.75 of 5  graded: 1.25 taken off for late work" in table(rows)


def test_flags_that_a_person_accepted_are_no_status_and_no_matter_any_more(tmp_path):
    told = outcome(flags=["reached the limit of processes"], accepted="asked her, all right")
    assert status_of(told, marks()) == "graded"
    assert attention([(told, marks())]) == []
    write_csv(tmp_path / "grades.csv", [(told, marks())])
    assert "processes; accepted: asked her, all right" in (tmp_path / "grades.csv").read_text(
        encoding="utf-8-sig"
    )


@pytest.mark.parametrize("later", ["its late penalty is that of an earlier run: why", "another"])
def test_a_flag_that_came_after_the_note_shows(tmp_path, later):
    told = outcome(flags=["odd", later], accepted="seen", accepted_flags=["odd"])
    assert status_of(told, marks()) == "flagged"
    assert attention([(told, marks())]) == [f"  ada, {ASSIGNMENT}: {later}"]
    write_csv(tmp_path / "grades.csv", [(told, marks())])
    assert f"odd; accepted: seen; {later}" in (tmp_path / "grades.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    "flag",
    [
        "its late penalty is that of an earlier run: why",
        "its marks are of an earlier run: why",
        "x could not be judged: why",
        "x failed by itself: NameError",
    ],
)
def test_a_note_kept_without_the_flags_it_meant_hides_no_failure_of_the_grader(flag):
    assert status_of(outcome(flags=["odd"], accepted="seen"), marks()) == "graded"
    told = outcome(flags=["odd", flag], accepted="seen")
    assert status_of(told, marks()) == "flagged"
    assert attention([(told, marks())]) == [f"  ada, {ASSIGNMENT}: {flag}"]


def test_table_shows_control_characters_as_question_marks():
    told = Outcome("a\x1b[2Jb\n", ASSIGNMENT)
    assert "a?[2Jb?" in table([(told, marks())])


def test_remarks_say_what_stopped_waits_and_was_repaired():
    told = outcome(stopped="the kernel died", stopped_at="t", notes=["x was missing and was put back"])
    remarks = remarks_on(told, marks(waiting=("explain",)))
    assert len(remarks) == 3
    assert "the kernel died, at `t`" in remarks[0] and "counts 0 on this page until then" in remarks[1]


def test_attention_names_what_was_guessed_or_lost_in_one_line_each():
    rows = [
        (outcome(notes=["x was missing and was put back", "another"]), marks(points=3.0)),
        (outcome(answered=2), marks(points=0.0, tasks={"a": 0.0})),
        (outcome(answered=2), marks()),
        (outcome(problem="not submitted"), None),
        (outcome(problem="unreadable", notes=["it is a web page"]), None),
        (outcome(stopped="the kernel died", stopped_at="t"), marks()),
        (Outcome("a\x1b[2Jb", ASSIGNMENT, flags=["x" * 500]), marks()),
    ]
    lines = attention(rows)
    assert lines[:4] == [
        f"  ada, {ASSIGNMENT}: x was missing and was put back (and 1 more)",
        f"  ada, {ASSIGNMENT}: earned nothing, though 2 answers were written",
        f"  ada, {ASSIGNMENT}: it is a web page",
        f"  ada, {ASSIGNMENT}: the kernel died, at t",
    ]
    assert lines[4].startswith("  a?[2Jb, ") and len(lines[4]) < 260 and len(lines) == 5


def test_settings_file_is_what_nbgrader_reads(tmp_path):
    classroom = Classroom(tmp_path / "O'Neill's class", tmp_path / "in", Path(tmp_path / "src"))
    classroom.prepare()
    (classroom.folder / "own_settings.py").write_text("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    config = classroom.config("ex", "ada [1]")
    assert config.CourseDirectory.root == str(classroom.folder)
    assert config.CourseDirectory.submitted_directory == str(tmp_path / "in")
    assert config.CourseDirectory.student_id == "ada [1]"
    assert config.LateSubmissionPlugin.penalty_method == "zero"
