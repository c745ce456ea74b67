"""Says in one sentence what does not fit, where PyTorch's own error would be hard to read, or where there is none.

What no batch could mend is said before an epoch (:func:`guarded`). The other checks stand around lines of the loops
that a reader sees. They cost nothing while all is well: only when PyTorch has refused a batch is it looked at.
"""

from __future__ import annotations

import functools
import inspect
import math
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.loss import _Loss
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

LossFunction = Callable[[Tensor, Tensor], Tensor]

_REFUSALS = (RuntimeError, IndexError, TypeError, ValueError)
"""What PyTorch raises for a batch that does not fit."""


_told: weakref.WeakSet[nn.Module] = weakref.WeakSet()
"""Models of which it was said that their loss is no number any more."""


# --- before an epoch ---------------------------------------------------------------------------------------


def guarded(loop: Callable) -> Callable:
    """Return the loop with checks before its epoch, and one sentence after it if the loss is no number any more.

    The loop is called as ``loop(dataloader, model, loss_fn, ...)``; if it has no ``optimizer``, it evaluates, and then
    the global random state is afterwards what it was: a loader draws from it, even if it does not shuffle.
    """
    signature = inspect.signature(loop)
    trains = "optimizer" in signature.parameters

    @functools.wraps(loop)
    def checked(*arguments: Any, **options: Any) -> Any:
        given = signature.bind(*arguments, **options).arguments
        check_before(given["dataloader"], given["model"], given["loss_fn"], given.get("optimizer"))
        kept = torch.get_rng_state()
        try:
            result = loop(*arguments, **options)
        finally:
            if not trains:
                torch.set_rng_state(kept)
        _tell_once(given["model"], result.loss)
        return result

    return checked


def check_before(
    dataloader: DataLoader, model: nn.Module, loss_fn: LossFunction, optimizer: Optimizer | None = None
) -> None:
    """Refuse, before an epoch, what would train nothing, or end with an error after a part of the work.

    Args:
        dataloader, model, loss_fn: as the loops take them.
        optimizer: for training; None for an evaluation.

    Raises:
        ValueError: in one sentence that says what to do.
    """
    _check_kinds(dataloader, model, loss_fn, optimizer)
    check_arguments(dataloader, loss_fn)
    if any(parameter.is_meta for parameter in model.parameters()):
        raise ValueError(
            "the model is on the device 'meta', where parameters have shapes and no numbers; make it once more "
            "without torch.device('meta'), or call model.to_empty(device='cpu') and load saved weights into it"
        )
    if optimizer is not None:
        _check_training(model, optimizer)
        _check_last_batch(dataloader, model)
    device = next((parameter.device.type for parameter in model.parameters()), "cpu")
    if device != "cpu":
        # A graphics card would end with an assertion, later and elsewhere, and then refuse all further work.
        check_labels(dataloader.dataset, model)


def _check_kinds(dataloader: Any, model: Any, loss_fn: Any, optimizer: Any) -> None:
    named = {"dataloader": dataloader, "model": model, "loss_fn": loss_fn, "optimizer": optimizer}
    for name, thing in named.items():
        if isinstance(thing, type):
            made = f"{'nn.' * thing.__module__.startswith('torch.nn.')}{thing.__name__}()"
            raise ValueError(f"{name} is the class {thing.__name__} itself; add brackets: {name} = {made}")
    if isinstance(optimizer, LRScheduler):
        raise ValueError(
            f"optimizer is a scheduler, {type(optimizer).__name__}; pass the optimiser that you made it with, and "
            "call the scheduler's step() yourself, after the loop"
        )
    fits = {
        "dataloader": not isinstance(dataloader, nn.Module | Optimizer),
        "model": isinstance(model, nn.Module) and not isinstance(model, _Loss),
        "loss_fn": callable(loss_fn) and not isinstance(loss_fn, Optimizer),
        "optimizer": optimizer is None or (hasattr(optimizer, "step") and hasattr(optimizer, "zero_grad")),
    }
    wrong = [name for name, is_right in fits.items() if not is_right]
    if wrong:
        found = " and ".join(f"{name} is a {type(named[name]).__name__}" for name in wrong)
        raise ValueError(f"{found}: are the arguments in the order dataloader, model, loss_fn, optimizer?")


