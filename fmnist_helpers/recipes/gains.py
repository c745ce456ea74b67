"""How sure a gain is: two recipes judged on the same validation images, with several seeds each.

A difference between two accuracies may be chance in two ways. Other seeds would have given other runs, and other
images another judgement. Both recipes meet the same images and the same seeds, so the differences are taken pair by
pair, and what makes an image hard for both cancels.
"""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DOUBT = 0.05
"""How often at most a whole table of changes that do nothing shows a gain beyond its margin."""


class PairedGain(NamedTuple):
    """By how much one recipe is better than another, all as shares from 0 to 1."""

    gain: float
    """Mean difference of the accuracies."""
    over_seeds: float
    """Standard error if only the seeds were others; nan for one seed."""
    over_images: float
    """Standard error if only the validation images were others; nan where only accuracies are known."""
    error: float
    """Standard error if both were others."""
    margin: float
    """How far the gain may be off by chance, with all comparisons of the table in mind."""

    @property
    def stands_out(self) -> bool:
        """Whether the gain, up or down, is beyond its margin."""
        return abs(self.gain) > self.margin


def paired_gain(right: NDArray, before: NDArray, num_comparisons: int = 1) -> PairedGain:
    """Compare two recipes on the same images.

    The differences are read as a two-way table, seeds by images, both of them samples: a two-way analysis of variance
    with random effects, without repetition (Searle, Casella and McCulloch, *Variance Components*, 1992, chapter 4).
    The squared error of the mean is the seeds' part plus the images' part; the noise that is in both is counted once.
    The margin is the quantile of Student's t, its degrees of freedom after Satterthwaite (1946), and for several
    comparisons after Bonferroni: with probability 0.95 at least, *all* of them lie within their margins of the truth.

    Args:
        right: which images the recipe named correctly, of shape (seeds, images); or, where only they are known, its
            accuracies, of shape (seeds, 1), and then the images' part is missing.
        before: the same for the recipe that it is compared with, seeds and images in the same order.
        num_comparisons: how many gains are looked at together.

    Raises:
        ValueError: if the shapes differ, or there is one seed and one image.
    """
    if right.shape != before.shape or right.ndim != 2 or right.size < 2:
        raise ValueError(
            f"the results have the shapes {right.shape} and {before.shape}; "
            "both must be (seeds, images), with two seeds or two images at least"
        )
    differences = right.astype(float) - before
    num_seeds, num_images = differences.shape
    by_seed, by_image = differences.mean(axis=1), differences.mean(axis=0)
    # Squared errors of the mean, and the noise that both the seeds' and the images' part hold.
    images = by_image.var(ddof=1) / num_images if num_images > 1 else math.nan
    seeds = by_seed.var(ddof=1) / num_seeds if num_seeds > 1 else math.nan
    noise = 0.0
    if num_images > 1 and num_seeds > 1:
        rest = differences - by_seed[:, None] - by_image + differences.mean()
        noise = (rest**2).sum() / ((num_seeds - 1) * (num_images - 1) * differences.size)
    parts = [(np.nan_to_num(images), num_images - 1), (max(np.nan_to_num(seeds) - noise, 0.0), num_seeds - 1)]
    square = sum(part for part, _ in parts)
    doubt = sum(part**2 / degrees for part, degrees in parts if part)
    quantile = student_quantile(1 - DOUBT / (2 * num_comparisons), square**2 / doubt if doubt else math.inf)
    error = math.sqrt(square)
    return PairedGain(differences.mean(), math.sqrt(seeds), math.sqrt(images), error, error * quantile)


def student_quantile(probability: float, degrees: float) -> float:
    """Return what a value of Student's t, with so many degrees of freedom, stays below with this probability.

    With t = √degrees · tan(angle), the density of the angle is in proportion to cos(angle) ** (degrees − 1), which
    is summed up numerically. Beyond 2,000 degrees of freedom the normal distribution is close enough.
    """
    if degrees > 2000:
        return statistics.NormalDist().inv_cdf(probability)
    angles = np.linspace(-math.pi / 2, math.pi / 2, 20_001)
    middles = (angles[1:] + angles[:-1]) / 2
    shares = np.concatenate([[0.0], np.cumsum(np.cos(middles) ** (degrees - 1))])
    return math.sqrt(degrees) * math.tan(np.interp(probability, shares / shares[-1], angles))


class Elsewhere(NamedTuple):
    """What choosing an epoch gains: on the images that chose it and on others, shares from 0 to 1, one of each
    for every seed and each half of the validation images."""

    on_the_choosers: tuple[float, ...]
    on_others: tuple[float, ...]


def chosen_on_one_half(
    halves: tuple[tuple[tuple[float, float], ...], ...], before: NDArray[np.bool_]
) -> Elsewhere:
    """Choose the best epoch on one half of the validation images and judge it on the other, and the other way round.

    Args:
        halves: for each seed, for each epoch, the accuracies on the validation images at even and at odd places.
        before: which images the last epoch of the unchanged recipe named correctly, of shape (seeds, images).
    """
    choosers, others = [], []
    for epochs, right in zip(halves, before, strict=True):
        at_the_end = [right[0::2].mean(), right[1::2].mean()]
        for half in (0, 1):
            # The later one of two that are equally good, as early stopping keeps it.
            best = max(range(len(epochs)), key=lambda epoch: (epochs[epoch][half], epoch))
            choosers.append(float(epochs[best][half] - at_the_end[half]))
            others.append(float(epochs[best][1 - half] - at_the_end[1 - half]))
    return Elsewhere(tuple(choosers), tuple(others))
