"""Save a model with all that is needed to go on training it, and load it again."""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.data import CLASSES
from fmnist_helpers.history import EpochResult, History
from fmnist_helpers.plain import plain, real_number, whole_number
from fmnist_helpers.wrappers import (
    load_plain_state_dict,
    plain_state_dict,
    unwrapped,
    without_wrapper_names,
)

FAMILY = "fmnist-course-checkpoint-"
FORMAT = f"{FAMILY}1"

_KINDS = {
    "model": (dict, "a dictionary of tensors"),
    "optimizer": (dict | None, "a dictionary, or None"),
    "optimizer_name": (str, "text"),
    "epoch": (object, "a whole number"),
    "history": (list | tuple, "a list of rows"),
    "classes": (list | tuple, "a tuple of names"),
}
"""What stands in a checkpoint beside its format, and of what kind it is."""


class Checkpoint(NamedTuple):
    """What a checkpoint says beside the weights."""

    epoch: int
    history: History
    classes: tuple[str, ...]


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    *,
    epoch: int = 0,
    history: History | None = None,
    classes: Sequence[str] = CLASSES,
) -> Path:
    """Write a checkpoint, whole or not at all: an older file of that name stays until the new one is done.

    The tensors have the names of the bare model, whether it is compiled (``torch.compile``) or wrapped for several
    devices or not. NumPy's numbers are saved as Python's own, wherever they stand.

    Args:
        path: the file; its folder is made if it is missing.
        model: its parameters and buffers are saved.
        optimizer: its state too, if given (momentum, Adam's averages, learning rate).
        epoch: how many epochs the model was trained, 0 or more.
        history: the result of ``fit``.
        classes: the class names, in the order of the model's outputs.

    Returns:
        The path of the file.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if something in it could not be loaded again; the message names it, and nothing was written.
    """
    path = Path(path)
    content = _content(path, model, optimizer, epoch, history, classes)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished, _named_culprit(path, content):
        with unfinished.open("wb") as file:
            torch.save(content, file)
        # Read back while the older file still stands. On "meta" tensors have no numbers, so it takes no memory.
        torch.load(unfinished, map_location="meta", weights_only=True)
    return path


def load_checkpoint(path: str | Path, model: nn.Module, optimizer: Optimizer | None = None) -> Checkpoint:
    """Load a checkpoint into ``model`` (and ``optimizer``), onto the device they are on.

    The optimiser's settings come back with its state; where they differ from those it has, such as another learning
    rate, a line is printed. It makes no difference whether the model is compiled or wrapped, here or when it was saved.

    Only tensors and plain values are read (``weights_only=True``). That narrows what a file can do, and was got
    around in PyTorch before 2.10 (CVE-2025-32434, CVE-2026-24747): load only files that you trust.

    Everything is checked first: if an error is raised, ``model`` and ``optimizer`` are unchanged.

    Returns:
        Epoch, history and class names.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not a whole checkpoint of this course or belongs to another model or optimiser.
    """
    path = Path(path)
    _check_kinds(f"{path} was not loaded", model, optimizer)
    content = _read(path)
    checkpoint = _checkpoint(path, content)
    weights = _weights(path, content["model"], model)
    if optimizer is not None:
        _check_optimizer(path, content, optimizer)
        before = _settings(optimizer)
    with _unchanged_on_error(path, model, optimizer):
        load_plain_state_dict(model, weights)
        if optimizer is not None:
            optimizer.load_state_dict(content["optimizer"])
    if optimizer is not None:
        _tell_settings(path, before, _settings(optimizer))
    return checkpoint


# --- saving ---------------------------------------------------------------------------------------------------


