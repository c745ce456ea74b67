"""Listens to the kernel of one submission, in a process of its own, so that what a kernel sends can hurt nobody else.

The grader says what to run or to ask, and gets plain data of bounded size. A kernel that sends more than this process
may hold, or what breaks it, ends this process and its own submission with it; one that sends without pause takes this
process's time, not that of the grader. To start quickly it imports little, and speaks Jupyter's protocol itself: two
kinds of request, and seven kinds of message that it understands.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Literal

import msgspec
import zmq

OUTPUT_BYTES = 100_000
"""What is kept of the text that one cell shows."""
PICTURE_BYTES = 1_400_000
"""How large a picture may be: 1 MB, which takes a third more as text."""
ERROR_BYTES = 20_000
"""What is kept of the errors of one cell, beside its text: they say why marks were lost."""
SUBMISSION_BYTES = 5_000_000
"""What is kept of everything that a submission shows."""
SMALLEST_OUTPUT = 500
"""What an output counts for at least, so that a cell cannot show a hundred thousand empty ones; a message, too."""
FLOOD_BYTES = 60_000_000
"""A cell that sends more than this is interrupted; it counts anew from what takes the place of something."""
REPLACING = ("clear_output", "update_display_data")
"""With these a live plot or a progress bar is drawn anew, which is not to print without end."""
MESSAGE_BYTES = 6_000_000
"""A part of a message that is larger than this breaks off the connection; an honest kernel sends none."""
WAITING = {"shell": 8, "control": 1, "iopub": 16}
"""How many messages of a kernel are taken in before they are read."""
MEMORY_BYTES = 2**30
"""Address space of this process; it uses a quarter."""
GRACE_SECONDS = 10
"""How long an interrupted cell may take to end; what it has shown is read meanwhile."""
IDLE_SECONDS = 20
"""How long after its reply a kernel may take to say that it is idle; what the cell has shown is read before."""
CUT = (
    f"\n... the rest is cut: a cell may show {OUTPUT_BYTES // 1000} kB of text, a picture may have 1 MB, "
    f"and all together {SUBMISSION_BYTES // 1_000_000} MB ...\n"
)
TEXTS = ("text/html", "text/markdown", "text/latex", "text/plain")
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
DELIMITER = b"<IDS|MSG>"
KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
"""Number of the system call for keyrings, which has no function in C's library."""


# --- what the grader says, and is told ---------------------------------------------------------------------


class Start(msgspec.Struct, tag=True):
    """Start a kernel, the first thing that is said; the answer is Ready or Gone."""

    command: list[str]
    environment: dict[str, str]
    folder: str
    seconds: float


class Run(msgspec.Struct, tag=True):
    """Run a cell; the answer is Ran."""

    source: str
    seconds: float
    counted: bool
    """Whether it has a number, and a place in the history."""
    text: int
    """Bytes of text that are left for its cell."""
    whole: int
    """Bytes of outputs that are left for the submission."""


class Ask(msgspec.Struct, tag=True):
    """Hand over a request for an observation; the answer is Answered or Gone."""

    request: bytes
    seconds: float


class Ready(msgspec.Struct, tag=True):
    """The kernel has answered for the first time."""


Ending = Literal["", "slow", "flood"]
"""Whether something was interrupted, and why: it took too long, or sent too much."""


class Gone(msgspec.Struct, tag=True):
    """Nothing more can be had of the kernel."""

    reason: Literal["died", "stuck", "garbled", "not started"]
    words: str = ""
    ending: Ending = ""


class Ran(msgspec.Struct, tag=True):
    """How a cell ran."""

    outputs: list[dict[str, Any]]
    text: int
    whole: int
    """Bytes of text, and of all, that its outputs took."""
    count: int | None = None
    ending: Ending = ""
    gone: Gone | None = None


class Answered(msgspec.Struct, tag=True):
    """What the kernel sent for an observation; None if that was no reply of this kind."""

    reply: bytes | None
    ending: Ending = ""


# --- what a kernel says ------------------------------------------------------------------------------------


class Header(msgspec.Struct):
    msg_type: str


class Parent(msgspec.Struct):
    msg_id: str = ""


class Stream(msgspec.Struct):
    name: Literal["stdout", "stderr"]
    text: str


