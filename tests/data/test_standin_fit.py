"""Fitting the stand-in, on small problems whose answer is known; no real image is needed."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fmnist_helpers.data import standin, standin_fit

SMALL = {
    "COMPONENTS_A_CLASS": 3,
    "SMALLEST_COMPONENT": 100,
    "NUM_DIRECTIONS": 40,
    "NUM_FACTORS": 6,
    "DRAWN_A_CLASS": 100,
    "EPOCHS": 2,
}
NUM_IMAGES = 4_000


@pytest.fixture(scope="module", autouse=True)
def small():
    """A model small enough to be fitted in a second."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(standin_fit, name, value)
        yield patch


@pytest.fixture(scope="module")
def training() -> tuple[np.ndarray, np.ndarray]:
    images, labels = standin.draw_split(NUM_IMAGES, seed=11)
    return images.reshape(NUM_IMAGES, 784), labels


@pytest.fixture(scope="module")
def fitted(training, small) -> dict[str, np.ndarray]:
    return standin_fit.fit(*training, seed=0)


@pytest.fixture(scope="module")
def fitted_images(training, small) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return standin_fit.fit_images(*training, np.random.default_rng(0))


@pytest.fixture
def training_root(training, tmp_path) -> Path:
    """A root that torchvision reads; the test files, which it also asks for, hold ten images."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for split, number in (("train", NUM_IMAGES), ("t10k", 10)):
        images, labels = (array[:number] for array in training)
        standin.write_idx(raw / f"{split}-images-idx3-ubyte", images.reshape(-1, 28, 28))
        standin.write_idx(raw / f"{split}-labels-idx1-ubyte", labels)
    return tmp_path


# --- k-means


def blobs(sizes: list[int], distance: float = 20.0) -> np.ndarray:
    """Return round clouds of points, float32 of shape (sum of sizes, 5), in a row along the first axis."""
    points = np.random.default_rng(0).standard_normal((sum(sizes), 5), np.float32)
    points[:, 0] += np.repeat(np.arange(len(sizes)) * distance, sizes)
    return points


def inertia(points: np.ndarray, parts: list[np.ndarray]) -> float:
    """Return the sum of squared distances of points to the mean of their part."""
    return sum(float(np.square(points[part] - points[part].mean(axis=0)).sum()) for part in parts)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_point_is_in_one_part(count):
    points = blobs([700])
    parts = standin_fit.cluster(points, count, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(700))


def test_every_point_is_in_the_part_with_the_nearest_center():
    points = blobs([500, 500])
    centers = points[:4]
    distances = np.linalg.norm(points[:, None] - centers, axis=2)
    for number, part in enumerate(standin_fit.nearest_parts(points, centers)):
        np.testing.assert_array_equal(part, np.flatnonzero(distances.argmin(axis=1) == number))


def test_separate_clouds_are_found():
    parts = standin_fit.cluster(blobs([300, 200]), 2, np.random.default_rng(1))
    assert sorted(map(len, parts)) == [200, 300]
    assert {frozenset(part) for part in parts} == {frozenset(range(300)), frozenset(range(300, 500))}


def test_likelihood_rises_with_every_step_of_k_means(monkeypatch):
    # With hard assignment and equal round components, the log-likelihood is a constant minus the inertia.
    monkeypatch.setattr(standin_fit, "SMALLEST_COMPONENT", 1)
    points = np.random.default_rng(3).uniform(size=(2_000, 2)).astype(np.float32)
    values = []
    for steps in range(12):
        monkeypatch.setattr(standin_fit, "STEPS", steps)
        values.append(inertia(points, standin_fit.cluster(points, 8, np.random.default_rng(4))))
    assert (np.diff(values) < 0).all(), values
    assert values[-1] < 0.75 * values[0]


def test_members_of_a_small_cloud_go_to_the_next_center():
    points = blobs([200, 40, 300], distance=30)
    parts = standin_fit.cluster(points, 3, np.random.default_rng(0))
    assert sum(map(len, parts)) == 540
    assert min(map(len, parts)) >= SMALL["SMALLEST_COMPONENT"]


def test_parts_are_never_too_small():
    for seed in range(40):
        generator = np.random.default_rng(seed)
        number, dimensions = int(generator.integers(110, 1_200)), int(generator.integers(1, 5))
        points = generator.standard_normal((number, dimensions)).astype(np.float32)
        points[: number // 12] += 20
        parts = standin_fit.cluster(points, 10, generator)
        assert min(map(len, parts)) >= SMALL["SMALLEST_COMPONENT"], f"seed {seed}"
        assert sum(map(len, parts)) == number


def test_a_part_that_shrinks_in_the_last_step_is_given_up(monkeypatch):
    monkeypatch.setattr(standin_fit, "STEPS", 0)
    points = blobs([200, 40, 300])
    # Without a step, the centers are three of the points: one of each cloud.
    chosen = type("Chosen", (), {"choice": lambda *args, **kwargs: np.array([0, 200, 240])})()
    parts = standin_fit.cluster(points, 3, chosen)
    assert len(parts) == 2
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(540))


def test_points_that_are_all_equal_make_one_part():
    parts = standin_fit.cluster(np.ones((200, 3), np.float32), 4, np.random.default_rng(0))
    assert list(map(len, parts)) == [200]


# --- one component


def covariance(component: dict[str, np.ndarray]) -> np.ndarray:
    """Return the covariance that loadings and spreads stand for."""
    return component["loadings"].T @ component["loadings"] + np.diag(component["spreads"] ** 2)


def log_likelihood(sample: np.ndarray, model: np.ndarray) -> float:
    """Return the mean log-density of centered normal data with covariance ``sample`` under ``model``."""
    _, log_determinant = np.linalg.slogdet(model)
    return -0.5 * (
        len(model) * np.log(2 * np.pi) + log_determinant + np.trace(np.linalg.solve(model, sample))
    )


def improve(loadings: np.ndarray, noise: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return loadings (F, D) and noise variances (D,) after one EM step (Rubin and Thayer 1982)."""
    posterior = loadings @ np.linalg.inv(loadings.T @ loadings + np.diag(noise))
    second = np.eye(len(loadings)) - posterior @ loadings.T + posterior @ sample @ posterior.T
    loadings = np.linalg.solve(second, posterior @ sample)
    return loadings, np.diag(sample - loadings.T @ posterior @ sample)


