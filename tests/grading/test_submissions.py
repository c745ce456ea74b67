"""What was handed in is read and repaired; nothing of a student's metadata survives."""

from __future__ import annotations

import copy

import nbformat
import pytest

from fmnist_helpers.grading import submissions
from fmnist_helpers.grading.classroom import CODE_STUB, TEXT_STUB
from tests.exercises.bank import grade_id, read_source
from tests.exercises.hostile import ASSIGNMENT, cell_of, place_of

SOURCE = read_source(ASSIGNMENT)


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
