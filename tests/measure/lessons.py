"""How long each lesson runs and how much memory its kernel takes: ``python -m tests.measure.lessons``.

Each lesson runs on one thread in a kernel of its own. Memory is the largest resident set of that kernel, less
that of one that only imports torch and torchvision: a CUDA build alone takes hundreds of megabytes. With
``--write`` the figures are stored; the README and the lessons state their run times from there.

``--limit-gb 2`` runs the lessons two at a time, as a student does who leaves one open, in a cgroup that allows so
much memory (Binder's limit), and prints the most that was used. It needs the right to make a cgroup.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

from fmnist_helpers.grading.sandbox import Limits, process_groups
from fmnist_helpers.runtime import iteration_seconds, processor, versions
from tests.measure.results import store
from tests.tools.course import COURSE, LESSONS, NOTEBOOKS, RESULTS
from tests.tools.execute import CELL_SECONDS, KERNEL

STORED = RESULTS / "lesson_times.json"

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


def run_in_pairs(gibibytes: float) -> None:
    """Run each lesson beside the next one within a memory limit, and print the most that both took.

    Raises:
        RuntimeError: if no cgroup can be made here, or a lesson did not survive.
    """
    print(f"within {gibibytes:g} GiB for both{'':10s} {'MB used at most':>16s}")
    for pair in pairwise(LESSONS):
        with process_groups(Limits(memory_gib=gibibytes, processes=1024)) as groups:
            memory = [group for group in groups if "memory" in "".join(path.name for path in group.iterdir())]
            if not memory:
                raise RuntimeError("a cgroup with a memory limit cannot be made here; root can, as a rule")
            runs = [_run_in(memory[0], path) for path in pair]
            failed = [path.stem for path, run in zip(pair, runs, strict=True) if run.wait()]
            if failed:
                raise RuntimeError(f"{', '.join(failed)} did not come to its end")
            # Version 1 and version 2 of cgroups have other names for it.
            peaks = [memory[0] / "memory.max_usage_in_bytes", memory[0] / "memory.peak"]
            peak = next(int(path.read_text()) for path in peaks if path.exists())
        print(f"{pair[0].stem + ' and ' + pair[1].stem[:2]:32s} {peak / 1e6:16.0f}", flush=True)


def _run_in(group: Path, path: Path) -> subprocess.Popen:
    code = "import sys, nbformat; from tests.measure.lessons import measure, NOTEBOOKS; "
    code += "measure(nbformat.read(sys.argv[1], as_version=4), NOTEBOOKS)"
    enter = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'
    command = ["sh", "-c", enter, "sh", str(group), sys.executable, "-c", code, str(path)]
    return subprocess.Popen(command, cwd=COURSE, stderr=subprocess.DEVNULL)


def main() -> None:
    """Print a line for each lesson."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"store the figures in {STORED.name}")
    parser.add_argument("--limit-gb", type=float, help="run two at a time within so much memory instead")
    arguments = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1")
    if arguments.limit_gb:
        run_in_pairs(arguments.limit_gb)
        return
    torch.set_num_threads(1)
    imports = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import torch, torchvision")])
    _, base = measure(imports, NOTEBOOKS)
    print(f"a kernel with torch and torchvision alone takes {base:.0f} MB")
    print(f"{'lesson':24s} {'seconds':>8s} {'MB beyond':>10s}")
    figures = {}
    for path in LESSONS:
        seconds, peak = measure(nbformat.read(path, as_version=4), NOTEBOOKS)
        print(f"{path.stem:24s} {seconds:8.1f} {peak - base:10.0f}")
        figures[path.stem] = {"seconds": round(seconds), "megabytes_beyond_imports": round(peak - base)}
    if arguments.write:
        machine = {"machine": f"{processor()}, {versions()}", "iteration_seconds": iteration_seconds()}
        store({**machine, "lessons": figures}, STORED)


if __name__ == "__main__":
    main()
