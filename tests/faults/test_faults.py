"""The fault suite itself: it fails where a fault no longer fits and counts only what fails as foretold.

The suite is run by ``python -m tests.faults.run``; here its parts are tried on a course of one function.
"""

from __future__ import annotations

import ast
import multiprocessing
import re
import shutil
from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.faults import fault as fault_module
from tests.faults import run as runner
from tests.faults import watch
from tests.faults.fault import Catch, Fault, FaultError, changed, planted, read_fault, read_faults
from tests.faults.run import Failure, Run
from tests.tools.course import COURSE

FAULTS = read_faults()
DOUBLE = "def double(number):\n    return 2 * number\n"
FAULT = Fault(
    name="triples",
    title="double gives three times its argument",
    file="fmnist_helpers/__init__.py",
    find="2 * number",
    replace="3 * number",
    tests=("tests/test_double.py",),
    caught_by=(Catch("::test_double", "assert 9 == 6"),),
)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one function with three tests."""
    # It needs no PyTorch. A server without it would also serve, slowly, every later test of this process.
    monkeypatch.setattr(runner, "process_context", lambda: multiprocessing.get_context("spawn"))
    for folder in ("fmnist_helpers", "tests/faults"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "fmnist_helpers/__init__.py").write_text(DOUBLE)
    (tmp_path / "tests/__init__.py").touch()
    (tmp_path / "tests/faults/__init__.py").touch()
    shutil.copy(watch.__file__, tmp_path / "tests/faults/watch.py")
    (tmp_path / "tests/test_double.py").write_text(
        "from fmnist_helpers import double\n\n"
        "def test_zero():\n    assert double(0) == 0\n\n"
        "def test_double():\n    assert double(3) == 6\n\n"
        "def test_after():\n    assert double(5) == 10\n"
    )
    return tmp_path


def lesson(*sources: str) -> str:
    cells = [new_markdown_cell("# Lesson")]
    for number, source in enumerate(sources, start=1):
        output = new_output("stream", text="1\n")
        cells.append(new_code_cell(source, execution_count=number, outputs=[output]))
    return nbformat.writes(new_notebook(cells=cells))


# --- the faults in the folder ------------------------------------------------------------------------------


def test_there_are_enough_and_lessons_alone_catch_some():
    assert len(FAULTS) >= 20
    by_lesson = [fault for fault in FAULTS if any("Cell" in catch.test for catch in fault.caught_by)]
    assert len(by_lesson) >= 4


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_still_fits_and_is_sound(fault):
    text = (COURSE / fault.file).read_text(encoding="utf-8")
    faulty = changed(fault, text)
    assert faulty != text
    if fault.file.endswith(".py"):
        # Such an error would turn every test red, and no test in particular.
        ast.parse(faulty)
    for test in fault.tests:
        file, _, name = test.partition("::")
        assert (COURSE / file).is_file()
        assert not name or f"def {name.partition('[')[0]}(" in (COURSE / file).read_text(encoding="utf-8")


def test_every_fault_in_the_package_is_caught_by_a_unit_test():
    for fault in FAULTS:
        if fault.file.startswith("fmnist_helpers"):
            assert any("Cell" not in catch.test for catch in fault.caught_by), fault.name


# --- reading -----------------------------------------------------------------------------------------------

GOOD = (
    'title = "a"\nfile = "b.py"\nfind = "c"\nreplace = "d"\ntests = ["e"]\n'
    '[[caught_by]]\ntest = "f"\nreason = "g"\n'
)


def test_a_description_is_read(tmp_path):
    (tmp_path / "some_fault.toml").write_text(GOOD)
    expected = Fault("some_fault", "a", "b.py", ("e",), (Catch("f", "g"),), "c", "d")
    assert read_faults(folder=tmp_path) == [expected]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title = "a"', ""),
        ('title = "a"', 'title = ""'),
        ('find = "c"', 'find = ""'),
        ('find = "c"', 'find = "d"'),
        ('find = "c"', 'find = "c'),
        ('find = "c"', 'find = "c"\noperation = "shred"'),
        ('find = "c"', 'find = "c"\nfound = "c"'),
        ('tests = ["e"]', "tests = []"),
        ('reason = "g"', ""),
        ('reason = "g"', 'reason = ""'),
        ('reason = "g"', 'reason = "("'),
        ('[[caught_by]]\ntest = "f"\nreason = "g"\n', ""),
        ('[[caught_by]]\ntest = "f"\nreason = "g"\n', "caught_by = []"),
    ],
)
def test_a_description_that_says_nothing_clear_is_an_error(tmp_path, old, new):
    path = tmp_path / "some_fault.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(FaultError, match="some_fault"):
        read_fault(path)


def test_unknown_name_is_an_error():
    with pytest.raises(FaultError, match="there is no fault 'no_such_fault'; there are "):
        read_faults(["no_such_fault"])


# --- planting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "count"), [("def double(): ...\n", 0), (DOUBLE + DOUBLE, 2)])
def test_text_that_does_not_stand_there_once_is_an_error_and_changes_nothing(course, text, count):
    path = course / FAULT.file
    path.write_text(text)
    with pytest.raises(FaultError, match=f"stands {count} times in fmnist_helpers"), planted(FAULT, course):
        pytest.fail("the fault was planted")
    assert path.read_text() == text


def test_missing_file_is_an_error(course):
    with (
        pytest.raises(FaultError, match="there is no file gone"),
        planted(replace(FAULT, file="gone.py"), course),
    ):
        pytest.fail("the fault was planted")


def test_a_fault_is_planted_and_taken_out_even_after_an_error(course):
    path = course / FAULT.file
    with pytest.raises(KeyboardInterrupt), planted(FAULT, course):
        assert "3 * number" in path.read_text()
        raise KeyboardInterrupt
    assert path.read_text() == DOUBLE


def test_in_a_lesson_the_source_of_one_cell_is_changed():
    fault = replace(FAULT, file="a.ipynb", find="1 + 1", replace="1 + 2")
    notebook = nbformat.reads(changed(fault, lesson("x = 1", "print(1 + 1)")), as_version=4)
    assert [cell.source for cell in notebook.cells] == ["# Lesson", "x = 1", "print(1 + 2)"]
    with pytest.raises(FaultError, match="stands 2 times"):
        changed(fault, lesson("1 + 1", "print(1 + 1)"))
    with pytest.raises(FaultError, match="stands 0 times"):
        changed(fault, lesson("2"))


@pytest.mark.parametrize(
    ("operation", "outputs", "counts"),
    [
        (fault_module.STRIP_EVERY_OUTPUT, [0, 0], [None, None]),
        (fault_module.STRIP_ONE_OUTPUT, [1, 0], [1, 2]),
    ],
)
def test_outputs_are_stripped(operation, outputs, counts):
    fault = replace(FAULT, file="a.ipynb", find="print(2)", operation=operation)
    notebook = nbformat.reads(changed(fault, lesson("print(1)", "print(2)")), as_version=4)
    cells = notebook.cells[1:]
    assert [len(cell.outputs) for cell in cells] == outputs
    assert [cell.execution_count for cell in cells] == counts


# --- the verdict -------------------------------------------------------------------------------------------

FORETOLD = Failure("tests/test_double.py::test_double[a]", "call", "assert 9 == 6")


def test_the_foretold_failure_counts():
    row = runner.judge(FAULT, Run(1, (replace(FORETOLD, test="tests/test_a.py::b"), FORETOLD), seconds=2.0))
    assert row.caught
    assert str(row) == f"{'triples':30s}   2.0  test_double.py::test_double"


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (Run(0), "green"),
        (Run(4, (), "ImportError while loading conftest"), "code 4: ImportError while loading"),
        (Run(-1, (), "not done after 600 s"), "not done after 600 s"),
        (Run(1, (replace(FORETOLD, message="NameError"),)), "another reason.*NameError"),
        (Run(1, (replace(FORETOLD, test="tests/test_double.py::test_zero"),)), "another reason.*test_zero"),
        (Run(1, (replace(FORETOLD, when="setup"),)), r"another reason.*\(setup\)"),
        (Run(2, (replace(FORETOLD, when="collect"),)), r"another reason.*\(collect\)"),
    ],
)
def test_anything_else_does_not_count(run, words):
    row = runner.judge(FAULT, run)
    assert not row.caught
    assert row.words[0].startswith("NOT CAUGHT by ::test_double: ")
    assert re.search(words, row.words[0])


def test_every_named_failure_must_be_seen():
    fault = replace(FAULT, caught_by=(*FAULT.caught_by, Catch("Cell", "3")))
    assert not runner.judge(fault, Run(1, (FORETOLD,))).caught
    cell = Failure("notebooks/01_data.ipynb::Cell 2", "call", "mismatch 3")
    row = runner.judge(fault, Run(1, (FORETOLD, cell)))
    assert row.caught
    assert row.words == ("test_double.py::test_double", "01_data.ipynb::Cell 2")


# --- real runs ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_planted_fault_is_caught_and_the_run_stops_there(course):
    row = runner.try_fault(course, FAULT)
    assert row.caught, row
    with planted(FAULT, course):
        run = runner.run_pytest(course, FAULT.tests, FAULT.caught_by)
    assert [failure.test for failure in run.failures] == ["tests/test_double.py::test_double"]
    assert (course / FAULT.file).read_text() == DOUBLE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("number * 2", "NOT CAUGHT by ::test_double: green"),
        ("4 * number", "red for another reason: .*assert 12 == 6"),
        ("2 * numbr", "red for another reason: .*NameError"),
        ("2 * (number", r"red for another reason: .*\(collect\): .*SyntaxError"),
    ],
)
def test_a_fault_that_does_something_else_is_not_caught(course, text, words):
    row = runner.try_fault(course, replace(FAULT, replace=text))
    assert not row.caught
    assert re.search(words, row.words[0])


@pytest.mark.slow
def test_a_course_that_is_not_green_by_itself_is_an_error(course):
    runner.check_green(course, ["tests/test_double.py"])
    (course / FAULT.file).write_text(DOUBLE.replace("2", "3"))
    with pytest.raises(FaultError, match=r"must be green, but it is red .*test_double.py::test_double"):
        runner.check_green(course, ["tests/test_double.py"])


@pytest.mark.slow
def test_a_package_from_elsewhere_is_an_error(course):
    shutil.rmtree(course / "fmnist_helpers")
    run = runner.run_pytest(course, ["tests/test_double.py"])
    assert run.code != 0
    assert "the package comes from" in run.last_words


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_stopped(course, monkeypatch):
    monkeypatch.setattr(runner, "RUN_SECONDS", 0.01)
    assert "not done after" in runner.run_pytest(course, ["tests/test_double.py"]).last_words


def test_what_must_be_green_is_grouped_by_file():
    tests = [("b.ipynb", "a.py::x"), ("a.py::y",), ("c.py::x", "c.py"), ("a.ipynb",)]
    faults = [replace(FAULT, tests=selection) for selection in tests]
    assert runner.groups(faults) == [["a.ipynb"], ["b.ipynb"], ["a.py::x", "a.py::y"], ["c.py"]]


def test_the_copy_holds_the_working_tree_and_nothing_ignored(tmp_path):
    runner.copy_course(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"fmnist_helpers", "notebooks", "tests", "pyproject.toml"} <= names
    assert not names & {".git", ".venv", "data"}
    assert (tmp_path / "tests/faults/test_faults.py").read_bytes() == (
        COURSE / "tests/faults/test_faults.py"
    ).read_bytes()
