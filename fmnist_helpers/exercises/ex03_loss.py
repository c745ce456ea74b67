"""Checks of the exercises on lesson 03: a loss to be mended, a mean over uneven batches, cross-entropy from scratch.

Right values and slopes come from PyTorch's own cross-entropy in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from fmnist_helpers.exercises.check import Check, Hints, Wrong, close, conclude, mean, seeded
from fmnist_helpers.exercises.ex03_observe import (
    MODES,
    BatchLosses,
    LogitsProblem,
    LossesSeen,
    LossSeen,
    ModelLossProblem,
    as_tensor,
    model_of,
    observe_cross_entropy,
    observe_loss_over_batches,
    observe_model_loss,
)
from fmnist_helpers.exercises.misconceptions import BELIEFS
from fmnist_helpers.exercises.observation import Call, Seen
from fmnist_helpers.exercises.observe import array, state
from fmnist_helpers.exercises.toy import NUM_CLASSES, small_model

READY_MADE = ("_loss", "cross_entropy", "with_logits", "kl_div", "log_softmax")
"""What the names of PyTorch's functions end in that do the task's work."""
LARGE = ("", "1000", "-1000", "1000 in some rows and near -1000 in others", "1000 and -1000 in every row")
"""Where logits lie; the first ones are ordinary."""

COLUMNS = Hints(
    "Look at the line that changes the labels, and print its shape.",
    "one_hot without num_classes makes as many columns as the largest label of this batch needs. Which form of the "
    "labels does not care which classes occur?",
)
A_NUMBER = Hints(
    "Look at what you add up: numbers, or tensors?",
    "A tensor of one number has a method that gives the number as Python's. It stands in the tensor primer.",
)
ONLY_MEASURE = Hints(
    "Look for a line that writes into something that was handed to your function, calls backward or sets a mode.",
    "A loss measures; the loop around it does the rest. What should look the same before and after?",
)
GRAPH = Hints(
    "Look for a line after which nothing is recorded any more: no_grad, detach, item, tolist.",
    "Training asks the loss in which direction every number should move. What has to lead from the result to them?",
)
SLOPE = Hints(
    GRAPH.where,
    "The slope of a logit is the probability, minus one for the true class, divided by the number of samples. "
    "Which of these parts is missing in yours?",
)
FLOOR = Hints(
    "Look at what your code does between the softmax and the logarithm.",
    "A small number avoids log of 0, and sets a bound to the loss as well. How can the logarithm of a probability be "
    "written with the logits themselves, so that no probability has to be computed first?",
)
FROM_SCRATCH = Hints(
    "Look for a function whose name says loss, cross_entropy, kl_div or log_softmax.",
    "Exponentials, a sum, a logarithm and one number picked from each row are all there is to it.",
)
SHARES = "what each batch adds to the total, and what you divide by at the end,"


# --- a loss to be mended -----------------------------------------------------------------------------------


@seeded
def check_model_loss(function: Callable, *, num_samples: int = 12, seed: int = 0) -> None:
    """Check ``model_loss(model, images, labels)``: mean cross-entropy of the model's logits, with its graph.

    The last class does not occur among the labels.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = model_loss_problem(num_samples, seed)
    seen = observe_model_loss(function, problem)
    conclude("model_loss", lambda: judge_model_loss(problem, seen))


