"""That the comparison with the tutorial's minutes counts what it says, and shows known numbers rightly."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fmnist_helpers.recipes.recipe import Recipe
from fmnist_helpers.recipes.study import FINAL, STEPS
from tests.measure import budget, cnn_steps
from tests.measure.budget import Milestones, Result
from tests.tools.course import RESULTS

SMALL = Recipe(model="CNN", num_epochs=2, batch_size=50, learning_rate=0.05)


def test_known_runs_are_summed_up_and_reported():
    tutorial = [Result(50.0, 0.71), Result(40.0, 0.72)]
    recipe = [Result(40.0, 0.93), Result(36.0, 0.95)]
    passed = [{0.71: 0.4, 0.88: 3.0, 0.90: 6.0}, {0.71: 0.5, 0.88: 5.0}]
    summary = budget.summary(tutorial, recipe, passed)
    assert summary["share_of_budget"] == pytest.approx(0.85)
    assert summary["mean_test_accuracy"] == pytest.approx(0.94)
    assert summary["passed"]["71%"] == pytest.approx({"seconds": 0.45, "share_of_budget": 0.01})
    # One of the two runs did not get to 90 %.
    assert list(summary["passed"]) == ["71%", "88%"]
    lines = budget.report(summary).splitlines()
    assert "45.0 (40.0 to 50.0)" in lines[1] and lines[1].endswith("71.50 ± 0.71 (71.00 to 72.00)")
    assert lines[3] == "the recipe took 85% of the time (median of the pairs)"
    assert lines[4] == "it passes 71% on validation after 0.45 s, 1.0% of the tutorial's time"


class Constant(nn.Module):
    """A model whose accuracy is known: it always names one class."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.eye(10)[3])

    def forward(self, images):
        return self.bias.expand(len(images), 10)


