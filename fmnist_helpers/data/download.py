"""One file from a mirror, in bounded time and space: what ``pooch`` calls as its downloader."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fmnist_helpers.progress import progress_bar

CONNECT_SECONDS = 5
READ_SECONDS = 20  # how long a server may be silent
CHUNK_BYTES = 1 << 16
# A mirror that sends fewer bytes in this time (9 kB/s) is given up, even if it is never silent.
STALL_BYTES, STALL_SECONDS = 4 * CHUNK_BYTES, 30
MOST_BYTES = 30 << 20  # more than the largest packed file, 26 MB
POLL_SECONDS = 0.1  # how long Ctrl-C may take where a wait cannot be interrupted (Windows)


class MirrorError(RuntimeError):
    """A mirror, or every one of them, gave no intact files."""


def is_address(mirror: str) -> bool:
    """Tell whether a mirror is an ``http(s)://`` address, not a folder."""
    return mirror.startswith(("http://", "https://"))


@contextmanager
def watched_downloader(mirror: str, name: str) -> Iterator[Callable]:
    """Give what ``pooch`` calls to get one file, for as long as its progress bar is needed.

    Args:
        mirror: an ``http(s)://`` address or a local folder.
        name: what the progress bar is called.

    The downloader raises :class:`MirrorError` if too little arrives, or too much, or a web page; ValueError
    if a local folder lacks the file; and what ``requests`` raises.
    """
    if not is_address(mirror):
        yield partial(_watched, _copy_from_folder)
        return
    from pooch import HTTPDownloader

    # pooch asks whether the bar is true, and a bar without a total cannot answer; pooch then sets the total.
    with progress_bar(desc=name, total=1, unit="B", unit_scale=True) as bar:
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        yield partial(_watched, HTTPDownloader(progressbar=bar, chunk_size=CHUNK_BYTES, timeout=timeout))


def _watched(download: Callable, source: str, target: str, store: object) -> None:
    """Run a downloader of pooch in a thread, and give it up when too little arrives, or too much.

    A read time-out alone never ends a server that sends a byte now and then. A thread cannot be stopped, but
    the file that it writes to is closed, which ends it at its next chunk.
    """
    done: Future = Future()
    with open(target, "wb") as file:
        work = (done, download, source, file, store)
        threading.Thread(target=_complete, args=work, name="download", daemon=True).start()
        enough, until = STALL_BYTES, time.monotonic() + STALL_SECONDS
        while not wait([done], POLL_SECONDS).done:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise MirrorError(f"it sent more than {MOST_BYTES} bytes and was given up")
            if size >= enough:
                enough, until = size + STALL_BYTES, time.monotonic() + STALL_SECONDS
            elif time.monotonic() > until:
                raise MirrorError(
                    f"fewer than {STALL_BYTES} bytes came in {STALL_SECONDS} s, it was given up"
                )
        done.result()
    _refuse_web_page(Path(target))


def _complete(done: Future, work: Callable, *arguments: object) -> None:
    try:
        done.set_result(work(*arguments))
    except BaseException as error:
        done.set_exception(error)


def _refuse_web_page(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(200).lstrip().startswith(b"<"):
            raise MirrorError("it sent a web page, not a .gz file; perhaps the network wants you to sign in")


def _copy_from_folder(source: str, file: BinaryIO, store: object) -> None:
    if not Path(source).parent.is_dir():
        raise ValueError("it is neither an http(s) address nor a folder that exists")
    if not (Path(source).is_file() and os.access(source, os.R_OK)):
        raise ValueError(f"it has no file {Path(source).name} that can be read")
    with open(source, "rb") as packed:
        shutil.copyfileobj(packed, file)
