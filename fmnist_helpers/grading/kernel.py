"""The kernel in which a submission runs: limited, and able to say what it sees of the student's functions.

It holds the notebook and the observers, and decides nothing. A student's code that changes either has changed what
its own process says of itself; the marks come from values, compared in the grader's process. Likewise what is done
here to keep messages small serves honest work, which then loses nothing: the other side bounds whatever comes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import zmq
from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session, json_packer

from fmnist_helpers.exercises import remote

LARGEST = 5_000_000
"""Bytes of a message; the other side breaks off the connection at a larger one."""
WAITING = 16
"""How many messages may wait to be read. Whoever sends more waits, so that none is lost and memory is not filled."""
LONGEST = 10_000
"""Letters that are kept of each text in a message that would be too large."""


class SteadyStream(OutStream):
    """What a cell prints, sent piece by piece.

    ipykernel's own stream collects until another thread has a moment to send. A cell that prints without end leaves it
    none, and then half a gigabyte comes in one message, so that nobody sees in time that it has to be interrupted.
    """

    piece = 250_000
    """Letters; none takes more than twelve bytes as JSON."""
    waiting = 0

    def write(self, string: str) -> int | None:
        """Write as a file does; wait until it is sent if much has come together."""
        if not isinstance(string, str):
            return super().write(string)
        for start in range(0, len(string), self.piece):
            part = string[start : start + self.piece]
            if self.waiting + len(part) > self.piece:
                self.flush()
                self.waiting = 0
            super().write(part)
            self.waiting += len(part)
        return len(string)


def pack(message: Any) -> bytes:
    """Return something as JSON, in letters that always can be sent: half a surrogate pair, too."""
    try:
        return json.dumps(message, default=json_default).encode()
    except (TypeError, ValueError):
        return json_packer(message)


class BoundedSession(Session):
    """Sends a few words in place of what is larger than the other side takes, such as an interactive figure."""

    def __init__(self, **options: Any) -> None:
        super().__init__(pack=pack, **options)

    def serialize(self, msg: dict[str, Any], ident: list[bytes] | bytes | None = None) -> list[bytes]:
        """Return the parts of a message, its content in short if it is too large."""
        parts = super().serialize(msg, ident)
        size = sum(map(len, parts))
        if size <= LARGEST:
            return parts
        return super().serialize({**msg, "content": in_short(msg["content"], size), "metadata": {}}, ident)

    def send(self, stream: Any, msg_or_type: Any, *arguments: Any, **options: Any) -> dict[str, Any] | None:
        """Send a message, but no state of widgets: it is not kept, and its buffers could be of any size."""
        kind = msg_or_type if isinstance(msg_or_type, str) else msg_or_type["header"]["msg_type"]
        if kind.startswith("comm_"):
            return None
        return super().send(stream, msg_or_type, *arguments, **options)


def in_short(content: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the content of a message with its data left out, which is said, and its texts cut."""
    short = {}
    for name, value in content.items():
        if isinstance(value, str):
            short[name] = value[:LONGEST]
        elif isinstance(value, list):
            short[name] = [line[:LONGEST] for line in value[:100] if isinstance(line, str)]
        elif value is None or isinstance(value, int):
            short[name] = value
    if "data" in content:
        words = f"... an output of {size / 1e6:.0f} MB is left out: the grader takes {LARGEST // 1_000_000} MB ..."
        short.update(data={"text/plain": words}, metadata={}, transient=content.get("transient") or {})
    return short


class GradedKernel(IPythonKernel):
    """An IPython kernel that also answers ``observe_request``: a message with an encoded request for a buffer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shell_handlers["observe_request"] = self.observe_request

    async def observe_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Observe what is asked for. What the student's code prints meanwhile is not shown: it may be the problem."""
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            reply = remote.answer(bytes(parent["buffers"][0]), self.shell.user_ns)
        # One that is too large is no observation, and would end the connection.
        buffers = [reply if len(reply) <= LARGEST else b""]
        self.session.send(stream, "observe_reply", {}, parent, ident=ident, buffers=buffers)


class GradedApp(IPKernelApp):
    """Starts the kernel on sockets that are waiting outside of the sandbox already, and leaves no file behind."""

    def _session_default(self) -> Session:
        return BoundedSession(parent=self)

    def init_connection_file(self) -> None:
        """Take the key and the descriptors of the sockets from the environment, in place of reading a file."""
        key, *descriptors = os.environ.pop("FMNIST_GRADING_SOCKETS").split()
        self.session.key, self.transport, self.connection_file = key.encode(), "ipc", "/tmp/kernel.json"
        self.shell_port, self.control_port, self.iopub_port, self.stdin_port = map(int, descriptors)

    def write_connection_file(self, **options: Any) -> None:
        """Write the file that programs ask for, inside the sandbox, where it has no parent: elsewhere it would stay."""
        if not self.parent_handle:
            super().write_connection_file(**options)

    def init_heartbeat(self) -> None:
        """Start none: the process is watched."""

    def _try_bind_socket(self, s: zmq.Socket, port: int) -> int:
        s.setsockopt(zmq.USE_FD, port)
        if s.type == zmq.XPUB:
            s.setsockopt(zmq.XPUB_NODROP, 1)
            s.setsockopt(zmq.SNDHWM, WAITING)
        s.bind("ipc://outside")
        return port


def apply_limits(memory: int, file_size: int, processes: int) -> None:
    """Limit address space and file size in bytes, and, where the system counts them by user, processes.

    Address space counts from here on: torch has taken some of it by now, 3 GiB if it was built for CUDA.
    """
    with open("/proc/self/statm") as file:
        memory += int(file.read().split()[0]) * resource.getpagesize()
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
    # Modules that were handed in are found, but none of them in place of one that is installed.
    sys.path.append(os.getcwd())
    stream = "fmnist_helpers.grading.kernel.SteadyStream"
    GradedApp.launch_instance(kernel_class=GradedKernel, outstream_class=stream)
