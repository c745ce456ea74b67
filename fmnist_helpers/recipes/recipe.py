"""A training recipe as data, so that lessons 06 and 07 can change one thing at a time; and what carries it out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset

from fmnist_helpers.history import EpochResult, History
from fmnist_helpers.loaders import InMemoryDataset, make_loaders
from fmnist_helpers.loops import fit, test_loop
from fmnist_helpers.model import ConvolutionalNetwork, NeuralNetwork
from fmnist_helpers.plain import real_number, require_whole_number, shown
from fmnist_helpers.recipes.around_model import (
    BothViews,
    MixedPrecision,
    Normalise,
    RandomFlip,
    RandomShift,
)
from fmnist_helpers.recipes.flips_in_turn import FlipsInTurn
from fmnist_helpers.runtime import has_bfloat16, seed_everything

MODELS = {"MLP": NeuralNetwork, "CNN": ConvolutionalNetwork}
OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW")
SCHEDULES = ("constant", "one cycle")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run apart from data and seed. The default is the tutorial's recipe.

    Raises:
        ValueError: if a value is out of its range or unknown; the message names the field and what it may be.
    """

    model: str = "MLP"
    """``"MLP"`` (``NeuralNetwork``) or ``"CNN"`` (``ConvolutionalNetwork``)."""
    num_epochs: int = 10
    """How many epochs at most."""
    batch_size: int = 64
    shuffle: bool = False
    """Show the training split in a new order in every epoch."""
    normalise: bool = False
    """Give the model pixels of mean 0 and deviation 1."""
    optimizer: str = "SGD"
    """``"SGD"``, ``"RMSprop"``, ``"Adam"`` or ``"AdamW"``."""
    learning_rate: float = 1e-3
    """With the schedule ``"one cycle"`` the largest rate of the run."""
    momentum: float = 0.0
    """Of SGD (in Nesterov's form) and RMSprop, 0 up to but not including 1."""
    weight_decay: float = 0.0
    """Of weight matrices and kernels; biases and scales are left alone."""
    schedule: str = "constant"
    """``"constant"``, or ``"one cycle"``: up for the first fifth of the run, then down to almost 0."""
    flip: bool = False
    """Mirror each training image with probability one half."""
    flips_in_turn: bool = False
    """With ``flip``: a coin only for the first epoch; from then on mirror each image in every other epoch."""
    shift: int = 0
    """Move each training image by at most so many pixels."""
    label_smoothing: float = 0.0
    """Share of each label that is spread evenly over all classes, in training; the validation loss is without."""
    patience: int | None = None
    """Keep the epoch with the best validation accuracy, and stop after so many epochs without a better one.

    It does not go together with ``averaging``."""
    averaging: float = 0.0
    """Decay of a running average of the weights, evaluated in their place at the end; 0 for none."""
    channels_last: bool = False
    """Keep the channels of a pixel side by side in memory."""
    bfloat16: bool = False
    """Compute products in bfloat16, where the processor has instructions for it."""
    both_views: bool = False
    """In evaluation, average the answers for each image and its mirror image."""

    def __post_init__(self) -> None:
        for name, choices in (("model", MODELS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            _check_choice(name, getattr(self, name), choices)
        for name in (
            "shuffle",
            "normalise",
            "flip",
            "flips_in_turn",
            "channels_last",
            "bfloat16",
            "both_views",
        ):
            self._set(name, _truth_value(name, getattr(self, name)))
        for name, least in (("num_epochs", 1), ("batch_size", 1), ("shift", 0)):
            self._set(name, require_whole_number(name, getattr(self, name), least))
        if self.patience is not None:
            self._set("patience", require_whole_number("patience", self.patience, 1))
        for name in ("learning_rate", "momentum", "weight_decay", "label_smoothing", "averaging"):
            self._set(name, _number(name, getattr(self, name)))
        self._check_ranges()
        self._check_together()

    def _set(self, name: str, value: Any) -> None:
        # A recipe cannot be changed; but while it is made, NumPy's numbers become Python's own.
        object.__setattr__(self, name, value)

    def _check_ranges(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be above 0 and finite")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay is {self.weight_decay}; it must be 0 or above, and finite")
        for name in ("momentum", "label_smoothing", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more and below 1")

    def _check_together(self) -> None:
        if self.momentum and self.optimizer not in ("SGD", "RMSprop"):
            raise ValueError(
                f"momentum is {self.momentum}, but {self.optimizer} takes none; "
                "set momentum=0, or choose 'SGD' or 'RMSprop'"
            )
        if self.averaging and self.patience is not None:
            raise ValueError(
                f"averaging is {self.averaging} and patience is {self.patience}, but only one of them can be used; "
                "set averaging=0 or patience=None"
            )

        if self.flips_in_turn and not self.flip:
            raise ValueError(
                "flips_in_turn is True and flip is False, so there is nothing to take turns with; set flip=True, too"
            )

    def changes_from(self, other: Recipe) -> dict[str, Any]:
        """Return the fields in which this recipe differs from ``other``, with this recipe's values."""
        mine, theirs = asdict(self), asdict(other)
        return {name: mine[name] for name in mine if mine[name] != theirs[name]}


def _check_choice(name: str, value: str, choices: Any) -> None:
    if not isinstance(value, str) or value not in choices:
        found = repr(value) if isinstance(value, str) else shown(value)
        raise ValueError(f"{name} is {found}; choose one of these names: {', '.join(map(repr, choices))}")


def _truth_value(name: str, value: Any) -> bool:
    # Not what Python takes for true or false: the text "False" would be true.
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {shown(value)}; it must be True or False")
    return bool(value)


def _number(name: str, value: Any) -> float:
    number = real_number(value)
    if number is None:
        raise ValueError(f"{name} is {shown(value)}; it must be a number")
    return number


class Run(NamedTuple):
    """What :func:`train_recipe` returns."""

    model: nn.Module
    """The trained model, to be asked as it is: it normalises its images itself."""
    history: History
    """One row per epoch, measured while training."""
    valid_accuracy: float
    """Accuracy of ``model`` on the validation split, 0 to 1; nan if it was stopped by hand while it was measured."""
    seconds: float
    """Wall time of training and validation."""
    processor_seconds: float
    """Time that the processor spent on it, summed over all threads; it does not count what others did meanwhile."""


def build_model(recipe: Recipe, device: torch.device | str = "cpu") -> nn.Module:
    """Return a new, untrained model as the recipe wants it: images of shape (N, 1, 28, 28) to logits (N, 10)."""
    network = MODELS[recipe.model]()
    before = [
        *([Normalise()] if recipe.normalise else []),
        *([RandomFlip()] if recipe.flip and not recipe.flips_in_turn else []),
        *([RandomShift(recipe.shift)] if recipe.shift else []),
    ]
    model = nn.Sequential(*before, network) if before else network
    if recipe.bfloat16 and has_bfloat16(device):
        model = MixedPrecision(model)
    if recipe.both_views:
        model = BothViews(model)
    order = torch.channels_last if recipe.channels_last else torch.preserve_format
    return model.to(device, memory_format=order)


def build_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """Return the recipe's optimiser for the parameters of ``model``.

    Weight decay pulls matrices and kernels towards 0. Vectors (biases, and the scales of a normalisation) set where
    values lie, so they are left alone.
    """
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    options: dict[str, Any] = {"lr": recipe.learning_rate}
    if recipe.momentum:
        options["momentum"] = recipe.momentum
        if recipe.optimizer == "SGD":
            options["nesterov"] = True
    return getattr(torch.optim, recipe.optimizer)(groups, **options)


def train_recipe(
    recipe: Recipe,
    root: str | Path,
    seed: int = 0,
    *,
    num_train: int | None = None,
    num_valid: int = 5000,
    device: torch.device | str = "cpu",
    progress: bool = True,
    after_step: Callable[[nn.Module], None] = lambda model: None,
) -> Run:
    """Carry out a recipe: make model, loaders and optimiser, train, and evaluate on the validation split.

    Interrupting the kernel (the stop button, Ctrl-C) ends the training early, as it does in ``fit``: the model stays
    as it is then; with ``patience`` it goes back to its best finished epoch, if there is one. A model whose validation
    loss is infinite or nan is never the best. If a loss becomes nan, a warning says so once.

    Args:
        recipe: what to do.
        root: the folder of the data, as ``prepare_data`` returns it.
        seed: of first weights, order and augmentation. The validation split is the same for every seed.
        num_train, num_valid: how many samples to train on, by default all of the split, and to evaluate on.
        device: where to train.
        progress: show a progress bar.
        after_step: called with the model after each step of the optimiser; it must not change the model.

    Raises:
        ValueError: if ``num_train`` is not in 1 … the size of the training split, ``seed`` not in 0 … 2**32 - 1,
            ``num_valid`` below 1, one of them no whole number, if a batch of one sample were left for batch
            normalisation, or as ``make_loaders`` says.
    """
    seed = require_whole_number("seed", seed, 0, 2**32 - 1)
    num_valid = require_whole_number("num_valid", num_valid, 1)
    train_loader, valid_loader, _ = make_loaders(root, recipe.batch_size, num_valid=num_valid)
    train_loader = _training_loader(train_loader.dataset, recipe, seed, num_train)
    start, processor_start = time.perf_counter(), time.process_time()
    seed_everything(seed)
    model = build_model(recipe, device)
    optimizer = build_optimizer(recipe, model)
    _add_schedule(recipe, optimizer, num_iterations=recipe.num_epochs * len(train_loader))
    average = _add_averaging(recipe, model, optimizer)
    optimizer.register_step_post_hook(lambda *_: after_step(model))
    loss_fn = _TrainingSmoothed(label_smoothing=recipe.label_smoothing)
    history = _train(recipe, model, train_loader, valid_loader, loss_fn, optimizer, progress)
    if average is not None:
        model.load_state_dict(average.module.state_dict())
    accuracy = _accuracy(valid_loader, model, loss_fn, history)
    seconds, processor_seconds = time.perf_counter() - start, time.process_time() - processor_start
    return Run(model, history, accuracy, seconds, processor_seconds)


def _training_loader(samples: Subset, recipe: Recipe, seed: int, num_train: int | None) -> DataLoader:
    if num_train is not None:
        count = require_whole_number("num_train", num_train, 1, len(samples))
        samples = Subset(samples.dataset, samples.indices[:count])
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(
        FlipsInTurn(samples, generator) if recipe.flips_in_turn else samples,
        recipe.batch_size,
        shuffle=recipe.shuffle,
        generator=generator,
        collate_fn=InMemoryDataset.collate,
    )


def _add_schedule(recipe: Recipe, optimizer: Optimizer, num_iterations: int) -> None:
    """Let the learning rate follow the recipe's schedule, one move after each step of the optimiser."""
    if recipe.schedule == "one cycle":
        schedule = OneCycleLR(
            optimizer,
            recipe.learning_rate,
            total_steps=num_iterations + 1,  # The rate that is set after the last step is never used.
            pct_start=0.2,
            anneal_strategy="linear",
            cycle_momentum=False,
            div_factor=10,
        )
        optimizer.register_step_post_hook(lambda *_: schedule.step())


def _add_averaging(recipe: Recipe, model: nn.Module, optimizer: Optimizer) -> AveragedModel | None:
    """Keep a running average of the weights, moved after each step of the optimiser."""
    if not recipe.averaging:
        return None
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging), use_buffers=True)
    optimizer.register_step_post_hook(lambda *_: average.update_parameters(model))
    return average


class _TrainingSmoothed(nn.CrossEntropyLoss):
    """Cross-entropy with smoothed labels where a gradient is wanted, and with the labels as they are elsewhere.

    Smoothing makes training harder on purpose. A validation loss is there to compare models, those trained with
    smoothing and those without.
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean of ``logits``, float of shape (N, classes), and ``labels``, int64 of shape (N,)."""
        smoothing = self.label_smoothing if torch.is_grad_enabled() else 0.0
        return nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def _train(
    recipe: Recipe,
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    loss_fn: nn.Module,
    optimizer: Optimizer,
    progress: bool,
) -> History:
    arguments = (model, train_loader, valid_loader, loss_fn, optimizer)
    if recipe.patience is None:
        return fit(*arguments, recipe.num_epochs, progress=progress)
    return _train_patiently(recipe, arguments, progress)


def _train_patiently(recipe: Recipe, arguments: tuple[Any, ...], progress: bool) -> History:
    model, history = arguments[0], History()
    best, best_state = EpochResult(0, *4 * [-math.inf], 0.0), None
    try:
        for epoch in range(1, recipe.num_epochs + 1):
            fit(*arguments, num_epochs=1, history=history, progress=progress)
            # An interrupted epoch has no row; the last row is then that of the epoch before.
            row = history[-1] if len(history) == epoch else None
            if row and math.isfinite(row.valid_loss) and row.valid_accuracy > best.valid_accuracy:
                best, best_state = row, copy.deepcopy(model.state_dict())
            if history.interrupted or epoch - best.epoch >= recipe.patience:
                break
    except KeyboardInterrupt:
        # Between two epochs, where fit does not see it.
        history.interrupted = True
    if best_state is not None:
        model.load_state_dict(best_state)
    elif history and not any(map(math.isfinite, history.column("valid_loss"))):
        print(
            "The validation loss was nan or infinite in every finished epoch, so the model stays as it is now; "
            "try a smaller learning_rate."
        )
    else:
        print("You stopped the run before an epoch could be kept, so the model stays as it is now.")
    return history


def _accuracy(valid_loader: DataLoader, model: nn.Module, loss_fn: nn.Module, history: History) -> float:
    try:
        return test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
    except KeyboardInterrupt:
        history.interrupted = True
        print("Stopped by hand while the trained model was evaluated; it is kept, and valid_accuracy is nan.")
        return math.nan
