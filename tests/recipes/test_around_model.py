"""The modules around a model do what they say, and nothing in evaluation mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fmnist_helpers.model import ConvolutionalNetwork, NeuralNetwork
from fmnist_helpers.recipes.around_model import BothViews, MixedPrecision, Normalise, RandomFlip, RandomShift


def numbered(num_images: int = 64) -> torch.Tensor:
    """Images of 28 by 28 different values above 0, so that any move shows; the same in every image."""
    return (1 + torch.arange(28 * 28.0)).reshape(1, 1, 28, 28).repeat(num_images, 1, 1, 1)


def test_normalised_training_images_have_mean_0_and_deviation_1(real_root):
    from torchvision.datasets import FashionMNIST

    pixels = FashionMNIST(real_root, train=True).data.double() / 255
    normalised = Normalise()(pixels)
    assert abs(normalised.mean().item()) < 1e-3
    assert abs(normalised.std().item() - 1) < 1e-3


def test_normalise_subtracts_and_divides():
    images = torch.tensor([[0.0, 1.0]])
    assert Normalise(mean=0.5, deviation=0.25)(images).tolist() == [[-2.0, 2.0]]


@pytest.mark.parametrize("deviation", [0.0, -1.0, float("nan")])
def test_a_deviation_that_is_not_positive_is_refused(deviation):
    with pytest.raises(ValueError, match=r"deviation is .*; it must be above 0"):
        Normalise(0.5, deviation)


@pytest.mark.parametrize("layer", [RandomFlip(), RandomShift(2)])
def test_evaluation_mode_changes_no_image_and_takes_no_random_number(layer):
    images, state = numbered(), torch.get_rng_state()
    assert torch.equal(layer.eval()(images), images)
    assert torch.equal(torch.get_rng_state(), state)


def test_about_half_of_the_images_are_mirrored_each_for_itself():
    torch.manual_seed(0)
    images = numbered(1000)
    flipped = RandomFlip()(images)
    is_mirrored = (flipped == images.flip(-1)).flatten(1).all(dim=1)
    is_same = (flipped == images).flatten(1).all(dim=1)
    assert torch.equal(is_mirrored, ~is_same)
    # Within five standard deviations of 500.
    assert 420 < is_mirrored.sum() < 580


def test_shifted_images_are_windows_of_the_padded_image():
    torch.manual_seed(0)
    images = numbered(200)
    shifted = RandomShift(1)(images)
    assert shifted.shape == images.shape
    padded = nn.functional.pad(images[0, 0], [1] * 4, value=1.0)
    windows = [padded[r : r + 28, c : c + 28] for r in range(3) for c in range(3)]
    seen = [next(k for k, window in enumerate(windows) if torch.equal(window, one[0])) for one in shifted]
    assert set(seen) == set(range(9))


def test_black_moves_in_whatever_black_is_after_normalisation():
    torch.manual_seed(0)
    images = Normalise()(torch.rand(50, 1, 28, 28).clamp(min=0.2))
    images[:, :, :14] = -0.5
    assert RandomShift(2)(images).min() == images.min()


@pytest.mark.parametrize("layer", [RandomFlip(), RandomShift(2)])
def test_the_same_seed_moves_images_in_the_same_way(layer):
    torch.manual_seed(5)
    first = layer(numbered())
    torch.manual_seed(5)
    assert torch.equal(layer(numbered()), first)
    assert not torch.equal(layer(numbered()), first)


@pytest.mark.parametrize("most", [0, -1, 1.5, 2.0, True, "2", None])
def test_a_shift_of_no_whole_number_of_pixels_is_refused(most):
    with pytest.raises(
        ValueError,
        match=rf"most is {most!r}( \(\w+\); it must be an integer \(int\), |; it must be )1 or above",
    ):
        RandomShift(most)


def test_a_shift_of_numpys_number_of_pixels_is_a_shift():
    assert type(RandomShift(np.int64(2)).most) is int


def shifted_by_padding(images: torch.Tensor, most: int) -> torch.Tensor:
    """The oracle: each image cut out of itself in a frame of the batch's least value, at the same random place."""
    padded = nn.functional.pad(images, [most] * 4, value=images.min().item())
    height, width = images.shape[-2:]
    places = zip(*torch.randint(0, 2 * most + 1, (2, len(images))).tolist(), strict=True)
    return torch.stack(
        [one[:, r : r + height, c : c + width] for one, (r, c) in zip(padded, places, strict=True)]
    )


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.uint8])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_shifts_are_those_of_padding_with_the_least_value_to_the_bit(most, dtype, order):
    images = (100 * torch.rand(7, 3, 12, 9) + 5).to(dtype).to(memory_format=order)
    torch.manual_seed(3)
    expected, state = shifted_by_padding(images, most), torch.get_rng_state()
    torch.manual_seed(3)
    shifted = RandomShift(most)(images)
    assert torch.equal(shifted, expected) and shifted.dtype == dtype
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("layer", [RandomFlip(), RandomShift(2), Normalise()])
def test_no_number_is_read_from_the_device(layer):
    """On the device "meta" there are no numbers: whatever reads one fails, as it would make a GPU wait."""
    images = torch.empty(8, 1, 28, 28, device="meta")
    assert layer(images).shape == images.shape


