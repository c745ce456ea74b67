"""The data folder: what in it is intact, one process at a time, and files that are moved into place whole."""

from __future__ import annotations

import errno
import hashlib
import inspect
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

ELSEWHERE = (
    'use another folder: prepare_data("another/folder"), or set the environment variable FMNIST_DATA '
    "for all lessons."
)
LOCK_SECONDS = 30 * 60  # how long to wait for another notebook that is preparing the same data
ABANDONED_SECONDS = 24 * 3600  # when nobody works any more in a folder that no lock protects


class DataError(RuntimeError):
    """The data could not be made ready; the message says what was tried and what to do.

    Attributes:
        culprit: the part of the message that says what was wrong.
    """

    def __init__(self, culprit: str, remedy: str = "") -> None:
        super().__init__(f"{culprit}. {remedy}" if remedy else culprit)
        self.culprit = culprit


def raw_folder(root: Path) -> Path:
    """Return the folder below ``root`` in which torchvision looks for the four unpacked files."""
    return root / "FashionMNIST" / "raw"


def is_intact(raw: Path, sha256: dict[str, str]) -> bool:
    """Tell whether each named file is in ``raw`` and has its digest; False if none is named."""
    try:
        return bool(sha256) and all(digest(raw / name) == value for name, value in sha256.items())
    except OSError:
        # A file is missing, cannot be read, or was deleted this moment.
        return False


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; raises OSError where it cannot be read.

    Unlike MD5, every Python has it, also where only approved algorithms (FIPS) may be used.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def move(source: Path, target: Path) -> None:
    """Move a file in one step, so that nobody finds half of it, also from one disk to another.

    Raises:
        OSError: if the disk refuses.
    """
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The folder is a link to another disk: only beside the target can the last step be a single one.
        beside = target.with_name(f"{target.name}.unfinished-{uuid.uuid4().hex}")
        try:
            shutil.copyfile(source, beside)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def exclusive(root: Path) -> Iterator[Path]:
    """Hold the lock of one data folder and give a working folder inside it that is dropped at the end.

    What a killed process left in the working folder is dropped first, so nothing unfinished is ever used.

    Raises:
        DataError: for what the disk refuses, or if another process holds the lock for too long.
    """
    # Beside the folder itself, not beside a link to it: another course may have another link.
    lock = f"{os.path.realpath(root)}.lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with ExitStack() as turn:
            unfinished = root / _take_turn(turn, lock)
            _drop_unfinished(root, unfinished)
            unfinished.mkdir(exist_ok=True)
            turn.callback(shutil.rmtree, unfinished, ignore_errors=True)
            yield unfinished
    except Timeout as error:
        raise DataError(
            f"waited {LOCK_SECONDS / 60:g} minutes for another program that is preparing {root} (it locks {lock})",
            f"Run the cell again later, restart that notebook's kernel, or {ELSEWHERE}",
        ) from error
    except OSError as error:
        raise _refused(error, root) from error


def _take_turn(turn: ExitStack, lock: str) -> str:
    """Lock until ``turn`` ends, and return the name of the working folder."""
    options: dict = {"timeout": LOCK_SECONDS}
    if "fallback_to_soft" in inspect.signature(FileLock.__init__).parameters:
        # Such a lock outlives a container that is killed, and holds up the next one.
        options["fallback_to_soft"] = False
    try:
        turn.enter_context(FileLock(lock, **options))
    except Timeout:
        raise
    except (OSError, NotImplementedError):
        # Some network disks have no locks. Then two processes may do the same work, each in a folder of its own;
        # since whole files are moved into place, neither spoils what the other does. A disk on which nothing can
        # be written says so at the next step.
        return f"unfinished-{uuid.uuid4().hex}"
    return "unfinished"


def _drop_unfinished(root: Path, unfinished: Path) -> None:
    """Drop what killed processes left in this working folder, and long ago under names of their own."""
    shutil.rmtree(unfinished, ignore_errors=True)
    for left in (*root.glob("unfinished-*"), *raw_folder(root).glob("*.unfinished-*")):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _refused(error: OSError, root: Path) -> DataError:
    """Return what the disk refused, or which link leads nowhere, or which file is in the way."""
    why, raw = f"the data folder {root} cannot be used", raw_folder(root)
    for path in (raw, *raw.parents):
        if os.path.islink(path) and not os.path.exists(path):
            gone = f"{path} is a link to {os.readlink(path)}, which is not there"
            return DataError(f"{why} ({gone})", f"Make that folder, delete the link, or {ELSEWHERE}")
        if os.path.isfile(path):
            in_the_way = f"{path} is a file, and a folder is needed there"
            return DataError(f"{why} ({in_the_way})", f"Rename or delete that file, or {ELSEWHERE}")
    what = ": ".join(filter(None, (error.strerror or str(error), error.filename2 or error.filename)))
    return DataError(
        f"{why} ({what})",
        "It needs 150 MB of free space and write permission, and nothing may delete it meanwhile; run the cell again, "
        f"or {ELSEWHERE}",
    )
