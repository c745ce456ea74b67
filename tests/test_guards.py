"""What people hand to the loops by mistake: each ends in one sentence before the epoch, or works."""

from __future__ import annotations

import inspect
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset, random_split

import fmnist_helpers as fh
from fmnist_helpers.explain import check_labels
from tests.small_problem import (
    CROSS_ENTROPY,
    assert_same_weights,
    garments,
    loader,
    sgd,
    small_model,
    weights,
)


def train(model=None, batches=None, loss_fn=CROSS_ENTROPY, optimizer=None):
    model = small_model() if model is None else model
    optimizer = sgd(model) if optimizer is None else optimizer
    batches = loader(12, 4) if batches is None else batches
    return fh.train_loop(batches, model, loss_fn, optimizer, verbose=False)


def refused(words: str):
    return pytest.raises(ValueError, match=words)


# --- what stands where something else belongs --------------------------------------------------------------


def test_optimiser_of_another_model_is_refused():
    model = small_model()
    before = weights(model)
    with refused(r"holds no parameter of this model, so .* SGD\(model\.parameters\(\), \.\.\.\)"):
        train(model, optimizer=sgd(small_model()))
    assert_same_weights(before, weights(model))


def test_optimiser_made_before_the_model_was_rebuilt_is_refused():
    model = small_model()
    optimizer = sgd(model)
    model = nn.Sequential(
        *[type(layer)() if not list(layer.parameters()) else nn.Linear(16, 10) for layer in model]
    )
    with refused("or before layers were replaced"):
        train(nn.Sequential(nn.Flatten(), nn.Linear(16, 10)), optimizer=optimizer)


def test_optimiser_of_frozen_parameters_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 10))
    model[1].requires_grad_(False)
    with refused("holds only parameters that are frozen"):
        train(model, optimizer=sgd(model[1]))


def test_optimiser_of_a_part_of_the_model_trains_that_part():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 10))
    first = model[1].weight.clone()
    train(model, optimizer=sgd(model[2]))
    assert torch.equal(model[1].weight, first)


@pytest.mark.parametrize("name", ["compiled", "wrapped"])
def test_compiled_and_wrapped_models_are_known(name):
    model = small_model()
    outer = torch.compile(model, backend="eager") if name == "compiled" else nn.DataParallel(model)
    before = weights(model)
    train(outer, optimizer=sgd(model))
    assert not all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))


@pytest.mark.parametrize(
    ("place", "thing", "words"),
    [
        (
            2,
            nn.CrossEntropyLoss,
            r"loss_fn is the class CrossEntropyLoss itself; .*loss_fn = nn\.CrossEntropyLoss\(\)",
        ),
        (1, fh.NeuralNetwork, r"model is the class NeuralNetwork itself; .*model = NeuralNetwork\(\)"),
        (3, torch.optim.SGD, "optimizer is the class SGD itself"),
        (0, [], "a torch.utils.data.DataLoader is needed, and dataloader is a list"),
        (3, None, None),
    ],
)
def test_class_for_an_object_is_said(place, thing, words):
    model = small_model()
    arguments = [loader(12, 4), model, CROSS_ENTROPY, sgd(model)]
    if thing is None:
        thing, words = torch.optim.lr_scheduler.StepLR(arguments[3], 1), "optimizer is a scheduler, StepLR"
    arguments[place] = thing
    with refused(words):
        fh.train_loop(*arguments)


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2), (3, 1, 2, 0), (2, 1, 0, 3)])
def test_arguments_in_another_order_are_said(order):
    model = small_model()
    right = [loader(12, 4), model, CROSS_ENTROPY, sgd(model)]
    with refused("are the arguments in the order dataloader, model, loss_fn, optimizer"):
        fh.train_loop(*[right[place] for place in order])


# --- what would train nothing, or not what is meant --------------------------------------------------------


@pytest.mark.parametrize("switch", [torch.no_grad, torch.inference_mode])
def test_gradients_switched_off_are_said(switch):
    with switch(), refused("gradients are switched off, so nothing can be trained"):
        train()


def test_gradients_left_off_are_said():
    torch.set_grad_enabled(False)
    try:
        with refused(r"call torch\.set_grad_enabled\(True\)"):
            train()
    finally:
        torch.set_grad_enabled(True)


