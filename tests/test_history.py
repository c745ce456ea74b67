"""The table of epochs."""

import copy

import pytest

import fmnist_helpers as fh

ROWS = [fh.EpochResult(1, 2.16, 0.25, 2.15, 0.5, 1.0), fh.EpochResult(2, 1.9, 0.5, 1.91234, 0.625, 1.5)]


def test_history_columns():
    history = fh.History(ROWS)
    assert history.column("valid_loss") == [2.15, 1.91234]
    assert history.column("epoch") == [1, 2]
    assert fh.History().column("seconds") == []


def test_unknown_column_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match="no column 'test_loss'; it has epoch, train_loss, train_accuracy"):
        fh.History(ROWS).column("test_loss")


def test_history_prints_as_a_table():
    assert str(fh.History(ROWS)).splitlines() == [
        "epoch  train loss  train acc  valid loss  valid acc",
        "    1      2.1600      25.0%      2.1500      50.0%",
        "    2      1.9000      50.0%      1.9123      62.5%",
    ]


def test_history_is_a_list_and_each_has_its_own_mark():
    history = fh.History(ROWS)
    assert history == ROWS
    assert history[-1].valid_accuracy == 0.625
    stopped = copy.copy(history)
    stopped.interrupted = True
    assert not history.interrupted
    assert not fh.History().interrupted
