"""Judging the exercises on lesson 02: a deep network, parameters by layer, confident predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import elu, gelu, leaky_relu

from fmnist_helpers.exercises.check import Check, CheckFailed, Hints, Wrong, close, conclude, seeded
from fmnist_helpers.exercises.ex02_observe import (
    CountProblem,
    Counts,
    Network,
    NetworkProblem,
    Pass,
    Prediction,
    PredictionProblem,
    Predictions,
    observe_counts,
    observe_network,
    observe_predictions,
)
from fmnist_helpers.exercises.observation import Seen
from fmnist_helpers.exercises.observe import array, arrays
from fmnist_helpers.exercises.remote import at_defaults

TOLERANCE = 1e-4
"""Floats of 32 bits, summed in whatever order, against 64 bits."""

LAYERS = Hints(
    "Print the names and shapes that model.named_parameters() gives, and put each beside the list of widths.",
    "Each pair of widths makes one layer with a weight and a bias. Which pair has none, and which has too many?",
)
FORWARD = Hints(
    "Go through forward line by line and write down what is applied to what.",
    "Count the layers and the places between them. At which places does a ReLU stand, and what else stands there?",
)
GRAPH = Hints(
    "Look in forward for anything that keeps PyTorch from recording: no_grad, detach, tolist.",
    "The optimiser needs to know how each parameter changes the logits. Follow the numbers from the logits back "
    "to the images: where does the trace of a parameter end?",
)
LAST_LAYER = Hints(
    "Look at what comes after your last linear layer.",
    "A ReLU stands between each two layers. Between which two does your last one stand?",
)
EMPTY_LAYER = Hints(
    "Look for the line that gives a layer its place in the result: is there something to count by then?",
    "A layer without parameters of its own, such as a ReLU, is passed on the way. When does it deserve an entry?",
)
BACK_AS_FOUND = Hints(
    "Look at the last switch of the mode in your function: to which mode does it set the model?",
    "You found the model in one of two modes. What can you note before the first switch, and set again at the end?",
)
FROZEN = Hints(
    "Look for the line that asks whether a parameter is trainable.",
    "What does requires_grad say of a parameter, and what may still be left of a layer?",
)
NESTED = Hints(
    "Look at how you walk through the model: do you reach layers inside layers, and each one once?",
    "A box may stand inside a box. For each parameter ask: which layer is the nearest around it?",
)
SOFTMAX = Hints(
    "Look at the softmax: does it stand there, and over which axis does it go?",
    "For one image the probabilities of all classes sum to 1. Along which axis do the classes lie?",
)
THRESHOLD = Hints(
    "Look at the line that compares with the threshold, and at what it changes.",
    "Take an image with a probability above the threshold, one below it, and one equal to it. What must come out?",
)
AS_FOUND = Hints(
    "Look at everything your function changes or switches off: is it as before at the end?",
    "Only this one computation should go unrecorded and without dropout. Which switch ends by itself, and which "
    "one has to be set back?",
)


def network(
    weights: Sequence[Tensor], images: Tensor, between: Callable = torch.relu, without: Sequence[int] = ()
) -> Tensor:
    """Return the logits (images, classes) of linear layers with ``between`` between each two of them.

    ``weights`` holds weight (outputs, inputs) and bias of one layer after the other; ``without`` numbers the
    places between layers, from 1, at which nothing stands.
    """
    values = images.flatten(1)
    for place, (weight, bias) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        if place and place not in without:
            values = between(values)
        values = values @ weight.T + bias
    return values


# --- a deep network ----------------------------------------------------------------------------------------


@seeded
def check_deep_network(network: Callable, *, widths: Sequence[int] = (9, 8, 6, 4), seed: int = 0) -> None:
    """Check ``DeepNetwork(widths)``: linear layers with ReLU between them, all registered, logits out.

    All widths differ and are above 1, so that the shape of a parameter says to which layer it belongs; the first
    is a square number. A second network gets images that are a pixel wider than high.

    Raises:
        CheckFailed: with the likely belief.
    """
    side = math.isqrt(widths[0])
    oblong = [side * (side + 1), *widths[1:]]
    problems = network_problem(widths, seed), network_problem(oblong, seed, height=side)
    seen = [observe_network(network, problem) for problem in problems]

    def judged() -> str:
        line = judge_deep_network(problems[0], seen[0])
        try:
            judge_deep_network(problems[1], seen[1])
        except CheckFailed as failure:
            if type(failure) is not CheckFailed:
                raise
            said = f"for images of height {side} and width {side + 1} {failure.seen}"
            check = Check(failure.task, failure.section)
            check.fail(said, failure.belief, Hints(*failure.hints), section=failure.section)
        return line

    conclude("DeepNetwork", judged)


def network_problem(
    widths: Sequence[int], seed: int, num_images: int = 12, height: int = 0
) -> NetworkProblem:
    """Return noise for parameters, images and slopes, so that pixels and logits are small and large, of both signs.

    Without a height the images are square.
    """
    generator = torch.Generator().manual_seed(seed)
    height = height or math.isqrt(widths[0])
    shapes = (_number_of(widths),), (num_images, 1, height, widths[0] // height), (num_images, widths[-1])
    numbers, images, slopes = (torch.randn(shape, generator=generator) for shape in shapes)
    return NetworkProblem(list(widths), array(numbers / 2), array(3 * images), array(slopes), seed)


def judge_deep_network(problem: NetworkProblem, seen: Network) -> str:
    """Judge what a network holds and gives, with the problem's numbers in its parameters."""
    check, widths = Check("DeepNetwork", "module"), problem.widths
    model = check.result(seen.made)
    if not model.is_a("Module"):
        check.fail(f"DeepNetwork(widths) should be an nn.Module, and it is {model.name}.")
    check.result(seen.looked)
    many = problem.images.shape[0]
    trained, evaluated, single = (
        check.tensor(
            check.result(call), (number, widths[-1]), f"the output (batch size {number}, widths {widths})"
        )
        for call, number in ((seen.trained, many), (seen.evaluated, many), (seen.single, 1))
    )
    _judge_registered(check, problem, seen)
    shapes = seen.parameters.values()
    parts = problem.numbers.tensor().split([math.prod(shape) for shape in shapes])
    parameters = [part.reshape(shape).requires_grad_() for part, shape in zip(parts, shapes, strict=True)]
    weights, images = _in_order(parameters, widths), problem.images.tensor()
    if weights is None:
        text = "the shapes of the parameters are not those of linear layers of the widths"
        check.fail(f"{text} {widths}.", hints=LAYERS)
    right = network(weights, images)
    _judge_logits(check, evaluated, trained, "in evaluation mode ", weights, images)
    _judge_logits(check, trained, evaluated, "in training mode ", weights, images)
    alone = "a single image gets other logits alone than among others."
    check.compare(single, right[:1], [], Wrong(None, alone, hints=FORWARD), TOLERANCE)
    _judge_gradients(seen, torch.autograd.grad(right, parameters, problem.slopes.tensor()))
    return f"{_number_of(widths)} parameters, all registered, and logits come out"


