"""Checks of the exercises on lesson 02: a deep network, parameters by layer, confident predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from fmnist_helpers.exercises.old_check import (
    call,
    close,
    expect_tensor,
    expect_type,
    fail,
    fail_in_form,
    passed,
)
from fmnist_helpers.exercises.toy import CROSS_ENTROPY, small_model

DROPOUT = 3
"""Place of the dropout in ``small_model``."""
THRESHOLD = (
    "Look at the line that compares with the threshold, and at what it changes.",
    "Take one image that the model is sure of and one that it is not. What must come out for each?",
)

# --- a deep network ----------------------------------------------------------------------------------------


def check_deep_network(network: Callable, *, widths: Sequence[int] = (9, 8, 6, 4), seed: int = 0) -> None:
    """Check ``DeepNetwork(widths)``: linear layers with ReLU between them, all registered, logits out.

    All widths differ, so that the shape of a parameter says to which layer it belongs.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "DeepNetwork"
    generator = torch.Generator().manual_seed(seed)
    side = math.isqrt(widths[0])
    images = torch.randn(6, 1, side, side, generator=generator)
    models, raw = zip(*(_made(network, widths, images, seed + number) for number in range(12)), strict=True)
    _check_registered(task, models[0], widths)
    outputs = [expect_tensor(task, output, (6, widths[-1]), "the output", "module") for output in raw]
    _check_logits(task, torch.stack(outputs))
    for model, output in zip(models, outputs, strict=True):
        _check_formula(task, model, images, widths, output)
    _check_logits(task, torch.stack([_logits(task, model.eval(), images, widths) for model in models]))
    _check_formula(task, models[0], images[:1], widths, _logits(task, models[0], images[:1], widths))
    model = models[0].train()
    _step(task, model, images)
    _check_formula(task, model, images, widths, _logits(task, model, images, widths))
    passed(
        task, f"{sum(a * b + b for a, b in pairwise(widths))} parameters, all registered, and logits come out"
    )


def _made(network: Any, widths: Sequence[int], images: Tensor, seed: int) -> tuple[nn.Module, Any]:
    """Return a new model and its output; parameters may come to be only when the model is first called."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = call(network, list(widths), section="module")
        if not isinstance(model, nn.Module):
            seen = f"DeepNetwork(widths) should be an nn.Module, and it is of type {type(model).__name__}."
            fail_in_form("DeepNetwork", seen, "module")
        return model, _output(model, images)


def _output(model: nn.Module, images: Tensor) -> Any:
    def forward() -> Any:
        return model(images.clone())

    return call(forward, section="module")


def _logits(task: str, model: nn.Module, images: Tensor, widths: Sequence[int]) -> Tensor:
    return expect_tensor(task, _output(model, images), (len(images), widths[-1]), "the output", "module")


def _check_registered(task: str, model: nn.Module, widths: Sequence[int]) -> None:
    wanted, weights = sum(a * b + b for a, b in pairwise(widths)), sum(a * b for a, b in pairwise(widths))
    known = {name: value.numel() for name, value in model.state_dict().items()}
    found = sum(parameter.numel() for parameter in model.parameters())
    for source, number in (("parameters()", found), ("state_dict()", sum(known.values()))):
        seen = f"{source} gives {number} numbers; layers of the widths {list(widths)} have {wanted}."
        if number == weights:
            seen = f"{source} gives {number} numbers, all the weights; the biases are missing."
            fail_in_form(task, seen, "counting")
        if number < wanted:
            fail(task, seen, "plain_list")
        if number > wanted:
            fail_in_form(task, seen, "counting")


def _check_logits(task: str, outputs: Tensor) -> None:
    """Say so if the outputs of a dozen models (models, images, classes) cannot all be logits."""
    low, ones = outputs.min().item(), torch.ones(outputs.shape[:-1])
    if low >= 0 and close(outputs.sum(dim=-1), ones, 1e-4):
        fail(
            task,
            "each row of the output sums to 1: these are probabilities.",
            "probabilities_in",
            section="logits",
        )
    if low >= 0 and close(outputs.sum(dim=1), torch.ones(outputs.shape[0], outputs.shape[2]), 1e-4):
        fail(
            task,
            "each column of the output sums to 1: a softmax went over the images.",
            "probabilities_in",
            section="logits",
        )
    if low >= 0:
        seen = "in a dozen new models not one output was negative: something cuts the logits off."
        fail(task, seen, "probabilities_in", section="logits")
    if close(outputs.exp().sum(dim=-1), ones, 1e-4):
        seen = "the outputs are logarithms of probabilities; the last layer gives logits."
        fail(task, seen, "probabilities_in", section="logits")


def _check_formula(
    task: str, model: nn.Module, images: Tensor, widths: Sequence[int], output: Tensor
) -> None:
    """Compare the output with sums by hand over the model's own parameters."""
    hints = {
        "section": "module",
        "where": "Go through forward line by line and write down what is applied to what.",
        "think": "Count the layers and the places between them. At which places does a ReLU stand?",
    }
    layers = _layers_by_shape(model, widths)
    rows = images.flatten(1).double().tolist()
    if layers is None:
        seen = f"the shapes of the parameters are not those of linear layers of the widths {list(widths)}."
        fail(task, seen, **hints)
    if close(output, _by_hand(layers, rows), 1e-4):
        return
    if len(layers) > 1 and close(output, _by_hand(layers, rows, relu=False), 1e-4):
        fail(task, "no ReLU stands between the layers, so all of them are one linear layer.", **hints)
    cut = [[max(pixel, 0.0) for pixel in row] for row in rows]
    if close(output, _by_hand(layers, cut), 1e-4):
        seen = "pixels below 0 count as 0: a ReLU stands before the first layer, and no layer is before it."
        fail(task, seen, **hints)
    seen = "the logits differ from those of the linear layers with a ReLU between each two of them."
    fail(task, seen, **hints)