def _content(
    path: Path,
    model: nn.Module,
    optimizer: Optimizer | None,
    epoch: int,
    history: History | None,
    classes: Sequence[str],
) -> dict[str, Any]:
    where = f"{path} was not written"
    _check_kinds(where, model, optimizer)
    weights = plain_state_dict(model)
    # Beside tensors a module may save what it likes (get_extra_state).
    weights.update([(name, plain(value)) for name, value in weights.items()])
    history = _history(() if history is None else history, f"{where}: its history")
    return {
        "format": FORMAT,
        "model": weights,
        "optimizer": None if optimizer is None else plain(optimizer.state_dict()),
        "optimizer_name": type(optimizer).__name__,
        "epoch": _epoch(epoch, f"{where}: its epoch"),
        # Plain tuples: loading with weights_only=True refuses classes it does not know.
        "history": [tuple(row) for row in history],
        "classes": _classes(classes, f"{where}: its classes"),
    }


def _check_kinds(where: str, model: nn.Module, optimizer: Optimizer | None) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(f"{where}: the model is {_shown(model)}; give the nn.Module itself")
    if not isinstance(optimizer, Optimizer | None):
        raise ValueError(f"{where}: the optimiser is {_shown(optimizer)}; give one of torch.optim, or None")


@contextmanager
def _named_culprit(path: Path, content: dict[str, Any]) -> Iterator[None]:
    """Turn what PyTorch says of a value that it cannot save, or would not load, into one sentence that names it."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        for place, value in _leaves(content):
            if not _survives(value):
                raise ValueError(
                    f"{path} was not written: {place} is {_shown(value)}, which cannot be loaded with "
                    "weights_only=True; make it a number, text or a tensor"
                ) from error
        raise


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield f"a key of {place}", key
            yield from _leaves(entry, f"{place}[{key!r}]" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            yield from _leaves(entry, f"{place}[{number}]")
    else:
        yield place, value


def _survives(value: Any) -> bool:
    try:
        torch.save(value, buffer := io.BytesIO())
        buffer.seek(0)
        torch.load(buffer, map_location="meta", weights_only=True)
    except Exception:
        return False
    return True


# --- reading --------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # A foreign or damaged file can make the reader raise almost anything.
        raise ValueError(f"{path} is not a checkpoint, or it is damaged") from error
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(found, str) or not found.startswith(FAMILY):
        raise ValueError(f"{path} is a PyTorch file, but not written by save_checkpoint")
    if found != FORMAT:
        raise ValueError(
            f"{path} is a checkpoint of the form {found!r}; this version of fmnist_helpers reads {FORMAT!r}, "
            "so load it with the version that wrote it"
        )
    return content


def _check_sums(path: Path) -> None:
    # torch.load does not look at the checksums in the file, so a damaged weight would load as a wrong one.
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is wrong")


def _checkpoint(path: Path, content: dict[str, Any]) -> Checkpoint:
    for name, (kind, expected) in _KINDS.items():
        if name not in content:
            raise ValueError(f"{path} is not a whole checkpoint: {name!r} is missing; save it again")
        if not isinstance(content[name], kind):
            raise ValueError(
                f"{path} is not a whole checkpoint: its {name} is {_shown(content[name])}, not {expected}; "
                "save it again"
            )
    return Checkpoint(
        _epoch(content["epoch"], f"{path} is not a whole checkpoint: its epoch"),
        _history(content["history"], f"{path} is not a whole checkpoint: its history"),
        _classes(content["classes"], f"{path} is not a whole checkpoint: its classes"),
    )


def _epoch(value: Any, where: str) -> int:
    epoch = whole_number(value)
    if epoch is None or epoch < 0:
        raise ValueError(f"{where} is {_shown(value)}; it must be a whole number, 0 or above")
    return epoch


def _classes(values: Any, where: str) -> tuple[str, ...]:
    names = (
        None if isinstance(values, str) or not isinstance(values, Iterable) else tuple(plain(list(values)))
    )
    # Some data sets count their classes and give them no names.
    if names is None or not all(isinstance(name, str | int) for name in names):
        raise ValueError(f"{where} are {_shown(values)}; they must be a list of names")
    return names


def _history(rows: Any, where: str) -> History:
    if not isinstance(rows, list | tuple):
        raise ValueError(f"{where} is {_shown(rows)}; it must be a list of rows, as fit returns it")
    return History(_row(row, f"{where}[{number}]") for number, row in enumerate(rows))


def _row(row: Any, where: str) -> EpochResult:
    fields = EpochResult._fields
    if not isinstance(row, list | tuple) or len(row) != len(fields):
        raise ValueError(f"{where} is {_shown(row)}; a row holds {len(fields)} numbers: {', '.join(fields)}")
    values = [whole_number(row[0]), *map(real_number, row[1:])]
    for name, value, number in zip(fields, row, values, strict=True):
        if number is None:
            kind = "whole number" if name == "epoch" else "number"
            raise ValueError(f"{where}.{name} is {_shown(value)}; it must be a {kind}")
    return EpochResult(*values)


def _shown(value: Any) -> str:
    """Name a value in a sentence: what it is, and itself where that is short."""
    kind = type(value).__name__
    if isinstance(value, Tensor):
        return f"a {kind} of shape {_form(value)}"
    text = repr(value)
    is_telling = len(text) < 60 and "\n" not in text and not text.startswith("<")
    return f"{text} ({kind})" if is_telling else f"of the kind {kind}"


# --- does it fit? ---------------------------------------------------------------------------------------------


def _weights(path: Path, saved: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Return what is to be loaded into ``model``, under the names of the bare model; refuse another model's."""
    here = plain_state_dict(model)
    if saved.keys() != here.keys() and all(isinstance(name, str) for name in saved):
        # Earlier versions saved a wrapped model under its wrapper's names.
        names = without_wrapper_names(saved)
        saved = dict(zip(names, saved.values(), strict=True)) if len(set(names)) == len(saved) else saved
    mine, theirs = ({name: _form(value) for name, value in state.items()} for state in (here, saved))
    if mine == theirs:
        return saved
    differing = sorted((n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n)), key=str)
    name = differing[0]
    raise ValueError(
        f"{path} holds another model: {len(differing)} of its tensors differ from {type(unwrapped(model)).__name__}'s; "
        f"the first, {name}, is {theirs.get(name, 'missing')} in the file and {mine.get(name, 'missing')} here"
    )


