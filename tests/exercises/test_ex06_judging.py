"""Judging exercise 06: on observations that were stored, changed or made up, without a student's function in sight."""

from __future__ import annotations

import contextlib
from functools import partial

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist_helpers.exercises import CheckFailed
from fmnist_helpers.exercises import ex06_observe as observing
from fmnist_helpers.exercises import ex06_project as judging
from fmnist_helpers.exercises.garments import draw
from fmnist_helpers.exercises.observation import decode, encode
from fmnist_helpers.exercises.observe import array, describe
from tests.exercises.bank import is_answer, read_source

repeatable = settings(max_examples=50, deadline=None, derandomize=True, database=None)
IMAGES = draw("standin", (60, 60, 60), (1, 2, 3))
LABELS = IMAGES[-1].labels


def solutions():
    """Return the functions that the exercise's own notebook gives as answers."""
    namespace = {"__name__": "solutions"}
    for cell in read_source("ex06_project").cells:
        if is_answer(cell) or cell.id == "cell-01":
            exec(cell.source, namespace)
    return namespace


RIGHT = solutions()
BUDGET = observing.BudgetProblem(*IMAGES, 100, 0)
MODEL = observing.ModelProblem(array(torch.rand(4, 1, 28, 28)), 0)
KEEP, CHOICE = judging.make_keep_problem(6, 2, 0), judging.make_choice_problem(6, 8, 0)
CASES = {
    "model": (judging.judge_build_model, MODEL, observing.observe_build_model, "build_model"),
    "list": (judging.judge_valid_accuracies, KEEP, observing.observe_keep_best, "train_keep_best"),
    "state": (judging.judge_train_keep_best, KEEP, observing.observe_keep_best, "train_keep_best"),
    "choice": (judging.judge_choice, CHOICE, observing.observe_choice, "choose_and_test"),
    "test": (judging.judge_test_discipline, CHOICE, observing.observe_choice, "choose_and_test"),
    "budget": (
        partial(judging.judge_train_within_budget, labels=LABELS, asked=0.0),
        BUDGET,
        partial(observing.observe_within_budget, RIGHT["build_model"]),
        "train_within_budget",
    ),
}


def observed(name, function=None):
    _, problem, observe, answer = CASES[name]
    return observe(function or RIGHT[answer], problem)


OBSERVED = {name: observed(name) for name in CASES}
STORED = {name: encode(seen) for name, seen in OBSERVED.items()}


def stored(name):
    return decode(type(OBSERVED[name]), STORED[name])


def changed(name, **fields):
    judge, problem, _, _ = CASES[name]
    with pytest.raises(CheckFailed) as failure:
        judge(problem, msgspec.structs.replace(stored(name), **fields))
    return failure.value


@pytest.mark.parametrize("name", CASES)
def test_stored_observation_of_a_right_solution_passes(name):
    judge, problem, _, _ = CASES[name]
    assert judge(problem, stored(name))


@pytest.mark.parametrize("num_epochs, best", [(6, 2), (7, 3), (5, 1)])
@pytest.mark.parametrize("seed", range(6))
def test_each_measure_is_best_after_another_epoch(num_epochs, best, seed):
    problem = judging.make_keep_problem(num_epochs, best, seed)
    train_loss, valid_loss = (
        judging._by_epoch(problem, split, judging._loss) for split in ("train", "valid")
    )
    train, valid = (judging._by_epoch(problem, split, judging._accuracy) for split in ("train", "valid"))
    places = [v.index(max(v)) for v in (valid, train)] + [v.index(min(v)) for v in (valid_loss, train_loss)]
    assert places[0] == best - 1 and len({*places, num_epochs - 1}) == 5
    assert all(sum(one == e for one in v) == 1 for v, e in ((valid, max(valid)), (train, max(train))))


