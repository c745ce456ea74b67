"""nbgrader's own export, ``nbgrader export``, as a table that every program reads, whatever students are called."""

from __future__ import annotations

import csv

from nbgrader.api import Assignment, Gradebook, MissingEntry, Student
from nbgrader.plugins import ExportPlugin

from fmnist_helpers.grading.marks import has_marks
from fmnist_helpers.grading.report import harmless

COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)
"""What nbgrader's own exporter writes, which puts no quotes around a comma."""


class QuotedExport(ExportPlugin):
    """Writes what nbgrader's own exporter writes, quoted where needed, in UTF-8, and without formulas."""

    def export(self, gradebook: Gradebook) -> None:
        """Write one line for each assignment and student, of those that were asked for, if any were."""
        # On the command line, a name of digits is a number.
        assignments, students = ([str(name) for name in names] for names in (self.assignment, self.student))
        with open(self.to or "nbgrader.csv", "w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for assignment in gradebook.assignments:
                for student in gradebook.students:
                    asked_for = not assignments or assignment.name in assignments
                    if asked_for and (not students or student.id in students):
                        writer.writerow(map(harmless, _cells(gradebook, assignment, student)))


def _cells(gradebook: Gradebook, assignment: Assignment, student: Student) -> list[object]:
    who = [student.id, student.last_name, student.first_name, student.email]
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        submission = None
    if submission is None or not has_marks(submission):
        return [assignment.name, assignment.duedate, None, *who, None, None, None, assignment.max_score]
    points, penalty = submission.score, submission.late_submission_penalty
    marks = [points, penalty, max(0.0, points - penalty), assignment.max_score]
    return [assignment.name, assignment.duedate, submission.timestamp, *who, *marks]
