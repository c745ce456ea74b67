"""Lesson 01's parts show what the data set and its loader hold."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
import torch

import fmnist_helpers as fh
from fmnist_helpers import widgets
from fmnist_helpers.widgets.lesson01_data import byte_table, order_of_epochs, split_of
from tests.test_plots import contrast
from tests.widgets.conftest import cells


def test_image_browser_shows_the_bytes_of_the_garment(root):
    browser = widgets.ImageBrowser(root, num_valid=100)
    for split, label, place in (("test", 9, 3), ("validation", 0, 1)):
        browser.split.value, browser.label.value, browser.place.value = split, label, place
        images, labels, indices = browser._splits[split]
        pixels = images[indices][labels[indices] == label][place - 1]
        _, *rows = cells(browser.body)
        assert [[int(v) for v in row[1:]] for row in rows] == pixels.tolist()
        assert fh.CLASSES[label] in browser.spoken and f"the {split} split" in browser.spoken


def test_image_browser_keeps_to_the_garments_there_are(root):
    browser = widgets.ImageBrowser(root, num_valid=100)
    browser.place.value = 10_000
    _, labels, indices = browser._splits["training"]
    count = int((labels[indices] == 0).sum())
    assert f"garment {count} of {count}" in browser.spoken
    browser.split.value = "test"
    assert "garment 7 of 7 in the test split" in browser.spoken


def test_samples_of_a_split_are_those_of_its_loader(root):
    for loader in fh.make_loaders(root, num_valid=100, shuffle=False):
        images, labels, indices = split_of(loader)
        theirs = [torch.cat(part) for part in zip(*loader, strict=True)]
        torch.testing.assert_close(images[indices].unsqueeze(1) / 255, theirs[0])
        torch.testing.assert_close(labels[indices], theirs[1])


@pytest.mark.parametrize("shuffle", [True, False])
def test_order_is_that_of_the_loader_in_every_epoch(root, shuffle):
    loader = fh.make_loaders(root, batch_size=32, num_valid=100, shuffle=shuffle).train
    _, labels, indices = split_of(loader)
    for epoch in order_of_epochs(300, 32, shuffle, epochs=3):
        for chosen, (_, theirs) in zip(epoch, loader, strict=True):
            torch.testing.assert_close(labels[indices[chosen]], theirs)


def test_batch_browser_shows_the_last_short_batch_and_the_order(root):
    browser = widgets.BatchBrowser(root, num_valid=100)
    browser.batch_size.value, browser.batch.value = 64, 10_000
    labels = browser._split.labels[browser._split.indices]
    num_samples = len(labels)
    rest = num_samples % 64 or 64
    assert f"({rest}, 1, 28, 28)" in browser.spoken
    assert browser.body.count("<img") == rest
    browser.batch.value = 1
    shuffled = browser.spoken
    browser.epoch.value = 2
    assert browser.spoken != shuffled.replace("epoch 1", "epoch 2")
    browser.shuffle.value = False
    second = browser.spoken
    browser.epoch.value = 1
    assert browser.spoken == second.replace("epoch 2", "epoch 1")
    assert str(labels[:8].tolist()) in browser.spoken


@pytest.mark.parametrize("value", range(0, 256, 5))
def test_bytes_in_the_table_can_be_read(value):
    shown = byte_table(np.full((28, 28), value, dtype=np.uint8))
    assert f"background: rgb({value},{value},{value})" in shown
    colour = re.search(r"; color: (#\w+)", shown)[1]
    assert contrast(colour, [value / 255] * 3) >= 4.5


def test_still_shows_every_byte_beside_the_garment(root):
    browser = widgets.ImageBrowser(root, num_valid=100)
    svg = base64.b64decode(browser.still().partition("base64,")[2].rstrip('">')).decode()
    lines = re.findall(r'<text[^>]*y="(\d+)"[^>]*>([\d ]*)</text>', svg)
    found = {int(y): [] for y, _ in lines}
    for y, words in lines:
        found[int(y)] += [
            (at, int(words[at : at + 3])) for at in range(0, len(words), 4) if words[at : at + 3].strip()
        ]
    split = browser._splits["training"]
    first = split.images[split.indices[split.labels[split.indices] == 0][0]]
    assert [[value for _, value in sorted(found[y])] for y in sorted(found)] == first.tolist()
