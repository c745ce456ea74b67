"""How fast the interactive parts answer: ``python -m tests.benchmarks.widgets``.

Every control is moved several times; the table gives the median and the longest time until the new view is made, on
one thread. What the browser adds is not measured here. Parts that train do so beside the kernel and show how far
they are; for them this is the time until they do.
"""

from __future__ import annotations

import os
import platform
import statistics
import time

import torch
from ipywidgets import Button, Checkbox, Dropdown

from fmnist_helpers import NeuralNetwork, make_loaders, prepare_data, seed_everything
from fmnist_helpers.study import read_study
from fmnist_helpers.widgets import (
    BatchBrowser,
    BreakTheLoop,
    ImageBrowser,
    LayerPath,
    LogitExplorer,
    OptimizerRace,
    StudyExplorer,
)
from fmnist_helpers.widgets.parts import Interactive
from tests.benchmarks.study import RESULTS

ROUNDS = 15


def moves(control) -> list:
    """Return values to move a control through."""
    if isinstance(control, Dropdown):
        return [option[1] if isinstance(option, tuple) else option for option in control.options]
    if isinstance(control, Checkbox):
        return [not control.value, control.value]
    span = control.max - control.min
    return [control.min + round(span * share / control.step) * control.step for share in (0.2, 0.5, 0.8)]


def answers(part: Interactive) -> list[float]:
    """Return how long each move of each control took, in milliseconds."""
    times = []
    for control in part.controls:
        if isinstance(control, Button):
            continue
        for number in range(ROUNDS):
            values = moves(control)
            start = time.perf_counter()
            control.value = values[number % len(values)]
            times.append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    root = prepare_data()
    loaders = make_loaders(root)
    images, labels = next(iter(loaders.valid))
    seed_everything(0)
    parts = [
        ImageBrowser(root),
        BatchBrowser(root),
        LayerPath(NeuralNetwork(), images, labels),
        LogitExplorer(),
        LogitExplorer(10),
        OptimizerRace(),
        StudyExplorer(read_study(RESULTS / "study_real.json")),
        BreakTheLoop(lambda: make_loaders(root, seed=0).train, loaders.valid),
    ]
    print(f"{platform.machine()}, {os.cpu_count()} cores, 1 thread, Python {platform.python_version()}")
    print(f"{'part':16s} {'median ms':>10s} {'longest ms':>11s}")
    for part in parts:
        times = answers(part)
        if isinstance(part, BreakTheLoop):
            part.wait()
        print(f"{type(part).__name__:16s} {statistics.median(times):10.0f} {max(times):11.0f}")


if __name__ == "__main__":
    main()
