"""Train in several processes at once, on one machine or on many, with the loops of the course as they are.

    torchrun --nproc-per-node 2 -m fmnist_helpers.distributed --num-epochs 3 --checkpoint checkpoints/ddp.pt

``torchrun`` starts the processes, and PyTorch's ``DistributedDataParallel`` averages their gradients. This module
sees to it that the result does not depend on how many there are: every batch is dealt out to them, and every
sample is used once and counts the same. Without ``torchrun`` the same code runs as one process.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

from fmnist_helpers.batch_checks import LossFunction
from fmnist_helpers.checkpoint import load_checkpoint, save_checkpoint
from fmnist_helpers.data import DataError, prepare_data
from fmnist_helpers.history import EpochResult, History
from fmnist_helpers.loaders import make_loaders
from fmnist_helpers.loops import LoopResult, test_loop, train_loop
from fmnist_helpers.model import NeuralNetwork
from fmnist_helpers.runtime import pick_device, seed_everything


class LostProcessError(ConnectionError):
    """Another process of the run has ended or does not answer, so this one cannot go on."""


class Group(NamedTuple):
    """The processes of one run, as one of them sees them. All must call its methods, in the same order."""

    rank: int
    """The number of this process, from 0. Rank 0 is the one that prints and saves."""
    world_size: int
    """How many processes there are."""
    device: torch.device
    """Where this process trains."""

    def share_model(self, model: nn.Module) -> nn.Module:
        """Return ``model`` in a wrapper for the loops, which starts all ranks alike and averages their gradients.

        The optimiser and ``save_checkpoint`` take ``model`` itself. Batch normalisation sees only the rank's part
        of a batch, and every rank draws its own dropout: a model with these learns, but not number for number
        what it would learn in one process.
        """
        return DistributedDataParallel(model) if self.world_size > 1 else model

    def share_loss(self, loss_fn: LossFunction) -> LossFunction:
        """Return ``loss_fn``, a plain mean over samples, with a gradient in which every sample counts the same.

        ``DistributedDataParallel`` gives all ranks the same weight. So a rank with n of a batch's N samples
        multiplies its gradient by world_size · n / N. The value of the loss stays the mean over its n samples.
        """
        if self.world_size == 1:
            return loss_fn

        def shared_loss(logits: Tensor, labels: Tensor) -> Tensor:
            # No samples have no mean. Their sum is 0, and so are the gradients that the other ranks wait for.
            loss = loss_fn(logits, labels) if len(labels) else logits.sum()
            if loss.requires_grad:
                loss.register_hook(partial(self._weigh, len(labels)))
            return loss

        shared_loss.reduction = getattr(loss_fn, "reduction", "mean")
        return shared_loss

    def share_loader(self, dataloader: DataLoader) -> DataLoader:
        """Return a loader of this rank's part of every batch of ``dataloader``, batches in the same order.

        Raises:
            ValueError: if the batches cannot be dealt out, or the ranks would not draw the same ones.
        """
        self.require_same("the loader", _describe(dataloader, self.world_size))
        return DataLoader(
            dataloader.dataset,
            batch_sampler=PartSampler(dataloader.batch_sampler, self.rank, self.world_size),
            collate_fn=partial(_collate_part, dataloader.dataset, dataloader.collate_fn),
            num_workers=dataloader.num_workers,
            pin_memory=dataloader.pin_memory,
            worker_init_fn=dataloader.worker_init_fn,
            # The loader draws from it as well as the sampler; without it the second epoch's order would differ.
            generator=dataloader.generator,
        )

    def average(self, result: LoopResult, dataloader: DataLoader) -> LoopResult:
        """Return the mean over all ranks' samples of what a loop found in its pass over a shared loader.

        A loop prints what its own rank found, so let it run with ``verbose=False`` and print this instead.
        """
        if self.world_size == 1:
            return result
        num_samples = dataloader.batch_sampler.num_samples
        # Right answers are whole numbers: as such they add up exactly.
        sums = result.loss * num_samples, round(result.accuracy * num_samples), num_samples
        loss, correct, total = self._sum(sums).tolist()
        return LoopResult(loss / total, correct / total)

    def require_same(self, what: str, value: Any) -> None:
        """Raise a ValueError on every rank if ``value`` is not the same on all of them."""
        values = [value] * self.world_size
        if self.world_size > 1:
            dist.all_gather_object(values, value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise ValueError(
                    f"the processes do not agree on {what}: rank 0 has {values[0]}, rank {rank} has {other}; "
                    "start all with the same arguments, seeds and files"
                )

    def _weigh(self, num_samples: int, gradient: Tensor) -> Tensor:
        weight = self.world_size * num_samples / self._sum([num_samples])[0]
        return gradient * weight.to(gradient.dtype)

    def _sum(self, values: Sequence[float]) -> Tensor:
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total


@contextmanager
def process_group(timeout_seconds: float = 300) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started, and part from them at the end; without it, be the only one.

    The processes train on graphics cards and talk over NCCL if the machine has a card for each of them; else they
    use the CPU and Gloo. A program may do this once.

    Args:
        timeout_seconds: how long to wait for a process that neither answers nor ends. It must be longer than
            anything that one of them does alone, such as saving.

    Raises:
        LostProcessError: when another process has ended or does not answer, or the launcher asks this one to end.
    """
    rank, world_size = _rank(), int(os.environ.get("WORLD_SIZE", 1))
    if world_size == 1:
        yield Group(rank, world_size, pick_device())
        return
    group, handler = Group(rank, world_size, _own_device()), signal.getsignal(signal.SIGTERM)
    try:
        _join(group, timedelta(seconds=timeout_seconds))
        signal.signal(signal.SIGTERM, partial(_stop_on_request, group))
        yield group
    except RuntimeError as error:
        detail = _trouble_with_others(error)
        if detail is None:
            raise
        raise _stop(group, f"another has ended or does not answer ({detail})") from None
    finally:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, handler)
        if dist.is_initialized():
            dist.destroy_process_group()


