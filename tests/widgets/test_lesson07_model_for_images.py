"""Lesson 07's parts: a window that moves over a garment, and any two recipes of a study."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from fmnist_helpers import widgets
from fmnist_helpers.recipes.study import Row, Study
from fmnist_helpers.widgets.lesson07_model_for_images import mean_curve
from tests.widgets.conftest import cells


def small_study():
    """A first step, a large gain, and a small one; three seeds each, the last one stopped early twice."""

    def row(name, before, accuracies, **settings):
        curves = tuple((0.5, value)[: 1 if seed else 2] for seed, value in enumerate(accuracies))
        recipe = {"shuffle": False, "learning_rate": 0.1, **settings}
        return Row(name, before, recipe, 1000, tuple(accuracies), (10.0, 30.0, 11.0), curves, (), 0)

    rows = [
        row("first", None, [0.50, 0.51, 0.52]),
        row("large", "first", [0.80, 0.82, 0.81], learning_rate=0.3),
        row("small", "large", [0.82, 0.81, 0.83], learning_rate=0.3, shuffle=True),
    ]
    return Study(rows, {})


def test_a_difference_is_judged_by_what_chance_may_make():
    explorer = widgets.StudyExplorer(small_study(), "large")
    margin = 100 * small_study().paired("large").margin
    assert explorer.spoken == (
        "large 81.00 ± 1.00 %, first 51.00 ± 1.00 %: a difference of +30.00 points, beyond the "
        f"{margin:.2f} points that chance may make in so many comparisons."
    )
    explorer.step.value = "small"
    assert explorer.other.value == "large"
    margin = 100 * small_study().paired("small").margin
    assert margin > 1
    assert f"a difference of +1.00 points, within the {margin:.2f} points" in explorer.spoken


def test_the_table_shows_only_what_differs():
    explorer = widgets.StudyExplorer(small_study(), "small")
    assert cells(explorer.body) == [
        ["setting", "small", "large"],
        ["shuffle", "True", "False"],
        ["seconds", "11", "11"],
        ["parameters", "1,000", "1,000"],
    ]


def test_any_step_can_stand_beside_any_other_and_beside_itself():
    explorer = widgets.StudyExplorer(small_study(), "small")
    explorer.other.value = "first"
    assert explorer.spoken.startswith(
        "small 82.00 ± 1.00 %, first 51.00 ± 1.00 %: a difference of +31.00 points"
    )
    explorer.step.value = "first"
    assert explorer.spoken == "first: 51.00 ± 1.00 %."


def test_curves_are_means_of_the_seeds_that_are_still_running():
    assert mean_curve(small_study()["large"]) == [(1.0, 50.0), (2.0, 80.0)]


# --- the window


KERNELS = {
    "one": torch.tensor([[1.0, 0, -1]] * 3),
    "other": torch.tensor([[0.0, 0, 0], [0, 2, 0], [0, 0, 0]]),
}


@pytest.fixture
def window():
    image = torch.rand(9, 7, generator=torch.Generator().manual_seed(0))
    return image, widgets.ConvolutionWindow(image, KERNELS)


def grey_of(address):
    """Return the grey picture within an SVG, with a pixel for each number."""
    svg = base64.b64decode(address.split(",")[1]).decode()
    png = re.search(r'href="data:image/png;base64,([^"]+)"', svg)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))[::4, ::4]


def test_the_window_shows_nine_products_and_their_sum(window):
    image, part = window
    for kernel, row, column in (("one", 0, 0), ("other", 6, 4), ("one", 3, 2)):
        part.kernel.value, part.row.value, part.column.value = kernel, row, column
        seen, weights = image[row : row + 3, column : column + 3], KERNELS[kernel]
        products = [
            [f"{pixel:.2f} · {weight:g}".replace("-", "−") for pixel, weight in zip(*two, strict=True)]
            for two in zip(seen.tolist(), weights.tolist(), strict=True)
        ]
        assert [line[1:] for line in cells(part.body)[1:]] == products
        total = f"{(seen * weights).sum():.2f}".replace("-", "−")
        assert part.spoken == f"At row {row}, column {column} the nine products add up to {total}."
        assert f"sum: {total}" in part.body


def test_the_window_stays_in_the_image_and_its_controls_have_names(window):
    _, part = window
    part.row.value, part.column.value = 99, 99
    assert (part.row.number, part.column.number) == (6, 4)
    assert [control.description for control in part.controls] == ["kernel", "row", "column"]


def test_the_map_is_that_of_conv2d_as_far_as_the_window_has_come(window):
    image, part = window
    part.row.value, part.column.value = 2, 1
    right = torch.nn.functional.conv2d(image[None, None], KERNELS["one"][None, None])[0, 0].numpy()
    _, address = re.findall(r'src="([^"]+)"', part.body)
    shown = grey_of(address).astype(float) / 255
    expected = 0.5 + right / (2 * np.abs(right).max())
    done = 2 * 5 + 1 + 1
    np.testing.assert_allclose(shown.ravel()[:done], expected.ravel()[:done], atol=0.003)
    np.testing.assert_allclose(shown.ravel()[done:], 0.5, atol=0.003)
    part.row.value, part.column.value = 6, 4
    _, address = re.findall(r'src="([^"]+)"', part.body)
    np.testing.assert_allclose(grey_of(address) / 255, expected, atol=0.003)
