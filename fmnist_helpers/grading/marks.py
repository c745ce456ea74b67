"""What is known of a graded submission: how it ran, its marks as the grade book has them, and its one status."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from nbgrader.api import MissingEntry, SubmittedAssignment

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.classroom import Classroom

NOT_SUBMITTED, UNREADABLE = "not submitted", "unreadable"
IN_PART, FLAGGED, MANUAL, GRADED = "graded in part", "flagged", "needs manual grading", "graded"
FAILED = "not graded"
FAILED_RULE, OLD_MARKS = "its late penalty is that of an earlier run", "its marks are of an earlier run"
"""Flags of one run: each says them anew, so they are not kept, and nobody can accept them for later ones."""
OWN_FAILURES = (FAILED_RULE, OLD_MARKS, "could not be judged", "failed by itself")
"""Words of flags that tell of the grader, not of a submission."""


@dataclass
class Outcome:
    """What is known of one submission; kept in a file of its own, so that a later run need not repeat it."""

    student: str
    assignment: str
    key: str = ""
    """Hash of submission, exercise and checks: equal keys mean equal results, unless a limit was in the way."""
    problem: str = ""
    """``not submitted``, ``unreadable``, ``not graded``, or empty."""
    limits: str = ""
    """The limits under which it ran."""
    stopped: str = ""
    stopped_at: str = ""
    flags: list[str] = field(default_factory=list)
    """What an instructor should look at, such as a limit that was reached."""
    notes: list[str] = field(default_factory=list)
    """What was repaired; it costs nothing."""
    unprotected: list[str] = field(default_factory=list)
    """Test cells that ran in the student's process, at least in part, where its code decides what they say."""
    beliefs: dict[str, str] | None = None
    """Name of each test cell whose check named a belief → its key in ``BELIEFS``; None if it was not written down."""
    seed: int = 0
    """What the problems of the checks were drawn from."""
    answered: int = 0
    """How many answers the student has worked on."""
    seconds: float = 0.0
    feedback: str = ""
    """Hash of marks and comments when the feedback page was last written."""
    digest: str = ""
    """Hash of what was handed in."""
    accepted: str = ""
    """What a person noted who looked at the flags and found nothing wrong; it holds for what was handed in then."""
    accepted_flags: list[str] | None = None
    """The flags that the person saw; None in an outcome that was kept before they were written down."""


def read_outcome(path: Path) -> Outcome | None:
    """Return an outcome that was kept, or None if the file is missing or damaged."""
    try:
        outcome = Outcome(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    outcome.flags = [flag for flag in outcome.flags if not flag.startswith((FAILED_RULE, OLD_MARKS))]
    return outcome


def write_outcome(path: Path, outcome: Outcome) -> None:
    """Keep an outcome, unless it is there already."""
    if read_outcome(path) != outcome:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as unfinished:
            unfinished.write_text(json.dumps(asdict(outcome), indent=1), encoding="utf-8")


@dataclass(frozen=True)
class Marks:
    """The marks of one submission as the grade book has them now, by hand or automatic."""

    points: float
    most: float
    tasks: dict[str, float | None]
    """Name of each graded cell → its points, or None while it waits for a person."""
    waiting: tuple[str, ...]
    late_seconds: float
    penalty: float
    comments: tuple[str, ...]
    name: str = ""
    """First and last name, if the grade book has them."""
    handed_in: datetime | None = None
    """In UTC, if a time stamp came with it."""


def final(marks: Marks) -> float:
    """Return points less the penalty, never below 0."""
    return max(0.0, marks.points - marks.penalty)


def has_marks(submission: SubmittedAssignment) -> bool:
    """Tell whether anything of it was marked; an extension may stand in the grade book before there is any work."""
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    return any(grade.auto_score is not None or grade.manual_score is not None for grade in grades)


def was_graded(classroom: Classroom, submission: SubmittedAssignment) -> bool:
    """Tell whether what the grade book has is work, if only work that waits for a person, and not just an extension."""
    graded = classroom.folder / "autograded" / submission.student_id / submission.name
    return has_marks(submission) or graded.is_dir()


def read_marks(classroom: Classroom, student: str, assignment: str) -> Marks | None:
    """Return the marks of a submission, or None if the grade book has none."""
    with classroom.gradebook() as gradebook:
        try:
            submission = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return None
        if not was_graded(classroom, submission):
            return None
        tasks, waiting, comments = {}, [], []
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                undecided = grade.needs_manual_grade or (
                    grade.auto_score is None and grade.manual_score is None
                )
                tasks[grade.name] = None if undecided else grade.score
                if undecided:
                    waiting.append(grade.name)
            comments += [comment.comment or "" for comment in notebook.comments]
        return Marks(
            points=sum(points for points in tasks.values() if points is not None),
            most=submission.max_score,
            tasks=dict(sorted(tasks.items())),
            waiting=tuple(sorted(waiting)),
            late_seconds=submission.total_seconds_late,
            penalty=submission.late_submission_penalty or 0.0,
            comments=tuple(comments),
            name=" ".join(filter(None, (submission.student.first_name, submission.student.last_name))),
            handed_in=submission.timestamp,
        )


def remarks_on(outcome: Outcome, marks: Marks) -> list[str]:
    """Return what a student must know to read the page rightly."""
    remarks = []
    if outcome.stopped:
        where = f", at `{outcome.stopped_at}`" if outcome.stopped_at else ""
        remarks.append(f"Something in your notebook did not run to its end: {outcome.stopped}{where}.")
    for name in marks.waiting:
        remarks.append(f"`{name}` waits to be marked by a person, and counts 0 on this page until then.")
    return remarks + [f"When it was collected: {note}." for note in outcome.notes]


def open_flags(outcome: Outcome) -> list[str]:
    """Return the flags that no person has accepted."""
    if not outcome.accepted:
        return outcome.flags
    if outcome.accepted_flags is None:
        # What the person saw was not written down: surely not a failure of the grader, which may have come later.
        return [flag for flag in outcome.flags if any(words in flag for words in OWN_FAILURES)]
    return [flag for flag in outcome.flags if flag not in outcome.accepted_flags]


def status_of(outcome: Outcome, marks: Marks | None) -> str:
    """Return the one status of a submission; the worst that is true of it."""
    if outcome.problem:
        return outcome.problem
    if marks is None:
        return FAILED
    if outcome.stopped:
        return IN_PART
    if open_flags(outcome):
        return FLAGGED
    return MANUAL if marks.waiting else GRADED
