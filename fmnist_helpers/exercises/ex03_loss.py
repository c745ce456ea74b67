"""Checks of the exercises on lesson 03: a loss to be mended, a mean over uneven batches, cross-entropy from scratch.

Losses are compared with sums over plain Python floats and with PyTorch's own cross-entropy in float64, gradients
with tiny steps along a random direction. Which operations took part is read from what PyTorch carries out, so no
name has to be replaced while the student's function runs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from fmnist_helpers.exercises.old_check import call, close, expect_number, expect_tensor, fail, mean, passed
from fmnist_helpers.exercises.toy import NUM_CLASSES, parameters_of, small_dataset, small_model

READY_MADE = {
    "_log_softmax": "log_softmax, or a loss that contains it,",
    "nll_loss_forward": "nll_loss",
    "nll_loss2d_forward": "nll_loss",
    "multi_margin_loss": "multi_margin_loss",
    "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
    "binary_cross_entropy": "binary_cross_entropy",
}
"""Operations that do the task's work, by PyTorch's name; cross-entropy is carried out as the first two."""


# --- a loss to be mended -----------------------------------------------------------------------------------


def check_model_loss(function: Callable, *, num_samples: int = 12, seed: int = 0) -> None:
    """Check ``model_loss(model, images, labels)``: mean cross-entropy of the model's logits, with its graph.

    The last class does not occur among the labels.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "model_loss"
    model = _spread_model(seed)
    images, labels = small_dataset(4 * num_samples, seed).tensors
    present = labels < NUM_CLASSES - 1
    images, labels = images[present][:num_samples], labels[present][:num_samples]
    before = parameters_of(model)
    for training in (True, False):
        model.train(training)
        with _WatchedTargets(task):
            loss = call(function, model, images, labels, section="cross_entropy")
        if model.training != training:
            seen = f"the model was handed over with model.training = {training} and came back with {not training}."
            fail(
                task,
                seen,
                section="modes",
                where="Look for a line that sets the mode of the model.",
                think="A training loop and an evaluation may both call your function. Who knows which mode is due?",
            )
    if not close(before, parameters_of(model), 0):
        fail(task, "the parameters of the model were changed.", section="untrained_loss", **ONLY_MEASURE)
    if type(loss) is float:
        _no_graph(task, "a Python float came back, which no training can differentiate.")
    value = expect_tensor(task, loss, (), "the result", "cross_entropy").item()
    with torch.no_grad():
        logits = model(images)
    if not close(value, _mean_loss(logits, labels), 1e-4):
        _diagnose_value(task, value, logits, labels)
    slopes = _gradient(loss, list(model.parameters()))
    if slopes is None:
        _no_graph(task, "the result has no graph back to the parameters, so training could not lower it.")
    _check_slope(task, model, images, labels, slopes, seed)
    passed(task, "the loss is right, and it can be differentiated")


ONLY_MEASURE = {
    "where": "Look for a line that writes into something that was handed to your function.",
    "think": "A loss measures. What it is given should look the same before and after.",
}


class _WatchedTargets(TorchFunctionMode):
    """Looks at the labels that enter PyTorch's cross-entropy and explains why they would be refused."""

    def __init__(self, task: str) -> None:
        super().__init__()
        self.task = task

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "cross_entropy":
            logits = args[0] if args else kwargs.get("input")
            target = args[1] if len(args) > 1 else kwargs.get("target")
            if isinstance(logits, Tensor) and isinstance(target, Tensor):
                self._explain(logits, target)
        return func(*args, **kwargs)

    def _explain(self, logits: Tensor, target: Tensor) -> None:
        shape = tuple(target.shape)
        if target.ndim == logits.ndim and shape != tuple(logits.shape):
            seen = f"labels of shape {shape} met logits of shape {tuple(logits.shape)}; a class is missing in them."
            fail(self.task, seen, "one_hot")
        if target.ndim == logits.ndim and not target.is_floating_point():
            fail(self.task, f"the labels entered the loss as {target.dtype} of shape {shape}.", "one_hot")
        if target.ndim < logits.ndim and target.is_floating_point():
            fail(self.task, f"the labels entered the loss as {target.dtype} of shape {shape}.", "one_hot")


def _spread_model(seed: int) -> nn.Module:
    """Return the small model with logits far enough apart to tell the faults from each other."""
    model = small_model(seed)
    with torch.no_grad():
        model[-1].weight.mul_(4)
    return model


