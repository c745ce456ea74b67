"""Checks of the exercises on lesson 05: two evaluations and two training loops with a twist.

What an evaluation gives is compared with ranks of logits, what a training loop gives with gradients of a whole group
of batches at once, from ``torch.func`` in double precision, and the step of gradient descent written out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from fmnist_helpers.exercises.check import (
    Check,
    Hints,
    Wrong,
    close,
    conclude,
    mean,
    mean_of_batch_means,
    seeded,
)
from fmnist_helpers.exercises.ex05_observe import (
    Evaluated,
    Evaluation,
    Samples,
    Trained,
    Training,
    observe_evaluation,
    observe_training,
)
from fmnist_helpers.exercises.observation import Event
from fmnist_helpers.exercises.observe import array, arrays
from fmnist_helpers.exercises.toy import NUM_CLASSES, small_dataset, small_model

RATE, MOMENTUM, SMOOTHING = 0.5, 0.9, 0.1
"""Momentum, so that only the right gradients will do; label smoothing, so that only the loss handed over will."""
MORE_CLASSES = NUM_CLASSES + 2
ABSENT = 1
"""A class in the middle that has no sample where more classes are asked for."""
MOST_ATTEMPTS = 200
RANKS = torch.tensor([0.5, 0.25, 0.15, 0.1])
"""How often a sample's label has the largest logit of the four, the second largest, and so on."""

COUNTING = Hints(
    "Look at what you add up for each batch, and at what you divide by at the end.",
    "Take the second batch alone and work out by hand what it should add to your counts.",
)
WHICH_GUESSES = Hints(
    "Look at the line that picks classes from the logits: how many of each row does it pick, and which ones?",
    "Take one image with the logits 3, 1, 2, 0. Which two classes are its guesses?",
)
OWN_PLACE = Hints(
    "Look at which classes your code goes through, and at the place where each result is put.",
    "The labels 0, 0, 2 hold two classes. At which places of the result do their accuracies belong, and what stands "
    "between them?",
)
WHICH_MODEL = Hints(
    "Follow one batch through your loop: images, logits, loss, backward, step.",
    "Which model computes the logits, which loss is differentiated, and whose weights does the optimiser move?",
)
LAST_GROUP = Hints(
    "Look at the line that decides when a step is taken: what happens to it at the last batch?",
    "Five batches in groups of two: write down after which of them a step is due, and which condition is true there.",
)
ONE_ARROW = Hints(
    "Look at when the gradient is clipped, and at what is measured: each tensor, or all together.",
    "The gradient is one long arrow whose parts lie in many tensors. Its length is known only after backward, it is "
    "used in step, and shortening it must not turn it.",
)
WHICH_NUMBER = Hints(
    "Look at the line that keeps a batch's loss: what has been done to it by then?",
    "The asked number is what loss_fn gives for the batch, with the weights from before the batch's update.",
)


# --- evaluation --------------------------------------------------------------------------------------------


@seeded
def check_top_two_accuracy(
    function: Callable, *, num_samples: int = 22, batch_size: int = 8, seed: int = 0
) -> None:
    """Check ``top_two_accuracy(dataloader, model)``: share of samples whose label has one of the two largest logits.

    Raises:
        CheckFailed: with what was seen, and the belief that it shows.
    """
    problem = Evaluation(_telling_samples(num_samples, batch_size, seed, _wrong_shares, _top_two))
    seen = observe_evaluation(function, problem)
    conclude("top_two_accuracy", lambda: judge_top_two_accuracy(problem, seen))


@seeded
def check_accuracy_by_class(
    function: Callable, *, num_samples: int = 41, batch_size: int = 8, seed: int = 0
) -> None:
    """Check ``accuracy_by_class(dataloader, model, num_classes)``: a float tensor, nan for a class without samples.

    Raises:
        CheckFailed: with what was seen, and the belief that it shows.
    """
    problems = [
        Evaluation(
            _telling_samples(num_samples, batch_size, seed, _wrong_classes, _accuracies, absent), [number]
        )
        for number, absent in ((NUM_CLASSES, None), (MORE_CLASSES, ABSENT))
    ]
    seen = [observe_evaluation(function, problem) for problem in problems]
    conclude("accuracy_by_class", lambda: judge_accuracy_by_class(problems, seen))


