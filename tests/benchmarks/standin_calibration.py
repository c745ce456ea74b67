"""Measure how close training on the stand-in comes to training on the real data.

    OMP_NUM_THREADS=1 python tests/benchmarks/standin_calibration.py --real ROOT --standin ROOT

Both roots are what ``torchvision.datasets.FashionMNIST(root=...)`` reads; the stand-in's is drawn if it is
empty. The table goes to the screen and, with every number, beside this file as ``.md`` and ``.json``.
About fifteen minutes on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.datasets import FashionMNIST

from fmnist_helpers import standin

CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")
LIMITS = {"accuracy points": (5.0, 3.0), "loss": (0.15, 0.08)}
"""How far an epoch may be from the real run: what must hold, and what is aimed for."""


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


def read_split(root: Path, train: bool) -> Split:
    """Read one split through torchvision and scale it as ``ToTensor`` does."""
    dataset = FashionMNIST(root=root, train=train)
    return Split(dataset.data.float().div(255).unsqueeze(1), dataset.targets)


def make_mlp() -> nn.Module:
    """Return the tutorial's model, 784-512-512-10."""
    layers = nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    return nn.Sequential(nn.Flatten(), *layers)


def make_cnn() -> nn.Module:
    """Return two convolutions of 16 and 32 channels, each halved by pooling, and one linear layer."""
    first = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


def train(
    make_model: Callable[[], nn.Module], recipe: Recipe, data: Split, tests: dict[str, Split], seed: int
) -> tuple[nn.Module, list[dict]]:
    """Train a new model; return it with, for each epoch, accuracy (%) and loss on each of ``tests``."""
    print(f"{make_model.__name__}, {recipe.optimizer.__name__}, seed {seed}", flush=True)
    torch.manual_seed(seed)
    model = make_model()
    optimizer = recipe.optimizer(model.parameters(), lr=1e-3)
    epochs = []
    for _ in range(recipe.num_epochs):
        train_epoch(model, optimizer, data, recipe)
        epochs.append({name: evaluate(model, split) for name, split in tests.items()})
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


def evaluate(model: nn.Module, split: Split) -> tuple[float, float]:
    """Return accuracy in percent and mean loss per sample."""
    logits = predict(model, split)
    accuracy = 100 * (logits.argmax(1) == split.labels).double().mean()
    return accuracy.item(), nn.functional.cross_entropy(logits, split.labels).item()


def confused_pairs(model: nn.Module, split: Split, count: int = 4) -> list[str]:
    """Return the pairs of classes mixed up most often, both directions added, as ``A/B (times)``."""
    matrix = torch.zeros(10, 10)
    predicted = predict(model, split).argmax(1)
    ones = torch.ones(len(predicted))
    matrix.index_put_((split.labels, predicted), ones, accumulate=True)
    times, places = (matrix + matrix.T).triu(1).flatten().topk(count)
    return [
        f"{CLASSES[place // 10]}/{CLASSES[place % 10]} ({int(number)})"
        for number, place in zip(times, places.tolist(), strict=True)
    ]


def measure_tutorial(real: dict[str, Split], drawn: dict[str, Split], seed: int) -> dict:
    """Run the tutorial's recipe with one seed on both data sets; keep every epoch and the largest gaps."""
    _, on_real = train(make_mlp, TUTORIAL, real["train"], {"own": real["test"]}, seed)
    tests = {"own": drawn["test"], "real": real["test"]}
    _, on_drawn = train(make_mlp, TUTORIAL, drawn["train"], tests, seed)
    pairs = [(a["own"], b["own"]) for a, b in zip(on_real, on_drawn, strict=True)]
    return {
        "seed": seed,
        "real": on_real,
        "stand-in": on_drawn,
        "largest gap, accuracy points": max(abs(a[0] - b[0]) for a, b in pairs),
        "largest gap, loss": max(abs(a[1] - b[1]) for a, b in pairs),
        "transfer": on_drawn[-1]["real"][0],
    }


def measure_adam(
    make_model: Callable[[], nn.Module], real: dict[str, Split], drawn: dict[str, Split], seed: int
) -> dict:
    """Train with Adam on both data sets; keep every epoch and the most confused pairs."""
    on_real, real_epochs = train(make_model, ADAM, real["train"], {"own": real["test"]}, seed)
    tests = {"own": drawn["test"], "real": real["test"]}
    on_drawn, drawn_epochs = train(make_model, ADAM, drawn["train"], tests, seed)
    return {
        "seed": seed,
        "real": real_epochs,
        "stand-in": drawn_epochs,
        "transfer": drawn_epochs[-1]["real"][0],
        "confused, real": confused_pairs(on_real, real["test"]),
        "confused, stand-in": confused_pairs(on_drawn, drawn["test"]),
    }


def pixel_statistics(splits: dict[str, Split]) -> dict[str, float]:
    """Return a few numbers of the training images, pixels from 0 to 1."""
    images = splits["train"].images
    return {
        "mean": images.mean().item(),
        "deviation": images.std().item(),
        "black, %": 100 * (images == 0).double().mean().item(),
        "white, %": 100 * (images == 1).double().mean().item(),
    }


def conditions(seeds: list[int]) -> dict:
    """Return what the numbers depend on."""
    return {
        "seeds": seeds,
        "stand-in": standin.fingerprint(),
        "stand-in file, MB": standin.FITTED_FILE.stat().st_size / 1e6,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }


