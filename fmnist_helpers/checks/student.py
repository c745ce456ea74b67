"""Runs a student's function and looks at what it gave: exact types first, numbers after.

Types are compared exactly, because an object of another class may answer ``==`` as it likes. Numbers are
compared as Python floats, so that nothing the student's code may have changed takes part.
"""

from __future__ import annotations

import contextlib
import math
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from fmnist_helpers.checks.diagnosis import STUB, CheckFailed, fail

after_call: list[Callable[[], Any]] = []
"""Called after every run of a student's function; the grader puts here what undoes changes to the checks."""

READ_THE_TASK = (
    "Read the description of the task again, word by word, beside the first line of your function.",
    "Say in your own words what goes in and what comes out, with shapes and types. Then look at the message.",
)


def call(function: Any, *arguments: Any, section: str, **options: Any) -> Any:
    """Return what the student's function returns, or end the check with what it raised.

    Args:
        function: what stands under the name the task asked for.
        arguments, options: passed on.
        section: key in ``SECTIONS``, for the diagnosis.
    """
    name = getattr(function, "__name__", "your answer")
    if not isinstance(function, FunctionType | type):
        _fail(
            name,
            f"a function was expected, and there is an object of type {type(function).__name__}.",
            section,
        )
    with_graph, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        # nbgrader takes anything on stderr for a failure, be it a warning or a progress bar.
        with contextlib.redirect_stderr(sys.stdout):
            result = function(*arguments, **options)
        if torch.is_grad_enabled() == with_graph:
            return result
        raised = None
    except CheckFailed:
        raise
    except Exception as error:
        # PyTorch raises NotImplementedError, too, with words of its own.
        unwritten = type(error) is NotImplementedError and (not error.args or str(error).startswith(STUB))
        raised = "it is not written yet: the line raise NotImplementedError is still there."
        if not unwritten:
            raised = f"it raised {type(error).__name__}: {_short(error)}{_line_of(error)}."
    finally:
        # What a function leaves switched off must not spoil the next check.
        torch.set_grad_enabled(with_graph)
        torch.set_default_dtype(dtype)
        for undo in after_call:
            undo()
    if raised is not None:
        _fail(name, raised, section)
    fail(
        name,
        "after the call PyTorch keeps no graph any more: gradients were switched off and stayed off.",
        section="modes",
        where="Look for the line that switches gradients off: does anything switch them on again?",
        think="A with block ends by itself, also where an error leaves it. What ends your switch?",
    )


def expect_type(task: str, value: Any, expected: type, what: str, section: str) -> None:
    """End the check unless ``value`` is exactly of type ``expected``."""
    if type(value) is not expected:
        _fail(task, f"{what} should be {_named(expected)}, and it is {_named(type(value))}.", section)


def expect_number(task: str, value: Any, what: str, section: str) -> float:
    """Return ``value`` as a float; end the check unless it is a Python int or float."""
    if type(value) not in (int, float):
        _fail(task, f"{what} should be a Python number, and it is {_named(type(value))}.", section)
    return float(value)


def expect_tensor(
    task: str, value: Any, shape: Sequence[int], what: str, section: str, dtype: torch.dtype | None = None
) -> Tensor:
    """Return ``value`` without its graph; end the check unless it is a tensor of that shape (and dtype)."""
    expect_type(task, value, Tensor, what, section)
    if tuple(value.shape) != tuple(shape):
        _fail(task, f"{what} should have shape {tuple(shape)}, and it has {tuple(value.shape)}.", section)
    if dtype is not None and value.dtype != dtype:
        _fail(task, f"{what} should be {dtype}, and it is {value.dtype}.", section)
    return value.detach()


def close(one: Any, other: Any, tolerance: float = 1e-5) -> bool:
    """Whether two numbers, tensors, or lists of numbers agree within ``tolerance``, absolute and relative.

    Two nan agree. Lists of different lengths do not.
    """
    ours, theirs = _flat(one), _flat(other)
    return len(ours) == len(theirs) and all(
        (math.isnan(a) and math.isnan(b)) or a == b or abs(a - b) <= tolerance * (1 + abs(b))
        for a, b in zip(ours, theirs, strict=True)
    )


def _flat(values: Any) -> list[float]:
    if type(values) in (Tensor, torch.nn.Parameter):
        return values.detach().double().flatten().tolist()
    if type(values) in (list, tuple):
        return [number for value in values for number in _flat(value)]
    return [float(values)]


def _fail(task: str, seen: str, section: str) -> None:
    fail(task, seen, section=section, where=READ_THE_TASK[0], think=READ_THE_TASK[1])


def _named(kind: type) -> str:
    return "None (is a return missing?)" if kind is type(None) else kind.__name__


def _short(error: Exception, most: int = 200) -> str:
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    return first if len(first) <= most else first[:most] + " ..."


def _line_of(error: Exception) -> str:
    """Return the student's line that raised, as " (in the line `...`)", or nothing if it is not known."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "ipykernel" in frame.filename or frame.filename.startswith("<"):
            return f" (in the line `{frame.line}`)" if frame.line else ""
    return ""
