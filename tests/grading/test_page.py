"""The feedback page: one file, without script or address of the web, that shows marks, work and comments."""

from __future__ import annotations

import base64
import hashlib
import re
import time

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from bs4 import BeautifulSoup
from nbformat import NotebookNode, v4

from fmnist_helpers.grading import inert
from fmnist_helpers.grading.inert_text import BREAK
from fmnist_helpers.grading.page import FeedbackPage, code, formula, groups, markdown, shown, with_formulas
from tests.grading.smuggled import (
    SHOWN,
    TEXTS,
    armed,
    dangers,
    encoded,
    honest_notebook,
    hostile_notebook,
    picture,
)

ODD = "</title></style><script>alert(1)</script>&\"'"


def page_of(nb: NotebookNode, **marks) -> str:
    marks = {"notebook": "ex01", "student": "ada", "score": 2.5, "max_score": 4.0, "late_penalty": 0} | marks
    return FeedbackPage().from_notebook_node(nb, {"nbgrader": marks})[0]


def graded(**marks) -> NotebookNode:
    """Return a notebook with a test, an answer that has a comment, and a cell without marks."""
    test = {"grade": True, "grade_id": "loss-test", "points": 3, "score": 2.5, "solution": False}
    answer = {
        "grade": True,
        "solution": True,
        "grade_id": "why",
        "points": 1,
        "score": 0,
        "comment": "Say *more*.",
    }
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("## Task 1: the *loss*"),
            v4.new_code_cell("check(loss)", metadata={"nbgrader": test | marks}),
            v4.new_markdown_cell("Because.", metadata={"nbgrader": answer}),
            v4.new_code_cell("1 < 2"),
        ]
    )


@pytest.mark.parametrize("nb", [hostile_notebook("http://127.0.0.1:9"), honest_notebook(), graded()])
def test_page_needs_nothing_else_and_runs_nothing(nb):
    page = page_of(nb, notebook=ODD, student=ODD, remarks=[ODD])
    head, _, body = page.partition("</head>")
    assert head.startswith(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta http-equiv="Content-Security-Policy"'
    )
    assert re.search(r"content=\"default-src 'none'; img-src data:; style-src 'sha256-[\w+/=]+'; ", head)
    assert [tag.name for tag in BeautifulSoup(head, "html.parser").find_all(True)] == [
        *["html", "head", *["meta"] * 4, "title", "style"]
    ]
    ours = ("body", "header", "main", "section", "section id")
    assert [one for one in dangers(body) if not one.startswith(ours)] == []
    assert "url(" not in head and "http" not in head.replace("http-equiv", "")


def test_style_is_the_one_that_is_allowed():
    page = page_of(graded())
    style = re.search(r"<style>(.*?)</style>", page, flags=re.DOTALL)[1]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in page


def test_marks_and_comments_are_shown():
    soup = BeautifulSoup(page_of(graded(), late_penalty=1.0), "html.parser")
    rows = [[cell.get_text(" ", strip=True) for cell in row("td")] for row in soup.select(".scores tr")]
    assert rows == [
        [],
        ["Task 1: the loss", "loss-test", "2.5 of 3"],
        ["Task 1: the loss", "why (with a comment)", "0 of 1"],
        ["Handed in late", "", "−1"],
        ["", "2.5 of 4"],
    ]
    assert soup.title.string == "ex01: 2.5 of 4"
    for link in soup.select(".scores a"):
        assert soup.find(id=link["href"][1:]) is not None
    assert soup.select_one("#why .comment em").string == "more"
    assert "some" in soup.select_one("#loss-test")["class"] and "none" in soup.select_one("#why")["class"]


def test_remarks_stand_above():
    page = page_of(graded(), remarks=["`a_b_c` waits: *x* <b>."])
    item = BeautifulSoup(page, "html.parser").select_one(".remarks li")
    assert item.get_text() == "a_b_c waits: *x* <b>." and item.code.string == "a_b_c"


