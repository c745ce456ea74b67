"""Observing the exercises on lesson 01: images normalised, loaders read batch by batch, splits and what they draw.

The global random states of PyTorch, NumPy and Python are set before a student's function runs, drawn from while its
loaders are read, and given back at the end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from fmnist_helpers.exercises.observation import Array, Call, Seen
from fmnist_helpers.exercises.observe import call, copy_of, describe, is_still
from fmnist_helpers.exercises.remote import observer

# --- normalisation -----------------------------------------------------------------------------------------


class NormaliseProblem(msgspec.Struct, frozen=True):
    """Images to learn from, and batches of images to be normalised: uint8, shape (N, height, width)."""

    train: Array
    batches: list[Array]


class NormaliseUse(msgspec.Struct, frozen=True):
    """One call of ``normalise_by``."""

    call: Call
    train_kept: bool
    """Whether the training images are still as they were handed over."""
    images_kept: bool


class NormaliseSeen(msgspec.Struct, frozen=True):
    """What ``normalise_by`` gave for each batch."""

    uses: list[NormaliseUse]


@observer
def observe_normalise_by(function: Any, problem: NormaliseProblem) -> NormaliseSeen:
    """Run ``normalise_by`` on every batch, each time with the training images."""
    uses = []
    for batch in problem.batches:
        train, images = problem.train.tensor().byte(), batch.tensor().byte()
        before = copy_of(train), copy_of(images)
        used, _ = call(function, train, images)
        uses.append(NormaliseUse(used, *map(is_still, (train, images), before)))
    return NormaliseSeen(uses)


# --- loaders -----------------------------------------------------------------------------------------------


class LoadersRun(msgspec.Struct, frozen=True):
    """One call with a seed. The global random states start from ``start``; others draw from them meanwhile."""

    seed: int
    start: int
    num_draws: int
    """So many numbers are drawn from each of them before an epoch and after each batch."""
    second: int | None = None
    """Seed of a second pair that is made before the first one is read, if any is."""


class LoadersProblem(msgspec.Struct, frozen=True):
    """The samples' labels, each the number of the sample; a sample's image holds the same number."""

    train: list[int]
    test: list[int]
    batch_size: int
    runs: list[LoadersRun]


class EpochSeen(msgspec.Struct, frozen=True):
    """One pass through a loader: every batch, until it ended by itself, or two epochs' worth had come."""

    call: Call
    batches: list[Seen]
    ended: bool


class RunSeen(msgspec.Struct, frozen=True):
    """What came of one call of ``make_loaders_of`` or ``split_by_class``."""

    call: Call
    next_numbers: dict[str, float]
    """Name of a global source → what it gave right after the call."""
    epochs: list[EpochSeen] = []
    """Of training, test, and training again; none if two loaders did not come back."""
    labels_kept: bool = True
    value_error: bool = False
    """Whether a ValueError was raised, or an error that inherits from it."""


class RunsSeen(msgspec.Struct, frozen=True):
    """What came of all calls, in their order."""

    runs: list[RunSeen]


@observer
def observe_make_loaders_of(function: Any, problem: LoadersProblem) -> RunsSeen:
    """Run ``make_loaders_of`` anew for each run, and read both loaders while others draw random numbers."""
    with _global_states():
        return RunsSeen([_observe_loaders(function, problem, run) for run in problem.runs])


def _observe_loaders(function: Any, problem: LoadersProblem, run: LoadersRun) -> RunSeen:
    for start_from in (torch.default_generator.manual_seed, np.random.seed, random.seed):
        start_from(run.start)
    sets = _numbered(problem.train), _numbered(problem.test)
    made, result = call(function, *sets, problem.batch_size, run.seed)
    next_numbers, pair = _next_numbers(), _two_loaders(result)
    if run.second is not None:
        call(function, *sets, problem.batch_size, run.second)
    passes = ((0, problem.train), (1, problem.test), (0, problem.train)) if pair else ()
    epochs = [_read(pair[which], len(part), run.num_draws) for which, part in passes]
    return RunSeen(made, next_numbers, epochs)


def _two_loaders(result: Any) -> list[DataLoader]:
    try:
        pair = list(result) if isinstance(result, tuple | list) else []
        return pair if [isinstance(one, DataLoader) for one in pair] == [True, True] else []
    except Exception:
        return []


def _read(loader: DataLoader, size: int, num_draws: int) -> EpochSeen:
    batches: list[Seen] = []

    def read() -> bool:
        num_samples = 0
        _disturb(num_draws)
        for batch in loader:
            batches.append(describe(batch))
            labels = (batches[-1].items or [batches[-1]])[-1].array
            num_samples += len(labels.numbers) if labels is not None else 1
            if max(num_samples, len(batches)) > 2 * size:
                return False
            _disturb(num_draws)
        return True

    seen, ended = call(read)
    return EpochSeen(seen, batches, ended is True)


def _numbered(numbers: list[int]) -> TensorDataset:
    labels = torch.tensor(numbers)
    return TensorDataset(labels[:, None, None, None].expand(-1, 1, 2, 2).float(), labels)


# --- a split by class --------------------------------------------------------------------------------------


class SplitCall(msgspec.Struct, frozen=True):
    """What ``split_by_class`` is called with, and from where the global random states start."""

    labels: list[int]
    num_each: int
    seed: int
    start: int


class SplitProblem(msgspec.Struct, frozen=True):
    """All calls of ``split_by_class``."""

    calls: list[SplitCall]


@observer
def observe_split_by_class(function: Any, problem: SplitProblem) -> RunsSeen:
    """Run ``split_by_class`` for each call of the problem; PyTorch's global source gives one number before."""
    with _global_states():
        return RunsSeen([_observe_split(function, given) for given in problem.calls])


def _observe_split(function: Any, given: SplitCall) -> RunSeen:
    labels = torch.tensor(given.labels)
    before, errors = copy_of(labels), []

    def split(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except ValueError as error:
            errors.append(error)
            raise

    torch.default_generator.manual_seed(given.start)
    next_number()
    seen, _ = call(split if callable(function) else function, labels, given.num_each, given.seed)
    return RunSeen(seen, _next_numbers(), labels_kept=is_still(labels, before), value_error=bool(errors))


# --- random numbers ----------------------------------------------------------------------------------------


def next_number(generator: torch.Generator | None = None) -> float:
    """Draw a number from a generator, or from PyTorch's global one."""
    return torch.rand((), dtype=torch.float64, generator=generator).item()


def _next_numbers() -> dict[str, float]:
    return {"PyTorch": next_number(), "NumPy": np.random.random(), "Python": random.random()}


def _disturb(num_draws: int) -> None:
    for _ in range(num_draws):
        _next_numbers()


@contextmanager
def _global_states() -> Iterator[None]:
    """Let the global sources go on afterwards as if nothing had been."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)
