"""Lesson 06's part compares any two recipes of a study."""

from __future__ import annotations

from fmnist_helpers import widgets
from fmnist_helpers.recipes.study import Row, Study
from fmnist_helpers.widgets.lesson07_model_for_images import mean_curve
from tests.widgets.conftest import cells


def small_study():
    """A first step, a large gain, and a small one; three seeds each, the last one stopped early twice."""

    def row(name, before, accuracies, **settings):
        curves = tuple((0.5, value)[: 1 if seed else 2] for seed, value in enumerate(accuracies))
        recipe = {"shuffle": False, "learning_rate": 0.1, **settings}
        return Row(name, before, recipe, 1000, tuple(accuracies), (10.0, 30.0, 11.0), curves)

    rows = [
        row("first", None, [0.50, 0.51, 0.52]),
        row("large", "first", [0.80, 0.81, 0.82], learning_rate=0.3),
        row("small", "large", [0.81, 0.82, 0.83], learning_rate=0.3, shuffle=True),
    ]
    return Study(rows, {})


def test_a_difference_is_judged_by_its_standard_error():
    explorer = widgets.StudyExplorer(small_study(), "large")
    # Each mean has a standard error of 1 / sqrt(3) points, their difference one of sqrt(2 / 3).
    error = f"{(2 / 3) ** 0.5:.2f}"
    assert explorer.spoken == (
        "large 81.00 ± 1.00 %, first 51.00 ± 1.00 %: a difference of +30.00 points, more than twice "
        f"its standard error of {error} points."
    )
    explorer.step.value = "small"
    assert explorer.other.value == "large"
    assert (
        f"a difference of +1.00 points, less than twice its standard error of {error} points"
        in explorer.spoken
    )


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
