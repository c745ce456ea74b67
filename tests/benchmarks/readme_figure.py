"""Draw the README's picture from data and stored runs: ``python -m tests.benchmarks.readme_figure``."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torchvision.datasets import FashionMNIST

import fmnist_helpers as helpers
from fmnist_helpers.plots import COLOURS
from tests.benchmarks.tutorial_recipe import NUM_EPOCHS, RESULTS

TUTORIAL_ACCURACY = (50.9, 55.9, 58.8, 62.2, 64.1, 65.8, 66.9, 68.3, 69.5, 71.0)
"""What the tutorial "Optimizing Model Parameters" reports after each of its ten epochs, in per cent."""


def one_of_each_class(source: str, row: int) -> torch.Tensor:
    """Return ten images laid side by side: of each class the one with number ``row``, shape (28, 280)."""
    data = FashionMNIST(helpers.prepare_data(source=source), train=True)
    chosen = [(data.targets == label).nonzero()[row].item() for label in range(10)]
    return torch.cat(list(data.data[chosen]), dim=1)


def draw_garments(axes: plt.Axes) -> None:
    """Draw two rows of real garments above two rows of the stand-in's."""
    rows = [one_of_each_class(source, row) for source in ("real", "standin") for row in (0, 1)]
    axes.imshow(torch.cat(rows), cmap="gray", vmin=0, vmax=255)
    axes.axhline(55.5, color="white", linewidth=2)
    axes.set_xticks([14 + 28 * k for k in range(10)], helpers.CLASSES, rotation=45, ha="right", fontsize=8)
    axes.set_yticks([28, 84], ["real", "stand-in"], rotation=90, va="center")
    axes.set_title("The data: real, or drawn where none can be reached", fontsize=10)


def draw_recipe(axes: plt.Axes) -> None:
    """Draw the tutorial's table and the stored runs of its recipe."""
    epochs = range(1, NUM_EPOCHS + 1)
    runs = json.loads((RESULTS / "tutorial_recipe_real.json").read_text())["accuracy_percent"].values()
    by_epoch = list(zip(*runs, strict=True))
    low, high = [min(values) for values in by_epoch], [max(values) for values in by_epoch]
    axes.fill_between(epochs, low, high, color=COLOURS[0], alpha=0.3, label=f"this course, {len(runs)} seeds")
    axes.plot(epochs, TUTORIAL_ACCURACY, "o", color=COLOURS[1], label="the tutorial's table")
    axes.set(xlabel="epoch", ylabel="test accuracy (%)", xticks=list(epochs))
    axes.set_title("The tutorial's recipe, reproduced", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")


def main() -> None:
    """Write ``notebooks/results/overview.png``."""
    figure = plt.figure(figsize=(10, 3.3), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=(1.9, 1))
    draw_garments(left)
    draw_recipe(right)
    figure.savefig(Path(RESULTS, "overview.png"), dpi=130)


if __name__ == "__main__":
    main()