def check_arguments(dataloader: DataLoader, loss_fn: LossFunction) -> None:
    """Refuse loaders and losses that no batch could mend.

    Raises:
        ValueError: if the loader has no length or no batch, or the loss does not average over its samples.
    """
    if not hasattr(dataloader, "dataset"):
        kind = type(dataloader).__name__
        raise ValueError(
            f"a torch.utils.data.DataLoader is needed, and dataloader is a {kind}; pass one of the loaders that "
            "make_loaders returns, or DataLoader(dataset, batch_size=64)"
        )
    try:
        length = len(dataloader)
    except TypeError as error:
        raise ValueError(
            f"the data loader has no length, because its data set ({type(dataloader.dataset).__name__}) has none; "
            "give the data set a method __len__ that returns how many samples it has"
        ) from error
    if length == 0:
        raise ValueError("the data loader is empty: it has no batch to train or evaluate on")
    check_loss(loss_fn)


def check_loss(loss_fn: LossFunction) -> None:
    """Refuse a loss that says of itself that it is no mean over the samples of a batch.

    Raises:
        ValueError: with the reason.
    """
    loss_fn = getattr(loss_fn, "original", loss_fn)
    reduction = getattr(loss_fn, "reduction", "mean")
    if reduction != "mean":
        raise ValueError(
            f"the loss function has reduction={reduction!r}; these loops weight each batch's mean by its "
            "size, so use reduction='mean', the default"
        )
    by_class = isinstance(loss_fn, nn.CrossEntropyLoss | nn.NLLLoss)
    if by_class and loss_fn.weight is not None:
        raise ValueError(
            "the loss function has class weights, so its mean divides by the sum of a batch's weights and not by its "
            "size; train_loop and test_loop average over samples: leave weight out, or write a loop of your own"
        )
    if by_class and loss_fn.ignore_index >= 0:
        raise ValueError(
            f"the loss function has ignore_index={loss_fn.ignore_index}, so it leaves samples out; train_loop and "
            "test_loop average over all of them: leave ignore_index out, and keep those samples out of the data set, "
            "for example by torch.utils.data.Subset"
        )


def _check_training(model: nn.Module, optimizer: Optimizer) -> None:
    if not torch.is_grad_enabled() or torch.is_inference_mode_enabled():
        raise ValueError(
            "gradients are switched off, so nothing can be trained; move this line out of the block of "
            "torch.no_grad() or torch.inference_mode() that it stands in, or, if it stands in none, call "
            "torch.set_grad_enabled(True) before it"
        )
    parameters = list(model.parameters())
    trainable = {id(parameter) for parameter in parameters if parameter.requires_grad}
    if not parameters:
        return
    if not trainable:
        raise ValueError(
            "all parameters of the model are frozen (requires_grad is False), so nothing can be trained; "
            "model.requires_grad_(True) lets all of them learn, and layer.requires_grad_(True) those of one layer"
        )
    groups = getattr(optimizer, "param_groups", None)
    if groups is None:
        return
    held = {id(parameter) for group in groups for parameter in group["params"]}
    if not held & set(map(id, parameters)):
        raise ValueError(
            "the optimiser holds no parameter of this model, so it would train nothing: was it made for another "
            f"model, or before layers were replaced? Make it now: {type(optimizer).__name__}(model.parameters(), ...)"
        )
    if not held & trainable:
        raise ValueError(
            "the optimiser holds only parameters that are frozen (requires_grad is False), so it would train "
            "nothing; make it of those that can learn"
        )


def _check_last_batch(dataloader: DataLoader, model: nn.Module) -> None:
    sizes = _last_sizes(dataloader)
    if 1 not in sizes or not any(isinstance(layer, _BatchNorm) for layer in model.modules()):
        return
    try:
        _trial(model, dataloader.dataset, training=True)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            return
        raise ValueError(
            f"the last of the {len(dataloader)} batches has 1 sample{' for a process' * (len(sizes) > 1)}, and batch "
            "normalisation needs at least 2 in training; choose another batch_size, or give your DataLoader "
            "drop_last=True"
        ) from error
    except Exception:
        # A model of which nothing can be said beforehand; its own error will tell.
        return


