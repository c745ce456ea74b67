"""Draw the README's picture: ``FMNIST_MIRROR=... python -m tests.measure.readme_figure`` (about a minute).

Left, garments of the test split with the names that the final recipe of lesson 07 gives them. Right, the climb of
the stored study, from the tutorial's recipe to that one.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch

import fmnist_helpers as helpers
from fmnist_helpers.plots import COLOURS
from fmnist_helpers.recipes import FINAL, STEPS, Study, read_study, train_recipe
from tests.tools.course import RESULTS

NUM_COLUMNS, NUM_ROWS = 7, 3
FIRST = 32
"""The first test image that is shown; those after it follow in their order, whatever the model makes of them."""


def draw_predictions(grid: list[plt.Axes], root) -> None:
    """Train the final recipe and draw consecutive test images with its answers; a wrong one is marked."""
    model = train_recipe(STEPS[FINAL].recipe, root).model.eval()
    test_set = helpers.make_loaders(root).test.dataset
    images, labels = test_set.__getitems__(list(range(FIRST, FIRST + len(grid)))).batch
    with torch.no_grad():
        probabilities = model(images).softmax(dim=1)
    for axes, image, label, row in zip(grid, images, labels.tolist(), probabilities, strict=True):
        named = row.argmax().item()
        axes.imshow(image[0], cmap="gray", vmin=0, vmax=1)
        text = f"{helpers.CLASSES[named]}\n{row.max():.0%}"
        if named != label:
            text = f"{helpers.CLASSES[named]}?\nis: {helpers.CLASSES[label]}"
        axes.set_title(text, fontsize=8, color="black" if named == label else COLOURS[1], pad=3)
        axes.set_axis_off()


def path_to(name: str, study: Study) -> list[str]:
    """Return the steps that lead to a recipe, the first one first."""
    before = study[name].compared_with
    return [*(path_to(before, study) if before else []), name]


def draw_climb(axes: plt.Axes, study: Study) -> None:
    """Draw the mean validation accuracy of each step on the way to the final recipe, with its spread."""
    names = path_to(FINAL, study)
    rows = [study[name] for name in names]
    places = range(len(rows))
    means = [100 * row.mean for row in rows]
    deviations = [100 * row.deviation for row in rows]
    # Points, not bars: the axis does not begin at 0.
    axes.errorbar(means, places, xerr=deviations, fmt="o-", color=COLOURS[0], ecolor="black", capsize=2)
    for place, mean in zip(places, means, strict=True):
        axes.text(mean + 1.4, place - 0.18, f"{mean:.1f}", va="center", fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set(xlim=(68, 98), xlabel="validation accuracy (%), mean and deviation of the seeds")
    axes.set_title("The climb, one measured change at a time", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.label.set_size(8)
    axes.tick_params(axis="x", labelsize=8)


def main() -> None:
    """Write ``notebooks/results/overview.png``."""
    root = helpers.prepare_data(source="real")
    figure = plt.figure(figsize=(11, 3.9), layout="constrained", facecolor="white")
    left, right = figure.subfigures(1, 2, width_ratios=(1.45, 1))
    left.suptitle("Garments the model has never seen, and what it calls them", fontsize=10)
    draw_predictions(list(left.subplots(NUM_ROWS, NUM_COLUMNS).flat), root)
    draw_climb(right.subplots(), read_study(RESULTS / "study_real.json"))
    figure.savefig(RESULTS / "overview.png", dpi=130)


if __name__ == "__main__":
    main()
