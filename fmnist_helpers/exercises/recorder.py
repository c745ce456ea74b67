"""Records what a loop does, in which order: ``trace_training`` runs any loop and returns the events.

The recorder changes no number. It wraps the loader and the loss that the loop is given. Model and optimiser are left
as they are, so that they can be copied, saved, and handed to a schedule; while the loop runs, the methods of their
classes report what is called.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fmnist_helpers.watch import WatchedLoader, WatchedLoss

KINDS = ("batch", "zero_grad", "forward", "loss", "backward", "step")
"""What happens in an iteration, in the order of the course; ``train`` and ``eval`` come beside them."""
TWO_WAYS = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
"""Layers that do another thing in training than in evaluation."""


@dataclass(frozen=True)
class Event:
    """One thing that a loop did."""

    kind: str
    """One of ``KINDS``, or ``train`` or ``eval`` where the model's mode was set."""
    batch: int
    """Number of the batch at work, from 1; 0 before the first."""
    training: bool
    """Whether the model was in training mode: its dropout and normalisation, if it has any, or else the model."""
    grad_enabled: bool
    """Whether PyTorch kept the graph: gradients were on, and the model has parameters that ask for one."""
    gradient: float
    """Length of the gradient in ``.grad``, all parameters together, before the event."""
    value: float | None = None
    """For ``forward`` the number of images, for ``loss`` the loss, for ``backward`` the weight with which the loss was
    differentiated (1 if unscaled); None where it cannot be known."""


@dataclass
class Trace:
    """The events of a run, what the loop returned, and how many graphs were alive at once."""

    events: list[Event] = field(default_factory=list)
    result: Any = None
    graphs_alive: int = 0
    """Largest number of losses whose graph was still held when the next batch was computed."""
    losses_that_waited: int = 0
    """How many losses were differentiated only after the next batch had been computed."""

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
        """Draw the timeline: one row a kind of event, the gradient below."""
        from fmnist_helpers.exercises.timeline import plot_timeline

        return plot_timeline(self.events, KINDS, title)


