"""Save a model with all that is needed to go on training it, and load it again."""

from __future__ import annotations

import copy
import errno
import io
import pickle
import sys
import textwrap
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
from fmnist_helpers.plain import plain, real_number, require_whole_number, shown, whole_number
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
    "epoch": (object, "an integer"),
    "history": (list | tuple, "a list of rows"),
    "classes": (list | tuple, "a tuple of names"),
}
"""What stands in a checkpoint beside its format, and of what kind it is."""

_AGAIN = "; train and save again"
_ALONE = "load_checkpoint(path, model)"


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
    path = _path(path)
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
        MemoryError: if there is too little memory to read it.
        OSError: if the disk cannot read it.
        ValueError: if the file is not a complete checkpoint of this course or belongs to another model or optimiser.
    """
    path = _path(path)
    _check_kinds(f"{path} was not loaded", model, optimizer)
    content = _read(path)
    checkpoint = _checkpoint(path, content)
    weights = _weights(path, content["model"], model)
    _check_changeable(path, model)
    if optimizer is not None:
        _check_optimizer(path, content, optimizer, model)
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
    with _in_sentence(f"{where}: "):
        epoch = require_whole_number("epoch", epoch, 0)
        history, classes = _history(() if history is None else history), _classes(classes)
    return {
        "format": FORMAT,
        "model": weights,
        "optimizer": None if optimizer is None else plain(optimizer.state_dict()),
        "optimizer_name": type(optimizer).__name__,
        "epoch": epoch,
        # Plain tuples: loading with weights_only=True refuses classes it does not know.
        "history": [tuple(row) for row in history],
        "classes": classes,
    }


def _path(path: Any) -> Path:
    try:
        return Path(path)
    except TypeError as error:
        raise ValueError(f"path is {shown(path)}; give path, model and optimizer in this order") from error


def _check_kinds(where: str, model: Any, optimizer: Any) -> None:
    _check_kind(f"{where}: model", model, nn.Module, "a model", "")
    if optimizer is not None:
        arguments = "model.parameters()"
        _check_kind(f"{where}: optimizer", optimizer, Optimizer, "None or an optimizer", arguments)


def _check_kind(where: str, found: Any, kind: type, needed: str, arguments: str) -> None:
    if isinstance(found, kind):
        return
    if isinstance(found, type) and issubclass(found, kind):
        needed += f", as in {found.__name__}({arguments})"
    elif isinstance(found, dict):
        needed += " itself, not its state_dict()"
    raise ValueError(f"{where} is {shown(found)}; give {needed}")


@contextmanager
def _in_sentence(before: str, after: str = "") -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{before}{error}{after}") from None


@contextmanager
def _named_culprit(path: Path, content: dict[str, Any]) -> Iterator[None]:
    """Turn what PyTorch says of a value that it cannot save, or would not load, into one sentence that names it."""
    handled = sys.exception()
    try:
        yield
    except Exception as error:
        # PyTorch's writer hides what the disk said, such as that it is full.
        refused = error if isinstance(error, OSError) else error.__context__
        if isinstance(refused, OSError) and refused is not handled:
            raise OSError(refused.errno, refused.strerror or str(refused), str(path)) from error
        for place, value in _leaves(_as_typed(content)):
            if not _survives(value):
                raise ValueError(
                    f"{path} was not written: {place} is {shown(value)}, which a checkpoint cannot hold; "
                    "make it a number, a text or a tensor"
                ) from error
        raise


def _as_typed(content: dict[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint holds of model and optimiser, by what one types to see it."""
    state = dict(content["optimizer"] or {})
    return {
        "model.state_dict()": content["model"],
        "optimizer.param_groups": state.pop("param_groups", ()),
        "optimizer.state_dict()": state,
    }


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
        raise FileNotFoundError(_not_there(path.absolute()))
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A foreign or damaged file can make the reader raise almost anything.
        raise _unreadable(path, error) from error
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(found, str) or not found.startswith(FAMILY):
        raise ValueError(
            f"{path} was written by torch.save, not by save_checkpoint; {_foreign(path, content)}"
        )
    if found != FORMAT:
        raise ValueError(
            f"{path} has the format {found!r}, and this version of the course reads {FORMAT!r}; "
            "update the course, or train and save again"
        )
    return content


