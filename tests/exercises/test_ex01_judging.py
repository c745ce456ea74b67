"""The judgements of exercise 01, on observations that were made by hand or changed at random."""

from __future__ import annotations

import contextlib

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from fmnist_helpers.exercises import ex01_data as judging
from fmnist_helpers.exercises import ex01_observe as observing
from fmnist_helpers.exercises.check import CheckFailed
from fmnist_helpers.exercises.observation import Call, decode, encode
from fmnist_helpers.exercises.observe import describe

repeatable = settings(max_examples=60, deadline=None, derandomize=True, database=None)


class Awkward:
    """Every method raises."""

    def refuse(self, *arguments):
        raise RuntimeError("no")

    __call__ = __iter__ = __len__ = __repr__ = __eq__ = __getattr__ = __getitem__ = __float__ = refuse
    __hash__ = None


def normalise_by(train_images, images):
    train = train_images / 255
    return (images.unsqueeze(1) / 255 - train.mean(dim=0)) / train.std()


def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(train_set, batch_size, shuffle=True, generator=generator), DataLoader(
        test_set, batch_size
    )


def split_by_class(labels, num_each, seed):
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    places = [(labels[order] == label).nonzero().flatten() for label in labels.unique()]
    if any(len(place) < num_each for place in places):
        raise ValueError("too few")
    held = torch.cat([order[place[:num_each]] for place in places])
    return torch.cat([order[place[num_each:]] for place in places]), held


TASKS = {
    "normalise_by": (
        normalise_by,
        judging.normalise_problem(3, 2, 0),
        observing.observe_normalise_by,
        judging.judge_normalise_by,
    ),
    "make_loaders_of": (
        make_loaders_of,
        judging.loaders_problem(20, 7, 4, 0),
        observing.observe_make_loaders_of,
        judging.judge_make_loaders_of,
    ),
    "split_by_class": (
        split_by_class,
        judging.split_problem(3, judging.SIZES, 0),
        observing.observe_split_by_class,
        judging.judge_split_by_class,
    ),
    "split_by_class, its draw": (
        split_by_class,
        judging.draws_problem(3, {0: 9, 3: 8}, 0),
        observing.observe_split_by_class,
        judging.judge_split_by_class_seed,
    ),
}


NONSENSE = {
    "nothing": None,
    "a string": "words",
    "a huge list": list(range(100_000)),
    "an awkward object": Awkward(),
    "a pair of awkward objects": (Awkward(), Awkward()),
    "empty tensors": [torch.ones(0)] * 2,
}


@pytest.mark.parametrize("name", TASKS)
def test_a_right_solution_is_seen_and_judged_apart_from_each_other(name):
    function, problem, observe, judge = TASKS[name]
    state = torch.get_rng_state(), str(np.random.get_state())
    seen = observe(function, decode(type(problem), encode(problem)))
    assert torch.equal(torch.get_rng_state(), state[0]) and str(np.random.get_state()) == state[1]
    assert judge(problem, decode(type(seen), encode(seen)))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_is_seen_and_refused(name, kind):
    _, problem, observe, judge = TASKS[name]
    for nonsense in (lambda *arguments: NONSENSE[kind], NONSENSE[kind]):
        seen = observe(nonsense, problem)
        assert decode(type(seen), encode(seen)) == seen
        with pytest.raises(CheckFailed):
            judge(problem, seen)


@pytest.mark.parametrize("name", TASKS)
@repeatable
@given(st.data())
def test_changed_observations_pass_or_are_refused(name, data):
    function, problem, observe, judge = TASKS[name]
    seen = observe(function, problem)
    plain = msgspec.to_builtins(seen)
    for _ in range(data.draw(st.integers(1, 3))):
        change(plain, data)
    try:
        changed = msgspec.convert(plain, type(seen))
    except msgspec.ValidationError:
        return
    with contextlib.suppress(CheckFailed):
        assert judge(problem, changed)


def change(plain, data):
    """Walk to some place in a tree of lists and dicts; drop what is there, or put something else there."""
    while True:
        if "numbers" in plain:
            return change_array(plain, data)
        keys = list(plain) if isinstance(plain, dict) else range(len(plain))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        inside = plain[key]
        if not isinstance(inside, dict | list) or not inside or data.draw(st.integers(0, 5)) == 0:
            break
        plain = inside
    if data.draw(st.booleans()):
        del plain[key]
    else:
        others = [None, True, -1, 3, 0.5, float("nan"), float("inf"), "int64", "Tensor", [], [2, 1], {}]
        plain[key] = data.draw(st.sampled_from(others))


