"""An import that fails does not take the rest of its cell with it, and the given ones are there without their cell.

A student may import what the grader has not, or lose the cell with the imports; right work then fails for a name that
is not defined. What is read here is text; all of it runs in the student's process. That one says how a cell ended, but
not where: the place is the statement that the error speaks of, or an import that fails once more.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from fmnist_helpers.grading.handout import squeezed
from fmnist_helpers.grading.syntax import parse

MOST_STATEMENTS = 40
"""How many statements of one cell are run."""
MOST_LETTERS, MOST_WORK, MOST_READ = 10_000, 100_000, 500_000
"""Letters: of a cell that is read, the same times its signs of magics, and of a notebook that is looked through."""
MOST_NOTES, MOST_FAILED = 12, 3
MISSING = ("ImportError", "ModuleNotFoundError", "UsageError")
"""Errors of what is not installed; the last is IPython's, for a magic that it does not know."""
INTERRUPTED = ("CellTimeoutError", "KeyboardInterrupt", "NotRun", "Stopped")
PYTHON_MAGICS = ("capture", "prun", "time")
"""Magics of a cell that run the rest of it as it stands."""
LOADING_MAGICS = ("config", "load_ext", "matplotlib", "pylab", "reload_ext")
"""Magics of a line that are like imports: they want something installed, and do no harm when they are run twice."""
AT_DEFAULTS = """\
from fmnist_helpers.exercises import switches as _switches
with _switches.undone():
    exec(compile({source!r}, "<given>", "exec"), globals())
"""
FAILED = "a cell that is no answer failed: "


class Statement(NamedTuple):
    """A statement of a cell."""

    source: str
    shown: str
    """As the student wrote it, in a line."""
    loads: bool
    """Whether it is an import, or a magic like one."""
    defines: bool
    """Whether it is a function or a class. Neither kind does harm when it is run twice."""


class Rest(NamedTuple):
    """What is to be run of a cell after an error."""

    failed: str
    """The statement that failed, as it is shown, if the error speaks of one."""
    certain: bool
    """Whether none of ``statements`` ran. Else those that neither load nor define wait until a load fails again."""
    statements: list[Statement]


class Given(NamedTuple):
    """What an assignment gives its students to run."""

    imports: str
    """A line each; they are run before the first cell."""
    cells: frozenset[str]
    """The code cells that are neither answers nor tests, without blanks."""


# --- the given imports -------------------------------------------------------------------------------------


def given_by(notebook: NotebookNode) -> Given:
    """Return what stands in those code cells of an assignment that are neither answers nor tests."""
    given = [cell for cell in notebook.cells if not is_grade(cell) and not is_solution(cell)]
    texts = (squeezed(cell.source) for cell in given if cell.cell_type == "code")
    return Given("\n".join(dict.fromkeys(map(ast.unparse, _imports(given)))), frozenset(texts))


def remarks_on_imports(given: str, notebook: NotebookNode) -> list[str]:
    """Return what an instructor should know if the given imports do not stand in a student's notebook."""
    there = {name for statement in _imports(notebook.cells) for name in _names(statement)}
    lines = given.splitlines()
    gone = [line for line in lines if not _names(parse(line).body[0]) <= there]
    if lines and gone == lines:
        return ["the cell with the given imports is missing; they were run"]
    return [f"given imports are missing; they were run: `{_short('; '.join(gone), 120)}`"] if gone else []


def _imports(cells: Iterable[NotebookNode]) -> Iterator[ast.Import | ast.ImportFrom]:
    read = 0
    for cell in cells:
        read += len(cell.source)
        if cell.cell_type == "code" and read <= MOST_READ:
            with contextlib.suppress(Exception):  # A student's text may be anything.
                body = parse(re.sub(r"(?m)^\s*[%!].*$", "", cell.source)).body
                yield from (one for one in body if isinstance(one, ast.Import | ast.ImportFrom))


def _names(statement: ast.stmt) -> set[str]:
    return {alias.asname or alias.name.split(".")[0] for alias in statement.names}


# --- after an error ----------------------------------------------------------------------------------------


