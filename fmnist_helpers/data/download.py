"""One file from a mirror, in bounded time and space: what ``pooch`` calls as its downloader."""

from __future__ import annotations

import gzip
import os
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

from fmnist_helpers.progress import progress_bar

CONNECT_SECONDS = 5
READ_SECONDS = 20  # how long a server may be silent
CHUNK_BYTES = 1 << 16
# A mirror that sends fewer bytes in this time (9 kB/s) is given up, even if it is never silent.
STALL_BYTES, STALL_SECONDS = 4 * CHUNK_BYTES, 30
MOST_BYTES = 48 << 20  # more than the largest file, 26 MB as it is packed and 47 MB unpacked
NEITHER = "it is neither an http(s) address nor a folder that exists"
POLL_SECONDS = 0.1  # how long Ctrl-C may take where a wait cannot be interrupted (Windows)


class MirrorError(RuntimeError):
    """A mirror gave no intact files; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where the files may be: an address or a folder.

    Attributes:
        path: an ``http(s)://`` address without name and password, or the path of a folder.
        credentials: name and password for the address, if it had them; never shown.
        flaw: why no file can be asked for there, or nothing.
    """

    path: str
    credentials: tuple[bytes, bytes] | None = field(default=None, repr=False)
    flaw: str = ""


def is_address(mirror: str) -> bool:
    """Tell whether a mirror is an ``http(s)://`` address, not a folder."""
    return mirror.lower().startswith(("http://", "https://"))


def at_address(mirror: str) -> Place:
    """Return an ``http(s)://`` address with its name and password apart, so that no message can show them."""
    scheme, _, rest = mirror.strip().partition("://")
    host, slash, path = rest.partition("/")
    # What stands behind such a character may be the half of a password.
    if re.search("[?#]", rest) or (":" in host and "@" in path):
        found = "an @, ? or #" if "@" in rest else "a ? or #"
        flaw = (
            f"its address has {found} where none can be; give the address of the folder of the four files, "
            "without ?download=1 and the like"
        )
        if "@" in rest:
            flaw += ", and in a name or a password write / as %2F, ? as %3F, # as %23 and @ as %40"
        return Place(re.split("[?#]", hide_credentials(mirror))[0], flaw=flaw)
    credentials, at, host = host.rpartition("@")
    name, _, password = credentials.partition(":")
    # As bytes, because requests could not send every letter of a text.
    pair = (unquote_to_bytes(name), unquote_to_bytes(password)) if at else None
    return Place(f"{scheme}://{host}{slash}{path}", pair)


def in_folder(path: str) -> Place:
    """Return a folder, given its absolute path, as a place; a mistyped address counts as a folder that is not there."""
    shown = hide_credentials(path)
    if shown != path and not os.path.isdir(path):
        return Place(shown, flaw=NEITHER)
    return Place(path)


def hide_credentials(mirror: str) -> str:
    """Return a mirror as it may be shown, with three stars for what may be a name and a password."""
    drive, path = os.path.splitdrive(mirror)
    before, _, after = path.rpartition("@")
    if ":" not in before:
        return mirror
    scheme = re.match(r"\w+://", path)
    return f"{drive}{scheme[0] if scheme else ''}***@{after}"


@contextmanager
def watched_downloader(place: Place, name: str) -> Iterator[Callable]:
    """Give what ``pooch`` calls to get one file, for as long as its progress bar is needed.

    Args:
        place: where the file is, packed (``name.gz``) or not.
        name: the file's name, and what the progress bar is called.

    The downloader leaves the file unpacked. It raises :class:`MirrorError` if too little arrives, or too
    much, or a web page; ValueError if a folder lacks the file or it cannot be unpacked; what ``requests`` raises;
    and OSError if the file cannot be written here, and for no other reason.
    """
    if not is_address(place.path):
        yield partial(_watched, partial(_copy_from_folder, []))
        return
    from pooch import HTTPDownloader

    # pooch asks whether the bar is true, and a bar without a total cannot answer; pooch then sets the total.
    with progress_bar(desc=name, total=1, unit="B", unit_scale=True) as bar:
        options = {"auth": place.credentials} if place.credentials else {}
        options |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "hooks": {"response": _keep_packed}}
        get = HTTPDownloader(progressbar=bar, chunk_size=CHUNK_BYTES, **options)
        yield partial(_watched, partial(_get, get))


class _Target:
    """A file that remembers what it could not write: that is the fault of this disk, not of the mirror."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: Exception | None = None

    def write(self, content: bytes) -> None:
        try:
            self.file.write(content)
            self.file.flush()
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Do nothing: whatever was written has been flushed."""


