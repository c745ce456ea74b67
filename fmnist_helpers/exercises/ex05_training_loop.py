"""Checks of the exercises on lesson 05: an evaluation, two training loops with a twist, accuracy by class.

Every training loop is compared with updates that are computed another way: gradients of a whole group of batches
at once, from ``torch.func``, and the step of plain gradient descent in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fmnist_helpers.exercises.old_check import (
    call,
    close,
    expect_number,
    expect_tensor,
    expect_type,
    fail,
    mean,
    mean_of_batch_means,
    passed,
)
from fmnist_helpers.exercises.recorder import Event, Trace, trace_training
from fmnist_helpers.exercises.toy import (
    CROSS_ENTROPY,
    NUM_CLASSES,
    parameters_of,
    samples_of,
    small_loader,
    small_model,
)

RATE = 0.5
OTHER_WEIGHTS = "the weights after the loop differ from those that the asked updates give."


# --- evaluation --------------------------------------------------------------------------------------------


def check_top_two_accuracy(
    function: Callable, *, num_samples: int = 22, batch_size: int = 8, seed: int = 0
) -> None:
    """Check ``top_two_accuracy(dataloader, model)``: share of samples whose label has one of the two largest logits.

    Raises:
        CheckFailed: with the likely belief.
    """
    task, loader = "top_two_accuracy", small_loader(num_samples, batch_size, seed)
    _check_evaluation(task, function, loader)
    model = small_model(seed).eval()
    value = expect_number(task, call(function, loader, model, section="loops"), "the result", "loops")
    hits = _top_two_hits(model, *samples_of(loader))
    _check_average(task, value, hits, batch_size)
    passed(task, "modes, graph and average are right")


def check_accuracy_by_class(
    function: Callable, *, num_samples: int = 41, batch_size: int = 8, seed: int = 0
) -> None:
    """Check ``accuracy_by_class(dataloader, model, num_classes)``: a float tensor, nan for a class without samples.

    Raises:
        CheckFailed: with the likely belief.
    """
    task, loader = "accuracy_by_class", small_loader(num_samples, batch_size, seed)
    _check_evaluation(task, function, loader, NUM_CLASSES)
    model = small_model(seed).eval()
    images, labels = samples_of(loader)
    for num_classes in (NUM_CLASSES, NUM_CLASSES + 2):
        result = call(function, loader, model, num_classes, section="loops")
        result = expect_tensor(task, result, (num_classes,), "the result", "loops")
        if not result.is_floating_point():
            fail(
                task,
                f"the result should hold floats, and it is {result.dtype}.",
                "accuracy_is_loss",
                section="loops",
            )
        right = (_logits(model, images).argmax(dim=1) == labels).tolist()
        expected = [
            mean([r for r, y in zip(right, labels.tolist(), strict=True) if y == k])
            for k in range(num_classes)
        ]
        if not close(result, expected):
            _diagnose_classes(task, result.tolist(), expected, right, labels, batch_size)
    passed(task, f"{NUM_CLASSES} classes, and {NUM_CLASSES + 2} with two of them empty")


def _check_evaluation(task: str, function: Callable, loader: DataLoader, *arguments: int) -> None:
    """Check the two switches on a model with dropout that was left in training mode."""
    model = small_model(dropout=0.5).train()
    before = parameters_of(model)
    trace = trace_training(
        lambda dataloader, recorded: call(function, dataloader, recorded, *arguments, section="loops"),
        loader,
        model,
    )
    forward = trace.of("forward")
    if not forward:
        fail(task, "the model was never called.", "accuracy_is_loss", section="loops")
    if any(event.training for event in forward):
        held = "" if any(event.grad_enabled for event in forward) else ", though no_grad was set"
        belief = "no_grad_stops_dropout" if held else "mode_returns"
        fail(task, f"the model was evaluated in training mode{held}, so its dropout was at work.", belief)
    if any(event.grad_enabled for event in forward):
        fail(
            task,
            "the model was evaluated with gradients on, so PyTorch kept a graph.",
            "eval_stops_gradients",
        )
    if not close(before, parameters_of(model), 0):
        fail(
            task,
            "the evaluation changed the model's parameters.",
            "falling_loss_generalises",
            section="loops",
        )
    if len(forward) < len(loader):
        fail(task, f"{len(forward)} of {len(loader)} batches were evaluated.", "last_is_all")


def _check_average(task: str, value: float, hits: list[bool], batch_size: int) -> None:
    expected = mean(hits)
    if close(value, expected):
        return
    if close(value, mean_of_batch_means(hits, batch_size)):
        seen = (
            f"the mean of the batches' values, {value:.4f}, came back; over the samples it is {expected:.4f}."
        )
        fail(task, seen, "mean_of_means")
    if close(value, mean(hits[-(len(hits) % batch_size or batch_size) :])):
        fail(task, "the value of the last batch came back.", "last_is_all")
    if close(value, sum(hits)) or close(value, 100 * expected):
        seen = f"{value:g} came back; a share of the samples, from 0 to 1, is asked for."
        fail(task, seen, "mean_of_means", where="Look at the last line: what is divided by what?")
    fail(
        task,
        f"{value:.4f} came back; over these samples it is {expected:.4f}.",
        "accuracy_is_loss",
        section="loops",
    )


def _diagnose_classes(
    task: str, result: list[float], expected: list[float], right: list[bool], labels: Tensor, batch_size: int
) -> None:
    of_batches = [
        [
            mean(
                [
                    r
                    for r, y in zip(
                        right[at : at + batch_size], labels[at : at + batch_size].tolist(), strict=True
                    )
                    if y == k
                ]
            )
            for at in range(0, len(right), batch_size)
        ]
        for k in range(len(expected))
    ]
    means = [mean([v for v in values if not math.isnan(v)]) for values in of_batches]
    zeros = [mean([0.0 if math.isnan(v) else v for v in values]) for values in of_batches]
    shown = [None if math.isnan(number) else round(number, 4) for number in result]
    if close(result, means) or close([r for r in result if r], [z for z in zeros if z]):
        fail(task, "each class got the mean of its batches' accuracies, not of its samples.", "mean_of_means")
    if close(result, [values[-1] for values in of_batches]):
        fail(task, "only the last batch was counted.", "last_is_all")
    if close(result, [0.0 if math.isnan(number) else number for number in expected]):
        seen = "a class without samples got 0; it was never wrong, so nan (no value) is asked for."
        fail(task, seen, "mean_of_means", where="Look at what is divided where a class has no sample.")
    if close(sum(number for number in result if not math.isnan(number)), mean(right)):
        seen = "the values add up to the accuracy: each class was divided by all samples, not by its own."
        fail(task, seen, "mean_of_means")
    fail(
        task,
        f"{shown} came back; class 0 has accuracy {expected[0]:.4f}.",
        "accuracy_is_loss",
        section="loops",
    )


def _top_two_hits(model: nn.Module, images: Tensor, labels: Tensor) -> list[bool]:
    rows = zip(_logits(model, images).tolist(), labels.tolist(), strict=True)
    return [sum(other > row[label] for other in row) < 2 for row, label in rows]


# --- training ----------------------------------------------------------------------------------------------


def check_train_accumulated(
    function: Callable, *, num_accumulate: int = 2, num_batches: int = 5, batch_size: int = 4, seed: int = 0
) -> None:
    """Check the updates of ``train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate)``.

    One update for every ``num_accumulate`` batches, as if they were one large batch; the last group may have fewer.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "train_accumulated"
    loader = small_loader(num_batches * batch_size, batch_size, seed)
    trace, model = _train(function, loader, seed, num_accumulate)
    groups = [
        list(range(num_batches))[at : at + num_accumulate] for at in range(0, num_batches, num_accumulate)
    ]
    _check_loop(task, trace, num_batches)
    if not close(parameters_of(model), _descended(loader, seed, groups), 1e-4):
        _diagnose_updates(task, trace, groups)
        _diagnose_shares(task, trace, groups)
        fail(task, OTHER_WEIGHTS, "sum_is_mean")
    passed(task, f"{len(groups)} updates from {num_batches} batches, each as of one large batch")


