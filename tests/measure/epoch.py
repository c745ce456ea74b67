"""One epoch of the tutorial's recipe, timed: what the ways that ``speed`` compares have in common, and two of them.

A way is a function ``way(splits, model, loss_fn, optimizer)`` that trains the model on ``splits.train``, tests it
on ``splits.test`` and returns the :class:`Seconds` of both parts. The tutorial's listing and this package are
here, the floors in ``floors``, other packages in ``peers``.
"""

from __future__ import annotations

import contextlib
import gc
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from torchvision.datasets import FashionMNIST
from torchvision.transforms import ToTensor

import fmnist_helpers as helpers
from fmnist_helpers.data.standin import write_idx

BATCH_SIZE = 64
LEARNING_RATE = 1e-3


class Seconds(NamedTuple):
    """How long the two parts of an epoch took, wall clock."""

    train: float
    test: float

    @property
    def epoch(self) -> float:
        """Both parts together."""
        return self.train + self.test


class Splits(NamedTuple):
    """The batches of both parts of an epoch: two loaders, or two lists."""

    train: Any
    test: Any


Way = Callable[[Splits, nn.Module, nn.Module, Optimizer], Seconds]


class RecordingLoss(nn.CrossEntropyLoss):
    """Cross-entropy that keeps the loss of every batch, so that all ways can be compared bit by bit."""

    def __init__(self) -> None:
        super().__init__()
        self._losses: list[Tensor] = []

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of a batch, in nats a sample."""
        loss = super().forward(logits, labels)
        self._losses.append(loss.detach())
        return loss

    def losses(self) -> Tensor:
        """Return the losses so far, on the CPU: float32, one a batch."""
        return torch.stack(self._losses).cpu() if self._losses else torch.empty(0)


class OnDevice:
    """A loader whose batches move to a device as they come: ``X.to(device)``, which the listing leaves out."""

    def __init__(self, loader: DataLoader, device: torch.device) -> None:
        self.loader, self.device, self.dataset = loader, device, loader.dataset

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.loader:
            yield images.to(self.device), labels.to(self.device)


def standard_splits(root: Path) -> Splits:
    """Return the tutorial's two loaders: each image is opened, turned and stacked by itself."""
    datasets = [FashionMNIST(root, train=train, transform=ToTensor()) for train in (True, False)]
    return Splits(*(DataLoader(dataset, batch_size=BATCH_SIZE) for dataset in datasets))


def in_memory_splits(root: Path, device: torch.device) -> Splits:
    """Return this package's two loaders of the same batches, the data set on ``device``."""
    loaders = helpers.make_loaders(root, batch_size=BATCH_SIZE, num_valid=0, shuffle=False)
    datasets = [loader.dataset.to(device) for loader in (loaders.train, loaders.test)]
    return Splits(*(DataLoader(one, batch_size=BATCH_SIZE, collate_fn=one.collate) for one in datasets))


def small_root(root: Path, folder: Path, num_train: int, num_test: int) -> Path:
    """Write the first images of each part into ``folder``, as files that ``FashionMNIST`` reads; return it."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for train, name, number in ((True, "train", num_train), (False, "t10k", num_test)):
        data = FashionMNIST(root, train=train)
        write_idx(raw / f"{name}-images-idx3-ubyte", data.data[:number].numpy())
        write_idx(raw / f"{name}-labels-idx1-ubyte", data.targets[:number].byte().numpy())
    return folder


def device_of(model: nn.Module) -> torch.device:
    """Return where the first parameter of ``model`` is."""
    return next(model.parameters()).device


def now(device: torch.device) -> float:
    """Return the time in seconds once ``device`` has done all it was asked to do."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
    return time.perf_counter()


def time_parts(train: Callable[[], Any], test: Callable[[], Any], device: torch.device) -> Seconds:
    """Call both parts of an epoch and return their seconds."""
    start = now(device)
    train()
    middle = now(device)
    test()
    return Seconds(middle - start, now(device) - middle)


def timed_epoch(way: Way, splits: Splits, device: torch.device) -> tuple[Seconds, Tensor]:
    """Train and test a fresh model, always from the same weights.

    Returns:
        The seconds, and the losses of all training and then all test batches, float32, in nats a sample.
    """
    helpers.seed_everything(0)
    model = helpers.NeuralNetwork().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loss_fn = RecordingLoss()
    # What the way before has left behind must not be cleared away at the cost of this one.
    gc.collect()
    with contextlib.redirect_stdout(io.StringIO()):
        seconds = way(splits, model, loss_fn, optimizer)
    return seconds, loss_fn.losses()


def listing_train(dataloader, model, loss_fn, optimizer, batch_size=BATCH_SIZE) -> None:
    """Train as the tutorial's listing does; its global ``batch_size`` is an argument."""
    size = len(dataloader.dataset)
    model.train()
    for batch, (X, y) in enumerate(dataloader):
        pred = model(X)
        loss = loss_fn(pred, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if batch % 100 == 0:
            loss, current = loss.item(), batch * batch_size + len(X)
            print(f"loss: {loss:>7f}  [{current:>5d}/{size:>5d}]")


def listing_test(dataloader, model, loss_fn) -> None:
    """Test as the tutorial's listing does."""
    model.eval()
    size = len(dataloader.dataset)
    num_batches = len(dataloader)
    test_loss, correct = 0, 0
    with torch.no_grad():
        for X, y in dataloader:
            pred = model(X)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    test_loss /= num_batches
    correct /= size
    print(f"Test Error: \n Accuracy: {(100 * correct):>0.1f}%, Avg loss: {test_loss:>8f}\n")


def listing_epoch(splits: Splits, model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Seconds:
    """Do an epoch by the tutorial's listing."""
    return time_parts(
        lambda: listing_train(splits.train, model, loss_fn, optimizer),
        lambda: listing_test(splits.test, model, loss_fn),
        device_of(model),
    )


def package_epoch(splits: Splits, model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Seconds:
    """Do an epoch by this package's two loops, which print what the listing prints."""
    return time_parts(
        lambda: helpers.train_loop(splits.train, model, loss_fn, optimizer),
        lambda: helpers.test_loop(splits.test, model, loss_fn),
        device_of(model),
    )
