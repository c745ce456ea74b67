"""The attack table, graded by the real command: nothing earns a mark that was not computed, and no habit is flagged."""

from __future__ import annotations

import base64
import codecs
import shutil
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from tests.exercises import hostile
from tests.exercises.attacks import ATTACKS
from tests.exercises.hostile import ASSIGNMENT, POINTS
from tests.grading.conftest import PROBLEM, SANDBOX, Graded, command, hidden_lines


@pytest.fixture(scope="module")
def attacked(tmp_path_factory, released) -> Graded:
    folder = Path(shutil.copytree(released, tmp_path_factory.mktemp("attacks") / "a class"))
    release = folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    cases = hostile.write(folder / "submitted", release, ATTACKS, sandboxed=not PROBLEM)
    done = command("grade", "--out", folder, "--cell-seconds", 10, *SANDBOX)
    assert done.returncode == 0, done.stdout + done.stderr
    return Graded(folder, done, cases)


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.student)
def test_each_attack_and_each_habit_gets_its_marks(attacked, case):
    if case.needs_sandbox and PROBLEM:
        pytest.skip(f"runs only inside the sandbox: {PROBLEM}")
    row = attacked.rows[case.student]
    told = "; ".join(row[column] for column in ("detail", "flags", "notes"))
    marks = {task: float(row[task]) for task in POINTS}
    assert marks == {task: 0 if task in case.lost else most for task, most in POINTS.items()}, told
    assert row["status"] == case.status, told
    assert case.words in told


def test_no_test_cell_ran_in_a_students_process(attacked):
    assert not any(row["unprotected"] for row in attacked.rows.values())


def test_hidden_tests_leave_in_no_code(attacked):
    page = attacked.page("tells what it sees")
    outputs = attacked.outputs("tells what it sees")
    assert base64.b64encode(b"accuracy_by_class")[4:12].decode() in outputs  # it did tell something
    for line in hidden_lines():
        for form in (line, line[::-1], codecs.encode(line, "rot13"), " ".join(line)):
            assert form not in page and form not in outputs
        # Whatever its place among the groups of three, this part of the line would stand there.
        for shift in range(3):
            assert base64.b64encode(line[shift:].encode()).decode()[:-4] not in outputs


@pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)
def test_nothing_of_the_judge_is_in_the_sandbox(attacked):
    assert "found of the judge: []" in attacked.outputs("looks for the judge")
