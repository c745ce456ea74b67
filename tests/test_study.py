"""The study is what it says, goes on where it was stopped, and never mixes what cannot be compared."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict, replace

import pytest

from fmnist_helpers import study as studies
from fmnist_helpers.recipe import Recipe
from fmnist_helpers.study import FINAL, STEPS, Step, read_study
from tests.benchmarks import study as runner

STORED = runner.RESULTS / "study_real.json"


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
        assert len(row.accuracies) >= 3
        assert all(0.1 < value < 1 for value in row.accuracies)
        assert all(seconds > 0 for seconds in row.seconds)
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
    path.write_text(json.dumps(content(the_tutorial=[(0.5, 10), (0.6, 30), (0.7, 11)], shuffling=[(0.8, 9)])))
    study = read_study(path)
    tutorial, shuffling = study.values()
    assert tutorial.mean == pytest.approx(0.6)
    assert tutorial.deviation == pytest.approx(statistics.stdev([0.5, 0.6, 0.7]))
    assert tutorial.median_seconds == 11
    assert shuffling.deviation == 0
    assert study.gain("the_tutorial") is None
    assert study.gain("shuffling") == pytest.approx(0.2)
    head, first, second = str(study).splitlines()
    assert head.split() == ["step", "changes", "valid", "accuracy", "gain", "seconds", "parameters"]
    assert first.split() == ["the_tutorial", "60.00", "±", "10.00", "%", "11.0", "1,234"]
    assert second.split() == [
        "shuffling",
        "the_tutorial",
        "80.00",
        "±",
        "0.00",
        "%",
        "+20.00",
        "9.0",
        "1,234",
    ]


def test_a_missing_study_says_how_to_get_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no study .*; make study writes one"):
        read_study(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"about": {}, "steps": {"a": {}}}', '{"about": {}, "steps": []}']
)
def test_another_file_is_not_taken_for_a_study(tmp_path, text):
    path = tmp_path / "study.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="does not hold a study; make study writes one"):
        read_study(path)


# --- carrying it out


@pytest.fixture
def two_steps(monkeypatch):
    """A study of two short recipes."""
    first = Recipe(num_epochs=1, batch_size=50)
    steps = {
        "first": Step("first", None, first),
        "second": Step("second", "first", replace(first, num_epochs=2, shuffle=True)),
    }
    for module in (studies, runner):
        monkeypatch.setattr(module, "STEPS", steps)
    return steps


def carry_out(root, path, names=("first", "second"), seeds=(0, 1), header=None, fresh=False):
    stored = runner.open_study(path, header or {"machine": "a machine"}, fresh)
    runner.run_study(names, seeds, root, path, stored, num_valid=100, num_train=60)
    return read_study(path)


def test_every_step_is_run_with_every_seed(two_steps, tiny_root, tmp_path):
    study = carry_out(tiny_root, tmp_path / "results" / "study.json")
    assert list(study) == ["first", "second"]
    assert [len(row.accuracies) for row in study.values()] == [2, 2]
    assert [[len(curve) for curve in row.curves] for row in study.values()] == [[1, 1], [2, 2]]
    assert study["second"].compared_with == "first"
    assert study["first"].num_parameters == 669_706


def test_a_study_that_was_stopped_goes_on_where_it_was(two_steps, tiny_root, tmp_path, monkeypatch):
    path, made = tmp_path / "study.json", []

    def stopping(recipe, root, seed, **options):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(seed)
        return original(recipe, root, seed, **options)

    original = runner.train_recipe
    monkeypatch.setattr(runner, "train_recipe", stopping)
    with pytest.raises(KeyboardInterrupt):
        carry_out(tiny_root, path)
    assert [len(row.accuracies) for row in read_study(path).values()] == [1, 1]
    made.clear()
    again = []
    monkeypatch.setattr(
        runner,
        "train_recipe",
        lambda recipe, *rest, **o: again.append(rest[1]) or original(recipe, *rest, **o),
    )
    assert [len(row.accuracies) for row in carry_out(tiny_root, path).values()] == [2, 2]
    assert again == [1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_seed_gives_the_same_accuracies(two_steps, tiny_root, tmp_path):
    one, other = (carry_out(tiny_root, tmp_path / name) for name in ("a.json", "b.json"))
    assert [row.curves for row in one.values()] == [row.curves for row in other.values()]


def test_a_changed_recipe_is_measured_anew_and_the_others_are_kept(
    two_steps, tiny_root, tmp_path, monkeypatch
):
    path = tmp_path / "study.json"
    before = carry_out(tiny_root, path)
    changed = {
        **two_steps,
        "second": two_steps["second"]._replace(recipe=Recipe(num_epochs=3, batch_size=50)),
    }
    for module in (studies, runner):
        monkeypatch.setattr(module, "STEPS", changed)
    after = carry_out(tiny_root, path, seeds=[0])
    assert after["first"] == before["first"]
    assert [len(curve) for curve in after["second"].curves] == [3]


def test_runs_of_another_machine_are_not_mixed_in(two_steps, tiny_root, tmp_path):
    path = tmp_path / "study.json"
    carry_out(tiny_root, path, seeds=[0])
    with pytest.raises(ValueError, match=r"another machine \(a machine, here another\); choose another file"):
        carry_out(tiny_root, path, header={"machine": "another"})
    study = carry_out(tiny_root, path, seeds=[5], header={"machine": "another"}, fresh=True)
    assert [len(row.accuracies) for row in study.values()] == [1, 1]


@pytest.mark.parametrize(
    ("names", "seeds", "message"),
    [
        ([], [0], "the study is empty"),
        (["first"], [], "the study is empty"),
        (["third"], [0], "there is no step 'third'; choose among first, second"),
    ],
)
def test_a_study_of_nothing_is_refused(two_steps, tiny_root, tmp_path, names, seeds, message):
    with pytest.raises(ValueError, match=message):
        carry_out(tiny_root, tmp_path / "study.json", names, seeds)
    assert not (tmp_path / "study.json").exists()


def test_the_command_says_what_is_wrong_in_one_sentence(two_steps, tiny_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner.helpers, "prepare_data", lambda source: tiny_root)
    monkeypatch.setattr(sys, "argv", ["study", "--only", "third", "--output", str(tmp_path / "study.json")])
    with pytest.raises(SystemExit) as ended:
        runner.main()
    assert ended.value.code == "there is no step 'third'; choose among first, second"


@pytest.mark.parametrize(
    ("asked", "source"), [("standin", "standin"), ("real", "real"), ("auto", "real"), ("", "real")]
)
def test_the_stand_in_is_used_when_asked_for_and_never_in_silence(monkeypatch, asked, source):
    monkeypatch.setenv("FMNIST_SOURCE", asked)
    assert runner.default_source() == source


def test_about_names_machine_and_versions():
    header = runner.about("standin", 1000)
    assert header["data"] == "standin"
    assert header["split"].startswith("1,000 training images")
    assert "1 thread" in header["machine"] and "bfloat16" in header["machine"]
    assert "torch" in header["versions"]
