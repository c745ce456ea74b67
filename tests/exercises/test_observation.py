"""An observation is plain data with a schema: what is well-formed comes back as it was, all else is refused."""

from __future__ import annotations

import math

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fmnist_helpers.exercises.observation import (
    MOST_BYTES,
    Array,
    Call,
    Event,
    MalformedError,
    Raised,
    Seen,
    decode,
    encode,
)
from tests.test_properties import repeatable

numbers = st.floats(allow_nan=False)
texts = st.text(max_size=20)
arrays = st.lists(numbers, max_size=6).map(lambda found: Array("float32", [len(found)], found))
raised = st.builds(Raised, texts, texts, texts, st.booleans())
events = st.builds(
    Event, texts, st.integers(0, 9), st.booleans(), st.booleans(), numbers, st.none() | numbers
)
leaves = st.builds(
    Seen,
    type=texts,
    shown=texts,
    number=st.none() | numbers,
    truth=st.none() | st.booleans(),
    array=st.none() | arrays,
)
values = st.recursive(
    leaves,
    lambda inner: st.builds(
        Seen,
        type=texts,
        items=st.lists(inner, max_size=3),
        entries=st.none() | st.lists(st.tuples(inner, inner), max_size=2),
    ),
    max_leaves=6,
)
calls = st.builds(Call, texts, st.booleans(), st.none() | values, st.none() | raised, st.booleans())


@repeatable
@given(calls | events | raised | arrays)
def test_what_is_well_formed_comes_back_as_it_was(observation):
    assert decode(type(observation), encode(observation)) == observation


@repeatable
@given(st.binary(max_size=200))
def test_any_bytes_are_an_observation_or_refused(data):
    try:
        found = decode(Call, data)
    except MalformedError as error:
        assert "no observation of the kind Call" in str(error)
    else:
        assert isinstance(found, Call)


@repeatable
@given(calls, st.data())
def test_a_damaged_observation_is_refused_or_another_one(observation, data):
    whole = bytearray(encode(observation))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    try:
        found = decode(Call, bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except MalformedError:
        return
    assert isinstance(found, Call)


@pytest.mark.parametrize(
    "data",
    [
        {"name": "f", "result": {"type": "float", "number": "many"}},
        {"name": "f", "result": {"type": "list", "items": [{"shown": "no type"}]}},
        {"name": 3},
        {
            "name": "f",
            "result": {"type": "Tensor", "array": {"dtype": "float32", "shape": [2, 3], "numbers": [1.0]}},
        },
        {
            "name": "f",
            "result": {"type": "Tensor", "array": {"dtype": "float32", "shape": [-1, -1], "numbers": [1.0]}},
        },
        [],
        None,
    ],
)
def test_what_has_another_form_is_refused(data):
    with pytest.raises(MalformedError):
        decode(Call, msgspec.msgpack.encode(data))


def test_nesting_without_end_and_endless_size_are_refused():
    nested = b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(MalformedError):
        decode(Call, b"\x82\xa4name\xa1f\xa6result" + nested)
    with pytest.raises(MalformedError, match="too large"):
        decode(Call, bytes(MOST_BYTES + 1))


def test_an_array_is_a_tensor_again_with_nan_and_infinity():
    seen = decode(Array, encode(Array("float32", [2, 2], [1.0, math.nan, math.inf, -2.0])))
    expected = torch.tensor([[1.0, math.nan], [math.inf, -2.0]], dtype=torch.float64)
    torch.testing.assert_close(seen.tensor(), expected, equal_nan=True)
    assert Array("int64", [], [3.0]).tensor().shape == ()
