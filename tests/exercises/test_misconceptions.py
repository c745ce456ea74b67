"""Every misconception is complete, and the sections it names are in the lessons."""

from __future__ import annotations

import re

import nbformat
import pytest

from fmnist_helpers.exercises.misconceptions import BELIEFS, SECTIONS
from tests.tools.course import NOTEBOOKS


@pytest.mark.parametrize("key", BELIEFS)
def test_belief_is_complete_and_its_hints_hold_no_code(key):
    belief = BELIEFS[key]
    assert belief.section in SECTIONS
    for text in (belief.words, belief.truth, belief.where, belief.think):
        assert len(text) > 10 and "!" not in text and "`" not in text
    # A hint points; a call with its arguments would be the solution.
    assert not re.search(r"\w+\([^)]+\)", belief.where + belief.think)


@pytest.mark.parametrize("place", SECTIONS.values(), ids=SECTIONS)
def test_section_to_read_again_is_in_its_lesson(place):
    lesson, number = re.fullmatch(r"Lesson (\d\d), section (\d)", place[0]).groups()
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert f"## {number}. {place[1]}" in text.replace("`", "")
