"""Fills the final marks into the table that Moodle or Canvas gave out, and leaves all else in it as it stands."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.collect import read_record
from fmnist_helpers.grading.grade import Grader, Options
from fmnist_helpers.grading.handed_in import shown
from fmnist_helpers.grading.late import assign_penalty, by_reason
from fmnist_helpers.grading.lms import CANVAS
from fmnist_helpers.grading.marks import Marks, final, read_marks, read_outcome, was_graded
from fmnist_helpers.grading.people import Person, Table, TableError, name_forms, read_table, same, squashed
from fmnist_helpers.grading.report import harmless

GRADE = "grade bewertung note calificacion"
MOST = "maximumgrade maximumbewertung bestwertung notemaximale calificacionmaxima"


def fill_in(classroom: Classroom, path: Path, lms: str, assignments: Sequence[str], to: Path) -> list[str]:
    """Write a platform's table with the final marks of a class into ``to``, and return what is to be told.

    Penalties are worked out anew before: the marks may have changed since the class was graded.

    Args:
        classroom: the class, graded.
        path: the table: Moodle's grading worksheet or table of grades, Canvas's grade book.
        lms: MOODLE or CANVAS.
        assignments: which ones; if there are none, all that are graded and have a column.
        to: where the table is written.

    Raises:
        TableError: if the table has no people, or no place for the marks.
    """
    table = read_table(path)
    people = table.people()
    grader = Grader(classroom, Options())
    columns, told = _columns(table, assignments or _graded(classroom), lms, asked_for=bool(assignments))
    for assignment, column in columns.items():
        students, problems = _students(classroom, people, assignment)
        everybody = _all_students(classroom)
        failed = {student: assign_penalty(classroom, student, assignment) for student in everybody}
        problems += by_reason(failed)
        marks = {student: read_marks(classroom, student, assignment) for student in everybody}
        told += [f"{assignment}: {problem}" for problem in problems]
        outdated = grader.outdated(assignment)
        told += _fill(classroom, table, column, assignment, students, marks, outdated)
        told += _about_most(table, column, people, lms, assignment, marks)
    for role in ("name", "first", "last"):
        if (number := table.columns().get(role)) is not None:
            for row in table.rows:
                row[number] = str(harmless(row[number]))
    table.write(to)
    return told


# --- which column ----------------------------------------------------------------------------------------------


def _columns(
    table: Table, assignments: Sequence[str], lms: str, *, asked_for: bool
) -> tuple[dict[str, int], list[str]]:
    """Return assignment → the column of its marks; made at the end where one is asked for and there is none."""
    grade = [number for number, name in enumerate(table.header) if squashed(name) in GRADE.split()]
    columns, told = {}, []
    for assignment in assignments:
        found = _named(table.header, assignment)
        if not found and len(assignments) == 1 and lms != CANVAS:
            found = grade
        if len(found) > 1:
            names = ", ".join(table.header[number] for number in found)
            told.append(
                f"{assignment}: {len(found)} columns have its name and were left as they are: {names}"
            )
        elif found:
            columns[assignment] = found[0]
        elif asked_for and not grade:
            columns[assignment] = len(table.header)
            table.header.append(assignment)
            for row in table.rows:
                row.append("")
            told.append(f"{assignment}: no column has its name, so one was added at the end")
    if not columns and not told:
        raise TableError(
            "the table has no column for these assignments"
            + (
                ", and one column Grade; say which assignment it is of with --assignment NAME"
                if grade
                else ""
            )
            + f": {', '.join(assignments) or 'nothing is graded'}"
        )
    return columns, told


def _named(header: Sequence[str], assignment: str) -> list[int]:
    """Return the columns that have the name of an assignment, whole, or if there is none, among other words."""
    whole = [number for number, name in enumerate(header) if _title(name) == same(assignment)]
    word = re.compile(rf"(?<!\w){re.escape(assignment)}(?!\w)", flags=re.IGNORECASE)
    # Moodle has columns of words of feedback beside those of marks.
    among = [n for n, name in enumerate(header) if word.search(name) and "feedback" not in name.casefold()]
    return whole or among


def _title(name: str) -> str:
    """Return the title in a header of Canvas, which has a number in brackets behind it."""
    return same(re.sub(r"\s*\(\d+\)\s*$", "", name))


def _graded(classroom: Classroom) -> list[str]:
    with classroom.gradebook() as gradebook:
        return sorted(
            one.name
            for one in gradebook.assignments
            if any(was_graded(classroom, submission) for submission in one.submissions)
        )


# --- who -------------------------------------------------------------------------------------------------------


def _all_students(classroom: Classroom) -> list[str]:
    with classroom.gradebook() as gradebook:
        return [student.id for student in gradebook.students]


def _students(
    classroom: Classroom, people: Sequence[Person | None], assignment: str
) -> tuple[list[str | None], list[str]]:
    """Return the student in each row, or None, and what is in doubt: then nobody is in the row."""
    keys, names = _index(classroom, assignment)
    found, problems = [], []
    for person in people:
        alike = _matches(person, keys, names) if person else set()
        if len(alike) > 1:
            problems.append(f"{person} may be {' or '.join(sorted(map(shown, alike)))}; left empty")
        found.append(next(iter(alike)) if len(alike) == 1 else None)
    for student, rows in Counter(filter(None, found)).items():
        if rows > 1:
            problems.append(f"{shown(student)} stands in {rows} rows; left empty")
            found = [None if one == student else one for one in found]
    return found, problems


def _matches(person: Person, keys: dict[str, set[str]], names: dict[str, set[str]]) -> set[str]:
    own = {student for key in person.keys for student in keys.get(same(key), ())}
    own |= keys.get(f"number {person.number}", set()) if person.number else set()
    return own or {student for form in name_forms(person.name) for student in names.get(form, ())}


def _index(classroom: Classroom, assignment: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return key → students who have it, and name of a folder → students: the last resort."""
    keys, names = defaultdict(set), defaultdict(set)
    with classroom.gradebook() as gradebook:
        for student in gradebook.students:
            for key in filter(None, (student.id, student.email, student.lms_user_id)):
                keys[same(key)].add(student.id)
            for form in name_forms(student.id):
                names[form].add(student.id)
    for student, sent in read_record(classroom).get(assignment, {}).items():
        if sent["number"]:
            keys[f"number {sent['number']}"].add(student)
    return keys, names


