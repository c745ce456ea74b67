"""That the comparison of graders compares equal work, notices a wrong mark, and counts all that a command takes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook

from tests.exercises import hostile
from tests.exercises.bank import graded_cells, read_source, read_variants, tasks
from tests.measure import grading, otter_class
from tests.measure.footprint import Footprint, footprint
from tests.measure.graders import ENVIRONMENT, Nbgrader, Otter, Ours, Step

ASSIGNMENT = grading.ASSIGNMENT
NOBODY = "nbgrader of nobody"

# --- what a command takes

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads what only Linux tells")


@linux
def test_memory_is_that_of_all_processes_and_what_they_share_counts_once(tmp_path):
    code = """
import os, time
shared = bytearray(b"x") * 60_000_000
if os.fork() == 0:
    own = bytearray(b"x") * 40_000_000
    time.sleep(2)
    os._exit(0)
os.wait()
"""
    taken = footprint([sys.executable, "-c", code], tmp_path)
    assert taken.seconds > 2
    # Counted twice, what is shared would make it 160 MB and two interpreters.
    assert 100e6 < taken.peak_bytes < 150e6


@linux
def test_an_orphans_time_counts_and_waiting_takes_none(tmp_path):
    busy = "import time; start = time.process_time()\\nwhile time.process_time() - start < 0.7: pass"
    leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', '''{busy}'''])"
    orphaned = footprint([sys.executable, "-c", leave], tmp_path)
    idle = footprint([sys.executable, "-c", "import time; time.sleep(1)"], tmp_path)
    assert orphaned.processor_seconds > 0.7 > idle.processor_seconds
    assert idle.seconds > 1


@linux
def test_the_time_of_a_process_that_nobody_waits_for_counts(tmp_path):
    code = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    while time.process_time() < 2: pass
    os._exit(0)
time.sleep(0.1)
try:
    os.wait()
except ChildProcessError:
    pass
"""
    assert footprint([sys.executable, "-c", code], tmp_path).processor_seconds > 1.5


@linux
def test_a_command_that_fails_says_what_it_printed(tmp_path):
    with pytest.raises(RuntimeError, match=r"ended with status 3:\nno such class in .*here"):
        (tmp_path / "here").mkdir()
        code = "import os, sys; print('no such class in', os.getcwd()); sys.exit(3)"
        footprint([sys.executable, "-c", code], tmp_path / "here")


# --- the class, and the marks that it must get


def test_half_of_the_class_is_right_and_it_holds_every_solution_of_the_bank():
    students = grading.make_class(ASSIGNMENT, range(100))
    assert len(students) == 100
    of_kind = [{one.correct for one in variants.values()} for variants in students.values()]
    assert of_kind.count({True}) == of_kind.count({False}) == 50
    assert all(list(variants) == list(tasks(ASSIGNMENT)) for variants in students.values())
    handed_in = {str(one) for variants in students.values() for one in variants.values()}
    assert handed_in == {str(one) for one in read_variants(ASSIGNMENT)}


def test_the_foretold_marks_are_full_ones_or_lack_what_the_bank_says():
    students = grading.make_class(ASSIGNMENT, range(2))
    expected = grading.foretold(ASSIGNMENT, students)
    assert expected["student000"] == hostile.POINTS
    wrong = students["student001"]
    assert any(one.failing for one in wrong.values()) and not all(one.failing for one in wrong.values())
    for task, variant in wrong.items():
        for test in tasks(ASSIGNMENT)[task].tests:
            lost = not variant.failing or test in variant.failing
            assert expected["student001"][test] == (0 if lost else hostile.POINTS[test])


def test_marks_that_differ_or_are_missing_are_told():
    expected = {"ada": {"one": 2.0, "two": 0.0}, "ben": {"one": 2.0}}
    assert grading.differences(expected, expected) == []
    assert grading.differences({"ada": {"one": 0.0, "two": 0.0}}, expected) == [
        "ada, one: 0.0 instead of 2",
        "ben, one: None instead of 2",
    ]


# --- otter-grader's form of an exercise


def test_otters_form_of_an_exercise_asserts_the_same(monkeypatch):
    """The notebooks run here, and what stands in for otter-grader calls its test files as its pages describe."""
    source = read_source(ASSIGNMENT)
    cells = graded_cells(source)
    students = grading.make_class(ASSIGNMENT, range(4))
    for student, variants in students.items():
        notebook = read_source(ASSIGNMENT)
        for task, variant in variants.items():
            for name, answer in zip(tasks(ASSIGNMENT)[task].answers, variant.cells, strict=True):
                hostile.cell_of(notebook, name).source = answer
        namespace, earned = {"__name__": "__main__"}, {}
        monkeypatch.setitem(sys.modules, "otter", stand_in(cells, namespace, earned))
        for cell in otter_class.as_otter_has_it(notebook).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, "<cell>", "exec"), namespace)
        assert {student: earned} == grading.foretold(ASSIGNMENT, {student: variants})


def stand_in(cells: dict, namespace: dict, earned: dict[str, float]) -> ModuleType:
    """Return a module ``otter`` whose check runs a test file on the names of a notebook and writes down its points."""

    def check(name: str) -> None:
        found = {}
        file = otter_class.as_test_file(cells[name]).replace("from otter.test_files import test_case\n", "")
        exec(file, {"test_case": lambda: lambda function: found.update({"function": function})}, found)
        assert found["OK_FORMAT"] is False and found["name"] == name
        function = found["function"]
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        try:
            function(**{one: namespace[one] for one in names})
            earned[name] = float(found["points"])
        except AssertionError:
            earned[name] = 0.0

    module = ModuleType("otter")
    module.Notebook = lambda: SimpleNamespace(check=check)
    return module


