"""Observing the exercises on lesson 04: an order of lines, a gradient descent, steps with momentum."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from fmnist_helpers.exercises.observation import Array, Call, Seen
from fmnist_helpers.exercises.observe import call, describe
from fmnist_helpers.exercises.remote import observer

# --- the order of a training step --------------------------------------------------------------------------


class Batches(msgspec.Struct, frozen=True):
    """The batches of the small problem on which the lines of an iteration are carried out."""

    num_batches: int
    seed: int


@observer
def observe_order(order: Any, problem: Batches) -> Seen:
    """Describe the student's answer; it is a text, so the judging side can carry it out itself."""
    return describe(order)


# --- gradient descent --------------------------------------------------------------------------------------


class Walk(msgspec.Struct, frozen=True):
    """One descent: where it starts, and how many steps it takes."""

    start: Array
    num_steps: int
    slope: Array | None = None
    """What the start carries in ``.grad``; if there is something, it is marked with ``requires_grad``."""


class Valley(msgspec.Struct, frozen=True):
    """The sum of ``steepness * (point - lowest) ** 2`` over all numbers of a point, and the walks in it."""

    lowest: Array
    steepness: Array
    learning_rate: float
    walks: list[Walk]


class SeenWalk(msgspec.Struct, frozen=True):
    """What came of one call of ``descend``."""

    call: Call
    start: Seen
    slope: Seen
    """The start after the call, whose ``graph`` says whether it is marked, and its ``.grad``."""
    num_values: int
    """How often the function was asked for its value."""


class SeenDescent(msgspec.Struct, frozen=True):
    """What came of all walks in a valley."""

    walks: list[SeenWalk]


@observer
def observe_descend(function: Callable, problem: Valley) -> SeenDescent:
    """Call ``descend(function, start, learning_rate, num_steps)`` once for each walk, all float32."""
    with torch.random.fork_rng(devices=[]):
        return SeenDescent([_observe_walk(function, problem, walk) for walk in problem.walks])


def _observe_walk(function: Callable, problem: Valley, walk: Walk) -> SeenWalk:
    lowest, steepness = _float(problem.lowest), _float(problem.steepness)
    num_values = 0

    def valley(point: Tensor) -> Tensor:
        nonlocal num_values
        num_values += 1
        return (steepness * (point - lowest) ** 2).sum()

    start = _float(walk.start)
    if walk.slope is not None:
        start.requires_grad_().grad = _float(walk.slope)
    seen, _ = call(function, valley, start, problem.learning_rate, walk.num_steps)
    # A student's line may have made start the result of an operation; such a one has no .grad.
    return SeenWalk(seen, describe(start), describe(start.grad if start.is_leaf else None), num_values)


# --- steps with momentum -----------------------------------------------------------------------------------


class Update(msgspec.Struct, frozen=True):
    """One step: the gradient of each parameter, or None, and the learning rate."""

    gradients: list[Array | None]
    learning_rate: float


class Momentum(msgspec.Struct, frozen=True):
    """Parameters and velocities before the first step, and the steps."""

    parameters: list[Array]
    marks: list[bool]
    """The ``requires_grad`` of each parameter."""
    velocities: list[Array]
    momentum: float
    updates: list[Update]


class SeenUpdate(msgspec.Struct, frozen=True):
    """What came of one call of ``nesterov_step``: the tensors that it was given, as they are afterwards."""

    call: Call
    parameters: list[Seen]
    velocities: list[Seen]
    gradients: list[Seen]
    parameters_kept: bool
    """Whether the list of parameters holds the same tensors as before the first step."""
    velocities_kept: bool
    forbidden: str
    """Name of what ran of ``torch.optim``, the first thing alone."""


class SeenMomentum(msgspec.Struct, frozen=True):
    """What came of the steps, up to the first that raised an error."""

    updates: list[SeenUpdate]


@observer
def observe_momentum(function: Callable, problem: Momentum) -> SeenMomentum:
    """Call ``nesterov_step(parameters, velocities, learning_rate, momentum)`` for each step, all float32."""
    parameters = [
        nn.Parameter(_float(numbers), requires_grad=mark)
        for numbers, mark in zip(problem.parameters, problem.marks, strict=True)
    ]
    velocities = [_float(numbers) for numbers in problem.velocities]
    given, memory = list(parameters), list(velocities)
    updates: list[SeenUpdate] = []
    with torch.random.fork_rng(devices=[]):
        for update in problem.updates:
            if not _set_gradients(parameters, update):
                break
            with _watching_torch_optim() as forbidden:
                seen, _ = call(function, given, memory, update.learning_rate, problem.momentum)
            updates.append(
                SeenUpdate(
                    seen,
                    [describe(parameter) for parameter in parameters],
                    [describe(velocity) for velocity in velocities],
                    [describe(parameter.grad) for parameter in parameters],
                    list(map(id, given)) == list(map(id, parameters)),
                    list(map(id, memory)) == list(map(id, velocities)),
                    "".join(forbidden),
                )
            )
            if seen.result is None or not seen.callable:
                break
    return SeenMomentum(updates)


def _set_gradients(parameters: list[Tensor], update: Update) -> bool:
    """Return False where a parameter takes its gradient no more: the student changed its shape or dtype."""
    try:
        for parameter, gradient in zip(parameters, update.gradients, strict=True):
            parameter.grad = None if gradient is None else _float(gradient)
    except (RuntimeError, TypeError):
        return False
    return True


@contextmanager
def _watching_torch_optim() -> Iterator[list[str]]:
    """Collect the name of the first function of ``torch.optim`` that this thread runs."""
    names: list[str] = []

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        module = str(frame.f_globals.get("__name__"))
        # The body of a module runs when it is imported, and an import uses nothing yet.
        name = frame.f_code.co_qualname.split(".")[0]
        if event == "call" and not names and f"{module}.".startswith("torch.optim.") and name != "<module>":
            names.append(f"torch.optim.{name}")

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield names
    finally:
        sys.setprofile(before)


def _float(numbers: Array) -> Tensor:
    return numbers.tensor().float()
