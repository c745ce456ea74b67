"""How long each lesson runs and how much memory its kernel takes: ``python -m tests.benchmarks.lessons``.

Each lesson runs on one thread in a kernel of its own. Memory is the largest resident set of that kernel, less
that of one that only imports torch and torchvision: a CUDA build alone takes hundreds of megabytes. With
``--write`` the figures are stored; the README and the lessons state their run times from there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

from fmnist_helpers.runtime import iteration_seconds
from tests.execute_lessons import CELL_SECONDS, KERNEL, NOTEBOOKS

STORED = NOTEBOOKS / "results" / "lesson_times.json"

PEAK = """
import resource, sys
# In kilobytes on Linux, in bytes on macOS.
resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
"""


def measure(notebook: nbformat.NotebookNode, folder: Path) -> tuple[float, float]:
    """Execute a notebook and return its seconds and the peak memory of its kernel in MB."""
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(folder)}},
    )
    start = time.perf_counter()
    client.execute()
    return time.perf_counter() - start, float(notebook.cells[-1].outputs[0].data["text/plain"])


def main() -> None:
    """Print a line for each lesson."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"store the figures in {STORED.name}")
    write = parser.parse_args().write
    os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1")
    torch.set_num_threads(1)
    imports = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import torch, torchvision")])
    _, base = measure(imports, NOTEBOOKS)
    print(f"a kernel with torch and torchvision alone takes {base:.0f} MB")
    print(f"{'lesson':24s} {'seconds':>8s} {'MB beyond':>10s}")
    figures = {}
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        seconds, peak = measure(nbformat.read(path, as_version=4), NOTEBOOKS)
        print(f"{path.stem:24s} {seconds:8.1f} {peak - base:10.0f}")
        figures[path.stem] = {"seconds": round(seconds), "megabytes_beyond_imports": round(peak - base)}
    if write:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, 1 thread, torch {torch.__version__}"
        speed = {"machine": machine, "iteration_seconds": round(iteration_seconds(), 5)}
        STORED.write_text(json.dumps({**speed, "lessons": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