def test_a_cell_uses_what_it_reads_and_does_not_import():
    source = "from a import b\nx = 1\nb(x, y, len(z))\ny = 2\n"
    assert otter_class.names_used(source) == ["x", "y", "z"]


def test_where_otter_cannot_be_had_the_reason_is_told(monkeypatch, tmp_path):
    def no_network(folder):
        words = "WARNING: retrying\nERROR: No matching distribution found for otter-grader\n"
        raise subprocess.CalledProcessError(1, ["pip"], stderr=words)

    monkeypatch.setattr(grading, "make_environment", no_network)
    python, words = grading.find_otter(tmp_path)
    assert python is None
    assert words.endswith("so it is not compared: ERROR: No matching distribution found for otter-grader")


# --- the marks, as each grader leaves them


def test_points_are_read_as_each_grader_leaves_them(tmp_path, monkeypatch):
    points = {test: number / 2 for number, test in enumerate(hostile.POINTS)}
    with open(tmp_path / "grades.csv", "w", encoding="utf-8-sig", newline="") as file:
        row = {"student": "ada", "status": "graded", "explain": "", **points}
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    assert Ours(ASSIGNMENT, 1, sandboxed=True).points(tmp_path) == {"ada": points}

    # nbgrader calls alembic by name when it makes a grade book.
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        gradebook.add_assignment(ASSIGNMENT)
        gradebook.add_notebook(ASSIGNMENT, ASSIGNMENT)
        gradebook.add_grade_cell("explain", ASSIGNMENT, ASSIGNMENT, max_score=3, cell_type="markdown")
        for test in points:
            gradebook.add_grade_cell(test, ASSIGNMENT, ASSIGNMENT, max_score=9, cell_type="code")
        gradebook.add_student("ada")
        gradebook.add_submission(ASSIGNMENT, "ada")
        for test, earned in points.items():
            gradebook.find_grade(test, ASSIGNMENT, ASSIGNMENT, "ada").auto_score = earned
        gradebook.db.commit()
    assert Nbgrader(ASSIGNMENT).points(tmp_path) == {"ada": points}

    (tmp_path / "results" / "ada").mkdir(parents=True)
    tests = [{"name": "Public Tests", "status": "passed"}]
    tests += [{"name": test, "score": earned, "max_score": 9} for test, earned in points.items()]
    (tmp_path / "results" / "ada" / "results.json").write_text(json.dumps({"tests": tests}))
    assert Otter(ASSIGNMENT, Path("python")).points(tmp_path) == {"ada": points}


# --- the table, and the command


def test_the_table_has_medians_ranges_and_ratios_within_each_round():
    runs = {
        "ours": [Footprint(3.0, 3.0, 10**9), Footprint(9.0, 9.0, 2 * 10**9)],
        NOBODY: [Footprint(1.0, 1.0, 10**8), Footprint(1.0, 9.0, 10**8)],
    }
    lines = grading.table_of(runs, NOBODY).splitlines()
    # The ratio of the medians would be 1.20.
    assert lines[2] == "| ours | 6.0 (3.0 to 9.0) | 6.0 (3.0 to 9.0) | 2.00 | 2,000 MB |"
    assert lines[3] == f"| {NOBODY} | 1.0 (1.0 to 1.0) | 5.0 (1.0 to 9.0) | 1.00 | 100 MB |"


class Nobody:
    """Grades nothing, in two steps, and gives the marks that it was told to."""

    def __init__(self, take: float = 0.0) -> None:
        self.take, self.classes = take, []

    def prepare(self, released, folder):
        folder.mkdir()

    def steps(self, folder):
        command = [sys.executable, "-c", "import sys; sys.exit(0)"]
        return [Step(NOBODY, command), Step(f"{NOBODY}, twice", command)]

    def points(self, folder):
        students = self.classes[-1]
        expected = grading.foretold(ASSIGNMENT, students)
        expected[next(iter(students))]["predict-test"] -= self.take
        return expected


@pytest.fixture
def nobody(monkeypatch):
    """The only grader; classes are not written, but kept with it."""
    grader = Nobody()
    monkeypatch.setattr(grading, "graders_here", lambda assignment, otter: [grader])
    monkeypatch.setattr(grading, "prepare_with", lambda command: None)
    monkeypatch.setattr(
        grading, "write", lambda folder, assignment, students: grader.classes.append(students)
    )
    monkeypatch.setattr(grading, "find_otter", lambda folder: (None, "otter-grader is not here"))
    return grader


@linux
def test_the_command_grades_other_students_in_each_round_and_prints_the_table(nobody, capsys):
    grading.main(["--submissions", "5", "--rounds", "2"])
    assert [list(students) for students in nobody.classes] == [
        ["student000", "student001"],
        ["student002", "student003", "student004"],
    ]
    printed = capsys.readouterr().out
    assert f"\n| {NOBODY} | " in printed and f"\n| {NOBODY}, twice | " in printed
    assert "otter-grader is not here" in printed
    assert "Marks: all graders gave what the bank of solutions foretells" in printed


@linux
def test_the_command_fails_when_a_mark_is_wrong(nobody):
    nobody.take = 0.5
    with pytest.raises(SystemExit, match=f"{NOBODY}: student000, predict-test: 1.5 instead of 2"):
        grading.main(["--submissions", "1", "--rounds", "1"])


@pytest.mark.parametrize("options", [["--rounds", "0"], ["--submissions", "2", "--rounds", "3"]])
def test_the_command_refuses_rounds_without_submissions(options, capsys):
    with pytest.raises(SystemExit):
        grading.main(options)
    assert "each round needs a submission" in capsys.readouterr().err
