"""The commands between a class and a learning platform: ``collect``, ``export`` and ``feedback``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fmnist_helpers.grading.archive import ArchiveError
from fmnist_helpers.grading.classroom import SOURCE, Classroom
from fmnist_helpers.grading.collect import CollectError, collect
from fmnist_helpers.grading.lms import CANVAS, FOLDER, MOODLE
from fmnist_helpers.grading.lms_feedback import pack
from fmnist_helpers.grading.lms_marks import fill_in
from fmnist_helpers.grading.people import People, TableError, read_table
from fmnist_helpers.grading.times import read_timestamp


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the three commands to those of the instructor."""
    command = _command(commands, "collect", _collect, "fill submitted from an archive of a learning platform")
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--moodle", type=Path, metavar="ZIP", help="all submissions of an assignment in Moodle"
    )
    where.add_argument(
        "--canvas", type=Path, metavar="ZIP", help="all submissions of an assignment in Canvas"
    )
    where.add_argument("--folder", type=Path, metavar="DIR", help="a folder with one for each student")
    command.add_argument("--assignment", help="what they were handed in for, if the names do not say so")
    command.add_argument("--students", type=Path, metavar="CSV", help="the platform's list of people")
    command.add_argument(
        "--zone", default="UTC", help="of times without a zone, such as Europe/Berlin; UTC by default"
    )
    command = _command(commands, "export", _export, "fill the final marks into the platform's own table")
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--moodle", type=Path, metavar="CSV", help="Moodle's grading worksheet or grades")
    where.add_argument("--canvas", type=Path, metavar="CSV", help="Canvas's grade book")
    command.add_argument("--assignment", action="append", help="only this one; may be given several times")
    command.add_argument("--to", type=Path, help="the file to write; by default NAME_filled.csv in --out")
    command = _command(commands, "feedback", _feedback, "pack the pages of an assignment to be uploaded")
    command.add_argument("--assignment", required=True, help="of which the pages are")
    command.add_argument("--to", type=Path, help="the file to write; by default feedback_NAME.zip in --out")


def _command(commands: argparse._SubParsersAction, name: str, run, about: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=about)
    command.set_defaults(run=lambda options: _told(run, options))
    command.add_argument("--out", type=Path, required=True, help="the folder of the class")
    command.add_argument("--source", type=Path, default=SOURCE, help="folder of the exercises with solutions")
    return command


def _told(run, options: argparse.Namespace) -> int:
    """Run a command and say what it says, safely for a terminal; return 2 if it makes no sense."""
    folder = options.out.resolve()
    classroom = Classroom(folder, folder / "submitted", options.source.resolve())
    names = options.assignment if isinstance(options.assignment, list) else [options.assignment]
    for name in filter(None, names):
        if name not in classroom.assignments():
            known = ", ".join(classroom.assignments())
            print(f"There is no assignment {name}; there are {known}.", file=sys.stderr)
            return 2
    classroom.prepare()
    try:
        first, *lines = run(classroom, options)
    except (ArchiveError, CollectError, TableError) as error:
        print(f"{_printable(str(error))}.", file=sys.stderr)
        return 2
    print(_printable(first))
    if lines:
        print("Look at these:", *(f"  {_printable(line)}" for line in lines), sep="\n")
    return 0


def _collect(classroom: Classroom, options: argparse.Namespace) -> list[str]:
    if read_timestamp(f"2025-03-03 12:00:00 {options.zone}")[0] is None:
        raise CollectError(f"{options.zone} names no time zone; write UTC, +01:00 or Europe/Berlin")
    people = People(read_table(options.students).people() if options.students else ())
    lms = next(lms for lms in (MOODLE, CANVAS, FOLDER) if getattr(options, lms))
    done = collect(classroom, getattr(options, lms), lms, people, options.assignment or "", options.zone)
    counts = ", ".join(f"{number} {what}" for what, number in done.counts.items())
    return [f"{done.counts.total()} submissions: {counts}, in {classroom.submitted}", *done.lines]


def _export(classroom: Classroom, options: argparse.Namespace) -> list[str]:
    lms = MOODLE if options.moodle else CANVAS
    path = options.moodle or options.canvas
    to = _in_a_folder(options.to or options.out / f"{path.stem}_filled.csv")
    lines = fill_in(classroom, path, lms, options.assignment or [], to)
    return [f"Written: {to}", *lines]


def _feedback(classroom: Classroom, options: argparse.Namespace) -> list[str]:
    to = options.to or options.out / f"feedback_{options.assignment}.zip"
    return pack(classroom, options.assignment, _in_a_folder(to))


def _in_a_folder(to: Path) -> Path:
    if not to.resolve().parent.is_dir():
        raise TableError(f"there is no folder {to.parent} to write {to.name} into")
    return to


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
