"""Imports that fail or are gone: the rest of the work is graded, and it is said."""

from __future__ import annotations

import copy
import time

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from fmnist_helpers.exercises.switches import note
from fmnist_helpers.grading import given_imports
from fmnist_helpers.grading.execute import execute
from fmnist_helpers.grading.given_imports import Given, given_by, go_on, remarks_on_imports, statements_after
from fmnist_helpers.grading.handout import squeezed
from fmnist_helpers.grading.inside import write_package
from fmnist_helpers.grading.instructor_cells import sources_of_tests
from fmnist_helpers.grading.sandbox import Limits
from tests.exercises.bank import grade_id, is_test, read_source, read_variants
from tests.grading.conftest import PROBLEM

NO_SEABORN = ("ModuleNotFoundError", "No module named 'seaborn'")
NO_STYLE = ("OSError", "'seaborn' is not a valid package style, path of style file, URL of style file ...")
NO_BACKEND = ("RuntimeError", "'widget' is not a recognised GUI loop or backend name")
EX03 = "import torch\nfrom torch import nn\nfrom fmnist_helpers.exercises import hint"


def sources(rest) -> list[str]:
    return [statement.source for statement in rest.statements]


def notebook_of(*cells: str) -> NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in cells])


# --- the given imports -------------------------------------------------------------------------------------


def test_given_imports_are_those_of_cells_that_are_neither_answers_nor_tests():
    assert given_by(read_source("ex03_loss")).imports == EX03


@pytest.mark.parametrize(
    ("cells", "remark"),
    [
        ([EX03], None),
        (
            ["import torch, numpy\n%matplotlib inline", "from fmnist_helpers.exercises import *\nhint = 1"],
            "hint",
        ),
        (
            [
                "import torch",
                "!pip install x\nfrom fmnist_helpers.exercises import hint\nimport torch.nn as nn",
            ],
            None,
        ),
        (
            ["import torch as t\nfrom torch import nn", "from fmnist_helpers.exercises import hint"],
            "import torch",
        ),
        (["def model_loss(): pass"], "the cell with the given imports is missing; they were run"),
        ([EX03 + "\nimport ("], "the cell with the given imports is missing; they were run"),
        ([], "the cell with the given imports is missing; they were run"),
    ],
    ids=["there", "a star", "spread", "another name", "gone", "broken", "empty"],
)
def test_what_of_the_given_imports_is_missing_is_told(cells, remark):
    remarks = remarks_on_imports(EX03, notebook_of(*cells))
    assert len(remarks) == (remark is not None)
    assert remark is None or remark in remarks[0]
    assert all(len(one) < 200 for one in remarks)


def test_nothing_is_missing_where_nothing_was_given():
    assert remarks_on_imports("", notebook_of("x = 1")) == []


