"""The package as a submission's kernel sees it: everything but what judges, and but what grades."""

from __future__ import annotations

import shutil
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
JUDGES = ("check", "misconceptions", "predictions")
"""Modules of ``exercises`` that judge, beside the tasks of lessons and those with an ``exNN_observe`` at their side."""
KERNEL = ("__init__.py", "kernel.py")
"""What of ``grading`` runs inside."""


def write_package(folder: Path) -> None:
    """Write the package for the inside into ``folder``, anew; whoever puts that on the path imports it from there.

    Where a module judges, ``later`` stands under its name: its checks say that they are made after hand-in.
    """
    target = folder / PACKAGE.name
    grading = PACKAGE / "grading"

    def left_out(directory: str, names: list[str]) -> list[str]:
        inside = KERNEL if Path(directory) == grading else names
        return [name for name in names if name == "__pycache__" or name not in inside]

    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PACKAGE, target, ignore=left_out)
    for path in judging_modules():
        shutil.copyfile(grading / "later.py", target / path.relative_to(PACKAGE))


def judging_modules() -> list[Path]:
    """Return the modules of ``exercises`` that judge, or know what is right."""
    exercises = PACKAGE / "exercises"
    tasks = {path.name.split("_")[0] for path in exercises.glob("ex[0-9]*_observe.py")}
    return sorted(
        path
        for path in exercises.glob("*.py")
        if path.stem in JUDGES
        or path.stem.startswith("turns")
        or (path.stem.split("_")[0] in tasks and not path.stem.endswith("_observe"))
    )
