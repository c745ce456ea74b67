"""Records what a loop does, in which order: ``trace_training`` runs any loop and returns the events.

The recorder changes no number. It wraps the loader and the loss that the loop is given, and listens to the model
and the optimiser while the loop runs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fmnist_helpers.watch import WatchedLoader, WatchedLoss

KINDS = ("batch", "zero_grad", "forward", "loss", "backward", "step")
"""What happens in an iteration, in the order of the course; ``train`` and ``eval`` come beside them."""


@dataclass(frozen=True)
class Event:
    """One thing that a loop did."""

    kind: str
    """One of ``KINDS``, or ``train`` or ``eval`` where the model's mode was set."""
    batch: int
    """Number of the batch at work, from 1; 0 before the first."""
    training: bool
    """Whether the model was in training mode."""
    grad_enabled: bool
    """Whether PyTorch kept the graph."""
    gradient: float
    """Length of the gradient in ``.grad``, all parameters together, before the event."""
    value: float | None = None
    """For ``loss`` the loss, for ``backward`` the weight with which it was differentiated (1 if unscaled)."""


@dataclass
class Trace:
    """The events of a run, what the loop returned, and how many graphs were alive at once."""

    events: list[Event] = field(default_factory=list)
    result: Any = None
    graphs_alive: int = 0
    """Largest number of losses whose graph was still held when the next batch was computed."""

    def of(self, kind: str) -> list[Event]:
        """Return the events of one kind."""
        return [event for event in self.events if event.kind == kind]

    def kinds(self, batch: int | None = None) -> list[str]:
        """Return the kinds of all events in order, or of one batch without ``batch`` itself."""
        return [
            event.kind
            for event in self.events
            if batch is None or (event.batch == batch and event.kind != "batch")
        ]

    def __str__(self) -> str:
        lines = []
        for number in sorted({event.batch for event in self.events}):
            events = [event for event in self.events if event.batch == number and event.kind != "batch"]
            if events:
                lines.append(
                    f"{f'batch {number}' if number else 'before':8s} " + " > ".join(map(_words, events))
                )
        return "\n".join(lines)

    def plot(self, title: str = "What the loop does"):
        """Draw the timeline: one row a kind of event, the gradient below. Returns the two Axes."""
        from fmnist_helpers.exercises.timeline import plot_timeline

        return plot_timeline(self.events, KINDS, title)


def trace_training(
    function: Callable[..., Any], dataloader, model: nn.Module, *arguments, **options
) -> Trace:
    """Run ``function(dataloader, model, *arguments, **options)`` and record what it does.

    Args:
        function: a loop such as ``train_loop`` or ``test_loop``, or one of your own.
        dataloader: yields ``(images, labels)``; a list of batches will do.
        model: any module; its ``train`` and ``eval`` and every forward pass are recorded.
        arguments: passed on. An optimiser among them is listened to, and a loss function (any other callable)
            is wrapped, so that its value and the call of ``backward`` on it, scaled or not, are seen.
        options: passed on as they are.

    Returns:
        The trace; ``trace.result`` is what the function returned.
    """
    recorder = _Recorder(model, next((a for a in arguments if isinstance(a, Optimizer)), None))
    passed = [
        WatchedLoss(a, recorder.loss) if callable(a) and not isinstance(a, Optimizer | type) else a
        for a in arguments
    ]
    watched = WatchedLoader(dataloader, recorder.fetch)
    with recorder.listening():
        recorder.trace.result = function(watched, model, *passed, **options)
    return recorder.trace


class _Recorder:
    """Listens to a model and an optimiser; loader and loss report to it."""

    def __init__(self, model: nn.Module, optimizer: Optimizer | None) -> None:
        self.model, self.optimizer = model, optimizer
        self.trace = Trace()
        self.fetched = self.forwards = 0
        self.between = False
        self.graphs: weakref.WeakSet[_Held] = weakref.WeakSet()

    def batch(self) -> int:
        """Return the number of the batch at work. A loop may fetch all batches first, so forward passes count."""
        return self.fetched if self.between and self.fetched == self.forwards + 1 else self.forwards

    def fetch(self) -> None:
        """Record that the loop has been given a batch."""
        self.fetched, self.between = self.fetched + 1, True
        self.add("batch")

    def loss(self, loss: Tensor) -> Tensor:
        """Record a loss; return one that reports when it is differentiated."""
        self.add("loss", loss.detach().mean().item())
        return _Marked.apply(loss, self) if loss.requires_grad else loss

    def add(self, kind: str, value: float | None = None) -> None:
        grads = [p.grad.detach().flatten() for p in self.model.parameters() if p.grad is not None]
        gradient = torch.cat(grads).norm().item() if grads else 0.0
        self.trace.events.append(
            Event(kind, self.batch(), self.model.training, torch.is_grad_enabled(), gradient, value)
        )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record until the end of the block; then model and optimiser are as they were."""
        hook = self.model.register_forward_pre_hook(self._forward)
        self.model.train = self._train
        if self.optimizer is not None:
            self.optimizer.zero_grad = self._reported("zero_grad", self.optimizer.zero_grad)
            self.optimizer.step = self._reported("step", self.optimizer.step)
            self.model.zero_grad = self._reported("zero_grad", self.model.zero_grad)
        try:
            yield
        finally:
            hook.remove()
            for owner in (self.model, self.optimizer):
                for name in ("train", "zero_grad", "step"):
                    getattr(owner, "__dict__", {}).pop(name, None)

    def _forward(self, module: nn.Module, inputs: Any) -> None:
        self.trace.graphs_alive = max(self.trace.graphs_alive, len(self.graphs))
        self.forwards, self.between = self.forwards + 1, False
        self.add("forward")

    def _train(self, mode: bool = True) -> nn.Module:
        self.add("train" if mode else "eval")
        return type(self.model).train(self.model, mode)

    def _reported(self, kind: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def reported(*arguments: Any, **options: Any) -> Any:
            self.add(kind)
            return method(*arguments, **options)

        return reported


class _Held:
    """Lives as long as the graph that holds it."""


class _Marked(torch.autograd.Function):
    """The identity; its node in the graph reports backward and tells how long the graph lives."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, recorder: _Recorder) -> Tensor:
        ctx.recorder, ctx.held = recorder, _Held()
        recorder.graphs.add(ctx.held)
        return loss.view_as(loss)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.recorder.add("backward", gradient.detach().mean().item())
        return gradient, None


def _words(event: Event) -> str:
    if event.kind == "loss":
        return f"loss {event.value:.3f}"
    if event.kind == "backward" and abs(event.value - 1) > 1e-6:
        return f"backward (weight {event.value:.3g})"
    return event.kind
