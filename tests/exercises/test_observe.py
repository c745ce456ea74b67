"""Observing describes whatever comes of a student's function, and nothing of it gets out or stays."""

from __future__ import annotations

import sys
import warnings
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from fmnist_helpers.exercises.observation import Call, Seen, decode, encode
from fmnist_helpers.exercises.observe import call, describe


class Hostile:
    """Answers every question with an error."""

    def __getattribute__(self, name):
        raise SystemError("mine")

    def __repr__(self):
        raise SystemError("mine")


class Agreeable(torch.Tensor):
    """A tensor that answers every question with yes."""

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        return torch.tensor(True)


VALUES = [
    None,
    1,
    2.5,
    True,
    float("inf"),
    "text",
    b"bytes",
    [1, "two", None],
    (1.0, [2]),
    {"a": 1, 2: [3]},
    np.float64(1.5),
    np.int32(3),
    np.bool_(True),
    np.ones((2, 2)),
    torch.ones(2, 3, dtype=torch.int64),
    torch.ones(()),
    nn.Parameter(torch.ones(2)),
    nn.Linear(2, 2),
    print,
    OrderedDict(a=1),
    namedtuple("Pair", "a b")(1, 2),
    Hostile(),
    torch.ones(3).as_subclass(Agreeable),
    list(range(100_000)),
    torch.empty(10_000_000),
    "x" * 10**6,
]


@pytest.mark.parametrize("place", range(len(VALUES)))
def test_anything_can_be_described_and_sent(place):
    value = VALUES[place]
    seen = describe(value)
    assert seen.type == type(value).__name__
    data = encode(seen)
    assert len(data) < 1_000_000
    assert decode(Seen, data) == seen


def test_numbers_are_told_from_truth_values_and_texts():
    assert [describe(one).number for one in (3, 2.5, np.float32(2.5), np.int64(7))] == [3, 2.5, 2.5, 7]
    assert [describe(one).truth for one in (True, np.bool_(False), 1)] == [True, False, None]
    assert describe(True).number is None and describe("3").number is None
    assert describe("3").text == "3"


def test_tensors_are_described_by_what_they_hold():
    seen = describe(torch.tensor([[1, 2], [3, 4]]))
    assert (seen.array.dtype, seen.array.shape, seen.array.numbers) == ("int64", [2, 2], [1, 2, 3, 4])
    assert describe(nn.Parameter(torch.ones(2))).graph and not describe(torch.ones(2)).graph
    assert describe(torch.ones(3).as_subclass(Agreeable)).array.numbers == [1, 1, 1]


def test_a_list_that_holds_itself_has_an_end():
    endless = []
    endless.append(endless)
    assert decode(Seen, encode(describe(endless))) == describe(endless)


def test_a_call_gives_back_the_object_too():
    made = nn.Linear(1, 1)
    seen, result = call(lambda: made)
    assert result is made
    assert seen.raised is None and seen.result.is_a("Module")


@pytest.mark.parametrize(
    ("function", "kind", "message", "unwritten"),
    [
        (lambda: [][0], "IndexError", "list index out of range", False),
        (lambda: (_ for _ in ()).throw(ValueError("one.\ntwo")), "ValueError", "one", False),
        (
            lambda: (_ for _ in ()).throw(NotImplementedError("Replace this line by your code.")),
            None,
            None,
            True,
        ),
        (lambda: (_ for _ in ()).throw(NotImplementedError), None, None, True),
        (lambda: torch.ones(2, dtype=torch.uint8).mean(), None, None, False),
    ],
)
def test_what_is_raised_is_described(function, kind, message, unwritten):
    seen, result = call(function)
    assert result is None and seen.result is None
    assert kind in (None, seen.raised.type) and message in (None, seen.raised.message)
    assert seen.raised.unwritten is unwritten
    assert decode(Call, encode(seen)) == seen


def test_the_students_line_is_named():
    namespace = {}
    import linecache

    source = "def broken():\n    return 1 / 0\n"
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(keepends=True), "<cell>")
    exec(compile(source, "<cell>", "exec"), namespace)
    assert call(namespace["broken"])[0].raised.line == "return 1 / 0"


def test_what_cannot_be_called_is_described():
    seen, _ = call(3)
    assert not seen.callable and seen.result.type == "int"


def test_an_interrupt_gets_through():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(interrupted)


def test_switches_are_as_before_and_what_was_left_off_is_told():
    seen, _ = call(lambda: torch.set_grad_enabled(False) and None)
    assert seen.gradients_left_off and torch.is_grad_enabled()
    call(lambda: torch.set_default_dtype(torch.float64))
    assert torch.get_default_dtype() == torch.float32


def test_warnings_go_where_nbgrader_does_not_take_them_for_failures(capsys):
    def warns():
        warnings.warn("odd", stacklevel=1)
        print("also", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        call(warns)
    assert capsys.readouterr().err == ""