def change_array(plain, data):
    """Give an array another shape, dtype or number, so that it stays one."""
    numbers, kind = plain["numbers"], data.draw(st.sampled_from(["flat", "shorter", "dtype", "number"]))
    if kind == "dtype":
        plain["dtype"] = data.draw(st.sampled_from(["int64", "float32", "bool", "uint8"]))
    elif kind == "number" and numbers:
        at = data.draw(st.integers(0, len(numbers) - 1))
        numbers[at] = data.draw(st.sampled_from([-1.0, 0.5, 3.0, 1e300, float("nan"), float("-inf")]))
    else:
        del numbers[len(numbers) - (kind == "shorter") :]
        plain["shape"] = [len(numbers)]


def a_call(result):
    return Call("f", True, describe(result))


def runs_of(batches_of_seed):
    """Return what is seen of loaders, without any: seed → the sample numbers of the batches of two epochs."""
    _, problem, *_ = TASKS["make_loaders_of"]
    test = [problem.test[:4], problem.test[4:]]
    pair = a_call([DataLoader([1]), DataLoader([1])])
    runs = []
    for run in problem.runs:
        first, second = batches_of_seed(run)
        epochs = [
            observing.EpochSeen(
                a_call(True),
                [
                    describe([torch.ones(1, 1, 2, 2) * torch.tensor(n).reshape(-1, 1, 1, 1), torch.tensor(n)])
                    for n in e
                ],
                True,
            )
            for e in (first, test, second)
        ]
        runs.append(observing.RunSeen(pair, {"NumPy": 0.5, "Python": run.num_draws / 9}, epochs))
    return problem, observing.RunsSeen(runs)


def shuffled(start):
    order = np.random.default_rng(start).permutation(20).tolist()
    return [order[at : at + 4] for at in range(0, 20, 4)]


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        (lambda run: (shuffled(run.seed), shuffled(run.seed + 9)), ""),
        (lambda run: (shuffled(run.seed), shuffled(run.seed)), "same order"),
        (lambda run: (shuffled(run.seed), shuffled(run.seed)[::-1]), "same samples together in a batch"),
        (lambda run: (shuffled(run.start), shuffled(run.start + 9)), "The seed went to all of NumPy, and"),
        (lambda run: (shuffled(4), shuffled(5)), "the seeds 0 and 1 gave the same order"),
    ],
)
def test_loaders_are_judged_by_what_was_seen(batches, words):
    problem, seen = runs_of(batches)
    if not words:
        assert judging.judge_make_loaders_of(problem, seen)
        return
    with pytest.raises(CheckFailed) as caught:
        judging.judge_make_loaders_of(problem, seen)
    assert words in caught.value.seen


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (lambda rng: [0, *rng.choice([1, 2, 3, 4, 5, 6, 7], 2, False)], "were held out every time"),
        (lambda rng: rng.choice([0, 1, 2, 3, 4, 5, 6], 3, False), "were never held out"),
        (lambda rng: (np.arange(3) + rng.integers(8)) % 8, "different draws"),
    ],
)
def test_unfair_draws_are_refused(held, words):
    problem = judging.draws_problem(3, {7: 8}, 0)
    seen = [
        observing.RunSeen(
            a_call((torch.arange(8), torch.tensor(held(np.random.default_rng(given.seed))))), {}
        )
        for given in problem.calls
    ]
    with pytest.raises(CheckFailed, match=words):
        judging.judge_split_by_class_seed(problem, observing.RunsSeen(seen))


def test_signs_that_are_flipped_show_no_belief_about_bytes():
    _, problem, observe, judge = TASKS["normalise_by"]
    flipped = observe(lambda train, images: -normalise_by(train, images), problem)
    with pytest.raises(CheckFailed, match="not the other way round") as caught:
        judge(problem, flipped)
    assert caught.value.belief is None


@pytest.mark.parametrize("seed", range(8))
def test_each_likely_normalisation_is_told_apart_for_any_seed(seed):
    problem = judging.normalise_problem(36, 6, seed)
    train, pixels = problem.train.tensor() / 255, problem.batches[0].tensor() / 255
    mean, deviation = train.mean(dim=0), train.std()
    right = (pixels - mean) / deviation
    likely = [
        *judging._of_other_images(pixels, train),
        *judging._of_bytes(pixels, mean, deviation),
        *judging._of_a_step(pixels, train, mean, deviation),
    ]
    for number, one in enumerate(likely):
        assert not judging.close(one.value, right, 1e-2), one.seen
        others = [other for other in likely[:number] if judging.close(one.value, other.value, 1e-3)]
        assert not others, (one.seen, others[0].seen)
