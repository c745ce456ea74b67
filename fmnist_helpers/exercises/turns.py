"""Your turn: a few lines that the learner writes in the middle of a lesson, checked at once.

Nothing here stops a lesson. A function that is not written yet, or not right, is told so in a line or two, and the
lesson goes on with the solution that stands folded below the cell; a right one is what the next cells use.
The tasks of a lesson stand in the module of ``LESSONS`` that has its name, each as its solution and a judgement.
"""

from __future__ import annotations

import copy
import dis
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fmnist_helpers.exercises import check, observe
from fmnist_helpers.exercises.check import Check, CheckFailed, Hints
from fmnist_helpers.exercises.observation import Seen

LESSONS = (
    "turns00_start_here",
    "turns01_data",
    "turns02_model",
    "turns03_loss",
    "turns04_optimizer",
    "turns05_training_loop",
    "turns06_better_training",
    "turns07_model_for_images",
    "turns08_on_your_own",
)
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


ADVICE = (
    (
        "Boolean value of Tensor",
        "`if`, `max` and `and` cannot look at a whole tensor.",
        "A mask, or a method of the tensor, looks at every number at once.",
    ),
    (
        "infer output dtype|floating point",
        "The numbers are whole ones, and a mean needs floats.",
        "float() gives a new tensor. Under which name do you go on with it?",
    ),
    (
        "cannot be multiplied",
        "Write the shapes of both tables beside the product.",
        "A row on the left must be as long as a column on the right. Does .T help?",
    ),
    (
        "not implemented for '(Long|Int|Byte)'",
        "A function that needs floats got whole numbers: which argument is that?",
        "A loss takes the logits first, then the labels.",
    ),
    (
        "value tensor of shape",
        "On the left are the chosen places alone. How many are on the right?",
        "Choose in the same way on both sides of the equals sign.",
    ),
    (
        "number of sizes provided|expand\\(",
        "One place takes one number. What stands on the right?",
        "Is a sum or a mean missing?",
    ),
    (
        "must match the size|shape mismatch|broadcast",
        "Write the shapes of both tensors below each other, lined up at the right.",
        "Where they differ, one must be 1. Did an axis disappear, or does keepdim=True keep it?",
    ),
    (
        "Dimension out of range",
        "How many axes has the tensor that came in?",
        "A tensor with a single axis has only dim=0.",
    ),
    (
        "leaf Variable",
        "The step itself must not be recorded.",
        "Which `with` block switches the recording off?",
    ),
    (
        "only one element tensors|converted to Python scalars",
        "The functions of `math` take a single number.",
        "Tensors have methods of the same names: x.exp(), x.log().",
    ),
    (
        "multiply sequence|unsupported operand type.*list",
        "Lists do not compute number by number.",
        "Go through them with a loop, or with zip if there are two.",
    ),
    (
        "is not defined",
        "Is the name spelled as in the first line of the function?",
        "A function knows its arguments, and what was defined before it.",
    ),
)
"""Words of an error → where to look, and how to think about it."""
READ_THE_ERROR = Hints(
    "Read the error as in lesson 01: what went wrong, and in which of your lines?",
    "Print the shapes and types of what stands in that line, in a cell of its own.",
)


class Called(Check):
    """A check that calls the learner's function itself."""

    def __init__(self, task: str, section: str, function: Callable) -> None:
        super().__init__(task, section)
        self._function = function
        self.returned: Any = None
        """What the last call gave, the object itself."""

    def __call__(self, *arguments: Any, may_change: bool = False) -> Seen:
        """Return what the function gives for these arguments.

        The check ends if it raises, or unless ``may_change`` if it changes an argument.
        """
        before = None if may_change else copy.deepcopy(arguments)
        call, self.returned = observe.call(self._function, *arguments)
        self.comes_to_an_end(call)
        if call.raised is not None:
            self.fail(
                f"it raised {call.raised.type}: {call.raised.message}.", hints=_advice(call.raised.message)
            )
        if not may_change and not all(map(_same, before, arguments)):
            self.fail(
                "an argument has changed: the work was done in place, and whoever calls the function has lost it.",
                hints=Hints(
                    "Which line of yours writes into an argument?",
                    "Make a new tensor, or work on a clone(), and leave the argument as it is.",
                ),
                section="tensors",
            )
        return self.result(call)

    def one_number(self, seen: Seen, what: str) -> float:
        """Return a number, also one in a tensor of shape ()."""
        alone = seen.is_a("Tensor") and seen.array is not None and seen.array.shape == []
        return seen.array.numbers[0] if alone else self.number(seen, what)

    def still_learns(self, parameters: Iterable[Tensor]) -> None:
        """End the check if one of these no longer requires a gradient."""
        if not all(parameter.requires_grad for parameter in parameters):
            self.fail(
                "the parameters no longer require a gradient, so the model cannot learn any more.",
                hints=Hints(
                    "Which of your lines calls requires_grad_?",
                    "A `with torch.no_grad():` block ends by itself; that switch stays.",
                ),
            )

    def parts(self, seen: Seen, names: Sequence[str]) -> list[Seen]:
        """Return the items of a tuple or list; end the check unless there is one for each name."""
        if seen.items is None or len(seen.items) != len(names):
            found = f"{len(seen.items)} parts" if seen.items is not None else seen.name
            self.fail(f"{', '.join(names)} should come back, in this order, and what came back is {found}.")
        return seen.items

    def numbers(self, seen: Seen, names: Sequence[str]) -> list[float]:
        """Return the numbers of a tuple, list or tensor; end the check unless there is one for each name."""
        if seen.array is not None and seen.array.shape == [len(names)]:
            return seen.array.numbers
        found = [one.number for one in self.parts(seen, names)]
        if None in found:
            self.fail(
                f"{', '.join(names)} should be numbers, and one is {seen.items[found.index(None)].name}."
            )
        return found


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, torch.nn.Module):  # its mode is not looked at
        return all(map(torch.equal, before.parameters(), after.parameters()))
    if isinstance(before, Tensor):
        return before.shape == after.shape and torch.equal(before, after)
    return before == after


def _advice(message: str) -> Hints:
    for words, where, think in ADVICE:
        if re.search(words, message):
            return Hints(where, think)
    return READ_THE_ERROR


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
        keep = "keep the name that the lesson gave to the function"
        keep += ", and write it with def" if name == "<lambda>" else ""
        raise ValueError(f"{named}; {keep}: your_turn(name)")
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
    function = inspect.unwrap(function)
    if not hasattr(function, "__code__"):
        return False  # an object that somebody's decorator made
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
