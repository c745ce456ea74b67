"""How long grading takes, as the instructor's guide quotes it: ``python -m tests.measure.grading``.

One core grades right submissions of one exercise, one after another, in the sandbox where it works here. The start of
the command is shared by all of them. ``--submissions`` and ``--rounds`` make it shorter.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from fmnist_helpers.grading.sandbox import bubblewrap_problem
from fmnist_helpers.runtime import processor, versions
from tests.exercises.hostile import ASSIGNMENT, solved
from tests.measure.spread import median_and_range

COMMAND = [sys.executable, "-m", "fmnist_helpers.grading"]
ENVIRONMENT = {**os.environ, "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}


def make_class(folder: Path, number: int) -> None:
    """Hand the exercise out, and hand in so many right submissions."""
    release = [*COMMAND, "release", "--out", str(folder), "--assignment", ASSIGNMENT]
    subprocess.run(release, env=ENVIRONMENT, check=True, capture_output=True)
    notebook = solved(nbformat.read(folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4))
    for student in range(number):
        target = folder / "submitted" / f"student{student}" / ASSIGNMENT
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{ASSIGNMENT}.ipynb")


def grading_seconds(number: int, sandboxed: bool) -> float:
    """Grade a fresh class and return the seconds a submission."""
    with tempfile.TemporaryDirectory() as folder:
        make_class(Path(folder), number)
        command = [
            *COMMAND,
            "grade",
            "--out",
            folder,
            "--jobs",
            "1",
            *(() if sandboxed else ["--no-sandbox"]),
        ]
        start = time.perf_counter()
        subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
        return (time.perf_counter() - start) / number


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sandboxed = not bubblewrap_problem()
    seconds = [grading_seconds(options.submissions, sandboxed) for _ in range(options.rounds)]
    print(f"{processor()}; {versions()}; {'in the sandbox' if sandboxed else 'no sandbox'}")
    print(f"{median_and_range(seconds, 1)} s a submission, {options.submissions} of {ASSIGNMENT} on one core")


if __name__ == "__main__":
    main()
