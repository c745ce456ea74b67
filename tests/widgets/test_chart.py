"""Charts draw the points they are given, in text that can be read."""

from __future__ import annotations

import re

import pytest

from fmnist_helpers.widgets.chart import Scale, line_chart, smooth
from tests.test_plots import contrast


def test_smooth_is_a_running_mean():
    assert smooth([1.0, 3.0, 5.0, 7.0], 2) == [1.0, 2.0, 4.0, 6.0]


def test_scale_maps_ends_to_ends():
    scale = Scale(0.01, 100, 50, 450, log=True)
    assert (scale(0.01), scale(1), scale(100)) == pytest.approx((50, 250, 450))
    assert scale.ticks() == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert Scale(0, 10, 300, 0)(2.5) == 225


def test_text_of_charts_stands_out():
    svg = line_chart({}, title="", xlabel="", ylabel="", xlim=(0, 1), ylim=(0, 1))
    assert contrast(re.search(r'fill="(#222)"', svg)[1], "white") >= 4.5


def test_line_chart_draws_the_points_it_is_given():
    svg = line_chart(
        {"a": [(0, 0), (1, 1)], "b": [(0, 1), (0.5, float("nan")), (1, 9)]},
        title="T <",
        xlabel="x",
        ylabel="y",
        xlim=(0, 1),
        ylim=(0, 1),
        size=(200, 200),
    )
    x, y = Scale(0, 1, 56, 186), Scale(0, 1, 136, 26)
    assert f"M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}" in svg
    # A gap at what is no number, and the edge for what lies outside.
    assert f"M{x(0):.1f} {y(1):.1f}M{x(1):.1f} {y(1):.1f}" in svg
