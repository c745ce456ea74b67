"""The small problem on which checks run a student's loop: noise for images, a model of two layers, seeded."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

NUM_CLASSES = 4
CROSS_ENTROPY = nn.CrossEntropyLoss()


def small_dataset(
    num_samples: int, seed: int = 0, num_classes: int = NUM_CLASSES, side: int = 3
) -> TensorDataset:
    """Images of noise, float32 of shape (N, 1, side, side), with labels that the images decide."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(num_samples, 1, side, side, generator=generator)
    weight = torch.randn(num_classes, side * side, generator=generator)
    return TensorDataset(images, ((images.flatten(1) - 0.5) @ weight.T).argmax(dim=1))


def small_loader(num_samples: int, batch_size: int, seed: int = 0) -> DataLoader:
    """The small data set in batches, in its order; the last batch may be short."""
    return DataLoader(small_dataset(num_samples, seed), batch_size=batch_size)


def small_model(seed: int = 0, *, dropout: float = 0.0) -> nn.Sequential:
    """Return the same weights at every call with the same seed; with ``dropout`` the two modes differ."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(9, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, NUM_CLASSES)
        )


def parameters_of(model: nn.Module) -> list[Tensor]:
    """Return copies of the model's parameters."""
    return [parameter.detach().clone() for parameter in model.parameters()]


def samples_of(dataloader: DataLoader) -> tuple[Tensor, Tensor]:
    """Return all images and all labels of the small data set as one batch."""
    return dataloader.dataset.tensors
