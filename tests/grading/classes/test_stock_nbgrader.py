"""Stock nbgrader, which knows nothing of our grader, gives the same marks to the same answers."""

from __future__ import annotations

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from tests.grading.conftest import PROBLEM
from tests.measure.graders import Nbgrader, Ours
from tests.measure.grading import ASSIGNMENT, measure_rounds


def test_stock_nbgrader_and_our_grader_agree_with_the_bank_of_solutions():
    graders = [Ours(ASSIGNMENT, jobs=1, sandboxed=not PROBLEM), Nbgrader(ASSIGNMENT)]
    runs, wrong = measure_rounds(graders, ASSIGNMENT, submissions=2, rounds=1)
    assert wrong == []
    assert len(runs) == 3 and all(one.seconds > 0 for (one,) in runs.values())
