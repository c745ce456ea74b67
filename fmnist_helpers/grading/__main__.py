"""The commands of an instructor: ``release`` hands out, ``grade`` grades a class, ``report`` says what it knows.

python -m fmnist_helpers.grading release --out DIR [--assignment NAME] [--course]
python -m fmnist_helpers.grading grade --submitted DIR --out DIR [--assignment NAME] [--jobs N] [--again STUDENT/NAME]
python -m fmnist_helpers.grading due NAME --at TIME --out DIR
python -m fmnist_helpers.grading extend STUDENT NAME --until TIME --out DIR
python -m fmnist_helpers.grading accept STUDENT NAME --note WORDS --out DIR
python -m fmnist_helpers.grading report --out DIR
python -m fmnist_helpers.grading collect|export|feedback --out DIR ...
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

try:
    import nbgrader  # noqa: F401
except ImportError:
    sys.exit(
        "Grading stands on nbgrader: pip install 'fmnist-helpers[grading]', or in a copy of the course pip "
        "install -e '.[grading]'."
    )

from filelock import FileLock, Timeout
from sqlalchemy.exc import OperationalError, SAWarning

from fmnist_helpers.grading.class_page import write_class_report
from fmnist_helpers.grading.class_report import class_report
from fmnist_helpers.grading.classroom import SOURCE, Classroom
from fmnist_helpers.grading.execute import available_jobs
from fmnist_helpers.grading.grade import Grader, Options, in_words
from fmnist_helpers.grading.instructor_cells import remarks_on_tests
from fmnist_helpers.grading.late import LateError, extend, set_due_date
from fmnist_helpers.grading.lms_commands import add_commands
from fmnist_helpers.grading.release import ChangedError, release
from fmnist_helpers.grading.report import attention, table, write_csv
from fmnist_helpers.grading.sandbox import Limits, bubblewrap_problem, missing_limits
from fmnist_helpers.grading.students_course import release_course
from fmnist_helpers.progress import progress_bar

NAME, STUDENT = ("name", {"help": "of the assignment"}), ("student", {"help": "as in the table"})
TIME = {"required": True, "help": "such as '2027-03-01 23:59 UTC', or never"}
UNSAFE = """\
**************************************************************************************************
* NOT SANDBOXED: the code of the students runs with your rights, and can read and delete your    *
* files, the exercises and the grade book among them, and use your network. Marks are decided    *
* outside of its process all the same. {problem}
**************************************************************************************************"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, 1 if some submission could not be graded, or 2 if the command makes no sense."""
    options = _parser().parse_args(arguments)
    if not options.source.is_dir():
        print(
            f"There are no exercises in {options.source}; name their folder with --source.", file=sys.stderr
        )
        return 2
    # nbgrader's grade book makes SQLAlchemy remark on the order in which it joins things.
    warnings.filterwarnings("ignore", category=SAWarning)
    lock = FileLock(options.out / ".lock")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with lock.acquire(timeout=0):
            return options.run(options)
    except KeyboardInterrupt:
        print(
            "\nStopped. What is finished is kept; the same command goes on from there.",
            file=sys.stderr,
            flush=True,
        )
        # At once: submissions that are at work may take minutes, and die with this process.
        os._exit(130)
    except Timeout:
        print(f"Another run is at work in {options.out}; wait for it to end.", file=sys.stderr)
        return 2
    except (OSError, OperationalError, ChangedError, LateError) as error:
        print(f"{in_words(error)}.", file=sys.stderr)
        return 1


def _release(options: argparse.Namespace) -> int:
    classroom = _classroom(options)
    names = options.assignment or classroom.assignments()
    if _unknown(names, classroom):
        return 2
    if options.course:
        print(f"The course, with all exercises: {release_course(options.out.resolve() / 'release')}")
    for name in names if not options.course or options.assignment else []:
        print(f"{name}: {release(classroom, name)}")
        for line in remarks_on_tests(classroom.read_source(name)):
            print(f"  {line}")
    return 0


def _grade(options: argparse.Namespace) -> int:
    if not sys.platform.startswith("linux"):
        print("Grading needs Linux, for its sandbox and its limits; on Windows use WSL 2.", file=sys.stderr)
        return 2
    submitted = (options.submitted or options.out / "submitted").resolve()
    classroom = Classroom(options.out.resolve(), submitted, options.source.resolve())
    if not submitted.is_dir():
        print(
            f"There is no folder {submitted}; submissions are <student>/<assignment>/<assignment>.ipynb in it."
        )
        return 2
    if _unknown(options.assignment or [], classroom):
        return 2
    if incomplete := [pair for pair in options.again or () if "/" not in pair]:
        print(f"--again {incomplete[0]}: write STUDENT/ASSIGNMENT[/CELL].", file=sys.stderr)
        return 2
    problem = "You asked for it with --no-sandbox." if options.no_sandbox else bubblewrap_problem()
    if problem:
        print(UNSAFE.format(problem=problem), file=sys.stderr)
    for line in missing_limits(sandboxed=not problem):
        print(f"Note: {line}.", file=sys.stderr)
    classroom.prepare()
    limits = Limits(options.cell_seconds, options.seconds, options.memory)
    grader = Grader(classroom, Options(limits, options.jobs, sandboxed=not problem))
    for pair in options.again or ():
        if not grader.again(*pair.split("/", 2)):
            print(f"There is nothing graded of {pair}; write STUDENT/ASSIGNMENT[/CELL].", file=sys.stderr)
            return 2
    names = options.assignment or grader.finder.assignments()
    everybody = sorted({*grader.finder.students, *_enrolled(classroom)})
    pairs = [(student, name) for name in names for student in everybody]
    with progress_bar(total=len(pairs), desc="Grading", unit="submission") as bar:
        outcomes = grader.grade(pairs, done=lambda outcome: bar.update())
    rows = [(outcome, None if outcome.problem else grader.write_feedback(outcome)) for outcome in outcomes]
    # The table on disk keeps what earlier runs said of other assignments.
    earlier = [(one, None if one.problem else grader.write_feedback(one)) for one in grader.others(names)]
    write_csv(options.out / "grades.csv", sorted([*rows, *earlier], key=lambda row: row[0].assignment))
    print(table(rows))
    if lines := attention(rows):
        print("Look at these; grades.csv says all of it:", *lines, sep="\n")
    print(
        f"Points by task: {options.out / 'grades.csv'}; a page for each student: {options.out / 'feedback'}"
    )
    return int(any(outcome.problem == "not graded" for outcome in outcomes))


