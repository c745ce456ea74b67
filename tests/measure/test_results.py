"""That several runs are summed up rightly, and that results are stored rounded and whole."""

from __future__ import annotations

import json

import pytest

from tests.measure.results import store
from tests.measure.spread import mean_and_deviation, median_and_range, median_ratio


def test_several_runs_in_a_few_words():
    assert median_and_range([3.0, 1.0, 8.0], 1) == "3.0 (1.0 to 8.0)"
    # The deviation is that with n − 1; with n it would be 1.63.
    assert mean_and_deviation([1.0, 3.0, 5.0], 2) == "3.00 ± 2.00 (1.00 to 5.00)"
    assert mean_and_deviation([0.5], 1) == "0.5 ± 0.0 (0.5 to 0.5)"
    assert median_ratio([2.0, 4.0, 9.0], [1.0, 1.0, 3.0]) == 3


def test_what_is_stored_is_rounded_and_replaces_the_file_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "figures.json"
    figures = {"seconds": [43.690912, 0.00224549], "rate": 5e-4, "images": 1234567, "name": "1.23456789"}
    store(figures, path)
    expected = {"seconds": [43.691, 0.0022455], "rate": 5e-4, "images": 1234567, "name": "1.23456789"}
    assert json.loads(path.read_text()) == expected
    with pytest.raises(TypeError):
        store({"seconds": object()}, path)
    assert json.loads(path.read_text()) == expected
    assert list(path.parent.iterdir()) == [path]
