"""How a check ends: with a line that says what was right, or with a diagnosis and two more steps of help."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from fmnist_helpers.exercises import CheckFailed, check, hint
from fmnist_helpers.exercises.check import Check, Hints, Wrong, close, conclude, mean, mean_of_batch_means
from fmnist_helpers.exercises.observation import Array, Call, Raised
from fmnist_helpers.exercises.observe import call, describe
from tests.tools.course import COURSE

CHECK = Check("descend", "downhill")
HINTS = Hints("Look here.", "Think so.")


@pytest.fixture(autouse=True)
def no_failure_before():
    check._last.clear()


def failure(judgement, *arguments, **options) -> CheckFailed:
    with pytest.raises(CheckFailed) as raised:
        judgement(*arguments, **options)
    return raised.value


def words(error: CheckFailed) -> str:
    return " ".join(str(error).split())


# --- diagnoses and hints -----------------------------------------------------------------------------------


def test_diagnosis_says_what_was_seen_believed_and_where_to_read():
    text = words(failure(CHECK.fail, "it went up.", "gradients_reset"))
    assert text.startswith("descend is not right yet. What was seen: it went up.")
    assert '"gradients reset themselves". But backward adds' in text
    assert 'Read again: Lesson 04, section 4, "Calling backward twice".' in text


def test_without_a_belief_the_section_is_the_checks_and_the_task_is_to_be_read():
    error = failure(CHECK.fail, "it went up.")
    assert error.belief is None and error.section == "downhill"
    assert error.hints == check.READ_THE_TASK
    assert "Lesson 04, section 1" in words(error)


def test_own_hints_and_sections_come_first():
    error = failure(CHECK.fail, "it went up.", "gradients_reset", HINTS, section="rate")
    assert (error.hints, error.section, error.belief) == (HINTS, "rate", "gradients_reset")


def test_ipython_shows_the_diagnosis_and_no_line_of_the_check():
    shown = "\n".join(failure(CHECK.fail, "it went up.", "gradients_reset")._render_traceback_())
    assert "descend is not right yet" in shown and "hint()" in shown
    assert "File" not in shown


def test_hints_come_one_by_one_until_the_check_passes(capsys):
    hint()
    assert "No check has failed" in capsys.readouterr().out
    failure(conclude, "descend", lambda: CHECK.fail("it went up.", "gradients_reset"))
    hint()
    assert "hint 1 of 2" in (first := capsys.readouterr().out) and "Where to look" in first
    hint()
    assert "hint 2 of 2" in (second := capsys.readouterr().out) and "How to think about it" in second
    hint()
    assert "That was the last hint" in capsys.readouterr().out
    conclude("descend", lambda: "all is well")
    assert capsys.readouterr().out == "descend: all is well\n"
    hint()
    assert "No check has failed" in capsys.readouterr().out


# --- the form of what came back ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (Call("f", False, describe(3)), "a function was expected, and there is an object of type int"),
        (Call("f", True, None, Raised("NotImplementedError", "", "", True)), "it is not written yet"),
        (
            Call("inner", True, None, Raised("IndexError", "out of range", "x[9]")),
            "descend is not right yet. What was seen: it raised IndexError: out of range (in the line `x[9]`).",
        ),
        (Call("f", True, describe(None), None, True), "gradients were switched off and stayed off"),
    ],
)
def test_a_call_without_a_result_is_explained(seen, said):
    assert said in words(failure(CHECK.result, seen))


def test_a_call_gives_its_result():
    seen, _ = call(lambda a, b=1: a + b, 1, b=2)
    assert CHECK.result(seen).number == 3


@pytest.mark.parametrize("value", [True, "1", None, torch.tensor(1.0), [1.0]])
def test_numbers_are_numbers_and_nothing_else(value):
    assert "the result should be a Python number" in words(
        failure(CHECK.number, describe(value), "the result")
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1.0, 2.0], "should be Tensor, and it is list"),
        (None, "should be Tensor, and it is None (is a return missing?)"),
        (torch.ones(3), "should have shape (2,), and it has (3,)"),
        (torch.ones(2, dtype=torch.int64), "should be torch.float32, and it is torch.int64"),
    ],
)
def test_tensors_have_their_type_shape_and_dtype(value, said):
    assert said in words(failure(CHECK.tensor, describe(value), (2,), "the result", "float32"))


def test_subclasses_are_what_they_inherit_from():
    assert CHECK.tensor(describe(nn.Parameter(torch.ones(2))), (2,), "the result").tolist() == [1, 1]

    class Pair(tuple):
        pass

    assert [one.number for one in CHECK.items(describe(Pair((1, 2))), "the result", "tuple", 2)] == [1, 2]
    assert "should have 3 parts" in words(failure(CHECK.items, describe([1]), "the result", number=3))


# --- its content -------------------------------------------------------------------------------------------


def test_a_result_is_compared_with_the_right_one_first_and_then_with_likely_wrong_ones():
    wrong = [
        Wrong(2.0, "twice as much came back.", "sum_is_mean"),
        Wrong(-1.0, "the sign is wrong.", None, HINTS),
    ]
    otherwise = Wrong(None, "another number came back.")
    assert CHECK.compare(1.0, 1.0, wrong, otherwise) is None
    assert failure(CHECK.compare, 2.0, 1.0, wrong, otherwise).belief == "sum_is_mean"
    assert failure(CHECK.compare, -1.0, 1.0, wrong, otherwise).hints == HINTS
    last = failure(CHECK.compare, 5.0, 1.0, wrong, otherwise)
    assert last.seen == "another number came back." and last.belief is None


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (1.0, 1.0 + 1e-7, True),
        (1.0, 1.001, False),
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, 1.0, False),
        (1.0, math.inf, False),
        ([1.0, 2.0], torch.tensor([1.0, 2.0]), True),
        ([1.0], [1.0, 2.0], False),
        ([], [1.0], False),
        ([torch.ones(2), 3], [[1, 1], 3.0], True),
        (Array("float32", [2], [1.0, 2.0]), torch.tensor([1, 2]), True),
    ],
)
def test_close_compares_numbers_one_by_one(one, other, agree):
    assert close(one, other) is agree


def test_a_short_last_batch_counts_too_much_in_a_mean_of_means():
    assert mean([1, 2, 3, 6]) == 3 and math.isnan(mean([]))
    assert mean_of_batch_means([1, 1, 1, 1, 6], 4) == 3.5


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
