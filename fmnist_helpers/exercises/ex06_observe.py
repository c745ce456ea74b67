"""Runs a student's project and describes what comes of it: models, choices, and a training within a budget.

Two models do not compute at all. Each image carries, pixel by pixel, the answers that a model gives in this or that
state of its training, so which state is best by which measure is written in the images alone. What such a model is
asked, and when, it adds to a list of this module: copies and unpickled models write there, too.
"""

from __future__ import annotations

import copy
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from fmnist_helpers.exercises.observation import Array, Call
from fmnist_helpers.exercises.observe import array, call, describe_error, state
from fmnist_helpers.exercises.remote import observer
from fmnist_helpers.exercises.toy import NUM_CLASSES

SPLITS = ("train", "valid", "test")
SPLIT, LABEL, TICK, SPOILED, IN_TRAINING, FIRST = range(6)
"""Pixels of a scripted image: what it is, then the answer of a spoiled model and of one in training mode, then
from ``FIRST`` on an answer for each state. An answer is the class that is named, and a tenth of its logit."""
GAINS, DRAWS = (1.0, 10.0, 1000.0), 3
"""How large a model's weights are drawn, and how often."""
SECONDS, LONGEST = 15.0, 28.0
"""How long a training within a budget may take: of the processor, which nobody else's work makes longer, and in all, so
that two of them end within the time that the grader gives a cell."""
EVERY = 49
"""Which of the images trained on are looked at closely."""
MOST_NOTES = 20_000
_notes: list[Note] = []
_handed_over: list[int] = [0]
"""Identity of the scripted model that the student was given."""


class Samples(msgspec.Struct, frozen=True):
    """A split of scripted images, float32 (N, 1, side, side), with int64 labels, in batches."""

    images: Array
    labels: Array
    batch_size: int


class Note(msgspec.Struct, frozen=True):
    """Something that happened to a scripted model, its optimiser or a loader."""

    kind: str
    """``forward``, ``backward``, ``step``, ``train``, ``load`` (a state was put in) or ``read`` (a loader was)."""
    splits: list[str] = []
    """Of the images that were shown."""
    state: list[float] = []
    """Of the model at that moment; for ``step`` after it, for ``train`` before it."""
    images: int = 0
    training: bool = False
    graph: bool = False
    """Whether PyTorch kept the graph."""
    own: bool = True
    """Whether it was the model that was handed over; for ``load``, whether its own tensors were put back."""
    gradient: float | None = None
    """For ``step``: what the optimiser found in ``.grad``."""
    rate: float | None = None
    """For ``train``: the learning rate."""


def _note(kind: str, **known: Any) -> None:
    if len(_notes) < MOST_NOTES:
        _notes.append(Note(kind, **known))


def _note_forward(model: nn.Module, images: Tensor, state: list[float]) -> None:
    own, graph = id(model) == _handed_over[0], torch.is_grad_enabled()
    known = {"images": len(images), "training": model.training, "graph": graph, "own": own}
    _note("forward", splits=_splits(images), state=state, **known)


# --- scripted models and their data ------------------------------------------------------------------------


class _Loader(DataLoader):
    """A loader of scripted images that notes when it is read."""

    def __iter__(self) -> Any:
        _note("read", splits=_splits(self.dataset.tensors[0][:1]))
        return super().__iter__()


def _loader(samples: Samples) -> _Loader:
    dataset = TensorDataset(samples.images.tensor().float(), samples.labels.tensor().long())
    return _Loader(dataset, batch_size=samples.batch_size)


def _changed(loaders: Iterable[_Loader], splits: Iterable[Samples]) -> bool:
    """Return whether images or labels that were handed over are not what they were."""
    with suppress(Exception):
        now = [array(tensor).numbers for loader in loaders for tensor in loader.dataset.tensors]
        return now != [given.numbers for samples in splits for given in (samples.images, samples.labels)]
    return True


def _splits(images: Tensor) -> list[str]:
    numbers = set(images.flatten(1)[:, SPLIT].tolist())
    return sorted(SPLITS[int(number)] if number in (0, 1, 2) else "other" for number in numbers)


def _answers(images: Tensor, column: int) -> Tensor:
    codes = images.flatten(1)[:, column]
    named = codes.floor()
    return (10 * (codes - named))[:, None] * torch.eye(NUM_CLASSES)[named.long().clamp(0, NUM_CLASSES - 1)]


