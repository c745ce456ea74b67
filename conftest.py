"""Sets up every test run: one thread, stand-in data, and lessons compared with typed tolerance."""

import os
import tempfile

import nbval.kernel
from jupyter_client.manager import KernelManager
from nbval.plugin import IPyNbCell

from tests.lessons.tolerance import Tolerance
from tests.lessons.true_words import KERNEL_ARGUMENTS

# Kernels inherit these. One thread makes runs repeatable, and two on a busy machine can be ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("FMNIST_SOURCE", "standin")
# A progress bar is a widget whose text changes from run to run.
os.environ.setdefault("TQDM_DISABLE", "1")


class LessonKernelManager(KernelManager):
    """Starts kernels that check what figures say."""

    def start_kernel(self, **options):
        return super().start_kernel(extra_arguments=KERNEL_ARGUMENTS, **options)


class SocketFileKernelManager(LessonKernelManager):
    """Talks to its kernel over socket files in a folder of its own.

    Over TCP, a kernel's ports are found free and then given up for the kernel to take: of two kernels that start at
    the same moment, one may find its port taken and end before it answers.
    """

    def __init__(self, **kwargs):
        self._folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        super().__init__(transport="ipc", connection_file=os.path.join(self._folder.name, "k.json"), **kwargs)

    def cleanup_connection_file(self):
        super().cleanup_connection_file()
        self._folder.cleanup()


# Windows has no socket files that ZeroMQ would use.
nbval.kernel.KernelManager = SocketFileKernelManager if os.name == "posix" else LessonKernelManager

# For the tests that run pytest itself.
pytest_plugins = ["pytester"]


def pytest_itemcollected(item):
    """Let every notebook cell compare its outputs with the tolerance its tags name."""
    if isinstance(item, IPyNbCell):
        tolerance = Tolerance.from_tags(item.cell.metadata.get("tags", []))
        sanitize = item.sanitize
        item.sanitize = lambda output: tolerance.prepare(sanitize(output))


def pytest_collection_modifyitems(items):
    """Put the lessons first: they are the longest pieces, and at the end one process would wait for the other."""
    items.sort(key=lambda item: not isinstance(item, IPyNbCell))
