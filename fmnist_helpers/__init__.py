"""The helpers of the course: data, loaders, model, loops, checkpoints and plots.

Each name is loaded when it is first used. So importing the package costs nothing, the core never waits for
matplotlib, and what needs no torchvision does not load it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "1.0.0"

# By topic, in the order a lesson meets them: where each name lives.
_HOMES = {
    "data": ("CLASSES", "DataError", "prepare_data"),
    "loaders": ("InMemoryDataset", "Loaders", "make_loaders", "stratified_split"),
    "model": ("ConvolutionalNetwork", "NeuralNetwork", "count_parameters"),
    "runtime": ("describe_machine", "expected_seconds", "pick_device", "seed_everything"),
    "loops": ("LoopResult", "train_loop", "test_loop", "fit"),
    "history": ("EpochResult", "History"),
    "checkpoint": ("Checkpoint", "save_checkpoint", "load_checkpoint"),
    "diagrams": (
        "draw_broadcasting",
        "draw_cycle",
        "draw_matrix_product",
        "draw_network",
        "draw_splits",
        "draw_tensor",
    ),
    "expression": ("Value", "draw_graph"),
    "plots": (
        "plot_bars",
        "plot_class_balance",
        "plot_confusion_matrix",
        "plot_curves",
        "plot_first_layer",
        "plot_images",
        "plot_lines",
        "plot_pixels",
        "plot_points",
        "plot_worst_mistakes",
    ),
    "plots_functions": ("plot_paths", "plot_regions", "plot_softmax", "plot_valley"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fmnist_helpers' has no attribute {name!r}")
    value = getattr(import_module(f"fmnist_helpers.{_HOME[name]}"), name)
    # Kept, so that the next use finds it without coming here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