def go_on(cell: NotebookNode, run: Callable[[str], list[NotebookNode] | None], notes: list[str]) -> None:
    """Run what an error kept from running; add what it shows to the cell, and what there is to tell to the notes.

    Args:
        cell: any but a test, after it ran.
        run: runs a statement in the student's process; returns its outputs, or None if there is no time for it.
        notes: those of the submission.
    """
    error = _error(cell.outputs)
    if error is None or error.ename in INTERRUPTED:
        return
    try:
        rest = statements_after(cell.source, error.ename, error.evalue)
    except RecursionError:  # An expression may be nested without end.
        rest = Rest("", False, [])
    told, ran = _run(rest, error, cell, run)
    if ran and not told:
        failed = f"`{rest.failed}`" if rest.failed else "a cell"
        told = [
            f"{failed} failed ({_words(error)}); the imports and definitions of its cell were run once more"
        ]
    elif not told and not is_solution(cell) and sum(one.startswith(FAILED) for one in notes) < MOST_FAILED:
        begins = next((line for line in cell.source.splitlines() if line.strip()), "")
        told = [f"{FAILED}`{rest.failed or _short(begins)}`: {_short(error.ename)}: {_short(error.evalue)}"]
    notes += [one for one in dict.fromkeys(told) if one not in notes][: max(0, MOST_NOTES - len(notes))]


def _run(rest: Rest, error: NotebookNode, cell: NotebookNode, run: Callable) -> tuple[list[str], bool]:
    """Run the rest of a cell; return what is told of imports that failed, and whether anything ran to its end."""

    def told(failed: str, error: NotebookNode) -> str:
        return f"`{failed}` failed ({_words(error)}); the rest of its cell was run without it"

    certain, ran = rest.certain, False
    notes = [told(rest.failed, error)] if certain and rest.statements else []
    for statement in rest.statements:
        if not (certain or statement.loads or statement.defines):
            continue
        outputs = run(statement.source)
        another = _error(outputs or [])
        if outputs is None or (another is not None and another.ename in INTERRUPTED):
            break
        cell.outputs += [one for one in outputs if certain and one.output_type != "error"]
        ran = ran or another is None
        if another is not None and statement.loads:
            certain = True
            notes.append(told(statement.shown, another))
    return notes, ran


def statements_after(source: str, error: str, message: str) -> Rest:
    """Return what is to be run of a cell that ended with this error: at most 40 statements, each on its own.

    After an import or a magic for which something is not installed that is the rest of the cell. After another error
    it is what a cell with imports loads and defines, all of it, because its place is not known.
    """
    if message.startswith("Cell magic"):
        first, _, source = source.strip().partition("\n")
        return Rest(_short(first), True, _statements(_parse(source)))
    body = _parse(source)
    at = _place(body, error, message)
    failed = _statement(body[at]) if at is not None else None
    missing = error in MISSING or (failed is not None and failed.loads and _magic(body[at]) != "")
    if missing and failed is not None and failed.loads:
        return Rest(failed.shown, False, _statements(body[at:]))
    if missing and failed is not None:
        return Rest(failed.shown, True, _statements(body[at + 1 :]))
    has_imports = any(isinstance(one, ast.Import | ast.ImportFrom) for one in body)
    again = _statements(_unchanged(body)) if missing or has_imports else []
    return Rest(failed.shown if failed is not None else "", False, again)


