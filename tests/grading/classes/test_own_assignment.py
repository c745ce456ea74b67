"""An assignment that an instructor wrote: checks, plain asserts, both in one cell, and partial credit."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_notebook

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from tests.grading.conftest import SANDBOX, Graded, answer_cell, command, graded_cell

NAME = "mine"
IMPORT = "from fmnist_helpers.exercises.ex04_optimizer import check_order\n"
TESTS = {
    "checked": IMPORT + "check_order(order)",
    "asserted": "assert double(2) == 4\nassert double(0.5) == 1",
    "both": IMPORT + "check_order(order)\nassert double(3) == 6",
    "partial": IMPORT
    + "points = 1\ntry:\n    check_order(order)\n    points += 3\nexcept AssertionError:\n    pass\npoints",
    "partial_inside": "3 if double(2) == 4 else 1",
    "wrapped": IMPORT + "check_order(str(order))",
    "own_mistake": IMPORT + "check_order(order)\n1 / 0",
}
POINTS = 4
RIGHT = 'order = "C B D E A"\ndef double(value):\n    return 2 * value'
WRONG = 'order = "A B C D E"\ndef double(value):\n    return value + 2'
QUIET = f"{WRONG}\nget_ipython().set_custom_exc((Exception,), lambda *arguments, **options: None)"


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Graded:
    folder = tmp_path_factory.mktemp("own")
    tests = [graded_cell(name, source, POINTS) for name, source in TESTS.items()]
    source = new_notebook(cells=[answer_cell(f"### BEGIN SOLUTION\n{RIGHT}\n### END SOLUTION"), *tests])
    source.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "source" / NAME).mkdir(parents=True)
    nbformat.write(source, folder / "source" / NAME / f"{NAME}.ipynb")
    for student, answer in (("right", RIGHT), ("wrong", WRONG), ("quiet", QUIET)):
        own = nbformat.from_dict(source)
        own.cells[0].source = answer
        # What a submission brings for tests is neither trusted nor run.
        for cell in own.cells[1:]:
            cell.source = "4"
        target = folder / "class" / "submitted" / student / NAME
        target.mkdir(parents=True)
        nbformat.write(own, target / f"{NAME}.ipynb")
    done = command("grade", "--source", folder / "source", "--out", folder / "class", *SANDBOX)
    assert done.returncode == 0, done.stderr
    return Graded(folder / "class", done, [])


def points(graded: Graded, student: str) -> dict[str, float]:
    return {name: float(graded.rows[student][name]) for name in TESTS}


def test_right_answers_get_their_points(graded):
    got = points(graded, "right")
    full = ("checked", "asserted", "both", "partial")
    assert {name: got[name] for name in full} == dict.fromkeys(full, POINTS)
    assert got["partial_inside"] == 3


def test_wrong_answers_lose_them(graded):
    got = points(graded, "wrong")
    # double(2) is 4 either way.
    assert got["checked"] == got["both"] == got["asserted"] == 0
    assert got["partial"] == 1 and got["partial_inside"] == 3


def test_what_ran_in_the_students_process_is_named(graded):
    assert graded.rows["right"]["unprotected"].split() == ["asserted", "both", "partial_inside"]


def test_quiet_errors_forge_what_is_unprotected_and_nothing_else(graded):
    got = points(graded, "quiet")
    assert got["checked"] == got["both"] == 0 and got["partial"] == 1


def test_cell_that_cannot_be_judged_is_flagged_and_says_why(graded):
    row = graded.rows["right"]
    assert row["status"] == "flagged"
    assert "wrapped could not be judged: one statement calls a check and also uses" in row["flags"]
    assert "NotJudged" in graded.outputs("right", NAME)


def test_mistake_of_the_instructors_is_flagged_and_logged(graded):
    assert "own_mistake failed by itself: ZeroDivisionError" in graded.rows["right"]["flags"]
    assert "1 / 0" in TESTS["own_mistake"]
    log = (graded.folder / "nbgrader.log").read_text()
    assert "--- right, mine" in log and "ZeroDivisionError: division by zero" in log


def test_release_says_what_is_unprotected(tmp_path, graded):
    done = command("release", "--source", graded.folder.parent / "source", "--out", tmp_path)
    assert "asserted, both, partial_inside: run in the student's process, unprotected" in done.stdout
    assert "wrapped: cannot be judged" in done.stdout


def test_class_has_one_secret_that_others_cannot_read(graded):
    path = Path(graded.folder / ".secret")
    assert len(path.read_bytes()) == 32 and path.stat().st_mode & 0o777 == 0o600
