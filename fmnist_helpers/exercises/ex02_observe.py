"""Observing the exercises on lesson 02: a network of any widths, a count by layer, predictions of a given model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from fmnist_helpers.exercises.observation import Array, Call, Seen
from fmnist_helpers.exercises.observe import call, copy_of, describe, is_still
from fmnist_helpers.exercises.remote import observer

NOTHING = Call("", result=Seen("NoneType"))
"""Stands where nothing was called, because what should have been called did not come to be."""
MOST = 1_000
"""So many parameters, names or passes are looked at; a generator of the student's may have no end."""

# --- a deep network ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NetworkProblem:
    """A network to make, numbers to put into its parameters, and images for it."""

    widths: list[int]
    numbers: Array
    """Put into the parameters in the order of ``parameters()``; so what the student starts with plays no part."""
    images: Array
    slopes: Array
    """How much a loss would change with each logit: (images, classes)."""
    seed: int


class Network(msgspec.Struct, frozen=True):
    """What a new network holds, and what it gives with the problem's numbers in its parameters."""

    made: Call
    looked: Call = NOTHING
    """A first forward pass, after which the parameters were looked at and filled."""
    parameters: dict[str, list[int]] = {}
    """Name and shape of what ``parameters()`` gives, in its order."""
    state: dict[str, list[int]] = {}
    """Name and shape of what ``state_dict()`` gives."""
    trained: Call = NOTHING
    gradients: Call = NOTHING
    """A list of the parameters' gradients after ``backward`` from the output in training mode."""
    evaluated: Call = NOTHING
    single: Call = NOTHING
    """For the first image alone, in evaluation mode."""
    twin: Call = NOTHING
    """In evaluation mode, of a second network that was made after another seed and holds the same numbers."""

    def __post_init__(self) -> None:
        if any(side < 0 for shape in (*self.parameters.values(), *self.state.values()) for side in shape):
            raise ValueError("a side of a shape cannot be negative")


@observer
def observe_network(network: Any, problem: NetworkProblem) -> Network:
    """Make two networks, fill them, and call them in both modes, on a single image, and backwards."""
    if issubclass(type(network), nn.Module):
        return Network(Call("", False, describe(network)))
    images, slopes = problem.images.tensor().float(), problem.slopes.tensor().float()
    with torch.random.fork_rng(devices=[]):
        _, twin, _ = _filled(network, problem, problem.seed + 1)
        of_twin, _ = _output(twin, images, False)
        made, model, found = _filled(network, problem, problem.seed)
        if not issubclass(type(model), nn.Module):
            return Network(made)
        tensors = found.pop("tensors", [])
        trained, logits = _output(model, images, True)
        gradients, _ = call(lambda: logits.backward(slopes) or [tensor.grad for tensor in tensors])
        evaluated, _ = _output(model, images, False)
        single, _ = _output(model, images[:1], False)
    outputs = {"trained": trained, "evaluated": evaluated, "single": single, "twin": of_twin}
    return Network(made, gradients=gradients, **outputs, **found)


def _output(model: Any, images: Tensor, training: bool) -> tuple[Call, Any]:
    def forward() -> Any:
        model.train(training)
        return model(images.clone())

    return call(forward)


def _filled(network: Any, problem: NetworkProblem, seed: int) -> tuple[Call, Any, dict[str, Any]]:
    """Return a new network with the numbers in its parameters, and what was found in it."""
    torch.default_generator.manual_seed(seed)
    made, model = call(network, list(problem.widths))
    found: dict[str, Any] = {}

    def look() -> None:
        # Parameters may come to be only when the network is first called.
        model(problem.images.tensor().float())
        tensors = list(islice(model.parameters(), MOST))
        names = {id(tensor): name for name, tensor in islice(model.named_parameters(), MOST)}
        state = list(islice(model.state_dict().items(), MOST))
        found["parameters"] = {
            names.get(id(tensor), f"parameter {number}"): list(tensor.shape)
            for number, tensor in enumerate(tensors)
        }
        found["state"] = {str(name): list(value.shape) for name, value in state if isinstance(value, Tensor)}
        found["tensors"] = tensors
        _fill(tensors, problem.numbers.tensor())

    found["looked"], _ = call(look)
    return made, model, found


def _fill(tensors: list[Tensor], numbers: Tensor) -> None:
    """Put one number after the other into the tensors, from the start again where they do not suffice."""
    at = 0
    with torch.no_grad():
        for tensor in tensors:
            places = torch.arange(at, at + tensor.numel()) % len(numbers)
            tensor.copy_(numbers[places].reshape(tensor.shape))
            at += tensor.numel()


