"""The stand-in: files that torchvision reads, drawn fairly, repeatably and in the likeness of garments."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST

from fmnist_helpers.data import standin

NUM_IMAGES = 5_000


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    return standin.draw_split(NUM_IMAGES, seed=1)


@pytest.fixture(scope="module")
def model() -> dict[str, np.ndarray]:
    return standin.load(standin.FITTED_FILE)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("standin")
    standin.write_standin(folder / "FashionMNIST" / "raw")
    return folder


def class_means(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean image of each class, shape (10, 784), pixels from 0 to 1."""
    flat = images.reshape(len(images), -1) / 255
    return np.stack([flat[labels == label].mean(axis=0) for label in range(10)])


def test_shapes_and_types(drawn):
    images, labels = drawn
    assert images.shape == (NUM_IMAGES, 28, 28)
    assert images.dtype == np.uint8
    assert labels.shape == (NUM_IMAGES,)
    assert labels.dtype == np.uint8


def test_every_class_has_its_share_in_random_order(drawn):
    _, labels = drawn
    assert np.bincount(labels).tolist() == [NUM_IMAGES // 10] * 10
    # A sorted split would have one class in its first tenth.
    assert len(np.unique(labels[:100])) == 10


@pytest.mark.parametrize("num_images", [10, 7_010])
def test_other_sizes_are_balanced_too(num_images):
    images, labels = standin.draw_split(num_images, seed=0)
    assert len(images) == num_images
    assert np.bincount(labels).tolist() == [num_images // 10] * 10


def test_same_seed_draws_the_same(drawn):
    images, labels = standin.draw_split(NUM_IMAGES, seed=1)
    np.testing.assert_array_equal(images, drawn[0])
    np.testing.assert_array_equal(labels, drawn[1])


def test_other_seed_draws_other_images(drawn):
    images, labels = standin.draw_split(NUM_IMAGES, seed=2)
    assert (labels != drawn[1]).any()
    assert not set(map(bytes, images)) & set(map(bytes, drawn[0]))


@pytest.mark.parametrize(
    ("num_images", "seed", "message"),
    [
        (0, 0, "num_images is 0; it must be a multiple of 10, 10 or above"),
        (-10, 0, "num_images is -10; it must be a multiple of 10, 10 or above"),
        (15, 0, "num_images is 15; it must be a multiple of 10, 10 or above"),
        (10.0, 0, r"num_images is 10.0 \(float\); it must be an integer \(int\)"),
        (True, 0, r"num_images is True \(bool\); it must be an integer \(int\)"),
        (10, -1, "seed is -1; it must be 0 or above"),
        (10, None, r"seed is None \(NoneType\); it must be an integer \(int\)"),
    ],
)
def test_bad_arguments(num_images, seed, message):
    with pytest.raises(ValueError, match=message):
        standin.draw_split(num_images, seed)


def test_a_bad_seed_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"seed is None .*; it must be an integer"):
        standin.write_standin(tmp_path / "raw", seed=None)
    assert not (tmp_path / "raw").exists()


def test_no_two_images_are_equal(drawn):
    assert len(set(map(bytes, drawn[0]))) == NUM_IMAGES


def test_pixels_look_like_photographs_on_black(drawn):
    images, _ = drawn
    # The real training images: half of all pixels are black, one in a hundred is white, the mean is 73.
    assert 0.40 < (images == 0).mean() < 0.60
    assert (images == 255).mean() < 0.05
    assert 65 < images.mean() < 80
    assert images[:, :, 0].mean() < 6, "the left edge should be nearly black, as in the real images"


# Mean byte of each 7x7 part of the real training images, row by row, for each class.
REAL_MEANS = np.array(
    [
        [31, 129, 132, 38, 44, 145, 145, 50, 8, 142, 147, 11, 6, 143, 147, 11],
        [1, 122, 138, 1, 1, 124, 130, 2, 2, 103, 103, 2, 1, 88, 89, 2],
        [23, 134, 135, 27, 57, 158, 153, 66, 70, 152, 150, 79, 61, 103, 103, 66],
        [2, 110, 115, 3, 5, 125, 130, 8, 5, 135, 141, 7, 2, 128, 137, 4],
        [9, 133, 139, 12, 43, 176, 173, 53, 60, 175, 172, 71, 53, 120, 120, 60],
        [0, 2, 14, 14, 2, 25, 64, 62, 47, 77, 84, 84, 20, 32, 11, 19],
        [19, 114, 117, 23, 45, 144, 142, 53, 47, 139, 139, 55, 37, 117, 120, 43],
        [0, 0, 2, 1, 3, 43, 110, 77, 73, 120, 128, 111, 3, 6, 5, 4],
        [11, 35, 36, 15, 76, 127, 127, 93, 106, 173, 172, 123, 58, 118, 111, 62],
        [0, 5, 58, 41, 0, 25, 176, 141, 49, 128, 187, 159, 53, 88, 53, 66],
    ]
)


def test_each_class_looks_like_its_real_one(drawn):
    # The labels come from the fitted file, so nothing else would notice two classes swapped there.
    parts = 255 * class_means(*drawn).reshape(10, 4, 7, 4, 7).mean(axis=(2, 4)).reshape(10, 1, 16)
    distances = np.abs(parts - REAL_MEANS).mean(axis=2)
    assert distances.argmin(axis=1).tolist() == list(range(10))
    assert distances.diagonal().max() < 6, "other classes are 10 to 70 away"


def test_class_means_are_those_of_the_model(drawn, model):
    big = standin.draw_images(model, 20_000, np.random.default_rng(5))
    expected = class_means(big, standin.label_logits(model, big).argmax(axis=1))
    largest = np.abs(class_means(*drawn) - expected).mean(axis=1).max()
    assert largest < 0.03


def test_labels_are_drawn_with_the_probabilities_of_the_network(model):
    image = standin.draw_images(model, 1, np.random.default_rng(0))
    logits = standin.label_logits(model, image)[0].astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum()
    drawn_labels = standin.draw_labels(model, image.repeat(20_000, axis=0), np.random.default_rng(1))
    shares = np.bincount(drawn_labels, minlength=10) / 20_000
    np.testing.assert_allclose(shares, expected, atol=0.02)


def test_classes_can_be_learned_but_overlap(drawn, model):
    means = class_means(*drawn)
    images, labels = standin.draw_split(4_000, seed=3)
    flat = images.reshape(4_000, -1)
    distances = np.square(means).sum(axis=1) - 2 * (flat / 255) @ means.T
    nearest = (distances.argmin(axis=1) == labels).mean()
    assert 0.60 < nearest < 0.75, "the real data has 0.68"
    best = (standin.label_logits(model, flat).argmax(axis=1) == labels).mean()
    assert 0.86 < best < 0.94, "no model can beat the network that the labels were drawn from"


def test_shirts_are_the_hardest_class(drawn, model):
    images, labels = drawn
    guesses = standin.label_logits(model, images.reshape(NUM_IMAGES, -1)).argmax(axis=1)
    recall = [(guesses[labels == label] == label).mean() for label in range(10)]
    assert np.argmin(recall) == 6


@pytest.mark.parametrize(("train", "num_images"), [(True, 60_000), (False, 10_000)])
def test_torchvision_reads_what_is_written(root, train, num_images):
    dataset = FashionMNIST(root=root, train=train, download=False)
    assert dataset.data.shape == (num_images, 28, 28)
    assert dataset.targets.bincount().tolist() == [num_images // 10] * 10


def test_train_and_test_images_differ(root):
    train, test = (FashionMNIST(root=root, train=part).data.numpy() for part in (True, False))
    assert not set(map(bytes, test)) & set(map(bytes, train))


def test_headers_and_sizes(root):
    raw = root / "FashionMNIST" / "raw"
    sizes = {path.name: path.stat().st_size for path in raw.iterdir()}
    assert sizes == {
        "train-images-idx3-ubyte": 16 + 60_000 * 784,
        "train-labels-idx1-ubyte": 8 + 60_000,
        "t10k-images-idx3-ubyte": 16 + 10_000 * 784,
        "t10k-labels-idx1-ubyte": 8 + 10_000,
    }
    with (raw / "train-images-idx3-ubyte").open("rb") as file:
        assert file.read(16) == bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    with (raw / "t10k-labels-idx1-ubyte").open("rb") as file:
        assert file.read(8) == bytes.fromhex("00000801 00002710")


def test_written_files_are_those_of_the_seed(root, tmp_path):
    _, labels = standin.draw_split(10_000, seed=1)
    written = FashionMNIST(root=root, train=False).targets.numpy()
    np.testing.assert_array_equal(written, labels)


def test_write_idx_keeps_values_and_replaces(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    standin.write_idx(path, np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert path.read_bytes() == bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6))
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_write_idx_refuses_other_types(tmp_path):
    with pytest.raises(ValueError, match="uint8 array, not float64"):
        standin.write_idx(tmp_path / "file", np.zeros(3))
    assert list(tmp_path.iterdir()) == []


class FullDisk(io.BytesIO):
    """A file that takes its header and then no more."""

    def write(self, data) -> int:
        if self.tell():
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_nothing_half_written_stays_when_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def open_full_disk(self, mode):
        self.touch(exist_ok=False)
        return FullDisk()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full_disk)
        with pytest.raises(OSError, match="No space left"):
            standin.write_idx(path, np.zeros(10, np.uint8))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_half_written_stays_when_renaming_fails(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError):
            standin.write_standin(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fitted_file_is_small_and_holds_statistics_of_many_images(model):
    assert standin.FITTED_FILE.stat().st_size <= 1_000_000
    assert model["weights"].min() >= 100
    assert model["weights"].sum() == 60_000


def test_fingerprint_follows_the_fitted_file(tmp_path, monkeypatch):
    first = standin.fingerprint()
    assert len(first) == 16
    assert int(first, 16) >= 0
    other = tmp_path / "standin.npz"
    other.write_bytes(standin.FITTED_FILE.read_bytes() + b"\0")
    monkeypatch.setattr(standin, "FITTED_FILE", other)
    assert standin.fingerprint() != first
