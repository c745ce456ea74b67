"""Observing what a student's losses do: their values and slopes, and what they leave behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from fmnist_helpers.exercises.observation import Array, Call, Seen
from fmnist_helpers.exercises.observe import call, copy_of, describe, is_still
from fmnist_helpers.exercises.remote import observer
from fmnist_helpers.exercises.toy import small_model

MODES = (True, False)
"""``model.training`` as a loss finds it, call by call."""
MOST_OPERATIONS = 500


class ModelLossProblem(msgspec.Struct, frozen=True):
    """Images, float32 of shape (N, 1, 3, 3), labels, int64 of shape (N,), and the state of a ``small_model``."""

    images: Array
    labels: Array
    weights: dict[str, Array]


class LogitsProblem(msgspec.Struct, frozen=True):
    """Batches of logits, float32 of shape (N, C), and labels, int64 of shape (N,): one call each."""

    batches: list[tuple[Array, Array]]
    with_graph: bool
    """Whether the logits require a gradient, so that the slopes are measured, too."""


class BatchLosses(msgspec.Struct, frozen=True):
    """The mean loss of each batch and its size."""

    losses: list[float]
    sizes: list[int]


class LossSeen(msgspec.Struct, frozen=True):
    """One call of a loss."""

    call: Call
    slopes: Call | None = None
    """``torch.autograd.grad`` of the result by parameters or logits: a tuple of tensors, None where nothing leads."""
    changed: list[str] = []
    """What of the things handed over is no longer as it was; ``.grad`` if one was filled, ``.grad emptied`` if the
    gradients that were there are gone."""
    operations: list[str] = []
    """PyTorch's functions that took part, in the order of their first use."""
    entered: Seen | None = None
    """Logits and labels as they entered PyTorch's cross-entropy the last time."""
    modes: list[bool] = []
    """``training`` of the model's linear layers, and of copies of them, while they computed."""


class LossesSeen(msgspec.Struct, frozen=True):
    """The calls of a loss, one after the other."""

    runs: list[LossSeen]


@observer
def observe_model_loss(function: Callable, problem: ModelLossProblem) -> LossesSeen:
    """Call ``function(model, images, labels)`` once in each mode, each time with a new model of the same weights."""
    return LossesSeen([_measure_model(function, problem, training) for training in MODES])


@observer
def observe_cross_entropy(function: Callable, problem: LogitsProblem) -> LossesSeen:
    """Call ``function(logits, labels)`` once for each batch."""
    return LossesSeen([_measure_logits(function, *batch, problem.with_graph) for batch in problem.batches])


@observer
def observe_loss_over_batches(function: Callable, problem: BatchLosses) -> Call:
    """Call ``function(batch_losses, batch_sizes)`` with tensors that hold a graph, as a loss returns them."""
    weight = torch.ones((), requires_grad=True)
    with torch.random.fork_rng(devices=[]):
        return call(function, [weight * loss for loss in problem.losses], list(problem.sizes))[0]


def as_tensor(given: Array) -> Tensor:
    """Return the numbers as a tensor of their own dtype."""
    return given.tensor().to(getattr(torch, given.dtype))


def model_of(problem: ModelLossProblem) -> nn.Module:
    """Return a new model with the weights of the problem."""
    model = small_model()
    model.load_state_dict({name: as_tensor(weight) for name, weight in problem.weights.items()})
    return model


def _measure_model(function: Callable, problem: ModelLossProblem, training: bool) -> LossSeen:
    model = model_of(problem).train(training)
    images, labels = as_tensor(problem.images), as_tensor(problem.labels)
    modules, parameters = list(model.modules()), list(model.parameters())
    # Between two batches of a group the loop still needs the gradients of the first.
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)

    def handed() -> dict[str, list[Tensor | None]]:
        modes = torch.tensor([module.training is True for module in modules])
        of_model = {"parameters": parameters, ".grad": [one.grad for one in parameters], "mode": [modes]}
        return {"images": [images], "labels": [labels], **of_model}

    modes: list[bool] = []

    def heard(module: nn.Module, _: Any) -> None:
        # A loss may be a module as well, and has a mode of its own; but only the model has linear layers.
        if type(module) is nn.Linear and len(modes) < MOST_OPERATIONS:
            modes.append(module.training is True)

    hook = register_module_forward_pre_hook(heard)
    try:
        seen = _measure(function, (model, images, labels), handed, parameters)
    finally:
        hook.remove()
    seen = msgspec.structs.replace(seen, modes=modes)
    if ".grad" in seen.changed and all(one.grad is None or not one.grad.any() for one in parameters):
        emptied = [".grad emptied" if name == ".grad" else name for name in seen.changed]
        seen = msgspec.structs.replace(seen, changed=emptied)
    return seen


def _measure_logits(function: Callable, numbers: Array, classes: Array, with_graph: bool) -> LossSeen:
    leaf, labels = as_tensor(numbers).requires_grad_(with_graph), as_tensor(classes)
    # As in training, logits are the result of something; so a change in place is seen, not refused by PyTorch.
    logits = leaf.clone()

    def handed() -> dict[str, list[Tensor | None]]:
        return {"logits": [logits], "labels": [labels], ".grad": [leaf.grad]}

    return _measure(function, (logits, labels), handed, [leaf] if with_graph else [])


def _measure(function: Callable, arguments: tuple, handed: Callable, leaves: list[Tensor]) -> LossSeen:
    """Call a loss, look at what was handed over before and after, and differentiate the result by ``leaves``."""

    before = {
        name: [None if part is None else copy_of(part) for part in parts] for name, parts in handed().items()
    }
    heard, slopes = _Heard(), None
    with torch.random.fork_rng(devices=[]):
        with heard:
            seen, result = call(function, *arguments)
        changed = [name for name, parts in handed().items() if not all(map(_as_before, parts, before[name]))]
        if leaves and issubclass(type(result), Tensor):
            slopes, _ = call(torch.autograd.grad, result, leaves, allow_unused=True)
    return LossSeen(seen, slopes, changed, list(heard.names), heard.entered)


def _as_before(part: Tensor | None, copy: Tensor | None) -> bool:
    return part is copy if part is None or copy is None else is_still(part, copy)


class _Heard(TorchFunctionMode):
    """Notes which of PyTorch's functions are called, and what enters its cross-entropy."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}
        self.entered: Seen | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if len(self.names) < MOST_OPERATIONS:
            self.names[str(getattr(func, "__name__", ""))] = None
        if func is nn.functional.cross_entropy:
            self.entered = describe(
                [*args, *(kwargs[name] for name in ("input", "target") if name in kwargs)][:2]
            )
        return func(*args, **kwargs)