# --- the rest of a cell ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error", "failed", "rest"),
    [
        ("import seaborn\nx = 1", NO_SEABORN, "import seaborn", ["import seaborn", "x = 1"]),
        (
            "x = 1\nimport seaborn.objects as so\ny = 2",
            NO_SEABORN,
            None,
            ["import seaborn.objects as so", "y = 2"],
        ),
        (
            "import cv2, torch",
            ("ModuleNotFoundError", "No module named 'cv2'"),
            None,
            ["import cv2", "import torch"],
        ),
        (
            "from torch import nn, no\nx = 1",
            ("ImportError", "cannot import name 'no' from 'torch' (/a/torch/__init__.py)"),
            None,
            ["from torch import nn", "from torch import no", "x = 1"],
        ),
        (
            "import torch\nfrom google.colab import drive\ndrive.mount('/content/drive')",
            ("ModuleNotFoundError", "No module named 'google'"),
            "from google.colab import drive",
            ["from google.colab import drive", "drive.mount('/content/drive')"],
        ),
        (
            "from torch.utils.tensorboard import SummaryWriter",
            ("ModuleNotFoundError", "No module named 'tensorboard'"),
            None,
            ["from torch.utils.tensorboard import SummaryWriter"],
        ),
        ("x = 1\nif x:\n    import seaborn\ny = 2", NO_SEABORN, "if x: import seaborn", ["y = 2"]),
        (
            "try:\n    import seaborn\nexcept ImportError:\n    pass\nimport seaborn\ny = 2",
            NO_SEABORN,
            "import seaborn",
            ["import seaborn", "y = 2"],
        ),
        # What a module of the student's own imports stands nowhere: whatever may fail is tried again.
        (
            "import torch\nx = 1\nimport helper\ny = 2",
            NO_SEABORN,
            "",
            ["import torch", "x = 1", "import helper", "y = 2"],
        ),
        ("%%time\nimport seaborn\nx = 1", NO_SEABORN, None, ["import seaborn", "x = 1"]),
        ("%%bash\nimport seaborn\nx = 1", NO_SEABORN, "", []),
        ("%%mine\nx = 1", ("UsageError", "Cell magic `%%mine` not found."), "%%mine", ["x = 1"]),
        ("%mine\nx = 1", ("UsageError", "Line magic function `%mine` not found."), "%mine", ["x = 1"]),
        (
            "%matplotlib widget\nx = 1",
            NO_BACKEND,
            "%matplotlib widget",
            ["get_ipython().run_line_magic('matplotlib', 'widget')", "x = 1"],
        ),
        ("x = !ls\nimport seaborn", NO_SEABORN, None, ["import seaborn"]),
        (
            "import matplotlib.pyplot as plt\nplt.style.use('seaborn')\nx = 1\nimport torch",
            NO_STYLE,
            "plt.style.use('seaborn')",
            ["import matplotlib.pyplot as plt", "plt.style.use('seaborn')", "x = 1", "import torch"],
        ),
        ("plt.style.use('seaborn')\nx = 1", NO_STYLE, "plt.style.use('seaborn')", []),
        (
            "import math\n\ndef f():\n    pass\n\ndef g():\n    pass\n\nf = memory(f)\nwrong()",
            ("NameError", "name 'wrong' is not defined"),
            "wrong()",
            ["import math", "def g():\n    pass", "f = memory(f)", "wrong()"],
        ),
        ("import torch\ndef f(:", ("SyntaxError", "invalid syntax"), "", []),
        ("import torch\n" + "x = 1\n" * 5000, NO_SEABORN, "", []),
    ],
)
def test_rest_of_a_cell_follows_from_its_text_and_its_error(source, error, failed, rest):
    found = statements_after(source, *error)
    assert sources(found) == rest
    assert failed is None or found.failed == failed


def test_a_cell_is_run_in_forty_parts_at_most():
    source = "import " + ", ".join(f"module_{number}" for number in range(60))
    assert len(statements_after(source, "ModuleNotFoundError", "No module named 'module_3'").statements) == 40


@pytest.mark.parametrize(
    "text",
    [
        "-" * 9000 + "1",
        "+".join(["1"] * 4900),
        "a." * 4900 + "a",
        "lambda:" * 1300 + "1",
        "%x y\n" * 1900,
        "\0",
        "%%",
    ],
    ids=["minus", "plus", "dots", "lambda", "magics", "null", "magic"],
)
def test_text_that_is_made_to_hurt_is_told_and_no_more(text):
    cell = failing(f"import torch\n{text}", "ValueError", "'" * 100_000)
    notes, start = [], time.process_time()
    go_on(cell, lambda source: [], notes)
    assert time.process_time() - start < 3
    assert len(notes) == 1 and len(notes[0]) < 200 and notes[0].isprintable()


def failing(source: str, name: str, message: str) -> NotebookNode:
    cell = new_code_cell(source)
    cell.outputs = [new_output("error", ename=name, evalue=message, traceback=[])]
    return cell


