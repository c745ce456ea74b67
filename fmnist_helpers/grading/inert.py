"""Makes inert what a student wrote or showed: in no program does it run, fetch, or pass for what stands around it.

A notebook is opened by programs that are not ours: Formgrader, JupyterLab, nbconvert. So it is not left to their care,
but changed where it is written. Pictures, tables and formulas stay.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nh3
from nbformat import NotebookNode

from fmnist_helpers.grading.inert_text import DEEPEST, plain, text, without_commands
from fmnist_helpers.grading.pictures import SVG, decoded, encoded, keep_pictures, kind_of

__all__ = ["harmless", "html", "notebook", "outputs", "text", "texts", "without_commands"]

MOST_TEXT = 200_000
"""How many letters all texts of a notebook together may have: to render them takes seconds for more."""
LEFT_OUT = f"*(Not shown: the texts of a notebook may have {MOST_TEXT} letters.)*"
MOST_TAGS = 10_000
MOST_ROUNDS = 5
"""How often HTML is cleaned until nothing changes: without the tags that were taken out it can have another meaning."""
LARGEST_FORMULA = 20_000

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

FORMATTING = re.compile(
    r"<(b|big|code|em|font|i|s|small|strike|strong|tt|u)(?=[\s/>])[^<>]*>?", re.IGNORECASE
)
"""Tags that HTML repeats in every paragraph until they are closed, as often as their attributes differ."""
DRAWING = re.compile(r"<svg\b(?:(?!<svg\b).)*?</svg\s*>", re.IGNORECASE | re.DOTALL)
PICTURE = re.compile(r"<img\b[^>]*>")
EMBEDDED = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/\s]+={0,2}\s*")
SIZE = re.compile(r"\d{1,4}(?:px|%)?")
VALUES = {
    "src": EMBEDDED,
    "href": re.compile(r"(?i)(?:https?://|mailto:|#).*"),
    **dict.fromkeys(("width", "height"), SIZE),
    **dict.fromkeys(("colspan", "rowspan", "border", "start"), re.compile(r"\d{1,2}")),
}
"""What the value of an attribute may be; others may have any."""
TAGS = set(nh3.ALLOWED_TAGS) - {"area", "map", "wbr"} | {"tfoot", "font"}
ATTRIBUTES = {
    "*": {"title", "style", "align", "valign", "colspan", "rowspan", "border", "start", "scope"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
}
STYLES = {"text-align", "width", "max-width"}


def harmless(tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute, or None if it may do something."""
    return value if name not in VALUES or VALUES[name].fullmatch(value) else None


CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    attribute_filter=harmless,
    url_schemes={"http", "https", "mailto", "data"},
    filter_style_properties=STYLES,
    allowed_classes={"table": {"dataframe"}},
)


def html(value: str) -> str:
    """Return HTML of which only tables, pictures in the page, and plain text with its forms are left."""
    value = plain(value)
    # To clean more takes minutes.
    if value.count("<") - value.count("</") > MOST_TAGS:
        return ""
    value = DRAWING.sub(lambda match: _element(match[0].encode()), value)
    cleaned = FORMATTING.sub(r"<\1>", value)
    for _ in range(MOST_ROUNDS):
        before, cleaned = cleaned, PICTURE.sub(_picture, CLEANER.clean(cleaned))
        if cleaned == before:
            return without_commands(cleaned) if _shows(cleaned) else ""
    return ""


def _shows(cleaned: str) -> bool:
    """Return whether there is anything to see in clean HTML, and no more than programs and readers can take."""
    tags = [end for end, name in re.findall(r"<(/?)(\w+)", cleaned) if name not in ("br", "col", "hr", "img")]
    deepest = max(itertools.accumulate(-1 if end else 1 for end in tags), default=0)
    seen = re.sub(r"<(?!img\b|hr\b)[^>]*>", "", cleaned).strip()
    return bool(seen) and deepest <= DEEPEST and len(tags) <= 2 * MOST_TAGS


def _picture(match: re.Match[str]) -> str:
    """Return a picture that was left, or its text alternative."""
    alternative = re.search(r' alt="([^"]*)"', match[0])
    return match[0] if ' src="' in match[0] else alternative[1] if alternative else ""


def _element(picture: bytes) -> str:
    """Return a picture as HTML, in which an SVG cannot do anything either; empty if it is none."""
    if b"xmlns=" not in picture[:2000] and picture.startswith(b"<svg"):
        picture = picture.replace(b"<svg", b'<svg xmlns="http://www.w3.org/2000/svg"', 1)
    kind = kind_of(picture)
    return f'<img src="data:{kind};base64,{encoded(picture)}" alt="">' if kind else ""


