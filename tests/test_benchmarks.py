"""That the benchmarks of speed and growth run, compare what is equal, and judge known numbers rightly."""

from __future__ import annotations

import argparse
import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import fmnist_helpers as fh
from tests.benchmarks import epoch, floors, growth, peers, speed, speed_figure

CPU = torch.device("cpu")
NUM_BATCHES = 7 + 2
"""Of the 400 training and the 70 test images of ``tiny_root``."""


@pytest.fixture
def entries(tiny_root):
    return speed.entries_for(tiny_root, CPU)


def runs(**seconds: list[float]) -> dict[str, speed.Runs]:
    """Runs whose epochs took these seconds; nine tenths of an epoch are training."""
    return {
        name: speed.Runs([epoch.Seconds(0.9 * one, 0.1 * one) for one in values], torch.tensor([2.3, 2.2]))
        for name, values in seconds.items()
    }


def judged(**seconds: list[float]) -> dict[str, speed.Runs]:
    """Runs of the listing, the package and both floors, and of others, by short names."""
    names = {
        "listing": speed.LISTING,
        "package": speed.PACKAGE,
        "ahead": speed.MADE_AHEAD,
        "products": speed.PRODUCTS,
        "peer_ours": "peer" + speed.OUR_LOADER,
    }
    return {names.get(name, name): run for name, run in runs(**seconds).items()}


def test_quick_run_prints_every_row_and_finds_the_losses_equal(capsys):
    speed.main(["--quick"])
    printed = capsys.readouterr().out
    expected = [speed.LISTING, speed.PACKAGE, speed.MADE_AHEAD, speed.PRODUCTS]
    for name in peers.installed_peers():
        expected += [name, name + speed.OUR_LOADER]
    for name in expected:
        assert any(line.startswith(f"{name} ") for line in printed.splitlines()), name
    assert all(name in printed for name in peers.missing_peers())
    compared = len(expected) - 1
    losses = 10 + 2
    assert f"the {losses} losses of an epoch are the same in {compared} rows" in printed
    assert torch.__version__ in printed and "1 thread" in printed
    for axis in ("samples", "batch size", "width"):
        assert any(line.startswith(axis) for line in printed.splitlines()), axis


def test_missing_peer_is_named_and_left_out(tiny_root, monkeypatch, capsys):
    nobody = peers.Peer("no_such_module", "no-such-module", peers.ignite_epoch)
    monkeypatch.setattr(peers, "PEERS", {"Nobody": nobody})
    monkeypatch.setattr(speed, "import_seconds", lambda repeats: 0.0)
    results = speed.measure_all(argparse.Namespace(rounds=2), tiny_root)
    assert "not installed, so not compared: Nobody" in capsys.readouterr().out
    seconds = results["cpu"]["seconds"]
    assert list(seconds) == [speed.LISTING, speed.PACKAGE, speed.MADE_AHEAD, speed.PRODUCTS]
    assert all(len(values) == 2 for parts in seconds.values() for values in parts.values())
    json.dumps(results)


@pytest.mark.parametrize("name", peers.PEERS)
def test_peer_has_the_listings_losses_and_times_both_parts(name, entries):
    if name in peers.missing_peers():
        pytest.skip(f"{name} is not installed (pip install -e '.[bench]')")
    _, expected = epoch.timed_epoch(*entries[speed.LISTING], CPU)
    for row in (name, name + speed.OUR_LOADER):
        seconds, losses = epoch.timed_epoch(*entries[row], CPU)
        assert losses.equal(expected), row
        assert seconds.train > 0 and seconds.test > 0


@pytest.mark.parametrize("name", [speed.PACKAGE, speed.MADE_AHEAD])
def test_package_and_floor_have_the_listings_losses(name, entries):
    _, expected = epoch.timed_epoch(*entries[speed.LISTING], CPU)
    _, losses = epoch.timed_epoch(*entries[name], CPU)
    assert len(losses) == NUM_BATCHES
    assert losses.equal(expected)
    assert len(losses.unique()) == NUM_BATCHES


def test_listing_on_a_device_sees_the_same_batches(entries):
    standard = entries[speed.LISTING].splits
    moved = epoch.Splits(*(epoch.OnDevice(loader, CPU) for loader in standard))
    assert [len(loader) for loader in moved] == [len(loader) for loader in standard]
    expected, losses = (epoch.timed_epoch(epoch.listing_epoch, one, CPU)[1] for one in (standard, moved))
    assert losses.equal(expected)


def test_losses_that_differ_in_one_bit_are_found():
    two = judged(listing=[1.0], package=[1.0])
    losses = two[speed.PACKAGE].losses
    losses[1] = losses[1].nextafter(torch.tensor(9.0))
    different = speed.unequal_losses(two)
    assert list(different) == [speed.PACKAGE]
    assert 0 < different[speed.PACKAGE] < 1e-6
    assert not speed.losses_goal(two).met


def test_missing_losses_are_found():
    two = judged(listing=[1.0], package=[1.0])
    two[speed.PACKAGE] = two[speed.PACKAGE]._replace(losses=torch.tensor([2.3]))
    assert speed.unequal_losses(two) == {speed.PACKAGE: float("inf")}


def test_quick_run_fails_when_losses_differ(tiny_root, monkeypatch):
    monkeypatch.setattr(speed.helpers, "prepare_data", lambda: tiny_root)
    goals = [speed.Goal("losses", False, "they differ")._asdict()]
    monkeypatch.setattr(speed, "measure_all", lambda options, root: {"cpu": {"goals": goals}})
    monkeypatch.setattr(speed.growth, "report", lambda root, quick, rounds: {})
    with pytest.raises(SystemExit, match="the losses differ"):
        speed.main(["--quick"])


