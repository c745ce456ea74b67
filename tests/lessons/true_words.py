"""What a figure says of its lines is true of what was drawn: looked at in the kernel of a lesson, wherever it runs.

The comparison leaves these sentences out, because the stand-in has other curves than the real data. So each kernel
in which a lesson is recorded or compared checks every figure that it shows, with plain loops over the drawn values.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

# Not an import: the lesson's kernel works in another folder, and its names are the lesson's.
KERNEL_ARGUMENTS = [
    f"--IPKernelApp.exec_lines=__import__('runpy').run_path({str(Path(__file__).resolve())!r})['install']()"
]

NUMBER = r"[−\d.,]*\d(?:e[−+]\d+)?"
CLAUSES = {
    "course": rf"(rises|falls|goes) from ({NUMBER}) to ({NUMBER})",
    "turns": r", turning (\d+) times?",
    "lowest": rf"(?:, |^)lowest ({NUMBER}) at ([^;]+?)(?=, highest|, \d+ more|$)",
    "highest": rf"(?:, |^)highest ({NUMBER}) at ([^;]+?)(?=, \d+ more|$)",
    "same": rf"^({NUMBER}) throughout",
    "single": rf"^({NUMBER}) at (.+)$",
    "count": r"^(\d+) points?$",
    "lost": r"(\d+) more not finite",
}


def install() -> None:
    """Check every drawing before it is shown: what is not so is an error, and the output is not the stored one."""
    from fmnist_helpers.figures import Drawing

    show = Drawing._repr_html_

    def checked(drawing):
        check(drawing)
        return show(drawing)

    Drawing._repr_html_ = checked


def check(drawing) -> None:
    """Recompute each sentence from the lines and bars.

    Raises:
        AssertionError: if a row of values has no sentence, a sentence has no row, or something in it is not so.
    """
    told = repr(drawing).partition("In this run: ")[2].removesuffix(".")
    sentences = told.split("; ") if told else []
    if all(not axes.axison for axes in drawing.axes):
        titles = [" ".join(axes.get_title().split()) for axes in drawing.axes]
        assert sentences in ([], titles), (sentences, titles)
        return
    rows = [row for axes in drawing.axes for row in rows_of(axes, len(drawing.axes) > 1)]
    assert len(sentences) == len(rows), (sentences, [name for name, _ in rows])
    for sentence, (name, values) in zip(sentences, rows, strict=True):
        assert sentence.startswith(f"{name}: "), (sentence, name)
        check_sentence(sentence.removeprefix(f"{name}: "), values)


def rows_of(axes, is_panel: bool) -> list[tuple[str, list[tuple]]]:
    """Return the name of each row that was drawn, and its places with their values."""
    names = [label.get_text() for label in axes.get_yticklabels()]
    prefix = f"{axes.get_title()}, " if is_panel and axes.get_title() else ""
    if axes.patches and axes.containers:
        bars = [(name, bar.get_width()) for name, bar in zip(names, axes.patches, strict=True)]
        return [(prefix + axes.get_xlabel(), bars)]
    if axes.images or any(re.search("[a-z]{3}", name) and "$" not in name for name in names):
        return []
    rows = []
    if any(type(collection).__name__ == "QuadMesh" for collection in axes.collections):
        return [(prefix + line.get_label(), [(None, y) for y in line.get_ydata()]) for line in axes.lines]
    # Lines across the whole panel have two points, of which the height or the width of the panel is a part.
    for line in (line for line in axes.lines if line.get_transform() == axes.transData):
        across, up = (list(map(float, side)) for side in (line.get_xdata(), line.get_ydata()))
        if axes.collections:
            rows += [(f"{prefix}across", list(enumerate(across))), (f"{prefix}up", list(enumerate(up)))]
        else:
            label = axes.get_ylabel() if line.get_label().startswith("_") else line.get_label()
            rows.append((prefix + label, list(zip(across, up, strict=True))))
    return rows


def check_sentence(sentence: str, row: list[tuple]) -> None:
    """Compare what a sentence says with the places and values that it is about."""
    found = {name: re.search(clause, sentence) for name, clause in CLAUSES.items()}
    finite = [(place, value) for place, value in row if math.isfinite(value)]
    values = [value for _, value in finite]
    lost = len(row) - len(finite)
    if found["count"] or (row and row[0][0] is None):
        # Points in regions are counted, and nothing else is.
        assert found["count"] and all(place is None for place, _ in row), sentence
        assert int(found["count"][1]) == len(row), sentence
        return
    assert int(found["lost"][1] if found["lost"] else 0) == (lost if finite else 0), sentence
    if not finite:
        assert sentence == "no finite value", sentence
    elif found["course"]:
        check_course(sentence, found, finite)
    elif found["same"]:
        assert len(values) > 1 and all(agrees(found["same"][1], value) for value in values), sentence
    elif found["single"]:
        assert len(finite) == 1 and agrees(found["single"][1], values[0]), sentence
        assert agrees(found["single"][2], finite[0][0]), sentence
    else:
        assert isinstance(row[0][0], str) and found["lowest"] and found["highest"], sentence
        check_extremes(sentence, found, finite)


def check_course(sentence: str, found: dict, finite: list[tuple]) -> None:
    """Compare direction, ends, turns and extremes."""
    values = [value for _, value in finite]
    first, last = values[0], values[-1]
    direction = {True: "rises", False: "falls"}.get(last > first) if last != first else "goes"
    assert found["course"][1] == direction, sentence
    assert agrees(found["course"][2], first) and agrees(found["course"][3], last), sentence
    moves = [after - before for before, after in pairwise(values) if after != before]
    turns = sum((one > 0) != (next_one > 0) for one, next_one in pairwise(moves))
    assert int(found["turns"][1] if found["turns"] else 0) == turns, sentence
    assert bool(found["lowest"]) == (min(values) < min(first, last)), sentence
    assert bool(found["highest"]) == (max(values) > max(first, last)), sentence
    check_extremes(sentence, found, finite)


def check_extremes(sentence: str, found: dict, finite: list[tuple]) -> None:
    """Compare the extremes that are named, and the places where they are said to lie."""
    for name, extreme in (("lowest", min), ("highest", max)):
        if found[name]:
            value = extreme(value for _, value in finite)
            places = [place for place, one in finite if one == value]
            assert agrees(found[name][1], value), sentence
            assert any(agrees(found[name][2], place) for place in places), sentence


def agrees(text: str, value: float | str) -> bool:
    """Tell whether a printed number is the value, to four digits."""
    if isinstance(value, str):
        return text == value
    return math.isclose(float(text.replace("−", "-").replace(",", "")), value, rel_tol=6e-4, abs_tol=1e-12)
