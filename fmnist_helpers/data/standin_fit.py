"""Fit the stand-in to the real training images; a maintainer runs this, a student never needs it.

    python -m fmnist_helpers.data.standin_fit --root ROOT

``ROOT`` is what ``torchvision.datasets.FashionMNIST(root=ROOT)`` reads. The test images are not used.
:mod:`fmnist_helpers.data.standin` explains the model. Here a component is found by k-means inside a class
(Lloyd 1982), its factors by principal component analysis with the rest as independent spread, which is the
first step of a factor analysis: on four components of real images, 84 to 96 % of the log-likelihood that a
hundred steps of EM gain over independent directions. Means are then moved until images *after clipping*
have the mean they should have.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.datasets import FashionMNIST

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.data import standin

COMPONENTS_A_CLASS = 10
SMALLEST_COMPONENT = 150
FREE_STEPS = 20
"""Steps of k-means before parts that are too small are given up, one in a step."""
STEPS = 40
NUM_DIRECTIONS = 200
NUM_FACTORS = 24
BACKGROUND = -0.2
"""What a black pixel counts as while fitting; a pixel's own range is 0 to 1."""
NUM_QUANTILES = 17
DRAWN_A_CLASS = 6_000
EPOCHS = 12
BATCH_SIZE = 256
PER_COMPONENT = ("weights", "means", "loadings", "spreads", "loudness")