def texts(cells: Sequence[NotebookNode], files: Mapping[str, bytes] | None = None) -> list[str]:
    """Make text cells inert, with their pictures as attachments. Return what an instructor should know of it.

    Args:
        cells: cells of one notebook; those with code are left as they are.
        files: path beside the notebook, with ``/`` → content of each file that was handed in with it.
    """
    written = [cell for cell in cells if cell.cell_type != "code"]
    notes = keep_pictures(written, files or {})
    total, left_out = 0, 0
    for cell in written:
        cell.source = text(cell.source, cell.get("attachments", {}))
        total += len(cell.source)
        if total > MOST_TEXT:
            cell.source = LEFT_OUT
            left_out += 1
    return (
        [*notes, f"{left_out} text cells are not shown: all may have {MOST_TEXT} letters"]
        if left_out
        else notes
    )


def outputs(cell: NotebookNode) -> None:
    """Leave of a code cell's outputs what is inert. What nbgrader takes marks from stays as it is."""
    found = cell.get("outputs")
    kept = (
        [_output(output) for output in found if isinstance(output, dict)] if isinstance(found, list) else []
    )
    cell.outputs = [output for output in kept if output is not None]
    cell.execution_count = _count(cell.get("execution_count"))


def _output(output: dict) -> NotebookNode | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type=kind, name=name, text=plain(output.get("text")))
    if kind == "error":
        lines = output.get("traceback")
        lines = [plain(line) for line in lines] if isinstance(lines, list) else []
        texts = {name: plain(output.get(name)) for name in ("ename", "evalue")}
        return NotebookNode(output_type=kind, **texts, traceback=lines)
    if kind not in ("display_data", "execute_result"):
        return None
    shown = output.get("data") if isinstance(output.get("data"), dict) else {}
    data = _data(shown)
    if not data and shown:
        kinds = ", ".join(re.sub(r"[^\w.+/-]", "", str(name))[:60] for name in list(shown)[:3])
        # Where a test cell's result has no text there are no marks in it, and none may come from this.
        data = {"text/plain" if kind == "display_data" else "text/html": f"(Not shown here: {kinds})"}
    kept = NotebookNode(
        output_type=kind, data=NotebookNode(data), metadata=_sizes(output.get("metadata"), data)
    )
    if kind == "execute_result":
        kept.execution_count = _count(output.get("execution_count"))
    return kept


def _data(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown in each of the forms that are known, and nothing where a form is damaged."""
    data = {
        "text/html": html(shown.get("text/html", "")),
        "text/markdown": text(plain(shown.get("text/markdown"))),
        "text/latex": without_commands(plain(shown.get("text/latex"))[:LARGEST_FORMULA]),
        "text/plain": _marked(shown.get("text/plain")),
    }
    for kind in ("image/png", "image/jpeg", "image/gif", "image/webp", SVG):
        picture = plain(shown.get(kind)).encode() if kind == SVG else decoded(shown.get(kind))
        if kind_of(picture) != kind:
            continue
        if kind in ("image/png", "image/jpeg"):
            data[kind] = encoded(picture)
        else:
            # Not every program shows these by themselves.
            data["text/html"] = data["text/html"] or _element(picture)
    return {kind: value for kind, value in data.items() if value}


def _marked(value: Any) -> str | list[str]:
    """Return a text in which nbgrader reads the same points: to it a list is not its lines, and a number is a text."""
    if isinstance(value, list) and len(value) > 1:
        return [plain(line) for line in value]
    if isinstance(value, list):
        return [_number(line) for line in value if isinstance(line, str | int | float)]
    return _number(value) if value else ""


def _number(value: Any) -> str:
    return repr(value + 0) if isinstance(value, int | float) else plain(value)


def _sizes(metadata: Any, data: Mapping[str, Any]) -> NotebookNode:
    sizes = NotebookNode()
    for kind in data if isinstance(metadata, dict) else ():
        given = metadata.get(kind)
        if isinstance(given, dict) and kind.startswith("image/"):
            sizes[kind] = NotebookNode(
                {side: size for side in ("width", "height") if (size := _count(given.get(side)))}
            )
    return sizes


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 10**6 else None


def notebook(nb: NotebookNode) -> None:
    """Make all cells of a notebook inert, with their metadata. What is inert is left as it is."""
    nb.metadata = NotebookNode({name: NotebookNode(value) for name, value in METADATA.items()})
    for number, cell in enumerate(nb.cells):
        if cell.cell_type not in ("code", "markdown"):
            cell.cell_type = "raw"
        marks = cell.get("metadata", {}).get("nbgrader")
        cell.metadata = NotebookNode(nbgrader=marks) if isinstance(marks, dict) else NotebookNode()
        if "id" in cell and not re.fullmatch(r"[\w-]{1,64}", str(cell.id), re.ASCII):
            cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            outputs(cell)
    texts(nb.cells)
