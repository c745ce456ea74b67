"""Packs the pages of feedback of an assignment into one zip, named as the platform wants them back."""

from __future__ import annotations

import zipfile
from pathlib import Path

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.collect import CollectError, read_record
from fmnist_helpers.grading.grade import Grader, Options
from fmnist_helpers.grading.handed_in import shown
from fmnist_helpers.grading.late import by_reason
from fmnist_helpers.grading.lms import page_name
from fmnist_helpers.grading.marks import read_marks


def pack(classroom: Classroom, assignment: str, to: Path) -> list[str]:
    """Bring the pages up to date and write the zip; return what is to be told: who is in it, who is not, and why."""
    grader = Grader(classroom, Options())
    failed = grader.refresh(assignment)
    record = read_record(classroom).get(assignment, {})
    pages = {path.parent.name: path for path in (classroom.folder / "feedback").glob(f"*/{assignment}.html")}
    outdated = grader.outdated(assignment) & pages.keys()
    problems = {
        one.student: f"{shown(one.student)} ({one.problem})"
        for one in grader.others(())
        if one.assignment == assignment and one.problem and one.student in pages
    }
    without = sorted(shown(student) for student in record.keys() - pages.keys())
    for student in outdated | problems.keys():
        del pages[student]
    if not pages:
        raise CollectError(f"there is no page of {assignment} to send; collect and grade first")
    waiting, other_ways, packed = [], [], 0
    with written_whole(to) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, page in sorted(pages.items()):
            sent = record.get(student)
            name = page_name(sent["original"], sent["lms"], assignment) if sent else None
            if not name:
                other_ways.append(str(page))
                continue
            archive.write(page, name)
            packed += 1
            marks = read_marks(classroom, student, assignment)
            waiting += [shown(student)] if marks and marks.waiting else []
    return [
        f"{packed} pages: {to}",
        *by_reason(failed),
        *(
            f"{len(who)} {what}: {', '.join(who)}"
            for who, what in (
                (waiting, "say that an explanation waits for you"),
                (
                    sorted(map(shown, outdated)),
                    "have handed in something else since and are not in it; grade first",
                ),
                (
                    sorted(problems.values()),
                    "could not be graded and are not in it, nor are older pages of theirs",
                ),
                (without, "were collected and have no page; grade first, or see the table"),
                (other_ways, "came another way and are not in it; send these"),
            )
            if who
        ),
    ]