def fit(images: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Fit both halves of the stand-in.

    Args:
        images: uint8, shape (N, 784).
        labels: integers 0 to 9, shape (N,).
        seed: of k-means, of the mean correction and of the labelling network.

    Returns:
        Arrays by name, with K components, D directions, F factors, in units of a pixel's range:
        basis (D, 784), weights (K,), means (K, 784), loadings (K, F, D), spreads (K, D),
        loudness (K, quantiles), filters (16, 25), filters_bias (16,), output (10, 576), output_bias (10,).

    Raises:
        ValueError: for arrays or a seed that do not fit, and for a class of fewer than 150 images.
    """
    check(images, labels, seed)
    generator = np.random.default_rng(seed)
    model, classes = fit_images(images, labels, generator)
    drawn, drawn_classes = draw_by_class(model, classes, generator)
    both = np.concatenate([images, drawn]), np.concatenate([labels, drawn_classes])
    return model | fit_labels(*both, seed)


def check(images: np.ndarray, labels: np.ndarray, seed: int) -> None:
    """Raise a ValueError for what :func:`fit` cannot use."""
    if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != 784:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}; they must be uint8 of shape (N, 784)"
        )
    sizes = [int((labels == label).sum()) for label in range(10)]
    if labels.shape != (len(images),) or sum(sizes) != len(images):
        wrong = labels[~np.isin(labels, range(10))].tolist()
        raise ValueError(
            f"labels are {labels.dtype} of shape {labels.shape}{f', one of them {wrong[0]}' if wrong else ''}; "
            f"they must be {len(images)} integers from 0 to 9, one per image"
        )
    if min(sizes) < SMALLEST_COMPONENT:
        label = int(np.argmin(sizes))
        raise ValueError(
            f"class {label} has {sizes[label]} images; a fit needs {SMALLEST_COMPONENT} per class: "
            "give all 60,000 training images"
        )
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or above")


def fit_images(
    images: np.ndarray, labels: np.ndarray, generator: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Fit the mixture; return its arrays and the class of each component (K,)."""
    lowered = np.where(images == 0, np.float32(BACKGROUND), images.astype(np.float32) / 255)
    center, basis = principal_directions(lowered, NUM_DIRECTIONS)
    coordinates = (lowered - center) @ basis.T
    groups = [
        members[part]
        for members in (np.flatnonzero(labels == label) for label in range(10))
        for part in cluster(coordinates[members, :50], COMPONENTS_A_CLASS, generator)
    ]
    parts = [fit_component(coordinates[group]) for group in groups]
    model = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    model["means"] = center + model.pop("center") @ basis
    model |= {"basis": basis, "weights": np.array([len(group) for group in groups], np.float32)}
    targets = np.stack([images[group].mean(axis=0) / 255 for group in groups])
    correct_means(model, targets, generator)
    return model, np.array([labels[group[0]] for group in groups])


def principal_directions(pixels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (784,) and the ``count`` directions of most variance (count, 784), orthonormal."""
    center = pixels.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(pixels - center, rowvar=False))
    return center, vectors[:, ::-1][:, :count].T.astype(np.float32)


def cluster(points: np.ndarray, count: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Split points (N, d), at least 150, by k-means; return the indices of each part that is large enough.

    Members of a part that is too small go to their next nearest center.
    """
    centers = points[generator.choice(len(points), count, replace=False)]
    for step in range(STEPS):
        parts = nearest_parts(points, centers)
        smallest = min(range(len(parts)), key=lambda part: len(parts[part]))
        if step >= FREE_STEPS and len(parts[smallest]) < SMALLEST_COMPONENT:
            del parts[smallest]
        centers = np.stack([points[part].mean(axis=0) for part in parts if len(part)])
    parts = nearest_parts(points, centers)
    # The last step may have made a part smaller again.
    while min(sizes := [len(part) for part in parts]) < SMALLEST_COMPONENT:
        centers = np.delete(centers, np.argmin(sizes), axis=0)
        parts = nearest_parts(points, centers)
    return parts


def nearest_parts(points: np.ndarray, centers: np.ndarray) -> list[np.ndarray]:
    """Return, for each of the centers (K, d), the indices of the points (N, d) that are nearest to it."""
    nearest = (np.square(centers).sum(axis=1) - 2 * points @ centers.T).argmin(axis=1)
    return [np.flatnonzero(nearest == part) for part in range(len(centers))]


def fit_component(coordinates: np.ndarray) -> dict[str, np.ndarray]:
    """Return center (D,), loadings (F, D), spreads (D,) and loudness quantiles of points (n, D)."""
    if len(coordinates) < 100:
        raise ValueError(
            f"a component has {len(coordinates)} images; it needs 100, or what is drawn from it would show single "
            "ones: give more images, or make fewer components of a class"
        )
    center = coordinates.mean(axis=0)
    centered = coordinates - center
    _, lengths, directions = np.linalg.svd(centered, full_matrices=False)
    directions = directions[:NUM_FACTORS]
    loadings = directions * (lengths[:NUM_FACTORS, None] / np.sqrt(len(centered) - 1))
    rest = centered - centered @ directions.T @ directions
    loudness = np.sqrt(np.square(rest).sum(axis=1))
    loudness /= np.sqrt(np.square(loudness).mean())
    quantiles = np.quantile(loudness, np.linspace(0, 1, NUM_QUANTILES))
    return {
        "center": center,
        "loadings": loadings,
        "spreads": rest.std(axis=0),
        "loudness": quantiles.astype(np.float32),
    }


def correct_means(model: dict[str, np.ndarray], targets: np.ndarray, generator: np.random.Generator) -> None:
    """Move ``model["means"]`` in place until clipped draws have the mean images ``targets`` (K, 784)."""
    start = model["means"].copy()
    for k, target in enumerate(targets):
        for _ in range(3):
            drawn = standin.draw_component(model, k, 2000, generator) @ model["basis"]
            drawn = np.clip(drawn + model["means"][k], 0, 1)
            model["means"][k] += target - drawn.mean(axis=0)
    # A pixel that is always black has no mean to match: its value must not run away.
    np.clip(model["means"], start - 0.25, start + 0.25, out=model["means"])


def draw_by_class(
    model: dict[str, np.ndarray], classes: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw 6,000 images a class, uint8 of shape (N, 784); return them and the class of each (N,)."""
    images = []
    for label in range(10):
        own = {name: model[name][classes == label] for name in PER_COMPONENT}
        images.append(standin.draw_images(own | {"basis": model["basis"]}, DRAWN_A_CLASS, generator))
    return np.concatenate(images), np.repeat(np.arange(10), DRAWN_A_CLASS)


def fit_labels(images: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Train the labelling network on images (N, 784) by AdamW with a one-cycle schedule.

    It sees real and drawn images: trained on real ones alone, it misjudges drawn ones in a systematic way
    (too many pullovers), and learners would be off by four points.
    """
    torch.manual_seed(seed)
    inputs = torch.from_numpy(images).view(-1, 1, 28, 28)
    targets = torch.from_numpy(labels.astype(np.int64))
    convolution, linear = nn.Conv2d(1, 16, 5, stride=2), nn.Linear(16 * 6 * 6, 10)
    network = nn.Sequential(convolution, nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), linear)
    train_network(network, inputs, targets)
    # Here channels come before places, in the drawing code after them.
    output = linear.weight.detach().view(10, 16, 6, 6).permute(0, 2, 3, 1).reshape(10, -1)
    return {
        "filters": convolution.weight.detach().view(16, 25).numpy(),
        "filters_bias": convolution.bias.numpy(force=True),
        "output": output.numpy(),
        "output_bias": linear.bias.numpy(force=True),
    }


def train_network(network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> None:
    """Train in place; ``inputs`` uint8 (N, 1, 28, 28), ``targets`` int64 (N,)."""
    num_batches = len(inputs) // BATCH_SIZE
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=EPOCHS * num_batches)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(inputs))[: num_batches * BATCH_SIZE].view(num_batches, -1):
            optimizer.zero_grad()
            logits = network(inputs[batch].float() / 255)
            nn.functional.cross_entropy(logits, targets[batch]).backward()
            optimizer.step()
            schedule.step()


def quantize(model: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Turn every large array into 8-bit integers and a scale for each of its rows (last axis)."""
    packed = {}
    for name, array in model.items():
        if array.size < 10_000:
            packed[name] = array.astype(np.float32)
            continue
        scale = np.abs(array).max(axis=-1, keepdims=True) / 127
        packed[name] = np.rint(array / np.maximum(scale, 1e-12)).astype(np.int8)
        packed[f"{name}.scale"] = scale.astype(np.float32)
    return packed


def save(model: dict[str, np.ndarray], path: Path) -> None:
    """Write the fitted file, whole or not at all."""
    # An open file: numpy would add an ending of its own to a path.
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **quantize(model))


def main() -> None:
    """Read the arguments, fit, save and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="torchvision root that holds the real data")
    parser.add_argument("--out", type=Path, default=standin.FITTED_FILE)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    try:
        dataset = FashionMNIST(root=arguments.root, train=True)
    except RuntimeError:
        parser.error(
            f"{arguments.root} holds no Fashion-MNIST; give the folder that prepare_data(source='real') returns"
        )
    images, labels = dataset.data.numpy().reshape(-1, 784), dataset.targets.numpy()
    # What would stop a fit, or keep it from being saved, is said before the minute that it takes.
    if not arguments.out.parent.is_dir():
        parser.error(f"--out: there is no folder {arguments.out.parent}.")
    try:
        check(images, labels, arguments.seed)
    except ValueError as problem:
        parser.error(str(problem))
    model = fit(images, labels, arguments.seed)
    save(model, arguments.out)
    sizes = model["weights"]
    print(f"{len(sizes)} components of {sizes.min():.0f} to {sizes.max():.0f} images")
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