def test_mixed_precision_rounds_products_and_keeps_parameters():
    torch.manual_seed(0)
    linear = nn.Linear(64, 10)
    images = torch.rand(8, 64)
    logits = MixedPrecision(linear)(images)
    assert logits.dtype == torch.float32
    # A bfloat16 has 8 significant bits.
    rounded = nn.functional.linear(*(t.bfloat16().float() for t in (images, linear.weight, linear.bias)))
    torch.testing.assert_close(logits, rounded, rtol=2**-7, atol=2**-7)
    assert not torch.equal(logits, linear(images))
    logits.sum().backward()
    assert linear.weight.dtype == linear.weight.grad.dtype == torch.float32


def test_mixed_precision_leaves_autocast_off_behind_it():
    MixedPrecision(nn.Linear(4, 2))(torch.rand(3, 4))
    assert nn.Linear(4, 2)(torch.rand(3, 4)).dtype == torch.float32


class FirstPixels(nn.Module):
    """Logits are the first ten pixels of the first row, so a mirror image has others."""

    def forward(self, images):
        return images[:, 0, 0, :10]


def test_both_views_average_an_image_and_its_mirror_image_in_evaluation_only():
    images = numbered(3)
    model = BothViews(FirstPixels())
    assert torch.equal(model.train()(images), images[:, 0, 0, :10])
    expected = (images[:, 0, 0, :10] + images[:, 0, 0, 18:].flip(-1)) / 2
    assert torch.equal(model.eval()(images), expected)
    assert torch.equal(model(images.flip(-1)), model(images))


class Counted(FirstPixels):
    """Counts how often it is asked."""

    calls = 0

    def forward(self, images):
        self.calls += 1
        return super().forward(images)


def test_both_views_ask_the_model_once():
    model = BothViews(Counted())
    model.eval()(numbered(3))
    assert model.model.calls == 1


@pytest.mark.parametrize("wrap", [nn.Identity(), MixedPrecision], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("network", [NeuralNetwork, ConvolutionalNetwork])
@pytest.mark.parametrize("num_images", [0, 1, 7, 64])
def test_both_views_in_one_batch_agree_with_the_mean_of_two_answers(wrap, network, num_images):
    torch.manual_seed(0)
    model = wrap(network()).eval()
    images = torch.rand(num_images, 1, 28, 28)
    with torch.no_grad():
        expected = (model(images) + model(images.flip(-1))) / 2
        found = BothViews(model).eval()(images)
    torch.testing.assert_close(found, expected)
