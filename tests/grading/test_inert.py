"""Outputs and notebooks of which nothing runs, and from which nbgrader reads the same marks as before."""

from __future__ import annotations

import copy

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode, v4
from nbgrader.utils import determine_grade

from fmnist_helpers.grading import inert
from fmnist_helpers.grading.inert import LEFT_OUT, MOST_TEXT
from tests.grading.smuggled import (
    FIGURE,
    FRAME,
    SHOWN,
    armed,
    dangers,
    encoded,
    honest_notebook,
    hostile_notebook,
    picture,
    showing,
)

PNG = encoded(picture("red"))


def shown(data: dict, metadata: dict | None = None) -> NotebookNode:
    """Return the one output that is left of a cell which shows this."""
    cell = showing(data)
    cell.outputs[0].metadata = metadata or {}
    inert.outputs(cell)
    nbformat.validate(v4.new_notebook(cells=[cell]))
    return cell.outputs[0]


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_smuggled_in_is_not_shown(name):
    data = shown(armed(SHOWN[name], name, "http://127.0.0.1:9")).data
    assert set(data) <= {"text/html", "text/plain", "text/latex", "text/markdown", "image/png", "image/jpeg"}
    assert dangers(data.get("text/html", "")) == []
    # Something is said in its place.
    assert data


def test_stock_nbconvert_shows_nothing_that_runs():
    nb = hostile_notebook("http://127.0.0.1:9")
    inert.notebook(nb)
    page = HTMLExporter(template_name="basic").from_notebook_node(nb)[0]
    assert [one for one in dangers(page) if not one.startswith(("div", "button", "main"))] == []


def test_tables_and_pictures_stay():
    data = shown({"text/html": FRAME, "text/plain": "x"}).data
    assert "<td>0.125</td>" in data["text/html"] and 'class="dataframe"' in data["text/html"]
    assert "text-align" in data["text/html"] and "vertical-align" not in data["text/html"]
    figure = f'<img alt="a &lt; b" style="width: 640px; max-width: 100%" src="data:image/png;base64,{PNG}">'
    data = shown({"text/html": figure}).data["text/html"]
    assert PNG in data and "640px" in data and 'alt="a &lt; b"' in data


@pytest.mark.parametrize("data", [{"image/svg+xml": FIGURE}, {"text/html": f"<div>{FIGURE}</div>"}])
def test_a_drawing_becomes_a_picture(data):
    seen = shown(data).data["text/html"]
    assert "<svg" not in seen and 'src="data:image/svg+xml;base64,' in seen


def test_a_drawing_in_html_needs_no_namespace():
    seen = shown({"text/html": "<svg width=9><rect/></svg>".replace("=9", '="9"')}).data["text/html"]
    assert "data:image/svg+xml" in seen


def test_pictures_are_what_they_say_or_nothing():
    assert shown({"image/png": PNG[:20] + "\n" + PNG[20:]}).data == {"image/png": PNG}
    assert "image/png" not in shown({"image/png": encoded(picture("red", "jpeg"))}).data
    assert "data:image/gif;base64," in shown({"image/gif": encoded(picture("red", "gif"))}).data["text/html"]


def test_of_metadata_only_sizes_stay():
    metadata = {
        "image/png": {"width": 30, "height": True, "alt": "x", "unconfined": 1},
        "filenames": {},
        "tags": [],
    }
    assert shown({"image/png": PNG}, metadata).metadata == {"image/png": {"width": 30}}


def test_what_is_left_out_is_named():
    data = shown({"application/vnd.plotly.v1+json": {"data": []}, "text/html": "<script>1</script>"}).data
    assert data == {"text/plain": "(Not shown here: application/vnd.plotly.v1+json, text/html)"}
    assert shown({"application/json": {}, "text/plain": "{}"}).data == {"text/plain": "{}"}


def test_html_that_grows_is_left_out():
    """HTML repeats open tags in each paragraph: a hundred kilobytes become gigabytes."""
    source = "<p>" + "".join(f"<b a={number}>" for number in range(150)) + "<p>x" * 1000
    assert len(shown({"text/html": source}).data["text/html"]) < 10 * len(source)
    tags = "<p><b><i><u><s><em><strong><small><tt><big><code><font>" * 3
    for source in (tags + "<p>x" * 9_000, "<div>x" * 20_000, "<div>x" * 300):
        assert shown({"text/html": source}).data == {"text/plain": "(Not shown here: text/html)"}