def _check_slope(
    task: str, model: nn.Module, images: Tensor, labels: Tensor, slopes: list[Tensor], seed: int
) -> None:
    """Compare the gradient with what a tiny step of all parameters along a random direction does to the loss."""
    generator = torch.Generator().manual_seed(seed)
    tiny, losses, along = 1e-5, [], 0.0
    directions = [torch.randn(slope.shape, generator=generator).double() for slope in slopes]
    for sign in (1, -1):
        moved = copy.deepcopy(model).double()
        with torch.no_grad():
            for parameter, direction in zip(moved.parameters(), directions, strict=True):
                parameter.add_(direction, alpha=sign * tiny)
            losses.append(_mean_loss(moved(images.double()), labels))
    for slope, direction in zip(slopes, directions, strict=True):
        along += float((slope.double() * direction).sum())
    measured = (losses[0] - losses[1]) / (2 * tiny)
    if not close(along, measured, 1e-3):
        seen = f"the value is right, but its slope in one direction is {along:.4f}; a tiny step gives {measured:.4f}."
        _no_graph(task, seen)


# --- a mean over uneven batches ----------------------------------------------------------------------------


def check_loss_over_batches(
    function: Callable, *, batch_sizes: tuple[int, ...] = (8, 8, 8, 3), seed: int = 0
) -> None:
    """Check ``loss_over_batches(batch_losses, batch_sizes)``: the mean loss a sample, a Python float.

    Raises:
        CheckFailed: with the likely belief.
    """
    task, section = "loss_over_batches", "averages"
    generator = torch.Generator().manual_seed(seed)
    losses_of_samples = [(2 * torch.rand(size, generator=generator)).tolist() for size in batch_sizes]
    weight = torch.ones((), requires_grad=True)
    batch_losses = [weight * (sum(losses) / len(losses)) for losses in losses_of_samples]
    result = call(function, list(batch_losses), list(batch_sizes), section=section)
    if type(result) is Tensor:
        graph = " and still holds the graphs of the batches" if result.requires_grad else ""
        seen = f"the result is a tensor{graph}; a Python float is asked for."
        fail(task, seen, "summing_is_free", section=section)
    value = expect_number(task, result, "the result", section)
    _check_mean(task, value, losses_of_samples)
    passed(task, f"{len(batch_sizes)} batches, {sum(batch_sizes)} samples, and each sample counts once")


def _check_mean(task: str, value: float, losses_of_samples: list[list[float]]) -> None:
    everything = [loss for losses in losses_of_samples for loss in losses]
    means = [mean(losses) for losses in losses_of_samples]
    expected = mean(everything)
    if close(value, expected):
        return
    if close(value, mean(means)):
        seen = (
            f"the mean of the batches' means, {value:.4f}, came back; over the samples it is {expected:.4f}."
        )
        fail(task, seen, "mean_of_means")
    if close(value, means[-1]):
        fail(task, "the loss of the last batch came back.", "last_is_all", section="averages")
    if close(value, means[0]):
        seen = "the loss of the first batch came back."
        fail(task, seen, "last_is_all", section="averages")
    for other, what in (
        (sum(everything), "the sum over all samples"),
        (sum(means), "the sum of the batches' means"),
        (sum(means) / len(everything), "the sum of the batches' means, divided by the number of samples,"),
        (sum(everything) / len(means), "the sum over all samples, divided by the number of batches,"),
    ):
        if close(value, other):
            seen = f"{what} came back, {value:.4f}; the mean over the samples is {expected:.4f}."
            fail(task, seen, "mean_of_means")
    fail(task, f"{value:.4f} came back; over these samples it is {expected:.4f}.", "mean_of_means")


# --- cross-entropy from scratch ----------------------------------------------------------------------------


