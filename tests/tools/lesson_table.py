"""What each lesson holds, and how long it takes: ``python -m tests.tools.lesson_table``.

The time is a count: words and lines of code at a pace at which people read what they want to understand, a while for
each committed answer and each function that is written, and what the cells take.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import NamedTuple

from fmnist_helpers.course import strip
from tests.lessons.questions import is_gated, leaks
from tests.tools.course import LESSONS, RESULTS

WORDS_PER_MINUTE, LINES_PER_MINUTE = 110, 9
"""The pace of somebody who reads every sentence once, in a language that may not be the first one."""
MINUTES_PER_ANSWER, MINUTES_PER_TURN = 0.4, 2.0
STEP = 5
"""Times are stated in steps of so many minutes."""


class Row(NamedTuple):
    """What one lesson holds."""

    lesson: str
    words: int
    lines: int
    answers: int
    """Questions that wait for a committed answer."""
    turns: int
    """Functions that the learner writes."""
    pictures: int
    errors: int
    leaks: int
    stated: int | None
    """Minutes, as the lesson says."""
    counted: float
    """Minutes."""


def row(path: Path) -> Row:
    """Return what a lesson holds."""
    notebook = strip.read(path.read_bytes())
    cells = [cell for cell in notebook["cells"] if strip.REGRESSION_ONLY not in strip.tags(cell)]
    text = "\n".join(strip.source(cell) for cell in cells if cell["cell_type"] == "markdown")
    code = [cell for cell in cells if cell["cell_type"] == "code" and "hide-cell" not in strip.tags(cell)]
    lines = sum(_lines(strip.source(cell)) for cell in code)
    answers, turns = sum(map(is_gated, cells)), sum("= your_turn(" in strip.source(cell) for cell in code)
    words = num_words(text)
    seconds = json.loads((RESULTS / "lesson_times.json").read_text())["lessons"].get(path.stem, {})
    counted = words / WORDS_PER_MINUTE + lines / LINES_PER_MINUTE
    counted += answers * MINUTES_PER_ANSWER + turns * MINUTES_PER_TURN + seconds.get("seconds", 0) / 60
    stated = re.search(r"\*\*Time:\*\* about (\d+) minutes", text)
    return Row(
        path.stem,
        words,
        lines,
        answers,
        turns,
        sum(_shows_a_picture(cell) for cell in code),
        sum("raises-exception" in strip.tags(cell) for cell in code),
        len(leaks(notebook)),
        int(stated[1]) if stated else None,
        counted,
    )


def num_words(text: str) -> int:
    """Return how many words somebody reads, without code that stands folded and the glossary, which is looked up."""
    text = re.sub(r"```.*?```|^## Words.*?(?=^## )", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<[^>]+>|\]\([^)]*\)", " ", text)
    return len(re.findall(r"[A-Za-z0-9][\w'.,()\[\]=-]*", text))


def to_state(minutes: float) -> int:
    """Return the time that a lesson should state."""
    return STEP * round(minutes / STEP)


def _lines(source: str) -> int:
    """Return the number of lines with code that is no import."""
    tree = ast.parse(source)
    imports = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    return sum(bool(line.strip()) and at not in imports for at, line in enumerate(source.splitlines(), 1))


def _shows_a_picture(cell: strip.Cell) -> bool:
    shown = "".join("".join(one.get("data", {}).get("text/html", "")) for one in cell["outputs"])
    return "<img " in shown


def table() -> str:
    """Return the table of all lessons as Markdown."""
    columns = "lesson, words, code lines, gated predictions, your turn, pictures, errors met, leaks, stated, counted"
    lines = ["| " + columns.replace(", ", " | ") + " |", "|" + "---|" * 10]
    for path in LESSONS:
        one = row(path)
        lines.append("| " + " | ".join(map(str, (*one[:-1], f"{one.counted:.0f}"))) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
