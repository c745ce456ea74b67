"""Answers are found wherever they were written, and nothing that a student wrote is lost."""

from __future__ import annotations

import copy
import json

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell

from fmnist_helpers.grading.classroom import CODE_STUB, TEXT_STUB
from fmnist_helpers.grading.handout import Handout, bound, free
from fmnist_helpers.grading.reading import read_cells
from fmnist_helpers.grading.repair import repair
from tests.exercises.bank import assignments, grade_id, read_source
from tests.exercises.hostile import ASSIGNMENT, cell_of, place_of, solved

HANDOUT = Handout(read_source(ASSIGNMENT))
RELEASED = nbformat.v4.new_notebook(cells=HANDOUT.cells)
SOLVED = solved(RELEASED)


def repaired(change, notebook=SOLVED) -> tuple[nbformat.NotebookNode, list[str]]:
    notebook = copy.deepcopy(notebook)
    change(notebook)
    return repair(read_cells(json.dumps(notebook).encode())[0], HANDOUT)


def order(notebook) -> list[str]:
    return [name for cell in notebook.cells if (name := grade_id(cell))]


@pytest.mark.parametrize("assignment", assignments())
def test_students_copy_is_what_nbgrader_makes(assignment, tmp_path):
    from fmnist_helpers.grading.classroom import Classroom
    from fmnist_helpers.grading.release import release

    release(Classroom(tmp_path, tmp_path / "submitted"), assignment)
    made = nbformat.read(tmp_path / "release" / assignment / f"{assignment}.ipynb", as_version=4)
    handout = Handout(read_source(assignment))
    assert [cell.source for cell in handout.cells] == [cell.source for cell in made.cells]


def test_sound_notebook_is_left_as_it_is():
    notebook, notes = repaired(lambda notebook: None)
    assert notes == []
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in SOLVED.cells]
    for cell, source in zip(notebook.cells, HANDOUT.source.cells, strict=True):
        assert cell.metadata.get("nbgrader") == source.metadata.get("nbgrader")
    nbformat.validate(notebook)


@pytest.mark.parametrize("name", list(HANDOUT.known))
def test_any_missing_cell_is_put_back_in_its_place(name):
    def change(notebook):
        del notebook.cells[place_of(notebook, name)]

    notebook, notes = repaired(change)
    assert order(notebook) == list(HANDOUT.known)
    assert f"{name} was missing and was put back" in notes
    cell, known = cell_of(notebook, name), HANDOUT.known[name]
    stub = CODE_STUB if known.cell_type == "code" else TEXT_STUB
    assert cell.source == (stub if HANDOUT.is_answer(name) else known.source)
    before = notebook.cells[notebook.cells.index(cell) - 1]
    places = [number for number, one in enumerate(HANDOUT.source.cells) if grade_id(one) == name]
    if not grade_id(before):
        assert before.source == HANDOUT.cells[places[0] - 1].source


def test_notebook_without_any_cell_gets_them_all_and_a_remark():
    notebook, notes = repaired(lambda notebook: notebook.cells.clear())
    assert set(HANDOUT.known) == set(order(notebook))
    assert "another assignment" in notes[0]


def test_notebook_of_another_assignment_is_recognised_as_one():
    other = nbformat.v4.new_notebook(cells=Handout(read_source("ex02_model")).cells)
    _, notes = repaired(lambda notebook: None, other)
    assert any("another assignment" in note for note in notes)


def test_labels_that_were_lost_are_found_again_in_order():
    def change(notebook):
        for cell in notebook.cells:
            cell.metadata = {}

    notebook, notes = repaired(change)
    assert order(notebook) == order(SOLVED)
    assert cell_of(notebook, "explain").source.endswith("Only a validation split can tell.")
    for name in HANDOUT.known:
        if name != "explain":
            assert cell_of(notebook, name).source == cell_of(SOLVED, name).source
    assert "recognised" in notes[0]


def test_of_two_answers_the_last_that_was_worked_on_counts():
    def change(notebook):
        again = copy.deepcopy(cell_of(notebook, "predict"))
        again.source = "predicted = {}"
        untouched = copy.deepcopy(cell_of(RELEASED, "predict"))
        place = place_of(notebook, "predict") + 1
        notebook.cells[place:place] = [again, untouched]

    notebook, notes = repaired(change)
    assert cell_of(notebook, "predict").source == "predicted = {}"
    assert notes == ["predict stood there twice; the last one counts"]


@pytest.mark.parametrize("name", ["top_two_accuracy-test", "train_clipped-losses"])
def test_test_before_its_answer_is_moved_behind_it(name):
    def change(notebook):
        notebook.cells.insert(0, notebook.cells.pop(place_of(notebook, name)))

    notebook, notes = repaired(change)
    answer = name.partition("-")[0]
    assert place_of(notebook, answer) < place_of(notebook, name)
    assert notes == [f"{name} stood before its answer and was moved behind it"]


def test_test_waits_for_every_name_that_it_needs():
    def change(notebook):
        cell_of(notebook, "compare").source = cell_of(RELEASED, "compare").source
        notebook.cells.append(new_code_cell("held = {}"))

    notebook, notes = repaired(change)
    assert notebook.cells[place_of(notebook, "predict-test") - 1].source == "held = {}"
    assert notes == ["predict-test was moved behind the cell below it that defines held"]


