"""The images of the project: real ones where they are, three splits that share none, and a time that is one's own."""

from __future__ import annotations

import hashlib
import time

import pytest
import torch
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers.exercises import CheckFailed, ex06_observe, ex06_project, garments
from fmnist_helpers.exercises.garments import REAL, STANDIN, data_set_here, draw

SIZES, SEEDS = (300, 100, 100), (70, 71, 72)


@pytest.fixture
def as_if_real(monkeypatch):
    """Let the stand-in on disk pass for the real data, which not every machine has."""
    root = fh.prepare_data(source="standin")
    monkeypatch.setattr(garments, "find_real", lambda: root)
    return root


def fingerprints(split):
    images = [split.pixels[start : start + 784] for start in range(0, len(split.pixels), 784)]
    return {hashlib.sha256(image).digest() for image in images}


def test_real_garments_are_those_of_the_training_split_with_their_labels(as_if_real):
    from torchvision.datasets import FashionMNIST

    split = FashionMNIST(as_if_real, train=True)
    known = dict(zip((image.numpy().tobytes() for image in split.data), split.targets.tolist(), strict=True))
    for drawn, size in zip(draw(REAL, SIZES, SEEDS), SIZES, strict=True):
        images = (drawn.images() * 255).round().to(torch.uint8)
        assert images.shape == (size, 1, 28, 28)
        assert [known[image.numpy().tobytes()] for image in images] == drawn.labels


def test_whatever_the_seeds_no_two_splits_share_a_real_garment(as_if_real):
    train, valid, new = draw(REAL, (45_000, 7_500, 7_500), (5, 5, 5))
    parts = [fingerprints(each) for each in (train, valid, new)]
    assert [len(part) for part in parts] == [45_000, 7_500, 7_500]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


@pytest.mark.parametrize("data_set", [REAL, STANDIN])
def test_a_seed_gives_the_same_garments_and_another_one_others(as_if_real, data_set):
    first = draw(data_set, SIZES, SEEDS)
    assert draw(data_set, SIZES, SEEDS) == first
    other = draw(data_set, SIZES, (70, 71, 73))
    assert other[:2] == first[:2]
    assert len(fingerprints(other[2]) & fingerprints(first[2])) < 10
    assert set(first[0].labels) == set(range(10))


def test_what_cannot_be_drawn_is_said(as_if_real, monkeypatch):
    with pytest.raises(ValueError, match="'Real'; it may be one of 'real', 'standin'"):
        draw("Real", SIZES, SEEDS)
    with pytest.raises(
        ValueError, match="8,000 images were asked for, and this part of the data set has 7,500"
    ):
        draw(REAL, (10, 8_000, 10), SEEDS)
    monkeypatch.setattr(garments, "find_real", lambda: None)
    assert data_set_here() == STANDIN
    with pytest.raises(FileNotFoundError, match=r"not on this machine .*prepare_data\(source='real'\)"):
        draw(REAL, SIZES, SEEDS)


def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def trained_with(rate):
    def train(model, train_loader, valid_loader, max_images):
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        for _ in range(max_images // len(train_loader.dataset)):
            fh.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)

    return train


@pytest.mark.parametrize("rate, passes", [(1e-3, True), (1e-6, False)])
def test_right_work_passes_on_the_real_garments_and_the_target_is_theirs(
    monkeypatch, real_root, capsys, rate, passes
):
    monkeypatch.setattr(garments, "find_real", lambda: real_root)
    monkeypatch.setattr(ex06_project, "data_set_here", data_set_here)
    if passes:
        ex06_project.check_train_within_budget(plain, trained_with(rate))
        return
    with pytest.raises(CheckFailed, match="70% is asked"):
        ex06_project.check_train_within_budget(plain, trained_with(rate))


def test_nobody_pays_for_what_others_compute(monkeypatch):
    """The time that counts is that of the student's own thread, not what passes while others work."""
    monkeypatch.setattr(ex06_observe, "SECONDS", 0.3)

    def waits(model, train_loader, valid_loader, max_images):
        images, labels = next(iter(train_loader))
        for pause in (0.5, 0.5):
            time.sleep(pause)
            nn.functional.cross_entropy(model(images), labels).backward()

    def works(model, train_loader, valid_loader, max_images):
        images, _ = next(iter(train_loader))
        while True:
            model(images)

    def seen(function):
        return ex06_observe.observe_within_budget(plain, function, problem())

    assert not seen(waits).stopped
    assert seen(works).stopped == "time"
    monkeypatch.setattr(ex06_observe, "LONGEST", 0.2)
    assert seen(waits).stopped == "time"


def problem():
    return ex06_observe.BudgetProblem(*draw(STANDIN, (130, 60, 60), SEEDS), 10_000, 0)
