"""What the grader writes, opened in a browser: nothing that a student smuggled in runs, and honest work is seen."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbconvert.exporters import HTMLExporter

from fmnist_helpers.grading import inert
from fmnist_helpers.grading.classroom import Classroom
from tests.browser.conftest import SCREENSHOTS
from tests.browser.opened import wait_until_up
from tests.grading.smuggled import ELSEWHERE, FILES, SIDE, honest_notebook, hostile_notebook, smuggled

STUDENT, ANSWER = "ada", "explain"


@pytest.fixture(scope="module")
def counted() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback: its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET  # noqa: N815  http.server calls it so.

        def log_message(self, *arguments) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, counted) -> Path:
    """The folder of a class in which a hostile and an honest notebook were graded, with their feedback pages."""
    folder = tmp_path_factory.mktemp("a class")
    Classroom(folder, folder / "submitted", folder / "source").prepare()
    for name, nb in (("hostile", hostile_notebook(counted[0])), ("honest", honest_notebook())):
        marks = {
            "grade": True,
            "solution": True,
            "locked": False,
            "grade_id": ANSWER,
            "points": 3,
            "schema_version": 3,
        }
        nb.cells.append(v4.new_markdown_cell("Because $x^2$.", metadata={"nbgrader": marks}))
        inert.texts(nb.cells, FILES)
        inert.notebook(nb)
        path = folder / "autograded" / STUDENT / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(nb, path)
        _record(folder, name)
    for name in ("hostile", "honest"):
        _nbgrader(folder, "generate_feedback", "--assignment", name, "--student", STUDENT)
    return folder


def _record(folder: Path, name: str) -> None:
    with Classroom(folder, folder / "submitted").gradebook() as gradebook:
        gradebook.update_or_create_assignment(name)
        gradebook.update_or_create_notebook(name, name)
        gradebook.update_or_create_grade_cell(ANSWER, name, name, max_score=3, cell_type="markdown")
        gradebook.update_or_create_solution_cell(ANSWER, name, name)
        gradebook.update_or_create_source_cell(ANSWER, name, name, cell_type="markdown")
        gradebook.update_or_create_student(STUDENT)
        gradebook.add_submission(name, STUDENT)
        gradebook.find_grade(ANSWER, name, name, STUDENT).manual_score = 2
        gradebook.find_comment(ANSWER, name, name, STUDENT).manual_comment = "Say **why** $y$."
        gradebook.db.commit()


def _nbgrader(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def formgrader(folder: Path) -> Iterator[dict[str, str]]:
    """A running Jupyter server: name of each assignment → the address at which an instructor marks it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--no-browser --port={port} --ServerApp.port_retries=0 --IdentityProvider.token= --allow-root"
    extension = "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"
    command = [sys.executable, "-m", "jupyter", "server", *options.split(), extension]
    with open(folder / "server.log", "w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            wait_until_up(f"http://127.0.0.1:{port}", process, folder / "server.log")
            with Classroom(folder, folder / "submitted").gradebook() as gradebook:
                submissions = {
                    name: gradebook.find_submission_notebook(name, name, STUDENT).id
                    for name in ("hostile", "honest")
                }
            yield {
                name: f"http://127.0.0.1:{port}/formgrader/submissions/{one}/"
                for name, one in submissions.items()
            }
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def opened(request, browser, folder):
    """A function that opens a page and returns it; ``dark`` for a screen that is."""
    pages = []

    def open_page(address: str, dark: bool = False):
        page = browser.new_page(
            viewport={"width": 1100, "height": 900}, color_scheme="dark" if dark else "light"
        )
        pages.append(page)
        # Formgrader asks the web for MathJax; that is not an attempt of the student's.
        page.route(re.compile("^https:"), lambda route: route.abort())
        page.goto(address)
        page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for page in pages:
        page.close()


def feedback(folder: Path, name: str) -> str:
    return (folder / "feedback" / STUDENT / name / f"{name}.html").as_uri()


def tried(page, asked: list[str], wait: int = 500) -> list[str]:
    """Return the names of what ran in a page, or was fetched for it, or would be at a click."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.wait_for_timeout(wait)
    links = page.locator("[href]").evaluate_all(
        "all => all.map(one => String(one.href?.baseVal ?? one.href))"
    )
    bad = [link for link in links if not link.startswith(("http:", "https:", "mailto:", "file:"))]
    return [*page.evaluate("window.ran || []"), *bad, *asked]


def test_what_is_smuggled_in_would_run(counted, opened, tmp_path):
    """The other tests see nothing because nothing is there, not because it would not run."""
    from playwright.sync_api import Error

    address, asked = counted
    path = tmp_path / "raw.html"
    page = opened("about:blank")
    # In the place of jQuery, which comes from the web.
    page.add_init_script("window.$ = () => 0")
    idle = set()
    for name, cell in smuggled(address).items():
        if name.startswith("raw: ") or name in ELSEWHERE:
            continue
        raw = HTMLExporter(template_name="classic").from_notebook_node(v4.new_notebook(cells=[cell]))[0]
        path.write_text(raw, encoding="utf-8")
        # A page that leaves itself has done something.
        with contextlib.suppress(Error):
            page.goto(path.as_uri())
            if not tried(page, asked, wait=150):
                idle.add(name)
        asked.clear()
    assert idle == set()


@pytest.mark.parametrize("name", ["hostile", "honest"])
def test_nothing_runs_on_a_feedback_page(folder, counted, opened, name):
    requests = []
    page = opened("about:blank")
    page.on("request", lambda request: requests.append(request.url))
    page.goto(feedback(folder, name))
    assert tried(page, counted[1]) == []
    assert [url for url in requests if not url.startswith("data:")] == [feedback(folder, name)]
    assert page.title() == f"{name}: 2 of 3"
    assert page.locator("script, iframe, object, embed, form, link, base, svg").count() == 0
    assert len(page.frames) == 1


@pytest.mark.parametrize("name", ["hostile", "honest"])
def test_nothing_runs_in_formgrader(formgrader, counted, opened, name):
    page = opened(formgrader[name])
    assert tried(page, counted[1]) == []
    assert len(page.frames) == 1
    # The boxes for points and comments are the only ones of their names, and hold what the instructor gave.
    for box, value in ((f"#{ANSWER}", "2"), (f"#{ANSWER}-comment", "Say **why** $y$.")):
        assert page.locator(box).count() == 1
        assert page.locator(box).input_value() == value


def seen(page) -> dict[str, object]:
    """Return what a reader sees of honest work: pictures with their sizes, cells of tables, formulas."""
    boxes = "all => all.map(one => [one.getBoundingClientRect().width > 3, one.naturalWidth, one.alt])"
    return {
        "pictures": page.locator("section img, .cell img").evaluate_all(boxes),
        "cells": page.locator("section td, .cell td").all_inner_texts(),
        "formulas": page.locator("math").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().width > 3)"
        ),
        "text": page.locator("body").inner_text(),
    }


@pytest.mark.parametrize("where", ["feedback", "formgrader"])
def test_honest_work_is_seen(folder, formgrader, opened, where):
    page = opened(feedback(folder, "honest") if where == "feedback" else formgrader["honest"])
    found = seen(page)
    assert [picture[:2] for picture in found["pictures"]] == [
        *[[True, SIDE]] * 5,
        [True, 90],
        *[[True, SIDE]] * 3,
    ], found["pictures"]
    for cell in ("0.52", "0.61", "in a table", "0.25", "0.125"):
        assert cell in found["cells"]
    assert len(found["formulas"]) >= 4 and all(found["formulas"])
    for text in ("if x[i]<y:", '"<b>"', "tensor([1., 2.])", "epoch 1", "ZeroDivisionError: division by zero"):
        assert text in found["text"], text
    assert "\u200c" not in found["text"]
    assert page.locator("a[href='https://pytorch.org']").count() == 1


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_of_pages_are_taken(folder, formgrader, opened, dark):
    """For people to look at; what they should see is tested above."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page = opened(feedback(folder, "honest"), dark)
    page.screenshot(path=SCREENSHOTS / f"feedback-{'dark' if dark else 'light'}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1100
