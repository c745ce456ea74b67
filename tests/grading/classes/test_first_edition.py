"""A class that was graded by the first edition is taken over; nbgrader's own commands still grade honest work.

``first_edition_class.zip`` is the folder of such a class, ex03_loss: Ada's work is right and her explanation was
marked by hand, Ben has a task wrong, and Cem patched a check, for which the first edition took a task from him.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook

from tests.exercises import hostile
from tests.grading.conftest import SANDBOX, Graded, command

NAME = "ex03_loss"


@pytest.fixture(scope="module")
def taken_over(tmp_path_factory) -> Graded:
    folder = tmp_path_factory.mktemp("taken over") / "class"
    with zipfile.ZipFile(Path(__file__).with_name("first_edition_class.zip")) as archive:
        archive.extractall(folder)
    done = command("grade", "--out", folder, *SANDBOX)
    assert done.returncode == 0, done.stdout + done.stderr
    return Graded(folder, done, [])


def test_everybody_has_the_marks_that_the_first_edition_gave(taken_over):
    tested = {
        name: sum(
            float(row[task]) for task in row if task.endswith(("-test", "-value", "-slopes")) and row[task]
        )
        for name, row in taken_over.rows.items()
    }
    assert tested == {"ada": 15, "ben": 11, "cem": 12}


def test_who_patched_a_check_is_graded_and_no_more(taken_over):
    row = taken_over.rows["cem"]
    assert row["flags"] == "" and float(row["loss_over_batches-test"]) == 0


def test_marks_and_comments_by_hand_are_still_in_the_book(taken_over):
    with Gradebook(f"sqlite:///{taken_over.folder / 'gradebook.db'}") as gradebook:
        assert gradebook.find_grade("explain", NAME, NAME, "ada").manual_score == 1.5
        assert gradebook.find_comment("explain", NAME, NAME, "ada").manual_comment == "Well said."


def test_notebooks_that_import_the_old_names_ran(taken_over):
    assert "fmnist_helpers.checks is called fmnist_helpers.exercises now" in taken_over.outputs("ada", NAME)


def test_nbgraders_own_autograde_gives_honest_students_the_same_marks(taken_over):
    nbgrader = Path(sys.executable).with_name("nbgrader")
    for student in ("ada", "ben"):
        done = subprocess.run(
            [nbgrader, "autograde", NAME, "--student", student, "--force"],
            cwd=taken_over.folder,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": f"{nbgrader.parent}{os.pathsep}{os.environ['PATH']}"},
        )
        assert done.returncode == 0, done.stderr
        with Gradebook(f"sqlite:///{taken_over.folder / 'gradebook.db'}") as gradebook:
            submission = gradebook.find_submission(NAME, student)
            automatic = {grade.name: grade.auto_score for grade in submission.notebooks[0].grades}
        table = taken_over.rows[student]
        assert all(float(table[name]) == score for name, score in automatic.items() if score is not None)
        assert len([score for score in automatic.values() if score is not None]) == 5
        # It ran them in the kernel, where each check judged at once.
        page = taken_over.outputs(student, NAME)
        assert "judged after hand-in" not in page
    path = taken_over.folder / "autograded" / "ben" / NAME / f"{NAME}.ipynb"
    test = hostile.cell_of(nbformat.read(path, as_version=4), "model_loss-test")
    assert test.outputs[-1].ename == "CheckFailed"
