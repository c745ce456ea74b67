"""Lesson 04: four optimisers on one surface."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fmnist_helpers.widgets.chart import Scale, contour_lines, path_map
from fmnist_helpers.widgets.controls import Slider
from fmnist_helpers.widgets.toolkit import Dropdown
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
