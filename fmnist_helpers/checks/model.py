"""Checks of the exercises on lesson 02: a deep network, parameters by layer, confident predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from fmnist_helpers.checks.diagnosis import fail, passed
from fmnist_helpers.checks.problems import CROSS_ENTROPY, small_model
from fmnist_helpers.checks.student import READ_THE_TASK, call, close, expect_tensor, expect_type

# --- a deep network ----------------------------------------------------------------------------------------


def check_deep_network(network: Callable, *, widths: Sequence[int] = (9, 8, 6, 4), seed: int = 0) -> None:
    """Check ``DeepNetwork(widths)``: linear layers with ReLU between them, all registered, logits out.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "DeepNetwork"
    models = [_made(network, widths, seed + number) for number in range(12)]
    wanted = sum(a * b + b for a, b in pairwise(widths))
    found = sum(parameter.numel() for parameter in models[0].parameters())
    if found < wanted:
        seen = f"parameters() gives {found} numbers; layers of the widths {list(widths)} have {wanted}."
        fail(task, seen, "plain_list")
    if found > wanted:
        seen = f"parameters() gives {found} numbers; layers of the widths {list(widths)} have {wanted}."
        fail(task, seen, section="counting", where=READ_THE_TASK[0], think=READ_THE_TASK[1])
    generator = torch.Generator().manual_seed(seed)
    side = math.isqrt(widths[0])
    images = torch.rand(6, 1, side, side, generator=generator)
    outputs = [_output(model, images) for model in models]
    outputs = [expect_tensor(task, output, (6, widths[-1]), "the output", "module") for output in outputs]
    _check_logits(task, torch.stack(outputs))
    for model, output in zip(models, outputs, strict=True):
        if not close(output, _by_hand(model, images), 1e-4):
            fail(
                task,
                "the logits differ from those of the linear layers with a ReLU between each two of them.",
                section="module",
                where="Go through forward line by line and write down what is applied to what.",
                think="Count the layers and the places between them. At which places does a ReLU stand?",
            )
    CROSS_ENTROPY(models[0](images), torch.zeros(6, dtype=torch.int64)).backward()
    if any(parameter.grad is None for parameter in models[0].parameters()):
        fail(task, "after backward some parameters had no gradient: they take no part.", "plain_list")
    passed(task, f"{wanted} parameters, all registered, and logits come out")


def _made(network: Any, widths: Sequence[int], seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = call(network, list(widths), section="module")
    if not isinstance(model, nn.Module):
        seen = f"DeepNetwork(widths) should be an nn.Module, and it is of type {type(model).__name__}."
        fail("DeepNetwork", seen, section="module", where=READ_THE_TASK[0], think=READ_THE_TASK[1])
    return model


def _output(model: nn.Module, images: Tensor) -> Any:
    def forward() -> Any:
        return model(images)

    return call(forward, section="module")


def _check_logits(task: str, outputs: Tensor) -> None:
    """Say so if the outputs of a dozen models (models, images, classes) cannot all be logits."""
    low = outputs.min().item()
    if low >= 0 and close(outputs.sum(dim=-1), torch.ones(outputs.shape[:-1]), 1e-4):
        fail(task, "each row of the output sums to 1: these are probabilities.", "probabilities_in")
    if low >= 0:
        seen = "in a dozen new models not one output was negative: something cuts the logits off."
        fail(task, seen, "probabilities_in")


def _by_hand(model: nn.Module, images: Tensor) -> list[list[float]]:
    """Return the logits by sums over Python numbers, layer by layer as the parameters are registered."""
    values = [parameter.detach().double().tolist() for parameter in model.parameters()]
    rows = images.flatten(1).double().tolist()
    for number, (weight, bias) in enumerate(zip(values[::2], values[1::2], strict=False)):
        if not isinstance(weight[0], list) or len(weight[0]) != len(rows[0]):
            return []
        rows = [
            [
                math.fsum(w * x for w, x in zip(unit, row, strict=True)) + b
                for unit, b in zip(weight, bias, strict=True)
            ]
            for row in rows
        ]
        if number < len(values) // 2 - 1:
            rows = [[max(value, 0.0) for value in row] for row in rows]
    return rows


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
        "head": 8 * 3 + 3,
    }
    _compare(task, call(function, model, section="counting"), everything, everything)
    model.body.first.requires_grad_(False)
    model.head.bias.requires_grad_(False)
    trainable = {**everything, "head": 8 * 3}
    del trainable["body.first"]
    _compare(task, call(function, model, section="counting"), trainable, everything)
    passed(task, f"{len(everything)} layers, and {len(trainable)} when one is frozen")


