"""The study is what it says, and its table is what the stored runs give."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict

import pytest

from fmnist_helpers.recipes.recipe import Recipe
from fmnist_helpers.recipes.study import FINAL, STEPS, Step, read_study
from tests.tools.course import RESULTS

STORED = RESULTS / "study_real.json"


# --- the steps


def test_the_first_step_is_the_tutorials_recipe():
    first = next(iter(STEPS.values()))
    assert first == Step("the tutorial", None, Recipe())


def test_every_other_step_changes_one_that_came_before():
    seen = set()
    for name, step in STEPS.items():
        assert step.name == name
        if seen:
            assert step.compared_with in seen
            assert step.recipe.changes_from(STEPS[step.compared_with].recipe)
        seen.add(name)
    assert FINAL in seen


def test_no_recipe_is_measured_twice():
    assert len({step.recipe for step in STEPS.values()}) == len(STEPS)


# --- the stored study


def test_the_stored_study_is_whole_and_of_todays_recipes():
    study = read_study(STORED)
    assert list(study) == list(STEPS), "run: make study"
    assert study.about["data"] == "real"
    for name, row in study.items():
        assert row.recipe == asdict(STEPS[name].recipe), f"{name} was changed since; run: make study"
        assert row.compared_with == STEPS[name].compared_with
        assert len(row.accuracies) == len(row.bits) == 5
        assert all(0.1 < value < 1 for value in row.accuracies)
        assert all(seconds > 0 for seconds in row.seconds)
        assert row.right.mean(axis=1).tolist() == pytest.approx(list(row.accuracies), abs=1e-5)
        for curve in row.curves:
            assert len(curve) == row.recipe["num_epochs"] or row.recipe["patience"]


def test_the_final_recipe_is_the_best_on_validation():
    study = read_study(STORED)
    assert max(study.values(), key=lambda row: row.mean).name == FINAL


# --- reading


def content(**runs):
    """A study of two steps; ``runs`` holds (accuracy, seconds) of each seed by step."""
    steps = {
        name: {
            "compared_with": None if name == "the_tutorial" else "the_tutorial",
            "recipe": asdict(Recipe(shuffle=name != "the_tutorial")),
            "num_parameters": 1234,
            "runs": [
                {"seed": seed, "valid_accuracy": accuracy, "seconds": seconds, "curve": [0.3, accuracy]}
                for seed, (accuracy, seconds) in enumerate(pairs)
            ],
        }
        for name, pairs in runs.items()
    }
    return {"about": {"machine": "a machine"}, "steps": steps}


def test_means_deviations_gains_and_table(tmp_path):
    path = tmp_path / "study.json"
    path.write_text(
        json.dumps(
            content(the_tutorial=[(0.5, 10), (0.6, 30), (0.7, 11)], shuffling=[(0.7, 9), (0.8, 9), (0.9, 9)])
        )
    )
    study = read_study(path)
    tutorial = study["the_tutorial"]
    assert tutorial.mean == pytest.approx(0.6)
    assert tutorial.deviation == pytest.approx(statistics.stdev([0.5, 0.6, 0.7]))
    assert tutorial.median_seconds == 11
    assert (study.num_seeds, study.num_comparisons) == (3, 1)
    assert study.gain("the_tutorial") is None
    assert study.gain("shuffling") == pytest.approx(0.2)
    head, first, second = str(study).splitlines()
    words = "step changes valid accuracy gain ± by chance seconds parameters"
    assert head.split() == words.split()
    assert first.split() == ["the_tutorial", "60.00", "±", "10.00", "%", "11", "1,234"]
    assert second.split()[:7] == ["shuffling", "the_tutorial", "80.00", "±", "10.00", "%", "+20.00"]
    assert second.split()[8:] == ["9", "1,234"]
    assert "<summary>The whole table</summary>" in study._repr_html_() and head in study._repr_html_()


def test_a_missing_study_says_where_it_was_looked_for_and_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = (
        f"^there is no study none.json in {tmp_path}; in a terminal in the course's folder run `make study`$"
    )
    with pytest.raises(FileNotFoundError, match=words):
        read_study("none.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"about": {}, "steps": {"a": {}}}', '{"about": {}, "steps": []}']
)
def test_another_file_is_not_taken_for_a_study(tmp_path, text):
    path = tmp_path / "study.json"
    path.write_text(text)
    with pytest.raises(
        ValueError, match=r"does not hold a study; to replace it, .* run `make study STUDY_OPTIONS=--fresh`$"
    ):
        read_study(path)
