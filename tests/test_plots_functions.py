"""Figures of functions: valleys, surfaces, softmax and regions are drawn as the functions are, and can be read."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from torch import nn

import fmnist_helpers as fh
from tests.lessons.true_words import check
from tests.test_diagrams import assert_legible
from tests.test_plots import FIGURES


def valley(w):
    return (w - 1) ** 2 + 0.5


def slope(w):
    return 2 * (w - 1)


def walk(rate: float, steps: int = 6, start: float = -2.0) -> list[float]:
    positions = [start]
    for _ in range(steps):
        positions.append(positions[-1] - rate * slope(positions[-1]))
    return positions


def line_of(axes: Axes, label: str) -> Line2D:
    (line,) = (line for line in axes.lines if line.get_label().startswith(label))
    return line


def arrows_of(axes: Axes) -> list[FancyArrowPatch]:
    return [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]


def texts_of(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


RATES = {"slow": walk(0.02), "good": walk(0.3), "unstable": walk(0.95), "diverges": walk(1.1, 20)}
DRAWINGS = {
    **{name: FIGURES[name] for name in ("paths", "softmax", "regions", "valley")},
    "rates": lambda: fh.plot_valley(valley, RATES, slope=slope, span=(-3, 5)),
    "long walk": lambda: fh.plot_valley(valley, {"a": walk(0.1, 60)}, slope=slope),
    "one ball": lambda: fh.plot_valley(valley, {"a": [-2.0]}),
    "four paths": lambda: fh.plot_paths(
        lambda at: at[0] ** 2 + at[1] ** 2, {name: torch.randn(9, 2) for name in "abcd"}
    ),
    "ten classes": lambda: fh.plot_softmax([-2.18, 1.54, -0.3, 0.5, -1, 4, 0, 0.8, -0.7, -0.4], fh.CLASSES),
    "three regions": lambda: fh.plot_regions(
        {"a": nn.Linear(2, 3), "b": nn.Linear(2, 3)}, torch.randn(50, 2), torch.arange(50) % 3
    ),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_is_legible_and_true(name):
    torch.manual_seed(0)
    drawing = DRAWINGS[name]()
    assert_legible(drawing)
    check(drawing)


# --- a valley ----------------------------------------------------------------------------------------------


def test_valley_draws_curve_balls_and_arrows():
    walks = {"slow": walk(0.1, 3), "good": walk(0.4, 2)}
    drawing = fh.plot_valley(valley, walks, span=(-3, 5), title="Rates")
    assert drawing.figure.get_suptitle() == "Rates"
    assert [axes.get_title() for axes in drawing.axes] == list(walks)
    for axes, positions in zip(drawing.axes, walks.values(), strict=True):
        across, up = line_of(axes, "loss").get_xydata().T
        np.testing.assert_allclose(up, (across - 1) ** 2 + 0.5)
        assert (across[0], across[-1]) == (-3, 5) == axes.get_xlim()
        expected = [[position, (position - 1) ** 2 + 0.5] for position in positions]
        np.testing.assert_allclose(line_of(axes, "ball").get_xydata(), expected)
        assert len(arrows_of(axes)) == len(positions) - 1
        ends = [arrow.get_path().vertices for arrow in arrows_of(axes)]
        assert all(len(end) for end in ends)
        np.testing.assert_allclose(line_of(axes, "lowest").get_xydata(), [[1, 0.5]], atol=0.03)
        assert {"lowest", "0", "1"} <= set(texts_of(axes))
        assert axes.get_xlabel() == "w"
    assert drawing.axes[0].get_ylabel() == "loss"
    assert drawing.axes[0].get_ylim() == drawing.axes[1].get_ylim()


def test_valley_draws_the_tangent_at_the_first_position():
    drawing = fh.plot_valley(valley, {"a": [-2.0, 0.0], "b": [0.0]}, slope=slope)
    across, up = line_of(drawing.axes[0], "tangent").get_xydata().T
    # Through the ball, and as steep as was said.
    assert np.interp(-2, across, up) == pytest.approx(9.5)
    assert (up[1] - up[0]) / (across[1] - across[0]) == pytest.approx(-6)
    assert not any(line.get_label().startswith("tangent") for line in drawing.axes[1].lines)


def test_valley_shows_where_a_walk_leaves_it():
    positions = walk(1.1, 5)
    assert [-3 <= position <= 5 for position in positions] == [True, True, False, False, False, False]
    (axes,) = fh.plot_valley(valley, {"diverges": positions}, span=(-3, 5)).axes
    assert "outside from step 2" in texts_of(axes) and "2" not in texts_of(axes)
    assert axes.get_xlim() == (-3, 5) and axes.get_ylim()[1] < 30
    # From 0 to 1, and from 1 to the edge.
    assert len(arrows_of(axes)) == 2
    # All its losses are told.
    np.testing.assert_allclose(line_of(axes, "ball").get_xdata(), positions)


def test_valley_without_a_span_holds_the_whole_walk_and_marks_no_edge():
    (axes,) = fh.plot_valley(lambda w: w, {"a": [2.0, 0.0]}).axes
    low, high = axes.get_xlim()
    assert low < 0 and high > 2
    assert "lowest" not in texts_of(axes)


@pytest.mark.parametrize("function", [valley, lambda w: math.cos(w), lambda w: torch.cos(w) * 2.0])
def test_valley_takes_any_function_of_a_number(function):
    (axes,) = fh.plot_valley(function, {"a": torch.tensor([-2.0, 1.5])}).axes
    across, up = line_of(axes, "loss").get_xydata().T
    assert up.tolist() == pytest.approx(
        [float(function(torch.tensor(at, dtype=torch.float64))) for at in across]
    )


def test_valley_outlives_a_walk_to_infinity():
    (axes,) = fh.plot_valley(valley, {"a": [0.0, 2.0, math.inf, math.nan]}).axes
    assert "outside from step 2" in texts_of(axes)
    assert all(map(math.isfinite, axes.get_xlim()))


@pytest.mark.parametrize("walks", [{}, {"a": [1.0], "b": []}])
def test_no_walk_is_refused(walks):
    with pytest.raises(ValueError, match="there is no walk to draw: each needs at least one position"):
        fh.plot_valley(valley, walks)


# --- a surface ---------------------------------------------------------------------------------------------


def bowl(at):
    return at[0] ** 2 + 4 * at[1] ** 2


def test_paths_are_drawn_as_given_over_contours():
    paths = {name: torch.rand(4, 2) for name in ("SGD", "momentum", "Adam")}
    panels = fh.plot_paths(lambda point: point[0] ** 2 + point[1], paths, title="Downhill").axes
    assert [axes.get_title() for axes in panels] == list(paths)
    for axes, path in zip(panels, paths.values(), strict=True):
        np.testing.assert_array_equal(axes.lines[0].get_xydata(), path.numpy())
        assert axes.collections, "contour lines"
    assert panels[0].figure.get_suptitle() == "Downhill"


def marked(axes: Axes, label: str) -> list:
    return [one.get_offsets().tolist() for one in axes.collections if one.get_label() == label]


def test_paths_have_named_axes_a_start_and_the_lowest_point():
    paths = {name: torch.tensor([[-4.0, 1.0], [1.0, -1.0]]) for name in "abc"}
    drawing = fh.plot_paths(bowl, paths)
    for axes in drawing.axes:
        assert marked(axes, "start") == [[[-4.0, 1.0]]]
        ((lowest,),) = marked(axes, "lowest")
        np.testing.assert_allclose(lowest, [0, 0], atol=0.05)
    assert [axes.get_ylabel() for axes in drawing.axes] == ["second parameter", "", "second parameter"]
    assert [axes.get_xlabel() for axes in drawing.axes] == ["", "first parameter", "first parameter"]
    (legend,) = drawing.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("start", "lowest", "one dot per step", "the same loss along each line")
    ]


def test_the_lowest_point_is_not_marked_at_an_edge():
    (axes,) = fh.plot_paths(bowl, {"a": torch.tensor([[-4.0, 1.0], [-3.0, 0.5]])}).axes
    assert marked(axes, "lowest") == []


def test_no_path_is_refused():
    with pytest.raises(ValueError, match="there is no path to draw"):
        fh.plot_paths(lambda point: point[0], {})


# --- softmax -----------------------------------------------------------------------------------------------


def test_softmax_is_drawn_in_three_steps():
    logits = [2.0, -1.0, 0.5]
    powers = [math.exp(logit) for logit in logits]
    expected = [logits, powers, [power / sum(powers) for power in powers]]
    drawing = fh.plot_softmax(torch.tensor(logits), ["bag", "coat", "shirt"])
    for axes, values in zip(drawing.axes, expected, strict=True):
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(values)
        assert texts_of(axes) == [f"{value:.3g}".replace("-", "−") for value in values]
        assert [text.get_text() for text in axes.get_yticklabels()] == ["bag", "coat", "shirt"]
        assert axes.yaxis_inverted()
    assert [axes.get_xlabel() for axes in drawing.axes] == ["logit", "e^logit", "share"]


def test_softmax_names_classes_by_their_numbers():
    axes = fh.plot_softmax([1, 2]).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["class 0", "class 1"]


@pytest.mark.parametrize(
    ("logits", "names", "message"),
    [
        ([], None, r"the logits of one sample are needed, shape \(C,\); found \(0,\)"),
        (torch.zeros(2, 3), None, r"found \(2, 3\)"),
        ([1.0, 2.0], ["a"], "there are 2 logits and 1 names"),
    ],
)
def test_logits_that_cannot_be_drawn_are_refused(logits, names, message):
    with pytest.raises(ValueError, match=message):
        fh.plot_softmax(logits, names)


# --- regions -----------------------------------------------------------------------------------------------


def test_regions_are_the_models_guesses_and_wrong_points_have_a_ring():
    torch.manual_seed(0)
    points, labels = torch.randn(40, 2), torch.arange(40) % 3
    models = {"linear": nn.Linear(2, 3), "bent": nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))}
    drawing = fh.plot_regions(models, points, labels, title="Planes")
    assert drawing.figure.get_suptitle() == "Planes"
    for axes, (name, model) in zip(drawing.axes, models.items(), strict=True):
        assert axes.get_title() == name
        (mesh,) = (one for one in axes.collections if isinstance(one, QuadMesh))
        corners = torch.tensor(np.asarray(mesh.get_coordinates()), dtype=torch.float32)
        middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        agree = mesh.get_array().reshape(160, 160) == model(middles).argmax(dim=2).numpy()
        # But for rounding along the borders.
        assert agree.mean() > 0.99
        for label in range(3):
            drawn = line_of(axes, f"class {label}")
            np.testing.assert_array_equal(drawn.get_xydata(), points[labels == label].numpy())
        wrong = [
            point.tolist()
            for point, label in zip(points, labels, strict=True)
            if model(point).argmax() != label
        ]
        assert line_of(axes, "in a wrong region").get_xydata().tolist() == wrong
        assert len({line.get_marker() for line in axes.lines[:3]}) == 3
    legend = drawing.axes[-1].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["class 0", "class 1", "class 2", "in a wrong region"]


def test_regions_of_a_model_that_always_guesses_the_same():
    (axes,) = fh.plot_regions(
        {"a": lambda at: torch.tensor([[1.0, 0.0]]).expand(len(at), 2)}, torch.eye(2), torch.arange(2)
    ).axes
    assert line_of(axes, "in a wrong region").get_xydata().tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("models", "points", "labels"),
    [({}, (4, 2), 4), ({"a": nn.Linear(2, 2)}, (4, 3), 4), ({"a": nn.Linear(2, 2)}, (4, 2), 3)],
)
def test_points_that_cannot_be_drawn_are_refused(models, points, labels):
    with pytest.raises(
        ValueError, match=r"points of shape \(N, 2\) and labels of shape \(N,\) are needed; found"
    ):
        fh.plot_regions(models, torch.zeros(points), torch.zeros(labels, dtype=torch.int64))


def test_a_model_with_too_few_logits_is_refused():
    with pytest.raises(ValueError, match=r"one logit per class for each point; found the shape \(25600, 1\)"):
        fh.plot_regions({"a": nn.Linear(2, 1)}, torch.eye(2), torch.arange(2))
