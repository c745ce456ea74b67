"""What the package exports, how light its import is, and which module may import which."""

from __future__ import annotations

import ast
import graphlib
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

MAY_USE = {
    "": {"", "data"},
    "checks": {"exercises"},
    "data": {""},
    "recipes": {"", "recipes"},
    "exercises": {"", "data"},
    "widgets": {"", "data", "recipes"},
    "course": {"", "data"},
    "grading": {"", "exercises", "course"},
}
"""Which rooms the modules of a room may use beside their own; "" is what lies at the top of the package."""

ONLY_TORCH = ("explain", "history", "loops", "model", "progress", "watch")
"""What a learner reads of training needs nothing but PyTorch."""

DRAW = ("matplotlib", "ipywidgets", "anywidget", "contourpy")
"""Drawing, which only plots, figures, sketches, widgets and the timeline know of."""


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


@pytest.mark.slow
def test_import_is_light_and_a_plot_loads_matplotlib():
    # In a process of its own, because the other tests have loaded everything here.
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=FOLDER.parent, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    imported, matplotlib_after_plot = json.loads(done.stdout)
    assert not LATE & {name.partition(".")[0] for name in imported}
    assert matplotlib_after_plot


def name_of(path: Path) -> str:
    """Return a file's name as a module, within the package."""
    return ".".join(path.relative_to(FOLDER).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """Return what a file imports, anywhere in it: the package's modules by name, others by their first part."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # What is taken from a package may be a module of it.
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {
                name if name.removeprefix("fmnist_helpers.") in MODULES else node.module for name in whole
            }
    ours = {name.removeprefix("fmnist_helpers.") for name in found if name.startswith("fmnist_helpers.")}
    theirs = {name.partition(".")[0] for name in found} - {"fmnist_helpers", *sys.stdlib_module_names}
    return ours | theirs


PATHS = sorted(FOLDER.rglob("*.py"))
MODULES = {name_of(path) for path in PATHS}
IMPORTS_OF = {name_of(path): imports_of(path) for path in PATHS}


def room(module: str) -> str:
    """Return the folder of a module, or "" for what lies at the top; the old name of the exercises is a room."""
    first, _, rest = module.partition(".")
    return first if rest or first in MAY_USE else ""


def test_no_two_files_share_a_name():
    names = [path.name for path in PATHS if not path.stem.startswith("__")]
    assert sorted(names) == sorted(set(names))
    # Nor does a folder share one with a file.
    assert not {path.parent.name for path in PATHS} & {path.stem for path in PATHS}


def test_there_is_no_circle():
    graph = {name: used & MODULES for name, used in IMPORTS_OF.items() if name != "__init__"}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("watch") < order.index("exercises.recorder")


@pytest.mark.parametrize("module", sorted(MODULES - {"__init__"}))
def test_a_module_uses_only_the_rooms_that_its_own_may_use(module):
    used = {room(name) for name in IMPORTS_OF[module] & MODULES}
    assert used <= {room(module), *MAY_USE[room(module)]}


def test_what_a_learner_reads_of_training_needs_only_pytorch():
    for module in ONLY_TORCH:
        assert IMPORTS_OF[module] - MODULES <= {"torch", *({"tqdm"} if module == "progress" else ())}, module


def test_only_plots_sketches_widgets_and_the_timeline_draw():
    drawing = {module for module in MODULES if IMPORTS_OF[module] & set(DRAW)}
    known = {"plots", "plots_functions", "figures", "sketch", "recipes.plots_study", "exercises.timeline"}
    assert {one for one in drawing if room(one) != "widgets"} == known


def test_nothing_of_the_package_imports_tests_or_notebooks():
    assert not any({"tests", "notebooks"} & used for used in IMPORTS_OF.values())
