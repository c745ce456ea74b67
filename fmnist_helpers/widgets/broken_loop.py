"""The training loop with one deliberate bug, for "break the loop" of lesson 05."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor, nn

from fmnist_helpers.model import NeuralNetwork

RIGHT = "no bug"
BUGS = (
    "no zero_grad",
    "step before backward",
    "zero_grad before step",
    "softmax first",
    "rate x 100",
    "shuffled labels",
    "no eval()",
    "no train() after eval()",
)
DROPOUT_BUGS = ("no eval()", "no train() after eval()")
"""Bugs of the mode; they do nothing to a model without dropout, so they run on one that has it."""

TOLD = {
    "no zero_grad": "At rate 0.1 the growing sum of gradients makes ever larger steps, and what was learnt is lost. "
    "At 0.001 the same sum acts like a larger rate and helps, in so short a run.",
    "step before backward": "zero_grad has just cleared the gradients, so each step moves nothing, at any rate.",
    "zero_grad before step": "The gradients are thrown away before they are used: nothing moves, at any rate.",
    "softmax first": "It learns more slowly at every rate, and its loss cannot fall below 1.46, however right it is.",
    "rate x 100": "From 0.001 to 0.1 it helps a lot: the tutorial's rate is tiny. From 0.1 to 10 it diverges.",
    "shuffled labels": "The loss stays near ln 10 and the accuracy near chance: there is nothing to learn.",
    "no eval()": "The model has learnt just as well, but it is judged with half of its units switched off.",
    "no train() after eval()": "Dropout never comes back. The loss even looks better, because nothing disturbs "
    "the training; only in a long run would the missing dropout be felt.",
}
"""What each bug does, measured on both data sets with several seeds."""

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


class OwnDropout(nn.Dropout):
    """Dropout that draws from a generator of its own."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        super().__init__(share)
        self.generator = generator

    def forward(self, values: Tensor) -> Tensor:
        """Return the values with a part of them set to 0, and the others enlarged, in training mode."""
        if not self.training:
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.generator)
        return values * kept / (1 - self.p)


def make_model(generator: torch.Generator, *, dropout: float = 0.0) -> nn.Module:
    """Return the course's network, with dropout after each ReLU if a share is given.

    First weights and dropout are those that PyTorch draws, but from this generator alone: a run in a thread must not
    draw from the global source, which the lesson uses meanwhile.
    """
    with torch.device("meta"):
        stack = NeuralNetwork().linear_relu_stack
    layers: list[nn.Module] = []
    for layer in stack.to_empty(device="cpu"):
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            for values in (layer.weight, layer.bias):
                nn.init.uniform_(values, -bound, bound, generator=generator)
        layers += (
            [layer, OwnDropout(dropout, generator)] if dropout and isinstance(layer, nn.ReLU) else [layer]
        )
    return nn.Sequential(nn.Flatten(), *layers)


def train_with_bug(
    bug: str,
    rate: float,
    train_loader: Iterable[tuple[Tensor, Tensor]],
    valid_batch: tuple[Tensor, Tensor],
    *,
    dropout: bool = False,
    seed: int = 0,
    num_iterations: int = NUM_ITERATIONS,
    report: Callable[[Curve], None] = lambda curve: None,
) -> Curve:
    """Train with SGD for some iterations, with one bug in each, and return the losses and accuracies.

    Args:
        bug: one of ``BUGS``, or ``RIGHT``.
        rate: the learning rate.
        train_loader: yields batches ``(images, labels)``; started again at its end.
        valid_batch: the validation samples, evaluated every 25 iterations.
        dropout: use the network with dropout.
        seed: of first weights, dropout and label shuffling; the same seed repeats a run.
        num_iterations: how many batches to train on.
        report: called with the curve so far after each evaluation.

    Raises:
        ValueError: if there is no such bug.
    """
    if bug not in (*BUGS, RIGHT):
        raise ValueError(f"there is no bug {bug!r}; choose one of {', '.join(map(repr, (RIGHT, *BUGS)))}")
    curve, batches = Curve(), islice(_endless(train_loader), num_iterations)
    generator = torch.Generator().manual_seed(seed)
    model = make_model(generator, dropout=0.5 if dropout else 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate * (100 if bug == "rate x 100" else 1))
    of_labels = torch.Generator().manual_seed(seed)
    for iteration, (images, labels) in enumerate(batches):
        if iteration % EVALUATE_EVERY == 0:
            curve.accuracies.append((iteration, _accuracy(model, valid_batch, bug)))
            report(curve)
        if bug == "shuffled labels":
            # As if shuffled over the whole split; within a batch, one label in 64 would stay right.
            labels = torch.randint(0, 10, labels.shape, generator=of_labels)
        curve.losses.append(_iteration(model, optimizer, images, labels, bug))
    curve.accuracies.append((num_iterations, _accuracy(model, valid_batch, bug)))
    report(curve)
    return curve


def _endless(loader: Iterable) -> Iterator:
    while True:
        yield from loader


def _iteration(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, bug: str
) -> float:
    """Take one training iteration with its bug, and return the loss."""
    if bug != "no train() after eval()":
        model.train()
    if bug not in ("no zero_grad", "zero_grad before step"):
        optimizer.zero_grad()
    logits = model(images)
    if bug == "softmax first":
        logits = logits.softmax(dim=1)
    loss = nn.functional.cross_entropy(logits, labels)
    if bug == "step before backward":
        optimizer.step()
    loss.backward()
    if bug == "zero_grad before step":
        optimizer.zero_grad()
    if bug != "step before backward":
        optimizer.step()
    return loss.item()


def _accuracy(model: nn.Module, batch: tuple[Tensor, Tensor], bug: str) -> float:
    if bug != "no eval()":
        model.eval()
    images, labels = batch
    with torch.no_grad():
        return (model(images).argmax(dim=1) == labels).double().mean().item()