class PartSampler(Sampler[list[int]]):
    """Deals every batch of ``batch_sampler`` out to ``world_size`` ranks, and gives the parts of ``rank``.

    The parts are pieces of the batch, in order, and their sizes differ by at most one. If a batch has fewer
    samples than there are ranks, some parts are empty: they are given too, because all ranks take every step.
    """

    def __init__(self, batch_sampler: Sampler[list[int]], rank: int, world_size: int) -> None:
        self.batch_sampler, self.rank, self.world_size = batch_sampler, rank, world_size
        self.num_samples = 0
        """How many samples the last pass gave."""

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[list[int]]:
        self.num_samples = 0
        for batch in self.batch_sampler:
            start, stop = (len(batch) * rank // self.world_size for rank in (self.rank, self.rank + 1))
            self.num_samples += stop - start
            yield batch[start:stop]


def skip_epochs(dataloader: DataLoader, num_epochs: int) -> None:
    """Move a shuffling loader on by ``num_epochs`` epochs, so that a continued run keeps its order of samples."""
    numbers, sampler = range(len(dataloader.dataset)), dataloader.batch_sampler
    # A whole pass draws the random numbers of an epoch; it is made over bare numbers, to load no sample.
    dry_run = DataLoader(numbers, batch_sampler=sampler, collate_fn=len, generator=dataloader.generator)
    for _ in range(num_epochs):
        for _ in dry_run:
            pass


def _collate_part(dataset: Dataset, collate_fn: Callable[[Any], Any], samples: Any) -> Any:
    # An empty part is a batch of no sample, in the shape that the model takes.
    return collate_fn(samples) if len(samples) else [rows[:0] for rows in collate_fn([dataset[0]])]


def _describe(dataloader: DataLoader, world_size: int) -> tuple[Any, ...]:
    """Return what must be the same on all ranks for their parts to make up batches."""
    num_samples, batch_size = len(dataloader.dataset), dataloader.batch_size
    if batch_size is None or min(num_samples, batch_size) < world_size:
        raise ValueError(
            f"{num_samples} samples in batches of {batch_size} cannot be dealt out to {world_size} processes; "
            "choose a batch_size that has a sample for each"
        )
    order = getattr(dataloader.sampler, "generator", "unshuffled")
    if order is None:
        raise ValueError(
            "the loader shuffles without a generator of its own, so each process would draw another order; "
            "give it generator=torch.Generator().manual_seed(seed)"
        )
    if isinstance(order, torch.Generator):
        order = f"random state {zlib.crc32(order.get_state().numpy().tobytes())}"
    return num_samples, batch_size, dataloader.drop_last, order


def _own_device() -> torch.device:
    if torch.cuda.device_count() < int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"])):
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device


def _join(group: Group, timeout: timedelta) -> None:
    store, rank, world_size = next(dist.rendezvous("env://", timeout=timeout))
    # Where the launcher starts all anew (--max-restarts), they must not take up the addresses of the dead.
    store = dist.PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    backend = "nccl" if group.device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=timeout)


def _stop_on_request(group: Group, number: int, frame: Any) -> NoReturn:
    raise _stop(group, "it was asked to, as the launcher does when another has ended")


def _stop(group: Group, reason: str) -> LostProcessError:
    # The process ends by itself now: being asked to end (again) must not cut off its last sentence.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return LostProcessError(f"rank {group.rank} of {group.world_size} processes stops: {reason}")


def _trouble_with_others(error: RuntimeError) -> str | None:
    """Return what happened between the processes, or None if the error is about something else."""
    # Gloo's errors have no class of their own, but begin with a place in its source.
    if not isinstance(error, dist.DistError) and "gloo" not in str(error):
        return None
    return re.sub(r"\[\S+\] ", "", str(error)).partition(". ")[0]


# --- the command line --------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the course's model as the command line says; an error ends it with one sentence."""
    options = _read_command_line(arguments)
    try:
        with _errors_told_once(), redirect_stdout(None if _rank() else sys.stdout):
            root = prepare_data()
        with process_group() as group, _errors_told_once():
            _train(options, root, group)
    except (LostProcessError, KeyboardInterrupt) as error:
        saved = f"the same command goes on after the last epoch saved in {options.checkpoint}"
        _end(f"{str(error) or 'stopped by hand'}; {saved}")


