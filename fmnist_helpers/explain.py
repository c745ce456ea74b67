"""Says in one sentence what does not fit, where PyTorch's own error would be hard to read.

The loops put these checks around lines that a reader sees. They cost nothing while all is well: only when PyTorch
has refused a batch is it looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

LossFunction = Callable[[Tensor, Tensor], Tensor]

_REFUSALS = (RuntimeError, IndexError, TypeError, ValueError)
"""What PyTorch raises for a batch that does not fit."""


def check_arguments(dataloader: DataLoader, loss_fn: LossFunction) -> None:
    """Refuse what no batch could mend.

    Raises:
        ValueError: if the loader has no batch, or the loss says that it does not average.
    """
    if len(dataloader) == 0:
        raise ValueError("the data loader is empty: it has no batch to train or evaluate on")
    reduction = getattr(loss_fn, "reduction", "mean")
    if reduction != "mean":
        raise ValueError(
            f"the loss function has reduction={reduction!r}; these loops weight each batch's mean by its "
            "size, so use reduction='mean', the default"
        )


@contextmanager
def explained(model: nn.Module, images: Tensor, labels: Tensor) -> Iterator[None]:
    """Stand around ``logits = model(images)`` and ``loss = loss_fn(logits, labels)``, and explain why they fail.

    Errors that have another cause, such as a lack of memory, pass through as they are.

    Args:
        model: as the loops take it.
        images, labels: one batch, on the model's device.

    Raises:
        ValueError: if images, labels, model and loss do not fit together; PyTorch's own error is its cause.
    """
    try:
        yield
    except _REFUSALS as error:
        reason = _reason(model, images, labels)
        if reason is None:
            raise
        raise ValueError(reason) from error


def check_output(logits: Tensor, labels: Tensor, loss: Tensor, num_classes: int | None) -> None:
    """Refuse what PyTorch accepts in silence, such as more outputs than classes.

    Args:
        logits, labels, loss: of one batch.
        num_classes: how many outputs there must be, or None if any number will do.

    Raises:
        ValueError: if there are others, or the loss is not a single number.
    """
    if num_classes is not None and logits.shape[1:] != (num_classes,):
        raise ValueError(
            f"the model gives an output of shape {tuple(logits.shape)} for {len(labels)} samples; "
            f"the data set has {num_classes} classes, so {(len(labels), num_classes)} was expected"
        )
    if loss.ndim:
        raise ValueError(
            f"the loss function gives a tensor of shape {tuple(loss.shape)}; the mean over the batch, "
            "a single number, is needed"
        )


def number_of_classes(dataset: Any) -> int | None:
    """Return how many classes a data set names, looking through ``Subset``, or None if it names none."""
    while not hasattr(dataset, "classes") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    classes = getattr(dataset, "classes", None)
    return None if classes is None else len(classes)


def _reason(model: nn.Module, images: Tensor, labels: Tensor) -> str | None:
    # Asked once more, because only its answer tells whether the images were refused, or the labels.
    try:
        with torch.no_grad():
            logits: Any = model(images)
    except _REFUSALS:
        return _explain_images(model, images)
    if not isinstance(logits, Tensor):
        return (
            f"the model returned {type(logits).__name__}, not a tensor of logits; "
            "does its forward end with `return logits`?"
        )
    return _explain_labels(labels, logits)


def _explain_images(model: nn.Module, images: Tensor) -> str | None:
    if not images.is_floating_point():
        return (
            f"the images are {images.dtype}; the model needs floating point numbers. "
            "Use the transform ToTensor(), or InMemoryDataset."
        )
    first = next((m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)), None)
    if isinstance(first, nn.Linear) and images[0].numel() != first.in_features:
        return (
            f"each image has shape {tuple(images.shape[1:])}, {images[0].numel()} numbers; "
            f"the model's first layer takes {first.in_features}"
        )
    if isinstance(first, nn.Conv2d) and (images.ndim != 4 or images.shape[1] != first.in_channels):
        return (
            f"the batch of images has shape {tuple(images.shape)}; the model's first layer takes "
            f"(batch, {first.in_channels}, height, width)"
        )
    return None


def _explain_labels(labels: Tensor, logits: Tensor) -> str | None:
    if logits.ndim != 2:
        return f"the model gives an output of shape {tuple(logits.shape)}; (batch, classes) is needed"
    if labels.ndim != 1:
        return (
            f"the labels have shape {tuple(labels.shape)} and are {labels.dtype}; "
            f"whole numbers of shape ({len(logits)},), one class a sample, are needed"
        )
    if labels.dtype != torch.int64:
        return f"the labels are {labels.dtype}; class numbers must be torch.int64"
    low, high, num_outputs = labels.min().item(), labels.max().item(), logits.shape[1]
    if low < 0 or high >= num_outputs:
        return (
            f"the labels of this batch go from {low} to {high}, but the model gives {num_outputs} outputs, "
            f"so a label must be from 0 to {num_outputs - 1}"
        )
    return None
