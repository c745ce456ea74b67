"""Save a model with all that is needed to go on training it, and load it again."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.data import CLASSES
from fmnist_helpers.history import EpochResult, History

FORMAT = "fmnist-course-checkpoint-1"


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

    Args:
        path: the file; its folder is made if it is missing.
        model: its parameters and buffers are saved.
        optimizer: its state too, if given (momentum, Adam's averages, learning rate).
        epoch: how many epochs the model was trained.
        history: the result of ``fit``.
        classes: the class names, in the order of the model's outputs.

    Returns:
        The path of the file.

    Raises:
        OSError: if the file cannot be written.
    """
    path = Path(path)
    content = {
        "format": FORMAT,
        "model": model.state_dict(),
        "optimizer": None if optimizer is None else optimizer.state_dict(),
        "optimizer_name": type(optimizer).__name__,
        "epoch": epoch,
        # Plain tuples: loading with weights_only=True refuses classes it does not know.
        "history": [tuple(row) for row in history or ()],
        "classes": tuple(classes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        torch.save(content, file)
    return path


def load_checkpoint(path: str | Path, model: nn.Module, optimizer: Optimizer | None = None) -> Checkpoint:
    """Load a checkpoint into ``model`` (and ``optimizer``), onto the device they are on.

    Only tensors and plain values are read (``weights_only=True``), so that a file from somebody else cannot
    run code. Everything is checked first: if an error is raised, ``model`` and ``optimizer`` are unchanged.

    Returns:
        Epoch, history and class names.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not a checkpoint of this course or belongs to another model or optimiser.
    """
    path = Path(path)
    content = _read(path)
    _check_model(path, content["model"], model)
    if optimizer is not None:
        _check_optimizer(path, content, optimizer)
        optimizer.load_state_dict(content["optimizer"])
    model.load_state_dict(content["model"])
    history = History(EpochResult(*row) for row in content["history"])
    return Checkpoint(content["epoch"], history, tuple(content["classes"]))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError:
        raise
    except Exception as error:  # A foreign or damaged file can make the reader raise almost anything.
        raise ValueError(f"{path} is not a checkpoint, or it is damaged") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is a PyTorch file, but not written by save_checkpoint")
    return content


def _check_sums(path: Path) -> None:
    # torch.load does not look at the checksums in the file, so a damaged weight would load as a wrong one.
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is wrong")


def _check_model(path: Path, saved: dict[str, torch.Tensor], model: nn.Module) -> None:
    here = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    there = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    if here == there:
        return
    differing = sorted(n for n in here.keys() | there.keys() if here.get(n) != there.get(n))
    name = differing[0]
    raise ValueError(
        f"{path} holds another model: {len(differing)} of its tensors differ from {type(model).__name__}'s; "
        f"the first, {name}, is {there.get(name, 'missing')} in the file and {here.get(name, 'missing')} here"
    )


def _check_optimizer(path: Path, content: dict[str, Any], optimizer: Optimizer) -> None:
    saved, name = content["optimizer"], type(optimizer).__name__
    if saved is None:
        raise ValueError(f"{path} was saved without its optimiser, so none can be loaded from it")
    # Names, not settings: Adam and AdamW have the same settings, and a schedule adds one of its own.
    if content["optimizer_name"] != name:
        raise ValueError(f"{path} holds the state of {content['optimizer_name']}, not of {name}")
    here, there = (
        [len(group["params"]) for group in state["param_groups"]] for state in (optimizer.state_dict(), saved)
    )
    if here != there:
        raise ValueError(
            f"{path} holds an optimiser of other parameters: groups of {there} tensors, here {here}"
        )