class ScriptedModel(nn.Module):
    """Answers after each epoch what stands in the images for it; how many epochs are over, its clock tells.

    The loss has the slope -10 along the clock whatever the answers are, so with a learning rate of 0.1 each step
    moves it by 1. The running averages of the batch normalisation tell how many batches passed in training mode:
    if they and the clock do not agree, the state is of no epoch, and the answers are those of a spoiled model.
    """

    def __init__(self, num_batches: int, num_epochs: int) -> None:
        super().__init__()
        self.num_batches, self.num_epochs = num_batches, num_epochs
        self.clock = nn.Parameter(torch.zeros(1))
        self.norm = nn.BatchNorm1d(1, affine=False)

    def forward(self, images: Tensor) -> Tensor:
        pixels, clock = images.flatten(1), self.clock.item()
        _note_forward(self, images, [clock])
        self.norm(pixels[:, TICK : TICK + 1])
        logits = _answers(images, self._column(clock))
        labels = torch.eye(NUM_CLASSES)[pixels[:, LABEL].long().clamp(0, NUM_CLASSES - 1)]
        slopes = 10 * labels / (1 - logits.softmax(dim=1))
        outputs = logits + (self.clock - self.clock.detach()) * slopes
        if outputs.requires_grad:
            outputs.register_hook(_note_backward)
        return outputs

    def _column(self, clock: float) -> int:
        if not -0.5 < clock < self.num_batches * self.num_epochs + 0.5:
            return SPOILED
        passed = math.log(max(1 - float(self.norm.running_mean), 1e-9)) / math.log(0.9)
        if abs(passed - clock - self.training) > 0.1:
            return SPOILED
        epochs = round(clock, 2) / self.num_batches
        if self.training:
            return FIRST + min(int(epochs) + 1, self.num_epochs)
        return FIRST + int(epochs) if epochs.is_integer() else SPOILED

    def load_state_dict(self, state_dict: Any, *arguments: Any, **options: Any) -> Any:
        own = {value.data_ptr() for value in self.parameters()}
        given = state_dict.values() if isinstance(state_dict, dict) else []
        _note("load", own=any(isinstance(value, Tensor) and value.data_ptr() in own for value in given))
        return super().load_state_dict(state_dict, *arguments, **options)


def _note_backward(_: Tensor) -> None:
    _note("backward")


def _note_step(optimizer: Any, *_: Any) -> None:
    clock = optimizer.param_groups[0]["params"][0]
    gradient = None if clock.grad is None else float(clock.grad)
    _note("step", state=[float(clock.detach())], gradient=gradient)


class Voter(nn.Module):
    """Answers what stands in the images for the one learning rate that it was trained with, once and on a new start.

    All that it knows is in ``scores``, how often it was trained with each rate; a hundred more where it was shown
    other images than those of the training split.
    """

    def __init__(self, rates: list[float]) -> None:
        super().__init__()
        self.rates = rates
        self.scores = nn.Parameter(torch.zeros(len(rates)))

    def forward(self, images: Tensor) -> Tensor:
        scores = self.scores.tolist()
        _note_forward(self, images, scores)
        once = sorted(scores)[-2:] == [0.0, 1.0]
        column = IN_TRAINING if self.training else FIRST + scores.index(1.0) if once else SPOILED
        return _answers(images, column) + 0 * self.scores.sum()


def _train_voter(model: nn.Module, train_loader: DataLoader, learning_rate: float) -> None:
    """Train the model for some epochs with this learning rate."""
    if learning_rate not in model.rates:
        raise ValueError(f"{learning_rate} is none of the learning rates")
    model.train()
    splits = sorted({name for images, _ in islice(train_loader, 1000) for name in _splits(images)})
    place = model.rates.index(learning_rate)
    _note("train", splits=splits, state=model.scores.tolist(), rate=float(model.rates[place]))
    with torch.no_grad():
        model.scores[place] += 1 if splits == ["train"] else 100


# --- build_model -------------------------------------------------------------------------------------------


class ModelProblem(msgspec.Struct, frozen=True):
    """Images to look at a model with, float32 (N, 1, 28, 28)."""

    images: Array
    seed: int


class Drawn(msgspec.Struct, frozen=True):
    """What a model gave with other weights."""

    gain: float
    training: bool
    outputs: Array


class ModelSeen(msgspec.Struct, frozen=True):
    """Two models, and the first one's outputs in evaluation mode."""

    built: Call
    again: Call
    outputs: Call | None = None
    second: Call | None = None
    """For the same images once more."""
    alone: Call | None = None
    """For each image by itself, one after the other."""
    single: Call | None = None
    """For the first image alone."""
    trainable: dict[str, list[int]] = {}
    """Shapes of the parameters that are trained, by name."""
    num_shared: int = 0
    """How many parameters both models hold."""
    strangers: list[list[int]] = []
    """Shapes of what the outputs depend on, and what is none of the model's parameters."""
    drawn: list[Drawn] = []


