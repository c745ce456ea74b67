"""Which part of a long suite is due: every fifth of its pieces, beginning at another one with each commit.

    python -m tests.tools.due NAME ...     # prints those of the names that are due

CI tries a fifth of the long suites at each change, so that five changes try all of them. Everything is tried once a
week, and whenever somebody runs a suite by hand.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import TypeVar

from tests.tools.course import COURSE

OPTION = "--due"
"""The argument of a suite by which it runs only what is due."""
PARTS = 5
Piece = TypeVar("Piece")


def due(pieces: Sequence[Piece], number: int, parts: int = PARTS) -> list[Piece]:
    """Return the pieces that are due at the commit of this number; after ``parts`` commits in a row all were."""
    return list(pieces[number % parts :: parts])


def number_of_commits() -> int:
    """Return how many commits led to the present state."""
    command = ["git", "rev-list", "--count", "HEAD"]
    return int(subprocess.run(command, cwd=COURSE, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    print(*due(sys.argv[1:], number_of_commits()))
