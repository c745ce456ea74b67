"""What it takes to grade a class, beside other graders: ``OMP_NUM_THREADS=1 python -m tests.measure.grading``.

A hundred submissions of one exercise, half of them right and half with a wrong answer to every task, are graded in
rounds by our command (one job and as many as cores), by stock nbgrader, and by otter-grader where it can be had. In
each round every grader gets the same submissions, in a folder of its own; the start of its command is part of what is
measured. Every mark must be the one that the bank of solutions foretells, so all graders must agree. The table is
Markdown, for ``README.md`` beside this file.

    python -m tests.measure.grading --submissions 4 --rounds 1     # to see that all works
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from fmnist_helpers.grading.execute import available_jobs
from fmnist_helpers.grading.sandbox import bubblewrap_problem
from fmnist_helpers.runtime import processor, versions
from tests.exercises.bank import Variant, graded_cells, read_source, read_variants, tasks
from tests.exercises.through_grader import write
from tests.measure.footprint import Footprint, footprint
from tests.measure.graders import ENVIRONMENT, Grader, Nbgrader, Otter, Ours, Points, prepare_with
from tests.measure.otter_class import make_environment
from tests.measure.spread import median_and_range, median_ratio

ASSIGNMENT = "ex05_training_loop"

Class = dict[str, dict[str, Variant]]
"""Student → task → the solution that was handed in."""


def make_class(assignment: str, numbers: range) -> Class:
    """Return students, every other of whom has all right, the rest all wrong; each takes the next solutions."""
    solutions: dict[tuple[str, bool], list[Variant]] = defaultdict(list)
    for variant in read_variants(assignment):
        solutions[variant.task, variant.correct].append(variant)
    students: Class = {}
    for number in numbers:
        correct = number % 2 == 0
        chosen = {task: solutions[task, correct] for task in tasks(assignment)}
        students[f"student{number:03d}"] = {
            task: variants[number // 2 % len(variants)] for task, variants in chosen.items()
        }
    return students


def foretold(assignment: str, students: Class) -> Points:
    """Return what each student's test cells must earn, as the bank of solutions says it."""
    worth = {
        name: cell.metadata.nbgrader.points for name, cell in graded_cells(read_source(assignment)).items()
    }
    known = tasks(assignment)
    points: Points = {}
    for student, variants in students.items():
        lost = {
            test
            for task, variant in variants.items()
            if not variant.correct
            for test in variant.failing or known[task].tests
        }
        points[student] = {test: 0.0 if test in lost else float(most) for test, most in worth.items()}
    return points


def differences(found: Points, expected: Points) -> list[str]:
    """Return in words where marks are not what they must be."""
    return [
        f"{student}, {test}: {found.get(student, {}).get(test)} instead of {points:g}"
        for student, tests in expected.items()
        for test, points in tests.items()
        if found.get(student, {}).get(test) != points
    ]


def measure(grader: Grader, released: Path, expected: Points) -> tuple[dict[str, Footprint], list[str]]:
    """Grade a class; return what each step took a submission, with those before it, and which marks are wrong."""
    taken: dict[str, Footprint] = {}
    seconds = processor_seconds = 0.0
    peak = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "class")
        grader.prepare(released, folder)
        for step in grader.steps(folder):
            one = footprint(step.command, folder, **ENVIRONMENT)
            seconds += one.seconds / len(expected)
            processor_seconds += one.processor_seconds / len(expected)
            peak = max(peak, one.peak_bytes)
            taken[step.name] = Footprint(seconds, processor_seconds, peak)
        return taken, differences(grader.points(folder), expected)


