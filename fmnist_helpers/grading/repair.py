"""Brings the cells that were handed in into the shape that nbgrader expects, so that no accident of form costs marks.

Nothing that a student wrote is dropped: what cannot be an answer's cell stays a cell of its own, and runs in its place.
"""

from __future__ import annotations

import ast
import copy

import nbformat
from nbformat import NotebookNode

from fmnist_helpers.grading.classroom import CODE_STUB, TEXT_STUB
from fmnist_helpers.grading.handout import Handout, bound, bound_by, grade_id, parsed, squeezed
from fmnist_helpers.grading.instructor_cells import is_test
from fmnist_helpers.grading.reading import new_cell

BESIDE = "*From another cell of the notebook:*"


def repair(cells: list[NotebookNode], handout: Handout) -> tuple[NotebookNode, list[str]]:
    """Return the notebook that is graded, and what was done to get it, a sentence each.

    Args:
        cells: as ``reading.read_cells`` returns them; they are changed.
        handout: the assignment.
    """
    repairer = _Repairer([cell.copy() for cell in cells], handout)
    for step in (
        repairer.recognise,
        repairer.one_of_each,
        repairer.code_in_tests,
        repairer.put_back,
        repairer.texts_beside,
        repairer.tests_behind_answers,
    ):
        step()
    notebook = nbformat.v4.new_notebook(metadata=copy.deepcopy(handout.source.metadata))
    notebook.nbformat_minor = 5
    for number, cell in enumerate(repairer.cells):
        cell.id = f"cell-{number}"
    notebook.cells = repairer.cells
    return notebook, repairer.notes


