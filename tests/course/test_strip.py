"""That copies hold neither solutions nor hidden tests, and are what nbgrader's release makes."""

from __future__ import annotations

import copy

import nbformat
import pytest

from fmnist_helpers.course import strip
from fmnist_helpers.exercises.observe import STUB
from tests.tools.course import EXERCISES, LESSONS

SOURCES = sorted(EXERCISES.glob("*/*.ipynb"))


def cell(text, kind="code", **roles):
    metadata = {"nbgrader": {"grade_id": "one", "schema_version": 3, **roles}} if roles else {}
    made = {"cell_type": kind, "id": "a", "metadata": metadata, "source": text.splitlines(keepends=True)}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """What nbgrader releases of every exercise."""
    grading = pytest.importorskip("fmnist_helpers.grading.release")
    from fmnist_helpers.grading.classroom import Classroom

    folder = tmp_path_factory.mktemp("class")
    classroom = Classroom(folder, folder / "submitted")
    for path in SOURCES:
        grading.release(classroom, path.stem)
    return folder / "release"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_an_exercise_is_what_nbgrader_releases(path, released):
    theirs = nbformat.read(released / path.stem / path.name, as_version=4)
    ours = strip.strip_exercise(strip.read(path.read_bytes()))
    assert nbformat.reads(strip.written(ours), as_version=4).cells == theirs.cells
    assert ours["metadata"] == theirs.metadata
    assert strip.strip_exercise(ours) == ours


@pytest.mark.parametrize("path", [*SOURCES, *LESSONS], ids=lambda path: path.stem)
def test_a_notebook_is_written_as_jupyter_writes_it(path):
    read = strip.read(path.read_bytes())
    assert strip.written(read).decode() == nbformat.writes(nbformat.from_dict(read)) + "\n"


def test_a_solution_gives_way_to_a_stub_that_checks_know():
    text = "def f(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n"
    (made,) = strip.strip_exercise(notebook(cell(text, solution=True)))["cells"]
    assert strip.source(made) == f"def f(x):\n    {strip.CODE_STUB}\n"
    assert STUB in strip.CODE_STUB
    (made,) = strip.strip_exercise(notebook(cell("Because.", "markdown", solution=True)))["cells"]
    assert strip.source(made) == strip.TEXT_STUB


def test_a_solution_written_into_a_handed_out_cell_does_not_get_out():
    (made,) = strip.strip_exercise(notebook(cell("f = 1", solution=True)))["cells"]
    written = made | {"source": ["f = 2"]}
    assert strip.strip_exercise(notebook(written))["cells"][0] == made


def test_what_would_get_out_is_refused():
    hidden = "check(f)\n### BEGIN HIDDEN TESTS\ncheck(f, 2)\n"
    whole = hidden + "### END HIDDEN TESTS"
    (made,) = strip.strip_exercise(notebook(cell(whole, grade=True, points=1)))["cells"]
    assert strip.source(made) == "check(f)"
    for text, roles in (
        (hidden, {"grade": True, "points": 1}),
        (whole, {}),
        ("### BEGIN SOLUTION\n1\n### END SOLUTION", {"grade": True, "points": 1}),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", {"solution": True}),
    ):
        with pytest.raises(ValueError, match=r"SOLUTION|HIDDEN TESTS"):
            strip.strip_exercise(notebook(cell(text, **roles)))


def test_a_lesson_loses_outputs_and_what_serves_the_tests_and_nothing_else():
    shown = cell("1 + 1") | {"outputs": [{"output_type": "stream"}], "execution_count": 3}
    ours = cell("assert True") | {"metadata": {"tags": [strip.REGRESSION_ONLY]}}
    given = notebook(cell("# Title", "markdown"), shown, ours)
    before = copy.deepcopy(given)
    assert strip.strip_lesson(given)["cells"] == [cell("# Title", "markdown"), cell("1 + 1")]
    assert given == before


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_lesson_shows_a_result(path):
    lesson = nbformat.from_dict(strip.strip_lesson(strip.read(path.read_bytes())))
    nbformat.validate(lesson)
    code = [one for one in lesson.cells if one.cell_type == "code"]
    assert code and not any(one.outputs or one.execution_count for one in code)
