"""What the grader writes, opened in a browser: nothing that a student smuggled in runs, and honest work is seen."""

from __future__ import annotations

import base64
import copy
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode, v4
from PIL import Image

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbconvert.exporters import HTMLExporter

from fmnist_helpers.grading import inert
from fmnist_helpers.grading.classroom import Classroom
from tests.browser.conftest import SCREENSHOTS, wait_until_up

STUDENT, ANSWER = "ada", "explain"
SIDE = 40
"""Width and height of each honest picture."""


def picture(colour: str, kind: str = "png") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), colour).save(file, kind)
    return file.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- what must not run: RUN is a program that leaves a mark, GET an address on the server that counts

TEXTS = {
    "heading with the name of a box": "# explain\n\n# explain-comment",
    "script": "<script>RUN</script>",
    "script in a paragraph": "a <script>RUN</script> b",
    "picture with an error": '<img src="nowhere" onerror="RUN">',
    "picture with an error, upper case": "<IMG\nSRC=nowhere\nOnError='RUN'>",
    "drawing": '<svg onload="RUN"></svg>',
    "drawing within": "<svg><animate onbegin='RUN' attributeName=x dur=1s></svg>",
    "frame": '<iframe srcdoc="<script>parent.RUN</script>"></iframe>',
    "frame of another page": '<iframe src="GET"></iframe>',
    "frame of a program": '<iframe src="javascript:parent.RUN"></iframe>',
    "object": '<object data="GET"></object><embed src="GET">',
    "form": '<form action="GET"><button formaction="javascript:RUN" autofocus onfocus="RUN">x</button></form>',
    "field": '<input autofocus onfocus="RUN">',
    "sheet": "<style>@import 'GET'; body { background: url(GET) }</style>",
    "style": '<div style="background: url(GET)">x</div>',
    "linked sheet": '<link rel="stylesheet" href="GET">',
    "refresh": '<meta http-equiv="refresh" content="0; url=GET">',
    "base": '<base href="GET">\n\n![](relative.png)',
    "details": '<details open ontoggle="RUN"><summary>x</summary></details>',
    "video": '<video src="GET" onerror="RUN" poster="GET"></video><audio src="GET"></audio>',
    "template": "<template><script>RUN</script></template><template shadowrootmode=open><img src=GET></template>",
    "no script": '<noscript><p title="</noscript><img src=x onerror=RUN>"></noscript>',
    "formula that changes": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 '
    'onerror=RUN&gt;">',
    "formula in a form": '<form><math><mtext></form><form><mglyph><style></math><img src onerror="RUN">',
    "comment": "<!--><img src=x onerror=RUN>-->",
    "declaration": "<!A x><img src=x onerror=RUN>",
    "instruction": "<?x ><img src=x onerror=RUN>",
    "within a table": "<table><tr><td>\n<https://a/tabindex=1/autofocus/onfocus='RUN'>\n</table>",
    "title that ends": '[x](#a "\\"><img src=x onerror=RUN>")',
    "quote in a target": '![x](a"onerror="RUN)',
    "quote in a label": '![a"onerror="RUN](nowhere.png)',
    "code with a name": '```"><img/src=x/onerror=RUN>\nx\n```',
    "mermaid": "```mermaid\n</pre><img src=x onerror=RUN>\n```",
    "encoded mermaid": "~~~&#109;ermaid\n</pre><img src=x onerror=RUN>\n~~~",
    "remote picture": "![x](GET)",
    "remote picture by a label": "![x][far]\n\n[far]: GET",
    "remote picture by its name": "![near]\n\n[near]: <GET>",
    "remote picture as HTML": '<img alt="x" src="GET">',
    "remote picture in sizes": '<img srcset="GET 1x">',
    "remote picture behind code": "![a`](attachment:good.png)`](GET)",
    "picture data with a quote": "![x](attachment:bad.png)",
    "address of a program": "[x](javascript:RUN)",
    "address with a line break": "[x](<java\nscript:RUN>)",
    "address with an entity": "[x](java&#x73;cript:RUN)",
    "address with a tab": "[x](java&Tab;script:RUN)",
    "address behind a space": "[x]( &#1;javascript:RUN)",
    "address without a prefix": "[x](files/javascript:RUN)",
    "address as a link": "<javascript:RUN>",
    "address by a label": "[y]\n\n[y]: javascript:RUN",
    "address by a label in a list": "- > [z]:\n  > javascript:RUN\n\n[z]",
    "address of data": "[x](data:text/html,<script>RUN</script>)",
    "address as HTML": '<a href="javascript:RUN">x</a>',
    "address of a file": "[x](..%2f..%2f..%2fsubmitted%2fx%2fevil.html)",
    "address in a formula": "$\\href{javascript:RUN}{x}$ $$\\href{javascript:RUN}{x}$$",
    "address in a spelled formula": "$&#92;href{javascript:RUN}{x}$ \\\\(\\\\href{javascript:RUN}{x}\\\\)",
    "address in a defined formula": "$\\def\\x#1{\\h#1}\\x{ref{javascript:RUN}}{x}$",
    "formula of HTML": "$\\text{</math><img src=x onerror=RUN>}$ $\\text{&lt;img src=x onerror=RUN>}$",
    "picture in a formula": "$\\style{background:url(GET)}{x}\\bbox[background:url(GET)]{x}$",
}
SHOWN = {
    **{name: {"text/html": text} for name, text in TEXTS.items() if "<" in text},
    "javascript": {"application/javascript": "RUN"},
    "widget": {"application/vnd.jupyter.widget-view+json": {"model_id": "</script><script>RUN</script>"}},
    "SVG": {
        "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" onload="RUN"><script>RUN</script>'
        '<image href="GET"/></svg>'
    },
    "SVG in HTML": {"text/html": "<svg><script>RUN</script></svg>"},
    "PNG with a quote": {"image/png": '"><img src=x onerror=RUN>'},
    "JPEG with a quote": {"image/jpeg": '" onerror="RUN'},
    "Markdown": {"text/markdown": "<img src=x onerror=RUN> ![x](GET)"},
    "LaTeX": {"text/latex": "$\\href{javascript:RUN}{x}$</div><img src=x onerror=RUN>"},
    "another type": {'text/html; charset=x"><script>RUN</script>': "RUN"},
    "data picture": {
        "text/html": '<img src="data:image/svg+xml,<svg onload=RUN>"><img src="data:text/html,x">'
    },
    "not even a text": {"text/html": {"a": "<script>RUN</script>"}, "image/png": 5},
}
METADATA = {
    "isolated": {"text/html": {"isolated": True}},
    "file name": {
        "filenames": {"image/png": "GET"},
        "image/png": {"width": '1 onload="RUN"', "alt": '" onload="RUN'},
    },
}


