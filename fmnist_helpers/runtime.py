"""Where a model runs and what makes a run repeatable: device and seed."""

import random

import numpy as np
import torch


def pick_device() -> torch.device:
    """Return the fastest device PyTorch can use here: ``cuda``, else ``mps`` (Apple), else ``cpu``."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def seed_everything(seed: int) -> None:
    """Seed the random generators of Python, NumPy and PyTorch (on every device).

    The same seed repeats a run on the same machine, with the same versions and the same number of
    threads. Another machine may add numbers in another order, so its last digits can differ.

    Raises:
        ValueError: if ``seed`` is not in 0 … 2**32 - 1, the range that NumPy accepts.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}; choose a whole number from 0 to {2**32 - 1}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
