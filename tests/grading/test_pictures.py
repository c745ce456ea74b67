"""Pictures of text cells are kept whatever way they stand there, and others are named."""

from __future__ import annotations

import base64
import io

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbformat.v4 import new_markdown_cell
from PIL import Image

from fmnist_helpers.grading import pictures
from fmnist_helpers.grading.pictures import decoded, keep_pictures, kind_of
from tests.grading.smuggled import encoded, picture

RED = picture("red")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
FILES = {
    "plot.png": RED,
    "images/Größe 1.PNG": RED,
    "images/a/plot2.png": RED,
    "b/c.svg": SVG,
    "notes.txt": b"text",
}


def kept(
    source: str, attachments: dict | None = None, files: dict | None = None
) -> tuple[str, list[bytes], list[str]]:
    """Return the text, the pictures attached to it in order, and what is said of others."""
    cell = new_markdown_cell(source)
    if attachments is not None:
        cell.attachments = attachments
    notes = keep_pictures([cell], FILES if files is None else files)
    bundles = [
        bundle
        for name, bundle in cell.get("attachments", {}).items()
        if f"(attachment:{name})" in cell.source
    ]
    return cell.source, [decoded(value) for bundle in bundles for value in bundle.values()], notes


@pytest.mark.parametrize(
    "source",
    [
        "![](plot.png)",
        "a ![a plot](plot.png 'title') b",
        "![x](./plot.png)",
        "![x](<images/Größe 1.PNG>)",
        "![x](images/Gro\u0308%C3%9Fe%201.png)",
        "![x](images\\a\\plot2.png)",
        "![x](/home/ada/Desktop/plot.png)",
        "![x](C:\\Users\\ada\\plot.png)",
        "![x](folder/plot.png?raw=true)",
        "![x][p]\n\n[p]: plot.png",
        "![P][]\n\n> [p]: <plot.png> 'title'",
        '<img src="plot.png">',
        "<IMG width=300 alt='a > b' SRC='plot.png' />".replace(" > ", " "),
        "<img\n  src = plot.png\n>",
        "| a | b |\n|---|---|\n| <img src='plot.png' width=200> | x |",
        f"![x](data:image/png;base64,{encoded(RED)})",
        f"<img src='data:image/jpeg;base64,{encoded(RED)}'>",
        "![x](attachment:my%20plot.png)",
        "<img src='attachment:my plot.png'>",
    ],
)
def test_a_picture_is_attached(source):
    text, found, notes = kept(
        source, {"my plot.png": {"image/png": encoded(RED)}, "unused.png": {"image/png": "x"}}
    )
    assert found == [RED] and notes == []
    assert "<img" not in text.lower() and "base64" not in text and "(plot.png" not in text
    # What stands around it stays.
    assert text.startswith("a ") == source.startswith("a ") and text.count("|") == source.count("|")


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_formats_are_told_by_their_bytes(kind):
    assert kind_of(picture("blue", kind)) == f"image/{kind}"
    _, found, _ = kept("![](x.bin)", files={"x.bin": picture("blue", kind)})
    assert found == [picture("blue", kind)]


def test_a_drawing_is_a_picture_unless_it_grows_without_end():
    assert kind_of(SVG) == "image/svg+xml"
    assert kept("![](b/c.svg)")[1] == [SVG]
    marker = b'<defs><path id="m"/></defs><g id="a"><use href="#m"/><use href="#m"/></g>'
    assert kind_of(SVG.replace(b"<rect", marker + b"<rect")) == "image/svg+xml"
    for again in (b'<use href="#a"/>', b'<rect fill="url(#a)"/>', b"<style>rect { fill: url('#a') }</style>"):
        assert kind_of(SVG.replace(b"<rect", marker + again + b"<rect")) == ""
    assert kind_of(b"<svg") == kind_of(b"<html></html>") == ""


def test_a_picture_of_too_many_pixels_is_none():
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "png")
    assert len(file.getvalue()) < 100_000
    assert kind_of(file.getvalue()) == ""


def test_pictures_of_a_table_in_html_are_read_as_markdown():
    text, found, _ = kept("<table>\n  <tr>\n    <td><img src='plot.png'></td>\n  </tr>\n</table>")
    assert found == [RED]
    line = next(line for line in text.split("\n") if "attachment:" in line)
    assert f"\n\n{line}\n\n</td>" in text and line.startswith("![")


def test_a_picture_of_the_web_stays_there():
    assert kept("![x](https://a.b/plot.png)<img src='https://a.b/plot.png' alt='y'>") == (
        "![x](https://a.b/plot.png)![y](https://a.b/plot.png)",
        [],
        [],
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("![](gone.png)", "'gone.png' of a text cell is not shown: it was not handed in"),
        ("<img src='gone.png'>", "'gone.png' of a text cell is not shown: it was not handed in"),
        (
            "![](attachment:gone.png)",
            "'attachment:gone.png' of a text cell is not shown: it was not handed in",
        ),
        ("![](notes.txt)", "'notes.txt' of a text cell is not shown: it is no PNG"),
        ("![](data:image/png;base64,AAAA)", "it is no PNG"),
        ("![](data:image/png;base64,%%)", "it is no PNG"),
        ("![](../../../etc/passwd)", "it was not handed in"),
    ],
)
def test_what_is_not_shown_is_named(source, why):
    text, found, notes = kept(source)
    assert text == source and found == [] and len(notes) == 1 and why in notes[0]


@pytest.mark.parametrize(
    "attachments",
    [5, [], {"x.png": None}, {"x.png": []}, {"x.png": {"image/png": {"a": 1}}}, {"x.png": {"text/html": "<script>"}},
     {"x.png": {"image/png": '" onerror="alert(1)'}}, {"x.png": {"image/svg+xml": "<script/>"}}],
)  # fmt: skip
def test_damaged_attachments_are_left_out(attachments):
    text, found, notes = kept("![x](attachment:x.png)", attachments)
    assert found == [] and len(notes) == 1 and text == "![x](attachment:x.png)"


def test_lines_of_base64_are_joined():
    lines = base64.encodebytes(RED).decode().splitlines(keepends=True)
    assert kept("![x](attachment:x.png)", {"x.png": {"image/png": lines}})[1] == [RED]


def test_there_is_room_for_so_much(monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST_PICTURES", 2 * len(RED) + 10)
    cells = [new_markdown_cell("![](plot.png) ![](plot.png)") for _ in range(3)]
    assert ["all together" in note for note in keep_pictures(cells, FILES)] == [True]
    assert ["attachments" in cell for cell in cells] == [True, True, False]
    monkeypatch.setattr(pictures, "LARGEST_PICTURE", len(RED) - 1)
    assert "it is no PNG" in kept("![](plot.png)")[2][0]
    monkeypatch.undo()
    monkeypatch.setattr(pictures, "MOST_PICTURES", 2)
    assert kept("![](plot.png)" * 3)[0].count("attachment:") == 2


def test_a_second_time_changes_nothing():
    cell = new_markdown_cell("![a [b] | c](plot.png) <img src='images/a/plot2.png'> <td><img src=b/c.svg>")
    keep_pictures([cell], FILES)
    before = cell.copy()
    assert keep_pictures([cell], {}) == [] and cell == before
    assert set(cell.attachments) == {name for name in cell.attachments if name in cell.source}


def test_two_files_of_one_name_are_not_guessed():
    files = {"a/plot.png": RED, "b/plot.png": RED}
    assert kept("![](plot.png)", files=files)[1] == []
    assert kept("![](b/plot.png)", files=files)[1] == [RED]
