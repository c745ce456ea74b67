"""Which part of a long suite is due: every third of its pieces, beginning at another one with each commit.

CI tries a third of the faults and of the solutions at each change, so that three changes try them all. Everything is
tried once a week, and whenever somebody runs a suite by hand.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import TypeVar

from tests.tools.course import COURSE

OPTION = "--due"
"""The argument of a suite by which it runs only what is due."""
PARTS = 3
Piece = TypeVar("Piece")


def due(pieces: Sequence[Piece], number: int, parts: int = PARTS) -> list[Piece]:
    """Return the pieces that are due at the commit of this number; after ``parts`` commits in a row all were."""
    return list(pieces[number % parts :: parts])


def number_of_commits() -> int:
    """Return how many commits led to the present state."""
    command = ["git", "rev-list", "--count", "HEAD"]
    return int(subprocess.run(command, cwd=COURSE, capture_output=True, text=True, check=True).stdout)