def model_loss_problem(num_samples: int, seed: int) -> ModelLossProblem:
    """Return a model whose logits lie on both sides of 0 and reach 5 or -5, so that faults differ, and a batch."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(num_samples, 1, 3, 3, generator=generator)
    labels = torch.randint(NUM_CLASSES - 1, (num_samples,), generator=generator)
    model = small_model(seed)
    weight, bias = model[-1].parameters()
    with torch.no_grad():
        bias.sub_(model(images).mean())
        scale = 5 / model(images).abs().max()
        weight.mul_(scale)
        bias.mul_(scale)
    return ModelLossProblem(array(images), array(labels), state(model))


def judge_model_loss(problem: ModelLossProblem, seen: LossesSeen) -> str:
    """Return the line with which a loss passes that was called once in each mode, or raise CheckFailed."""
    check = Check("model_loss", "cross_entropy")
    model = model_of(problem).double()
    logits, labels = model(problem.images.tensor()), as_tensor(problem.labels)
    functional.cross_entropy(logits, labels).backward()
    exact = {f"parameter {name}": parameter.grad for name, parameter in model.named_parameters()}
    for training, run in zip(MODES, _runs(check, seen, len(MODES)), strict=True):
        if run.call.raised is not None and run.entered is not None:
            _explain_labels(check, run.entered)
        result = check.result(run.call)
        if "mode" in run.changed:
            told = f"the model was handed over with training = {training}, and came back with another mode."
            check.fail(told, hints=ONLY_MEASURE, section="modes")
        if any(mode != training for mode in run.modes):
            told = f"the model was handed over with training = {training}; it computed its logits in the other mode."
            check.fail(told, hints=ONLY_MEASURE, section="modes")
        _judge_value(check, _scalar(check, run, result), logits.detach(), labels)
        _judge_slopes(check, run, exact, "parameters")
    return "the loss is right, and it can be differentiated"


def _explain_labels(check: Check, entered: Seen) -> None:
    """End the check if PyTorch's cross-entropy refuses what entered it, logits and labels, for its labels."""
    arrays = [one.array for one in entered.items or [] if one.array is not None]
    if len(arrays) != 2:
        return
    (logits, labels), dtype = (tuple(one.shape) for one in arrays), arrays[1].dtype
    in_rows, whole = len(labels) == len(logits), not dtype.startswith("float")
    if len(labels) > len(logits):
        told = f"the loss took a tensor of shape {logits} for the logits, and one of shape {labels} for the labels."
        check.fail(told, hints=_look("the order of the arguments of the loss"))
    if in_rows and labels[1:] == (1,) and len(set(arrays[1].numbers)) > 1:
        told = (
            f"the labels entered the loss with shape {labels}, and class numbers have the shape {labels[:1]}."
        )
        check.fail(told, hints=_look("what is done to the shape of the labels"), section="labels")
    if in_rows and labels != logits:
        told = f"labels of shape {labels} met logits of shape {logits}; a class is missing in them: "
        told += "one_hot by itself makes no more columns than the largest label needs."
        check.fail(told, "one_hot", COLUMNS, section="labels")
    if in_rows == whole:
        check.fail(f"the labels entered the loss as torch.{dtype} of shape {labels}.", "one_hot")


# --- a mean over uneven batches ----------------------------------------------------------------------------


@seeded
def check_loss_over_batches(
    function: Callable, *, batch_sizes: tuple[int, ...] = (8, 8, 8, 3), seed: int = 0
) -> None:
    """Check ``loss_over_batches(batch_losses, batch_sizes)``: the mean loss per sample, a Python float.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = loss_over_batches_problem(batch_sizes, seed)
    seen = observe_loss_over_batches(function, problem)
    conclude("loss_over_batches", lambda: judge_loss_over_batches(problem, seen))


def loss_over_batches_problem(batch_sizes: Sequence[int], seed: int) -> BatchLosses:
    """Return a loss between 0 and 2 for each batch."""
    generator = torch.Generator().manual_seed(seed)
    return BatchLosses((2 * torch.rand(len(batch_sizes), generator=generator)).tolist(), list(batch_sizes))


def judge_loss_over_batches(problem: BatchLosses, seen: Call) -> str:
    """Return the line with which the mean over the samples passes, or raise CheckFailed."""
    check = Check("loss_over_batches", "averages")
    result = check.result(seen)
    if result.is_a("Tensor"):
        graph = " and still holds the graphs of the batches" if result.graph else ""
        told = f"the result is a tensor{graph}; a Python float is asked for."
        check.fail(told, "summing_is_free" if result.graph else None, A_NUMBER, section="tensors")
    value = check.number(result, "the result")
    losses, sizes, count = problem.losses, problem.sizes, sum(problem.sizes)
    right = _weighted(losses, sizes)
    for which, loss in (("last", losses[-1]), ("first", losses[0])):
        if close(value, loss) and not close(value, right):
            check.fail(f"the loss of the {which} batch came back.", "last_is_all", section="averages")
    total, num_batches = right * count, len(sizes)
    rows = [
        (mean(losses), "the mean of the batches' means", "mean_of_means"),
        (
            sum(losses) / count,
            "the sum of the batches' means, divided by the number of samples",
            "mean_of_means",
        ),
        (total / num_batches, "the sum over all samples, divided by the number of batches", "mean_of_means"),
        (total / num_batches / sizes[0], "the mean if all batches were as large as the first", SHARES),
        (total, "the sum over all samples", SHARES),
        (sum(losses), "the sum of the batches' means", SHARES),
        (_weighted(losses[:-1], sizes[:-1]), "the mean without the last batch", SHARES),
        (_weighted(losses[1:], sizes[1:]), "the mean without the first batch", SHARES),
        *(
            (round(right, digits), f"the mean, rounded to {digits} digits", "the rounding")
            for digits in range(5)
        ),
        (math.floor(right), "the mean without what comes after the point", "the division"),
    ]
    batches = ", ".join(f"{loss:.4g} for {size}" for loss, size in zip(losses, sizes, strict=True))
    detail = f" The batches have these mean losses for so many samples: {batches}."
    _compare(check, (value, right), "the mean over the samples", rows, SHARES, 1e-6, detail)
    return f"{num_batches} batches, {count} samples, and each sample counts once"


def _weighted(losses: list[float], sizes: list[int]) -> float:
    return mean([loss for loss, size in zip(losses, sizes, strict=True) for _ in range(size)])


# --- cross-entropy from scratch ----------------------------------------------------------------------------


@seeded
def check_cross_entropy(
    function: Callable, *, num_samples: int = 6, num_classes: int = 4, seed: int = 0
) -> None:
    """Check the value of ``cross_entropy_from_logits(logits, labels)``, for several numbers of classes and samples.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = cross_entropy_problem(num_samples, num_classes, seed)
    seen = observe_cross_entropy(function, problem)
    conclude("cross_entropy_from_logits", lambda: judge_cross_entropy(problem, seen))


