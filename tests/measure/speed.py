"""How fast an epoch is: ``OMP_NUM_THREADS=1 python -m tests.measure.speed``.

Compared in one run, interleaved, is one epoch of the tutorial's recipe, its training part and its test part: by
the tutorial's listing, by this package, by other packages that are installed (``peers``), and two floors
(``floors``): batches made ahead with the bare step, and the matrix products alone. The losses of all batches must
be equal to the last bit. The table is Markdown, for ``README.md`` beside this file. Where there is a GPU, a second
table follows, with the data set on the device.

    python -m tests.measure.speed --quick     # a tiny part of the data, to see that all works
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import fmnist_helpers as helpers
from fmnist_helpers.runtime import processor, versions
from tests.measure.epoch import (
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
from tests.measure.floors import bare_epoch, matrix_epoch
from tests.measure.peers import installed_peers, missing_peers, peer_versions
from tests.measure.spread import median_and_range, median_ratio

LISTING, PACKAGE = "the tutorial's listing", "this package"
MADE_AHEAD, PRODUCTS = "floor: batches made ahead", "floor: matrix products"
OUR_LOADER = ", our loader"
"""Ends the name of a peer that reads this package's in-memory loader instead of torchvision's data set."""

FEW = (640, 128)
"""Training and test images of the runs before the first that counts, and of ``--quick``."""


class Entry(NamedTuple):
    """A row of the table before it is measured."""

    way: Way
    splits: Splits


class Runs(NamedTuple):
    """A row of the table: one item a round, and the losses of the last round."""

    seconds: list[Seconds]
    losses: Tensor


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
        for entry in entries_for(small_root(root, Path(folder), *FEW), device).values():
            timed_epoch(entry.way, entry.splits, device)


def measure(root: Path, device: torch.device, rounds: int) -> dict[str, Runs]:
    """Return the runs of every entry; each round has one epoch of each."""
    entries = entries_for(root, device)
    runs = {name: Runs([], torch.empty(0)) for name in entries}
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds} on {device} ...", file=sys.stderr, flush=True)
        for name, (way, splits) in entries.items():
            seconds, losses = timed_epoch(way, splits, device)
            runs[name] = Runs([*runs[name].seconds, seconds], losses)
    return runs


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


def say_losses(runs: dict[str, Runs]) -> str:
    """Say in a sentence which losses differ, and by how much."""
    found = [f"{name} differs by up to {by:.1g} nats" for name, by in unequal_losses(runs).items()]
    compared = sum(bool(len(run.losses)) for run in runs.values())
    same = f"the {len(runs[LISTING].losses)} losses of an epoch are the same, to the last bit, in {compared} rows"
    return f"Losses: {', '.join(found) or same}."


def table_of(runs: dict[str, Runs]) -> str:
    """Return a line of Markdown for each entry: medians and extremes, and how fast it is beside the listing."""
    lines = [
        "| one epoch | training part | test part | epoch | times as fast as the listing |",
        "|---|---|---|---|---|",
    ]
    listing = [one.epoch for one in runs[LISTING].seconds]
    for name, run in runs.items():
        parts = [[getattr(one, part) for one in run.seconds] for part in ("train", "test", "epoch")]
        cells = [median_and_range(seconds, 2).replace(" ", " s ", 1) for seconds in parts]
        lines.append(f"| {name} | {' | '.join(cells)} | {median_ratio(listing, parts[-1]):.2f} |")
    return "\n".join(lines)


def conditions(device: torch.device) -> str:
    """Return machine and versions in one line."""
    card = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    peers = "".join(f", {name} {version}" for name, version in peer_versions().items())
    return f"{processor()}{card}; {versions()}{peers}"


def report(root: Path, device: torch.device, rounds: int) -> bool:
    """Measure on one device and print the table; return whether all losses are the listing's."""
    warm_up(root, device)
    runs = measure(root, device, rounds)
    sizes = [len(loader.dataset) for loader in standard_splits(root)]
    print(f"\n{conditions(device)}")
    print(
        f"{root.name} data, {sizes[0]:,} training and {sizes[1]:,} test images, {rounds} interleaved runs\n"
    )
    print(table_of(runs), say_losses(runs), sep="\n\n", flush=True)
    return not unequal_losses(runs)


def main(arguments: list[str] | None = None) -> None:
    """Print the table of the processor, and that of a GPU where there is one; fail if losses differ on the processor.

    A GPU may add up in another order.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round over a tiny part of the data")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be 1 or above")
    torch.set_num_threads(1)
    root = helpers.prepare_data()
    if missing_peers():
        print(f"not installed, so not compared: {', '.join(missing_peers())} (pip install -e '.[bench]')")
    with tempfile.TemporaryDirectory() as folder:
        if options.quick:
            print("A quick run shows that all works, not how fast it is.")
            options.rounds, root = 1, small_root(root, Path(folder, root.name), *FEW)
        devices = dict.fromkeys([torch.device("cpu"), helpers.pick_device()])
        equal = {device.type: report(root, device, options.rounds) for device in devices}
    if not equal["cpu"]:
        sys.exit("the losses differ")


if __name__ == "__main__":
    main()
