"""What Moodle and Canvas give out and take back: archives of submissions, and tables of people and marks."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import nbformat

from tests.term.plan import BY_CANVAS, BY_MOODLE, STUDENTS, ZONE, HandIn, notebook_of, points_of

Attempts = Iterable[tuple[HandIn, int]]
"""What was handed in, and how many attempts of the same person and assignment came before it."""


def moodle_archive(path: Path, attempts: Attempts, released: nbformat.NotebookNode) -> Path:
    """Write *Download all submissions* of an assignment; of each person Moodle keeps the last attempt."""
    members = {}
    for one, _ in attempts:
        number = one.student.participant(one.assignment)
        name = f"{one.student.name}_{number}_assignsubmission_file_/{one.assignment}.ipynb"
        members[name] = (one, one.when)
    return _pack(path, members, released)


def canvas_archive(path: Path, attempts: Attempts, released: nbformat.NotebookNode) -> Path:
    """Write *Download Submissions* of an assignment, with all attempts."""
    members = {}
    for number, (one, earlier) in enumerate(attempts):
        short = re.sub(r"\W", "", f"{one.student.last}{one.student.first}".lower())
        late, again = "LATE_" if one.late else "", f"-{earlier}" if earlier else ""
        name = f"{short}_{late}{one.student.canvas_id}_{70_000 + number}_{one.assignment}{again}.ipynb"
        members[name] = (one, one.when)
    return _pack(path, members, released)


def _pack(path: Path, members: dict[str, tuple[HandIn, datetime]], released: nbformat.NotebookNode) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (one, when) in members.items():
            # A zip knows no time zone; its times are those of a clock on the wall.
            info = zipfile.ZipInfo(name, when.astimezone(ZONE).timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, nbformat.writes(notebook_of(one, released)))
    return path


def moodle_worksheet(path: Path, assignment: str, handed_in: Iterable[HandIn]) -> Path:
    """Write the grading worksheet of an assignment: all people, and when each has handed in."""
    when = {one.student: one.when for one in handed_in}
    header = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade"]
    rows = [[*header, "Last modified (submission)"]]
    for student in STUDENTS:
        there = when.get(student)
        # Such as "Sunday, 12 October 2025, 11:12 PM".
        words = f"{there.astimezone(ZONE):%A, %-d %B %Y, %-I:%M %p}" if there else "-"
        status = "Submitted for grading" if there else "No submission"
        who = [f"Participant {student.participant(assignment)}", student.name, student.email]
        rows.append([*who, status, "", f"{sum(points_of(assignment).values()):.2f}", words])
    return _write(path, rows, "utf-8-sig")


def moodle_grades(path: Path) -> Path:
    """Write Moodle's table of all grades, a column for each assignment."""
    columns = [f"Assignment: {name} (Real)" for name in BY_MOODLE]
    rows = [["First name", "Last name", "ID number", "Email address", *columns, "Course total (Real)"]]
    rows += [[one.first, one.last, "", one.email, *("-" for _ in columns), "-"] for one in STUDENTS]
    return _write(path, rows, "utf-8")


def canvas_gradebook(path: Path) -> Path:
    """Write Canvas's grade book, with its row of points."""
    columns = [f"{name} ({9_900 + number})" for number, name in enumerate(BY_CANVAS)]
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *columns]]
    rows.append(
        ["    Points Possible", "", "", "", "", *(str(sum(points_of(n).values())) for n in BY_CANVAS)]
    )
    for one in STUDENTS:
        name = f"{one.last}, {one.first}"
        rows.append([name, str(one.canvas_id), f"sis{one.number}", one.email, "A", *("" for _ in columns)])
    return _write(path, rows, "utf-8-sig")


def _write(path: Path, rows: list[list[str]], encoding: str) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def read_rows(path: Path, key: str) -> dict[str, dict[str, str]]:
    """Return the rows of a table by what stands in a column."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return {row[key]: row for row in csv.DictReader(file)}