@pytest.fixture(scope="module")
def known() -> tuple[np.ndarray, np.ndarray]:
    """20,000 points (N, 20) of a normal distribution of six factors, and its covariance."""
    generator = np.random.default_rng(5)
    loadings = generator.standard_normal((6, 20))
    spreads = generator.uniform(0.1, 0.3, 20)
    points = generator.standard_normal((20_000, 6)) @ loadings
    points += 3 + generator.standard_normal((20_000, 20)) * spreads
    return points, loadings.T @ loadings + np.diag(spreads**2)


def test_a_known_covariance_is_recovered(known):
    points, true = known
    component = standin_fit.fit_component(points)
    assert component["loadings"].shape == (6, 20)
    np.testing.assert_allclose(component["center"], 3, atol=0.1)
    error = np.linalg.norm(covariance(component) - true) / np.linalg.norm(true)
    assert error < 0.03
    # One factor too few must be worse, or the bound would say nothing.
    without = {**component, "loadings": component["loadings"][:5]}
    assert np.linalg.norm(covariance(without) - true) / np.linalg.norm(true) > 2 * error


def test_variance_of_every_direction_is_kept(known):
    points, _ = known
    modelled = covariance(standin_fit.fit_component(points)).diagonal()
    np.testing.assert_allclose(modelled, points.var(axis=0), rtol=1e-3)


def test_loadings_are_orthogonal_and_the_longest_come_first(known):
    loadings = standin_fit.fit_component(known[0])["loadings"]
    products = loadings @ loadings.T
    np.testing.assert_allclose(products - np.diag(products.diagonal()), 0, atol=1e-9)
    assert (np.diff(products.diagonal()) < 0).all()


def test_em_raises_the_likelihood_of_a_component_but_only_a_little(training):
    # The module's closed form stands for a whole factor analysis, so it must have most of what EM gains.
    images, labels = training
    pixels = images.astype(np.float64) / 255
    _, basis = standin_fit.principal_directions(pixels, 40)
    coordinates = pixels[labels == 2] @ basis.T
    component = standin_fit.fit_component(coordinates)
    sample = np.cov(coordinates, rowvar=False, bias=True)
    loadings, noise = component["loadings"], component["spreads"] ** 2
    values = [log_likelihood(sample, covariance(component))]
    for _ in range(50):
        loadings, noise = improve(loadings, noise, sample)
        values.append(log_likelihood(sample, loadings.T @ loadings + np.diag(noise)))
    assert (np.diff(values) > 0).all()
    independent = log_likelihood(sample, np.diag(sample.diagonal()))
    assert values[-1] - values[0] < 0.2 * (values[-1] - independent)


