"""Draw the README's picture of speed and growth from the stored runs, and print its table in Markdown.

``python -m tests.benchmarks.speed --write`` measures and stores; ``python -m tests.benchmarks.speed_figure`` draws.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import matplotlib.pyplot as plt

from fmnist_helpers.plots import COLOURS, LINES, MARKERS
from tests.benchmarks import growth, speed

PICTURE = speed.STORED.with_suffix(".png")
AXIS_LABELS = {
    "samples": "training images",
    "batch_size": "batch size (images)",
    "width": "units in each hidden layer",
}


def draw_epoch(axes: plt.Axes, seconds: dict[str, dict[str, list[float]]]) -> None:
    """Draw a bar for each way: training part and test part, medians, and the extremes of the whole epoch."""
    names = list(seconds)
    train, test = ([statistics.median(seconds[name][part]) for name in names] for part in ("train", "test"))
    axes.barh(names, train, color=COLOURS[0], label="training part")
    axes.barh(names, test, left=train, color=COLOURS[5], hatch="//", label="test part")
    ends = [one + other for one, other in zip(train, test, strict=True)]
    lows = [max(0, end - min(seconds[name]["epoch"])) for name, end in zip(names, ends, strict=True)]
    highs = [max(0, max(seconds[name]["epoch"]) - end) for name, end in zip(names, ends, strict=True)]
    axes.errorbar(
        ends, names, xerr=(lows, highs), fmt="none", ecolor="black", capsize=2, label="least and most"
    )
    floor = ends[names.index(speed.MADE_AHEAD)]
    axes.axvline(floor, color="black", linestyle=":", linewidth=1, label="batches made ahead")
    axes.invert_yaxis()
    axes.set(xlabel="seconds", title="One epoch of the tutorial's recipe, one thread")
    # Beside the bars, never on them.
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(alpha=0.3, axis="x")
    axes.set_axisbelow(True)


def draw_growth(axes: plt.Axes, figures: dict, axis: str, unit: str) -> None:
    """Draw seconds or MB along one axis, the listing and this package."""
    for number, way in enumerate((growth.LISTING, growth.PACKAGE)):
        rows = growth.rows_along(figures, axis, way)
        heights = [statistics.median(row["seconds"]) if unit == "s" else row["megabytes"] for row in rows]
        style = {"color": COLOURS[1 - number], "linestyle": LINES[1 - number], "marker": MARKERS[number]}
        axes.plot([row[axis] for row in rows], heights, **style, markersize=4, label=way)
    axes.set_xscale("log")
    ticks = figures["axes"][axis]
    axes.set_xticks(
        ticks, [f"{tick // 1000}k" if tick >= 1000 and axis == "samples" else tick for tick in ticks]
    )
    axes.minorticks_off()
    if unit == "s":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)


def draw(epochs: dict, figures: dict) -> plt.Figure:
    """Return the whole picture: an epoch above, growth of time and of memory below."""
    whole = plt.figure(figsize=(10, 8.2), layout="constrained", facecolor="white")
    top, bottom = whole.subfigures(2, 1, height_ratios=(1, 1.35))
    draw_epoch(top.subplots(), epochs["cpu"]["seconds"])
    panels = bottom.subplots(2, len(AXIS_LABELS), sharex="col", sharey="row")
    for column, (axis, label) in enumerate(AXIS_LABELS.items()):
        for row, unit in enumerate(("s", "MB")):
            draw_growth(panels[row, column], figures, axis, unit)
        panels[1, column].set_xlabel(label)
    # Only once all is drawn: a limit that is set ends the search for one that fits the panels of its row.
    panels[1, 0].autoscale(axis="y")
    panels[1, 0].set_ylim(bottom=0)
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("MB beyond the imports")
    panels[0, 0].legend(fontsize=8, loc="upper left")
    base = "{samples:,} images, batches of {batch_size}, {width} units".format(**figures["base"])
    bottom.suptitle(f"One pass of training; what does not grow stays at {base}", fontsize=11)
    return whole


def markdown_of(seconds: dict[str, dict[str, list[float]]]) -> str:
    """Return the README's table: medians with extremes, and how fast each way is beside the listing."""
    lines = [
        "| one epoch, one thread | training part | test part | epoch | times as fast as the listing |",
        "|---|---|---|---|---|",
    ]
    for name, parts in seconds.items():
        cells = [
            f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"
            for values in (parts[part] for part in ("train", "test", "epoch"))
        ]
        times = speed.Ratio.of(seconds[speed.LISTING]["epoch"], parts["epoch"]).median
        lines.append(f"| {name} | {' | '.join(cells)} | {times:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Write ``notebooks/results/speed.png`` and print the table."""
    epochs, figures = (json.loads(Path(path).read_text()) for path in (speed.STORED, growth.STORED))
    draw(epochs, figures).savefig(PICTURE, dpi=110)
    print(epochs["cpu"]["conditions"], markdown_of(epochs["cpu"]["seconds"]), sep="\n\n")


if __name__ == "__main__":
    main()
