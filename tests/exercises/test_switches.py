"""Switches that an earlier cell left on: right work earns its marks all the same, and nothing else changes."""

from __future__ import annotations

import contextlib
import cProfile
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.exercises import (
    ex01_data,
    ex02_model,
    ex03_loss,
    ex04_optimizer,
    ex05_training_loop,
    ex06_project,
    predictions,
)
from fmnist_helpers.exercises.observe import call
from fmnist_helpers.exercises.remote import answer
from fmnist_helpers.exercises.switches import SWITCHES, Name, note, undone
from fmnist_helpers.grading.instructor_cells import plan
from fmnist_helpers.grading.judging import judge
from tests.exercises.bank import read_variants


class Rounding(TorchFunctionMode):
    """Makes every number a little larger."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        return result * 1.01 if function is nn.functional.linear else result


class Refusing(TorchDispatchMode):
    """Computes no matrix product."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        if "mm" in str(function):
            raise RuntimeError("not here")
        return function(*arguments, **(options or {}))


@contextlib.contextmanager
def between(on: Callable[[], Any], off: Callable[[Any], Any]) -> Iterator[None]:
    known = on()
    try:
        yield
    finally:
        off(known)


def tensor_type(name: str) -> Callable[..., None]:
    def choose(_: Any = None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.set_default_tensor_type(name)

    return choose


def errors_from_warnings() -> list:
    before = list(warnings.filters)
    warnings.simplefilter("error")
    return before


def put_filters_back(filters: list) -> None:
    warnings.filters[:] = filters


def remove(handle: Any) -> None:
    handle.remove()


def larger(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output * 1.1


def steeper(layer: nn.Module, inputs: Any, outputs: Any) -> tuple:
    return tuple(one if one is None else 2 * one for one in inputs)


def nothing(*arguments: Any) -> None:
    return None


def reset(function: Callable, on: Any, off: Any) -> contextlib.AbstractContextManager:
    return between(lambda: function(on), lambda _: function(off))


KINDS: dict[str, tuple[Name, Callable[[], contextlib.AbstractContextManager]]] = {
    "set_grad_enabled": ("gradients", lambda: reset(torch.set_grad_enabled, False, True)),
    "no_grad": ("gradients", torch.no_grad),
    "inference_mode": ("inference_mode", torch.inference_mode),
    "float64": ("default_dtype", lambda: reset(torch.set_default_dtype, torch.float64, torch.float32)),
    "float16": ("default_dtype", lambda: reset(torch.set_default_dtype, torch.float16, torch.float32)),
    "DoubleTensor": (
        "default_dtype",
        lambda: between(tensor_type("torch.DoubleTensor"), tensor_type("torch.FloatTensor")),
    ),
    "meta": ("default_device", lambda: reset(torch.set_default_device, "meta", None)),
    "cuda": ("default_device", lambda: reset(torch.set_default_device, "cuda", None)),
    "with torch.device": ("default_device", lambda: torch.device("meta")),
    "TorchFunctionMode": ("modes", Rounding),
    "TorchDispatchMode": ("dispatch_modes", Refusing),
    "autocast": ("autocast", lambda: torch.autocast("cpu")),
    "deterministic": (
        "deterministic_algorithms",
        lambda: reset(torch.use_deterministic_algorithms, True, False),
    ),
    "anomaly": ("anomaly_detection", lambda: reset(torch.autograd.set_detect_anomaly, True, False)),
    "multithreading": ("multithreading", lambda: torch.autograd.set_multithreading_enabled(False)),
    "matmul": ("matmul_precision", lambda: reset(torch.set_float32_matmul_precision, "medium", "highest")),
    "forward hook": (
        "global_hooks",
        lambda: between(lambda: module.register_module_forward_hook(larger), remove),
    ),
    "backward hook": (
        "global_hooks",
        lambda: between(lambda: module.register_module_full_backward_hook(steeper), remove),
    ),
    "step hook": (
        "global_hooks",
        lambda: between(lambda: register_optimizer_step_post_hook(nothing), remove),
    ),
    "saved tensors": (
        "saved_tensor_hooks",
        lambda: torch.autograd.graph.saved_tensors_hooks(lambda one: one * 1.1, lambda one: one),
    ),
    "threads": (
        "num_threads",
        lambda: between(
            lambda: [torch.get_num_threads(), torch.set_num_threads(torch.get_num_threads() + 3)],
            lambda known: torch.set_num_threads(known[0]),
        ),
    ),
    "denormal": ("flush_denormal", lambda: reset(torch.set_flush_denormal, True, False)),
    "seterr": (
        "numpy_errors",
        lambda: between(lambda: np.seterr(all="raise"), lambda known: np.seterr(**known)),
    ),
    "errstate": ("numpy_errors", lambda: np.errstate(all="raise")),
    "simplefilter": ("warnings", lambda: between(errors_from_warnings, put_filters_back)),
    "recursion": ("recursion_limit", lambda: reset(sys.setrecursionlimit, 200, sys.getrecursionlimit())),
    "settrace": ("tracer", lambda: reset(sys.settrace, nothing, None)),
    "setprofile": ("profiler", lambda: reset(sys.setprofile, nothing, None)),
    "cProfile": ("profiler", cProfile.Profile),
}
if torch.backends.cuda.is_built():
    KINDS["cuda.FloatTensor"] = (
        "default_device",
        lambda: between(tensor_type("torch.cuda.FloatTensor"), tensor_type("torch.FloatTensor")),
    )
if sys.version_info >= (3, 12):  # There it is not in the way of others.
    del KINDS["cProfile"]
every_kind = pytest.mark.parametrize("kind", KINDS)
CHECKS = [
    check
    for judging in (
        ex01_data,
        ex02_model,
        ex03_loss,
        ex04_optimizer,
        ex05_training_loop,
        ex06_project,
        predictions,
    )
    for name, check in vars(judging).items()
    if name.startswith("check_")
]

CELL = """
from fmnist_helpers.exercises.ex03_loss import check_model_loss
from fmnist_helpers.exercises.ex04_optimizer import check_nesterov_step
from fmnist_helpers.exercises.ex05_training_loop import check_train_accumulated

check_model_loss(model_loss)
check_nesterov_step(nesterov_step)
check_train_accumulated(train_accumulated)
"""


@pytest.fixture(scope="module")
def right_work() -> dict[str, Any]:
    """The variables of a notebook in which each task of the cell is solved."""
    namespace: dict[str, Any] = {"torch": torch, "nn": nn}
    for assignment, task in (
        ("ex03_loss", "model_loss"),
        ("ex04_optimizer", "nesterov_step"),
        ("ex05_training_loop", "train_accumulated"),
    ):
        right = next(v for v in read_variants(assignment) if v.task == task and v.correct)
        exec(right.cells[0], namespace)
    return namespace


def positions() -> list:
    """Where the switches are, asked for without the help of the table."""
    return [
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch._C._get_default_device(),
        list(map(id, _get_current_function_mode_stack())),
        list(map(id, _get_current_dispatch_mode_stack())),
        torch.is_autocast_enabled("cpu"),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_anomaly_enabled(),
        torch._C._is_multithreading_enabled(),
        torch.backends.mkldnn.matmul.fp32_precision,
        [list(module._global_forward_hooks), list(module._global_backward_hooks)],
        torch._C._autograd._top_saved_tensors_default_hooks(True),
        torch.get_num_threads(),
        sys.float_info.min / 2,
        np.geterr(),
        list(warnings.filters),
        sys.getrecursionlimit(),
        sys.gettrace(),
        sys.getprofile(),
        os.getcwd(),
    ]


@every_kind
def test_right_work_earns_its_marks_in_grading_and_the_switch_is_named(kind, right_work):
    name, switched = KINDS[kind]
    differ = []

    def ask(request: bytes) -> bytes:
        with switched():
            before = positions()
            reply = answer(request, right_work)
            differ.append(positions() != before)
        return reply

    judged = judge(plan(CELL), ask, 7)
    assert [one.evalue for one in judged.outputs if one.output_type == "error"] == []
    assert judged.switches == [name]
    assert differ == [False] * 3


@every_kind
def test_right_work_passes_in_a_notebook_and_one_line_says_why(kind, right_work, capsys):
    name, switched = KINDS[kind]
    for task, check in (
        ("model_loss", ex03_loss.check_model_loss),
        ("nesterov_step", ex04_optimizer.check_nesterov_step),
        ("train_accumulated", ex05_training_loop.check_train_accumulated),
    ):
        with switched():
            before = positions()
            check(right_work[task])
            after = positions()
        told, passed = capsys.readouterr().out.splitlines()
        assert passed.startswith(f"{task}: ")
        assert told.startswith("An earlier cell ")
        assert next(s.back for s in SWITCHES if s.name == name) in told
        assert after == before


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_says_what_was_left_on(check, capsys):
    parameters = inspect.signature(check).parameters.values()
    needed = [one.kind for one in parameters if one.default is one.empty]
    things = [object()] * needed.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    section = {"section": "batches"} if inspect.Parameter.KEYWORD_ONLY in needed else {}
    with torch.no_grad(), contextlib.suppress(Exception):
        check(*things, **section)
    assert capsys.readouterr().out.splitlines()[0].startswith("An earlier cell switched gradients off")


def test_nothing_is_said_where_nothing_was_left_on(right_work, capsys):
    ex03_loss.check_model_loss(right_work["model_loss"])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_several_are_named_and_put_back(right_work):
    with torch.set_grad_enabled(False), torch.autocast("cpu"), torch.device("meta"), Rounding():
        before = positions()
        with undone() as left_on:
            assert (
                torch.ones(1, requires_grad=True).sum().requires_grad and torch.ones(1).device.type == "cpu"
            )
            torch.set_default_device("cpu")  # It may be chosen anew while another is set aside.
        assert positions() == before and torch.ones(1).device.type == "meta"
    assert left_on == ["default_device", "modes", "gradients", "autocast"]


@every_kind
def test_what_a_function_itself_leaves_on_stays_with_it(kind):
    name, switched = KINDS[kind]
    kept_alive = []

    def function() -> None:
        kept_alive.append(switched())
        kept_alive[-1].__enter__()

    before = positions()
    seen, _ = call(function)
    after = positions()
    with contextlib.suppress(Exception):
        kept_alive[-1].__exit__(None, None, None)
    assert after == before
    assert seen.gradients_left_off == (name in ("gradients", "inference_mode"))


@every_kind
def test_a_call_finds_the_switches_as_an_observer_has_set_them(kind):
    _, switched = KINDS[kind]
    found = []
    with switched():
        before = positions()
        call(lambda: found.append(positions()))
    assert found == [before]


@pytest.mark.parametrize(
    "harmless",
    [
        lambda: reset(torch.manual_seed, 3, 0),
        lambda: np.errstate(all="ignore"),
        lambda: between(lambda: list(warnings.filters), put_filters_back),
        lambda: reset(sys.setrecursionlimit, 5000, sys.getrecursionlimit()),
        lambda: reset(os.chdir, "/tmp", os.getcwd()),
        lambda: between(lambda: os.environ.setdefault("CUDA_VISIBLE_DEVICES", ""), nothing),
    ],
    ids=["seed", "seterr", "filters", "recursion", "chdir", "environ"],
)
def test_what_cannot_spoil_right_work_is_let_be(harmless):
    with harmless():
        warnings.simplefilter("ignore", UserWarning)
        before = positions()
        with undone() as left_on:
            assert positions() == before
    assert left_on == []


def test_a_folder_that_is_gone_is_left_for_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir("gone")
    (tmp_path / "gone").rmdir()
    with undone() as left_on:
        assert os.getcwd()
    assert left_on == ["working_folder"]


def test_the_table_names_each_switch_once_in_words_for_both_readers():
    assert [switch.name for switch in SWITCHES] == list(get_args(Name))
    assert {name for name, _ in KINDS.values()} | {"working_folder"} == set(get_args(Name))
    for name in get_args(Name):
        assert note(name).startswith("an earlier cell ") and len(note(name)) < 200
