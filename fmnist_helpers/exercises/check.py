"""What every check stands on: it calls a student's function, looks at what came back, and ends with a diagnosis.

Types are compared exactly, because an object of another class may answer ``==`` as it likes. Numbers are
compared as Python floats, so that nothing the student's code may have changed takes part.
"""

from __future__ import annotations

import contextlib
import math
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, NoReturn

import torch
from torch import Tensor

from fmnist_helpers.exercises.misconceptions import BELIEFS, SECTIONS

STUB = "Replace this line"
"""How the message of a task that nobody has written yet begins."""
WIDTH = 96
READ_THE_TASK = (
    "Read the description of the task again, word by word, beside the first line of your function.",
    "Say in your own words what goes in and what comes out, with shapes and types. Then look at the message.",
)
"""Both hints where the form of an answer is wrong, not its content."""

_last: list[CheckFailed] = []
"""The failure that ``hint()`` speaks of, if any."""
after_call: list[Callable[[], Any]] = []
"""Called after every run of a student's function; the grader puts here what undoes changes to the checks."""


class CheckFailed(AssertionError):  # noqa: N818  What it says is a diagnosis, not an error.
    """A check found something wrong: ``str`` is the diagnosis, ``hints`` are the steps beyond it.

    Attributes:
        task: name of the student's function or variable.
        seen: what was seen, in one sentence.
        belief: key in ``BELIEFS``, or None if no belief explains it.
        section: key in ``SECTIONS``: where to read again.
        hints: what ``hint()`` shows next, first where to look, then how to think about it.
    """

    def __init__(
        self, task: str, seen: str, belief: str | None, section: str, hints: tuple[str, str]
    ) -> None:
        self.task, self.seen, self.belief, self.section, self.hints = task, seen, belief, section, hints
        self._num_shown = 0
        lines = [f"{task} is not right yet.", _labelled("What was seen", seen)]
        if belief is not None:
            words, truth = BELIEFS[belief].words, BELIEFS[belief].truth
            lines.append(_labelled("A belief that leads there", f'"{words}". But {truth}.'))
        place, title = SECTIONS[section]
        lines.append(_labelled("Read again", f'{place}, "{title}".'))
        super().__init__("\n".join(lines))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the diagnosis alone, not the lines of the check that led to it."""
        return [*str(self).splitlines(), _labelled("More help", "run hint() in a cell of its own.")]

    def show_next_hint(self) -> None:
        """Print the next step of help: where to look, then how to think about it, then that again."""
        names = ("Where to look", "How to think about it")
        number = min(self._num_shown, len(names) - 1)
        self._num_shown += 1
        print(f"{self.task}, hint {number + 1} of {len(names)}")
        print(_labelled(names[number], self.hints[number]))
        if self._num_shown > len(names):
            place, title = SECTIONS[self.section]
            print(
                f'That was the last hint. Read {place}, "{title}", and ask somebody if you are still stuck.'
            )


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


def hint() -> None:
    """Show the next hint on the last check that failed: first where to look, then how to think about it."""
    if not _last:
        print("No check has failed since the last one that passed, so there is nothing to hint at.")
        return
    _last[0].show_next_hint()


def _labelled(label: str, text: str) -> str:
    return textwrap.fill(f"{label}: {text}", WIDTH, subsequent_indent="  ")


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


def close(one: Any, other: Any, tolerance: float = 1e-5) -> bool:
    """Whether two numbers, tensors, or lists of numbers agree within ``tolerance``, absolute and relative.

    Two nan agree. Lists of different lengths do not.
    """
    ours, theirs = _flat(one), _flat(other)
    return len(ours) == len(theirs) and all(
        (math.isnan(a) and math.isnan(b)) or a == b or abs(a - b) <= tolerance * (1 + abs(b))
        for a, b in zip(ours, theirs, strict=True)
    )


def mean(values: Sequence[float]) -> float:
    """Return the mean of some numbers, nan if there is none."""
    return sum(values) / len(values) if values else math.nan


def mean_of_batch_means(values: Sequence[float], batch_size: int) -> float:
    """Return what comes of samples' values when a short last batch counts as much as the others."""
    return mean([mean(values[at : at + batch_size]) for at in range(0, len(values), batch_size)])


def _flat(values: Any) -> list[float]:
    if type(values) in (Tensor, torch.nn.Parameter):
        return values.detach().double().flatten().tolist()
    if type(values) in (list, tuple):
        return [number for value in values for number in _flat(value)]
    return [float(values)]


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
