"""Late work: due dates, extensions, and what is taken off, worked out anew whenever marks are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from nbformat.v4 import new_notebook
from nbgrader.api import Assignment, Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties

from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.handed_in import shown
from fmnist_helpers.grading.marks import FAILED_RULE
from fmnist_helpers.grading.people import same
from fmnist_helpers.grading.release import release
from fmnist_helpers.grading.submissions import students
from fmnist_helpers.grading.times import read_timestamp

LAST = datetime(2200, 1, 1, tzinfo=UTC)
"""A due date lies in the future, as a rule; later than this it is a slip."""


class LateError(ValueError):
    """A due date or an extension makes no sense; the message says why."""


def assign_penalty(classroom: Classroom, student: str, assignment: str) -> str:
    """Have nbgrader take off what its rule takes off today: for this due date, extension and score, by these settings.

    nbgrader itself does so only while it grades, which may be before a person has marked anything.

    Returns:
        What went wrong in a rule of one's own, or nothing.
    """
    config = classroom.config(assignment, student)
    place = {"notebook": assignment, "assignment": assignment, "student": student}
    place["db_url"] = classroom.patient_db_url
    try:
        AssignLatePenalties(config=config, log=classroom.log()).preprocess(
            new_notebook(), {"nbgrader": place}
        )
    except MissingEntry:
        pass  # Nothing was handed in, so nothing is late.
    except Exception as error:
        return f"{FAILED_RULE}: the rule raised {type(error).__name__}: {error}"
    return ""


def by_reason(failed: Mapping[str, str]) -> list[str]:
    """Return a line for each reason in ``failed``, student → reason or nothing, with all whom it is about."""
    return [
        f"{', '.join(sorted(shown(student) for student, own in failed.items() if own == why))}: {why}"
        for why in sorted(set(filter(None, failed.values())))
    ]


def set_due_date(classroom: Classroom, assignment: str, when: str) -> str:
    """Set when an assignment is due, or that it is not (``never``); return a sentence, and one on extensions.

    An extension goes on to end at the moment that was promised; where that is no later than the new date, it is gone.

    Raises:
        LateError: if the time cannot be read.
    """
    moment, remarks = (None, []) if when == "never" else _moment(when)
    with _recorded(classroom, assignment) as gradebook:
        found = _find(gradebook, assignment)
        # nbgrader keeps an extension as the time from the due date, so the promise would move with it.
        extended = {one: one.duedate for one in found.submissions if one.extension and found.duedate}
        found.duedate = moment and moment.replace(tzinfo=None)
        kept, ended = [], []
        for one, until in sorted(extended.items(), key=lambda pair: pair[0].student_id):
            longer = found.duedate is not None and until > found.duedate
            one.extension = until - found.duedate if longer else None
            (kept if longer else ended).append(f"{shown(one.student_id)}, until {_shown(until)}")
        gradebook.db.commit()
    lines = [_sentence(f"{assignment} is due {_shown(moment) if moment else 'at no time'}", remarks)]
    lines += [f"Extensions stay as they were promised: {'; '.join(kept)}."] if kept else []
    lines += [f"Extensions no longer needed, and taken back: {'; '.join(ended)}."] if ended else []
    return "\n".join(lines)


def extend(classroom: Classroom, student: str, assignment: str, until: str) -> str:
    """Let a student hand in later, or no longer (``never``), also before anything is there; return a sentence.

    Raises:
        LateError: if there is no due date or no such student, or the time cannot be read or is too early.
    """
    with _recorded(classroom, assignment) as gradebook:
        due = _find(gradebook, assignment).duedate
        if due is None:
            raise LateError(f"{assignment} has no due date; set one first, with the command due")
        moment = due.replace(tzinfo=UTC)
        last, remarks = (moment, []) if until == "never" else _moment(until)
        more = last - moment
        if more < timedelta(0):
            raise LateError(f"{_shown(last)} is before the due date, {_shown(moment)}")
        student = _make_known(classroom, gradebook, student)
        try:
            gradebook.find_submission(assignment, student)
        except MissingEntry:
            # Without a time stamp: whatever is handed in later takes its place, and keeps the extension.
            gradebook.add_submission(assignment, student)
        gradebook.grant_extension(assignment, student, minutes=more.total_seconds() / 60)
    return _sentence(f"{student} may hand in {assignment} until {_shown(last)}", remarks)


def _recorded(classroom: Classroom, assignment: str) -> Gradebook:
    """Return the grade book, in which the assignment stands with its cells."""
    if not classroom.knows(assignment):
        release(classroom, assignment)
    return classroom.gradebook()


def _find(gradebook: Gradebook, assignment: str) -> Assignment:
    return gradebook.find_assignment(assignment)


def _make_known(classroom: Classroom, gradebook: Gradebook, name: str) -> str:
    """Return whom a name means, and enter who has handed in something; whom nobody knows may be a slip of the pen.

    A shell completes the name of a folder with a slash, and macOS writes an umlaut in two parts.
    """
    entered = {student.id for student in gradebook.students}
    known = sorted(entered | students(classroom.submitted).keys())
    meant = name.rstrip("/" + os.sep)
    found = [one for one in known if one == meant] or [one for one in known if same(one) == same(meant)]
    if len(found) != 1:
        several = f"{name} may be {' or '.join(found)}" if found else f"there is no student {name}"
        raise LateError(
            f"{several}; known are {', '.join(known) or 'nobody'}. To enter one: nbgrader db student add NAME"
        )
    if found[0] not in entered:
        gradebook.add_student(found[0])
    return found[0]


def _moment(text: str) -> tuple[datetime, list[str]]:
    """Return the time that a text names, and what is to be said of it."""
    moment, remarks = read_timestamp(text, LAST)
    if moment is None:
        reason = remarks[0] if remarks else "it is empty"
        raise LateError(f"{reason}; write it as 2027-03-01 23:59 UTC")
    return moment, remarks


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _sentence(words: str, remarks: list[str]) -> str:
    return f"{'; '.join([words, *remarks])}."
