"""A class graded by the real command: honest work, accidents and attacks, with the marks each must get."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook

from fmnist_helpers.grading.sandbox import Limits, process_groups, stale_groups
from tests.exercises import hostile
from tests.exercises.hostile import ASSIGNMENT, CASES, IN_PART, NOT_SUBMITTED, POINTS, UNREADABLE, Case
from tests.grading.conftest import PROBLEM, SANDBOX, Graded, command, hidden_lines
from tests.tools.course import EXERCISES


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> Path:
    """A file of the instructor's that no submission may see or delete."""
    path = tmp_path_factory.mktemp("home") / "precious.txt"
    path.write_text("still here")
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory, released, canary) -> Graded:
    folder = Path(shutil.copytree(released, tmp_path_factory.mktemp("hostile") / "a class"))
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=hostile.DUE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        cases = hostile.write(
            folder / "submitted",
            folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb",
            CASES,
            places=[str(canary), str(EXERCISES), str(folder / "gradebook.db"), str(folder / "submitted")],
            port=server.getsockname()[1],
            sandboxed=not PROBLEM,
        )
        cases.append(hostile.add_oddities(folder / "submitted", str(canary)))
        done = command("grade", "--out", folder, "--cell-seconds", 20, *SANDBOX)
    assert done.returncode == 0, done.stdout + done.stderr
    return Graded(folder, done, cases)


def student(case: Case) -> str:
    return case.student


def test_points_of_the_table_are_those_of_the_assignment():
    assert hostile.maximum() == POINTS


@pytest.mark.parametrize("case", CASES, ids=student)
def test_each_submission_gets_its_status_and_its_marks(graded, case):
    if case.needs_sandbox and PROBLEM:
        pytest.skip(f"runs only inside the sandbox: {PROBLEM}")
    row = graded.rows[case.student]
    told = "; ".join(row[column] for column in ("detail", "flags", "notes"))
    assert row["status"] == case.status, told
    assert case.words in told
    if case.status in (UNREADABLE, NOT_SUBMITTED):
        assert row["points"] == ""
        assert not any(row[task] for task in POINTS)
    else:
        marks = {task: float(row[task]) for task in POINTS}
        assert marks == {task: 0 if task in case.lost else most for task, most in POINTS.items()}
        assert float(row["points"]) == sum(marks.values())


def test_no_student_is_lost_and_nobody_else_appears(graded):
    assert set(graded.rows) == {case.student for case in graded.cases}
    assert f"{len(graded.cases)} in all" in graded.done.stdout


def test_student_without_a_submission_has_no_zero(graded):
    row = graded.rows["never came"]
    assert row["status"] == NOT_SUBMITTED
    assert row["points"] == ""


def test_late_submission_says_by_how_much(graded):
    assert float(graded.rows["late"]["late_hours"]) == 24
    assert float(graded.rows["honest"]["late_hours"]) == 0


def test_names_that_a_spreadsheet_would_compute_are_made_harmless(graded):
    assert "\n'=1+1," in (graded.folder / "grades.csv").read_text(encoding="utf-8-sig")


def test_table_on_the_screen_names_everyone(graded):
    for case in graded.cases:
        assert case.student[:24] in graded.done.stdout


@pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)
def test_sandboxed_submission_sees_neither_files_nor_network(graded, canary):
    told = graded.outputs("looks around")
    assert told.count("not visible") == 4
    assert "network: none" in told
    assert "gone" in graded.outputs("deletes everything")
    assert canary.read_text() == "still here"
    assert (EXERCISES / ASSIGNMENT).is_dir()
    assert "NOT SANDBOXED" not in graded.done.stderr


def test_large_output_is_cut(graded):
    autograded = graded.folder / "autograded" / "50 MB of output" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    assert autograded.stat().st_size < 500_000
    assert "the rest is cut" in graded.outputs("50 MB of output")
    assert len(graded.page("50 MB of output")) < 1_000_000


def visible_text(page: str) -> str:
    """Return a page's text as a reader sees it."""
    import html

    body = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", body))


def without_ticks(text: str) -> str:
    """Return a text on one line, without the marks around code."""
    return " ".join(text.replace("`", "").split())


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.status not in (UNREADABLE, NOT_SUBMITTED)], ids=student
)
def test_feedback_page_holds_no_hidden_test_and_no_solution(graded, case):
    if case.needs_sandbox and PROBLEM:
        pytest.skip(f"runs only inside the sandbox: {PROBLEM}")
    page = graded.page(case.student)
    text = visible_text(page)
    lines = hidden_lines()
    assert len(lines) > 5
    for line in lines:
        assert line not in text and line not in page
    assert "BEGIN SOLUTION" not in page
    if case.student == "nothing done":
        assert "num_right +=" not in text
    # The diagnosis is there, without the lines of the check.
    assert "def judge_" not in text