def _judge_registered(check: Check, problem: NetworkProblem, seen: Network) -> None:
    """Compare how many numbers are registered; that others are at work shows in a twin with equal parameters."""
    wanted, weights = _number_of(problem.widths), sum(a * b for a, b in pairwise(problem.widths))
    found, known = (
        sum(math.prod(shape) for shape in shapes.values()) for shapes in (seen.parameters, seen.state)
    )
    twin = seen.twin.result
    differs = bool(twin and twin.array and not close(twin.array, seen.evaluated.result.array))
    for source, number in (("parameters()", found), ("state_dict()", known)):
        text = f"{source} gives {number} numbers; layers of the widths {problem.widths} have {wanted}."
        if number == weights:
            text = f"{source} gives {number} numbers, all the weights; the biases are missing."
        elif number < wanted == known:
            text = f"{text} The others are in state_dict() alone, as buffers, which no optimiser is given."
        elif number < wanted and (differs or found == wanted):
            check.fail(text, "plain_list")
        if number != wanted:
            check.fail(text, hints=LAYERS, section="counting")
    if differs:
        text = "two networks with equal parameters give different logits, also in evaluation mode: something random"
        check.fail(f"{text}, such as dropout, is at work.", hints=FORWARD, section="modes")


def _judge_logits(
    check: Check, output: Tensor, other: Tensor, mode: str, weights: list[Tensor], images: Tensor
) -> None:
    """Compare the output in one mode with the right logits; ``other`` is that in the other mode."""
    right = network(weights, images).detach()
    if close(output, right, TOLERANCE):
        return
    mode = mode if close(other, right, TOLERANCE) else ""
    _name_what_follows(check, output, right, mode)
    if mode:
        text = (
            "the logits are wrong, though in the other mode they are right; the mode should change nothing."
        )
        check.fail(mode + text, hints=FORWARD, section="modes")
    places = range(1, len(weights) // 2)
    every = "no ReLU stands between the layers, so all of them are one linear layer."
    before = "pixels below 0 count as 0: a ReLU stands before the first layer, and no layer is before it."
    wrong = [(network(weights, images, without=places), every), (network(weights, images.relu()), before)]
    for place in places:
        text = f"no ReLU stands between layer {place} and layer {place + 1}."
        wrong.append((network(weights, images, without=[place]), text))
    for function in (torch.tanh, torch.sigmoid, leaky_relu, gelu, elu):
        text = f"{function.__name__} stands between the layers; a ReLU is asked for."
        wrong.append((network(weights, images, function), text))
    text = "the logits differ from those of the linear layers with a ReLU between each two of them."
    table = [Wrong(value, seen, hints=FORWARD) for value, seen in wrong]
    check.compare(output, right, table, Wrong(None, text, hints=FORWARD), TOLERANCE)


def _name_what_follows(check: Check, output: Tensor, right: Tensor, mode: str) -> None:
    """End with what stands after the last layer, where the outputs show it."""
    in_order = output.flatten()[right.flatten().argsort()].diff()
    rises, positive = bool((in_order >= 0).all() and (in_order > 0).any()), bool((output >= 0).all())

    def sum_to_one(values: Tensor, axis: int) -> bool:
        return close(values.sum(dim=axis), torch.ones(values.shape[1 - axis]), TOLERANCE)

    seen = None
    if positive and sum_to_one(output, 1):
        seen = "each row of the output sums to 1: these are probabilities."
    elif positive and sum_to_one(output, 0):
        seen = "each column of the output sums to 1: a softmax went over the images."
    elif positive and rises and (right < 0).any():
        seen = "not one output was negative, though some of the logits are: something cuts them off."
        check.fail(mode + seen, "probabilities_in", LAST_LAYER, section="module")
    elif sum_to_one(output.exp(), 1):
        seen = "the outputs are logarithms of probabilities; the last layer gives logits."
    if seen is not None:
        check.fail(mode + seen, "probabilities_in", section="logits")
    if rises:
        text = "the outputs rise with the logits, but they are others: something stands after the last layer."
        check.fail(mode + text, hints=FORWARD, section="logits")


def _judge_gradients(seen: Network, right: Sequence[Tensor]) -> None:
    check = Check("DeepNetwork", "modes")
    if not seen.trained.result.graph:
        text = "the logits were not recorded for derivatives, so nothing can train the model."
        check.fail(text, hints=GRAPH)
    found = check.items(check.result(seen.gradients), "the gradients", number=len(right))
    for name, one, gradient in zip(seen.parameters, found, right, strict=True):
        text = f"the loss gives no derivative for {name}, so an optimiser leaves it as it is."
        if one.array is not None:
            text = f"the derivative of the loss for {name} is not that of these layers."
        if one.array is None or not close(one.array, gradient, TOLERANCE):
            check.fail(text, hints=GRAPH)


def _number_of(widths: Sequence[int]) -> int:
    return sum(a * b + b for a, b in pairwise(widths))


def _in_order(parameters: list[Tensor], widths: Sequence[int]) -> list[Tensor] | None:
    """Return weight and bias of each layer, in whatever order and whichever way round they were registered."""
    found = {tuple(side for side in value.shape if side != 1): value.squeeze() for value in parameters}
    weights = []
    for a, b in pairwise(widths):
        weight = found.get((b, a), found[a, b].T if (a, b) in found else None)
        if weight is None or (b,) not in found:
            return None
        weights += [weight, found[b,]]
    return weights


# --- parameters by layer -----------------------------------------------------------------------------------


@at_defaults
def check_parameters_by_layer(function: Callable, *, width: int = 5) -> None:
    """Check ``parameters_by_layer(model)``: name of each layer with trainable parameters of its own → their number.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = CountProblem(width, ("body.first.weight", "head.bias"))
    seen = observe_counts(function, problem)
    conclude("parameters_by_layer", lambda: judge_counts(problem, seen))


def judge_counts(problem: CountProblem, seen: Counts) -> str:
    """Judge the counts of both models against sums by hand."""
    check, parts = Check("parameters_by_layer", "counting"), _parts_of(problem.width)
    everything = {name: number for name, (number, _) in parts.items() if number}
    trainable = {**everything, "head": 8 * 3}
    del trainable["body.first"]
    # A student never sees the model, so each part is described.
    words = {name: f"{name!r} ({what})" for name, (_, what) in parts.items()}
    for call, expected in ((seen.whole, everything), (seen.in_part, trainable)):
        _judge_count(check, _counted(check, check.result(call)), expected, everything, words)
    return f"{len(everything)} layers, and {len(trainable)} when one is frozen"


def _parts_of(width: int) -> dict[str, tuple[int, str]]:
    """Return how many numbers each part of the model owns, and what it is."""
    # By hand: a linear layer has inputs times outputs weights and one bias an output.
    return {
        "": (0, "the model itself, which holds 'stem', 'body' and 'head'"),
        "stem": (0, "an nn.Sequential"),
        "stem.0": (0, "nn.Flatten()"),
        "stem.1": (9 * width + width, f"nn.Linear(9, {width})"),
        "stem.2": (0, "nn.ReLU()"),
        "body": (0, "an nn.ModuleDict"),
        "body.first": (width * width, f"nn.Linear({width}, {width}, bias=False)"),
        "body.norm": (2 * width, f"nn.BatchNorm1d({width})"),
        "body.deep": (0, "an nn.Sequential"),
        "body.deep.0": (7 * width + 7, f"nn.Linear({width}, 7)"),
        "body.deep.1": (0, "nn.Dropout(0.1)"),
        "body.scaled": (width, f"a layer with a parameter of its own, {width} numbers, and a layer inside"),
        "body.scaled.inner": (2 * width + 2, f"nn.Linear({width}, 2), inside 'body.scaled'"),
        "head": (8 * 3 + 3, "nn.Linear(8, 3)"),
    }


def _counted(check: Check, result: Seen) -> dict[str, float]:
    """Return what came back as name → number; end the check if it is something else."""
    if not result.is_a("dict") or result.entries is None:
        check.fail(f"the result should be dict, and it is {result.name}.")
    for name, number in result.entries:
        if name.text is None or not number.is_a("int") or number.number is None:
            check.fail(f"the entry {name.shown}: {number.shown} should map a name to a Python int.")
    return {name.text: number.number for name, number in result.entries}


def _judge_count(
    check: Check,
    result: dict[str, float],
    expected: dict[str, int],
    everything: dict[str, int],
    words: dict[str, str],
) -> None:
    for name, number in result.items():
        if name not in words:
            check.fail(f"{name!r} is there, and no layer of the model has this name.", hints=NESTED)
        if number == 0:
            text = "is there with 0; a layer with no trainable parameter of its own is absent."
            check.fail(f"{words[name]} {text}", hints=EMPTY_LAYER)
    if any(result.get(name) == number != expected.get(name) for name, number in everything.items()):
        text = "frozen parameters, whose requires_grad is False, were counted as well."
        check.fail(text, hints=FROZEN)
    missing, extra = sorted(set(expected) - set(result)), sorted(set(result) - set(expected))
    if missing == ["head"] and expected["head"] < everything["head"]:
        check.fail(f"{words['head']} is missing, though only its bias is frozen.", hints=FROZEN)
    if missing:
        check.fail(f"{words[missing[0]]} is missing.", hints=NESTED, section="module")
    if extra:
        text = "is there, and it owns no trainable parameter itself."
        check.fail(f"{words[extra[0]]} {text}", hints=NESTED, section="module")
    for name, number in expected.items():
        if result[name] != number:
            check.fail(f"{words[name]} has {number} trainable parameters, and {result[name]:g} came back.")


# --- confident predictions ---------------------------------------------------------------------------------


@seeded
def check_confident_results(
    function: Callable, *, threshold: float = 0.7, num_images: int = 9, seed: int = 0
) -> None:
    """Check what ``confident_predictions(model, images, threshold)`` returns: labels and probabilities.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = doubtful_problem(threshold, num_images, seed), certain_problem()
    seen = observe_predictions(function, problem)
    conclude("confident_predictions", lambda: judge_confident_results(problem, seen))


@seeded
def check_confident_modes(function: Callable, *, num_images: int = 9, seed: int = 0) -> None:
    """Check how ``confident_predictions`` treats the model: both switches set, and the mode given back.

    Raises:
        CheckFailed: with the likely belief.
    """
    given = replace(doubtful_problem(0.7, num_images, seed), dropout=0.5)
    problem = given, replace(given, training=False)
    seen = observe_predictions(function, problem)
    conclude("confident_predictions", lambda: judge_confident_modes(problem, seen))


def doubtful_problem(threshold: float, num_images: int, seed: int) -> PredictionProblem:
    """Return a model that is sure of about half of the images; no probability is close to the threshold."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (8, 9), (8,), (4, 8), (4,)
    weights = [torch.randn(shape, generator=generator) / 2 for shape in shapes]
    images = 3 * torch.randn(60 * num_images, 1, 3, 3, generator=generator)
    # So every class has its images, and a largest logit tells nothing of being above the threshold.
    weights[-1] -= network(weights, images).mean(dim=0)
    weights[-1] += threshold - network(weights, images).amax(dim=1).median()
    best = network(weights, images).softmax(dim=1).amax(dim=1)
    below, above = (best < threshold - 0.01).nonzero()[:, 0], (best > threshold + 0.01).nonzero()[:, 0]
    chosen = torch.cat([below[: num_images // 2], above[: num_images - num_images // 2]]).sort().values
    return PredictionProblem(arrays(weights), array(images[chosen]), threshold)


def certain_problem() -> PredictionProblem:
    """Return a model whose probabilities are exactly 1, which no rounding changes, and so is the threshold."""
    weights, images = [60 * torch.eye(4), torch.zeros(4)], torch.eye(4).reshape(4, 1, 2, 2)
    return PredictionProblem(arrays(weights), array(images), 1.0)


def judge_confident_results(problem: tuple[PredictionProblem, PredictionProblem], seen: Predictions) -> str:
    """Judge labels and probabilities against a softmax in 64 bits; the second problem is a certain one."""
    check, given = Check("confident_predictions", "logits"), problem[0]
    labels, probabilities = _parts(check, given, seen.first)
    logits = network([weight.tensor() for weight in given.weights], given.images.tensor())
    best, classes = logits.softmax(dim=1).max(dim=1)
    doubtful = best < given.threshold
    _judge_probabilities(check, probabilities, logits, doubtful)
    expected = torch.where(doubtful, -1, classes)
    reversed_labels = torch.where(doubtful, classes, -1)
    by_logits = torch.where(logits.amax(dim=1) < given.threshold, -1, classes)
    wrong = [
        (classes, "every image got a label, also those below the threshold."),
        (reversed_labels, "the images above the threshold got -1, and those below it a label."),
        (by_logits, "the largest logits were compared with the threshold; it is one for probabilities."),
    ]
    otherwise = f"the labels {_shown(labels)} came back; {_shown(expected)} are right."
    table = [Wrong(values, text, hints=THRESHOLD) for values, text in wrong]
    check.compare(labels, expected, table, Wrong(None, otherwise, hints=THRESHOLD))
    labels, _ = _parts(check, problem[1], seen.second)
    if labels.tolist() != [0, 1, 2, 3]:
        text = f"four images with the probability 1 got the labels {_shown(labels)} at the threshold 1; "
        check.fail(text + "none of them is below it.", hints=THRESHOLD)
    return f"{int(doubtful.sum())} of {len(best)} images left open, the others labelled"


def _parts(check: Check, given: PredictionProblem, seen: Prediction) -> tuple[Tensor, Tensor]:
    shape = given.images.shape[:1]
    first, second = check.items(check.result(seen.call), "the result", "tuple", 2)
    labels = check.tensor(first, shape, "the first part", "int64")
    return labels, check.tensor(second, shape, "the second part", "float32")


def _judge_probabilities(check: Check, found: Tensor, logits: Tensor, doubtful: Tensor) -> None:
    shares = logits.softmax(dim=1)
    best = shares.amax(dim=1)
    of_all = logits.flatten().softmax(dim=0).reshape(logits.shape)
    wrong = [
        (logits, "the second part holds the largest logits; probabilities are asked for."),
        (logits.softmax(dim=0), "the probabilities sum to 1 over the images, not over the classes."),
        (of_all, "the probabilities of all images together sum to 1; those of each image should."),
        (logits.sigmoid(), "a sigmoid was taken of each logit by itself, so an image's do not sum to 1."),
        (shares.softmax(dim=1), "the softmax was taken twice."),
        (shares.log(), "the second part holds logarithms of probabilities."),
        (shares.round(decimals=2), "the probabilities were rounded; they are asked for as they are."),
    ]
    table = [Wrong(values.amax(dim=1), text, hints=SOFTMAX) for values, text in wrong]
    right = [close(*pair, TOLERANCE) for pair in zip(found.tolist(), best.tolist(), strict=True)]
    text, hints = "the probabilities differ from the softmax of the model's logits.", SOFTMAX
    if right == (~doubtful).tolist():
        text = "the sure images have their probability and the others do not; each keeps its own, in doubt or not."
        hints = THRESHOLD
    check.compare(found, best, table, Wrong(None, text, hints=hints), TOLERANCE)


def _shown(labels: Tensor) -> str:
    return f"[{', '.join(f'{label:g}' for label in labels.tolist())}]"


def judge_confident_modes(problem: tuple[PredictionProblem, PredictionProblem], seen: Predictions) -> str:
    """Judge what happened to a model that was in training mode, and to one that was in evaluation mode."""
    check = Check("confident_predictions", "modes")
    for given, one in zip(problem, (seen.first, seen.second), strict=True):
        check.result(one.call)
        _judge_passes(check, one.passes)
        _judge_left(check, given.training, one)
    return "both switches set, and the mode given back"


def _judge_passes(check: Check, passes: list[Pass]) -> None:
    recorded, training = any(one.recorded for one in passes), any(one.training for one in passes)
    if not passes:
        check.fail("the model was never called.")
    if any(one.dropped for one in passes):
        words = "" if recorded else ", though no_grad was set"
        belief = "mode_returns" if recorded else "no_grad_stops_dropout"
        check.fail(f"the model was called in training mode{words}, so its dropout was at work.", belief)
    if recorded:
        text = "PyTorch recorded the computation for derivatives, which a prediction does not need."
        check.fail(text, None if training else "eval_stops_gradients", AS_FOUND if training else None)


def _judge_left(check: Check, training: bool, seen: Prediction) -> None:
    """Judge how the model and the images were left."""
    found, left = ("training", "evaluation") if training else ("evaluation", "training")
    if seen.modes and all(mode != training for mode in seen.modes):
        said = f"the model was found in {found} mode and left in {left} mode."
        check.fail(said, "mode_returns", BACK_AS_FOUND, section="modes")
    if any(mode != training for mode in seen.modes):
        text = f"the model was found in {found} mode, and a part of it was left in {left} mode."
        check.fail(text, hints=AS_FOUND)
    if not all(seen.trainable):
        text = "the model's parameters were left frozen, so it cannot be trained any more."
        check.fail(text, hints=AS_FOUND)
    for kept, what in (
        (seen.model_kept, "the model's parameters"),
        (seen.gradients_kept, "the gradients in .grad of the parameters"),
        (seen.images_kept, "the images"),
    ):
        if not kept:
            check.fail(f"{what} were changed; a prediction leaves them as they are.", hints=AS_FOUND)
