"""The study as a picture: how far each change moved the accuracy, and how far chance may move it."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from fmnist_helpers.figures import COLOURS, Drawing, new_figure
from fmnist_helpers.recipes.study import Study

CLOSE_UP = 4.0
"""The right panel shows gains and losses of up to so many points."""
SHORT = 0.8
"""A move of fewer points than this is shorter than the head of an arrow."""


def plot_study(study: Study) -> Drawing:
    """Draw a row per step: the accuracy it leads to, from that of the step it changes; and the gain by itself.

    A bar is the margin of :class:`PairedGain`: a bar that does not touch the line at 0 belongs to a gain that stands
    out, with all comparisons in mind. A dot that stands out is filled. A gain beyond the panel is an arrow at its edge.

    Raises:
        ValueError: if no step stands beside the step it changes.
    """
    names = [name for name in study if study.paired(name) is not None]
    if not names:
        raise ValueError(
            "there is nothing to compare: no step of this study stands beside the step it changes"
        )
    seeds = f"{study.num_seeds} seed{'s' if study.num_seeds > 1 else ''}"
    figure = new_figure(11.5, 0.34 * len(names) + 1.3, f"Every change of the study, {seeds} each")
    left, right = figure.subplots(1, 2)
    for place, name in enumerate(names):
        _draw_accuracy(left, place, 100 * study[study[name].compared_with].mean, 100 * study[name].mean)
        _draw_gain(right, place, study, name)
    left.set_yticks(range(len(names)), [f"{name}, from {study[name].compared_with}" for name in names])
    right.yaxis.tick_right()
    right.set_yticks(range(len(names)), names)
    left.set(title="from the recipe it changes", xlabel="validation accuracy (%)")
    right.set(
        title="the gain alone", xlabel="gain (points), bar: what chance may make", xlim=(-CLOSE_UP, CLOSE_UP)
    )
    right.axvline(0, color="black", linewidth=1)
    for axes in (left, right):
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "left", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
        axes.tick_params(axis="y", length=0)
    return Drawing([left, right], words=[*_heading(seeds), "; ".join(_words(study, name) for name in names)])


def _draw_accuracy(axes: Axes, place: int, before: float, after: float) -> None:
    axes.plot([before], [place], "|", color="#444444", markersize=9)
    if abs(after - before) > SHORT:
        _draw_arrow(axes, before, after, place)
    axes.plot([after], [place], "o", color=COLOURS[0], markersize=4)


def _draw_gain(axes: Axes, place: int, study: Study, name: str) -> None:
    paired = study.paired(name)
    gain, margin = 100 * paired.gain, 100 * paired.margin
    if abs(gain) > CLOSE_UP:
        edge = math.copysign(CLOSE_UP, gain)
        _draw_arrow(axes, 0.86 * edge, edge, place)
        side = {"ha": "right" if gain > 0 else "left", "va": "center", "fontsize": 9}
        axes.text(0.84 * edge, place, f"{gain:+.1f} ± {margin:.1f}".replace("-", "−"), **side)
        return
    fill = COLOURS[0] if paired.stands_out else "white"
    look = {"color": COLOURS[0], "capsize": 3, "markersize": 6, "markerfacecolor": fill}
    axes.errorbar(gain, place, xerr=margin, fmt="o", **look)


def _draw_arrow(axes: Axes, start: float, end: float, place: int) -> None:
    look = {"arrowstyle": "-|>", "color": COLOURS[0], "shrinkA": 0, "shrinkB": 0, "linewidth": 1.5}
    axes.annotate("", xy=(end, place), xytext=(start, place), arrowprops=look)


def _heading(seeds: str) -> list[str]:
    return [
        f"Points with bars, a row per step: Every change of the study, {seeds} each",
        "Left: an arrow from the accuracy of the recipe that a step changes to its own",
        "Right: its gain in points, with a bar for what chance may make; a filled dot stands out",
    ]


def _words(study: Study, name: str) -> str:
    paired = study.paired(name)
    stands_out = "stands out" if paired.stands_out else "does not stand out"
    gain = f"{100 * paired.gain:+.2f} ± {100 * paired.margin:.2f} points".replace("-", "−")
    return f"{name}: {100 * study[name].mean:.2f} %, {gain}, {stands_out}"