def _train(options: argparse.Namespace, root: Path, group: Group) -> None:
    seed_everything(options.seed)
    model = NeuralNetwork().to(group.device)
    train_loader, valid_loader = map(group.share_loader, _make_loaders(options, root))
    settings = _settings(options, len(train_loader.dataset), root.name)
    # SGD keeps entries that it does not know beside its own: by them a checkpoint tells which run it belongs to.
    optimizer = SGD([{"params": list(model.parameters()), **settings}])
    history = _resume(options.checkpoint, model, optimizer, settings)
    group.require_same("the run and its finished epochs", (settings, len(history)))
    if group.rank == 0:
        print(f"Processes: {group.world_size} ({group.device.type}), finished epochs: {len(history)}")
    skip_epochs(train_loader, len(history))
    shared_model, loss_fn = group.share_model(model), group.share_loss(nn.CrossEntropyLoss())
    for epoch in range(len(history) + 1, options.num_epochs + 1):
        start = time.perf_counter()
        train = train_loop(train_loader, shared_model, loss_fn, optimizer, verbose=False)
        valid = test_loop(valid_loader, shared_model, loss_fn, verbose=False)
        train, valid = group.average(train, train_loader), group.average(valid, valid_loader)
        history.append(EpochResult(epoch, *train, *valid, time.perf_counter() - start))
        if group.rank == 0:
            save_checkpoint(options.checkpoint, model, optimizer, epoch=epoch, history=history)
            _print_epoch(history[-1])
    if group.rank == 0:
        print(f"Done!\n{history}", flush=True)


def _settings(options: argparse.Namespace, num_samples: int, data: str) -> dict[str, Any]:
    """Return what must stay the same for a run to be continued; the number of processes may change."""
    settings = {"lr": options.learning_rate, "momentum": 0.9, "batch_size": options.batch_size}
    return settings | {"seed": options.seed, "num_samples": num_samples, "data": data}


def _print_epoch(row: EpochResult) -> None:
    print(f"Epoch {row.epoch}\n{'-' * 31}\nTest Error: ")
    # Flushed, so that who reads a file or a pipe sees the epoch when it is done.
    print(f" Accuracy: {100 * row.valid_accuracy:>0.1f}%, Avg loss: {row.valid_loss:>8f}\n", flush=True)


def _make_loaders(options: argparse.Namespace, root: Path) -> tuple[DataLoader, DataLoader]:
    train, valid, _ = make_loaders(root, options.batch_size, seed=options.seed)
    if options.num_samples is not None:
        first = Subset(train.dataset, range(len(train.dataset))[: options.num_samples])
        order = {"shuffle": True, "generator": train.generator}
        train = DataLoader(first, options.batch_size, collate_fn=train.collate_fn, **order)
    return train, valid


def _resume(path: Path, model: nn.Module, optimizer: Optimizer, settings: dict[str, Any]) -> History:
    if not path.exists():
        return History()
    history = load_checkpoint(path, model, optimizer).history
    for name, value in settings.items():
        saved = optimizer.param_groups[0].get(name, "not known")
        if saved != value:
            raise ValueError(
                f"{path} belongs to another run: its {name} is {saved}, and here it is {value}; "
                "give that run's settings, or name another --checkpoint"
            )
    return history


def _read_command_line(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.error = _give_up
    whole, number, add = partial(_positive, int), partial(_positive, float), parser.add_argument
    add("--num-epochs", type=whole, default=3, help="in all, with those of the checkpoint (3)")
    add("--batch-size", type=whole, default=64, help="samples of all processes together (64)")
    add("--learning-rate", type=number, default=1e-3, help="of SGD with momentum 0.9 (0.001)")
    add("--seed", type=int, default=0, help="of the first weights, the split and the order of samples (0)")
    add("--num-samples", type=whole, help="train on so many images at most (all)")
    add("--checkpoint", type=Path, default=Path("checkpoints", "ddp.pt"), help="(checkpoints/ddp.pt)")
    return parser.parse_args(arguments)


def _positive(kind: type, text: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number above 0")
    return value


@contextmanager
def _errors_told_once() -> Iterator[None]:
    try:
        yield
    except LostProcessError:
        raise
    except (ValueError, OSError, DataError) as error:
        _give_up(str(error))


def _give_up(message: str) -> NoReturn:
    rank = _rank()
    if rank:
        # Most errors meet all ranks: rank 0 tells it, and the launcher ends the others before they repeat it.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(3)
    _end(f"rank {rank}: {message}" if rank else message)


def _end(message: str) -> NoReturn:
    # Written in one piece, line end and all, so that the sentences of several processes do not run together.
    sys.stderr.write(f"{message}\n")
    sys.exit(1)


def _rank() -> int:
    return int(os.environ.get("RANK", 0))


if __name__ == "__main__":
    main()
