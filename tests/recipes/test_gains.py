"""A gain's error is that of two samples, seeds and images, and its margin holds for all comparisons together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fmnist_helpers.recipes.gains import chosen_on_one_half, paired_gain, student_quantile


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    # From the tables in statistics books; one degree is the Cauchy distribution, which has a closed form.
    [(0.975, 4, 2.776), (0.95, 10, 1.812), (0.995, 30, 2.750), (0.975, 1, math.tan(0.475 * math.pi))],
)
def test_quantiles_of_students_t_are_those_of_the_tables(probability, degrees, expected):
    assert student_quantile(probability, degrees) == pytest.approx(expected, abs=2e-3)


def test_many_degrees_of_freedom_are_the_normal_distribution():
    assert student_quantile(0.975, math.inf) == pytest.approx(1.959964, abs=1e-5)
    assert student_quantile(0.975, 1999) == pytest.approx(student_quantile(0.975, 2001), abs=2e-3)


def test_one_seed_is_the_paired_test_on_images():
    """Oracle: the standard error of a mean difference, by hand: two images gained, one lost, of ten."""
    before = np.array([[0, 0, 1, 1, 1, 1, 1, 1, 0, 0]], dtype=bool)
    right = np.array([[1, 1, 0, 1, 1, 1, 1, 1, 0, 0]], dtype=bool)
    gain = paired_gain(right, before)
    assert gain.gain == pytest.approx(0.1)
    squares = 3 * 1.0 - 10 * 0.1**2
    assert gain.error == gain.over_images == pytest.approx(math.sqrt(squares / 9 / 10))
    assert gain.margin == pytest.approx(2.262 * gain.error, rel=1e-3)
    assert math.isnan(gain.over_seeds)


def test_accuracies_alone_are_the_paired_t_test_over_seeds():
    gain = paired_gain(np.array([[0.8], [0.9], [0.7]]), np.array([[0.6], [0.6], [0.6]]))
    assert gain.gain == pytest.approx(0.2)
    assert gain.error == gain.over_seeds == pytest.approx(0.1 / math.sqrt(3))
    assert gain.margin == pytest.approx(4.303 * gain.error, rel=1e-3)
    assert math.isnan(gain.over_images)


def test_equal_recipes_have_no_gain_and_no_doubt():
    right = np.random.default_rng(0).random((5, 50)) < 0.9
    assert paired_gain(right, right)[0] == paired_gain(right, right).margin == 0
    assert not paired_gain(right, right).stands_out


def made_up(generator, seeds, images, noise, num_seeds=5, num_images=400):
    """Differences with known deviations of seeds, images and the rest, around a gain of 0."""
    return (
        generator.normal(0, seeds, (num_seeds, 1))
        + generator.normal(0, images, (1, num_images))
        + generator.normal(0, noise, (num_seeds, num_images))
    )


@pytest.mark.parametrize(("seeds", "images", "noise"), [(0.02, 0.2, 0.3), (0.05, 0.1, 0.3), (0.0, 0.4, 0.1)])
def test_the_error_is_that_of_the_simulation_and_the_margin_covers(seeds, images, noise):
    """Oracle: 400 studies whose truth is known to be 0."""
    generator = np.random.default_rng(1)
    gains = [paired_gain(made_up(generator, seeds, images, noise), np.zeros((5, 400)), 1) for _ in range(400)]
    true_error = math.sqrt(seeds**2 / 5 + images**2 / 400 + noise**2 / 2000)
    assert np.std([one.gain for one in gains]) == pytest.approx(true_error, rel=0.1)
    assert np.mean([one.error**2 for one in gains]) == pytest.approx(true_error**2, rel=0.1)
    assert np.mean([one.stands_out for one in gains]) < 0.08


def test_among_many_comparisons_of_nothing_one_seldom_stands_out():
    generator = np.random.default_rng(2)
    studies = [
        any(
            paired_gain(made_up(generator, 0.02, 0.2, 0.3), np.zeros((5, 400)), 16).stands_out
            for _ in range(16)
        )
        for _ in range(60)
    ]
    assert np.mean(studies) <= 0.12


@pytest.mark.parametrize("shape", [(2, 3), (1, 1), (4,)])
def test_results_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="both must be"):
        paired_gain(np.zeros(shape), np.zeros((1, 1) if shape != (4,) else (4,)))


def test_an_epoch_is_chosen_by_one_half_and_judged_by_the_other():
    halves = (((0.5, 0.6), (0.8, 0.5), (0.8, 0.7), (0.6, 0.9)),)
    before = np.array([[True, True, False, True, False, False, False, True]])  # even 1 of 4, odd 3 of 4
    found = chosen_on_one_half(halves, before)
    # The even places choose the third epoch (the later of two), the odd ones the fourth.
    assert found.on_the_choosers == pytest.approx((0.8 - 0.25, 0.9 - 0.75))
    assert found.on_others == pytest.approx((0.7 - 0.75, 0.6 - 0.25))
