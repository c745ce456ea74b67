"""Ways to hurt the grader or a neighbour, and honest work that looks like one; each with the marks it must get.

All of them are written by somebody who solved the tasks: what a submission earned before it did harm, it keeps.
"""

from __future__ import annotations

import os

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.exercises.hostile import AFTER, FLAGGED, IN_PART, MANUAL, Case, Change, answered, place_of

NO_MESSAGE = "the kernel sent what is no message"
CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(os.uname().machine, (0, 0))
"""Numbers of the system calls add_key and keyctl."""


def harm(name: str, code: str, status: str = MANUAL, lost: tuple[str, ...] = (), words: str = "") -> Case:
    """Harm that is done in the cell of an answer, after it."""
    return Case(name, status, lost, words, answered(code), needs_sandbox=True)


def while_observed(name: str, code: str, status: str, lost: tuple[str, ...], words: str = "") -> Case:
    """Harm that is done while a test calls the function."""
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    function = f"def accuracy_by_class(dataloader, model, num_classes):\n{body}"
    return Case(name, status, lost, words, answered(only=function), needs_sandbox=True)


def honest(name: str, code: str) -> Case:
    return harm(f"honest: {name}", code)


def in_many_cells(code: str, number: int) -> Change:
    """Return a change that adds cells behind the answer, all alike."""

    def change(notebook: NotebookNode) -> None:
        place = place_of(notebook, "accuracy_by_class") + 1
        notebook.cells[place:place] = [new_code_cell(code, id=f"more-{count}") for count in range(number)]

    return change


def garbled(name: str, channel: str, parts: str) -> Case:
    """A message that is none: ``parts`` computes what is signed; ``good`` holds what would be right."""
    socket = "kernel.iopub_socket" if channel == "iopub" else "kernel.shell_stream"
    code = f"""
import json
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent()["header"]
header = dict(session.msg_header("stream"), date="x")
good = [json.dumps(one, default=str).encode() for one in (header, parent, {{}}, {{"name": "stdout", "text": "x"}})]
ident = [] if "{channel}" == "iopub" else kernel._parent_ident["shell"]
parts = {parts}
{socket}.send_multipart([*ident, b"<IDS|MSG>", session.sign(parts), *parts])
import time
time.sleep(3)
"""
    return harm(f"garbled: {name}, {channel}", code, IN_PART, AFTER, NO_MESSAGE)