def _layers_by_shape(model: nn.Module, widths: Sequence[int]) -> list[tuple[list, list]] | None:
    """Return weight (a row for each unit) and bias of each layer, in whatever order they were registered."""
    found = {
        tuple(size for size in parameter.shape if size != 1): parameter.detach().double().squeeze()
        for parameter in model.parameters()
    }
    layers = []
    for a, b in pairwise(widths):
        weight = found.get((b, a), found[a, b].T if (a, b) in found else None)
        if weight is None or (b,) not in found:
            return None
        layers.append((weight.tolist(), found[b,].tolist()))
    return layers


def _by_hand(
    layers: list[tuple[list, list]], rows: list[list[float]], relu: bool = True
) -> list[list[float]]:
    """Return the logits by sums over Python numbers."""
    for number, (weight, bias) in enumerate(layers):
        if number and relu:
            rows = [[max(value, 0.0) for value in row] for row in rows]
        rows = [
            [
                math.fsum(w * x for w, x in zip(unit, row, strict=True)) + b
                for unit, b in zip(weight, bias, strict=True)
            ]
            for row in rows
        ]
    return rows


def _step(task: str, model: nn.Module, images: Tensor) -> None:
    """Move the parameters once as an optimiser would; end the check if it could not move all."""
    hints = {
        "section": "modes",
        "where": "Look in forward for anything that keeps PyTorch from recording: no_grad, detach, tolist.",
        "think": "The optimiser needs to know how each parameter changes the logits. Follow the numbers from "
        "the logits back to the images: where does the trace of a parameter end?",
    }
    output = _output(model, images)
    if not output.requires_grad:
        fail(task, "the logits were not recorded for derivatives, so nothing can train the model.", **hints)
    CROSS_ENTROPY(output, torch.zeros(len(images), dtype=torch.int64)).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    if without:
        fail(
            task,
            f"the loss gives no derivative for {without[0]}, so an optimiser leaves it as it is.",
            **hints,
        )
    # A step of gradient descent; the first optimiser of a process would take seconds to load.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad


# --- parameters by layer -----------------------------------------------------------------------------------


