"""What stands between a loop and its loader or loss tells what passes, and is in nobody's way."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

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