@seeded
def check_cross_entropy_slopes(
    function: Callable, *, num_samples: int = 6, num_classes: int = 4, seed: int = 0
) -> None:
    """Check the gradient of ``cross_entropy_from_logits(logits, labels)``, and both for logits of 1000 and -1000.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = cross_entropy_slopes_problem(num_samples, num_classes, seed)
    seen = observe_cross_entropy(function, problem)
    conclude("cross_entropy_from_logits", lambda: judge_cross_entropy(problem, seen))


def cross_entropy_problem(num_samples: int, num_classes: int, seed: int) -> LogitsProblem:
    """Return batches of several sizes: one is square, one holds a single sample."""
    sizes = ((num_samples, num_classes), (num_samples + 3, num_classes + 5), (5, 5), (1, 2))
    return _logits_problem([_random_batch(*size, seed) for size in sizes], with_graph=False)


def cross_entropy_slopes_problem(num_samples: int, num_classes: int, seed: int) -> LogitsProblem:
    """Return one batch of ordinary logits, then the same labels with logits that lie as ``LARGE`` says."""
    logits, labels = _random_batch(num_samples, num_classes, seed)
    signs = (1.0 - 2.0 * (torch.arange(num_samples) % 2))[:, None]  # +1, -1, +1, ...
    within_rows = signs * torch.where(torch.arange(num_classes) == labels[:, None], 1, -1)
    shifts = (0, 1, -1, signs, within_rows)
    return _logits_problem([(logits + 1000 * shift, labels) for shift in shifts], with_graph=True)


def judge_cross_entropy(problem: LogitsProblem, seen: LossesSeen) -> str:
    """Return the line with which values pass, and slopes if there is a graph, or raise CheckFailed."""
    check = Check("cross_entropy_from_logits", "cross_entropy")
    runs = _runs(check, seen, len(problem.batches))
    kinds = LARGE if problem.with_graph else [""] * len(runs)
    for (numbers, classes), run, large in zip(problem.batches, runs, kinds, strict=True):
        result = check.result(run.call)
        for name in run.operations:
            if name.endswith(READY_MADE):
                told = f"PyTorch's own {name.strip('_')} took part in the result, a ready-made loss or log_softmax."
                check.fail(told, hints=FROM_SCRATCH)
        value = _scalar(check, run, result)
        logits, labels = numbers.tensor().requires_grad_(problem.with_graph), as_tensor(classes)
        loss = functional.cross_entropy(logits, labels)
        about = f" for logits near {large}" if large else ""
        if not large:
            _judge_value(check, value, logits.detach(), labels)
        elif not close(value, loss, 1e-3):
            told = f"{about[1:]} the loss came out as {value:.4g}; it is {loss.item():.4g}."
            _explain_floor(check, told, value, logits.detach(), labels)
            check.fail(told, "exp_is_harmless")
        if problem.with_graph:
            loss.backward()
            _judge_slopes(check, run, {"logits": logits.grad}, "logits", about)
    if problem.with_graph:
        return "the gradient is right, and logits of 1000 and -1000 do no harm"
    return "the value is right for several numbers of samples and classes"


def _explain_floor(check: Check, told: str, value: float, logits: Tensor, labels: Tensor) -> None:
    """End the check if samples whose probability is 0 in floats cost what a small number instead of it would."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    lost = losses > 200
    if not lost.any() or losses[~lost].sum() > 1e-3:
        return
    cost = value * len(losses) / int(lost.sum())
    # Numbers from the smallest float up to a twentieth.
    if 3 < cost < 104:
        told += f" Each sample whose probability rounds to 0 cost {cost:.3g}, which is -log of {math.exp(-cost):.1g}: "
        told += "a small number was added before the logarithm, or the probabilities were cut off there."
        check.fail(told, "exp_is_harmless", FLOOR)