def judge_top_two_accuracy(problem: Evaluation, seen: Evaluated) -> str:
    """Judge the share that came back for one model."""
    check, samples = Check("top_two_accuracy", "loops"), problem.samples
    result = check.result(seen.call)
    _judge_switches(check, seen)
    value, right = check.number(result, "the result"), _top_two(samples)
    if not close(value, right):
        said = f"{value:.4g} came back; over these samples it is {right:.4g}."
        _judge_number_of_images(check, samples, seen)
        check.compare(value, right, _wrong_shares(samples), Wrong(value, said, None, COUNTING))
    return "modes, graph and average are right"


def judge_accuracy_by_class(problems: Sequence[Evaluation], seen: Sequence[Evaluated]) -> str:
    """Judge the accuracies for as many classes as there are, and for more, of which some have no sample."""
    check = Check("accuracy_by_class", "loops")
    for problem, one in zip(problems, seen, strict=True):
        samples, (num_classes,) = problem.samples, problem.arguments
        result = check.result(one.call)
        _judge_switches(check, one)
        values = check.tensor(result, (num_classes,), "the result").tolist()
        if "float" not in result.array.dtype:
            check.fail(f"the result should hold floats, and it is torch.{result.array.dtype}.")
        right = _accuracies(samples, num_classes)
        if not close(values, right):
            _judge_number_of_images(check, samples, one)
            otherwise = Wrong(values, _first_difference(samples, values, right), None, COUNTING)
            check.compare(values, right, _wrong_classes(samples, num_classes), otherwise)
    return f"{NUM_CLASSES} classes, and {MORE_CLASSES} with three of them empty, one in the middle"


def _judge_switches(check: Check, seen: Evaluated) -> None:
    """Judge the two switches: the model has dropout and was left in training mode."""
    forward = [event for event in seen.events if event.kind == "forward"]
    with_graph = any(event.grad_enabled for event in forward)
    if any(event.training for event in forward):
        held = "" if with_graph else ", though no_grad was set"
        said = f"the model was evaluated in training mode{held}, so its dropout was at work."
        check.fail(said, "mode_returns" if with_graph else "no_grad_stops_dropout")
    if with_graph:
        said = "the model was evaluated with gradients on, so PyTorch recorded it."
        check.fail(said, "eval_stops_gradients")
    if seen.changed:
        check.fail(f"the evaluation changed something that it was given: the {seen.changed[0]}.")


def _judge_number_of_images(check: Check, samples: Samples, seen: Evaluated) -> None:
    """End the check if some images did not go through the model; used where the result is wrong."""
    counts, number = [e.value for e in seen.events if e.kind == "forward"], len(samples.labels.numbers)
    if not counts:
        check.fail("no image went through the model.", None, WHICH_MODEL)
    if None not in counts and sum(counts) < number:
        only_one = len(counts) == 1
        said = f"{sum(counts):g} of {number} images went through the model."
        check.fail(said, "last_is_all" if only_one else None, None if only_one else COUNTING)


def _first_difference(samples: Samples, values: list[float], right: list[float]) -> str:
    place = next(k for k, pair in enumerate(zip(values, right, strict=True)) if not close(*pair))
    own = (_ranks(samples) == 0)[samples.labels.tensor() == place]
    if not len(own):
        return f"class {place} got {values[place]:.4g}; it has no sample, so nan (no value) is asked for."
    return f"class {place} got {values[place]:.4g}; {own.sum()} of its {len(own)} samples are classified rightly."


