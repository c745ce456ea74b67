"""Makes the students' copies: ``python -m fmnist_helpers.grading release --out DIR``."""

from __future__ import annotations

import zipfile
from pathlib import Path

from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateAssignment
from nbgrader.utils import is_grade, is_locked, is_solution, is_task

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.classroom import Classroom, ExactPaths


class _Generate(ExactPaths, GenerateAssignment):
    """nbgrader's generator of students' copies."""


class ChangedError(ValueError):
    """Graded cells of an assignment were added or removed after submissions of it were graded."""


def release(classroom: Classroom, assignment: str) -> Path:
    """Write the copy of one assignment without solutions and hidden tests, and a zip of it.

    nbgrader records the assignment in the grade book, where the autograder looks up its tests.

    Args:
        classroom: where to; ``release/<assignment>/`` and ``release/<assignment>.zip`` are replaced.
        assignment: name of the assignment.

    Returns:
        The path of the zip.

    Raises:
        ChangedError: if cells were added or removed, and there are marks already.
        nbgrader.converters.base.NbGraderException: if nbgrader refuses the source.
    """
    classroom.prepare()
    if changes := _changes(classroom, assignment):
        raise ChangedError(
            f"{assignment} has changed since it was graded ({changes}), and marks cannot follow that; put the "
            "cells back, or grade it as a new assignment or in a new folder"
        )
    classroom.convert(_Generate, classroom.config(assignment, "."))
    folder = classroom.folder / "release" / assignment
    path = folder.with_suffix(".zip")
    with written_whole(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, Path(assignment) / file.relative_to(folder))
    return path


def _changes(classroom: Classroom, assignment: str) -> str:
    """Return which cells are new or gone, if the grade book has submissions that would not fit any more."""
    with classroom.gradebook() as gradebook:
        try:
            notebook = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            return ""
        if not notebook.submissions:
            return ""
        kinds = (notebook.grade_cells, notebook.solution_cells, notebook.task_cells, notebook.source_cells)
        old = {(number, cell.name) for number, cells in enumerate(kinds) for cell in cells}
    tests = (is_grade, is_solution, is_task, lambda cell: any(f(cell) for f in (*tests[:3], is_locked)))
    new = {
        (number, cell.metadata.nbgrader.grade_id)
        for cell in classroom.read_source(assignment).cells
        for number, test in enumerate(tests)
        if test(cell)
    }
    parts = [("new", new - old), ("gone", old - new)]
    return "; ".join(
        f"{word}: {', '.join(sorted({name for _, name in cells}))}" for word, cells in parts if cells
    )
