"""Lesson 02's part shows what hooks in the model see."""

from __future__ import annotations

import pytest
import torch

import fmnist_helpers as fh
from fmnist_helpers import widgets
from fmnist_helpers.widgets.lesson02_model import stages
from tests.widgets.conftest import cells


def test_layer_path_shows_what_hooks_see(loaders):
    images, _ = next(iter(loaders.valid))
    model = fh.NeuralNetwork()
    seen = []
    for layer in model.linear_relu_stack:
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output[0].detach()))
    model(images[3:4])
    mine = stages(model, images[3])
    for ours, theirs in zip(mine[1:], (seen[1], seen[3], seen[4]), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(mine[0], images[3].flatten())


def test_layer_path_follows_the_slider_and_the_switch(loaders):
    images, labels = next(iter(loaders.valid))
    model = fh.NeuralNetwork()
    path = widgets.LayerPath(model, images, labels)
    path.sample.value = 6
    probabilities = model(images[5:6]).softmax(dim=1)[0]
    shown = [float(row[2].rstrip("%")) for row in cells(path.body)[1:]]
    assert shown == pytest.approx((100 * probabilities).tolist(), abs=0.051)
    assert fh.CLASSES[int(probabilities.argmax())] in path.spoken
    assert "512 units are not 0" not in path.body
    before = path.body
    path.relu.value = False
    assert path.body != before
    assert path.body.count("512 units are not 0") == 2
