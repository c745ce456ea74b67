"""A recipe refuses what cannot be meant, and is carried out as it says."""

from __future__ import annotations

import copy
import json
import math
import warnings
from dataclasses import asdict, replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import fmnist_helpers as fh
from fmnist_helpers.recipes import around_model as layers
from fmnist_helpers.recipes import recipe as recipes
from fmnist_helpers.recipes.recipe import Recipe, build_model, build_optimizer, train_recipe

SMALL = Recipe(num_epochs=2, batch_size=32, learning_rate=0.05)
"""A recipe for the 400 images of noise of ``tiny_root``."""


def train(recipe: Recipe, root, seed: int = 0, **options) -> recipes.Run:
    return train_recipe(recipe, root, seed, num_valid=100, progress=False, **options)


def test_the_default_is_the_tutorials_recipe(tiny_root):
    """Oracle: the tutorial's loop, written out."""
    run = train(Recipe(num_epochs=2), tiny_root)
    train_loader, valid_loader, _ = fh.make_loaders(tiny_root, batch_size=64, num_valid=100, shuffle=False)
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):
        for images, labels in train_loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    for mine, theirs in zip(run.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert (
        run.valid_accuracy == fh.test_loop(valid_loader, model, nn.CrossEntropyLoss(), verbose=False).accuracy
    )
    assert len(run.history) == 2
    assert run.seconds > sum(run.history.column("seconds"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "ResNet"}, "model is 'ResNet'; choose one of these names: 'MLP', 'CNN'"),
        (
            {"optimizer": "Adagrad"},
            "optimizer is 'Adagrad'; choose one of these names: 'SGD', 'RMSprop', 'Adam', 'AdamW'",
        ),
        ({"schedule": "cosine"}, "schedule is 'cosine'; choose one of these names: 'constant', 'one cycle'"),
        ({"num_epochs": 0}, "num_epochs is 0; it must be 1 or above"),
        ({"num_epochs": 2.5}, "num_epochs is 2.5 (float); it must be an integer (int), 1 or above"),
        ({"num_epochs": 2.0}, "num_epochs is 2.0 (float); it must be an integer (int), 1 or above"),
        ({"num_epochs": "2"}, "num_epochs is '2' (str); it must be an integer (int)"),
        ({"num_epochs": None}, "num_epochs is None (NoneType); it must be an integer (int)"),
        (
            {"num_epochs": np.float64(2)},
            "num_epochs is np.float64(2.0) (float64); it must be an integer (int)",
        ),
        ({"batch_size": np.bool_(True)}, "batch_size is np.True_ (bool); it must be an integer (int)"),
        (
            {"batch_size": Fraction(4, 2)},
            "batch_size is Fraction(2, 1) (Fraction); it must be an integer (int)",
        ),
        ({"patience": 1.5}, "patience is 1.5 (float); it must be an integer (int), 1 or above"),
        (
            {"patience": np.array([1, 2])},
            "patience is array([1, 2]) (ndarray); it must be an integer (int), 1",
        ),
        ({"model": ["MLP"]}, "model is ['MLP'] (list); choose one of these names: 'MLP', 'CNN'"),
        (
            {"model": fh.NeuralNetwork()},
            "model is of type NeuralNetwork; choose one of these names: 'MLP', 'CNN'",
        ),
        (
            {"learning_rate": fh.NeuralNetwork()},
            "learning_rate is of type NeuralNetwork; it must be a number",
        ),
        ({"flip": fh.NeuralNetwork()}, "flip is of type NeuralNetwork; it must be True or False"),
        (
            {"num_epochs": fh.NeuralNetwork()},
            "num_epochs is of type NeuralNetwork; it must be an integer (int)",
        ),
        (
            {"optimizer": torch.optim.SGD},
            "optimizer is the class SGD; choose one of these names: 'SGD', 'RMSprop', 'Adam', 'AdamW'",
        ),
        ({"shuffle": "False"}, "shuffle is 'False' (str); it must be True or False"),
        ({"flip": 2}, "flip is 2 (int); it must be True or False"),
        (
            {"flips_in_turn": True},
            "flips_in_turn is True and flip is False, so there is nothing to take turns with; set flip=True, too",
        ),
        ({"both_views": None}, "both_views is None (NoneType); it must be True or False"),
        ({"learning_rate": "0.1"}, "learning_rate is '0.1' (str); it must be a number"),
        ({"learning_rate": None}, "learning_rate is None (NoneType); it must be a number"),
        ({"learning_rate": True}, "learning_rate is True (bool); it must be a number"),
        ({"weight_decay": [0.1, 0.2]}, "weight_decay is [0.1, 0.2] (list); it must be a number"),
        ({"momentum": 1j}, "momentum is 1j (complex); it must be a number"),
        ({"momentum": math.nan}, "momentum is nan; it must be 0 or more and below 1"),
        (
            {"averaging": 0.9, "patience": 3},
            "averaging is 0.9 and patience is 3, but only one of them can be used; set averaging=0 or patience=N",
        ),
        ({"batch_size": True}, "batch_size is True (bool); it must be an integer (int)"),
        ({"shift": -1}, "shift is -1; it must be 0 or above"),
        ({"patience": 0}, "patience is 0; it must be 1 or above"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1; it must be above 0 and finite"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan; it must be above 0"),
        ({"learning_rate": math.inf}, "learning_rate is inf; it must be above 0 and finite"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be 0 or above"),
        ({"momentum": 1.0}, "momentum is 1.0; it must be 0 or more and below 1"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1; it must be 0 or more"),
        ({"averaging": 1.0}, "averaging is 1.0; it must be 0 or more and below 1"),
        (
            {"optimizer": "Adam", "momentum": 0.9},
            "momentum is 0.9, but Adam takes none; set momentum=0, or choose 'SGD' or 'RMSprop'",
        ),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused_in_one_sentence(changes, message):
    with pytest.raises(ValueError) as caught:
        Recipe(**changes)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_numbers_in_any_guise_become_plain_ones():
    plain = Recipe(
        num_epochs=3, batch_size=8, shift=2, patience=2, learning_rate=0.5, momentum=0.25, flip=True
    )
    guised = Recipe(
        num_epochs=np.int64(3),
        batch_size=torch.tensor(8),
        shift=np.array(2),
        patience=np.uint8(2),
        learning_rate=np.float32(0.5),
        momentum=Fraction(1, 4),
        flip=np.bool_(True),
    )
    assert guised == plain and hash(guised) == hash(plain)
    # As JSON: that refuses NumPy's numbers, and writes a whole number without a point.
    assert json.dumps(asdict(guised)) == json.dumps(asdict(plain))


def test_changes_between_recipes():
    assert SMALL.changes_from(SMALL) == {}
    assert replace(SMALL, shuffle=True, flip=True).changes_from(SMALL) == {"shuffle": True, "flip": True}


def test_a_model_is_built_from_the_outside_in():
    model = build_model(Recipe(normalise=True, flip=True, shift=2, both_views=True))
    assert isinstance(model, layers.BothViews)
    kinds = [type(module).__name__ for module in model.model]
    assert kinds == ["Normalise", "RandomFlip", "RandomShift", "NeuralNetwork"]
    assert model.model[2].most == 2
    # Where the data takes turns, no coin is thrown before the model.
    in_turn = build_model(Recipe(normalise=True, flip=True, flips_in_turn=True))
    assert [type(module).__name__ for module in in_turn] == ["Normalise", "NeuralNetwork"]
    assert type(build_model(Recipe())) is fh.NeuralNetwork
    assert type(build_model(Recipe(model="CNN"))) is fh.ConvolutionalNetwork


@pytest.mark.parametrize("in_hardware", [True, False])
def test_bfloat16_is_used_only_where_it_pays(monkeypatch, in_hardware):
    monkeypatch.setattr(recipes, "has_bfloat16", lambda device: in_hardware)
    assert isinstance(build_model(Recipe(bfloat16=True)), layers.MixedPrecision) is in_hardware
    assert not isinstance(build_model(Recipe()), layers.MixedPrecision)


def test_channels_last_lays_kernels_so_and_changes_no_logit():
    torch.manual_seed(0)
    plain = build_model(Recipe(model="CNN")).eval()
    torch.manual_seed(0)
    laid = build_model(Recipe(model="CNN", channels_last=True)).eval()
    kernel = laid.stages[4].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert not plain.stages[4].weight.is_contiguous(memory_format=torch.channels_last)
    images = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(laid(images), plain(images))


def test_weight_decay_is_for_matrices_and_kernels():
    model = build_model(Recipe(model="CNN"))
    optimizer = build_optimizer(Recipe(weight_decay=0.01, momentum=0.9), model)
    decayed, spared = optimizer.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.01, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"]) and all(p.ndim == 1 for p in spared["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(list(model.parameters()))
    assert decayed["momentum"] == 0.9 and decayed["nesterov"]


@pytest.mark.parametrize("name", recipes.OPTIMIZERS)
def test_every_optimiser_is_pytorchs_at_the_recipes_rate(name):
    optimizer = build_optimizer(Recipe(optimizer=name, learning_rate=0.02), fh.NeuralNetwork())
    assert type(optimizer) is getattr(torch.optim, name)
    assert {group["lr"] for group in optimizer.param_groups} == {0.02}


def test_momentum_of_rmsprop_is_passed_on():
    optimizer = build_optimizer(Recipe(optimizer="RMSprop", momentum=0.5), fh.NeuralNetwork())
    assert optimizer.param_groups[0]["momentum"] == 0.5


def test_one_cycle_rises_for_a_fifth_and_falls_to_almost_nothing():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    recipes._add_schedule(Recipe(schedule="one cycle", learning_rate=0.5), optimizer, num_iterations=100)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(100):
            rates.append(optimizer.param_groups[0]["lr"])
            parameter.grad = torch.ones(1)
            optimizer.step()
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == pytest.approx(0.5, rel=0.02)
    assert 17 <= rates.index(max(rates)) <= 21
    assert rates[-1] < 0.01
    assert rates[25:] == sorted(rates[25:], reverse=True)


def test_averaged_weights_are_the_running_average_of_the_steps():
    """Oracle: the average of a weight that an optimiser moves by 1 a step."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    average = recipes._add_averaging(Recipe(averaging=0.5), model, optimizer)
    for _ in range(3):
        model.weight.grad = torch.full((1, 1), -1.0)
        optimizer.step()
    # The first update copies 1; then 0.5 * 1 + 0.5 * 2 = 1.5, and 0.5 * 1.5 + 0.5 * 3 = 2.25.
    assert average.module.weight.item() == 2.25
    assert model.weight.item() == 3.0


def test_a_run_with_averaging_ends_with_the_average_and_not_with_the_last_weights(tiny_root):
    recipe = replace(SMALL, model="CNN", averaging=0.9)
    averaged, plain = train(recipe, tiny_root).model, train(replace(recipe, averaging=0.0), tiny_root).model
    assert not torch.equal(averaged.stages[0].weight, plain.stages[0].weight)
    assert not torch.equal(averaged.stages[2].running_mean, plain.stages[2].running_mean)


def test_early_stopping_keeps_the_best_epoch(monkeypatch, tiny_root):
    accuracies = iter([0.2, 0.5, 0.4, 0.5, 0.3, 0.1, 0.9])
    states = []

    def fit_one(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs, history, progress):
        nn.init.constant_(model.linear_relu_stack[0].bias, len(history))
        states.append(len(history))
        history.append(fh.EpochResult(len(history) + 1, 0.0, 0.0, 0.0, next(accuracies), 0.0))

    monkeypatch.setattr(recipes, "fit", fit_one)
    run = train(replace(SMALL, num_epochs=20, patience=2), tiny_root)
    # As in lesson 06, of two equally good epochs the first is kept; two epochs without a better one end the run.
    assert len(run.history) == 4
    assert run.model.linear_relu_stack[0].bias[0].item() == 1


def test_early_stopping_ends_when_the_epochs_are_used_up_or_the_run_is_stopped(monkeypatch, tiny_root):
    assert len(train(replace(SMALL, patience=5), tiny_root).history) == 2

    def interrupted(*arguments, num_epochs, history, progress):
        history.append(fh.EpochResult(len(history) + 1, 0.0, 0.0, 0.0, 0.1, 0.0))
        history.interrupted = True

    monkeypatch.setattr(recipes, "fit", interrupted)
    assert len(train(replace(SMALL, num_epochs=9, patience=5), tiny_root).history) == 1


PATIENT = replace(SMALL, num_epochs=5, patience=5)
STEPS_PER_EPOCH = 10  # 300 images in batches of 32.


def stop_at(step: int):
    """Return what stops a run by hand after so many steps, and the weights at that moment, once they are there."""
    seen, weights = [], []

    def after_step(model: nn.Module) -> None:
        seen.append(None)
        if len(seen) == step:
            weights.append(copy.deepcopy(model.state_dict()))
            raise KeyboardInterrupt

    return after_step, weights


def equal_states(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_a_patient_run_that_is_stopped_goes_back_to_its_best_finished_epoch(tiny_root, epoch):
    """Oracle: the run that has only the epochs that were finished."""
    after_step, _ = stop_at((epoch - 1) * STEPS_PER_EPOCH + 4)
    stopped = train(PATIENT, tiny_root, after_step=after_step)
    whole = train(replace(PATIENT, num_epochs=epoch - 1), tiny_root)
    assert equal_states(stopped.model.state_dict(), whole.model.state_dict())
    assert [row[:5] for row in stopped.history] == [row[:5] for row in whole.history]
    assert stopped.history.interrupted
    assert stopped.valid_accuracy == whole.valid_accuracy == max(whole.history.column("valid_accuracy"))


@pytest.mark.parametrize("patience", [5, None])
def test_a_run_that_is_stopped_in_its_first_epoch_keeps_the_model_as_it_is(tiny_root, capsys, patience):
    after_step, weights = stop_at(4)
    run = train(replace(PATIENT, patience=patience), tiny_root, after_step=after_step)
    assert equal_states(run.model.state_dict(), weights[0])
    assert run.history == [] and run.history.interrupted
    said = capsys.readouterr().out
    assert "Stopped by hand; the 0 finished epochs are kept." in said
    assert ("You stopped the run before an epoch could be kept" in said) == (patience is not None)
    assert "loss" not in said


def test_a_run_that_is_stopped_between_two_epochs_keeps_the_best(monkeypatch, tiny_root):
    copies = []

    def copy_or_stop(state):
        if len(copies) == 1:
            raise KeyboardInterrupt
        copies.append(copy.deepcopy(state))
        return copies[-1]

    # Noise is learnt badly: let every epoch be better than the one before, so that each is copied.
    monkeypatch.setattr(recipes, "fit", fit_with(accuracies=[0.1, 0.2, 0.3, 0.4, 0.5]))
    monkeypatch.setattr(recipes, "copy", SimpleNamespace(deepcopy=copy_or_stop))
    run = train(PATIENT, tiny_root)
    assert len(run.history) == 2 and run.history.interrupted
    assert run.model.linear_relu_stack[0].bias[0].item() == 1


def test_a_run_that_is_stopped_while_it_is_evaluated_keeps_the_model(monkeypatch, tiny_root, capsys):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    expected = train(SMALL, tiny_root).model
    monkeypatch.setattr(recipes, "test_loop", stopped)
    run = train(SMALL, tiny_root)
    assert equal_states(run.model.state_dict(), expected.state_dict())
    assert math.isnan(run.valid_accuracy) and len(run.history) == 2 and run.history.interrupted
    assert capsys.readouterr().out.count("valid_accuracy is nan") == 1


def fit_with(accuracies, losses=None):
    """Return a stand-in for ``fit`` that writes its epoch's number into a bias, and rows with these values."""
    losses = losses or [1.0] * len(accuracies)

    def fit_one(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs, history, progress):
        place = len(history)
        nn.init.constant_(model.linear_relu_stack[0].bias, place + 1)
        history.append(fh.EpochResult(place + 1, losses[place], 0.0, losses[place], accuracies[place], 0.0))

    return fit_one


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("accuracies", "broken_epochs", "best"),
    [
        ([0.1, 0.2, 0.3], [3], 2),
        ([0.5, 0.2, 0.3], [1], 3),
        ([0.1, 0.1, 0.1], [2, 3], 1),
        ([0.3, 0.4, 0.2], [2], 1),
    ],
)
def test_a_model_without_a_finite_loss_is_never_the_best(
    monkeypatch, tiny_root, broken, accuracies, broken_epochs, best
):
    losses = [broken if epoch in broken_epochs else 1.0 for epoch in (1, 2, 3)]
    monkeypatch.setattr(recipes, "fit", fit_with(accuracies, losses))
    run = train(replace(PATIENT, num_epochs=3), tiny_root)
    assert run.model.linear_relu_stack[0].bias[0].item() == best


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_run_without_a_finite_loss_says_what_to_try(monkeypatch, tiny_root, capsys, broken):
    monkeypatch.setattr(recipes, "fit", fit_with([0.1] * 3, [broken] * 3))
    assert train(replace(PATIENT, num_epochs=3), tiny_root).model.linear_relu_stack[0].bias[0].item() == 3
    assert capsys.readouterr().out == (
        "The validation loss was nan or infinite in every finished epoch, so the model stays as it is now; "
        "try a smaller learning_rate.\n"
    )


@pytest.mark.parametrize("patience", [2, None])
def test_a_loss_that_becomes_nan_is_said_once_with_the_usual_cause(tiny_root, patience):
    with pytest.warns(RuntimeWarning) as told:
        run = train(replace(SMALL, num_epochs=4, patience=patience, learning_rate=1e30), tiny_root)
    assert math.isnan(run.history[-1].valid_loss)
    # Patience ends it after two epochs that are no better; without it all are carried out.
    assert len(run.history) == (patience or 4)
    (warning,) = told
    assert "the usual cause is a learning rate that is too large" in str(warning.message)


def test_nothing_is_said_of_a_loss_that_is_a_number(tiny_root, capsys):
    train(replace(PATIENT, num_epochs=2), tiny_root)
    assert capsys.readouterr().out == ""


def test_the_validation_loss_is_without_smoothing_and_the_training_loss_with(tiny_root):
    """Oracle: PyTorch's losses, for the model as it ends and for the one batch that an epoch begins with."""
    smooth = nn.CrossEntropyLoss(label_smoothing=0.5)
    recipe = replace(SMALL, num_epochs=1, label_smoothing=0.5, batch_size=300)
    run = train(recipe, tiny_root)
    train_loader, valid_loader, _ = fh.make_loaders(tiny_root, 300, num_valid=100, shuffle=False)
    plain = fh.test_loop(valid_loader, run.model, nn.CrossEntropyLoss(), verbose=False)
    assert run.history[0].valid_loss == pytest.approx(plain.loss, rel=1e-6)
    fh.seed_everything(0)
    untrained = fh.test_loop(train_loader, build_model(recipe), smooth, verbose=False)
    assert run.history[0].train_loss == pytest.approx(untrained.loss, rel=1e-6)


def test_label_smoothing_reaches_the_loss(tiny_root):
    plain, smooth = train(SMALL, tiny_root), train(replace(SMALL, label_smoothing=0.5), tiny_root)
    assert not torch.equal(next(plain.model.parameters()), next(smooth.model.parameters()))


def test_a_seed_repeats_a_run_and_another_seed_does_not(tiny_root):
    recipe = replace(SMALL, model="CNN", shuffle=True, flip=True, shift=1, schedule="one cycle")
    first, again, other = (train(recipe, tiny_root, seed) for seed in (3, 3, 4))
    for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(first.model.parameters()), next(other.model.parameters()))


def test_flips_in_turn_are_those_of_a_loop_written_out(tiny_root):
    """Oracle: one coin for each image, drawn before the first order; then the other way round in each epoch."""
    recipe = replace(SMALL, num_epochs=3, shuffle=True, flip=True, flips_in_turn=True)
    run = train(recipe, tiny_root, seed=3)
    train_data = fh.make_loaders(tiny_root, 300, num_valid=100, shuffle=False).train
    [(images, labels)] = train_data
    generator = torch.Generator().manual_seed(3)
    coins = torch.rand(300, generator=generator) < 0.5
    order = DataLoader(range(300), 32, shuffle=True, generator=generator)
    fh.seed_everything(3)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=SMALL.learning_rate)
    for epoch in range(3):
        both = torch.stack([images, images.flip(-1)])
        shown = both[(coins ^ (epoch % 2 == 1)).long(), torch.arange(300)]
        for part in order:
            nn.functional.cross_entropy(model(shown[part]), labels[part]).backward()
            optimizer.step()
            optimizer.zero_grad()
    for mine, theirs in zip(run.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)
    other = train(replace(recipe, flips_in_turn=False), tiny_root, seed=3)
    assert not torch.equal(next(run.model.parameters()), next(other.model.parameters()))


