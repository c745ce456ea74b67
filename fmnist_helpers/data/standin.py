"""Draw a stand-in for Fashion-MNIST where no network exists.

The stand-in is a statistical model, fitted to the 60,000 training images by
:mod:`fmnist_helpers.data.standin_fit` and stored in ``standin.npz``. It has two halves.

*What garments look like*, p(image): a mixture of factor analysers (Ghahramani and Hinton, "The EM
Algorithm for Mixtures of Factor Analyzers", 1996). Draw a component k, then

    image = clip(mean_k + (z L_k + t (e * s_k)) B, 0, 1),     z, e ~ N(0, 1)

where the rows of B are the principal directions of the whole data set, L_k holds the few directions in
which garments like k vary most, and s_k is the spread that is left in each direction of B. The scale t
is drawn for each image from quantiles measured in component k: most garments are plain, a few have a loud
pattern. The black background was fitted as a value below zero, so that clipping makes it black again.

*What people call them*, p(label | image): a network of one convolution and one linear layer that learned
to name real and drawn garments. The label is *drawn* from its probabilities, not set to the most probable
class, so classes overlap where real ones do: what lies between a shirt and a T-shirt is called sometimes
one, sometimes the other. Without this, every class would have a texture of its own that gives it away.

Images are drawn until each class has its share. No image of the data set is stored: every component is
a statistic of at least 100 images.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.data.disk import DataError

FITTED_FILE = Path(__file__).with_name("standin.npz")
SPLITS = (("train", 60_000), ("t10k", 10_000))
NUM_CLASSES = 10
SIDE = 28
CHUNK = 3_500
"""Images drawn at a time: enough for fast products, few enough to stay near 100 MB."""


def draw_split(num_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw images and labels; the same arguments give the same images on the same machine.

    Args:
        num_images: a positive multiple of ten, because every class gets the same number.
        seed: a non-negative integer; another seed gives other images.

    Returns:
        ``images``, uint8 of shape (num_images, 28, 28), 0 (black) to 255; ``labels``, uint8 of shape
        (num_images,), 0 to 9, in random order.

    Raises:
        ValueError: for a number or a seed that does not fit.
    """
    _check(num_images, seed)
    model, generator = load(FITTED_FILE), np.random.default_rng(seed)
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.uint8), num_images // NUM_CLASSES)
    generator.shuffle(labels)
    images = np.empty((num_images, SIDE * SIDE), np.uint8)
    free = [np.flatnonzero(labels == label) for label in range(NUM_CLASSES)]
    while any(len(places) for places in free):
        wanted = NUM_CLASSES * max(len(places) for places in free)
        drawn = draw_images(model, min(CHUNK, wanted + 100), generator)
        drawn_labels = draw_labels(model, drawn, generator)
        for label, places in enumerate(free):
            chosen = drawn[drawn_labels == label][: len(places)]
            images[places[: len(chosen)]] = chosen
            free[label] = places[len(chosen) :]
    return images.reshape(num_images, SIDE, SIDE), labels


