"""Observing exercise 05: runs an evaluation or a training loop on samples and weights that the judging side chose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from fmnist_helpers.exercises.observation import Array, Call, Event
from fmnist_helpers.exercises.observe import arrays, call, events
from fmnist_helpers.exercises.recorder import Trace, trace_training
from fmnist_helpers.exercises.remote import observer
from fmnist_helpers.exercises.toy import small_model
from fmnist_helpers.watch import WatchedLoader

MOST_EVENTS, MOST_BATCHES = 5_000, 1_000
DROPOUT = 0.5


class Samples(msgspec.Struct, frozen=True):
    """What every loop of this exercise runs on."""

    images: Array
    """float32 of shape (N, 1, 3, 3)."""
    labels: Array
    """int64 of shape (N,)."""
    batch_size: int
    parameters: list[Array]
    """Of the small model, in its order."""


class Evaluation(msgspec.Struct, frozen=True):
    """A model to be evaluated."""

    samples: Samples
    arguments: list[int] = []
    """What the function takes after the loader and the model."""


class Training(msgspec.Struct, frozen=True):
    """A model to be trained for one epoch."""

    samples: Samples
    argument: int | float
    """What the function takes after the optimiser."""
    rate: float
    momentum: float
    smoothing: float
    """Of the labels, in the loss."""


class Evaluated(msgspec.Struct, frozen=True):
    """What was seen of an evaluation."""

    call: Call
    events: list[Event] = []
    changed: list[str] = []
    """What is no longer as it was: ``images``, ``labels``, ``parameters``, ``parameters' requires_grad`` or
    ``gradients in .grad``, which were there from an earlier batch."""


class Trained(msgspec.Struct, frozen=True):
    """What was seen of a training loop."""

    call: Call
    events: list[Event] = []
    changed: list[str] = []
    """What is no longer as it was, beside the parameters: ``images``, ``labels``."""
    parameters: list[Array] = []
    """After the loop; none if they cannot be read any more."""
    graphs_alive: int = 0
    losses_that_waited: int = 0
    """How many losses were differentiated only after the next batch had gone through the model."""


@observer
def observe_evaluation(function: Any, problem: Evaluation) -> Evaluated:
    """Run ``function(dataloader, model, *arguments)`` on a model with dropout that is left in training mode."""
    model = _model(problem.samples, DROPOUT).train()
    loader, kept = _loader(problem.samples), _kept(problem.samples)
    # Whoever evaluates in the middle of a group of batches still needs its gradients.
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    slopes = [torch.ones_like(values) for values in before]
    trace, seen = _traced(function, loader, model, *problem.arguments)
    changed = _changed(kept, loader)
    if not _same(before, list(model.parameters())):
        changed.append("parameters")
    elif not all(parameter.requires_grad for parameter in model.parameters()):
        changed.append("parameters' requires_grad")
    elif not _same(slopes, [parameter.grad for parameter in model.parameters()]):
        changed.append("gradients in .grad")
    return Evaluated(seen, events(trace)[:MOST_EVENTS], changed)


@observer
def observe_training(function: Any, problem: Training) -> Trained:
    """Run ``function(dataloader, model, loss_fn, optimizer, argument)``.

    As in a notebook, evaluation mode and a gradient are left over from what was done before.
    """
    model = _model(problem.samples)
    loader, kept = _loader(problem.samples), _kept(problem.samples)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=problem.smoothing)
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.rate, momentum=problem.momentum)
    loss_fn(model(kept[0]), kept[1]).backward()
    model.eval()
    trace, seen = _traced(function, loader, model, loss_fn, optimizer, problem.argument)
    try:
        parameters = arrays(model.parameters())
    except Exception:
        parameters = []
    return Trained(
        seen,
        events(trace)[:MOST_EVENTS],
        _changed(kept, loader),
        parameters,
        trace.graphs_alive,
        trace.losses_that_waited,
    )


def _traced(function: Any, loader: DataLoader, model: nn.Module, *arguments: Any) -> tuple[Trace, Call]:
    bounded = WatchedLoader(loader, _bound())
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        trace = trace_training(lambda *passed: call(function, *passed)[0], bounded, model, *arguments)
    return trace, trace.result


def _bound() -> Callable[[], None]:
    """Return what ends a loop that takes batches without end."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1
        if taken > MOST_BATCHES:
            raise RuntimeError(f"more than {MOST_BATCHES} batches were taken from the loader")

    return count


def _model(samples: Samples, dropout: float = 0.0) -> nn.Module:
    model = small_model(dropout=dropout)
    with torch.no_grad():
        for parameter, values in zip(model.parameters(), samples.parameters, strict=True):
            parameter.copy_(values.tensor())
    return model


def _kept(samples: Samples) -> tuple[Tensor, Tensor]:
    return samples.images.tensor().float(), samples.labels.tensor().long()


def _loader(samples: Samples) -> DataLoader:
    return DataLoader(TensorDataset(*_kept(samples)), batch_size=samples.batch_size)


def _changed(kept: tuple[Tensor, Tensor], loader: DataLoader) -> list[str]:
    try:
        now = loader.dataset.tensors
        names = ("images", "labels")
        return [name for name, a, b in zip(names, kept, now, strict=True) if not _same([a], [b])]
    except Exception:
        return ["images", "labels"]


def _same(before: list[Tensor], after: list[Tensor]) -> bool:
    try:
        return all(torch.equal(a, b.detach()) for a, b in zip(before, after, strict=True))
    except Exception:
        return False
