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

from fmnist_helpers.plain import plain, real_number, require_whole_number, shown, whole_number


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


# --- in sentences ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_whole_numbers_of_every_kind_are_taken(value):
    number = require_whole_number("count", value, 3, 3)
    assert number == 3 and type(number) is int


@pytest.mark.parametrize(
    ("value", "limits", "sentence"),
    [
        (64.0, (), "count is 64.0 (float); it must be an integer (int)"),
        (0.5, (1,), "count is 0.5 (float); it must be an integer (int), 1 or above"),
        ("3", (1, 9), "count is '3' (str); it must be an integer (int) from 1 to 9"),
        (None, (), "count is None (NoneType); it must be an integer (int)"),
        (True, (0,), "count is True (bool); it must be an integer (int), 0 or above"),
        (np.bool_(True), (), "count is np.True_ (bool); it must be an integer (int)"),
        (torch.tensor(2.0), (), "count is tensor(2.) (Tensor); it must be an integer (int)"),
        (np.float32(2), (), "count is np.float32(2.0) (float32); it must be an integer (int)"),
        (int, (), "count is the class int; it must be an integer (int)"),
        (0, (1,), "count is 0; it must be 1 or above"),
        (np.int8(-1), (0, 9), "count is -1; it must be from 0 to 9"),
        (10, (0, 9), "count is 10; it must be from 0 to 9"),
    ],
)
def test_everything_else_is_refused_with_its_type(value, limits, sentence):
    with pytest.raises(ValueError) as raised:
        require_whole_number("count", value, *limits)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (torch.nn.Linear, "the class Linear"),
        (torch.nn.Sequential(torch.nn.ReLU()), "of type Sequential"),
        (torch.nn.Linear(2, 2).state_dict(), "of type OrderedDict"),
        (torch.zeros(3, 40), "of type Tensor and shape (3, 40)"),
        (np.zeros((50, 2)), "of type ndarray and shape (50, 2)"),
        (torch.nn.UninitializedParameter(), "of type UninitializedParameter"),
        (len, "of type builtin_function_or_method"),
        (Colour.RED, "of type Colour"),
        ([0.5], "[0.5] (list)"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_is_named_with_its_type_in_one_line(value, expected):
    assert shown(value) == expected
