"""No answer stands on the page before its question is answered, and every leak that was planted is found."""

from __future__ import annotations

import copy

import pytest

from fmnist_helpers.course import strip
from tests.lessons.questions import is_gated, leaks, undeclared
from tests.tools.course import LESSONS, NOTEBOOKS


def read(path):
    return strip.read(path.read_bytes())


@pytest.fixture(params=LESSONS, ids=[path.stem for path in LESSONS])
def lesson(request):
    return read(request.param)


def test_no_answer_stands_before_its_question_is_answered(lesson):
    assert leaks(lesson) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lessons_ask_for_three_committed_answers_and_declare_each(path):
    lesson = read(path)
    assert sum(map(is_gated, lesson["cells"])) >= 3
    assert undeclared(lesson) == []


LINEAR = "predict-merged"
PLANTED = {
    "a verdict that is printed": ("merged", "source", 'print("two linear layers are one linear layer")'),
    "a title": ("between-title", "source", "## 2. Two layers are the same as one"),
    "a title further down": ("modes-title", "source", "## 9. Why two linear layers are one linear layer"),
    "a comment": ("two-layers", "source", "# a single layer does the same as both\n"),
    "an output": ("two-layers", "output", "The two are the same as one."),
    "a text alternative": ("two-layers", "html", '<img alt="Both layers are the same as one." src="data:x">'),
    "a sentence": ("between-title", "source", "A single layer does the same as both."),
    "an assertion": ("merged", "source", "assert same"),
    "bold words": ("between-title", "source", "A single layer **does the same** as both."),
}


@pytest.mark.parametrize(("place", "kind", "text"), PLANTED.values(), ids=PLANTED)
def test_planted_leaks_are_found(place, kind, text):
    lesson = copy.deepcopy(read(NOTEBOOKS / "02_model.ipynb"))
    cells = {cell["id"]: cell for cell in lesson["cells"]}
    cells[LINEAR]["metadata"]["question"]["answer"] = [
        "two linear layers are one linear layer",
        "same as one",
        "does the same as both",
    ]
    cell = cells.get(place, lesson["cells"][-1])
    if kind == "source":
        cell["source"] = [*cell["source"], "\n", text]
    else:
        data = {"text/html": text, "text/plain": ""} if kind == "html" else {"text/plain": text}
        cell["outputs"] = [{"output_type": "execute_result", "data": data}]
    assert [one for one in leaks(lesson) if one.startswith(LINEAR)]


def test_an_answer_that_comes_later_is_no_leak():
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Title"},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {"question": {"answer": ["42"], "reveals": "c"}},
            "source": 'Prediction("How many?", choices=["42", "420"], run=lambda: 6 * 7, why="It is 42.")',
            "outputs": [{"output_type": "execute_result", "data": {"text/plain": "Predict: 42 / 420"}}],
        },
        {"cell_type": "code", "id": "c", "metadata": {}, "source": "print(6 * 7)", "outputs": []},
        {"cell_type": "markdown", "id": "d", "metadata": {}, "source": "It was 42, not 420."},
    ]
    assert leaks({"cells": cells}) == [] and undeclared({"cells": cells}) == []
    cells[2]["source"] = "print(6 * 7)  # 420 would be wrong, and so would 42.5"
    assert leaks({"cells": cells}) == []
    cells[2]["source"] = "print(6 * 7)  # 42"
    assert len(leaks({"cells": cells})) == 1
    cells[1]["metadata"]["question"]["answer"] = ["43"]
    assert undeclared({"cells": cells}) == ["b: nothing in the lesson says any of ['43']"]
