"""The loops of the course: one epoch of training, one evaluation, and both repeated.

``train_loop`` and ``test_loop`` take the arguments and print the lines of the PyTorch tutorial "Optimizing
Model Parameters". They differ in this: no global variable is used, averages count samples instead of batches,
results are returned, batches are moved to the model's device, gradients are cleared at the start of an
iteration, and a batch that does not fit is explained.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from fmnist_helpers.explain import (
    LossFunction,
    check_arguments,
    check_before,
    check_output,
    explained,
    guarded,
    number_of_classes,
)
from fmnist_helpers.history import EpochResult, History
from fmnist_helpers.plain import require_whole_number
from fmnist_helpers.progress import progress_bar

PRINT_EVERY = 100
"""``train_loop`` prints a line at every so many-th batch, as the tutorial does."""


class LoopResult(NamedTuple):
    """What one pass over a data set measured, averaged over its samples."""

    loss: float
    """Mean loss a sample (for cross-entropy in nats)."""
    accuracy: float
    """Share of samples whose largest logit is at the label, 0 to 1."""


def train_loop(
    dataloader: DataLoader,
    model: nn.Module,
    loss_fn: LossFunction,
    optimizer: Optimizer,
    *,
    verbose: bool = True,
) -> LoopResult:
    """Train ``model`` for one epoch: one optimiser step for each batch of ``dataloader``.

    Args:
        dataloader: yields float images of shape (N, …) and int64 labels of shape (N,), on any device.
        model: gives logits of shape (N, classes). It is put into training mode and left there.
        loss_fn: ``loss_fn(logits, labels)``, the mean over the batch, as ``nn.CrossEntropyLoss()`` gives it.
        optimizer: holds the model's parameters.
        verbose: print the loss of every 100th batch and the number of samples seen so far.

    Returns:
        Mean loss and accuracy over the samples of the epoch. Each batch was measured before its own step,
        so the result describes a model that changed all the while.

    Raises:
        ValueError: if the loader is empty, the loss does not average, or a batch does not fit the model.
    """
    check_arguments(dataloader, loss_fn)
    model.train()
    device, tally = _device_of(model), Tally(dataloader)
    for images, labels in dataloader:
        images, labels = images.to(device), labels.to(device)
        # Cleared first, so that a backward call somebody made before the loop cannot leak into the step.
        optimizer.zero_grad()
        with explained(model, images, labels):
            logits = model(images)
            loss = loss_fn(logits, labels)
        tally.add(logits, labels, loss)
        loss.backward()
        optimizer.step()
        if verbose and tally.num_batches % PRINT_EVERY == 1:
            print(f"loss: {loss.item():>7f}  [{tally.num_samples:>5d}/{len(dataloader.dataset):>5d}]")
    return tally.result()


def test_loop(
    dataloader: DataLoader,
    model: nn.Module,
    loss_fn: LossFunction,
    *,
    verbose: bool = True,
) -> LoopResult:
    """Evaluate ``model`` on every sample of ``dataloader`` without changing it.

    Arguments and errors are those of :func:`train_loop`. The model is put into evaluation mode and left
    there: whoever trains next calls ``model.train()``, as :func:`train_loop` does.

    Returns:
        Mean loss and accuracy over the samples. A short last batch counts by its size, so the result
        does not depend on the batch size.
    """
    check_arguments(dataloader, loss_fn)
    model.eval()
    device, tally = _device_of(model), Tally(dataloader)
    with torch.no_grad():
        for images, labels in dataloader:
            images, labels = images.to(device), labels.to(device)
            with explained(model, images, labels):
                logits = model(images)
                loss = loss_fn(logits, labels)
            tally.add(logits, labels, loss)
    result = tally.result()
    if verbose:
        print(f"Test Error: \n Accuracy: {100 * result.accuracy:>0.1f}%, Avg loss: {result.loss:>8f}\n")
    return result


# Here, and not in the loops, because what is checked once before an epoch is no part of what a reader reads.
train_loop, test_loop = guarded(train_loop), guarded(test_loop)


def run_epoch(
    number: int,
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    loss_fn: LossFunction,
    optimizer: Optimizer,
) -> EpochResult:
    """Train for one epoch, evaluate on the validation split, and return both as row ``number`` of a history.

    Arguments and errors are those of :func:`train_loop`; nothing is printed.
    """
    start = time.perf_counter()
    train = train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
    valid = test_loop(valid_loader, model, loss_fn, verbose=False)
    return EpochResult(number, *train, *valid, time.perf_counter() - start)


def fit(
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    loss_fn: LossFunction,
    optimizer: Optimizer,
    num_epochs: int,
    *,
    history: History | None = None,
    progress: bool = True,
) -> History:
    """Train for ``num_epochs`` epochs and evaluate on the validation split after each.

    Interrupting the kernel (the stop button, Ctrl-C) ends the run early and keeps the model as it is
    then, and the history of every finished epoch.

    Args:
        model, loss_fn, optimizer: as :func:`train_loop` takes them.
        train_loader, valid_loader: as :func:`make_loaders` returns them.
        num_epochs: how many epochs to add, 1 or more.
        history: the result of an earlier run of the same model; the new epochs are added to it.
        progress: show a progress bar (a widget in JupyterLab, text in a terminal).

    Returns:
        The history, one row for each finished epoch.

    Raises:
        ValueError: if ``num_epochs`` is below 1, ``valid_loader`` is None, or as :func:`train_loop` says.
    """
    num_epochs = require_whole_number("num_epochs", num_epochs)
    if num_epochs < 1:
        raise ValueError(f"num_epochs is {num_epochs}; at least 1 epoch is needed")
    if valid_loader is None:
        raise ValueError("there is no validation loader; call make_loaders with num_valid above 0")
    # Now, and not after the first epoch.
    check_before(valid_loader, model, loss_fn)
    history = History() if history is None else history
    history.interrupted = False
    numbers = range(len(history) + 1, len(history) + 1 + num_epochs)
    with progress_bar(numbers, shown=progress, desc="Training", unit="epoch") as epochs:
        try:
            for number in epochs:
                row = run_epoch(number, model, train_loader, valid_loader, loss_fn, optimizer)
                history.append(row)
                epochs.set_postfix_str(f"valid loss {row.valid_loss:.4f}, accuracy {row.valid_accuracy:.1%}")
        except KeyboardInterrupt:
            history.interrupted = True
            print(f"Stopped by hand; the {len(history)} finished epochs are kept.")
    return history


class Tally:
    """Sums over the batches of one pass, weighted by their sizes.

    Args:
        dataloader: gives the batches; its length says how many, its data set how many classes.

    Attributes:
        num_batches, num_samples: how many have been counted.
    """

    def __init__(self, dataloader: DataLoader) -> None:
        self.num_batches = self.num_samples = 0
        self._most = len(dataloader)
        self._num_classes = number_of_classes(dataloader.dataset)
        self._sizes: list[int] = []

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Count a batch in.

        Args:
            logits: shape (N, classes).
            labels: int64 of shape (N,), or distributions of shape (N, classes).
            loss: the mean over the batch, a single number.

        Raises:
            ValueError: if logits or loss have another shape, or there are more batches than the loader promised.
        """
        check_output(logits, labels, loss, self._num_classes)
        # Nothing is read here: reading a result would make a GPU wait. What is kept goes into two tensors: a
        # small one from each batch would lie scattered among the large ones that come and go, and the memory of
        # the course's model would grow by some 60 MB in an epoch.
        if not self._sizes:
            self._losses = loss.new_empty(self._most)
            self._correct = labels.new_zeros((), dtype=torch.int64)
        if self.num_batches == self._most:
            raise ValueError(
                f"the loader gives more batches than the {self._most} that its length promises; mend its __len__"
            )
        classes = labels if labels.ndim == 1 else labels.argmax(dim=1)
        self._losses[self.num_batches] = loss.detach()
        self._correct += (logits.detach().argmax(dim=1) == classes).sum()
        self._sizes.append(len(labels))
        self.num_batches += 1
        self.num_samples += len(labels)

    def result(self) -> LoopResult:
        """Return the means over all samples that were counted."""
        # To the CPU first: some accelerators have no float64.
        losses = self._losses[: self.num_batches].cpu().double()
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        return LoopResult((losses @ sizes).item() / self.num_samples, self._correct.item() / self.num_samples)


def _device_of(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))
