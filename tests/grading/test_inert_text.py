"""Markdown that is inert whoever reads it, looks as it did, and costs no more than seconds."""

from __future__ import annotations

import re
import time

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import v4

from fmnist_helpers.grading.inert_text import BREAK, CUT, DEEPEST, LONGEST_TEXT, text, without_commands
from tests.grading.smuggled import TEXTS, armed, dangers, encoded, picture

ATTACHMENTS = {"good.png": {"image/png": encoded(picture("red"))}}


def rendered(source: str) -> str:
    """Return Markdown as stock nbconvert renders it, which lets everything through."""
    renderer = IPythonRenderer(escape=False, attachments=ATTACHMENTS, exclude_anchor_links=True)
    return MarkdownWithMath(renderer).render(source)


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_smuggled_in_is_text(name):
    source = armed(TEXTS[name], name, "http://127.0.0.1:9")
    assert dangers(rendered(text(source, ATTACHMENTS))) == []


PARTS = st.sampled_from(
    r"""< > </ ! [ ] ( ) ]( ]: [x]:_ ![ ![x]( \ \\ ` ``` ~~~ * _ | # & &#92; &lt; &#x6c; $ $$ \\( \\) \href \def
    javascript: https://a mailto:b data:image/png;base64,AA== data:text/html, attachment:good.png attachment:bad files/
    a.ipynb ../ <script> </script> <b> </b> <table> </table> <td <img_ <a_ href= src= onerror= " ' / = x 1 - + .
    mermaid <!-- --> <? <https://a> {" "}""".replace("_", " ").split(" ")
) | st.sampled_from(["\n", "\n\n", " ", "    ", "\t", "\r", "\0", "\u00a0", "\u2028", BREAK, "\n> ", "\n- "])


@settings(max_examples=500, deadline=None)
@given(st.lists(PARTS, max_size=14).map("".join))
def test_whatever_is_put_together_is_text(source):
    inert = text(source, ATTACHMENTS)
    assert dangers(rendered(inert)) == []
    assert text(inert, ATTACHMENTS) == inert


@pytest.mark.parametrize(
    "source",
    [
        "*Write your answer here, in place of this line.*",
        '# A heading\n\nBecause $a < b$, 3 < 4 and x <- y; see [this](https://pytorch.org/docs?a=b#c "docs").',
        "| a | b |\n|---|---|\n| $x_1$ | **2** |\n\n- [x] done\n1. one\n\n> quoted\n\n---",
        "```python\nfor i in range(3):\n    print(x[i], a < 3)\n```",
        "<details><summary>Why?</summary>\n\nSo.\n\n</details>\n\nH<sub>2</sub>O<br>\n<table><tr><td>1</table>",
        "[Lesson 5](../../05_training_loop.ipynb#a-loop), [there](#there), [mail](mailto:a@b.c), [l][1]\n\n[1]: http://a.b",
        "![a plot](attachment:good.png)",
        "\\begin{align} a &= b \\\\ c &= d \\end{align} and \\\\(x\\\\)",
        "AT&T, &lt;b&gt;, &eacute;, &nbsp;, ünïcödé, 中文, می‌خواهم",
    ],
)
def test_honest_text_stays_as_it_is(source):
    assert text(source, ATTACHMENTS) == source


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (
            "```python\nif a <b: d[k]: int = <class 'x'>\n```",
            "```python\nif a <b: d[k]: int = <class 'x'>\n```",
        ),
        ('<div align="center" onclick=x>a</div>', "<div>a</div>"),
        ("see <https://pytorch.org>.", "see https://pytorch.org."),
        ('<a class="x" href="https://a.b">A</a>', "[A](https://a.b)"),
        ('<a id="top"></a>', "<a></a>"),
        ("![](https://a.b/c.png) ![x](https://a.b/c.png)", "https://a.b/c.png [x](https://a.b/c.png)"),
        ("<b>left open, </i>never opened", "<b>left open, </i>never opened"),
        ("C:\\class\\def $\\mathbb{R}$", "C:\\class\\def $\\mathbb{R}$"),
        ("a\r\nb\rc\0d", "a\nb\ncd"),
    ],
)
def test_a_reader_sees_what_was_written(source, seen):
    assert text(source).replace(BREAK, "") == seen


def test_what_is_left_open_or_was_never_opened_is_shown():
    page = rendered(text("<table><tr><td>1\n\n<s>struck\n\n</div></div>\n\n<b>bold</b>"))
    assert "<table" not in page and "<s>" not in page and "</div>" not in page
    assert "<b>bold</b>" in page


def test_tags_stand_in_each_other_only_so_deep():
    """nbconvert fails where a thousand do."""
    deep = text("<div>\n\n" * 900 + "a" + "</div>\n\n" * 900)
    HTMLExporter(template_name="basic").from_notebook_node(
        v4.new_notebook(cells=[v4.new_markdown_cell(deep)])
    )
    assert text(deep) == deep and deep.count("<div>") == deep.count("</div>") == DEEPEST


ACTIVE = """href url require html htmlId class cssId style unicode mmlToken bbox[background:red] data includegraphics
csname def gdef let newcommand renewcommand newenvironment DeclareMathOperator setOptions begingroup"""


@pytest.mark.parametrize("command", ACTIVE.split())
def test_commands_that_do_more_than_show_are_broken(command):
    assert without_commands(f"\\{command}{{x}}") == f"\\{BREAK}{command}{{x}}"
    # A backslash or a letter may be written in other ways.
    spelled = text(f"$&#92;{command}$ &bsol;{command} \\&#{ord(command[0])};{command[1:]} \\\\{command}")
    assert not re.search(rf"(\\|&#92;|&bsol;)({command}|&#\d)", spelled.replace("[", r"\["))


@pytest.mark.parametrize(
    "command", ["frac", "left", "leq", "delta", "deg", "begin", "newline", "text", "longrightarrow"]
)
def test_commands_that_show_are_left(command):
    assert without_commands(f"\\{command}") == f"\\{command}"


def test_a_long_text_is_cut_and_says_so():
    cut = text("x" * (LONGEST_TEXT + 1))
    assert len(cut) == LONGEST_TEXT and cut.endswith(CUT)
    assert text(cut) == cut


SIGNS = r"""\\( \\[ $ $$ $a a$ [ ] [] [a]( ![ [a]: *a a* _a ** *[ ` `a < <a </ <b> </b> <table> <!-- > >- - 1. | |a &
\ ~ # = ( ) \begin{a} \begin{a}\end{b} [![a](b)](c) <https://a>"""
LINES = ["# a\n", "a\n=\n", "=\n", "- a\n", "> ", "- - ", "a|b\n-|-\n", "  \n", "``` a\n", "[a]: b\n", "1.\n"]


@pytest.mark.parametrize(
    "pattern", [*SIGNS.split(), *LINES, "<td>\n\n", "<a href=https://b ", "spaces", "ladder"]
)
def test_the_worst_texts_take_seconds(pattern):
    source = pattern * (3 * LONGEST_TEXT // len(pattern))
    if pattern == "spaces":
        source = "a" + " " * (LONGEST_TEXT - 2) + "b"
    if pattern == "ladder":
        source = "".join("`" * length + "a" for length in range(190))
    start = time.process_time()
    rendered(text(source))
    # Half a second on an idle machine of 2026; without limits some take minutes.
    assert time.process_time() - start < 5
