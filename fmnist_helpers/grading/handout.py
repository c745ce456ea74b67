"""An assignment as it was handed out: what a submission is compared with when it is read and repaired."""

from __future__ import annotations

import ast
import builtins
import copy
import re
from functools import cached_property

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

from fmnist_helpers.exercises.observe import STUB
from fmnist_helpers.grading.classroom import CODE_STUB, TEXT_STUB
from fmnist_helpers.grading.instructor_cells import is_test
from fmnist_helpers.grading.syntax import parse

LINE_OF_IPYTHON = re.compile(r"^(\s*)(?:%%?|!|\?).*$", flags=re.MULTILINE)


class Handout:
    """The cells of an assignment: as its author wrote them, and as students got them.

    Args:
        source: the notebook with solutions and hidden tests.
    """

    def __init__(self, source: NotebookNode) -> None:
        self.source = source
        self.known = {name: cell for cell in source.cells if (name := grade_id(cell))}
        """Name of each graded or locked cell and each answer → the author's cell, in order."""
        self.cells = [_as_released(cell) for cell in source.cells]
        """The cells as students got them."""
        self.texts = {name: cell.source for cell in self.cells if (name := grade_id(cell))}
        self.given = {squeezed(cell.source) for cell in self.cells}

    def is_answer(self, name: str) -> bool:
        return bool(self.known[name].metadata.nbgrader.get("solution"))

    def is_worked_on(self, cell: NotebookNode) -> bool:
        """Return whether a student has changed an answer, and not only by emptying it."""
        text = squeezed(cell.source)
        return bool(text) and text != squeezed(self.texts[grade_id(cell)]) and text != squeezed(CODE_STUB)

    def work(self, cells: list[NotebookNode]) -> tuple[int, int, int]:
        """Return how much of this assignment a notebook holds: answers, answers without a stub, labelled cells.

        The second tells an untouched copy of an older edition, whose cells are all unlike the present ones.
        """
        ours = [cell for cell in cells if grade_id(cell) in self.known]
        answers = [cell for cell in ours if self.is_answer(grade_id(cell)) and self.is_worked_on(cell)]
        written = [cell for cell in answers if STUB not in cell.source and TEXT_STUB not in cell.source]
        return len(self.answers_in(cells)), len(written), len(ours)

    def answers_in(self, cells: list[NotebookNode]) -> dict[str, list[str]]:
        """Return the name of each answer that was worked on → what was written for it, also in cells of their own."""
        own = [cell for cell in cells if not grade_id(cell) and squeezed(cell.source) not in self.given]
        own = [(cell.source, bound(cell.source)) for cell in own if cell.cell_type == "code"]
        found: dict[str, list[str]] = {}
        for name in filter(self.is_answer, self.known):
            here = [cell.source for cell in cells if grade_id(cell) == name and self.is_worked_on(cell)]
            beside = [source for source, names in own if names & self.defines(name)]
            if here or beside:
                found[name] = here + beside
        return found

    def is_of(self, cells: list[NotebookNode]) -> bool:
        """Return whether a notebook is one of this assignment, by its labels or its text."""
        texts = {squeezed(cell.source) for cell in cells}
        labels = {grade_id(cell) for cell in cells} & set(self.known)
        given = {squeezed(cell.source) for cell in self.cells if not grade_id(cell)}
        return len(labels) > len(self.known) / 2 and len(texts & given) > len(given) / 4

    def before(self, name: str) -> set[str]:
        """Return the texts, squeezed, of the cells without a label that stand directly before one with this label."""
        texts: set[str] = set()
        for cell in self.cells:
            if grade_id(cell) == name:
                break
            texts = set() if grade_id(cell) else texts | {squeezed(cell.source)}
        return texts

    def needs(self, name: str) -> set[str]:
        """Return the names that a test cell takes from the notebook."""
        return self._needs[name]

    @cached_property
    def _needs(self) -> dict[str, set[str]]:
        defined = set().union(*(bound(cell.source) for cell in self.source.cells if not is_test(cell)))
        return {name: free(cell.source) & defined for name, cell in self.known.items() if is_test(cell)}

    def defines(self, name: str) -> set[str]:
        """Return the names that the solution of an answer gives a value."""
        return bound(self.known[name].source)

    def given_cell_that_defines(self, name: str) -> NotebookNode | None:
        """Return a cell that students got, and need not change, which gives a name its value."""
        return next(
            (
                cell
                for cell in self.cells
                if cell.cell_type == "code" and not grade_id(cell) and name in bound(cell.source)
            ),
            None,
        )


def _as_released(cell: NotebookNode) -> NotebookNode:
    solutions = ClearSolutions(code_stub={"python": CODE_STUB}, text_stub=TEXT_STUB, enforce_metadata=False)
    resources = {"language": "python"}
    cell, _ = solutions.preprocess_cell(copy.deepcopy(cell), resources, 0)
    return ClearHiddenTests(enforce_metadata=False).preprocess_cell(cell, resources, 0)[0]


def grade_id(cell: NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def squeezed(text: str) -> str:
    """Return a text without what an editor may change in it by itself: blanks and empty lines."""
    return re.sub(r"\s+", "", text)


def parsed(source: str) -> list[ast.stmt]:
    """Return the statements of a cell; lines of IPython count as nothing, and a cell with an error has none."""
    try:
        return parse(LINE_OF_IPYTHON.sub(r"\1pass", source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def bound(source: str) -> set[str]:
    """Return the names that a cell gives a value for the cells after it."""
    names: set[str] = set()
    for statement in parsed(source):
        names |= bound_by(statement)
    return names


def bound_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives a value; those inside of its functions are their own."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    names = {
        one.id for one in ast.walk(statement) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    for inner in ast.iter_child_nodes(statement):
        if isinstance(inner, ast.stmt):
            names |= bound_by(inner)
    return names


def free(source: str) -> set[str]:
    """Return the names that a cell reads before it gives them a value, but for Python's own."""
    names: set[str] = set()
    own = set(dir(builtins))
    for statement in parsed(source):
        read = (
            one for one in ast.walk(statement) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)
        )
        names |= {one.id for one in read} - own
        own |= bound_by(statement)
    return names
