"""Where a model runs and what makes a run repeatable: machine, device and seed."""

import json
import math
import os
import platform
import random
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from fmnist_helpers.model import IMAGE_SHAPE, NeuralNetwork
from fmnist_helpers.plain import require_whole_number


def pick_device() -> torch.device:
    """Return the graphics card, or what else PyTorch knows as an accelerator here, such as ``cuda``; else ``cpu``."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def has_bfloat16(device: torch.device | str = "cpu") -> bool:
    """Return whether ``device`` is known to have instructions for products of bfloat16.

    Known are NVIDIA's graphics cards; Apple's from macOS 14, whose Metal has that type; and the x86 and ARM
    processors whose capabilities this version of PyTorch can tell. On ARM oneDNN must be in it, which calls them.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return torch.backends.mps.is_available() and torch.backends.mps.is_macos_or_newer(14, 0)
    if device.type != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if capabilities.get("bf16") or capabilities.get("sve_bf16"):
        return torch.backends.mkldnn.is_available()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def seed_everything(seed: int) -> None:
    """Seed the random generators of Python, NumPy and PyTorch (on every device).

    The same seed repeats a run on the CPU of the same machine, with the same versions and the same number of
    threads. Elsewhere sums are done in another order; the difference starts in the last digit and grows while
    training. On a graphics card even two runs may differ.

    Raises:
        ValueError: if ``seed`` is not in 0 … 2**32 - 1, the range that NumPy accepts.
    """
    seed = require_whole_number("seed", seed, 0, 2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def describe_machine() -> str:
    """Return what the lessons run on, in three lines: versions, device and threads, memory in GB."""
    import psutil

    memory = psutil.virtual_memory()
    total = min(memory.total, _memory_limit())
    device = pick_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return (
        f"{versions()}\n"
        f"device: {device} ({name}), threads: {torch.get_num_threads()} of {os.cpu_count()}\n"
        f"memory: {min(memory.available, total) / 1e9:.1f} GB free of {total / 1e9:.1f} GB"
    )


def versions() -> str:
    """Return the versions that decide about results, in one line."""
    import torchvision

    return f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}"


def processor() -> str:
    """Return the processor as the system knows it: its kind, its name, how many cores, and PyTorch's threads."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or "unknown processor"
    threads = torch.get_num_threads()
    return f"{platform.machine()}, {name}, {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)}"


def iteration_seconds(num_iterations: int = 100) -> float:
    """Return how long one training iteration of the course's model takes here, in seconds.

    Measured on the CPU with a batch of 64 and as many threads as PyTorch uses; the median, so that a
    neighbour's burst of work does not count. Takes a fraction of a second and leaves random numbers as they were.
    """
    with torch.random.fork_rng(devices=[]):
        model = NeuralNetwork()
        images, labels = torch.rand(64, *IMAGE_SHAPE), torch.randint(0, 10, (64,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    times = []
    for _ in range(num_iterations):
        start = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def expected_seconds(recorded: str | Path) -> dict[str, float]:
    """Return how long the cells of each lesson will probably run on this machine, in seconds.

    Args:
        recorded: a file that ``python -m tests.measure.lessons --write`` made: the seconds of each lesson on
            some machine, and of one training iteration there. They are scaled by the speed of this machine.
    """
    there = json.loads(Path(recorded).read_text(encoding="utf-8"))
    ratio = iteration_seconds() / there["iteration_seconds"]
    return {name: figures["seconds"] * ratio for name, figures in there["lessons"].items()}


def _memory_limit() -> float:
    """Return the bytes a container may use (Binder sets such a limit), or infinity where none is set."""
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return float(Path("/sys/fs/cgroup", file).read_text())
        except (OSError, ValueError):
            # No such file, or the word "max": no limit is set here.
            continue
    return math.inf