def test_loudness_tells_quiet_images_from_loud_ones():
    generator = np.random.default_rng(6)
    points = generator.standard_normal((4_000, 400))
    points[:2_000] *= 3
    points[:, :6] += 300 * generator.standard_normal((4_000, 6))
    loudness = standin_fit.fit_component(points)["loudness"]
    assert loudness.shape == (standin_fit.NUM_QUANTILES,)
    assert (np.diff(loudness) >= 0).all()
    # Scales 1 and 3 have a mean square of 5; the quarter points lie in the middle of each half.
    np.testing.assert_allclose(loudness[[4, 12]], np.array([1, 3]) / np.sqrt(5), rtol=0.02)


def test_few_images_make_no_component():
    with pytest.raises(ValueError, match="a component has 99 images; it needs 100, or what is drawn"):
        standin_fit.fit_component(np.ones((99, 5)))


# --- the mixture


def test_directions_are_orthonormal_and_those_of_most_variance():
    generator = np.random.default_rng(7)
    pixels = 0.01 * generator.standard_normal((500, 784), np.float32)
    pixels[:, 3] += 5 * generator.standard_normal(500, np.float32)
    pixels[:, 700] += 2 * generator.standard_normal(500, np.float32)
    center, basis = standin_fit.principal_directions(pixels, 2)
    np.testing.assert_allclose(center, pixels.mean(axis=0))
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-5)
    assert np.abs(basis).argmax(axis=1).tolist() == [3, 700]


def test_components_share_all_images(fitted_images):
    model, classes = fitted_images
    assert model["weights"].sum() == NUM_IMAGES
    assert model["weights"].min() >= SMALL["SMALLEST_COMPONENT"]
    own = [model["weights"][classes == label].sum() for label in range(10)]
    assert own == [NUM_IMAGES / 10] * 10


def test_shapes(fitted):
    k = len(fitted["weights"])
    assert 10 <= k <= 30
    assert {name: array.shape for name, array in fitted.items()} == {
        "basis": (40, 784),
        "weights": (k,),
        "means": (k, 784),
        "loadings": (k, 6, 40),
        "spreads": (k, 40),
        "loudness": (k, 17),
        "filters": (16, 25),
        "filters_bias": (16,),
        "output": (10, 576),
        "output_bias": (10,),
    }
    assert all(np.isfinite(array).all() for array in fitted.values())


def test_images_drawn_by_class_have_the_mean_of_their_class(fitted_images, training, monkeypatch):
    monkeypatch.setattr(standin_fit, "DRAWN_A_CLASS", 1_000)
    drawn, labels = standin_fit.draw_by_class(*fitted_images, np.random.default_rng(8))
    assert drawn.dtype == np.uint8
    assert np.bincount(labels).tolist() == [1_000] * 10
    got, wanted = (
        np.stack([images[classes == label].mean(axis=0) for label in range(10)]) / 255
        for images, classes in ((drawn, labels), training)
    )
    distances = np.abs(got[:, None] - wanted).mean(axis=2)
    assert distances.argmin(axis=1).tolist() == list(range(10))
    assert distances.diagonal().max() < 0.02


def test_mean_correction_brings_clipped_draws_to_their_targets():
    model = {
        "basis": np.eye(4, 784, dtype=np.float32),
        "means": np.full((1, 784), 0.05, np.float32),
        "loadings": np.full((1, 1, 4), 0.2, np.float32),
        "spreads": np.full((1, 4), 0.1, np.float32),
        "loudness": np.ones((1, 17), np.float32),
    }
    targets = np.full((1, 784), 0.1)
    targets[0, 1:] = 0
    # As where every image is black: no value is low enough to reach a mean below zero.
    targets[0, 2] = -1
    standin_fit.correct_means(model, targets, np.random.default_rng(0))
    drawn = standin.draw_component(model, 0, 20_000, np.random.default_rng(1)) @ model["basis"]
    means = np.clip(drawn + model["means"][0], 0, 1).mean(axis=0)
    assert abs(means[0] - 0.1) < 0.01
    assert model["means"][0, 2] == pytest.approx(0.05 - 0.25)
    np.testing.assert_allclose(model["means"][0, 4:], 0, atol=1e-6)


