"""The bank of right and wrong solutions, and a quick run of them: ``python -m tests.exercises.bank [NAME ...]``.

``variants/<assignment>/<task>.py`` holds the solutions of one task, each under a line that says what it is:

    # %% correct: a loop over the indices
    # %% wrong: mean_of_means | came back | accuracy-test

A wrong one names the belief it shows, words of the message that must come, and the test cells that must fail
(all of the task's if none is named). A task whose answer stands in two cells has a line ``# next cell``.

The quick run executes the assignment's own cells in this process, and so does ``test_exercises.py``;
``through_grader.py`` sends every variant through the instructor's command.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tests.tools.course import EXERCISES

VARIANTS = Path(__file__).with_name("variants")
HEADING = re.compile(r"^# %% (correct|wrong): (.+)$", flags=re.MULTILINE)


@dataclass(frozen=True)
class Variant:
    """One solution of one task."""

    assignment: str
    task: str
    number: int
    cells: tuple[str, ...]
    about: str
    """What a correct variant does differently, or the belief a wrong one shows."""
    words: str = ""
    """What the message must contain; empty for a correct variant."""
    failing: tuple[str, ...] = ()
    """The test cells that must fail; empty for a correct variant, or for all tests of the task."""

    @property
    def correct(self) -> bool:
        return not self.words

    def __str__(self) -> str:
        return f"{self.assignment}/{self.task}-{self.number}-{self.about}"


@dataclass(frozen=True)
class Task:
    """A task of an assignment: the cells where its answer stands, and those that test it."""

    answers: tuple[str, ...]
    tests: tuple[str, ...]


def assignments() -> list[str]:
    return sorted(path.parent.name for path in EXERCISES.glob("*/*.ipynb"))


def read_source(assignment: str) -> nbformat.NotebookNode:
    return nbformat.read(EXERCISES / assignment / f"{assignment}.ipynb", as_version=4)


def grade_id(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def is_test(cell: nbformat.NotebookNode) -> bool:
    marks = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and marks.get("grade", False)


def graded_cells(source: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    """Return the test cells of an assignment by their names."""
    return {grade_id(cell): cell for cell in source.cells if is_test(cell)}


def is_answer(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution", False)


def tasks(assignment: str) -> dict[str, Task]:
    """Return the automatically graded tasks: the answer cells since the last test, and the tests after them."""
    found: dict[str, Task] = {}
    answers: list[str] = []
    tests: list[str] = []
    for cell in [*read_source(assignment).cells, None]:
        if cell is None or (is_answer(cell) and tests):
            found[answers[0]] = Task(tuple(answers), tuple(tests))
            answers, tests = [], []
        if cell is not None and is_answer(cell):
            answers.append(grade_id(cell))
        if cell is not None and is_test(cell):
            tests.append(grade_id(cell))
    return found


def read_variants(assignment: str) -> list[Variant]:
    """Return all variants of an assignment, in the order of its tasks."""
    found = []
    for task in tasks(assignment):
        text = (VARIANTS / assignment / f"{task}.py").read_text(encoding="utf-8")
        _, *parts = HEADING.split(text)
        for number, (kind, heading, body) in enumerate(
            zip(parts[::3], parts[1::3], parts[2::3], strict=True), 1
        ):
            about, *rest = [part.strip() for part in heading.split("|")]
            if (kind == "wrong") != bool(rest):
                raise ValueError(
                    f"{assignment}/{task}: a wrong variant needs words of its message, a correct one none"
                )
            cells = tuple(cell.strip() + "\n" for cell in body.split("# next cell\n"))
            words = rest[0] if rest else ""
            failing = tuple(name.strip() for name in rest[1].split(",")) if len(rest) > 1 else ()
            found.append(Variant(assignment, task, number, cells, about, words, failing))
    return found


@dataclass(frozen=True)
class Failure:
    """What a test cell raised."""

    name: str
    message: str
    belief: str | None


def run(variant: Variant) -> dict[str, Failure | None]:
    """Run the test cells of the variant's task in a fresh namespace; return what each raised, or None."""
    task = tasks(variant.assignment)[variant.task]
    answers = dict(zip(task.answers, variant.cells, strict=True))
    namespace: dict = {"__name__": "__main__"}
    outcome: dict[str, Failure | None] = {}
    for cell in read_source(variant.assignment).cells:
        name = grade_id(cell)
        other_task = (is_answer(cell) and name not in answers) or (is_test(cell) and name not in task.tests)
        if cell.cell_type != "code" or other_task:
            continue
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                exec(compile(answers.get(name, cell.source), f"<{name or 'given'}>", "exec"), namespace)
                error = None
            except Exception as raised:
                error = Failure(type(raised).__name__, str(raised), getattr(raised, "belief", None))
                if not is_test(cell) and name not in answers:
                    raise
        if name in task.tests:
            outcome[name] = error
    return outcome


def complaint(variant: Variant, outcome: dict[str, Failure | None]) -> str:
    """Return what is wrong with an outcome, or an empty string if it is as the variant says."""
    failed = {name: error for name, error in outcome.items() if error is not None}
    if variant.correct:
        return "".join(f"{name}: {error.message}" for name, error in failed.items())
    expected = set(variant.failing) or set(outcome)
    if set(failed) != expected:
        return f"failed: {sorted(failed)}, should fail: {sorted(expected)}. {list(failed.values())}"
    for name, error in failed.items():
        if variant.words not in " ".join(error.message.split()):
            return f"{name} does not say {variant.words!r}, it says: {error.message}"
        if variant.about != "none" and error.belief != variant.about:
            return f"{name} names {error.belief}, not {variant.about}: {error.message}"
    return ""


def main() -> int:
    """Print one line a variant, and a table by task; return 1 if any outcome is not as it should be."""
    chosen = sys.argv[1:] or assignments()
    table: Counter[tuple[str, str, str]] = Counter()
    wrong = 0
    for assignment in chosen:
        for variant in read_variants(assignment):
            start = time.perf_counter()
            problem = complaint(variant, run(variant))
            wrong += bool(problem)
            table[assignment, variant.task, "correct" if variant.correct else "wrong"] += 1
            print(
                f"{'no ' if problem else 'ok '} {time.perf_counter() - start:5.2f} s  {variant}  {problem}",
                flush=True,
            )
    for (assignment, task, kind), count in sorted(table.items()):
        print(f"{assignment:20s} {task:24s} {kind:8s} {count:3d}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
