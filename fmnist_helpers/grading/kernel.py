"""The kernel in which a submission runs: limited, and able to say what it sees of the student's functions.

It holds the notebook and the observers, and decides nothing. A student's code that changes either has changed what
its own process says of itself; the marks come from values, compared in the grader's process.
"""

from __future__ import annotations

import os
import resource
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from fmnist_helpers.exercises import remote


class SteadyStream(OutStream):
    """What a cell prints, sent piece by piece.

    ipykernel's own stream collects until another thread has a moment to send. A cell that prints without end leaves it
    none, and then half a gigabyte comes in one message, so that nobody sees in time that it has to be interrupted.
    """

    piece = 1_000_000
    waiting = 0

    def write(self, string: str) -> int | None:
        """Write as a file does; wait until it is sent if much has come together."""
        written = super().write(string)
        self.waiting += len(string)
        if self.waiting > self.piece:
            self.waiting = 0
            self.flush()
        return written


class GradedKernel(IPythonKernel):
    """An IPython kernel that also answers ``observe_request``: a message with an encoded request for a buffer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shell_handlers["observe_request"] = self.observe_request

    async def observe_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Observe what is asked for. What the student's code prints meanwhile is not shown: it may be the problem."""
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            reply = remote.answer(bytes(parent["buffers"][0]), self.shell.user_ns)
        self.session.send(stream, "observe_reply", {}, parent, ident=ident, buffers=[reply])


def apply_limits(memory: int, file_size: int, processes: int) -> None:
    """Limit address space and file size in bytes, and, where the system counts them by user, processes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.getuid() != 0:
        with open("/proc/loadavg") as file:
            running = int(file.read().split()[3].split("/")[1])
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        wanted = running + processes
        resource.setrlimit(resource.RLIMIT_NPROC, (wanted if hard < 0 else min(wanted, hard), hard))


if __name__ == "__main__":
    apply_limits(*map(int, os.environ.pop("FMNIST_GRADING_LIMITS").split()))
    stream = "fmnist_helpers.grading.kernel.SteadyStream"
    IPKernelApp.launch_instance(kernel_class=GradedKernel, outstream_class=stream)
