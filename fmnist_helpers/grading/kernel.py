"""The kernel in which a submission is graded: limited, and with a guard over the checks.

The guard remembers what the checks, PyTorch and Python's built-ins are before any line of the student runs. After
every cell it puts back what was changed and names it in the reply; a test cell during which anything changed earns
nothing. A determined program can still find its way around: it shares the process with the checks.
"""

from __future__ import annotations

import builtins
import importlib
import math
import os
import pkgutil
import resource
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import torch
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

import fmnist_helpers.exercises
from fmnist_helpers.exercises import observe

_MISSING = object()
IPYTHONS_OWN = {"exit", "quit", "input", "_", "get_ipython", "display"}
"""Built-ins that IPython itself replaces while a cell runs."""
PYTORCHS_OWN = {"manual_seed"}
"""What PyTorch wraps in itself when its compiler is loaded, which the first optimiser does."""


class Guard:
    """Remembers attributes and puts them back.

    Args:
        strict: modules of which every attribute is watched, with the code of their functions.
        others: modules and classes of which only functions and classes are watched.
    """

    def __init__(self, strict: list[ModuleType], others: list[Any]) -> None:
        self._attributes: list[tuple[Any, str, Any]] = []
        self._codes: list[tuple[FunctionType, tuple[Any, ...]]] = []
        self._modules = {
            module.__name__: module for module in [*strict, *others] if isinstance(module, ModuleType)
        }
        self._names: dict[type, set[str]] = {}
        self._meta_path = list(sys.meta_path)
        for module in strict:
            self._watch(module, lambda value: True)
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == module.__name__:
                    self._watch(
                        value, lambda inner: callable(inner) or isinstance(inner, property | staticmethod)
                    )
        for owner in others:
            self._watch(owner, lambda value: callable(value) or isinstance(value, property | staticmethod))

    def _watch(self, owner: Any, wanted: Callable[[Any], bool]) -> None:
        if isinstance(owner, type):
            self._names[owner] = set(vars(owner))
        for name, value in list(vars(owner).items()):
            if wanted(value) and name not in ("__builtins__", "__dict__", "__weakref__", "__cached__"):
                if name in {builtins: IPYTHONS_OWN, torch: PYTORCHS_OWN}.get(owner, ()):
                    continue
                self._attributes.append((owner, name, value))
                function = value.__func__ if isinstance(value, staticmethod) else value
                if isinstance(function, FunctionType) and function.__module__.startswith("fmnist_helpers"):
                    state = function.__code__, function.__defaults__, function.__kwdefaults__
                    self._codes.append((function, state))

    def restore(self) -> list[str]:
        """Put back what was changed; return the names of it, in order."""
        changed = []
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                changed.append(name)
        for owner, name, value in self._attributes:
            if vars(owner).get(name, _MISSING) is not value:
                setattr(owner, name, value)
                changed.append(f"{owner.__name__}.{name}")
        for owner, names in self._names.items():
            for name in set(vars(owner)) - names:
                # A new attribute matters where it hides an inherited one.
                if any(name in vars(base) for base in owner.__mro__[1:]):
                    delattr(owner, name)
                    changed.append(f"{owner.__name__}.{name}")
        for function, state in self._codes:
            if (function.__code__, function.__defaults__, function.__kwdefaults__) != state:
                function.__code__, function.__defaults__, function.__kwdefaults__ = state
                changed.append(f"{function.__module__}.{function.__qualname__}")
        if sys.meta_path != self._meta_path:
            sys.meta_path[:] = self._meta_path
            changed.append("sys.meta_path")
        return changed