class Kernel:
    """Stands for a student's process: these statements fail, and the others print."""

    def __init__(self, *failing: str, until: int = 100) -> None:
        self.failing, self.until, self.ran = failing, until, []

    def __call__(self, source: str) -> list[NotebookNode] | None:
        if len(self.ran) == self.until:
            return None
        self.ran.append(source)
        if source in self.failing:
            return [new_output("error", ename="ModuleNotFoundError", evalue=f"not {source}", traceback=[])]
        return [new_output("stream", text=f"{source}\n")]


HELPER = "import torch\nx = []\nimport helper\nx.append(1)\n"


def test_what_has_run_is_run_again_only_if_it_does_no_harm():
    kernel, notes, cell = Kernel("import helper"), [], failing(HELPER, *NO_SEABORN)
    go_on(cell, kernel, notes)
    assert kernel.ran == ["import torch", "import helper", "x.append(1)"]
    assert [output.get("text") for output in cell.outputs] == [None, "x.append(1)\n"]
    assert notes == ["`import helper` failed (not import helper); the rest of its cell was run without it"]


def test_after_another_error_what_is_defined_is_run_once_more():
    kernel, notes, cell = Kernel(), [], failing("x = 1\nimport torch\nprint(1 / 0)\ndef f(): pass", *NO_STYLE)
    go_on(cell, kernel, notes)
    assert kernel.ran == ["import torch", "def f():\n    pass"] and len(cell.outputs) == 1
    assert len(notes) == 1 and "OSError" in notes[0] and "were run once more" in notes[0]


def test_nothing_more_is_run_when_there_is_no_time():
    kernel, notes = Kernel("import seaborn", until=1), []
    go_on(failing("import seaborn\nimport torch\nx = 1", *NO_SEABORN), kernel, notes)
    assert kernel.ran == ["import seaborn"] and len(notes) == 1


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "CellTimeoutError"])
def test_an_interrupted_cell_is_left_alone(name):
    kernel, notes = Kernel(), []
    go_on(failing("import torch", name, ""), kernel, notes)
    assert kernel.ran == notes == []


def test_other_cells_that_failed_are_told_three_times_and_answers_are_not():
    notes: list[str] = []
    answer = failing("model_loss(1)", "NameError", "name 'model_loss' is not defined")
    answer.metadata.nbgrader = {"grade_id": "answer", "solution": True}
    go_on(answer, Kernel(), notes)
    assert notes == []
    for number in range(5):
        go_on(failing(f"drive.mount({number})", "NameError", "name 'drive' is not defined"), Kernel(), notes)
    assert len(notes) == given_imports.MOST_FAILED
    assert notes[0] == (
        "a cell that is no answer failed: `drive.mount(0)`: NameError: name 'drive' is not defined"
    )


# --- through the kernel ------------------------------------------------------------------------------------


def run(folder, notebook: NotebookNode, limits: Limits | None = None, **options):
    write_package(folder / "package")
    (folder / "staged").mkdir()
    folders = folder / "staged", folder / "package"
    tests = options.pop("tests", {})
    return execute(notebook, *folders, limits or Limits(), tests, 7, sandboxed=not PROBLEM, **options)


