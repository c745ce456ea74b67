"""Switches that change PyTorch, NumPy or Python for everything that runs after them.

A cell that leaves one on changes what a function does that is right by itself. So a check looks at a function with
every switch where it is at the start, says which it found elsewhere, and puts each back. What cannot spoil right work
is let be: fewer threads, deeper recursion, a NumPy that says nothing of errors, another folder that can be written to.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import overrides
from torch.nn.modules import module as modules
from torch.optim import optimizer as optimizers
from torch.utils import _device, _python_dispatch

Name = Literal[
    "default_device",
    "modes",
    "dispatch_modes",
    "inference_mode",
    "gradients",
    "multithreading",
    "default_dtype",
    "autocast",
    "deterministic_algorithms",
    "anomaly_detection",
    "matmul_precision",
    "global_hooks",
    "saved_tensor_hooks",
    "num_threads",
    "flush_denormal",
    "numpy_errors",
    "warnings",
    "working_folder",
    "recursion_limit",
    "tracer",
    "profiler",
]
"""What a student's process may say that it found: these words and no others."""

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
HOOKS = [
    hooks
    for owner in (modules, optimizers)
    for name, hooks in vars(owner).items()
    if name.startswith("_global_") and isinstance(hooks, dict)
]
"""Where PyTorch keeps the hooks that every module, or every optimiser, calls."""
NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
RESTART = "a restart of the kernel"


@dataclass(frozen=True)
class Switch:
    """One switch. Its values are compared with ``==``."""

    name: Name
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    default: Callable[[Any], Any]
    """Where it is found → where it should be."""
    done: str
    """What an earlier cell did."""
    back: str
    """What turns it back."""


# --- PyTorch's ---------------------------------------------------------------------------------------------


def _modes() -> list:
    stack = overrides._get_current_function_mode_stack()
    return [mode for mode in stack if not isinstance(mode, _device.DeviceContext)]


def _devices() -> list:
    """Return the device of the default tensor type, what ``set_default_device`` made, and what is in use of it."""
    made = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    stack = overrides._get_current_function_mode_stack()
    in_use = [mode for mode in stack if isinstance(mode, _device.DeviceContext)]
    return [torch._C._get_default_device(), made, _device.CURRENT_DEVICE, *in_use]


def _set_modes(modes: list) -> None:
    _set_stack([*_devices()[3:], *modes])


def _set_devices(devices: list) -> None:
    of_type, made, _device.CURRENT_DEVICE, *in_use = devices
    if of_type != torch._C._get_default_device():
        _set_tensor_type("torch.FloatTensor" if of_type == "cpu" else f"torch.{of_type}.FloatTensor")
    torch._GLOBAL_DEVICE_CONTEXT.device_context = made
    _set_stack([*in_use, *_modes()])


def _set_tensor_type(name: str) -> None:
    dtype = torch.get_default_dtype()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.set_default_tensor_type(name)
    torch.set_default_dtype(dtype)


def _set_stack(modes: list) -> None:
    for _ in overrides._get_current_function_mode_stack():
        overrides._pop_mode()
    for mode in modes:
        overrides._push_mode(mode)


def _set_dispatch_modes(modes: list) -> None:
    for _ in _python_dispatch._get_current_dispatch_mode_stack():
        _python_dispatch._pop_mode()
    for mode in modes:
        _python_dispatch._push_mode(mode)


def _hooks() -> dict[int, dict]:
    return {place: dict(hooks) for place, hooks in enumerate(HOOKS) if hooks}


def _set_hooks(contents: dict[int, dict]) -> None:
    # In place: whoever takes a hook out later looks for it in this very dict.
    for place, hooks in enumerate(HOOKS):
        hooks.clear()
        hooks.update(contents.get(place, {}))


def _saved_tensor_hooks() -> list:
    found = _pop_saved_tensor_hooks()
    _push_saved_tensor_hooks(found)
    return found


def _set_saved_tensor_hooks(pairs: list) -> None:
    _pop_saved_tensor_hooks()
    _push_saved_tensor_hooks(pairs)


def _pop_saved_tensor_hooks() -> list:
    found: list = []
    while (pair := torch._C._autograd._top_saved_tensors_default_hooks(True)) is not None:
        found.insert(0, pair)
        torch._C._autograd._pop_saved_tensors_default_hooks()
    return found


def _push_saved_tensor_hooks(pairs: list) -> None:
    for pair in pairs:
        torch._C._autograd._push_saved_tensors_default_hooks(*pair)


def _set_autocast(enabled: list) -> None:
    for device, value in zip(AUTOCAST_DEVICES, enabled, strict=True):
        torch.set_autocast_enabled(device, value)


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