LEAVE_A_KEY = f"""
import ctypes
libc = ctypes.CDLL(None)
for ring in (-1, -2, -3, -4, -5):
    libc.syscall({CALLS[0]}, b"user", b"answer", b"42", 2, ring)
    # Whoever may see it may read it, too.
    libc.syscall({CALLS[1]}, 5, libc.syscall({CALLS[1]}, 10, ring, b"user", b"answer", 0), 0x3F3F3F3F)
    libc.syscall({CALLS[1]}, 5, libc.syscall({CALLS[1]}, 0, ring, 0), 0x3F3F3F3F)
print("left a key:", "answer" in open("/proc/keys").read())
"""
LOOK_FOR_A_KEY = f"""
import ctypes
libc = ctypes.CDLL(None)
found = [ring for ring in (-1, -2, -3, -4, -5) if libc.syscall({CALLS[1]}, 10, ring, b"user", b"answer", 0) > 0]
print("found keys:", found)
"""
FILL_EVERYTHING = """
import os
taken = {}
for place, folders, _ in os.walk("/"):
    folders[:] = [one for one in folders if one not in ("proc", "torch", "site-packages")]
    for number in range(10):
        try:
            with open(os.path.join(place, f"filler{number}"), "wb", buffering=0) as file:
                for _ in range(60):
                    taken[place] = taken.get(place, 0) + file.write(bytes(2**20)) // 2**20
        except OSError:
            pass
print("filled:", sum(taken.values()), taken)
"""
NAMESPACE = """
import ctypes
print("namespaces:", [ctypes.CDLL(None).unshare(flag) for flag in (0x10000000, 0x10020000, 0x30000000)])
"""
MEMORY_FILES = """
import os
for _ in range(60):
    file = os.memfd_create("filler")
    for _ in range(200):
        os.write(file, bytes(2**20))
"""
SHARED_SEGMENTS = """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
for _ in range(60):
    segment = libc.shmget(0, 200 * 2**20, 0o1600)
    place = libc.shmat(segment, None, 0)
    ctypes.memset(place, 1, 200 * 2**20)
    libc.shmdt(ctypes.c_void_p(place))
"""
BUSY = """
import os, time
begin = time.time()
for _ in range(24):
    if os.fork() == 0:
        while time.time() < begin + 20:
            pass
        os._exit(0)
"""
CLOSED_FOLDERS = """
import os, tempfile
for place in (".", "/tmp", "/dev/shm"):
    folder = os.path.join(tempfile.mkdtemp(dir=place), "deep")
    os.makedirs(folder)
    open(os.path.join(folder, "file"), "w").close()
    os.symlink("/", os.path.join(folder, "link"))
    os.chmod(folder, 0)
    os.chmod(os.path.dirname(folder), 0)
"""
SOCKETS = """
import os, socket
left = []
for name in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{name}")
        if target.startswith("socket:"):
            # A copy: the socket is closed when Python forgets it, and the kernel needs its own.
            left.append(socket.socket(fileno=os.dup(int(name))).getsockname())
    except OSError:
        pass
folders = {os.path.dirname(os.fsdecode(one)) for one in left if one and isinstance(one, (str, bytes))}
print("folders of sockets:", [one for one in folders if one and os.path.exists(one)])
"""
LOOK_AT_THE_HOST = """
import os
names = "/sys /var /home /run /mnt /etc/passwd /etc/hostname /etc/machine-id".split()
print("seen of the host:", [name for name in names if os.path.exists(name)])
print("processes:", [name for name in os.listdir("/proc") if name.isdigit()])
print("groups:", {line.strip().split(":")[-1] for line in open("/proc/self/cgroup")})
told = "".join(open(f"/proc/{name}").read() for name in ("self/mountinfo", "1/cmdline", "1/environ", "keys"))
print("neighbours:", [name for name in ("z honest", "gradebook", "fills every folder") if name in told])
"""
UNLINKED = """
import os, tempfile
kept, size = [], 0
try:
    for _ in range(20):
        kept.append(tempfile.TemporaryFile(buffering=0))
        for _ in range(60):
            size += kept[-1].write(bytes(2**20)) // 2**20
except OSError:
    pass
print("unlinked:", size)
"""
PAST_THE_NOTEBOOK = """
import os
for number in (1, 2):
    for _ in range(100):
        os.write(number, bytes(2**20))
"""
MANY_PARTS = """
import time, zmq
thread = get_ipython().kernel.iopub_thread
part = zmq.Frame(bytes(5_000_000))
thread.schedule(lambda: thread.socket.send_multipart([part] * 500, copy=False))
time.sleep(60)
"""
OTHER_BYTES = """
import os, time
for name in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
            os.write(int(name), b"\\xff" * 100_000)
    except OSError:
        pass
time.sleep(60)
"""
JUNK = """
import signal, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
kernel = get_ipython().kernel
ident = kernel._parent_ident["shell"]
while True:
    kernel.session.send({line}, "{kind}", {content}, parent={parent}, ident={ident})
"""
IOPUB = {"line": "kernel.iopub_socket", "ident": "None"}


def junk(name: str, **how: str) -> Case:
    """Messages that nobody waits for, without end."""
    code = JUNK.format(**{"kind": "stream", "content": "{}", "parent": "{}", **how})
    return harm(f"junk: {name}", code, IN_PART, AFTER, "at accuracy_by_class-test")


SHOW = "from IPython.display import display\nkernel = get_ipython().kernel\n"
FIGURE = """
import io
import numpy as np
import PIL.Image
from IPython.display import Image, clear_output, display
file, noise = io.BytesIO(), np.random.default_rng(0).integers(0, 256, ({side}, {side}, 3), dtype=np.uint8)
PIL.Image.fromarray(noise).save(file, "png")
picture = Image(file.getvalue(), format="png")
"""

