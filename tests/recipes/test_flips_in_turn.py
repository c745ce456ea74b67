"""Each image is mirrored every other time, whatever order, batch or subset it is taken in."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader, Subset

from fmnist_helpers.explain import number_of_classes
from fmnist_helpers.loaders import InMemoryDataset, make_loaders
from fmnist_helpers.recipes.flips_in_turn import FlipsInTurn


def in_turn(root, seed: int = 0) -> FlipsInTurn:
    """The 300 training images of noise, behind the ``Subset`` of a split."""
    samples = make_loaders(root, num_valid=100).train.dataset
    assert isinstance(samples, Subset)
    return FlipsInTurn(samples, torch.Generator().manual_seed(seed))


def epoch(data: FlipsInTurn, **options) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all images and labels of a pass, in the order of the data set."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(len(options)))
    loader = DataLoader(data, 32, sampler=order.tolist(), **options)
    images, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
    return images[order.argsort()], labels[order.argsort()]


def is_mirrored(images: torch.Tensor, plain: torch.Tensor) -> torch.Tensor:
    """Which images are mirrored; the others must be as they are."""
    mirrored = (images == plain.flip(-1)).flatten(1).all(dim=1)
    same = (images == plain).flatten(1).all(dim=1)
    assert torch.equal(mirrored, ~same)
    return mirrored


def test_two_epochs_in_a_row_show_every_image_both_ways(tiny_root):
    data = in_turn(tiny_root)
    plain, plain_labels = data.dataset.__getitems__(list(range(300))).batch
    ways = []
    for options in ({}, {"collate_fn": InMemoryDataset.collate}, {}):
        images, labels = epoch(data, **options)
        assert torch.equal(labels, plain_labels)
        ways.append(is_mirrored(images, plain))
    assert torch.equal(ways[0], ~ways[1]) and torch.equal(ways[1], ~ways[2])
    # Within five standard deviations of 150.
    assert 107 < ways[0].sum() < 193


def test_a_sample_alone_takes_its_turn(tiny_root):
    data = in_turn(tiny_root)
    plain, label = data.dataset[7]
    first, second = data[7], data[7]
    assert {torch.equal(first[0], plain), torch.equal(second[0], plain)} == {True, False}
    assert first[1] == second[1] == label
    assert torch.equal(first[0], second[0].flip(-1))


def test_the_coins_come_from_the_generator(tiny_root):
    first, again, other = (in_turn(tiny_root, seed).mirrored_next for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_it_is_as_long_and_names_as_many_classes_as_what_it_shows(tiny_root):
    data = in_turn(tiny_root)
    assert len(data) == 300 and number_of_classes(data) == 10