def _last_sizes(dataloader: DataLoader) -> list[int]:
    """Return how many samples the last batch has, for each process if several share it; empty if that is unknown."""
    sampler = getattr(dataloader, "batch_sampler", None)
    if hasattr(sampler, "last_sizes"):
        return sampler.last_sizes()
    size = getattr(dataloader, "batch_size", None)
    if not isinstance(size, int):
        return []
    total = len(getattr(dataloader, "sampler", None) or dataloader.dataset)
    return [size if getattr(dataloader, "drop_last", False) else total % size or size]


def check_labels(dataset: Any, model: nn.Module) -> None:
    """Refuse labels that a data set in memory shows, and for which the model has no output.

    Raises:
        ValueError: with the labels and the number of outputs.
    """
    labels = _labels_in_memory(dataset)
    if labels is None:
        return
    try:
        num_outputs = _trial(model, dataset, training=False).shape[1]
    except Exception:
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_outputs:
        raise ValueError(_out_of_range("data set", low, high, num_outputs))


def _labels_in_memory(dataset: Any) -> Tensor | None:
    """Return the class numbers of a data set that holds them in memory, or None."""
    indices = None
    while isinstance(dataset, torch.utils.data.Subset):
        chosen = torch.as_tensor(dataset.indices)
        indices = chosen if indices is None else chosen[indices]
        dataset = dataset.dataset
    found = getattr(dataset, "labels", getattr(dataset, "targets", None))
    if isinstance(dataset, torch.utils.data.TensorDataset):
        found = dataset.tensors[-1]
    if not isinstance(found, Tensor) or found.ndim != 1 or found.is_floating_point() or not len(found):
        return None
    return found if indices is None else found[indices.to(found.device)]


def _trial(model: nn.Module, dataset: Any, *, training: bool) -> Tensor:
    """Pass one sample through the model on the device 'meta': shapes only, and nothing is changed."""
    with torch.random.fork_rng(devices=[]):
        image = torch.as_tensor(dataset[0][0])
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    on_meta = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    was_training = model.training
    try:
        model.train(training)
        with torch.no_grad():
            return functional_call(model, on_meta, (image[None].to("meta"),))
    finally:
        model.train(was_training)


def _tell_once(model: nn.Module, loss: float) -> None:
    if math.isfinite(loss):
        _told.discard(model)
    elif model not in _told:
        _told.add(model)
        warnings.warn(
            f"the mean loss of this epoch is {loss}: the usual cause is a learning rate that is too large. Try a "
            "tenth of that rate with a new model and a new optimiser, because weights that are nan stay nan; if that "
            "does not help, look for images that are not finite: images.isfinite().all()",
            RuntimeWarning,
            stacklevel=3,
        )


# --- around a batch ----------------------------------------------------------------------------------------


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
    devices = sorted({str(parameter.device) for parameter in model.parameters()})
    if len(devices) > 1:
        return (
            f"the model's parameters lie on {' and '.join(devices)}; move all of them to one device, for example "
            f"by model.to('{devices[0]}')"
        )
    weights = next((p for p in model.parameters() if p.is_floating_point()), None)
    if weights is not None and weights.dtype != images.dtype:
        remedy = (
            "model.float()" if images.dtype == torch.float32 else "images.float() where the images are made"
        )
        return f"the images are {images.dtype} and the model's weights {weights.dtype}; they must agree: {remedy}"
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
            f"integers of shape ({len(logits)},), one class per sample, are needed"
        )
    if labels.dtype != torch.int64:
        return f"the labels are {labels.dtype}; class numbers must be torch.int64"
    low, high, num_outputs = labels.min().item(), labels.max().item(), logits.shape[1]
    if low < 0 or high >= num_outputs:
        return _out_of_range("batch", low, high, num_outputs)
    return None


def _out_of_range(what: str, low: int, high: int, num_outputs: int) -> str:
    return (
        f"the labels of this {what} go from {low} to {high}, but the model gives {num_outputs} outputs, "
        f"for labels from 0 to {num_outputs - 1}: does its last layer have one output for each class?"
    )
