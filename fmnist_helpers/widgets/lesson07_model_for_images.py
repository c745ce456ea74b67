"""Lesson 07: a window that moves over a garment, and any two recipes of the study side by side."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from fmnist_helpers.recipes.study import Row, Study
from fmnist_helpers.widgets.chart import line_chart
from fmnist_helpers.widgets.controls import Slider
from fmnist_helpers.widgets.toolkit import Dropdown
from fmnist_helpers.widgets.views import (
    Caption,
    Interactive,
    View,
    picture,
    pixels_source,
    side_by_side,
    svg_source,
    table,
)

ZOOM = 9
"""Points on the screen for a pixel of a garment."""


class ConvolutionWindow(Interactive):
    """Move a window of 3 by 3 pixels over a garment: nine products, one sum, one pixel of the map.

    Args:
        image: float of shape (height, width), values in 0 … 1.
        kernels: float of shape (3, 3) each, by their names.
    """

    caption = Caption(
        "A window that moves",
        "move the window with the two sliders, by mouse or with the arrow keys. Then choose another kernel.",
        "where on the garment will the sum be large, where far below 0, and where near 0?",
        "the map holds one number per place of the window. Where the nine pixels are alike, the products of these "
        "kernels cancel.",
    )
    still_alt = (
        "A garment with a window of three by three pixels marked on it, and beside it the map that the window "
        "makes while it moves, from the top left to the bottom right."
    )

    def __init__(self, image: Tensor, kernels: Mapping[str, Tensor]) -> None:
        self._image, self._kernels = image, dict(kernels)
        height, width = image.shape
        self.kernel = Dropdown(description="kernel", options=list(kernels))
        self.row = Slider("row", max=height - 3, value=(height - 3) // 2)
        self.column = Slider("column", max=width - 3, value=(width - 3) // 3)
        super().__init__([self.kernel, self.row, self.column])

    @property
    def _window(self) -> Tensor:
        row, column = self.row.number, self.column.number
        return self._image[row : row + 3, column : column + 3]

    def view(self) -> View:
        kernel = self._kernels[self.kernel.value]
        products = self._window * kernel
        place = f"row {self.row.number}, column {self.column.number}"
        rows = [
            (
                word,
                *(
                    f"{pixel:.2f} · {weight:g}".replace("-", "−")
                    for pixel, weight in zip(*three, strict=True)
                ),
            )
            for word, *three in zip(
                ("upper", "middle", "lower"), self._window.tolist(), kernel.tolist(), strict=True
            )
        ]
        total = f"{products.sum():.2f}".replace("-", "−")
        nine = table(("pixel · weight", "left", "middle", "right"), rows, f"The window at {place}")
        said = f"At {place} the nine products add up to {total}."
        return View(side_by_side(self._garment(), nine + f"<p>sum: {total}</p>", self._map(kernel)), said)

    def _garment(self, alt: str = "") -> str:
        alt = alt or "The garment, with the window marked"
        return picture(_framed(self._image.numpy(), self.row.number, self.column.number, 3), alt, 252)

    def _map(self, kernel: Tensor) -> str:
        """Return the map as far as the window has come, line by line; what is still to come is middle grey, as 0 is."""
        sums = nn.functional.conv2d(self._image[None, None], kernel[None, None])[0, 0].numpy()
        grey = 0.5 + sums / (2 * max(np.abs(sums).max(), 1e-9))
        done = self.row.number * grey.shape[1] + self.column.number + 1
        grey.reshape(-1)[done:] = 0.5
        alt = f"The map so far, {done} of {grey.size} places; grey is 0, white above it, black below"
        return picture(_framed(grey, self.row.number, self.column.number, 1), alt, 234) + "<br>the map so far"

    def still(self) -> str:
        kernel = next(iter(self._kernels.values()))
        return f"{self._garment(self.still_alt)} {self._map(kernel)}"


def _framed(pixels: np.ndarray, row: int, column: int, size: int) -> str:
    """Return a grey picture, values 0 to 1, with a square of ``size`` pixels marked from its upper left corner."""
    height, width = pixels.shape
    square = f'x="{ZOOM * column}" y="{ZOOM * row}" width="{ZOOM * size}" height="{ZOOM * size}" fill="none"'
    return svg_source(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {ZOOM * width} {ZOOM * height}">'
        f'<image href="{pixels_source(pixels)}" width="{ZOOM * width}" height="{ZOOM * height}" '
        f'style="image-rendering: pixelated"/>'
        f'<rect {square} stroke="black" stroke-width="5"/><rect {square} stroke="#E69F00" stroke-width="3"/></svg>'
    )


class StudyExplorer(Interactive):
    """Two steps of the study: their curves, their settings, and whether chance explains the difference.

    Args:
        study: as ``read_study`` returns it.
        step: which step stands first.
    """

    caption = Caption(
        "Which change paid?",
        "choose a step; the other list follows to the step that it changes. Then choose any other.",
        "will the difference be larger than what chance may make?",
        "where a curve starts says how fast a recipe learns, where it ends what it is worth. Some changes gain much at "
        "one end and nothing at the other.",
    )
    still_alt = (
        "Validation accuracy against the epoch for two recipes: the convolutional network lies above the best "
        "multilayer perceptron from the first epoch on."
    )

    def __init__(self, study: Study, step: str = "CNN") -> None:
        self.study = study
        names = list(study)
        self.step = Dropdown(description="step", options=names, value=step)
        self.other = Dropdown(description="beside", options=names, value=self._before(step))
        self.step.observe(self._follow, names="value")
        super().__init__([self.step, self.other])

    def _before(self, step: str) -> str:
        return self.study[step].compared_with or step

    def _follow(self, change: object) -> None:
        self.other.value = self._before(self.step.value)

    @property
    def _rows(self) -> tuple[Row, Row]:
        return self.study[self.step.value], self.study[self.other.value]

    def view(self) -> View:
        return View(side_by_side(self._chart(), self._settings()), self._verdict())

    def _verdict(self) -> str:
        one, other = self._rows
        if one is other:
            return f"{one.name}: {_percent(one)}."
        paired = self.study.paired(one.name, other.name)
        size = "beyond" if paired.stands_out else "within"
        return (
            f"{one.name} {_percent(one)}, {other.name} {_percent(other)}: a difference of {100 * paired.gain:+.2f} "
            f"points, {size} the {100 * paired.margin:.2f} points that chance may make in so many comparisons."
        )

    def _chart(self, alt: str = "") -> str:
        lines = {row.name: mean_curve(row) for row in self._rows}
        # Most recipes end close together at the top; the axis begins where the lower curve does.
        lowest = min(accuracy for points in lines.values() for _, accuracy in points)
        drawn = line_chart(
            lines,
            title="Validation accuracy, mean over the seeds",
            xlabel="epoch",
            ylabel="accuracy (%)",
            xlim=(1, max(len(points) for points in lines.values())),
            ylim=(10 * math.floor(lowest / 10), 100),
            dots=True,
        )
        alt = alt or f"Validation accuracy after each epoch of {' and '.join(lines)}"
        return picture(svg_source(drawn), alt, 404)

    def _settings(self) -> str:
        one, other = self._rows
        differing = [name for name in one.recipe if one.recipe[name] != other.recipe[name]]
        rows = [
            (name.replace("_", " "), str(one.recipe[name]), str(other.recipe[name])) for name in differing
        ]
        rows.append(("seconds", f"{one.median_seconds:.0f}", f"{other.median_seconds:.0f}"))
        rows.append(("parameters", f"{one.num_parameters:,}", f"{other.num_parameters:,}"))
        return table(("setting", one.name, other.name), rows, "In what they differ")

    def still(self) -> str:
        return self._chart(self.still_alt)


def _percent(row: Row) -> str:
    return f"{100 * row.mean:.2f} ± {100 * row.deviation:.2f} %"


def mean_curve(row: Row) -> list[tuple[float, float]]:
    """Return (epoch, mean accuracy in per cent) of the seeds; after an early stop fewer seeds are left."""
    longest = max(len(curve) for curve in row.curves)
    at_epoch = [[curve[epoch] for curve in row.curves if epoch < len(curve)] for epoch in range(longest)]
    return [(epoch + 1.0, 100 * statistics.mean(values)) for epoch, values in enumerate(at_epoch)]
