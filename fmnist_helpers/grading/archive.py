"""The files of an archive or a folder that an instructor has from a learning platform, none of them trusted."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from fmnist_helpers.grading.handed_in import LARGEST_FILE, LARGEST_NOTEBOOK, LITTER, clean_name

MOST_MEMBERS = 100_000


class ArchiveError(ValueError):
    """What was named is no archive; the message says what it is."""


@dataclass(frozen=True)
class Member:
    """One file."""

    path: str
    """With names that can be written and printed everywhere, and no way out."""
    open: Callable[[], IO[bytes]] | None
    time: datetime | None = None
    """When it was written: UTC, or without a zone where the archive says none."""
    refused: str = ""
    """Why it is not read, if so."""

    def read(self) -> bytes:
        """Return its bytes.

        Raises:
            ArchiveError: if that cannot be done, or there are too many of them.
        """
        most = (
            LARGEST_NOTEBOOK if self.path.lower().endswith((".ipynb", ".zip", ".tar", "gz")) else LARGEST_FILE
        )
        if self.open is None:
            raise ArchiveError(self.refused)
        try:
            with self.open() as file:
                content = file.read(most + 1)
        except Exception as error:
            locked = "password" in str(error)
            raise ArchiveError(
                "it is locked with a password" if locked else f"it is damaged ({error})"
            ) from None
        if len(content) > most:
            raise ArchiveError(f"it is larger than {most // 2**20} MB")
        return content


@contextmanager
def members(source: Path) -> Iterator[list[Member]]:
    """Give the files of a zip or of a folder, as long as the block lasts; each is read when it is asked for.

    Raises:
        ArchiveError: if it is neither.
    """
    if source.is_dir():
        yield _bounded(list(_of_folder(source)), source)
        return
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ArchiveError(f"{source} is no zip archive ({error})") from None
    with archive:
        yield _bounded([_of_zip(archive, one) for one in archive.infolist() if not one.is_dir()], source)


def _bounded(found: list[Member], source: Path) -> list[Member]:
    if len(found) > MOST_MEMBERS:
        raise ArchiveError(f"{source} holds {len(found)} files; {MOST_MEMBERS} are allowed")
    return [one for one in found if not any(map(_is_litter, one.path.split("/")))]


def _of_zip(archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> Member:
    path = _name_of(one).replace("\\", "/")
    kind = stat.S_IFMT(one.external_attr >> 16)
    refused = _refused(path, regular=kind in (0, stat.S_IFREG))
    return Member(_clean(path), None if refused else lambda: archive.open(one), _time_of(one), refused)


def _name_of(one: zipfile.ZipInfo) -> str:
    """Return a member's name; many programs write UTF-8 and forget to say so."""
    if one.flag_bits & 0x800:
        return one.filename
    try:
        return one.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return one.filename


def _time_of(one: zipfile.ZipInfo) -> datetime | None:
    """Return when a member was changed: in UTC where the archive says so in an extra field, else without a zone."""
    extra = one.extra
    while len(extra) >= 4:
        name, size = struct.unpack("<HH", extra[:4])
        if name == 0x5455 and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return datetime.fromtimestamp(struct.unpack("<i", extra[5:9])[0], UTC)
        extra = extra[4 + size :]
    try:
        return datetime(*one.date_time)
    except ValueError:
        return None


def _of_folder(folder: Path) -> Iterator[Member]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(where, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(where, name)
            inner = path.relative_to(folder).as_posix()
            refused = _refused(inner, regular=stat.S_ISREG(path.lstat().st_mode))
            yield Member(_clean(inner), None if refused else lambda path=path: path.open("rb"), None, refused)


def _refused(path: str, *, regular: bool) -> str:
    if not regular:
        return "it is a link, or no regular file"
    if path.startswith("/") or ".." in path.split("/"):
        return "its path leads out of the archive"
    return ""


def _clean(path: str) -> str:
    return "/".join(clean_name(part) for part in path.split("/") if part not in ("", ".", "..")) or "_"


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER
