"""Measure how close training on the stand-in comes to training on the real data.

    OMP_NUM_THREADS=1 python -m tests.measure.standin_calibration      # twelve minutes, one thread
    python -m tests.measure.standin_calibration --rewrite              # the page, from the stored numbers

``prepare_data`` finds or makes both data sets. The page (``.md``) and every number (``.json``) are written beside
this file.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision.datasets import FashionMNIST

import fmnist_helpers as helpers
from fmnist_helpers.data import standin
from fmnist_helpers.runtime import processor, versions
from tests.measure.results import store

CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")
RUNS = ("real", "stand-in", "transfer")
"""Trained and tested on the real data; both on the stand-in; trained on the stand-in, tested on the real data."""
NUM_PAIRS = 4


class Split(NamedTuple):
    """Images, float32 of shape (N, 1, 28, 28) from 0 to 1, and labels, int64 of shape (N,)."""

    images: torch.Tensor
    labels: torch.Tensor


class Recipe(NamedTuple):
    """How a model is trained; the learning rate is 1e-3 throughout."""

    optimizer: type[torch.optim.Optimizer]
    num_epochs: int
    batch_size: int
    shuffle: bool


TUTORIAL = Recipe(torch.optim.SGD, 10, 64, False)
ADAM = Recipe(torch.optim.Adam, 5, 256, True)


def read_data(source: str) -> dict[str, Split]:
    """Read both splits through torchvision and scale them as ``ToTensor`` does."""
    root = helpers.prepare_data(source=source)
    datasets = {name: FashionMNIST(root=root, train=name == "train") for name in ("train", "test")}
    return {
        name: Split(data.data.float().div(255).unsqueeze(1), data.targets) for name, data in datasets.items()
    }


def make_cnn() -> nn.Module:
    """Return two convolutions of 16 and 32 channels, each halved by pooling, and one linear layer."""
    first = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


MODELS = {"MLP": helpers.NeuralNetwork, "CNN": make_cnn}


def compare(
    make_model: Callable[[], nn.Module], recipe: Recipe, data: dict[str, dict[str, Split]], seed: int
) -> dict:
    """Train on both data sets; return every epoch of the three runs and the most confused pairs."""
    run = {"seed": seed}
    for trained_on in ("real", "stand-in"):
        print(f"{make_model.__name__}, {recipe.optimizer.__name__}, seed {seed}, {trained_on}", flush=True)
        tests = {trained_on: data[trained_on]["test"]}
        if trained_on == "stand-in":
            tests["transfer"] = data["real"]["test"]
        model, epochs = train(make_model, recipe, data[trained_on]["train"], tests, seed)
        run |= epochs | {f"confused, {trained_on}": confused_pairs(model, tests[trained_on])}
    return run


def train(
    make_model: Callable[[], nn.Module], recipe: Recipe, data: Split, tests: dict[str, Split], seed: int
) -> tuple[nn.Module, dict[str, dict[str, list[float]]]]:
    """Train a new model; return it with the accuracy (%) and loss on each of ``tests`` after each epoch."""
    torch.manual_seed(seed)
    model = make_model()
    optimizer = recipe.optimizer(model.parameters(), lr=1e-3)
    epochs = {name: {"accuracy": [], "loss": []} for name in tests}
    for _ in range(recipe.num_epochs):
        train_epoch(model, optimizer, data, recipe)
        for name, split in tests.items():
            logits = predict(model, split)
            accuracy = 100 * (logits.argmax(1) == split.labels).double().mean()
            epochs[name]["accuracy"].append(accuracy.item())
            epochs[name]["loss"].append(nn.functional.cross_entropy(logits, split.labels).item())
    return model, epochs


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, data: Split, recipe: Recipe) -> None:
    """Pass once over the data, in slices where it is not shuffled."""
    model.train()
    order = torch.randperm(len(data.labels)) if recipe.shuffle else None
    for start in range(0, len(data.labels), recipe.batch_size):
        batch = slice(start, start + recipe.batch_size)
        chosen = batch if order is None else order[batch]
        optimizer.zero_grad()
        logits = model(data.images[chosen])
        nn.functional.cross_entropy(logits, data.labels[chosen]).backward()
        optimizer.step()


@torch.no_grad()
def predict(model: nn.Module, split: Split) -> torch.Tensor:
    """Return logits of shape (N, 10)."""
    model.eval()
    return torch.cat([model(images) for images in split.images.split(1000)])


def confused_pairs(model: nn.Module, split: Split) -> dict[str, int]:
    """Return how often the pairs of classes mixed up most were mixed up, both directions added."""
    matrix = torch.zeros(10, 10)
    predicted = predict(model, split).argmax(1)
    matrix.index_put_((split.labels, predicted), torch.ones(len(predicted)), accumulate=True)
    times, places = (matrix + matrix.T).triu(1).flatten().topk(NUM_PAIRS)
    names = [f"{CLASSES[place // 10]}/{CLASSES[place % 10]}" for place in places.tolist()]
    return dict(zip(names, times.int().tolist(), strict=True))


def pixel_statistics(images: torch.Tensor) -> dict[str, float]:
    """Return a few numbers of images whose pixels go from 0 to 1."""
    return {
        "mean": images.mean().item(),
        "deviation": images.std().item(),
        "black, %": 100 * (images == 0).double().mean().item(),
        "white, %": 100 * (images == 1).double().mean().item(),
    }


def measure(seeds: list[int]) -> dict:
    """Run everything with all seeds."""
    data = {"real": read_data("real"), "stand-in": read_data("standin")}
    result = {"pixels": {name: pixel_statistics(splits["train"].images) for name, splits in data.items()}}
    parts = {"tutorial": (helpers.NeuralNetwork, TUTORIAL)}
    parts |= {name: (make_model, ADAM) for name, make_model in MODELS.items()}
    minutes = {}
    for name, (make_model, recipe) in parts.items():
        start = time.process_time()
        result[name] = [compare(make_model, recipe, data, seed) for seed in seeds]
        minutes[name] = round((time.process_time() - start) / 60, 1)
    return result | {"conditions": conditions(minutes)}


def conditions(minutes: dict[str, float]) -> dict:
    """Return what the numbers depend on, and the processor's minutes they took."""
    return {
        "stand-in": standin.fingerprint(),
        "stand-in file, MB": round(standin.FITTED_FILE.stat().st_size / 1e6, 2),
        "machine": processor(),
        "versions": f"{versions()}, numpy {np.__version__}",
        "minutes": minutes,
    }


