"""The model is the tutorial's, and its parameters are counted rightly."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import fmnist_helpers as fh


class TutorialNetwork(nn.Module):
    """The model as the tutorial lists it."""

    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )

    def forward(self, x):
        return self.linear_relu_stack(self.flatten(x))


def test_same_seed_gives_the_tutorials_weights_and_logits():
    torch.manual_seed(3)
    ours = fh.NeuralNetwork()
    torch.manual_seed(3)
    tutorial = TutorialNetwork()
    images = torch.rand(5, 1, 28, 28)
    assert torch.equal(ours(images), tutorial(images))


def test_state_dict_loads_into_the_tutorials_model_and_back():
    ours, tutorial, images = fh.NeuralNetwork(), TutorialNetwork(), torch.rand(5, 1, 28, 28)
    tutorial.load_state_dict(ours.state_dict())
    assert torch.equal(ours(images), tutorial(images))
    other = TutorialNetwork()
    ours.load_state_dict(other.state_dict())
    assert torch.equal(ours(images), other(images))


def test_logits_follow_from_three_matrix_products():
    model, images = fh.NeuralNetwork(), torch.rand(4, 1, 28, 28)
    values = images.reshape(4, 784)
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for number, layer in enumerate(layers):
        values = values @ layer.weight.T + layer.bias
        values = values.clamp(min=0) if number < 2 else values
    torch.testing.assert_close(model(images), values)
    assert values.shape == (4, 10)
    # Logits, not probabilities: some are negative, and a row does not add up to one.
    assert (values < 0).any()
    assert not torch.allclose(values.sum(dim=1), torch.ones(4))


def test_channel_axis_may_be_left_out():
    model, images = fh.NeuralNetwork(), torch.rand(4, 1, 28, 28)
    assert torch.equal(model(images), model(images[:, 0]))


def test_count_parameters_of_the_course_model():
    expected = (784 * 512 + 512) + (512 * 512 + 512) + (512 * 10 + 10)
    assert fh.count_parameters(fh.NeuralNetwork()) == expected == 669_706


@pytest.mark.parametrize(("trainable_only", "expected"), [(True, 3 * 2 + 2), (False, 4 * 3 + 3 + 3 * 2 + 2)])
def test_frozen_parameters_count_only_when_asked_for(trainable_only, expected):
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    assert fh.count_parameters(model, trainable_only) == expected


def test_buffers_do_not_count():
    # Weight and bias of 5 channels; running mean, running variance and a counter are buffers.
    assert fh.count_parameters(nn.BatchNorm1d(5), trainable_only=False) == 10


def test_shared_parameters_count_once():
    layer = nn.Linear(4, 4)
    assert fh.count_parameters(nn.Sequential(layer, layer)) == 20


def test_a_convolutional_network_is_convolutions_pooling_and_two_linear_layers():
    torch.manual_seed(0)
    model, images = fh.ConvolutionalNetwork().eval(), torch.rand(3, 1, 28, 28)
    values = images
    for convolution, normalisation in zip(model.stages[0::4], model.stages[2::4], strict=True):
        values = nn.functional.conv2d(values, convolution.weight, padding=1)
        height, width = values.shape[2] // 2, values.shape[3] // 2
        blocks = values[:, :, : 2 * height, : 2 * width].reshape(*values.shape[:2], height, 2, width, 2)
        values = normalisation(blocks.amax(dim=(3, 5))).clamp(min=0)
    assert values.shape == (3, 64, 3, 3)
    flat = values.permute(0, 2, 3, 1).reshape(3, 9 * 64)
    hidden = model.head[1](flat @ model.head[0].weight.T).clamp(min=0)
    torch.testing.assert_close(model(images), hidden @ model.head[3].weight.T + model.head[3].bias)


def test_parameters_of_the_convolutional_network_counted_by_hand():
    kernels = 9 * (1 * 4 + 4 * 6 + 6 * 8)
    scales_and_shifts = 2 * (4 + 6 + 8 + 20)
    linear = 9 * 8 * 20 + (20 * 10 + 10)
    model = fh.ConvolutionalNetwork(channels=(4, 6, 8), hidden=20)
    assert fh.count_parameters(model) == kernels + scales_and_shifts + linear