class Transient(msgspec.Struct):
    display_id: str | None = None


class Display(msgspec.Struct):
    """Content of display_data, update_display_data and execute_result."""

    data: dict[str, Any]
    transient: Transient | None = None
    execution_count: int | None = None


class Error(msgspec.Struct):
    ename: str
    evalue: str
    traceback: list[str]


class Status(msgspec.Struct):
    execution_state: str


class Clear(msgspec.Struct):
    wait: bool = False


class Reply(msgspec.Struct):
    """Content of any reply; what is neither ok nor an error is none."""

    status: str = ""
    ename: str = ""
    evalue: str = ""
    execution_count: int | None = None


CONTENTS = {
    "stream": Stream,
    "display_data": Display,
    "update_display_data": Display,
    "execute_result": Display,
    "error": Error,
    "status": Status,
    "clear_output": Clear,
    "execute_reply": Reply,
    "observe_reply": Reply,
    "kernel_info_reply": Reply,
}


class Message(msgspec.Struct):
    kind: str
    parent: str
    content: Any
    buffers: list[bytes]


class Break(Exception):  # noqa: N818
    """Nothing more can be had of the kernel; holds the Gone that says so."""

    def __init__(self, gone: Gone) -> None:
        super().__init__(gone.words)
        self.gone = gone


# --- outputs -----------------------------------------------------------------------------------------------


