"""What is said of work that does not come to an end, or takes memory without end: most often it is an endless loop.

A learner's own notebook runs it until somebody stops it, or the memory is full. The grader has limits, and ends it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fmnist_helpers.exercises.observation import Raised

LOOP = "usually an endless loop"
GROWING_LOOP = f"{LOOP} that adds to something, or a tensor larger than meant"
LOOK = "Look for a `while` whose condition stays true, or a `for` over something that never ends."
MEMORY = "MemoryError|OutOfMemory|bad_alloc|[Cc]an(no|')t allocate memory|out of memory"
"""How Python, NumPy, PyTorch and the system say that there is no memory left."""


class Endless(NamedTuple):
    """How an error shows that something has no end, and what to say of it."""

    error: str
    """Pattern of the error's type and message."""
    seen: str
    usual: str
    """What most often leads there, a sentence."""
    where: str
    think: str


KINDS = (
    Endless(
        MEMORY,
        "it asked for more memory than it may take, and was stopped",
        "Usually this is an endless loop that adds to something, such as a list, or a tensor larger than meant.",
        "Which line makes something longer or larger, and does it stand in a loop?",
        "If it is in a loop: in which round should that end, and what ends it? Else print the shapes that go in.",
    ),
    Endless(
        "^RecursionError",
        "it called itself again and again without an end, and was stopped",
        "A function that calls itself needs a case in which it does not.",
        "Look for the line in which the function calls itself, or another one that calls it.",
        "For which argument should it return without a further call? Does each call come closer to that one?",
    ),
    Endless(
        "batches were taken from the loader$",
        "it took batch after batch from the loader without an end, and was stopped",
        "Usually this is an endless loop.",
        "Look for a loop around the loop over the loader: what ends it?",
        "A `for` over the loader is one pass, and ends by itself. How many passes does the task ask for?",
    ),
)


def endless(raised: Raised) -> Endless | None:
    """Return what to say of an error if it shows that something has no end."""
    error = f"{raised.type}: {raised.message}"
    return next((kind for kind in KINDS if re.search(kind.error, error)), None)


def no_memory_left(name: str, message: str) -> bool:
    """Return whether an error of this type and message says that there is no memory left."""
    return re.search(MEMORY, f"{name}: {message}") is not None
