"""Sets up every test run: one thread, stand-in data, and lessons compared with typed tolerance."""

import os

from nbval.plugin import IPyNbCell

from tests.tolerance import Tolerance

# Kernels inherit these. One thread makes runs repeatable, and two on a busy machine can be ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("FMNIST_SOURCE", "standin")
# A progress bar is a widget whose text changes from run to run.
os.environ.setdefault("TQDM_DISABLE", "1")

# For the tests that run pytest itself.
pytest_plugins = ["pytester"]


def pytest_itemcollected(item):
    """Let every notebook cell compare its outputs with the tolerance its tags name."""
    if isinstance(item, IPyNbCell):
        tolerance = Tolerance.from_tags(item.cell.metadata.get("tags", []))
        sanitize = item.sanitize
        item.sanitize = lambda output: tolerance.prepare(sanitize(output))
