"""Names without wrappers are those of the bare model, and a state goes from any wrapping to any other."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.distributed as dist
from torch import nn

from fmnist_helpers.wrappers import load_plain_state_dict, plain_state_dict, unwrapped, without_wrapper_names


def bare(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Sequential(nn.ReLU(), nn.Linear(5, 3)))
    model(torch.rand(4, 6))  # So that the running averages differ from those of a new one.
    return model


def compiled(model: nn.Module) -> nn.Module:
    return torch.compile(model, backend="eager")


def compiled_inside(model: nn.Sequential) -> nn.Module:
    model[2] = compiled(model[2])
    return model


WRAPPINGS = {
    "bare": lambda model: model,
    "compiled": compiled,
    "compiled inside": compiled_inside,
    "data parallel": nn.DataParallel,
    "distributed": nn.parallel.DistributedDataParallel,
    "compiled and distributed": lambda model: nn.parallel.DistributedDataParallel(compiled(model)),
    "distributed and compiled": lambda model: compiled(nn.parallel.DistributedDataParallel(model)),
    "compiled inside and parallel": lambda model: nn.DataParallel(compiled_inside(model)),
}


@pytest.fixture(scope="module", autouse=True)
def group_of_one():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_names_order_tensors_and_versions_are_those_of_the_bare_model(wrap):
    model = bare()
    expected = model.state_dict()
    found = plain_state_dict(wrap(model))
    assert list(found) == list(expected)
    assert all(found[name].data_ptr() == tensor.data_ptr() for name, tensor in expected.items())
    assert {path: found._metadata[path] for path in expected._metadata} == expected._metadata


@pytest.mark.parametrize("wrap_saved", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("wrap_loaded", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_state_goes_from_any_wrapping_to_any_other(wrap_saved, wrap_loaded):
    saved, loaded = bare(0), bare(1)
    expected = copy.deepcopy(saved.state_dict())
    state = plain_state_dict(wrap_saved(saved))
    load_plain_state_dict(wrap_loaded(loaded), state)
    # As it was before it was wrapped: compiling a part has changed the names.
    found = plain_state_dict(loaded)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_the_model_within_is_found(wrap):
    model = bare()
    assert unwrapped(wrap(model)) is model


class Net(nn.Module):
    """A model whose only part happens to be called as a wrapper's is."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(2, 2)


def test_a_part_called_module_is_not_taken_for_a_wrapper():
    assert list(plain_state_dict(Net())) == ["module.weight", "module.bias"]
    assert list(plain_state_dict(nn.DataParallel(Net()))) == ["module.weight", "module.bias"]


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_names_that_earlier_versions_saved_are_understood(wrap):
    expected = list(bare().state_dict())
    assert without_wrapper_names(wrap(bare()).state_dict()) == expected
