"""Each task can be solved from its lesson and the ones before it; the stated times are those that are counted."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.exercises.bank import assignments, read_source, tasks
from tests.exercises.table import NEEDS, calls, cells_of_lessons, counted_minutes, own_text, taught_in
from tests.tools.course import EXERCISES, LESSONS
from tests.tools.lesson_table import to_state

TASKS = [
    (assignment, task) for assignment in assignments() for task in tasks(assignment) if task != "predict"
]


def test_the_table_names_every_task_and_no_other():
    assert list(NEEDS) == [task for _, task in TASKS]


@pytest.mark.parametrize(("assignment", "task"), TASKS)
def test_what_a_task_needs_is_taught(assignment, task):
    missing = {what: words for what, words in NEEDS[task].items() if taught_in(words, assignment) is None}
    assert len(NEEDS[task]) > 1 and not missing


@pytest.mark.parametrize(("assignment", "task"), TASKS)
def test_a_solution_calls_nothing_that_nobody_has_shown(assignment, task):
    if task == "build_model" and not any(path.name.startswith("07") for path in LESSONS):
        pytest.skip("its layers are taught in lesson 07, which is not here")
    shown = "\n".join([own_text(assignment), *(source for _, source in cells_of_lessons(assignment))])
    assert not {name for name in calls(assignment, task) if not re.search(rf"\b{name}\b", shown)}


@pytest.mark.parametrize("assignment", assignments())
def test_the_stated_time_is_counted(assignment):
    opening = read_source(assignment).cells[0].source
    stated = int(re.search(r"\*\*Time:\*\* about (\d+) minutes", opening)[1])
    assert stated == to_state(counted_minutes(assignment))


def test_the_learners_page_names_each_exercise_with_its_lesson_and_its_time():
    page = nbformat.read(EXERCISES / "how_exercises_work.ipynb", as_version=4)
    rows = re.findall(
        r"^\| \[`(\w+)`\]\((.+?)\) \| \[.+?\]\(\.\.(.+?)\) \|.* \| (\d+) min \|$",
        page.cells[0].source,
        re.MULTILINE,
    )
    assert [name for name, *_ in rows] == assignments()
    for name, link, lesson, minutes in rows:
        opening = read_source(name).cells[0].source
        assert link == f"{name}/{name}.ipynb" and f"](../..{lesson})" in opening
        assert f"about {minutes} minutes" in opening
    assert not any(cell.cell_type == "code" for cell in page.cells)
