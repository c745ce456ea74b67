"""The study goes on where it was stopped, and never mixes what cannot be compared."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from fmnist_helpers.recipes import study as studies
from fmnist_helpers.recipes.recipe import Recipe
from fmnist_helpers.recipes.study import Step, read_study
from tests.measure import study as runner
from tests.tools.course import RESULTS


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
    path = tmp_path / "results" / "study.json"
    study = carry_out(tiny_root, path)
    assert list(study) == ["first", "second"]
    assert [len(row.accuracies) for row in study.values()] == [2, 2]
    assert [[len(curve) for curve in row.curves] for row in study.values()] == [[1, 1], [2, 2]]
    assert study["second"].compared_with == "first"
    assert study["first"].num_parameters == 669_706
    for row in study.values():
        # What is stored of the single images is what the accuracy counts.
        assert row.right.shape == (2, 100)
        assert row.right.mean(axis=1).tolist() == pytest.approx(list(row.accuracies))
    again = carry_out(tiny_root, path, fresh=True)
    assert [row.curves for row in again.values()] == [row.curves for row in study.values()]


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
    monkeypatch.setattr(runner, "train_recipe", lambda *a, **o: made.append(a[2]) or original(*a, **o))
    assert [len(row.accuracies) for row in carry_out(tiny_root, path).values()] == [2, 2]
    assert made == [0, 0, 1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_that_was_stopped_half_way_is_not_stored(two_steps, tiny_root, tmp_path, monkeypatch):
    def stop(model):
        raise KeyboardInterrupt

    original = runner.train_recipe
    monkeypatch.setattr(runner, "train_recipe", lambda *a, **o: original(*a, **{**o, "after_step": stop}))
    with pytest.raises(KeyboardInterrupt):
        carry_out(tiny_root, tmp_path / "study.json")
    assert not (tmp_path / "study.json").exists()


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
    after = carry_out(tiny_root, path, seeds=[0, 1])
    assert after["first"] == before["first"]
    assert [len(curve) for curve in after["second"].curves] == [3, 3]


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


def test_the_machine_of_the_stored_study_is_known_again(monkeypatch):
    stored = read_study(RESULTS / "study_real.json").about
    seconds = stored.pop("seconds")
    name, _, bfloat16 = stored["machine"].partition(", 1 thread")
    monkeypatch.setattr(runner, "processor", lambda: f"{name}, 2 cores, 1 thread")
    monkeypatch.setattr(runner, "has_bfloat16", lambda: "not" not in bfloat16)
    header = runner.about("real", None)
    assert header.pop("seconds").partition(",")[0] in ("of the processor", seconds)
    assert re.fullmatch(r"Python \S+, torch \S+, torchvision \S+", header["versions"])
    assert {**header, "versions": stored["versions"]} == stored
    assert runner.about("standin", 1000)["split"].startswith("1,000 training images")


def test_only_seeds_that_every_step_has_are_read(two_steps, tiny_root, tmp_path):
    path = tmp_path / "study.json"
    both = carry_out(tiny_root, path, seeds=[0])
    more = carry_out(tiny_root, path, names=["first"], seeds=[0, 1])
    assert more == both and more.num_seeds == 1


def test_halves_are_noted_after_each_epoch_where_an_epoch_is_chosen(monkeypatch, tiny_root, tmp_path):
    plain = Recipe(num_epochs=2, batch_size=25, learning_rate=0.1)
    steps = {
        "plain": Step("plain", None, plain),
        "patient": Step("patient", "plain", replace(plain, num_epochs=4, patience=4)),
    }
    for module in (studies, runner):
        monkeypatch.setattr(module, "STEPS", steps)
    study = carry_out(tiny_root, tmp_path / "study.json", list(steps))
    assert study["plain"].halves == () and study.elsewhere("plain") is None
    for halves, curve in zip(study["patient"].halves, study["patient"].curves, strict=True):
        assert [sum(two) / 2 for two in halves] == pytest.approx(list(curve))
    assert len(study.elsewhere("patient").on_others) == 4
    # Looking on changes nothing: the first epochs are those of the recipe that chooses none.
    assert [curve[:2] for curve in study["patient"].curves] == list(study["plain"].curves)
