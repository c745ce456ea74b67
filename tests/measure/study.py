"""Carry out the study of lessons 06 and 07 and store it: ``make study``, or ``python -m tests.measure.study``.

    python -m tests.measure.study                       # the real data, five seeds, one to three hours
    python -m tests.measure.study --source standin --output /tmp/study.json
    python -m tests.measure.study --only shuffling CNN  # some steps; the others are kept

Each recipe of ``fmnist_helpers.recipes.study.STEPS`` is trained with every seed on one thread. The results are
stored after each run, seed by seed, so that a study that was stopped goes on where it was. Only the validation split is
looked at. Stored of each run: which of its images were named correctly, and the processor's time, because what else a
shared machine does would be in the wall time.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

import fmnist_helpers as helpers
from fmnist_helpers.recipes.recipe import Recipe, build_model, train_recipe
from fmnist_helpers.recipes.study import STEPS, Study, read_study
from fmnist_helpers.runtime import has_bfloat16, processor, versions
from tests.measure.results import store
from tests.tools.course import RESULTS

SOURCES = ("real", "standin")


def default_source() -> str:
    """Return the data that ``FMNIST_SOURCE`` asks for: the stand-in, or else the real data and nothing in its place."""
    return "standin" if os.environ.get("FMNIST_SOURCE") == "standin" else "real"


def about(source: str, num_train: int | None) -> dict[str, Any]:
    """Return what must be equal for runs to stand in one table."""
    # How many cores there are decides nothing for one thread, and the stored study does not say it.
    machine = re.sub(r" \d+ cores,", "", processor())
    bfloat16 = "in hardware" if has_bfloat16() else "not in hardware, float32 in its place"
    return {
        "command": "make study",
        "data": source,
        "split": f"{num_train or 55_000:,} training images, 5,000 for validation",
        "machine": f"{machine}, bfloat16 {bfloat16}",
        "versions": versions(),
        "seconds": "of the processor, median of the seeds",
    }


def open_study(path: Path, header: dict[str, Any], fresh: bool) -> dict[str, Any]:
    """Return what is stored, or the beginnings of a new study.

    Raises:
        ValueError: if the file holds another study, whose runs cannot stand beside new ones, or none.
    """
    if fresh or not path.exists():
        return {"about": header, "num_images": 0, "steps": {}}
    try:
        read_study(path)
    except ValueError as error:
        raise ValueError(
            f"{path} does not hold a study; replace it with --fresh, or choose another file with --output"
        ) from error
    content = json.loads(path.read_text(encoding="utf-8"))
    differing = [name for name in header if content["about"].get(name) != header[name]]
    if differing:
        name = differing[0]
        raise ValueError(
            f"{path} holds a study with another {name} ({content['about'].get(name)}, here {header[name]}); "
            "choose another file with --output, or replace it with --fresh"
        )
    # A recipe that was changed since is measured anew.
    content["steps"] = {
        name: stored
        for name, stored in content["steps"].items()
        if name in STEPS and stored["recipe"] == asdict(STEPS[name].recipe)
    }
    return content


def run_study(
    names: Sequence[str],
    seeds: Iterable[int],
    root: Path,
    path: Path,
    content: dict[str, Any],
    **limits: int | None,
) -> None:
    """Carry out what is missing of the named steps and store the results after every run.

    Args:
        names: steps, by their names in ``STEPS``.
        seeds: one run for each.
        root: the data, as ``prepare_data`` returns it.
        path: where the results are stored.
        content: what is there already, as :func:`open_study` returns it.
        limits: ``num_train`` and ``num_valid``, passed on to ``train_recipe``.

    Raises:
        ValueError: if no step or no seed is named, or a step is unknown.
    """
    seeds = list(seeds)
    if not names or not seeds:
        raise ValueError("the study is empty: name at least one step and one seed")
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        raise ValueError(f"there is no step {unknown[0]!r}; choose among {', '.join(STEPS)}")
    for seed in seeds:
        for name in names:
            _run_step(name, seed, root, content, limits)
            _store(path, content)


def _run_step(
    name: str, seed: int, root: Path, content: dict[str, Any], limits: dict[str, int | None]
) -> None:
    step = STEPS[name]
    stored = content["steps"].setdefault(
        name,
        {
            "compared_with": step.compared_with,
            "recipe": asdict(step.recipe),
            "num_parameters": helpers.count_parameters(build_model(step.recipe)),
            "runs": [],
        },
    )
    if any(run["seed"] == seed for run in stored["runs"]):
        return
    valid_loader = helpers.make_loaders(root, 1000, num_valid=limits.get("num_valid", 5000)).valid
    content["num_images"] = len(valid_loader.dataset)
    halves = Halves(step.recipe, valid_loader, limits.get("num_train"))
    run = train_recipe(step.recipe, root, seed, progress=False, after_step=halves, **limits)
    if run.history.interrupted:
        # What was stopped half-way is no measurement of the recipe.
        raise KeyboardInterrupt
    seconds = run.processor_seconds - halves.seconds
    print(f"seed {seed}, {name:20s} {run.valid_accuracy:7.2%} {seconds:6.1f} s", flush=True)
    stored["runs"].append(
        {
            "seed": seed,
            "valid_accuracy": run.valid_accuracy,
            "seconds": seconds,
            "curve": run.history.column("valid_accuracy"),
            **({"halves": halves.accuracies} if step.recipe.patience is not None else {}),
            "right": base64.b64encode(np.packbits(named_correctly(run.model, valid_loader))).decode(),
        }
    )


def named_correctly(model: nn.Module, loader: DataLoader) -> np.ndarray:
    """Return for each image of ``loader``, in its order, whether ``model`` names it correctly."""
    model.eval()
    with torch.no_grad():
        right = [model(images).argmax(dim=1) == labels for images, labels in loader]
    return torch.cat(right).numpy()


class Halves:
    """Notes after each epoch of a recipe that chooses one how good each half of the validation images finds it.

    Attributes:
        accuracies: for each epoch, those on the images at even and at odd places.
        seconds: the processor time that this took.
    """

    def __init__(self, recipe: Recipe, valid_loader: DataLoader, num_train: int | None) -> None:
        self.accuracies: list[tuple[float, float]] = []
        self.seconds = 0.0
        self._loader, self._chooses, self._step = valid_loader, recipe.patience is not None, 0
        self._steps_per_epoch = -(-(num_train or 55_000) // recipe.batch_size)

    def __call__(self, model: nn.Module) -> None:
        """Count a step; what ``train_recipe`` calls after each."""
        self._step += 1
        if not self._chooses or self._step % self._steps_per_epoch:
            return
        start = time.process_time()
        right = named_correctly(model, self._loader)
        model.train()
        self.accuracies.append((float(right[0::2].mean()), float(right[1::2].mean())))
        self.seconds += time.process_time() - start


def _store(path: Path, content: dict[str, Any]) -> None:
    # In the order of the lesson, whatever order the runs were made in.
    content["steps"] = {name: content["steps"][name] for name in STEPS if name in content["steps"]}
    store(content, path)


def main() -> None:
    """Run what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=SOURCES, default=default_source())
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--only", nargs="*", default=list(STEPS), metavar="STEP", help="these steps only")
    parser.add_argument("--num-train", type=int, help="so many training images only, for a trial")
    parser.add_argument("--output", type=Path, help="where to store (default: notebooks/results)")
    parser.add_argument("--fresh", action="store_true", help="forget what is stored")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = arguments.output or RESULTS / f"study_{arguments.source}.json"
    try:
        root = helpers.prepare_data(source=arguments.source)
        content = open_study(path, about(arguments.source, arguments.num_train), arguments.fresh)
        run_study(arguments.only, range(arguments.seeds), root, path, content, num_train=arguments.num_train)
    except (ValueError, helpers.DataError) as error:
        sys.exit(str(error))
    print_study(read_study(path))


def print_study(study: Study) -> None:
    """Print where the study was made, and its table."""
    print("\n" + "\n".join(f"{name}: {value}" for name, value in study.about.items()) + f"\n\n{study}")


if __name__ == "__main__":
    main()
