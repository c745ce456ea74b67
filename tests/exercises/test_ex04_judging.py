"""Lesson 04's judgements on hand-made observations, on nonsense, and on whatever else is well-formed."""

import itertools

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fmnist_helpers.exercises import CheckFailed
from fmnist_helpers.exercises import ex04_observe as observing
from fmnist_helpers.exercises import ex04_optimizer as judging
from fmnist_helpers.exercises.observation import Call, Seen, decode, encode
from fmnist_helpers.exercises.observe import array, describe

BATCHES = observing.Batches(num_batches=2, seed=0)
VALLEY = judging.descend_problem((2,), 0.1, 3, seed=0)
STEPS = judging.steps_problem(0.1, 0.9, 4, seed=0)
STEPS = msgspec.structs.replace(STEPS, velocities=STEPS.parameters)  # Else some rules give the same numbers.
repeatable = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def walked(direction) -> observing.SeenDescent:
    """An observation of walks in that direction, which left start as it was."""
    walks = []
    for walk in VALLEY.walks:
        call = Call("descend", result=describe(judging._path(VALLEY, walk, direction)))
        start = Seen("Tensor", array=walk.start, graph=walk.slope is not None)
        walks.append(observing.SeenWalk(call, start, Seen("Tensor", array=walk.slope), walk.num_steps))
    return observing.SeenDescent(walks)


def stepped(rule: str, **options) -> observing.SeenMomentum:
    """An observation of steps by one of the rules that the judgement knows."""
    updates, call = [], Call("nesterov_step", result=describe(None))
    for update, state in zip(STEPS.updates, judging._states(STEPS, rule, **options), strict=True):
        marks = [*STEPS.marks, *[False] * 4]
        seen = [Seen("Tensor", array=array(n.float()), graph=m) for n, m in zip(state, marks, strict=True)]
        slopes = [Seen("Tensor", array=gradient) for gradient in update.gradients]
        updates.append(observing.SeenUpdate(call, seen[:4], seen[4:], slopes, True, True, ""))
    return observing.SeenMomentum(updates)


def failure(judge, problem, seen) -> CheckFailed:
    with pytest.raises(CheckFailed) as raised:
        judge(problem, seen)
    return raised.value


def test_of_all_orders_of_the_five_lines_four_are_right():
    passed = []
    for order in map("".join, itertools.permutations("ABCDE")):
        try:
            judging.judge_order(BATCHES, describe(order))
            passed.append(order)
        except CheckFailed:
            pass
    assert passed == ["BCDEA", "BDCEA", "BDEAC", "CBDEA"]


def test_the_right_order_is_plain_gradient_descent():
    found, _ = judging._carry_out(None, judging.RIGHT_ORDER, BATCHES)
    model = judging.small_model(0, dropout=0.5).train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for images, labels in judging.small_loader(8, 4, 0):
            loss = judging.CROSS_ENTROPY(model(images), labels)
            slopes = torch.autograd.grad(loss, list(model.parameters()))
            for parameter, slope in zip(model.parameters(), slopes, strict=True):
                parameter.data -= 0.5 * slope
    assert judging.close(found, list(model.parameters()))


@pytest.mark.parametrize(
    ("direction", "words", "belief"),
    [
        (lambda slopes: 0 * slopes[-1], "did not move in 3 steps", "new_tensor_is_update"),
        (sum, "the sum of all gradients so far", "gradients_reset"),
        (lambda slopes: -slopes[-1], "went up the slope", None),
        (lambda slopes: 10 * slopes[-1], "lack the learning rate", None),
        (lambda slopes: 3 * slopes[-1], "the point after step 1 is", None),
    ],
)
def test_a_walk_is_judged_by_its_points(direction, words, belief):
    right = walked(lambda slopes: slopes[-1])
    assert judging.judge_descend(VALLEY, right) == "4 points, without a graph, and start is as it was"
    error = failure(judging.judge_descend, VALLEY, walked(direction))
    assert words in error.seen and error.belief == belief


