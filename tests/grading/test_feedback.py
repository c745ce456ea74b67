"""Hidden tests do not come back, neither in cells nor in outputs."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import nbformat

from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.feedback import REPLACED, HideTests, facts_of, split_hidden, write_feedback
from fmnist_helpers.grading.marks import Marks, read_marks

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


SETTINGS = """
c.CourseDirectory.course_id = "fmnist"
c.Exchange.root = {!r}
"""


def as_graded(classroom: Classroom, student: str, **beside: str) -> None:
    """Put a graded notebook into a class, and what its submission brought with it."""
    folder = classroom.folder / "autograded" / student / "ex"
    folder.mkdir(parents=True)
    cells = [nbformat.v4.new_markdown_cell(f"By {student}.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "ex.ipynb")
    for name, text in beside.items():
        (folder / f"{name}.txt").write_text(text)
    with classroom.gradebook() as gradebook:
        gradebook.update_or_create_assignment("ex")
        gradebook.update_or_create_notebook("ex", "ex")
        gradebook.update_or_create_student(student)
        gradebook.add_submission("ex", student)
    write_feedback(classroom, student, "ex", [], read_marks(classroom, student, "ex"))


def test_feedback_goes_back_through_the_exchange_also_beside_what_came_by_mail(tmp_path):
    exchange, secret = tmp_path / "exchange", "0f" * 64
    classroom = Classroom(tmp_path / "class", tmp_path / "class" / "submitted", tmp_path / "source")
    classroom.prepare()
    (classroom.folder / "own_settings.py").write_text(SETTINGS.format(str(exchange)))
    as_graded(classroom, "ada")
    as_graded(classroom, "ben", timestamp="2026-03-02 12:00:00 UTC", submission_secret=secret)
    as_graded(classroom, "cleo", timestamp="2026-03-02 12:00:00 UTC")
    # As instructor's release of the assignment makes it.
    (exchange / "fmnist").mkdir(parents=True)
    exchange.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "release_feedback", "ex"],
        cwd=classroom.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pages = {path.name: path.read_text() for path in Path(exchange, "fmnist", "feedback").iterdir()}
    # nbgrader's own rule: whoever has the secret finds the page.
    assert "By ben." in pages[hashlib.md5(f"{secret}ex".encode()).hexdigest() + ".html"]
    assert len(pages) == 3


def test_page_begins_with_whose_work_it_is_and_what_came_of_it():
    marks = Marks(17.0, 24.0, {}, (), 5400.0, 2.5, (), "Ada Lovelace", datetime(2027, 3, 2, 13, 30))
    assert facts_of("ada", marks) == [
        ["Student", "Ada Lovelace (ada)"],
        ["Handed in", "2027-03-02 13:30 UTC, 1.5 hours late"],
        ["Points", "17 of 24"],
        ["Taken off for late work", "2.5"],
        ["Final mark", "14.5"],
    ]
    on_time = Marks(17.0, 24.0, {}, (), 0.0, 0.0, ())
    assert facts_of("ada", on_time) == [["Student", "ada"], ["Points", "17 of 24"], ["Final mark", "17"]]
