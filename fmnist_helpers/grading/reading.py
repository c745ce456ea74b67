"""Reads the bytes of a notebook that was handed in, whatever program wrote them, at a cost that is known before.

Of each cell only its type, text, pictures and grade id are kept. nbformat is not asked: it takes a thousand times the
memory of a hostile file, and is strict where students' tools are not.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from nbformat import NotebookNode

from fmnist_helpers.grading.handed_in import LARGEST_NOTEBOOK, shown

MOST_VALUES = 5_000_000
"""How many lists, objects and commas the text may hold: Python's parser takes up to 100 bytes for each."""
MOST_CELLS = 1_000
LARGEST_CELL = 200_000
LARGEST_TEXT = 3_000_000
"""How many letters a cell, and all cells together, may have."""
SIGNATURES = {
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"\x89PNG": "a picture (PNG)",
    b"GIF8": "a picture (GIF)",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive or an office document",
    b"\x1f\x8b": "a gzip archive",
    b"{\\rtf": "a text document (RTF)",
    b"\xd0\xcf\x11\xe0": "an office document",
    b"SQLite format 3": "a data base",
}
CONFLICT = re.compile(r"^<{7} ", flags=re.MULTILINE)


class UnreadableError(ValueError):
    """What was handed in is no notebook; the message says what it is instead."""


def read_cells(data: bytes) -> tuple[list[NotebookNode], list[str]]:
    """Return the cells of a notebook, and notes on what was put right.

    Empty cells are left out, unless they carry a grade id.

    Raises:
        UnreadableError: if it is no notebook, or too costly to read.
    """
    text, notes = decode(data)
    content = _parse(text)
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise UnreadableError("it is not a notebook")
    found = [cell for cell in _cells_of(content) if isinstance(cell, dict) and _holds_something(cell)]
    if len(found) > MOST_CELLS:
        raise UnreadableError(f"it has {len(found)} cells; {MOST_CELLS} are allowed")
    cells = [plain_cell(cell) for cell in found]
    if sum(len(cell.source) for cell in cells if cell.cell_type == "code") > LARGEST_TEXT:
        raise UnreadableError(f"its cells hold more than {LARGEST_TEXT // 10**6} million letters")
    return cells, notes


def decode(data: bytes) -> tuple[str, list[str]]:
    """Return the text of a file in the encoding that it seems to have, and a note if that is not UTF-8.

    Raises:
        UnreadableError: if it is no text.
    """
    if len(data) > LARGEST_NOTEBOOK:
        raise UnreadableError(f"it is larger than {LARGEST_NOTEBOOK // 2**20} MB")
    if not data.strip(b" \t\r\n\0"):
        raise UnreadableError("the file is empty")
    for signature, what in SIGNATURES.items():
        if data.startswith(signature):
            raise UnreadableError(f"it is {what}, not a notebook")
    encoding = _encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        # Notebooks are ASCII but for what a person typed, so the rest is sure.
        encoding, text = "Windows-1252", data.decode("cp1252", "replace")
    return text, [] if encoding.startswith("utf-8") else [f"its text is in {encoding}, not in UTF-8"]


def _encoding_of(data: bytes) -> str:
    marks = {
        codecs.BOM_UTF8: "utf-8-sig",
        # The mark of UTF-32 begins as that of UTF-16 does.
        codecs.BOM_UTF32_LE: "utf-32",
        codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16",
        codecs.BOM_UTF16_BE: "utf-16",
    }
    for mark, encoding in marks.items():
        if data.startswith(mark):
            return encoding
    # JSON begins with a letter of ASCII: where its other bytes are zero tells the width.
    zeros = tuple(byte == 0 for byte in data[:4])
    widths = {
        (True, True, True, False): "utf-32-be",
        (False, True, True, True): "utf-32-le",
        (True, False, True, False): "utf-16-be",
        (False, True, False, True): "utf-16-le",
    }
    return widths.get(zeros, "utf-8")