@observer
def observe_build_model(function: Callable, problem: ModelProblem) -> ModelSeen:
    """Build two models and look at the first one, with its own weights and then with others."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(problem.seed)
        (built, model), (again, other) = call(function), call(function)
        if not issubclass(type(model), nn.Module):
            return ModelSeen(built, again)
        try:
            return _look(built, model, again, other, problem.images.tensor().float())
        except Exception as error:
            return ModelSeen(built, again, Call("build_model", raised=describe_error(error)))


def _look(built: Call, model: nn.Module, again: Call, other: Any, images: Tensor) -> ModelSeen:
    outputs, logits = call(model.eval(), images.clone())
    registered = {id(parameter) for parameter in model.parameters()}
    shared = other.parameters() if issubclass(type(other), nn.Module) else []
    with torch.no_grad():
        second, _ = call(model, images.clone())
        alone, _ = call(lambda: torch.cat([model(image[None]) for image in images.clone()]))
        single, _ = call(model, images[:1].clone())
    return ModelSeen(
        built,
        again,
        outputs,
        second,
        alone,
        single,
        {name: list(value.shape) for name, value in model.named_parameters() if value.requires_grad},
        sum(id(parameter) in registered for parameter in shared),
        [list(leaf.shape) for leaf in _leaves(logits) if id(leaf) not in registered],
        drawn_outputs(model, images),
    )


def _leaves(tensor: Any) -> Iterator[Tensor]:
    """Yield the tensors at the beginning of a tensor's graph."""
    seen, waiting = set(), [getattr(tensor, "grad_fn", None)]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [before for before, _ in node.next_functions]


def drawn_outputs(model: nn.Module, images: Tensor) -> list[Drawn]:
    """Return what a model gives with other weights, in both modes; afterwards it has its own again."""
    drawn: list[Drawn] = []
    parameters, buffers, was_training = list(model.parameters()), list(model.buffers()), model.training
    own, averages = ([value.detach().clone() for value in values] for values in (parameters, buffers))
    # An unusual model may not bear such weights or a training mode; then there is less to look at.
    with suppress(Exception), torch.no_grad():
        for _ in range(DRAWS):
            noise = [torch.randn(value.shape) / _fan_in(value) ** 0.5 for value in parameters]
            for training in (False, True):
                model.train(training)
                for gain in GAINS:
                    _fill(parameters, [gain * value for value in noise])
                    outputs = model(images)
                    if issubclass(type(outputs), Tensor) and outputs.shape == (len(images), 10):
                        drawn.append(Drawn(gain, training, array(outputs)))
            _fill(buffers, averages)
    with suppress(Exception), torch.no_grad():
        _fill([*parameters, *buffers], [*own, *averages])
        model.train(was_training)
    return drawn


def _fan_in(weight: Tensor) -> float:
    return weight.numel() / weight.shape[0] if weight.ndim else 1


