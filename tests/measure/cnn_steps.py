"""Which ways to compute the same make the CNN faster: ``OMP_NUM_THREADS=1 python -m tests.measure.cnn_steps``.

One training iteration of the final recipe's network (a batch of 256), in float32 and with the channels last in memory;
in bfloat16 and with both, where the processor has instructions for it; and float32 and the fastest of these under
``torch.compile``, where a C++ compiler is at hand. The ways are timed in turn; the time that compiling takes stands
beside its gain. ``--write`` stores the figures for lesson 07, beside those of other machines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import fmnist_helpers as helpers
from fmnist_helpers.recipes.recipe import Recipe, build_model, build_optimizer
from fmnist_helpers.recipes.study import FINAL, STEPS
from fmnist_helpers.runtime import has_bfloat16
from tests.measure.results import store
from tests.measure.study import about
from tests.tools.course import RESULTS

STORED = RESULTS / "cnn_steps.json"
PLAIN = "float32"
COMPILED = ", compiled"
"""The end of the name of a way that is compiled."""


def ways() -> dict[str, Recipe]:
    """Return the recipes to time on this machine, by name; bfloat16 only where it is not imitated."""
    recipe = STEPS[FINAL].recipe
    plain = replace(recipe, channels_last=False, bfloat16=False)
    last = replace(recipe, bfloat16=False)
    if not has_bfloat16():
        return {
            PLAIN: plain,
            PLAIN + COMPILED: plain,
            "channels last": last,
            "channels last" + COMPILED: last,
        }
    return {
        PLAIN: plain,
        PLAIN + COMPILED: plain,
        "channels last": last,
        "bfloat16": replace(recipe, channels_last=False),
        "both": recipe,
        "both" + COMPILED: recipe,
    }


def make_step(recipe: Recipe, batch_size: int, compiled: bool) -> Callable[[], None]:
    """Return a function that does one training iteration, always on the same random images."""
    helpers.seed_everything(0)
    model = build_model(recipe).train()
    optimizer = build_optimizer(recipe, model)
    called = torch.compile(model) if compiled else model
    images, labels = torch.rand(batch_size, 1, 28, 28), torch.randint(0, 10, (batch_size,))
    loss_fn = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def step() -> None:
        optimizer.zero_grad()
        loss_fn(called(images), labels).backward()
        optimizer.step()

    return step


def measure(batch_size: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the first and the median later seconds of an iteration for each way that works here."""
    steps, seconds = {}, {}
    for name, recipe in ways().items():
        step = make_step(recipe, batch_size, compiled=name.endswith(COMPILED))
        start = time.perf_counter()
        try:
            step()
        except Exception as error:  # What a missing compiler raises depends on the version of torch.
            if not name.endswith(COMPILED):
                raise
            print(f"torch.compile does not work here ({type(error).__name__})")
            continue
        steps[name], seconds[name] = step, [time.perf_counter() - start]
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return {
        name: {"first": values[0], "median": statistics.median(values[2:]), "least": min(values[2:])}
        for name, values in seconds.items()
    }


def report(figures: dict[str, dict[str, float]]) -> str:
    """Return a line for each way: milliseconds per iteration, how many times as fast, seconds of the first call."""
    plain = figures[PLAIN]["median"]
    lines = [f"{'':24s} {'ms per iteration':>16s} {'times as fast':>14s} {'first call, s':>14s}"]
    for name, values in figures.items():
        lines.append(
            f"{name:24s} {1000 * values['median']:16.1f} {plain / values['median']:14.2f} {values['first']:14.2f}"
        )
    return "\n".join(lines)


def write(header: dict[str, Any], figures: dict[str, dict[str, float]], path: Path = STORED) -> None:
    """Store figures in place of earlier ones of the same machine, and leave those of other machines."""
    stored = json.loads(path.read_text(encoding="utf-8"))["machines"] if path.exists() else []
    by_machine = {one["about"]["machine"]: one for one in stored}
    by_machine[header["machine"]] = {"about": header, "ways": figures}
    store({"machines": list(by_machine.values())}, path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=STEPS[FINAL].recipe.batch_size)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--write", action="store_true", help=f"store the figures in {STORED.name}")
    arguments = parser.parse_args()
    if arguments.batch_size < 2 or arguments.rounds < 2:
        parser.error("--batch-size and --rounds must be 2 or above")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        # What an earlier run has compiled would be taken from its cache, and the first call would seem to be short.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        figures = measure(arguments.batch_size, arguments.rounds)
    print(report(figures))
    if arguments.write:
        header = {name: about("random images", None)[name] for name in ("machine", "versions")}
        load = f"{os.getloadavg()[1]:.1f} processes at once on {os.cpu_count()} cores"
        header = {"command": "python -m tests.measure.cnn_steps --write", **header, "load": load}
        write(header, figures)


if __name__ == "__main__":
    main()
