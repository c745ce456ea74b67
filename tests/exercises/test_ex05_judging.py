"""Exercise 05: what is judged is an observation, whoever made it, and nothing that a function does breaks observing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fmnist_helpers.exercises import ex05_observe as observing
from fmnist_helpers.exercises import ex05_training_loop as ex
from fmnist_helpers.exercises.check import CheckFailed
from fmnist_helpers.exercises.ex05_observe import Evaluated, Evaluation, Trained
from fmnist_helpers.exercises.observation import Array, Call, Event, Seen, decode, encode

SAMPLES = ex._telling_samples(22, 8, 0, ex._wrong_shares, ex._top_two)
TOP_TWO, BY_CLASS = Evaluation(SAMPLES), [Evaluation(SAMPLES, [4]), Evaluation(SAMPLES, [6])]
ACCUMULATED, CLIPPED = ex._training(2, 5, 4, 0), ex._training(0.3, 4, 4, 0)
UPDATES = [(ex.judge_train_accumulated, ACCUMULATED), (ex.judge_train_clipped, CLIPPED)]


def number(value) -> Seen:
    return Seen("float", number=value)


def ideal(problem, **other) -> Trained:
    """Return what a right training loop leaves to be seen, written down without running one."""
    groups, losses = ex._groups(problem), ex._losses(problem)
    events = [Event("train", 0, False, True, 0.0)]
    for group in groups:
        events.append(Event("zero_grad", group[0] + 1, True, True, 1.0))
        for batch in group:
            now = 0.0 if batch == group[0] else 0.5
            kinds = (("forward", 4.0), ("loss", losses[batch]), ("backward", 1 / len(group)))
            events += [Event(kind, batch + 1, True, True, now, value) for kind, value in kinds]
        events.append(Event("step", group[-1] + 1, True, True, 0.3))
    call = Call("train", result=Seen("list", items=list(map(number, losses))))
    return replace(Trained(call, events, [], ex.arrays(ex._descended(problem, groups)), 1), **other)


def evaluated(result: Seen, training=False, graph=False, images=22.0) -> Evaluated:
    return Evaluated(Call("f", result=result), [Event("forward", 1, training, graph, 0.0, images)])


def belief(judge, problem, seen) -> str | None:
    with pytest.raises(CheckFailed) as failure:
        judge(problem, seen)
    return failure.value.belief


def test_shares_are_judged_without_running_anything():
    judge, right = ex.judge_top_two_accuracy, number(ex._top_two(SAMPLES))
    assert judge(TOP_TWO, evaluated(right)) == "modes, graph and average are right"
    assert belief(judge, TOP_TWO, evaluated(right, training=True)) == "no_grad_stops_dropout"
    assert belief(judge, TOP_TWO, evaluated(right, graph=True)) == "eval_stops_gradients"
    for case in ex._wrong_shares(SAMPLES):
        assert belief(judge, TOP_TWO, evaluated(number(float(case.value)))) == case.belief
    assert belief(judge, TOP_TWO, evaluated(number(0.123))) is None
    assert belief(judge, TOP_TWO, evaluated(number(0.123), images=8.0)) == "last_is_all"


def test_classes_are_judged_without_running_anything():
    def seen(values):
        return evaluated(Seen("Tensor", array=Array("float32", [len(values)], list(values))))

    four, six = (ex._accuracies(SAMPLES, number) for number in (4, 6))
    assert ex.judge_accuracy_by_class(BY_CLASS, [seen(four), seen(six)]).startswith("4 classes")
    with pytest.raises(CheckFailed, match="class 4 got 0; it has no sample"):
        ex.judge_accuracy_by_class(BY_CLASS, [seen(four), seen([*four, 0, 0])])
    with pytest.raises(CheckFailed, match=r"class 0 got 0; \d+ of its \d+ samples"):
        ex.judge_accuracy_by_class(BY_CLASS, [seen([0.0, *four[1:]])] * 2)


@pytest.mark.parametrize(("judge", "problem"), UPDATES)
def test_updates_are_judged_without_running_anything(judge, problem):
    same, events = problem.samples.parameters, ideal(problem).events
    assert "updates" in judge(problem, ideal(problem))
    for name, changed in {
        "backward_updates": [event for event in events if event.kind != "step"],
        "step_computes": [event for event in events if event.kind != "backward"],
        "gradients_reset": [replace(event, gradient=event.gradient + 1) for event in events],
        "mode_returns": [replace(event, training=False) for event in events],
        None: events,
    }.items():
        assert belief(judge, problem, ideal(problem, events=changed, parameters=same)) == name


def test_every_likely_way_to_clip_is_told_by_the_weights_alone():
    for case in ex._wrong_clipping(CLIPPED, ex._groups(CLIPPED)):
        if not ex.close(case.value, ideal(CLIPPED).parameters, 1e-4):
            with pytest.raises(CheckFailed) as failure:
                ex.judge_train_clipped(CLIPPED, ideal(CLIPPED, parameters=ex.arrays(case.value)))
            assert failure.value.seen == case.seen


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda items: [Seen("Tensor", number=1.0, graph=True)] * 5, "summing_is_free"),
        (lambda items: [Seen("Tensor", number=1.0)] * 5, None),
        (lambda items: items[:3], "epoch_is_iteration"),
        (lambda items: [number(item.number / 2) for item in items], "sum_is_mean"),
        (lambda items: [number(round(item.number, 2)) for item in items], None),
    ],
)
def test_losses_are_judged_without_running_anything(change, name):
    judge, seen = ex.judge_every_loss, ideal(ACCUMULATED)
    # Without the losses that the recorder saw, those of the right updates are compared.
    for events in (seen.events, []):
        assert judge(ACCUMULATED, replace(seen, events=events)).startswith("the losses of all 5")
    result = Call("train", result=Seen("list", items=change(seen.call.result.items)))
    assert belief(judge, ACCUMULATED, replace(seen, call=result)) == name
    assert belief(judge, ACCUMULATED, replace(seen, graphs_alive=4)) == "summing_is_free"
    assert belief(judge, ACCUMULATED, replace(seen, losses_that_waited=2)) == "summing_is_free"


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError(name)

    __repr__ = __len__ = __iter__ = __float__ = lambda self: 1 / 0


def spoils(dataloader, model, *rest):
    dataloader.dataset.tensors[0].zero_()
    del model[1].weight
    torch.set_grad_enabled(False)
    while True:
        list(dataloader)


NONSENSE = {
    "None": lambda *arguments: None,
    "text": lambda *arguments: "text",
    "huge": lambda *arguments: list(range(10**5)),
    "hostile": lambda *arguments: Hostile(),
    "spoils": spoils,
    "no function": 3,
}


@pytest.mark.parametrize("function", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_observed_and_told_in_words(function):
    seen = observing.observe_evaluation(function, TOP_TWO)
    assert decode(Evaluated, encode(seen)) == seen
    assert belief(ex.judge_top_two_accuracy, TOP_TWO, seen) is None
    assert belief(ex.judge_accuracy_by_class, BY_CLASS, [seen, seen]) is None
    for judge, problem in UPDATES:
        trained = observing.observe_training(function, problem)
        assert decode(Trained, encode(trained)) == trained
        assert belief(judge, problem, trained) is belief(ex.judge_every_loss, problem, trained) is None
    assert torch.is_grad_enabled()


numbers = st.floats() | st.sampled_from([0.0, 0.5, 1.0, 4.0])
some_arrays = st.lists(numbers, max_size=7).map(lambda values: Array("float32", [len(values)], values))
values = st.builds(Seen, st.sampled_from(["float", "Tensor", "list"]), number=st.none() | numbers)
results = values | st.builds(Seen, st.just("list"), items=st.lists(values, max_size=6))
results |= st.builds(Seen, st.just("Tensor"), array=some_arrays)
calls = st.builds(Call, st.just("f"), result=st.none() | results)
kinds = st.sampled_from(["batch", "zero_grad", "forward", "loss", "backward", "step", "other"])
events = st.builds(
    Event, kinds, st.integers(-1, 7), st.booleans(), st.booleans(), numbers, st.none() | numbers
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_any_observation_can_be_judged(data):
    changed = data.draw(st.lists(st.sampled_from(["images", "parameters"]), max_size=2))
    shares = Evaluated(data.draw(calls), data.draw(st.lists(events, max_size=6)), changed)
    found = [
        (ex.judge_top_two_accuracy, TOP_TWO, shares),
        (ex.judge_accuracy_by_class, BY_CLASS, [shares] * 2),
    ]
    for judge, problem in UPDATES:
        seen = ideal(problem)
        kept = data.draw(st.lists(st.sampled_from(seen.events) | events, max_size=30))
        weights = data.draw(st.sampled_from([seen.parameters, seen.parameters[1:]]) | st.lists(some_arrays))
        call = data.draw(st.just(seen.call) | calls)
        trained = Trained(call, kept, changed, weights, data.draw(st.integers(0, 9)))
        found += [(judge, problem, trained), (ex.judge_every_loss, problem, trained)]
    for judge, problem, seen in found:
        try:
            assert isinstance(judge(problem, seen), str)
        except CheckFailed as failure:
            assert str(failure)