def check_parameters_by_layer(function: Callable, *, width: int = 5) -> None:
    """Check ``parameters_by_layer(model)``: name of each layer with trainable parameters of its own → their number.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "parameters_by_layer"
    model = _layered(width)
    # By hand: a linear layer has inputs times outputs weights and one bias a output.
    everything = {
        "stem.1": 9 * width + width,
        "body.first": width * width,
        "body.norm": 2 * width,
        "body.deep.0": 7 * width + 7,
        "body.scaled": width,
        "body.scaled.inner": 2 * width + 2,
        "head": 8 * 3 + 3,
    }
    _compare(task, call(function, model, section="counting"), everything, everything)
    model.body["first"].requires_grad_(False)
    model.head.bias.requires_grad_(False)
    trainable = {**everything, "head": 8 * 3}
    del trainable["body.first"]
    _compare(task, call(function, model, section="counting"), trainable, everything)
    passed(task, f"{len(everything)} layers, and {len(trainable)} when one is frozen")


def _layered(width: int) -> nn.Module:
    """Return a model with nested layers: some own no parameter, and one owns some and holds another layer."""
    model = nn.Module()
    model.stem = nn.Sequential(nn.Flatten(), nn.Linear(9, width), nn.ReLU())
    model.body = nn.ModuleDict(
        {
            "first": nn.Linear(width, width, bias=False),
            "norm": nn.BatchNorm1d(width),
            "deep": nn.Sequential(nn.Linear(width, 7), nn.Dropout(0.1)),
            "scaled": nn.Module(),
        }
    )
    model.body["scaled"].scale = nn.Parameter(torch.ones(width))
    model.body["scaled"].inner = nn.Linear(width, 2)
    model.head = nn.Linear(8, 3)
    return model


def _compare(task: str, result: Any, expected: dict[str, int], everything: dict[str, int]) -> None:
    expect_type(task, result, dict, "the result", "counting")
    frozen = {
        "section": "counting",
        "where": "Look for the line that asks whether a parameter is trainable.",
        "think": "What does requires_grad say of a parameter, and what may still be left of a layer?",
    }
    nested = {
        "section": "module",
        "where": "Look at how you walk through the model: do you reach layers inside layers, and each one once?",
        "think": "A box may stand inside a box. For each parameter ask: which layer is the nearest around it?",
    }
    for name, number in result.items():
        if type(name) is not str or type(number) is not int:
            seen = f"the entry {name!r}: {number!r} should map a name to a Python int."
            fail_in_form(task, seen, "counting")
    zeros = [name for name, number in result.items() if number == 0]
    if zeros:
        fail(
            task,
            f"{zeros[0]!r} is there with 0; a layer with no trainable parameter of its own is absent.",
            **frozen,
        )
    if result == everything != expected or any(
        result.get(n) == everything[n] != expected.get(n) for n in everything
    ):
        fail(task, "frozen parameters, whose requires_grad is False, were counted as well.", **frozen)
    missing = sorted(set(expected) - set(result))
    if missing == ["head"] and expected["head"] < everything["head"]:
        fail(task, "'head' is missing, though only its bias is frozen.", **frozen)
    if missing:
        fail(task, f"{missing[0]!r} is missing.", **nested)
    extra = sorted(set(result) - set(expected))
    if extra:
        fail(task, f"{extra[0]!r} is there, and it owns no trainable parameter itself.", **nested)
    for name, number in expected.items():
        if result[name] != number:
            seen = f"{name!r} has {number} trainable parameters, and {result[name]} came back."
            fail_in_form(task, seen, "counting")


# --- confident predictions ---------------------------------------------------------------------------------


def check_confident_results(
    function: Callable, *, threshold: float = 0.7, num_images: int = 9, seed: int = 0
) -> None:
    """Check what ``confident_predictions(model, images, threshold)`` returns: labels and probabilities.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "confident_predictions"
    model, images = _sharp_model(seed), _images(num_images, seed)
    result = call(function, model, images, threshold, section="logits")
    expect_type(task, result, tuple, "the result", "logits")
    if len(result) != 2:
        seen = f"the result has {len(result)} parts; labels and probabilities are asked for."
        fail_in_form(task, seen, "logits")
    labels = expect_tensor(task, result[0], (num_images,), "the first part", "logits", torch.int64)
    probabilities = expect_tensor(task, result[1], (num_images,), "the second part", "logits", torch.float32)
    rows = _sharp_model(seed)(images).detach().double().tolist()
    shares = [
        [math.exp(x - max(row)) / math.fsum(math.exp(y - max(row)) for y in row) for x in row] for row in rows
    ]
    best = [max(row) for row in shares]
    if not close(probabilities, best, 1e-4):
        _diagnose_probabilities(task, probabilities, rows, best)
    classes = [row.index(max(row)) for row in shares]
    expected = [label if share >= threshold else -1 for label, share in zip(classes, best, strict=True)]
    if labels.tolist() != expected:
        _diagnose_labels(task, labels.tolist(), classes, expected)
    _check_at_threshold(task, function)
    passed(task, f"{expected.count(-1)} of {num_images} images left open, the others labelled")