def _wrong_shares(samples: Samples) -> Iterator[Wrong]:
    """Yield what likely mistakes give for the top-two accuracy."""
    ranks, size, right = _ranks(samples), samples.batch_size, _top_two(samples)
    hits = (ranks < 2).double().tolist()
    last = (len(hits) - 1) // size * size
    means = mean_of_batch_means(hits, size)
    said = f"the mean of the batches' values, {means:.4f}, came back; over the samples it is {right:.4f}."
    yield Wrong(means, said, "mean_of_means")
    yield Wrong(mean(hits[last:]), "the value of the last batch came back.", "last_is_all")
    for number in (sum(hits), 100 * right):
        yield Wrong(number, f"{number:g} came back; a share of the samples, from 0 to 1, is asked for.")
    said = "the right ones were divided by batches times batch size; the last batch is short."
    yield Wrong(sum(hits) / (last + size), said, None, COUNTING)
    yield Wrong(mean(hits[:last]), "the short last batch was left out.", None, COUNTING)
    for number in (1, 3):
        said = f"top-{number} accuracy came back; top-two is asked for."
        yield Wrong((ranks < number).double().mean(), said, None, WHICH_GUESSES)
    said = "the share of samples whose label has one of the two smallest logits came back; the largest are asked for."
    yield Wrong(1 - right, said, None, WHICH_GUESSES)
    said = (
        "the share of samples whose label has the second largest logit came back; the largest counts as well."
    )
    yield Wrong((ranks == 1).double().mean(), said, None, WHICH_GUESSES)
    for digits in (2, 3, 4):
        said = f"the result was rounded to {digits} decimals; it is asked for as it is."
        yield Wrong(round(right, digits), said)


def _wrong_classes(samples: Samples, num_classes: int = MORE_CLASSES) -> Iterator[Wrong]:
    """Yield what likely mistakes give for the accuracy of each class."""
    logits, labels = _logits(_parameters(samples), samples.images.tensor()), samples.labels.tensor().long()
    hits, batch = logits.argmax(dim=1) == labels, torch.arange(len(labels)) // samples.batch_size
    batches = torch.tensor([_by_class(hits, samples, num_classes, batch == at) for at in batch.unique()])
    said = "each class got the mean of its batches' accuracies, not of its samples."
    yield Wrong(batches.nanmean(dim=0), said, "mean_of_means")
    yield Wrong(batches.nan_to_num().mean(dim=0), said, "mean_of_means")
    yield Wrong(batches[-1], "only the last batch was counted.", "last_is_all")
    shares = _by_class(hits, samples, num_classes, batch < batch.max())
    yield Wrong(shares, "the short last batch was left out.", None, COUNTING)
    said = "the values add up to the accuracy: each class was divided by all samples, not by its own."
    shares = torch.bincount(labels[hits], minlength=num_classes) / len(labels)
    yield Wrong(shares, said, None, COUNTING)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    right = _by_class(hits, samples, num_classes)
    occur = [value for value in right if not math.isnan(value)]
    packed = occur + (num_classes - len(occur)) * [math.nan]
    if not close(packed, right):
        said = "the accuracies stand one after the other, as if no class between them were absent: each belongs at "
        yield Wrong(packed, f"{said}the place of its class.", None, OWN_PLACE)
    said = "each class got its mean loss, not its accuracy."
    yield Wrong(_by_class(losses, samples, num_classes), said, "accuracy_is_loss")


