"""Observing from another process: what is asked, what is answered, and what is refused."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
import torch

from fmnist_helpers.exercises import ex04_optimizer, ex05_training_loop, predictions, remote
from fmnist_helpers.exercises.check import CheckFailed
from fmnist_helpers.exercises.observation import Seen, decode, encode
from fmnist_helpers.exercises.remote import Fault, NoObservation, Reference, Reply, Request, answer
from tests.exercises.bank import read_variants

DESCEND = next(v for v in read_variants("ex04_optimizer") if v.task == "descend" and v.correct)


def reference(name: str, namespace: dict, change=lambda reply: reply) -> Reference:
    """A reference whose process is this one; what passes between is bytes all the same."""
    return Reference(name, lambda request: change(answer(request, namespace)), lambda seed: seed + 1000)


def namespace_of(variant) -> dict:
    namespace = {"torch": torch}
    exec(variant.cells[0], namespace)
    return namespace


def test_check_of_a_reference_says_what_a_check_of_the_function_says(capsys):
    namespace = namespace_of(DESCEND)
    ex04_optimizer.check_descend(namespace["descend"])
    here = capsys.readouterr().out
    ex04_optimizer.check_descend(reference("descend", namespace))
    assert capsys.readouterr().out == here != ""


def test_wrong_function_gets_its_diagnosis_from_afar():
    def top_two_accuracy(dataloader, model):
        raise NotImplementedError

    namespace = {"top_two_accuracy": top_two_accuracy}
    with pytest.raises(CheckFailed, match="it is not written yet"):
        ex05_training_loop.check_top_two_accuracy(reference("top_two_accuracy", namespace))


def test_written_seed_becomes_the_submissions_own():
    asked = []

    def order_of(seed):
        def ask(request):
            asked.append(decode(Request, request).problem)
            return answer(request, {"order": "C B D E A"})

        return Reference("order", ask, lambda written: written + seed)

    ex04_optimizer.check_order(order_of(0), seed=5)
    ex04_optimizer.check_order(order_of(5))
    ex04_optimizer.check_order(order_of(6))
    assert asked[0] == asked[1] != asked[2]


def test_name_that_the_student_has_not_defined_is_said():
    with pytest.raises(NoObservation) as caught:
        ex04_optimizer.check_descend(reference("descend", {}))
    assert (caught.value.name, caught.value.message) == ("NameError", "name 'descend' is not defined")


def test_what_a_given_cell_measured_is_asked_for():
    namespace = {"predicted": {"loss": 1.0, "mode": "eval"}, "held": {"loss": False, "mode": True}}
    namespace["measured"] = {"loss": torch.tensor(2.5), "mode": "eval"}
    things = [reference(name, namespace) for name in ("predicted", "held", "measured")]
    predictions.check_prediction(*things, section="batches")
    namespace["held"]["loss"] = True
    with pytest.raises(CheckFailed, match=r"what was measured\s+is 2\.5"):
        predictions.check_prediction(*things, section="batches")


def test_no_exception_is_let_through_by_an_instructors_except():
    assert not issubclass(NoObservation, Exception)


def test_switches_left_on_are_told_with_an_observation_and_with_a_fault():
    told = []

    def ask(request):
        with torch.inference_mode():
            return answer(request, namespace_of(DESCEND))

    for name, passes in (("descend", contextlib.nullcontext()), ("another", pytest.raises(NoObservation))):
        with passes:
            ex04_optimizer.check_descend(Reference(name, ask, lambda seed: seed, told.append))
    assert told == [["inference_mode"]] * 2


def lying(fields: dict):
    """Return a change of a reply: other values for some fields."""

    def change(data: bytes) -> bytes:
        return encode(msgspec.structs.replace(decode(Reply, data), **fields))

    return change


@pytest.mark.parametrize(
    "change",
    [
        lying({"version": 2}),
        lying({"nonce": "0" * 32}),
        lying({"observation": b""}),
        lying({"observation": encode(Seen("Tensor"))}),
        lying({"observation": bytes(remote.MOST_OBSERVED + 2000)}),
        lying({"switches": ["<b>a word of my own</b>"]}),
        lying({"switches": ["gradients"] * 1000}),
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: b"\xc1",
        lambda data: b"\x91" * 100_000,
    ],
    ids=["version", "nonce", "empty", "kind", "large", "word", "words", "nothing", "cut", "byte", "deep"],
)
def test_reply_that_is_none_is_refused(change):
    function = reference("descend", namespace_of(DESCEND), change)
    with pytest.raises(NoObservation) as caught:
        ex04_optimizer.check_descend(function)
    assert caught.value.name == "MalformedError"


def test_fault_is_told_in_few_words():
    fault = Fault("E" * 10_000, "m" * 10_000)
    with pytest.raises(NoObservation) as caught:
        ex04_optimizer.check_descend(reference("descend", {}, lying({"fault": fault, "observation": b""})))
    assert len(caught.value.name) == 100 and len(caught.value.message) == 1000


class Worst(BaseException):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Worst, GeneratorExit])
def test_whatever_a_student_raises_there_is_a_reply(error):
    class Thing:
        def __call__(self, *arguments):
            raise error

    request = Request(1, "n", "ex04_observe.observe_order", ["order"], b"\xc0")
    assert decode(Reply, answer(encode(request), {"order": Thing()})).fault.name == "MalformedError"
    namespace = {"descend": Thing()}
    try:
        ex04_optimizer.check_descend(reference("descend", namespace))
    except NoObservation as caught:
        assert caught.name == error.__name__
    except CheckFailed as failure:
        assert error is SystemExit and "raised SystemExit" in str(failure)
    else:
        pytest.fail("something that raises passed")
