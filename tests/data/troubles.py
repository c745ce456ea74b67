"""What ``prepare_data`` does when a mirror, the disk or a neighbour misbehaves.

``TROUBLES`` is the table: one row for every trouble, with what a student must read under ``real`` and what ``auto``
must do. It needs no network: mirrors are servers on the loopback, and four tiny files stand for the official ones.
``test_download.py`` goes through it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import multiprocessing
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pooch
from torchvision.datasets import FashionMNIST
from tqdm import tqdm

from fmnist_helpers.data import disk, download, standin
from fmnist_helpers.data import prepare as preparing

NAMES = tuple(preparing.UNPACKED_SHA256)
SIZES = {"train": 30, "t10k": 20}
NUM_KILLS = 3
"""Kills in each phase of the work, at moments drawn with a fixed seed."""

HANG_SECONDS = 20
"""When a server that never ends gives up by itself; the helper must have given up long before."""


class CannotRunError(Exception):
    """This machine cannot produce the trouble; the message says why."""


# --- tiny files in place of the official ones --------------------------------------------------------------


def write_tiny(raw: Path, seed: int = 0) -> None:
    """Write what ``standin.write_standin`` writes, in small."""
    generator = np.random.default_rng(seed)
    raw.mkdir(parents=True, exist_ok=True)
    for split, number in SIZES.items():
        images = generator.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        standin.write_idx(raw / f"{split}-images-idx3-ubyte", images)
        standin.write_idx(raw / f"{split}-labels-idx1-ubyte", np.arange(number, dtype=np.uint8) % 10)


@cache
def tiny_files(seed: int) -> dict[str, bytes]:
    """Return the content of the four files, by name."""
    with tempfile.TemporaryDirectory() as folder:
        write_tiny(Path(folder), seed)
        return contents(Path(folder))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def raw_of(root: Path) -> Path:
    return root / "FashionMNIST" / "raw"


@dataclass(frozen=True)
class Official:
    """Four tiny files in place of the official ones, unpacked and as a mirror offers them."""

    files: dict[str, bytes] = field(default_factory=partial(tiny_files, 1))

    @cached_property
    def packed(self) -> dict[str, bytes]:
        return {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in self.files.items()}

    def patches(self) -> list:
        """Return what makes the package take these files for the official ones, with no public mirror."""
        unpacked = {name: sha256_of(self.files[name]) for name in NAMES}
        return [
            mock.patch.object(FashionMNIST, "mirrors", []),
            mock.patch.object(preparing, "UNPACKED_SHA256", unpacked),
        ]


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- servers -----------------------------------------------------------------------------------------------


class Mirror(ThreadingHTTPServer):
    """A server on the loopback that answers each request with ``respond(handler, packed file)``."""

    daemon_threads = True

    def __init__(self, respond: Callable, packed: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.respond, self.packed = respond, packed
        self.requests: list[str] = []
        self.over = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Say nothing about clients that have gone."""

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class MirrorHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.requests.append(name)
        self.server.respond(self, self.server.packed.get(name, b""))

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


def send(handler, content: bytes, announced: int | None = None, kind: str = "application/gzip") -> None:
    send_head(handler, len(content) if announced is None else announced, kind)
    handler.wfile.write(content)


def send_head(handler, size: int, kind: str = "application/gzip") -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(size))
    handler.end_headers()
    handler.wfile.flush()


