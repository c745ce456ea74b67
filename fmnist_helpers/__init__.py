"""The helpers of the course: data, loaders, model, loops, checkpoints and plots.

The core needs only torch and torchvision. Plots are loaded when one is first used, so that importing the
package never waits for matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fmnist_helpers.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fmnist_helpers.data import CLASSES, DataError, prepare_data
from fmnist_helpers.history import EpochResult, History
from fmnist_helpers.loaders import InMemoryDataset, Loaders, make_loaders, stratified_split
from fmnist_helpers.loops import LoopResult, fit, test_loop, train_loop
from fmnist_helpers.model import NeuralNetwork, count_parameters
from fmnist_helpers.runtime import describe_machine, pick_device, seed_everything

_PLOTS = (
    "plot_class_balance",
    "plot_confusion_matrix",
    "plot_curves",
    "plot_first_layer",
    "plot_images",
    "plot_lines",
    "plot_paths",
    "plot_pixels",
    "plot_worst_mistakes",
    "show_figure",
)

# By topic, in the order a lesson meets them.
__all__ = [
    "CLASSES",
    "DataError",
    "prepare_data",
    "InMemoryDataset",
    "Loaders",
    "make_loaders",
    "stratified_split",
    "NeuralNetwork",
    "count_parameters",
    "describe_machine",
    "pick_device",
    "seed_everything",
    "LoopResult",
    "train_loop",
    "test_loop",
    "EpochResult",
    "History",
    "fit",
    "Checkpoint",
    "save_checkpoint",
    "load_checkpoint",
    *_PLOTS,
]


def __getattr__(name: str) -> Any:
    if name in _PLOTS:
        return getattr(import_module("fmnist_helpers.plots"), name)
    raise AttributeError(f"module 'fmnist_helpers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