def test_likely_wrong_lists_and_states_are_told_apart():
    losses, accuracies = (
        judging._by_epoch(KEEP, "valid", measure) for measure in (judging._loss, judging._accuracy)
    )
    call = stored("list").call
    for numbers, belief, words in (
        (losses, "accuracy_is_loss", "validation losses"),
        (judging._by_epoch(KEEP, "train", judging._accuracy), "falling_loss_generalises", "training split"),
        ([round(value, 2) for value in accuracies], None, "rounded"),
        ([0.5] * 6, None, "entry 0 is"),
    ):
        failure = changed("list", call=msgspec.structs.replace(call, result=describe(numbers)))
        assert failure.belief == belief and words in failure.seen
    state = stored("state").state
    for batches, averages, belief in ((18, 18, "last_is_best"), (6, 18, "parameters_are_all"), (1, 1, None)):
        clock, *rest = judging._state_after(batches)[:1] + judging._state_after(averages)[1:]
        names = ("clock", "norm.running_mean", "norm.running_var")
        left = {n: array(torch.tensor([v])) for n, v in zip(names, (clock, *rest), strict=True)}
        assert changed("state", state=state | left).belief == belief
    assert changed("state", state={}, notes=[]).belief is None


def test_likely_wrong_uses_of_images_are_told_apart():
    notes = stored("test").notes
    last = [note for note in notes if note.kind == "forward"][-1]
    early = [msgspec.structs.replace(last, splits=["test"]), *notes]
    assert changed("test", notes=early).belief == "test_for_choosing"
    assert changed("test", notes=[]).belief is None
    assert changed("choice", notes=[n for n in notes if n.kind != "train"]).belief is None
    roomy = msgspec.structs.replace(BUDGET, max_images=130)  # two epochs fit
    for num_used, words in ((180, "These are 3 epochs of 60, and 2 fit."), (150, "the budget is 130.")):
        seen = msgspec.structs.replace(stored("budget"), num_used=num_used, num_fetched=num_used)
        with pytest.raises(CheckFailed) as failure:
            judging.judge_train_within_budget(roomy, seen, LABELS, 0.0)
        assert failure.value.belief == "epoch_is_iteration" and failure.value.seen.endswith(words)
    assert changed("budget", num_looked_at=20, num_like_validation=2).belief == "falling_loss_generalises"
    assert "a copy" in changed("budget", moved=0.0, written=False, num_used=60, num_copies=60).seen
    flat = [observing.Drawn(gain, False, array(torch.rand(9, 10))) for gain in (1.0, 10.0)]
    assert changed("model", drawn=flat).belief == "probabilities_in"


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError(name)


@pytest.mark.parametrize("make", [list, str, lambda: [0.5] * 100_000, Hostile, lambda: None])
@pytest.mark.parametrize("name", CASES)
def test_nonsense_is_observed_and_judged(name, make):
    judge, problem, _, _ = CASES[name]
    seen = observed(name, lambda *_: make())
    assert encode(decode(type(seen), encode(seen))) == encode(seen)
    with pytest.raises(CheckFailed):
        judge(problem, seen)


def test_models_survive_copies_and_files(tmp_path):
    def in_a_file(model, *arguments):
        torch.save(model, tmp_path / "model.pt")
        other = torch.load(tmp_path / "model.pt", weights_only=False)
        RIGHT["train_within_budget"](other, *arguments)
        model.load_state_dict(other.state_dict())

    assert observed("budget", in_a_file).num_copies == 60


@repeatable
@given(st.data())
@pytest.mark.parametrize("name", CASES)
def test_any_well_formed_change_passes_or_is_diagnosed(name, data):
    judge, problem, _, _ = CASES[name]
    plain = msgspec.to_builtins(stored(name))
    for _ in range(data.draw(st.integers(1, 4))):
        change(plain, data)
    try:
        seen = msgspec.convert(plain, type(OBSERVED[name]))
    except (msgspec.ValidationError, ValueError):
        return  # not well-formed, and refused where it is read
    with contextlib.suppress(CheckFailed):
        judge(problem, seen)


def change(plain, data):
    """Change something in nested lists and dicts: another number, an item less, nothing in the place of something."""
    while True:
        keys = sorted(plain) if isinstance(plain, dict) else range(len(plain))
        if not keys:
            return
        key = data.draw(st.sampled_from(list(keys)))
        if isinstance(plain[key], dict | list) and plain[key] and data.draw(st.integers(0, 4)):
            plain = plain[key]
            continue
        if isinstance(plain[key], list) and plain[key]:
            del plain[key][data.draw(st.integers(0, len(plain[key]) - 1))]
        elif isinstance(plain[key], float | int):
            plain[key] = data.draw(st.sampled_from([0, 1, -1, 7.5, True, 1e30, float("nan"), float("inf")]))
        else:
            plain[key] = None
        return
