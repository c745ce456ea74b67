"""nbgrader's own export, run in the folder of a class whose students have any names."""

from __future__ import annotations

import contextlib
import csv
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook
from nbgrader.apps import ExportApp

from fmnist_helpers.grading.classroom import Classroom

NAMES = ("Doe, Jane", "=1+1", 'Zoë "Z"', "12", "plain", "line\nbreak", "-2+3", "@SUM(A1)", "absent")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A class in which each student but the last has handed in the first of two assignments."""
    classroom = Classroom(tmp_path_factory.mktemp("a class"), Path("submitted"))
    classroom.prepare()
    with classroom.gradebook() as gradebook:
        gradebook.add_assignment("first", duedate="2027-03-02 12:00:00 UTC")
        gradebook.add_assignment("second")
        gradebook.add_notebook("first", "first")
        gradebook.add_grade_cell("task", "first", "first", max_score=5, cell_type="code")
        for name in NAMES:
            gradebook.add_student(name, last_name=name, first_name="Ann", email=None)
        for number, name in enumerate(NAMES[:-1]):
            _hand_in(gradebook, name, points=number % 5, penalty=2.5)
    return classroom.folder


def _hand_in(gradebook: Gradebook, name: str, points: float, penalty: float) -> None:
    submission = gradebook.add_submission("first", name, timestamp="2027-03-02 12:30:00.5 UTC")
    gradebook.find_grade("task", "first", "first", name).auto_score = points
    submission.notebooks[0].late_submission_penalty = penalty
    gradebook.db.commit()


def export(folder: Path, *arguments: str) -> list[dict[str, str]]:
    """Run nbgrader's command, in this process, and read the table that it wrote."""
    path = folder / "out.csv"
    command = ExportApp()
    with contextlib.chdir(folder):
        command.initialize([f"--to={path}", *arguments])
        command.start()
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_an_extension_without_work_is_no_zero(folder):
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.add_student("extended")
        gradebook.add_submission("first", "extended")
        gradebook.grant_extension("first", "extended", days=1)
    row = next(
        row for row in export(folder) if row["student_id"] == "extended" and row["assignment"] == "first"
    )
    assert row["score"] == row["raw_score"] == ""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.remove_student("extended")


def test_every_name_comes_back_and_none_is_a_formula(folder):
    rows = export(folder)
    names = [row["student_id"] for row in rows if row["assignment"] == "first"]
    assert sorted(name.removeprefix("'") for name in names) == sorted(NAMES)
    assert {name for name in names if name.startswith("'")} == {"'=1+1", "'-2+3", "'@SUM(A1)"}
    assert all(row["last_name"] == row["student_id"] and row["first_name"] == "Ann" for row in rows)
    assert (folder / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfassignment,duedate,")


def test_what_nbgraders_own_export_can_write_is_the_same(folder):
    chosen = "--student=['plain', '12', 'absent']"
    ours = export(folder, chosen)
    theirs = export(folder, chosen, "--exporter=nbgrader.plugins.CsvExportPlugin")
    assert [row for row in ours if row["timestamp"]] == [row for row in theirs if row["timestamp"]]
    scores = {row["student_id"]: row["score"] for row in ours if row["assignment"] == "first"}
    assert scores == {"plain": "1.5", "12": "0.5", "absent": ""}
    assert [row["assignment"] for row in export(folder, chosen, "--assignment=['second']")] == ["second"] * 3


def test_who_handed_in_nothing_has_no_zero(folder):
    (row,) = export(folder, "--student=['absent']", "--assignment=['first']")
    assert (row["raw_score"], row["late_submission_penalty"], row["score"], row["max_score"]) == (
        "",
        "",
        "",
        "5.0",
    )


@pytest.mark.slow
def test_table_of_grades_is_not_overwritten(folder):
    (folder / "grades.csv").write_text("ours")
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "export"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "grades.csv").read_text() == "ours" and (folder / "nbgrader.csv").is_file()