def test_ratio_compares_within_each_round():
    # The ratio of the medians would be 4.
    assert speed.Ratio.of([2.0, 4.0, 9.0], [1.0, 1.0, 3.0]) == (3, 2, 4)


def test_goals_met():
    goals = speed.goals_of(
        judged(
            listing=[6.75, 6.75],
            package=[3.0, 3.0],
            ahead=[2.9, 2.9],
            products=[2, 2],
            peer=[6, 6],
            peer_ours=[4, 4],
        )
    )
    assert [goal.met for goal in goals] == [True] * 5
    assert "2.25 times" in goals[0].finding
    assert "+3.4 %" in goals[1].finding
    assert goals[2].finding.startswith("peer, the nearest, takes 2.00 times")
    assert str(goals[4]).endswith("met, the 2 losses of an epoch are the same in 6 rows")


def test_goals_missed():
    goals = speed.goals_of(
        judged(listing=[6.5], package=[3.0], ahead=[2.5], products=[2], peer=[2.9], peer_ours=[2.7])
    )
    assert [goal.met for goal in goals] == [False, False, False, False, True]
    assert "the floor itself is 2.60 times as fast with batches made ahead, 3.25" in goals[0].finding
    assert str(goals[0]).startswith("goal: at least 2.2 times as fast as the listing: missed, 2.17 times")


def test_table_has_medians_extremes_and_ratios():
    lines = speed.table_of(judged(listing=[4.0, 5.0, 9.0], package=[2.0, 2.5, 3.0])).splitlines()
    assert lines[2].endswith("1.00    1.00    1.00")
    assert "2.500 (2.000 to 3.000)" in lines[3] and "0.250 (0.200 to 0.300)" in lines[3]
    assert lines[3].endswith("2.00    2.00    2.00")


def test_matrix_products_are_all_that_a_step_does():
    model = fh.NeuralNetwork()
    with FlopCounterMode(display=False) as counter:
        images, labels = torch.rand(64, 1, 28, 28), torch.zeros(64, dtype=torch.int64)
        torch.nn.functional.cross_entropy(model(images), labels).backward()
    assert floors.training_operations(model, 64) == counter.get_total_flops() == 205_389_824


def test_matrix_rate_counts_every_batch():
    one = judged(listing=[1.0], products=[1.0])
    assert speed.matrix_rate(one, num_batches=10) == pytest.approx(2.0538982 / 0.9)


def test_small_root_holds_the_first_images(tiny_root, tmp_path):
    small = epoch.standard_splits(epoch.small_root(tiny_root, tmp_path / "small", 100, 20))
    whole = epoch.standard_splits(tiny_root)
    for part, number in zip(epoch.Splits._fields, (100, 20), strict=True):
        one, other = (getattr(splits, part).dataset for splits in (small, whole))
        assert one.data.equal(other.data[:number])
        assert one.targets.equal(other.targets[:number])


def test_growth_changes_one_number_at_a_time():
    sizes = growth.sizes_to_try(growth.BASE, growth.AXES)
    assert len(sizes) == len(set(sizes))
    for size in sizes:
        assert sum(one != other for one, other in zip(size, growth.BASE, strict=True)) <= 1
    assert {size.samples for size in sizes} == set(growth.AXES["samples"])


def test_growth_finds_the_rows_of_an_axis():
    base = growth.Size(10, 2, 3)
    sizes = [base._replace(samples=20), base, base._replace(width=9)]
    rows = [{"way": way, **size._asdict()} for way in (growth.LISTING, growth.PACKAGE) for size in sizes]
    axes = {"samples": (10, 20), "width": (3, 9)}
    figures = {"base": base._asdict(), "axes": axes, "rows": rows}
    found = growth.rows_along(figures, "samples", growth.PACKAGE)
    assert [(row["samples"], row["width"], row["way"]) for row in found] == [
        (10, 3, growth.PACKAGE),
        (20, 3, growth.PACKAGE),
    ]


def test_memory_is_what_the_code_adds_in_a_process_of_its_own():
    # This process is far larger than 100 MB; what it starts must not inherit that.
    assert growth.megabytes_beyond_imports("held = bytes([1]) * 100_000_000") == pytest.approx(100, abs=5)


def test_stored_figures_have_every_row_and_make_the_picture(tmp_path):
    epochs, figures = (json.loads(path.read_text()) for path in (speed.STORED, growth.STORED))
    seconds = epochs["cpu"]["seconds"]
    rows = [speed.LISTING, speed.PACKAGE, *peers.PEERS, speed.MADE_AHEAD, speed.PRODUCTS]
    assert set(rows) | {name + speed.OUR_LOADER for name in peers.PEERS} == set(seconds)
    assert epochs["cpu"]["goals"][-1]["met"], "the stored losses differ"
    picture = speed_figure.draw(epochs, figures)
    assert len(picture.axes) == 7 and all(axes.has_data() for axes in picture.axes)
    for axes in picture.axes[1:]:
        shown, drawn = axes.get_ylim(), [height for line in axes.lines for height in line.get_ydata()]
        assert all(shown[0] <= height <= shown[1] for height in drawn), "a point lies outside its panel"
    assert speed_figure.PICTURE.stat().st_size < 200_000
    table = speed_figure.markdown_of(seconds).splitlines()
    assert len(table) == 2 + len(seconds)
    assert table[2].endswith("| 1.00 |")
