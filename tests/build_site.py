"""Build the lessons as web pages and follow every link: ``python -m tests.build_site FOLDER``.

The pages show the stored outputs. They open from the folder, without a server, and can be searched.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.execute_lessons import NOTEBOOKS


class _Page(HTMLParser):
    """Collects the targets of links and pictures, and the anchors, of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        target = found.get("href") if tag in ("a", "link") else found.get("src")
        if target:
            self.targets.append(target)


def build(folder: Path) -> None:
    """Build the site into ``folder``, which is replaced.

    Raises:
        RuntimeError: if it cannot be built, or the builder warns.
    """
    with tempfile.TemporaryDirectory() as work:
        builder = Path(sys.executable).with_name("jupyter-book")
        command = [
            builder,
            "build",
            "--quiet",
            "--warningiserror",
            "--keep-going",
            "--path-output",
            work,
            NOTEBOOKS,
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=work)
        if done.returncode:
            raise RuntimeError(f"the site could not be built:\n{done.stdout}\n{done.stderr}")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(Path(work) / "_build" / "html", folder)


def broken_links(folder: Path) -> tuple[int, list[str]]:
    """Return how many links within the site were followed, and those that lead nowhere."""
    # Templates of the theme lie beside its style sheets.
    paths = [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts]
    pages = {path.resolve(): _Page(path) for path in paths}
    followed, broken = 0, []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            followed += 1
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[file].anchors if file in pages else set()
            if not file.is_file() or (
                parts.fragment and file in pages and unquote(parts.fragment) not in anchors
            ):
                broken.append(f"{path.name}: {target}")
    return followed, broken


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
