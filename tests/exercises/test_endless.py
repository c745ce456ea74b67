"""A function without an end: what a check says of it, in a learner's notebook and from afar."""

from __future__ import annotations

import linecache

import numpy as np
import pytest
import torch

from fmnist_helpers.exercises import ex04_optimizer, ex05_training_loop, remote
from fmnist_helpers.exercises.check import CheckFailed, TookAllMemory
from fmnist_helpers.exercises.endless import endless, no_memory_left
from fmnist_helpers.exercises.observation import Raised, encode
from fmnist_helpers.exercises.turns import turns, your_turn

TOO_MUCH = 2**62
"""Bytes that no machine has."""


def descends_without_end(slope, start, rate, num_steps):
    return descends_without_end(slope, start, rate, num_steps)


def evaluates_without_end(dataloader, model):
    model.eval()
    while True:
        for images, _ in dataloader:
            with torch.no_grad():
                model(images)


def told(check, function) -> tuple[str, CheckFailed]:
    with pytest.raises(CheckFailed) as raised:
        check(function)
    return " ".join(str(raised.value).split()), raised.value


@pytest.mark.parametrize(
    "take",
    [
        lambda: bytearray(TOO_MUCH),
        lambda: np.zeros(TOO_MUCH // 8),
        lambda: torch.zeros(TOO_MUCH // 64),
    ],
    ids=["Python", "NumPy", "PyTorch"],
)
def test_no_memory_is_told_in_words_whoever_says_it(take):
    text, failure = told(ex04_optimizer.check_descend, lambda *arguments: take())
    assert "it asked for more memory than it may take, and was stopped" in text
    assert "Usually this is an endless loop that adds to something" in text
    assert type(failure) is TookAllMemory and "loop" in " ".join(failure.hints)


def test_function_that_calls_itself_is_told_so():
    text, failure = told(ex04_optimizer.check_descend, descends_without_end)
    assert "it called itself again and again without an end" in text and "RecursionError" not in text
    assert "calls itself" in failure.hints.where and type(failure) is CheckFailed


def test_loop_over_a_loader_that_starts_again_and_again_is_called_endless():
    text, _ = told(ex05_training_loop.check_top_two_accuracy, evaluates_without_end)
    assert "it took batch after batch from the loader without an end" in text and "an endless loop" in text


def test_other_errors_say_nothing_of_loops():
    for error in (
        ValueError("too large"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        KeyError("x"),
    ):
        assert endless(Raised(type(error).__name__, str(error))) is None
    assert no_memory_left("RuntimeError", "std::bad_alloc") and not no_memory_left("NameError", "x")


def test_task_of_a_lesson_says_it_too(capsys):
    def to_logits(*arguments):
        return bytearray(TOO_MUCH)

    to_logits.__name__ = next(iter(turns()))
    your_turn(to_logits)
    assert "asked for more memory than it may take" in " ".join(capsys.readouterr().out.split())


def test_line_in_which_it_was_interrupted_is_known_from_afar(monkeypatch):
    namespace, replies, name = {}, [], "<ipython-input-1>"
    source = (
        "def descend(slope, start, rate, num_steps):\n    raise KeyboardInterrupt  # as the grader does\n"
    )
    monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(keepends=True), name))
    exec(compile(source, name, "exec"), namespace)

    def ask(request: bytes) -> bytes:
        replies.append(remote.answer(request, namespace))
        return replies[-1]

    with pytest.raises(remote.NoObservation):
        ex04_optimizer.check_descend(remote.Reference("descend", ask, lambda seed: seed))
    assert remote.interrupted_in(replies[0]) == "raise KeyboardInterrupt  # as the grader does"


@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"",
        b"\xff" * 100,
        encode(remote.Reply(1, "x")),
        encode(remote.Reply(1, "x", fault=remote.Fault("E", "m"))),
    ],
)
def test_no_line_is_known_where_the_reply_names_none(reply):
    assert remote.interrupted_in(reply) == ""


def test_line_is_bounded():
    fault = remote.Fault("KeyboardInterrupt", "x" * 100_000)
    assert len(remote.interrupted_in(encode(remote.Reply(1, "x", fault=fault)))) == 200