def armed(value, name: str, where: str, address: str):
    """Return a value with its RUN and GET filled in."""
    if isinstance(value, dict):
        return {
            armed(key, name, where, address): armed(one, name, where, address) for key, one in value.items()
        }
    if not isinstance(value, str):
        return value
    run = f"(top.ran=top.ran||[]).push(/{name}-{where}/.source)".replace(" ", "_")
    return (
        value.replace("parent.RUN", run)
        .replace("RUN", run)
        .replace("GET", f"{address}/{name}".replace(" ", "_"))
    )


def hostile_notebook(address: str) -> NotebookNode:
    """Return a notebook with all that is smuggled, as a kernel and an editor could have written it."""
    nb = v4.new_notebook(
        metadata={"title": armed("</title><script>RUN</script>", "title", "notebook", address)}
    )
    nb.metadata.language_info = {"name": "x", "pygments_lexer": '"><script>'}
    bad = armed('" onerror="RUN', "bad", "attachment", address)
    attachments = {"bad.png": {"image/png": bad}, "good.png": {"image/png": encoded(picture("red"))}}
    for name, source in TEXTS.items():
        cell = v4.new_markdown_cell(
            armed(source, name, "text", address), attachments=copy.deepcopy(attachments)
        )
        nb.cells += [cell, v4.new_raw_cell(armed(source, name, "raw", address))]
        nb.cells[-1].metadata.raw_mimetype = "text/html"
    for name, data in SHOWN.items():
        nb.cells.append(_showing(armed(data, name, "output", address)))
    for name, metadata in METADATA.items():
        data = (
            {"text/html": armed("<script>RUN</script>", name, "metadata", address)}
            if name == "isolated"
            else {}
        )
        nb.cells.append(_showing(data | {"image/png": encoded(picture("red"))}))
        nb.cells[-1].outputs[0].metadata = NotebookNode(armed(metadata, name, "metadata", address))
    return nb


def _showing(data: dict) -> NotebookNode:
    cell = v4.new_code_cell("show()", execution_count=1)
    cell.outputs = [
        NotebookNode(output_type="display_data", data=NotebookNode(data), metadata=NotebookNode())
    ]
    return cell


# --- what must be seen