def _not_there(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; give the path of a checkpoint in it"
    missing = f"checkpoint {path.name} in {path.parent}" if path.parent.is_dir() else f"folder {path.parent}"
    return f"there is no {missing}; give the path that save_checkpoint returned"


def _unreadable(path: Path, error: Exception) -> Exception:
    """Return what to raise where a file could not be read: that may be the fault of the disk, or of the memory."""
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return MemoryError(
            f"there is too little free memory to load {path}; shut down other notebooks, and try again"
        )
    # A damaged file may send the reader to a place before its beginning, which is an invalid argument to the disk.
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        return OSError(error.errno, error.strerror, str(path))
    if isinstance(error, pickle.UnpicklingError):
        return ValueError(
            f"{path} holds more than tensors and plain values, as torch.save(model) writes it; "
            "save the model with save_checkpoint"
        )
    return ValueError(
        f"{path} cannot be read as a file of save_checkpoint; if it is one, copy or save it again"
    )


def _foreign(path: Path, content: Any) -> str:
    load = f"torch.load({str(path)!r})"
    if isinstance(content, dict) and content and all(isinstance(value, Tensor) for value in content.values()):
        return f"if it is a state_dict, model.load_state_dict({load}) loads it"
    return f"{load} shows what it holds"


def _check_sums(path: Path) -> None:
    # torch.load does not look at the checksums in the file, so a damaged weight would load as a wrong one.
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is wrong")


def _checkpoint(path: Path, content: dict[str, Any]) -> Checkpoint:
    with _in_sentence(f"{path} is not a complete checkpoint: ", _AGAIN):
        for name, (kind, expected) in _KINDS.items():
            if name not in content:
                raise ValueError(f"{name!r} is missing")
            if not isinstance(content[name], kind):
                raise ValueError(f"{name} is {shown(content[name])}, not {expected}")
        return Checkpoint(
            require_whole_number("epoch", content["epoch"], 0),
            _history(content["history"]),
            _classes(content["classes"]),
        )


def _classes(values: Any) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"classes is {shown(values)}; it must be a list of names")
    names = tuple(plain(list(values)))
    for number, name in enumerate(names):
        # Some data sets count their classes and give them no names.
        if not isinstance(name, str | int):
            raise ValueError(
                f"classes[{number}] is {shown(name)}; each class must be a name (str) or an integer (int)"
            )
    return names


def _history(rows: Any) -> History:
    if not isinstance(rows, list | tuple):
        raise ValueError(f"history is {shown(rows)}; it must be a list of rows, as fit returns it")
    return History(_row(row, f"history[{number}]") for number, row in enumerate(rows))


def _row(row: Any, where: str) -> EpochResult:
    fields = EpochResult._fields
    if not isinstance(row, list | tuple) or len(row) != len(fields):
        raise ValueError(
            f"{where} is {shown(row)}; the history that fit returns has {len(fields)} numbers per row"
        )
    values = [whole_number(row[0]), *map(real_number, row[1:])]
    for name, value, number in zip(fields, row, values, strict=True):
        if number is None:
            kind = "an integer (int)" if name == "epoch" else "a number"
            raise ValueError(f"{where}.{name} is {shown(value)}; it must be {kind}")
    return EpochResult(*values)


# --- does it fit? ---------------------------------------------------------------------------------------------


