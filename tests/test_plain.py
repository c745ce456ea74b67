"""NumPy's values become Python's own, equal and of the exact kind; numbers in any guise are read, all else is not."""

from __future__ import annotations

import enum
import json
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fmnist_helpers.plain import plain, real_number, whole_number


class Colour(enum.IntEnum):
    RED = 3


class Word(str, enum.Enum):  # noqa: UP042  (an older kind, whose str() is its name)
    RATE = "lr"


@given(hnp.arrays(st.sampled_from(["f4", "f8", "i1", "u8", "?", "U3"]), hnp.array_shapes(max_dims=3)))
def test_an_array_becomes_what_numpy_itself_makes_a_list_of(array):
    # Written as JSON: that tells 1 from 1.0 and from true, and refuses whatever is NumPy's.
    assert json.dumps(plain({"a": (array,)})) == json.dumps({"a": [array.tolist()]})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.1), 0.1),
        (np.longdouble(0.5), 0.5),
        (np.int16(-3), -3),
        (np.bool_(True), True),
        (np.str_("coat"), "coat"),
        (np.complex64(1j), 1j),
        (np.array(7), 7),
        (Colour.RED, 3),
        (Word.RATE, "lr"),
        ({np.int64(1): [np.float32(0.5)]}, {1: [0.5]}),
        (None, None),
        (True, True),
    ],
)
def test_a_value_becomes_pythons_own(value, expected):
    result = plain(value)
    assert result == expected
    assert type(result) is type(expected)


def test_tensors_and_unknown_things_stay_as_they_are():
    for value in (torch.ones(2), object(), Fraction(1, 3)):
        assert plain([value])[0] is value


@pytest.mark.parametrize(
    "value", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3), Colour.RED], ids=repr
)
def test_whole_numbers_in_any_guise_are_read(value):
    assert whole_number(value) == real_number(value) == 3
    assert type(whole_number(value)) is int
    assert type(real_number(value)) is float


NO_NUMBERS = [True, np.bool_(False), torch.tensor(True), np.array([True]), "3", b"3", None, [3], (1, 2), 1j]


@pytest.mark.parametrize(
    "value", [*NO_NUMBERS, 2.5, 2.0, np.float64(2), Fraction(4, 2), torch.tensor(2.0)], ids=repr
)
def test_what_is_no_whole_number_is_none(value):
    assert whole_number(value) is None


@pytest.mark.parametrize(
    "value", [*NO_NUMBERS, torch.ones(2), np.ones(2), 10**400], ids=lambda v: repr(v)[:20]
)
def test_what_is_no_number_is_none(value):
    assert real_number(value) is None


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        Fraction(1, 2),
        Decimal("0.5"),
        np.float16(0.5),
        np.array([0.5]),
        torch.full((1,), 0.5).requires_grad_(),
    ],
    ids=repr,
)
def test_numbers_in_any_guise_are_read_without_a_warning(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert real_number(value) == 0.5
