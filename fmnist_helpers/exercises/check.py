"""Judging: a check looks at an observation and ends with a line that says what was right, or with a diagnosis.

A judgement is a pure function of a problem and an observation. It reads as what the task asks: first the form of
what came back, then the right result from an independent computation, then a table of likely wrong ones.
"""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from torch import Tensor

from fmnist_helpers.exercises.endless import endless, no_memory_left
from fmnist_helpers.exercises.misconceptions import BELIEFS, SECTIONS
from fmnist_helpers.exercises.observation import Array, Call, Seen
from fmnist_helpers.exercises.remote import Reference, at_defaults

WIDTH, MOST_LETTERS = 96, 2_000

_last: list[CheckFailed] = []
"""The failure that ``hint()`` speaks of, if any."""


class Hints(NamedTuple):
    """The two steps of help beyond a diagnosis."""

    where: str
    """Where to look."""
    think: str
    """How to think about it."""


READ_THE_TASK = Hints(
    "Read the description of the task again, word by word, beside the first line of your function.",
    "Say in your own words what goes in and what comes out, with shapes and types. Then look at the message.",
)
"""For what is wrong in form, not in content."""


class Wrong(NamedTuple):
    """A likely wrong result, and what to say of it."""

    value: Any
    """A number, a tensor, or a list of numbers, as :func:`close` compares them."""
    seen: str
    """What was seen, a sentence with its full stop."""
    belief: str | None = None
    """Key in ``BELIEFS``, where a belief explains it."""
    hints: Hints | None = None
    """Needed where no belief is named; by default ``READ_THE_TASK``."""
    section: str | None = None
    """Key in ``SECTIONS``, if it is another one than the belief's or the check's."""


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
        # What was seen may hold words of the student's process, which may be of any length.
        seen = seen if len(seen) <= MOST_LETTERS else f"{seen[:MOST_LETTERS]} ..."
        self.task, self.seen, self.belief, self.section, self.hints = task, seen, belief, section, hints
        self._num_shown = 0
        lines = [f"{task} is not right yet.", _labelled("What was seen", seen)]
        if belief is not None:
            words, truth = BELIEFS[belief].words, BELIEFS[belief].truth
            lines.append(_labelled("A belief that leads there", f'"{words}". But {truth}.'))
        place, title = SECTIONS[section]
        lines.append(_labelled("Read again", f'{place}, "{title}".'))
        super().__init__("\n".join(lines))

    @property
    def told(self) -> str:
        """The diagnosis as one paragraph, for a task in the middle of a lesson."""
        first = self.seen.split()[0]
        # The name of a variable stays as it is.
        told = self.seen if "_" in first else self.seen[0].upper() + self.seen[1:]
        if self.belief is not None:
            told += f" Remember: {BELIEFS[self.belief].truth}."
        return textwrap.fill(told, WIDTH)

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


class TookAllMemory(CheckFailed):
    """The student's function asked for more memory than there is, or than it may take."""