def measure_rounds(
    graders: list[Grader], assignment: str, submissions: int, rounds: int
) -> tuple[dict[str, list[Footprint]], list[str]]:
    """Return what each step took in each round, and which marks are wrong; each round has other submissions."""
    runs: dict[str, list[Footprint]] = defaultdict(list)
    wrong: list[str] = []
    ends = [submissions * number // rounds for number in range(rounds + 1)]
    for number in range(rounds):
        students = make_class(assignment, range(ends[number], ends[number + 1]))
        with tempfile.TemporaryDirectory() as place:
            released = Path(place, "class")
            release = [sys.executable, "-m", "fmnist_helpers.grading", "release", "--assignment", assignment]
            prepare_with([*release, "--out", released])
            write(released, assignment, students)
            # Another one begins each round.
            for grader in graders[number % len(graders) :] + graders[: number % len(graders)]:
                taken, lines = measure(grader, released, foretold(assignment, students))
                for name, one in taken.items():
                    runs[name].append(one)
                    print(
                        f"round {number + 1} of {rounds}, submissions: {len(students)}, {name}: {one.seconds:.1f} s "
                        f"each, {one.processor_seconds:.1f} s of a core, {one.peak_bytes / 1e6:.0f} MB",
                        file=sys.stderr,
                        flush=True,
                    )
                wrong += [f"{next(iter(taken))}: {line}" for line in lines]
    return runs, wrong


def table_of(runs: dict[str, list[Footprint]], beside: str) -> str:
    """Return a line of Markdown for each step: medians and extremes over the rounds, and how much of a core beside one.

    Neighbours of the machine stretch the seconds, and change those of a core much less: these are compared.
    """
    lines = [
        f"| a submission | seconds | seconds of a core | times those of {beside} | most memory |",
        "|---|---|---|---|---|",
    ]
    for name, taken in runs.items():
        seconds, cores = ([getattr(one, part) for one in taken] for part in ("seconds", "processor_seconds"))
        ratio = median_ratio(cores, [one.processor_seconds for one in runs[beside]])
        peak = max(one.peak_bytes for one in taken) / 1e6
        lines.append(
            f"| {name} | {median_and_range(seconds, 1)} | {median_and_range(cores, 1)} | {ratio:.2f} "
            f"| {peak:,.0f} MB |"
        )
    return "\n".join(lines)


def graders_here(assignment: str, otter: Path | None) -> list[Grader]:
    """Return the graders that work here; ours in the sandbox, if there can be one."""
    sandboxed = not bubblewrap_problem()
    ours = [Ours(assignment, jobs, sandboxed=sandboxed) for jobs in sorted({1, available_jobs()})]
    others = [Nbgrader(assignment)] + ([Otter(assignment, otter)] if otter else [])
    return [*ours, *others]


def find_otter(folder: Path) -> tuple[Path | None, str]:
    """Return a Python with otter-grader, made in ``folder``; or None, and why it cannot be had."""
    print("making an environment with otter-grader ...", file=sys.stderr, flush=True)
    try:
        return make_environment(folder), ""
    except subprocess.CalledProcessError as error:
        last = (error.stderr or str(error)).strip().splitlines()[-1]
        return None, f"otter-grader cannot be installed here, so it is not compared: {last}"


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; fail if a mark is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assignment", default=ASSIGNMENT)
    parser.add_argument("--submissions", type=int, default=100, help="in all rounds together")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if not 1 <= options.rounds <= options.submissions:
        parser.error("each round needs a submission, and there must be a round")
    with tempfile.TemporaryDirectory() as place:
        otter, missing = find_otter(Path(place, "otter"))
        graders = graders_here(options.assignment, otter)
        runs, wrong = measure_rounds(graders, options.assignment, options.submissions, options.rounds)
    beside = next(name for name in runs if name.startswith("nbgrader"))
    print(f"\n{processor()}; {versions()}")
    print(
        f"{options.assignment}, submissions: {options.submissions}, rounds: {options.rounds}, one thread each\n"
    )
    print(table_of(runs, beside))
    for line in filter(None, [bubblewrap_problem() and f"No sandbox: {bubblewrap_problem()}.", missing]):
        print(f"\n{line}")
    if wrong:
        sys.exit("\n".join(["These marks are wrong:", *wrong]))
    print(f"\nMarks: all graders gave what the bank of solutions foretells, {len(runs)} rows of the table.")


if __name__ == "__main__":
    main()