PARTS = """<b> </b> <p> <table> <td_colspan=2> </table> <a_href=https://a.b> <svg> </svg> <img_alt="<b>"_src=x>
<style> x
</style> <math> <mtext> <!-- --> \\href &lt; &#92;href " <b_a="<"> <select> <template>
<plaintext>"""
HTML = st.lists(st.sampled_from(PARTS.split()), max_size=12).map(
    lambda parts: "".join(parts).replace("_", " ")
)


@settings(max_examples=300, deadline=None)
@given(HTML)
def test_whatever_html_is_put_together_is_inert(source):
    cleaned = inert.html(source)
    assert dangers(cleaned) == [] and "\\href" not in cleaned
    assert inert.html(cleaned) == cleaned


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=True)
    | st.sampled_from(["", "0", "2.5", "7", "-1", "nan", "x", "\ud800", "stderr", "stdout", "<b>", "inf"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text/plain", "text/html", "image/png", "image/svg+xml", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
OUTPUT = st.fixed_dictionaries(
    {"output_type": st.sampled_from(["stream", "error", "display_data", "execute_result"])},
    optional={
        name: JSON
        for name in ("name", "text", "data", "metadata", "ename", "evalue", "traceback", "execution_count")
    },
)


def marks(cell: NotebookNode) -> object:
    """Return the points that nbgrader gives, or the kind of error that it ends with."""
    try:
        return determine_grade(cell)
    except Exception as error:
        return type(error)


@settings(max_examples=400, deadline=None)
@given(st.lists(OUTPUT, max_size=3))
def test_marks_are_read_as_before(outputs):
    cell = v4.new_code_cell("check()", metadata={"nbgrader": {"grade": True, "solution": False, "points": 5}})
    cell.outputs = [NotebookNode({"name": "stdout", "data": {}, **output}) for output in outputs]
    before = marks(copy.deepcopy(cell))
    inert.outputs(cell)
    after = marks(cell)
    # A result without any text that counts makes nbgrader fail in one way or another.
    assert after == before or {type(after), type(before)} == {type}


@settings(max_examples=300, deadline=None)
@given(JSON, JSON, st.lists(JSON, max_size=3))
def test_no_value_is_too_odd(outputs, count, more):
    cell = v4.new_code_cell("x")
    cell.update(outputs=outputs, execution_count=count)
    inert.outputs(cell)
    cell.outputs = more
    inert.outputs(cell)
    nbformat.validate(v4.new_notebook(cells=[cell]))


def test_a_notebook_is_made_inert_once():
    for nb in (hostile_notebook("http://127.0.0.1:9"), honest_notebook()):
        inert.notebook(nb)
        nbformat.validate(nb)
        before = copy.deepcopy(nb)
        inert.notebook(nb)
        assert nb == before


def test_metadata_that_grading_needs_stays():
    given = {"nbgrader": {"grade": True, "grade_id": "a", "points": 2}, "tags": ["x"], "alt": "y"}
    nb = v4.new_notebook(
        cells=[v4.new_markdown_cell("x", metadata=given)], metadata={"title": "x", "widgets": {}}
    )
    nb.cells[0].cell_type = "unheard of"
    inert.notebook(nb)
    assert nb.cells[0].metadata == {"nbgrader": given["nbgrader"]} and nb.cells[0].cell_type == "raw"
    assert set(nb.metadata) == {"kernelspec", "language_info"}


def test_all_texts_together_are_bounded():
    cells = [v4.new_markdown_cell("x" * 15_000) for _ in range(20)]
    notes = inert.texts(cells)
    assert sum(len(cell.source) for cell in cells) < MOST_TEXT + 20 * len(LEFT_OUT)
    left_out = sum(cell.source == LEFT_OUT for cell in cells)
    assert left_out == 20 - MOST_TEXT // 15_000
    assert notes == [f"{left_out} text cells are not shown: all may have {MOST_TEXT} letters"]
    assert inert.texts(cells) == []