@pytest.mark.parametrize("name", TEXTS)
def test_filter_for_other_pages_is_inert_by_itself(name):
    attachments = {"good.png": {"image/png": encoded(picture("red"))}}
    assert dangers(markdown(armed(TEXTS[name], name, "http://127.0.0.1:9"), attachments)) == []


@pytest.mark.parametrize("name", SHOWN)
def test_outputs_are_inert_once_more(name):
    """A notebook may have been graded by an earlier edition."""
    nb = v4.new_notebook()
    nb.cells = [v4.new_code_cell("x")]
    data = NotebookNode(armed(SHOWN[name], name, "http://127.0.0.1:9"))
    nb.cells[0].outputs = [NotebookNode(output_type="display_data", data=data, metadata={})]
    inert.notebook(nb)
    assert dangers(shown(nb.cells[0].outputs[0])) == []


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("$x^2$", "<msup><mi>x</mi><mn>2</mn></msup>"),
        ("$$\n\\frac{a}{b}\n$$", 'display="block"'),
        ("\\\\(a\\\\)", "<mi>a</mi>"),
        ("\\begin{align}a &= b\\end{align}", "<mtable"),
        ("$a < b$", "&lt;"),
        ("<center>$\\alpha$</center>", "<mi>\u03b1</mi>"),
        ("`$x$`", "<code>$x$</code>"),
        ("costs \\$5 and \\$6", "costs $5 and $6"),
        ("$\\href{https://a.b}{x}$", "<code>\\href{https://a.b}{x}</code>"),
        ("$\\frac{$", "<code>\\frac{</code>"),
        ("$" + "x" * 4000 + "$", "<code>xxx"),
        ("$\\text{&lt;img src=x onerror=alert(1)>}$", "onerror"),
        ("- [x] done", 'type="checkbox"'),
        ("```python\nif a <b: pass\n```", "&lt;"),
    ],
)
def test_formulas_code_and_boxes(source, part):
    page = markdown(source)
    assert part in page and dangers(page) == [] and BREAK not in page.replace("\\" + BREAK, "")


def test_formulas_in_html_are_seen_but_not_in_code():
    assert "<math" in with_formulas("<td>$x$</td>")
    assert with_formulas("<pre>$x$<b>$y$</b></pre> $5") == "<pre>$x$<b>$y$</b></pre> $5"


@pytest.mark.parametrize(
    "part", ["{", "\\frac", "a'", "\\text{$", "\\operatorname{", "\\mbox{", "\\begin{matrix}", "^"]
)
def test_the_worst_formulas_take_no_time(part):
    start = time.process_time()
    formula(part * (3000 // len(part)), "block")
    assert time.process_time() - start < 2


def test_code_is_coloured_unless_it_is_long():
    assert "<span" in code("x = 1") and "&lt;" in code("a <b")
    assert "<span" not in code("x = 1\n" * 10_000)


def test_page_that_was_not_inert_before_is():
    nb = v4.new_notebook(cells=[v4.new_markdown_cell("<script>alert(1)</script>![x](attachment:gone.png)")])
    assert "<script" not in page_of(nb)


def test_a_diagnosis_stands_beside_the_answer_that_it_is_about():
    def cell(name: str, make=v4.new_code_cell, **marks) -> NotebookNode:
        return make(name, metadata={"nbgrader": {"grade_id": name, **marks}} if name else {})

    answer, test = {"solution": True, "grade": False}, {"solution": False, "grade": True}
    nb = v4.new_notebook(
        cells=[
            cell("a", **answer),
            cell("a1", **test),
            cell("a2", **test),
            cell("", v4.new_markdown_cell),
            cell("b1", **test),
            cell("why", v4.new_markdown_cell, solution=True, grade=True),
            cell("b2", **test),
        ]
    )
    assert [[one.source for one in group] for group in groups(nb)] == [
        ["a", "a1", "a2"],
        [""],
        ["b1"],
        ["why"],
        ["b2"],
    ]
    soup = BeautifulSoup(page_of(nb, facts=[["Student", ODD]]), "html.parser")
    assert [one.get("id") for one in soup.select(".beside > section")] == ["a", "a1", "a2"]
    assert soup.select_one(".facts dd").get_text() == ODD
