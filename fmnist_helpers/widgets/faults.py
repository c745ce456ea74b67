"""The training loop with one deliberate fault, for "break the loop" of lesson 05."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from fmnist_helpers.model import NeuralNetwork

RIGHT = "no fault"
FAULTS = (
    "no zero_grad",
    "step before backward",
    "zero_grad before step",
    "softmax first",
    "rate x 100",
    "shuffled labels",
    "no eval()",
    "no train() after eval()",
)
DROPOUT_FAULTS = ("no eval()", "no train() after eval()")
"""Faults of the mode; they do nothing to a model without dropout, so they run on one that has it."""

TOLD = {
    "no zero_grad": "At rate 0.1 the growing sum of gradients makes ever larger steps, and what was learnt is lost. "
    "At 0.001 the same sum acts like a larger rate and helps, in so short a run.",
    "step before backward": "zero_grad has just cleared the gradients, so each step moves nothing, at any rate.",
    "zero_grad before step": "The gradients are thrown away before they are used: nothing moves, at any rate.",
    "softmax first": "It learns more slowly at every rate, and its loss cannot fall below 1.46, however right it is.",
    "rate x 100": "From 0.001 to 0.1 it helps a lot: the tutorial's rate is tiny. From 0.1 to 10 it explodes.",
    "shuffled labels": "The loss stays near ln 10 and the accuracy near chance: there is nothing to learn.",
    "no eval()": "The model has learnt just as well, but it is judged with half of its units switched off.",
    "no train() after eval()": "Dropout never comes back. The loss even looks better, because nothing disturbs "
    "the training; only in a long run would the missing dropout be felt.",
}
"""What each fault does, measured on both data sets with several seeds."""

RATES = (0.001, 0.01, 0.1)
NUM_ITERATIONS = 300
EVALUATE_EVERY = 25


@dataclass
class Curve:
    """What a run measured."""

    losses: list[float] = field(default_factory=list)
    """Loss of each batch before its step, in nats."""
    accuracies: list[tuple[int, float]] = field(default_factory=list)
    """Iterations done, and accuracy (0 to 1) on the validation samples then."""


def with_dropout(share: float = 0.5) -> nn.Module:
    """Return the course's network with dropout after each ReLU."""
    layers = []
    for layer in NeuralNetwork().linear_relu_stack:
        layers += [layer, nn.Dropout(share)] if isinstance(layer, nn.ReLU) else [layer]
    return nn.Sequential(nn.Flatten(), *layers)


def run_with_fault(
    fault: str,
    rate: float,
    train_loader: Iterable[tuple[Tensor, Tensor]],
    valid_batch: tuple[Tensor, Tensor],
    *,
    dropout: bool = False,
    seed: int = 0,
    num_iterations: int = NUM_ITERATIONS,
    report: Callable[[Curve], None] = lambda curve: None,
) -> Curve:
    """Train with SGD for some iterations and make one mistake in each.

    Args:
        fault: one of ``FAULTS``, or ``RIGHT``.
        rate: the learning rate.
        train_loader: yields batches ``(images, labels)``; started again at its end.
        valid_batch: the validation samples, evaluated every 25 iterations.
        dropout: use the network with dropout.
        seed: of first weights, dropout and label shuffling; the same seed repeats a run.
        num_iterations: how many batches to train on.
        report: called with the curve so far after each evaluation.

    Returns:
        The losses and accuracies of the run.

    Raises:
        ValueError: if there is no such fault.
    """
    if fault not in (*FAULTS, RIGHT):
        raise ValueError(f"there is no fault {fault!r}; choose one of {', '.join((RIGHT, *FAULTS))}")
    # A run in a thread of its own must not disturb the random numbers of the lesson.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = with_dropout() if dropout else NeuralNetwork()
        optimizer = torch.optim.SGD(model.parameters(), lr=rate * (100 if fault == "rate x 100" else 1))
        generator = torch.Generator().manual_seed(seed)
        curve = Curve()
        for iteration, (images, labels) in zip(range(num_iterations), _endless(train_loader), strict=False):
            if iteration % EVALUATE_EVERY == 0:
                curve.accuracies.append((iteration, _accuracy(model, valid_batch, fault)))
                report(curve)
            if fault != "no train() after eval()":
                model.train()
            if fault == "shuffled labels":
                # As if shuffled over the whole split; within a batch, one label in 64 would stay right.
                labels = torch.randint(0, 10, labels.shape, generator=generator)
            curve.losses.append(_iteration(model, optimizer, images, labels, fault))
        curve.accuracies.append((num_iterations, _accuracy(model, valid_batch, fault)))
        report(curve)
        return curve


def _endless(loader: Iterable) -> Iterator:
    while True:
        yield from loader


def _iteration(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, fault: str
) -> float:
    """Take one training iteration with its fault, and return the loss."""
    if fault not in ("no zero_grad", "zero_grad before step"):
        optimizer.zero_grad()
    logits = model(images)
    if fault == "softmax first":
        logits = logits.softmax(dim=1)
    loss = nn.functional.cross_entropy(logits, labels)
    if fault == "step before backward":
        optimizer.step()
    loss.backward()
    if fault == "zero_grad before step":
        optimizer.zero_grad()
    if fault != "step before backward":
        optimizer.step()
    return loss.item()


def _accuracy(model: nn.Module, batch: tuple[Tensor, Tensor], fault: str) -> float:
    if fault != "no eval()":
        model.eval()
    images, labels = batch
    with torch.no_grad():
        return (model(images).argmax(dim=1) == labels).double().mean().item()