def test_more_components_explain_unseen_images_better(training, monkeypatch):
    images, labels = training
    points = images[labels == 9].astype(np.float64) / 255
    center, basis = standin_fit.principal_directions(points, 10)
    points = (points - center) @ basis.T
    seen, unseen = points[:300], points[300:]
    monkeypatch.setattr(standin_fit, "NUM_FACTORS", 4)
    scores = []
    for count in (1, 3):
        parts = standin_fit.cluster(seen, count, np.random.default_rng(1))
        densities = []
        for part in parts:
            component = standin_fit.fit_component(seen[part])
            model, apart = covariance(component), unseen - component["center"]
            distances = np.einsum("nd,nd->n", apart @ np.linalg.inv(model), apart)
            densities.append(np.log(len(part) / 300) - 0.5 * (distances + np.linalg.slogdet(model)[1]))
        weighed = np.stack(densities)
        responsibilities = np.exp(weighed - np.logaddexp.reduce(weighed))
        np.testing.assert_allclose(responsibilities.sum(axis=0), 1)
        scores.append(np.logaddexp.reduce(weighed).mean())
    assert len(parts) > 1
    assert scores[1] > scores[0]


# --- the labels


def test_the_drawing_code_computes_what_the_trained_network_computes(training, monkeypatch):
    # Two programs of one network: torch's, which is trained, and the one of products that draws labels.
    networks = []
    monkeypatch.setattr(standin_fit, "train_network", lambda network, *data: networks.append(network))
    images, labels = (array[:300] for array in training)
    model = standin_fit.fit_labels(images, labels, seed=3)
    with torch.no_grad():
        expected = networks[0](torch.from_numpy(images).view(-1, 1, 28, 28).float() / 255)
    np.testing.assert_allclose(standin.label_logits(model, images), expected.numpy(), atol=1e-5)


def test_training_lowers_the_loss(training):
    images, labels = training
    inputs, targets = torch.from_numpy(images).view(-1, 1, 28, 28), torch.from_numpy(labels.astype(np.int64))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    losses = []
    for _ in range(2):
        with torch.no_grad():
            losses.append(nn.functional.cross_entropy(network(inputs.float() / 255), targets).item())
        if len(losses) == 1:
            standin_fit.train_network(network, inputs, targets)
    assert losses[0] > 2.2
    assert losses[1] < 1


def test_the_labelling_network_knows_the_classes(fitted, training):
    images, labels = training
    accuracy = (standin.label_logits(fitted, images).argmax(axis=1) == labels).mean()
    assert accuracy > 0.65, "chance is 0.1; two epochs on 5,000 images are enough for this"


# --- the file


def test_quantisation_is_off_by_half_a_step_at_most():
    rows = np.random.default_rng(0).standard_normal((30, 400)) * np.logspace(-3, 2, 30)[:, None]
    rows[4] = 0
    packed = standin_fit.quantize({"rows": rows, "few": rows[0]})
    assert packed["rows"].dtype == np.int8
    assert packed["rows.scale"].shape == (30, 1)
    unpacked = packed["rows"] * packed["rows.scale"]
    steps = np.abs(rows).max(axis=1, keepdims=True) / 127
    assert (np.abs(unpacked - rows) <= steps * 0.50001).all()
    np.testing.assert_array_equal(unpacked[4], 0)
    # Small arrays are kept as they are.
    assert set(packed) == {"rows", "rows.scale", "few"}
    np.testing.assert_array_equal(packed["few"], rows[0].astype(np.float32))


def test_the_written_file_is_loaded_and_drawn_from(fitted, tmp_path, monkeypatch):
    path = tmp_path / "fitted.npz"
    standin_fit.save(fitted, path)
    loaded = standin.load(path)
    assert set(loaded) == set(fitted)
    for name, array in fitted.items():
        assert np.abs(loaded[name] - array).max() <= np.abs(array).max() / 250, name
    monkeypatch.setattr(standin, "FITTED_FILE", path)
    images, labels = standin.draw_split(500, seed=0)
    assert np.bincount(labels).tolist() == [50] * 10
    assert 0.3 < (images == 0).mean() < 0.7
    assert [entry.name for entry in tmp_path.iterdir()] == ["fitted.npz"]


