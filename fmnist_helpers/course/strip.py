"""Notebooks without what learners must not see yet: outputs, cells for the regression, solutions and hidden tests.

An exercise becomes what nbgrader's release makes of it, cell for cell. It is done in plain JSON, because learners
have no nbgrader, and a build has not even nbformat.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

Notebook = dict[str, Any]
Cell = dict[str, Any]

REGRESSION_ONLY = "regression-only"
"""The tag of cells that only serve the tests."""

CODE_STUB = 'raise NotImplementedError("Replace this line by your code.")'
TEXT_STUB = "*Write your answer here, in place of this line.*"

REGIONS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
ROLES = {"SOLUTION": "solution", "HIDDEN TESTS": "grade", "MARK SCHEME": "task"}
"""The cells in which nbgrader allows each region."""


def read(text: str | bytes) -> Notebook:
    """Return a notebook."""
    return json.loads(text)


def written(notebook: Notebook) -> bytes:
    """Return a notebook as Jupyter writes it: the same bytes on every system."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    return (text + "\n").encode("utf-8")


def source(cell: Cell) -> str:
    """Return the text of a cell, which a notebook holds whole or in lines."""
    return "".join(cell["source"])


def tags(cell: Cell) -> list[str]:
    return cell["metadata"].get("tags", [])


def strip_lesson(notebook: Notebook) -> Notebook:
    """Return a lesson without outputs and without the cells that only serve the tests."""
    kept = [_without_outputs(cell) for cell in notebook["cells"] if REGRESSION_ONLY not in tags(cell)]
    return {**notebook, "cells": kept}


def strip_exercise(notebook: Notebook) -> Notebook:
    """Return an exercise without solutions, hidden tests, marking schemes and outputs, its cells locked.

    One that was stripped before comes out as it is.

    Raises:
        ValueError: if a region has no end, or stands in a cell of another kind, so that it would get out.
    """
    return {**notebook, "cells": [_released(_without_outputs(cell)) for cell in notebook["cells"]]}


def _without_outputs(cell: Cell) -> Cell:
    return {**cell, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell


def _released(cell: Cell) -> Cell:
    roles = cell["metadata"].get("nbgrader", {})
    text, stub = source(cell), CODE_STUB if cell["cell_type"] == "code" else TEXT_STUB
    handed_out = bool(roles) and roles.get("checksum") == _checksum(roles, cell)
    if roles.get("solution") and "BEGIN SOLUTION" not in text and not handed_out:
        text = stub
    for region in REGIONS:
        if f"BEGIN {region}" in text and not roles.get(ROLES[region]):
            raise ValueError(f"{region} in a cell that is not marked for it: {text!r}")
        text = _without_region(text, region, stub if region == "SOLUTION" else None)
    cell = {**cell, "source": text.splitlines(keepends=True)}
    return {**cell, "metadata": {**cell["metadata"], **_locks(roles, cell)}} if roles else cell


def _without_region(text: str, region: str, stub: str | None) -> str:
    """Return a text with the stub, indented likewise, in place of each region of a kind."""
    kept, inside = [], False
    for line in text.split("\n"):
        if f"BEGIN {region}" in line and not inside:
            inside = True
            kept += [] if stub is None else [re.match(r"\s*", line)[0] + stub]
        elif f"BEGIN {region}" in line:
            raise ValueError(f"{region} begins within {region}: {text!r}")
        elif f"END {region}" in line:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError(f"{region} does not end: {text!r}")
    return "\n".join(kept)


def _locks(roles: dict[str, Any], cell: Cell) -> dict[str, Any]:
    """Return what nbgrader adds to the metadata of a cell with a role."""
    if not (roles.get("solution") or _is_locked(roles)):
        return {}
    nbgrader = {**roles, "checksum": _checksum(roles, cell), "cell_type": cell["cell_type"]}
    return {"nbgrader": nbgrader, "deletable": False} | ({"editable": False} if _is_locked(roles) else {})


def _is_locked(roles: dict[str, Any]) -> bool:
    return not roles.get("solution") and bool(roles.get("grade") or roles.get("locked"))


def _checksum(roles: dict[str, Any], cell: Cell) -> str:
    """Return the sum by which nbgrader, and here who strips, recognises a cell as it was handed out."""
    grade, solution = bool(roles.get("grade")), bool(roles.get("solution"))
    parts = [
        source(cell),
        cell["cell_type"],
        str(grade),
        str(solution),
        str(_is_locked(roles)),
        roles["grade_id"],
    ]
    parts += [str(float(roles["points"]))] if grade else []
    # Not for safety.
    return hashlib.md5("".join(parts).encode("utf-8"), usedforsecurity=False).hexdigest()
