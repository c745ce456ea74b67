"""A result is shown only after an answer was committed."""

from __future__ import annotations

import html

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


NUMBERS = {
    "the number": (2302, "2302", "As you predicted."),
    "with a comma": (669_706, "669,706", "As you predicted."),
    "as exact as it was typed": (2.3026, "2.3", "As you predicted."),
    "to one digit": (2.3026, "2", "Not as you predicted."),
    "per cent": (0.5267, "53 %", "As you predicted."),
    "close": (1003, "1000", "Close."),
    "a whole number is exact": (1003, "1004", "Close."),
    "far": (1003, "100", "Not as you predicted."),
    "negative": (-6.0, "-6", "As you predicted."),
    "a minus as it is printed": (-6.0, "−6", "As you predicted."),
    "the wrong sign": (-6.0, "6", "Not as you predicted."),
    "zero": (0.0, "0.001", "Not as you predicted."),
    "a decimal comma": (0.286, "0,29", "As you predicted."),
    "a decimal comma before three digits": (2.3026, "2,303", "As you predicted."),
    "a comma that is one for thousands": (12_864, "12,864", "As you predicted."),
    "points for thousands": (9380, "9.380", "As you predicted."),
    "thousands and a decimal point": (1234.51, "1,234.5", "As you predicted."),
    "a narrow blank for thousands": (9380, "9\u202f380", "As you predicted."),
    "an apostrophe for thousands": (9380, "9'380", "As you predicted."),
    "a fraction": (0.08, "2/25", "As you predicted."),
    "another fraction": (0.08, "1/12", "Close."),
    "a unit": (2.683, "2.7 MB", "As you predicted."),
    "a word before it": (1003, "about 1000", "Close."),
    "a sign before it": (2.683, "~2.7", "As you predicted."),
    "a dash for a minus": (-6.0, "\u2013 6", "As you predicted."),
    "a power of ten": (0.1, "1e-1", "As you predicted."),
    "the last digit of a power of ten": (0.08, "1.0e-1", "Not as you predicted."),
    "one digit that is rounded too far": (0.08, "0.1", "Not as you predicted."),
}


@pytest.mark.parametrize(("right", "answer", "verdict"), NUMBERS.values(), ids=NUMBERS)
def test_number_is_compared_as_exactly_as_it_was_typed(right, answer, verdict):
    question = widgets.Prediction("How many?", run=lambda: right, why="Because.", number=True)
    assert question.commit.disabled and question.outcome == ""
    for nonsense in ("many", "", "1/0", "3 4", "1,2,3", "--5", "nan", "1e999"):
        question.answer.value = nonsense
        assert question.commit.disabled, nonsense
    question.answer.value = answer
    assert question.outcome == "" and not question.commit.disabled
    question.commit.click()
    assert question.spoken == f"{verdict} Because."
    assert html.unescape(cells(question.outcome)[1][0]) == answer


def test_words_are_shown_beside_the_result_without_a_verdict():
    question = widgets.Prediction("What comes?", run=lambda: "a boot", why="Look.")
    question.answer.value = "   "
    assert question.commit.disabled
    question.answer.value = "a <shoe>"
    question.commit.click()
    assert question.spoken == "Look." and "a &lt;shoe&gt;" in question.outcome
    assert question.answer.disabled


@pytest.mark.parametrize("result", ["4", True, None])
def test_number_is_asked_for_only_where_the_code_gives_one(result):
    with pytest.raises(ValueError, match="a number is asked for"):
        widgets.Prediction("How many?", run=lambda: result, number=True)


def test_questions_to_be_typed_show_what_is_asked_and_not_the_result():
    number = widgets.Prediction("How many?", run=lambda: 42, number=True)._repr_mimebundle_()
    assert number["text/plain"] == "Predict: How many? (a number)" and "42" not in number["text/html"]
    words = widgets.Prediction("What?", run=lambda: "boot")._repr_mimebundle_()
    assert words["text/plain"] == "Predict: What? (in your own words)" and "boot" not in words["text/html"]


def test_prediction_without_a_kernel_shows_the_question_and_not_the_result():
    bundle = widgets.Prediction("Which?", ["a <b>", "c"], lambda: "c", "Because.")._repr_mimebundle_()
    assert "a &lt;b&gt;" in bundle["text/html"] and "Because" not in bundle["text/html"]
    assert bundle["text/plain"] == "Predict: Which? (a <b> / c)"