class Shown:
    """The outputs of a cell, as many of them as there is room for.

    Args:
        text: bytes that are left for text.
        whole: bytes that are left for everything.
    """

    def __init__(self, text: int, whole: int) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.text, self.whole, self.errors = text, whole, ERROR_BYTES
        self._limits = text, whole, ERROR_BYTES
        self._by_id: dict[str, tuple[dict[str, Any], int, int]] = {}
        self._cut = self._clear_first = False

    def see(self, message: Message) -> None:
        """Keep what a message shows."""
        content, kind = message.content, message.kind
        if isinstance(content, Clear):
            self._clear_first = content.wait
            if not content.wait:
                self._clear()
            return
        if self._clear_first and kind != "update_display_data":
            self._clear_first = False
            self._clear()
        if isinstance(content, Stream):
            self._print(content)
        elif isinstance(content, Error):
            self.fail(content)
        elif kind == "update_display_data":
            self._update(content)
        elif isinstance(content, Display):
            self._display(content, kind)

    def _clear(self) -> None:
        self.outputs.clear()
        self._by_id.clear()
        self.text, self.whole, self.errors = self._limits
        self._cut = False

    def _print(self, content: Stream) -> None:
        last = self.outputs[-1] if self.outputs else {}
        joins = last.get("name") == content.name
        room = min(self.text, self.whole) - (0 if joins else SMALLEST_OUTPUT)
        text = shortened(content.text, room)
        if text:
            size = size_of(text) + (0 if joins else SMALLEST_OUTPUT)
            self.text, self.whole = self.text - size, self.whole - size
            if joins:
                last["text"] += text
            else:
                self.outputs.append({"output_type": "stream", "name": content.name, "text": text})
        if len(text) < len(content.text):
            self._say_that_it_is_cut()

    def fail(self, content: Error) -> None:
        """Keep an error, cut to a few pages."""
        room = min(self.errors, self.whole) - SMALLEST_OUTPUT
        if room < SMALLEST_OUTPUT:
            self._say_that_it_is_cut()
            return
        name, message = shortened(content.ename, room // 8), shortened(content.evalue, room // 4)
        lines, left = [], room // 2
        for line in content.traceback:
            if left < 4:
                break
            lines.append(shortened(line, left - 4))
            left -= size_of(lines[-1]) + 4
        error = {"output_type": "error", "ename": name, "evalue": message, "traceback": lines}
        size = SMALLEST_OUTPUT + size_of(name) + size_of(message) + room // 2 - left
        self.errors, self.whole = self.errors - size, self.whole - size
        self.outputs.append(error)

    def _display(self, content: Display, kind: str) -> None:
        data, text, size = self._fitting(content.data)
        if not data:
            return
        output = {"output_type": kind, "metadata": {}, "data": data}
        if kind == "execute_result":
            output["execution_count"] = number(content.execution_count)
        self.text, self.whole = self.text - text, self.whole - size
        self.outputs.append(output)
        if content.transient and content.transient.display_id:
            self._by_id[content.transient.display_id] = output, text, size

    def _update(self, content: Display) -> None:
        """Put something in the place of an output of this cell, as far as there is room."""
        name = content.transient.display_id if content.transient else None
        if name not in self._by_id:
            return
        output, text, size = self._by_id[name]
        self.text, self.whole = self.text + text, self.whole + size
        data, more_text, more = self._fitting(content.data)
        if data:
            output["data"], text, size = data, more_text, more
        self.text, self.whole = self.text - text, self.whole - size
        self._by_id[name] = output, text, size

    def _fitting(self, data: dict[str, Any]) -> tuple[dict[str, str], int, int]:
        """Return what of a display a page can show and there is room for; its bytes of text, and of all."""
        kept, text, whole, left_out = {}, SMALLEST_OUTPUT, SMALLEST_OUTPUT, False
        for kind in (*PICTURES, *TEXTS):
            value = data.get(kind)
            if not isinstance(value, str):
                continue
            room = min(PICTURE_BYTES if kind in PICTURES else self.text - text, self.whole - whole)
            if size_of(value) > room:
                left_out = True
                value = shortened(value, room) if kind == "text/plain" else ""
            if value:
                kept[kind] = clean(value)
                whole += size_of(value)
                text += 0 if kind in PICTURES else size_of(value)
        if left_out:
            self._say_that_it_is_cut()
        # A picture has room where a cell has printed all that it may.
        return kept, text if kept.keys() & set(TEXTS) else 0, whole

    def _say_that_it_is_cut(self) -> None:
        if not self._cut:
            self._cut = True
            self.outputs.append({"output_type": "stream", "name": "stdout", "text": CUT})

    def finish(self, reply: Reply) -> None:
        """Add the error with which a cell ended, if it was not shown or there was no room for it."""
        if reply.status == "ok":
            return
        name, message = shortened(reply.ename, 100), shortened(reply.evalue, 500)
        if reply.status != "error":
            name, message = "NotRun", "the kernel did not run this cell"
        if not any(output.get("ename") == name for output in self.outputs):
            line = f"{name}: {message}"
            self.outputs.append(
                {"output_type": "error", "ename": name, "evalue": message, "traceback": [line]}
            )

    def taken(self) -> tuple[int, int]:
        """Return the bytes of text, and of all, that the outputs took."""
        return self._limits[0] - self.text, self._limits[1] - self.whole


def clean(text: str) -> str:
    """Return a text that every program can write: without halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")


def size_of(text: str) -> int:
    """Return how many bytes a text takes in a notebook."""
    return len(msgspec.json.encode(clean(text))) - 2


def shortened(text: str, room: int) -> str:
    """Return as much of a text as takes no more than so many bytes in a notebook."""
    text = clean(text[: max(room, 0)])
    while (size := size_of(text)) > max(room, 0):
        text = text[: len(text) * max(room, 0) // size]
    return text


def number(count: int | None) -> int | None:
    """Return the number of a cell if it is one."""
    return count if count is not None and 0 <= count < 10**9 else None


# --- the kernel --------------------------------------------------------------------------------------------


class Kernel:
    """A kernel and the three sockets at which it is met; they lie in the working folder.

    Args:
        start: how to start it.
        grader: descriptor of the grader's end; anything that comes there while a kernel works means that it has gone.
    """

    def __init__(self, start: Start, grader: int) -> None:
        self._grader, self._key = grader, secrets.token_hex(32)
        waiting = [_waiting_socket(name) for name in (*WAITING, "stdin")]
        descriptors = [one.fileno() for one in waiting]
        sockets = " ".join([self._key, *map(str, descriptors)])
        self.process = subprocess.Popen(
            start.command,
            env={**start.environment, "FMNIST_GRADING_SOCKETS": sockets, "JPY_PARENT_PID": str(os.getpid())},
            cwd=start.folder,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for one in waiting:
            one.close()
        self._last_words = b""
        threading.Thread(target=self._read_last_words, daemon=True).start()
        self._context = zmq.Context()
        self.shell, self.control, self.iopub = (self._connected(name) for name in WAITING)
        self._poller, self._received, self._broken = zmq.Poller(), 0, 0.0
        self._monitors = [one.get_monitor_socket(zmq.EVENT_DISCONNECTED) for one in (self.shell, self.iopub)]
        for one in (self.iopub, self.shell, *self._monitors, grader):
            self._poller.register(one, zmq.POLLIN)

    def _connected(self, name: str) -> zmq.Socket:
        one = self._context.socket(zmq.SUB if name == "iopub" else zmq.DEALER)
        one.linger, one.rcvhwm, one.maxmsgsize = 0, WAITING[name], MESSAGE_BYTES
        # It may start slowly.
        one.handshake_ivl = 0
        if name == "iopub":
            one.subscribe(b"")
        one.connect(f"ipc://{name}")
        return one

    def _read_last_words(self) -> None:
        """Read what comes on stderr, so that nobody waits for it, and keep its end: why a kernel does not start."""
        while part := os.read(self.process.stderr.fileno(), 65536):
            self._last_words = (self._last_words + part)[-2000:]

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for the first reply, by a clock that does not jump.

        Raises:
            Break: if there is none.
        """
        deadline, ask_again = time.monotonic() + seconds, 0.0
        asked, heard = set(), set()
        while time.monotonic() < deadline:
            if time.monotonic() > ask_again:
                asked.add(self._send(self.shell, "kernel_info_request", {}))
                ask_again = time.monotonic() + 1
            for message in self._messages():
                if message.parent in asked:
                    heard.add(message.kind)
            # The second shows that what the kernel will print arrives here.
            if {"kernel_info_reply", "status"} <= heard:
                return
            if self.process.poll() is not None:
                raise Break(Gone("not started", f"it ended with status {self.process.returncode}"))
        raise Break(Gone("not started", f"it gave no answer in {seconds:g} s"))

    def last_words(self) -> str:
        """Return the end of what a kernel that did not start has written to its terminal, in one line."""
        return " ".join(self._last_words.decode("utf-8", "replace").split())[-300:]

    def run(self, wish: Run) -> Ran:
        """Run a cell; what it has shown is kept whatever becomes of it."""
        shown, ending, reply, gone = Shown(wish.text, wish.whole), "", Reply("ok"), None
        content = {
            "code": wish.source,
            "silent": False,
            "store_history": wish.counted,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        try:
            request = self._send(self.shell, "execute_request", content)
            message, ending = self._wait(request, wish.seconds, shown.see, until_idle=True)
            reply = message.content if message.kind == "execute_reply" else Reply()
            shown.finish(reply)
        except Break as error:
            gone = error.gone
        text, whole = shown.taken()
        return Ran(shown.outputs, text, whole, number(reply.execution_count), ending, gone)

    def ask(self, wish: Ask) -> Answered:
        """Hand over a request, and return what comes back; what is shown meanwhile is thrown away.

        Raises:
            Break: if nothing can come any more.
        """
        request = self._send(self.shell, "observe_request", {}, wish.request)
        message, ending = self._wait(request, wish.seconds, lambda message: None, until_idle=False)
        right = message.kind == "observe_reply" and len(message.buffers) == 1
        return Answered(message.buffers[0] if right else None, ending)

    def _wait(
        self, request: str, seconds: float, see: Callable[[Message], None], *, until_idle: bool
    ) -> tuple[Message, Ending]:
        """Wait for the reply to a request; interrupt the kernel if it takes too long or sends too much."""
        deadline, last, ending = time.monotonic() + seconds, float("inf"), ""
        reply, idle, self._received = None, not until_idle, 0
        while reply is None or not idle:
            now = time.monotonic()
            if now > last:
                raise Break(Gone("stuck", ending=ending))
            if not ending and (self._received > FLOOD_BYTES or now > deadline):
                ending, last = "flood" if self._received > FLOOD_BYTES else "slow", now + GRACE_SECONDS
                self._send(self.control, "interrupt_request", {})
            messages = self._messages()
            for message in messages:
                if message.parent != request:
                    continue
                if message.kind in REPLACING:
                    self._received = 0
                if message.kind.endswith("_reply"):
                    reply, last = reply or message, min(last, now + IDLE_SECONDS)
                elif isinstance(message.content, Status):
                    idle = idle or message.content.execution_state == "idle"
                else:
                    see(message)
            if not messages:
                self._look_for_life()
        return reply, ending

    def _messages(self) -> list[Message]:
        """Return at most one message of each socket, as soon as there is any.

        Raises:
            Break: if what came is no message.
            EOFError: if the grader has gone.
        """
        ready = dict(self._poller.poll(200))
        if self._grader in ready:
            raise EOFError
        for one in self._monitors:
            if one in ready:
                one.recv_multipart()
                self._broken = self._broken or time.monotonic()
        return [self._read(one) for one in (self.iopub, self.shell) if one in ready]

    def _look_for_life(self) -> None:
        if self.process.poll() is not None:
            raise Break(Gone("died"))
        # A process that dies does the one before the other.
        if self._broken and time.monotonic() > self._broken + 1:
            raise Break(Gone("garbled", "it broke off the connection"))

    def _read(self, one: zmq.Socket) -> Message:
        frames = one.recv_multipart()
        self._received += max(sum(map(len, frames)), SMALLEST_OUTPUT)
        try:
            start = frames.index(DELIMITER)
            signature, header, parent, metadata, content = frames[start + 1 : start + 6]
            if not hmac.compare_digest(signature, self._signed(header, parent, metadata, content)):
                raise ValueError("it is not signed")
            kind = _decoded(header, Header).msg_type
            known = CONTENTS.get(kind)
            told = _decoded(content, known) if known else None
            return Message(kind, _decoded(parent, Parent).msg_id, told, frames[start + 6 :])
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
            raise Break(Gone("garbled", type(error).__name__)) from None

    def _send(self, one: zmq.Socket, kind: str, content: dict[str, Any], *buffers: bytes) -> str:
        """Send a request and return its number."""
        name = secrets.token_hex(16)
        header = {"msg_id": name, "msg_type": kind, "session": self._key[:8], "username": "grader"}
        header |= {"date": "2000-01-01T00:00:00Z", "version": "5.3"}
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        with contextlib.suppress(zmq.Again):
            # A kernel that takes nothing in is found out by its silence.
            one.send_multipart([DELIMITER, self._signed(*parts), *parts, *buffers], zmq.NOBLOCK)
        return name

    def _signed(self, *parts: bytes) -> bytes:
        digest = hmac.new(self._key.encode(), digestmod=hashlib.sha256)
        for part in parts:
            digest.update(part)
        return digest.hexdigest().encode()

    def end(self) -> None:
        """Kill the kernel and wait until it is gone, for some seconds."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(GRACE_SECONDS)


def _waiting_socket(name: str) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.bind(name)
    one.listen()
    return one


def _decoded(data: bytes, kind: type) -> Any:
    # Not by msgspec alone, which takes no half of a surrogate pair.
    return msgspec.convert(json.loads(data.decode("utf-8", "replace")), kind)


# --- this process ------------------------------------------------------------------------------------------


def leave_keyring() -> None:
    """Join a new, empty session keyring, which is then that of the kernel: no submission finds another's keys."""
    if (call := KEYCTL.get(os.uname().machine)) is not None:
        join_session_keyring = 1
        ctypes.CDLL(None).syscall(call, join_session_keyring, None)


def main() -> None:
    """Start a kernel, and do with it what the grader says, until that has nothing more to say."""
    grader = Connection(int(sys.argv[1]))
    leave_keyring()
    start = msgspec.msgpack.decode(grader.recv_bytes(), type=Start)
    kernel = Kernel(start, grader.fileno())
    try:
        answer: Any = Ready()
        try:
            kernel.wait_until_ready(start.seconds)
        except Break as error:
            answer = Gone("not started", f"{error.gone.words}: {kernel.last_words()}".rstrip(": "))
        # The kernel, which has limits of its own, is started by now.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        while True:
            grader.send_bytes(msgspec.msgpack.encode(answer))
            wish = msgspec.msgpack.decode(grader.recv_bytes(), type=Run | Ask)
            try:
                answer = kernel.run(wish) if isinstance(wish, Run) else kernel.ask(wish)
            except Break as error:
                answer = error.gone
    except (EOFError, OSError):
        pass
    finally:
        kernel.end()


if __name__ == "__main__":
    main()
