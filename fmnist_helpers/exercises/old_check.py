"""The first edition's way to write a check, until every exercise observes and judges; then this file goes.

Types are compared exactly, because an object of another class may answer ``==`` as it likes. Numbers are
compared as Python floats, so that nothing the student's code may have changed takes part.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Sequence
from types import FunctionType
from typing import Any, NoReturn

import torch
from torch import Tensor

from fmnist_helpers.exercises.check import (  # noqa: F401  The exercises that are not ported yet find all of it here.
    CheckFailed,
    _last,
    close,
    hint,
    mean,
    mean_of_batch_means,
)
from fmnist_helpers.exercises.misconceptions import BELIEFS
from fmnist_helpers.exercises.observe import STUB, after_call

READ_THE_TASK = (
    "Read the description of the task again, word by word, beside the first line of your function.",
    "Say in your own words what goes in and what comes out, with shapes and types. Then look at the message.",
)
"""Both hints where the form of an answer is wrong, not its content."""


def fail(
    task: str,
    seen: str,
    belief: str | None = None,
    *,
    section: str | None = None,
    where: str | None = None,
    think: str | None = None,
) -> NoReturn:
    """End a check with a diagnosis; what is not given is taken from the belief.

    Args:
        task: name of the student's function or variable.
        seen: what was seen, a sentence with its full stop.
        belief: key in ``BELIEFS``. Without one, ``section``, ``where`` and ``think`` are needed.
        section: key in ``SECTIONS``.
        where, think: the hints of level 2 and 3.

    Raises:
        CheckFailed: always.
    """
    known = BELIEFS.get(belief) if belief is not None else None
    failure = CheckFailed(
        task,
        seen,
        belief,
        section or known.section,
        (where or known.where, think or known.think),
    )
    _last[:] = [failure]
    raise failure


def passed(task: str, what: str) -> None:
    """Forget the last failure and print one line that says what was checked."""
    _last.clear()
    print(f"{task}: {what}")


# --- what comes back ---------------------------------------------------------------------------------------


def call(function: Any, *arguments: Any, section: str, **options: Any) -> Any:
    """Return what the student's function returns, or end the check with what it raised.

    Args:
        function: what stands under the name the task asked for.
        arguments, options: passed on.
        section: key in ``SECTIONS``, for the diagnosis.
    """
    name = getattr(function, "__name__", "your answer")
    if not isinstance(function, FunctionType | type):
        fail_in_form(
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
        raised = _what_was_raised(error)
    finally:
        # What a function leaves switched off must not spoil the next check.
        torch.set_grad_enabled(with_graph)
        torch.set_default_dtype(dtype)
        for undo in after_call:
            undo()
    if raised is not None:
        fail_in_form(name, raised, section)
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
        fail_in_form(task, f"{what} should be {_named(expected)}, and it is {_named(type(value))}.", section)


def expect_number(task: str, value: Any, what: str, section: str) -> float:
    """Return ``value`` as a float; end the check unless it is a Python int or float."""
    if type(value) not in (int, float):
        fail_in_form(task, f"{what} should be a Python number, and it is {_named(type(value))}.", section)
    return float(value)


def expect_tensor(
    task: str, value: Any, shape: Sequence[int], what: str, section: str, dtype: torch.dtype | None = None
) -> Tensor:
    """Return ``value`` without its graph; end the check unless it is a tensor of that shape (and dtype)."""
    expect_type(task, value, Tensor, what, section)
    if tuple(value.shape) != tuple(shape):
        fail_in_form(
            task, f"{what} should have shape {tuple(shape)}, and it has {tuple(value.shape)}.", section
        )
    if dtype is not None and value.dtype != dtype:
        fail_in_form(task, f"{what} should be {dtype}, and it is {value.dtype}.", section)
    return value.detach()


def fail_in_form(task: str, seen: str, section: str) -> NoReturn:
    """End a check because of the form of an answer: its type, its shape, or that it raised."""
    fail(task, seen, section=section, where=READ_THE_TASK[0], think=READ_THE_TASK[1])


def _named(kind: type) -> str:
    return "None (is a return missing?)" if kind is type(None) else kind.__name__


def _what_was_raised(error: Exception) -> str:
    # PyTorch raises NotImplementedError, too, with words of its own.
    if type(error) is NotImplementedError and (not error.args or str(error).startswith(STUB)):
        return "it is not written yet: the line raise NotImplementedError is still there."
    return f"it raised {type(error).__name__}: {_short(error)}{_line_of(error)}."


def _short(error: Exception, most: int = 200) -> str:
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    return first if len(first) <= most else first[:most] + " ..."


def _line_of(error: Exception) -> str:
    """Return the student's line that raised, as " (in the line `...`)", or nothing if it is not known."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "ipykernel" in frame.filename or frame.filename.startswith("<"):
            return f" (in the line `{frame.line}`)" if frame.line else ""
    return ""
