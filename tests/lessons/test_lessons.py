"""What every lesson must be; that it runs and prints what it did is nbval's part (``tolerance.py``)."""

import ast
import base64
import html
import io
import json
import re
import symtable
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from PIL import Image

import fmnist_helpers
from fmnist_helpers import widgets
from fmnist_helpers.course.strip import REGRESSION_ONLY
from fmnist_helpers.figures import Drawing
from tests.lessons.questions import is_gated
from tests.lessons.tolerance import PREFIX, Tolerance
from tests.lessons.true_words import check
from tests.tools.course import COURSE, LESSONS, NOTEBOOKS, RESULTS
from tests.tools.execute import FOLDED, KERNEL, QUESTION, tidy
from tests.tools.lesson_table import row, to_state

NAMES = [path.stem for path in LESSONS]
README = COURSE / "README.md"
LINK = re.compile(r"\[[^\]]*\]\(([^)]+)\)")

RAISES = "raises-exception"
"""The tag of a cell whose error is to be read: JupyterLab and the regression go on after it."""
KNOWN_TAGS = ("nbval-ignore-output", REGRESSION_ONLY, FOLDED, QUESTION, RAISES)

# The widest differences between real data and stand-in that a lesson may shrug off.
MOST = Tolerance(percent=10, decimal=0.3)


@pytest.fixture(params=LESSONS, ids=NAMES)
def lesson(request):
    notebook = nbformat.read(request.param, as_version=4)
    notebook.path = request.param
    return notebook


def code_cells(lesson):
    return [cell for cell in lesson.cells if cell.cell_type == "code"]


def text_of(lesson):
    return "\n\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")


def tags_of(cell):
    return cell.metadata.get("tags", [])


def test_the_lessons_of_the_course_are_here():
    assert NAMES == [
        "00_start_here",
        "01_data",
        "02_model",
        "03_loss",
        "04_optimizer",
        "05_training_loop",
        "06_better_training",
        "07_model_for_images",
        "08_on_your_own",
    ]


def test_executed_top_to_bottom_in_one_go(lesson):
    nbformat.validate({key: value for key, value in lesson.items() if key != "path"})
    counts = [cell.execution_count for cell in code_cells(lesson)]
    assert counts == list(range(1, len(counts) + 1))


def test_what_shows_something_has_stored_it(lesson):
    # nbval compares only what is stored: a cell without its outputs passes whatever it prints.
    for cell in code_cells(lesson):
        statements = list(executed(ast.parse(cell.source).body))
        is_value = isinstance(statements[-1], ast.Expr) and not isinstance(statements[-1].value, ast.Call)
        if (
            is_value
            or makes_a_part(statements[-1])
            or makes_a_figure(statements[-1])
            or any(ast.unparse(one).startswith("print(") for one in statements)
        ):
            assert cell.outputs, f"run: make execute (no output is stored of {cell.source!r})"


