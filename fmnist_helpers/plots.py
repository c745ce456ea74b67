"""The figures of the course: ``plot_…`` draws, and returns a ``Drawing``, which shows itself (see ``figures``).

Colours come from palettes that stay distinct for colour-blind readers, and lines also differ in style or
marker. Backgrounds are opaque, so that a figure reads the same in a light and a dark theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from fmnist_helpers.data import CLASSES
from fmnist_helpers.figures import COLOURS, Drawing, format_number, new_figure
from fmnist_helpers.history import History

LINES = ("-", "--", "-.", ":", (0, (6, 2)))
MARKERS = "osD^vPX*"
EVEN_GREY, EVEN_BLUE = 118, 72
"""The byte of grey, and the per cent of the map "Blues", on which black and white text stand out equally, at
more than 4.5 to 1."""


def plot_images(
    images: Tensor,
    titles: Sequence[str] | None = None,
    *,
    guesses: Sequence[str] | None = None,
    columns: int = 8,
    title: str = "",
) -> Drawing:
    """Draw images in a grid.

    Args:
        images: shape (N, 28, 28) or (N, 1, 28, 28), bytes in 0 … 255 or floats in 0 … 1; black is 0.
        titles: words above each image, N of them.
        guesses: a model's words in place of titles, which another run may change.
        columns: images a row.
        title: a line above the grid.

    Raises:
        ValueError: if the images have another shape, the number of titles differs, or there are guesses, too.
    """
    pictures = _as_pictures(images)
    if titles is not None and guesses is not None:
        raise ValueError("an image has a title or a guess above it, not both")
    titles = guesses if titles is None else titles
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"there are {len(pictures)} images and {len(titles)} titles")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    row_height = 1.1 if titles is None else 1.35
    figure = new_figure(1.12 * columns, row_height * rows + (0.35 if title else 0), title)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for index, (axes, picture) in enumerate(zip(grid, pictures, strict=False)):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set_title("" if titles is None else titles[index], fontsize=8)
    return Drawing(grid[: len(pictures)], measured_titles=guesses is not None)


def plot_pixels(pixels: Tensor, *, first: int = 8, number: int = 10) -> Drawing:
    """Draw an image and, beside it, a square part of it with the byte of each pixel.

    Args:
        pixels: uint8, shape (28, 28).
        first: first row and column of the part.
        number: its rows and columns.

    Raises:
        ValueError: if ``pixels`` is not an image of bytes.
    """
    if pixels.ndim != 2 or pixels.dtype != torch.uint8:
        raise ValueError(f"one image of bytes is needed, found {pixels.dtype} of {tuple(pixels.shape)}")
    both = new_figure(8, 3.7).subplots(1, 2)
    part = slice(first, first + number)
    edges, ticks = (first - 0.5, first + number - 0.5), range(first, first + number)
    for axes, title in zip(both, ("The whole image", "A part of it, with its bytes"), strict=True):
        axes.imshow(pixels.numpy(), cmap="gray", vmin=0, vmax=255)
        axes.set(title=title, xlabel="column", ylabel="row")
    both[1].set(xlim=edges, ylim=edges[::-1], xticks=ticks, yticks=ticks)
    for (row, column), value in np.ndenumerate(pixels[part, part].numpy()):
        colour = "black" if value > EVEN_GREY else "white"
        both[1].text(first + column, first + row, value, ha="center", va="center", color=colour, fontsize=8)
    return Drawing(both)


def plot_class_balance(
    labels: Tensor, classes: Sequence[str] = CLASSES, *, title: str = "Samples of each class"
) -> Drawing:
    """Draw how many samples each class has, as horizontal bars with their counts.

    Args:
        labels: int64, shape (N,), values in 0 … len(classes) - 1.
        classes: the class names.
        title: of the figure.
    """
    counts = torch.bincount(labels.cpu(), minlength=len(classes)).tolist()
    drawing = plot_bars(dict(zip(classes, counts, strict=False)), title=title, xlabel="samples")
    drawing.axes[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    return drawing


def plot_bars(values: Mapping[str, float], *, title: str, xlabel: str) -> Drawing:
    """Draw a horizontal bar for each value, with its name before it and the value at its end.

    Args:
        values: by name; the first stands on top.
        title, xlabel: words for the figure and its values, with units.

    Raises:
        ValueError: if there is no value.
    """
    if not values:
        raise ValueError("there is no bar to draw")
    axes = new_figure(6.4, 0.25 * len(values) + 0.9).subplots()
    bars = axes.barh(list(values), list(values.values()), color=_colour(0))
    axes.bar_label(bars, fmt=format_number, padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.set(title=title, xlabel=xlabel)
    axes.xaxis.set_major_formatter("{x:,g}")
    return Drawing(axes)


def plot_curves(runs: History | Mapping[str, History], *, title: str = "Training curves") -> Drawing:
    """Draw the mean loss per sample and the accuracy (in per cent) against the epoch for one or several runs.

    The validation curve is solid with markers, the training curve of the same colour is dashed.

    Args:
        runs: one history, or histories by name.
        title: above both panels.

    Raises:
        ValueError: if there is no run, or a run has no epoch.
    """
    named = {"": runs} if isinstance(runs, History) else dict(runs)
    if not named or not all(named.values()):
        raise ValueError("there is nothing to draw: every run needs at least one finished epoch")
    both = new_figure(8.6, 3.6, title).subplots(1, 2)
    for axes, measure in zip(both, ("loss", "accuracy"), strict=True):
        for number, (name, history) in enumerate(named.items()):
            _draw_run(axes, history, measure, name, number)
        axes.set(xlabel="epoch", title=measure.capitalize())
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    both[0].set_ylabel("mean loss per sample")
    both[1].set_ylabel("accuracy (%)")
    both[0].legend(fontsize=8)
    return Drawing(both)


def _draw_run(axes: Axes, history: History, measure: str, name: str, number: int) -> None:
    scale = 100 if measure == "accuracy" else 1
    marker = MARKERS[number % len(MARKERS)]
    for part, column, look in (("training", "train", "--"), ("validation", "valid", f"-{marker}")):
        values = [scale * value for value in history.column(f"{column}_{measure}")]
        label = f"{name}, {part}" if name else part
        axes.plot(history.column("epoch"), values, look, color=_colour(number), label=label, markersize=4)


def plot_lines(
    lines: Mapping[str, Sequence[float] | Tensor],
    *,
    x: Sequence[float] | Tensor | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
    markers: bool = False,
) -> Drawing:
    """Draw one line for each entry of ``lines``, told apart by colour and line style.

    Args:
        lines: the values of each line by its name; a single line gets no legend.
        x: where the values lie on the horizontal axis, by default 0, 1, 2, …
        title, xlabel, ylabel: words for the figure and its axes, with units.
        markers: mark each value.

    Raises:
        ValueError: if there is no line.
    """
    if not lines:
        raise ValueError("there is no line to draw")
    axes = new_figure(6.2 if len(lines) == 1 else 8, 3.4).subplots()
    for number, (name, values) in enumerate(lines.items()):
        places = range(len(values)) if x is None else x
        style = LINES[number % len(LINES)]
        marker = MARKERS[number % len(MARKERS)] if markers else None
        look = {"linestyle": style, "marker": marker, "markersize": 3, "color": _colour(number)}
        axes.plot(places, values, label=name, **look)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    if len(lines) > 1:
        # Beside the lines, never on them.
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return Drawing(axes)


def plot_points(
    points: Mapping[str, Sequence[float] | Tensor], *, title: str, xlabel: str, ylabel: str
) -> Drawing:
    """Draw a dot for each value, at 0, 1, 2, …, in one panel for each entry of ``points``.

    Args:
        points: the values of each panel by its name.
        title, xlabel, ylabel: words for the figure and its axes, with units.

    Raises:
        ValueError: if there is no panel.
    """
    if not points:
        raise ValueError("there is no point to draw")
    panels = new_figure(4 * len(points), 3, title).subplots(1, len(points), sharey=True, squeeze=False)[0]
    for axes, (name, values) in zip(panels, points.items(), strict=True):
        axes.plot(values, ".", markersize=3, color=_colour(0), label=ylabel)
        axes.set(title=name, xlabel=xlabel)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
    panels[0].set_ylabel(ylabel)
    return Drawing(panels)


def plot_confusion_matrix(
    labels: Tensor,
    predictions: Tensor,
    classes: Sequence[str] = CLASSES,
    *,
    title: str = "Confusion matrix",
) -> Drawing:
    """Draw where the samples of each class end up, in per cent of the class: each row adds up to 100.

    Args:
        labels: the true classes, int64, shape (N,).
        predictions: the predicted classes, int64, shape (N,).
        classes: the class names.
        title: of the figure.

    Raises:
        ValueError: if the two tensors differ in shape or a class number is out of range.
    """
    counts = confusion_matrix(labels, predictions, len(classes)).double()
    percent = (100 * counts / counts.sum(dim=1, keepdim=True).clamp(min=1)).numpy()
    axes = new_figure(6.6, 5.6).subplots()
    picture = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        # Dark cells take white digits; an empty cell stays empty, so that mistakes stand out.
        if value > 0.5:
            colour = "white" if value > EVEN_BLUE else "black"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(classes)), classes, fontsize=8)
    axes.set(title=title, xlabel="predicted class", ylabel="true class")
    axes.figure.colorbar(picture, ax=axes, label="% of the true class", shrink=0.85)
    return Drawing(axes)


def confusion_matrix(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """Count samples by true class (row) and predicted class (column).

    Args:
        labels, predictions: int64, shape (N,), values in 0 … num_classes - 1.
        num_classes: number of rows and columns.

    Returns:
        int64, shape (num_classes, num_classes); the counts add up to N.

    Raises:
        ValueError: if the two tensors differ in shape or a class number is out of range.
    """
    if labels.shape != predictions.shape:
        raise ValueError(
            f"{tuple(labels.shape)} labels and {tuple(predictions.shape)} predictions do not pair up"
        )
    both = torch.stack([labels.cpu(), predictions.cpu()])
    if both.numel() and not 0 <= both.min() <= both.max() < num_classes:
        raise ValueError(f"class numbers must be from 0 to {num_classes - 1}")
    cells = both[0] * num_classes + both[1]
    return torch.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def plot_worst_mistakes(
    images: Tensor,
    labels: Tensor,
    logits: Tensor,
    classes: Sequence[str] = CLASSES,
    *,
    number: int = 8,
    title: str = "The worst mistakes",
) -> Drawing:
    """Draw the wrongly classified images on which the loss is highest, with what the model believed.

    Args:
        images: shape (N, 28, 28) or (N, 1, 28, 28), as :func:`plot_images` takes them.
        labels: int64, shape (N,).
        logits: shape (N, classes); softmax makes the probabilities that are shown.
        classes: the class names.
        number: how many at most.
        title: above the grid.

    Raises:
        ValueError: if no image is wrongly classified.
    """
    wrong = (logits.argmax(dim=1) != labels).nonzero().flatten()
    if len(wrong) == 0:
        raise ValueError("there is no mistake to show: every image is classified rightly")
    losses = nn.functional.cross_entropy(logits[wrong], labels[wrong], reduction="none")
    worst = wrong[losses.argsort(descending=True)[:number]]
    guesses = [
        f"{classes[label]}\ntaken for\n{classes[row.argmax()]} ({row.max():.0%})"
        for label, row in zip(labels[worst].tolist(), logits[worst].softmax(dim=1), strict=True)
    ]
    drawing = plot_images(images[worst], guesses=guesses, columns=4, title=title)
    drawing.figure.set_size_inches(7.2, 1.95 * -(-len(worst) // 4) + 0.35)
    return drawing


def plot_signed(pictures: Tensor, *, title: str, label: str, columns: int = 8) -> Drawing:
    """Draw tables of numbers as pictures: white is 0, one colour stands for positive, the other for negative numbers.

    All share one scale, so what is pale has small numbers.

    Args:
        pictures: float of shape (N, height, width).
        title: above the grid.
        label: what the numbers are, beside the scale.
        columns: pictures per row.

    Raises:
        ValueError: if the pictures have another shape.
    """
    pictures = pictures.detach().cpu()
    drawing = plot_images(torch.zeros(pictures.shape), title=title, columns=columns)
    limit = pictures.abs().max().item() or 1.0
    for axes, picture in zip(drawing.axes, pictures, strict=True):
        axes.images[0].set(data=picture.numpy(), cmap="PuOr", clim=(-limit, limit))
    colorbar = drawing.figure.colorbar(drawing.axes[0].images[0], ax=drawing.axes, shrink=0.8)
    colorbar.set_label(label, fontsize=8)
    return drawing


def plot_first_layer(
    model: nn.Module,
    *,
    since: nn.Module | None = None,
    number: int = 24,
    title: str = "First-layer weights",
) -> Drawing:
    """Draw the weights from the 784 pixels to single units of the first linear layer, as images.

    White is 0; one colour stands for positive, the other for negative weights. All share one scale, so a
    pale image is a unit with small weights.

    Args:
        model: its first ``nn.Linear`` takes 784 numbers.
        since: an earlier state of the model; then each unit is drawn as it was before, after, and their difference.
        number: how many units, those with the largest weights (by their norm) first; with ``since`` those that have
            changed most.
        title: above the grid.

    Raises:
        ValueError: if a model has no linear layer that takes 784 numbers.
    """
    weights = _first_weights(model)
    rows = {"": weights}
    if since is not None:
        before = _first_weights(since)
        rows = {"before": before, "after": weights, "change": weights - before}
    largest = [*rows.values()][-1].norm(dim=1).argsort(descending=True)[:number]
    pictures = torch.cat([values[largest] for values in rows.values()]).reshape(-1, 28, 28)
    columns = 8 if since is None else len(largest)
    drawing = plot_signed(pictures, title=title, label="weight", columns=columns)
    for first, name in zip(drawing.axes[:: len(largest)], filter(None, rows), strict=False):
        first.text(-2, 13.5, name, rotation=90, ha="right", va="center", fontsize=9)
    return drawing


def _first_weights(model: nn.Module) -> Tensor:
    first = next((m for m in model.modules() if isinstance(m, nn.Linear)), None)
    if first is None or first.in_features != 28 * 28:
        raise ValueError("the model's first linear layer does not take the 784 pixels of an image")
    return first.weight.detach().cpu()


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _as_pictures(images: Tensor) -> np.ndarray:
    """Return images as floats of shape (N, 28, 28) in 0 … 1."""
    pictures = images.detach().cpu()
    if pictures.ndim == 4 and pictures.shape[1] == 1:
        pictures = pictures[:, 0]
    if pictures.ndim != 3 or len(pictures) == 0:
        raise ValueError(
            f"images of shape {tuple(images.shape)} cannot be drawn; give (N, 28, 28) or (N, 1, 28, 28)"
        )
    if not pictures.is_floating_point() and pictures.dtype not in (torch.uint8, torch.bool):
        raise ValueError(f"images of {pictures.dtype} cannot be drawn; give bytes (uint8) or floats in 0 … 1")
    scale = 255 if pictures.dtype == torch.uint8 else 1
    return (pictures.float() / scale).numpy()