def check_train_clipped(
    function: Callable, *, max_norm: float = 0.3, num_batches: int = 4, batch_size: int = 4, seed: int = 0
) -> None:
    """Check the updates of ``train_clipped(dataloader, model, loss_fn, optimizer, max_norm)``.

    One update a batch; a gradient whose length over all parameters together exceeds ``max_norm`` is scaled to it.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "train_clipped"
    loader = small_loader(num_batches * batch_size, batch_size, seed)
    groups = [[batch] for batch in range(num_batches)]
    trace, model = _train(function, loader, seed, max_norm)
    _check_loop(task, trace, num_batches)
    if not close(parameters_of(model), _descended(loader, seed, groups, max_norm), 1e-4):
        _diagnose_updates(task, trace, groups)
        _diagnose_clipping(task, trace, max_norm)
    passed(task, f"{num_batches} updates, none longer than max_norm={max_norm:g} times the rate")


def check_every_loss(
    function: Callable, argument: float, *, num_batches: int = 5, batch_size: int = 4, seed: int = 0
) -> None:
    """Check that a training loop returns the loss of every batch, as a list of floats.

    Args:
        function: the student's loop.
        argument: its last argument.
        num_batches, batch_size, seed: the problem.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = getattr(function, "__name__", "the loop")
    loader = small_loader(num_batches * batch_size, batch_size, seed)
    trace, _ = _train(function, loader, seed, argument)
    result, losses = trace.result, [event.value for event in trace.of("loss")]
    if type(result) in (float, Tensor) and not (type(result) is Tensor and result.ndim):
        seen = "one number came back; a list with the loss of every batch is asked for."
        fail(task, seen, "last_is_all")
    expect_type(task, result, list, "the result", "loops")
    if any(type(loss) is Tensor for loss in result):
        fail(
            task,
            "the list holds tensors, which keep their graphs alive; floats are asked for.",
            "summing_is_free",
        )
    if any(type(loss) is not float for loss in result):
        fail(task, "the list holds something else than floats.", "summing_is_free")
    if len(result) != num_batches:
        seen = f"the list has {len(result)} entries, and there are {num_batches} batches."
        fail(task, seen, "last_is_all" if len(result) == 1 else "epoch_is_iteration")
    if trace.graphs_alive > 2:
        seen = f"{trace.graphs_alive} losses still held their graphs when the next batch came."
        fail(task, seen, "summing_is_free")
    if not close(result, losses):
        place = next(i for i, (a, b) in enumerate(zip(result, losses, strict=True)) if not close(a, b))
        seen = f"entry {place} is {result[place]:.4f}; the mean loss of batch {place + 1} was {losses[place]:.4f}."
        fail(task, seen, "sum_is_mean" if result[place] < losses[place] else "mean_of_means")
    passed(task, f"the losses of all {num_batches} batches came back as floats")


