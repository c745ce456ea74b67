"""Where a model runs and what makes a run repeatable: machine, device and seed."""

import math
import os
import platform
import random
from pathlib import Path

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

    The same seed repeats a run on the CPU of the same machine, with the same versions and the same number of
    threads. Elsewhere sums are done in another order; the difference starts in the last digit and grows while
    training. On a graphics card even two runs may differ.

    Raises:
        ValueError: if ``seed`` is not in 0 … 2**32 - 1, the range that NumPy accepts.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}; choose a whole number from 0 to {2**32 - 1}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def describe_machine() -> str:
    """Return what the lessons run on, in three lines: versions, device and threads, memory in GB."""
    import psutil
    import torchvision

    memory = psutil.virtual_memory()
    total = min(memory.total, _memory_limit())
    device = pick_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return (
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}\n"
        f"device: {device} ({name}), threads: {torch.get_num_threads()} of {os.cpu_count()}\n"
        f"memory: {min(memory.available, total) / 1e9:.1f} GB free of {total / 1e9:.1f} GB"
    )


def _memory_limit() -> float:
    """Return the bytes a container may use (Binder sets such a limit), or infinity where none is set."""
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return float(Path("/sys/fs/cgroup", file).read_text())
        except (OSError, ValueError):
            # No such file, or the word "max": no limit is set here.
            continue
    return math.inf