# --- what ------------------------------------------------------------------------------------------------------


def _fill(
    classroom: Classroom,
    table: Table,
    column: int,
    assignment: str,
    students: Sequence[str | None],
    marks: dict[str, Marks | None],
    outdated: set[str],
) -> list[str]:
    """Write the final marks into one column, and return who waits, is missing or unknown."""
    comma = any(re.fullmatch(r"\d+,\d+", cell.strip()) for cell in _points_in(table, column))
    people, absent, waiting, failed, old = table.people(), [], [], [], []
    for row, person, student in zip(table.rows, people, students, strict=True):
        outcome = (
            read_outcome(classroom.folder / "outcomes" / student / f"{assignment}.json") if student else None
        )
        own = marks.get(student) if student else None
        if outcome and outcome.problem and outcome.problem != "not submitted":
            failed.append(f"{person}: {outcome.problem}")
        elif own is None or (outcome and outcome.problem):
            absent += [str(person)] if person else []
        elif student in outdated:
            old.append(str(person))
        elif own.waiting:
            row[column] = ""
            waiting.append(str(person))
        else:
            row[column] = number(final(own), comma=comma)
    strangers = sorted(shown(one) for one, own in marks.items() if own and one not in students)
    return [
        f"{assignment}: {len(who)} {what}: {', '.join(who)}"
        for who, what in (
            (waiting, "wait for your marks and are empty"),
            (old, "have handed in something else since they were graded and stay as they were; grade first"),
            (failed, "have no marks and stay as they were"),
            (absent, "have handed in nothing and stay as they were"),
            (strangers, "are graded and in no row of the table"),
        )
        if who
    ]


def number(points: float, *, comma: bool = False) -> str:
    """Return points as a table has them: no more digits than they need, and at most four after the point."""
    text = f"{points:.4f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text


def _points_in(table: Table, column: int) -> list[str]:
    """Return the cells that hold points: of one assignment, and the most there are."""
    places = [place for place, name in enumerate(table.header) if squashed(name) in MOST.split()]
    return [row[place] for row in table.rows for place in (column, *places)]


def _about_most(
    table: Table,
    column: int,
    people: Sequence[Person | None],
    lms: str,
    assignment: str,
    marks: dict[str, Marks | None],
) -> list[str]:
    """Return a line if the platform gives another number of points for an assignment than it has here."""
    ours = max((own.most for own in marks.values() if own), default=0.0)
    if lms == CANVAS:
        cells = [row[column] for row, person in zip(table.rows, people, strict=True) if person is None]
    else:
        places = [number for number, name in enumerate(table.header) if squashed(name) in MOST.split()]
        cells = [row[number] for number in places for row in table.rows]
    theirs = {float(cell.replace(",", ".")) for cell in cells if re.fullmatch(r"\s*\d+([.,]\d+)?\s*", cell)}
    if ours and theirs and theirs != {ours}:
        wrong = ", ".join(f"{one:g}" for one in sorted(theirs))
        return [
            f"{assignment}: the platform has {wrong} points for it, here it has {ours:g}; nothing was scaled"
        ]
    return []
