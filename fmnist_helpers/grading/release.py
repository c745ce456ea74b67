"""Makes the students' copies: ``python -m fmnist_helpers.grading release --out DIR``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Comment, Grade, MissingEntry, SubmittedNotebook
from nbgrader.converters import GenerateAssignment
from nbgrader.utils import is_grade, is_locked, is_solution, is_task

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.classroom import Classroom, ExactPaths
from fmnist_helpers.grading.marks import was_graded


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
    with _extensions_follow(classroom, assignment):
        classroom.convert(_Generate, classroom.config(assignment, "."))
    folder = classroom.folder / "release" / assignment
    path = folder.with_suffix(".zip")
    with written_whole(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, Path(assignment) / file.relative_to(folder))
    return path


@contextmanager
def _extensions_follow(classroom: Classroom, assignment: str) -> Iterator[None]:
    """Let the exercise change beneath extensions that were given before there was any work; never beneath marks.

    In the grade book an extension is a submission, with an empty copy of the exercise's cells, beside which nbgrader
    changes none. The submission stays, so a run that is killed here loses no extension.
    """
    if changes := _changes(classroom, assignment):
        with classroom.gradebook() as gradebook:
            submissions = gradebook.find_assignment(assignment).submissions
            if any(was_graded(classroom, one) for one in submissions):
                raise ChangedError(
                    f"{assignment} has changed since it was graded ({changes}), and marks cannot follow that; put "
                    "the cells back, or grade it as a new assignment or in a new folder"
                )
            for one in submissions:
                for copy in list(one.notebooks):
                    gradebook.remove_submission_notebook(copy.name, assignment, one.student_id)
    try:
        yield
    finally:
        with classroom.gradebook() as gradebook:
            for one in gradebook.assignment_submissions(assignment):
                for notebook in one.assignment.notebooks if not one.notebooks else []:
                    marked = (*notebook.grade_cells, *notebook.task_cells)
                    answered = (*notebook.solution_cells, *notebook.task_cells)
                    copy = SubmittedNotebook(notebook_id=notebook.id, assignment_id=one.id)
                    copy.grades = [Grade(cell_id=cell.id) for cell in marked]
                    copy.comments = [Comment(cell_id=cell.id) for cell in answered]
                    gradebook.db.add(copy)
            gradebook.db.commit()


def _changes(classroom: Classroom, assignment: str) -> str:
    """Return which cells are new or gone since the grade book recorded the assignment."""
    with classroom.gradebook() as gradebook:
        try:
            notebook = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
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