def _unchanged(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements without functions and classes whose name is then given to something else."""
    nodes = [node for one in body for node in _parts(one) if isinstance(node, ast.Name)]
    given = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    return [one for one in body if getattr(one, "name", None) not in given]


def _place(body: list[ast.stmt], error: str, message: str) -> int | None:
    """Return the number of the first statement that holds the words which an error quotes, if there is one."""
    words = re.findall(r"['\"`]%*([\w./-]+)['\"`]", message[:1000])[:5]
    loads_first = sorted(range(len(body)), key=lambda at: error in MISSING and not _loads(body[at]))
    for wanted in (set(words), set(words[-1:]), set(words[:1])):
        for at in loads_first:
            if wanted and wanted <= _spoken(body[at]):
                return at
    return None


def _spoken(statement: ast.stmt) -> set[str]:
    """Return the words of a statement: names that it reads, texts, and modules with those above and below them."""
    found = set()
    for node in _parts(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, *node.value.split()}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name in (getattr(node, "module", None) or "", *(alias.name for alias in node.names)):
                parts = name.split(".")
                found |= {*parts, *(".".join(parts[:end]) for end in range(1, len(parts) + 1))}
    return found


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs with a statement: no bodies of functions, and nothing whose error is caught."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    caught = node.body if isinstance(node, ast.Try) and node.handlers else []
    for child in ast.iter_child_nodes(node):
        if child not in caught:
            yield from _parts(child)


def once_more(cell: NotebookNode, given: Given, run: Callable, notes: list[str]) -> None:
    """Run a given cell again that failed, with every switch at its default: it is right, so something else is not.

    Args:
        cell: any but a test, after it ran.
        given: by the assignment.
        run: as in ``go_on``.
        notes: those of the submission.
    """
    error = _error(cell.outputs)
    if error is None or error.ename in INTERRUPTED or squeezed(cell.source) not in given.cells:
        return
    outputs = run(AT_DEFAULTS.format(source=cell.source))
    if outputs is not None and _error(outputs) is None:
        begins = _short(cell.source.splitlines()[0])
        note = f"the given cell `{begins}` failed ({_words(error)}); it was run again, with all switches at the start"
        notes[:] = [one for one in notes if not one.startswith(f"{FAILED}`{begins}")] + [note]


# --- statements --------------------------------------------------------------------------------------------


def _parse(source: str) -> list[ast.stmt]:
    """Return the statements of a cell, magics turned into Python; none if it cannot be read."""
    source = source.strip()
    if source.startswith("%%"):
        first, _, source = source.partition("\n")
        if first[2:].split(" ")[0] not in PYTHON_MAGICS:
            return []
    if len(source) > MOST_LETTERS:
        return []
    try:
        try:
            return parse(source).body
        except SyntaxError:
            # IPython reads the whole cell anew for each.
            if len(source) * sum(map(source.count, "%!?")) > MOST_WORK:
                return []
            return parse(TransformerManager().transform_cell(source)).body
    except Exception:  # A student's text may be anything.
        return []


def _statements(body: list[ast.stmt]) -> list[Statement]:
    """Return the statements, imports of several names split, as many as may be run."""
    return [_statement(one) for node in body for one in _split(node)][:MOST_STATEMENTS]


def _split(node: ast.stmt) -> list[ast.stmt]:
    if isinstance(node, ast.Import):
        return [ast.Import([alias]) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
    return [node]


def _statement(node: ast.stmt) -> Statement:
    source = ast.unparse(node)
    defines = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return Statement(source, _short(_magic(node) or source), _loads(node), defines)


def _loads(node: ast.stmt) -> bool:
    is_import = isinstance(node, ast.Import | ast.ImportFrom)
    return is_import or re.match(rf"%({'|'.join(LOADING_MAGICS)})\b", _magic(node)) is not None


def _magic(node: ast.stmt) -> str:
    """Return the line that IPython has turned into this statement; an empty one if it is Python's own."""
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), kind), arguments)):
            texts = [one.value for one in arguments if isinstance(one, ast.Constant)]
            return ("%" if kind == "run_line_magic" else "!") + " ".join(map(str, texts))
    return ""


# --- words -------------------------------------------------------------------------------------------------


def _error(outputs: list[NotebookNode]) -> NotebookNode | None:
    return next((one for one in reversed(outputs) if one.output_type == "error"), None)


def _words(error: NotebookNode) -> str:
    name = "" if error.ename in MISSING else f"{_short(error.ename, 40)}: "
    return name + _short(error.evalue)


def _short(text: str, most: int = 60) -> str:
    """Return a text of a student's in one line of printable letters."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[:1000])
    line = " ".join(line.split())
    return line if len(line) <= most else f"{line[: most - 4]} ..."
