"""Reads a folder that was handed in into memory, once: what is hashed, parsed and run are then the same bytes.

Only regular files below the folder are read. Links, pipes and devices are never opened, whatever a student's archive
held; archives are opened here, and never written to the disk. Everything is bounded, and what is left out is told.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LARGEST_NOTEBOOK = 100 * 2**20
LARGEST_FILE = 20 * 2**20
LARGEST_IN_ALL = 150 * 2**20
MOST_FILES, MOST_ENTRIES, MOST_FOLDERS = 200, 5_000, 6
"""How many files are kept, how many are looked at, and how deep."""
MOST_NOTES = 10
LITTER = {"__macosx", "__pycache__", "thumbs.db", "desktop.ini", "node_modules"}
"""What operating systems and tools put beside a student's work, in lower case; so are all names with a dot in front."""
OTHER_ARCHIVES = (".7z", ".rar", ".xz", ".bz2", ".gz")


@dataclass
class HandedIn:
    """What was handed in: every file by its path below the folder, archives opened."""

    files: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    """When each file was changed, in seconds since 1970."""
    notes: list[str] = field(default_factory=list)
    """What was left out, a sentence each."""
    left_out: int = 0

    def digest(self) -> str:
        """Return a hash of all that can change the marks."""
        digest = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
        return digest.hexdigest()

    def leave_out(self, path: str, why: str) -> None:
        """Note that a file was not read."""
        self.left_out += 1
        if self.left_out <= MOST_NOTES:
            self.notes.append(f"{shown(path)} was not read: {why}")
        elif self.left_out == MOST_NOTES + 1:
            self.notes.append("more was not read")


def read_folder(
    folder: Path, handed_in: HandedIn | None = None, prefix: str = "", without: Collection[str] = ()
) -> HandedIn:
    """Return what lies in a folder; never raises for what a student did.

    Args:
        folder: where.
        handed_in: what the files are added to.
        prefix: put before each file's path.
        without: names in the folder that are passed over.
    """
    handed_in = HandedIn() if handed_in is None else handed_in
    reader = _Reader(handed_in)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        handed_in.leave_out(f"{prefix}the folder", "it is a link" if folder.is_symlink() else _why(error))
        return handed_in
    try:
        reader.folder(descriptor, prefix, 0, without)
    finally:
        os.close(descriptor)
    return handed_in


class _Reader:
    """Adds files to what was handed in, until there are too many of them."""

    def __init__(self, handed_in: HandedIn) -> None:
        self.handed_in = handed_in
        self.entries = 0
        self.size = sum(map(len, handed_in.files.values()))

    def folder(self, descriptor: int, prefix: str, depth: int, without: Collection[str] = ()) -> None:
        for name in sorted(os.listdir(descriptor), key=os.fsencode):
            self.entries += 1
            if self.entries > MOST_ENTRIES:
                self.handed_in.leave_out(prefix + name, "there are too many files")
                return
            if _is_litter(name) or name in without:
                continue
            try:
                self._entry(descriptor, name, prefix + clean_name(name), depth)
            except OSError as error:
                self.handed_in.leave_out(prefix + name, _why(error))

    def _entry(self, parent: int, name: str, path: str, depth: int) -> None:
        # A pipe without a writer would keep us waiting, and to open some devices does something.
        kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            what = "a link" if stat.S_ISLNK(kind) else "no regular file"
            return self.handed_in.leave_out(path, f"it is {what}")
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=parent)
        try:
            # It may be another one by now.
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                if depth + 1 >= MOST_FOLDERS:
                    return self.handed_in.leave_out(path, "it lies too many folders deep")
                self.folder(descriptor, f"{path}/", depth + 1)
            elif stat.S_ISREG(status.st_mode):
                with open(descriptor, "rb", closefd=False) as file:
                    self.file(path, file, status.st_mtime, depth)
        finally:
            os.close(descriptor)

    def file(self, path: str, file: IO[bytes], changed: float, depth: int) -> None:
        most = LARGEST_NOTEBOOK if ".ipynb" in path.lower() or _is_archive(path) else LARGEST_FILE
        if len(self.handed_in.files) >= MOST_FILES:
            return self.handed_in.leave_out(path, f"there are more than {MOST_FILES} files")
        content = file.read(most + 1)
        if len(content) > most:
            return self.handed_in.leave_out(path, f"it is larger than {most // 2**20} MB")
        if self.size + len(content) > LARGEST_IN_ALL:
            return self.handed_in.leave_out(path, f"all together is more than {LARGEST_IN_ALL // 2**20} MB")
        if _is_archive(path):
            return self._archive(path, content, changed, depth)
        if path.lower().endswith(OTHER_ARCHIVES):
            return self.handed_in.leave_out(path, "such an archive cannot be opened; ask for a zip")
        self.size += len(content)
        self.handed_in.files[path] = content
        self.handed_in.times[path] = changed

    def _archive(self, path: str, content: bytes, changed: float, depth: int) -> None:
        if depth + 1 >= MOST_FOLDERS:
            return self.handed_in.leave_out(path, "it lies too many archives deep")
        members = _members_of_zip if path.lower().endswith(".zip") else _members_of_tar
        try:
            for name, file in members(content):
                self.entries += 1
                parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
                if self.entries > MOST_ENTRIES:
                    return self.handed_in.leave_out(path, "it holds too many files")
                if not parts or any(map(_is_litter, parts)):
                    continue
                inner = "/".join([path, *map(clean_name, parts)])
                if file is None:
                    self.handed_in.leave_out(inner, "it is a link")
                else:
                    self.file(inner, file, changed, depth + 1)
        except RuntimeError as error:
            locked = "password" in str(error)
            self.handed_in.leave_out(path, "it is locked with a password" if locked else _why(error))
        except Exception as error:
            self.handed_in.leave_out(path, f"it is damaged ({_why(error)})")


def _members_of_zip(content: bytes) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for one in archive.infolist():
            if stat.S_ISLNK(one.external_attr >> 16):
                yield one.filename, None
            elif not one.is_dir():
                with archive.open(one) as file:
                    yield one.filename, file


def _members_of_tar(content: bytes) -> Iterator[tuple[str, IO[bytes] | None]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for one in archive:
            if one.issym() or one.islnk():
                yield one.name, None
            elif one.isreg():
                yield one.name, archive.extractfile(one)


def clean_name(name: str) -> str:
    """Return a name that can be printed and kept everywhere: composed Unicode, nothing that cannot be seen.

    macOS writes an umlaut in two parts, so what was packed there may have another name than it seems; names of old
    Windows archives are in its Western alphabet.
    """
    raw = os.fsencode(name) if _is_whole(name) else name.encode("utf-8", "replace")
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    text = unicodedata.normalize("NFC", text)
    text = "".join(letter if letter.isprintable() else "_" for letter in text).strip()
    if len(text.encode()) > 200:
        text = text.encode()[:180].decode(errors="ignore") + "~" + hashlib.sha256(raw).hexdigest()[:8]
    return text.replace("/", "_") if text.strip(".") else "_" * max(len(text), 1)


def shown(path: str) -> str:
    """Return a path as it may stand in a sentence."""
    text = "".join(letter if letter.isprintable() else "?" for letter in path)
    return text if len(text) <= 80 else f"... {text[-76:]}"


def _is_whole(name: str) -> bool:
    """Return whether a name can be turned back into the bytes that the file system has."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def _is_archive(path: str) -> bool:
    return path.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shown((text or type(error).__name__).splitlines()[0])