def test_second_definition_below_a_test_is_told():
    def change(notebook):
        notebook.cells.append(new_code_cell("def train_clipped(*arguments): pass"))

    notebook, notes = repaired(change)
    assert order(notebook) == order(SOLVED)
    assert notes == [
        f"train_clipped is defined again below {name}; what stands above the test was graded"
        for name in ("train_clipped-updates", "train_clipped-losses")
    ]


@pytest.mark.parametrize("place", [-1, None])
def test_text_around_an_empty_explanation_is_put_into_it(place):
    def change(notebook):
        cell_of(notebook, "explain").source = TEXT_STUB
        text = new_markdown_cell("Here it is.", attachments={"p.png": {"image/png": "aGk="}})
        notebook.cells.insert(place if place is not None else len(notebook.cells), text)

    notebook, notes = repaired(change)
    explained = cell_of(notebook, "explain")
    assert "Here it is." in explained.source and TEXT_STUB not in explained.source
    assert explained.attachments == {"p.png": {"image/png": "aGk="}}
    assert notes == ["explain was answered beside its cell, too; the text was put into it"]


def test_pictures_with_one_name_are_both_kept():
    def change(notebook):
        explained = cell_of(notebook, "explain")
        explained.source = "![](attachment:image.png)"
        explained.attachments = {"image.png": {"image/png": "b25l"}}
        more = new_markdown_cell(
            "![](attachment:image.png)", attachments={"image.png": {"image/png": "dHdv"}}
        )
        notebook.cells.append(more)

    explained = cell_of(repaired(change)[0], "explain")
    assert explained.attachments == {"image.png": {"image/png": "b25l"}, "1-image.png": {"image/png": "dHdv"}}
    assert "attachment:image.png" in explained.source and "attachment:1-image.png" in explained.source


def test_edited_question_counts_as_an_answer():
    def change(notebook):
        cell_of(notebook, "explain").source = TEXT_STUB
        notebook.cells[place_of(notebook, "explain") - 1].source += "\n\nMy answer."

    notebook, _ = repaired(change)
    assert "My answer." in cell_of(notebook, "explain").source


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
    assert notebook.metadata == HANDOUT.source.metadata


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(a):\n    b = a", {"f"}),
        ("%%time\nx = 1", {"x"}),
        ("!pip install x\nimport a.b, c as d\nfrom e import f as g", {"a", "d", "g"}),
        ("with open(p) as q:\n    for r in q:\n        s = r", {"q", "r", "s"}),
        ("class A:\n    y = 1", {"A"}),
        ("if (n := 3): pass", {"n"}),
        ("def broken(:", set()),
        ("x = 1\0", set()),
    ],
)
def test_names_that_a_cell_gives_a_value(source, names):
    assert bound(source) == names


def test_names_that_a_test_takes_are_read_before_they_are_set():
    assert free("check(a, b)\na = 1\ncheck(a, c)\nprint(len(c))") == {"check", "a", "b", "c"}


# --- whatever was done -------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "double", "move", "strip", "merge", "retype", "stub"]), st.integers(0, 99)
    ),
    max_size=10,
)


def disturb(notebook, steps) -> None:
    cells = notebook.cells
    for kind, number in steps:
        if len(cells) < 2:
            return
        place = number % len(cells)
        if kind == "drop":
            cells.pop(place)
        elif kind == "double":
            cells.insert((number * 7) % len(cells), copy.deepcopy(cells[place]))
        elif kind == "move":
            cells.insert((number * 7) % len(cells), cells.pop(place))
        elif kind == "strip":
            cells[place].metadata = {}
        elif kind == "merge" and place + 1 < len(cells):
            cells[place].source += f"\n\n{cells.pop(place + 1).source}"
        elif kind == "retype":
            cells[place]["cell_type"] = ["code", "markdown", "raw"][number % 3]
        elif kind == "stub" and grade_id(cells[place]) in HANDOUT.known:
            cells[place].source = cell_of(RELEASED, grade_id(cells[place])).source


def is_own(cell) -> bool:
    name = grade_id(cell)
    return cell.cell_type == "code" and (not name or (HANDOUT.is_answer(name) and HANDOUT.is_worked_on(cell)))


@settings(max_examples=60, deadline=None)
@given(STEPS)
# An answer that nobody has written, and a text beside it.
@example(
    [*[("drop", 0)] * 2, *[("double", 0)] * 4, ("merge", 94), ("stub", 28), ("double", 1), ("double", 64)]
)
def test_whatever_was_done_every_label_is_there_once_and_no_answer_is_lost(steps):
    disturbed = copy.deepcopy(SOLVED)
    disturb(disturbed, steps)
    cells, _ = read_cells(json.dumps(disturbed).encode())
    notebook, _ = repair(cells, HANDOUT)
    nbformat.validate(notebook)
    assert sorted(order(notebook)) == sorted(HANDOUT.known)
    everything = "\n".join(cell.source for cell in notebook.cells)
    for cell in cells:
        name = grade_id(cell)
        if name not in HANDOUT.known or HANDOUT.is_answer(name):
            # Only the line that asks for an answer may make room, and only for an answer that stood beside it.
            made_room = name in HANDOUT.known and not HANDOUT.is_worked_on(cell)
            assert cell.source in everything or (made_room and HANDOUT.is_worked_on(cell_of(notebook, name)))
    # A test finds what it needs, if the student has it anywhere.
    for name in HANDOUT.known:
        for needed in HANDOUT.needs(name) if name in HANDOUT._needs else ():
            own = [
                place
                for place, cell in enumerate(notebook.cells)
                if is_own(cell) and needed in bound(cell.source)
            ]
            assert not own or min(own) < place_of(notebook, name)