def _form(value: Any) -> str:
    """Say what must be equal for one value to take another's place: the shape, and the kind of numbers."""
    if not isinstance(value, Tensor):
        return "no tensor"
    if nn.parameter.is_lazy(value):
        return "not made yet (give the model a batch first)"
    if value.is_meta:
        return "without numbers (on the device meta)"
    kind = "" if value.is_floating_point() else " of complex" if value.is_complex() else " of whole numbers"
    return f"{tuple(value.shape)}{kind}"


def _check_optimizer(path: Path, content: dict[str, Any], optimizer: Optimizer) -> None:
    saved, name = content["optimizer"], type(optimizer).__name__
    if saved is None:
        raise ValueError(f"{path} was saved without its optimiser, so none can be loaded from it")
    # Names, not settings: Adam and AdamW have the same settings, and a schedule adds one of its own.
    if content["optimizer_name"] != name:
        raise ValueError(f"{path} holds the state of {content['optimizer_name']}, not of {name}")
    here, there = (_sizes(state) for state in (optimizer.state_dict(), saved))
    if there is None:
        raise ValueError(
            f"{path} is not a whole checkpoint: its optimizer is no state_dict() of {name}; save it again"
        )
    if here != there:
        raise ValueError(
            f"{path} holds an optimiser of other parameters: groups of {there} tensors, here {here}"
        )
    _try_out(path, saved, optimizer)


