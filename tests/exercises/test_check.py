"""How a check calls a student's function, compares, and ends; what each accepts is in test_exercises.py."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn

from fmnist_helpers.exercises import CheckFailed, check, hint
from fmnist_helpers.exercises.check import fail, passed
from tests.tools.course import COURSE


@pytest.fixture(autouse=True)
def no_failure_before():
    check._last.clear()


def failure(*arguments, **options) -> CheckFailed:
    with pytest.raises(CheckFailed) as raised:
        fail(*arguments, **options)
    return raised.value


def test_diagnosis_says_what_was_seen_believed_and_where_to_read():
    text = " ".join(str(failure("descend", "it went up.", "gradients_reset")).split())
    assert text.startswith("descend is not right yet. What was seen: it went up.")
    assert '"gradients reset themselves". But backward adds' in text
    assert 'Read again: Lesson 04, section 3, "Gradients add up".' in text


def test_ipython_shows_the_diagnosis_and_no_line_of_the_check():
    shown = "\n".join(failure("descend", "it went up.", "gradients_reset")._render_traceback_())
    assert "descend is not right yet" in shown and "hint()" in shown
    assert "File" not in shown


def test_hints_come_one_by_one(capsys):
    hint()
    assert "No check has failed" in capsys.readouterr().out
    failure("descend", "it went up.", "gradients_reset")
    hint()
    assert "hint 1 of 2" in (first := capsys.readouterr().out) and "Where to look" in first
    hint()
    assert "hint 2 of 2" in (second := capsys.readouterr().out) and "How to think about it" in second
    hint()
    assert "That was the last hint" in capsys.readouterr().out
    passed("descend", "all is well")
    assert capsys.readouterr().out == "descend: all is well\n"
    hint()


def test_call_returns_what_the_function_returns():
    assert check.call(lambda a, b=1: a + b, 1, b=2, section="step") == 3


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (3, "a function was expected, and there is an object of type int"),
        (lambda: [][0], "it raised IndexError: list index out of range"),
        (lambda: (_ for _ in ()).throw(ValueError("one\ntwo")), "it raised ValueError: one"),
    ],
)
def test_call_explains_what_went_wrong(function, words):
    with pytest.raises(CheckFailed, match=words):
        check.call(function, section="step")


def test_call_says_that_a_task_is_not_written_yet():
    def task():
        raise NotImplementedError

    with pytest.raises(CheckFailed, match="task is not right yet"):
        check.call(task, section="step")


def test_call_refuses_and_mends_gradients_left_off():
    with pytest.raises(CheckFailed, match="keeps no graph any more"):
        check.call(lambda: torch.set_grad_enabled(False) and None, section="step")
    assert torch.is_grad_enabled()


def test_call_puts_warnings_where_nbgrader_does_not_take_them_for_failures(capsys):
    def warns():
        warnings.warn("odd", stacklevel=1)
        print("also", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        check.call(warns, section="step")
    assert capsys.readouterr().err == ""


def test_call_runs_what_the_grader_wants_after_it(monkeypatch):
    done = []
    monkeypatch.setattr(check, "after_call", [lambda: done.append(1)])
    check.call(lambda: None, section="step")
    with pytest.raises(CheckFailed):
        check.call(lambda: 1 / 0, section="step")
    assert done == [1, 1]


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (1.0, 1.0 + 1e-7, True),
        (1.0, 1.001, False),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
        (float("inf"), 1.0, False),
        ([1.0, 2.0], torch.tensor([1.0, 2.0]), True),
        ([1.0], [1.0, 2.0], False),
        ([], [1.0], False),
        ([torch.ones(2), 3], [[1, 1], 3.0], True),
    ],
)
def test_close_compares_numbers_one_by_one(one, other, agree):
    assert check.close(one, other) is agree


class Agreeable(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


@pytest.mark.parametrize("value", [Agreeable(1), True, "1", None, torch.tensor(1.0)])
def test_numbers_are_python_numbers_and_nothing_that_resembles_them(value):
    with pytest.raises(CheckFailed, match="should be a Python number"):
        check.expect_number("task", value, "the result", "step")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1.0, 2.0], "should be Tensor, and it is list"),
        (nn.Parameter(torch.ones(2)), "should be Tensor, and it is Parameter"),
        (torch.ones(3), r"should have shape \(2,\), and it has \(3,\)"),
        (torch.ones(2, dtype=torch.int64), "should be torch.float32, and it is torch.int64"),
    ],
)
def test_tensors_have_their_type_shape_and_dtype(value, words):
    with pytest.raises(CheckFailed) as raised:
        check.expect_tensor("task", value, (2,), "the result", "step", torch.float32)
    assert re.search(words, " ".join(str(raised.value).split()))


def test_package_loads_no_check_and_a_check_no_plot():
    code = (
        "import json, sys, fmnist_helpers; before = sorted(sys.modules);"
        "import fmnist_helpers.exercises.ex05_training_loop;"
        "print(json.dumps([[n for n in before if 'exercises' in n], 'matplotlib' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=COURSE, timeout=120
    )
    loaded, matplotlib = json.loads(done.stdout)
    assert [name for name in loaded if name.startswith("fmnist_helpers.exercises")] == []
    assert not matplotlib
