"""The grader's parts, each for itself; that they work together is test_grading.py's."""

from __future__ import annotations

import builtins
import copy
import os
import types
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.checks import student
from fmnist_helpers.grading import submissions
from fmnist_helpers.grading.classroom import CODE_STUB, TEXT_STUB, Classroom
from fmnist_helpers.grading.execute import OUTPUT_BYTES, _short_error
from fmnist_helpers.grading.feedback import REPLACED, HideTests, split_hidden
from fmnist_helpers.grading.grade import FAILED, Marks, Outcome, remarks_on, status_of
from fmnist_helpers.grading.kernel import Guard, make_guard
from fmnist_helpers.grading.report import table, write_csv
from fmnist_helpers.grading.sandbox import Limits, environment, kernel_command
from tests.exercises.bank import grade_id, read_source
from tests.exercises.hostile import ASSIGNMENT, cell_of, place_of

SOURCE = read_source(ASSIGNMENT)


# --- submissions -------------------------------------------------------------------------------------------


def repaired(change) -> tuple[nbformat.NotebookNode, list[str]]:
    notebook = copy.deepcopy(SOURCE)
    change(notebook)
    return notebook, submissions.repair(notebook, SOURCE)


def order(notebook) -> list[str]:
    return [grade_id(cell) for cell in notebook.cells if grade_id(cell)]


def test_sound_notebook_is_left_as_it_is():
    notebook, notes = repaired(lambda notebook: None)
    assert notes == []
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in SOURCE.cells]
    assert [cell.metadata for cell in notebook.cells] == [cell.metadata for cell in SOURCE.cells]


def test_of_two_answers_the_last_counts():
    def change(notebook):
        again = copy.deepcopy(cell_of(notebook, "top_two_accuracy"))
        again.source = "second"
        notebook.cells.insert(place_of(notebook, "top_two_accuracy") + 1, again)

    notebook, notes = repaired(change)
    assert cell_of(notebook, "top_two_accuracy").source == "second"
    assert order(notebook) == order(SOURCE)
    assert notes == ["top_two_accuracy stood there twice; the last one counts"]


@pytest.mark.parametrize("name", [name for name in order(SOURCE)])
def test_any_missing_cell_is_put_back_in_its_place(name):
    def change(notebook):
        del notebook.cells[place_of(notebook, name)]

    notebook, notes = repaired(change)
    assert order(notebook) == order(SOURCE)
    assert notes == [f"{name} was missing and was put back"]
    cell, source = cell_of(notebook, name), cell_of(SOURCE, name)
    stub = CODE_STUB if source.cell_type == "code" else TEXT_STUB
    assert cell.source == (stub if source.metadata.nbgrader.solution else source.source)
    nbformat.validate(notebook)


def test_notebook_without_any_cell_gets_them_all_and_a_remark():
    notebook, notes = repaired(lambda notebook: notebook.cells.clear())
    assert order(notebook) == order(SOURCE)
    assert "another assignment" in notes[-1]


def test_test_before_its_answer_is_moved_behind_it():
    def change(notebook):
        notebook.cells.insert(0, notebook.cells.pop(place_of(notebook, "top_two_accuracy-test")))

    notebook, notes = repaired(change)
    assert place_of(notebook, "top_two_accuracy") < place_of(notebook, "top_two_accuracy-test")
    assert notes == ["top_two_accuracy-test stood before its answer and was moved behind it"]


def test_metadata_and_ids_of_a_student_do_not_survive():
    def change(notebook):
        for cell in notebook.cells:
            cell.id = "same"
            cell.metadata["tags"] = ["skip-execution"]
        cell_of(notebook, "predict-test").metadata.nbgrader.points = 99
        notebook.metadata["kernelspec"] = {"name": "none"}

    notebook, _ = repaired(change)
    assert cell_of(notebook, "predict-test").metadata.nbgrader.points == 2
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not any("tags" in cell.metadata for cell in notebook.cells)
    assert notebook.metadata == SOURCE.metadata


def test_cell_of_a_million_letters_is_cut():
    notebook, _ = repaired(lambda notebook: cell_of(notebook, "predict").update(source="#" * 2**21))
    assert len(cell_of(notebook, "predict").source) < 200