def _telling_samples(
    num_samples: int,
    batch_size: int,
    seed: int,
    wrong: Callable[[Samples], Iterator[Wrong]],
    right: Callable,
    absent: int | None = None,
) -> Samples:
    """Return samples for which every likely mistake shows, if some are found in time.

    The model is a random straight one, so it chooses every class; a label is the class that it ranks first to fourth.
    No sample is of the class ``absent``: those that would be get the class that the model ranks next.
    """
    for attempt in range(MOST_ATTEMPTS):
        generator = torch.Generator().manual_seed(seed + 10_000 * attempt)
        images = torch.rand(num_samples, 1, 3, 3, generator=generator)
        weight, ends = torch.randn(NUM_CLASSES, 9, generator=generator), torch.eye(NUM_CLASSES)
        # Two hidden units a class: relu(z) - relu(-z) is z again.
        first, last = torch.cat([weight, -weight]), torch.cat([ends, -ends], dim=1)
        parameters = [first, -first.sum(dim=1) / 2, last, torch.zeros(NUM_CLASSES)]
        ranks = torch.multinomial(RANKS, num_samples, replacement=True, generator=generator)
        order = _logits(parameters, images).argsort(dim=1, descending=True)
        labels = order.gather(1, ranks[:, None])[:, 0]
        if absent is not None:
            following = order.gather(1, (ranks[:, None] + 1) % NUM_CLASSES)[:, 0]
            labels = torch.where(labels == absent, following, labels)
        samples = Samples(array(images), array(labels), batch_size, arrays(parameters))
        cases = list(wrong(samples))
        # Likely mistakes in the guesses name no belief, and still each should be told as what it is.
        named = [case.value for case in cases if case.belief or case.hints is WHICH_GUESSES]
        apart = [*named, right(samples)]
        if not any(close(case.value, one) for case in cases for one in apart if case.value is not one):
            break
    return samples


def _ranks(samples: Samples) -> Tensor:
    """Return for each sample how many logits are larger than its label's."""
    logits = _logits(_parameters(samples), samples.images.tensor())
    return (logits > logits.gather(1, samples.labels.tensor().long()[:, None])).sum(dim=1)


def _top_two(samples: Samples) -> float:
    return (_ranks(samples) < 2).double().mean().item()


def _accuracies(samples: Samples, num_classes: int = MORE_CLASSES) -> list[float]:
    return _by_class(_ranks(samples) == 0, samples, num_classes)


def _by_class(
    values: Tensor, samples: Samples, num_classes: int, counted: Tensor | slice = slice(None)
) -> list[float]:
    """Return the mean of the values of each class's samples, nan where it has none."""
    labels = samples.labels.tensor().long()[counted]
    sums = torch.bincount(labels, values.double()[counted], num_classes)
    return (sums / torch.bincount(labels, minlength=num_classes)).tolist()


# --- training ----------------------------------------------------------------------------------------------


@seeded
def check_train_accumulated(
    function: Callable, *, num_accumulate: int = 2, num_batches: int = 5, batch_size: int = 4, seed: int = 0
) -> None:
    """Check the updates of ``train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate)``.

    One update for every ``num_accumulate`` batches, as if they were one large batch; the last group may have fewer.

    Raises:
        CheckFailed: with what was seen, and the belief that it shows.
    """
    problem = _training(num_accumulate, num_batches, batch_size, seed)
    seen = observe_training(function, problem)
    conclude("train_accumulated", lambda: judge_train_accumulated(problem, seen))


@seeded
def check_train_clipped(
    function: Callable, *, max_norm: float = 0.3, num_batches: int = 4, batch_size: int = 4, seed: int = 0
) -> None:
    """Check the updates of ``train_clipped(dataloader, model, loss_fn, optimizer, max_norm)``.

    One update per batch; a gradient whose length over all parameters together exceeds ``max_norm`` is scaled to it.

    Raises:
        CheckFailed: with what was seen, and the belief that it shows.
    """
    problem = _training(float(max_norm), num_batches, batch_size, seed)
    seen = observe_training(function, problem)
    conclude("train_clipped", lambda: judge_train_clipped(problem, seen))


@seeded
def check_every_loss(
    function: Callable, argument: float, *, num_batches: int = 5, batch_size: int = 4, seed: int = 0
) -> None:
    """Check that a training loop returns the loss of every batch, as a list of floats.

    Args:
        function: the student's loop.
        argument: its last argument, a whole number for ``train_accumulated`` and a float for ``train_clipped``.
        num_batches, batch_size, seed: the problem.

    Raises:
        CheckFailed: with what was seen, and the belief that it shows.
    """
    problem = _training(argument, num_batches, batch_size, seed)
    seen = observe_training(function, problem)
    conclude(_task(problem), lambda: judge_every_loss(problem, seen))


