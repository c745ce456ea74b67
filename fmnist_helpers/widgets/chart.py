"""Line charts and contour maps as SVG: drawn in milliseconds, where matplotlib takes a tenth of a second.

Ticks are matplotlib's and contour lines contourpy's; only the drawing is ours.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from contourpy import contour_generator
from matplotlib.ticker import MaxNLocator

from fmnist_helpers.plots import COLOURS

DASHES = ("", "7 3", "7 3 2 3", "2 3", "12 4")
"""One for each line, so that lines differ by more than their colour."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Scale:
    """How values of one axis become places on it, from ``start`` to ``end`` (pixels)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._bend(self.low), self._bend(self.high)
        return self.start + (self._bend(value) - low) / (high - low) * (self.end - self.start)

    def _bend(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self) -> list[float]:
        """Return round values on the axis."""
        if self.log:
            powers = range(
                math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1
            )
            return [10.0**power for power in powers]
        values = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        return [float(value) for value in values if self.low - 1e-9 <= value <= self.high + 1e-9]


def line_chart(
    lines: Mapping[str, Points],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    xlog: bool = False,
    ylog: bool = False,
    dots: bool = False,
    mark: tuple[float, str] | None = None,
    size: tuple[int, int] = (404, 290),
) -> str:
    """Return an SVG chart with one line for each entry, told apart by colour and dashes, with a legend.

    Args:
        lines: (x, y) points by name; a point that is no finite number interrupts its line, and one outside the
            limits is drawn at their edge.
        title, xlabel, ylabel: words, with units.
        xlim, ylim: the ends of the axes.
        xlog, ylog: logarithmic axes; then limits and values must be positive.
        dots: put a dot at each point.
        mark: a place on the horizontal axis and the word for it.
        size: width and height in pixels.
    """
    width, height = size
    below = 46 + 18 * ((len(lines) + 1) // 2 if len(lines) > 1 else 0)
    x = Scale(*xlim, 56, width - 14, xlog)
    y = Scale(*ylim, height - below, 26, ylog)
    parts = [_frame(x, y, title, xlabel, ylabel, size)]
    if mark is not None:
        parts.append(_mark(*mark, x, y))
    for number, (name, points) in enumerate(lines.items()):
        parts.append(_path(points, x, y, number))
        if dots:
            parts += [
                f'<circle cx="{x(px):.1f}" cy="{y(py):.1f}" r="3" fill="{COLOURS[number]}"/>'
                for px, py in points
            ]
        if len(lines) > 1:
            left = 56 + (number % 2) * (width - 70) // 2
            parts.append(_legend(name, number, left, height - below + 50 + 18 * (number // 2)))
    return _svg(parts, size)


def smooth(values: list[float], width: int = 8) -> list[float]:
    """Return the mean of each value and up to ``width - 1`` before it."""
    return [sum(part := values[max(0, i + 1 - width) : i + 1]) / len(part) for i in range(len(values))]


def path_map(
    contours: str,
    x: Scale,
    y: Scale,
    points: Points,
    *,
    title: str,
    number: int,
    size: tuple[int, int],
    corner: tuple[int, int] = (0, 0),
) -> str:
    """Return an SVG map: contour lines, and a path with a dot at each step.

    Args:
        contours: what :func:`contour_lines` returned for the same scales.
        x, y: the scales of the map.
        points: the path; it ends where it leaves the map.
        title: above the map.
        number: chooses the colour.
        size: width and height in pixels.
        corner: where it lies in a larger picture.
    """
    places = [(x(px), y(py)) for px, py in _up_to_the_edge(points, x, y)]
    colour = COLOURS[number]
    line = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in places)
    dots = "".join(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.4" fill="{colour}"/>' for px, py in places)
    left, top = places[0]
    return _svg(
        [
            _frame(x, y, title, "", "", size),
            f'<clipPath id="map{number}">{_rectangle(x, y)}</clipPath><g clip-path="url(#map{number})">{contours}',
            f'<path d="{line}" fill="none" stroke="{colour}"/>{dots}</g>',
            f'<rect x="{left - 4:.1f}" y="{top - 4:.1f}" width="8" height="8" fill="none" stroke="#000"/>',
        ],
        size,
        corner,
    )


def contour_lines(
    xs: np.ndarray, ys: np.ndarray, heights: np.ndarray, levels: Sequence[float], x: Scale, y: Scale
) -> str:
    """Return the contour lines of a surface as SVG paths; ``heights`` has the shape (len(ys), len(xs))."""
    generator = contour_generator(xs, ys, heights)
    paths = [
        "M" + "L".join(f"{x(px):.1f} {y(py):.1f}" for px, py in line)
        for level in levels
        for line in generator.lines(level)
    ]
    return f'<path d="{"".join(paths)}" fill="none" stroke="#999" stroke-width="0.8"/>'


def _frame(x: Scale, y: Scale, title: str, xlabel: str, ylabel: str, size: tuple[int, int]) -> str:
    parts = []
    for value in x.ticks():
        place = x(value)
        parts.append(f'<path d="M{place:.1f} {y.start}V{y.end}" stroke="#ddd"/>')
        parts.append(f'<text x="{place:.1f}" y="{y.start + 15}" text-anchor="middle">{_number(value)}</text>')
    for value in y.ticks():
        place = y(value)
        parts.append(f'<path d="M{x.start} {place:.1f}H{x.end}" stroke="#ddd"/>')
        parts.append(f'<text x="{x.start - 6}" y="{place + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    middle, centre = (x.start + x.end) / 2, (y.start + y.end) / 2
    parts.append(
        f'<path d="M{x.start} {y.start}H{x.end}V{y.end}H{x.start}Z" fill="none" stroke="#333"/>'
        f'<text x="{middle}" y="16" text-anchor="middle" font-size="13">{html.escape(title)}</text>'
        f'<text x="{middle}" y="{y.start + 32}" text-anchor="middle">{html.escape(xlabel)}</text>'
        f'<text transform="translate(13 {centre}) rotate(-90)" text-anchor="middle">{html.escape(ylabel)}</text>'
    )
    return "".join(parts)


def _mark(value: float, word: str, x: Scale, y: Scale) -> str:
    place = x(min(max(value, x.low), x.high))
    anchor, shift = ("end", -4) if place > (x.start + x.end) / 2 else ("start", 4)
    return (
        f'<path d="M{place:.1f} {y.start:.1f}V{y.end:.1f}" stroke="#000" stroke-dasharray="3 3"/>'
        f'<text x="{place + shift:.1f}" y="{y.end + 12:.1f}" text-anchor="{anchor}">{html.escape(word)}</text>'
    )


def _legend(name: str, number: int, left: int, top: int) -> str:
    return (
        f'<path d="M{left} {top - 4}h26" {_stroke(number)}/>'
        f'<text x="{left + 32}" y="{top}">{html.escape(name)}</text>'
    )


def _up_to_the_edge(points: Points, x: Scale, y: Scale) -> Iterator[tuple[float, float]]:
    """Give the points of a path up to the first that is outside the map, or before one that is no number."""
    for point in points:
        if not all(math.isfinite(value) for value in point):
            return
        yield point
        if not (x.low <= point[0] <= x.high and y.low <= point[1] <= y.high):
            return


def _rectangle(x: Scale, y: Scale) -> str:
    return f'<rect x="{x.start}" y="{y.end}" width="{x.end - x.start}" height="{y.start - y.end}"/>'


def _path(points: Points, x: Scale, y: Scale, number: int) -> str:
    pieces, pen = [], "M"
    for px, py in points:
        if not (math.isfinite(px) and math.isfinite(py)):
            pen = "M"
            continue
        px, py = (min(max(value, s.low), s.high) for value, s in ((px, x), (py, y)))
        pieces.append(f"{pen}{x(px):.1f} {y(py):.1f}")
        pen = "L"
    return f'<path d="{"".join(pieces)}" fill="none" {_stroke(number)}/>'


def _stroke(number: int) -> str:
    colour, dashes = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    return f'stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dashes}"'


def _number(value: float) -> str:
    return f"{value:.6g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}"


def _svg(parts: Sequence[str], size: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> str:
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'x="{corner[0]}" y="{corner[1]}" font-family="sans-serif" font-size="11" fill="#222">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>'
    )
