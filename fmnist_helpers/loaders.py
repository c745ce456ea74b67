"""From torchvision's data set to batches: an in-memory data set, a stratified split, three loaders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, default_collate
from torchvision.datasets import FashionMNIST
from torchvision.transforms import ToTensor

from fmnist_helpers.plain import require_whole_number

Batch = tuple[Tensor, Tensor]


class Gathered(Sequence):
    """Samples that were taken from a data set together: a list of them, as PyTorch's contract has it, and a batch.

    Attributes:
        batch: float32 images of shape (N, 1, 28, 28) and int64 labels of shape (N,).
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.batch: Batch = (images, labels)

    def __len__(self) -> int:
        return len(self.batch[1])

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        """Return one sample, as the data set gives it."""
        images, labels = self.batch
        return images[number], int(labels[number])


class InMemoryDataset(Dataset):
    """A torchvision data set whose images stay in memory as bytes and turn into floats a batch at a time.

    ``DataLoader(dataset, batch_size=64, collate_fn=dataset.collate)`` yields, bit for bit, the batches of
    ``DataLoader(FashionMNIST(..., transform=ToTensor()), batch_size=64)``: float32 images of shape
    (N, 1, 28, 28) in 0 … 1 and int64 labels of shape (N,). It is faster, because a batch is one indexing and
    one division instead of N images made and stacked one by one. Without ``collate_fn``, split or joined with others,
    it gives the same batches more slowly.

    Args:
        torchvision_dataset: a ``FashionMNIST`` (or ``MNIST``) data set, without transform or with
            ``ToTensor()``. Its bytes are shared, not copied.

    Attributes:
        images: uint8, shape (N, 28, 28), 0 … 255.
        labels: int64, shape (N,).
        classes: the class names.

    Raises:
        ValueError: if the data set has another transform or does not hold grey images as bytes.
    """

    def __init__(self, torchvision_dataset: Any) -> None:
        _check_torchvision_dataset(torchvision_dataset)
        self.images: Tensor = torchvision_dataset.data
        self.labels: Tensor = torchvision_dataset.targets
        self.classes: list[str] = list(torchvision_dataset.classes)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return one sample: a float32 image of shape (1, 28, 28) and its label."""
        return _to_floats(self.images[index]), int(self.labels[index])

    def __getitems__(self, indices: list[int]) -> Gathered:
        """Return several samples at once; ``DataLoader`` calls this when a data set has it."""
        # Both detours save time in every batch: NumPy reads a list of numbers five times as fast as
        # torch.tensor, and index_select copies whole rows, ten times as fast as indexing with [].
        chosen = torch.from_numpy(np.array(indices, dtype=np.int64)).to(self.labels.device)
        return Gathered(_to_floats(self.images.index_select(0, chosen)), self.labels.index_select(0, chosen))

    @staticmethod
    def collate(samples: Gathered | list) -> Batch:
        """Return the samples as one batch; where ``__getitems__`` gave them, they have been put together already."""
        return samples.batch if isinstance(samples, Gathered) else default_collate(samples)

    def to(self, device: torch.device | str) -> InMemoryDataset:
        """Return this data set with images and labels on ``device``, where its batches are then made."""
        moved = object.__new__(type(self))
        moved.images, moved.labels = self.images.to(device), self.labels.to(device)
        moved.classes = self.classes
        return moved


def _to_floats(images: Tensor) -> Tensor:
    # What ToTensor does: a channel axis and a division by 255 (a product with 1/255 rounds differently). Dividing
    # floats where they lie is faster than dividing bytes into a new tensor, and gives the same bits.
    return images.unsqueeze(-3).float().div_(255)


def _check_torchvision_dataset(dataset: Any) -> None:
    transform = getattr(dataset, "transform", None)
    if transform is not None and not isinstance(transform, ToTensor):
        raise ValueError(
            f"the data set has the transform {transform}; InMemoryDataset stands for ToTensor() alone"
        )
    if getattr(dataset, "target_transform", None) is not None:
        raise ValueError("the data set has a target_transform; InMemoryDataset keeps labels as they are")
    images, labels = getattr(dataset, "data", None), getattr(dataset, "targets", None)
    if not isinstance(images, Tensor) or images.dtype != torch.uint8 or images.ndim != 3:
        found = (
            f"{images.dtype} of shape {tuple(images.shape)}"
            if isinstance(images, Tensor)
            else type(images).__name__
        )
        raise ValueError(
            "InMemoryDataset needs grey images as bytes, a uint8 tensor of shape (N, height, width), "
            f"as torchvision's FashionMNIST has in .data; found {found}"
        )
    if not isinstance(labels, Tensor) or labels.shape != images.shape[:1]:
        raise ValueError("InMemoryDataset needs one label for each image, as a tensor in .targets")


def stratified_split(labels: Tensor, num_valid: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Split sample numbers so that every class has the same share of the validation split.

    Args:
        labels: int64, shape (N,).
        num_valid: size of the validation split, 0 … N. Where it cannot be shared out evenly, classes differ
            by at most one sample from their exact share.
        seed: which samples are drawn; the same seed gives the same split.

    Returns:
        Two int64 tensors of sample numbers, ascending, of shapes (N - num_valid,) and (num_valid,).

    Raises:
        ValueError: if ``num_valid`` is no whole number in 0 … N, or the seed none at all.
    """
    num_valid, seed = _images("num_valid", num_valid), require_whole_number("seed", seed)
    if not 0 <= num_valid <= len(labels):
        raise ValueError(f"num_valid is {num_valid}; choose from 0 to {len(labels)} samples")
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    is_valid = torch.zeros(len(labels), dtype=torch.bool)
    present, counts = labels.unique(return_counts=True)
    for label, share in zip(present, _shares(counts, num_valid).tolist(), strict=True):
        members = shuffled[labels[shuffled] == label]
        is_valid[members[:share]] = True
    return (~is_valid).nonzero().flatten(), is_valid.nonzero().flatten()


