"""Lesson 01: look at any garment and its bytes, and at any batch as the loader gives it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fmnist_helpers.data import CLASSES
from fmnist_helpers.loaders import InMemoryDataset, make_loaders
from fmnist_helpers.plots import EVEN_GREY
from fmnist_helpers.widgets.controls import Slider
from fmnist_helpers.widgets.toolkit import Checkbox, Dropdown
from fmnist_helpers.widgets.views import (
    Caption,
    Interactive,
    View,
    picture,
    pixels_source,
    side_by_side,
    svg_source,
)

SPLITS = ("training", "validation", "test")
BATCH_SIZES = (16, 32, 64)


class Split(NamedTuple):
    """The samples of a split, without a copy of its images."""

    images: Tensor
    """All images of the file, uint8, shape (M, 28, 28)."""
    labels: Tensor
    """Their labels, int64, shape (M,)."""
    indices: Tensor
    """Which of them belong to the split, in its order, int64, shape (N,)."""


def split_of(loader: DataLoader) -> Split:
    """Return the samples of a loader that :func:`make_loaders` made."""
    dataset = loader.dataset
    if isinstance(dataset, InMemoryDataset):
        return Split(dataset.images, dataset.labels, torch.arange(len(dataset)))
    return Split(dataset.dataset.images, dataset.dataset.labels, torch.as_tensor(dataset.indices))


@functools.lru_cache(maxsize=1)
def _splits(root: str | Path, num_valid: int) -> dict[str, Split]:
    """Return the three splits by name; read once for all parts of a lesson, because they take 55 MB."""
    return dict(zip(SPLITS, map(split_of, make_loaders(root, num_valid=num_valid)), strict=True))


class ImageBrowser(Interactive):
    """One garment at a time, by split and class, beside the bytes that it is made of.

    Args:
        root: what :func:`prepare_data` returned.
        num_valid: size of the validation split, as :func:`make_loaders` takes it.
    """

    caption = Caption(
        "Any garment, and its bytes",
        "choose a class and move the slider; Tab reaches each control, the arrow keys move it.",
        "where will a pair of trousers have its zeros, and where will a sneaker?",
        "the numbers are the picture. Two garments of one class share few numbers exactly, but large numbers "
        "stand at similar places.",
    )
    still_alt = (
        "One garment of the training split, in grey on black, and beside it the byte of each of its pixels."
    )

    def __init__(self, root: str | Path, num_valid: int = 5000) -> None:
        self._splits = _splits(root, num_valid)
        self.split = Dropdown(description="split", options=SPLITS)
        self.label = Dropdown(description="class", options=[(name, i) for i, name in enumerate(CLASSES)])
        self.place = Slider("garment", min=1, value=1, max=len(self._splits["training"].indices))
        super().__init__([self.split, self.label, self.place])

    def view(self) -> View:
        images, labels, indices = self._splits[self.split.value]
        members = indices[labels[indices] == self.label.value]
        self.place.max = len(members)
        sample = int(members[self.place.number - 1])
        pixels = images[sample].numpy()
        name = CLASSES[self.label.value]
        shown = picture(pixels_source(pixels), f"A garment of the class {name}, in grey on black", 224)
        said = (
            f"{name}: garment {self.place.number} of {len(members)} in the {self.split.value} split. "
            f"Bytes from {pixels.min()} to {pixels.max()}, mean {pixels.mean():.1f}; "
            f"{(pixels == 0).mean():.0%} of them are 0."
        )
        return View(side_by_side(shown, byte_table(pixels)), said)

    def still(self) -> str:
        images, labels, indices = self._splits["training"]
        first = images[indices[labels[indices] == 0][0]].numpy()
        shown = pixels_source(np.pad(first, 1))
        size = 'width="780" height="420"'
        # As a picture, because a table of numbers would differ between the real data and the stand-in.
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 420" {size}>'
            '<rect width="780" height="420"/>'
            f'<image href="{shown}" x="10" y="70" width="280" height="280"/>{_bytes_as_text(first, x=310)}</svg>'
        )
        return picture(svg_source(svg), self.still_alt, 780)


def _bytes_as_text(pixels: np.ndarray, x: int) -> str:
    """Return SVG for the bytes of an image on its pixels, line by line; uint8 of shape (28, 28)."""
    squares, lines = [], []
    for number, row in enumerate(pixels.tolist()):
        y = 14 * number + 14
        squares += [
            f'<rect x="{x + 16 * column}" y="{y}" width="16" height="14" fill="rgb({v},{v},{v})"/>'
            for column, v in enumerate(row)
            if v
        ]
        for colour, light in (("#fff", False), ("#000", True)):
            # Three places per number; those of the other colour stay blank.
            words = " ".join(f"{v:3d}" if (v > EVEN_GREY) == light else "   " for v in row)
            lines.append(
                f'<text x="{x}" y="{y + 10}" fill="{colour}" textLength="444" xml:space="preserve">{words}</text>'
            )
    return f'{"".join(squares)}<g font-family="monospace" font-size="8">{"".join(lines)}</g>'


def byte_table(pixels: np.ndarray) -> str:
    """Return an HTML table of the bytes of an image, uint8 of shape (28, 28); each cell has its pixel's grey."""
    cell = "padding: 0; width: 17px; height: 15px; text-align: center; border: 0"
    header = "".join(f'<th scope="col" style="{cell}; font-weight: normal">{c}</th>' for c in range(28))
    rows = []
    for number, row in enumerate(pixels.tolist()):
        cells = "".join(
            f'<td style="{cell}; background: rgb({v},{v},{v}); color: {"#000" if v > EVEN_GREY else "#fff"}">{v}</td>'
            for v in row
        )
        rows.append(f'<tr><th scope="row" style="{cell}; font-weight: normal">{number}</th>{cells}</tr>')
    return (
        '<div style="max-width: 100%; overflow-x: auto" tabindex="0" role="region" aria-label="Bytes of the image">'
        '<table style="border-collapse: collapse; font-size: 8.5px; line-height: 1; table-layout: fixed">'
        '<caption style="text-align: left; font-size: 12px; padding: 2px">row by row, column by column</caption>'
        f'<thead><tr><td style="{cell}"></td>{header}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


class BatchBrowser(Interactive):
    """Any batch of any epoch, as the training loader gives it.

    Args:
        root: what :func:`prepare_data` returned.
        num_valid: size of the validation split, as :func:`make_loaders` takes it.
    """

    caption = Caption(
        "A batch, as the loader gives it",
        "move to the last batch; switch shuffling on and off; go from epoch 1 to epoch 2.",
        "without shuffling, what will be different in epoch 2?",
        "the shape of the last batch, and that with shuffling every epoch comes in another order.",
    )
    still_alt = "The first eight images of a shuffled training split, all kinds of garments mixed."

    def __init__(self, root: str | Path, num_valid: int = 5000) -> None:
        self._split = _splits(root, num_valid)["training"]
        self.batch_size = Dropdown(description="batch size", options=BATCH_SIZES)
        self.shuffle = Checkbox(description="shuffle", value=True, indent=False)
        self.epoch = Dropdown(description="epoch", options=(1, 2, 3))
        self.batch = Slider("batch", min=1, value=1, max=len(self._split.indices))
        super().__init__([self.batch_size, self.shuffle, self.epoch, self.batch])

    def view(self) -> View:
        epochs = order_of_epochs(
            len(self._split.indices), self.batch_size.value, self.shuffle.value, epochs=3
        )
        batches = epochs[self.epoch.value - 1]
        self.batch.max = len(batches)
        chosen = self._split.indices[batches[self.batch.number - 1]]
        labels = self._split.labels[chosen].tolist()
        names = [CLASSES[label] for label in labels]
        pictures = zip(self._split.images[chosen].numpy(), names, strict=True)
        cells = "".join(
            '<figure style="margin: 2px; width: 66px; text-align: center; font-size: 10px">'
            f'{picture(pixels_source(pixels), name, 56)}<figcaption aria-hidden="true">{name}</figcaption></figure>'
            for pixels, name in pictures
        )
        said = (
            f"Batch {self.batch.number} of {len(batches)} in epoch {self.epoch.value}: images of shape "
            f"({len(names)}, 1, 28, 28), labels {labels[:8]}"
            f"{' and so on' if len(names) > 8 else ''}."
        )
        return View(f'<div style="display: flex; flex-wrap: wrap; max-width: 560px">{cells}</div>', said)

    def still(self) -> str:
        chosen = order_of_epochs(len(self._split.indices), BATCH_SIZES[0], True, epochs=3)[0][0][:8]
        row = torch.cat(list(self._split.images[self._split.indices[chosen]]), dim=1).numpy()
        return picture(pixels_source(row), self.still_alt, 448)


@functools.lru_cache
def order_of_epochs(
    num_samples: int, batch_size: int, shuffle: bool, epochs: int, seed: int = 0
) -> list[list[Tensor]]:
    """Return which samples a ``DataLoader`` with these settings gives, by epoch and batch.

    A loader over the sample numbers themselves tells, so that this is the order of a real loader.
    """
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        _Numbers(num_samples), batch_size, shuffle=shuffle, generator=generator, collate_fn=torch.tensor
    )
    return [list(loader) for _ in range(epochs)]


class _Numbers(Dataset):
    """The data set 0, 1, 2, …"""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitems__(self, indices: list[int]) -> list[int]:
        return indices