def test_same_seed_same_bytes(fitted, training, tmp_path):
    again = standin_fit.fit(*training, seed=0)
    other = standin_fit.fit(*training, seed=1)
    contents = []
    for model in (fitted, again, other):
        standin_fit.save(model, tmp_path / "fitted.npz")
        contents.append((tmp_path / "fitted.npz").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@pytest.mark.parametrize("step", ["write", "rename"])
def test_nothing_half_written_replaces_the_file(fitted, tmp_path, monkeypatch, step):
    path = tmp_path / "fitted.npz"
    path.write_bytes(b"old")

    def fail(*arguments, **arrays):
        if step == "write":
            arguments[0].write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*((np, "savez_compressed") if step == "write" else (os, "replace")), fail)
        with pytest.raises(OSError, match="No space left"):
            standin_fit.save(fitted, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_shipped_file_has_the_shapes_of_a_full_fit():
    model = standin.load(standin.FITTED_FILE)
    assert model["basis"].shape == (200, 784)
    assert model["loadings"].shape[1:] == (24, 200)
    assert len(model["weights"]) <= 100
    assert model["weights"].min() >= 150


# --- what cannot be fitted


BLACK = np.zeros((1_500, 784), np.uint8)
TURNS = np.arange(1_500) % 10


@pytest.mark.parametrize(
    ("images", "labels", "seed", "message"),
    [
        (
            BLACK / 255,
            TURNS,
            0,
            r"images are float64 of shape \(1500, 784\); they must be uint8 of shape \(N, 784\)",
        ),
        (BLACK.reshape(-1, 28, 28), TURNS, 0, r"images are uint8 of shape \(1500, 28, 28\);"),
        (BLACK[:, 1:], TURNS, 0, r"images are uint8 of shape \(1500, 783\);"),
        (
            BLACK,
            TURNS[1:],
            0,
            r"labels are int64 of shape \(1499,\); they must be 1500 integers from 0 to 9, one per image",
        ),
        (BLACK, TURNS[None], 0, r"labels are int64 of shape \(1, 1500\); they must be 1500 integers"),
        (BLACK, TURNS + 1, 0, r"labels are int64 of shape \(1500,\), one of them 10; they must be"),
        (BLACK, TURNS + 0.5, 0, r"labels are float64 of shape \(1500,\), one of them 0.5; they must be"),
        (BLACK[:990], TURNS[:990], 0, "class 0 has 99 images; a fit needs 100 per class: give all 60,000"),
        (BLACK, TURNS, -1, "seed is -1; it must be 0 or above"),
    ],
)
def test_bad_arguments(images, labels, seed, message):
    with pytest.raises(ValueError, match=message):
        standin_fit.fit(images, labels, seed)


# --- the command line


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["standin_fit", *map(str, arguments)])
    standin_fit.main()


def test_command_line(training_root, fitted, tmp_path, monkeypatch, capsys):
    path = tmp_path / "new.npz"
    run_main(monkeypatch, "--root", training_root, "--out", path)
    said = capsys.readouterr().out
    sizes = fitted["weights"]
    assert f"{len(sizes)} components of {sizes.min():.0f} to {sizes.max():.0f} images" in said
    assert f"{path}: {path.stat().st_size / 1e6:.2f} MB" in said
    standin_fit.save(fitted, tmp_path / "expected.npz")
    assert path.read_bytes() == (tmp_path / "expected.npz").read_bytes()


def assert_refused(monkeypatch, capsys, message: str, *arguments: object) -> None:
    with pytest.raises(SystemExit) as stop:
        run_main(monkeypatch, *arguments)
    assert stop.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert message in last


def test_missing_data_is_said_in_one_sentence(tmp_path, monkeypatch, capsys):
    message = f"{tmp_path} holds no Fashion-MNIST; give the folder that prepare_data(source='real') returns"
    assert_refused(monkeypatch, capsys, message, "--root", tmp_path)


def test_what_cannot_work_is_said_before_the_fit(training_root, tiny_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(standin_fit, "fit", lambda *arguments: pytest.fail("fitted"))
    out = "--out", tmp_path / "missing" / "new.npz"
    assert_refused(monkeypatch, capsys, "there is no folder", "--root", training_root, *out)
    seed = "--seed", "-1"
    assert_refused(monkeypatch, capsys, "seed is -1; it must be 0 or above", "--root", training_root, *seed)
    few = "has 39 images; a fit needs 100 per class: give all 60,000 training images"
    assert_refused(monkeypatch, capsys, few, "--root", tiny_root)
    assert_refused(monkeypatch, capsys, "--root")


def test_running_the_file_shows_its_help(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["standin_fit", "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(standin_fit.__file__, run_name="__main__")
    assert stop.value.code == 0
    assert "Fit the stand-in to the real training images" in capsys.readouterr().out
