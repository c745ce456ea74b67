"""JupyterLab on loopback, started as ``make lab`` starts it, in a copy of the course, and a browser to open it."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.browser.opened import running_lab
from tests.tools.course import COURSE, copy_course

SCREENSHOTS = COURSE / ".screenshots"
INSTALL = "pip install -e '.[browser]' and apt install chromium"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a test only for the lessons that its mark names. (A parameter of its own would open them again.)"""
    for item in list(items):
        mark = item.get_closest_marker("lessons")
        if mark is not None and item.callspec.params["opened"] not in mark.args:
            items.remove(item)


def find_browser() -> str | None:
    """Return the path of Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason=f"no playwright here: {INSTALL}")
    path = find_browser()
    if path is None:
        pytest.skip(f"no Chromium here: {INSTALL}")
    # Chromium refuses to sandbox itself for root.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=[*QUIET, *root])
        yield running
        running.close()


@pytest.fixture(scope="session")
def course(tmp_path_factory) -> Path:
    """A copy of the course: JupyterLab saves the notebooks that it opens."""
    folder = tmp_path_factory.mktemp("course")
    copy_course(folder)
    # Not VENV=...: make cannot take a path with a space.
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="session")
def start_lab(course: Path) -> Callable[..., AbstractContextManager[str]]:
    """Return what starts JupyterLab as ``make lab`` does, with these variables beside the usual ones."""

    def command(options: str) -> list[str]:
        return ["make", "--silent", "--assume-old=pyproject.toml", "lab", f"LAB_OPTIONS={options}"]

    return functools.partial(running_lab, command, course)


@pytest.fixture(scope="session")
def lab(start_lab, browser) -> Iterator[str]:
    """The address of a running JupyterLab."""
    with start_lab() as address:
        yield address
