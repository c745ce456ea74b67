"""Modules to put around a model: what happens to images before it, how it computes, how it is asked.

Each is an ``nn.Module``, so ``train_loop``, ``test_loop`` and checkpoints need not know of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fmnist_helpers.plain import require_whole_number

PIXEL_MEAN, PIXEL_DEVIATION = 0.286, 0.353
"""Mean and standard deviation of the pixels of Fashion-MNIST's training split, as floats from 0 to 1, to three digits.

The same for the 55,000 images of the course's training split as for all 60,000."""


class Normalise(nn.Module):
    """Shift and scale images so that the pixels of the training images have mean 0 and deviation 1.

    Args:
        mean, deviation: of the pixels of the training images; by default Fashion-MNIST's.

    Raises:
        ValueError: if the deviation is not positive.
    """

    def __init__(self, mean: float = PIXEL_MEAN, deviation: float = PIXEL_DEVIATION) -> None:
        super().__init__()
        if not deviation > 0:
            raise ValueError(f"deviation is {deviation}; it must be above 0")
        self.mean, self.deviation = mean, deviation

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape, any."""
        return (images - self.mean) / self.deviation


class RandomFlip(nn.Module):
    """In training mode, mirror each image left to right with probability one half; else change nothing."""

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape (N, channels, height, width)."""
        if not self.training:
            return images
        # A coin for each image: one coin for the whole batch would show the model only half as many mixtures.
        heads = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        return torch.where(heads, images.flip(-1), images)


class RandomShift(nn.Module):
    """In training mode, move each image by a random whole number of pixels; else change nothing.

    What moves in at an edge is the smallest value of the batch, which is black.

    Args:
        most: at most so many pixels in each direction, 1 or more.

    Raises:
        ValueError: if ``most`` is no whole number, 1 or above.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = require_whole_number("most", most, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape (N, channels, height, width)."""
        if not self.training:
            return images
        height, width = images.shape[-2:]
        # The least value stays a tensor: nn.functional.pad wants a number, and reading one makes a GPU wait.
        size = (*images.shape[:2], height + 2 * self.most, width + 2 * self.most)
        padded = images.new_empty(size).copy_(images.min())
        padded[..., self.most : self.most + height, self.most : self.most + width] = images
        # Every window of the old size in the padded image, as a view: (N, channels, rows, columns, height, width).
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        samples = torch.arange(len(images), device=images.device)
        rows, columns = torch.randint(0, 2 * self.most + 1, (2, len(images)), device=images.device)
        return windows[samples, :, rows, columns]


class MixedPrecision(nn.Module):
    """Run a model's matrix products and convolutions in bfloat16, and return its logits as float32.

    Parameters and their gradients stay float32; ``torch.autocast`` casts what goes into a product. A bfloat16 has
    the range of a float32 and 8 bits of precision. It pays where the processor has instructions for it
    (:func:`fmnist_helpers.runtime.has_bfloat16`); elsewhere it is imitated, and slower than float32.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Turn images into logits, float32, of the shape that the model gives."""
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            logits = self.model(images)
        return logits.float()


class BothViews(nn.Module):
    """In evaluation mode, ask a model about each image and its mirror image and average the logits.

    It asks once, about both in one batch, and in training mode about the images alone. A garment seen in a mirror
    is the same garment, and the mean of two answers tends to err less than one.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Turn images of shape (N, channels, height, width) into logits of shape (N, classes)."""
        if self.training:
            return self.model(images)
        as_they_are, mirrored = self.model(torch.cat([images, images.flip(-1)])).tensor_split(2)
        return (as_they_are + mirrored) / 2