def write_standin(raw_folder: Path, seed: int = 0) -> None:
    """Draw 60,000 training and 10,000 test images into the four files that torchvision reads.

    Args:
        raw_folder: made if missing; torchvision reads ``<root>/FashionMNIST/raw``.
        seed: a non-negative integer; the two splits are drawn from different streams.

    Raises:
        ValueError: for a seed that does not fit.
        OSError: when the folder cannot be written; nothing half-written keeps a final name.
    """
    _check(SPLITS[0][1], seed)
    raw_folder = Path(raw_folder)
    raw_folder.mkdir(parents=True, exist_ok=True)
    for number, (split, num_images) in enumerate(SPLITS):
        images, labels = draw_split(num_images, len(SPLITS) * seed + number)
        write_idx(raw_folder / f"{split}-images-idx3-ubyte", images)
        write_idx(raw_folder / f"{split}-labels-idx1-ubyte", labels)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as an IDX file: two zero bytes, type 8, number of axes, sizes, values.

    The file is written whole or not at all.
    """
    if array.dtype != np.uint8:
        raise ValueError(f"an IDX file of bytes needs a uint8 array, not {array.dtype}.")
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    with written_whole(path) as unfinished, unfinished.open("xb") as file:
        file.write(header)
        file.write(np.ascontiguousarray(array).data)


def fingerprint() -> str:
    """Return 16 hexadecimal digits that change when the fitted file or this drawing code changes."""
    return hashlib.sha256(FITTED_FILE.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]


def load(path: Path) -> dict[str, np.ndarray]:
    """Return the fitted arrays as float32, by name (see :func:`fmnist_helpers.data.standin_fit.fit`).

    Raises:
        DataError: if the file is missing or damaged.
    """
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    # Whatever else a damaged archive raises, it is not the data folder that is to blame.
    except (OSError, ValueError, EOFError, TypeError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}, a file of the course, cannot be read ({type(error).__name__}: {error})",
            "Download the course again.",
        ) from error
    return {
        name: array.astype(np.float32) * arrays.get(f"{name}.scale", np.float32(1))
        for name, array in arrays.items()
        if not name.endswith(".scale")
    }


def draw_images(model: dict[str, np.ndarray], num_images: int, generator: np.random.Generator) -> np.ndarray:
    """Return images of all components, uint8 of shape (num_images, 784), in random order."""
    weights = model["weights"].astype(np.float64)
    counts = generator.multinomial(num_images, weights / weights.sum())
    parts = [draw_component(model, k, count, generator) for k, count in enumerate(counts) if count]
    coordinates = np.concatenate(parts)
    pixels = coordinates @ model["basis"]
    pixels += np.repeat(model["means"], counts, axis=0)
    pixels *= 255
    # The half makes the cut to whole numbers a rounding.
    images = np.clip(pixels + np.float32(0.5), 0, 255).astype(np.uint8)
    return generator.permutation(images)


def draw_component(
    model: dict[str, np.ndarray], k: int, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Return deviations from the mean of component ``k`` along the basis, shape (count, directions)."""
    loadings, spreads, quantiles = (model[name][k] for name in ("loadings", "spreads", "loudness"))
    grid = np.linspace(0, 1, len(quantiles))
    loudness = np.interp(generator.random(count), grid, quantiles).astype(np.float32)
    factors = generator.standard_normal((count, len(loadings)), np.float32)
    rest = generator.standard_normal((count, len(spreads)), np.float32)
    return factors @ loadings + loudness[:, None] * (rest * spreads)


def label_logits(model: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the labelling network's logits, shape (N, 10), for uint8 images of shape (N, 784).

    16 filters of 5x5 pixels, moved in steps of two to 12x12 places, the largest of each 2x2 places, ReLU,
    linear.
    """
    scaled = images.astype(np.float32) / 255
    band = filter_band(model["filters"])
    rows = [scaled[:, SIDE * 2 * row : SIDE * (2 * row + 5)] @ band for row in range(12)]
    pooled = np.maximum(rows[0::2], rows[1::2]).reshape(6, -1, 6, 2, 16).max(axis=3)
    hidden = np.maximum(pooled + model["filters_bias"], 0).transpose(1, 0, 2, 3)
    hidden = hidden.reshape(len(images), -1)
    return hidden @ model["output"].T + model["output_bias"]


def filter_band(filters: np.ndarray) -> np.ndarray:
    """Return the matrix (5*28, 12*16) that applies filters (16, 25) at all 12 places along five rows.

    One product with it, zeros included, is twice as fast as cutting the rows into patches first.
    """
    band = np.zeros((5, SIDE, 12, 16), np.float32)
    for place in range(12):
        band[:, 2 * place : 2 * place + 5, place] = filters.reshape(16, 5, 5).transpose(1, 2, 0)
    return band.reshape(5 * SIDE, 12 * 16)


def draw_labels(
    model: dict[str, np.ndarray], images: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw a label for each image from softmax(logits); uint8 of shape (N,).

    The largest of logits plus standard Gumbel noise is such a draw (Gumbel 1954), without a division.
    """
    # A few hundred images at a time stay in the processor's cache: half the time of all at once.
    starts = range(0, len(images), 500)
    logits = np.concatenate([label_logits(model, images[start : start + 500]) for start in starts])
    return (logits + generator.gumbel(size=logits.shape)).argmax(axis=1).astype(np.uint8)


def _check(num_images: int, seed: int) -> None:
    for name, value in (("num_images", num_images), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} is {value!r} ({type(value).__name__}); it must be an integer (int)")
    if num_images < NUM_CLASSES or num_images % NUM_CLASSES:
        raise ValueError(f"num_images is {num_images}; it must be a multiple of 10, 10 or above")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or above")
