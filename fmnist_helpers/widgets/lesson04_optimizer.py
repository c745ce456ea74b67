"""Lesson 04: four optimisers on one surface, and a learning-rate range test on the real model."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import traitlets
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from fmnist_helpers.widgets.background import Worker
from fmnist_helpers.widgets.chart import Scale, contour_lines, line_chart, path_map, smooth
from fmnist_helpers.widgets.controls import Slider
from fmnist_helpers.widgets.toolkit import Button, Dropdown
from fmnist_helpers.widgets.views import Caption, Interactive, View, picture, side_by_side, svg_source

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "SGD": torch.optim.SGD,
    "momentum": functools.partial(torch.optim.SGD, momentum=0.9),
    "RMSprop": torch.optim.RMSprop,
    "Adam": torch.optim.Adam,
}

SURFACES: dict[str, Callable[[Tensor], Tensor]] = {
    "narrow valley": lambda p: (p[0] ** 2 + 25 * p[1] ** 2) / 2,
    "round valley": lambda p: (p[0] ** 2 + p[1] ** 2) / 2,
    "saddle": lambda p: p[0] ** 2 / 4 - p[1] ** 2 + p[1] ** 4 / 8,
    "two valleys": lambda p: p[0] ** 4 / 200 - p[0] ** 2 / 4 + p[0] / 2 + 2 * p[1] ** 2,
}
"""Heights over points of shape (2, …); the optimisers look for low ones."""

SUITABLE_RATES = {"SGD": 0.06, "momentum": 0.02, "RMSprop": 0.3, "Adam": 0.5}
"""Rates with which each optimiser is near the lowest point of the narrow valley after 40 steps."""
LIMITS = (-10.0, 10.0), (-3.0, 3.0)
MAP_SIZE = (400, 230)
RATES = [f"{rate:.3g}" for rate in np.logspace(-3, 0, 25)]


def walk(
    surface: str, optimizer: str, start: tuple[float, float], rate: float, num_steps: int = 40
) -> Tensor:
    """Return the points that an optimiser of PyTorch visits, shape (num_steps + 1, 2).

    Args:
        surface, optimizer: names in ``SURFACES`` and ``OPTIMIZERS``.
        start: the first point.
        rate: the learning rate.
        num_steps: how many steps to take.
    """
    point = nn.Parameter(torch.tensor(start))
    taker = OPTIMIZERS[optimizer]([point], lr=rate)
    path = [point.detach().clone()]
    for _ in range(num_steps):
        taker.zero_grad()
        SURFACES[surface](point).backward()
        taker.step()
        path.append(point.detach().clone())
    return torch.stack(path)


class OptimizerRace(Interactive):
    """Four optimisers walk from one place with one learning rate, each on its own map of the same surface."""

    caption = Caption(
        "Four optimisers, one learning rate",
        "move the learning rate from its smallest to its largest value, then the start, then take another surface.",
        "on the narrow valley, which optimiser is the first to diverge as the rate grows?",
        "the rate that suits one optimiser does not suit another: SGD's step grows with the slope, while RMSprop "
        "and Adam divide by the size of the gradients and hardly notice how steep a surface is.",
    )
    still_alt = (
        "Four maps of a narrow valley with the paths of SGD, momentum, RMSprop and Adam, all from one start, "
        "each with a learning rate that suits it."
    )

    def __init__(self) -> None:
        self.surface = Dropdown(description="surface", options=list(SURFACES))
        self.rate = Slider("learning rate", options=RATES, value=14)
        self.start_x = Slider("start across", min=-9, max=9, step=0.5, value=-8)
        self.start_y = Slider("start up", min=-2.5, max=2.5, step=0.25, value=2)
        super().__init__([self.surface, self.rate, self.start_x, self.start_y])

    def view(self) -> View:
        paths = self.paths()
        heights = {name: self._height(path[-1]) for name, path in paths.items()}
        ends = ", ".join(f"{name} {_height_in_words(height)}" for name, height in heights.items())
        said = f"After 40 steps at rate {RATES[self.rate.number]}, height above the lowest point: {ends}."
        return View(side_by_side(*self._maps(paths)), said)

    def paths(self) -> dict[str, Tensor]:
        """Return the four paths, each of shape (41, 2)."""
        start = (self.start_x.value, self.start_y.value)
        rate = float(RATES[self.rate.number])
        return {name: walk(self.surface.value, name, start, rate) for name in OPTIMIZERS}

    def _height(self, point: Tensor) -> float:
        return SURFACES[self.surface.value](point).item() - _ground(self.surface.value)[1]

    def _maps(self, paths: dict[str, Tensor]) -> Iterator[str]:
        surface = self.surface.value
        for name, path in paths.items():
            alt = f"The path of {name} on a map of the surface: {surface}"
            yield picture(svg_source(_map(surface, name, path)), alt, MAP_SIZE[0])

    def still(self) -> str:
        width, height = MAP_SIZE
        maps = "".join(
            _map(
                "narrow valley",
                name,
                walk("narrow valley", name, (-8.0, 2.0), rate),
                (width * (n % 2), height * (n // 2)),
                title=f"{name}, rate {rate}",
            )
            for n, (name, rate) in enumerate(SUITABLE_RATES.items())
        )
        size = f'width="{2 * width}" height="{2 * height}"'
        whole = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width} {2 * height}" {size}>{maps}</svg>'
        return picture(svg_source(whole), self.still_alt, 2 * width)


def _map(
    surface: str, optimizer: str, path: Tensor, corner: tuple[int, int] = (0, 0), title: str | None = None
) -> str:
    number = list(OPTIMIZERS).index(optimizer)
    x, y = _scales()
    return path_map(
        _ground(surface)[0],
        x,
        y,
        path.tolist(),
        title=title or optimizer,
        number=number,
        size=MAP_SIZE,
        corner=corner,
    )


def _scales() -> tuple[Scale, Scale]:
    width, height = MAP_SIZE
    (left, right), (low, high) = LIMITS
    return Scale(left, right, 40, width - 10), Scale(low, high, height - 24, 24)


@functools.cache
def _ground(surface: str) -> tuple[str, float]:
    """Return the contour lines of a surface, and its lowest height on the map."""
    (left, right), (low, high) = LIMITS
    xs, ys = np.linspace(left, right, 81), np.linspace(low, high, 81)
    grid = torch.from_numpy(np.stack(np.meshgrid(xs, ys)))
    heights = SURFACES[surface](grid).numpy()
    levels = np.linspace(heights.min(), heights.max(), 14)[1:-1]
    return contour_lines(xs, ys, heights, levels, *_scales()), float(heights.min())


def _height_in_words(height: float) -> str:
    if not math.isfinite(height) or height > 1e6:
        return "diverges"
    return f"{max(height, 0.0):.3g}"


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
