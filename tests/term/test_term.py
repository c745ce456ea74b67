"""A whole term: thirty students, six assignments, two platforms, and marks equal to a table computed apart.

A dozen submissions are executed in the sandbox, the others from recorded observations. ``make term-test`` executes
all of them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.exercises.misconceptions import BELIEFS
from fmnist_helpers.grading import grade
from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.classroom import Classroom
from tests.exercises.bank import assignments, grade_id, read_source, tasks
from tests.grading.conftest import SANDBOX
from tests.term.plan import (
    BY_CANVAS,
    BY_MOODLE,
    DUE,
    EX01,
    EX02,
    EX03,
    EX04,
    EX05,
    EX06,
    STUDENTS,
    HandIn,
    explanation_of,
    make_term,
    points_of,
)
from tests.term.platforms import (
    canvas_archive,
    canvas_gradebook,
    moodle_archive,
    moodle_grades,
    moodle_worksheet,
    read_rows,
)
from tests.term.recorded import Recorder

EXECUTES_ALL = bool(os.environ.get("FMNIST_TERM_EXECUTES_ALL"))
"""As ``make term-test`` asks for."""
EXECUTED = {(student.email, assignment) for student in STUDENTS[:2] for assignment in DUE}
RULE = """\
from nbgrader.plugins import LateSubmissionPlugin


