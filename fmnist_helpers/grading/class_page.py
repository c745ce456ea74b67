"""Writes the report on a class: a page that needs no script, no network and no other file, and a table."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.exercises.misconceptions import BELIEFS, SECTIONS
from fmnist_helpers.grading.class_report import AssignmentReport
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.report import harmless

TASK = ("assignment", "task", "handed_in", "tried", "solved", "waiting", "mean", "of")
BELIEF = ("belief", "met_by", "read_again")


def write_class_report(classroom: Classroom, reports: Sequence[AssignmentReport]) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.csv`` into the folder of a class; return their paths."""
    page, table = classroom.folder / "report.html", classroom.folder / "report.csv"
    with written_whole(page) as unfinished:
        unfinished.write_text(_page(classroom, reports), encoding="utf-8")
    with written_whole(table) as unfinished, open(unfinished, "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([*TASK, *BELIEF])
        for report in reports:
            writer.writerows([harmless(cell) for cell in row] for row in _rows(report))
    return page, table


def _rows(report: AssignmentReport) -> list[list[object]]:
    """Return a row for each task, and below it one for each of its beliefs."""
    rows = []
    for task in report.tasks:
        mean = "" if task.mean is None else round(task.mean, 3)
        start = [
            report.name,
            task.title,
            task.handed_in,
            task.tried,
            task.solved,
            task.waiting,
            mean,
            task.most,
        ]
        rows.append([*start, *[""] * len(BELIEF)])
        for key, met in task.beliefs.most_common():
            rows.append([*start, BELIEFS[key].words, met, place(key)])
    return rows


def place(belief: str) -> str:
    """Return where a belief is answered, such as ``Lesson 03, section 6``."""
    return SECTIONS[BELIEFS[belief].section][0]


def section_link(classroom: Classroom, belief: str) -> str:
    """Return the address of that section in the site of the course, seen from the report; empty if it is not built."""
    where, title = SECTIONS[BELIEFS[belief].section]
    number = re.findall(r"\d+", where)[0]
    for page in (classroom.source.parent.parent / "site").glob(f"{number}_*.html"):
        anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        return f"{quote(os.path.relpath(page, classroom.folder))}#{anchor}"
    return ""


def lasted(time: timedelta) -> str:
    """Return how long something took: ``2 days 3 h``, ``5 h 20 min``."""
    minutes = round(time.total_seconds() / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} day{'s' * (days > 1)} {hours} h" if days else f"{hours} h {minutes} min"


def _page(classroom: Classroom, reports: Sequence[AssignmentReport]) -> str:
    folder = Path(__file__).parent
    style = (folder / "class_page.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["lasted"] = lasted
    environment.filters["moment"] = lambda time: f"{time.day} {time:%B %Y, %H:%M}"
    environment.filters["percent"] = lambda share: f"{100 * share:.0f}\N{NO-BREAK SPACE}%"

    def feedback(student: str, assignment: str) -> str:
        there = (classroom.folder / "feedback" / student / f"{assignment}.html").exists()
        return f"feedback/{quote(student)}/{quote(assignment)}.html" if there else ""

    return environment.from_string((folder / "class_page.html.j2").read_text(encoding="utf-8")).render(
        reports=reports,
        beliefs=BELIEFS,
        sections=SECTIONS,
        place=place,
        feedback=feedback,
        section_link=lambda belief: section_link(classroom, belief),
        style=Markup(style),
        digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
