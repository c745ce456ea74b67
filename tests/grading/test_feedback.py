"""Hidden tests do not come back, neither in cells nor in outputs."""

from __future__ import annotations

import copy

import nbformat

from fmnist_helpers.grading.feedback import REPLACED, HideTests, split_hidden

TESTED = """from x import check

check(f)
### BEGIN HIDDEN TESTS
check(f, seed=12345)
)
### END HIDDEN TESTS"""


def test_hidden_lines_are_taken_out_and_named():
    kept, hidden = split_hidden(TESTED)
    assert kept == f"from x import check\n\ncheck(f)\n{REPLACED}"
    assert hidden == ["check(f, seed=12345)"]


def test_hidden_lines_do_not_come_back_through_outputs():
    new = nbformat.v4
    marks = {"nbgrader": {"grade": True, "solution": False, "grade_id": "t", "points": 1}}
    traceback = ["\x1b[31mValueError\x1b[39m", "----> 1 check(f, \x1b[32mseed\x1b[39m=12345)"]
    outputs = [
        new.new_output("stream", text="seen: check(f, seed=12345)\n"),
        new.new_output(
            "display_data", data={"text/html": "<b>check(f, seed=12345)</b>", "image/png": "aGk="}
        ),
        new.new_output("error", ename="ValueError", evalue="check(f, seed=12345)", traceback=traceback),
    ]
    cells = [
        new.new_code_cell("print(In[-1])", outputs=copy.deepcopy(outputs)),
        new.new_code_cell(TESTED, outputs=copy.deepcopy(outputs), metadata=marks),
    ]
    notebook, _ = HideTests().preprocess(new.new_notebook(cells=cells), {})
    assert "12345" not in nbformat.writes(notebook)
    assert notebook.cells[1].outputs[2].traceback == ["ValueError: (hidden test)"]


def test_remarks_reach_the_page():
    _, resources = HideTests(remarks=["`a` waits."]).preprocess(nbformat.v4.new_notebook(), {})
    assert resources["nbgrader"]["remarks"] == ["`a` waits."]
