"""JupyterLab on loopback, started by a command; a notebook opened in it, run, and read from the browser's model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.tools.course import COURSE

MINUTES = 3
"""For JupyterLab to start."""
PATIENCE = 1_200_000
"""Milliseconds for the longest lesson on a busy machine."""
NOTEBOOK = "jupyterapp.shell.currentWidget"


@contextmanager
def running_lab(command: Callable[[str], Sequence[str]], folder: Path, **environment: str) -> Iterator[str]:
    """Run JupyterLab and give its address, without a page.

    Args:
        command: returns what to run for JupyterLab's options.
        folder: where it is run, and where ``lab.log`` is written.
        environment: set beside the usual variables.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--no-browser --port={port} --ServerApp.port_retries=0 --IdentityProvider.token= --allow-root"
    options += " --LabApp.expose_app_in_browser=True"
    variables = {**os.environ, "FMNIST_DATA": str(COURSE / "data"), **environment}
    # A bar that moves is no debris; only tests of outputs hide it.
    variables.pop("TQDM_DISABLE", None)
    with open(folder / "lab.log", "w") as log:
        # In a group of its own: where make starts JupyterLab, the end of make is not that of JupyterLab.
        process = subprocess.Popen(
            command(options), cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(address, process, folder / "lab.log")
            yield address
        finally:
            end(process)


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


def end(leader: subprocess.Popen, seconds: float = 15) -> None:
    """End a process and all that it started in its group: politely first, and after so long by force."""
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            leader.poll()  # What has ended is in the group until its end was asked for.
            os.killpg(leader.pid, 0)
            time.sleep(0.1)
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


@dataclass
class Opened:
    """A lesson whose cells have all been run, in its page."""

    name: str
    page: object
    errors: list[str]
    at_first: list[dict]
    """Its cells before any was run."""

    def cells(self) -> list[dict]:
        """Return the cells as the notebook in the browser holds them now."""
        return self.page.evaluate(f"() => {NOTEBOOK}.content.model.toJSON().cells")

    def part(self, title: str):
        """Return the interactive part with this title."""
        part = self.page.locator(".fmnist-frame", has_text=title).first
        # What is far off the screen is not rendered.
        part.scroll_into_view_if_needed()
        return part


@contextmanager
def opened_and_run(browser, address: str, name: str) -> Iterator[Opened]:
    """Open a notebook by the name of its file, and run all its cells."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/lab/tree/{name}.ipynb?reset")
    wait_for_kernel(page)
    at_first = page.evaluate(f"() => {NOTEBOOK}.content.model.toJSON().cells")
    page.set_default_timeout(PATIENCE)
    page.evaluate(
        "async () => { await jupyterapp.commands.execute('notebook:run-all-cells').catch(() => {}); }"
    )
    # The command ends at the first error, also at one that is meant; the cells after it go on.
    page.wait_for_function(
        f"""() => {NOTEBOOK}.content.model.toJSON().cells.every(
            one => one.cell_type !== 'code' || one.execution_count)
            && {NOTEBOOK}.sessionContext.session.kernel.status === 'idle'"""
    )
    page.set_default_timeout(60_000)
    yield Opened(name, page, errors, at_first)
    page.evaluate("async () => { await jupyterapp.serviceManager.sessions.shutdownAll(); }")
    page.close()


def wait_for_kernel(page) -> None:
    """Return when the notebook is there and its kernel answers: a command that comes before is lost."""
    page.wait_for_function(f"() => window.jupyterapp && {NOTEBOOK}?.sessionContext")
    page.evaluate(f"async () => {{ await {NOTEBOOK}.context.ready; await {NOTEBOOK}.sessionContext.ready; }}")
    page.evaluate(f"async () => {{ await {NOTEBOOK}.sessionContext.session.kernel.info; }}")