def draw_if_missing(root: Path) -> list[dict[str, float]] | None:
    """Draw the stand-in into ``root`` three times if nothing is there; return the seconds each took.

    On a machine that others use too, the processor's seconds say more than the clock's.
    """
    raw = root / "FashionMNIST" / "raw"
    if raw.is_dir():
        return None
    seconds = []
    for _ in range(3):
        start, busy = time.perf_counter(), time.process_time()
        standin.write_standin(raw)
        clock, processor = time.perf_counter() - start, time.process_time() - busy
        seconds.append({"clock": clock, "processor": processor})
    return seconds


def render(result: dict) -> str:
    """Return the measurements as Markdown."""
    parts = [
        "# The stand-in against the real data",
        "Written by `tests/benchmarks/standin_calibration.py`; every number is in the `.json` beside.",
        render_tutorial(result["tutorial"]),
        render_epochs(result["tutorial"][0]),
        render_adam(result["adam"]),
        render_conditions(result),
    ]
    return "\n\n".join(parts) + "\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render_tutorial(runs: list[dict]) -> str:
    """Return the largest gaps of each seed, beside what must hold and what is aimed for."""
    points, loss = LIMITS["accuracy points"], LIMITS["loss"]
    rows = [
        [
            str(run["seed"]),
            f"{run['largest gap, accuracy points']:.1f}",
            f"{run['largest gap, loss']:.3f}",
            f"{run['transfer']:.1f} %",
        ]
        for run in runs
    ]
    rows.append(["must / aim", f"{points[0]} / {points[1]}", f"{loss[0]} / {loss[1]}", "66 % / 69 %"])
    head = ["seed", "largest gap, points", "largest gap, loss", "trained on stand-in, tested on real"]
    return "## The tutorial's recipe, ten epochs\n\n" + table(head, rows)


def render_epochs(run: dict) -> str:
    """Return accuracy and loss of each epoch of one seed on both data sets."""
    rows = [
        [
            str(number),
            *(f"{a:.1f} %" for a in (real["own"][0], drawn["own"][0])),
            *(f"{b:.3f}" for b in (real["own"][1], drawn["own"][1])),
        ]
        for number, (real, drawn) in enumerate(zip(run["real"], run["stand-in"], strict=True), 1)
    ]
    head = ["epoch", "accuracy, real", "accuracy, stand-in", "loss, real", "loss, stand-in"]
    return f"Epoch by epoch, seed {run['seed']}:\n\n" + table(head, rows)


def render_adam(runs: dict[str, list[dict]]) -> str:
    """Return final accuracies and confused pairs of both models."""
    rows = [
        [
            name,
            str(run["seed"]),
            *(f"{run[data][-1]['own'][0]:.1f} %" for data in ("real", "stand-in")),
            f"{run['transfer']:.1f} %",
        ]
        for name, model_runs in runs.items()
        for run in model_runs
    ]
    head = ["model", "seed", "real", "stand-in", "trained on stand-in, tested on real"]
    title = "## Adam, rate 1e-3, batches of 256, shuffled, five epochs: test accuracy"
    confused = [
        f"- {name}, {data}: {', '.join(model_runs[0][f'confused, {data}'])}"
        for name, model_runs in runs.items()
        for data in ("real", "stand-in")
    ]
    return f"{title}\n\n{table(head, rows)}\n\nMost confused, of 10,000 test images:\n\n" + "\n".join(
        confused
    )


def render_conditions(result: dict) -> str:
    """Return pixel statistics, drawing time and versions."""
    pixels = result["pixels"]
    rows = [[name, *(f"{pixels[data][name]:.3f}" for data in pixels)] for name in pixels["real"]]
    lines = [f"- {name}: {value}" for name, value in result["conditions"].items()]
    if result["seconds to draw"]:
        for name in ("clock", "processor"):
            seconds = ", ".join(f"{run[name]:.2f}" for run in result["seconds to draw"])
            lines.append(f"- seconds to draw and write 70,000 images, {name}: {seconds}")
    head = ["training pixels", *pixels]
    return f"## Pixels and conditions\n\n{table(head, rows)}\n\n" + "\n".join(lines)


def measure(real_root: Path, standin_root: Path, seeds: list[int]) -> dict:
    """Run everything; ``seeds`` are used for the tutorial's recipe and the MLP, the first for the CNN."""
    seconds = draw_if_missing(standin_root)
    real, drawn = (
        {"train": read_split(root, True), "test": read_split(root, False)}
        for root in (real_root, standin_root)
    )
    return {
        "conditions": conditions(seeds),
        "seconds to draw": seconds,
        "pixels": {"real": pixel_statistics(real), "stand-in": pixel_statistics(drawn)},
        "tutorial": [measure_tutorial(real, drawn, seed) for seed in seeds],
        "adam": {
            "MLP": [measure_adam(make_mlp, real, drawn, seed) for seed in seeds],
            "CNN": [measure_adam(make_cnn, real, drawn, seed) for seed in seeds[:1]],
        },
    }


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--standin", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(""))
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    result = measure(arguments.real, arguments.standin, arguments.seeds)
    text = render(result)
    arguments.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    arguments.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
