"""The guard puts back what a submission changes, and names it."""

from __future__ import annotations

import builtins
import types

import pytest

from fmnist_helpers.exercises import check
from fmnist_helpers.grading.kernel import Guard, make_guard


def test_guard_restores_attributes_code_and_modules(monkeypatch):
    import sys

    module = types.ModuleType("fmnist_helpers.toy")
    exec("LIMIT = 3\ndef check(value, most=LIMIT):\n    return value < most", vars(module))
    module.check.__module__ = "fmnist_helpers.toy"
    monkeypatch.setitem(sys.modules, "fmnist_helpers.toy", module)
    guard = Guard([module], [])
    assert guard.restore() == []
    module.LIMIT = 99
    module.check.__defaults__ = (99,)
    del module.__doc__
    sys.modules["fmnist_helpers.toy"] = types.ModuleType("other")
    changed = guard.restore()
    assert set(changed) == {
        "fmnist_helpers.toy",
        "fmnist_helpers.toy.LIMIT",
        "fmnist_helpers.toy.__doc__",
        "fmnist_helpers.toy.check",
    }
    assert module.LIMIT == 3 and module.check.__defaults__ == (3,)
    assert sys.modules["fmnist_helpers.toy"] is module
    assert guard.restore() == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [(builtins, "zip"), (check, "close"), (check, "READ_THE_TASK")],
)
def test_guard_of_the_kernel_watches_built_ins_and_checks(owner, name, monkeypatch):
    guard = make_guard()
    monkeypatch.setattr(owner, name, getattr(owner, name))
    before = getattr(owner, name)
    setattr(owner, name, lambda *arguments: True)
    assert guard.restore() == [f"{owner.__name__}.{name}"]
    assert getattr(owner, name) is before


def test_guard_watches_methods_of_pytorchs_classes():
    import torch

    guard = make_guard()
    # One that the class has itself, and one that it inherits.
    torch.Tensor.backward, torch.Tensor.__eq__ = (lambda *arguments: True for _ in "ab")
    assert set(guard.restore()) == {"Tensor.backward", "Tensor.__eq__"}
    assert (torch.ones(2) == torch.ones(2)).tolist() == [True, True]


def test_honest_work_changes_nothing_that_is_watched():
    import torch

    import fmnist_helpers as fh
    from tests.small_problem import CROSS_ENTROPY, loader, small_model

    guard = make_guard()
    model = small_model()
    for optimizer in (torch.optim.SGD(model.parameters(), lr=0.1), torch.optim.Adam(model.parameters())):
        fh.train_loop(loader(), model, CROSS_ENTROPY, optimizer, verbose=False)
    fh.seed_everything(0)
    torch.testing.assert_close(torch.ones(2), torch.ones(2))
    assert guard.restore() == []
