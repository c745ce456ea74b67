"""The toy problem of the checks in another size, on which the loops are tested."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import fmnist_helpers as fh
from fmnist_helpers.exercises.toy import CROSS_ENTROPY, small_dataset


def garments(num_samples: int = 50, num_classes: int = 10) -> TensorDataset:
    """Images of 4 by 4 pixels of noise: what a loop does shows on them as well."""
    return small_dataset(num_samples, num_classes=num_classes, side=4)


def loader(num_samples: int = 50, batch_size: int = 8, **options) -> DataLoader:
    return DataLoader(garments(num_samples), batch_size=batch_size, **options)


def small_model(*extra: nn.Module) -> nn.Sequential:
    """The same weights at every call."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), *extra, nn.ReLU(), nn.Linear(12, 10))


def sgd(model: nn.Module, learning_rate: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=learning_rate)


def weights(model: nn.Module) -> list[Tensor]:
    return [tensor.clone() for tensor in model.state_dict().values()]


def assert_same_weights(one: list[Tensor], other: list[Tensor]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def run(name: str, dataloader, model, loss_fn=CROSS_ENTROPY, **options) -> fh.LoopResult:
    """Call one of the two loops."""
    if name == "train_loop":
        # A model without parameters still needs an optimiser to be passed on.
        return fh.train_loop(dataloader, model, loss_fn, sgd(model if weights(model) else nn.Linear(1, 1)))
    return fh.test_loop(dataloader, model, loss_fn, **options)


both_loops = pytest.mark.parametrize("loop", ["train_loop", "test_loop"])