def _weights(path: Path, saved: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Return what is to be loaded into ``model``, under the names of the bare model; refuse another model's."""
    here = plain_state_dict(model)
    if saved.keys() != here.keys() and all(isinstance(name, str) for name in saved):
        # Earlier versions saved a wrapped model under its wrapper's names.
        names = without_wrapper_names(saved)
        saved = dict(zip(names, saved.values(), strict=True)) if len(set(names)) == len(saved) else saved
    mine, theirs = ({name: _form(value) for name, value in state.items()} for state in (here, saved))
    differing = [name for name in mine | theirs if mine.get(name) != theirs.get(name)]
    if not differing:
        return saved
    name, number = differing[0], len(differing)
    raise ValueError(
        f"{path} does not fit {type(unwrapped(model)).__name__}: {number} difference{'s' * (number > 1)} in names, "
        f"shapes or types, first {name} (file: {theirs.get(name, 'missing')}, here: {mine.get(name, 'missing')}); "
        f"{_REMEDIES.get(mine.get(name), 'build the model that was saved')}"
    )


_NOT_MADE, _NO_NUMBERS = "not made yet", "without numbers (on the device meta)"
_REMEDIES = {
    _NOT_MADE: "call the model with a batch of images first",
    _NO_NUMBERS: "make the model without torch.device('meta')",
}


def _form(value: Any) -> str:
    """Say what must be equal for one value to take another's place: the shape, and the kind of numbers."""
    if not isinstance(value, Tensor):
        return "no tensor"
    if nn.parameter.is_lazy(value):
        return _NOT_MADE
    if value.is_meta:
        return _NO_NUMBERS
    kind = "" if value.is_floating_point() else " of complex" if value.is_complex() else " of integers"
    return f"shape {tuple(value.shape)}{kind}"


def _check_optimizer(path: Path, content: dict[str, Any], optimizer: Optimizer, model: nn.Module) -> None:
    saved, name = content["optimizer"], type(optimizer).__name__
    if saved is None:
        raise ValueError(f"{path} was saved without an optimizer; load it with {_ALONE}")
    # Names, not settings: Adam and AdamW have the same settings, and a schedule adds one of its own.
    if content["optimizer_name"] != name:
        raise ValueError(
            f"{path} was saved with the optimizer {content['optimizer_name']}, not {name}; "
            f"make that one, or load the model alone with {_ALONE}"
        )
    here, there = (_sizes(state) for state in (optimizer.state_dict(), saved))
    if there is None:
        raise ValueError(f"{path} is not a complete checkpoint: its optimizer state is damaged{_AGAIN}")
    if here != there:
        raise ValueError(
            f"{path} was saved with an optimizer of {there} parameter tensors per group, and this one has {here}; "
            "make it from the same parameters as when it was saved"
        )
    _try_out(path, saved, optimizer, model)


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


def _try_out(path: Path, saved: dict[str, Any], optimizer: Optimizer, model: nn.Module) -> None:
    """Refuse a state from which a copy of the optimiser cannot take a step, because only that shows whether it can."""
    # Somebody else's optimiser may do anything in a step, and some need gradients of another kind than these.
    if not type(optimizer).__module__.startswith("torch.optim.") or _error_of_step(optimizer) is not None:
        return
    error = _error_of_step(optimizer, saved)
    if error is None:
        return
    name, own = type(optimizer).__name__, set(map(id, model.parameters()))
    if own.isdisjoint(id(parameter) for group in optimizer.param_groups for parameter in group["params"]):
        raise ValueError(
            f"{path} was not loaded: optimizer was made from the parameters of another model; make it from this one's: "
            f"{name}(model.parameters(), ...)"
        ) from error
    raise ValueError(
        f"{path}'s optimizer state does not fit this {name} ({_reason(error)}); make it from the same parameters, in "
        f"the same order, as when it was saved, or{_AGAIN[1:]}"
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
    return textwrap.shorten(f"{type(error).__name__}: {error}", 300, placeholder=" ...")


# --- taking over ----------------------------------------------------------------------------------------------


def _check_changeable(path: Path, model: nn.Module) -> None:
    tensors = (*model.parameters(), *model.buffers())
    if any(tensor.is_inference() for tensor in tensors) and not torch.is_inference_mode_enabled():
        raise ValueError(
            f"{path} was not loaded: model was made in torch.inference_mode(), so nothing can be loaded into it; "
            "make it outside of that block"
        )


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
        kept = "nothing was changed"
        try:
            model.load_state_dict(weights)
        except Exception:
            kept = "a part of the model may be changed, so make it anew"
        if isinstance(error, Exception):
            raise ValueError(f"{path} cannot be loaded, and {kept} ({_reason(error)})") from error
        raise


_TECHNICAL = {"foreach", "fused", "capturable", "differentiable"}
"""Settings that decide how a step is computed, and not what it does."""


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
    # The learning rate first, because it is what one most often wants to set.
    changed = sorted((name for name in before if before[name] != after[name]), key=lambda name: name != "lr")
    if changed:
        told = [
            f"{name} to {_each_once(after[name])} (it was {_each_once(before[name])})" for name in changed
        ]
        name = changed[0]
        print(
            f"{path.name} set {', '.join(told)}; to change one: "
            f"for g in optimizer.param_groups: g[{name!r}] = {before[name][0]!r}"
        )


def _each_once(values: list[Any]) -> str:
    return " and ".join(dict.fromkeys(map(str, values)))
