"""Working copies of lessons and exercises: written once, renewed while nobody has changed them, never overwritten.

A record in the folder holds the digests of what was written there. A file whose digest is in it is as the course
wrote it, and a newer edition may take its place. Any other is the learner's: the newer edition lies beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.course.root import course_root, exercises, lessons, pages
from fmnist_helpers.course.strip import Notebook, read, source, strip_exercise, strip_lesson, written

RECORD = ".fmnist-course.json"
LINK = re.compile(r"""\]\(\s*<?([^)>\s]+)|\b(?:src|href)=["']([^"']+)""")


class CopyError(ValueError):
    """Copies cannot be written where, or of what, was asked for."""


def editions(names: list[str] | None = None) -> dict[str, bytes]:
    """Return what learners get: path below the folder → content. Lessons, exercises, and the pictures in them.

    Args:
        names: the only exercises that are wanted, and no lessons.

    Raises:
        CopyError: if there is no such exercise.
    """
    root = course_root()
    known = {path.stem: path for path in exercises(root)}
    if unknown := [name for name in names or [] if name not in known]:
        raise CopyError(f"there is no exercise {unknown[0]}; there are {', '.join(known)}")
    found: dict[str, bytes] = {}
    for path in [*lessons(root), *pages(root)] if names is None else []:
        found |= _with_pictures(root, path, strip_lesson(read(path.read_bytes())))
    for path in known.values() if names is None else [known[name] for name in names]:
        # In the wheel, and in the copy that an instructor gives away, they have lost their solutions already.
        found |= _with_pictures(root, path, strip_exercise(read(path.read_bytes())))
    return found


def _with_pictures(root: Path, path: Path, notebook: Notebook) -> dict[str, bytes]:
    found = {path.relative_to(root).as_posix(): written(notebook)}
    for target in linked_files(root, path, notebook):
        found[target.relative_to(root).as_posix()] = target.read_bytes()
    return found


def linked_files(root: Path, path: Path, notebook: Notebook) -> Iterator[Path]:
    """Give the files in the course's folder, other than notebooks, that the text of a notebook shows or links to."""
    for cell in notebook["cells"]:
        for pair in LINK.findall(source(cell)) if cell["cell_type"] == "markdown" else []:
            target = (path.parent / unquote("".join(pair).partition("#")[0])).resolve()
            # Not target.is_file(): a picture within its address is too long a name for it.
            if (
                os.path.isfile(target)
                and target.is_relative_to(root)
                and target.suffix not in (".ipynb", ".md")
            ):
                yield target


def write_copies(folder: Path, names: list[str] | None = None) -> list[str]:
    """Write the working copies that are missing or old, and return a line for each that lies beside a learner's.

    Args:
        folder: where to; it is made if there is none.
        names: as for ``editions``.

    Raises:
        CopyError: if the folder is the course's own, or there is no such exercise.
        OSError: if the folder cannot be written.
    """
    wanted = editions(names)
    if folder.resolve().is_relative_to(course_root()):
        raise CopyError(f"{folder} holds the lessons themselves; choose another folder for your copies")
    folder.mkdir(parents=True, exist_ok=True)
    known = _read_record(folder)
    theirs = {name for name in wanted if _is_changed(folder / name, known.get(name, []), wanted[name])}
    # Recorded before they are written: whoever is killed in between finds the older file, or the newer one, as known.
    _record(folder, known, {name: wanted[name] for name in wanted if name not in theirs})
    for name in wanted.keys() - theirs:
        _write(folder / name, wanted[name])
    newer = {
        name: wanted[name] for name in sorted(theirs) if _digest(wanted[name]) not in known.get(name, [])
    }
    lines = [_write_beside(folder, name, content, known) for name, content in newer.items()]
    _record(folder, known, newer)
    return lines


def _write_beside(folder: Path, name: str, content: bytes, known: dict[str, list[str]]) -> str:
    """Write a newer edition beside a copy that its learner changed, and return the line that says so."""
    kept = PurePosixPath(name)
    number = 1
    beside = kept.with_name(f"{kept.stem}.new{kept.suffix}")
    # The one that lies there from last time may have been worked in, too.
    while _is_changed(folder / beside, known.get(str(beside), []), content):
        number += 1
        beside = kept.with_name(f"{kept.stem}.new{number}{kept.suffix}")
    _record(folder, known, {str(beside): content})
    _write(folder / beside, content)
    return f"{name} is as you left it; a newer edition lies beside it: {beside.name}"


def state(folder: Path, name: str) -> str:
    """Return in a word or two how the copy of this name stands."""
    if not (folder / name).exists():
        return "not there yet"
    return (
        "changed by you" if _is_changed(folder / name, _read_record(folder).get(name, [])) else "as written"
    )


def _is_changed(path: Path, known: list[str], wanted: bytes = b"") -> bool:
    """Return whether something lies there that the course neither wrote nor wants to write."""
    try:
        return _digest(path.read_bytes()) not in (*known, _digest(wanted))
    except FileNotFoundError:
        return False
    except OSError:
        # A folder, or a file that may not be read: not ours in any case.
        return True


def _write(path: Path, content: bytes) -> None:
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished:
        unfinished.write_bytes(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_record(folder: Path) -> dict[str, list[str]]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {name: list(digests) for name, digests in record.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        # Without it every file counts as the learner's.
        return {}


def _record(folder: Path, known: dict[str, list[str]], contents: dict[str, bytes]) -> None:
    """Note that these contents are the course's, in ``known`` and in the folder."""
    for name, content in contents.items():
        digest = _digest(content)
        known[name] = [*(one for one in known.get(name, []) if one != digest), digest]
    with written_whole(folder / RECORD) as unfinished:
        unfinished.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
