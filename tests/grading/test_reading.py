"""Bytes that were handed in become cells, whatever program wrote them, or one sentence that says what they are."""

from __future__ import annotations

import json
import resource
import time

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fmnist_helpers.grading import reading
from fmnist_helpers.grading.reading import UnreadableError, read_cells

MARKS = {"nbgrader": {"grade_id": "x", "points": 99, "locked": False}, "tags": ["skip"], "collapsed": True}
NOTEBOOK = new_notebook(
    cells=[
        new_markdown_cell("Größe 学生 🙂", attachments={"a.png": {"image/png": "aGk="}}),
        new_code_cell(
            "x = 1\ny = 'ü'", metadata=MARKS, outputs=[nbformat.v4.new_output("stream", text="out")]
        ),
    ]
)
TEXT = nbformat.writes(NOTEBOOK)


def sources(data: bytes) -> list[str]:
    return [cell.source for cell in read_cells(data)[0]]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_every_encoding_of_unicode_is_read(encoding):
    assert sources(TEXT.encode(encoding)) == ["Größe 学生 🙂", "x = 1\ny = 'ü'"]
    assert bool(read_cells(TEXT.encode(encoding))[1]) == ("utf-8" not in encoding)


def test_text_of_old_windows_programs_is_read_and_told():
    data = TEXT.replace("学生 🙂", "").encode("cp1252")
    cells, notes = read_cells(data)
    assert cells[0].source == "Größe " and notes == ["its text is in Windows-1252, not in UTF-8"]


def test_of_a_cell_only_type_text_pictures_and_label_stay():
    cells, notes = read_cells(TEXT.encode())
    assert notes == []
    assert cells[0].attachments == {"a.png": {"image/png": "aGk="}}
    assert cells[1].metadata == {"nbgrader": {"grade_id": "x"}}
    assert cells[1].outputs == [] and cells[1].execution_count is None


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_every_version_of_the_format_is_read(version):
    notebook = nbformat.from_dict(NOTEBOOK)
    notebook.cells[0].pop("attachments")
    if version in (3, 4):
        text = json.dumps(nbformat.convert(notebook, version))
    elif version == 2:
        cells = [{"cell_type": "markdown", "source": "Größe"}, {"cell_type": "code", "input": "x = 1"}]
        text = json.dumps({"nbformat": 2, "worksheets": [{"cells": cells}]})
    else:
        text = json.dumps({"cells": [{"cell_type": "code", "code": "x = 1", "input": "x = 1"}]})
    assert any(source.startswith("x = 1") for source in sources(text.encode()))


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"\n\n ", b"\x1a", b'\n{"cells": []}', b"<!-- saved -->"])
def test_what_follows_the_notebook_does_no_harm(tail):
    assert len(sources(TEXT.encode() + tail)) == 2


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_become_those_of_python(end):
    notebook = new_notebook(cells=[new_code_cell(f"if x:{end}    y = 1{end}")])
    assert sources(nbformat.writes(notebook).encode()) == ["if x:\n    y = 1\n"]


@pytest.mark.parametrize("escape", ["\\ud83d", "\\udc00", "\\u0000"])
def test_what_no_file_can_hold_is_replaced(escape):
    data = f'{{"cells": [{{"cell_type": "code", "source": "x = 1 # {escape}"}}]}}'.encode()
    (source,) = sources(data)
    source.encode("utf-8")
    assert source.startswith("x = 1 #") and "\0" not in source


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\0\0\0", "empty"),
        (b"\xff\xd8\xff\xe0", r"a picture \(JPEG\)"),
        (b"%PDF-1.4 ...", "a PDF"),
        (b"PK\x03\x04....", "a zip archive or an office document"),
        (b"<!DOCTYPE html><html>...", "a web page"),
        (b"\n <html lang='en'>", "a web page"),
        (b"import torch\n", "not a notebook"),
        (b"[1, 2]", "not a notebook"),
        (b'{"a": 1}', "not a notebook"),
        (b"{" + b'"a":[' * 100_000, "nested without end|ends in the middle"),
        (TEXT.encode()[:200], "ends in the middle"),
        (TEXT.encode()[:-2], "ends in the middle"),
        (b"{\n<<<<<<< HEAD\n" + TEXT.encode(), "Git conflict"),
        (TEXT.encode().replace(b'"cells"', b'"cells', 1), "damaged at line"),
    ],
)
def test_what_is_no_notebook_is_named(data, words):
    with pytest.raises(UnreadableError, match=words):
        read_cells(data)


@pytest.mark.slow
def test_cost_is_known_before():
    million = 10**6
    for content in (
        {"cells": [{} for _ in range(million)]},
        {"cells": [{"cell_type": "code", "source": "x"} for _ in range(million)]},
        {"cells": [[] for _ in range(million)], "metadata": [{} for _ in range(million)]},
        {"cells": [{"source": ["x"] * million}]},
    ):
        data = json.dumps(content).encode()
        before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            assert len(read_cells(data)[0]) < 2
        except UnreadableError as error:
            assert str(error) == "it has 1000000 cells; 1000 are allowed"
        # nbformat takes 93 s of such a notebook, and 3.6 GB.
        assert time.process_time() - begin < 20
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000
    with pytest.raises(UnreadableError, match="more than five million values"):
        read_cells(b'{"cells": [' + b"[]," * reading.MOST_VALUES + b"1]}")
    with pytest.raises(UnreadableError, match="larger than 100 MB"):
        read_cells(bytes(reading.LARGEST_NOTEBOOK + 1))


def test_code_cell_without_end_is_cut_and_says_so():
    (source,) = sources(nbformat.writes(new_notebook(cells=[new_code_cell("#" * 2**21)])).encode())
    assert len(source) < 200
    with pytest.raises(ValueError, match="a cell may have"):
        exec(source)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["cell_type", "source", "input", "metadata", "attachments", "id"]), VALUES
        )
        | VALUES,
        max_size=5,
    )
)
def test_any_value_anywhere_is_read_or_refused_in_words(cells):
    try:
        found, _ = read_cells(json.dumps({"cells": cells}).encode())
    except UnreadableError:
        return
    for cell in found:
        assert cell.cell_type in ("code", "markdown", "raw")
        cell.source.encode("utf-8")
        assert set(cell) <= {
            "cell_type",
            "source",
            "metadata",
            "id",
            "outputs",
            "execution_count",
            "attachments",
        }
