"""Puts the course into what is built of the package, so that a wheel is enough to learn with.

Every file is named by what it is: no pattern reaches into the folder of the exercises, whose notebooks hold the
solutions. They are read one by one and written without them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from fmnist_helpers.checkout import checkout
from fmnist_helpers.course.copies import linked_files
from fmnist_helpers.course.root import PACKAGED, course_root, exercises, lessons, pages
from fmnist_helpers.course.strip import read, strip_exercise, written


def pack(target: Path) -> None:
    """Write the course into the package that is being built in ``target``.

    From a checkout these are the stored lessons, the results that they read, the pictures that they show, and the
    exercises without solutions and hidden tests; from a source distribution, which holds just that, the same.
    """
    root, packed = course_root(), target / PACKAGED
    # An older build may lie there, with lessons that are gone.
    shutil.rmtree(packed, ignore_errors=True)
    if not checkout():
        shutil.copytree(root, packed)
        return
    for path, content in _contents(root).items():
        place = packed / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _contents(root: Path) -> dict[Path, bytes]:
    """Return what a learner may have of the course: the file that it comes from → content."""
    notebooks = {path: read(path.read_bytes()) for path in [*lessons(root), *pages(root)]}
    notebooks |= {path: strip_exercise(read(path.read_bytes())) for path in exercises(root)}
    shown = {file for path, notebook in notebooks.items() for file in linked_files(root, path, notebook)}
    files = [*shown, *sorted((root / "results").glob("*.json"))]
    return {path: written(notebook) for path, notebook in notebooks.items()} | {
        path: path.read_bytes() for path in files
    }