class _Repairer:
    """The steps of a repair, in the order in which they are made."""

    def __init__(self, cells: list[NotebookNode], handout: Handout) -> None:
        self.cells, self.handout = cells, handout
        self.notes: list[str] = []
        for cell in cells:
            if grade_id(cell) not in handout.known:
                cell.metadata = NotebookNode()

    def _places(self) -> dict[str, int]:
        return {name: place for place, cell in enumerate(self.cells) if (name := grade_id(cell))}

    def _label(self, cell: NotebookNode, name: str) -> None:
        cell.metadata = NotebookNode(nbgrader=copy.deepcopy(self.handout.known[name].metadata.nbgrader))

    # --- which cell is which ---------------------------------------------------------------------------

    def recognise(self) -> None:
        """Label cells whose labels a program has lost, by what they say or define."""
        missing = [name for name in self.handout.known if name not in self._places()]
        found = [name for name in missing if self._recognise(name)]
        if len(found) > 3:
            self.notes.append(
                f"the labels of {len(found)} cells were lost; they were recognised by their text"
            )
        else:
            self.notes += [f"{name} had lost its label, and was recognised by its text" for name in found]
        if len(missing) - len(found) > len(self.handout.known) / 2:
            self.notes.append(
                "most of the assignment's cells are missing: is it the notebook of another assignment?"
            )

    def _recognise(self, name: str) -> bool:
        text, defines = squeezed(self.handout.texts[name]), self.handout.defines(name)
        wanted = self.handout.known[name].cell_type
        free = [cell for cell in reversed(self.cells) if not grade_id(cell) and cell.cell_type == wanted]
        same = [cell for cell in free if squeezed(cell.source) == text]
        if self.handout.is_answer(name) and wanted == "code":
            # The last one that was worked on, else the last.
            alike = [cell for cell in free if defines and defines <= bound(cell.source)]
            same = [cell for cell in alike if squeezed(cell.source) != text] or same
        if same:
            self._label(same[0], name)
        return bool(same)

    def one_of_each(self) -> None:
        """Leave each label to one cell, give it the author's settings, and its type back."""
        for name, known in self.handout.known.items():
            same = [cell for cell in self.cells if grade_id(cell) == name]
            if not same:
                continue
            kept = self._kept(same, name)
            for cell in same:
                if cell is not kept:
                    cell.metadata = NotebookNode()
            self._label(kept, name)
            if kept.cell_type != known.cell_type:
                self.notes.append(f"{name} was turned into a {kept.cell_type} cell, and back")
                self._retype(kept, known.cell_type)

    def _kept(self, same: list[NotebookNode], name: str) -> NotebookNode:
        """Return which of several cells counts: the last, as the last definition counts in Python.

        What a person marks is put together, for the person sees one cell only.
        """
        if len(same) == 1:
            return same[0]
        if not self.handout.is_answer(name):
            self.notes.append(f"{name} stood there twice; the last one counts")
            return same[-1]
        written = [cell for cell in same if self.handout.is_worked_on(cell)] or same
        if self.handout.known[name].metadata.nbgrader.get("grade") and len(written) > 1:
            self.notes.append(f"{name} stood there {len(written)} times; the parts were put together")
            written[-1].source = "\n\n".join(cell.source for cell in written)
            parts = set(map(id, written[:-1]))
            self.cells = [cell for cell in self.cells if id(cell) not in parts]
        else:
            self.notes.append(f"{name} stood there twice; the last one counts")
        return written[-1]

    @staticmethod
    def _retype(cell: NotebookNode, cell_type: str) -> None:
        cell.cell_type = cell_type
        if cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.pop("attachments", None)
        else:
            cell.pop("outputs", None)
            cell.pop("execution_count", None)

    def code_in_tests(self) -> None:
        """Give code that was written into a test cell a cell of its own before it: nbgrader writes the test anew."""
        for name, place in reversed(self._places().items()):
            cell = self.cells[place]
            if not is_test(self.handout.known[name]):
                continue
            texts = (self.handout.texts[name], self.handout.known[name].source)
            known = {ast.dump(one) for text in texts for one in parsed(text)}
            own = [one for one in parsed(cell.source) if ast.dump(one) not in known]
            if any(map(bound_by, own)):
                self.cells.insert(place, new_cell("code", "\n".join(map(ast.unparse, own))))
                self.notes.append(f"{name} held code of its own, which was run before it")

    # --- what is missing -------------------------------------------------------------------------------

    def put_back(self) -> None:
        """Put back what was deleted: tests as they are, answers as empty ones, cells that a test takes names from."""
        order = list(self.handout.known)
        for number, name in enumerate(order):
            places = self._places()
            if name in places:
                continue
            cell = copy.deepcopy(self.handout.known[name])
            if self.handout.is_answer(name):
                cell.source = CODE_STUB if cell.cell_type == "code" else TEXT_STUB
            later = min((places[one] for one in order[number:] if one in places), default=len(self.cells))
            earlier = max((places[one] for one in order[:number] if one in places), default=-1)
            self.cells.insert(self._place_for(name, earlier, later), cell)
            self.notes.append(f"{name} was missing and was put back")
        for name in [name for name in order if is_test(self.handout.known[name])]:
            for variable in sorted(self.handout.needs(name)):
                self._give(variable, name)

    def _place_for(self, name: str, earlier: int, later: int) -> int:
        """Return the place for a missing cell: behind the text that asks for it, if that is still there."""
        before = self.handout.before(name)
        asking = [
            place for place in range(earlier + 1, later) if squeezed(self.cells[place].source) in before
        ]
        return asking[-1] + 1 if asking else earlier + 1 if earlier >= 0 else later

    def _give(self, variable: str, test: str) -> None:
        """Put a given cell back before a test that takes a name from it, if nothing else defines the name."""
        if any(variable in bound(cell.source) for cell in self.cells if cell.cell_type == "code"):
            return
        given = self.handout.given_cell_that_defines(variable)
        if given is not None:
            self.cells.insert(self._places()[test], copy.deepcopy(given))
            self.notes.append(f"the given cell that defines {variable} was missing and was put back")

    def texts_beside(self) -> None:
        """Add to a written answer what stands in cells of its own around it: a person sees the answer's cell only."""
        for name, known in self.handout.known.items():
            if known.cell_type == "code" or not self.handout.is_answer(name):
                continue
            answer = self.cells[self._places()[name]]
            beside = self._beside(name, answer)
            if not beside:
                continue
            if self.handout.is_worked_on(answer):
                answer.source += f"\n\n{BESIDE}"
            else:
                answer.source = BESIDE
            for number, cell in enumerate(beside, 1):
                _add(answer, cell, number)
            self.notes.append(f"{name} was answered beside its cell, too; the text was put into it")

    def _beside(self, name: str, answer: NotebookNode) -> list[NotebookNode]:
        """Return the texts after a written answer, up to the next labelled cell; if it is empty also those before."""
        place = self._places()[name]
        labelled = sorted(self._places().values())
        begin = max((one for one in labelled if one < place), default=-1) + 1
        end = min((one for one in labelled if one > place), default=len(self.cells))
        if self.handout.is_worked_on(answer):
            begin = place + 1
        return [
            cell
            for cell in self.cells[begin:end]
            if cell is not answer
            and squeezed(cell.source) not in self.handout.given
            and (cell.get("attachments") or squeezed(cell.source) not in squeezed(answer.source))
            and _is_text(cell)
        ]

    # --- in which order --------------------------------------------------------------------------------

    def tests_behind_answers(self) -> None:
        """Move each test behind its answer, wherever that was written."""
        answers: list[str] = []
        tested = False
        for name, known in self.handout.known.items():
            if known.cell_type != "code":
                continue
            if self.handout.is_answer(name):
                answers, tested = ([] if tested else answers), False
                answers.append(name)
            elif is_test(known):
                tested = True
                last = max((self._places()[one] for one in answers), default=-1)
                self._move(name, last, "stood before its answer and was moved behind it")
                self._find_names(name, answers)

    def _move(self, test: str, behind: int, why: str) -> None:
        place = self._places()[test]
        if place < behind:
            self.cells.insert(behind, self.cells.pop(place))
            self.notes.append(f"{test} {why}")

    def _find_names(self, test: str, answers: list[str]) -> None:
        """Move a test behind the cell that defines what it needs, if no cell before it does."""
        for variable in sorted(self.handout.needs(test)):
            place = self._places()[test]
            defining = [
                number
                for number, cell in enumerate(self.cells)
                if self._is_own(cell) and variable in bound(cell.source)
            ]
            later = [number for number in defining if number > place]
            if later and not any(number < place for number in defining):
                self._move(test, later[0], f"was moved behind the cell below it that defines {variable}")
            elif later and any(variable in self.handout.defines(name) for name in answers):
                self.notes.append(
                    f"{variable} is defined again below {test}; what stands above the test was graded"
                )

    def _is_own(self, cell: NotebookNode) -> bool:
        """Return whether a code cell may define something: it is no test, and no answer that nobody has written."""
        name = grade_id(cell)
        if cell.cell_type != "code" or (name and is_test(self.handout.known[name])):
            return False
        return not name or self.handout.is_worked_on(cell)


def _add(answer: NotebookNode, cell: NotebookNode, number: int) -> None:
    """Add a cell's text and pictures to an answer; pictures that are pasted have one and the same name."""
    text, pictures = cell.source, answer.get("attachments", {})
    for name, picture in cell.get("attachments", {}).items():
        unused = f"{number}-{name}" if name in pictures else name
        text = text.replace(f"attachment:{name}", f"attachment:{unused}")
        pictures = {**pictures, unused: picture}
    answer.source += f"\n\n{text}"
    if pictures:
        answer.attachments = pictures


def _is_text(cell: NotebookNode) -> bool:
    """Return whether a cell holds prose, if need be in a code cell: no statement, or only a string."""
    if cell.cell_type != "code":
        return True
    return all(
        isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in parsed(cell.source)
    )
