"""Lesson 03: move logits and see what softmax, likelihood and cross-entropy make of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fmnist_helpers.data import CLASSES
from fmnist_helpers.widgets.chart import line_chart
from fmnist_helpers.widgets.controls import Slider
from fmnist_helpers.widgets.toolkit import Checkbox, Dropdown
from fmnist_helpers.widgets.views import (
    Caption,
    Interactive,
    View,
    bar,
    picture,
    side_by_side,
    svg_source,
    table,
)


class Consequences(NamedTuple):
    """What follows from the logits of one sample, each of shape (classes,) but the loss."""

    probabilities: Tensor
    loss: float
    """Cross-entropy in nats."""
    slopes: Tensor
    """Derivative of the loss by each logit."""


def consequences(logits: Tensor, label: int, softmax_first: bool = False) -> Consequences:
    """Return probabilities, loss and slopes for the logits of one sample.

    Args:
        logits: float, shape (classes,).
        label: the true class.
        softmax_first: make the mistake of lesson 03 and hand probabilities to cross-entropy.
    """
    leaf = logits.detach().double().requires_grad_()
    handed_over = leaf.softmax(dim=0) if softmax_first else leaf
    loss = torch.nn.functional.cross_entropy(handed_over[None], torch.tensor([label]))
    loss.backward()
    return Consequences(handed_over.detach().softmax(dim=0), loss.item(), leaf.grad)


class LogitExplorer(Interactive):
    """Sliders for the logits of one sample; a table says what the loss makes of them.

    Args:
        num_classes: how many logits, 2 to 10.

    Raises:
        ValueError: if ``num_classes`` is out of this range.
    """

    caption = Caption(
        "Move a logit",
        "raise the logit of the true class, then that of a wrong one; then tick the box and do it again.",
        "with a softmax first, how close to 0 can you bring the loss?",
        "the slopes always add up to 0, and each says which way training would push its logit. With a "
        "softmax first they are small everywhere: there is little to learn from.",
    )
    still_alt = (
        "Two curves of the loss while the true logit rises: with logits it falls to zero, with a softmax first "
        "it stays high."
    )

    def __init__(self, num_classes: int = 3) -> None:
        if not 2 <= num_classes <= len(CLASSES):
            raise ValueError(f"num_classes is {num_classes}; choose from 2 to {len(CLASSES)}")
        names = CLASSES[:num_classes]
        self.label = Dropdown(description="true class", options=[(name, i) for i, name in enumerate(names)])
        self.softmax_first = Checkbox(description="softmax first (the mistake)", indent=False)
        self.logits = [Slider(name, min=-10, max=10, step=0.1) for name in names]
        super().__init__([self.label, self.softmax_first, *self.logits])

    def view(self) -> View:
        logits = torch.tensor([slider.value for slider in self.logits])
        label = self.label.value
        found = consequences(logits, label, self.softmax_first.value)
        rows = [
            (
                CLASSES[i] + (" (true)" if i == label else ""),
                f"{logits[i]:+.1f}",
                bar(p := found.probabilities[i].item(), f"{p:.3f}"),
                f"{-found.probabilities[i].log():.3f}",
                f"{found.slopes[i]:+.3f}",
            )
            for i in range(len(logits))
        ]
        header = ("class", "logit", "probability", "−log p", "slope of the loss")
        said = (
            f"The true class, {CLASSES[label]}, has probability {found.probabilities[label]:.3f}. "
            f"The loss is its negative logarithm, {found.loss:.3f} nats."
        )
        what = "softmax twice, then the loss" if self.softmax_first.value else "softmax, then the loss"
        return View(side_by_side(table(header, rows, what), self._curves(logits, label)), said)

    def _curves(self, logits: Tensor, label: int, alt: str = "") -> str:
        """Draw the loss against the true logit, the others as they are, with and without the mistake."""
        places = torch.linspace(-10, 10, 81, dtype=torch.float64)
        moved = logits.double().repeat(len(places), 1)
        moved[:, label] = places
        target = torch.full((len(places),), label)
        lines = {}
        for name, values in (("logits", moved), ("softmax first", moved.softmax(dim=1))):
            losses = torch.nn.functional.cross_entropy(values, target, reduction="none")
            lines[name] = list(zip(places.tolist(), losses.tolist(), strict=True))
        chart = line_chart(
            lines,
            title="Loss while the true logit moves",
            xlabel="logit of the true class",
            ylabel="loss (nats)",
            xlim=(-10, 10),
            ylim=(0, 12),
            mark=(logits[label].item(), "here"),
        )
        alt = alt or f"The loss against the logit of {CLASSES[label]}, with logits and with a softmax first"
        return picture(svg_source(chart), alt, 404)

    def still(self) -> str:
        return self._curves(torch.zeros(len(self.logits)), 0, self.still_alt)