def judge_train_accumulated(problem: Training, seen: Trained) -> str:
    """Judge the weights after the loop: one update for each group of batches."""
    check, samples, groups = Check(_task(problem), "iteration"), problem.samples, _groups(problem)
    _judge_mode(check, seen)
    right = _descended(problem, groups)
    if not close(seen.parameters, right, 1e-4):
        _diagnose_passes(check, problem, seen)
        _diagnose_steps(check, groups, seen)
        otherwise = Wrong(None, _other_weights(groups, seen), None, WHICH_MODEL)
        check.compare(seen.parameters, right, _wrong_shares_of_batches(problem, groups), otherwise, 1e-4)
    largest = max((event.value or 0 for event in _of(seen, "forward") if event.grad_enabled), default=0)
    if largest > samples.batch_size:
        check.fail(
            f"{largest:g} images went through the model at once; a batch has {samples.batch_size}, and a larger one "
            "may not fit into memory.",
            hints=Hints(
                "Look at what you hand to the model: one batch, or several put together?",
                "The gradients are what is added up. When may the images of the first batch be forgotten?",
            ),
            section="accumulation",
        )
    return f"{len(groups)} updates from {sum(map(len, groups))} batches, each as of one large batch"


def judge_train_clipped(problem: Training, seen: Trained) -> str:
    """Judge the weights after the loop: one update per batch, none with a gradient longer than asked."""
    check, groups, max_norm = Check(_task(problem), "order"), _groups(problem), problem.argument
    _judge_mode(check, seen)
    right = _descended(problem, groups)
    if not close(seen.parameters, right, 1e-4):
        _diagnose_passes(check, problem, seen)
        _diagnose_steps(check, groups, seen)
        said = _other_weights(groups, seen)
        for event in _of(seen, "step"):
            if event.gradient > max_norm * 1.01:
                said = f"at the step of batch {event.batch} the gradient had length {event.gradient:.3g}, more than "
                said += f"max_norm={max_norm:g}."
                break
        otherwise = Wrong(None, said, None, ONE_ARROW)
        check.compare(seen.parameters, right, _wrong_clipping(problem, groups), otherwise, 1e-4)
    return f"{len(groups)} updates, none longer than max_norm={max_norm:g} times the rate"


def judge_every_loss(problem: Training, seen: Trained) -> str:
    """Judge the list that came back; whether the updates are right is judged elsewhere."""
    check, groups = Check(_task(problem), "loops"), _groups(problem)
    number, group = sum(map(len, groups)), len(groups[0])
    result = check.result(seen.call)
    seen_losses = [event.value for event in _of(seen, "loss") if event.grad_enabled]
    # Later losses depend on the updates, and are those that the loop reports; the first one depends on none.
    kinds = [event.kind for event in seen.events]
    first = _loss(_parameters(problem.samples), problem, range(1))
    told = len(seen_losses) == number and None not in seen_losses
    right = told and ("step" in kinds[: kinds.index("loss")] or close(seen_losses[0], first))
    losses = seen_losses if right else _losses(problem)
    if result.number is not None:
        said = "one number came back; a list with the loss of every batch is asked for."
        check.fail(said, "last_is_all" if close(result.number, losses[-1]) else None)
    items = check.items(result, "the result")
    if any(item.is_a("Tensor") and item.graph for item in items):
        said = "the list holds tensors, which keep their graphs alive; floats are asked for."
        check.fail(said, "summing_is_free")
    if any(item.is_a("Tensor") for item in items):
        check.fail("the list holds tensors; floats are asked for.")
    values = [check.number(item, f"entry {place} of the list") for place, item in enumerate(items)]
    if len(values) != number:
        belief = "epoch_is_iteration" if len(values) in (len(groups), 2 * number) else None
        belief = "last_is_all" if close(values, losses[-1:]) else belief
        said = f"the list has {len(values)} entries, and there are {number} batches."
        check.fail(said, belief, None if belief else WHICH_NUMBER)
    # A loop variable may hold on to the group before while the next one is computed.
    if seen.graphs_alive > max(2, 2 * group - 1):
        said = f"{seen.graphs_alive} losses still held their graphs when the next batch came."
        check.fail(said, "summing_is_free")
    if seen.losses_that_waited:
        said = f"{seen.losses_that_waited} of {number} losses were differentiated only after the next batch had gone "
        said += "through the model, so until then their graphs had to be kept."
        check.fail(said, "summing_is_free")
    if not close(values, losses):
        if not _of(seen, "loss"):
            check.fail("loss_fn was never called.", None, WHICH_MODEL)
        place = next(k for k, pair in enumerate(zip(values, losses, strict=True)) if not close(*pair))
        said = f"entry {place} is {values[place]:.6g}; the mean loss of batch {place + 1} was {losses[place]:.6g}"
        otherwise = Wrong(None, f"{said}.", None, WHICH_NUMBER)
        check.compare(values, losses, _wrong_losses(problem, losses, said), otherwise)
    return f"the losses of all {number} batches came back as floats"