def test_fewer_samples_mean_fewer_steps(monkeypatch, tiny_root):
    sizes = []
    monkeypatch.setattr(
        recipes,
        "fit",
        lambda model, loader, *rest, **options: sizes.append(len(loader.dataset)) or fh.History(),
    )
    train(SMALL, tiny_root, num_train=70)
    train(SMALL, tiny_root)
    assert sizes == [70, 300]


def test_a_run_takes_numpys_numbers(tiny_root):
    plain = train(SMALL, tiny_root, 3, num_train=70)
    guised = train_recipe(
        SMALL, tiny_root, np.int64(3), num_train=np.int32(70), num_valid=np.int64(100), progress=False
    )
    assert equal_states(plain.model.state_dict(), guised.model.state_dict())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": 1.0}, "seed is 1.0 (float); it must be an integer (int) from 0 to 4294967295"),
        ({"seed": -1}, "seed is -1; it must be from 0 to 4294967295"),
        ({"seed": 2**70}, f"seed is {2**70}; it must be from 0 to 4294967295"),
        ({"seed": None}, "seed is None (NoneType); it must be an integer (int) from 0 to 4294967295"),
        ({"num_valid": 0}, "num_valid is 0; it must be 1 or above"),
        ({"num_valid": 10.5}, "num_valid is 10.5 (float); it must be an integer (int), 1 or above"),
        ({"num_valid": True}, "num_valid is True (bool); it must be an integer (int), 1 or above"),
        ({"num_train": 70.0}, "num_train is 70.0 (float); it must be an integer (int) from 1 to 300"),
        ({"num_train": True}, "num_train is True (bool); it must be an integer (int) from 1 to 300"),
        ({"num_train": "70"}, "num_train is '70' (str); it must be an integer (int) from 1 to 300"),
    ],
)
def test_arguments_that_are_no_whole_numbers_are_refused_in_one_sentence(tiny_root, options, sentence):
    with pytest.raises(ValueError) as caught:
        train_recipe(SMALL, tiny_root, **{"num_valid": 100, "progress": False, **options})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("batch_size", "num_train"), [(32, 33), (1, 10), (8, 25)])
def test_a_batch_of_one_for_batch_normalisation_is_refused_before_anything_is_trained(
    tiny_root, batch_size, num_train
):
    recipe = replace(SMALL, model="CNN", batch_size=batch_size)
    sentence = r"the last of the \d+ batches has 1 sample, and batch normalis"
    with pytest.raises(ValueError, match=sentence):
        train(recipe, tiny_root, num_train=num_train)
    train(replace(recipe, model="MLP", num_epochs=1), tiny_root, num_train=num_train)


@pytest.mark.parametrize("num_train", [0, 301])
def test_a_number_of_samples_that_is_not_there_is_refused(tiny_root, num_train):
    with pytest.raises(ValueError, match=rf"^num_train is {num_train}; it must be from 1 to 300$"):
        train(SMALL, tiny_root, num_train=num_train)