def _watched(download: Callable, source: str, target: str, store: object) -> None:
    """Run a downloader in a thread, give it up when too little arrives, or too much; then unpack.

    A read time-out alone never ends a server that sends a byte now and then. A thread cannot be stopped, but
    the file that it writes to is closed, which ends it at its next chunk.
    """
    done: Future = Future()
    with open(target, "wb") as file:
        written = _Target(file)
        work = (done, download, source, written, store)
        threading.Thread(target=_complete, args=work, name="download", daemon=True).start()
        enough, until = STALL_BYTES, time.monotonic() + STALL_SECONDS
        while not wait([done], POLL_SECONDS).done:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise MirrorError(f"download stopped at {_megabytes()}; no file of Fashion-MNIST is so large")
            if size >= enough:
                enough, until = size + STALL_BYTES, time.monotonic() + STALL_SECONDS
            elif time.monotonic() > until:
                rate = f"{STALL_BYTES / STALL_SECONDS / 1000:.0f} kB per second for {STALL_SECONDS} s"
                raise MirrorError(f"download stopped: it sent less than {rate}")
        _finish(done, written)
    _unpack(Path(target))
    _refuse_web_page(Path(target))


def _complete(done: Future, work: Callable, *arguments: object) -> None:
    try:
        done.set_result(work(*arguments))
    except BaseException as error:
        done.set_exception(error)


def _finish(done: Future, written: _Target) -> None:
    """Raise what the download raised, as an OSError only if this disk is to blame."""
    import requests

    try:
        done.result()
    except (requests.RequestException, ValueError, MirrorError):
        raise
    except Exception as error:
        if error is written.error:
            raise
        # A missing bundle of certificates, a broken stick and a proxy without a host come here.
        raise MirrorError(f"{type(error).__name__}: {error}") from None


def _unpack(path: Path) -> None:
    """Unpack a file in place, as often as it was packed.

    ``Content-Encoding: gzip`` may mean that a server packed a ``.gz`` file once more, or only that it is one, and
    some unpack it on the way. What it must contain is known in any case.
    """
    for _ in range(2):
        with path.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                return
        unpacked = path.with_name(f"{path.name}.unpacked")
        try:
            with gzip.open(path) as source, unpacked.open("wb") as target:
                _copy(source, target)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"it sent a .gz file that is cut short or damaged ({error})") from None
        os.replace(unpacked, path)


def _megabytes() -> str:
    return f"{MOST_BYTES / 1e6:.2g} MB"


def _copy(source: BinaryIO, target: BinaryIO | _Target) -> None:
    size = 0
    while content := source.read(1 << 20):
        target.write(content)
        size += len(content)
        if size > MOST_BYTES:
            raise MirrorError(f"a file there has more than {_megabytes()}, so it is not Fashion-MNIST's")


def _refuse_web_page(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(200).lstrip().startswith(b"<"):
            raise MirrorError("it sent a web page, not a .gz file; perhaps the network wants you to sign in")


def _get(get: Callable, source: str, file: _Target, store: object) -> None:
    """Ask for the packed file and, where a server has none, for the unpacked one."""
    import requests

    try:
        return get(f"{source}.gz", file, store)
    except requests.HTTPError as error:
        if error.response is None or error.response.status_code != 404:
            raise
        missing = error
    with suppress(requests.RequestException):
        return get(source, file, store)
    raise missing


def _keep_packed(response: Any, **_: object) -> None:
    """Take the bytes as a server sends them: :func:`_unpack` sees what they are, the header may be wrong."""
    if response.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip"):
        response.raw.headers.pop("Content-Encoding")


def _copy_from_folder(tried: list[Path], source: str, file: _Target, store: object) -> None:
    """Copy a file, packed or unpacked, from a folder or from where torchvision puts it below that folder.

    ``tried`` grows with each call, so that the attempt after a broken file takes another.
    """
    mirror, name = Path(source).parent, Path(source).name
    if not mirror.is_dir():
        raise ValueError(NEITHER)
    paths = [
        place / file for place in (mirror, mirror / "FashionMNIST" / "raw") for file in (f"{name}.gz", name)
    ]
    found = [path for path in paths if path.is_file() and os.access(path, os.R_OK)]
    if not found:
        raise ValueError(f"it has no file {name}.gz, nor an unpacked {name}, that can be read")
    tried.append(found[len(tried) % len(found)])
    with tried[-1].open("rb") as content:
        _copy(content, file)
