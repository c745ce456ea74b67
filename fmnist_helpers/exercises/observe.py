"""Observing: runs a student's function and describes what comes of it as plain data, without judging it.

Nothing that the student's code raises or leaves behind gets out of here. What only one exercise needs stands in its
own ``exNN_observe.py``.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import traceback
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fmnist_helpers.exercises.observation import Array, Call, Event, Raised, Seen
from fmnist_helpers.exercises.recorder import Trace
from fmnist_helpers.exercises.switches import kept

STUB = "Replace this line"
"""How the message of a task that nobody has written yet begins."""
MOST_NUMBERS, MOST_ITEMS, MOST_DEPTH, MOST_LETTERS = 200_000, 2_000, 4, 200
TRUTH, NUMBER = (bool, np.bool_), (int, float, np.integer, np.floating)


def call(function: Any, *arguments: Any, **options: Any) -> tuple[Call, Any]:
    """Call a student's function; return the description of the call, and the object that came back (or None).

    What it prints to stderr goes to stdout, since nbgrader takes anything there for a failure; every switch is as
    before afterwards. What it raises is described; only an interrupt gets through.
    """
    name = _name_of(function)
    if not callable(function):
        return Call(name, False, describe(function)), None
    with_graph = torch.is_grad_enabled()
    with kept():
        try:
            with contextlib.redirect_stderr(sys.stdout):
                result = function(*arguments, **options)
            left_off = torch.is_grad_enabled() != with_graph
            return Call(name, True, describe(result), None, left_off), result
        except (Exception, SystemExit) as error:
            return Call(name, True, None, describe_error(error)), None


def _name_of(function: Any) -> str:
    try:
        return _cut(str(function.__name__))
    except Exception:
        return "your answer"


def describe(value: Any, depth: int = 0) -> Seen:
    """Return what can be said of any object as plain data; never raises."""
    kind = type(value)
    known: dict[str, Any] = {"bases": [_cut(base.__name__) for base in kind.__mro__[:-1]][:20]}
    try:
        known |= _content(value, depth)
    except Exception as error:
        known["shown"] = f"an object that raises {type(error).__name__} when it is looked at"
    return Seen(_cut(kind.__name__), **known)


def _content(value: Any, depth: int) -> dict[str, Any]:
    if isinstance(value, Tensor):
        plain = _plain(value)
        seen = _numbers(plain) if plain.numel() <= MOST_NUMBERS else None
        single = seen is not None and len(seen.numbers) == 1 and seen.dtype != "bool"
        return {
            "graph": plain.requires_grad,
            "array": seen,
            "number": seen.numbers[0] if single else None,
            "shown": f"a tensor of shape {tuple(plain.shape)}",
        }
    if isinstance(value, np.ndarray):
        return {"array": array(torch.from_numpy(np.ascontiguousarray(value))), "shown": _line(value)}
    if isinstance(value, TRUTH):
        return {"truth": bool(value), "shown": _line(bool(value))}
    if isinstance(value, NUMBER):
        return {"number": float(value), "shown": _line(value)}
    if isinstance(value, str):
        return {"text": str(value)[:MOST_ITEMS].encode("utf-8", "replace").decode(), "shown": _line(value)}
    if isinstance(value, list | tuple) and len(value) <= MOST_ITEMS and depth < MOST_DEPTH:
        return {"items": [describe(item, depth + 1) for item in value], "shown": f"{len(value)} items"}
    if isinstance(value, dict) and len(value) <= MOST_ITEMS and depth < MOST_DEPTH:
        entries = [(describe(key, depth + 1), describe(item, depth + 1)) for key, item in value.items()]
        return {"entries": entries, "shown": f"{len(value)} entries"}
    return {"shown": _line(value)}


def array(tensor: Tensor) -> Array:
    """Return a tensor's numbers as plain data."""
    return _numbers(_plain(tensor))


def _numbers(plain: Tensor) -> Array:
    numbers = plain.detach().to("cpu", torch.float64).flatten().tolist()
    return Array(str(plain.dtype).removeprefix("torch."), list(plain.shape), numbers)


def copy_of(tensor: Tensor) -> Tensor:
    """Return a plain copy of a tensor, for :func:`is_still`."""
    return _plain(tensor).detach().clone()


def is_still(tensor: Tensor, copy: Tensor) -> bool:
    """Return whether a tensor has the dtype, the shape and the numbers that it had when it was copied."""
    try:
        plain = _plain(tensor).detach().cpu()
        return plain.dtype == copy.dtype and plain.shape == copy.shape and torch.equal(plain, copy)
    except Exception:
        return False


def _plain(tensor: Tensor) -> Tensor:
    """Return a tensor of PyTorch's own class: a subclass may answer as it likes, so it is not asked."""
    with torch._C.DisableTorchFunctionSubclass():
        return tensor.as_subclass(Tensor)


def arrays(tensors: Iterable[Tensor]) -> list[Array]:
    """Return several tensors as plain data, for example ``model.parameters()``."""
    return [array(tensor) for tensor in tensors]


def state(model: nn.Module) -> dict[str, Array]:
    """Return parameters and buffers of a model by name."""
    return {name: array(tensor) for name, tensor in model.state_dict().items()}


def events(trace: Trace) -> list[Event]:
    """Return the events of a trace as plain data."""
    return [
        Event(one.kind, one.batch, one.training, one.grad_enabled, one.gradient, one.value)
        for one in trace.events
    ]


def describe_error(error: BaseException) -> Raised:
    """Return what was raised, with the student's line if it is known."""
    try:
        message = (str(error).splitlines() or [""])[0].rstrip(".")
    except Exception:
        message = ""
    # PyTorch raises NotImplementedError, too, with words of its own.
    unwritten = type(error) is NotImplementedError and (not error.args or message.startswith(STUB))
    return Raised(_cut(type(error).__name__), _cut(message), line_of(error), unwritten)


def line_of(error: BaseException) -> str:
    """Return the last line of the student's that an error went through, or an empty text."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if "ipykernel" in file or file.startswith("<"):
            return _cut(linecache.getline(file, number, frame.f_globals).strip())
    return ""


def _line(value: Any) -> str:
    return _cut(" ".join(repr(value).split()))


def _cut(text: str) -> str:
    # Half a surrogate pair is no text that could be sent to anybody.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= MOST_LETTERS else text[:MOST_LETTERS] + " ..."