def test_the_right_steps_are_those_of_pytorch():
    parameters = [nn.Parameter(numbers.tensor()) for numbers in STEPS.parameters]
    optimizer = torch.optim.SGD(parameters, lr=1.0, momentum=STEPS.momentum, nesterov=True)
    for parameter, velocity in zip(parameters, STEPS.velocities, strict=True):
        optimizer.state[parameter]["momentum_buffer"] = velocity.tensor()
    for update, right in zip(STEPS.updates, judging._states(STEPS, judging.RIGHT), strict=True):
        for parameter, gradient in zip(parameters, update.gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.tensor()
        optimizer.param_groups[0]["lr"] = update.learning_rate
        optimizer.step()
        assert judging.close(parameters, right[:4])


@pytest.mark.parametrize("rule", judging._rules(0, 0))
def test_each_rule_is_known_by_its_numbers(rule):
    if rule == judging.RIGHT:
        assert judging.judge_nesterov_steps(STEPS, stepped(rule)).startswith("4 steps are as PyTorch's")
        return
    error = failure(judging.judge_nesterov_steps, STEPS, stepped(rule))
    assert error.seen == rule and (error.belief is not None) == (rule in judging.NOT_IN_PLACE)


def test_a_step_that_ends_at_a_missing_gradient_shows_no_belief():
    error = failure(judging.judge_nesterov_steps, STEPS, stepped(judging.RIGHT, stops=True))
    assert "behind the first one without a gradient" in error.seen and error.belief is None


class Hostile:
    """Raises whatever it is asked."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


TASKS = {
    "order": (observing.observe_order, judging.judge_order, BATCHES, describe("BCDEA")),
    "descend": (observing.observe_descend, judging.judge_descend, VALLEY, walked(lambda slopes: slopes[-1])),
    "nesterov_step": (
        observing.observe_momentum,
        judging.judge_nesterov_steps,
        STEPS,
        stepped(judging.RIGHT),
    ),
}
NONSENSE = {
    "text": lambda: "nonsense",
    "huge": lambda: [0.5] * 100_000,
    "hostile": Hostile,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "complex": lambda: 3 + 4j,
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("task", TASKS)
def test_nonsense_is_observed_and_refused(task, nonsense):
    observe, judge, problem, _ = TASKS[task]
    seen = observe(nonsense() if task == "order" else lambda *arguments: nonsense(), problem)
    assert decode(type(seen), encode(seen)) == seen
    failure(judge, problem, seen)


def change(data, draw):
    """Change plain data in one place: another value, one item less, one item twice."""
    if isinstance(data, dict) and data:
        key = draw(st.sampled_from(sorted(data)))
        return data | {key: change(data[key], draw)}
    if isinstance(data, list) and data:
        at, how = draw(st.integers(0, len(data) - 1)), draw(st.sampled_from(["change", "drop", "twice"]))
        new = {"drop": [], "twice": [data[at]] * 2}.get(how) if how != "change" else [change(data[at], draw)]
        return [*data[:at], *new, *data[at + 1 :]]
    other = [None, True, False, 0.0, -7.5, float("nan"), float("inf"), "", "ABCDEFG", "Tensor", []]
    return draw(st.sampled_from([*other, msgspec.to_builtins(array(torch.ones(2, 2)))]))


@pytest.mark.parametrize("task", TASKS)
@repeatable
@given(data=st.data())
def test_any_well_formed_change_passes_or_fails_the_check(task, data):
    _, judge, problem, real = TASKS[task]
    plain = msgspec.to_builtins(real)
    for _ in range(data.draw(st.integers(1, 3))):
        plain = change(plain, data.draw)
    try:
        seen = msgspec.convert(plain, type(real))
    except msgspec.ValidationError:
        return
    try:
        assert isinstance(judge(problem, seen), str)
    except CheckFailed as error:
        assert error.seen.endswith(".")