def _judge_mode(check: Check, seen: Trained) -> None:
    """Judge what no weight shows: the model was handed over in evaluation mode, and has to train in the other one."""
    check.result(seen.call)
    if any(event.grad_enabled and not event.training for event in _of(seen, "forward")):
        said = "the model was trained in evaluation mode, in which it was handed over."
        check.fail(said, "mode_returns")


def _diagnose_passes(check: Check, problem: Training, seen: Trained) -> None:
    """Say what is wrong with the batches, if not each of them went once through model, loss and backward."""
    number, size = sum(map(len, _groups(problem))), problem.samples.images.shape[0]
    counts = [event.value for event in _of(seen, "forward") if event.grad_enabled]
    moved = not close(seen.parameters, problem.samples.parameters, 0)
    backward, said, belief = _of(seen, "backward"), "", None
    if not _of(seen, "forward"):
        said = "no image went through the model."
    elif not counts:
        said = "the model was trained with gradients switched off."
    elif not _of(seen, "loss"):
        said = "loss_fn was never called."
    elif not backward:
        said = "no loss was differentiated: nothing called backward."
        belief = "step_computes" if _of(seen, "step") else None
    elif None not in counts and sum(counts) < size:
        said = f"{sum(counts):g} of {size} images went through the model."
        belief = "epoch_is_iteration" if len(counts) == 1 else None
    elif len(backward) != number:
        said = f"{len(backward)} losses were differentiated, and there are {number} batches."
        belief = "epoch_is_iteration" if len(backward) % number == 0 else None
        if len(backward) < number and backward[-1].batch == number:
            belief = "last_is_all"
    elif moved and not _of(seen, "step"):
        said = "the optimiser never took a step: the weights were moved without it."
    elif not moved and all(event.value == 0 for event in backward):
        said = "losses were differentiated, and all gradients came out as 0: each loss counted with weight 0. Was it "
        said += "cut off at a bound, or multiplied by 0?"
    elif not moved and len({event.gradient for event in seen.events[seen.events.index(backward[0]) :]}) == 1:
        said = "losses were differentiated, but .grad of the model that was handed over stayed as it was: is it a "
        said += "copy that is trained?"
    if said:
        check.fail(said, belief, None if belief else WHICH_MODEL)