def how_close(result: dict) -> list[list[str]]:
    """Return what was compared, and what was found with each seed."""
    tutorial = {f"seed {run['seed']}": run for run in result["tutorial"]}
    adam = {f"{name} seed {run['seed']}": run for name in MODELS for run in result[name]}
    pairs = zip(result["MLP"], result["CNN"], strict=True)
    found = [
        (
            "Tutorial's recipe: the largest difference in test accuracy (points) in any of ten epochs",
            *(1, {who: largest_gap(run, "accuracy") for who, run in tutorial.items()}),
        ),
        (
            "Tutorial's recipe: the largest difference in test loss in any of ten epochs",
            *(3, {who: largest_gap(run, "loss") for who, run in tutorial.items()}),
        ),
        (
            "Tutorial's recipe: trained on the stand-in, accuracy (%) on the real test images",
            *(1, {who: final(run, "transfer") for who, run in tutorial.items()}),
        ),
        (
            "Adam: difference in final accuracy (points)",
            *(1, {who: abs(final(run, "real") - final(run, "stand-in")) for who, run in adam.items()}),
        ),
        (
            "Adam: on the stand-in, how far the CNN is ahead of the MLP (points)",
            *(1, {f"seed {a['seed']}": final(b, "stand-in") - final(a, "stand-in") for a, b in pairs}),
        ),
        (
            f"Adam: how many of the {NUM_PAIRS} pairs of classes mixed up most are the same",
            *(0, {who: num_common_pairs(run) for who, run in adam.items()}),
        ),
    ]
    return [
        [text, ", ".join(f"{who}: {value:.{digits}f}" for who, value in values.items())]
        for text, digits, values in found
    ]


