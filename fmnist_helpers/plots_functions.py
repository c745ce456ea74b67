"""Figures of functions: a loss as a valley or a surface, with paths downhill; softmax; the regions of a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from torch import Tensor

from fmnist_helpers.figures import COLOURS, Drawing, new_figure
from fmnist_helpers.plots import MARKERS

Point = tuple[float, float]

# --- a valley


def plot_valley(
    function: Callable[[Tensor], Tensor | float],
    walks: Mapping[str, Sequence[float]],
    *,
    slope: Callable[[Tensor], Tensor | float] | None = None,
    span: tuple[float, float] | None = None,
    title: str = "Steps in a valley",
) -> Drawing:
    """Draw a loss that depends on one number, and walks in it: a numbered ball for each position, arrows between.

    Args:
        function: gives the loss at a position, a float64 tensor of shape ().
        walks: the positions of each walk by its name; each has a panel.
        slope: gives the slope at a position; then the tangent at the start of the first walk is drawn.
        span: from where to where the positions are drawn; by default all are. A walk that leaves it says so.
        title: above the panels.

    Raises:
        ValueError: if there is no walk, or one has no position.
    """
    if not walks or not all(len(walk) for walk in walks.values()):
        raise ValueError("there is no walk to draw: each needs at least one position")
    walks = {name: [float(position) for position in walk] for name, walk in walks.items()}
    low, high = span or _span([position for walk in walks.values() for position in walk])
    across = np.linspace(low, high, 201)
    losses = np.array([_at(function, position) for position in across])
    figure = new_figure(min(2.6 + 2.9 * len(walks), 9), 3.7, title)
    panels = figure.subplots(1, len(walks), sharex=True, sharey=True, squeeze=False)[0]
    height = losses.max() - losses.min() or 1.0
    for axes, (name, walk) in zip(panels, walks.items(), strict=True):
        axes.set(title=name, xlabel="w", xlim=(low, high))
        axes.set_ylim(losses.min() - 0.17 * height, losses.max() + 0.2 * height)
        axes.plot(across, losses, color=COLOURS[0], label="loss")
        lowest = _mark_lowest(axes, across, losses)
        _draw_walk(axes, walk, [_at(function, position) for position in walk], lowest)
    if slope is not None:
        start = next(iter(walks.values()))[0]
        _draw_tangent(panels[0], start, _at(function, start), _at(slope, start))
    panels[0].set_ylabel("loss")
    _legend_below(figure, panels[0])
    return Drawing(panels)


def _at(function: Callable[[Tensor], Tensor | float], position: float) -> float:
    return float(function(torch.tensor(position, dtype=torch.float64)))


def _span(positions: list[float]) -> tuple[float, float]:
    finite = [position for position in positions if math.isfinite(position)] or [0.0]
    margin = 0.15 * (max(finite) - min(finite)) or 1.0
    return min(finite) - margin, max(finite) + margin


def _mark_lowest(axes: Axes, across: np.ndarray, losses: np.ndarray) -> Point:
    at = losses.argmin()
    lowest = (across[at], losses[at])
    # At an edge the curve goes on falling.
    if 0 < at < len(losses) - 1:
        axes.plot(*lowest, "*", markersize=11, color=COLOURS[2], label="lowest")
        axes.annotate(
            "lowest", lowest, (0, -9), textcoords="offset points", ha="center", va="top", fontsize=9
        )
    return lowest


def _draw_walk(axes: Axes, walk: list[float], losses: list[float], lowest: Point) -> None:
    """Draw a ball at each position, and arrows from one to the next as far as they are inside."""
    axes.plot(walk, losses, "o", markersize=6, color=COLOURS[1], label="ball, numbered by step")
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    inside = [low <= position <= high for position in walk]
    balls = list(zip(walk, losses, strict=True))
    _number_balls(axes, [(number, ball) for number, ball in enumerate(balls) if inside[number]], lowest)
    for number, (start, end) in enumerate(pairwise(balls)):
        if not inside[number + 1]:
            end = (high if end[0] > high else low, top - 0.12 * (top - bottom))
        if inside[number]:
            look = {"arrowstyle": "-|>", "mutation_scale": 10, "shrinkA": 3, "shrinkB": 3, "color": "#7a3600"}
            axes.add_patch(FancyArrowPatch(start, end, **look))
    if not all(inside):
        words = f"outside from step {inside.index(False)}"
        axes.text(0.5, 0.97, words, transform=axes.transAxes, ha="center", va="top", fontsize=9)


def _number_balls(axes: Axes, balls: list[tuple[int, Point]], lowest: Point) -> None:
    """Write numbers below the curve, where no arrow passes, on those balls that have room for one."""
    limits = np.array([axes.get_xlim(), axes.get_ylim()])
    # About the size of a panel in inches; what lies around it takes the rest.
    size = axes.figure.get_size_inches() * (0.85 / len(axes.figure.axes), 0.6)

    def inches(point: Point) -> np.ndarray:
        return size * (point - limits[:, 0]) / (limits[:, 1] - limits[:, 0])

    word = inches(lowest) - (0, 0.2)
    numbered: list[np.ndarray] = []
    for number, ball in balls:
        at = inches(ball)
        shift = np.array([-0.13 if ball[0] < lowest[0] else 0.13, -0.11])
        if not 0.1 < at[0] + shift[0] < size[0] - 0.1:
            shift[0] *= -1
        place = at + shift
        has_room = all(math.dist(place, other) > 0.24 for other in numbered)
        if has_room and np.any(np.abs(place - word) > (0.38, 0.2)):
            numbered.append(place)
            look = {"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": 9}
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            axes.annotate(f"{number}", ball, 72 * shift, bbox=ground, **look)


def _draw_tangent(axes: Axes, position: float, loss: float, slope: float) -> None:
    low, high = axes.get_xlim()
    half = 0.16 * (high - low)
    places = np.array([position - half, position + half])
    axes.plot(
        places,
        loss + slope * (places - position),
        "--",
        color="black",
        label="tangent",
    )


def _legend_below(figure: Figure, axes: Axes, *more: Line2D) -> None:
    handles = [*axes.get_legend_handles_labels()[0], *more]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=2 if len(handles) > 3 and figure.get_figwidth() < 7 else 4,
        fontsize=9,
    )


# --- a surface


def plot_paths(
    surface: Callable[[Tensor], Tensor], paths: Mapping[str, Tensor], *, title: str = "Paths downhill"
) -> Drawing:
    """Draw paths over a surface, seen from above, one panel for each path: the loss is the same along each line.

    Args:
        surface: takes points of shape (2, …) and returns their heights, shape (…).
        paths: the points of each path by its name, shape (N, 2): first the place along the
            horizontal axis, then the place along the vertical one.
        title: above the panels.

    Raises:
        ValueError: if there is no path.
    """
    if not paths:
        raise ValueError("there is no path to draw")
    every_point = torch.cat([path.detach() for path in paths.values()])
    low, high = every_point.min(dim=0).values, every_point.max(dim=0).values
    margin = 0.15 * (high - low)
    ticks = [torch.linspace(a, b, 81) for a, b in zip(low - margin, high + margin, strict=True)]
    grid = torch.stack(torch.meshgrid(*ticks, indexing="xy"))
    columns = min(len(paths), 2)
    rows = -(-len(paths) // columns)
    figure = new_figure(8.4 if columns == 2 else 5, 2.5 * rows + 1, title)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for number, (axes, (name, path)) in enumerate(zip(panels, paths.items(), strict=False)):
        _draw_path(axes, grid, surface(grid).detach(), path.detach(), COLOURS[number % len(COLOURS)])
        axes.set_title(name, fontsize=10)
        is_lowest = number + columns >= len(paths)
        axes.tick_params(labelbottom=is_lowest)
        axes.set_xlabel("first parameter" if is_lowest else "")
        axes.set_ylabel("second parameter" if number % columns == 0 else "")
    for axes in panels[len(paths) :]:
        axes.set_axis_off()
    same_loss = Line2D([], [], color="grey", linewidth=0.7, label="the same loss along each line")
    step = Line2D([], [], color="grey", marker="o", markersize=3, linewidth=1, label="one dot per step")
    _legend_below(figure, panels[0], step, same_loss)
    return Drawing(panels[: len(paths)])


def _draw_path(axes: Axes, grid: Tensor, heights: Tensor, path: Tensor, colour: str) -> None:
    axes.contour(*grid.numpy(), heights.numpy(), levels=12, colors="darkgrey", linewidths=0.7)
    axes.plot(*path.T.numpy(), "o-", markersize=3, linewidth=1, color=colour, zorder=2)
    axes.scatter(*path[0].tolist(), marker="s", s=45, color="black", label="start", zorder=3)
    row, column = divmod(heights.argmin().item(), heights.shape[1])
    # At an edge the surface goes on falling.
    if 0 < row < heights.shape[0] - 1 and 0 < column < heights.shape[1] - 1:
        look = {"marker": "*", "s": 130, "color": COLOURS[5], "edgecolor": "black", "linewidth": 0.8}
        axes.scatter(*grid[:, row, column].tolist(), **look, label="lowest", zorder=3)


# --- softmax


def plot_softmax(logits: Sequence[float] | Tensor, names: Sequence[str] | None = None) -> Drawing:
    """Draw how softmax makes shares of logits, as three bar charts: logits, their powers of e, and the shares.

    Args:
        logits: of one sample, one for each class, shape (C,).
        names: of the classes; by default "class 0", "class 1", …

    Raises:
        ValueError: if there are no logits, they are not of one sample, or the number of names differs.
    """
    values = torch.as_tensor(logits, dtype=torch.float64).detach().cpu()
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"the logits of one sample are needed, shape (C,); found {tuple(values.shape)}")
    names = [f"class {number}" for number in range(len(values))] if names is None else list(names)
    if len(names) != len(values):
        raise ValueError(f"there are {len(values)} logits and {len(names)} names")
    steps = {
        "1. Logits": ("logit", values),
        "2. e to the power of each": ("e^logit", values.exp()),
        "3. Shares of the sum": ("share", values.softmax(dim=0)),
    }
    panels = new_figure(8.4, 0.3 * len(values) + 1.3, "From logits to shares").subplots(1, 3)
    for number, (axes, (title, (label, heights))) in enumerate(zip(panels, steps.items(), strict=True)):
        bars = axes.barh(names, heights.tolist(), color=COLOURS[number])
        axes.bar_label(bars, [f"{height:.3g}".replace("-", "−") for height in heights], padding=3, fontsize=9)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.invert_yaxis()
        # Room for the values on both sides.
        axes.margins(x=0.6 if min(heights) < 0 else 0.4)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(label)
    return Drawing(panels)


# --- regions


def plot_regions(
    models: Mapping[str, Callable[[Tensor], Tensor]],
    points: Tensor,
    labels: Tensor,
    *,
    title: str = "Which class a model guesses where",
) -> Drawing:
    """Draw points in the plane over the regions in which each model guesses each class; wrong guesses have a ring.

    Args:
        models: each maps float32 points, shape (M, 2), to logits, shape (M, C); each has a panel.
        points: float, shape (N, 2).
        labels: int64, shape (N,), values in 0 … C - 1; C is 7 at most.
        title: above the panels.

    Raises:
        ValueError: if there is no model, or the shapes are others.
    """
    if not models or points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            "at least one model, points of shape (N, 2) and labels of shape (N,) are needed; found "
            f"{len(models)} models, {tuple(points.shape)} and {tuple(labels.shape)}"
        )
    points, labels = points.detach().cpu().float(), labels.cpu()
    figure = new_figure(3.1 * len(models) + 1.6, 3.5, title)
    panels = figure.subplots(1, len(models), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, model) in zip(panels, models.items(), strict=True):
        _draw_regions(axes, model, points, labels)
        axes.set(title=name, xlabel="first number")
    panels[0].set_ylabel("second number")
    panels[-1].legend(fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    return Drawing(panels)


def _draw_regions(axes: Axes, model: Callable[[Tensor], Tensor], points: Tensor, labels: Tensor) -> None:
    low, high = points.min(dim=0).values, points.max(dim=0).values
    margin = 0.15 * (high - low)
    ticks = [torch.linspace(a, b, 160) for a, b in zip(low - margin, high + margin, strict=True)]
    grid = torch.stack(torch.meshgrid(*ticks, indexing="xy"), dim=-1)
    guesses = _guesses(model, grid.reshape(-1, 2), labels).reshape(160, 160).numpy()
    number = int(max(guesses.max(), labels.max())) + 1
    places = [tick.numpy() for tick in ticks]
    pale = ListedColormap([tuple(0.3 * part + 0.7 for part in to_rgb(colour)) for colour in COLOURS[:number]])
    axes.pcolormesh(*places, guesses, cmap=pale, vmin=-0.5, vmax=number - 0.5)
    if guesses.min() < guesses.max():
        axes.contour(
            *places,
            guesses,
            levels=[level + 0.5 for level in range(number - 1)],
            colors="black",
            linewidths=1,
        )
    for label in range(number):
        of_class = points[labels == label]
        look = {
            "marker": MARKERS[label],
            "color": COLOURS[label],
            "markeredgecolor": "white",
            "markersize": 6,
        }
        axes.plot(*of_class.T.numpy(), linestyle="none", label=f"class {label}", **look)
    wrong = points[_guesses(model, points, labels) != labels]
    ring = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgecolor": "black"}
    axes.plot(*wrong.T.numpy(), linestyle="none", label="in a wrong region", **ring)


def _guesses(model: Callable[[Tensor], Tensor], points: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        logits = model(points)
    if logits.ndim != 2 or len(logits) != len(points) or logits.shape[1] <= labels.max():
        raise ValueError(
            f"a model must give one logit per class for each point; found the shape {tuple(logits.shape)}"
        )
    return logits.argmax(dim=1)
