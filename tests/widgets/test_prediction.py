"""A result is shown only after an answer was committed."""

from __future__ import annotations

import pytest

from fmnist_helpers import widgets
from tests.widgets.conftest import cells


def test_prediction_hides_the_result_until_the_answer_is_committed():
    question = widgets.Prediction("How much is 2 + 3?", ["4", "5"], lambda: 2 + 3, "Sums add.")
    assert question.outcome == "" and question.spoken == "" and question.commit.disabled
    assert question.answer.value is None
    question.answer.value = "4"
    assert question.outcome == "" and not question.commit.disabled
    question.commit.click()
    assert cells(question.outcome)[1] == ["4", "5"]
    assert question.spoken == "Not as you predicted. Sums add."
    assert question.answer.disabled and question.commit.disabled


def test_prediction_that_comes_true():
    question = widgets.Prediction("How much is 2 + 3?", ["4", "5"], lambda: 5)
    question.answer.value = "5"
    question.commit.click()
    assert question.spoken == "As you predicted."


def test_prediction_needs_the_right_answer_among_its_choices():
    with pytest.raises(ValueError, match="'7', which is not among"):
        widgets.Prediction("How much is 2 + 3?", ["4", "5"], lambda: 7)


def test_prediction_without_a_kernel_shows_the_question_and_not_the_result():
    bundle = widgets.Prediction("Which?", ["a <b>", "c"], lambda: "c", "Because.")._repr_mimebundle_()
    assert "a &lt;b&gt;" in bundle["text/html"] and "Because" not in bundle["text/html"]
    assert bundle["text/plain"] == "Predict: Which? (a <b> / c)"