def _diagnose_steps(check: Check, groups: list[range], seen: Trained) -> None:
    """Say what is wrong with the steps, or with the gradients they used, if the events show it."""
    steps, backward = _of(seen, "step"), _of(seen, "backward")
    order = [event.kind for event in seen.events if event.kind in ("zero_grad", "backward", "step")]
    wanted, taken = [group[-1] + 1 for group in groups], [event.batch for event in steps]
    if not steps:
        check.fail("the optimiser never took a step, so the weights are what they were.", "backward_updates")
    if order.index("step") < order.index("backward"):
        check.fail("the first step came before the first backward.", "step_computes")
    if len(wanted) > 1 and taken == wanted[:-1]:
        said = (
            f"the last group, {len(groups[-1])} of its batches, was never used: no step was taken after it."
        )
        check.fail(said, hints=LAST_GROUP, section="accumulation")
    if taken != wanted:
        said = f"steps were taken after batches {taken}; they are due after batches {wanted}."
        after_each = taken == list(range(1, wanted[-1] + 1))
        check.fail(said, "epoch_is_iteration" if after_each else None, None if after_each else WHICH_MODEL)
    for event in backward:
        if event.value == 0:
            said = f"the loss of batch {event.batch} counted with weight 0: it was cut off before backward."
            check.fail(said, None, WHICH_MODEL)
    cleared = ("backward", "zero_grad") in pairwise(order)
    for event in steps:
        if event.gradient == 0:
            said = f"at the step of batch {event.batch} all gradients were 0."
            check.fail(said, "zero_grad_anywhere" if cleared else None, None if cleared else WHICH_MODEL)
    first = {group[0] + 1 for group in groups}
    for event in backward:
        if event.batch in first and event.gradient > 0:
            said = f"when batch {event.batch} was differentiated, .grad still held the gradients of earlier batches."
            check.fail(said, "gradients_reset")
        if event.batch not in first and event.gradient == 0 and cleared:
            said = f"when batch {event.batch} was differentiated, the gradient of its group had been cleared."
            check.fail(said, "zero_grad_anywhere", section="accumulation")


def _wrong_shares_of_batches(problem: Training, groups: list[range]) -> Iterator[Wrong]:
    """Yield the weights that come of batches that do not count by their share of the group."""
    for weight, group in ((1, groups[0]), (1 / len(groups[0]), groups[-1])):
        weights = _descended(problem, groups, lambda slopes, g, w=weight: [w * len(g) * s for s in slopes])
        said = f"the loss of batch {group[0] + 1} entered the update with weight {weight:.3g}; it is one of "
        said += f"{len(group)} in its group, so its share is {1 / len(group):.3g}."
        yield Wrong(weights, said, "sum_is_mean")


def _wrong_clipping(problem: Training, groups: list[range]) -> Iterator[Wrong]:
    """Yield the weights that come of gradients that are shortened in another way, or not at all."""
    most = problem.argument

    def case(said: str, change: Callable[[list[Tensor]], list[Tensor]]) -> Wrong:
        return Wrong(_descended(problem, groups, lambda slopes, group: change(slopes)), said, None, ONE_ARROW)

    yield case("the step used the whole gradient: it was not clipped, or not yet.", lambda slopes: slopes)
    said = f"each tensor was clipped by itself; together they can be longer than max_norm={most:g}."
    yield case(said, lambda slopes: [_shortened([slope], _length([slope]), most)[0] for slope in slopes])
    said = "each number was cut off by itself, which turns the arrow: its direction should stay."
    yield case(said, lambda slopes: [slope.clamp(-most, most) for slope in slopes])
    said = "every gradient was scaled to max_norm, short ones, too; only one that is longer is to be changed."
    yield case(said, lambda slopes: [slope * most / _length(slopes) for slope in slopes])
    said = "the length was measured in another way: it is the root of the sum of all squares."
    yield case(said, lambda slopes: _shortened(slopes, sum(float(s.abs().sum()) for s in slopes), most))
    yield case(said, lambda slopes: _shortened(slopes, sum(_length([s]) for s in slopes), most))
    yield case(said, lambda slopes: _shortened(slopes, _length(slopes) ** 2, most))


def _wrong_losses(problem: Training, losses: list[float], said: str) -> Iterator[Wrong]:
    """Yield what likely mistakes make of the losses."""
    shares = [1 / len(group) for group in _groups(problem) for _ in group]
    for share in (shares, [shares[0]] * len(losses)):
        scaled = [loss * part for loss, part in zip(losses, share, strict=True)]
        yield Wrong(scaled, f"{said}: it was divided before it was kept.", "sum_is_mean")
    for digits in (1, 2, 3, 4):
        rounded = f"the losses were rounded to {digits} decimals; they are asked for as they are."
        yield Wrong([round(loss, digits) for loss in losses], rounded)


