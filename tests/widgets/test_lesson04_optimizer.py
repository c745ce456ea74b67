"""Lesson 04's parts walk and train as PyTorch's optimisers do."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest
import torch

from fmnist_helpers import widgets
from fmnist_helpers.widgets.lesson04_optimizer import OPTIMIZERS, SUITABLE_RATES, SURFACES, walk


@pytest.mark.parametrize("surface", SURFACES)
def test_sgd_walks_against_the_slope(surface):
    path = walk(surface, "SGD", (1.0, 1.0), 0.01, num_steps=3)
    for here, there in pairwise(path):
        point = here.clone().requires_grad_()
        SURFACES[surface](point).backward()
        torch.testing.assert_close(there, here - 0.01 * point.grad)


def test_race_on_the_narrow_valley_has_its_limits():
    race = widgets.OptimizerRace()
    race.rate.value = race.rate.options.index("0.1")
    # Across the valley SGD multiplies the distance by 1 - 25 * rate, so it diverges above 2 / 25.
    assert "SGD diverges" in race.spoken
    assert "Adam has" not in race.spoken
    race.rate.value = race.rate.options.index("0.0562")
    assert "diverges" not in race.spoken.split("momentum")[0]
    path = race.paths()["SGD"]
    torch.testing.assert_close(path[-1, 1], torch.tensor(2.0) * (1 - 25 * 0.0562) ** 40, atol=1e-5, rtol=1e-3)


def test_race_draws_a_map_for_each_optimiser_and_follows_its_controls():
    race = widgets.OptimizerRace()
    assert race.body.count("<img") == len(OPTIMIZERS)
    bodies = {race.body}
    race.surface.value = "saddle"
    bodies.add(race.body)
    race.start_x.value = 3
    bodies.add(race.body)
    race.start_y.value = -1
    bodies.add(race.body)
    assert len(bodies) == 4
    assert race.paths()["Adam"][0].tolist() == [3, -1]


def test_still_shows_each_optimiser_at_a_rate_that_suits_it():
    for name, rate in SUITABLE_RATES.items():
        end = walk("narrow valley", name, (-8.0, 2.0), rate)[-1]
        assert SURFACES["narrow valley"](end) < 0.5, name
        assert f"{name}, rate {rate}" in svg_of(widgets.OptimizerRace().still())


def svg_of(still: str) -> str:
    return base64.b64decode(still.partition("base64,")[2].rstrip('">')).decode()
