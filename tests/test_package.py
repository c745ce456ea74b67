"""What the package exports, how light its import is, and which module may import which."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fmnist_helpers as fh

FOLDER = Path(fh.__file__).parent

LATE = {"matplotlib", "ipywidgets", "IPython", "pooch", "requests", "tqdm", "psutil"}
"""What the package loads only when it is needed."""

ALLOWED = {
    "model": {"torch"},
    "progress": set(),
    "history": set(),
    "batch_checks": {"torch"},
    "loops": {"torch", "fmnist_helpers.progress", "fmnist_helpers.history", "fmnist_helpers.batch_checks"},
    "runtime": {"torch", "numpy", "fmnist_helpers.model"},
    "loaders": {"torch", "torchvision", "numpy"},
    "download": {"fmnist_helpers.progress"},
    "data": {"filelock", "fmnist_helpers.standin", "fmnist_helpers.download"},
    "checkpoint": {"torch", "fmnist_helpers.data", "fmnist_helpers.history"},
    "plots": {"torch", "numpy", "matplotlib", "fmnist_helpers.data", "fmnist_helpers.history"},
    "layers": {"torch"},
    "recipe": {
        "torch",
        *(f"fmnist_helpers.{name}" for name in ("history", "layers", "loaders", "loops", "model", "runtime")),
    },
    "study": {"fmnist_helpers.recipe"},
    "distributed": {
        "torch",
        *(
            f"fmnist_helpers.{name}"
            for name in ("batch_checks", "checkpoint", "data", "history", "loaders", "loops")
        ),
        *(f"fmnist_helpers.{name}" for name in ("model", "runtime")),
    },
}
"""What each module may import when it is loaded, beside the standard library."""

ALLOWED_LATER = {
    "progress": {"tqdm"},
    "runtime": {"psutil", "torchvision"},
    "download": {"pooch"},
    "data": {"pooch", "requests", "torchvision"},
    "plots": {"IPython"},
}
"""What each module may import besides, inside a function that needs it."""


@pytest.mark.parametrize("name", fh.__all__)
def test_exported_name_exists_and_is_documented(name):
    value = getattr(fh, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value), f"{name} has no docstring"
        assert value.__module__.startswith("fmnist_helpers.")
    else:
        assert name == "CLASSES"


def test_exports_are_listed_once_and_completed_by_dir():
    assert len(set(fh.__all__)) == len(fh.__all__)
    assert set(fh.__all__) <= set(dir(fh))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fmnist_helpers' has no attribute 'plot_nothing'"):
        fh.plot_nothing  # noqa: B018


def test_ten_classes_are_torchvisions():
    from torchvision.datasets import FashionMNIST

    assert list(fh.CLASSES) == FashionMNIST.classes


IMPORTS = """
import json, sys
import torch, torchvision
before = set(sys.modules)
import fmnist_helpers
dir(fmnist_helpers)
imported = set(sys.modules) - before
fmnist_helpers.plot_images
print(json.dumps([sorted(imported), "matplotlib" in sys.modules]))
"""


def test_import_is_light_and_a_plot_loads_matplotlib():
    # In a process of its own, because the other tests have loaded everything here.
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=FOLDER.parent, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    imported, matplotlib_after_plot = json.loads(done.stdout)
    assert not LATE & {name.partition(".")[0] for name in imported}
    assert matplotlib_after_plot


def imports(module: str) -> tuple[set[str], set[str]]:
    """Return what a module of the package imports: when it is loaded, and inside its functions."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    at_load = {name for node in tree.body for name in imported_names(node)}
    return at_load, {name for node in ast.walk(tree) for name in imported_names(node)} - at_load


def imported_names(node: ast.AST) -> list[str]:
    """Return the modules of an import statement; of the standard library none, of others the first part."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module == "fmnist_helpers":
        names = [f"fmnist_helpers.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module]
    else:
        names = []
    names = [name if name.startswith("fmnist_helpers") else name.partition(".")[0] for name in names]
    return [name for name in names if name not in sys.stdlib_module_names]


@pytest.mark.parametrize("module", ALLOWED)
def test_modules_import_only_what_stands_below_them(module):
    at_load, later = imports(module)
    assert at_load <= ALLOWED[module]
    assert later <= ALLOWED[module] | ALLOWED_LATER.get(module, set())


def test_core_modules_are_all_under_this_rule():
    core = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert {name for name in core if not name.startswith("standin")} == set(ALLOWED)
