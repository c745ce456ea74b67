"""Train in several processes at once, on one machine or on many, with the loops of the course as they are.

    torchrun --nproc-per-node 2 -m fmnist_helpers.distributed --num-epochs 3 --checkpoint checkpoints/ddp.pt

``torchrun`` starts the processes, and ``DistributedDataParallel`` averages their gradients. Batches are dealt out
so that every sample counts once and the same: the result does not depend on how many processes there are.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from fmnist_helpers.checkpoint import load_checkpoint, save_checkpoint
from fmnist_helpers.data import DataError, prepare_data
from fmnist_helpers.explain import LossFunction
from fmnist_helpers.history import EpochResult, History
from fmnist_helpers.loaders import make_loaders
from fmnist_helpers.loops import LoopResult, run_epoch
from fmnist_helpers.model import NeuralNetwork
from fmnist_helpers.runtime import pick_device, seed_everything

OPTIONS = (
    "num_workers",
    "worker_init_fn",
    "pin_memory",
    "timeout",
    "multiprocessing_context",
    "prefetch_factor",
    "persistent_workers",
)
"""What a shared loader takes over from the one that is shared."""


class Group(NamedTuple):
    """The processes of one run, seen by the one of number ``rank``. All call its methods, in the same order."""

    rank: int
    world_size: int
    device: torch.device

    def share_model(self, model: nn.Module) -> nn.Module:
        """Return ``model`` in a wrapper for the loops; optimiser and ``save_checkpoint`` take ``model`` itself."""
        return nn.parallel.DistributedDataParallel(model) if self.world_size > 1 else model

    def share_loss(self, loss_fn: LossFunction) -> LossFunction:
        """Return ``loss_fn``, a mean over samples, with gradients in which all samples of a batch count the same."""

        def shared_loss(logits: Tensor, labels: Tensor) -> Tensor:
            # No samples have no mean. Their sum is 0, and so are the gradients that the other ranks wait for.
            loss = loss_fn(logits, labels) if len(labels) else logits.sum()
            if loss.requires_grad:
                # The ranks' gradients are averaged, so that of n samples among N must count world_size · n / N.
                weight = self.world_size * len(labels) / self._sum(len(labels))[0]
                loss.register_hook(lambda gradient: gradient * weight)
            return loss

        shared_loss.original = loss_fn  # At this the loops look, to see whether it averages.
        return shared_loss

    def share_loader(self, dataloader: DataLoader) -> DataLoader:
        """Return a loader of this rank's part of every batch, or raise a ValueError if it cannot be shared."""
        dataset, batch_size = dataloader.dataset, dataloader.batch_size or 0
        generator = getattr(dataloader.sampler, "generator", torch.Generator())
        needed = f"{self.world_size} processes need {self.world_size} or more"
        if batch_size < self.world_size:
            raise ValueError(f"batch_size is {dataloader.batch_size}; {needed}, one sample for each")
        if len(dataset) < self.world_size:
            raise ValueError(f"the data set has {len(dataset)} samples; {needed}, one for each")
        if generator is None:
            raise ValueError(
                "the loader shuffles without a generator, so each process would have another order; "
                "make it with DataLoader(..., generator=torch.Generator())"
            )
        self.require_same(
            num_samples=len(dataset),
            batch_size=batch_size,
            drop_last=dataloader.drop_last,
            generator_seed=generator.initial_seed(),
            generator_state=hash(tuple(generator.get_state().tolist())),
        )
        return DataLoader(
            dataset,
            batch_sampler=PartSampler(dataloader.batch_sampler, self.rank, self.world_size),
            collate_fn=partial(_collate_part, dataset, dataloader.collate_fn),
            **{name: getattr(dataloader, name) for name in OPTIONS},
            # The loader draws from it as well as the sampler; without it the second epoch's order would differ.
            generator=dataloader.generator,
        )

    def average(self, result: LoopResult, dataloader: DataLoader) -> LoopResult:
        """Return the mean over all ranks' samples of what a loop found in its pass over a shared loader."""
        num_samples = dataloader.batch_sampler.num_samples
        [total] = self._sum(num_samples)
        # Right answers are whole numbers: as such they add up exactly.
        correct = round(result.accuracy * num_samples)
        loss, correct = self._sum(result.loss * (num_samples / total), correct)
        return LoopResult(loss, correct / total)

    def require_same(self, **values: Any) -> None:
        """Raise a ValueError on every rank if one of the named values is not the same on all of them."""
        all_values = [values] * self.world_size
        if self.world_size > 1:
            dist.all_gather_object(all_values, values)
        first = all_values[0]
        differing = [
            f"{name}: process 0 has {value}, process {rank} has {others.get(name)}"
            for name, value in first.items()
            for rank, others in enumerate(all_values)
            if others.get(name) != value
        ]
        if differing:
            raise ValueError(
                f"the processes differ in {differing[0]}; start all with the same arguments, seeds and files"
            )

    def _sum(self, *values: float) -> list[float]:
        total = torch.tensor(values, dtype=torch.float64)
        if self.world_size > 1:
            dist.all_reduce(total)
        return total.tolist()


