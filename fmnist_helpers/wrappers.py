"""The names of a model's tensors without those of the wrappers around it.

``torch.compile`` puts ``_orig_mod.`` before the names of what it wraps, ``DataParallel`` and
``DistributedDataParallel`` put ``module.`` there. The tensors are the same ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from torch import nn

_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model that stands within the outermost wrappers, or the model itself where there is none."""
    while _is_wrapper(model):
        [model] = model._modules.values()
    return model


def plain_state_dict(model: nn.Module) -> OrderedDict[str, Any]:
    """Return ``model.state_dict()``, the same tensors, under the names that they have without any wrapper."""
    state, paths = model.state_dict(), _plain_paths(model)
    plain = OrderedDict((_renamed(name, paths), value) for name, value in state.items())
    # The versions of the modules, by which PyTorch reads what older modules have saved.
    plain._metadata = OrderedDict(
        (paths.get(path, path), version) for path, version in getattr(state, "_metadata", {}).items()
    )
    return plain


def load_plain_state_dict(model: nn.Module, plain: dict[str, Any]) -> None:
    """Load what :func:`plain_state_dict` returned, of this or another model, into ``model``, wrapped or not."""
    paths = _plain_paths(model)
    state = OrderedDict((name, plain[_renamed(name, paths)]) for name in model.state_dict())
    versions = getattr(plain, "_metadata", None)
    if isinstance(versions, dict):
        state._metadata = OrderedDict((path, versions.get(name, {})) for path, name in paths.items())
    model.load_state_dict(state)


def without_wrapper_names(names: Iterable[str]) -> list[str]:
    """Return names that were taken from a wrapped model, as a file of an earlier version holds them, in plain form."""
    names = [name.replace("_orig_mod.", "") for name in names]
    while names and all(name.startswith("module.") for name in names):
        names = [name.removeprefix("module.").replace("_orig_mod.", "") for name in names]
    return names


def _is_wrapper(module: nn.Module) -> bool:
    # What torch.compile returns has a class in a part of PyTorch that takes seconds to import.
    return isinstance(module, _PARALLEL) or list(module._modules) == ["_orig_mod"]


def _plain_paths(model: nn.Module) -> dict[str, str]:
    """Return the place of every module within ``model``, and where it would be without wrappers: "" is the model."""
    paths = {}

    def visit(module: nn.Module, path: tuple[str, ...], plain: tuple[str, ...]) -> None:
        paths[".".join(path)] = ".".join(plain)
        for name, child in module._modules.items():
            if child is not None:
                visit(child, (*path, name), plain if _is_wrapper(module) else (*plain, name))

    visit(model, (), ())
    return paths


def _renamed(name: str, paths: dict[str, str]) -> str:
    path, _, leaf = name.rpartition(".")
    plain = paths.get(path, path)
    return f"{plain}.{leaf}" if plain else leaf
