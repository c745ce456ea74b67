"""A prediction is compared honestly."""

from __future__ import annotations

import pytest

from fmnist_helpers.exercises import CheckFailed
from fmnist_helpers.exercises.predictions import check_prediction


def test_prediction_that_is_nearly_right_may_be_called_either():
    for held in (True, False):
        check_prediction({"loss": 1.386}, {"loss": held}, {"loss": 1.3862}, section="untrained_loss")
    with pytest.raises(CheckFailed, match="did not hold"):
        check_prediction(
            {"loss": 1.3862}, {"loss": False}, {"loss": 1.3862 + 0.0}, section="untrained_loss"
        ) or None
    with pytest.raises(CheckFailed, match="held, but it was"):
        check_prediction({"loss": 1.5}, {"loss": True}, {"loss": 1.3862}, section="untrained_loss")
