"""Draws what a trace recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fmnist_helpers.figures import Drawing, new_figure
from fmnist_helpers.plots import COLOURS, MARKERS


def plot_timeline(events: Sequence[Any], kinds: Sequence[str], title: str) -> Drawing:
    """Draw events from left to right, one row for each of ``kinds``, and below them the gradient in ``.grad``.

    A grey background marks evaluation mode. Time is counted in events, not in seconds.

    Args:
        events: each with ``kind``, ``batch``, ``training`` and ``gradient``, as the recorder makes them; those of
            other kinds are left out.
        kinds: the rows, from top to bottom.
        title: above the rows.

    Raises:
        ValueError: if there is no event.
    """
    if not events:
        raise ValueError("there is no event to draw: the loop did nothing that can be recorded")
    events = [event for event in events if event.kind in kinds]
    rows = {kind: len(kinds) - 1 - row for row, kind in enumerate(kinds)}
    axes = new_figure(8, 4.4).subplots(2, 1, sharex=True, height_ratios=(3, 1.3))
    places = np.arange(1, len(events) + 1)
    for kind, colour, marker in zip(kinds, COLOURS, MARKERS, strict=False):
        at = [place for place, event in zip(places, events, strict=True) if event.kind == kind]
        axes[0].plot(at, [rows[kind]] * len(at), marker, color=colour, markersize=8, linestyle="none")
    axes[0].set(
        title=title, yticks=list(rows.values()), yticklabels=list(rows), ylim=(-0.6, len(kinds) - 0.4)
    )
    # The line holds each value up to the next event: what .grad contained all the while.
    axes[1].step(places, [event.gradient for event in events], where="mid", color=COLOURS[0])
    axes[1].set(ylabel="length of .grad", xlabel="event, in the order in which it happened")
    axes[1].set_ylim(bottom=0)
    axes[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for one in axes:
        _mark_batches(one, events, places)
        one.spines[["top", "right"]].set_visible(False)
    return Drawing(axes)


def _mark_batches(axes: Axes, events: list, places: np.ndarray) -> None:
    for place, event in zip(places, events, strict=True):
        if event.kind == "batch" and event.batch > 1:
            axes.axvline(place - 0.5, color="0.6", linewidth=0.8, linestyle="--")
        if not event.training:
            axes.axvspan(place - 0.5, place + 0.5, color="0.92", linewidth=0)