class Check:
    """What every diagnosis of one task says: its name, and the section to read again.

    Args:
        task: name of the student's function or variable.
        section: key in ``SECTIONS``.
    """

    def __init__(self, task: str, section: str) -> None:
        self.task, self.section = task, section

    def fail(
        self, seen: str, belief: str | None = None, hints: Hints | None = None, *, section: str | None = None
    ) -> NoReturn:
        """End with a diagnosis; what is not given is taken from the belief, and else from the check.

        Args:
            seen: what was seen, a sentence with its full stop.
            belief: key in ``BELIEFS``, or None: a belief is named only where what was seen shows it.
            hints: where to look and how to think about it; without them those of the belief, or ``READ_THE_TASK``.
            section: key in ``SECTIONS``, if it is another one than the belief's or the check's.

        Raises:
            CheckFailed: always.
        """
        known = BELIEFS[belief] if belief is not None else None
        if hints is None:
            hints = READ_THE_TASK if known is None else Hints(known.where, known.think)
        raise CheckFailed(
            self.task, seen, belief, section or (known.section if known else self.section), tuple(hints)
        )

    # --- the form of what came back ----------------------------------------------------------------------

    def result(self, call: Call) -> Seen:
        """Return what a call gave; end the check if it raised, or left gradients switched off."""
        if not call.callable:
            kind = call.result.type if call.result else "unknown"
            self.fail(f"a function was expected, and there is an object of type {kind}.")
        if call.raised is not None and call.raised.unwritten:
            self.fail("it is not written yet: the line raise NotImplementedError is still there.")
        self.comes_to_an_end(call)
        if call.raised is not None:
            where = f" (in the line `{call.raised.line}`)" if call.raised.line else ""
            self.fail(f"it raised {call.raised.type}: {call.raised.message}{where}.")
        if call.gradients_left_off:
            self.fail(
                "after the call PyTorch records nothing any more: gradients were switched off and stayed off.",
                hints=Hints(
                    "Look for the line that switches gradients off: does anything switch them on again?",
                    "A with block ends by itself, also where an error leaves it. What ends your switch?",
                ),
                section="modes",
            )
        if call.result is None:
            self.fail("nothing is known of what came back.")
        return call.result

    def comes_to_an_end(self, call: Call) -> None:
        """End the check if what a call raised shows that something has no end."""
        kind = endless(call.raised) if call.raised is not None else None
        if kind is None:
            return
        where = f" in the line `{call.raised.line}`" if call.raised.line else ""
        full = no_memory_left(call.raised.type, call.raised.message)
        hints = Hints(kind.where, kind.think)
        failure = TookAllMemory if full else CheckFailed
        raise failure(self.task, f"{kind.seen}{where}. {kind.usual}", None, self.section, hints)

    def number(self, seen: Seen, what: str) -> float:
        """Return a Python or NumPy number as a float; end the check if it is something else."""
        if seen.number is None or seen.array is not None:
            self.fail(f"{what} should be a Python number, and it is {seen.name}.")
        return seen.number

    def tensor(self, seen: Seen, shape: Sequence[int], what: str, dtype: str | None = None) -> Tensor:
        """Return a tensor's numbers as float64; end the check unless it is one of that shape (and dtype)."""
        return self.array(seen, shape, what, dtype).tensor()

    def array(self, seen: Seen, shape: Sequence[int], what: str, dtype: str | None = None) -> Array:
        """Return a tensor's numbers as they came; end the check unless it is one of that shape (and dtype)."""
        if not seen.is_a("Tensor"):
            self.fail(f"{what} should be Tensor, and it is {seen.name}.")
        if seen.array is None:
            self.fail(f"{what} should have shape {tuple(shape)}, and it is {seen.shown}.")
        if tuple(seen.array.shape) != tuple(shape):
            self.fail(f"{what} should have shape {tuple(shape)}, and it has {tuple(seen.array.shape)}.")
        if dtype is not None and seen.array.dtype != dtype:
            self.fail(f"{what} should be torch.{dtype}, and it is torch.{seen.array.dtype}.")
        return seen.array

    def items(self, seen: Seen, what: str, kind: str = "list", number: int | None = None) -> list[Seen]:
        """Return the items of a list or tuple; end the check unless it is one (with so many items)."""
        if not seen.is_a(kind):
            self.fail(f"{what} should be {kind}, and it is {seen.name}.")
        if seen.items is None:
            self.fail(
                f"{what} has too many items, or they stand too deep inside each other, to be looked at."
            )
        if number is not None and len(seen.items) != number:
            self.fail(f"{what} should have {number} parts, and it has {len(seen.items)}.")
        return seen.items

    # --- its content -------------------------------------------------------------------------------------

    def compare(
        self, found: Any, right: Any, wrong: Iterable[Wrong], otherwise: Wrong, tolerance: float = 1e-5
    ) -> None:
        """Pass over a right result; else end with the first likely wrong one that it equals, or with ``otherwise``.

        ``otherwise`` is said whatever its value; it names no belief, because nothing shows one.
        """
        if close(found, right, tolerance):
            return
        for case in wrong:
            if close(found, case.value, tolerance):
                self.fail(case.seen, case.belief, case.hints, section=case.section)
        self.fail(otherwise.seen, otherwise.belief, otherwise.hints, section=otherwise.section)


def seeded(check: Callable) -> Callable:
    """Let a check draw its problem from another seed where the student's function is in another process.

    In grading that seed follows from the submission and a secret, so no solution can know the problem beforehand.
    In a notebook the check runs with every switch at its default.
    """

    @at_defaults
    @functools.wraps(check)
    def with_own_seed(thing: Any, *arguments: Any, **options: Any) -> None:
        if type(thing) is Reference:
            options["seed"] = thing.seed(options.get("seed", 0))
        check(thing, *arguments, **options)

    return with_own_seed


def conclude(task: str, judgement: Callable[[], str]) -> None:
    """Print the line with which a judgement passed, or keep its diagnosis for ``hint()`` and raise it."""
    try:
        line = judgement()
    except CheckFailed as failure:
        remember(failure)
        raise
    forget()
    print(f"{task}: {line}")


def remember(failure: CheckFailed) -> None:
    """Let ``hint()`` speak of this failure."""
    _last[:] = [failure]


def forget() -> None:
    """Let ``hint()`` speak of no failure, since a check has passed."""
    _last.clear()


def hint() -> None:
    """Show the next hint on the last check that failed: first where to look, then how to think about it."""
    if not _last:
        print("No check has failed since the last one that passed, so there is nothing to hint at.")
        return
    _last[0].show_next_hint()


# --- comparing ---------------------------------------------------------------------------------------------


def close(one: Any, other: Any, tolerance: float = 1e-5) -> bool:
    """Whether two numbers, tensors, arrays, or lists of them agree within ``tolerance``, absolute and relative.

    Two nan agree. Lists of different lengths do not.
    """
    ours, theirs = _flat(one), _flat(other)
    return len(ours) == len(theirs) and all(
        (math.isnan(a) and math.isnan(b)) or a == b or abs(a - b) <= tolerance * (1 + abs(b)) < math.inf
        for a, b in zip(ours, theirs, strict=True)
    )


def mean(values: Sequence[float]) -> float:
    """Return the mean of some numbers, nan if there is none."""
    return sum(values) / len(values) if values else math.nan


def mean_of_batch_means(values: Sequence[float], batch_size: int) -> float:
    """Return what comes of samples' values when a short last batch counts as much as the others."""
    return mean([mean(values[at : at + batch_size]) for at in range(0, len(values), batch_size)])


def _flat(values: Any) -> list[float]:
    if isinstance(values, Array):
        return values.numbers
    if isinstance(values, Tensor):
        return values.detach().double().flatten().tolist()
    if isinstance(values, list | tuple):
        return [number for value in values for number in _flat(value)]
    return [float(values)]


def _labelled(label: str, text: str) -> str:
    return textwrap.fill(f"{label}: {text}", WIDTH, subsequent_indent="  ")