def trace_training(
    function: Callable[..., Any], dataloader, model: nn.Module, *arguments, **options
) -> Trace:
    """Run ``function(dataloader, model, *arguments, **options)`` and record what it does.

    Args:
        function: a loop such as ``train_loop`` or ``test_loop``, or one of your own.
        dataloader: yields ``(images, labels)``; a list of batches will do.
        model: any module; its ``train`` and ``eval`` and every forward pass are recorded, and those of its copies.
        arguments: passed on. An optimiser is listened to, and a loss function (any other callable) is wrapped, so
            that its value and the call of ``backward`` on it, scaled or not, are seen.
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
        # Kept, because torch.func puts other tensors in their place while it runs.
        self.parameters = list(model.parameters())
        self.form = _form(model)
        self.layers: weakref.WeakKeyDictionary[nn.Module, tuple[str, weakref.ref]] = (
            weakref.WeakKeyDictionary()
        )
        self.adopt(model)
        self.first_layer: str | None = None
        self.trace = Trace()
        self.fetched = self.forwards = 0
        self.between = self.inside = False
        self.graphs: weakref.WeakSet[_Differentiated] = weakref.WeakSet()
        self.passes_recorded = 0

    def batch(self) -> int:
        """Return the number of the batch at work.

        A loop may fetch all batches first, so forward passes count; it may look at a batch twice, so no number is
        higher than that of the batches fetched.
        """
        if self.between and self.fetched <= self.forwards + 1:
            return self.fetched
        return min(self.forwards, self.fetched or self.forwards)

    def fetch(self) -> None:
        """Record that the loop has been given a batch."""
        self.fetched, self.between = self.fetched + 1, True
        self.add("batch")

    def loss(self, loss: Any) -> Any:
        """Record a loss, and listen for its being differentiated."""
        if isinstance(loss, Tensor):
            self.add("loss", _number(loss))
            if loss.requires_grad:
                listener = _Differentiated(self)
                self.graphs.add(listener)
                loss.register_hook(listener)
        return loss

    def add(self, kind: str, value: float | None = None, model: nn.Module | None = None) -> None:
        grads = [p.grad.detach().flatten() for p in self.parameters if p.grad is not None]
        gradient = torch.cat(grads).norm().item() if grads else 0.0
        model = self.model if model is None else model
        graph = torch.is_grad_enabled() and any(p.requires_grad for p in model.parameters())
        self.trace.events.append(Event(kind, self.batch(), _is_training(model), graph, gradient, value))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record until the end of the block; then every class is as it was."""
        optimizers = Optimizer if self.optimizer is None else type(self.optimizer)
        step_hook = register_optimizer_step_pre_hook(self._step)
        with ExitStack() as stack:
            stack.callback(step_hook.remove)
            for kind, name, instead in (
                (nn.Module, "__call__", self._called),
                (type(self.model), "train", self._train),
                (type(self.model), "zero_grad", self._zero_grad),
                (optimizers, "zero_grad", self._zero_grad),
            ):
                stack.enter_context(_replaced(kind, name, instead))
            yield

    def is_the_model(self, module: nn.Module) -> bool:
        """Return whether a module is the model, or a copy of it."""
        return module is self.model or (type(module) is type(self.model) and _form(module) == self.form)

    def adopt(self, model: nn.Module) -> None:
        """Know the layers of the model, or of a copy, by name and owner."""
        for name, layer in model.named_modules():
            if name:
                self.layers[layer] = name, weakref.ref(model)

    def _called(self, original: Callable[..., Any], module: nn.Module, /, *inputs: Any, **named: Any) -> Any:
        whole = None if self.inside else self._model_that_starts(module)
        if whole is None:
            return original(module, *inputs, **named)
        self._pass_starts(whole, next(iter([*inputs, *named.values()]), None))
        self.inside = module is whole
        try:
            return original(module, *inputs, **named)
        finally:
            self.inside = False

    def _model_that_starts(self, module: nn.Module) -> nn.Module | None:
        """Return the model, or its copy, of which a forward pass starts with the call of this module, if any does."""
        if self.is_the_model(module):
            return module
        # model.forward, or layer after layer: the layer that came first stands for the pass.
        name, owner = self.layers.get(module, (None, None))
        self.first_layer = self.first_layer or name
        return owner() if owner is not None and name == self.first_layer else None

    def _pass_starts(self, whole: nn.Module, images: Any) -> None:
        self.trace.graphs_alive = max(self.trace.graphs_alive, len(self.graphs))
        self.forwards, self.between = self.forwards + 1, False
        self.add("forward", float(len(images)) if isinstance(images, Tensor) and images.ndim else None, whole)
        self.passes_recorded += self.trace.events[-1].grad_enabled

    def _train(self, original: Callable[..., Any], module: nn.Module, mode: bool = True) -> nn.Module:
        if self.is_the_model(module):
            self.adopt(module)
            self.add("train" if mode else "eval", model=module)
        return original(module, mode)

    def _zero_grad(self, original: Callable[..., Any], owner: Any, *arguments: Any, **options: Any) -> None:
        if self.is_the_model(owner) if isinstance(owner, nn.Module) else self._holds_parameters(owner):
            self.add("zero_grad")
        original(owner, *arguments, **options)

    def _step(self, optimizer: Optimizer, arguments: tuple, options: dict) -> tuple[tuple, dict] | None:
        if not self._holds_parameters(optimizer):
            return None
        closure = options.get("closure") or next(iter(arguments[1:]), None)
        if closure is None:
            self.add("step")
            return None
        # A step with a closure moves the weights after the closure has filled .grad.
        return (arguments[0], self._before_the_step(closure)), {}

    def _before_the_step(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        told = False

        @wraps(closure)
        def called() -> Any:
            nonlocal told
            result = closure()
            if not told:
                self.add("step")
            told = True
            return result

        return called

    def _holds_parameters(self, optimizer: Optimizer) -> bool:
        ours = set(map(id, self.parameters))
        return any(id(held) in ours for group in optimizer.param_groups for held in group["params"])


class _Differentiated:
    """Hangs on a loss and reports when it is differentiated; it lives as long as the loss's graph."""

    def __init__(self, recorder: _Recorder) -> None:
        self.recorder, self.passes, self.batch = recorder, recorder.passes_recorded, recorder.batch()
        self.counted = False

    def __call__(self, gradient: Tensor) -> None:
        # A batch may be looked at twice, or without a graph; neither makes its loss wait for the next one.
        later = self.recorder.passes_recorded > self.passes and self.recorder.batch() > self.batch
        if later and not self.counted:
            self.counted = True
            self.recorder.trace.losses_that_waited += 1
        self.recorder.add("backward", _number(gradient))


@contextmanager
def _replaced(kind: type, name: str, instead: Callable[..., Any]) -> Iterator[None]:
    """Let ``instead(original, self, ...)`` do a method of a class, where the class or one above it defines it."""
    owner = next(above for above in kind.__mro__ if name in vars(above))
    original = vars(owner)[name]

    @wraps(original)
    def method(self: Any, /, *arguments: Any, **options: Any) -> Any:
        return instead(original, self, *arguments, **options)

    setattr(owner, name, method)
    try:
        yield
    finally:
        setattr(owner, name, original)


def _form(model: nn.Module) -> list[Any]:
    """Return what a model and its copies have in common."""
    return [[type(layer) for layer in model.modules()], [parameter.shape for parameter in model.parameters()]]


def _is_training(model: nn.Module) -> bool:
    two_ways = [layer.training for layer in model.modules() if isinstance(layer, TWO_WAYS)]
    return any(two_ways or [model.training])


def _number(tensor: Tensor) -> float | None:
    try:
        return tensor.detach().mean().item()
    except RuntimeError:  # of many samples at once, under torch.func.vmap
        return None


def _words(event: Event) -> str:
    if event.value is None:
        return event.kind
    if event.kind == "loss":
        return f"loss {event.value:.3f}"
    if event.kind == "backward" and abs(event.value - 1) > 1e-6:
        return f"backward (weight {event.value:.3g})"
    return event.kind
