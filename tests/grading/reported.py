"""A class as it is after grading, written by hand from the bank of right and wrong answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import nbformat

from fmnist_helpers.exercises.check import CheckFailed
from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.classroom import SOURCE, Classroom
from fmnist_helpers.grading.handout import Handout, grade_id
from fmnist_helpers.grading.judging import error_output
from fmnist_helpers.grading.marks import Outcome, write_outcome
from tests.exercises.bank import Variant, is_test, read_source, tasks

NAME = "ex03_loss"
TASK = "cross_entropy_from_logits"
"""Its task whose answers are long enough to be compared."""
FIRST = datetime(2027, 3, 1, 9, 30)
"""When the first one hands in; each other one 7 hours after the one before."""
UNKNOWN = "what was seen holds words of the student's"


class HandMadeClass:
    """The folder of a class, into which graded submissions are written one by one; then their marks, and a report."""

    def __init__(self, folder: Path) -> None:
        self.classroom = Classroom(folder, folder / "submitted", SOURCE)
        self.classroom.prepare()
        self.handout = Handout(read_source(NAME))
        self.scores: dict[str, dict[str, float | None]] = {}
        with self.classroom.gradebook() as gradebook:
            gradebook.update_or_create_assignment(NAME)
            gradebook.update_or_create_notebook(NAME, NAME)
            for name, cell in self.handout.known.items():
                if cell.metadata.nbgrader.grade:
                    most = cell.metadata.nbgrader.points
                    gradebook.update_or_create_grade_cell(name, NAME, NAME, max_score=most, cell_type="code")

    def outcome(self, student: str, **known: object) -> None:
        path = self.classroom.folder / "outcomes" / student / f"{NAME}.json"
        write_outcome(path, Outcome(student, NAME, **known))

    def add(
        self,
        student: str,
        answers: Mapping[str, Variant],
        *,
        explanation: str = "",
        mark: float | None = None,
        written_down: bool = True,
        seen: str = UNKNOWN,
    ) -> None:
        """Add a graded submission.

        Args:
            student: their id.
            answers: task → what they answered; others are as they were handed out.
            explanation: what they explained.
            mark: its points, given by hand.
            written_down: whether the outcome holds the beliefs, as earlier runs did not.
            seen: what each diagnosis says it saw.
        """
        cells = nbformat.from_dict([dict(cell) for cell in self.handout.cells])
        scores: dict[str, float | None] = {"explain": mark if explanation else 0.0}
        beliefs: dict[str, str] = {}
        for task, parts in tasks(NAME).items():
            answer = answers.get(task)
            failing = set(parts.tests)
            if answer is not None:
                failing = set() if answer.correct else set(answer.failing or parts.tests)
                for cell in cells:
                    if grade_id(cell) in parts.answers:
                        cell.source = answer.cells[parts.answers.index(grade_id(cell))]
            belief = answer.about if answer and not answer.correct and answer.about != "none" else None
            for cell in cells:
                if is_test(cell) and grade_id(cell) in parts.tests:
                    failed = grade_id(cell) in failing
                    scores[grade_id(cell)] = 0.0 if failed else float(cell.metadata.nbgrader.points)
                    beliefs |= {grade_id(cell): belief} if failed and belief else {}
                    told = CheckFailed(task, seen, belief, "labels", ("where", "think"))
                    cell.outputs = [error_output("CheckFailed", str(told))] if failed else []
        for cell in cells:
            if grade_id(cell) == "explain" and explanation:
                cell.source = explanation
        path = self.classroom.folder / "autograded" / student / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        self.outcome(student, beliefs=beliefs if written_down else None)
        self.scores[student] = scores

    def report(self) -> None:
        """Enter all marks into the grade book, and run the instructor's command."""
        with self.classroom.gradebook() as gradebook:
            for number, (student, scores) in enumerate(self.scores.items()):
                time = FIRST + timedelta(hours=7 * number)
                gradebook.update_or_create_student(student)
                gradebook.add_submission(NAME, student, timestamp=f"{time:%Y-%m-%d %H:%M:%S} UTC")
                for grade in gradebook.find_submission_notebook(NAME, NAME, student).grades:
                    grade.auto_score, grade.needs_manual_grade = (
                        scores[grade.name],
                        scores[grade.name] is None,
                    )
            gradebook.db.commit()
        assert main(["report", "--out", str(self.classroom.folder)]) == 0