# --- NumPy's and Python's ----------------------------------------------------------------------------------


def _harmless_numpy_errors(found: dict[str, str]) -> dict[str, str]:
    quiet = ("ignore", "warn", "print")
    return {kind: what if what in quiet else NUMPY_ERRORS[kind] for kind, what in found.items()}


def _without_errors(filters: list) -> list:
    """Return the filters without those that turn the common kinds of warnings into errors."""
    return [one for one in filters if one[0] != "error" or one[2].__module__ != "builtins"]


def _set_warnings(filters: list) -> None:
    warnings.resetwarnings()
    warnings.filters[:] = filters


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # It was removed.
        return ""


def _set_folder(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.chdir(folder)


def _set_recursion_limit(limit: int) -> None:
    # Python refuses one that is reached already.
    with contextlib.suppress(RecursionError):
        sys.setrecursionlimit(limit)


def _tracer() -> Any:
    tracer = sys.gettrace()
    tools = ("coverage", "pydevd", "_pydevd")  # No cell has left these on.
    return None if str(getattr(tracer, "__module__", "")).startswith(tools) else tracer


def _profiler() -> Any:
    profiler = sys.getprofile()
    return profiler if callable(profiler) or hasattr(profiler, "enable") else None


def _set_profiler(profiler: Any) -> None:
    # One of cProfile's is no function; it goes on by itself.
    if profiler is None or callable(profiler):
        sys.setprofile(profiler)
    else:
        profiler.enable()


# --- all of them -------------------------------------------------------------------------------------------

NUM_THREADS, FOLDER = torch.get_num_threads(), _folder()
"""As they are when this is imported: in grading, before the student's first cell."""


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda found: value


SWITCHES = (
    Switch(
        "default_device",
        _devices,
        _set_devices,
        _always(["cpu", None, None]),
        "chose the device of every new tensor (`torch.set_default_device`, or a `with torch.device` never left)",
        "`torch.set_default_device(None)`",
    ),
    Switch(
        "modes",
        _modes,
        _set_modes,
        _always([]),
        "entered a TorchFunctionMode and never left it",
        RESTART,
    ),
    Switch(
        "dispatch_modes",
        _python_dispatch._get_current_dispatch_mode_stack,
        _set_dispatch_modes,
        _always([]),
        "entered a TorchDispatchMode and never left it",
        RESTART,
    ),
    Switch(
        "inference_mode",
        torch.is_inference_mode_enabled,
        lambda enabled: None,  # PyTorch has a block for it, and nothing else.
        _always(False),
        "entered `torch.inference_mode()` and never left it",
        RESTART,
    ),
    Switch(
        "gradients",
        lambda: torch.is_grad_enabled() or torch.is_inference_mode_enabled(),
        torch.set_grad_enabled,
        _always(True),
        "switched gradients off for everything (`torch.set_grad_enabled(False)`, or a `torch.no_grad()` never left)",
        "`torch.set_grad_enabled(True)`",
    ),
    Switch(
        "multithreading",
        lambda: torch._C._is_multithreading_enabled() or torch.is_inference_mode_enabled(),
        torch.autograd.set_multithreading_enabled,
        _always(True),
        "made backward passes use one thread (`torch.autograd.set_multithreading_enabled(False)`)",
        "`torch.autograd.set_multithreading_enabled(True)`",
    ),
    Switch(
        "default_dtype",
        torch.get_default_dtype,
        torch.set_default_dtype,
        _always(torch.float32),
        "chose the dtype of every new tensor (`torch.set_default_dtype`)",
        "`torch.set_default_dtype(torch.float32)`",
    ),
    Switch(
        "autocast",
        lambda: [torch.is_autocast_enabled(device) for device in AUTOCAST_DEVICES],
        _set_autocast,
        _always([False] * len(AUTOCAST_DEVICES)),
        "entered `torch.autocast` and never left it",
        '`torch.set_autocast_enabled("cpu", False)`',
    ),
    Switch(
        "deterministic_algorithms",
        _deterministic,
        lambda values: torch.use_deterministic_algorithms(values[0], warn_only=values[1]),
        _always((False, False)),
        "allowed deterministic algorithms alone (`torch.use_deterministic_algorithms(True)`)",
        "`torch.use_deterministic_algorithms(False)`",
    ),
    Switch(
        "anomaly_detection",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda values: torch.autograd.set_detect_anomaly(*values),
        _always((False, True)),
        "had every backward pass searched for nan (`torch.autograd.set_detect_anomaly(True)`)",
        "`torch.autograd.set_detect_anomaly(False)`",
    ),
    Switch(
        "matmul_precision",
        lambda: torch.backends.mkldnn.matmul.fp32_precision,
        lambda value: setattr(torch.backends.mkldnn.matmul, "fp32_precision", value),
        lambda found: "ieee" if found in ("bf16", "tf32") else found,
        "made matrix products less exact (`torch.set_float32_matmul_precision`)",
        '`torch.set_float32_matmul_precision("highest")`',
    ),
    Switch(
        "global_hooks",
        _hooks,
        _set_hooks,
        _always({}),
        "hung a hook on every module or optimiser (`register_module_forward_hook`, for example)",
        "`remove()` of what its registration returned",
    ),
    Switch(
        "saved_tensor_hooks",
        _saved_tensor_hooks,
        _set_saved_tensor_hooks,
        _always([]),
        "entered `torch.autograd.graph.saved_tensors_hooks` and never left it",
        RESTART,
    ),
    Switch(
        "num_threads",
        torch.get_num_threads,
        torch.set_num_threads,
        lambda found: min(found, NUM_THREADS),
        "raised the number of threads (`torch.set_num_threads`)",
        f"`torch.set_num_threads({NUM_THREADS})`",
    ),
    Switch(
        "flush_denormal",
        lambda: sys.float_info.min / 2 == 0,
        torch.set_flush_denormal,
        _always(False),
        "had very small numbers taken for 0 (`torch.set_flush_denormal(True)`)",
        "`torch.set_flush_denormal(False)`",
    ),
    Switch(
        "numpy_errors",
        np.geterr,
        lambda values: np.seterr(**values),
        _harmless_numpy_errors,
        "made NumPy raise an error where it only warns (`np.seterr`)",
        '`np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")`',
    ),
    Switch(
        "warnings",
        lambda: list(warnings.filters),
        _set_warnings,
        _without_errors,
        'turned warnings into errors (`warnings.simplefilter("error")`)',
        "`warnings.resetwarnings()`",
    ),
    Switch(
        "working_folder",
        _folder,
        _set_folder,
        lambda found: found if found and os.access(found, os.W_OK) else FOLDER,
        "went to a folder that cannot be written to (`os.chdir`)",
        "`os.chdir` to the notebook's folder",
    ),
    Switch(
        "recursion_limit",
        sys.getrecursionlimit,
        _set_recursion_limit,
        lambda found: max(found, 1000),
        "allowed less recursion than Python does (`sys.setrecursionlimit`)",
        "`sys.setrecursionlimit(1000)`",
    ),
    Switch(
        "tracer",
        _tracer,
        sys.settrace,
        _always(None),
        "left a tracer on (`sys.settrace`, or a debugger)",
        "`sys.settrace(None)`",
    ),
    Switch(
        "profiler",
        _profiler,
        _set_profiler,
        _always(None),
        "left a profiler on (`sys.setprofile`, or `cProfile`)",
        "`sys.setprofile(None)`",
    ),
)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Put every switch back at the end of the block to where it is now."""
    found = _read()
    with _set_to(found, found):
        yield


@contextlib.contextmanager
def undone() -> Iterator[list[Name]]:
    """Have every switch at its default in the block, and then where it is now; yield the names of those that differ."""
    found = _read()
    wanted = {switch.name: switch.default(found[switch.name]) for switch in SWITCHES}
    with _set_to(wanted, found):
        yield [name for name, value in wanted.items() if value != found[name]]


@contextlib.contextmanager
def undone_and_told() -> Iterator[None]:
    """Do the same, and print a line for each that differs."""
    with undone() as left_on:
        for switch in SWITCHES:
            if switch.name in left_on:
                print(
                    f"An earlier cell {switch.done}. The check looks at your work without that. "
                    f"What turns it back: {switch.back}."
                )
        yield


def note(name: Name) -> str:
    """Return what an instructor is told of a switch that was found on."""
    done = next(switch.done for switch in SWITCHES if switch.name == name)
    return f"an earlier cell {done}; the tests looked at the work without that"


def _read() -> dict[Name, Any]:
    # A mode that was left on must not answer in place of PyTorch.
    with torch._C.DisableTorchFunction():
        return {switch.name: switch.read() for switch in SWITCHES}


def _write(wanted: dict[Name, Any]) -> None:
    with torch._C.DisableTorchFunction():
        for switch in SWITCHES:
            if switch.read() != wanted[switch.name]:
                switch.write(wanted[switch.name])


@contextlib.contextmanager
def _set_to(wanted: dict[Name, Any], found: dict[Name, Any]) -> Iterator[None]:
    # Its end also takes back an inference mode that was entered in the block. Its beginning sets two switches more.
    with torch.inference_mode(wanted["inference_mode"]):
        try:
            if wanted != found or not (wanted["gradients"] and wanted["multithreading"]):
                _write(wanted)
            yield
        finally:
            _write(found)
