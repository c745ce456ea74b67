"""How time and memory of training grow with data, batch size and width: ``python -m tests.benchmarks.growth``.

One number changes at a time, the others stay at ``BASE``. Each size is trained for one pass (the training part of
an epoch) by the tutorial's listing and by this package. Times are medians of interleaved runs on one thread.
Memory is the largest resident set of a process that does just this, less that of one that only imports torch and
torchvision. ``--write`` stores the figures; ``python -m tests.benchmarks.speed_figure`` draws them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.data import DataLoader

import fmnist_helpers as helpers
from tests.benchmarks.epoch import (
    LEARNING_RATE,
    in_memory_splits,
    listing_train,
    now,
    small_root,
    standard_splits,
)

COURSE_FOLDER = Path(__file__).resolve().parents[2]
STORED = COURSE_FOLDER / "notebooks" / "results" / "growth.json"
ROUNDS = 3
CPU = torch.device("cpu")
LISTING, PACKAGE = "the tutorial's listing", "this package"


class Size(NamedTuple):
    """What grows."""

    samples: int
    batch_size: int
    width: int
    """Units in each of the two hidden layers."""


BASE = Size(samples=10_000, batch_size=64, width=512)
AXES = {
    "samples": (1_000, 3_000, 10_000, 30_000, 60_000),
    "batch_size": (16, 64, 256, 1024),
    "width": (128, 256, 512, 1024, 2048),
}
QUICK_BASE = Size(samples=128, batch_size=64, width=16)
QUICK_AXES = {"samples": (128,), "batch_size": (64,), "width": (16,)}

PEAK = """
import pathlib, resource, sys
# Linux: a process inherits the ru_maxrss of the one that started it, but not this mark.
status = pathlib.Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
marks = [1.024e-3 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
# In bytes on macOS, in kilobytes elsewhere.
largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
print(*marks or [largest])
"""


def network(width: int) -> nn.Sequential:
    """Return the course's network with another number of hidden units: 784 → width → width → 10."""
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, width), nn.ReLU()),
        *(nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, 10),
    )


def training_loader(way: str, root: Path, batch_size: int) -> DataLoader:
    """Return the loader that a way trains with, over all training images in ``root``."""
    if way == LISTING:
        return standard_splits(root, batch_size).train
    return in_memory_splits(root, CPU, batch_size).train


def training_seconds(way: str, loader: DataLoader, width: int) -> float:
    """Train a fresh network for one pass and return the seconds it took."""
    helpers.seed_everything(0)
    model, loss_fn = network(width), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    start = now(CPU)
    with contextlib.redirect_stdout(io.StringIO()):
        if way == LISTING:
            listing_train(loader, model, loss_fn, optimizer, loader.batch_size)
        else:
            helpers.train_loop(loader, model, loss_fn, optimizer)
    return now(CPU) - start


def train_once(way: str, root: str, batch_size: str, width: str) -> None:
    """Train in a process of its own, whose memory is measured; arguments as a command line has them."""
    torch.set_num_threads(1)
    training_seconds(way, training_loader(way, Path(root), int(batch_size)), int(width))


