"""``fmnist-course [FOLDER]``: write working copies of the course, prepare the data, open the first lesson.

The same as ``python -m fmnist_helpers.course``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from fmnist_helpers.course.copies import CopyError, editions, state, write_copies

FIRST = "00_start_here.ipynb"


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    # What follows is JupyterLab's own, and argparse would look for ours in it.
    end = given.index("--") if "--" in given else len(given)
    options = _parser().parse_args(given[:end])
    try:
        if options.list:
            return _list(options.folder)
        for line in write_copies(options.folder, options.exercises):
            print(line)
    except (CopyError, OSError) as error:
        print(f"fmnist-course: {_reason(error)}", file=sys.stderr)
        return 1
    print(f"Your copies are in {options.folder}.", flush=True)
    # One thread makes results repeatable, and two on a busy machine can be ten times slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not _prepare():
        return 1
    return 0 if options.no_lab else _open(options, given[end + 1 :])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fmnist-course",
        description="Write working copies of the lessons and exercises, prepare the data, open the first lesson in "
        "JupyterLab. Copies that you have changed are never overwritten.",
        epilog="What follows a -- is handed to JupyterLab, for example: fmnist-course -- --no-browser",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", type=Path, default=Path("my_course"), help="default: my_course"
    )
    parser.add_argument("--no-lab", action="store_true", help="do not open JupyterLab")
    parser.add_argument(
        "--exercises", metavar="NAME", nargs="+", help="write only these exercises, such as ex01_data"
    )
    parser.add_argument(
        "--list", action="store_true", help="only list what there is, and how your copies stand"
    )
    return parser


def _list(folder: Path) -> int:
    for name in editions():
        print(f"{name:50s} {state(folder, name)}")
    return 0


def _prepare() -> bool:
    """Prepare the data; where there is none to be had, say why and return False."""
    from fmnist_helpers.data import DataError, prepare_data

    try:
        prepare_data()
    except (DataError, ValueError) as error:
        print(f"fmnist-course: {error}", file=sys.stderr)
        return False
    return True


def _open(options: argparse.Namespace, lab_options: list[str]) -> int:
    """Run JupyterLab in this process until it is stopped."""
    try:
        from jupyterlab.labapp import main as lab
    except ImportError:
        print(f"JupyterLab is not installed here; open {options.folder / FIRST} with what you have.")
        return 0
    first = (
        FIRST
        if options.exercises is None
        else f"exercises/{options.exercises[0]}/{options.exercises[0]}.ipynb"
    )
    folder = options.folder.resolve()
    # The default address, too: it is the one that is printed where no browser can be opened, as on WSL or over SSH.
    start = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{first}"]
    lab([str(folder / first), *start, *lab_options])
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}; choose a folder that you may write to"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