HARMS = [
    # --- leaks ------------------------------------------------------------------------------------------
    harm("a leaves a key", LEAVE_A_KEY),
    harm("z looks for a key", LOOK_FOR_A_KEY),
    harm("looks at the host", LOOK_AT_THE_HOST),
    # --- memory and disk --------------------------------------------------------------------------------
    harm("fills every folder", FILL_EVERYTHING),
    harm("makes namespaces", NAMESPACE),
    harm("fills files in memory", MEMORY_FILES, IN_PART, AFTER, "limit of memory"),
    harm("fills shared segments", SHARED_SEGMENTS, IN_PART, AFTER, "the kernel died"),
    harm("leaves closed folders", CLOSED_FOLDERS),
    harm("looks for the sockets", SOCKETS),
    harm("fills files without a name", UNLINKED),
    Case("brings a file", MANUAL, files={"beside.txt": "x" * 10**6}),
    # --- the processor ----------------------------------------------------------------------------------
    harm("24 busy processes", BUSY),
    harm(
        "stops itself",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        IN_PART,
        AFTER,
        "could not be",
    ),
    # --- output -----------------------------------------------------------------------------------------
    harm(
        "metadata",
        SHOW
        + "for _ in range(12):\n    display({'text/plain': 'x'}, metadata={'a': 'y' * 4_000_000}, raw=True)",
    ),
    harm(
        "metadata of messages",
        SHOW + "for _ in range(12):\n    kernel.session.send(kernel.iopub_socket, 'stream', "
        "{'name': 'stdout', 'text': 'x'}, parent=kernel.get_parent(), metadata={'a': 'y' * 4_000_000})",
    ),
    harm(
        "updates",
        SHOW + "handles = [display('x', display_id=str(n)) for n in range(40)]\n"
        "for n in range(40):\n    display({'text/html': 'y' * 90_000}, raw=True, display_id=str(n), update=True)",
    ),
    harm(
        "errors by hand",
        SHOW
        + "for _ in range(50):\n    kernel.session.send(kernel.iopub_socket, 'error', {'ename': 'E' * 300_000,"
        " 'evalue': 'v' * 300_000, 'traceback': ['t' * 300_000]}, parent=kernel.get_parent())",
    ),
    harm(
        "pictures",
        SHOW + "for kind in ('png', 'jpeg', 'svg+xml'):\n"
        "    for _ in range(12):\n        display({f'image/{kind}': 'x' * 1_300_000}, raw=True)",
    ),
    harm("one huge picture", SHOW + "display({'image/png': 'x' * 100_000_000}, raw=True)"),
    Case(
        "many cells",
        MANUAL,
        change=in_many_cells(
            "print('x' * 200_000)\ndisplay({'image/png': 'y' * 900_000}, raw=True)\n1 / 0", 60
        ),
    ),
    harm("many empty outputs", SHOW + "for _ in range(20_000):\n    display({'text/plain': ''}, raw=True)"),
    harm("control characters", "print('\\0' * 3_000_000)"),
    harm(
        "forms that no page shows",
        SHOW + "for n in range(20):\n    display({'application/x' + 'y' * n: 'z' * 2_000_000}, raw=True)",
    ),
    harm(
        "clears and fills",
        SHOW + "from IPython.display import clear_output\nfor _ in range(100):\n"
        "    print('x' * 90_000)\n    clear_output()\nprint('the last')",
    ),
    harm(
        "kinds with long names",
        SHOW
        + "for _ in range(20):\n    kernel.session.send(kernel.iopub_socket, 'kind' * 500_000, {}, parent={})",
    ),
    harm("writes past the notebook", PAST_THE_NOTEBOOK, IN_PART, (), "printed without end"),
    # --- what nobody waits for --------------------------------------------------------------------------
    junk("other parents", **IOPUB, content="{'name': 'stdout', 'text': 'x' * 1_000_000}"),
    junk("empty ones", **IOPUB, kind="status", content="{'execution_state': 'busy'}"),
    junk("unknown kinds", **IOPUB, kind="nothing", content="{'a': 'x' * 1_000_000}"),
    junk("replies", line="kernel.shell_stream", ident="ident", kind="execute_reply"),
    junk(
        "large replies",
        line="kernel.shell_stream",
        ident="ident",
        kind="observe_reply",
        content="{'a': 'x' * 4_000_000}",
    ),
    junk("requests for input", line="kernel.stdin_socket", ident="ident", kind="input_request"),
    junk("on the line of control", line="kernel.control_stream", ident="ident", kind="interrupt_reply"),
    harm("a message of many parts", MANY_PARTS, IN_PART, AFTER, NO_MESSAGE),
    harm(
        "a message of 100 MB",
        "get_ipython().kernel.iopub_thread.send_multipart([bytes(100_000_000)])\nimport time\ntime.sleep(60)",
        IN_PART,
        AFTER,
        NO_MESSAGE,
    ),
    harm("other bytes on every line", OTHER_BYTES, IN_PART, AFTER, NO_MESSAGE),
    harm("closes its lines", "import os\nos.closerange(3, 200)", IN_PART, AFTER, "at accuracy_by_class-test"),
    # --- what is no message -----------------------------------------------------------------------------
    *(
        garbled(name, channel, parts)
        for channel in ("iopub", "shell")
        for name, parts in {
            "no JSON": "[b'{', *good[1:]]",
            "lists": "[b'[]'] * 4",
            "null": "[good[0], b'null', b'null', b'null']",
            "no kind": "[b'{}', *good[1:]]",
            "nested": "[*good[:3], b'[' * 4_000_000]",
            "numbers": '[*good[:3], b\'{"name": "stdout", "text": 5}\']',
            "too few": "good[:2]",
            "many objects": "[*good[:3], b'[' + b'{},' * 1_300_000 + b'{}]']",
        }.items()
    ),
    while_observed(
        "garbled while observed",
        "kernel = get_ipython().kernel\nkernel.session.key = b'another'\nreturn torch.ones(num_classes)",
        IN_PART,
        AFTER,
        NO_MESSAGE,
    ),
    while_observed(
        "a reply of 100 MB",
        """
kernel = get_ipython().kernel
kernel.session.send(kernel.shell_stream, "observe_reply", {}, kernel.get_parent(),
                    ident=kernel._parent_ident["shell"], buffers=[bytes(100_000_000)])
""",
        IN_PART,
        AFTER,
        NO_MESSAGE,
    ),
    while_observed(
        "a reply of another kind",
        """
kernel = get_ipython().kernel
kernel.session.send(kernel.shell_stream, "E" * 3_000_000 + "_reply", {}, kernel.get_parent(),
                    ident=kernel._parent_ident["shell"], buffers=[b"x"])
""",
        FLAGGED,
        AFTER[:1],
        "got an answer that is no observation",
    ),
    # --- honest work ------------------------------------------------------------------------------------
    Case("honest", MANUAL),
    honest("a figure of 300 kB", FIGURE.format(side=320) + "display(picture)"),
    honest("twenty thousand lines", "for number in range(20_000):\n    print('line', number, flush=True)"),
    honest(
        "an interactive figure",
        "display({'application/vnd.plotly.v1+json': {'x': [1.5] * 7_000_000}, 'text/plain': 'figure'}, raw=True)",
    ),
    honest("half a surrogate pair", "print('\\ud800')\n'\\udcff'"),
    honest(
        "a live plot",
        FIGURE.format(side=180) + "for _ in range(600):\n    clear_output(wait=True)\n    display(picture)",
    ),
    honest("a widget", "import ipywidgets\ndisplay(ipywidgets.Image(value=bytes(20_000_000)))"),
    honest("a long error", "raise ValueError('x' * 10_000_000)"),
    honest(
        "workers",
        "from torch.utils.data import DataLoader\nlist(DataLoader(torch.ones(64, 3), num_workers=2))",
    ),
    honest(
        "a thread that prints on",
        "import threading, time\n"
        "threading.Thread(target=lambda: [print(time.sleep(0.01)) for _ in range(9**9)], daemon=True).start()",
    ),
    Case("z honest", MANUAL),
]
"""The table. All run by the same command, side by side."""
assert len({case.student for case in HARMS}) == len(HARMS)