def check_cross_entropy(
    function: Callable, *, num_samples: int = 6, num_classes: int = 4, seed: int = 0
) -> None:
    """Check the value of ``cross_entropy_from_logits(logits, labels)``, for several numbers of classes and samples.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "cross_entropy_from_logits"
    for samples, classes in ((num_samples, num_classes), (num_samples + 3, num_classes + 5), (5, 5), (1, 2)):
        logits, labels = _random_logits(samples, classes, seed)
        value = _run(task, function, logits, labels).item()
        if not close(value, _mean_loss(logits, labels), 1e-4):
            _diagnose_value(task, value, logits, labels)
    passed(task, "the value is right for several numbers of samples and classes")


def check_cross_entropy_slopes(
    function: Callable, *, num_samples: int = 6, num_classes: int = 4, seed: int = 0
) -> None:
    """Check the gradient of ``cross_entropy_from_logits(logits, labels)``, and both for logits of 1000 and -1000.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "cross_entropy_from_logits"
    logits, labels = _random_logits(num_samples, num_classes, seed)
    value = _run(task, function, logits, labels).item()
    if not close(value, _mean_loss(logits, labels), 1e-4):
        _diagnose_value(task, value, logits, labels)
    _check_slopes(task, function, logits, labels, "")
    for about, large in _large_logits(logits, labels):
        value = _run(task, function, large, labels).item()
        expected = _mean_loss(large, labels)
        if not close(value, expected, 1e-3):
            seen = f"for logits {about} the loss came out as {value:.4g}; it is {expected:.4g}."
            fail(task, seen, "exp_is_harmless")
        _check_slopes(task, function, large, labels, f" for logits {about}")
    passed(task, "the gradient is right, and logits of 1000 and -1000 do no harm")


def _check_slopes(task: str, function: Callable, logits: Tensor, labels: Tensor, about: str) -> None:
    logits = logits.clone().requires_grad_()
    slopes = _gradient(_run(task, function, logits, labels), [logits])
    if slopes is None:
        _no_graph(task, "the result has no graph back to the logits, so training could not lower it.")
    exact = logits.detach().double().requires_grad_()
    nn.CrossEntropyLoss()(exact, labels).backward()
    if close(slopes[0], exact.grad, 1e-3):
        return
    if not bool(slopes[0].isfinite().all()):
        fail(task, f"{about.strip() or 'here'} the gradient is not finite.".capitalize(), "exp_is_harmless")
    row, column = divmod(int((slopes[0] - exact.grad).abs().argmax()), logits.shape[1])
    seen = (
        f"the slope of the logit in row {row}, column {column} is {float(slopes[0][row, column]):.4f}{about}; "
        f"it should be {float(exact.grad[row, column]):.4f}."
    )
    fail(
        task,
        seen,
        section="logit_slopes",
        where="Look for a line that takes a number out of the graph: detach, item, tolist, no_grad.",
        think="The slope is the probability, minus one for the true class, divided by the number of samples. "
        "Which of these parts is missing in yours?",
    )


def _run(task: str, function: Callable, logits: Tensor, labels: Tensor) -> Tensor:
    """Run the student's function; return its result, a scalar tensor that was not made by a ready-made loss."""
    given, target = logits.detach().clone(), labels.clone()
    with _Operations() as carried_out:
        loss = call(function, logits, target, section="cross_entropy")
    used = [READY_MADE[name] for name in carried_out.names if name in READY_MADE]
    if used:
        fail(
            task,
            f"PyTorch's own {used[0]} took part in the result.",
            section="cross_entropy",
            where="Look for a function whose name says loss, cross_entropy or log_softmax.",
            think="Exponentials, a sum, a logarithm and one number picked from each row are all there is to it.",
        )
    if not close(logits, given, 0) or not close(target, labels, 0):
        fail(task, "the logits or labels were changed in place.", section="cross_entropy", **ONLY_MEASURE)
    if type(loss) is float:
        _no_graph(task, "a Python float came back, which no training can differentiate.")
    expect_tensor(task, loss, (), "the result", "cross_entropy")
    return loss


