"""Shows a graded notebook as one page that needs no script, no network and no other file."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
import nh3
from latex2mathml.converter import convert_to_element
from markupsafe import Markup
from nbconvert.exporters import Exporter
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter
from traitlets import default

from fmnist_helpers.grading import inert
from fmnist_helpers.grading.inert_text import BREAK, LANGUAGES

LONGEST_FORMULA, LONGEST_COLOURED = 3_000, 50_000
"""How many letters a formula and the code of a cell may have; of more the source is shown as it is."""
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
TAG = re.compile(r"(<[^>]*>)")
HEADING = re.compile(r"^#+[ \t]+(.+)$", re.MULTILINE)

MATHML = {
    "math",
    "mrow",
    "mi",
    "mn",
    "mo",
    "ms",
    "mtext",
    "mspace",
    "mfrac",
    "msqrt",
    "mroot",
    "msub",
    "msup",
}
MATHML |= {
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mtable",
    "mtr",
    "mtd",
    "mstyle",
    "mpadded",
    "mphantom",
}
MATHML |= {"menclose"}
FORMS = {"display", "displaystyle", "scriptlevel", "mathvariant", "mathsize", "mathcolor", "mathbackground"}
FORMS |= {
    "stretchy",
    "fence",
    "separator",
    "form",
    "largeop",
    "movablelimits",
    "accent",
    "minsize",
    "maxsize",
}
FORMS |= {"lspace", "rspace", "width", "height", "depth", "voffset", "linethickness", "notation"}
FORMS |= {"columnalign", "columnlines", "columnspacing", "rowlines", "rowspacing"}
CLEANER = nh3.Cleaner(
    tags=inert.TAGS | MATHML | {"input"},
    attributes={
        **inert.ATTRIBUTES,
        **dict.fromkeys(MATHML, FORMS),
        **{key: {"class"} for key in ("span", "div", "code")},
    }
    | {"input": {"checked"}},
    # Of all that is filled in only the boxes of a list of tasks are left.
    set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
    attribute_filter=lambda tag, name, value: value if tag in MATHML else inert.harmless(tag, name, value),
    url_schemes={"http", "https", "mailto", "data"},
    filter_style_properties=inert.STYLES,
)


class _Renderer(IPythonRenderer):
    """nbconvert's, with formulas as MathML, and code as it was written."""

    def block_code(self, code: str, info: str | None = None) -> str:
        known = info if LANGUAGES.fullmatch((info or "").strip()) else None
        return super().block_code(code.replace(BREAK, ""), known)

    def codespan(self, text: str) -> str:
        return super().codespan(text.replace(BREAK, ""))

    def block_html(self, html: str) -> str:
        return with_formulas(super().block_html(html))

    def block_math(self, body: str) -> str:
        return formula(body, "block")

    def inline_math(self, body: str) -> str:
        return formula(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")


def formula(tex: str, display: str) -> str:
    """Return a formula as MathML, or its source where that fails."""
    if len(tex) <= LONGEST_FORMULA and BREAK not in inert.without_commands(tex):
        # What is no TeX ends in exceptions of many kinds.
        with contextlib.suppress(Exception):
            math = convert_to_element(tex.strip(), display=display)
            for element in math.iter():
                element.text = html.unescape(element.text or "")
            return ElementTree.tostring(math, encoding="unicode")
    return f"<code>{html.escape(tex.replace(BREAK, ''))}</code>"


def with_formulas(clean: str) -> str:
    """Return HTML with the formulas of its texts as MathML."""
    pieces, code = TAG.split(clean), 0
    for place, piece in enumerate(pieces):
        if place % 2:
            name = piece.strip("</>").partition(" ")[0]
            code += (-1 if piece.startswith("</") else 1) if name in ("code", "pre") else 0
        elif not code and len(piece) <= LONGEST_FORMULA:
            pieces[place] = FORMULA.sub(_formula, piece)
    return "".join(pieces)


def _formula(match: re.Match[str]) -> str:
    return formula(
        html.unescape(next(filter(None, match.groups()))), "block" if match[1] or match[3] else "inline"
    )


def markdown(source: str, attachments: Mapping[str, Any] | None = None) -> str:
    """Return Markdown as HTML that is inert, whatever it holds."""
    attachments = attachments or {}
    renderer = _Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return CLEANER.clean(MarkdownWithMath(renderer).render(inert.text(source, attachments)))


@jinja2.pass_context
def markdown2html(context: jinja2.runtime.Context, source: str) -> str:
    """nbconvert's filter of this name, for pages of others, such as Formgrader's."""
    return markdown(source, context.get("cell", {}).get("attachments"))


def shown(output: NotebookNode) -> str:
    """Return what a cell showed, in the richest of its forms, as HTML."""
    if output.output_type == "stream":
        return f'<pre class="{output.name}">{ansi2html(output.text)}</pre>'
    if output.output_type == "error":
        return f'<pre class="error">{ansi2html(chr(10).join(output.traceback))}</pre>'
    data = output.data
    if "text/html" in data:
        return f'<div class="html">{CLEANER.clean(with_formulas(inert.html(data["text/html"])))}</div>'
    if "text/markdown" in data:
        return markdown(data["text/markdown"])
    if "text/latex" in data:
        return CLEANER.clean(with_formulas(html.escape(data["text/latex"])))
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            sizes = "".join(f' {side}="{size}"' for side, size in output.metadata.get(kind, {}).items())
            return f'<img src="data:{kind};base64,{data[kind]}" alt=""{sizes}>'
    return f"<pre>{ansi2html(''.join(data.get('text/plain', '')))}</pre>"


def code(source: str) -> str:
    """Return coloured code as HTML."""
    if len(source) > LONGEST_COLOURED:
        return f"<pre>{html.escape(source)}</pre>"
    return Highlight2HTML(pygments_lexer="ipython3")(source)


def tasks(nb: NotebookNode) -> list[dict[str, Any]]:
    """Return the graded cells: the heading above, name, points, and whether there is a comment."""
    heading, found = "", []
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and (headings := HEADING.findall(cell.source)):
            heading = re.sub(r"[*_`#]", "", headings[-1]).strip()
        if marks.get("grade") or marks.get("task") or marks.get("comment"):
            found.append({"heading": heading, **marks})
    return found


def groups(nb: NotebookNode) -> list[list[NotebookNode]]:
    """Return the cells in order, an answer in code together with the tests that follow it, to be shown beside it."""
    found: list[list[NotebookNode]] = []
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        first = found[-1][0] if found else None
        answered = first is not None and first.cell_type == "code" and _is_answer(first)
        if answered and marks.get("grade") and not marks.get("solution"):
            found[-1].append(cell)
        else:
            found.append([cell])
    return found


def _is_answer(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


class FeedbackPage(Exporter):
    """Makes the page of one student from a graded notebook."""

    output_mimetype = "text/html"

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict | None = None, **options: Any
    ) -> tuple[str, dict]:
        """Return the page, with what the preprocessors left in ``resources``."""
        nb = copy.deepcopy(nb)
        # An earlier edition may have graded it.
        inert.notebook(nb)
        nb, resources = super().from_notebook_node(nb, resources, **options)
        return TEMPLATE.render(nb=nb, tasks=tasks(nb), **resources.get("nbgrader", {})), resources


def _template() -> jinja2.Template:
    folder = Path(__file__).parent
    style = (folder / "feedback_page.css").read_text(encoding="utf-8")
    colours = [HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("default", "github-dark")]
    style = f"{style}\n{colours[0]}\n@media (prefers-color-scheme: dark) {{\n{colours[1]}\n}}\n"
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    for make in (markdown, shown, code):
        environment.filters[make.__name__] = lambda *arguments, make=make: Markup(make(*arguments))
    environment.filters["groups"] = groups
    environment.filters["points"] = lambda points: f"{points or 0:g}"
    environment.globals.update(
        style=Markup(style), digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    )
    return environment.from_string((folder / "feedback_page.html.j2").read_text(encoding="utf-8"))


TEMPLATE = _template()
