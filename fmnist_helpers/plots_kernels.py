"""Numbers of both signs as pictures: the kernels of a convolution, and the maps that they make."""

from __future__ import annotations

import torch
from torch import Tensor

from fmnist_helpers.figures import Drawing
from fmnist_helpers.plots import plot_images


def plot_signed(pictures: Tensor, *, title: str, label: str, columns: int = 8) -> Drawing:
    """Draw tables of numbers as pictures: white is 0, one colour stands for positive, the other for negative numbers.

    All share one scale, so what is pale has small numbers.

    Args:
        pictures: float of shape (N, height, width).
        title: above the grid.
        label: what the numbers are, beside the scale.
        columns: pictures a row.

    Raises:
        ValueError: if the pictures have another shape.
    """
    pictures = pictures.detach().cpu()
    drawing = plot_images(torch.zeros(pictures.shape), title=title, columns=columns)
    limit = pictures.abs().max().item() or 1.0
    for axes, picture in zip(drawing.axes, pictures, strict=True):
        axes.images[0].set(data=picture.numpy(), cmap="PuOr", clim=(-limit, limit))
    colorbar = drawing.figure.colorbar(drawing.axes[0].images[0], ax=drawing.axes, shrink=0.8)
    colorbar.set_label(label, fontsize=8)
    return drawing
