"""The whole course for students, as one zip: the package, working copies of everything, and how to begin."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.checkout import checkout
from fmnist_helpers.course.copies import editions

START = """\
# Start here

You need Python 3.11 or newer. In this folder, type in a terminal:

    python -m pip install ./{wheel}
    fmnist-course

The first line installs the course with PyTorch and JupyterLab, which takes some minutes. The second one fetches the
data, writes copies of all lessons and exercises into the folder `my_course`, and opens the first lesson. Type it again
whenever you want to go on.

On Windows the commands are the same, in the Command Prompt; if `python` is not found there, type `py` in its place. If
you work in VS Code, on Colab or on a hub, open `my_course/00_start_here.ipynb` there, after the first line.
"""


class NoCheckoutError(OSError):
    """The course can only be packed from a checkout of it."""


def release_course(folder: Path) -> Path:
    """Write ``course.zip`` into ``folder`` and return its path.

    In it are the package as a wheel, which carries lessons and exercises without solutions, their working copies in
    ``my_course``, and a page that says how to begin. What is only an instructor's, a maintainer's or a test's is not.

    Raises:
        NoCheckoutError: if this package was installed from a wheel.
        OSError: if the wheel cannot be built.
    """
    course = checkout()
    if course is None:
        raise NoCheckoutError(
            "the course is packed from a checkout of it, and this package was installed without one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "course.zip"
    with tempfile.TemporaryDirectory() as temporary:
        wheel = _build_wheel(course, Path(temporary))
        with (
            written_whole(path) as unfinished,
            zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            archive.writestr("course/START_HERE.md", START.format(wheel=wheel.name))
            archive.write(wheel, f"course/{wheel.name}")
            for name, content in editions().items():
                archive.writestr(f"course/my_course/{name}", content)
    return path


def _build_wheel(course: Path, folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(course),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise OSError(f"the package could not be built: {done.stderr.strip()[-500:]}")
    return wheels[0]
