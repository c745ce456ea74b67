"""Your turn: a few lines that the learner writes in the middle of a lesson, checked at once.

Nothing here stops a lesson. A function that is not written yet, or not right, is told so in a line or two, and the
lesson goes on with the solution that stands folded below the cell; a right one is what the next cells use.
The tasks of a lesson stand in ``turns00_start_here`` to ``turns04_optimizer``, each as its solution and a judgement.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from fmnist_helpers.exercises import check, observe
from fmnist_helpers.exercises.check import Check, CheckFailed
from fmnist_helpers.exercises.observation import Seen

LESSONS = ("turns00_start_here", "turns01_data", "turns02_model", "turns03_loss", "turns04_optimizer")
KEEPS = ("STORE_FAST", "STORE_DEREF", "RETURN_VALUE", "RETURN_CONST")
"""What Python does with a value that is given a name or handed back."""
GOES_ON = "The lesson goes on with the solution below."


class Turn(NamedTuple):
    """One task of a lesson."""

    solution: Callable
    """What the lesson goes on with where the learner's function is not right; it has the name of the task."""
    judge: Callable[[Called], str]
    """Returns what was checked, as the end of a sentence, or ends with a diagnosis."""
    section: str
    """Key in ``SECTIONS``."""


class Called(Check):
    """A check that calls the learner's function itself."""

    def __init__(self, task: str, section: str, function: Callable) -> None:
        super().__init__(task, section)
        self._function = function

    def __call__(self, *arguments: Any, **options: Any) -> Seen:
        """Return what the function gives for these arguments; end the check if it raises."""
        return self.result(observe.call(self._function, *arguments, **options)[0])


_turns: dict[str, Turn] = {}


def turn(solution: Callable, section: str) -> Callable[[Callable[[Called], str]], Callable[[Called], str]]:
    """Make a judgement the check of a task; the solution names it."""

    def with_judge(judge: Callable[[Called], str]) -> Callable[[Called], str]:
        _turns[solution.__name__] = Turn(solution, judge, section)
        return judge

    return with_judge


@functools.cache
def turns() -> dict[str, Turn]:
    """Return the tasks of all lessons by name."""
    for module in LESSONS:
        import_module(f"fmnist_helpers.exercises.{module}")
    return _turns


def your_turn(function: Callable) -> Callable:
    """Check the function that you wrote; print what was found, and return the function to go on with.

    Args:
        function: yours; its name says which task it is.

    Returns:
        ``function`` if it is right, else the solution of the lesson.

    Raises:
        ValueError: if there is no task of that name, or what is given is no function.
    """
    name = getattr(function, "__name__", None)
    if not callable(function) or name not in turns():
        named = f"there is no task {name!r}" if name else f"{function!r} is no function"
        raise ValueError(f"{named}; keep the name that the lesson gave to the function: your_turn(name)")
    solution, judge, section = turns()[name]
    if function is solution:
        print(f"{name}: this is the lesson's solution. Run the cell in which you write your own.")
    elif is_unwritten(function):
        print(f"{name}: not written yet. {GOES_ON}")
    else:
        try:
            print(f"{name}: right. {judge(Called(name, section, function))} The lesson goes on with yours.")
        except CheckFailed as failure:
            check.remember(failure)
            print(
                f"{name}: not right yet.\n{failure.told}\nMore help: run hint() in a cell of its own. {GOES_ON}"
            )
        else:
            check.forget()
            return function
    return solution


def is_unwritten(function: Callable) -> bool:
    """Return whether a function still holds the dots of its task, alone or in place of a value."""
    steps = [step for step in dis.get_instructions(function) if step.opname not in ("RESUME", "NOP", "CACHE")]
    dots = any(
        one.argval is Ellipsis and following.opname in KEEPS
        for one, following in zip(steps, [*steps[1:], *steps[-1:]], strict=True)
    )
    does_nothing = all(
        step.opname in ("LOAD_CONST", "RETURN_VALUE", "RETURN_CONST") and step.argval is None
        for step in steps
    )
    return dots or does_nothing
