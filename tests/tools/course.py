"""Where the parts of the course lie, and how to copy all of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
NOTEBOOKS = COURSE / "notebooks"
EXERCISES = NOTEBOOKS / "exercises"
RESULTS = NOTEBOOKS / "results"
"""What was measured beforehand, and is read by lessons."""
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def copy_course(target: Path) -> Path:
    """Copy what git tracks or would track, with the changes that are not committed yet; return ``target``."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=COURSE,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        # What is deleted but not committed is still listed.
        if os.path.lexists(COURSE / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(COURSE / name, target / name, follow_symlinks=False)
    return target
