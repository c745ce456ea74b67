"""Checks "predict, then run": whether the comparison was made honestly, not whether the prediction was right."""

from __future__ import annotations

from typing import Any

from fmnist_helpers.exercises.old_check import close, fail, fail_in_form, passed

HONEST = (
    "Look at the three values of each question: what you predicted, what was measured, and what you say of them.",
    "A wrong prediction costs nothing here; the surprise is what you learn from. Say whether it held.",
)


def check_prediction(predicted: Any, held: Any, measured: dict[str, Any], *, section: str) -> None:
    """Check that every question was answered before, and that ``held`` says truly which predictions held.

    Args:
        predicted: name of each question → the student's prediction, a number or a word.
        held: name of each question → True if the prediction held.
        measured: name of each question → what was measured.
        section: key in ``SECTIONS``: where the questions are explained.

    Raises:
        CheckFailed: if a prediction is missing or of another type, or ``held`` is not the comparison.
    """
    _check_keys("predicted", predicted, measured, section)
    for question, answer in measured.items():
        kinds = (int, float) if type(answer) in (int, float) else (type(answer),)
        if type(predicted[question]) not in kinds:
            expected, found = " or ".join(kind.__name__ for kind in kinds), type(predicted[question]).__name__
            seen = f"the prediction of {question!r} should be of type {expected}, and it is {found}."
            fail_in_form("predicted", seen, section)
    _check_keys("held", held, measured, section)
    for question, answer in measured.items():
        if type(held[question]) is not bool:
            kind = type(held[question]).__name__
            fail_in_form(
                "held", f"held[{question!r}] should be True or False, and it is of type {kind}.", section
            )
        if held[question] not in _verdicts(predicted[question], answer):
            verdict = "held" if held[question] else "did not hold"
            fail(
                "held",
                f"you say that your prediction of {question!r} {verdict}, but it was "
                f"{predicted[question]!r}, and what was measured is {answer!r}.",
                section=section,
                where=HONEST[0],
                think=HONEST[1],
            )
    passed("predicted", f"{len(measured)} predictions, honestly compared")


def _verdicts(prediction: Any, answer: Any) -> set[bool]:
    """Return what may be said of a prediction: of a decimal that is nearly right, either."""
    verdicts = {prediction == answer}
    if type(answer) is float and close(prediction, answer, tolerance=0.005):
        verdicts.add(True)
    return verdicts


def _check_keys(name: str, given: Any, measured: dict[str, Any], section: str) -> None:
    if type(given) is not dict or set(given) != set(measured):
        fail_in_form(name, f"{name} should be a dict with exactly the keys {sorted(measured)}.", section)
