"""Finds what was handed in, reads it whatever its state, and repairs it so that nbgrader can grade it."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from fmnist_helpers.grading.classroom import CODE_STUB, TEXT_STUB

LARGEST_NOTEBOOK = 200 * 2**20
LARGEST_EXTRA = 20 * 2**20
MOST_EXTRAS = 100
LARGEST_CELL = 2**20


@dataclass
class Submission:
    """What one student handed in for one assignment.

    ``problem`` is "not submitted" or "unreadable" where there is nothing to grade, with the reason in ``notes``.
    """

    student: str
    assignment: str
    folder: Path
    path: Path | None = None
    notebook: NotebookNode | None = None
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    """What an instructor should know, such as cells that were repaired."""

    def digest(self) -> str:
        """Return a hash of everything in the folder that can change the marks."""
        digest = hashlib.sha256()
        for path in [*extra_files(self.folder), *([self.path] if self.path else [])]:
            digest.update(str(path.relative_to(self.folder)).encode() + b"\0")
            try:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
            except OSError as error:
                digest.update(str(error).encode())
        return digest.hexdigest()


def students(submitted: Path) -> list[str]:
    """Return the names of all students who have a folder."""
    if not submitted.is_dir():
        return []
    return sorted(
        path.name for path in submitted.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def extra_files(folder: Path) -> list[Path]:
    """Return the files beside the notebook that go with it: regular ones, not too many, not too large."""
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        is_plain = path.is_file() and not path.is_symlink() and not path.name.startswith(".")
        if is_plain and path.suffix != ".ipynb" and path.stat().st_size <= LARGEST_EXTRA:
            found.append(path)
    return found[:MOST_EXTRAS]


def find(submitted: Path, student: str, assignment: str, source: NotebookNode) -> Submission:
    """Find and read a submission; never raises for what a student did."""
    folder = submitted / student / assignment
    submission = Submission(student, assignment, folder)
    if not folder.is_dir():
        submission.problem = "not submitted"
        return submission
    candidates = sorted(path for path in folder.glob("*.ipynb") if not path.is_symlink())
    named = [path for path in candidates if path.name == f"{assignment}.ipynb"]
    # A browser calls the second download "name (1).ipynb", JupyterLab a copy "name-Copy1.ipynb".
    alike = [
        path for path in candidates if re.fullmatch(rf"{re.escape(assignment)}(\W.*)?\.ipynb", path.name)
    ]
    chosen = named or alike or candidates
    if not chosen:
        submission.problem = "not submitted"
        submission.notes.append("the folder holds no notebook")
        return submission
    submission.path = max(chosen, key=lambda path: path.stat().st_mtime)
    if not named:
        submission.notes.append(f"the notebook is called {submission.path.name}")
    elif len(candidates) > 1:
        submission.notes.append(f"{len(candidates)} notebooks; {submission.path.name} was graded")
    _read(submission, source)
    return submission


def _read(submission: Submission, source: NotebookNode) -> None:
    try:
        if submission.path.stat().st_size > LARGEST_NOTEBOOK:
            raise ValueError(f"it is larger than {LARGEST_NOTEBOOK // 2**20} MB")
        text = submission.path.read_text(encoding="utf-8")
        if not text.strip():
            raise ValueError("the file is empty")
        content = json.loads(text)
        if not isinstance(content, dict) or "nbformat" not in content:
            raise ValueError("it is not a notebook")
        notebook = nbformat.reads(text, as_version=4)
        submission.notes += repair(notebook, source)
        # Through JSON once more, so that nothing stays that only Python's json reads, such as NaN as a key.
        submission.notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    except RecursionError:
        submission.problem = "unreadable"
        submission.notes.append("it is nested without end")
    except Exception as error:
        submission.problem = "unreadable"
        first = (str(error).splitlines() or [""])[0][:200]
        submission.notes.append(f"{type(error).__name__}: {first}")


def repair(notebook: NotebookNode, source: NotebookNode) -> list[str]:
    """Bring a student's notebook into the shape that nbgrader expects, in place; return what was done.

    Cells that carry a grade id of the source get the source's nbgrader metadata. Of several cells with one id the
    last counts, as the last definition counts in Python. Cells that are missing are put back: test cells as they
    are, answers as empty ones. A test that stands before the answer it tests is moved behind it.
    """
    notes: list[str] = []
    known = {_grade_id(cell): cell for cell in source.cells if _grade_id(cell)}
    cells = [cell for cell in notebook.get("cells", []) if isinstance(cell, dict)]
    # Copies made by hand may have no id at all, or the same one.
    notebook.cells = [_plain(cell) for cell in cells]
    _keep_last(notebook, known, notes)
    _put_back(notebook, source, known, notes)
    _order(notebook, source, notes)
    brought = sum(bool(_grade_id(cell)) and not cell.pop("put_back", False) for cell in notebook.cells)
    if brought < len(known) / 2:
        notes.append("most of the assignment's cells are missing: is it the notebook of another assignment?")
    notebook.metadata = copy.deepcopy(source.metadata)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notes


def _plain(cell: NotebookNode) -> NotebookNode:
    """Return a cell with its type, source and grade id alone: no outputs, no attachments, no other metadata."""
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
    }.get(cell.get("cell_type"), nbformat.v4.new_raw_cell)
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    if len(text) > LARGEST_CELL:
        text = (
            f"# This cell had {len(text)} characters and was cut.\nraise MemoryError('the cell is too large')"
        )
    plain = make(text)
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if isinstance(marks, dict) and isinstance(marks.get("grade_id"), str):
        plain.metadata = NotebookNode(nbgrader=NotebookNode(grade_id=marks["grade_id"]))
    return plain


def _grade_id(cell: NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def _keep_last(notebook: NotebookNode, known: dict[str, NotebookNode], notes: list[str]) -> None:
    seen: set[str] = set()
    for cell in reversed(notebook.cells):
        name = _grade_id(cell)
        if name and name not in known:
            del cell.metadata["nbgrader"]
        elif name in seen:
            del cell.metadata["nbgrader"]
            notes.append(f"{name} stood there twice; the last one counts")
        elif name:
            seen.add(name)
            cell.metadata = NotebookNode(nbgrader=copy.deepcopy(known[name].metadata.nbgrader))
            if cell.cell_type != known[name].cell_type:
                notes.append(f"{name} was turned into a {cell.cell_type} cell, and back")
                _retype(cell, known[name].cell_type)


def _retype(cell: NotebookNode, cell_type: str) -> None:
    cell.cell_type = cell_type
    if cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def _put_back(
    notebook: NotebookNode, source: NotebookNode, known: dict[str, NotebookNode], notes: list[str]
) -> None:
    order = [name for cell in source.cells if (name := _grade_id(cell))]
    for number, name in enumerate(order):
        places = {_grade_id(cell): place for place, cell in enumerate(notebook.cells)}
        if name in places:
            continue
        notes.append(f"{name} was missing and was put back")
        cell = copy.deepcopy(known[name])
        if cell.metadata.nbgrader.solution:
            cell.source = CODE_STUB if cell.cell_type == "code" else TEXT_STUB
        cell.put_back = True
        notebook.cells.insert(places[order[number - 1]] + 1 if number else 0, cell)


def _order(notebook: NotebookNode, source: NotebookNode, notes: list[str]) -> None:
    answers: list[str] = []
    tested = False
    for cell in source.cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not marks:
            continue
        if marks.solution:
            answers, tested = ([] if tested else answers), False
            answers.append(marks.grade_id)
            continue
        tested = True
        places = {_grade_id(one): place for place, one in enumerate(notebook.cells)}
        last = max((places[name] for name in answers), default=-1)
        if places[marks.grade_id] < last:
            moved = notebook.cells.pop(places[marks.grade_id])
            notebook.cells.insert(last, moved)
            notes.append(f"{marks.grade_id} stood before its answer and was moved behind it")
