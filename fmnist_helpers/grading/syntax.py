"""Python's own parser, for one thread at a time."""

from __future__ import annotations

import ast
import threading

AT_A_TIME = threading.Lock()
"""Held while syntax trees are made or compiled. How deep a tree is, Python counts for all threads together: with two of
them at it, it may end with ``SystemError: AST constructor recursion depth mismatch`` (seen with 3.11.7)."""


def parse(source: str) -> ast.Module:
    """Return the syntax tree of a text.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as ``ast.parse`` does.
    """
    with AT_A_TIME:
        return ast.parse(source)