def _train(function: Callable, loader: DataLoader, seed: int, argument: float) -> tuple[Trace, nn.Module]:
    """Run the student's loop; a stray gradient and evaluation mode are left over from before, as in a notebook."""
    model = small_model(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    CROSS_ENTROPY(model(loader.dataset.tensors[0]), loader.dataset.tensors[1]).backward()
    model.eval()
    trace = trace_training(
        lambda *arguments: call(function, *arguments, section="iteration"),
        loader,
        model,
        CROSS_ENTROPY,
        optimizer,
        argument,
    )
    return trace, model


def _check_loop(task: str, trace: Trace, num_batches: int) -> None:
    """Check what holds for every training loop: each batch once, in training mode, with loss and backward."""
    forward = trace.of("forward")
    if len(forward) != num_batches:
        fail(
            task,
            f"the model was called {len(forward)} times for {num_batches} batches.",
            "epoch_is_iteration",
        )
    if not all(event.grad_enabled for event in forward):
        fail(
            task,
            "the model was trained with gradients switched off.",
            "eval_stops_gradients",
            section="iteration",
        )
    if not all(event.training for event in forward):
        fail(task, "the model was trained in evaluation mode, in which it was handed over.", "mode_returns")
    if not trace.of("loss"):
        fail(task, "loss_fn was never called.", "accuracy_is_loss")
    if not trace.of("backward"):
        fail(task, "no loss was differentiated: nothing called backward.", "step_computes")
    if len(trace.of("backward")) < num_batches:
        seen = f"{len(trace.of('backward'))} of {num_batches} losses were differentiated."
        fail(task, seen, "last_is_all")


def _diagnose_updates(task: str, trace: Trace, groups: list[list[int]]) -> None:
    """Say what is wrong with the steps or with the gradients they used, if it is one of the known faults."""
    steps = [event.batch for event in trace.of("step")]
    wanted = [group[-1] + 1 for group in groups]
    if not steps:
        fail(task, "the optimiser never took a step, so the weights are what they were.", "backward_updates")
    if _step_first(trace):
        fail(task, "the first step came before the first backward.", "step_computes")
    if len(wanted) > 1 and steps == wanted[:-1]:
        seen = (
            f"the last group, {len(groups[-1])} of its batches, was never used: no step was taken after it."
        )
        fail(task, seen, "last_is_all")
    if steps != wanted:
        seen = f"steps were taken after batches {steps}; they are due after batches {wanted}."
        fail(task, seen, "epoch_is_iteration")
    for event in trace.of("step"):
        if event.gradient == 0:
            fail(task, f"at the step of batch {event.batch} all gradients were 0.", "zero_grad_anywhere")
    first = {group[0] + 1 for group in groups}
    for event in trace.of("backward"):
        if event.batch in first and event.gradient > 0:
            seen = f"when batch {event.batch} was differentiated, .grad still held the gradients of earlier batches."
            fail(task, seen, "gradients_reset")
        if event.batch not in first and event.gradient == 0:
            seen = f"when batch {event.batch} was differentiated, the gradient of its group had been cleared."
            fail(task, seen, "zero_grad_anywhere", section="accumulation")


def _diagnose_shares(task: str, trace: Trace, groups: list[list[int]]) -> None:
    for event in trace.of("backward"):
        size = len(next(group for group in groups if event.batch - 1 in group))
        if not close(event.value, 1 / size):
            seen = (
                f"the loss of batch {event.batch} entered the update with weight {event.value:.3g}; "
                f"it is one of {size} in its group, so its share is {1 / size:.3g}."
            )
            fail(task, seen, "sum_is_mean")


def _diagnose_clipping(task: str, trace: Trace, max_norm: float) -> None:
    seen = OTHER_WEIGHTS
    for event in trace.of("step"):
        if event.gradient > max_norm * 1.01:
            seen = (
                f"at the step of batch {event.batch} the gradient had length {event.gradient:.3g}, "
                f"more than max_norm={max_norm:g}: it was not clipped, or not yet, or each tensor by itself."
            )
            break
    fail(
        task,
        seen,
        section="order",
        where="Look at when the gradient is clipped, and at what is measured: each tensor, or all together.",
        think="The gradient is one long arrow whose parts lie in many tensors. Its length is known only after "
        "backward, it is used in step, and shortening it must not turn it.",
    )


def _step_first(trace: Trace) -> bool:
    kinds: list[Event] = [event for event in trace.events if event.kind in ("step", "backward")]
    return bool(kinds) and kinds[0].kind == "step"


def _descended(
    loader: DataLoader, seed: int, groups: list[list[int]], max_norm: float = math.inf
) -> list[Tensor]:
    """Return the parameters after one step of gradient descent for each group of batches, clipped to ``max_norm``."""
    model = small_model(seed)
    images, labels = samples_of(loader)
    size = loader.batch_size
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    for group in groups:
        here = slice(group[0] * size, (group[-1] + 1) * size)
        slopes = torch.func.grad(
            lambda values, x, y: CROSS_ENTROPY(torch.func.functional_call(model, values, (x,)), y)
        )(parameters, images[here], labels[here])
        length = math.sqrt(sum(float(slope.square().sum()) for slope in slopes.values()))
        rate = RATE * min(1.0, max_norm / length)
        parameters = {name: value - rate * slopes[name] for name, value in parameters.items()}
    return list(parameters.values())


def _logits(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images)
