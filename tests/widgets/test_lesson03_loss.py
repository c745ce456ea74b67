"""Lesson 03's part tells the loss, its slopes and its probabilities as the formulas have them."""

from __future__ import annotations

import pytest
import torch

from fmnist_helpers import widgets
from fmnist_helpers.widgets.lesson03_loss import consequences
from tests.widgets.conftest import cells


def test_consequences_agree_with_the_formula():
    logits = torch.tensor([1.0, -2.0, 0.5])
    found = consequences(logits, 1)
    expected = logits.double().softmax(dim=0)
    torch.testing.assert_close(found.probabilities, expected)
    assert found.loss == pytest.approx(-expected[1].log().item())
    torch.testing.assert_close(found.slopes, expected - torch.tensor([0.0, 1, 0]))


def test_softmax_first_cannot_reach_zero():
    logits = torch.tensor([10.0, -10, -10])
    assert consequences(logits, 0).loss < 1e-6
    found = consequences(logits, 0, softmax_first=True)
    assert found.loss == pytest.approx(torch.tensor(1 + 2 / torch.e).log().item(), abs=1e-6)
    assert found.slopes.abs().max() < 1e-6


def test_logit_explorer_tells_the_loss_of_its_sliders():
    explorer = widgets.LogitExplorer()
    assert f"{torch.tensor(3.0).log():.3f} nats" in explorer.spoken
    explorer.logits[0].value = 2.0
    expected = -torch.tensor([2.0, 0, 0]).log_softmax(dim=0)[0]
    assert f"{expected:.3f} nats" in explorer.spoken
    explorer.label.value = 1
    assert f"{-torch.tensor([2.0, 0, 0]).log_softmax(dim=0)[1]:.3f} nats" in explorer.spoken
    slopes = [float(row[4]) for row in cells(explorer.body)[1:]]
    assert sum(slopes) == pytest.approx(0, abs=0.002)
    before = explorer.spoken
    explorer.softmax_first.value = True
    assert explorer.spoken != before and "softmax twice" in explorer.body


def test_logit_explorer_takes_ten():
    explorer = widgets.LogitExplorer(10)
    assert len(explorer.logits) == 10
    assert f"{torch.tensor(10.0).log():.3f} nats" in explorer.spoken


@pytest.mark.parametrize("number", [1, 11])
def test_logit_explorer_refuses_another_number_of_classes(number):
    with pytest.raises(ValueError, match=f"num_classes is {number}; choose from 2 to 10"):
        widgets.LogitExplorer(number)
