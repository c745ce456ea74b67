"""Several runs in a few words: what is typical of them, and how far apart they are."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def least_to_most(values: Sequence[float], digits: int) -> str:
    """Return the range: ``"40.6 to 44.0"``."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def median_and_range(values: Sequence[float], digits: int) -> str:
    """Return the median and the range, for times, which a neighbour's work can stretch: ``"43.7 (40.6 to 44.0)"``."""
    return f"{statistics.median(values):.{digits}f} ({least_to_most(values, digits)})"


def mean_and_deviation(values: Sequence[float], digits: int) -> str:
    """Return mean, standard deviation (n − 1) and range, for accuracies: ``"93.2 ± 0.3 (93.0 to 93.5)"``."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f} ({least_to_most(values, digits)})"


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median over the rounds; both numbers of a ratio are of the same round, so of the same weather."""
    return statistics.median(one / other for one, other in zip(numerators, denominators, strict=True))