def makes_a_part(statement):
    """Tell whether a statement ends its cell with an interactive part."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", None) in widgets.__all__


def makes_a_figure(statement):
    """Tell whether a statement ends its cell with a figure, drawn or only named."""
    return bool(re.match(r"(\w+\.)?(plot|draw)(_\w+)?\(|figure$|drawing$", ast.unparse(statement)))


def test_lessons_have_something_to_move_and_something_to_predict(lesson):
    ends = [ast.parse(cell.source).body[-1] for cell in code_cells(lesson)]
    made = [statement.value.func.id for statement in ends if makes_a_part(statement)]
    if lesson.path.stem != "00_start_here":
        assert "Prediction" in made
        assert set(made) - {"Prediction"}


def test_a_page_that_nobody_runs_shows_still_pictures_and_questions(lesson):
    for cell in code_cells(lesson):
        if makes_a_part(ast.parse(cell.source).body[-1]):
            (output,) = cell.outputs
            assert "in JupyterLab or on Binder" in output.data["text/html"]
            assert ("<img alt=" in output.data["text/html"]) != is_gated(cell)


def executed(statements):
    """Give the statements that a cell is sure to execute, those in its loops too."""
    for statement in statements:
        if isinstance(statement, ast.For | ast.With):
            yield from executed(statement.body)
        else:
            yield statement


def test_outputs_hold_no_other_error_no_stderr_and_no_widget(lesson):
    for cell in code_cells(lesson):
        errors = [output for output in cell.outputs if output.output_type == "error"]
        assert len(errors) == (RAISES in tags_of(cell)), "an error is met where it is meant, and only there"
        for output in cell.outputs:
            assert output.get("name") != "stderr"
            assert not any("widget" in kind for kind in output.get("data", {}))


def test_stored_outputs_come_from_the_real_data(lesson):
    prepared = [cell for cell in code_cells(lesson) if "prepare_data()" in cell.source]
    assert prepared
    assert all("the real data" in cell.outputs[0].text for cell in prepared)


def test_metadata_is_tidy(lesson):
    path = lesson.pop("path")
    before = nbformat.writes(lesson)
    tidy(lesson)
    assert nbformat.writes(lesson) == before, f"run: make execute ({path.name})"
    assert lesson.metadata.kernelspec == KERNEL


def test_no_absolute_path_and_no_shell_magic(lesson):
    for cell in code_cells(lesson):
        assert not re.search(r"^\s*[!%]", cell.source, flags=re.MULTILINE), cell.source
        shown = "".join(
            output.get("text", "") + "".join(output.get("traceback", [])) for output in cell.outputs
        )
        assert not re.search(r"(?<![\w.<])/(home|root|Users|tmp|work|mnt|srv)\b", cell.source + shown)


def test_the_first_cell_installs_the_course_only_where_it_is_missing(lesson, monkeypatch):
    assert [cell.cell_type for cell in lesson.cells[:2]] == ["markdown", "code"]
    install = lesson.cells[1].source
    done = []
    shell = SimpleNamespace(run_line_magic=lambda magic, line: done.append((magic, line)))
    exec(install, {"get_ipython": lambda: shell})
    assert done == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(install, {"get_ipython": lambda: shell})
    ((magic, line),) = done
    assert magic == "pip" and line.startswith("install --quiet git+https://github.com/")


def test_headings_are_in_order(lesson):
    heading = re.compile(r"^(#+) (.+)$", flags=re.MULTILINE)
    levels = [(len(marks), title) for marks, title in heading.findall(text_of(lesson))]
    assert [title for level, title in levels if level == 1] == [levels[0][1]], "one H1, at the top"
    assert {level for level, _ in levels} <= {1, 2}
    titles = [title for level, title in levels if level == 2]
    assert titles[-2:] == ["Summary", "Check yourself"]
    numbered = [title for title in titles if title[0].isdigit()]
    assert [title.split(".")[0] for title in numbered] == [str(i + 1) for i in range(len(numbered))]
    assert 4 <= len(numbered) <= 8


def test_the_opening_says_what_for_what_it_needs_and_how_long(lesson):
    opening = text_of(lesson).split("\n## ")[0]
    for words in ("you will be able to", "**You need**", "**Time:**"):
        assert words in opening


def test_links_lead_somewhere(lesson):
    for target in LINK.findall(text_of(lesson)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        assert not anchor, f"{target}: name the section in words instead"
        assert (NOTEBOOKS / file).is_file(), target


def test_links_say_where_they_lead(lesson):
    for words in re.findall(r"\[([^\]]+)\]\([^)]+\)", text_of(lesson)):
        assert words.lower() not in ("here", "this", "link", "click here", "this link", "page")
        assert len(words) >= 6, words


def test_tables_have_headers(lesson):
    for block in re.findall(r"(?:^\|.*\n)+", text_of(lesson) + "\n", flags=re.MULTILINE):
        head, rule, *rows = block.splitlines()
        assert re.fullmatch(r"(\|\s*:?-+:?\s*)+\|", rule), block
        assert rows and all(cell.strip() for cell in head.strip("|").split("|"))


def test_previous_and_next_follow_the_order(lesson):
    place = LESSONS.index(lesson.path)
    last = lesson.cells[-1].source.splitlines()[-1]
    if place > 0:
        assert f"Previous: [{title_of(LESSONS[place - 1])}]({LESSONS[place - 1].name})" in last
    if place + 1 < len(LESSONS):
        assert f"Next: [{title_of(LESSONS[place + 1])}]({LESSONS[place + 1].name})" in last


def title_of(path):
    heading = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
    return heading.removeprefix("# ").replace(":", ",")


def test_no_exported_function_is_defined_again(lesson):
    for cell in code_cells(lesson):
        defined = {
            node.name
            for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        assert not defined & set(fmnist_helpers.__all__)


def figures_of(lesson):
    """Give the HTML of each figure, with its words."""
    for cell in code_cells(lesson):
        if makes_a_figure(ast.parse(cell.source).body[-1]):
            (data,) = (output.data for output in cell.outputs if output.output_type == "execute_result")
            yield data["text/html"], data["text/plain"]


def test_every_figure_has_its_text_alternative(lesson):
    for cell in code_cells(lesson):
        assert "plt." not in cell.source, "a plot_ function of the course says in words what it drew"
        assert "alt=" not in cell.source
        for output in cell.outputs:
            data = output.get("data", {})
            assert "image/png" not in data, "a figure without words"
            for alt in re.findall(r"<img [^>]*", data.get("text/html", "")):
                assert re.match(r'<img alt="[^"]{30,}"', alt)
    for page, words in figures_of(lesson):
        assert page.startswith(f'<img alt="{html.escape(words)}" ')


def test_code_of_a_question_is_folded_because_it_holds_the_answer(lesson):
    for cell in code_cells(lesson):
        assert (QUESTION in tags_of(cell)) == is_gated(cell)
        assert not is_gated(cell) or cell.metadata.jupyter.source_hidden


def test_figures_show_something(lesson):
    for page, _ in figures_of(lesson):
        source = re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(source))).convert("L"))
        assert (pixels < 200).mean() > 0.002


def test_what_a_figure_says_of_its_lines_agrees_with_the_values_below_it(lesson):
    for page, words in figures_of(lesson):
        told = words.partition("In this run: ")[2].split("; ")
        courses = [
            re.search(r"(rises|falls|goes) from ([^ ]+) to ([^ ;]+?)[,.]*(?= |$)", one) for one in told
        ]
        rows = [row.split(", ") for row in re.findall(r"</strong>: (.*?)</li>", page)]
        if any(courses):
            for course, row in zip(courses, rows, strict=True):
                if course:
                    assert [course[2], course[3]] == [row[0].split(": ")[1], row[-1].split(": ")[1]]


LIES = {
    "direction": ("rises from", "falls from"),
    "end": ("to 2.5", "to 2.6"),
    "turns": ("turning 1 time", "turning 2 times"),
    "lowest": ("lowest 0.5 at 1", "lowest 0.4 at 1"),
    "place": ("lowest 0.5 at 1", "lowest 0.5 at 2"),
    "left out": (", turning 1 time, lowest 0.5 at 1", ""),
    "made up": ("turning 1 time, lowest", "turning 1 time, highest 9 at 2, lowest"),
    "constant": ("4 throughout", "5 throughout"),
    "point": ("7 at 2", "7 at 3"),
    "name": ("; b: ", "; c: "),
    "one line less": ("; b: 4 throughout", ""),
}


@pytest.mark.parametrize(("truth", "lie"), LIES.values(), ids=LIES)
def test_a_figure_that_says_what_is_not_so_is_refused(monkeypatch, truth, lie):
    lines = {"a": [1.5, 0.5, 2.5], "b": [4, 4, 4]}
    drawing = fmnist_helpers.plot_lines(lines, title="T", xlabel="x", ylabel="y")
    drawing.axes[0].plot(2, 7, "o", label="c")
    check(drawing)
    words = repr(drawing)
    assert truth in words
    monkeypatch.setattr(Drawing, "__repr__", lambda self: words.replace(truth, lie))
    with pytest.raises(AssertionError):
        check(drawing)


def test_what_is_not_compared_is_followed_by_an_assertion(lesson):
    cells = code_cells(lesson)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if "nbval-ignore-output" in tags_of(cell):
            assert following is not None
            assert following.outputs or "assert" in following.source
            assert "nbval-ignore-output" not in tags_of(following)


def test_tags_are_known_and_tolerances_modest(lesson):
    for cell in code_cells(lesson):
        for tag in tags_of(cell):
            assert tag in KNOWN_TAGS or tag.startswith(PREFIX), tag
        tolerance = Tolerance.from_tags(tags_of(cell))
        assert tolerance.percent <= MOST.percent
        assert tolerance.decimal <= MOST.decimal
        assert tolerance == Tolerance() or cell.outputs, "a tolerance for nothing"


def test_cells_that_end_in_an_assertion_and_show_nothing_are_for_the_tests_alone(lesson):
    for cell in code_cells(lesson):
        for_tests = (
            isinstance(list(executed(ast.parse(cell.source).body))[-1], ast.Assert) and not cell.outputs
        )
        assert (REGRESSION_ONLY in tags_of(cell)) == for_tests, f"the tag of {cell.source!r}"


def test_no_learners_cell_depends_on_one_that_copies_lack(lesson):
    ours = set()
    for cell in code_cells(lesson):
        defined, needed = names_of(cell.source)
        if REGRESSION_ONLY in tags_of(cell):
            ours |= defined
        else:
            assert not needed & ours, cell.source


def names_of(source):
    """Return the names that a cell defines for others, and those that it takes from others."""
    cell = symtable.symtable(source, "cell", "exec")
    defined = {one.get_name() for one in cell.get_symbols() if one.is_assigned() or one.is_imported()}
    tables, needed = [cell], {one.get_name() for one in cell.get_symbols() if one.is_referenced()}
    while tables:
        table = tables.pop()
        tables += table.get_children()
        needed |= {one.get_name() for one in table.get_symbols() if one.is_referenced() and one.is_global()}
    return defined, needed - defined


def test_prose_is_calm(lesson):
    # The glossary names the words that others use.
    text = re.sub(r"`[^`]*`|^## Words.*?(?=^## )", "", text_of(lesson), flags=re.MULTILINE | re.DOTALL)
    assert "!" not in text
    assert not re.search(r"\b(dataset|data-set|minibatch|learning-rate)\b", text), "one word a concept"


def test_times_of_the_map_agree_with_the_lessons():
    rows = re.findall(r"\]\((\w+\.ipynb)\) \|[^|]*\| (\d+) min \|", text_of(read(LESSONS[0])))
    assert [name for name, _ in rows] == [path.name for path in LESSONS[1:]]
    for name, minutes in rows:
        assert f"**Time:** about {minutes} minutes" in text_of(read(NOTEBOOKS / name))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_stated_times_are_those_that_were_counted(path):
    counted = row(path)
    assert counted.stated == to_state(counted.counted), counted


def test_times_of_the_readme_agree_with_the_lessons():
    rows = re.findall(r"notebooks/(\w+\.ipynb)\) \|[^|]*\| (\d+) min \|", README.read_text())
    assert [name for name, _ in rows] == [path.name for path in LESSONS]
    for name, minutes in rows:
        assert f"**Time:** about {minutes} minutes" in text_of(read(NOTEBOOKS / name))


MINUTES = {
    "less than one": (0, 0.75),
    "about one": (0.6, 1.5),
    "about two": (1.5, 2.5),
    "about three": (2.5, 3.5),
}


def test_run_times_are_those_that_were_measured():
    measured = json.loads((RESULTS / "lesson_times.json").read_text())["lessons"]
    assert sorted(measured) == NAMES, "run: python -m tests.measure.lessons --write"
    stated = dict(re.findall(r"notebooks/(\w+)\.ipynb\).*\| (\d+) s \|", README.read_text()))
    assert stated == {name: str(figures["seconds"]) for name, figures in measured.items()}
    for path in LESSONS[1:]:
        words = re.search(r"of which the cells take ([a-z ]+)\.", text_of(read(path)))[1]
        low, high = MINUTES[words]
        assert low <= measured[path.stem]["seconds"] / 60 <= high, (path.stem, words)


def read(path: Path):
    return nbformat.read(path, as_version=4)