# --- parameters by layer -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CountProblem:
    """A model with layers inside layers, and names of parameters to freeze in a second one."""

    width: int
    frozen: tuple[str, ...]


class Counts(msgspec.Struct, frozen=True):
    """What a student's count gives for the model as it is, and for the one with frozen parameters."""

    whole: Call
    in_part: Call


def layered_model(width: int) -> nn.Module:
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


@observer
def observe_counts(function: Any, problem: CountProblem) -> Counts:
    """Have the parameters of both models counted."""
    with torch.random.fork_rng(devices=[]):
        whole, in_part = layered_model(problem.width), layered_model(problem.width)
        for name in problem.frozen:
            in_part.get_parameter(name).requires_grad_(False)
        return Counts(call(function, whole)[0], call(function, in_part)[0])


# --- confident predictions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PredictionProblem:
    """A model of linear layers with ReLU and dropout between them, in one of the modes, and images for it."""

    weights: list[Array]
    """Weight and bias of each linear layer, one after the other."""
    images: Array
    threshold: float
    training: bool = True
    dropout: float = 0.0
    seed: int = 0


class Pass(msgspec.Struct, frozen=True):
    """One pass through a linear layer or a dropout, of the model or of a copy."""

    training: bool
    recorded: bool
    """Whether what came out would give derivatives."""
    dropped: bool
    """Whether it was a dropout that changed what went through."""


class Prediction(msgspec.Struct, frozen=True):
    """What a student's function returned, what the layers did meanwhile, and how the model was left."""

    call: Call
    passes: list[Pass] = []
    modes: list[bool] = []
    """Whether the model, and then each of its layers, is in training mode afterwards."""
    trainable: list[bool] = []
    """Of each parameter afterwards."""
    images_kept: bool = True
    model_kept: bool = True
    """Whether the numbers in it are as they were."""
    gradients_kept: bool = True
    """The same of ``.grad``, where a training that is under way has gathered something."""


class Predictions(msgspec.Struct, frozen=True):
    """The same for two models."""

    first: Prediction
    second: Prediction


@observer
def observe_predictions(function: Any, problem: tuple[PredictionProblem, PredictionProblem]) -> Predictions:
    """Have two models' images predicted while all layers are listened to."""
    return Predictions(*(_observe_prediction(function, one) for one in problem))


def _observe_prediction(function: Any, problem: PredictionProblem) -> Prediction:
    images = problem.images.tensor().float()
    passes: list[Pass] = []
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(problem.seed)
        model = _given_model(problem)
        modules, tensors = list(model.modules()), [images, *model.parameters()]
        for parameter in tensors[1:]:
            parameter.grad = torch.ones_like(parameter)
        before = list(map(copy_of, tensors))
        # It hears every layer there is, so that a copy of the model is heard, too.
        hook = register_module_forward_hook(_listener(passes))
        try:
            called, _ = call(function, model, images, problem.threshold)
        finally:
            hook.remove()
    kept = list(map(is_still, tensors, before))
    return Prediction(
        called,
        passes,
        [module.training for module in modules],
        [tensor.requires_grad for tensor in tensors[1:]],
        kept[0],
        all(kept[1:]),
        all(
            is_still(one.grad, torch.ones_like(old)) for one, old in zip(tensors[1:], before[1:], strict=True)
        ),
    )


def _given_model(problem: PredictionProblem) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for weight, bias in zip(problem.weights[::2], problem.weights[1::2], strict=True):
        if len(layers) > 1:
            layers += [nn.ReLU(), nn.Dropout(problem.dropout)]
        layers.append(nn.Linear(weight.shape[1], weight.shape[0]))
        with torch.no_grad():
            layers[-1].weight.copy_(weight.tensor())
            layers[-1].bias.copy_(bias.tensor())
    return nn.Sequential(*layers).train(problem.training)


def _listener(passes: list[Pass]) -> Callable[[nn.Module, Any, Any], None]:
    def heard(module: nn.Module, inputs: Any, output: Any) -> None:
        if len(passes) < MOST and type(module) in (nn.Linear, nn.Dropout):
            dropped = type(module) is nn.Dropout and not torch.equal(inputs[0], output)
            passes.append(Pass(module.training, output.requires_grad, dropped))

    return heard
