"""Your turn: the dots are silent, the solution is accepted, likely mistakes are refused in the right words."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fmnist_helpers.exercises import hint, your_turn
from fmnist_helpers.exercises.turns import GOES_ON, LESSONS, is_unwritten, turns
from tests.lessons.mistakes import MISTAKES
from tests.tools.course import COURSE, NOTEBOOKS

READERS = Path(__file__).parent / "readers"
IMPORTS = "import math, torch, torchvision\nimport numpy as np\nfrom torch import nn\nimport torch.nn.functional as F"
"""What a reader may have imported."""
CALL = re.compile(r"^(\w+) = your_turn\((\w+)\)$", flags=re.MULTILINE)


def cells_with_turns():
    """Give lesson, name, the cell of each task, and the text that follows it."""
    for path in sorted(NOTEBOOKS.glob("0[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        for cell, following in zip(cells, [*cells[1:], None], strict=True):
            if cell.cell_type == "code" and (found := CALL.search(cell.source)):
                yield path.stem, found, cell, following


IN_LESSONS = {found[1]: (stem, found, cell, following) for stem, found, cell, following in cells_with_turns()}
NAMES = sorted(turns())


def function_of(source: str, name: str):
    """Run source as a cell does, with what a lesson has imported and written before; return the function."""
    written_before = {name: one.solution for name, one in turns().items()}
    names = {**written_before, "torch": torch, "your_turn": your_turn}
    exec(compile(source, "<cell>", "exec"), names)
    return names[name]


def written(name: str, body: str):
    head = f"def {name}{inspect.signature(turns()[name].solution)}:\n"
    stub = function_head(name)
    return function_of(f"{head}{stub}    {body}\n", name)


def function_head(name: str) -> str:
    """Return the lines that the lesson gives in the body of a task, before its dots."""
    lines = IN_LESSONS[name][2].source.split("def " + name)[1].splitlines()[1:]
    body = lines[: next(number for number, line in enumerate(lines) if line.endswith("..."))]
    tree = ast.parse(textwrap.dedent("\n".join(body)))
    return "".join(f"    {ast.unparse(one)}\n" for one in tree.body if not isinstance(one, ast.Expr))


def test_every_task_has_its_place_in_its_lesson():
    assert sorted(IN_LESSONS) == NAMES == sorted(MISTAKES)
    for name, (stem, found, _, _) in IN_LESSONS.items():
        assert found[2] == name
        assert turns()[name].solution.__module__.endswith(f"turns{stem}"), stem
    counts = [sum(stem in module for stem, *_ in IN_LESSONS.values()) for module in LESSONS]
    assert all(2 <= count <= 5 for count in counts), counts


@pytest.mark.parametrize("name", NAMES)
def test_solution_below_the_task_is_the_packages_and_is_accepted(name, capsys):
    _, _, cell, following = IN_LESSONS[name]
    (block,) = re.findall(
        r"<summary>A solution</summary>\n\n```python\n(.*?)```", following.source, re.DOTALL
    )
    assert block == inspect.getsource(turns()[name].solution)
    function = function_of(block, name)
    assert your_turn(function) is function
    out = capsys.readouterr().out
    assert out.startswith(f"{name}: right. ") and out.endswith("The lesson goes on with yours.\n")
    assert out.count("\n") == 1
    stub = function_of(re.sub(CALL, "", cell.source), name)
    assert str(inspect.signature(stub)) == str(inspect.signature(function)) and stub.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_dots_are_told_in_one_line_and_the_lesson_goes_on(name, capsys):
    cell = IN_LESSONS[name][2]
    names = {"torch": torch, "your_turn": your_turn}
    exec(compile(cell.source, "<cell>", "exec"), names)
    assert names[name] is turns()[name].solution
    assert capsys.readouterr().out == f"{name}: not written yet. {GOES_ON}\n"
    stored = "".join(output.text for output in cell.outputs)
    assert stored == f"{name}: not written yet. {GOES_ON}\n"


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [(name, body, words) for name, cases in MISTAKES.items() for body, words in cases],
)
def test_mistake_is_refused_in_the_right_words(name, body, words, capsys):
    assert your_turn(written(name, body)) is turns()[name].solution
    out = capsys.readouterr().out
    assert f"{name}: not right yet.\n" in out and GOES_ON in out
    assert words.lower() in " ".join(out.split()).lower()
    assert out.count("\n") <= 7
    hint()
    hint()
    hints = capsys.readouterr().out
    assert "hint 1 of 2" in hints and "hint 2 of 2" in hints


def test_each_task_has_three_likely_mistakes():
    assert all(len(cases) >= 3 for cases in MISTAKES.values())


def test_the_average_of_the_weights_is_pytorchs():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    average = [weight.detach().clone() for weight in model.parameters()]
    pytorchs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    pytorchs.update_parameters(model)  # the first one copies
    for _ in range(3):
        for weight in model.parameters():
            nn.init.normal_(weight)
        turns()["average_weights"].solution(average, list(model.parameters()), 0.9)
        pytorchs.update_parameters(model)
    torch.testing.assert_close(average, [weight.detach() for weight in pytorchs.module.parameters()])


def test_what_is_no_task_is_named():
    with pytest.raises(ValueError, match="no task 'another'; keep the name"):
        your_turn(function_of("def another(x):\n    return x", "another"))
    with pytest.raises(ValueError, match=r"no task '<lambda>'; keep .*, and write it with def"):
        your_turn(lambda width, height: width * height)
    with pytest.raises(ValueError, match="3 is no function"):
        your_turn(3)


def test_the_solution_handed_in_again_is_not_taken_for_the_learners(capsys):
    solution = turns()["relu"].solution
    assert your_turn(solution) is solution
    assert "this is the lesson's solution" in capsys.readouterr().out


UNWRITTEN = [
    "...",
    "pass",
    '"""Words."""\n    ...',
    "a = ...\n    return a + x",
    "return ...",
    "y = x\n    ...",
]
WRITTEN = ["return x[..., None]", "return None if x else 1", "return x", "x[...] = 0"]


@pytest.mark.parametrize("body", UNWRITTEN[:-1])
def test_dots_are_found(body):
    assert is_unwritten(function_of(f"def f(x):\n    {body}\n", "f"))


@pytest.mark.parametrize("body", WRITTEN)
def test_what_is_written_is_not_taken_for_dots(body):
    assert not is_unwritten(function_of(f"def f(x):\n    {body}\n", "f"))


def test_tasks_are_checked_alone_in_any_order_and_leave_random_numbers_alone():
    names = ", ".join(repr(name) for name in reversed(NAMES))
    program = (
        "import random, torch\n"
        "from fmnist_helpers.exercises import your_turn\n"
        "from fmnist_helpers.exercises.turns import turns\n"
        "state = torch.get_rng_state()\n"
        f"for name in ({names}):\n"
        "    solution = turns()[name].solution\n"
        "    mine = lambda *arguments, solution=solution: solution(*arguments)\n"
        "    mine.__name__ = name\n"
        "    assert your_turn(mine) is mine, name\n"
        "assert torch.equal(state, torch.get_rng_state())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=COURSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": right. ") == len(NAMES)


def attempts():
    """Give what readers wrote: functions, each below a comment that begins with ``right`` or ``wrong``."""
    for path in sorted(READERS.glob("*.py")):
        for block in re.split(r"^# (?=right|wrong)", path.read_text(), flags=re.MULTILINE)[1:]:
            words, source = block.split("\n", 1)
            name = re.search(r"^def (\w+)", source, flags=re.MULTILINE)[1]
            yield pytest.param(name, source, words.startswith("right"), id=f"{path.stem}-{name}-{words[:40]}")


@pytest.mark.parametrize(("name", "source", "right"), list(attempts()))
def test_what_readers_wrote_is_judged_rightly(name, source, right, capsys):
    function = function_of(f"{IMPORTS}\n{source}", name)
    assert (your_turn(function) is function) == right, capsys.readouterr().out