def _fill(tensors: list[Tensor], values: list[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


# --- train_keep_best ---------------------------------------------------------------------------------------


class KeepProblem(msgspec.Struct, frozen=True):
    """Scripted images with an answer for each epoch, the untrained model's first."""

    train: Samples
    valid: Samples
    num_epochs: int


class KeepSeen(msgspec.Struct, frozen=True):
    """What came back, what happened to the model, and what it was left with."""

    call: Call
    state: dict[str, Array] = {}
    notes: list[Note] = []
    changed: bool = False
    """Whether images or labels were changed."""


@observer
def observe_keep_best(function: Callable, problem: KeepProblem) -> KeepSeen:
    """Have a scripted model trained, handed over in evaluation mode, with an optimiser whose steps are noted."""
    loaders = _loader(problem.train), _loader(problem.valid)
    model = ScriptedModel(len(loaders[0]), problem.num_epochs).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.register_step_post_hook(_note_step)
    _notes.clear()
    _handed_over[:] = [id(model)]
    with torch.random.fork_rng(devices=[]):
        seen, _ = call(function, model, *loaders, nn.CrossEntropyLoss(), optimizer, problem.num_epochs)
    left: dict[str, Array] = {}
    with suppress(Exception):
        left = state(model)
    return KeepSeen(seen, left, list(_notes), _changed(loaders, (problem.train, problem.valid)))


# --- choose_and_test ---------------------------------------------------------------------------------------


class ChoiceProblem(msgspec.Struct, frozen=True):
    """Learning rates, and scripted images with an answer for each."""

    rates: list[float]
    train: Samples
    valid: Samples
    test: Samples


class ChoiceSeen(msgspec.Struct, frozen=True):
    """What came back, and which models were trained and evaluated."""

    call: Call
    notes: list[Note] = []
    changed: bool = False
    """Whether images or labels were changed."""


@observer
def observe_choice(function: Callable, problem: ChoiceProblem) -> ChoiceSeen:
    """Have a learning rate chosen among scripted models."""
    splits = problem.train, problem.valid, problem.test
    loaders = [_loader(samples) for samples in splits]
    _notes.clear()
    with torch.random.fork_rng(devices=[]):
        seen, _ = call(
            function, list(problem.rates), lambda: Voter(list(problem.rates)), _train_voter, *loaders
        )
    return ChoiceSeen(seen, list(_notes), _changed(loaders, splits))


# --- train_within_budget -----------------------------------------------------------------------------------


class Garments(msgspec.Struct, frozen=True):
    """Grey images, a byte a pixel, (N, 28, 28), with their labels if these are given away."""

    pixels: bytes
    labels: list[int] = []

    def images(self) -> Tensor:
        """Return float32 images from 0 to 1, (N, 1, 28, 28)."""
        return torch.frombuffer(bytearray(self.pixels), dtype=torch.uint8).reshape(-1, 1, 28, 28) / 255


class BudgetProblem(msgspec.Struct, frozen=True):
    """Two splits, how many images may be used for training, and new images to measure the model on."""

    train: Garments
    valid: Garments
    new: Garments
    max_images: int
    seed: int


class BudgetSeen(msgspec.Struct, frozen=True):
    """How the training went, and what the model gives for new images afterwards."""

    built: Call
    call: Call | None = None
    logits: Call | None = None
    stopped: str = ""
    """``images`` or ``time`` if the training was ended because there were too many, or because it took too long."""
    num_used: int = 0
    """Images whose logits got a gradient."""
    num_copies: int = 0
    """How many of them were shown to a copy of the model."""
    num_fetched: int = 0
    """Images that were taken from the data set of the training split."""
    num_looked_at: int = 0
    num_like_validation: int = 0
    """How many of the images that were looked at closely resemble one of the validation split."""
    moved: float = 0.0
    """Largest change of a parameter, from before to after."""
    written: bool = False
    """Whether anything changed a parameter in between."""
    drawn: list[Drawn] = []


class _Enough(BaseException):
    """Ends a training. A student's ``except Exception`` does not catch it."""


class _Counter:
    """Counts the images whose logits get a gradient: those are the ones that a model is trained on."""

    def __init__(self, model: nn.Module, most: int) -> None:
        self.model, self.most = model, most
        self.worked, self.began = time.thread_time(), time.monotonic()
        self.depth = self.num_copies = 0
        self.used: Counter[str] = Counter()
        self.rows: list[Tensor] = []
        self.stopped = ""

    @property
    def num_used(self) -> int:
        # A loop of one's own may call the layers one by one: then each is shown every image.
        parts = [number for name, number in self.used.items() if name]
        return self.used[""] + max(parts, default=0)

    def stop_if_enough(self) -> None:
        # The clock of one thread: what others do beside it, such as PyTorch's own threads, makes it no later.
        worked, took = time.thread_time() - self.worked, time.monotonic() - self.began
        if self.num_used > 2 * self.most or worked > SECONDS or took > LONGEST:
            self.stopped = "images" if self.num_used > 2 * self.most else "time"
            raise _Enough

    def listen(self, listened: _Listened, outputs: Any, inputs: Iterable[Any]) -> None:
        """Count the rows of an outermost call, once its outputs are differentiated."""
        if not issubclass(type(outputs), Tensor) or not outputs.requires_grad or not outputs.ndim:
            return
        number = len(outputs)
        images = next((value.detach() for value in inputs if isinstance(value, Tensor)), None)

        def when_differentiated(_: Tensor) -> None:
            first = -self.used[listened.name] % EVERY
            self.used[listened.name] += number
            self.num_copies += number * (not listened.name and listened.module is not self.model)
            # No plain tensor inside of torch.func.vmap, and no images in front of a later layer.
            with suppress(Exception):
                looked_at = images[first::EVERY].clone()
                self.rows += looked_at.reshape(len(looked_at), 28 * 28)

        outputs.register_hook(when_differentiated)


_counters: list[_Counter] = []
"""The counter at work, if any; copies and unpickled models report to it as well."""


class _Listened:
    """Stands before the ``forward`` of a module, in its ``__dict__``, and goes with it into copies and files."""

    def __init__(self, module: nn.Module, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        counter = _counters[-1] if _counters else _Counter(self.module, 0)  # nobody asks the latter
        if not counter.depth:
            counter.stop_if_enough()
        counter.depth += 1
        del self.module.__dict__["forward"]  # the module's own comes forth
        try:
            outputs = self.module.forward(*arguments, **options)
        finally:
            self.module.__dict__["forward"] = self
            counter.depth -= 1
        if not counter.depth:
            counter.listen(self, outputs, [*arguments, *options.values()])
        return outputs


@contextmanager
def _counting(model: nn.Module, most: int) -> Iterator[_Counter]:
    """Listen to a model and its parts, to direct calls of ``forward`` and to copies, until the end of the block."""
    counter = _Counter(model, most)
    listened = [(name, module) for name, module in model.named_modules() if "forward" not in module.__dict__]
    for name, module in listened:
        module.__dict__["forward"] = _Listened(module, name)
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters.remove(counter)
        for _, module in listened:
            module.__dict__.pop("forward", None)


class _Fetched(TensorDataset):
    """Counts the samples that are fetched, for a model that is called in a way that cannot be listened to."""

    number = 0

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        self.number += 1
        return super().__getitem__(index)


@observer
def observe_within_budget(build_model: Callable, function: Callable, problem: BudgetProblem) -> BudgetSeen:
    """Train a new model with the student's function, for a limited time, and show it new images."""
    train, valid = (
        _Fetched(split.images(), torch.tensor(split.labels)) for split in (problem.train, problem.valid)
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(problem.seed)
        built, model = call(build_model)
        if not issubclass(type(model), nn.Module):
            return BudgetSeen(built)
        try:
            return _trained(built, model, function, (train, valid), problem)
        except Exception as error:
            return BudgetSeen(built, Call("train_within_budget", raised=describe_error(error)))


def _trained(
    built: Call,
    model: nn.Module,
    function: Callable,
    splits: tuple[_Fetched, _Fetched],
    problem: BudgetProblem,
) -> BudgetSeen:
    train, valid = splits
    before, versions = copy.deepcopy(dict(model.named_parameters())), _versions(model)
    loaders = DataLoader(train, batch_size=64, shuffle=True), DataLoader(valid, batch_size=250)
    with _counting(model, problem.max_images) as counter:
        try:
            seen, _ = call(function, model, *loaders, problem.max_images)
        except _Enough:
            seen = Call("train_within_budget")
    after, new = dict(model.named_parameters()), problem.new.images()
    moves = [_distance(value, after.get(name)) for name, value in before.items()]
    with torch.no_grad():
        logits, _ = call(lambda: torch.cat([model.eval()(part) for part in new.split(250)]))
    rows = torch.stack(counter.rows) if counter.rows else new.new_zeros(0, 28 * 28)
    return BudgetSeen(
        built,
        seen,
        logits,
        counter.stopped,
        counter.num_used,
        counter.num_copies,
        train.number,
        len(rows),
        _num_like(rows, problem.valid.images(), problem.train.images()),
        max(moves, default=0.0),
        versions != _versions(model),
        drawn_outputs(model, new[:6]),
    )


def _versions(model: nn.Module) -> list[int]:
    """Return how often each parameter was written to."""
    return [parameter._version for parameter in model.parameters()]


def _distance(one: Tensor, other: Tensor | None) -> float:
    if nn.parameter.is_lazy(one) or other is None or one.shape != other.shape:
        return 1.0  # not the same parameter any more
    return (one - other).detach().abs().max().item() if one.numel() else 0.0


def _num_like(rows: Tensor, images: Tensor, others: Tensor) -> int:
    """Return how many rows resemble one of the images far more than any of the others.

    They are compared pixel by pixel, which noise does not hide, and by moments, which a shift or a mirror does not
    change; brightness and contrast do not matter.
    """
    if not len(rows):
        return 0
    like = torch.zeros(len(rows), dtype=torch.bool)
    for features, share in ((_standardised, 0.5), (_moments, 0.1)):
        ours, theirs, rest = (features(each.flatten(1).float()) for each in (rows, images, others))
        like |= _nearest(ours, theirs) < share * _nearest(ours, rest)
    return int(like.sum())


def _standardised(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(dim=1, keepdim=True)
    return centred / centred.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-9)


def _moments(rows: Tensor) -> Tensor:
    values = _standardised(rows)
    power, moments = values.square(), []
    for degree in range(3, 9):
        power = power * values
        moment = power.mean(dim=1)
        moments.append(moment.sign() * moment.abs() ** (1 / degree))
    return torch.stack(moments, dim=1)


def _nearest(rows: Tensor, others: Tensor) -> Tensor:
    return torch.cdist(rows, others).amin(dim=1)
