"""The kernel of a submission: what it prints comes in pieces, and it answers requests for observations."""

from __future__ import annotations

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from ipykernel.iostream import OutStream

from fmnist_helpers.grading import execute
from fmnist_helpers.grading.inside import write_package
from fmnist_helpers.grading.kernel import SteadyStream
from fmnist_helpers.grading.sandbox import Limits
from tests.grading.conftest import PROBLEM


def test_much_output_is_sent_piece_by_piece(monkeypatch):
    written, sent = [], []
    monkeypatch.setattr(OutStream, "write", lambda self, string: written.append(string))
    monkeypatch.setattr(OutStream, "flush", lambda self: sent.append(len(written)))
    stream = SteadyStream.__new__(SteadyStream)
    for _ in range(10):
        stream.write("x" * 400_000)
    assert sent == [3, 6, 9]


def test_cell_that_prints_without_end_is_interrupted_soon_and_the_next_one_runs(tmp_path):
    from nbformat.v4 import new_code_cell, new_notebook

    write_package(tmp_path / "package")
    (tmp_path / "staged").mkdir()
    sources = ["while True: print('x' * 9999)", "print('after')"]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    folders = tmp_path / "staged", tmp_path / "package"
    report = execute.execute(notebook, *folders, Limits(cell_seconds=60), {}, 0, sandboxed=not PROBLEM)
    assert report.stopped == "a cell printed without end and was interrupted"
    assert notebook.cells[0].outputs[-1].ename == "KeyboardInterrupt"
    assert len(str(notebook.cells[0].outputs)) < 2 * execute.OUTPUT_BYTES
    assert notebook.cells[1].outputs[0].text == "after\n"
