"""Exercise 03: its judgements on observations that no student's code made, and what is seen of nonsense."""

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fmnist_helpers.exercises import ex03_loss as judging
from fmnist_helpers.exercises import ex03_observe as observing
from fmnist_helpers.exercises.check import CheckFailed
from fmnist_helpers.exercises.ex03_observe import LossesSeen, LossSeen, as_tensor
from fmnist_helpers.exercises.observation import Call, decode, encode
from fmnist_helpers.exercises.observe import describe

repeatable = settings(max_examples=150, deadline=None, derandomize=True, database=None)

MODEL = judging.model_loss_problem(5, seed=1)
MEANS = judging.loss_over_batches_problem((4, 4, 1), seed=1)
VALUES = judging.cross_entropy_problem(4, 3, seed=1)
SLOPES = judging.cross_entropy_slopes_problem(4, 3, seed=1)
MEAN = sum(loss * size for loss, size in zip(MEANS.losses, MEANS.sizes, strict=True)) / 9
LOSSES = {
    "right": functional.cross_entropy,
    "summed": lambda logits, labels: functional.cross_entropy(logits, labels, reduction="sum"),
    "squeezed": lambda logits, labels: functional.cross_entropy(logits.softmax(1), labels),
    "half detached": lambda logits, labels: (
        logits.logsumexp(1).mean() - logits.detach()[range(len(labels)), labels].mean()
    ),
    "naive": lambda logits, labels: functional.nll_loss(
        (logits.exp() / logits.exp().sum(1, True)).log(), labels
    ),
}


def call_of(value):
    return Call("a function", True, describe(value))


def of_model(name):
    model = observing.model_of(MODEL)
    loss = LOSSES[name](model(as_tensor(MODEL.images)), as_tensor(MODEL.labels))
    slopes = call_of(torch.autograd.grad(loss, list(model.parameters())))
    return LossesSeen(2 * [LossSeen(call_of(loss), slopes)])


def of_logits(problem, name):
    runs = []
    for numbers, classes in problem.batches:
        logits = as_tensor(numbers).requires_grad_()
        loss = LOSSES[name](logits, as_tensor(classes))
        runs.append(LossSeen(call_of(loss), call_of(torch.autograd.grad(loss, [logits]))))
    return LossesSeen(runs)


TASKS = {  # how to observe, how to judge, a problem, and the kind of an observation, here of right work
    "model_loss": (observing.observe_model_loss, judging.judge_model_loss, MODEL, of_model("right")),
    "mean": (observing.observe_loss_over_batches, judging.judge_loss_over_batches, MEANS, call_of(MEAN)),
    "values": (
        observing.observe_cross_entropy,
        judging.judge_cross_entropy,
        VALUES,
        of_logits(VALUES, "right"),
    ),
    "slopes": (
        observing.observe_cross_entropy,
        judging.judge_cross_entropy,
        SLOPES,
        of_logits(SLOPES, "right"),
    ),
}


def failure(task, seen):
    _, judge, problem, _ = TASKS[task]
    with pytest.raises(CheckFailed) as caught:
        judge(problem, seen)
    return caught.value


@pytest.mark.parametrize("task", TASKS)
def test_right_work_passes(task):
    _, judge, problem, seen = TASKS[task]
    assert judge(problem, seen)


@pytest.mark.parametrize(
    ("task", "seen", "belief", "words"),
    [
        ("model_loss", of_model("squeezed"), "probabilities_in", "after a softmax"),
        ("model_loss", of_model("summed"), None, "the sum over the batch"),
        ("model_loss", of_model("half detached"), None, "the slope of parameter"),
        ("mean", call_of(sum(MEANS.losses) / 3), "mean_of_means", "the mean of the batches' means"),
        ("mean", call_of(torch.tensor(MEAN)), None, "a Python float is asked for"),
        ("mean", call_of(round(MEAN, 3)), None, "rounded to 3 digits"),
        ("mean", call_of(17.0), None, "17.0000 came back; the mean over the samples is"),
        ("values", of_logits(VALUES, "summed"), None, "the sum over the batch"),
        ("slopes", of_logits(SLOPES, "half detached"), None, "the slope of logits["),
        ("slopes", of_logits(SLOPES, "naive"), "exp_is_harmless", "near 1000 the loss came out as nan"),
    ],
)
def test_likely_wrong_results_are_told_apart(task, seen, belief, words):
    found = failure(task, seen)
    assert (found.belief, words in found.seen) == (belief, True), found.seen


@pytest.mark.parametrize(
    ("reported", "words"),
    [
        ({"changed": [".grad"]}, "backward itself"),
        ({"changed": [".grad emptied"]}, "emptied .grad"),
        ({"changed": ["parameters", ".grad"]}, "changed: parameters"),
        ({"changed": ["logits"]}, "changed: logits"),
        ({"operations": ["exp", "kl_div"]}, "PyTorch's own kl_div"),
    ],
)
def test_what_is_reported_is_told_though_the_numbers_are_right(reported, words):
    runs = [msgspec.structs.replace(run, **reported) for run in TASKS["values"][-1].runs]
    assert words in failure("values", LossesSeen(runs)).seen


class Thorny:
    """Whatever is asked of it, it raises."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    __repr__ = __len__ = __bool__ = __float__ = __eq__ = __hash__ = __iter__ = None


@pytest.mark.parametrize("nonsense", [lambda: None, lambda: "a loss", lambda: [0] * 100_000, Thorny])
@pytest.mark.parametrize("task", TASKS)
def test_nonsense_is_seen_and_judged(nonsense, task):
    observe, _, problem, right = TASKS[task]
    seen = observe(lambda *given: nonsense(), problem)
    assert decode(type(right), encode(seen)) == seen
    failure(task, seen)


def test_observing_survives_what_is_done_to_what_was_handed_over():
    def wreck(model, images, labels):
        model.eval().double()
        model[1] = None
        labels.resize_(0)
        torch.set_grad_enabled(False)
        return images.unsqueeze_(0).fill_(float("nan")).sum() + torch.rand(())

    before = torch.get_rng_state()
    seen = observing.observe_model_loss(wreck, MODEL)
    assert set(seen.runs[0].changed) == {"images", "labels", "parameters", ".grad", "mode"}
    assert torch.is_grad_enabled() and torch.equal(torch.get_rng_state(), before)
    failure("model_loss", seen)


def changed_somewhere(data, value):
    """Return plain data with one part of it, anywhere, left out or replaced."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 9)):
        key = data.draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        value = value.copy()
        value[key] = changed_somewhere(data, value[key])
        return value
    if isinstance(value, list):
        return data.draw(st.sampled_from([value[1:], value + value[-1:], [], None]))
    return data.draw(
        st.none() | st.booleans() | st.floats() | st.integers(-3, 9) | st.sampled_from(["", "Tensor"])
    )


@repeatable
@given(st.sampled_from(list(TASKS)), st.data())
def test_a_judgement_meets_any_observation_with_a_pass_or_a_diagnosis(task, data):
    _, judge, problem, right = TASKS[task]
    plain = msgspec.to_builtins(right)
    for _ in range(data.draw(st.integers(1, 3))):
        plain = changed_somewhere(data, plain)
    try:
        seen = msgspec.convert(plain, type(right))
    except msgspec.ValidationError:
        return
    try:
        assert isinstance(judge(problem, seen), str)
    except CheckFailed as diagnosis:
        assert str(diagnosis)