def _random_batch(num_samples: int, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(num_samples, num_classes, generator=generator)
    return logits, torch.randint(num_classes, (num_samples,), generator=generator)


def _logits_problem(batches: list[tuple[Tensor, Tensor]], *, with_graph: bool) -> LogitsProblem:
    return LogitsProblem([(array(logits), array(labels)) for logits, labels in batches], with_graph)


# --- what they share ---------------------------------------------------------------------------------------


def _runs(check: Check, seen: LossesSeen, number: int) -> list[LossSeen]:
    if len(seen.runs) != number:
        check.fail(f"{number} calls of the function were expected, and {len(seen.runs)} were seen.")
    return seen.runs


def _scalar(check: Check, run: LossSeen, result: Seen) -> float:
    """Return the number in a result; end the check unless it is a tensor of shape (), and all else was let alone."""
    # Whoever changes the dtype of the parameters changes that of their .grad, too, and has not called backward.
    if ".grad" in run.changed and "parameters" not in run.changed:
        told = "the function called backward itself: .grad was filled, and the training loop would fill it again."
        check.fail(told, hints=ONLY_MEASURE)
    if ".grad emptied" in run.changed:
        told = (
            "the function emptied .grad: gradients that the loop had gathered from earlier batches are gone."
        )
        check.fail(told, hints=ONLY_MEASURE, section="accumulation")
    if run.changed:
        check.fail(f"what was handed over was changed: {', '.join(run.changed)}.", hints=ONLY_MEASURE)
    if result.number is not None and result.array is None:
        kind = "float" if result.is_a("float") else result.type
        check.fail(
            f"a Python {kind} came back, which no training can differentiate.", hints=GRAPH, section="modes"
        )
    return check.tensor(result, (), "the result").item()


def _judge_value(check: Check, value: float, logits: Tensor, labels: Tensor) -> None:
    """End the check unless this is the mean loss of the logits (float64), with the fault that leads to the value."""
    right, rows = functional.cross_entropy(logits, labels).item(), _wrong_losses(logits, labels)
    otherwise = "what each line gives for a single sample with two classes"
    _compare(Check(check.task, "likelihood"), (value, right), "the mean loss", rows, otherwise, 1e-4)


def _wrong_losses(logits: Tensor, labels: Tensor) -> Iterator[tuple[float, str, str]]:
    """Yield what likely mistakes give for the mean loss: a number, what it is, and why or where."""

    def loss(numbers: Tensor) -> float:
        return functional.cross_entropy(numbers, labels).item()

    own, right, log_p = (torch.arange(len(labels)), labels), loss(logits), logits.log_softmax(1)
    of_truth = log_p[own].exp().mean().item()
    accuracy = (logits.argmax(1) == labels).double().mean().item()
    # An accuracy of 0 or 1 may come from anywhere.
    counts = (accuracy, 1 - accuracy, accuracy * len(labels)) if 0 < accuracy < 1 else ()
    yield from (
        (loss(log_p.exp()), "the loss after a softmax over the logits", "probabilities_in"),
        (loss(logits.relu()), "the loss after a ReLU over the logits", "probabilities_in"),
        (loss(logits.sigmoid()), "the loss after a sigmoid over the logits", "probabilities_in"),
        (loss(logits.tanh()), "the loss after a tanh over the logits", "probabilities_in"),
        *((count, "a number which counts right or wrong answers", "accuracy_is_loss") for count in counts),
        (-right, "the loss with the other sign", "the sign"),
        (right * len(labels), "the sum over the batch", "the division"),
        (right / logits.shape[1], "the mean over samples and classes", "the division"),
        (right / math.log(2), "the loss in bits", "the base of the logarithm"),
        (right / math.log(10), "the loss with logarithms to the base 10", "the base of the logarithm"),
        (-log_p[:, labels].mean(), "the mean over every row with every label", "which numbers are picked"),
        (-logits.log_softmax(0)[own].mean(), "the loss of a softmax over the batch", "the dim of each sum"),
        (of_truth, "the mean probability of the true class", "what is done to it"),
        (-of_truth, "minus the mean probability", "what is done to it"),
        (-math.log(of_truth), "minus log of the mean probability", "what comes first"),
        (-logits[own].mean(), "minus the mean logit of the true class", "how logits become probabilities"),
        (right - logits.amax(1).mean(), "the largest logit is missing", "what is subtracted and added again"),
    )


def _judge_slopes(
    check: Check, run: LossSeen, exact: dict[str, Tensor], inputs: str, about: str = ""
) -> None:
    """End the check unless the gradient is the exact one."""
    raised = run.slopes.raised if run.slopes is not None else None
    if raised is not None and run.call.result.graph:
        told = f"the result cannot be differentiated: {raised.type}: {raised.message}."
        check.fail(told, hints=ONLY_MEASURE)
    slopes = run.slopes.result.items if run.slopes is not None and run.slopes.result is not None else None
    if slopes is None or len(slopes) != len(exact) or all(slope.array is None for slope in slopes):
        told = (
            f"the result has no graph back to the {inputs}: PyTorch has not recorded how it came from them."
        )
        check.fail(told, hints=GRAPH, section="modes")
    for (name, right), seen in zip(exact.items(), slopes, strict=True):
        slope = right * 0 if seen.array is None else check.tensor(seen, right.shape, "a slope")
        if not close(slope, right, 1e-3):
            at = torch.unravel_index((slope - right).abs().argmax(), right.shape)
            where = f"{name}[{', '.join(str(int(index)) for index in at)}]"
            told = f"the slope of {where} is {slope[at]:.4f}{about}; it should be {right[at]:.4f}."
            overflow = "exp_is_harmless" if about and not bool(slope.isfinite().all()) else None
            check.fail(
                f"the value is right, but {told}",
                overflow,
                None if overflow else SLOPE,
                section="logit_slopes",
            )


def _compare(
    check: Check,
    found: tuple[float, float],
    what: str,
    rows: Iterable[tuple[float, str, str]],
    otherwise: str,
    tolerance: float,
    detail: str = "",
) -> None:
    """Compare a value with the right one, then with wrong ones: each is a number, what it is, and why or where.

    ``detail`` follows where none of them explains it.
    """
    value, right = found
    short = [f"{one:.4f}" if abs(one) < 1e6 else f"{one:.4g}" for one in found]
    ours, theirs = short if short[0] != short[1] else (f"{value:.9g}", f"{right:.9g}")

    def wrong() -> Iterator[Wrong]:
        for other, name, why in rows:
            belief, hints = (why, None) if why in BELIEFS else (None, _look(why))
            if math.isfinite(other):
                yield Wrong(other, f"{ours} came back: {name}; {what} is {theirs}.", belief, hints)

    told = f"{ours} came back; {what} is {theirs}.{detail}"
    check.compare(value, right, wrong(), Wrong(None, told, None, _look(otherwise)), tolerance)


def _look(where: str) -> Hints:
    paper = "Take a case so small that you can do each line on paper, and write down what it gives."
    return Hints(f"Look at {where} in your code.", paper)
