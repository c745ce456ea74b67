"""A JupyterHub on loopback, on a machine to be thrown away, and a browser for each of its users."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.conftest import SCREENSHOTS, browser  # noqa: F401  a fixture
from tests.course.conftest import checkout, wheel  # noqa: F401  fixtures
from tests.hub.world import World, missing
from tests.tools.course import copy_course

PASSWORD = "four words no one guesses"
CONFIGURATION = Path(__file__).with_name("jupyterhub_config.py")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Say beside each step how long it took."""
    if report.when == "call" and report.passed and report.nodeid.startswith("tests/hub/"):
        return "passed", ".", f"PASSED in {report.duration:.1f} s"
    return None


@pytest.fixture(scope="session")
def possible() -> None:
    """Skips what cannot be done here, before anything is built for it."""
    if reason := missing():
        pytest.skip(f"no hub here: {reason}")


@pytest.fixture(scope="session")
def world(possible, browser, wheel, tmp_path_factory) -> Iterator[World]:  # noqa: F811
    """The machine, with its three users; the wheel and the browser are made before, outside of it."""
    copy = copy_course(tmp_path_factory.mktemp("copy"))
    try:
        world = World()
    except OSError as error:
        pytest.skip(f"no hub here: the system does not allow what it needs: {error}")
    try:
        for user in ("ada", "ben", "teacher"):
            world.add_user(user, PASSWORD)
        world.run("cp", "--recursive", str(copy), "/home/teacher/course")
        world.run("chown", "--recursive", "teacher:", "/home/teacher/course")
        yield world
    finally:
        world.close()


@dataclass
class Hub:
    """A running hub."""

    address: str
    open_context: Callable
    log: Path

    def log_in(self, user: str):
        """Log a user in, start their server, and return their page when JupyterLab is there."""
        page = self.open_context(viewport={"width": 1280, "height": 1000}).new_page()
        page.set_default_timeout(120_000)
        # Formgrader asks the web for MathJax, and goes on without it.
        page.route(re.compile("^https:"), lambda route: route.abort())
        page.goto(f"{self.address}/hub/login")
        page.fill("#username_input", user)
        page.fill("#password_input", PASSWORD)
        page.click("#login_submit")
        page.wait_for_url(f"{self.address}/user/{user}/lab*")
        wait_for_lab(page)
        return page


def wait_for_lab(page) -> None:
    """Wait until JupyterLab has put back what was open in it."""
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate("async () => { await jupyterapp.restored; }")


def _free_ports(number: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


@pytest.fixture(scope="session")
def hub(world, browser, tmp_path_factory) -> Iterator[Hub]:  # noqa: F811
    ports = _free_ports(3)
    log = tmp_path_factory.mktemp("hub") / "hub.log"
    world.run("mkdir", "--mode=700", "/srv/jupyterhub")
    command = f'cd /srv/jupyterhub && exec "{sys.prefix}/bin/jupyterhub" --config "{CONFIGURATION}"'
    process = world.start("sh", "-c", command, log=log, HUB_PORTS=" ".join(map(str, ports)))
    contexts = []

    def open_context(**options):
        contexts.append(browser.new_context(**options))
        return contexts[-1]

    address = f"http://127.0.0.1:{ports[0]}"
    _wait_until_up(f"{address}/hub/health", process, log)
    yield Hub(address, open_context, log)
    for context in contexts:
        context.close()
    process.terminate()
    process.wait(30)


def _wait_until_up(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"the hub did not start:\n{log.read_text()[-5000:]}")
