"""What of a test cell is judged outside of the student's process, what runs unprotected, and what is refused."""

from __future__ import annotations

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading.instructor_cells import plan, sources_of_tests
from tests.exercises.bank import assignments, read_source

CHECK = "from fmnist_helpers.exercises.ex04_optimizer import check_descend\n"


@pytest.mark.parametrize("assignment", assignments())
def test_every_test_cell_of_the_course_is_judged_outside(assignment):
    sources = sources_of_tests(read_source(assignment))
    assert sources
    for name, source in sources.items():
        planned = plan(source)
        assert planned.outside == source and planned.references, name
        assert not planned.inside and not planned.refused, name


OUTSIDE = [
    "check_descend(descend)",
    "check_descend(descend, seed=3)\ncheck_descend(other)",
    "for seed in range(3):\n    check_descend(descend, seed=seed)",
    "points = 0\ntry:\n    check_descend(descend)\n    points += 2\nexcept AssertionError as e:\n    print(e)\npoints",
    "import torch\nimport math as m\ncheck_descend(descend, learning_rate=m.sqrt(0.01))",
    "shapes = [(n,) for n in range(2)]\nfor shape in shapes:\n    check_descend(descend, shape=shape)",
    "most = 3\nmost += 1\ncheck_descend(function=descend, num_steps=most)",
    "from fmnist_helpers.exercises import ex04_optimizer as checks\nchecks.check_descend(descend)",
    "from fmnist_helpers.checks.optimizer import check_order\ncheck_order(order)",
]


@pytest.mark.parametrize("source", OUTSIDE)
def test_cell_that_only_hands_names_to_checks_is_judged_outside(source):
    planned = plan(CHECK + source)
    assert planned.outside and not planned.inside and not planned.refused
    assert set(planned.references) <= {"descend", "other", "order"} and planned.references


INSIDE = [
    "assert descend(1) == 2",
    "assert 'descend' in globals()",
    "assert callable(descend)",
    "descend",
    "%timeit descend(1)",
    "import os\nassert os.path.exists('model.pt')",
    "assert open('notes.txt').read()",
    "pass",
    "def check_mine(function):\n    assert function(2) == 4\ncheck_mine(descend)",
]


@pytest.mark.parametrize("source", INSIDE)
def test_cell_that_uses_the_students_work_itself_runs_inside(source):
    planned = plan(source)
    assert planned.inside == source and not planned.outside and not planned.refused


def test_mixed_cell_is_split_by_statements():
    planned = plan(
        CHECK + "limit = 3\ncheck_descend(descend)\nresult = descend(limit)\nassert result[0] == limit"
    )
    assert planned.outside.splitlines()[1:] == ["limit = 3", "check_descend(descend)"]
    assert planned.inside.splitlines()[1:] == [
        "limit = 3",
        "result = descend(limit)",
        "assert result[0] == limit",
    ]
    assert planned.references == ("descend",)


REFUSED = [
    "check_descend(lambda *arguments: descend(*arguments))",
    "check_descend(*[descend])",
    "with open('x') as file:\n    check_descend(descend)",
    "def mine(function):\n    check_descend(function)\nmine(descend)",
    "passed = check_descend(descend)\nassert descend(1) == passed",
    "%time check_descend(descend)",
    "check_descend(descend) if descend(1) else None",
]


@pytest.mark.parametrize("source", REFUSED)
def test_what_cannot_be_told_apart_is_refused(source):
    planned = plan(CHECK + source)
    assert planned.refused and not planned.outside and not planned.inside


def test_name_that_the_cell_itself_defines_is_no_reference():
    planned = plan(CHECK + "descend = 3\ncheck_descend(descend)")
    assert planned.references == () and planned.outside


def test_result_that_hides_a_built_in_stays_the_students():
    planned = plan(CHECK + "check_descend(descend)\nsum = descend(3)\nassert sum == 4")
    assert "assert" not in planned.outside and "assert sum == 4" in planned.inside


def test_name_of_a_students_that_the_cell_changes_is_the_students():
    planned = plan(CHECK + "measured = dict(measured)\ncheck_descend(measured)")
    # Nothing can be judged outside: what stands under the name was made from the student's.
    assert planned.refused or "check_descend" not in planned.outside
