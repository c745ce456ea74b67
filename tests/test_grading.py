"""A class graded by the real command: honest work, accidents and attacks, with the marks each must get."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook

from fmnist_helpers.grading.sandbox import Limits, bubblewrap_problem, process_groups, stale_groups
from tests.exercises import hostile
from tests.exercises.bank import COURSE, EXERCISES
from tests.exercises.hostile import ASSIGNMENT, CASES, IN_PART, NOT_SUBMITTED, POINTS, UNREADABLE, Case

PROBLEM = bubblewrap_problem()
MINUTES = 20


def command(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    """Run the instructor's command in a process of its own, from another folder than the course's."""
    return subprocess.run(
        [sys.executable, "-m", "fmnist_helpers.grading", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        env={**os.environ, "TQDM_DISABLE": "1"},
        **options,
    )


class Graded:
    """A class after grading: the folder, the table, and what the command said."""

    def __init__(self, folder: Path, done: subprocess.CompletedProcess, cases: list[Case]) -> None:
        self.folder, self.done, self.cases = folder, done, cases
        with open(folder / "grades.csv", encoding="utf-8-sig", newline="") as file:
            self.rows = {row["student"].removeprefix("'"): row for row in csv.DictReader(file)}

    def page(self, student: str) -> str:
        return (self.folder / "feedback" / student / f"{ASSIGNMENT}.html").read_text(encoding="utf-8")

    def outputs(self, student: str) -> str:
        """Return everything that a submission's cells showed."""
        path = self.folder / "autograded" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        return json.dumps([cell.outputs for cell in cells if cell.cell_type == "code"])


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> Path:
    """A file of the instructor's that no submission may see or delete."""
    path = tmp_path_factory.mktemp("home") / "precious.txt"
    path.write_text("still here")
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory, canary) -> Graded:
    folder = tmp_path_factory.mktemp("a class")
    assert command("release", "--out", folder, "--assignment", ASSIGNMENT, cwd=folder).returncode == 0
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=hostile.DUE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        cases = hostile.write(
            folder / "submitted",
            folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb",
            places=[str(canary), str(EXERCISES), str(folder / "gradebook.db"), str(folder / "submitted")],
            port=server.getsockname()[1],
            sandboxed=not PROBLEM,
        )
        done = command(
            "grade", "--out", folder, "--cell-seconds", 20, *([] if not PROBLEM else ["--no-sandbox"])
        )
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


def hidden_lines() -> list[str]:
    """Return the lines that stand between the marks of hidden tests alone, read without the grader's help."""
    source = nbformat.read(EXERCISES / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in source.cells if cell.cell_type == "code")
    regions = re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", text, flags=re.DOTALL)
    seen = re.sub(r"### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", "", text, flags=re.DOTALL)
    lines = {line.strip() for region in regions for line in region.splitlines() if len(line.strip()) > 11}
    return sorted(lines - {line.strip() for line in seen.splitlines()})


def visible_text(page: str) -> str:
    """Return a page's text as a reader sees it."""
    import html

    body = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", body))


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
    assert "fmnist_helpers/checks" not in text


def test_feedback_page_names_the_belief(graded):
    text = visible_text(graded.page("nothing done"))
    assert "it is not written yet" in text
    assert "Read again: Lesson 05" in text


def test_submission_that_died_says_so_on_its_page(graded):
    text = visible_text(graded.page("kills the kernel"))
    assert "not run: the kernel died" in text
    assert "did not run to its end: the kernel died, at accuracy_by_class-test." in text


def test_page_says_what_waits_for_a_person_and_what_was_repaired(graded):
    assert "explain waits to be marked by a person" in visible_text(graded.page("honest"))
    assert "waits to be marked" not in visible_text(graded.page("nothing done"))
    assert "accuracy_by_class-test was missing and was put back" in visible_text(graded.page("deleted test"))


def test_nothing_stays_behind(graded):
    assert stale_groups() == []


def test_second_run_repeats_nothing_and_says_the_same(graded):
    outcomes = {path: path.stat().st_mtime_ns for path in (graded.folder / "outcomes").rglob("*.json")}
    before = (graded.folder / "grades.csv").read_bytes()
    done = command(
        "grade", "--out", graded.folder, "--cell-seconds", 20, *([] if not PROBLEM else ["--no-sandbox"])
    )
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
    done = command(
        "grade", "--out", graded.folder, "--cell-seconds", 20, *([] if not PROBLEM else ["--no-sandbox"])
    )
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


# --- killed midway, and other commands ---------------------------------------------------------------------


@pytest.fixture
def small_class(tmp_path) -> Path:
    """Four honest students, one of whom gets a task wrong."""
    folder = tmp_path / "class"
    assert command("release", "--out", folder, "--assignment", ASSIGNMENT).returncode == 0
    release = folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    right = hostile.solved(nbformat.read(release, as_version=4))
    for number in range(4):
        notebook = nbformat.from_dict(right)
        if number == 3:
            hostile.cell_of(notebook, "train_clipped").source = "def train_clipped(*arguments): return []"
        target = folder / "submitted" / f"student {number}" / ASSIGNMENT
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{ASSIGNMENT}.ipynb")
    return folder