def test_frozen_model_is_said_and_still_evaluated():
    model = small_model().requires_grad_(False)
    with refused("all parameters of the model are frozen"):
        train(model)
    assert math.isfinite(fh.test_loop(loader(12, 4), model, CROSS_ENTROPY, verbose=False).loss)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss, nn.NLLLoss])
def test_losses_that_are_no_mean_over_samples_are_refused(loss):
    with refused("class weights, so its mean divides by the sum of a batch"):
        train(loss_fn=loss(weight=torch.ones(10)))
    with refused("ignore_index=3, so it leaves samples out"):
        train(loss_fn=loss(ignore_index=3))
    with refused("class weights"):
        fh.test_loop(loader(12, 4), small_model(), loss(weight=torch.ones(10)))


def test_model_on_the_meta_device_is_said():
    model = small_model().to("meta")
    with refused("on the device 'meta', where parameters have shapes and no numbers"):
        train(model)
    with refused("'meta'"):
        fh.test_loop(loader(12, 4), model, CROSS_ENTROPY)


def test_model_on_two_devices_is_explained():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 10, device="meta"))
    with refused("'meta'|lie on cpu and meta"):
        train(model)


@pytest.mark.parametrize(
    ("images", "model"),
    [(torch.float64, torch.float32), (torch.float32, torch.float64), (torch.float32, torch.float16)],
)
def test_images_and_weights_of_two_types_are_explained(images, model):
    samples = TensorDataset(torch.rand(6, 1, 4, 4, dtype=images), torch.arange(6))
    with refused(f"the images are {images} and the model's weights {model}; they must agree"):
        train(small_model().to(model), DataLoader(samples, 3))


# --- batches and loaders -----------------------------------------------------------------------------------


def normalised(*, axes: int = 1) -> nn.Module:
    if axes == 1:
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 10))


@pytest.mark.parametrize(("number", "size"), [(13, 4), (3, 1), (1, 4)])
def test_last_batch_of_one_is_said_before_batch_normalisation_meets_it(number, size):
    model = normalised()
    before = [tensor.clone() for tensor in model.state_dict().values()]
    state = torch.get_rng_state()
    with refused(f"the last of the {math.ceil(number / size)} batches has 1 sample, and"):
        train(model, loader(number, size))
    assert all(torch.equal(a, b) for a, b in zip(before, model.state_dict().values(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_last_batch_of_one_is_fine_where_it_is():
    train(normalised(axes=2), loader(13, 4))  # 4 numbers per channel
    train(normalised(), DataLoader(garments(13), 4, drop_last=True))
    train(normalised(), loader(14, 4))
    train(small_model(), loader(13, 4))
    model = normalised()
    fh.test_loop(loader(13, 4), model, CROSS_ENTROPY, verbose=False)
    with refused("batches has 1 sample"):
        fh.fit(model, loader(13, 4), loader(4, 4), CROSS_ENTROPY, sgd(model), 1, progress=False)


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.rand(1, 4, 4), 1)])


def test_loader_without_a_length_is_said():
    with refused(r"no length, because its data set \(Stream\) has none; give the data set a method __len__"):
        train(batches=DataLoader(Stream(), 4))


def test_validation_loader_is_looked_at_before_the_first_epoch():
    model = small_model()
    before = weights(model)
    with refused("no length"):
        fh.fit(model, loader(8, 4), DataLoader(Stream(), 4), CROSS_ENTROPY, sgd(model), 3, progress=False)
    assert_same_weights(before, weights(model))


@pytest.fixture
def memory(tiny_root):
    from torchvision.datasets import FashionMNIST

    return fh.InMemoryDataset(FashionMNIST(tiny_root, train=True))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("collate", [False, True])
@pytest.mark.parametrize("kind", ["whole", "subset", "split", "joined"])
def test_data_set_in_memory_goes_through_pytorchs_own_tools(memory, kind, collate, workers):
    numbers = list(range(30))
    dataset = {
        "whole": lambda: Subset(memory, numbers),
        "subset": lambda: Subset(Subset(memory, numbers[::-1]), numbers[::-1]),
        "split": lambda: Subset(random_split(memory, [len(memory) - 5, 5])[0], numbers),
        "joined": lambda: ConcatDataset([Subset(memory, numbers[:7]), Subset(memory, numbers[7:])]),
    }[kind]()
    options = {"collate_fn": memory.collate} if collate else {}
    batches = list(DataLoader(dataset, batch_size=8, num_workers=workers, **options))
    assert [tuple(images.shape) for images, _ in batches] == [(8, 1, 28, 28)] * 3 + [(6, 1, 28, 28)]
    assert all(labels.dtype == torch.int64 for _, labels in batches)
    found = torch.cat([images for images, _ in batches])
    wanted = torch.stack([dataset[number][0] for number in range(30)])
    assert torch.equal(found, wanted)
    assert torch.cat([labels for _, labels in batches]).tolist() == [dataset[n][1] for n in range(30)]