def _other_weights(groups: list[range], seen: Trained) -> str:
    if seen.changed:
        return f"the loop changed the {seen.changed[0]} of the data set, so the updates are other ones."
    shares = {batch + 1: 1 / len(group) for group in groups for batch in group}
    for event in _of(seen, "backward"):
        share = shares.get(event.batch, event.value)
        if event.value is not None and not close(event.value, share):
            return f"the loss of batch {event.batch} has weight {event.value:.3g}; its share is {share:.3g}."
    return "the weights after the loop differ from those that the asked updates give."


def _of(seen: Trained, kind: str) -> list[Event]:
    return [event for event in seen.events if event.kind == kind]


# --- what is right -----------------------------------------------------------------------------------------


def _training(argument: float, num_batches: int, batch_size: int, seed: int) -> Training:
    images, labels = small_dataset(num_batches * batch_size, seed).tensors
    samples = Samples(array(images), array(labels), batch_size, arrays(small_model(seed).parameters()))
    return Training(samples, argument, RATE, MOMENTUM, SMOOTHING)


def _task(problem: Training) -> str:
    return "train_accumulated" if isinstance(problem.argument, int) else "train_clipped"


def _groups(problem: Training) -> list[range]:
    """Return the batches, from 0, of each update."""
    number = math.ceil(problem.samples.images.shape[0] / problem.samples.batch_size)
    size = problem.argument if isinstance(problem.argument, int) else 1
    return [range(at, min(at + size, number)) for at in range(0, number, size)]


def _descended(problem: Training, groups: Sequence[range], change: Callable | None = None) -> list[Tensor]:
    """Return the parameters after one step for each group of batches, with momentum.

    ``change`` is given the gradient, a list of tensors, and the group, and returns the gradient to go by; without it
    that is the asked one.
    """
    parameters = _parameters(problem.samples)
    velocity = [torch.zeros_like(values) for values in parameters]
    for group in groups:
        slopes = list(torch.func.grad(_loss)(parameters, problem, group))
        slopes = _asked(problem, slopes) if change is None else change(slopes, group)
        velocity = [problem.momentum * v + slope for v, slope in zip(velocity, slopes, strict=True)]
        parameters = [p - problem.rate * v for p, v in zip(parameters, velocity, strict=True)]
    return parameters


def _asked(problem: Training, slopes: list[Tensor]) -> list[Tensor]:
    if isinstance(problem.argument, int):
        return slopes
    return _shortened(slopes, _length(slopes), problem.argument)


def _losses(problem: Training) -> list[float]:
    """Return the loss of each batch before the update of its group."""
    groups = _groups(problem)
    return [
        _loss(_descended(problem, groups[:place]), problem, range(batch, batch + 1)).item()
        for place, group in enumerate(groups)
        for batch in group
    ]


def _shortened(slopes: list[Tensor], length: float, most: float) -> list[Tensor]:
    return [slope * min(1.0, most / length) for slope in slopes]


def _length(slopes: list[Tensor]) -> float:
    return math.sqrt(sum(float(slope.square().sum()) for slope in slopes))


def _parameters(samples: Samples) -> list[Tensor]:
    return [values.tensor() for values in samples.parameters]


def _logits(parameters: Sequence[Tensor], images: Tensor) -> Tensor:
    weight, bias, last_weight, last_bias = parameters
    return (images.flatten(1) @ weight.T + bias).relu() @ last_weight.T + last_bias


def _loss(parameters: Sequence[Tensor], problem: Training, batches: range) -> Tensor:
    samples, size = problem.samples, problem.samples.batch_size
    here = slice(batches[0] * size, (batches[-1] + 1) * size)
    logits, labels = _logits(parameters, samples.images.tensor()[here]), samples.labels.tensor().long()[here]
    return functional.cross_entropy(logits, labels, label_smoothing=problem.smoothing)
