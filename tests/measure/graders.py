"""Graders of a class, each as its own documentation says: ours, stock nbgrader, otter-grader.

Each gets the same answers and the same assertions. What happens once for an exercise (making the students' copies,
packing the tests) is prepared beforehand and not timed.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, Protocol

import nbformat
from nbgrader.api import Gradebook

from tests.exercises.bank import graded_cells, read_source
from tests.measure import otter_class
from tests.tools.course import COURSE, EXERCISES

ENVIRONMENT = {
    # One thread each, so that a core is a core.
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    # Kernels find the package from any folder, and nbgrader a program that it calls by name.
    "PYTHONPATH": str(COURSE),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}
"""What every command finds in its environment."""

Points = dict[str, dict[str, float]]
"""Student → name of each test cell → what it earned."""


def prepare_with(command: Sequence[str | Path], folder: Path = COURSE) -> None:
    """Run a command that is not timed.

    Raises:
        RuntimeError: if it fails; says what it printed.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")


class Step(NamedTuple):
    """A command, and what the class has after it and those before it."""

    name: str
    command: Sequence[str | Path]


class Grader(Protocol):
    """A way to grade a class."""

    def prepare(self, released: Path, folder: Path) -> None:
        """Lay out the class in a folder of its own; ``released`` holds our release and what was handed in."""

    def steps(self, folder: Path) -> list[Step]:
        """Return the commands that grade the class, one after another."""

    def points(self, folder: Path) -> Points:
        """Return what each student's test cells earned."""


class Ours:
    """The instructor's command of this course."""

    def __init__(self, assignment: str, jobs: int, *, sandboxed: bool) -> None:
        self.assignment, self.jobs, self.sandboxed = assignment, jobs, sandboxed

    def prepare(self, released: Path, folder: Path) -> None:
        shutil.copytree(released, folder)

    def steps(self, folder: Path) -> list[Step]:
        sandbox = [] if self.sandboxed else ["--no-sandbox"]
        command = [sys.executable, "-m", "fmnist_helpers.grading", "grade", "--out", folder]
        jobs = f"{self.jobs} job{'s' * (self.jobs > 1)}"
        name = f"ours, {jobs}, {'in the sandbox' if self.sandboxed else 'no sandbox'}"
        return [Step(name, [*command, "--jobs", str(self.jobs), *sandbox])]

    def points(self, folder: Path) -> Points:
        with open(folder / "grades.csv", encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        tests = graded_cells(read_source(self.assignment))
        return {row["student"]: {test: float(row[test]) for test in tests} for row in rows}


class Nbgrader:
    """nbgrader as it comes, with its own layout of folders and no settings."""

    def __init__(self, assignment: str) -> None:
        self.assignment = assignment

    def prepare(self, released: Path, folder: Path) -> None:
        shutil.copytree(released / "submitted", folder / "submitted")
        (folder / "source" / self.assignment).mkdir(parents=True)
        notebook = Path(self.assignment, f"{self.assignment}.ipynb")
        shutil.copy(EXERCISES / notebook, folder / "source" / notebook)
        prepare_with(self._command("generate_assignment"), folder)

    def steps(self, folder: Path) -> list[Step]:
        name = f"nbgrader {version('nbgrader')}"
        return [
            Step(name, self._command("autograde")),
            Step(f"{name}, with pages for students", self._command("generate_feedback")),
        ]

    def _command(self, name: str) -> list[str]:
        return [sys.executable, "-m", "nbgrader", name, self.assignment]

    def points(self, folder: Path) -> Points:
        with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
            return {
                submission.student.id: {
                    grade.name: grade.auto_score
                    for notebook in submission.notebooks
                    for grade in notebook.grades
                    if grade.cell.cell_type == "code"
                }
                for submission in gradebook.assignment_submissions(self.assignment)
            }


class Otter:
    """otter-grader without containers, in an environment of its own."""

    def __init__(self, assignment: str, python: Path) -> None:
        self.assignment, self.python = assignment, python

    def prepare(self, released: Path, folder: Path) -> None:
        otter_class.write_tests(read_source(self.assignment), folder / "tests")
        nothing_more = ["--no-config", "--no-requirements", "--no-environment"]
        prepare_with([self.python, "-m", "otter", "generate", *nothing_more], folder)
        (folder / "submitted").mkdir()
        for path in (released / "submitted").glob(f"*/{self.assignment}/{self.assignment}.ipynb"):
            notebook = otter_class.as_otter_has_it(nbformat.read(path, as_version=4))
            nbformat.write(notebook, folder / "submitted" / f"{path.parts[-3]}.ipynb")

    def steps(self, folder: Path) -> list[Step]:
        places = [folder / name for name in ("autograder.zip", "submitted", "results")]
        return [Step(self.name, [self.python, "-c", otter_class.LOOP, *places])]

    @property
    def name(self) -> str:
        ask = "from importlib.metadata import version; print(version('otter-grader'))"
        done = subprocess.run([self.python, "-c", ask], check=True, capture_output=True, text=True)
        return f"otter-grader {done.stdout.strip()}, no container"

    def points(self, folder: Path) -> Points:
        return {path.name: otter_class.read_points(path) for path in (folder / "results").iterdir()}
