"""A prediction is compared honestly, whatever kinds of numbers, words and truth values it is written with."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist_helpers.exercises import CheckFailed
from fmnist_helpers.exercises.observation import decode, encode
from fmnist_helpers.exercises.predictions import (
    PredictionProblem,
    PredictionSeen,
    check_prediction,
    judge_prediction,
    observe_prediction,
)

MEASURED = {"batches": 16, "loss": 1.39, "same": "yes"}
ALL_HELD = dict.fromkeys(MEASURED, True)


class Word(str):
    """A word of a class of its own."""


class Awkward:
    """Every method raises."""

    def refuse(self, *arguments):
        raise RuntimeError("no")

    __call__ = __iter__ = __len__ = __repr__ = __eq__ = __getitem__ = __float__ = refuse
    __hash__ = None


def judged(predicted, held):
    """Return what is said of a comparison, from an observation that has been bytes in between."""
    seen = observe_prediction(predicted, held)
    assert decode(PredictionSeen, encode(seen)) == seen
    try:
        return judge_prediction(PredictionProblem(MEASURED, "batches"), seen)
    except CheckFailed as failure:
        return failure.seen


def test_prediction_that_is_nearly_right_may_be_called_either():
    for held in (True, False):
        check_prediction({"loss": 1.386}, {"loss": held}, {"loss": 1.3862}, section="untrained_loss")
    with pytest.raises(CheckFailed, match="did not hold"):
        check_prediction({"loss": 1.3862}, {"loss": False}, {"loss": 1.3862}, section="untrained_loss")
    for too_far in (1.5, 1.4, 1.38):
        with pytest.raises(CheckFailed, match="held, but it was"):
            check_prediction({"loss": too_far}, {"loss": True}, {"loss": 1.39}, section="untrained_loss")


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float32, Fraction, Decimal, torch.tensor])
def test_any_kind_of_number_will_do(kind):
    assert "honestly" in judged({"batches": kind(16), "loss": 1.39, "same": "yes"}, ALL_HELD)
    wrong = judged({"batches": kind(15), "loss": 1.39, "same": "yes"}, ALL_HELD)
    assert "'batches' held, but it was 15, and what was measured is 16" in wrong


@pytest.mark.parametrize("kind", [str, np.str_, Word, str.upper, " {} ".format])
def test_any_kind_of_word_will_do(kind):
    assert "honestly" in judged({"batches": 16, "loss": 1.39, "same": kind("yes")}, ALL_HELD)
    assert "'same' held, but it was" in judged({"batches": 16, "loss": 1.39, "same": kind("no")}, ALL_HELD)


@pytest.mark.parametrize("kind", [bool, np.bool_, torch.tensor])
@pytest.mark.parametrize("mapping", [dict, OrderedDict, lambda entries: defaultdict(bool, entries)])
def test_any_kind_of_truth_and_of_dict_will_do(kind, mapping):
    predicted = mapping({"batches": 16, "loss": 2.0, "same": "yes"})
    assert "honestly" in judged(
        predicted, mapping({"batches": kind(True), "loss": kind(False), "same": True})
    )
    assert "loss" in judged(predicted, mapping(ALL_HELD))


@pytest.mark.parametrize(
    ("predicted", "held", "words"),
    [
        (None, ALL_HELD, "predicted should be a dict with exactly the keys"),
        ({"batches": True, "loss": 1.39, "same": "yes"}, ALL_HELD, "type int or float, and it is bool"),
        ({"batches": [15, 16], "loss": 1.39, "same": "yes"}, ALL_HELD, "type int or float, and it is list"),
        ({"batches": Awkward(), "loss": 1.39, "same": "yes"}, ALL_HELD, "and it is Awkward"),
        ({"batches": 16, "loss": 1.39, "same": 1}, ALL_HELD, "should be of type str, and it is int"),
        (MEASURED, Awkward(), "held should be a dict with exactly the keys"),
        (MEASURED, ALL_HELD | {"more": True}, "held should be a dict with exactly the keys"),
        (
            MEASURED,
            ALL_HELD | {"same": "True"},
            "held['same'] should be True or False, and it is of type str",
        ),
        (MEASURED, ALL_HELD | {"same": Awkward()}, "True or False, and it is of type Awkward"),
        (MEASURED, ALL_HELD | {"batches": False}, "did not hold, but it was 16"),
    ],
)
def test_what_is_no_honest_comparison_is_told(predicted, held, words):
    assert words in judged(predicted, held)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from(["yes", "batches", "loss", "same"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(list(MEASURED)), inside),
    max_leaves=8,
)
entries = st.fixed_dictionaries(dict.fromkeys(MEASURED, anything)) | anything


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(entries, entries)
def test_anything_is_judged(predicted, held):
    assert judged(predicted, held)