def check_confident_modes(function: Callable, *, num_images: int = 9, seed: int = 0) -> None:
    """Check how ``confident_predictions`` treats the model: both switches set, and the mode given back.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "confident_predictions"
    for training in (True, False):
        model = small_model(seed, dropout=0.5).train(training)
        seen: list[tuple[bool, bool]] = []
        # The layer after the first linear one: what reaches it carries a graph if the computation is recorded.
        hook = model[DROPOUT].register_forward_pre_hook(
            lambda module, inputs, seen=seen: seen.append((module.training, inputs[0].requires_grad))
        )
        call(function, model, _images(num_images, seed), 0.3, section="modes")
        hook.remove()
        if not seen:
            fail_in_form(task, "the model was never called.", "modes")
        if any(in_training for in_training, _ in seen):
            with_graph = any(recorded for _, recorded in seen)
            words = "" if with_graph else ", though no_grad was set"
            belief = "mode_returns" if with_graph else "no_grad_stops_dropout"
            fail(task, f"the model was called in training mode{words}, so its dropout was at work.", belief)
        if any(recorded for _, recorded in seen):
            words = "PyTorch recorded the computation for derivatives, which a prediction does not need."
            fail(task, words, "eval_stops_gradients")
        if any(module.training != training for module in model.modules()):
            found, left = ("training", "evaluation") if training else ("evaluation", "training")
            fail(task, f"the model was found in {found} mode and left in {left} mode.", "mode_returns")
        if not all(parameter.requires_grad for parameter in model.parameters()):
            fail(
                task,
                "the model's parameters were left frozen, so it cannot be trained any more.",
                section="modes",
                where="Look at everything your function switches off: is it as before at the end?",
                think="Only this one computation should go unrecorded. Which switch ends by itself?",
            )
    passed(task, "both switches set, and the mode given back")


def _check_at_threshold(task: str, function: Callable) -> None:
    """Check images with a probability of exactly 1, which no rounding changes, at the threshold 1."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    with torch.no_grad():
        model[1].weight.copy_(60 * torch.eye(4))
        model[1].bias.zero_()
    images = torch.eye(4).reshape(4, 1, 2, 2)
    labels = call(function, model, images, 1.0, section="logits")[0]
    if labels.tolist() != [0, 1, 2, 3]:
        fail(
            task,
            f"four images with the probability 1 got the labels {labels.tolist()} at the threshold 1; "
            "none of them is below it.",
            section="logits",
            where=THRESHOLD[0],
            think="A probability may be below the threshold, above it, or equal to it. What is asked for each?",
        )


def _sharp_model(seed: int) -> nn.Module:
    """Return a model that is sure of some images and not of others; in both modes it does the same."""
    model = small_model(seed)
    with torch.no_grad():
        for parameter in model[-1].parameters():
            parameter *= 4
    return model


def _images(number: int, seed: int) -> Tensor:
    return 3 * torch.randn(number, 1, 3, 3, generator=torch.Generator().manual_seed(seed))


def _diagnose_probabilities(task: str, result: Tensor, rows: list[list[float]], best: list[float]) -> None:
    columns = list(zip(*rows, strict=True))
    wrong_axis = [
        max(
            math.exp(x - max(c)) / math.fsum(math.exp(y - max(c)) for y in c)
            for x, c in zip(row, columns, strict=True)
        )
        for row in rows
    ]
    hints = {
        "section": "logits",
        "where": "Look at the softmax: does it stand there, and over which axis does it go?",
        "think": "For one image the probabilities of all classes sum to 1. Along which axis do the classes lie?",
    }
    if close(result, [max(row) for row in rows], 1e-4):
        fail(task, "the second part holds the largest logits; probabilities are asked for.", **hints)
    if close(result, wrong_axis, 1e-4):
        fail(task, "the probabilities sum to 1 over the images, not over the classes.", **hints)
    if 0 < sum(not close(a, b, 1e-4) for a, b in zip(result.tolist(), best, strict=True)) < len(best):
        hints |= {"where": THRESHOLD[0], "think": THRESHOLD[1]}
        seen = "some images have their largest probability and others do not; each keeps its own, in doubt or not."
        fail(task, seen, **hints)
    if result.min() < 0 or result.max() > 1.0001:
        fail(task, "the second part holds numbers that are no probabilities.", **hints)
    fail(task, "the probabilities differ from the softmax of the model's logits.", **hints)


def _diagnose_labels(task: str, labels: list[int], classes: list[int], expected: list[int]) -> None:
    hints = {"section": "logits", "where": THRESHOLD[0], "think": THRESHOLD[1]}
    if labels == classes:
        fail(task, "every image got a label, also those below the threshold.", **hints)
    if [label == -1 for label in labels] == [label != -1 for label in expected]:
        fail(task, "the images above the threshold got -1, and those below it a label.", **hints)
    fail(task, f"the labels {labels} came back; {expected} are right.", **hints)
