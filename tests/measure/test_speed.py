"""That the comparison of speeds runs, compares what is equal, and shows known numbers rightly."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import fmnist_helpers as fh
from tests.measure import epoch, floors, peers, speed

CPU = torch.device("cpu")
NUM_BATCHES = 7 + 2
"""Of the 400 training and the 70 test images of ``tiny_root``."""


def runs(**seconds: list[float]) -> dict[str, speed.Runs]:
    """Runs of listing and package whose epochs took these seconds; nine tenths of an epoch are training."""
    names = {"listing": speed.LISTING, "package": speed.PACKAGE}
    return {
        names[name]: speed.Runs(
            [epoch.Seconds(0.9 * one, 0.1 * one) for one in values], torch.tensor([2.3, 2.2])
        )
        for name, values in seconds.items()
    }


@pytest.mark.slow
def test_a_quick_run_prints_every_row_and_finds_the_losses_equal(tiny_root, monkeypatch, capsys):
    nobody = peers.Peer("no_such_module", "no-such-module", peers.ignite_epoch)
    monkeypatch.setattr(peers, "PEERS", {**peers.PEERS, "Nobody": nobody})
    monkeypatch.setattr(speed.helpers, "prepare_data", lambda: tiny_root)
    speed.main(["--quick"])
    printed = capsys.readouterr().out
    rows = [line.split(" | ")[0].removeprefix("| ") for line in printed.splitlines() if line.startswith("| ")]
    installed = [name + ending for name in peers.installed_peers() for ending in ("", speed.OUR_LOADER)]
    expected = [speed.LISTING, speed.PACKAGE, *installed, speed.MADE_AHEAD, speed.PRODUCTS]
    assert rows[1:] == expected
    assert (
        f"the {NUM_BATCHES} losses of an epoch are the same, to the last bit, in {len(rows) - 2} rows"
        in printed
    )
    assert f"not installed, so not compared: {', '.join(peers.missing_peers())}" in printed
    assert torch.__version__ in printed and "1 thread" in printed


def test_every_way_has_the_listings_losses_and_times_both_parts(tiny_root):
    entries = speed.entries_for(tiny_root, CPU)
    moved = epoch.Splits(*(epoch.OnDevice(loader, CPU) for loader in entries[speed.LISTING].splits))
    entries["the listing on a device"] = speed.Entry(epoch.listing_epoch, moved)
    results = {name: epoch.timed_epoch(*entry, CPU) for name, entry in entries.items()}
    assert all(seconds.train > 0 and seconds.test > 0 for seconds, _ in results.values())
    assert len(results.pop(speed.PRODUCTS)[1]) == 0
    expected = results[speed.LISTING][1]
    assert len(expected.unique()) == NUM_BATCHES
    for name, (_, losses) in results.items():
        assert losses.equal(expected), name


def test_losses_that_differ_in_one_bit_or_are_missing_are_found():
    two = runs(listing=[1.0], package=[1.0])
    assert speed.unequal_losses(two) == {}
    losses = two[speed.PACKAGE].losses
    losses[1] = losses[1].nextafter(torch.tensor(9.0))
    assert 0 < speed.unequal_losses(two)[speed.PACKAGE] < 1e-6
    assert speed.say_losses(two) == "Losses: this package differs by up to 2e-07 nats."
    two[speed.PACKAGE] = speed.Runs([], torch.tensor([2.3]))
    assert speed.unequal_losses(two) == {speed.PACKAGE: float("inf")}


def test_the_command_fails_when_losses_differ(tiny_root, monkeypatch):
    monkeypatch.setattr(speed.helpers, "prepare_data", lambda: tiny_root)
    monkeypatch.setattr(speed, "report", lambda root, device, rounds: False)
    with pytest.raises(SystemExit, match="the losses differ"):
        speed.main(["--quick"])


def test_the_table_has_medians_ranges_and_ratios_within_each_round():
    lines = speed.table_of(runs(listing=[2.0, 4.0, 9.0], package=[1.0, 1.0, 3.0])).splitlines()
    assert lines[2].endswith("| 4.00 s (2.00 to 9.00) | 1.00 |")
    # The ratio of the medians would be 4.
    assert lines[3] == (
        "| this package | 0.90 s (0.90 to 2.70) | 0.10 s (0.10 to 0.30) | 1.00 s (1.00 to 3.00) | 3.00 |"
    )


def test_the_matrix_products_are_all_that_an_iteration_multiplies():
    model = fh.NeuralNetwork()
    with FlopCounterMode(display=False) as iteration:
        images, labels = torch.rand(64, 1, 28, 28), torch.zeros(64, dtype=torch.int64)
        torch.nn.functional.cross_entropy(model(images), labels).backward()
    products = floors.products_of(model, 64)
    with FlopCounterMode(display=False) as floor:
        floors.multiply([*products.forward, *products.backward], repeats=1)
    assert floor.get_total_flops() == iteration.get_total_flops() == 205_389_824
