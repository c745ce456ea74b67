"""How fast the helpers are: ``OMP_NUM_THREADS=1 python -m tests.benchmarks.speed``.

Compared in one run, interleaved, is one epoch of the tutorial's recipe, its training part and its test part: by
the tutorial's listing, by this package, by other packages that are installed (``peers``), and two floors
(``floors``): batches made ahead with the bare step, and the matrix products alone. The losses of all batches must
be equal to the last bit. Where there is a GPU, a second table follows, with the data set on the device. Then
``growth`` shows how time and memory grow.

    python -m tests.benchmarks.speed --quick     # a tiny part of the data, to see that all works
    python -m tests.benchmarks.speed --write     # store the figures; speed_figure draws them
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torchvision
from torch import Tensor

import fmnist_helpers as helpers
from tests.benchmarks import growth
from tests.benchmarks.epoch import (
    BATCH_SIZE,
    OnDevice,
    Seconds,
    Splits,
    Way,
    in_memory_splits,
    listing_epoch,
    package_epoch,
    small_root,
    standard_splits,
    timed_epoch,
)
from tests.benchmarks.floors import bare_epoch, matrix_epoch, training_operations
from tests.benchmarks.peers import installed_peers, missing_peers, peer_versions

STORED = growth.STORED.with_name("speed.json")
IMPORT = "import time; import torch, torchvision; s = time.perf_counter(); {}; print(time.perf_counter() - s)"

LISTING, PACKAGE = growth.LISTING, growth.PACKAGE
MADE_AHEAD, PRODUCTS = "floor: batches made ahead", "floor: matrix products"
OUR_LOADER = ", our loader"
"""Ends the name of a peer that reads this package's in-memory loader instead of torchvision's data set."""

TIMES_AS_FAST, ABOVE_FLOOR = 2.2, 0.05
"""The goals: how many times as fast as the listing, and by which share above the batches made ahead at most."""

WARM_UP, QUICK = (640, 128), (640, 128)
"""Training and test images of the runs before the first that counts, and of ``--quick``."""


class Entry(NamedTuple):
    """A row of the table before it is measured."""

    way: Way
    splits: Splits


class Runs(NamedTuple):
    """A row of the table: one item a round, and the losses of the last round."""

    seconds: list[Seconds]
    losses: Tensor


class Goal(NamedTuple):
    """What was aimed at, whether it was reached, and what was found."""

    aim: str
    met: bool
    finding: str

    def __str__(self) -> str:
        return f"goal: {self.aim}: {'met' if self.met else 'missed'}, {self.finding}"


def entries_for(root: Path, device: torch.device) -> dict[str, Entry]:
    """Return what is to be compared on a device, by its name in the table."""
    standard, in_memory = standard_splits(root), in_memory_splits(root, device)
    made_ahead = Splits(list(in_memory.train), list(in_memory.test))
    # The listing knows no device; on the CPU it stays as it stands.
    on_device = Splits(*(OnDevice(loader, device) for loader in standard))
    entries = {
        LISTING: Entry(listing_epoch, standard if device.type == "cpu" else on_device),
        PACKAGE: Entry(package_epoch, in_memory),
    }
    for name, peer in installed_peers().items():
        entries[name] = Entry(peer.epoch, standard)
        entries[name + OUR_LOADER] = Entry(peer.epoch, in_memory)
    return entries | {
        MADE_AHEAD: Entry(bare_epoch, made_ahead),
        PRODUCTS: Entry(matrix_epoch, made_ahead),
    }


def warm_up(root: Path, device: torch.device) -> None:
    """Run every way on a few images, so that no first round pays for what happens once."""
    with tempfile.TemporaryDirectory() as folder:
        for entry in entries_for(small_root(root, Path(folder), *WARM_UP), device).values():
            timed_epoch(entry.way, entry.splits, device)


def measure(
    root: Path, device: torch.device, rounds: int, progress: Callable[[str], None]
) -> dict[str, Runs]:
    """Return the runs of every entry; each round has one epoch of each."""
    warm_up(root, device)
    entries = entries_for(root, device)
    runs = {name: Runs([], torch.empty(0)) for name in entries}
    for number in range(1, rounds + 1):
        progress(f"round {number} of {rounds} on {device} ...")
        for name, (way, splits) in entries.items():
            seconds, losses = timed_epoch(way, splits, device)
            runs[name] = Runs([*runs[name].seconds, seconds], losses)
    return runs


class Ratio(NamedTuple):
    """How many times as long one thing takes as another, over the rounds; both numbers of the same round."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, slower: list[float], faster: list[float]) -> Ratio:
        """Compare the seconds of two entries, one number a round."""
        ratios = [one / other for one, other in zip(slower, faster, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    def __str__(self) -> str:
        return f"{self.median:.2f} times ({self.low:.2f} to {self.high:.2f})"


def epoch_ratio(runs: dict[str, Runs], slower: str, faster: str) -> Ratio:
    """Return how many times as long the epochs of one entry take as those of another."""
    return Ratio.of(*([seconds.epoch for seconds in runs[name].seconds] for name in (slower, faster)))


def unequal_losses(runs: dict[str, Runs]) -> dict[str, float]:
    """Return the entries whose losses differ from the listing's in any bit, with the largest difference in nats.

    An entry without losses, such as the matrix products, has nothing to compare.
    """
    expected = runs[LISTING].losses
    different = {
        name: run.losses for name, run in runs.items() if len(run.losses) and not run.losses.equal(expected)
    }
    return {
        # Too few losses or too many cannot be subtracted; nothing is further off than that.
        name: (losses - expected).abs().max().item() if losses.shape == expected.shape else float("inf")
        for name, losses in different.items()
    }


def listing_goal(runs: dict[str, Runs]) -> Goal:
    """Judge how many times as fast as the listing this package is, and say where the floors lie."""
    found = epoch_ratio(runs, LISTING, PACKAGE)
    floor, products = (epoch_ratio(runs, LISTING, name).median for name in (MADE_AHEAD, PRODUCTS))
    finding = (
        f"{found}; the floor itself is {floor:.2f} times as fast with batches made ahead, "
        f"{products:.2f} times with the matrix products alone"
    )
    return Goal(
        f"at least {TIMES_AS_FAST} times as fast as the listing", found.median >= TIMES_AS_FAST, finding
    )


def floor_goal(runs: dict[str, Runs]) -> Goal:
    """Judge how far above the batches made ahead this package is."""
    found = epoch_ratio(runs, PACKAGE, MADE_AHEAD)
    low, middle, high = (f"{100 * (times - 1):+.1f}" for times in (found.low, found.median, found.high))
    finding = f"{middle} % ({low} to {high} %)"
    return Goal(
        f"at most {100 * ABOVE_FLOOR:g} % above the batches made ahead",
        found.median <= 1 + ABOVE_FLOOR,
        finding,
    )


def peer_goal(runs: dict[str, Runs], aim: str, names: list[str]) -> Goal:
    """Judge whether this package is faster than each of some entries, by the one that comes nearest."""
    ratios = {name: epoch_ratio(runs, name, PACKAGE) for name in names}
    nearest = min(ratios, key=ratios.__getitem__)
    finding = f"{nearest.removesuffix(OUR_LOADER)}, the nearest, takes {ratios[nearest]} as long"
    return Goal(aim, ratios[nearest].median > 1, finding)


def losses_goal(runs: dict[str, Runs]) -> Goal:
    """Judge whether all losses are the listing's."""
    different = unequal_losses(runs)
    compared = sum(bool(len(run.losses)) for run in runs.values())
    found = ", ".join(f"{name} differs by up to {by:.1g} nats" for name, by in different.items())
    finding = found or f"the {len(runs[LISTING].losses)} losses of an epoch are the same in {compared} rows"
    return Goal("losses equal to the last bit", not different, finding)


def goals_of(runs: dict[str, Runs]) -> list[Goal]:
    """Judge every goal that these runs allow to judge."""
    peers = [name for name in runs if name + OUR_LOADER in runs]
    goals = [listing_goal(runs), floor_goal(runs)]
    if peers:
        on_our_loader = [name + OUR_LOADER for name in peers]
        goals.append(peer_goal(runs, "faster than every peer as its users write it", peers))
        goals.append(peer_goal(runs, "faster than every peer with our loader", on_our_loader))
    return [*goals, losses_goal(runs)]


def table_of(runs: dict[str, Runs]) -> str:
    """Return a line for each entry: medians and extremes in seconds, and how fast it is beside the listing."""
    parts = {"train": "training part (s)", "test": "test part (s)", "epoch": "epoch (s)"}
    lines = [
        f"{'':26s}{''.join(f'{text:>23s}' for text in parts.values())}   times as fast as the listing",
        f"{'':26s}{'median (min to max)':>23s}{'median (min to max)':>23s}{'median (min to max)':>23s}"
        f"   {'train':>8s}{'test':>8s}{'epoch':>8s}",
    ]
    listing = by_part(runs[LISTING].seconds)
    for name, run in runs.items():
        seconds = by_part(run.seconds)
        cells = (median_and_extremes(seconds[part]) for part in parts)
        ratios = (Ratio.of(listing[part], seconds[part]).median for part in parts)
        lines.append(
            f"{name:26s}{''.join(f'{cell:>23s}' for cell in cells)}   "
            + "".join(f"{times:8.2f}" for times in ratios)
        )
    return "\n".join(lines)


def median_and_extremes(seconds: list[float]) -> str:
    """Return a median, and in brackets the least and the most."""
    return f"{statistics.median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f})"


def by_part(seconds: list[Seconds]) -> dict[str, list[float]]:
    """Return the seconds of all rounds by the part of the epoch."""
    return {part: [getattr(one, part) for one in seconds] for part in ("train", "test", "epoch")}


def matrix_rate(runs: dict[str, Runs], num_batches: int) -> float:
    """Return the rate in the matrix products of the training part, in 10⁹ operations a second (GFLOP/s)."""
    operations = training_operations(helpers.NeuralNetwork(), BATCH_SIZE) * num_batches
    return operations / statistics.median(by_part(runs[PRODUCTS].seconds)["train"]) / 1e9


def import_seconds(repeats: int) -> float:
    """Return the median seconds that loaders and loops add to importing torch and torchvision."""
    command = [sys.executable, "-c", IMPORT.format("from fmnist_helpers import make_loaders, train_loop")]
    outputs = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(repeats)]
    return statistics.median(float(output) for output in outputs)


def processor() -> str:
    """Return the processor's name as the system knows it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def conditions(device: torch.device) -> str:
    """Return machine and versions in one line."""
    card = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, **peer_versions()}
    return (
        f"{processor()} ({platform.machine()}), {os.cpu_count()} cores, {torch.get_num_threads()} thread{card}; "
        f"Python {platform.python_version()}, " + ", ".join(" ".join(item) for item in versions.items())
    )


def report(root: Path, device: torch.device, rounds: int) -> dict:
    """Measure on one device, print the table, and return what ``--write`` stores."""
    runs = measure(root, device, rounds, growth.say)
    splits = standard_splits(root)
    sizes = [len(loader.dataset) for loader in splits]
    print(f"\n{conditions(device)}")
    print(f"{root.name} data, {sizes[0]:,} training and {sizes[1]:,} test images, {rounds} interleaved runs")
    print(table_of(runs))
    rate = matrix_rate(runs, num_batches=len(splits.train))
    print(f"rate in the matrix products of the training part: {rate:.0f} GFLOP/s")
    # The goals are for one thread of a processor; a GPU may add up in another order.
    goals = goals_of(runs) if device.type == "cpu" else []
    print(*goals or [losses_goal(runs).finding], sep="\n", flush=True)
    return {
        "conditions": conditions(device),
        "data": {"source": root.name, "training": sizes[0], "test": sizes[1]},
        "rounds": rounds,
        "seconds": {name: by_part(run.seconds) for name, run in runs.items()},
        "gflop_per_second": rate,
        "goals": [goal._asdict() for goal in goals],
    }


def measure_all(options: argparse.Namespace, root: Path) -> dict:
    """Print the table of the processor, and that of a GPU where there is one; return what is stored."""
    if missing_peers():
        print(f"not installed, so not compared: {', '.join(missing_peers())} (pip install -e '.[bench]')")
    devices = dict.fromkeys([torch.device("cpu"), helpers.pick_device()])
    results = {device.type: report(root, device, options.rounds) for device in devices}
    results["import_seconds"] = import_seconds(options.rounds)
    print(
        f"importing loaders and loops, beyond torch and torchvision: {results['import_seconds']:.3f} s (median)\n"
    )
    return results


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store if asked to; fail if the losses on the processor differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round over a tiny part of the data")
    parser.add_argument("--write", action="store_true", help="store the figures for speed_figure")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    root = helpers.prepare_data()
    with tempfile.TemporaryDirectory() as folder:
        if options.quick:
            print("A quick run shows that all works, not how fast it is.")
            options.rounds = 1
            root = small_root(root, Path(folder, root.name), *QUICK)
        results = measure_all(options, root)
        grown = growth.report(root, quick=options.quick, rounds=min(options.rounds, growth.ROUNDS))
    if options.write:
        growth.store(results, STORED)
        growth.store(grown, growth.STORED)
    if not results["cpu"]["goals"][-1]["met"]:
        sys.exit("the losses differ")


if __name__ == "__main__":
    main()