def shown(cell: NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


ACCIDENTS = {
    "import seaborn as sns\nimport array\nsns.set_theme()\nprint('once')": "array",
    "from google.colab import drive\nimport bisect": "bisect",
    "%matplotlib widget\nimport calendar": "calendar",
    "import cv2, chunk_of_mine, colorsys": "colorsys",
    "import matplotlib.pyplot as plt\nplt.style.use('seaborn')\nimport csv\ndef difflib(): pass": "csv, difflib",
    "%load_ext not_there\nimport dis": "dis",
    "%%time\nimport not_there\nimport filecmp": "filecmp",
    "%%not_there\nimport fileinput": "fileinput",
}


def test_accidents_of_import_cells_cost_nothing_below_them(tmp_path):
    cells = [text for source, names in ACCIDENTS.items() for text in (source, f"print({names})")]
    notebook = notebook_of(*cells)
    report = run(tmp_path, notebook, given=Given("import torch", frozenset()))
    for accident, after in zip(notebook.cells[::2], notebook.cells[1::2], strict=True):
        assert any(output.output_type == "error" for output in accident.outputs)
        assert not any(output.output_type == "error" for output in after.outputs), accident.source
        named = accident.source.splitlines()[0].split(",")[0].removeprefix("%%time")
        assert any(named in note or "seaborn" in note for note in report.notes), accident.source
    assert shown(notebook.cells[0]) == "once\n"
    assert report.notes[0] == "the cell with the given imports is missing; they were run"
    assert "`import chunk_of_mine` failed" in " ".join(report.notes)
    assert [cell.execution_count for cell in notebook.cells] == list(range(1, len(cells) + 1))


@pytest.mark.slow
def test_rest_of_a_cell_has_the_time_of_the_cell(tmp_path):
    source = "import time\nimport not_there\nprint('begun')\ntime.sleep(100)\nprint('never')"
    notebook = notebook_of(source, "print('after')")
    report = run(tmp_path, notebook, Limits(cell_seconds=5))
    assert report.seconds < 30 and report.stopped
    assert shown(notebook.cells[0]) == "begun\n" and shown(notebook.cells[1]) == "after\n"


def test_right_work_without_its_imports_and_with_switches_left_on_earns_its_marks(tmp_path):
    source = read_source("ex03_loss")
    right = {}
    for variant in read_variants("ex03_loss"):
        if variant.correct and variant.task != "predict":
            right.setdefault(variant.task, variant.cells[0])
    notebook = copy.deepcopy(source)
    for cell in notebook.cells:
        if grade_id(cell) in right:
            cell.source = "import seaborn\n" + right[grade_id(cell)]
    imports = next(
        number for number, cell in enumerate(notebook.cells) if cell.source.startswith("import torch")
    )
    switches = "torch.set_default_dtype(torch.float64)\nmode = torch.inference_mode()\nmode.__enter__()\n"
    # After the cell that measures, which is not observed.
    measured = next(number for number, cell in enumerate(notebook.cells) if "measured =" in cell.source)
    notebook.cells.insert(measured + 1, new_code_cell(switches + "torch.set_default_device('meta')"))
    del notebook.cells[imports]
    options = {"tests": sources_of_tests(source), "given": given_by(source)}
    report = run(tmp_path, notebook, **options)
    tests = [cell for cell in notebook.cells if is_test(cell)]
    errors = [one.evalue for cell in tests for one in cell.outputs if one.output_type == "error"]
    assert len(tests) == 5 and errors == []
    assert report.notes[0] == "the cell with the given imports is missing; they were run"
    assert set(report.notes[1:]) == {
        "`import seaborn` failed (No module named 'seaborn'); the rest of its cell was run without it",
        *map(note, ("default_device", "inference_mode", "default_dtype")),
    }
    assert report.stopped == "" and report.flags == []


def test_given_cell_that_a_switch_spoils_is_run_again_without_it(tmp_path):
    given = "w = torch.zeros(2, requires_grad=True)\n(w * 2).sum().backward()\nmeasured = w.grad.tolist()"
    cells = [
        new_code_cell("import torch\ntorch.set_grad_enabled(False)"),
        new_code_cell(given),
        new_code_cell("measured"),
    ]
    notebook = new_notebook(cells=cells)
    report = run(tmp_path, notebook, given=Given("import torch", frozenset({squeezed(given)})))
    assert notebook.cells[2].outputs[0].data["text/plain"] == "[2.0, 2.0]"
    (told,) = report.notes
    assert told.startswith("the given cell `w = torch.zeros(2, requires_grad=True)` failed (RuntimeError")
    assert told.endswith("it was run again, with all switches at the start")
