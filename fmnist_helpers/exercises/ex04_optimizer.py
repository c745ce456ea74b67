"""Checks of the exercises on lesson 04: the order of a training step, gradient descent, a step with momentum.

An order of lines is carried out and its updates are compared with those of plain gradient descent; a descent is
compared with its closed form in a round valley, and a step with momentum with ``torch.optim.SGD``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fmnist_helpers.exercises.old_check import (
    CheckFailed,
    call,
    close,
    expect_tensor,
    expect_type,
    fail,
    fail_in_form,
    passed,
)
from fmnist_helpers.exercises.recorder import Trace, trace_training
from fmnist_helpers.exercises.toy import CROSS_ENTROPY, parameters_of, small_loader, small_model

LINES = {
    "A": "optimizer.step()",
    "B": "logits = model(images)",
    "C": "optimizer.zero_grad()",
    "D": "loss = loss_fn(logits, labels)",
    "E": "loss.backward()",
    "F": "model.eval()",
    "G": "logits = logits.softmax(dim=1)",
}
"""The lines that an iteration may be put together from."""

NUM_NEEDED = 5
RATE = 0.5


# --- the order of a training step --------------------------------------------------------------------------


def check_order(order: Any, *, num_batches: int = 3, seed: int = 0) -> None:
    """Check ``order``, a text of letters: the lines of an iteration, carried out for a few batches.

    Everything but letters is passed over, and small letters are as good as capital ones.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "order"
    expect_type(task, order, str, "the answer", "order")
    letters = re.sub(r"[\W\d_]", "", order).upper()
    _check_letters(task, letters)
    loader = small_loader(num_batches * 4, 4, seed)
    model, expected = (small_model(seed, dropout=0.5).train() for _ in range(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trace = trace_training(
            lambda *setting: _carry_out(task, letters, *setting), loader, model, CROSS_ENTROPY, optimizer
        )
        torch.manual_seed(seed)
        _descend_on(loader, expected)
    if not close(parameters_of(model), parameters_of(expected), 1e-4):
        _diagnose_order(task, trace)
    if len(letters) > NUM_NEEDED:
        seen = f"the updates are right, but {len(letters)} lines are used; {NUM_NEEDED} are enough."
        fail(
            task,
            seen,
            section="order",
            where="Take one line away at a time. Which one is not missed by any line after it?",
            think="Ask of each line what it changes, and which later line looks at that.",
        )
    passed(task, f"{num_batches} batches, {num_batches} updates, each by the gradient of its own batch")


def _check_letters(task: str, letters: str) -> None:
    unknown = sorted(set(letters) - set(LINES))
    twice = sorted({letter for letter in letters if letters.count(letter) > 1})
    seen = ""
    if not letters:
        seen = "the answer holds no letter."
    elif unknown:
        seen = f"no line is called {', '.join(unknown)}; the lines are A to {max(LINES)}."
    elif twice:
        seen = f"line {', '.join(twice)} is used more than once; each line may stand once at most."
    if seen:
        fail_in_form(task, seen, "order")


def _carry_out(
    task: str, letters: str, dataloader: Any, model: nn.Module, loss_fn: Any, optimizer: torch.optim.Optimizer
) -> None:
    """Run the lines in that order for every batch, as they would run in a loop."""
    names = {"model": model, "loss_fn": loss_fn, "optimizer": optimizer}
    for names["images"], names["labels"] in dataloader:
        for letter in letters:
            try:
                exec(LINES[letter], names)
            except NameError as error:
                fail(
                    task,
                    f"line {letter}, `{LINES[letter]}`, needs `{error.name}`, which no line before it has made.",
                    section="order",
                    where="Look at the names on the right of each line, and at the line that makes each of them.",
                    think="What does each line need, and what does it leave for the lines after it?",
                )


def _diagnose_order(task: str, trace: Trace) -> None:
    steps, backwards = trace.of("step"), trace.of("backward")
    if not steps:
        fail(task, "the optimiser never took a step, so the weights are what they were.", "backward_updates")
    if not backwards:
        fail(task, "the optimiser took steps, but no loss was differentiated.", "step_computes")
    kinds = [event.kind for event in trace.events]
    if kinds.index("step") < kinds.index("backward"):
        seen = "the first step came before the first backward, so there was no gradient to follow."
        fail(task, seen, "step_computes")
    for event in steps:
        if event.gradient == 0:
            fail(
                task,
                f"at the step of batch {event.batch} the gradients had been cleared.",
                "zero_grad_anywhere",
            )
    for event in backwards:
        if event.gradient > 0:
            seen = f"when batch {event.batch} was differentiated, .grad still held the gradients of earlier batches."
            fail(task, seen, "gradients_reset")
    for event in trace.of("forward"):
        if not event.training:
            fail(
                task,
                f"batch {event.batch} was computed in evaluation mode, though the model is being trained.",
                section="modes",
                where="Look for the line that sets the mode of the model.",
                think="Which layers behave differently in the two modes? Which behaviour does training need?",
            )
    fail(task, "the logits went through a softmax on their way to the loss.", "probabilities_in")


def _descend_on(dataloader: Any, model: nn.Module) -> None:
    """Take one step of plain gradient descent for each batch, without an optimiser and without ``.grad``."""
    for images, labels in dataloader:
        parameters = list(model.parameters())
        slopes = torch.autograd.grad(CROSS_ENTROPY(model(images), labels), parameters)
        moved = [p.detach() - RATE * slope for p, slope in zip(parameters, slopes, strict=True)]
        nn.utils.vector_to_parameters(torch.cat([values.flatten() for values in moved]), parameters)


# --- gradient descent --------------------------------------------------------------------------------------


def check_descend(
    function: Callable,
    *,
    shape: tuple[int, ...] = (3,),
    learning_rate: float = 0.1,
    num_steps: int = 5,
    seed: int = 0,
) -> None:
    """Check ``descend(function, start, learning_rate, num_steps)`` in a round valley, where its path is known.

    A step multiplies the distance from the lowest point by ``1 - 2 * learning_rate * steepness``.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "descend"
    generator = torch.Generator().manual_seed(seed)
    lowest, start = (2 * torch.randn(shape, generator=generator) for _ in range(2))
    steepness = 0.5 + torch.rand(shape, generator=generator)

    def valley(point: Tensor) -> Tensor:
        return (steepness * (point - lowest) ** 2).sum()

    for steps in (num_steps, 0):
        _check_path(task, function, valley, start, learning_rate, steps, lowest, steepness)
    marked = start.clone().requires_grad_()
    valley(marked).backward()
    _check_path(task, function, valley, marked, learning_rate, num_steps, lowest, steepness)
    passed(task, f"{num_steps + 1} points, without a graph, and start is as it was")


def _check_path(
    task: str,
    function: Callable,
    valley: Callable[[Tensor], Tensor],
    start: Tensor,
    learning_rate: float,
    num_steps: int,
    lowest: Tensor,
    steepness: Tensor,
) -> None:
    origin, marked = start.detach().clone(), start.requires_grad
    slope = None if start.grad is None else start.grad.clone()
    result = _call(task, function, valley, start, learning_rate, num_steps)
    path = expect_tensor(task, result, (num_steps + 1, *start.shape), "the result", "downhill")
    if not close(start, origin, 0):
        _start_changed(task, "its numbers are others after the call.")
    powers = torch.arange(num_steps + 1).reshape(-1, *[1] * start.ndim)
    expected = lowest + (1 - 2 * learning_rate * steepness) ** powers * (origin - lowest)
    if not close(path, expected, 1e-4):
        _diagnose_path(task, path, expected, learning_rate, lowest, steepness, slope)
    if start.requires_grad != marked:
        _start_changed(task, f"its requires_grad was {marked} and is {start.requires_grad} after the call.")
    if (start.grad is None) != (slope is None) or (slope is not None and not close(start.grad, slope, 0)):
        _start_changed(task, "its .grad is another one after the call.")
    if result.requires_grad:
        seen = "the points still hold their graph; plain numbers are asked for."
        fail(task, seen, "summing_is_free", section="derivatives")


def _diagnose_path(
    task: str,
    path: Tensor,
    expected: Tensor,
    learning_rate: float,
    lowest: Tensor,
    steepness: Tensor,
    slope: Tensor | None,
) -> None:
    """End the check, with the fault that gives this path, if it is one of the known ones."""
    start, num_steps = expected[0], len(expected) - 1
    if num_steps and all(close(point, path[0], 0) for point in path):
        if close(path[0], start, 0):
            fail(task, f"the point did not move in {num_steps} steps.", "new_tensor_is_update")
        fail(
            task,
            "all points of the result are equal: the list holds one tensor many times.",
            section="step",
            where="Look at what is put into the list at each step: the numbers, or the tensor that goes on moving?",
            think="Take a list with the same tensor in it twice, and change the tensor in place. What do both show?",
        )
    for left_over in (torch.zeros_like(start), slope):
        if left_over is None:
            continue
        total, point, walk = left_over.clone(), start, [start]
        for _ in range(num_steps):
            total = total + 2 * steepness * (point - lowest)
            point = point - learning_rate * total
            walk.append(point)
        if close(path, torch.stack(walk), 1e-4):
            seen = "each step followed the sum of all gradients so far, not the gradient at its own point."
            fail(task, seen, "gradients_reset")
    if slope is not None:
        seen = "the path is another one if start carries a gradient from before."
        fail(task, seen, "gradients_reset")
    if not close(path[0], start, 1e-6):
        what = (
            "the point after the first step"
            if num_steps and close(path[0], expected[1], 1e-4)
            else "not start"
        )
        _path_failed(task, f"the first row of the result is {what}.")
    uphill = 2 * start - expected[1]
    if close(path[1], uphill, 1e-4):
        _path_failed(task, "the first step went up the slope.")
    bad = next(row for row in range(1, num_steps + 1) if not close(path[row], expected[row], 1e-4))
    seen = f"the point after step {bad} is {_shown(path[bad])}; it should be {_shown(expected[bad])}."
    _path_failed(task, seen)


def _path_failed(task: str, seen: str) -> None:
    fail(
        task,
        seen,
        section="downhill",
        where="Print the point and its gradient at each step, and do the first two steps by hand.",
        think="From where does a step start, in which direction does it go, and how far?",
    )


def _start_changed(task: str, seen: str) -> None:
    fail(
        task,
        f"start was changed: {seen}",
        section="step",
        where="Look at the first line: does it make a tensor of its own, or another name for start?",
        think="A name is no copy. How do you get the same numbers in a new tensor, without a graph?",
    )


def _shown(point: Tensor) -> list | float:
    return [round(number, 4) for number in point.flatten().tolist()] if point.ndim else round(point.item(), 4)


# --- a step with momentum ----------------------------------------------------------------------------------


def check_momentum_step(
    function: Callable, *, learning_rate: float = 0.1, momentum: float = 0.9, seed: int = 0
) -> None:
    """Check one call of ``momentum_step(parameters, velocities, learning_rate, momentum)``, with velocities at work.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "momentum_step"
    generator = torch.Generator().manual_seed(seed)
    model, twin = small_model(seed), small_model(seed)
    parameters = list(model.parameters())
    velocities = [torch.randn(p.shape, generator=generator) for p in parameters]
    for parameter, other in zip(parameters, twin.parameters(), strict=True):
        parameter.grad = torch.randn(parameter.shape, generator=generator)
        other.grad = parameter.grad.clone()
    reference = _Reference(twin, velocities)
    before = _Before(parameters, velocities)
    _momentum_call(task, function, list(parameters), list(velocities), learning_rate, momentum)
    reference.step(learning_rate, momentum)
    moved, kept = close(parameters, reference.parameters, 1e-4), close(velocities, reference.velocities, 1e-4)
    if not (moved and kept):
        _diagnose_momentum(task, before, parameters, velocities, reference, learning_rate, momentum)
    passed(task, f"one step with rate {learning_rate:g} and momentum {momentum:g} is as PyTorch's")


def check_momentum_steps(
    function: Callable,
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    num_steps: int = 5,
    seed: int = 0,
) -> None:
    """Check several calls of ``momentum_step``, with a frozen parameter, missing gradients and zero gradients.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "momentum_step"
    generator = torch.Generator().manual_seed(seed)
    model, twin = small_model(seed), small_model(seed)
    for network in (model, twin):
        network[1].bias.requires_grad_(False)
    parameters, velocities = list(model.parameters()), [torch.zeros_like(p) for p in model.parameters()]
    reference = _Reference(twin, velocities)
    given, memory = list(parameters), list(velocities)
    for step in range(num_steps):
        _set_gradients(parameters, twin, step, generator)
        before = _Before(parameters, velocities)
        rate = learning_rate / (1 + step)
        result = _momentum_call(task, function, given, memory, rate, momentum)
        reference.step(rate, momentum)
        _check_what_stays(task, before, parameters, velocities, given, memory)
        for index, parameter in enumerate(parameters):
            right = close(parameter, reference.parameters[index], 1e-4)
            if not (right and close(velocities[index], reference.velocities[index], 1e-4)):
                _diagnose_several(task, step, parameter, velocities[index], before, index)
        if result is not None:
            _step_failed(task, f"the function returned an object of type {type(result).__name__}, not None.")
    passed(task, f"{num_steps} steps are as PyTorch's, also where gradients are 0 or missing")


def _set_gradients(parameters: list[Tensor], twin: nn.Module, step: int, generator: torch.Generator) -> None:
    """Give both networks the same gradients: none in step 2 for the last one, zeros in step 3 for the first."""
    for index, (parameter, other) in enumerate(zip(parameters, twin.parameters(), strict=True)):
        slope = torch.randn(parameter.shape, generator=generator)
        if step == 2 and index == 0:
            slope = torch.zeros_like(slope)
        missing = not parameter.requires_grad or (step == 1 and index == len(parameters) - 1)
        parameter.grad = None if missing else slope
        other.grad = None if missing else slope.clone()


class _Reference:
    """PyTorch's own optimiser on a twin of the model, with the same velocities at the start."""

    def __init__(self, twin: nn.Module, velocities: list[Tensor]) -> None:
        self.parameters = list(twin.parameters())
        self.optimizer = torch.optim.SGD(self.parameters, lr=1.0, momentum=0.5)
        for parameter, velocity in zip(self.parameters, velocities, strict=True):
            self.optimizer.state[parameter]["momentum_buffer"] = velocity.clone()

    @property
    def velocities(self) -> list[Tensor]:
        return [self.optimizer.state[parameter]["momentum_buffer"] for parameter in self.parameters]

    def step(self, learning_rate: float, momentum: float) -> None:
        self.optimizer.param_groups[0].update(lr=learning_rate, momentum=momentum)
        self.optimizer.step()


class _Before:
    """How parameters, gradients, marks and velocities were before a step."""

    def __init__(self, parameters: list[Tensor], velocities: list[Tensor]) -> None:
        self.parameters = [p.detach().clone() for p in parameters]
        self.slopes = [None if p.grad is None else p.grad.clone() for p in parameters]
        self.marks = [p.requires_grad for p in parameters]
        self.velocities = [v.clone() for v in velocities]


def _momentum_call(
    task: str, function: Callable, given: list[Tensor], memory: list[Tensor], rate: float, momentum: float
) -> Any:
    """Run the student's function, and see whether an optimiser of PyTorch takes a step meanwhile."""
    optimizers: list[str] = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *arguments: optimizers.append(type(optimizer).__name__)
    )
    try:
        result = _call(task, function, given, memory, rate, momentum)
    finally:
        hook.remove()
    if optimizers:
        _step_failed(task, f"torch.optim.{optimizers[0]} took the step; it is to be written by hand.")
    return result


def _diagnose_momentum(
    task: str,
    before: _Before,
    parameters: list[Tensor],
    velocities: list[Tensor],
    reference: _Reference,
    rate: float,
    momentum: float,
) -> None:
    """End the check, with the fault that gives these parameters and velocities, if it is one of the known ones."""
    old, slopes, speeds = before.parameters, before.slopes, before.velocities
    right = reference.velocities

    def moved_by(steps: list[Tensor]) -> bool:
        walked = [place - rate * step for place, step in zip(old, steps, strict=True)]
        return close(parameters, walked, 1e-4)

    def holds(weight_of_velocity: float, weight_of_gradient: float) -> bool:
        pairs = zip(speeds, slopes, strict=True)
        return close(velocities, [weight_of_velocity * v + weight_of_gradient * g for v, g in pairs], 1e-4)

    if close(parameters, old, 0) and close(velocities, speeds, 0):
        seen = "neither the parameters nor the velocities have changed."
        fail(task, seen, "new_tensor_is_update")
    if close(parameters, old, 0):
        fail(task, "the velocities have changed, but the parameters have not.", "new_tensor_is_update")
    if close(velocities, speeds, 0):
        seen = (
            "the parameters moved, but the tensors in velocities are as they were, so the next step forgets."
        )
        if moved_by(right):
            fail(task, seen, "new_tensor_is_update")
        _step_failed(task, seen)
    if moved_by(slopes):
        _step_failed(task, "the parameters moved along the gradient; momentum moves them along the velocity.")
    if moved_by(speeds):
        _step_failed(task, "the parameters moved along the old velocity; the new one has the gradient in it.")
    if moved_by([-step for step in right]):
        _step_failed(task, "the parameters moved up the slope.")
    if moved_by([g + momentum * v for g, v in zip(slopes, right, strict=True)]):
        _step_failed(
            task, "the parameters moved along gradient + momentum * velocity, which is another rule."
        )
    for weights, what in (
        ((momentum, 1 - momentum), "the gradient entered the velocity with weight 1 - momentum"),
        ((momentum, rate), "the learning rate is in the velocity already"),
        ((momentum, -rate), "the learning rate is in the velocity already, and so is the minus"),
        ((momentum, -1.0), "the gradient was subtracted from the velocity"),
        ((1.0, momentum), "the gradient was multiplied by momentum, and the velocity was not"),
        ((1.0, 1.0), "the old velocity entered in full, not times momentum"),
        ((0.0, 1.0), "the velocity is the gradient alone; the old velocity is forgotten"),
    ):
        if holds(*weights):
            _step_failed(task, f"{what}.")
    if close(velocities, right, 1e-4):
        _step_failed(task, "the velocities are right, but the parameters are not where they lead.")
    _step_failed(task, "the velocities after the step are not momentum * velocity + gradient.")


def _diagnose_several(
    task: str, step: int, parameter: Tensor, velocity: Tensor, before: _Before, index: int
) -> None:
    slope = before.slopes[index]
    still = close([parameter, velocity], [before.parameters[index], before.velocities[index]], 0)
    if still and slope is not None and slope.any():
        seen = f"in step {step + 1} a parameter with a gradient stayed where it was, and so did its velocity."
        fail(task, seen, "new_tensor_is_update")
    if slope is None:
        seen = f"in step {step + 1} a parameter had no gradient (None), and it or its velocity was changed."
    elif not slope.any():
        seen = f"in step {step + 1} all gradients of a parameter were 0; it should have kept going by its velocity."
    elif not parameter.detach().isfinite().all():
        seen = f"after step {step + 1} a parameter is not finite."
    else:
        seen = f"after step {step + 1} a parameter or its velocity differs from PyTorch's."
    _step_failed(task, seen)


def _check_what_stays(
    task: str,
    before: _Before,
    parameters: list[Tensor],
    velocities: list[Tensor],
    given: list[Tensor],
    memory: list[Tensor],
) -> None:
    """Check that both lists hold the same tensors as before, with the same marks and the same gradients."""
    for name, now, then in (("parameters", given, parameters), ("velocities", memory, velocities)):
        if len(now) != len(then) or any(a is not b for a, b in zip(now, then, strict=True)):
            fail(task, f"the list {name} holds other tensors than before.", "new_tensor_is_update")
    for parameter, slope, mark in zip(parameters, before.slopes, before.marks, strict=True):
        if parameter.requires_grad != mark:
            _step_failed(task, f"requires_grad of a parameter was {mark} and is {parameter.requires_grad}.")
        if (parameter.grad is None) != (slope is None):
            _step_failed(task, "a gradient was cleared or made; the function leaves them as they are.")
        if slope is not None and not close(parameter.grad, slope, 0):
            _step_failed(task, "a gradient was changed; the function leaves them as they are.")
    if any(velocity.requires_grad for velocity in velocities):
        fail(task, "a velocity holds a graph.", "summing_is_free", section="derivatives")


def _step_failed(task: str, seen: str) -> None:
    fail(
        task,
        seen,
        section="optimisers",
        where="Set your lines beside the row of momentum in the table, from left to right.",
        think="Take one parameter at 1 with velocity 2 and gradient 3, a rate of 0.1 and a momentum of 0.5. "
        "Work out both numbers after the step by hand, then print what your function makes of them.",
    )


def _call(task: str, function: Callable, *arguments: Any) -> Any:
    """Run the student's function; where PyTorch refuses an update, say why."""
    try:
        return call(function, *arguments, section="step")
    except CheckFailed as failure:
        if failure.section != "step":
            raise
        _explain_refusal(task, failure.seen, marked=getattr(arguments[1], "requires_grad", False))


def _explain_refusal(task: str, seen: str, *, marked: bool) -> None:
    if "leaf Variable" in seen:
        fail(task, seen, "new_tensor_is_update")
    if "NoneType" in seen and task == "descend":
        if "attribute" in seen:
            fail(task, seen, "gradients_reset", **BEFORE_BACKWARD)
        if marked:
            fail(
                task,
                f"with a start that is marked with requires_grad, {seen}",
                section="derivatives",
                **LINKED,
            )
        fail(task, seen, "new_tensor_is_update")
    if "NoneType" in seen:
        seen = f"with a parameter whose .grad is None, {seen}"
    fail_in_form(task, seen, "step")


BEFORE_BACKWARD = {
    "where": "Look at the first pass through your loop: what is .grad before any backward?",
    "think": "Clearing is due only where something has been filled in. Which line could come first, which later?",
}
LINKED = {
    "where": "Look at the line that makes your own tensor from start: is it recorded?",
    "think": "A copy of a marked tensor is a link in its graph, and backward goes on to the tensor behind it. "
    "Which of the two then gets the gradient?",
}