def _parse(text: str) -> Any:
    if sum(map(text.count, "{[,")) > MOST_VALUES:
        raise UnreadableError("it holds more than five million values; clear its outputs, and save it again")
    start = text.lstrip("\ufeff \t\r\n")
    try:
        # What follows the notebook, such as zeros of a file that was written in blocks, is not looked at.
        return json.JSONDecoder(strict=False).raw_decode(start)[0]
    except RecursionError:
        raise UnreadableError("it is nested without end") from None
    except ValueError as error:
        raise UnreadableError(_why_no_json(start, getattr(error, "pos", 0))) from None


def _why_no_json(text: str, place: int) -> str:
    if re.match(r"(?i)<(!doctype|html|\?xml|head|body)", text):
        return "it is a web page, not a notebook: the page that shows the notebook was saved in its place"
    if CONFLICT.search(text):
        return "it holds the marks of a Git conflict (<<<<<<<), which only its author can resolve"
    if not text.startswith("{"):
        return "it is not a notebook"
    if not text.rstrip("\0 \t\r\n").endswith("}"):
        return "the file ends in the middle: it was cut when it was saved or sent"
    return f"it is damaged at line {text.count(chr(10), 0, place) + 1}"


def _cells_of(content: dict) -> list:
    """Return the cells of a notebook of any version; before version 4 they stood in worksheets."""
    sheets = [content, *_list(content.get("worksheets"))]
    return [cell for sheet in sheets if isinstance(sheet, dict) for cell in _list(sheet.get("cells"))]


def _holds_something(cell: dict) -> bool:
    """Return whether a cell has any text, pictures or a grade id."""
    text = cell.get("source", cell.get("input", ""))
    parts = text if isinstance(text, list) else [text]
    return bool(_grade_id(cell) or cell.get("attachments") or any(str(part).strip() for part in parts))


def _grade_id(cell: dict) -> str:
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name[:200] if isinstance(name, str) else ""


def _list(value: Any) -> list:
    return value if isinstance(value, list) else []


def plain_cell(cell: dict) -> NotebookNode:
    """Return a cell with its type, text, pictures and grade id alone: no outputs, no other metadata."""
    kind = cell.get("cell_type")
    if kind == "heading":
        kind = "markdown"
    # Version 3 kept the text of a code cell under another name.
    text = cell.get("source", cell.get("input", ""))
    plain = new_cell(kind if kind in ("code", "markdown") else "raw", _clean(_joined(text)))
    if name := _grade_id(cell):
        plain.metadata = NotebookNode(nbgrader=NotebookNode(grade_id=name))
    if kind != "code" and isinstance(cell.get("attachments"), dict):
        plain.attachments = cell["attachments"]
    if kind == "code" and len(plain.source) > LARGEST_CELL:
        plain.source = (
            f"# This cell had {len(plain.source)} letters and was cut.\n"
            f"raise ValueError('a cell may have {LARGEST_CELL} letters')"
        )
    return plain


def new_cell(cell_type: str, source: str) -> NotebookNode:
    """Return a cell without metadata. nbformat's own way validates each, which takes a millisecond."""
    cell = NotebookNode(cell_type=cell_type, source=source, metadata=NotebookNode(), id="")
    if cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def _joined(text: Any) -> str:
    return "".join(part for part in text if isinstance(part, str)) if isinstance(text, list) else str(text)


def _clean(text: str) -> str:
    """Return text with line ends as Python has them, without what no file can hold."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return text.encode("utf-8", "replace").decode()


def about(name: str, data: bytes) -> str:
    """Return what a file is that was handed in where a notebook was expected."""
    for signature, what in SIGNATURES.items():
        if data.startswith(signature):
            return f"{shown(name)} ({what})"
    kinds = {".py": "a program", ".html": "a web page", ".txt": "a text", ".md": "a text"}
    known = next((what for ending, what in kinds.items() if name.lower().endswith(ending)), "")
    return f"{shown(name)} ({known})" if known else shown(name)
