"""Where the course lies: in the checkout if there is one, else in the installed package."""

from __future__ import annotations

from pathlib import Path

from fmnist_helpers.checkout import FOLDER, checkout

PACKAGED = Path("fmnist_helpers", "course", "packaged")
"""Where the wheel carries the course, below the folder of the package."""


def course_root() -> Path:
    """Return the folder with the lessons, their ``results`` and the ``exercises``.

    Raises:
        FileNotFoundError: if the package was installed without them.
    """
    folder = FOLDER / "notebooks" if checkout() else FOLDER / PACKAGED
    if not folder.is_dir():
        raise FileNotFoundError(
            f"the course is not in {folder}, where its package was installed; install fmnist-helpers anew, from "
            "a wheel or with pip install -e"
        )
    return folder


def lessons(root: Path) -> list[Path]:
    """Return the lessons in a course's folder, in order."""
    return sorted(root.glob("[0-9]*.ipynb"))


def pages(root: Path) -> list[Path]:
    """Return the notebooks that only tell something, such as how the exercises work."""
    return sorted(root.glob("exercises/*.ipynb"))


def exercises(root: Path) -> list[Path]:
    """Return the notebooks of the exercises in a course's folder, in order."""
    return sorted(path for path in root.glob("exercises/*/*.ipynb") if path.stem == path.parent.name)


def recorded_file(name: str) -> Path:
    """Return the file with results that were measured beforehand, such as ``study_real.json``.

    Raises:
        FileNotFoundError: if there are none of this name.
    """
    folder = course_root() / "results"
    if not (folder / name).is_file():
        there = ", ".join(sorted(path.name for path in folder.glob("*.json")))
        raise FileNotFoundError(f"nothing was recorded as {name}; there are {there}")
    return folder / name
