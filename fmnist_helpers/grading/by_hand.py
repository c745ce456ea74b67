"""Marks that a person gave: they outlive grading anew where neither the answer nor the points have changed."""

from __future__ import annotations

from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Grade, Gradebook, MissingEntry
from nbgrader.utils import is_grade, is_solution, is_task

from fmnist_helpers.grading.classroom import Classroom


@dataclass(frozen=True)
class Marked:
    """What a person has marked."""

    answer: str
    """What the student had written when it was marked."""
    most: float
    """How many points there were."""


def marked(classroom: Classroom, student: str, assignment: str) -> dict[str, Marked]:
    """Return what a person has marked in a submission as it was graded last, by the names of the cells."""
    answers = _answers(classroom, student, assignment)
    with classroom.gradebook() as gradebook:
        return {
            grade.name: Marked(answers[grade.name], grade.max_score)
            for grade in _grades(gradebook, student, assignment)
            if grade.manual_score is not None and not grade.needs_manual_grade and grade.name in answers
        }


def keep(classroom: Classroom, student: str, assignment: str, before: dict[str, Marked]) -> None:
    """Let what was marked before count on, after the submission was graded anew.

    nbgrader keeps such a mark and has it wait for another look, whatever has changed.
    """
    answers = _answers(classroom, student, assignment)
    with classroom.gradebook() as gradebook:
        for grade in _grades(gradebook, student, assignment):
            now = Marked(answers.get(grade.name, ""), grade.max_score)
            if grade.needs_manual_grade and before.get(grade.name) == now:
                grade.needs_manual_grade = False
        gradebook.db.commit()


def forget(classroom: Classroom, student: str, assignment: str, task: str) -> bool:
    """Take back the points that a person gave for one cell; tell whether there is such a cell."""
    with classroom.gradebook() as gradebook:
        found = [grade for grade in _grades(gradebook, student, assignment) if grade.name == task]
        for grade in found:
            grade.manual_score, grade.extra_credit = None, None
            grade.needs_manual_grade = grade.auto_score is None
        gradebook.db.commit()
    return bool(found)


def _grades(gradebook: Gradebook, student: str, assignment: str) -> list[Grade]:
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return []
    return [grade for notebook in submission.notebooks for grade in notebook.grades]


def _answers(classroom: Classroom, student: str, assignment: str) -> dict[str, str]:
    """Return what a student wrote for each cell that carries marks: in it, or in the answers above it."""
    path = classroom.folder / "autograded" / student / assignment / f"{assignment}.ipynb"
    try:
        cells: list[NotebookNode] = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError):
        return {}
    answers, above = {}, []
    for cell in cells:
        if is_solution(cell) or is_task(cell):
            above.append(f"{cell.source}\n{sorted(cell.get('attachments', {}).items())}")
        if is_grade(cell) or is_task(cell):
            answers[cell.metadata.nbgrader.grade_id] = "\n".join(above)
            above = []
    return answers