class _Operations(TorchDispatchMode):
    """Notes the names of the operations that PyTorch carries out."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def _random_logits(num_samples: int, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(num_samples, num_classes, generator=generator)
    return logits, torch.randint(num_classes, (num_samples,), generator=generator)


def _large_logits(logits: Tensor, labels: Tensor) -> list[tuple[str, Tensor]]:
    """Return logits near 1000, near -1000, of both kinds in different rows, and of both kinds in each row."""
    signs = (1.0 - 2.0 * (torch.arange(len(logits)) % 2))[:, None]  # +1, -1, +1, ...
    true_class = torch.arange(logits.shape[1]) == labels[:, None]
    return [
        ("near 1000", logits + 1000),
        ("near -1000", logits - 1000),
        ("near 1000 in some rows and near -1000 in others", logits + 1000 * signs),
        ("near 1000 and -1000 in every row", logits + 1000 * signs * torch.where(true_class, 1, -1)),
    ]


# --- what they share ---------------------------------------------------------------------------------------


def _diagnose_value(task: str, value: float, logits: Tensor, labels: Tensor) -> None:
    """End the check, with the fault that gives this value, if it is one of the known ones."""
    expected = _mean_loss(logits, labels)
    size, num_classes = logits.shape
    probabilities = [_softmax(row) for row in logits.tolist()]
    of_truth = [row[label] for row, label in zip(probabilities, labels.tolist(), strict=True)]
    accuracy = mean([max(row) == p for row, p in zip(probabilities, of_truth, strict=True)])
    squeezed = {
        "softmax": torch.tensor(probabilities),
        "ReLU": logits.clamp(min=0),
        "sigmoid": 1 / (1 + (-logits.double()).exp()),
    }
    for name, squeeze in squeezed.items():
        if close(value, _mean_loss(squeeze, labels), 1e-4):
            seen = f"{value:.4f} came back: the loss after a {name} over the logits. Without it, it is {expected:.4f}."
            fail(task, seen, "probabilities_in")
    if any(close(value, other) for other in (accuracy, 1 - accuracy, accuracy * size)):
        seen = f"{value:.4f} came back, which counts right or wrong answers; the loss is {expected:.4f}."
        fail(task, seen, "accuracy_is_loss")
    every_label = mean([_loss(row, label) for row in logits.tolist() for label in labels.tolist()])
    down = [_softmax(column) for column in logits.T.tolist()]
    of_columns = -mean([math.log(down[label][row]) for row, label in enumerate(labels.tolist())])
    for other, what, section, where in (
        (-expected, "the loss with the other sign", "likelihood", "the sign"),
        (expected * size, "the sum over the batch", "averages", "the division"),
        (expected / num_classes, "the mean over samples and classes", "averages", "the division"),
        (expected / math.log(2), "the loss in bits", "likelihood", "the base of the logarithm"),
        (every_label, "the mean over every row with every label", "likelihood", "which numbers are picked"),
        (of_columns, "the loss of a softmax over the batch", "logits", "the dimension of each sum"),
        (mean(of_truth), "the mean probability of the true class", "likelihood", "what is done to it"),
        (-mean(of_truth), "minus the mean probability", "likelihood", "what is done to it"),
        (-math.log(mean(of_truth)), "minus log of the mean probability", "likelihood", "what comes first"),
    ):
        if close(value, other, 1e-4):
            fail(
                task,
                f"{value:.4f} came back: {what}. The mean loss is {expected:.4f}.",
                section=section,
                where=f"Look at {where} in your code.",
                think="Take two samples and three classes, write the numbers down, and do each line on paper.",
            )
    if not math.isfinite(value):
        fail(task, f"{value} came back; the mean loss is {expected:.4f}.", "exp_is_harmless")
    fail(
        task,
        f"{value:.4f} came back; the mean loss of these {size} samples and {num_classes} classes is {expected:.4f}.",
        section="likelihood",
        where="Do each line for a single sample with two classes, and print what it gives.",
        think="Which number of a row matters for the loss, which others, and how do they come together?",
    )


def _no_graph(task: str, seen: str) -> None:
    fail(
        task,
        seen,
        section="modes",
        where="Look for a line that takes numbers out of the graph: no_grad, detach, item, tolist.",
        think="Training asks the loss in which direction every number should move. "
        "What has to lead from the result back to these numbers?",
    )


def _gradient(loss: Tensor, inputs: list[Tensor]) -> list[Tensor] | None:
    """Return the gradient, or None if no graph leads from the loss to any of the inputs."""
    if not loss.requires_grad:
        return None
    slopes = torch.autograd.grad(loss, inputs, allow_unused=True)
    if all(slope is None for slope in slopes):
        return None
    return [
        torch.zeros_like(value) if slope is None else slope
        for value, slope in zip(inputs, slopes, strict=True)
    ]


def _mean_loss(logits: Tensor, labels: Tensor) -> float:
    return mean([_loss(row, label) for row, label in zip(logits.tolist(), labels.tolist(), strict=True)])


def _loss(row: list[float], label: int) -> float:
    """Return what one sample costs: a logarithm of a sum over how far the other logits are above its own."""
    highest = max(row) - row[label]
    return highest + math.log(sum(math.exp(other - row[label] - highest) for other in row))


def _softmax(row: list[float]) -> list[float]:
    return [math.exp(-_loss(row, label)) for label in range(len(row))]
