"""Judging "predict, then run": whether the comparison was made honestly, not whether the prediction was right."""

from __future__ import annotations

from typing import Any

import msgspec

from fmnist_helpers.exercises.check import Check, Hints, conclude
from fmnist_helpers.exercises.observation import Seen
from fmnist_helpers.exercises.predictions_observe import (
    PredictionSeen,
    observe_measured,
    observe_prediction,
)
from fmnist_helpers.exercises.remote import Reference, at_defaults

HONEST = Hints(
    "Look at the three values of each question: what you predicted, what was measured, and what you say of them.",
    "A wrong prediction costs nothing here; the surprise is what you learn from. Say whether it held.",
)
NO_DIFFERENCE = 0.01 - 1e-9
"""Below it, a prediction of a decimal may be called right."""


class PredictionProblem(msgspec.Struct, frozen=True):
    """Name of each question → what was measured, and the key in ``SECTIONS`` where the questions are explained."""

    measured: dict[str, int | float | str]
    section: str


@at_defaults
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
    problem = PredictionProblem(_plain(measured), section)
    seen = observe_prediction(predicted, held)
    conclude("predicted", lambda: judge_prediction(problem, seen))


def _plain(measured: dict[str, Any] | Reference) -> dict[str, Any]:
    """Return what was measured; the student's process is asked for it if a test names it without saying it."""
    if type(measured) is not Reference:
        return measured
    found: dict[str, Any] = {}
    for key, one in observe_measured(measured).entries or []:
        if one.text is not None:
            found[key.text] = one.text
        elif one.number is not None:
            found[key.text] = int(one.number) if one.is_a("int") else one.number
    return found


def judge_prediction(problem: PredictionProblem, seen: PredictionSeen) -> str:
    """Judge whether ``held`` compares what was predicted with what was measured."""
    of_predicted, of_held = Check("predicted", problem.section), Check("held", problem.section)
    predicted = _entries(of_predicted, seen.predicted, problem)
    for question, answer in problem.measured.items():
        kind, found = ("str", "text") if isinstance(answer, str) else ("int or float", "number")
        one = predicted[question]
        if getattr(one, found) is None:
            of_predicted.fail(
                f"the prediction of {question!r} should be of type {kind}, and it is {one.type}."
            )
    held = _entries(of_held, seen.held, problem)
    for question, answer in problem.measured.items():
        says, one = _truth(held[question]), predicted[question]
        if says is None:
            kind = held[question].type
            of_held.fail(f"held[{question!r}] should be True or False, and it is of type {kind}.")
        if says not in _verdicts(one, answer):
            of_held.fail(
                f"you say that your prediction of {question!r} {'held' if says else 'did not hold'}, but it was "
                f"{_said(one)}, and what was measured is {answer!r}.",
                hints=HONEST,
            )
    return f"{len(problem.measured)} predictions, honestly compared"


def _entries(check: Check, seen: Seen, problem: PredictionProblem) -> dict[str, Seen]:
    """Return name → entry; end the check unless it is a dict with the questions for keys."""
    entries = {key.text: entry for key, entry in seen.entries or []}
    if not seen.is_a("dict") or set(entries) != set(problem.measured):
        check.fail(f"{check.task} should be a dict with exactly the keys {sorted(problem.measured)}.")
    return entries


def _verdicts(seen: Seen, answer: float | str) -> set[bool]:
    """Return what may be said of a prediction: either, if it is right but for a small difference or capitals."""
    if isinstance(answer, str):
        exact, nearly = seen.text == answer, seen.text.strip().casefold() == answer.casefold()
    else:
        exact, off = seen.number == answer, abs(seen.number - answer)
        nearly = isinstance(answer, float) and off < NO_DIFFERENCE
    return {exact, exact or nearly}


def _truth(seen: Seen) -> bool | None:
    """Return a truth value, also the one in a tensor or an array that holds a single one."""
    if seen.array is not None and seen.array.dtype == "bool" and len(seen.array.numbers) == 1:
        return bool(seen.array.numbers[0])
    return seen.truth


def _said(seen: Seen) -> str:
    if seen.number is None:
        return repr(seen.text)
    return str(int(seen.number)) if seen.number.is_integer() else f"{seen.number:.6g}"
