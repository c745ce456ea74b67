"""Copies are found whatever is renamed; independent answers, short ones and what the release gave are not."""

from __future__ import annotations

import ast
import builtins

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading.alike import COMMON, alike
from fmnist_helpers.grading.handout import Handout
from tests.exercises.bank import assignments, read_source, read_variants

SHORT = "def double(values):\n    return [2 * value for value in values]\n"


class Disguised(ast.NodeTransformer):
    """Renames what the code names itself, parameters and variables, and changes every number and text."""

    def __init__(self, tree: ast.Module) -> None:
        stored = {
            one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        }
        self.own = stored | {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)} - set(
            dir(builtins)
        )

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(f"my_{node.id}" if node.id in self.own else node.id, node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(f"my_{node.arg}", None)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        changed = {
            int: lambda value: value + 7,
            float: lambda value: value * 3,
            str: lambda value: value + " too",
        }
        return ast.Constant(changed.get(type(node.value), lambda value: value)(node.value))


def disguised(code: str) -> str:
    tree = ast.parse(code)
    return "# my own\n" + ast.unparse(ast.fix_missing_locations(Disguised(tree).visit(tree)))


def right(assignment: str) -> dict[str, list[tuple[str, ...]]]:
    """Return task → independent right answers."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for variant in read_variants(assignment):
        if variant.correct:
            found.setdefault(variant.task, []).append(variant.cells)
    return found


def given(assignment: str) -> list[str]:
    return [cell.source for cell in Handout(read_source(assignment)).cells if cell.cell_type == "code"]


LONG = right("ex06_project")["train_keep_best"]


def test_a_copy_is_found_under_other_names_and_constants_and_independent_answers_are_not():
    found = honest = compared = 0
    for assignment in assignments():
        start = given(assignment)
        for task, answers in right(assignment).items():
            honest += len(alike({str(number): cells for number, cells in enumerate(answers)}, start))
            pairs = [alike({"ada": cells, "ben": [*map(disguised, cells)]}, start) for cells in answers]
            assert all(pair.share > 0.95 for one in pairs for pair in one), task
            found += sum(map(len, pairs))
            compared += len(answers) * (len(answers) - 1) // 2
    # The other answers are short, or nearly what the release gave.
    assert found >= 80
    assert compared > 400 and honest <= 0.01 * compared


@pytest.mark.parametrize("code", ["\n".join(cells) for cells in LONG])
def test_a_copy_with_a_line_more_and_a_docstring_is_found(code):
    first, _, rest = code.partition("\n    ")
    changed = f'{first}\n    """What I did."""\n    best_so_far = 0\n    {rest}\n    print("done")\n'
    (pair,) = alike({"ada": [code], "ben": [disguised(changed)]})
    assert (pair.one, pair.other) == ("ada", "ben") and 0.7 <= pair.share < 1


def test_what_the_release_gave_does_not_count():
    (faulty,) = [cell for cell in given("ex04_optimizer") if "def descend_with_faults" in cell]
    mended = [faulty.replace("range(", "range(1 + ")]
    assert alike({"ada": mended, "ben": mended}, given("ex04_optimizer")) == []
    assert len(alike({"ada": mended, "ben": mended})) == 1


def test_short_answers_are_never_reported():
    assert alike({"ada": [SHORT], "ben": [SHORT]}) == []


def test_what_many_have_written_is_how_one_writes_it():
    own = {f"own {number}": code for number, code in enumerate(LONG[1:4])}
    few = {f"few {number}": LONG[0] for number in range(3)}
    assert len(alike({**few, **own})) == 3
    many = {f"many {number}": LONG[0] for number in range(COMMON + 1)}
    assert alike({**many, **own}) == []


def test_what_cannot_be_read_is_like_nothing():
    codes = ["", "def (", "(" * 5_000 + ")" * 5_000, "\0", "%matplotlib inline", "-" * 100_000 + "1"]
    assert alike({str(number): [code] for number, code in enumerate(codes * 2)}) == []
