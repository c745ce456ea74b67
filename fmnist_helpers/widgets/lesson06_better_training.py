"""Lesson 06: a learning-rate range test on the real model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import traitlets
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from fmnist_helpers.widgets.background import Worker
from fmnist_helpers.widgets.chart import line_chart, smooth
from fmnist_helpers.widgets.controls import Slider
from fmnist_helpers.widgets.lesson04_optimizer import OPTIMIZERS
from fmnist_helpers.widgets.toolkit import Button, Dropdown
from fmnist_helpers.widgets.views import Caption, Interactive, View, picture, svg_source


def range_test(
    model: nn.Module,
    loader: DataLoader,
    make_optimizer: Callable[..., Optimizer],
    rates: list[float],
    report: Callable[[list[float]], None] = lambda losses: None,
) -> list[float]:
    """Train with a learning rate that grows at each iteration; return the loss of each batch before its step.

    The idea is Smith's (2017, "Cyclical learning rates for training neural networks"). It stops early once
    the loss is no longer a number or ten times as large as at the start.

    Args:
        model: is trained, on the CPU.
        loader: gives at least as many batches as there are rates.
        make_optimizer: takes parameters and ``lr``.
        rates: the rate of each iteration.
        report: called with the losses so far after each iteration.
    """
    loss_fn = nn.CrossEntropyLoss()
    optimizer = make_optimizer(model.parameters(), lr=rates[0])
    model.train()
    losses: list[float] = []
    for rate, (images, labels) in zip(rates, loader, strict=False):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        report(losses)
        if not math.isfinite(losses[-1]) or losses[-1] > 10 * losses[0]:
            break
    return losses


class RangeTest(Interactive):
    """A learning-rate range test of the course's model: the rate grows, the loss answers.

    Args:
        make_model: makes the model, always with the same first weights.
        make_loader: makes its training loader.
    """

    caption = Caption(
        "Which learning rate? A range test",
        "press the button for each optimiser; then move the slider to read the curve.",
        "will Adam's curve fall at smaller or at larger rates than that of SGD?",
        "the loss first stands still, then falls, then jumps up. A good rate lies where it falls, some way "
        "before it jumps.",
    )
    still_alt = "The loss of SGD while the learning rate grows: it stands still, falls, and jumps up at the right end."
    rates = np.logspace(-5, 1, 150).tolist()

    def __init__(self, make_model: Callable[[], nn.Module], make_loader: Callable[[], DataLoader]) -> None:
        self._make_model, self._make_loader = make_model, make_loader
        self.losses: dict[str, list[float]] = {}
        self._worker = Worker()
        self.optimizer = Dropdown(description="optimiser", options=list(OPTIMIZERS))
        self.run = Button(tooltip="Train with a growing learning rate")
        self.run.on_click(self.start)
        # A quick press overtakes a choice that the browser still holds back; the button says what has arrived.
        traitlets.dlink((self.optimizer, "value"), (self.run, "description"), "Test {}".format)
        self.reading = Slider("read at rate", options=[f"{rate:.2g}" for rate in self.rates], value=75)
        super().__init__([self.optimizer, self.run, self.reading])
        # The first test at once, so that there is something to read.
        self._test(self.optimizer.value)

    def start(self, button: Any = None) -> None:
        """Begin the test of the chosen optimiser, beside the kernel's other work."""
        if self._worker.busy:
            return
        self.run.disabled = True
        self._worker.start(self._test, self.optimizer.value)

    def wait(self) -> None:
        """Return when the test is over."""
        self._worker.wait()

    def _test(self, name: str) -> None:
        shown_at = 0.0

        def report(losses: list[float]) -> None:
            nonlocal shown_at
            self.losses[name] = losses
            if time.monotonic() - shown_at > 0.2:
                self.refresh()
                shown_at = time.monotonic()

        try:
            range_test(self._make_model(), self._make_loader(), OPTIMIZERS[name], self.rates, report)
        finally:
            self.run.disabled = False
        self.refresh()

    def view(self) -> View:
        number = self.reading.number
        read = [
            f"{name} {losses[number]:.3f}" for name, losses in self.losses.items() if number < len(losses)
        ]
        rate = f"{self.rates[number]:.2g}"
        said = (
            f"Loss of the batch at rate {rate}: {', '.join(read)}."
            if read
            else f"No run has reached rate {rate}."
        )
        return View(self._chart(), said)

    def _chart(self, alt: str = "") -> str:
        drawn = line_chart(
            {
                name: list(zip(self.rates, smooth(losses), strict=False))
                for name, losses in self.losses.items()
            },
            title="Loss while the learning rate grows",
            xlabel="learning rate (logarithmic)",
            ylabel="loss, mean of 8 batches (nats)",
            xlim=(self.rates[0], self.rates[-1]),
            ylim=(0, 4),
            xlog=True,
            mark=(self.rates[self.reading.number], "read here"),
            size=(560, 320),
        )
        alt = alt or f"Loss against the learning rate for {', '.join(self.losses)}"
        return picture(svg_source(drawn), alt, 560)

    def still(self) -> str:
        return self._chart(self.still_alt)