def test_grading_killed_midway_goes_on_where_it_was(small_class):
    arguments = ["grade", "--out", small_class, "--jobs", "1", *([] if not PROBLEM else ["--no-sandbox"])]
    outcomes = small_class / "outcomes"
    started = subprocess.Popen(
        [sys.executable, "-m", "fmnist_helpers.grading", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list(outcomes.rglob("*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)
    started.send_signal(signal.SIGKILL)
    started.wait()
    finished = {path: path.read_bytes() for path in outcomes.rglob("*.json")}
    assert 2 <= len(finished) < 4
    done = command(*arguments)
    after = Graded(small_class, done, [])
    points = {name: float(row["points"]) for name, row in after.rows.items()}
    whole = sum(POINTS.values())
    assert points == {"student 0": whole, "student 1": whole, "student 2": whole, "student 3": whole - 5}
    # What was finished before was not touched, but for the page of the last one, which may have been under way.
    for path, content in finished.items():
        now, before = json.loads(path.read_bytes()), json.loads(content)
        assert {**now, "feedback": ""} == {**before, "feedback": ""}


def test_interrupt_ends_at_once_and_says_how_to_go_on(small_class):
    arguments = ["grade", "--out", small_class, "--jobs", "1", *([] if not PROBLEM else ["--no-sandbox"])]
    for number in range(4):
        path = small_class / "submitted" / f"student {number}" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        hostile.cell_of(notebook, "predict").source = "import time; time.sleep(50)"
        nbformat.write(notebook, path)
    started = subprocess.Popen(
        [sys.executable, "-m", "fmnist_helpers.grading", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list((small_class / "staged").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(3)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=120)
    assert started.returncode == 130
    assert "the same command goes on from there" in told
    assert not list((small_class / "outcomes").rglob("*.json"))


def test_table_keeps_other_assignments_and_own_settings_count(small_class):
    for name in ("student 1", "student 2", "student 3"):
        shutil.rmtree(small_class / "submitted" / name)
    other = small_class / "submitted" / "student 0" / "ex03_loss"
    other.mkdir()
    (other / "ex03_loss.ipynb").write_text("")
    (small_class / "own_settings.py").write_text("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    (small_class / "submitted" / "student 0" / ASSIGNMENT / "timestamp.txt").write_text(
        "2026-03-02 12:00:00 UTC"
    )
    with Gradebook(f"sqlite:///{small_class / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=hostile.DUE)
    options = [] if not PROBLEM else ["--no-sandbox"]
    command("grade", "--out", small_class, "--assignment", ASSIGNMENT, *options)
    command("grade", "--out", small_class, "--assignment", "ex03_loss", *options)
    with open(small_class / "grades.csv", encoding="utf-8-sig", newline="") as file:
        rows = {row["assignment"]: row for row in csv.DictReader(file)}
    assert rows["ex03_loss"]["status"] == UNREADABLE
    assert float(rows[ASSIGNMENT]["penalty"]) == float(rows[ASSIGNMENT]["points"]) == sum(POINTS.values())


def test_changed_submission_is_graded_again(small_class):
    arguments = ["grade", "--out", small_class, *([] if not PROBLEM else ["--no-sandbox"])]
    shutil.rmtree(small_class / "submitted" / "student 1")
    shutil.rmtree(small_class / "submitted" / "student 2")
    command(*arguments)
    path = small_class / "submitted" / "student 3" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    path.write_bytes(
        (small_class / "submitted" / "student 0" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes()
    )
    rows = Graded(small_class, command(*arguments), []).rows
    assert float(rows["student 3"]["points"]) == sum(POINTS.values())


def test_without_a_sandbox_it_says_so_loudly(tmp_path):
    (tmp_path / "submitted").mkdir()
    done = command("grade", "--out", tmp_path, "--no-sandbox")
    assert "NOT SANDBOXED" in done.stderr
    assert "0 in all" in done.stdout


def test_unknown_assignment_is_named(tmp_path):
    (tmp_path / "submitted").mkdir()
    done = command("grade", "--out", tmp_path, "--assignment", "ex99")
    assert done.returncode == 2
    assert "There is no assignment ex99; there are ex0" in done.stderr


def test_missing_folder_is_named(tmp_path):
    done = command("grade", "--out", tmp_path)
    assert done.returncode == 2
    assert f"There is no folder {tmp_path / 'submitted'}" in done.stdout + done.stderr


def test_two_runs_at_once_do_not_meet(tmp_path):
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"):
        done = command("release", "--out", tmp_path)
    assert done.returncode == 2
    assert "Another run is at work" in done.stderr


@pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)
def test_cgroups_that_can_be_made_are_removed():
    with process_groups(Limits()) as groups:
        assert all(group.is_dir() for group in groups)
    assert not any(group.exists() for group in groups)


def test_status_words_are_told_apart():
    statuses = {case.status for case in CASES} | {NOT_SUBMITTED}
    assert statuses == {"graded", IN_PART, "flagged", "needs manual grading", UNREADABLE, NOT_SUBMITTED}
    assert COURSE.is_dir()
