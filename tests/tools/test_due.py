"""Every piece of a long suite has its turn."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.exercises import through_grader
from tests.faults.fault import read_faults
from tests.faults.run import asked_for
from tests.tools.course import COURSE
from tests.tools.due import PARTS, due, number_of_commits


@pytest.mark.parametrize("length", [0, 1, 2, 3, 10, 59])
@pytest.mark.parametrize("first", [0, 1, 1234])
def test_commits_in_a_row_try_every_piece_once(length, first):
    pieces = list(range(length))
    tried = [piece for number in range(first, first + PARTS) for piece in due(pieces, number)]
    assert sorted(tried) == pieces


def test_command_prints_what_is_due():
    command = [sys.executable, "-m", "tests.tools.due", *"abcdefg"]
    done = subprocess.run(command, cwd=COURSE, capture_output=True, text=True, check=True)
    assert done.stdout.split() == due("abcdefg", number_of_commits())


def test_commits_are_counted():
    log = subprocess.run(
        ["git", "log", "--format=%H"], cwd=COURSE, capture_output=True, text=True, check=True
    )
    assert number_of_commits() == len(log.stdout.split()) > 0


def test_a_part_of_the_faults_is_due_and_names_are_obeyed():
    every, part = read_faults([]), asked_for(["--due"])
    assert 0 < len(part) <= -(-len(every) // PARTS) and {one.name for one in part} < {
        one.name for one in every
    }
    assert [one.name for one in asked_for(["no_zero_grad"])] == ["no_zero_grad"]
    assert len(asked_for([])) == len(every)


def test_a_part_of_the_students_is_due(monkeypatch):
    every, seen = through_grader.students_of("ex03_loss"), {}
    for number in range(PARTS):
        monkeypatch.setattr(through_grader, "number_of_commits", lambda number=number: number)
        part = through_grader.students_of("ex03_loss", only_due=True)
        assert len(part) < len(every)
        seen |= part
    assert seen.keys() == every.keys()


@pytest.mark.slow
def test_an_unknown_option_is_refused():
    command = [sys.executable, "-m", "tests.exercises.through_grader", "--dew"]
    done = subprocess.run(command, cwd=COURSE, capture_output=True, text=True)
    assert done.returncode != 0 and "--dew" in done.stderr
