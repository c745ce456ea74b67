"""Sends the bank through the instructor's command: ``python -m tests.exercises.through_grader [--due] [NAME ...]``.

The tasks of an assignment do not depend on each other, so the n-th right solutions of all its tasks make one
student, and so do the n-th wrong ones. What the command writes, ``grades.csv`` and the feedback pages, is compared
with what each variant says of itself. Prints a table by task and belief; ends with status 1 if anything is amiss.
With ``--due`` a fifth of the students hand in, others with each commit.
"""

from __future__ import annotations

import argparse
import copy
import csv
import html
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nbformat

from fmnist_helpers.exercises.misconceptions import BELIEFS
from fmnist_helpers.grading.sandbox import bubblewrap_problem
from tests.exercises.bank import (
    Task,
    Variant,
    assignments,
    grade_id,
    is_test,
    read_source,
    read_variants,
    tasks,
)
from tests.tools.due import OPTION, due, number_of_commits


def students_of(assignment: str, only_due: bool = False) -> dict[str, dict[str, Variant]]:
    """Return for each made-up student, or for each who is due, the variant of each task."""
    by_kind: dict[tuple[bool, str], list[Variant]] = {}
    for variant in read_variants(assignment):
        by_kind.setdefault((variant.correct, variant.task), []).append(variant)
    students: dict[str, dict[str, Variant]] = {}
    for (correct, task), variants in by_kind.items():
        for number, variant in enumerate(variants, 1):
            students.setdefault(f"{'right' if correct else 'wrong'} {number:02d}", {})[task] = variant
    names = due(list(students), number_of_commits()) if only_due else students
    return {name: students[name] for name in names}


def write(folder: Path, assignment: str, students: dict[str, dict[str, Variant]]) -> None:
    """Write the submissions of these students; a task without a variant is left as it was handed out."""
    released = nbformat.read(folder / "release" / assignment / f"{assignment}.ipynb", as_version=4)
    known = tasks(assignment)
    for student, variants in students.items():
        notebook = copy.deepcopy(released)
        cells = {grade_id(cell): cell for cell in notebook.cells}
        for task, variant in variants.items():
            for name, source in zip(known[task].answers, variant.cells, strict=True):
                cells[name].source = source
        target = folder / "submitted" / student / assignment
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{assignment}.ipynb")


def complaints(folder: Path, assignment: str, row: dict[str, str], variants: dict[str, Variant]) -> list[str]:
    """Compare one line of the table, and the page, with what the student's variants say of themselves."""
    most = {
        grade_id(c): float(c.metadata.nbgrader.points) for c in read_source(assignment).cells if is_test(c)
    }
    page = (folder / "feedback" / row["student"] / f"{assignment}.html").read_text(encoding="utf-8")
    outcome = (folder / "outcomes" / row["student"] / f"{assignment}.json").read_text(encoding="utf-8")
    beliefs = json.loads(outcome)["beliefs"]
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    found = (
        []
        if row["status"] == "graded"
        else [f"{row['student']}: {row['status']}: {row['detail']} {row['flags']}"]
    )
    for task, variant in variants.items():
        known: Task = tasks(assignment)[task]
        failing = () if variant.correct else variant.failing or known.tests
        for test in known.tests:
            expected = 0.0 if test in failing else most[test]
            if float(row[test]) != expected:
                found.append(f"{variant}: {test} got {row[test]}, not {expected:g}")
            belief = variant.about if test in failing and variant.about != "none" else None
            if belief and beliefs.get(test) != belief:
                found.append(f"{variant}: {beliefs.get(test)} was written down for {test}")
        if not variant.correct and " ".join(variant.words.split()) not in text:
            found.append(f"{variant}: the page does not say {variant.words!r}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=assignments(), metavar="NAME")
    parser.add_argument(OPTION, action="store_true", dest="only_due", help="a fifth of the students")
    arguments = parser.parse_args()
    names = arguments.names
    classes = {name: students_of(name, arguments.only_due) for name in names}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grading = [sys.executable, "-m", "fmnist_helpers.grading"]
        chosen = [argument for name in names for argument in ("--assignment", name)]
        environment = {**os.environ, "TQDM_DISABLE": "1"}
        subprocess.run([*grading, "release", "--out", folder, *chosen], check=True, stdout=subprocess.DEVNULL)
        for assignment in names:
            write(folder, assignment, classes[assignment])
        sandbox = ["--no-sandbox"] if bubblewrap_problem() else []
        done = subprocess.run([*grading, "grade", "--out", folder, *chosen, *sandbox], env=environment)
        with open(folder / "grades.csv", encoding="utf-8-sig", newline="") as file:
            rows = {(row["assignment"], row["student"]): row for row in csv.DictReader(file)}
        found = [] if done.returncode == 0 else [f"the command ended with status {done.returncode}"]
        for assignment in names:
            for student, variants in classes[assignment].items():
                found += complaints(folder, assignment, rows[assignment, student], variants)
    handed_in = [
        one for students in classes.values() for variants in students.values() for one in variants.values()
    ]
    print_table(handed_in)
    for line in found:
        print("NOT AS IT SHOULD BE:", line)
    print(f"{len(handed_in)} variants through the grader, {len(found)} complaints")
    return int(bool(found))


def print_table(variants: list[Variant]) -> None:
    """Print how many right variants each task has, and how many wrong ones for each belief."""
    wrong = Counter((v.assignment, v.task, v.about) for v in variants if not v.correct)
    right = Counter((v.assignment, v.task) for v in variants if v.correct)
    for assignment, task in dict.fromkeys((v.assignment, v.task) for v in variants):
        print(f"{assignment}, {task}: {right[assignment, task]} right at full marks; wrong ones caught:")
        for (_, _, about), count in sorted(
            (key, n) for key, n in wrong.items() if key[:2] == (assignment, task)
        ):
            words = BELIEFS[about].words if about in BELIEFS else "another slip, named in the message"
            print(f"    {count:2d}  {words}")


if __name__ == "__main__":
    sys.exit(main())
