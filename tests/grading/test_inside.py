"""The package that a submission's kernel sees: observers and everything that lessons need, and nothing that judges."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.exercises.misconceptions import BELIEFS
from fmnist_helpers.grading.inside import PACKAGE, judging_modules, write_package
from tests.exercises.test_old_name import HANDED_OUT


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inside") / "package"
    write_package(folder)
    return folder


def run(package, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_that_judges_is_known():
    names = {path.stem for path in judging_modules()}
    assert {"check", "misconceptions", "predictions", "ex01_data", "ex06_project", "turns"} <= names
    for path in (PACKAGE / "exercises").glob("*.py"):
        text = path.read_text()
        judges = "def judge_" in text or "BELIEFS" in text or "Wrong(" in text or "import Check," in text
        assert judges == (path.stem in names), path.name


def test_nothing_inside_judges_grades_or_knows_a_belief(package):
    texts = {path.relative_to(package): path.read_text() for path in package.rglob("*.py")}
    assert len(texts) > 50
    for path, text in texts.items():
        assert "def judge_" not in text and "class Wrong" not in text, path
        assert not any(belief.truth in text for belief in BELIEFS.values()), path
    grading = {path.name for path in (package / "fmnist_helpers" / "grading").iterdir()}
    assert grading == {"__init__.py", "kernel.py"}
    assert not list(package.rglob("*.pyc"))


def test_package_is_written_anew(package):
    stray = package / "fmnist_helpers" / "stray.py"
    stray.write_text("")
    write_package(package)
    assert not stray.exists()


def test_checks_and_hints_say_that_they_are_made_after_hand_in(package):
    told = run(
        package,
        """
from fmnist_helpers.exercises import CheckFailed, hint, trace_training
from fmnist_helpers.exercises.ex05_training_loop import check_train_clipped
from fmnist_helpers.exercises.predictions import check_prediction
check_train_clipped(lambda: None, max_norm=5.0)
check_prediction(1, 2, 3, section="batches")
hint()
assert issubclass(CheckFailed, AssertionError)
try:
    from fmnist_helpers.exercises.ex05_training_loop import judge_train_clipped
except ImportError:
    print("no judge")
""",
    )
    assert told.splitlines() == [
        "check_train_clipped: judged after hand-in.",
        "check_prediction: judged after hand-in.",
        "hint(): judged after hand-in.",
        "no judge",
    ]


def test_notebooks_handed_out_before_version_1_run_inside(package):
    handed_out = HANDED_OUT.partition("def top_two_accuracy")[0]
    assert "fmnist_helpers.checks is called" in run(package, handed_out)


def test_observers_and_loops_work_inside(package):
    told = run(
        package,
        """
import fmnist_helpers, importlib
from fmnist_helpers.exercises import remote
from fmnist_helpers.exercises.observation import decode, encode
for name in ("ex01", "ex02", "ex03", "ex04", "ex05", "ex06", "predictions"):
    importlib.import_module(f"fmnist_helpers.exercises.{name}_observe")
request = remote.Request(1, "n", "predictions_observe.observe_prediction", ["a", "b"], b"")
reply = decode(remote.Reply, remote.answer(encode(request), {"a": {"x": 1}, "b": {"x": True}}))
print(reply.nonce, reply.fault, len(reply.observation) > 10, fmnist_helpers.__file__)
""",
    )
    assert told.startswith("n None True") and str(package) in told


def test_task_of_a_lesson_is_given_back_unjudged_and_its_solution_is_nowhere(package):
    told = run(
        package,
        "from fmnist_helpers.exercises import your_turn\n"
        "def sgd_step(): pass\n"
        "print(your_turn(sgd_step) is sgd_step)",
    )
    assert told == "True\n"
    assert not any("def sgd_step" in path.read_text() for path in package.rglob("*.py"))
