"""Predict, then look: an answer is shown only after you have committed yours."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from fmnist_helpers.widgets.controls import Spoken
from fmnist_helpers.widgets.views import table


class Prediction(ipywidgets.VBox):
    """A question with a few answers; once you commit one, what the code gives appears beside it.

    Nothing is graded, and nothing leaves the notebook. The code runs when the cell runs, so that a mistake in
    it shows at once; only its result waits.

    Args:
        question: what to predict.
        choices: two or more answers, as text.
        run: takes nothing and returns what the code gives; ``str`` of it must be one of the choices.
        why: a sentence that is shown with the result.

    Raises:
        ValueError: if what ``run`` returns is not among the choices.
    """

    def __init__(self, question: str, choices: Sequence[str], run: Callable[[], Any], why: str = "") -> None:
        self.question, self.choices, self._why = question, list(choices), why
        self._result = str(run())
        if self._result not in self.choices:
            raise ValueError(
                f"the code gives {self._result!r}, which is not among the choices {self.choices}"
            )
        self.answer = ipywidgets.RadioButtons(
            description="your answer", options=self.choices, value=None, layout={"width": "max-content"}
        )
        self.commit = ipywidgets.Button(
            description="Commit", disabled=True, tooltip="Then the result appears"
        )
        self.answer.observe(self._allow, names="value")
        self.commit.on_click(self._reveal)
        self._outcome, self._spoken = ipywidgets.HTML(), Spoken()
        super().__init__(
            [ipywidgets.HTML(self._head()), self.answer, self.commit, self._outcome, self._spoken]
        )
        self.add_class("fmnist-frame").add_class("fmnist-prediction")

    @property
    def outcome(self) -> str:
        """What is shown after the commitment, as HTML; empty before."""
        return self._outcome.value

    @property
    def spoken(self) -> str:
        """The sentence that is read out after the commitment."""
        return self._spoken.text

    def _head(self) -> str:
        return f"<p><strong>Predict:</strong> {html.escape(self.question)}</p>"

    def _allow(self, change: Any) -> None:
        self.commit.disabled = self.answer.value is None

    def _reveal(self, button: Any) -> None:
        self.answer.disabled = self.commit.disabled = True
        rows = [(html.escape(self.answer.value), html.escape(self._result))]
        self._outcome.value = table(("you predicted", "the code gives"), rows, "")
        verdict = "As you predicted." if self.answer.value == self._result else "Not as you predicted."
        self._spoken.text = f"{verdict} {self._why}".strip()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        listed = "".join(f"<li>{html.escape(choice)}</li>" for choice in self.choices)
        where = "<p>Run this cell in JupyterLab or on Binder to answer.</p>"
        return {
            **super()._repr_mimebundle_(**options),
            "text/html": f"{self._head()}<ul>{listed}</ul>{where}",
            "text/plain": f"Predict: {self.question} ({' / '.join(self.choices)})",
        }
