"""What stands between a loop and its loader or loss tells what passes, and is in nobody's way."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import fmnist_helpers as fh
from fmnist_helpers.watch import WatchedLoader, WatchedLoss
from tests.small_problem import CROSS_ENTROPY, assert_same_weights, loader, sgd, small_model, weights


def test_a_watched_run_is_the_run_itself():
    batches, losses = [], []
    watched = WatchedLoader(loader(50, 8), lambda: batches.append(len(losses)))
    loss_fn = WatchedLoss(CROSS_ENTROPY, lambda loss: losses.append(loss.item()) or loss)
    model, twin = small_model(), small_model()
    result = fh.train_loop(watched, model, loss_fn, sgd(model), verbose=False)
    assert result == fh.train_loop(loader(50, 8), twin, CROSS_ENTROPY, sgd(twin), verbose=False)
    assert_same_weights(weights(model), weights(twin))
    # Told before each batch is handed out, so before its loss.
    assert batches == list(range(7))
    assert len(losses) == 7


def test_what_is_raised_before_a_batch_ends_the_pass():
    class EnoughError(Exception):
        pass

    given = []

    def on_batch():
        if len(given) == 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        for batch in WatchedLoader(loader(50, 8), on_batch):
            given.append(batch)
    assert len(given) == 3


def test_attributes_are_those_of_the_original():
    original = loader(50, 8)
    watched = WatchedLoader(original, lambda: None)
    assert len(watched) == 7 and watched.dataset is original.dataset and watched.batch_size == 8
    assert WatchedLoss(nn.CrossEntropyLoss(reduction="sum"), lambda loss: loss).reduction == "sum"
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = watched.no_such_thing


def test_arguments_by_keyword_reach_the_loss():
    loss_fn = WatchedLoss(CROSS_ENTROPY, lambda loss: 2 * loss)
    logits, labels = torch.eye(3), torch.arange(3)
    assert loss_fn(input=logits, target=labels) == 2 * CROSS_ENTROPY(logits, labels)


def test_it_can_be_pickled_where_its_parts_can():
    watched = pickle.loads(pickle.dumps(WatchedLoader([1, 2], print)))
    assert len(watched) == 2


def test_it_is_of_the_class_that_it_stands_for():
    watched = WatchedLoader(WatchedLoader(loader(50, 8), lambda: None), lambda: None)
    assert isinstance(watched, DataLoader) and isinstance(watched, WatchedLoader)
    assert repr(WatchedLoss(CROSS_ENTROPY, print)) == "CrossEntropyLoss()"


def test_batches_of_a_list_are_told_by_their_number_too():
    told = []
    watched = WatchedLoader(["a", "b"], lambda: told.append(1))
    assert (watched[1], watched.index("a"), len(told)) == ("b", 0, 1)


def test_what_gives_the_original_back_gives_the_watched_one():
    seen = []
    loss_fn = WatchedLoss(nn.CrossEntropyLoss(), lambda loss: seen.append(1) or loss)
    assert loss_fn.to("cpu") is loss_fn and loss_fn.eval().training is False
    for watched in (loss_fn, loss_fn.cpu(), copy.copy(loss_fn), copy.deepcopy(loss_fn)):
        watched(torch.eye(3), torch.arange(3))
        watched.forward(torch.eye(3), torch.arange(3))
    assert len(seen) == 8


def test_what_is_set_is_set_in_the_original():
    original = nn.CrossEntropyLoss()
    loss_fn = WatchedLoss(original, lambda loss: loss)
    loss_fn.reduction = "none"
    assert original.reduction == "none" and loss_fn(torch.eye(3), torch.arange(3)).shape == (3,)