def _layered(width: int) -> nn.Module:
    """Return a model with nested layers; some of them own no parameter, and a layer's output is not its input."""
    model = nn.Module()
    model.stem = nn.Sequential(nn.Flatten(), nn.Linear(9, width), nn.ReLU())
    model.body = nn.ModuleDict(
        {
            "first": nn.Linear(width, width, bias=False),
            "norm": nn.BatchNorm1d(width),
            "deep": nn.Sequential(nn.Linear(width, 7), nn.Dropout(0.1)),
        }
    )
    model.head = nn.Linear(8, 3)
    return model


def _compare(task: str, result: Any, expected: dict[str, int], everything: dict[str, int]) -> None:
    expect_type(task, result, dict, "the result", "counting")
    hints = {"section": "counting", "where": READ_THE_TASK[0], "think": READ_THE_TASK[1]}
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
            fail(task, f"the entry {name!r}: {number!r} should map a name to a Python int.", **hints)
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
    if missing:
        fail(task, f"{missing[0]!r} is missing.", **nested)
    extra = sorted(set(result) - set(expected))
    if extra:
        fail(task, f"{extra[0]!r} is there, and it owns no trainable parameter itself.", **nested)
    for name, number in expected.items():
        if result[name] != number:
            fail(task, f"{name!r} has {number} trainable parameters, and {result[name]} came back.", **hints)


# --- confident predictions ---------------------------------------------------------------------------------


def check_confident_results(
    function: Callable, *, threshold: float = 0.3, num_images: int = 9, seed: int = 0
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
        fail(task, seen, section="logits", where=READ_THE_TASK[0], think=READ_THE_TASK[1])
    labels = expect_tensor(task, result[0], (num_images,), "the first part", "logits", torch.int64)
    probabilities = expect_tensor(task, result[1], (num_images,), "the second part", "logits", torch.float32)
    with torch.no_grad():
        rows = model.eval()(images).double().tolist()
    shares = [
        [math.exp(x - max(row)) / math.fsum(math.exp(y - max(row)) for y in row) for x in row] for row in rows
    ]
    best = [max(row) for row in shares]
    if not close(probabilities, best, 1e-4):
        _diagnose_probabilities(task, probabilities, rows)
    classes = [row.index(max(row)) for row in shares]
    expected = [label if share >= threshold else -1 for label, share in zip(classes, best, strict=True)]
    if labels.tolist() != expected:
        _diagnose_labels(task, labels.tolist(), classes, expected)
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
        hook = model.register_forward_pre_hook(
            lambda module, inputs, seen=seen: seen.append((module[3].training, torch.is_grad_enabled()))
        )
        result = call(function, model, _images(num_images, seed), 0.3, section="modes")
        hook.remove()
        if not seen:
            fail(task, "the model was never called.", "accuracy_is_loss", section="logits")
        if any(in_training for in_training, _ in seen):
            with_graph = any(enabled for _, enabled in seen)
            words = "" if with_graph else ", though no_grad was set"
            belief = "mode_returns" if with_graph else "no_grad_stops_dropout"
            fail(task, f"the model was called in training mode{words}, so its dropout was at work.", belief)
        if any(enabled for _, enabled in seen):
            fail(
                task,
                "the model was called with gradients on, so PyTorch kept a graph.",
                "eval_stops_gradients",
            )
        if any(module.training != training for module in model.modules()):
            found, left = ("training", "evaluation") if training else ("evaluation", "training")
            fail(task, f"the model was found in {found} mode and left in {left} mode.", "mode_returns")
        if any(isinstance(part, Tensor) and part.requires_grad for part in result):
            fail(task, "the result still holds a graph.", "summing_is_free")
    passed(task, "both switches set, and the mode given back")


def _sharp_model(seed: int) -> nn.Module:
    """Return a model that is sure of some images and not of others; in both modes it does the same."""
    model = small_model(seed)
    with torch.no_grad():
        for parameter in model[-1].parameters():
            parameter *= 4
    return model


def _images(number: int, seed: int) -> Tensor:
    return 3 * torch.randn(number, 1, 3, 3, generator=torch.Generator().manual_seed(seed))


def _diagnose_probabilities(task: str, result: Tensor, rows: list[list[float]]) -> None:
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
    if result.min() < 0 or result.max() > 1.0001:
        fail(task, "the second part holds numbers that are no probabilities.", **hints)
    fail(task, "the probabilities differ from the softmax of the model's logits.", **hints)


def _diagnose_labels(task: str, labels: list[int], classes: list[int], expected: list[int]) -> None:
    hints = {
        "section": "logits",
        "where": "Look at the line that compares with the threshold, and at what it changes.",
        "think": "Take one image that the model is sure of and one that it is not. What must come out for each?",
    }
    if labels == classes:
        fail(task, "every image got a label, also those below the threshold.", **hints)
    if [label == -1 for label in labels] == [label != -1 for label in expected]:
        fail(task, "the images above the threshold got -1, and those below it a label.", **hints)
    fail(task, f"the labels {labels} came back; {expected} are right.", **hints)
