"""Predict, then look: an answer is shown only after you have committed yours."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from fmnist_helpers.widgets.controls import Spoken
from fmnist_helpers.widgets.toolkit import HTML, MISSING, Button, DOMWidget, RadioButtons, Text, VBox
from fmnist_helpers.widgets.views import table

NEAR = 0.1
"""How far a number may lie from what the code gives, as a share of it, to be called close."""


class Prediction(VBox):
    """A question; once you commit an answer, what the code gives appears beside it.

    You choose one of several answers, type a number, or write a few words. Nothing is graded, and nothing leaves the
    notebook. The code runs when the cell runs, so that a mistake in it shows at once; only its result waits.

    Args:
        question: what to predict.
        choices: two or more answers to choose from, as text; without them the answer is typed.
        run: takes nothing and returns what the code gives; ``str`` of it must be one of the choices, if there are any.
        why: a sentence that is shown with the result.
        number: whether what is typed is a number; else it is a few words, which you compare yourself.

    Raises:
        ValueError: if what ``run`` returns is not among the choices, or is no number where one is asked for.
    """

    def __init__(
        self,
        question: str,
        choices: Sequence[str] = (),
        run: Callable[[], Any] | None = None,
        why: str = "",
        *,
        number: bool = False,
    ) -> None:
        if run is None:
            raise ValueError("a prediction needs run=, a function that gives the result")
        self.question, self.choices, self.number, self._why = question, list(choices), number, why
        self._value = run()
        self._result = _written(self._value) if number else str(self._value)
        if self.choices and self._result not in self.choices:
            raise ValueError(
                f"the code gives {self._result!r}, which is not among the choices {self.choices}"
            )
        self.answer = self._field()
        self.commit = Button(description="Commit", disabled=True, tooltip="Then the result appears")
        self.answer.observe(self._allow, names="value")
        self.commit.on_click(self._reveal)
        self._outcome, self._spoken = HTML(), Spoken()
        super().__init__([HTML(self._head()), self.answer, self.commit, self._outcome, self._spoken])
        self.add_class("fmnist-frame").add_class("fmnist-prediction")

    @property
    def outcome(self) -> str:
        """What is shown after the commitment, as HTML; empty before."""
        return self._outcome.value

    @property
    def spoken(self) -> str:
        """The sentence that is read out after the commitment."""
        return self._spoken.text

    def _field(self) -> DOMWidget:
        named = {"description": "your answer", "style": {"description_width": "initial"}}
        if self.choices:
            return RadioButtons(options=self.choices, value=None, layout={"width": "max-content"}, **named)
        asked = "a number, such as 0.25" if self.number else "a few words"
        return Text(placeholder=asked, continuous_update=True, **named)

    def _head(self) -> str:
        return f"<p><strong>Predict:</strong> {html.escape(self.question)}</p>"

    def _allow(self, change: Any) -> None:
        answer = self.answer.value
        self.commit.disabled = not typed(answer) if self.number else not (answer and answer.strip())

    def _reveal(self, button: Any) -> None:
        self.answer.disabled = self.commit.disabled = True
        rows = [(html.escape(self.answer.value), html.escape(self._result))]
        said = "you predicted" if self.choices or self.number else "you wrote"
        self._outcome.value = table((said, "the code gives"), rows, "")
        self._spoken.text = f"{self._verdict()} {self._why}".strip()

    def _verdict(self) -> str:
        if self.number:
            return _compared(self.answer.value, float(self._value))
        if not self.choices:
            return ""
        return "As you predicted." if self.answer.value == self._result else "Not as you predicted."

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        asked = " / ".join(self.choices) or ("a number" if self.number else "in your own words")
        listed = "".join(f"<li>{html.escape(choice)}</li>" for choice in self.choices)
        field = f"<ul>{listed}</ul>" if listed else f"<p>({asked})</p>"
        where = MISSING or "Run this cell in JupyterLab or on Binder to answer."
        return {
            **super()._repr_mimebundle_(**options),
            "text/html": f"{self._head()}{field}<p>{where}</p>",
            "text/plain": f"Predict: {self.question} ({asked})",
        }


NUMBER = re.compile(
    r"(?:about|around|roughly|~|≈)?\s*(?P<sign>[-+]?)\s*(?P<digits>\d[\d,._' ]*|\.\d+)(?P<power>e[-+]?\d+)?"
    r"\s*(?:/\s*(?P<divisor>\d+)|(?P<share>%)|[a-zµ ]*)",
    flags=re.IGNORECASE,
)
"""What somebody may type as a number, with a word around it or a unit behind it."""


def typed(text: str) -> list[tuple[float, float]]:
    """Return what somebody who typed this may mean: each number, and how far beside it still is what was typed.

    A comma or a point before three digits may be one for thousands or the decimal one. A whole number and a fraction
    are exact; after a decimal point, or in per cent, the last digit is rounded.
    """
    plain = re.sub("[\u2212\u2013\u2014]", "-", re.sub(r"\s", " ", text)).strip()
    found = NUMBER.fullmatch(plain)
    if not found:
        return []
    digits = re.sub(r"(?<=\d)[ _'](?=\d{3}(?!\d))", "", found["digits"]).strip()
    readings = {digits, digits.replace(",", ".")}
    for mark in ",.":
        if re.fullmatch(rf"[1-9]\d{{0,2}}(\{mark}\d{{3}})+(\{',.'[mark == ',']}\d+)?", digits):
            readings.add(digits.replace(mark, "").replace(",", "."))
    divisor = int(found["divisor"] or 1) * (100 if found["share"] else 1)
    scale = float(f"{found['sign']}1{found['power'] or ''}") / divisor if divisor else 0.0
    numbers = []
    for reading in sorted(readings):
        if scale and math.isfinite(scale) and re.fullmatch(r"\d+\.?\d*|\.\d+", reading):
            decimals = len(reading.partition(".")[2])
            rounded = (decimals or found["share"]) and not found["divisor"]
            numbers.append((float(reading) * scale, 0.5 * 10.0**-decimals * abs(scale) if rounded else 0.0))
    return numbers


def _compared(text: str, right: float) -> str:
    """Say how far a typed number lies from the right one; it is as exact as it was typed."""
    number, half_of_last = min(typed(text), key=lambda one: abs(one[0] - right))
    # One digit after the point may be rounded by a quarter of the number.
    if math.isclose(number, right, rel_tol=1e-12) or abs(number - right) <= min(
        half_of_last, NEAR * abs(right)
    ):
        return "As you predicted."
    return "Close." if abs(number - right) <= NEAR * abs(right) else "Not as you predicted."


def _written(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"the code gives {value!r}, and a number is asked for: return an int or a float")
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
