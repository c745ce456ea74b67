"""Measure what trained weights are worth with few pictures, and store it: ``python -m tests.measure.transfer``.

In each run another class is new, every second one of the ten: the script of lesson 08 trains a network on the nine
others, and then three networks learn all ten from a few pictures of each. Every run has a seed of its own. Validation
images only.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import fmnist_helpers as helpers
from fmnist_helpers.exercises.turns08_on_your_own import start_from
from fmnist_helpers.runtime import processor, versions
from tests.lessons.script import load_script
from tests.measure.results import store
from tests.measure.spread import mean_and_deviation
from tests.measure.study import SOURCES, default_source
from tests.tools.course import RESULTS

NEW_CLASSES = (0, 2, 4, 6, 8)
PER_CLASS = (5, 20, 80)
"""Pictures of each class."""
NUM_BASE, BASE_EPOCHS, NUM_STEPS = 8_000, 2, 200
WAYS = ("from scratch", "trained, frozen", "trained, all learn")


class Split(NamedTuple):
    """Float images of shape (N, 1, 28, 28) and int64 labels of shape (N,)."""

    images: Tensor
    labels: Tensor

    def take(self, chosen: Tensor) -> Split:
        """Return the samples that a mask or a tensor of numbers chooses."""
        return Split(self.images[chosen], self.labels[chosen])


def splits(root: Path, num_train: int = 20_000, num_valid: int = 2_500) -> tuple[Split, Split]:
    """Return a part of the training split in random order, and a part of the validation split."""
    loaders = helpers.make_loaders(root, batch_size=num_train, num_valid=5_000)
    torch.manual_seed(0)
    return Split(*next(iter(loaders.train))), Split(
        *(part[:num_valid] for part in next(iter(DataLoader(loaders.valid.dataset, 5_000, shuffle=True))))
    )


def run(
    script: ModuleType, train: Split, valid: Split, new: int, per_class: Sequence[int] = PER_CLASS
) -> dict:
    """Return what three networks reach, by way and number of pictures, where class ``new`` was not seen before.

    For each: accuracy on all ten classes, and of the images of the new class the share that is found (0 to 1).
    """
    torch.manual_seed(new)
    known = train.take(train.labels != new)
    # Nine labels without a gap.
    nine = Split(known.images[:NUM_BASE], known.labels[:NUM_BASE] - (known.labels[:NUM_BASE] > new).long())
    base = script.Network(9)
    teach(script, base, nine, BASE_EPOCHS)
    results = {way: {"accuracy": {}, "new_found": {}} for way in WAYS}
    for number in per_class:
        few = train.take(few_of_each(train.labels, number, after=len(train.labels) // 2))
        num_epochs = max(1, NUM_STEPS // -(-len(few.labels) // 32))
        for way in WAYS:
            model = start(script, base, way)
            teach(script, model, few, num_epochs, batch_size=32)
            accuracy, found = judge(model, valid, new)
            results[way]["accuracy"][number], results[way]["new_found"][number] = accuracy, found
    return results


def few_of_each(labels: Tensor, number: int, after: int) -> Tensor:
    """Return the places of the first ``number`` samples of each class, from place ``after`` on."""
    later = torch.arange(len(labels)) >= after
    return torch.cat([(later & (labels == label)).nonzero()[:number, 0] for label in range(10)])


def start(script: ModuleType, base: nn.Module, way: str) -> nn.Module:
    """Return a network of ten classes that starts in one of the ways."""
    if way == "from scratch":
        return script.Network(10)
    model = start_from(copy.deepcopy(base), 10)
    return model.requires_grad_() if way == "trained, all learn" else model


def teach(script: ModuleType, model: nn.Module, split: Split, num_epochs: int, batch_size: int = 64) -> None:
    """Train a network with the loop of the script, and Adam."""
    loader = DataLoader(TensorDataset(*split), batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(num_epochs):
        script.train_epoch(model, loader, nn.CrossEntropyLoss(), optimizer, "cpu")


@torch.no_grad()
def judge(model: nn.Module, valid: Split, new: int) -> tuple[float, float]:
    """Return the accuracy, and the share of the new class's images that are taken for it."""
    right = model.eval()(valid.images).argmax(dim=1) == valid.labels
    return right.double().mean().item(), right[valid.labels == new].double().mean().item()


def main() -> None:
    """Carry out the runs, print their means and store all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=SOURCES, default=default_source())
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train, valid = splits(helpers.prepare_data(source=arguments.source))
    with TemporaryDirectory() as folder:
        script = load_script(Path(folder))
        runs = []
        for new in NEW_CLASSES:
            runs.append({"new_class": helpers.CLASSES[new], "results": run(script, train, valid, new)})
            print(runs[-1], flush=True)
    for what in ("accuracy", "new_found"):
        for way in WAYS:
            for number in PER_CLASS:
                values = [100 * one["results"][way][what][number] for one in runs]
                print(f"{what} {way}, {number} per class: {mean_and_deviation(values, 1)}")
    content = {
        "command": f"python -m tests.measure.transfer --source {arguments.source}",
        "machine": f"{processor()}, {versions()}",
        "trained_on": f"{NUM_BASE} images of nine classes, {BASE_EPOCHS} epochs; then {NUM_STEPS} iterations",
        "runs": runs,
    }
    store(content, arguments.output or RESULTS / f"transfer_{arguments.source}.json")


if __name__ == "__main__":
    main()