class TenPercentPerDay(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 0.1 * score * (total_seconds_late // 86_400 + 1)


c = get_config()
c.AssignLatePenalties.plugin_class = TenPercentPerDay
"""
WRONG_TEST = "check_order(order)\nassert 1 + 1 == 3, 'an instructor was tired'\n"
TIME = "%Y-%m-%d %H:%M Europe/Berlin"


@dataclass
class Class:
    """An instructor at work: what was done and what the commands said."""

    folder: Path
    source: Path
    term = make_term()
    recorder: Recorder = field(default_factory=Recorder)
    told: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[tuple[str, str], dict[str, str]]] = field(default_factory=dict)
    """Name of a moment → student, assignment → the line of ``grades.csv``."""

    def run(self, command: str, *arguments: object, label: str = "") -> str:
        """Run a command in the class's folder, see that it ends well, and keep what it says."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            options = ["--out", self.folder] + (["--source", self.source] if command in NEED_SOURCE else [])
            status = main([command, *map(str, [*arguments, *options])])
        assert status == 0, out.getvalue()
        self.told[label or command] = out.getvalue()
        return out.getvalue()

    def grade(self, moment: str, *arguments: object) -> None:
        jobs = [] if EXECUTES_ALL else ["--jobs", 1]
        self.run("grade", *arguments, *jobs, *SANDBOX, label=moment)
        with open(self.folder / "grades.csv", encoding="utf-8-sig", newline="") as file:
            self.rows[moment] = {(row["student"], row["assignment"]): row for row in csv.DictReader(file)}

    def collect(self, assignment: str, handed_in: list[HandIn]) -> None:
        """Take what has come from the platform's archive."""
        released = nbformat.read(self.folder / "release" / assignment / f"{assignment}.ipynb", as_version=4)
        archive, table = self.folder.parent / f"{assignment}.zip", self.folder.parent / f"{assignment}.csv"
        options = ["--zone", "Europe/Berlin", "--students", table]
        if assignment in BY_MOODLE:
            moodle_archive(archive, [(one, 0) for one in handed_in], released)
            moodle_worksheet(table, assignment, handed_in)
            self.run("collect", "--moodle", archive, *options)
        else:
            attempts = [(one, 0) for one in handed_in]
            if assignment == EX05:  # One of them has thought better of it.
                last, _ = attempts.pop()
                attempts += [(replace(last, answers=dict.fromkeys(last.answers)), 0), (last, 1)]
            canvas_archive(archive, attempts, released)
            canvas_gradebook(table)
            self.run("collect", "--canvas", archive, *options)

    def mark(self, submissions: list[HandIn]) -> None:
        """Give the points for explanations, as Formgrader does when a person leaves the field."""
        with Classroom(self.folder, self.folder / "submitted", self.source).gradebook() as gradebook:
            for one in submissions:
                cell, name = explanation_of(one.assignment), one.assignment
                found = gradebook.find_grade(cell, name, name, one.student.email)
                found.manual_score, found.needs_manual_grade = one.by_hand, False
                gradebook.find_comment(cell, name, name, one.student.email).manual_comment = remark(one)
            gradebook.db.commit()


NEED_SOURCE = ("release", "grade", "due", "extend", "report")


def remark(one: HandIn) -> str:
    return f"{one.by_hand:g} for you, {one.student.first}"


def explained(submissions: list[HandIn]) -> list[HandIn]:
    return [one for one in submissions if one.explanation]


@pytest.fixture(scope="module")
def term(tmp_path_factory) -> Class:
    """The class at the end of the term."""
    room = tmp_path_factory.mktemp("term")
    source = room / "exercises"
    for name in assignments():
        (source / name).mkdir(parents=True)
        nbformat.write(read_source(name), source / name / f"{name}.ipynb")
    spoil(source)
    this = Class(room / "class", source)
    this.folder.mkdir()
    # On either kind of machine the same garments.
    (this.folder / "data_set.txt").write_text("standin\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        if not EXECUTES_ALL:
            execute = grade.execute

            def executed_or_recorded(nb, folder: Path, *arguments, **options):
                real = (folder.parent.name, folder.name) in EXECUTED
                return (execute if real else this.recorder.execute)(nb, folder, *arguments, **options)

            patch.setattr(grade, "execute", executed_or_recorded)
        weeks(this)
    return this


def spoil(source: Path) -> None:
    """Put a mistake into a hidden test, as happens: nobody can pass it."""
    path = source / EX04 / f"{EX04}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if "check_order(order, num_batches=5" in cell.source)
    cell.source = re.sub(r"(?<=HIDDEN TESTS\n)check_order\(.*\n", WRONG_TEST, cell.source)
    nbformat.write(notebook, path)


def mend(source: Path) -> None:
    nbformat.write(read_source(EX04), source / EX04 / f"{EX04}.ipynb")


def weeks(this: Class) -> None:
    """Do what an instructor does, from the first week to the last."""
    plan, of = this.term, {name: [one for one in this.term.first if one.assignment == name] for name in DUE}
    this.run("release")
    for name, moment in DUE.items():
        this.run("due", name, "--at", moment.strftime(TIME))

    this.collect(EX01, of[EX01])
    this.grade("ex01, not marked yet", "--assignment", EX01)
    this.mark(explained(of[EX01]))
    this.grade("ex01, no rule for late work", "--assignment", EX01)
    (this.folder / "own_settings.py").write_text(RULE)

    # Before the second is handed in, two have asked for more time.
    for student, name in sorted(plan.before):
        this.run("extend", student, name, "--until", plan.extensions[student, name].strftime(TIME))
    this.collect(EX02, of[EX02])
    this.grade("ex02", "--assignment", EX02)
    this.mark(explained(of[EX02]))

    this.collect(EX03, of[EX03])
    this.grade("ex03", "--assignment", EX03)
    this.mark(explained(of[EX03]))
    whole = [plan.last[one.student.email, EX03] for one in of[EX03]]
    whole += [one for one in plan.again if one.student.number in (3, 21)]
    this.collect(EX03, whole)
    this.grade("ex03, a week later", "--assignment", EX03)
    this.mark([one for one in explained(plan.again) if one.student.number in (3, 21)])

    # The university has moved to another platform.
    this.collect(EX04, of[EX04])
    this.grade("ex04, with a wrong test", "--assignment", EX04)
    this.mark(explained(of[EX04]))
    mend(this.source)
    this.grade("ex04, mended", "--assignment", EX04)

    this.collect(EX05, of[EX05])
    this.grade("ex05", "--assignment", EX05)
    # A slip of the hand, taken back.
    slip = explained(of[EX05])[0]
    this.mark([replace(slip, by_hand=0.25), *explained(of[EX05])[1:]])
    again = f"{slip.student.email}/{EX05}/{explanation_of(EX05)}"
    this.grade("ex05, one to be marked again", "--assignment", EX05, "--again", again)
    this.mark([slip])

    this.collect(EX06, of[EX06])
    this.grade("ex06", "--assignment", EX06)
    # One of them waits to the end.
    this.mark(explained(of[EX06])[:-1])
    for student, name in sorted(set(plan.extensions) - plan.before):
        this.run("extend", student, name, "--until", plan.extensions[student, name].strftime(TIME))

    this.grade("the end")
    room = this.folder.parent
    this.run("export", "--moodle", moodle_grades(room / "moodle.csv"), "--to", room / "moodle_filled.csv")
    this.run("export", "--canvas", canvas_gradebook(room / "canvas.csv"), "--to", room / "canvas_filled.csv")
    for name in (EX03, EX05):
        this.run("feedback", "--assignment", name, "--to", room / f"feedback_{name}.zip", label=name)
    this.run("report")


def waits(this: Class) -> HandIn:
    """Return whose explanation was left for another day."""
    return explained([one for one in this.term.first if one.assignment == EX06])[-1]


def test_every_mark_is_that_of_the_table_computed_apart(term):
    rows = term.rows["the end"]
    for (student, assignment), one in term.term.last.items():
        row = rows[student, assignment]
        assert {name: float(row[name]) for name in one.tests} == one.tests, (student, assignment)
        if one is waits(term):
            assert (row["status"], row["waiting"]) == ("needs manual grading", explanation_of(EX06))
            continue
        assert row["status"] == "graded", row
        got = [float(row[column]) for column in ("points", "penalty", "final", "of", "late_hours")]
        most, hours = sum(points_of(assignment).values()), one.late.total_seconds() / 3600
        assert got == pytest.approx([one.points, one.penalty, one.final, most, hours], abs=0.01)


def test_who_handed_in_nothing_is_not_submitted_and_has_no_zero(term):
    rows = term.rows["the end"]
    everybody = {(student.email, name) for student in STUDENTS for name in DUE}
    assert set(rows) == everybody
    absent = everybody - set(term.term.last)
    assert absent and {rows[one]["status"] for one in absent} == {"not submitted"}
    assert {rows[one]["final"] for one in absent} == {""}


def test_the_term_has_in_it_what_it_is_there_to_test(term):
    last = list(term.term.last.values())
    assert sum(bool(one.late) for one in last) > 15 and len(EXECUTED & set(term.term.last)) == 12
    assert any(one.extended and not one.late for one in last) and any(
        one.extended and one.late for one in last
    )
    kinds = Counter(
        "none" if variant is None else "right" if variant.correct else "wrong"
        for one in last
        for variant in one.answers.values()
    )
    assert min(kinds.values()) > 30 and any(not one.explanation for one in last)


@pytest.mark.skipif(EXECUTES_ALL, reason="nothing is recorded: all of it is executed")
def test_one_observation_serves_all_who_gave_the_same_answer(term):
    assert 0 < len(term.recorder.replies) < term.recorder.asked / 3


def test_a_rule_that_came_later_reaches_what_was_graded_before(term):
    late = [one for one in term.term.first if one.assignment == EX01 and one.late]
    before = term.rows["ex01, no rule for late work"]
    assert late and {float(before[one.student.email, EX01]["penalty"]) for one in late} == {0.0}
    # And explanations counted nothing before they were marked.
    for one in explained([one for one in term.term.first if one.assignment == EX01]):
        row = term.rows["ex01, not marked yet"][one.student.email, EX01]
        assert float(row["points"]) == pytest.approx(one.points - one.by_hand)
        assert row["waiting"] == explanation_of(EX01)


def test_an_exercise_that_was_mended_gives_the_points_back_and_keeps_the_marks_by_hand(term):
    fourth = [one for one in term.term.first if one.assignment == EX04]
    for one in fourth:
        before, after = (
            term.rows[f"ex04, {how}"][one.student.email, EX04] for how in ("with a wrong test", "mended")
        )
        assert float(before["order-test"]) == 0 and float(after["order-test"]) == one.tests["order-test"]
        assert after["waiting"] == ""
        assert float(after["points"]) == pytest.approx(one.points)
    assert any(one.tests["order-test"] for one in fourth)


def test_a_mark_that_was_taken_back_waits_and_all_others_stay(term):
    rows = term.rows["ex05, one to be marked again"]
    waiting = {who for who, row in rows.items() if row["waiting"]}
    slip = explained([one for one in term.term.first if one.assignment == EX05])[0]
    assert waiting == {(slip.student.email, EX05)}


def test_a_second_collection_changes_only_what_is_new(term):
    before, after = term.rows["ex03"], term.rows["ex03, a week later"]
    changed = {who for who in after if after[who] != before.get(who)}
    new = {(one.student.email, EX03) for one in term.term.again}
    # Marks by hand came between the two.
    marked = {(one.student.email, EX03) for one in explained(term.term.first) if one.assignment == EX03}
    assert new <= changed <= new | marked | {who for who in after if who[1] != EX03}


def test_pages_say_what_the_table_says(term):
    for (student, assignment), one in term.term.last.items():
        page = (term.folder / "feedback" / student / f"{assignment}.html").read_text(encoding="utf-8")
        words = " ".join(re.sub(r"<[^>]*>", " ", page).split())
        assert one.student.name.split()[0] in words
        if one is not waits(term):
            assert f"{one.final:.4g}" in words and (not one.explanation or remark(one) in words)


def test_nbgraders_own_export_agrees(term):
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "export", "--to", "nbgrader.csv"],
        cwd=term.folder,
        check=True,
        capture_output=True,
    )
    with open(term.folder / "nbgrader.csv", encoding="utf-8-sig", newline="") as file:
        theirs = {(row["student_id"], row["assignment"]): row for row in csv.DictReader(file)}
    for who, one in term.term.last.items():
        if one is not waits(term):
            got = [float(theirs[who][column]) for column in ("raw_score", "late_submission_penalty", "score")]
            assert got == pytest.approx([one.points, one.penalty, one.final])


def test_moodles_table_comes_back_with_the_final_marks(term):
    rows = read_rows(term.folder.parent / "moodle_filled.csv", "Email address")
    for student in STUDENTS:
        for name in BY_MOODLE:
            cell = rows[student.email][f"Assignment: {name} (Real)"]
            one = term.term.last.get((student.email, name))
            assert cell == "-" if one is None else float(cell) == pytest.approx(one.final, abs=1e-3)


def test_canvas_table_comes_back_with_the_final_marks_and_who_waits_is_empty(term):
    rows = read_rows(term.folder.parent / "canvas_filled.csv", "SIS Login ID")
    for student in STUDENTS:
        for number, name in enumerate(BY_CANVAS):
            cell = rows[student.email][f"{name} ({9_900 + number})"]
            one = term.term.last.get((student.email, name))
            empty = one is None or one is waits(term)
            assert cell == "" if empty else float(cell) == pytest.approx(one.final, abs=1e-3)
    assert "1 wait for your marks" in term.told["export"]


@pytest.mark.parametrize("assignment", [EX03, EX05])
def test_feedback_goes_back_under_the_names_that_the_platform_gave(term, assignment):
    handed_in = [one for one in term.term.last.values() if one.assignment == assignment]
    with zipfile.ZipFile(term.folder.parent / f"feedback_{assignment}.zip") as archive:
        names = archive.namelist()
    numbers = {
        str(one.student.participant(assignment) if assignment in BY_MOODLE else one.student.canvas_id)
        for one in handed_in
    }
    found = {number for number in numbers for name in names if re.search(rf"(?<!\d){number}(?!\d)", name)}
    assert len(names) == len(handed_in) and found == numbers


def test_the_report_counts_the_beliefs_of_the_outcomes_and_of_the_plan(term):
    with open(term.folder / "report.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    told = {
        (row["assignment"], row["task"], row["belief"]): int(row["met_by"]) for row in rows if row["belief"]
    }
    written, planned = Counter(), Counter()
    for one in term.term.last.values():
        titles = titles_of(one.assignment)
        outcome = term.folder / "outcomes" / one.student.email / f"{one.assignment}.json"
        met = json.loads(outcome.read_text(encoding="utf-8"))["beliefs"]
        written.update({(one.assignment, titles[test], BELIEFS[key].words) for test, key in met.items()})
        planned.update(
            {
                (one.assignment, titles[tasks(one.assignment)[task].tests[0]], BELIEFS[belief].words)
                for task, belief in one.beliefs
            }
        )
    assert told == dict(written) and sum(planned.values()) > 50
    # Every planned belief was met by at least as many; an answer that was left as it was may show one, too.
    assert {key: told.get(key, 0) >= number for key, number in planned.items()} == dict.fromkeys(
        planned, True
    )


def test_the_report_counts_who_solved_what(term):
    with open(term.folder / "report.csv", encoding="utf-8-sig", newline="") as file:
        told = {(row["assignment"], row["task"]): row for row in csv.DictReader(file)}
    solved, tried = Counter(), Counter()
    for one in term.term.last.values():
        for name, task in tasks(one.assignment).items():
            key = one.assignment, titles_of(one.assignment)[task.tests[0]]
            tried[key] += one.answers[name] is not None
            full = sum(points_of(one.assignment)[test] for test in task.tests)
            solved[key] += sum(one.tests[test] for test in task.tests) == full
    assert {key: int(told[key]["tried"]) for key in tried} == dict(tried)
    assert {key: int(told[key]["solved"]) for key in solved} == dict(solved)


@cache
def titles_of(assignment: str) -> dict[str, str]:
    """Return each cell that carries marks → the title of its task, read from the notebook's headings."""
    titles, title = {}, ""
    for cell in read_source(assignment).cells:
        if found := re.search(r"^## (.+?)(?: \(\d+ points?\))?$", cell.source, flags=re.MULTILINE):
            title = found[1] if cell.cell_type == "markdown" else title
        titles[grade_id(cell)] = title
    return titles
