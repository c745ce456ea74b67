"""Judges a test cell in the grader's own process; of the student there are only references and observations.

The outputs of the cell are written here, so nothing that a student's process sends can stand among them.
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from fmnist_helpers.exercises.check import CheckFailed, TookAllMemory
from fmnist_helpers.exercises.remote import NoObservation, Reference
from fmnist_helpers.exercises.switches import Name
from fmnist_helpers.grading.instructor_cells import Plan
from fmnist_helpers.grading.syntax import AT_A_TIME, parse

MOST_LETTERS = 20_000
"""What is kept of what a test cell prints, and of an error."""
_LOCK = threading.Lock()
"""Checks print, and draw from PyTorch's global source of random numbers: both belong to the whole process."""


@dataclass
class Judged:
    """A test cell after its judgement."""

    outputs: list[NotebookNode] = field(default_factory=list)
    gone: NoObservation | None = None
    """Set if no observation came."""
    fault: str = ""
    """Traceback of an error of the test cell or its check, which is none of the student's."""
    belief: str | None = None
    """Key in ``BELIEFS``, where the check's diagnosis names one."""
    took_all_memory: str = ""
    """Name of the student's function, if it asked for more memory than it may take."""
    switches: list[Name] = field(default_factory=list)
    """Which of them an earlier cell had left on, each once."""


def seed_of(secret: bytes, digest: str) -> int:
    """Return the seed of a submission: it follows from the class's secret and from what was handed in."""
    return _number(secret + digest.encode())


def judge(plan: Plan, ask: Callable[[bytes], bytes], seed: int, data_set: str = "standin") -> Judged:
    """Run what is judged outside of a test cell.

    Args:
        plan: the cell.
        ask: sends a request to the student's process; its reply may be anything.
        seed: of the submission. The seeds written in the cell give others, which nobody knows beforehand.
        data_set: name of the one on which the class is graded.
    """
    judged, printed = Judged(), io.StringIO()

    def ask_while_others_judge(request: bytes) -> bytes:
        ours, sys.stdout = sys.stdout, screen
        _LOCK.release()
        try:
            return ask(request)
        finally:
            _LOCK.acquire()
            sys.stdout = ours

    def derived(written: int) -> int:
        return _number(f"{seed} {written}".encode())

    def left_on(names: list[Name]) -> None:
        judged.switches = list(dict.fromkeys([*judged.switches, *names]))

    names = {
        name: Reference(name, ask_while_others_judge, derived, left_on, data_set) for name in plan.references
    }
    with _LOCK:
        screen = sys.stdout
        with redirect_stdout(printed):
            ending = _run(plan.outside, {"__name__": "__main__", **names}, judged)
    text = printed.getvalue()
    judged.outputs = [*([new_output("stream", text=text[:MOST_LETTERS])] if text else []), *ending]
    return judged


def _run(source: str, namespace: dict[str, Any], judged: Judged) -> list[NotebookNode]:
    try:
        value = _execute(source, namespace)
    except CheckFailed as failure:
        judged.belief = failure.belief
        judged.took_all_memory = failure.task if isinstance(failure, TookAllMemory) else ""
        return [error_output("CheckFailed", str(failure))]
    except NoObservation as error:
        judged.gone = error
        return [error_output(error.name, error.message)]
    except AssertionError as error:
        return [error_output("AssertionError", str(error))]
    except Exception as error:
        judged.fault = traceback.format_exc()
        return [error_output(type(error).__name__, str(error))]
    if value is None:
        return []
    # nbgrader takes a number for the points that a test gives.
    return [new_output("execute_result", {"text/plain": repr(value)[:MOST_LETTERS]}, execution_count=1)]


def _execute(source: str, namespace: dict[str, Any]) -> Any:
    """Run a cell as a notebook does; return the value of its last line, if that is an expression."""
    tree = parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with AT_A_TIME:
        code = compile(tree, "<test cell>", "exec")
        value = compile(ast.Expression(last.value), "<test cell>", "eval") if last is not None else None
    exec(code, namespace)
    return eval(value, namespace) if value is not None else None


def error_output(name: str, message: str) -> NotebookNode:
    """Return the output of a cell that ended with an error."""
    text = message[:MOST_LETTERS]
    lines = text.split("\n") if name == "CheckFailed" else [f"{name}: {text}"]
    return new_output("error", ename=name, evalue=text, traceback=lines)


def _number(text: bytes) -> int:
    # Below 2**31, so that NumPy's oldest generators take it, too, with something added.
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") // 4
