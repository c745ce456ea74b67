"""The exercises: every right solution passes, every wrong one is told apart, and the students' copies hold neither."""

from __future__ import annotations

import ast
import re
import zipfile
from collections import Counter

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

pytest.importorskip("nbgrader", reason="the exercises stand on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.exercises.misconceptions import BELIEFS
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.release import release
from tests.exercises.bank import (
    assignments,
    complaint,
    grade_id,
    is_answer,
    is_test,
    read_source,
    read_variants,
    run,
    tasks,
)
from tests.tools.course import COURSE, EXERCISES

NAMES = ["ex01_data", "ex02_model", "ex03_loss", "ex04_optimizer", "ex05_training_loop", "ex06_project"]
VARIANTS = [variant for name in assignments() for variant in read_variants(name)]

# Asked in words, or in the lessons themselves, because they do not show in code that is run for a second.
NOT_IN_CODE = {"seed_everywhere"}


def test_there_is_one_for_each_lesson_and_a_project():
    assert assignments() == NAMES


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_variant_is_judged_rightly(variant):
    problem = complaint(variant, run(variant))
    assert not problem, problem


@pytest.mark.parametrize("name", NAMES)
def test_every_task_has_enough_variants(name):
    for task in tasks(name):
        kinds = Counter(variant.correct for variant in read_variants(name) if variant.task == task)
        assert kinds[True] >= 4 and kinds[False] >= 4, task


def test_wrong_variants_cover_the_beliefs():
    shown = {variant.about for variant in VARIANTS if not variant.correct}
    assert set(BELIEFS) - shown <= NOT_IN_CODE | {"copied_prediction"}
    assert sum(not variant.correct for variant in VARIANTS) >= 60


@pytest.fixture(params=NAMES)
def source(request):
    notebook = read_source(request.param)
    notebook.metadata["assignment"] = request.param
    return notebook


def test_source_stores_no_output(source):
    for cell in source.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


def test_metadata_is_nbgraders(source):
    names = [grade_id(cell) for cell in source.cells if grade_id(cell)]
    assert len(set(names)) == len(names)
    for cell in source.cells:
        marks = cell.metadata.get("nbgrader")
        if marks:
            assert marks["schema_version"] == 3
            assert marks["grade"] or marks["solution"]
            assert marks["locked"] == is_test(cell)
        assert set(cell.metadata) <= {"nbgrader"}


def test_every_task_ends_in_a_test_with_hidden_parts_and_one_task_is_marked_by_hand(source):
    for cell in source.cells:
        if is_answer(cell):
            assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") == 1
        if is_test(cell):
            visible, hidden = re.fullmatch(
                r"(.*?)### BEGIN HIDDEN TESTS\n(.*)### END HIDDEN TESTS", cell.source, flags=re.DOTALL
            ).groups()
            assert "check_" in visible and "check_" in hidden
    by_hand = [cell for cell in source.cells if grade_id(cell) and cell.cell_type == "markdown"]
    assert len(by_hand) == 1
    assert by_hand[0].metadata.nbgrader.grade and by_hand[0].metadata.nbgrader.solution


def test_what_is_to_be_assigned_is_named_outside_the_solution(source):
    """Else the student's copy has an empty cell, and the name of the answer has to be guessed."""
    named = []
    for cell in filter(is_answer, source.cells):
        given, solution = cell.source.split("### BEGIN SOLUTION")
        for name in re.findall(r"^(\w+) = ", solution, flags=re.MULTILINE):
            assert re.search(rf"^# {name} = ", given, flags=re.MULTILINE), grade_id(cell)
            named.append(name)
    assert {"predicted", "held"} <= set(named)


def test_points_are_those_that_the_heading_and_the_tasks_promise(source):
    points = sum(cell.metadata.nbgrader.get("points", 0) for cell in source.cells if grade_id(cell))
    text = "\n".join(cell.source for cell in source.cells if cell.cell_type == "markdown")
    assert f"**Points:** {points}." in text
    promised = [
        int(number) for number in re.findall(r"^## Task \d: .*\((\d+) points?\)$", text, flags=re.MULTILINE)
    ]
    assert sum(promised) == points


def test_headings_and_links(source):
    text = "\n\n".join(cell.source for cell in source.cells if cell.cell_type == "markdown")
    titles = re.findall(r"^(#+) (.+)$", text, flags=re.MULTILINE)
    assert titles[0][0] == "#" and titles[0][1].startswith("Exercise ")
    assert [title.split(":")[0] for _, title in titles[1:]] == [f"Task {n}" for n in range(1, len(titles))]
    for words in ("**You need**", "**Time:**", "`hint()`"):
        assert words in text
    folder = EXERCISES / source.metadata.assignment
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or (folder / target).is_file(), target
    assert "!" not in re.sub(r"`[^`]*`", "", text)


def test_nothing_exported_by_the_package_is_asked_for(source):
    import fmnist_helpers

    for cell in source.cells:
        if is_answer(cell):
            defined = {node.name for node in ast.walk(ast.parse(cell.source)) if hasattr(node, "name")}
            assert not defined & set(fmnist_helpers.__all__)


# --- the students' copies ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classroom")
    classroom = Classroom(folder, folder / "submitted")
    for name in NAMES:
        release(classroom, name)
    return classroom


def regions(notebook, what: str) -> list[str]:
    """Return the lines between BEGIN and END marks, read without nbgrader."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    found = re.findall(rf"### BEGIN {what}\n(.*?)### END {what}", text, flags=re.DOTALL)
    return [line.strip() for region in found for line in region.splitlines() if line.strip()]


def common_lines(notebook) -> set[str]:
    """Return the lines that the given cells and the descriptions show anyway."""
    given = [cell.source for cell in notebook.cells if not (is_answer(cell) or is_test(cell))]
    visible = [
        re.sub(r"### BEGIN.*?### END [A-Z ]+", "", cell.source, flags=re.DOTALL)
        for cell in notebook.cells
        if is_answer(cell) or is_test(cell)
    ]
    return {line.strip() for text in [*given, *visible] for line in text.splitlines()}


@pytest.mark.parametrize("name", NAMES)
def test_no_solution_no_hidden_test_and_no_output_survives(classroom, name):
    source = read_source(name)
    path = classroom.folder / "release" / name / f"{name}.ipynb"
    released = nbformat.read(path, as_version=4)
    lines = {line.strip() for cell in released.cells for line in cell.source.splitlines()}
    secret = set(regions(source, "SOLUTION")) | set(regions(source, "HIDDEN TESTS"))
    assert len(secret) > 10
    assert not (secret - common_lines(source)) & lines
    written = next(cell.source for cell in source.cells if cell.cell_type == "markdown" and grade_id(cell))
    text = path.read_text(encoding="utf-8")
    assert written[:60] not in text
    for word in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS"):
        assert word not in text
    assert not any(cell.get("outputs") for cell in released.cells)


@pytest.mark.parametrize("name", NAMES)
def test_zip_holds_the_same_notebook(classroom, name):
    with zipfile.ZipFile(classroom.folder / "release" / f"{name}.zip") as archive:
        assert archive.namelist() == [f"{name}/{name}.ipynb"]
        content = archive.read(f"{name}/{name}.ipynb")
    assert content == (classroom.folder / "release" / name / f"{name}.ipynb").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_students_copy_runs_up_to_the_first_task_and_says_what_to_do(classroom, name, tmp_path):
    released = nbformat.read(classroom.folder / "release" / name / f"{name}.ipynb", as_version=4)
    client = NotebookClient(
        released, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    with pytest.raises(CellExecutionError, match="Replace this line by your code"):
        client.execute()
    codes = [cell for cell in released.cells if cell.cell_type == "code"]
    first = next(place for place, cell in enumerate(codes) if is_answer(cell))
    assert [cell.execution_count for cell in codes[: first + 1]] == list(range(1, first + 2))
    assert codes[first].outputs[-1].ename == "NotImplementedError"


# --- the instructor's guide --------------------------------------------------------------------------------


def test_points_and_times_of_the_guide_are_those_of_the_notebooks():
    guide = (EXERCISES / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(ex\d+_\w+)` \| (.+) \|$", guide, flags=re.MULTILINE))
    assert list(rows) == NAMES
    for name, row in rows.items():
        text = "\n".join(cell.source for cell in read_source(name).cells if cell.cell_type == "markdown")
        points, minutes = (
            re.search(pattern, text)[1] for pattern in (r"\*\*Points:\*\* (\d+)", r"about (\d+) min")
        )
        titles = re.findall(r"^## Task \d: (.*) \((\d+) points?\)$", text, flags=re.MULTILINE)
        _, tasks_and_points, total, by_hand, time = [part.strip() for part in row.split("|")]
        assert tasks_and_points == "; ".join(f"{title}: {number}" for title, number in titles)
        assert (total, by_hand, time) == (points, titles[-1][1], f"{minutes} min")
    together = re.search(r"^\| together \| \| \| (\d+) \| (\d+) \|", guide, flags=re.MULTILINE)
    assert int(together[1]) == sum(int(row.split("|")[2]) for row in rows.values())


def test_files_in_which_the_guide_says_that_something_is_tested_are_there():
    guide = (EXERCISES / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"`((?:\w+/)*test_\w+)`", guide.split("## What was tested, and where")[1])
    assert len(names) > 20
    for name in names:
        assert (COURSE / ("" if name.startswith("tests/") else "tests/grading") / f"{name}.py").is_file(), (
            name
        )
