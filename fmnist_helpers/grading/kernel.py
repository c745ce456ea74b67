"""The kernel in which a submission runs: limited, and able to say what it sees of the student's functions.

It holds the notebook and the observers, and decides nothing. A student's code that changes either has changed what
its own process says of itself; the marks come from values, compared in the grader's process.
"""

from __future__ import annotations

import os
import resource
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from fmnist_helpers.exercises import remote


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
    IPKernelApp.launch_instance(kernel_class=GradedKernel)
