"""Device, seed and the description of the machine."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

import fmnist_helpers as fh
from fmnist_helpers import runtime


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_pick_device_takes_the_accelerator_that_is_available(monkeypatch, kind):
    # PyTorch was built for CUDA, and this machine may have something else, or nothing.
    monkeypatch.setattr(torch.accelerator, "current_accelerator", current(torch.device(kind)))
    assert fh.pick_device() == torch.device(kind)


def test_pick_device_falls_back_to_the_processor(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", current(None))
    assert fh.pick_device() == torch.device("cpu")


def current(available: torch.device | None):
    """Return what stands in for PyTorch's function where only ``available`` can be used."""
    return lambda check_available=False: available if check_available else torch.device("cuda")


def test_picked_device_can_be_used_here():
    assert torch.ones(2, device=fh.pick_device()).sum().item() == 2


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), torch.rand(()).item()


def test_same_seed_repeats_all_three_generators():
    fh.seed_everything(7)
    first = draw()
    second = draw()
    fh.seed_everything(7)
    assert draw() == first
    # Each of the three moved on after its first number.
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_another_seed_changes_all_three_generators():
    fh.seed_everything(7)
    first = draw()
    fh.seed_everything(8)
    assert all(a != b for a, b in zip(first, draw(), strict=True))


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_smallest_and_largest_seed_are_accepted(seed):
    fh.seed_everything(seed)
    assert torch.initial_seed() == seed


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=rf"^seed is {seed}; it must be from 0 to 4294967295$"):
        fh.seed_everything(seed)


def test_description_names_versions_device_and_memory():
    text = fh.describe_machine()
    assert f"torch {torch.__version__}" in text
    assert f"device: {fh.pick_device()}" in text
    assert "GB free of" in text


def test_description_respects_the_limit_of_a_container(monkeypatch):
    monkeypatch.setattr(runtime, "_memory_limit", lambda: 1e8)
    assert "memory: 0.1 GB free of 0.1 GB" in fh.describe_machine()


def test_an_iteration_takes_time_and_leaves_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert 0 < runtime.iteration_seconds(5) < 10
    torch.testing.assert_close(torch.rand(2), expected)


def test_expected_seconds_scale_with_the_speed_of_the_machine(tmp_path, monkeypatch):
    recorded = tmp_path / "times.json"
    recorded.write_text(
        '{"iteration_seconds": 0.002, "lessons": {"01": {"seconds": 10}, "05": {"seconds": 60}}}'
    )
    monkeypatch.setattr(runtime, "iteration_seconds", lambda: 0.005)
    assert fh.expected_seconds(recorded) == pytest.approx({"01": 25, "05": 150})


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx2": True, "avx512_bf16": False}, False),
    ],
)
def test_bfloat16_is_used_where_the_processor_says_so(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert runtime.has_bfloat16("cpu") is expected


def test_an_older_torch_and_other_devices_have_no_bfloat16(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert runtime.has_bfloat16("cpu") is False
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert runtime.has_bfloat16("mps") is False
    assert runtime.has_bfloat16("meta") is False


@pytest.mark.parametrize("capability", ["bf16", "sve_bf16"])
@pytest.mark.parametrize("has_onednn", [True, False])
def test_on_arm_the_library_that_uses_the_instructions_must_be_there(monkeypatch, capability, has_onednn):
    capabilities = {"architecture": "arm64", "neon": True, capability: True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: has_onednn)
    assert runtime.has_bfloat16("cpu") is has_onednn


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_apples_graphics_cards_have_bfloat16_from_macos_14(monkeypatch, has_bfloat16):
    asked = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.backends.mps, "is_macos_or_newer", lambda *version: asked.append(version) or has_bfloat16
    )
    assert runtime.has_bfloat16("mps") is has_bfloat16
    assert asked == [(14, 0)]


def test_a_gpu_is_asked_itself(monkeypatch):
    asked = {}
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: asked.update(options) or True)
    assert runtime.has_bfloat16("cuda") is True
    assert asked == {"including_emulation": False}