def test_whole_data_set_in_memory_in_a_stock_loader(memory):
    stock = next(iter(DataLoader(memory, batch_size=16)))
    fast = next(iter(DataLoader(memory, batch_size=16, collate_fn=memory.collate)))
    assert all(torch.equal(a, b) for a, b in zip(stock, fast, strict=True))


def test_labels_that_a_graphics_card_could_not_bear_are_seen_in_memory(memory):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    check_labels(memory, model)
    check_labels(Subset(memory, range(5)), model)
    small = nn.Sequential(nn.Flatten(), nn.Linear(784, 9))
    with refused("the labels of this data set go from 0 to 9, but the model gives 9 outputs"):
        check_labels(memory, small)
    low = TensorDataset(torch.rand(3, 784), torch.tensor([0, -1, 2]))
    with refused("go from -1 to 2"):
        check_labels(low, model)
    check_labels(Subset(low, [0, 2]), model)


# --- counts and seeds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 64.0}, r"batch_size is 64\.0 \(float\); it must be an integer \(int\)$"),
        ({"batch_size": True}, r"batch_size is True \(bool\); it must be an integer \(int\)$"),
        ({"num_valid": 0.1}, r"num_valid is 0\.1; it counts images"),
        ({"seed": 1.5}, r"seed is 1\.5 \(float\); it must be an integer \(int\)$"),
    ],
)
def test_loaders_say_which_number_is_none(tiny_root, options, words):
    with refused(words):
        fh.make_loaders(tiny_root, **{"num_valid": 20, **options})


def test_numpy_numbers_make_the_same_loaders(tiny_root):
    kinds = [{"batch_size": 8, "num_valid": 20, "seed": 3}, {}]
    kinds[1] = {name: np.int64(value) for name, value in kinds[0].items()}
    first, second = (next(iter(fh.make_loaders(tiny_root, **one).train)) for one in kinds)
    assert torch.equal(first[0], second[0])
    fh.seed_everything(np.int64(3))


@pytest.mark.parametrize("number", [2.0, True, "2"])
def test_fit_says_that_a_number_of_epochs_is_none(number):
    model = small_model()
    with refused(r"num_epochs is .*; it must be an integer \(int\)$"):
        fh.fit(model, loader(8, 4), loader(4, 4), CROSS_ENTROPY, sgd(model), number)


# --- a loss that is no number, and what an evaluation leaves -----------------------------------------------


def test_loss_that_becomes_nan_is_told_once():
    model = small_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e30)
    with pytest.warns(RuntimeWarning, match="the usual cause is a learning rate that is too large"):
        train(model, optimizer=optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(model, optimizer=optimizer)
        fh.test_loop(loader(12, 4), model, CROSS_ENTROPY, verbose=False)
        train()


def test_evaluation_leaves_the_global_random_state_alone(tiny_root):
    model, samples = small_model(), garments(12)
    state = torch.get_rng_state()
    fh.test_loop(DataLoader(samples, 4, shuffle=True), model, CROSS_ENTROPY, verbose=False)
    assert torch.equal(torch.get_rng_state(), state)
    loaders = fh.make_loaders(tiny_root, num_valid=20)
    for batches in (loaders.valid, loaders.test):
        list(batches)
    assert torch.equal(torch.get_rng_state(), state)


def test_source_that_learners_read_holds_no_guard():
    source = inspect.getsource(fh.train_loop)
    assert source.startswith("def train_loop(\n    dataloader: DataLoader,")
    assert "guard" not in source and "check_before" not in source
    assert list(inspect.signature(fh.train_loop).parameters)[:4] == [
        "dataloader",
        "model",
        "loss_fn",
        "optimizer",
    ]