def test_the_clock_stands_still_while_the_model_is_evaluated(tiny_root, monkeypatch):
    clock, evaluated = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(budget, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    original = budget.helpers.test_loop

    def slow_test_loop(*arguments, **options):
        evaluated.append(clock.now)
        clock.now += 1000
        return original(*arguments, **options)

    monkeypatch.setattr(budget.helpers, "test_loop", slow_test_loop)
    watch, model = Milestones(tiny_root, (0.05, 0.5), num_valid=100, fine=10), Constant()
    for _ in range(60):
        clock.now += 1
        watch(model)
    # After steps 5, 10 and 50.
    assert evaluated == [5, 1010, 2050]
    assert model.training
    # A tenth of the images are of class 3: only the first threshold is passed, at once.
    assert watch.seconds == {0.05: 5}


def test_no_evaluation_counts_towards_a_later_threshold(tiny_root, monkeypatch):
    clock, accuracies = SimpleNamespace(now=0.0), iter([0.0, 0.2, 0.6])
    monkeypatch.setattr(budget, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    def slow_test_loop(*arguments, **options):
        clock.now += 1000
        return SimpleNamespace(accuracy=next(accuracies))

    monkeypatch.setattr(budget.helpers, "test_loop", slow_test_loop)
    watch = Milestones(tiny_root, (0.1, 0.5), num_valid=100)
    with pytest.raises(budget.AllPassed):
        for _ in range(100):
            clock.now += 1
            watch(Constant())
    assert watch.seconds == {0.1: 10, 0.5: 15}


def test_the_run_ends_with_the_last_threshold(tiny_root, monkeypatch):
    steps = []

    def endless(*_, after_step, **options):
        while True:
            steps.append(None)
            after_step(Constant())

    watch = Milestones
    monkeypatch.setattr(budget, "Milestones", lambda root, thresholds: watch(root, thresholds, 100))
    monkeypatch.setattr(budget, "THRESHOLDS", (0.04, 0.05))
    monkeypatch.setattr(budget, "train_recipe", endless)
    assert list(budget.milestones(SMALL, tiny_root, seed=0)) == [0.04, 0.05]
    assert len(steps) == 5


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
    monkeypatch.setattr(budget, "Milestones", lambda root, thresholds: watch(root, thresholds, 100))
    path = tmp_path / "budget.json"
    monkeypatch.setattr(sys, "argv", ["budget", "--seeds", "1", "--epochs", "1", "--output", str(path)])
    budget.main()
    stored = json.loads(path.read_text())
    assert len(stored["tutorial"]) == len(stored["recipe"]) == 1
    assert 0 < stored["recipe"][0]["test_accuracy"] < 1
    assert "torch" in stored["about"]["versions"]
    assert "of the time (median of the pairs)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "message"),
    [("--epochs", "num_epochs is 0; it must be 1 or above"), ("--seeds", "--seeds is 0")],
)
def test_the_command_refuses_nothing_to_do(tiny_root, monkeypatch, option, message):
    monkeypatch.setattr(budget.helpers, "prepare_data", lambda source: tiny_root)
    monkeypatch.setattr(sys, "argv", ["budget", option, "0"])
    with pytest.raises(SystemExit, match=message):
        budget.main()


# --- ways to compute the same


@pytest.mark.parametrize("in_hardware", [False, True])
def test_every_way_computes_the_same_recipe(monkeypatch, in_hardware):
    monkeypatch.setattr(cnn_steps, "has_bfloat16", lambda: in_hardware)
    recipe, ways = STEPS[FINAL].recipe, cnn_steps.ways()
    for way in ways.values():
        assert replace(way, channels_last=recipe.channels_last, bfloat16=recipe.bfloat16) == recipe
    # Imitated, it would be timed as what it is not.
    assert any(way.bfloat16 for way in ways.values()) is in_hardware
    assert sum(name.endswith(cnn_steps.COMPILED) for name in ways) == 2


def test_ways_are_measured_and_a_missing_compiler_is_said_aloud(monkeypatch, capsys):
    def no_compiler(model):
        def called(images):
            raise RuntimeError("no compiler here")

        return called

    monkeypatch.setattr(torch, "compile", no_compiler)
    measured = cnn_steps.measure(batch_size=4, rounds=3)
    assert list(measured) == [name for name in cnn_steps.ways() if not name.endswith(cnn_steps.COMPILED)]
    assert all(0 < way["least"] <= way["median"] for way in measured.values())
    assert "torch.compile does not work here (RuntimeError)" in capsys.readouterr().out


def test_the_report_compares_with_float32():
    way = {"first": 1.0, "least": 0.01}
    lines = cnn_steps.report(
        {cnn_steps.PLAIN: {**way, "median": 0.04}, "both": {**way, "median": 0.01}}
    ).splitlines()
    assert lines[1].split() == ["float32", "40.0", "1.00", "1.00"]
    assert lines[2].split() == ["both", "10.0", "4.00", "1.00"]


def test_figures_of_a_machine_replace_its_own_and_leave_those_of_others(tmp_path):
    path, way = tmp_path / "steps.json", {"first": 1.0, "median": 0.04, "least": 0.01}
    for machine, ways in (("one", {"a": way}), ("other", {"b": way}), ("one", {"c": way})):
        cnn_steps.write({"machine": machine}, ways, path)
    stored = json.loads(path.read_text())["machines"]
    assert [(one["about"]["machine"], list(one["ways"])) for one in stored] == [
        ("one", ["c"]),
        ("other", ["b"]),
    ]


# --- what lesson 07 reads


def test_the_stored_figures_are_of_the_real_data_and_of_todays_recipe():
    stored = json.loads((RESULTS / "budget_real.json").read_text())
    assert stored["about"]["data"] == "real"
    assert len(stored["tutorial"]) == len(stored["recipe"]) == 5
    measured = {name for one in json.loads(cnn_steps.STORED.read_text())["machines"] for name in one["ways"]}
    assert {"float32", "float32, compiled", "bfloat16", "both", "both, compiled"} <= measured
