"""Runs a submission without a kernel: what an answer shows is observed once, in this process, and then recorded.

The grader's own runner goes through the cells and judges; only what it asks a kernel for comes from here. All
submissions get one seed, so equal answers meet equal problems, and one observation serves all who gave that answer.
Grade with one job: students' code changes what belongs to a whole process.
"""

from __future__ import annotations

import ast
import contextlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from nbformat import NotebookNode

from fmnist_helpers.exercises.observation import decode, encode
from fmnist_helpers.exercises.remote import Reply, Request, answer
from fmnist_helpers.grading.execute import LimitedExecute, Report
from fmnist_helpers.grading.listener import Answered, Ask, Ran, Run

SEED = 20_251


class Recorder:
    """Takes the place of ``execute``, and keeps what it has observed."""

    def __init__(self) -> None:
        self.replies: dict[tuple, Reply] = {}
        self.asked = 0
        """How many observations were asked for; ``replies`` holds how many were made."""

    def execute(
        self,
        nb: NotebookNode,
        folder: Path,
        package: Path,
        limits: Any,
        tests: dict[str, str],
        seed: int,
        *,
        given: Any,
        data_set: str,
        **_: Any,
    ) -> Report:
        """Go through a notebook as ``fmnist_helpers.grading.execute.execute`` does."""
        report = Report()
        runner = LimitedExecute(_NoKernel(self), limits, report)
        runner.tests, runner.seed, runner.given, runner.data_set = tests, SEED, given, data_set
        runner.preprocess(nb)
        return report


class _NoKernel:
    """Holds the cells of one submission, and runs them only if something about them is not known yet."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._cells: list[str] = []
        self._namespace: dict[str, Any] | None = None

    def run(self, wish: Run) -> Ran:
        self._cells.append(wish.source)
        self._namespace = None
        return Ran([], 0, 0)

    def ask(self, wish: Ask) -> Answered:
        request = decode(Request, wish.request)
        replies = self._recorder.replies
        key = (request.observer, *request.names, request.problem, *needed(request.names, self._cells))
        self._recorder.asked += 1
        if key not in replies:
            if self._namespace is None:
                self._namespace = run_cells(self._cells)
            with _silently():
                replies[key] = decode(Reply, answer(wish.request, self._namespace))
        return Answered(encode(msgspec.structs.replace(replies[key], nonce=request.nonce)))


def needed(names: Iterable[str], cells: list[str]) -> list[str]:
    """Return the cells on which the values of these names rest: those that bind them, and what these name in turn."""
    trees = [ast.parse(cell) for cell in cells]
    binds = [{name for one in tree.body for name in _bound(one)} for tree in trees]
    mentions = [{one.id for one in ast.walk(tree) if isinstance(one, ast.Name)} for tree in trees]
    wanted, taken = set(names), set()
    while more := {n for n, bound in enumerate(binds) if bound & wanted} - taken:
        taken |= more
        wanted |= set().union(*(mentions[number] for number in more))
    return [cells[number] for number in sorted(taken)]


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    # Also what is stored into, such as an attribute: it changes what the name stands for.
    return {one.id for one in ast.walk(statement) if isinstance(one, ast.Name)}


def run_cells(cells: list[str]) -> dict[str, Any]:
    """Run cells as a notebook does, each as far as it comes; return their variables."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        with _silently(), contextlib.suppress(Exception):
            exec(compile(cell, "<cell>", "exec"), namespace)
    return namespace


@contextlib.contextmanager
def _silently():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