def _due(options: argparse.Namespace) -> int:
    return _told(options, lambda classroom: set_due_date(classroom, options.name, options.at))


def _extend(options: argparse.Namespace) -> int:
    return _told(options, lambda classroom: extend(classroom, options.student, options.name, options.until))


def _accept(options: argparse.Namespace) -> int:
    classroom = _classroom(options)
    if _unknown([options.name], classroom):
        return 2
    classroom.prepare()
    if not Grader(classroom, Options()).accept(options.student, options.name, options.note):
        print(f"There is nothing graded of {options.student} in {options.name}.", file=sys.stderr)
        return 2
    print("Kept; the next run shows it, until something else is handed in.")
    return 0


def _classroom(options: argparse.Namespace) -> Classroom:
    folder = options.out.resolve()
    return Classroom(folder, folder / "submitted", options.source.resolve())


def _told(options: argparse.Namespace, run: Callable[[Classroom], str]) -> int:
    classroom = _classroom(options)
    if _unknown([options.name], classroom):
        return 2
    classroom.prepare()
    print(run(classroom))
    return 0


def _report(options: argparse.Namespace) -> int:
    classroom = _classroom(options)
    if _unknown(options.assignment or [], classroom):
        return 2
    reports = class_report(classroom, options.assignment)
    page, table = write_class_report(classroom, reports)
    print(f"{page}, to be opened in a browser; its numbers, for a spreadsheet: {table}")
    return 0


def _enrolled(classroom: Classroom) -> list[str]:
    """Return the students that the grade book knows, whether they have handed in anything or not."""
    with classroom.gradebook() as gradebook:
        return [student.id for student in gradebook.students]


def _unknown(names: list[str], classroom: Classroom) -> bool:
    unknown = sorted(set(names) - set(classroom.assignments()))
    if unknown:
        known = ", ".join(classroom.assignments())
        print(f"There is no assignment {', '.join(unknown)}; there are {known}.", file=sys.stderr)
    return bool(unknown)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fmnist_helpers.grading", description=__doc__.splitlines()[0]
    )
    commands = parser.add_subparsers(required=True)
    add_commands(commands)
    for name, run, about in (
        ("release", _release, "write the students' copies, and a zip of each"),
        ("report", _report, "write what a class knows: tasks, beliefs, near-equal answers"),
        ("grade", _grade, "grade all submissions; what is graded already is not repeated"),
    ):
        command = commands.add_parser(
            name, help=about, description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.set_defaults(run=run)
        command.add_argument("--out", type=Path, required=True, help="the folder of the class")
        command.add_argument(
            "--assignment", action="append", help="only this one; may be given several times"
        )
        command.add_argument(
            "--source", type=Path, default=SOURCE, help="folder of the exercises with solutions"
        )
    commands.choices["release"].add_argument(
        "--course",
        action="store_true",
        help="write the whole course for students, as one zip, without solutions",
    )
    command.add_argument(
        "--again",
        action="append",
        metavar="STUDENT/ASSIGNMENT[/CELL]",
        help="grade this anew, though nothing has changed; with a cell, drop the points given there by hand",
    )
    command.add_argument("--submitted", type=Path, help="what was handed in; None means submitted in --out")
    command.add_argument("--jobs", type=int, default=available_jobs(), help="submissions side by side")
    limits = Limits()
    command.add_argument(
        "--seconds", type=int, default=limits.total_seconds, help="time for a whole submission, in seconds"
    )
    command.add_argument(
        "--cell-seconds", type=int, default=limits.cell_seconds, help="time for one cell, in seconds"
    )
    command.add_argument(
        "--memory", type=float, default=limits.memory_gib, help="memory for a submission, in GiB"
    )
    command.add_argument(
        "--no-sandbox", action="store_true", help="run the students' code with your own rights"
    )
    for name, run, about, arguments in (
        ("due", _due, "set when an assignment is due", (NAME, ("--at", TIME))),
        ("extend", _extend, "let a student hand in later", (STUDENT, NAME, ("--until", TIME))),
        (
            "accept",
            _accept,
            "say that what is flagged is in order",
            (STUDENT, NAME, ("--note", {"required": True, "help": "why, in your words"})),
        ),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        for argument, settings in arguments:
            command.add_argument(argument, **settings)
        command.add_argument("--out", type=Path, required=True, help="the folder of the class")
        command.add_argument(
            "--source", type=Path, default=SOURCE, help="folder of the exercises with solutions"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
