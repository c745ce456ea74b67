"""How fast the helpers are: ``OMP_NUM_THREADS=1 python -m tests.benchmarks.speed``.

Compared in one run, interleaved, one epoch each of the tutorial's recipe: the tutorial's loop over its own
loader, ``train_loop`` over the in-memory loader, and the floor: the tutorial's loop over batches made ahead,
which nothing that makes the same updates can beat. The losses must be equal to the last digit.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import FashionMNIST
from torchvision.transforms import ToTensor

import fmnist_helpers as helpers

IMPORT = "import time; import torch, torchvision; s = time.perf_counter(); {}; print(time.perf_counter() - s)"


def tutorial_loop(loader, model, loss_fn, optimizer) -> list[float]:
    """Train one epoch in the tutorial's order of calls; return the loss of every 100th batch."""
    losses = []
    model.train()
    for batch, (images, labels) in enumerate(loader):
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if batch % 100 == 0:
            losses.append(loss.item())
    return losses


def helper_loop(loader, model, loss_fn, optimizer) -> list[float]:
    """Train one epoch with ``train_loop``; return the loss of every 100th batch."""
    losses = []

    def noting(logits, labels):
        loss = loss_fn(logits, labels)
        losses.append(loss.detach())
        return loss

    helpers.train_loop(loader, model, noting, optimizer, verbose=False)
    return [loss.item() for loss in losses[::100]]


def timed_epoch(loop: Callable, loader: DataLoader | Sequence) -> tuple[float, list[float]]:
    """Train a fresh model for one epoch and return seconds and losses."""
    helpers.seed_everything(0)
    model = helpers.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    start = time.perf_counter()
    losses = loop(loader, model, nn.CrossEntropyLoss(), optimizer)
    return time.perf_counter() - start, losses


def import_seconds(repeats: int) -> float:
    """Return the median seconds that importing the package adds to importing torch and torchvision."""
    command = [sys.executable, "-c", IMPORT.format("import fmnist_helpers")]
    outputs = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(repeats)]
    return statistics.median(float(output) for output in outputs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    root = helpers.prepare_data()
    in_memory = helpers.make_loaders(root, num_valid=0, shuffle=False).train
    entries = {
        "tutorial's listing": (
            tutorial_loop,
            DataLoader(FashionMNIST(root, train=True, transform=ToTensor()), batch_size=64),
        ),
        "train_loop, in memory": (helper_loop, in_memory),
        "floor: batches made ahead": (tutorial_loop, list(in_memory)),
    }
    seconds = {name: [] for name in entries}
    losses = {}
    for _ in range(repeats):
        for name, (loop, loader) in entries.items():
            elapsed, losses[name] = timed_epoch(loop, loader)
            seconds[name].append(elapsed)

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread, Python {platform.python_version()}, ",
        end="",
    )
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, {repeats} interleaved runs")
    listing = seconds["tutorial's listing"]
    print(f"{'one epoch of the recipe':28s} {'median s':>9s} {'min s':>7s} {'max s':>7s} {'listing is':>11s}")
    for name, values in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(listing, values, strict=True))
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:28s} {middle:9.2f} {low:7.2f} {high:7.2f} {ratio:9.2f} x")
    if len({tuple(values) for values in losses.values()}) != 1:
        sys.exit("the losses differ")
    print("losses equal to the last digit: yes")
    print(f"importing the package beyond torch and torchvision: {import_seconds(repeats):.3f} s (median)")


if __name__ == "__main__":
    main()
