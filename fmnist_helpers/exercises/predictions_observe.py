"""Observing "predict, then run": what stands under the names that the task asks for."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from fmnist_helpers.exercises.observation import Seen
from fmnist_helpers.exercises.observe import describe
from fmnist_helpers.exercises.remote import observer


class PredictionSeen(msgspec.Struct, frozen=True):
    """What stands under both names."""

    predicted: Seen
    held: Seen


@observer
def observe_prediction(predicted: Any, held: Any) -> PredictionSeen:
    """Describe both; a fraction and a decimal of Python's count as the floats they stand for."""
    with contextlib.suppress(Exception):
        predicted = {
            name: float(one) if isinstance(one, Fraction | Decimal) else one
            for name, one in dict.items(predicted)
        }
    return PredictionSeen(describe(predicted), describe(held))


@observer
def observe_measured(measured: Any) -> Seen:
    """Describe what a given cell has measured."""
    return describe(measured)
