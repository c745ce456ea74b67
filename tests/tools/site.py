"""Build the lessons as web pages and follow every link: ``python -m tests.tools.site FOLDER``.

The pages show the stored outputs. They open from the folder, without a server, and can be searched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fmnist_helpers.course.root import exercises
from fmnist_helpers.course.strip import read, strip_exercise, written
from tests.tools.course import NOTEBOOKS

FOLLOW = (
    "--format=json",
    "--no-progress",
    "--offline",
    "--include-fragments=anchor-only",
    # Lychee counts scripts among the verbatim parts.
    "--include-verbatim",
    # Without a server, a folder is no page.
    "--index-files=",
)
"""How Lychee is asked."""
SOME_BROKEN = 2
"""Lychee's exit code for links that lead nowhere; others are troubles of its own."""


def tool(name: str) -> Path:
    """Return where a program of the ``site`` extra lies, beside Python."""
    return Path(sys.executable).with_name(name)


def build(folder: Path) -> None:
    """Build the site into ``folder``, which is replaced.

    Raises:
        RuntimeError: if it cannot be built, or the builder warns.
    """
    with tempfile.TemporaryDirectory() as work:
        book = _write_book(Path(work) / "book")
        command = [
            tool("jupyter-book"),
            "build",
            "--quiet",
            "--warningiserror",
            "--keep-going",
            "--path-output",
            work,
            book,
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=work)
        if done.returncode:
            raise RuntimeError(f"the site could not be built:\n{done.stdout}\n{done.stderr}")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(Path(work) / "_build" / "html", folder)


def _write_book(book: Path) -> Path:
    """Write what the site is made of: the lessons as they are stored, the exercises as they are handed out."""
    shutil.copytree(NOTEBOOKS, book, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__"))
    for path in exercises(book):
        path.write_bytes(written(strip_exercise(read(path.read_bytes()))))
    with (book / "_toc.yml").open("a") as contents:
        # Not in the stored list: a site that was built of it without this would publish the solutions.
        contents.writelines(f"  - file: exercises/{path.stem}/{path.stem}\n" for path in exercises(book))
    return book


def broken_links(folder: Path) -> tuple[int, list[str]]:
    """Return how many links within the site Lychee followed, and those that lead nowhere.

    Followed are pages and anchors in them, pictures, style sheets and scripts; what lies elsewhere is not.

    Raises:
        RuntimeError: if Lychee cannot do its work.
    """
    # Beside the pages lie the texts that they were made of, and with the style sheets templates of the theme.
    pages = [path.relative_to(folder) for path in sorted(folder.rglob("*.html"))]
    done = subprocess.run(
        [tool("lychee"), *FOLLOW, *(page for page in pages if "_static" not in page.parts)],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
    )
    if done.returncode not in (0, SOME_BROKEN):
        raise RuntimeError(f"the links could not be followed:\n{done.stderr}")
    found = json.loads(done.stdout)
    broken = [
        f"{page}: {link['url']}: {link['status']['text']}"
        for page, links in sorted(found["error_map"].items())
        for link in links
    ]
    return found["successful"] + len(broken), broken


def main() -> None:
    """Build, check, and say where to look."""
    folder = Path(sys.argv[1])
    build(folder)
    followed, broken = broken_links(folder)
    print(f"{followed} links followed, {len(broken)} lead nowhere")
    if broken:
        sys.exit("\n".join(broken))
    print(f"open {folder / 'index.html'}")


if __name__ == "__main__":
    main()