ATTACHED, IN_TEXT, IN_HTML, HANDED_IN, IN_TABLE = "red", "green", "blue", "orange", "purple"
HONEST = f"""# Task 1: batches

Some *words*, `code`, a [link](https://pytorch.org), and $\\frac{{1}}{{N}} \\sum_i x_i^2 < \\epsilon$ in a line.

$$
L = -\\log \\frac{{e^{{z_y}}}}{{\\sum_j e^{{z_j}}}}
$$

| rate | loss |
|-----:|-----:|
| 0.1  | 0.52 |
| 0.01 | 0.61 |

![attached](attachment:a%20plot.png) ![in the text](data:image/png;base64,{encoded(picture(IN_TEXT))})
<img width="30" src='data:image/png;base64,{encoded(picture(IN_HTML))}' alt=html> ![handed in](images/plot.png)

<table align="center">
  <tr>
    <td><img src="images/Table.JPG" width=200></td>
    <td>in a table</td>
  </tr>
</table>

```python
for i in range(3):
    if x[i]<y: print("<b>")
```
"""
FRAME = (
    "<div>\n<style scoped>\n .dataframe tbody tr th {{ vertical-align: top; }}\n</style>\n"
    '<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th><th>loss</th></tr></thead>'
    "<tbody><tr><th>0</th><td>0.25</td></tr><tr><th>1</th><td>0.125</td></tr></tbody></table></div>"
)
FIGURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><circle cx="15" cy="15" r="9"/></svg>'
)
FILES = {
    "images/plot.png": picture(HANDED_IN),
    "images/table.jpg": picture(IN_TABLE, "jpeg"),
    "notes.txt": b"x",
}
PICTURES = 5 + 4


def honest_notebook() -> NotebookNode:
    """Return a notebook with everything that students show, without harm."""
    attachments = {"a plot.png": {"image/png": encoded(picture(ATTACHED))}}
    nb = v4.new_notebook(cells=[v4.new_markdown_cell(HONEST, attachments=attachments)])
    for data in (
        {"text/html": FRAME, "text/plain": "   loss\n0  0.25\n1  0.125"},
        {"image/svg+xml": FIGURE},
        {"image/png": encoded(picture("navy")) + "\n", "text/plain": "<Figure>"},
        {
            "text/html": f'<img alt="a figure" style="width: 60px; max-width: 100%" src="data:image/png;base64,'
            f'{encoded(picture("teal"))}">',
            "text/plain": "a figure",
        },
        {"image/gif": encoded(picture("grey", "gif"))},
        {"text/latex": "$\\displaystyle \\alpha + \\beta$", "text/plain": "alpha + beta"},
        {"text/markdown": "**bold** and $\\gamma$"},
        {"text/plain": "tensor([1., 2.])"},
    ):
        nb.cells.append(_showing(data))
    nb.cells.append(v4.new_code_cell("1 / 0", execution_count=9))
    nb.cells[-1].outputs = [
        v4.new_output("stream", text="epoch 1\n"),
        v4.new_output(
            "error",
            ename="ZeroDivisionError",
            evalue="division by zero",
            traceback=["\x1b[31mZeroDivisionError\x1b[39m: division by zero"],
        ),
    ]
    return nb


# --- where it is looked at


@pytest.fixture(scope="module")
def counted() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback: its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET

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
        # The web is not there; a request for it is not an attempt of the student's.
        page.route("https://**", lambda route: route.abort())
        page.goto(address)
        page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for page in pages:
        page.close()


def feedback(folder: Path, name: str) -> str:
    return (folder / "feedback" / STUDENT / name / f"{name}.html").as_uri()


def tried(page, asked: list[str]) -> list[str]:
    """Return the names of what ran in a page, or was fetched for it, or would at a click."""
    ran = page.evaluate("window.ran || []")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    allowed = "a => /^(https?|mailto|file):/.test(a.href) || !a.hasAttribute('href')"
    links = page.evaluate(f"[...document.links].filter(a => !({allowed})(a)).map(a => a.href)")
    links += page.evaluate("[...document.querySelectorAll('math [href]')].map(a => a.getAttribute('href'))")
    page.wait_for_timeout(500)
    return [*ran, *links, *asked, *page.evaluate("window.ran || []")]


def test_what_is_smuggled_in_would_run(counted, opened, tmp_path):
    """The other tests see nothing because nothing is there, not because it would not run."""
    address, asked = counted
    page, path = opened("about:blank"), tmp_path / "raw.html"
    idle = []
    for number, cell in enumerate(hostile_notebook(address).cells):
        try:
            raw = HTMLExporter(template_name="classic").from_notebook_node(v4.new_notebook(cells=[cell]))[0]
        except Exception as error:
            idle.append((number, repr(error)))
            continue
        path.write_text(raw, encoding="utf-8")
        page.goto(path.as_uri())
        if not tried(page, asked):
            idle.append((number, str(cell)))
        asked.clear()
    print(*idle, sep="\n")
    assert idle == []


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
    tone = "dark" if dark else "light"
    for name in ("honest", "hostile"):
        page = opened(feedback(folder, name), dark)
        page.screenshot(path=SCREENSHOTS / f"feedback-{name}-{tone}.png", full_page=True)
        opened(formgrader[name]).screenshot(path=SCREENSHOTS / f"formgrader-{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1100