def megabytes_beyond_imports(code: str, arguments: Iterable[str] = ()) -> float:
    """Run Python code in a new process that has imported torch and torchvision.

    Returns:
        By how much the code raises the largest resident set of that process, in MB.
    """
    whole = f"import torch, torchvision\n{PEAK}\n{code}\n{PEAK}"
    done = subprocess.run(
        [sys.executable, "-c", whole, *arguments],
        cwd=COURSE_FOLDER,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    before, after = map(float, done.stdout.split())
    return after - before


def training_megabytes(way: str, size: Size, root: Path) -> float:
    """Return what training one pass takes beyond the imports, in MB, data set and model included."""
    code = "from tests.benchmarks.growth import train_once; train_once(*sys.argv[1:])"
    return megabytes_beyond_imports(code, [way, str(root), str(size.batch_size), str(size.width)])


def sizes_to_try(base: Size, axes: dict[str, tuple[int, ...]]) -> list[Size]:
    """Return every size once: ``base`` with one number replaced at a time."""
    sizes = [base._replace(**{axis: value}) for axis, values in axes.items() for value in values]
    return list(dict.fromkeys(sizes))


def measure_seconds(
    sizes: list[Size], roots: dict[int, Path], rounds: int
) -> dict[tuple[str, Size], list[float]]:
    """Return the seconds of each way at each size, one number a round."""
    cases = [(way, size) for size in sizes for way in (LISTING, PACKAGE)]
    loaders = {(way, size): training_loader(way, roots[size.samples], size.batch_size) for way, size in cases}
    for case, loader in loaders.items():
        # The first batches of a width are slower; nobody's growth should begin with them.
        training_seconds(case[0], _first_batches(loader), case[1].width)
    seconds: dict[tuple[str, Size], list[float]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case, loader in loaders.items():
            seconds[case].append(training_seconds(case[0], loader, case[1].width))
    return seconds


def _first_batches(loader: DataLoader) -> DataLoader:
    few = range(min(len(loader.dataset), 4 * loader.batch_size))
    return DataLoader(
        torch.utils.data.Subset(loader.dataset, few), loader.batch_size, collate_fn=loader.collate_fn
    )


def measure_megabytes(sizes: list[Size], roots: dict[int, Path]) -> dict[tuple[str, Size], float]:
    """Return the memory of each way at each size in MB, beyond the imports of torch and torchvision."""
    cases = [(way, size) for size in sizes for way in (LISTING, PACKAGE)]
    # Memory does not suffer from a neighbour, so two processes may run at once.
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda case: training_megabytes(*case, roots[case[1].samples]), cases)
        return dict(zip(cases, results, strict=True))


def measure(root: Path, base: Size, axes: dict[str, tuple[int, ...]], rounds: int) -> dict:
    """Measure every size and return what is stored: seconds, one a round, and MB."""
    sizes = sizes_to_try(base, axes)
    with tempfile.TemporaryDirectory() as parent:
        numbers = sorted({size.samples for size in sizes})
        roots = {number: small_root(root, Path(parent, str(number)), number, 64) for number in numbers}
        say(f"growth: time, {len(sizes)} sizes, {rounds} interleaved runs of each ...")
        seconds = measure_seconds(sizes, roots, rounds)
        say("growth: memory, a process for each ...")
        megabytes = measure_megabytes(sizes, roots)
    rows = [
        {"way": way, **size._asdict(), "seconds": seconds[way, size], "megabytes": megabytes[way, size]}
        for way, size in seconds
    ]
    return {"base": base._asdict(), "axes": axes, "rounds": rounds, "data": root.name, "rows": rows}


def say(text: str) -> None:
    """Tell how far a long measurement is, beside the table."""
    print(text, file=sys.stderr, flush=True)


def rows_along(growth: dict, axis: str, way: str) -> list[dict]:
    """Return the rows of one way in which only ``axis`` differs from the base, in ascending order."""
    others = {name: value for name, value in growth["base"].items() if name != axis}
    chosen = [
        row
        for row in growth["rows"]
        if row["way"] == way and row[axis] in growth["axes"][axis] and others.items() <= row.items()
    ]
    return sorted(chosen, key=lambda row: row[axis])


def table_of(growth: dict) -> str:
    """Return a line for each size, the listing beside this package."""
    heads = [f"{name + unit:>16s}" for unit in (" (s)", " (MB)") for name in ("listing", "package")]
    lines = [f"{'one pass of training':24s}" + "".join(heads)]
    for axis in growth["axes"]:
        pairs = zip(*(rows_along(growth, axis, way) for way in (LISTING, PACKAGE)), strict=True)
        for pair in pairs:
            seconds = "".join(f"{statistics.median(row['seconds']):16.3f}" for row in pair)
            megabytes = "".join(f"{row['megabytes']:16.0f}" for row in pair)
            lines.append(f"{axis.replace('_', ' '):16s}{pair[0][axis]:8d}{seconds}{megabytes}")
    return "\n".join(lines)


def report(root: Path, quick: bool, rounds: int) -> dict:
    """Measure, print the table and return what is stored."""
    base, axes = (QUICK_BASE, QUICK_AXES) if quick else (BASE, AXES)
    growth = measure(root, base, axes, rounds)
    print(f"{root.name} data, {rounds} interleaved runs; memory beyond importing torch and torchvision")
    print(table_of(growth), flush=True)
    return growth


def store(figures: dict, path: Path) -> None:
    """Write figures as JSON, rounded to what a clock of this kind can tell (0.1 ms)."""
    rounded = json.loads(json.dumps(figures), parse_float=lambda text: round(float(text), 4))
    path.write_text(json.dumps(rounded, indent=1) + "\n")


def main() -> None:
    """Print the table, and store it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="one tiny size, to see that all works")
    parser.add_argument("--write", action="store_true", help=f"store the figures in {STORED.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = report(helpers.prepare_data(), options.quick, 1 if options.quick else options.rounds)
    if options.write:
        store(figures, STORED)


if __name__ == "__main__":
    main()
