"""How long grading takes: side by side against one after another, and against stock nbgrader.

``python -m tests.benchmarks.grading [ROUNDS]`` grades the same honest submissions of exercise 05 in three ways,
interleaved, and prints medians and ratios:

- with our command, one after another and two side by side: sixteen submissions each;
- one submission with stock ``nbgrader autograde`` in a process of its own, and with our command, in the sandbox;
- what one more submission costs our command, from the difference of sixteen submissions and one.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import torch

from fmnist_helpers.grading.sandbox import bubblewrap_problem
from tests.exercises.hostile import ASSIGNMENT, solved

NUMBER = 16
ENVIRONMENT = {
    **os.environ,
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}


def seconds(command: list, folder: Path) -> float:
    """Return how long a command takes, wall clock."""
    start = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    return time.perf_counter() - start


def classroom(parent: str, number: int) -> Path:
    """Make a folder with this many honest submissions, and the assignment in its grade book."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    seconds(
        [
            sys.executable,
            "-m",
            "fmnist_helpers.grading",
            "release",
            "--out",
            folder,
            "--assignment",
            ASSIGNMENT,
        ],
        folder,
    )
    notebook = solved(nbformat.read(folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4))
    for student in range(number):
        target = folder / "submitted" / f"student{student}" / ASSIGNMENT
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{ASSIGNMENT}.ipynb")
    return folder


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    sandbox = ["--no-sandbox"] if bubblewrap_problem() else []
    ours = [sys.executable, "-m", "fmnist_helpers.grading", "grade", *sandbox]
    ways = {
        "stock, 1": (1, ["nbgrader", "autograde", ASSIGNMENT]),
        "ours, 1": (1, [*ours, "--jobs", "1"]),
        f"ours, {NUMBER}, one after another": (NUMBER, [*ours, "--jobs", "1"]),
        f"ours, {NUMBER}, side by side": (NUMBER, [*ours, "--jobs", "2"]),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as parent:
        for _ in range(rounds):
            for name, (number, command) in ways.items():
                folder = classroom(parent, number)
                own = [] if command[0] == "nbgrader" else ["--out", folder]
                times[name].append(seconds([*command, *own], folder))
                print(f"{name:32s} {times[name][-1]:6.1f} s", flush=True)
    middle = {name: statistics.median(values) for name, values in times.items()}
    stock, one, serial, parallel = middle.values()
    print(
        f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"Python {platform.python_version()}, {'no sandbox' if sandbox else 'in the sandbox'}, medians of {rounds}"
    )
    print(
        f"side by side: {serial / parallel:.2f} times as fast as one after another ({serial:.1f} s, {parallel:.1f} s)"
    )
    print(
        f"one submission, whole command: {one / stock:.2f} times stock nbgrader ({one:.1f} s, {stock:.1f} s)"
    )
    more = (serial - one) / (NUMBER - 1)
    print(
        f"one more submission: {more / stock:.2f} times stock nbgrader in a process of its own ({more:.1f} s)"
    )


if __name__ == "__main__":
    main()
