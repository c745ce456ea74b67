"""What several test files share: tiny data in torchvision's files, and the real data where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import fmnist_helpers as fh
from fmnist_helpers.data.standin import write_idx
from tests.tools.course import COURSE


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that ``FashionMNIST`` reads: 400 training and 70 test images of noise, ten classes."""
    root = tmp_path_factory.mktemp("tiny")
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, number in (("train", 400), ("t10k", 70)):
        images = generator.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        labels = generator.permutation(np.arange(number, dtype=np.uint8) % 10)
        write_idx(raw / f"{split}-images-idx3-ubyte", images)
        write_idx(raw / f"{split}-labels-idx1-ubyte", labels)
    return root


@pytest.fixture(scope="session")
def real_mirror() -> Path:
    """The folder with the four official files; tests that need it are skipped where there is none."""
    named = os.environ.get("FMNIST_MIRROR") or "../shared/fashion-mnist"
    folder = COURSE / Path(named).expanduser()
    if not (folder / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"the real data set is not at hand: no folder {named} (set FMNIST_MIRROR to name one)")
    return folder


@pytest.fixture(scope="session")
def real_root(real_mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``prepare_data`` makes of the four official files."""
    return fh.prepare_data(tmp_path_factory.mktemp("data"), source="real", mirror=str(real_mirror))
