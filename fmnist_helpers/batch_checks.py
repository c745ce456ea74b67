"""Turns the errors that PyTorch raises for an unfit batch into one sentence on what does not fit.

The checks cost nothing while all is well: only when PyTorch has refused a batch is it looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

LossFunction = Callable[[Tensor, Tensor], Tensor]

_NO_OUTPUT = object()
"""Stands for what a model would have returned had it not raised."""


def check_arguments(dataloader: DataLoader, loss_fn: LossFunction) -> int | None:
    """Refuse what no batch could mend; return how many classes the data set names, or None.

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
    return _number_of_classes(dataloader.dataset)


def compute_loss(
    model: nn.Module,
    loss_fn: LossFunction,
    images: Tensor,
    labels: Tensor,
    num_classes: int | None,
) -> tuple[Tensor, Tensor]:
    """Return the logits and the loss of one batch, or say in one sentence why there is none.

    Args:
        model, loss_fn: as the loops take them.
        images, labels: one batch, on the model's device.
        num_classes: how many outputs the model must have, or None if any number will do.

    Raises:
        ValueError: if images, labels, model and loss do not fit together. Errors that have another cause,
            such as a lack of memory, pass through as they are.
    """
    logits: Any = _NO_OUTPUT
    try:
        logits = model(images)
        loss = loss_fn(logits, labels)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        reason = _explain_refusal(model, images, labels, logits)
        if reason is None:
            raise
        raise ValueError(reason) from error
    # PyTorch accepts more outputs than classes in silence, so this cannot wait for an error of its own.
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
    return logits, loss


def _number_of_classes(dataset: Any) -> int | None:
    """Return how many classes a data set names, looking through ``Subset``, or None if it names none."""
    while not hasattr(dataset, "classes") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    classes = getattr(dataset, "classes", None)
    return None if classes is None else len(classes)


def _explain_refusal(model: nn.Module, images: Tensor, labels: Tensor, logits: Any) -> str | None:
    if logits is _NO_OUTPUT:
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