def test_feedback_page_names_the_belief(graded):
    text = visible_text(graded.page("nothing done"))
    assert "it is not written yet" in text
    assert "Read again: Lesson 05" in text


def test_submission_that_died_says_so_on_its_page(graded):
    text = visible_text(graded.page("kills the kernel"))
    assert "not run: the kernel died" in text
    assert "did not run to its end: the kernel died, at accuracy_by_class-test." in text


def test_page_of_an_endless_function_calls_it_that_and_names_the_line(graded):
    text = visible_text(graded.page("loop in a function"))
    assert f"did not run to its end: accuracy_by_class {hostile.ENDLESS}, at accuracy_by_class-test." in text
    assert (
        f"accuracy_by_class {hostile.ENDLESS}, in the line while True: pass. Look for a while"
        in without_ticks(text)
    )
    assert "it called itself again and again without an end" in visible_text(graded.page("calls itself"))


@pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)
def test_page_of_a_function_that_takes_all_memory_says_how_much_there_is(graded):
    text = without_ticks(visible_text(graded.page("list without end")))
    assert (
        "asked for more memory than it may take, and was stopped in the line while True: kept.append" in text
    )
    assert "Usually this is an endless loop" in text and "it may take 6 GiB" in text


def test_page_says_what_waits_for_a_person_and_what_was_repaired(graded):
    assert "explain waits to be marked by a person" in visible_text(graded.page("honest"))
    assert "waits to be marked" not in visible_text(graded.page("nothing done"))
    assert "accuracy_by_class-test was missing and was put back" in visible_text(graded.page("deleted test"))


def test_nothing_stays_behind(graded):
    assert stale_groups() == []


def test_second_run_repeats_nothing_and_says_the_same(graded):
    outcomes = {path: path.stat().st_mtime_ns for path in (graded.folder / "outcomes").rglob("*.json")}
    before = (graded.folder / "grades.csv").read_bytes()
    done = command("grade", "--out", graded.folder, "--cell-seconds", 20, *SANDBOX)
    assert done.returncode == 0, done.stderr
    assert {
        path: path.stat().st_mtime_ns for path in (graded.folder / "outcomes").rglob("*.json")
    } == outcomes
    assert (graded.folder / "grades.csv").read_bytes() == before
    assert done.stdout == graded.done.stdout


def test_marks_and_comments_by_hand_reach_table_and_page(graded):
    with Gradebook(f"sqlite:///{graded.folder / 'gradebook.db'}") as gradebook:
        grade = gradebook.find_grade("explain", ASSIGNMENT, ASSIGNMENT, "exits")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        gradebook.find_comment("explain", ASSIGNMENT, ASSIGNMENT, "exits").manual_comment = "Well said."
        gradebook.db.commit()
    done = command("grade", "--out", graded.folder, "--cell-seconds", 20, *SANDBOX)
    after = Graded(graded.folder, done, graded.cases)
    assert after.rows["exits"]["status"] == "graded"
    assert float(after.rows["exits"]["explain"]) == 2.5
    assert float(after.rows["exits"]["points"]) == sum(POINTS.values()) + 2.5
    assert "Well said." in visible_text(after.page("exits"))


def test_nbgraders_own_commands_work_in_the_same_folder(graded, tmp_path):
    nbgrader = Path(sys.executable).with_name("nbgrader")
    environment = {**os.environ, "PATH": f"{nbgrader.parent}{os.pathsep}{os.environ['PATH']}"}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [nbgrader, *arguments],
            cwd=graded.folder,
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done

    run("export", f"--to={tmp_path / 'stock.csv'}")
    with open(tmp_path / "stock.csv", newline="") as file:
        scores = {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(file)}
    assert scores["honest"] == sum(POINTS.values())
    run("generate_feedback", "--assignment", ASSIGNMENT, "--student", "honest", "--force")
    page = graded.folder / "feedback" / "honest" / ASSIGNMENT / f"{ASSIGNMENT}.html"
    assert "hidden tests" in visible_text(page.read_text())
    assert not any(line in visible_text(page.read_text()) for line in hidden_lines())


@pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)
def test_cgroups_that_can_be_made_are_removed():
    with process_groups(Limits()) as groups:
        assert all(group.is_dir() for group in groups)
    assert not any(group.exists() for group in groups)


def test_status_words_are_told_apart():
    statuses = {case.status for case in CASES} | {NOT_SUBMITTED}
    assert statuses == {"graded", IN_PART, "flagged", "needs manual grading", UNREADABLE, NOT_SUBMITTED}