def _images(name: str, number: int) -> int:
    """Return a number of images; a share, such as 0.1, is no number of them."""
    if isinstance(number, float) and 0 < number < 1:
        raise ValueError(f"{name} is {number}; it counts images: for a tenth of 60000 write 6000")
    return require_whole_number(name, number)


def _shares(counts: Tensor, num_valid: int) -> Tensor:
    """Share ``num_valid`` out in proportion to ``counts``, in whole numbers (Hamilton's method).

    Each class gets its exact share rounded down; what is left goes, one each, to the largest remainders.
    """
    total = int(counts.sum())
    shares = counts * num_valid // total
    remainders = counts * num_valid % total
    left = num_valid - int(shares.sum())
    shares[remainders.argsort(descending=True, stable=True)[:left]] += 1
    return shares


class Loaders(NamedTuple):
    """What :func:`make_loaders` returns; it unpacks into three."""

    train: DataLoader
    valid: DataLoader | None
    test: DataLoader


def make_loaders(
    root: str | Path,
    batch_size: int = 64,
    num_valid: int = 5000,
    shuffle: bool = True,
    seed: int = 0,
) -> Loaders:
    """Return the loaders of the training, validation and test splits.

    Only the training loader shuffles; the order of evaluation does not matter. ``num_valid=0,
    shuffle=False`` is what the PyTorch tutorial does: all 60,000 training images, always in the same order.

    Args:
        root: what :func:`prepare_data` returned.
        batch_size: samples a batch; the last batch of a split may be shorter.
        num_valid: how many training images are set aside for validation, the same number of each class; with 0
            none, and ``valid`` is None.
        shuffle: give the training samples in a new order in every epoch.
        seed: of the split and of the order: new loaders with the same seed give the same batches. A loader
            that has been used goes on with new orders.

    Raises:
        ValueError: if ``batch_size`` is below 1, or ``num_valid`` leaves nothing to train on.
        FileNotFoundError: if ``root`` holds no Fashion-MNIST.
    """
    batch_size = require_whole_number("batch_size", batch_size)
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; a batch needs at least 1 sample")
    num_valid, seed = _images("num_valid", num_valid), require_whole_number("seed", seed)
    train_data, test_data = (_read(root, train) for train in (True, False))
    if num_valid >= len(train_data):
        raise ValueError(
            f"num_valid is {num_valid} of {len(train_data)} training images; nothing is left to train on"
        )
    train_indices, valid_indices = stratified_split(train_data.labels, num_valid, seed)
    loader = partial(DataLoader, batch_size=batch_size, collate_fn=InMemoryDataset.collate)
    train_split = Subset(train_data, train_indices.tolist()) if num_valid else train_data
    valid_split = Subset(train_data, valid_indices.tolist())
    return Loaders(
        train=loader(train_split, shuffle=shuffle, generator=torch.Generator().manual_seed(seed)),
        # An evaluation that draws from a source of its own leaves the training as it would be without it.
        valid=loader(valid_split, generator=torch.Generator()) if num_valid else None,
        test=loader(test_data, generator=torch.Generator()),
    )


def _read(root: str | Path, train: bool) -> InMemoryDataset:
    try:
        return InMemoryDataset(FashionMNIST(root=root, train=train))
    except RuntimeError as error:
        raise FileNotFoundError(
            f"there is no Fashion-MNIST in {root}; call prepare_data() and pass on the folder it returns"
        ) from error