def test_extra_files_are_plain_small_and_few(tmp_path):
    for name in ("helper.py", ".hidden", "notes.ipynb"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    with open(tmp_path / "large.bin", "wb") as file:
        file.truncate(submissions.LARGEST_EXTRA + 1)
    assert [path.name for path in submissions.extra_files(tmp_path)] == ["helper.py"]
    for number in range(submissions.MOST_EXTRAS + 5):
        (tmp_path / f"{number:03d}.txt").touch()
    assert len(submissions.extra_files(tmp_path)) == submissions.MOST_EXTRAS


def test_notebook_behind_a_link_is_not_read(tmp_path):
    folder = tmp_path / "ada" / ASSIGNMENT
    folder.mkdir(parents=True)
    (folder / f"{ASSIGNMENT}.ipynb").symlink_to("/etc/passwd")
    found = submissions.find(tmp_path, "ada", ASSIGNMENT, SOURCE)
    assert found.problem == "not submitted"


def test_digest_follows_what_is_handed_in(tmp_path):
    folder = tmp_path / "ada" / ASSIGNMENT
    folder.mkdir(parents=True)
    nbformat.write(SOURCE, folder / f"{ASSIGNMENT}.ipynb")
    digests = [submissions.find(tmp_path, "ada", ASSIGNMENT, SOURCE).digest() for _ in range(2)]
    (folder / "helper.py").write_text("x = 1")
    digests.append(submissions.find(tmp_path, "ada", ASSIGNMENT, SOURCE).digest())
    assert digests[0] == digests[1] != digests[2]


# --- the guard ---------------------------------------------------------------------------------------------


def test_guard_restores_attributes_code_and_modules(monkeypatch):
    import sys

    module = types.ModuleType("fmnist_helpers.toy")
    exec("LIMIT = 3\ndef check(value, most=LIMIT):\n    return value < most", vars(module))
    module.check.__module__ = "fmnist_helpers.toy"
    monkeypatch.setitem(sys.modules, "fmnist_helpers.toy", module)
    guard = Guard([module], [])
    assert guard.restore() == []
    module.LIMIT = 99
    module.check.__defaults__ = (99,)
    del module.__doc__
    sys.modules["fmnist_helpers.toy"] = types.ModuleType("other")
    changed = guard.restore()
    assert set(changed) == {
        "fmnist_helpers.toy",
        "fmnist_helpers.toy.LIMIT",
        "fmnist_helpers.toy.__doc__",
        "fmnist_helpers.toy.check",
    }
    assert module.LIMIT == 3 and module.check.__defaults__ == (3,)
    assert sys.modules["fmnist_helpers.toy"] is module
    assert guard.restore() == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [(builtins, "zip"), (student, "close"), (student, "READ_THE_TASK")],
)
def test_guard_of_the_kernel_watches_built_ins_and_checks(owner, name, monkeypatch):
    guard = make_guard()
    monkeypatch.setattr(owner, name, getattr(owner, name))
    before = getattr(owner, name)
    setattr(owner, name, lambda *arguments: True)
    assert guard.restore() == [f"{owner.__name__}.{name}"]
    assert getattr(owner, name) is before


def test_guard_watches_methods_of_pytorchs_classes():
    import torch

    guard = make_guard()
    # One that the class has itself, and one that it inherits.
    torch.Tensor.backward, torch.Tensor.__eq__ = (lambda *arguments: True for _ in "ab")
    assert set(guard.restore()) == {"Tensor.backward", "Tensor.__eq__"}
    assert (torch.ones(2) == torch.ones(2)).tolist() == [True, True]


def test_honest_work_changes_nothing_that_is_watched():
    import torch

    import fmnist_helpers as fh
    from tests.small_problem import CROSS_ENTROPY, loader, small_model

    guard = make_guard()
    model = small_model()
    for optimizer in (torch.optim.SGD(model.parameters(), lr=0.1), torch.optim.Adam(model.parameters())):
        fh.train_loop(loader(), model, CROSS_ENTROPY, optimizer, verbose=False)
    fh.seed_everything(0)
    torch.testing.assert_close(torch.ones(2), torch.ones(2))
    assert guard.restore() == []


# --- the sandbox -------------------------------------------------------------------------------------------


