"""The images on which the project is measured: real garments where they lie on this machine, else the stand-in."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fmnist_helpers.data.prepare import find_real
from fmnist_helpers.exercises.ex06_observe import Garments

REAL, STANDIN = DATA_SETS = ("real", "standin")
SHARES = (0.75, 0.125, 0.125)
"""Which part of the real training split each of the three splits is drawn from, so that no two can share an image."""


def data_set_here() -> str:
    """Return the name of the data set that is at hand on this machine; nothing is fetched."""
    return REAL if find_real() else STANDIN


def draw(data_set: str, sizes: Sequence[int], seeds: Sequence[int]) -> list[Garments]:
    """Return three splits that share no image: for training, for validation and new ones.

    Args:
        data_set: one of ``DATA_SETS``. The real images come from the training split, so the test split of the data
            set stays what it is.
        sizes: how many images each split has, at most 45,000, 7,500 and 7,500 real ones.
        seeds: of each split.

    Raises:
        ValueError: if there is no such data set, or it has not so many images.
        FileNotFoundError: if the real images were asked for, and they are not on this machine.
    """
    if data_set == STANDIN:
        return [_drawn(size, seed) for size, seed in zip(sizes, seeds, strict=True)]
    if data_set != REAL:
        raise ValueError(f"the data set is {data_set!r}; it may be one of {', '.join(map(repr, DATA_SETS))}")
    root = find_real()
    if root is None:
        raise FileNotFoundError(
            "the real garments are not on this machine (any more); prepare_data(source='real') fetches them"
        )
    images, labels = _real(root)
    ends = [round(len(labels) * sum(SHARES[:place])) for place in range(len(SHARES) + 1)]
    return [
        _chosen(images[start:end], labels[start:end], size, seed)
        for start, end, size, seed in zip(ends, ends[1:], sizes, seeds, strict=False)
    ]


@functools.lru_cache(maxsize=4)
def _drawn(size: int, seed: int) -> Garments:
    from fmnist_helpers.data.standin import draw_split

    images, labels = draw_split(size, seed)
    return Garments(images.tobytes(), labels.tolist())


@functools.lru_cache(maxsize=1)
def _real(root: Path) -> tuple[Tensor, Tensor]:
    from torchvision.datasets import FashionMNIST

    split = FashionMNIST(root=root, train=True)
    return split.data, split.targets


def _chosen(images: Tensor, labels: Tensor, size: int, seed: int) -> Garments:
    if size > len(labels):
        raise ValueError(f"{size:,} images were asked for, and this part of the data set has {len(labels):,}")
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:size]
    return Garments(images[chosen].numpy().tobytes(), labels[chosen].tolist())
