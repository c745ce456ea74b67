"""What the tests of grading share: the instructor's command, and a class after it."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from fmnist_helpers.grading.sandbox import bubblewrap_problem
from tests.exercises.hostile import ASSIGNMENT, Case
from tests.tools.course import EXERCISES

PROBLEM = bubblewrap_problem()
MINUTES = 20
SANDBOX = ["--no-sandbox"] if PROBLEM else []
"""The option that grading needs where bubblewrap cannot be had."""


def command(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    """Run the instructor's command in a process of its own, from another folder than the course's."""
    return subprocess.run(
        [sys.executable, "-m", "fmnist_helpers.grading", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        env={**os.environ, "TQDM_DISABLE": "1"},
        **options,
    )


class Graded:
    """A class after grading: the folder, the table, and what the command said."""

    def __init__(self, folder: Path, done: subprocess.CompletedProcess, cases: list[Case]) -> None:
        self.folder, self.done, self.cases = folder, done, cases
        with open(folder / "grades.csv", encoding="utf-8-sig", newline="") as file:
            self.rows = {row["student"].removeprefix("'"): row for row in csv.DictReader(file)}

    def page(self, student: str) -> str:
        return (self.folder / "feedback" / student / f"{ASSIGNMENT}.html").read_text(encoding="utf-8")

    def outputs(self, student: str, assignment: str = ASSIGNMENT) -> str:
        """Return everything that a submission's cells showed."""
        path = self.folder / "autograded" / student / assignment / f"{assignment}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        return json.dumps([cell.outputs for cell in cells if cell.cell_type == "code"])


@pytest.fixture(scope="session", autouse=True)
def version_asked_once() -> Iterator[None]:
    """For each grade book that it makes, nbgrader starts a process for two seconds to ask for its version."""
    api = pytest.importorskip(
        "nbgrader.api", reason="grading stands on nbgrader: pip install -e '.[grading]'"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "get_alembic_version", functools.cache(api.get_alembic_version))
        yield


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Path:
    """The folder of a class to which one assignment was handed out."""
    folder = tmp_path_factory.mktemp("a class")
    assert command("release", "--out", folder, "--assignment", ASSIGNMENT, cwd=folder).returncode == 0
    return folder


def graded_cell(name: str, source: str, points: float = 4) -> NotebookNode:
    """Return a test of an assignment that an instructor wrote."""
    marks = {"grade_id": name, "grade": True, "solution": False, "locked": True, "points": points}
    return new_code_cell(source, metadata={"nbgrader": {**marks, "schema_version": 3, "task": False}})


def answer_cell(source: str) -> NotebookNode:
    """Return the cell in which a student answers."""
    marks = {"grade_id": "answer", "grade": False, "solution": True, "locked": False}
    return new_code_cell(source, metadata={"nbgrader": {**marks, "schema_version": 3, "task": False}})


def hidden_lines() -> list[str]:
    """Return the lines that stand between the marks of hidden tests alone, read without the grader's help."""
    source = nbformat.read(EXERCISES / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in source.cells if cell.cell_type == "code")
    regions = re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", text, flags=re.DOTALL)
    seen = re.sub(r"### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", "", text, flags=re.DOTALL)
    lines = {line.strip() for region in regions for line in region.splitlines() if len(line.strip()) > 11}
    return sorted(lines - {line.strip() for line in seen.splitlines()})
