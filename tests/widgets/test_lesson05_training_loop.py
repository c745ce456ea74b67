"""Lesson 05's parts train as fit does, stop when asked to, and run what is chosen."""

from __future__ import annotations

import base64
import functools
import re
import time

import pytest
import torch
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers import widgets
from fmnist_helpers.widgets import broken_loop, lesson05_training_loop
from tests.widgets.conftest import make_loader


@pytest.fixture
def dashboard(loaders):
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.TrainingDashboard(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 3)
    made.model = model
    return made


def test_dashboard_trains_as_fit_does(dashboard, root):
    assert "Not started" in dashboard.spoken
    dashboard.start_button.click()
    dashboard.wait()
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    train, valid, _ = fh.make_loaders(root, batch_size=16, num_valid=100)
    history = fh.fit(
        model, train, valid, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.05), 3
    )
    assert [row[:5] for row in dashboard.history] == [row[:5] for row in history]
    assert len(dashboard.losses) == 3 * len(train)
    assert "Done: 3 epochs" in dashboard.spoken
    assert dashboard.start_button.disabled and dashboard.stop_button.disabled


class Slow(nn.CrossEntropyLoss):
    """Takes its time, so that there is a middle to stop in."""

    def forward(self, logits, labels):
        time.sleep(0.02)
        return super().forward(logits, labels)


def test_dashboard_stops_keeps_the_model_and_goes_on(loaders):
    model = fh.NeuralNetwork()
    untrained = model.linear_relu_stack[0].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.TrainingDashboard(model, loaders.train, loaders.valid, Slow(), optimizer, 1)
    made.start()
    assert made.running and made.start_button.disabled and not made.stop_button.disabled
    while len(made.losses) < 3:
        time.sleep(0.005)
    made.stop_button.click()
    made.wait()
    assert 3 <= len(made.losses) < len(loaders.train)
    assert f"Stopped in epoch 1 after {len(made.losses)} of {len(loaders.train)} batches" in made.spoken
    assert not torch.equal(model.linear_relu_stack[0].weight, untrained)
    assert made.start_button.description == "Go on" and not made.start_button.disabled
    made.start()
    made.wait()
    assert len(made.history) == 1


def test_dashboard_tells_what_went_wrong(loaders):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.TrainingDashboard(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 1)
    made.start()
    made.wait()
    assert "Training ended with an error. ValueError" in made.spoken
    assert made.stop_button.disabled


def test_outside_of_jupyter_training_prints_lines(loaders, capsys):
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    history = widgets.watch_training(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 2)
    assert isinstance(history, fh.History) and len(history) == 2
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_still_is_a_picture_of_an_earlier_run_and_says_so(dashboard):
    page = dashboard.still()
    alternatives = re.findall('alt="([^"]*)"', page)
    assert len(alternatives) == 2 and all("earlier run" in one for one in alternatives)
    loss, accuracy = (base64.b64decode(one).decode() for one in re.findall('base64,([^"]*)"', page))
    assert "An earlier run" in loss and "An earlier run" in accuracy
    # Not an empty axis: a line through every stored value.
    drawn = re.search(r'<path d="(M[^"]*)" fill="none" stroke="#0072B2" stroke-width', loss)[1]
    assert len(re.findall("[ML]", drawn)) == len(lesson05_training_loop.EARLIER_LOSSES)
    assert accuracy.count("<circle") == 6


def test_in_a_notebook_training_waits_for_the_button(loaders, monkeypatch):
    monkeypatch.setattr(lesson05_training_loop, "in_notebook", lambda: True)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.watch_training(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 2)
    assert isinstance(made, widgets.TrainingDashboard) and not made.running and not made.losses


def test_break_the_loop_runs_what_is_chosen_while_it_runs(loaders, root, monkeypatch):
    short = functools.partial(broken_loop.train_with_bug, num_iterations=4)
    monkeypatch.setattr(lesson05_training_loop, "NUM_ITERATIONS", 4)
    monkeypatch.setattr(lesson05_training_loop, "train_with_bug", short)
    broken = widgets.BreakTheLoop(make_loader(root), loaders.valid)
    assert set(broken.curves) == {(broken_loop.RIGHT, 0.1, False), ("no zero_grad", 0.1, False)}
    for bug in broken_loop.BUGS[1:]:
        broken.bug.value = bug
    broken.rate.value = 0.001
    broken.wait()
    last = broken_loop.BUGS[-1]
    assert {(broken_loop.RIGHT, 0.001, True), (last, 0.001, True)} <= set(broken.curves)
    assert broken_loop.TOLD[last] in broken.spoken
    right, buggy = (broken.curves[bug, 0.001, True].accuracies[-1][1] for bug in (broken_loop.RIGHT, last))
    assert f"accuracy {right:.1%} without the bug and {buggy:.1%} with it" in broken.spoken
    # Nothing is run twice.
    kept = dict(broken.curves)
    broken.rate.value = 0.1
    broken.wait()
    assert all(broken.curves[key] is curve for key, curve in kept.items())
