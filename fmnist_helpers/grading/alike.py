"""Finds answers to one task that are alike, whatever names and constants are in them: pairs for a person to look at.

An answer is a sequence of what its syntax is made of, in which the names that it gives itself are all one and so
are its constants; comments, docstrings, hints of types and imports are no part of it. Compared are runs of
``RUN`` steps. What the release gave does not count, nor does what many of the class have written.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fmnist_helpers.grading.handout import parsed

RUN = 6
SHORTEST, ALIKE = 40, 0.7
"""How many runs of its own an answer must have, and which share of both answers is the same in a pair.

Measured on the right variants in ``tests/exercises/variants``, 410 pairs of independent answers to one task. Of the
222 pairs in which both have 40 runs, half share less than 0.05, one in ten more than 0.21, one in fifty more than
0.40, and none more than 0.58; so none reaches 0.7. Among the shorter ones 12 pairs are equal: they are predictions.
The variants were written to differ, and a class has read the same lesson; hence the distance, and ``COMMON``.
"""
COMMON, COMMON_SHARE = 4, 0.2
"""What more answers have than this number, and than this share of all, is how one writes it, and does not count."""
MOST_STEPS = 5_000
"""Of an answer that is longer, the rest is not compared."""
LEFT_OUT = (ast.expr_context, ast.Import, ast.ImportFrom)


class Pair(NamedTuple):
    """Two students whose answers are alike, and which share of both is the same, from 0 to 1."""

    one: str
    other: str
    share: float


def alike(answers: Mapping[str, Sequence[str]], given: Iterable[str] = ()) -> list[Pair]:
    """Return the pairs of students whose answers are near-equal, the most alike first.

    Args:
        answers: student → code of the answer's cells; what cannot be parsed is like nothing.
        given: code of the cells that were handed out.
    """
    runs = {student: _runs(cells) for student, cells in answers.items()}
    count = Counter(itertools.chain.from_iterable(runs.values()))
    most = max(COMMON, COMMON_SHARE * sum(map(bool, runs.values())))
    passed_over = _runs(given) | {run for run, number in count.items() if number > most}
    own = {student: found - passed_over for student, found in sorted(runs.items())}
    long_enough = [student for student, found in own.items() if len(found) >= SHORTEST]
    pairs = [
        Pair(one, other, 2 * len(own[one] & own[other]) / (len(own[one]) + len(own[other])))
        for one, other in itertools.combinations(long_enough, 2)
    ]
    return sorted((pair for pair in pairs if pair.share >= ALIKE), key=lambda pair: (-pair.share, pair))


def _runs(cells: Iterable[str]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for cell in cells:
        steps = list(itertools.islice(_steps(ast.Module(parsed(cell), [])), MOST_STEPS))
        found.update(zip(*(steps[start:] for start in range(RUN)), strict=False))
    return found


def _steps(tree: ast.Module) -> Iterator[str]:
    """Go through a syntax tree in the order of the text, with one name for all that the answer names itself."""
    own, waiting = set(_own_names(tree)), [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, LEFT_OUT) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            continue
        name = _name(node)
        yield type(node).__name__ if name is None or name in own else " ".join(name)
        parts = [value for field, value in ast.iter_fields(node) if field not in ("annotation", "returns")]
        parts = itertools.chain.from_iterable(part if isinstance(part, list) else [part] for part in parts)
        waiting += reversed([part for part in parts if isinstance(part, ast.AST)])


def _name(node: ast.AST) -> tuple[str, str] | None:
    if isinstance(node, ast.Name):
        return "variable", node.id
    return ("attribute", node.attr) if isinstance(node, ast.Attribute) else None


def _own_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Return what is given a value: variables, parameters, attributes, functions and classes."""
    for node in ast.walk(tree):
        if isinstance(getattr(node, "ctx", None), ast.Store) and (name := _name(node)):
            yield name
        elif isinstance(node, ast.arg):
            yield "variable", node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from (("variable", node.name), ("attribute", node.name))
