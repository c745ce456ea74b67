"""That the comparison with the tutorial's minutes counts what it says, and judges known numbers rightly."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from fmnist_helpers.recipe import Recipe
from fmnist_helpers.study import FINAL, STEPS
from tests.benchmarks import budget, cnn_steps
from tests.benchmarks.budget import Milestones, Result

SMALL = Recipe(model="CNN", num_epochs=2, batch_size=50, learning_rate=0.05)


def figures(tutorial_seconds=50.0, recipe_seconds=40.0, accuracy=0.94, first=0.5):
    tutorial = [Result(tutorial_seconds, 0.71), Result(tutorial_seconds, 0.72)]
    recipe = [Result(recipe_seconds, accuracy), Result(recipe_seconds, accuracy)]
    passed = [{0.71: first, 0.88: 3.0, 0.90: 6.0}, {0.71: first, 0.88: 5.0}]
    return budget.summary(tutorial, recipe, passed)


def test_a_summary_of_known_runs():
    summary = figures()
    assert summary["share_of_budget"] == pytest.approx(0.8)
    assert summary["mean_test_accuracy"] == pytest.approx(0.94)
    assert summary["passed"]["71%"] == {"seconds": 0.5, "share_of_budget": pytest.approx(0.01)}
    assert summary["passed"]["88%"]["seconds"] == pytest.approx(4.0)
    # One of the two runs did not get so far.
    assert "90%" not in summary["passed"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [True, True, True, True]),
        ({"recipe_seconds": 51.0}, [False, True, True, True]),
        ({"accuracy": 0.93}, [True, True, False, True]),
        ({"accuracy": 0.90}, [True, False, False, True]),
        ({"first": 1.5}, [True, True, True, False]),
    ],
)
def test_goals_are_met_or_missed(changes, expected):
    met = budget.goals(figures(**changes))
    assert list(met.values()) == expected
    report = budget.report(figures(**changes))
    for goal, is_met in met.items():
        assert f"{goal}: {'met' if is_met else 'MISSED'}" in report


def test_a_goal_without_a_figure_is_missed():
    summary = figures() | {"passed": {}}
    assert list(budget.goals(summary).values()) == [True, True, True, False]


class Constant(nn.Module):
    """A model whose accuracy is known: it always names one class."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.eye(10)[3])

    def forward(self, images):
        return self.bias.expand(len(images), 10)


def test_the_clock_stands_still_while_the_model_is_evaluated(tiny_root, monkeypatch):
    watch = Milestones(tiny_root, (0.05, 0.5), num_valid=100, fine=10)
    evaluated = []

    def slow_test_loop(*arguments, **options):
        evaluated.append(watch._step)
        time.sleep(0.3)
        return original(*arguments, **options)

    original = budget.helpers.test_loop
    monkeypatch.setattr(budget.helpers, "test_loop", slow_test_loop)
    watch.start()
    model = Constant()
    for _ in range(60):
        watch(model)
    assert evaluated == [5, 10, 50]
    assert model.training
    # A tenth of the images are of class 3: only the first threshold is passed, at once, and no sleep counts.
    assert list(watch.seconds) == [0.05]
    assert watch.seconds[0.05] < 0.3


def test_nothing_is_evaluated_once_every_threshold_is_passed(tiny_root, monkeypatch):
    watch = Milestones(tiny_root, (0.05,), num_valid=100, fine=10)
    for _ in range(5):
        watch(Constant())
    monkeypatch.setattr(
        budget.helpers, "test_loop", lambda *arguments, **options: pytest.fail("evaluated again")
    )
    for _ in range(100):
        watch(Constant())


def test_watching_a_run_does_not_change_it(tiny_root):
    plain = budget.train_recipe(SMALL, tiny_root, num_valid=100, progress=False)
    watch = Milestones(tiny_root, (0.99,), num_valid=100)
    watched = budget.train_recipe(SMALL, tiny_root, num_valid=100, progress=False, after_step=watch)
    for one, other in zip(
        plain.model.state_dict().values(), watched.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_the_command_runs_stores_and_prints(tiny_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(budget.helpers, "prepare_data", lambda source: tiny_root)
    monkeypatch.setitem(budget.STEPS, FINAL, STEPS[FINAL]._replace(recipe=SMALL))
    monkeypatch.setattr(budget, "NUM_EPOCHS", 1)
    original = budget.train_recipe
    monkeypatch.setattr(budget, "train_recipe", lambda *a, **o: original(*a, **{**o, "num_valid": 100}))
    watch = budget.Milestones
    monkeypatch.setattr(
        budget, "Milestones", lambda root, thresholds, num_valid: watch(root, thresholds, 100)
    )
    path = tmp_path / "budget.json"
    monkeypatch.setattr(sys, "argv", ["budget", "--seeds", "1", "--epochs", "1", "--output", str(path)])
    budget.main()
    stored = json.loads(path.read_text())
    assert len(stored["tutorial"]) == len(stored["recipe"]) == 1
    assert 0 < stored["recipe"][0]["test_accuracy"] < 1
    assert "torch" in stored["about"]["versions"]
    assert "no longer than the tutorial" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "message"),
    [("--epochs", "num_epochs is 0; it must be a whole number"), ("--seeds", "--seeds is 0")],
)
def test_the_command_refuses_nothing_to_do(tiny_root, monkeypatch, option, message):
    monkeypatch.setattr(budget.helpers, "prepare_data", lambda source: tiny_root)
    monkeypatch.setattr(sys, "argv", ["budget", option, "0"])
    with pytest.raises(SystemExit, match=message):
        budget.main()


# --- ways to compute the same


def test_every_way_computes_the_same_recipe():
    recipe = STEPS[FINAL].recipe
    for way in cnn_steps.ways().values():
        assert replace(way, channels_last=recipe.channels_last, bfloat16=recipe.bfloat16) == recipe


def test_ways_are_measured_and_a_missing_compiler_is_said_aloud(monkeypatch, capsys):
    def no_compiler(model):
        def called(images):
            raise RuntimeError("no compiler here")

        return called

    monkeypatch.setattr(torch, "compile", no_compiler)
    measured = cnn_steps.measure(batch_size=4, rounds=3)
    assert list(measured) == [name for name in cnn_steps.ways() if name != cnn_steps.COMPILED]
    assert all(0 < way["least"] <= way["median"] for way in measured.values())
    assert "torch.compile does not work here (RuntimeError)" in capsys.readouterr().out


def test_the_report_compares_with_float32():
    way = {"first": 1.0, "least": 0.01}
    lines = cnn_steps.report(
        {cnn_steps.PLAIN: {**way, "median": 0.04}, "both": {**way, "median": 0.01}}
    ).splitlines()
    assert lines[1].split() == ["float32", "40.0", "1.00", "1.00"]
    assert lines[2].split() == ["both", "10.0", "4.00", "1.00"]


# --- what lesson 06 reads


def test_the_stored_figures_are_of_the_real_data_and_of_todays_recipe():
    stored = json.loads((budget.RESULTS / "budget_real.json").read_text())
    assert stored["about"]["data"] == "real"
    assert len(stored["recipe"]) >= 3
    assert stored["mean_test_accuracy"] >= budget.GOALS["least test accuracy"]
    ways = json.loads(cnn_steps.STORED.read_text())["ways"]
    assert list(ways) == list(cnn_steps.ways())