@contextmanager
def process_group(timeout_seconds: float = 300) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started, once in a program; without it, be the only one.

    They train on graphics cards, over NCCL, if the machine has one for each of them; else on the CPU, over Gloo.
    A SystemExit says so if another ends or does not answer for ``timeout_seconds``, or ``torchrun`` ends this one.
    """
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world_size == 1:
        yield Group(rank, world_size, pick_device())
        return
    lost = (
        f"process {rank} (of 0 to {world_size - 1}) stops: another process is gone or does not answer; "
        "start all again\n"
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(lost))
    device = torch.device("cpu")
    if torch.cuda.device_count() >= int(os.environ["LOCAL_WORLD_SIZE"]):
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        # Where the launcher starts all anew (--max-restarts), they must not take up the addresses of the dead.
        store = dist.PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], next(dist.rendezvous("env://"))[0])
        timeout = timedelta(seconds=timeout_seconds)
        dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=timeout)
        yield Group(rank, world_size, device)
        dist.destroy_process_group()
    except RuntimeError as error:
        # Gloo's errors have no class of their own, but begin with a place in its source.
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            sys.exit(lost)
        raise
    finally:
        # What ends now ends by itself: the launcher must not cut off its last sentence.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


class PartSampler(Sampler[list[int]]):
    """Gives one rank its part of every batch: pieces in order, maybe empty, with sizes that differ by at most one."""

    def __init__(self, batch_sampler: Sampler[list[int]], rank: int, world_size: int) -> None:
        self.batch_sampler, self.rank, self.world_size = batch_sampler, rank, world_size
        self.num_samples = 0  # How many the last pass gave.

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[list[int]]:
        self.num_samples = 0
        for batch in self.batch_sampler:
            start, stop = self._part(len(batch), self.rank)
            self.num_samples += stop - start
            yield batch[start:stop]

    def last_sizes(self) -> list[int]:
        """Return how many samples of the last batch each rank gets: all ranks must know if one cannot go on."""
        size, total = self.batch_sampler.batch_size, len(self.batch_sampler.sampler)
        last = size if self.batch_sampler.drop_last else total % size or size
        parts = (self._part(last, rank) for rank in range(self.world_size))
        return [stop - start for start, stop in parts]

    def _part(self, size: int, rank: int) -> tuple[int, int]:
        return size * rank // self.world_size, size * (rank + 1) // self.world_size


def _collate_part(dataset: Any, collate_fn: Any, samples: Any) -> Any:
    # An empty part is a batch of no sample, in the shape that the model takes.
    return collate_fn(samples) if len(samples) else [rows[:0] for rows in collate_fn([dataset[0]])]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the course's model as the command line says; an error ends it with one sentence."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--num-epochs", type=int, default=3, help="in all, with those of the checkpoint")
    parser.add_argument("--batch-size", type=int, default=64, help="samples of all processes together")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of SGD with momentum 0.9")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the split and the order")
    parser.add_argument("--num-samples", type=int, default=55_000, help="train on so many images at most")
    parser.add_argument("--checkpoint", type=Path, default="checkpoints/ddp.pt", help="saved every epoch")
    options = parser.parse_args(arguments)
    if min(options.num_epochs, options.num_samples) < 1 or not 0 < options.learning_rate < float("inf"):
        parser.error("--num-epochs and --num-samples must be 1 or more, --learning-rate above 0 and finite")
    try:
        with process_group() as group, redirect_stdout(None if group.rank else sys.stdout):
            _train(options, group)
    except (ValueError, OSError, DataError, KeyboardInterrupt) as error:
        # With a line end of its own, so that the sentences of several processes do not run together.
        sys.exit(f"{str(error) or 'stopped by hand; the same command goes on from the last checkpoint'}\n")


def _train(options: argparse.Namespace, group: Group) -> None:
    root = prepare_data()
    seed_everything(options.seed)
    model = NeuralNetwork().to(group.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=options.learning_rate, momentum=0.9)
    # The real data may lie in any folder, the tutorial's too.
    data = "standin" if root.name == "standin" else "real"
    run, path = vars(options) | {"data": data}, options.checkpoint
    del run["num_epochs"], run["checkpoint"]
    # What an optimiser does not know it saves as well: by that a checkpoint tells which run it belongs to.
    optimizer.param_groups[0]["run"] = run
    history = _continued(path, model, optimizer, run) if path.exists() else History()
    group.require_same(**run, finished_epochs=len(history))
    train_loader, valid_loader, _ = make_loaders(root, options.batch_size, seed=options.seed)
    train_loader.dataset.indices = train_loader.dataset.indices[: options.num_samples]
    train_loader, valid_loader = group.share_loader(train_loader), group.share_loader(valid_loader)
    for _ in (batch for _ in history for batch in train_loader):
        pass  # Every finished epoch moves the order of samples on, so that a continued run keeps it.
    where = f"{group.world_size} ({group.device.type}), Test Error: on the validation split"
    print(f"Processes: {where}, finished epochs: {len(history)}")
    if len(history) >= options.num_epochs:
        epochs = f"{len(history)} epoch{'s' * (len(history) > 1)}"
        print(f"{path} has {epochs} already; to train on, give a larger --num-epochs")
    shared_model, loss_fn = group.share_model(model), group.share_loss(nn.CrossEntropyLoss())
    for epoch in range(len(history) + 1, options.num_epochs + 1):
        row = run_epoch(epoch, shared_model, train_loader, valid_loader, loss_fn, optimizer)
        train = group.average(LoopResult(row.train_loss, row.train_accuracy), train_loader)
        valid = group.average(LoopResult(row.valid_loss, row.valid_accuracy), valid_loader)
        history.append(EpochResult(epoch, *train, *valid, row.seconds))
        if group.rank == 0:
            save_checkpoint(path, model, optimizer, epoch=epoch, history=history)
        print(f"Epoch {epoch}\n{'-' * 31}\nTest Error: ")
        print(f" Accuracy: {100 * valid.accuracy:>0.1f}%, Avg loss: {valid.loss:>8f}\n", flush=True)
    print(f"Done!\n{history}", flush=True)


def _continued(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, run: dict[str, Any]
) -> History:
    """Load the checkpoint of this run, or raise a ValueError if it is another's."""
    try:
        # Settings that come back are the same, or are told below.
        with redirect_stdout(None):
            history = load_checkpoint(path, model, optimizer).history
    except ValueError as error:
        raise ValueError(f"{error}; here, give another --checkpoint") from error
    saved = optimizer.param_groups[0].get("run")
    if not isinstance(saved, dict) or saved.keys() != run.keys():
        raise ValueError(f"{path} was not written by this program; give another --checkpoint")
    differing = [
        f"{_option(name)}{saved[name]} (here {value})" for name, value in run.items() if saved[name] != value
    ]
    if differing:
        raise ValueError(
            f"{path} belongs to a run with {' and '.join(differing)}; give the same, or another --checkpoint"
        )
    return history


def _option(name: str) -> str:
    # Which data it is, no option says.
    return "FMNIST_SOURCE=" if name == "data" else f"--{name.replace('_', '-')} "


if __name__ == "__main__":
    main()
