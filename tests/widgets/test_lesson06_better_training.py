"""Lesson 06's range test trains as PyTorch's optimisers do, with a rate that grows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers import widgets
from fmnist_helpers.widgets.lesson04_optimizer import OPTIMIZERS
from fmnist_helpers.widgets.lesson06_better_training import range_test
from tests.widgets.conftest import make_loader


def test_range_test_is_training_with_a_growing_rate(root):
    rates = [0.001, 0.01, 0.1, 0.5]
    fh.seed_everything(0)
    losses = range_test(fh.NeuralNetwork(), make_loader(root)(), OPTIMIZERS["SGD"], rates)
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    for rate, (images, labels), loss in zip(rates, make_loader(root)(), losses, strict=False):
        expected = nn.functional.cross_entropy(model(images), labels)
        assert loss == pytest.approx(expected.item(), abs=1e-5)
        model.zero_grad()
        expected.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= rate * parameter.grad


def test_range_test_breaks_off_when_the_loss_leaps(root):
    losses = range_test(fh.NeuralNetwork(), make_loader(root)(), OPTIMIZERS["SGD"], [1e6] * 18)
    assert len(losses) < 18
    assert not losses[-1] <= 10 * losses[0]


def test_range_test_keeps_each_optimisers_curve(root):
    test = widgets.RangeTest(fh.NeuralNetwork, make_loader(root))
    assert list(test.losses) == ["SGD"]
    assert test.run.description == "Test SGD"
    test.optimizer.value = "Adam"
    assert test.run.description == "Test Adam"
    test.start()
    test.wait()
    assert list(test.losses) == ["SGD", "Adam"]
    assert not test.run.disabled
    test.reading.value = 5
    assert f"Adam {test.losses['Adam'][5]:.3f}" in test.spoken
    test.reading.value = 149
    assert "No run has reached" in test.spoken
