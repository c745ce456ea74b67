"""What a class looks like after grading: a table on the screen and ``grades.csv``."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.marks import NOT_SUBMITTED, Marks, Outcome, final, open_flags, status_of

Row = tuple[Outcome, Marks | None]
HEADER = (
    "student",
    "assignment",
    "status",
    "points",
    "of",
    "late_hours",
    "penalty",
    "final",
    "waiting",
    "detail",
    "flags",
    "notes",
    "unprotected",
)


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write one line for each student and assignment: status, points, points by graded cell.

    A submission without marks has empty cells, never zeros. Names that a spreadsheet would take for a formula
    get an apostrophe in front.
    """
    tasks = sorted({task for _, marks in rows if marks for task in marks.tasks})
    with written_whole(path) as unfinished, open(unfinished, "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([*HEADER, *tasks])
        for outcome, marks in rows:
            cells = [outcome.student, outcome.assignment, status_of(outcome, marks)]
            if marks and not outcome.problem:
                late = round(marks.late_seconds / 3600, 2)
                cells += [
                    marks.points,
                    marks.most,
                    late,
                    marks.penalty,
                    final(marks),
                    " ".join(marks.waiting),
                ]
            else:
                cells += [""] * 6
            cells += [detail_of(outcome), "; ".join(_flags(outcome)), "; ".join(outcome.notes)]
            cells += [" ".join(outcome.unprotected)]
            known = marks.tasks if marks and not outcome.problem else {}
            cells += ["" if known.get(task) is None else known[task] for task in tasks]
            writer.writerow([harmless(cell) for cell in cells])


def table(rows: Sequence[Row]) -> str:
    """Return the table that is shown on the screen, with a line of totals by status."""
    lines = [f"{'student':24s} {'assignment':20s} {'final':>11s}  status"]
    for outcome, marks in rows:
        mark = f"{final(marks):g} of {marks.most:g}" if marks and not outcome.problem else ""
        status = status_of(outcome, marks)
        late = f"{marks.penalty:g} taken off for late work" if mark and marks.penalty else ""
        words = [late, detail_of(outcome), *_flags(outcome), *(outcome.notes if outcome.problem else [])]
        lines.append(
            f"{_printable(outcome.student)[:24]:24s} {outcome.assignment:20s} {mark:>11s}  "
            + ": ".join([status, *([_printable("; ".join(filter(None, words)))] if any(words) else [])])
        )
    counts = Counter(status_of(*row) for row in rows)
    lines.append(
        f"{len(rows)} in all: " + ", ".join(f"{number} {status}" for status, number in counts.items())
    )
    return "\n".join(lines)


def attention(rows: Sequence[Row]) -> list[str]:
    """Return what an instructor should look at: a line for each submission with something guessed, mended or lost."""
    lines = []
    for outcome, marks in rows:
        if outcome.problem == NOT_SUBMITTED and not outcome.notes:
            continue
        words = [*open_flags(outcome), *([detail_of(outcome)] if outcome.stopped else []), *outcome.notes]
        if marks and not outcome.problem and outcome.answered and not marks.points:
            words.insert(0, f"earned nothing, though {outcome.answered} answers were written")
        if words:
            more = f" (and {len(words) - 1} more)" if len(words) > 1 else ""
            name = f"{_printable(outcome.student)[:24]}, {outcome.assignment}"
            lines.append(f"  {name}: {_printable(words[0])[:200]}{more}")
    return lines


def detail_of(outcome: Outcome) -> str:
    """Return why and where a submission stopped, if it did."""
    if not outcome.stopped:
        return ""
    return f"{outcome.stopped}, at {outcome.stopped_at}" if outcome.stopped_at else outcome.stopped


def _flags(outcome: Outcome) -> list[str]:
    unseen = open_flags(outcome)
    seen = [flag for flag in outcome.flags if flag not in unseen]
    return [*seen, *([f"accepted: {outcome.accepted}"] if seen else []), *unseen]


def harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
