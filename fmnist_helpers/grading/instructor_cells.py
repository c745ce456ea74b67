"""Test cells of the instructor: what of one is judged outside of the student's process, and what is not.

In a test cell a name that neither the cell nor Python defines belongs to the student. A statement that only hands such
names to checks is *judged outside*, with references in their place. A statement that does anything else with one, such
as a plain ``assert``, can only run in the student's process, *unprotected*: what it says there, the student's code can
make it say.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from fmnist_helpers.grading.syntax import parse

CHECKS = ("fmnist_helpers.exercises", "fmnist_helpers.checks")
"""Packages that hold checks, with the name that they had before version 1.0."""
HARMLESS = (*CHECKS, "itertools", "math", "numpy", "random", "torch")
"""Modules (and all below) that a statement may import and still be judged outside: none looks at a student's files."""
INWARD = {"__import__", "compile", "dir", "eval", "exec", "globals", "input", "locals", "open", "vars"}
"""Built-ins with which a statement looks at the process that it runs in, or at its files."""
OWN = set(dir(builtins)) - INWARD


@dataclass(frozen=True)
class Plan:
    """How a test cell is run. At most one of the three is empty, and with ``refused`` both others are."""

    outside: str = ""
    """What the grader's process runs."""
    inside: str = ""
    """What the student's process runs, unprotected."""
    references: tuple[str, ...] = ()
    """The student's names in ``outside``."""
    refused: str = ""
    """Why neither can be."""


def sources_of_tests(notebook: NotebookNode) -> dict[str, str]:
    """Return the name of each test cell of an assignment → its source, hidden tests included."""
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in notebook.cells if is_test(cell)}


def remarks_on_tests(notebook: NotebookNode) -> list[str]:
    """Return what an instructor should know of an assignment before it is handed out, a line each."""
    plans = {name: plan(source) for name, source in sources_of_tests(notebook).items()}
    inside = ", ".join(name for name, one in plans.items() if one.inside)
    lines = [f"{name}: cannot be judged: {one.refused}" for name, one in plans.items() if one.refused]
    return lines + ([f"{inside}: run in the student's process, unprotected"] if inside else [])


def is_test(cell: NotebookNode) -> bool:
    """Return whether a cell of an assignment, or of a submission made fit for it, is a test."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def plan(source: str) -> Plan:
    """Return how a test cell with this source is to be run."""
    try:
        tree = parse(source)
    except SyntaxError:  # magics, for example
        mixed = "check_" in source
        return (
            Plan(refused="it calls a check beside something that is no Python") if mixed else Plan("", source)
        )
    reader = _Reader()
    kinds = [reader.read(statement) for statement in tree.body]
    outside = [one for one, kind in zip(tree.body, kinds, strict=True) if not kind.touches]
    if not any(kind.checks for kind in kinds):
        return Plan(inside=source)
    judged = [one for one, kind in zip(tree.body, kinds, strict=True) if kind.checks and not kind.touches]
    inside = [one for one in tree.body if one not in judged]
    names = tuple(sorted({name for kind in kinds if not kind.touches for name in kind.references}))
    if len(outside) == len(tree.body):
        return Plan(outside=source, references=names)
    if any(kind.touches and kind.checks for kind in kinds):
        return Plan(refused="one statement calls a check and also uses the student's work itself")
    missing = {name for one in judged for name in _bound(one)}
    if any(name in missing for kind in kinds if kind.touches for name in kind.loads):
        return Plan(refused="what a check gives is used on the student's work itself")
    return Plan(_text(outside), _text(inside), names)


@dataclass(frozen=True)
class _Kind:
    """What a statement does."""

    checks: bool
    """It calls a check, at once or later."""
    touches: bool
    """It uses something of the student's in another way than as the argument of a check."""
    references: frozenset[str]
    loads: frozenset[str]


class _Reader:
    """Reads the statements of a cell in order, and knows what the cell has defined so far."""

    def __init__(self) -> None:
        self.own: set[str] = set(OWN)
        self.checks: set[str] = set()
        self.modules: set[str] = set()
        self.tainted: set[str] = set()
        """Names to which the cell gave something made of the student's work."""

    def read(self, statement: ast.stmt) -> _Kind:
        self._imports(statement)
        bound = set(_bound(statement))
        # In a single assignment the right side still sees what was before.
        inner = set() if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign) else bound
        own = self.own | inner | set(_inner_names(statement))
        calls = [one for one in ast.walk(statement) if isinstance(one, ast.Call) and self._is_check(one.func)]
        handed = {id(value) for call in calls for value in _arguments(call)}
        loads = [one for one in ast.walk(statement) if isinstance(one, ast.Name) and _is_read(one, statement)]
        foreign = [one for one in loads if one.id not in own]
        touches = any(id(one) not in handed or one.id in self.tainted for one in foreign) or not _is_harmless(
            statement
        )
        if touches:
            self.own -= bound
            self.tainted |= bound
        else:
            self.own |= bound
        return _Kind(
            bool(calls),
            touches,
            frozenset(one.id for one in foreign),
            frozenset(one.id for one in loads),
        )

    def _imports(self, statement: ast.stmt) -> None:
        for one in ast.walk(statement):
            if isinstance(one, ast.ImportFrom) and _is_below(one.module or "", CHECKS):
                for alias in one.names:
                    known = self.checks if alias.name.startswith("check_") else self.modules
                    known.add(alias.asname or alias.name)
            elif isinstance(one, ast.Import):
                self.modules |= {a.asname for a in one.names if a.asname and _is_below(a.name, CHECKS)}

    def _is_check(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Name):
            return function.id in self.checks
        return (
            isinstance(function, ast.Attribute)
            and function.attr.startswith("check_")
            and isinstance(function.value, ast.Name)
            and function.value.id in self.modules
        )


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords if keyword.arg)


def _is_read(name: ast.Name, statement: ast.stmt) -> bool:
    added_to = isinstance(statement, ast.AugAssign) and name is statement.target
    return isinstance(name.ctx, ast.Load) or added_to


def _is_harmless(statement: ast.stmt) -> bool:
    for one in ast.walk(statement):
        if isinstance(one, ast.Import) and not all(_is_below(alias.name, HARMLESS) for alias in one.names):
            return False
        if isinstance(one, ast.ImportFrom) and not _is_below(one.module or "", HARMLESS):
            return False
    return True


def _is_below(module: str, parents: tuple[str, ...]) -> bool:
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Yield every name that a statement gives a value, wherever in it."""
    for one in ast.walk(statement):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            yield one.id
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield one.name
        elif isinstance(one, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in one.names)
        elif isinstance(one, ast.ExceptHandler) and one.name:
            yield one.name


def _inner_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that only a function or a comprehension inside a statement knows."""
    for one in ast.walk(statement):
        if isinstance(one, ast.arg):
            yield one.arg
        elif isinstance(one, ast.comprehension):
            yield from (name.id for name in ast.walk(one.target) if isinstance(name, ast.Name))


def _text(statements: list[ast.stmt]) -> str:
    return "\n".join(map(ast.unparse, statements))
