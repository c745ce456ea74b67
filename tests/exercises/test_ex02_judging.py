"""The judgements of exercise 02 on observations alone, and observing what nonsense comes of."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise
from operator import getitem

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fmnist_helpers.exercises import ex02_model as ex02
from fmnist_helpers.exercises.check import CheckFailed
from fmnist_helpers.exercises.ex02_observe import (
    CountProblem,
    layered_model,
    observe_counts,
    observe_network,
    observe_predictions,
)
from fmnist_helpers.exercises.observation import Seen, decode, encode
from fmnist_helpers.exercises.observe import array

repeatable = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def deep_network(widths):
    layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def count(model):
    own = {name: layer.parameters(recurse=False) for name, layer in model.named_modules()}
    numbers = {name: sum(p.numel() for p in found if p.requires_grad) for name, found in own.items()}
    return {name: number for name, number in numbers.items() if number}


def predict(model, images, threshold):
    training = model.training
    with torch.no_grad():
        best, labels = model.eval()(images).softmax(1).max(1)
    model.train(training)
    return labels.masked_fill(best < threshold, -1), best


DROPOUT = replace(ex02.doubtful_problem(0.7, 9, 0), dropout=0.5)
RESULTS = ex02.doubtful_problem(0.7, 9, 0), ex02.certain_problem()
MODES = DROPOUT, replace(DROPOUT, training=False)
COUNTS = CountProblem(5, ("body.first.weight", "head.bias"))
NETWORK = ex02.network_problem((9, 8, 6, 4), 0)
TASKS = {
    "network": (NETWORK, observe_network, ex02.judge_deep_network, deep_network),
    "counts": (COUNTS, observe_counts, ex02.judge_counts, count),
    "results": (RESULTS, observe_predictions, ex02.judge_confident_results, predict),
    "modes": (MODES, observe_predictions, ex02.judge_confident_modes, predict),
}
OBSERVED = {name: observe(right, problem) for name, (problem, observe, _, right) in TASKS.items()}


def judge(name, seen):
    return TASKS[name][2](TASKS[name][0], seen)


def at(data, way):
    return reduce(getitem, way, data)


@pytest.mark.parametrize("name", TASKS)
def test_right_observation_passes_and_survives_the_way_back(name):
    seen = OBSERVED[name]
    assert decode(type(seen), encode(seen)) == seen
    assert judge(name, seen)


def softmax_of(name):
    logits = getattr(OBSERVED["network"], name).result.array.tensor()
    return Seen("Tensor", array=array(logits.softmax(dim=1)), graph=True)


ENTRY = [Seen("str", text="stem", shown="'stem'"), Seen("int", number=50.0, shown="50")]


@pytest.mark.parametrize(
    ("name", "path", "value", "belief", "words"),
    [
        ("network", ["trained", "result"], softmax_of("trained"), "probabilities_in", "in training mode each"),
        ("network", ["state"], {}, "plain_list", "state_dict() gives 0 numbers"),
        ("network", ["gradients", "result", "items", 0], Seen("NoneType"), None, "no derivative for 1.weight"),
        ("counts", ["whole", "result", "entries", 0], ENTRY, None, "'stem.1' (nn.Linear(9, 5)) is missing"),
        ("results", ["first", "call", "result"], Seen("set"), None, "should be tuple"),
        ("results", ["second", "call", "result", "items", 0, "array", "numbers", 0], -1.0, None, "the threshold 1"),
        ("modes", ["first", "modes"], [False] * 6, "mode_returns", "left in evaluation mode"),
        ("modes", ["second", "passes", 0, "recorded"], True, "eval_stops_gradients", "recorded the computation"),
        ("modes", ["second", "images_kept"], False, None, "the images were changed"),
    ],
)  # fmt: skip
def test_wrong_observation_gets_its_diagnosis(name, path, value, belief, words):
    data, (*way, last) = msgspec.to_builtins(OBSERVED[name]), path
    at(data, way)[last] = msgspec.to_builtins(value)
    with pytest.raises(CheckFailed) as raised:
        judge(name, msgspec.convert(data, type(OBSERVED[name])))
    assert raised.value.belief == belief and words in raised.value.seen


class Raises:
    def __getattribute__(self, name):
        raise RuntimeError("no")


NONSENSE = {"None": None, "text": "text", "huge": list(range(100_000)), "raises": Raises()}
NONSENSE |= {"module": nn.Identity(), "pair": (torch.ones(0), torch.ones(9)), "dict": {1: "one"}}


@pytest.mark.parametrize("kind", NONSENSE)
@pytest.mark.parametrize("name", TASKS)
def test_nonsense_is_observed_and_judged(name, kind):
    problem, observe, judgement, _ = TASKS[name]
    for function in (lambda *arguments: NONSENSE[kind], 3):
        seen = observe(function, problem)
        assert decode(type(seen), encode(seen)) == seen
        with pytest.raises(CheckFailed):
            judgement(problem, seen)


def test_observing_leaves_the_generator_alone():
    before = torch.random.get_rng_state()
    for problem, observe, _, right in TASKS.values():
        observe(right, problem)
    assert torch.equal(before, torch.random.get_rng_state())


def test_every_part_of_the_layered_model_is_described():
    assert set(ex02._parts_of(5)) == {name for name, _ in layered_model(5).named_modules()}


def places(data, way=()):
    """Return the way to everything in nested lists and dicts; of numbers one after another the first is enough."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    inside = [item for item in inside if way[-1:] != ("numbers",) or item[0] == 0]
    return [way, *(place for key, value in inside for place in places(value, (*way, key)))]


changes = st.tuples(
    st.integers(0, 10**6),
    st.sampled_from(["", "None", "True", "0", "-1.0", "float('nan')", "1e30", "'int'", "[]", "{}", "[1, 2]"]),
)


@repeatable
@given(st.sampled_from(sorted(TASKS)), st.lists(changes, min_size=1, max_size=3))
def test_judgement_meets_changed_observations_with_a_diagnosis(name, changes):
    seen = msgspec.to_builtins(OBSERVED[name])
    for number, value in changes:
        _, *ways = places(seen)
        *way, last = ways[number % len(ways)] if ways else (0,)
        if value and ways:
            at(seen, way)[last] = eval(value)
        elif ways:
            del at(seen, way)[last]
    try:
        changed = msgspec.convert(seen, type(OBSERVED[name]))
    except msgspec.ValidationError:
        return
    try:
        assert judge(name, changed)
    except CheckFailed as failure:
        assert failure.seen