def send_half(handler, content):
    send(handler, content[: len(content) // 2], announced=len(content))


def send_half_as_whole(handler, content):
    send(handler, content[: len(content) // 2])


def send_other_bytes(handler, content):
    send(handler, bytes(len(content)))


def send_404(handler, content):
    handler.send_error(404)


def send_503(handler, content):
    handler.send_error(503)


def send_503_once(handler, content):
    if handler.server.requests.count(handler.server.requests[-1]) == 1:
        handler.send_error(503)
    else:
        send(handler, content)


def send_login_page(handler, content):
    page = b"\n<!DOCTYPE html><html><title>Welcome to our network</title>Please sign in.</html>"
    send(handler, page, kind="text/html")


def redirect_to_login_page(handler, content):
    if handler.path.startswith("/login"):
        return send_login_page(handler, content)
    handler.send_response(302)
    handler.send_header("Location", "/login?then=the-file")
    handler.end_headers()


def redirect_for_ever(handler, content):
    handler.send_response(302)
    handler.send_header("Location", f"/{len(handler.server.requests)}/{handler.server.requests[0]}")
    handler.end_headers()


def reset_midway(handler, content):
    send_half(handler, content)
    handler.wfile.flush()
    # A linger time of zero turns the close into a reset.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def close_at_once(handler, content):
    handler.connection.shutdown(socket.SHUT_RDWR)


def send_nothing(handler, content):
    handler.server.over.wait(HANG_SECONDS)


def send_head_only(handler, content):
    send_head(handler, len(content))
    handler.server.over.wait(HANG_SECONDS)


def trickle_head(handler, content):
    trickle(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 60_000, 1, 0.02)


def trickle_body(handler, content):
    send_head(handler, len(content))
    trickle(handler, content, 1, 0.02)


def trickle_after_half(handler, content):
    send_half(handler, content)
    trickle(handler, content, 1, 0.02)


def trickle_without_end(handler, content):
    handler.send_response(200)
    handler.end_headers()
    trickle(handler, bytes(60_000), 1, 0.02)


def send_without_end(handler, content):
    handler.send_response(200)
    handler.end_headers()
    trickle(handler, bytes(HANG_SECONDS * 1_000_000), 10_000, 0.005)


def send_slowly(handler, content):
    send_head(handler, len(content))
    trickle(handler, content, 400, 0.02)


def trickle(handler, content: bytes, size: int, seconds: float) -> None:
    """Send ``size`` bytes, pause, and so on, until all is sent, time is up or the server is closed."""
    until = time.monotonic() + HANG_SECONDS
    for start in range(0, len(content), size):
        handler.wfile.write(content[start : start + size])
        handler.wfile.flush()
        if handler.server.over.wait(seconds) or time.monotonic() > until:
            return


# --- one trouble after another -------------------------------------------------------------------------------


@dataclass
class Scene:
    """Where one trouble takes place."""

    folder: Path
    official: Official = field(default_factory=Official)
    drawn: dict[str, bytes] = field(default_factory=partial(tiny_files, 2))
    respond: Callable | None = None
    mirror: str = ""
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @cached_property
    def server(self) -> Mirror:
        server = Mirror(self.respond, self.official.packed)
        self.stack.callback(server.close)
        return server


@contextmanager
def tiny_world(official: Official, **limits: float) -> Iterator[None]:
    """Let the package work on tiny files, on the loopback only, without a wait between two attempts."""
    with ExitStack() as stack:
        for name, value in limits.items():
            stack.enter_context(mock.patch.object(download, name, value))
        for patch in official.patches():
            stack.enter_context(patch)
        stack.enter_context(mock.patch.object(standin, "write_standin", partial(write_tiny, seed=2)))
        stack.enter_context(mock.patch.object(pooch.core, "time", SimpleNamespace(sleep=lambda _: None)))
        stack.enter_context(mock.patch.dict(os.environ, {"NO_PROXY": "127.0.0.1", "TQDM_DISABLE": "1"}))
        yield


IMPATIENT = {"READ_SECONDS": 0.5, "STALL_SECONDS": 1.0}
SMALL_STEPS = {"STALL_BYTES": 4_000, "CHUNK_BYTES": 500}


@dataclass(frozen=True)
class Trouble:
    """A trouble, how to produce it, and what must come of it.

    Attributes:
        name: what the table calls it.
        words: what the sentence under ``real`` must contain.
        respond: how the mirror's server answers.
        prepare: changes the scene before the data is prepared, and may raise :class:`CannotRunError`.
        limits: constants of ``download`` to change, by name.
        auto: what ``auto`` does: "stand-in", "real data" or "same sentence".
        run: what to do instead of one call of ``prepare_data``; takes scene and source.
        untouched: under ``real``, what lay about before lies about afterwards.
    """

    name: str
    words: str
    respond: Callable | None = None
    prepare: Callable[[Scene], None] = lambda scene: None
    limits: dict = field(default_factory=dict)
    auto: str = "stand-in"
    run: Callable[[Scene, str], str] | None = None
    untouched: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one run came to.

    Attributes:
        said: what a student reads.
        gave: "real data", "stand-in" or "sentence".
        trusted: "intact" or "none", see :func:`trusted`.
        seconds: how long it took.
        leftovers: files that no finished run leaves behind, among them half-written ones.
    """

    said: str
    gave: str
    trusted: str
    seconds: float
    leftovers: list[str]


def produce(trouble: Trouble, source: str) -> Outcome:
    """Produce a trouble in a folder of its own and return what came of it under one source."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scene = Scene(Path(folder), respond=trouble.respond, stack=stack)
        scene.mirror = scene.server.address if trouble.respond else ""
        stack.enter_context(tiny_world(scene.official, **trouble.limits))
        trouble.prepare(scene)
        start = time.monotonic()
        said = (trouble.run or prepare)(scene, source)
        seconds = time.monotonic() - start
        gave = "stand-in" if "STAND-IN" in said else "real data" if "the real data." in said else "sentence"
        shown = said.replace(scene.mirror or "no mirror", "MIRROR/").replace(folder, "FOLDER")
        return Outcome(shown, gave, trusted(scene), seconds, leftovers(scene.data) + half_written(scene))


def prepare(scene: Scene, source: str) -> str:
    """Call ``prepare_data`` and return what a student reads, be it printed or an error."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            preparing.prepare_data(scene.data, source, scene.mirror)
        except preparing.DataError as error:
            print(error)
    return printed.getvalue().strip()


def trusted(scene: Scene) -> str:
    """Say whether a later start would take what is there, and whether that is what it should be."""
    found = "none"
    manifest = preparing._read_manifest(scene.data / "standin" / "manifest.json")
    for source, digests in (("real", preparing.UNPACKED_SHA256), ("standin", manifest)):
        if disk.is_intact(raw_of(scene.data / source), digests):
            if half_written(scene, source):
                return f"BROKEN in {source}"
            found = "intact"
    return found


def half_written(scene: Scene, *sources: str) -> list[str]:
    """Return the files that stand under a final name and are not what they should be."""
    expected = {"real": scene.official.files, "standin": scene.drawn}
    folders = [raw_of(scene.data / source) for source in sources or expected]
    files = [
        (path, expected[path.parents[2].name]) for raw in folders for path in raw.glob("*") if path.exists()
    ]
    return [str(path) for path, right in files if path.read_bytes() != right.get(path.name)]


def leftovers(folder: Path) -> list[str]:
    """Return the files below ``folder`` that no finished run leaves there."""
    expected = {*NAMES, "manifest.json", "real.lock", "standin.lock"}
    return [
        str(path)
        for path in folder.rglob("*")
        if (path.is_file() and path.name not in expected) or "unfin" in path.name
    ]


# --- mirrors and folders -----------------------------------------------------------------------------------


def nobody_listens(scene: Scene) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        scene.mirror = f"http://127.0.0.1:{free.getsockname()[1]}/"


def folder_mirror(scene: Scene, packed: dict[str, bytes] | None = None) -> None:
    folder = scene.folder / "mirror"
    folder.mkdir()
    for name, content in (scene.official.packed if packed is None else packed).items():
        (folder / name).write_bytes(content)
    scene.mirror = str(folder)


def empty_mirror(scene: Scene) -> None:
    folder_mirror(scene, {})


def mirror_with_other_bytes(scene: Scene) -> None:
    folder_mirror(scene, dict.fromkeys(scene.official.packed, b"other bytes"))


def small_disk(scene: Scene, *, kilobytes: int, read_only: bool = False) -> None:
    """Mount a disk of its own at the data folder."""
    folder_mirror(scene)
    scene.data.mkdir()
    options = f"size={kilobytes}k,{'ro' if read_only else 'rw'}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(scene.data)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"):
        raise CannotRunError("only root on Linux may mount a small disk")
    if subprocess.run(command, capture_output=True).returncode:
        raise CannotRunError("this machine refuses to mount a small disk")
    scene.stack.callback(subprocess.run, ["umount", "--lazy", str(scene.data)], check=True)


def limited_file_size(scene: Scene) -> None:
    """Let no file of this process grow beyond a few kilobytes, which fails as a full disk does."""
    folder_mirror(scene)
    try:
        import resource
    except ImportError:
        raise CannotRunError("this system has no RLIMIT_FSIZE") from None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    scene.stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)


def read_only_folder(scene: Scene) -> None:
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        folder_mirror(scene)
        scene.data.mkdir(mode=0o500)
        scene.stack.callback(scene.data.chmod, 0o700)
    else:
        # Permission bits do not bind root.
        small_disk(scene, kilobytes=1000, read_only=True)


def damage(scene: Scene, source: str = "real") -> None:
    """Leave what an unlucky history may leave: broken, foreign and unfinished files."""
    raw, unfinished = raw_of(scene.data / source), scene.data / source / "unfinished"
    raw.mkdir(parents=True)
    unfinished.mkdir()
    (raw / NAMES[0]).write_bytes(b"half")
    (raw / NAMES[1]).symlink_to("nowhere")
    for name in NAMES:
        (unfinished / name).write_bytes(b"half")
        (unfinished / f"{name}.gz").write_bytes(b"half")
    (scene.data / source / "manifest.json").write_text('{"fitted": ')


def damage_stand_in(scene: Scene) -> None:
    damage(scene, "standin")
    nobody_listens(scene)


def deleted_while_loading(scene: Scene) -> None:
    """Delete the data folder when the second file is half on its way."""

    def respond(handler, content):
        send_head(handler, len(content))
        handler.wfile.write(content[: len(content) // 2])
        handler.wfile.flush()
        if len(handler.server.requests) == 2:
            shutil.rmtree(scene.data)
        handler.wfile.write(content[len(content) // 2 :])

    scene.respond = respond
    scene.mirror = scene.server.address


def deleted_while_drawing(scene: Scene) -> None:
    """Delete the data folder when the stand-in is drawn and not yet in place."""
    nobody_listens(scene)

    def draw(raw: Path) -> None:
        write_tiny(raw, seed=2)
        shutil.rmtree(scene.data)

    scene.stack.enter_context(mock.patch.object(standin, "write_standin", draw))


# --- neighbours and kills ----------------------------------------------------------------------------------


def fresh_processes():
    """Return the context of ``multiprocessing`` whose processes start quickly: torch is there already."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        raise CannotRunError("this system has no forkserver, so each process would take seconds to start")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["torchvision.datasets", "pooch", "requests", "tqdm", "tests.data.troubles"]
    )
    return context


def set_mirror(scene: Scene, source: str, respond: Callable) -> None:
    """Give ``real`` a server; ``auto`` finds nobody and draws the stand-in."""
    if source == "auto":
        nobody_listens(scene)
    else:
        scene.respond = respond
        scene.mirror = scene.server.address


def neighbours(scene: Scene, source: str, *, count: int) -> str:
    """Let some processes prepare the same data at once; return what each said, if all said the same."""
    context = fresh_processes()
    set_mirror(scene, source, send_slowly)
    together, answers = context.Barrier(count), context.SimpleQueue()
    arguments = (scene.folder, scene.official, scene.mirror, source, together, answers)
    processes = [context.Process(target=be_a_neighbour, args=arguments) for _ in range(count)]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
    finally:
        for process in processes:
            process.kill()
    said = {answers.get() for process in processes if process.exitcode == 0}
    work = sorted(scene.server.requests) if source == "real" else (scene.folder / "draws").read_text()
    once = sorted(scene.official.packed) if source == "real" else "drawn once;"
    if len(said) != 1 or work != once or any(process.exitcode for process in processes):
        return f"BROKEN: {said}, {work}, {[process.exitcode for process in processes]}"
    return f"{count} times: {said.pop()}"


def be_a_neighbour(folder: Path, official: Official, mirror: str, source: str, together, answers) -> None:
    """Prepare the data in a process of its own; answer with what was said and whether the data was intact."""
    scene = Scene(folder, official, mirror=mirror)

    def draw(raw: Path) -> None:
        with open(folder / "draws", "a") as file:
            file.write("drawn once;")
        write_tiny(raw, seed=2)

    with tiny_world(official), mock.patch.object(standin, "write_standin", draw):
        together.wait(60)
        said = prepare(scene, source)
        answers.put(said if trusted(scene) == "intact" else f"BROKEN: {said}")


PHASES = {"real": ("downloading", "unpacking", "moving"), "auto": ("drawing", "moving")}


def kill_and_start_again(scene: Scene, source: str) -> str:
    """Kill the work in each of its phases, at random moments; return what the starts after it said."""
    context, moments = fresh_processes(), random.Random(0)
    set_mirror(scene, source, send_slowly)
    phases = PHASES[source] * NUM_KILLS
    for number, phase in enumerate(phases):
        kill_once(scene, source, phase, context, moments.uniform(0, 0.4))
        if half_written(scene):
            return f"BROKEN after kill {number} while {phase}: {half_written(scene)}"
        scene.server.respond = send
        said = prepare(scene, source)
        if trusted(scene) != "intact" or leftovers(scene.data):
            return f"BROKEN after kill {number} while {phase}: {said}"
        scene.server.respond = send_slowly
        if number + 1 < len(phases):
            shutil.rmtree(scene.data)
    return f"after {len(phases)} kills: {said}"


def kill_once(scene: Scene, source: str, phase: str, context, moment: float) -> None:
    reached = context.Event()
    arguments = (scene.folder, scene.official, scene.mirror, source, phase, reached)
    process = context.Process(target=work_slowly, args=arguments)
    process.start()
    try:
        assert reached.wait(60), f"no process got as far as {phase}"
        time.sleep(moment)
    finally:
        process.kill()
        process.join(60)


def work_slowly(folder: Path, official: Official, mirror: str, source: str, phase: str, reached) -> None:
    """Prepare the data, slow in one phase, and wait to be killed."""
    slowed = {
        "downloading": (pooch.HTTPDownloader, "__call__", tell(reached, pooch.HTTPDownloader.__call__)),
        "unpacking": (download, "_copy", tell(reached, copy_slowly)),
        "drawing": (standin, "write_standin", tell(reached, draw_slowly)),
        "moving": (os, "replace", partial(move_slowly, reached, os.replace)),
    }
    # The lock that tqdm makes between processes would outlive the kill.
    tqdm.set_lock(threading.RLock())
    with tiny_world(official), mock.patch.object(*slowed[phase]):
        prepare(Scene(folder, official, mirror=mirror), source)
        time.sleep(60)


def tell(reached, work: Callable) -> Callable:
    def call(*arguments, **options):
        reached.set()
        return work(*arguments, **options)

    return call


def copy_slowly(source, target) -> None:
    while part := source.read(1000):
        target.write(part)
        target.flush()
        time.sleep(0.02)


def draw_slowly(raw: Path) -> None:
    for name, content in tiny_files(seed=2).items():
        for part in (content[: len(content) // 2], content):
            (raw / name).write_bytes(part)
            time.sleep(0.05)


def move_slowly(reached, move: Callable, source: Path, target: Path) -> None:
    final = Path(target).parent.name == "raw"
    if final:
        reached.set()
        time.sleep(0.05)
    move(source, target)
    if final:
        time.sleep(0.05)


# --- the troubles --------------------------------------------------------------------------------------------

REFUSED = "Connection refused"
WRONG_HASH = "does not match the known hash"
STALLED = "download stopped: it sent less than"
WEB_PAGE = "it sent a web page, not a .gz file"
NO_SPACE = "No space left on device"
DELETED = "nothing may delete it meanwhile"

TROUBLES = (
    Trouble("nobody listens", REFUSED, prepare=nobody_listens),
    Trouble("404", "404", send_404),
    Trouble("503", "503", send_503),
    Trouble("503 once, then well", "the real data.", send_503_once, auto="real data"),
    Trouble("half a file, then closed", "IncompleteRead", send_half),
    Trouble("half a file as the whole", "cut short or damaged", send_half_as_whole),
    Trouble("other bytes", WRONG_HASH, send_other_bytes),
    Trouble("login page", WEB_PAGE, send_login_page),
    Trouble("redirect to a login page", WEB_PAGE, redirect_to_login_page),
    Trouble("redirects for ever", "Exceeded 30 redirects", redirect_for_ever),
    Trouble("closed at once", "onnection", close_at_once),
    Trouble("reset midway", "reset", reset_midway),
    Trouble("accepts, never answers", "timed out", send_nothing, limits=IMPATIENT),
    Trouble("header, then nothing", "timed out", send_head_only, limits=IMPATIENT),
    Trouble("header trickles", STALLED, trickle_head, limits=IMPATIENT),
    Trouble("body trickles", STALLED, trickle_body, limits=IMPATIENT),
    Trouble("second half trickles", STALLED, trickle_after_half, limits=IMPATIENT | SMALL_STEPS),
    Trouble("body trickles, no length", STALLED, trickle_without_end, limits=IMPATIENT),
    Trouble(
        "never stops sending",
        "download stopped at 0.5 MB; no file of",
        send_without_end,
        limits={"MOST_BYTES": 500_000},
    ),
    Trouble(
        "slow but steady",
        "the real data.",
        send_slowly,
        limits={"STALL_SECONDS": 0.8} | SMALL_STEPS,
        auto="real data",
    ),
    Trouble("folder without the files", "it has no file", prepare=empty_mirror),
    Trouble("folder with other bytes", WRONG_HASH, prepare=mirror_with_other_bytes),
    Trouble(
        "disk full, downloading", NO_SPACE, prepare=partial(small_disk, kilobytes=16), auto="same sentence"
    ),
    Trouble(
        "disk full, unpacking", NO_SPACE, prepare=partial(small_disk, kilobytes=40), auto="same sentence"
    ),
    Trouble("files may not grow", "File too large", prepare=limited_file_size, auto="same sentence"),
    Trouble("read-only folder", "write permission", prepare=read_only_folder, auto="same sentence"),
    Trouble("deleted while loading", DELETED, prepare=deleted_while_loading),
    Trouble("deleted while drawing", REFUSED, prepare=deleted_while_drawing, auto="same sentence"),
    Trouble("corrupt files left behind", "the real data.", send, prepare=damage, auto="real data"),
    Trouble("corrupt stand-in left", REFUSED, prepare=damage_stand_in, untouched=True),
    Trouble("two processes at once", "the real data.", run=partial(neighbours, count=2)),
    Trouble("eight processes at once", "the real data.", run=partial(neighbours, count=8)),
    Trouble("SIGKILL, started again", "the real data.", run=kill_and_start_again),
)