def _sizes(state: dict[str, Any]) -> list[int] | None:
    """Return how many parameters each group of an optimiser's state has; None if it is no such state."""
    groups = state.get("param_groups")
    if not isinstance(groups, list) or not isinstance(state.get("state"), dict):
        return None
    names = [group.get("params") if isinstance(group, dict) else None for group in groups]
    if not all(isinstance(numbers, list) for numbers in names):
        return None
    known = [number for numbers in names for number in numbers]
    # Each parameter is in one group only, and has at most one state.
    if not all(isinstance(number, int) for number in known) or len(set(known)) != len(known):
        return None
    return [len(numbers) for numbers in names] if state["state"].keys() <= set(known) else None


def _try_out(path: Path, saved: dict[str, Any], optimizer: Optimizer) -> None:
    """Refuse a state from which a copy of the optimiser cannot take a step, because only that shows whether it can."""
    # Somebody else's optimiser may do anything in a step, and some need gradients of another kind than these.
    if not type(optimizer).__module__.startswith("torch.optim.") or _error_of_step(optimizer) is not None:
        return
    error = _error_of_step(optimizer, saved)
    if error is not None:
        raise ValueError(
            f"{path} holds a state that {type(optimizer).__name__} cannot go on from ({_reason(error)}); save it again"
        ) from error


def _error_of_step(optimizer: Optimizer, state: dict[str, Any] | None = None) -> Exception | None:
    """Let a copy of an optimiser, with another state if one is given, take a step with gradients of 0."""
    trial = copy.deepcopy(optimizer)
    try:
        if state is not None:
            # Copied too: loading shares the tensors, and a step changes them.
            trial.load_state_dict(copy.deepcopy(state))
        for parameter in (p for group in trial.param_groups for p in group["params"]):
            parameter.grad = torch.zeros_like(parameter)
        trial.step(lambda: torch.zeros(()))
    except Exception as error:
        return error
    return None


def _reason(error: Exception) -> str:
    first = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {first}"


# --- taking over ----------------------------------------------------------------------------------------------


@contextmanager
def _unchanged_on_error(path: Path, model: nn.Module, optimizer: Optimizer | None) -> Iterator[None]:
    """Put model and optimiser back as they were if the block raises, whatever it is."""
    weights = copy.deepcopy(model.state_dict())
    # Loading makes new ones of both and leaves these alone.
    state = None if optimizer is None else (optimizer.state, optimizer.param_groups)
    try:
        yield
    except BaseException as error:
        if optimizer is not None:
            optimizer.state, optimizer.param_groups = state
        model.load_state_dict(weights)
        if isinstance(error, Exception):
            raise ValueError(
                f"{path} cannot be loaded, and nothing was changed ({_reason(error)})"
            ) from error
        raise


_TECHNICAL = {"foreach", "fused", "capturable", "differentiable"}
"""Settings that decide how a step is computed, and not what it does."""


_SETTING_NAMES = {"lr": "the learning rate"}


def _settings(optimizer: Optimizer) -> dict[str, list[Any]]:
    names = optimizer.defaults.keys() - _TECHNICAL
    return {
        name: [_comparable(group[name]) for group in optimizer.param_groups if name in group]
        for name in sorted(names)
    }


def _comparable(value: Any) -> Any:
    # The same number may be a tensor here and none in the file, the same pair a tuple here and a list there.
    value = plain(value.tolist() if isinstance(value, Tensor) else value)
    return tuple(value) if isinstance(value, list) else value


def _tell_settings(path: Path, before: dict[str, list[Any]], after: dict[str, list[Any]]) -> None:
    changed = [
        f"{_SETTING_NAMES.get(name, name)} {_each_once(after[name])} (here it was {_each_once(before[name])})"
        for name in before
        if before[name] != after[name]
    ]
    if changed:
        print(
            f"{path.name} brings back {', '.join(changed)}; "
            "to go on with another, set it in optimizer.param_groups after loading."
        )


def _each_once(values: list[Any]) -> str:
    return " and ".join(dict.fromkeys(map(str, values)))