class ShellGuard:
    """Undoes what a cell may do to IPython itself so that the next cell is run as another one, or its error lost."""

    LISTS = ("input_transformers_cleanup", "input_transformers_post", "ast_transformers")

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._lists = {name: list(getattr(shell, name)) for name in self.LISTS}
        self._own = {name: value for name, value in vars(shell).items() if callable(value)}
        self._events = {name: list(callbacks) for name, callbacks in shell.events.callbacks.items()}

    def restore(self) -> list[str]:
        """Put back what was changed; return the names of it, in order."""
        shell, changed = self._shell, []
        for name, value in self._lists.items():
            if list(getattr(shell, name)) != value:
                getattr(shell, name)[:] = value
                changed.append(f"IPython.{name}")
        # A method that the shell's class has is hidden by an attribute of the same name.
        for name in [
            name for name in vars(shell) if callable(vars(shell)[name]) and hasattr(type(shell), name)
        ]:
            if vars(shell)[name] is not self._own.get(name, _MISSING):
                delattr(shell, name)
                changed.append(f"IPython.{name}")
        if shell.custom_exceptions:
            shell.custom_exceptions = ()
            changed.append("IPython.set_custom_exc")
        for name, callbacks in self._events.items():
            # matplotlib adds callbacks of its own, which only draw.
            added = [one for one in shell.events.callbacks[name] if one not in callbacks]
            foreign = [one for one in added if not getattr(one, "__module__", "").startswith("matplotlib")]
            for callback in foreign:
                shell.events.callbacks[name].remove(callback)
                changed.append(f"IPython.events.{name}")
        if sys.gettrace() is not None or sys.getprofile() is not None:
            sys.settrace(None)
            sys.setprofile(None)
            changed.append("sys.settrace")
        return changed


def make_guard() -> Guard:
    """Return a guard over the package, the parts of PyTorch that checks use, and Python's built-ins."""
    for module in pkgutil.iter_modules(fmnist_helpers.exercises.__path__, "fmnist_helpers.exercises."):
        # The timeline only draws, and would make every submission wait for matplotlib.
        if not module.name.endswith(".timeline"):
            importlib.import_module(module.name)
    package = [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("fmnist_helpers.") and not name.startswith("fmnist_helpers.grading")
    ]
    optim, data = torch.optim, torch.utils.data
    # The first SGD wraps the step of its class, which is no change of the student's. Done here as PyTorch does it,
    # because making one would load the compiler, which takes as long as all of PyTorch.
    if not getattr(optim.SGD.step, "hooked", False):
        optim.SGD.step = optim.Optimizer.profile_hook_step(optim.SGD.step)
        optim.SGD.step.hooked = True
    pytorch = [torch, torch.nn, torch.nn.functional, torch.testing, torch.autograd, torch.func, optim, data]
    classes = [
        torch.Tensor,
        torch.nn.Module,
        torch.nn.CrossEntropyLoss,
        torch.nn.Linear,
        optim.Optimizer,
        optim.SGD,
    ]
    return Guard(package, [builtins, math, *pytorch, *classes, data.DataLoader, data.TensorDataset])


class GradedKernel(IPythonKernel):
    """An IPython kernel that restores what was changed after every cell and says so in its reply."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        guards = [make_guard(), ShellGuard(self.shell)]
        self._restore = lambda: [name for guard in guards for name in guard.restore()]
        # So that what a function changes while a check calls it is undone before the check looks at its result.
        # What was undone there is told with the rest.
        undone: list[str] = []
        observe.after_call.append(lambda: undone.extend(guards[0].restore()))
        self._undone = undone

    async def do_execute(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        self._restore()
        self._undone.clear()
        reply = await super().do_execute(*arguments, **options)
        reply["changed"] = sorted({*self._undone, *self._restore()})
        return reply


def apply_limits(memory: int, file_size: int, processes: int) -> None:
    """Limit address space and file size in bytes, and, where the system counts them by user, processes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.getuid() != 0:
        with open("/proc/loadavg") as file:
            running = int(file.read().split()[3].split("/")[1])
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        wanted = running + processes
        resource.setrlimit(resource.RLIMIT_NPROC, (wanted if hard < 0 else min(wanted, hard), hard))


if __name__ == "__main__":
    apply_limits(*map(int, os.environ.pop("FMNIST_GRADING_LIMITS").split()))
    # In this process the module is called __main__, and a student's import of it would make another one.
    IPKernelApp.launch_instance(kernel_class=GradedKernel)
