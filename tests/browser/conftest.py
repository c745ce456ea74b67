"""JupyterLab on loopback, started as ``make lab`` starts it, in a copy of the course, and a browser to open it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

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
MINUTES = 3


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
def lab(course: Path, browser) -> Iterator[str]:
    """The address of a running JupyterLab, without a page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--no-browser --port={port} --ServerApp.port_retries=0 --IdentityProvider.token= --allow-root"
    options += " --LabApp.expose_app_in_browser=True"
    command = ["make", "--silent", "--assume-old=pyproject.toml", "lab", f"LAB_OPTIONS={options}"]
    environment = {**os.environ, "FMNIST_DATA": str(COURSE / "data")}
    # A bar that moves is no debris; only tests of outputs hide it.
    environment.pop("TQDM_DISABLE", None)
    with open(course / "lab.log", "w") as log:
        process = subprocess.Popen(command, cwd=course, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(address, process, course / "lab.log")
            yield address
        finally:
            subprocess.run(
                [sys.executable, "-m", "jupyter", "server", "stop", str(port)], capture_output=True
            )
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_up(address: str, process: subprocess.Popen, log: Path) -> None:
    """Return when the server answers.

    Raises:
        RuntimeError: if it ends or does not answer in time.
    """
    deadline = time.monotonic() + 60 * MINUTES
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/api/status", timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