def test_command_of_the_kernel_binds_no_source_and_no_other_folder(tmp_path):
    folder = tmp_path / "staged"
    folder.mkdir()
    (folder / "helper.py").touch()
    (folder / "ex.ipynb").touch()
    command = kernel_command(folder, tmp_path / "spool", Limits(), [], sandboxed=True)
    bound = [command[place + 1] for place, word in enumerate(command) if word in ("--bind", "--ro-bind")]
    assert str(folder / "helper.py") in bound
    assert str(folder / "ex.ipynb") not in bound and str(folder) not in bound
    course = str(submissions.__file__).split("/fmnist_helpers/")[0]
    assert course not in bound and os.path.expanduser("~") not in bound
    assert [path for path in bound if command[command.index(path) - 1] == "--bind"] == [
        str(tmp_path / "spool")
    ]
    assert "--unshare-all" in command and "--share-net" not in command


def test_environment_of_the_kernel_holds_nothing_of_the_instructor(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    assert "abc" not in str(environment(Limits()))
    assert (
        environment(Limits(memory_gib=2, file_mib=1, processes=7))["FMNIST_GRADING_LIMITS"]
        == "2147483648 1048576 7"
    )


# --- feedback and tables -----------------------------------------------------------------------------------

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


def outcome(**options) -> Outcome:
    return Outcome("ada", ASSIGNMENT, **options)


def marks(**options) -> Marks:
    return Marks(
        **{
            "points": 3.0,
            "most": 5.0,
            "tasks": {"a": 3.0},
            "waiting": (),
            "late_seconds": 0.0,
            "penalty": 0.0,
            "comments": (),
            **options,
        }
    )


@pytest.mark.parametrize(
    ("told", "found", "status"),
    [
        (outcome(), marks(), "graded"),
        (outcome(), marks(waiting=("explain",)), "needs manual grading"),
        (outcome(flags=["changed x"]), marks(waiting=("explain",)), "flagged"),
        (outcome(stopped="the kernel died", flags=["changed x"]), marks(), "graded in part"),
        (outcome(problem="unreadable"), None, "unreadable"),
        (outcome(problem="not submitted"), marks(), "not submitted"),
        (outcome(), None, FAILED),
    ],
)
def test_status_is_the_worst_that_is_true(told, found, status):
    assert status_of(told, found) == status


def test_csv_has_empty_cells_and_no_zeros_for_what_is_not_known(tmp_path):
    rows = [
        (outcome(), marks(tasks={"a": 0.0, "b": None}, waiting=("b",))),
        (outcome(problem="unreadable"), None),
    ]
    write_csv(tmp_path / "grades.csv", rows)
    lines = (tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].endswith(",notes,a,b")
    assert lines[1] == f"ada,{ASSIGNMENT},needs manual grading,3.0,5.0,0.0,0.0,b,,,,0.0,"
    assert lines[2] == f"ada,{ASSIGNMENT},unreadable" + "," * 10


def test_table_shows_control_characters_as_question_marks():
    told = Outcome("a\x1b[2Jb\n", ASSIGNMENT)
    assert "a?[2Jb?" in table([(told, marks())])


def test_remarks_say_what_stopped_waits_and_was_repaired():
    told = outcome(stopped="the kernel died", stopped_at="t", notes=["x was missing and was put back"])
    remarks = remarks_on(told, marks(waiting=("explain",)))
    assert len(remarks) == 3
    assert "the kernel died, at `t`" in remarks[0] and "counts 0 on this page until then" in remarks[1]


def test_errors_are_cut_and_never_dropped():
    told = _short_error({"ename": "E" * 10**6, "evalue": "v" * 10**6, "traceback": ["x" * 10**6] * 5})
    assert sum(len(str(part)) for part in told.values()) < OUTPUT_BYTES
    assert told["traceback"]
    assert _short_error({}) == {"ename": "", "evalue": "", "traceback": []}


def test_settings_file_is_what_nbgrader_reads(tmp_path):
    classroom = Classroom(tmp_path / "O'Neill's class", tmp_path / "in", Path(tmp_path / "src"))
    classroom.prepare()
    (classroom.folder / "own_settings.py").write_text("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    config = classroom.config("ex", "ada [1]")
    assert config.CourseDirectory.root == str(classroom.folder)
    assert config.CourseDirectory.submitted_directory == str(tmp_path / "in")
    assert config.CourseDirectory.student_id == "ada [1]"
    assert config.LateSubmissionPlugin.penalty_method == "zero"