def final(run: dict, name: str) -> float:
    """Return the accuracy after the last epoch, in per cent."""
    return run[name]["accuracy"][-1]


def largest_gap(run: dict, quantity: str) -> float:
    """Return the largest difference of an epoch between the real run and the stand-in's."""
    return float(np.abs(np.subtract(run["real"][quantity], run["stand-in"][quantity])).max())


def num_common_pairs(run: dict) -> int:
    """Return how many of the pairs mixed up most on the real data are such on the stand-in, too."""
    return len(set(run["confused, real"]) & set(run["confused, stand-in"]))


def render(result: dict) -> str:
    """Return the measurements as Markdown."""
    command = "python -m tests.measure.standin_calibration"
    minutes = sum(result["conditions"]["minutes"].values())
    parts = [
        "# The stand-in against the real data",
        f"Written by `{command}` in {minutes:.0f} minutes of one processor; every number is in the `.json` "
        "beside. A difference is that between a model trained and tested on the real data and one trained and "
        "tested on the stand-in, of the same seed. Transfer means trained on the stand-in, tested on the real data.",
        "## How close\n\n" + table(["compared", "found"], how_close(result)),
        render_epochs(result["tutorial"]),
        render_adam(result),
        render_conditions(result),
    ]
    return "\n\n".join(parts) + "\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render_epochs(runs: list[dict]) -> str:
    """Return accuracy and loss of each epoch, averaged over the seeds."""
    columns = [
        [f"{value:.{digits}f}" for value in np.mean([run[name][quantity] for run in runs], axis=0)]
        for quantity, digits in (("accuracy", 1), ("loss", 3))
        for name in RUNS
    ]
    numbers = map(str, range(1, len(columns[0]) + 1))
    head = ["epoch", *(f"{quantity}, {name}" for quantity in ("accuracy (%)", "loss") for name in RUNS)]
    return (
        "## The tutorial's recipe\n\n"
        "SGD, rate 1e-3, batches of 64, not shuffled. On the test images after each epoch, mean over seeds "
        f"{', '.join(str(run['seed']) for run in runs)}.\n\n"
        + table(head, [list(row) for row in zip(numbers, *columns, strict=True)])
    )


def render_adam(result: dict) -> str:
    """Return final accuracies and confused pairs of both models."""
    rows = [
        [model, str(run["seed"]), *(f"{final(run, name):.1f}" for name in RUNS)]
        for model in MODELS
        for run in result[model]
    ]
    confused = [
        f"- {model}, seed {run['seed']}, {name}: {counts_as_text(run[f'confused, {name}'])}"
        for model in MODELS
        for run in result[model]
        for name in ("real", "stand-in")
    ]
    return (
        "## Adam\n\nRate 1e-3, batches of 256, shuffled, five epochs. Final test accuracy in per cent:\n\n"
        + table(["model", "seed", *RUNS], rows)
        + "\n\nPairs mixed up most often, of 10,000 test images:\n\n"
        + "\n".join(confused)
    )


def counts_as_text(counts: dict[str, int]) -> str:
    """Return names and counts as text."""
    return ", ".join(f"{name} ({count})" for name, count in counts.items())


def render_conditions(result: dict) -> str:
    """Return pixel statistics, versions and duration."""
    pixels, values = result["pixels"], dict(result["conditions"])
    rows = [[name, *(f"{pixels[data][name]:.3f}" for data in pixels)] for name in pixels["real"]]
    minutes = values.pop("minutes")
    lines = [f"- {name}: {value}" for name, value in values.items()]
    parts = ", ".join(f"{name} {value:.1f}" for name, value in minutes.items())
    lines.append(f"- the processor's minutes in all: {sum(minutes.values()):.0f} ({parts})")
    return f"## Pixels and conditions\n\n{table(['training pixels', *pixels], rows)}\n\n" + "\n".join(lines)


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rewrite", action="store_true", help="measure nothing: use the stored numbers")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(""), help="without suffix")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    numbers = arguments.out.with_suffix(".json")
    if not arguments.rewrite:
        store(measure(arguments.seeds), numbers)
    text = render(json.loads(numbers.read_text()))
    arguments.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
