"""A class as it might be: honest submissions, accidents, cheats and attacks, each with the marks it must get.

``write`` puts the submissions into nbgrader's layout; ``CASES`` is the table. All are of one assignment.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from fmnist_helpers.grading.handout import Handout
from tests.exercises.bank import grade_id, read_source, read_variants, tasks

ASSIGNMENT = "ex05_training_loop"
DUE = "2026-03-01 12:00:00 UTC"
MANUAL = "needs manual grading"
IN_PART, FLAGGED, GRADED = "graded in part", "flagged", "graded"
UNREADABLE, NOT_SUBMITTED = "unreadable", "not submitted"

POINTS = {
    "predict-test": 2.0,
    "top_two_accuracy-test": 4.0,
    "accuracy_by_class-test": 4.0,
    "train_accumulated-updates": 4.0,
    "train_accumulated-losses": 2.0,
    "train_clipped-updates": 4.0,
    "train_clipped-losses": 1.0,
}
"""What the automatically graded cells are worth (a test compares this with the assignment)."""

TARGET = "accuracy_by_class"
"""The task whose answer most cases spoil; two tasks come before it and two after."""
AFTER = ("accuracy_by_class-test", *list(POINTS)[3:])

Change = Callable[[NotebookNode], None]


@dataclass(frozen=True)
class Case:
    """One student."""

    student: str
    status: str
    lost: tuple[str, ...] = ()
    """Graded cells that must get 0; all others get full marks."""
    words: str = ""
    """What detail, flags or notes must say."""
    change: Change = lambda notebook: None
    text: str | None = None
    """The file's content, in place of a notebook."""
    name: str = f"{ASSIGNMENT}.ipynb"
    files: dict[str, str] = field(default_factory=dict)
    needs_sandbox: bool = False


def answered(extra: str = "", *, before: str = "", only: str | None = None, task: str = TARGET) -> Change:
    """Return a change that adds code before or after the right answer of a task, or puts ``only`` in its place."""

    def change(notebook: NotebookNode) -> None:
        cell = cell_of(notebook, task)
        cell.source = only if only is not None else f"{before}\n{cell.source}\n{extra}"

    return change


def in_function(body: str) -> str:
    """Return the target's function with another body."""
    return f"def {TARGET}(dataloader, model, num_classes):\n    {body}"


def cell_of(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if grade_id(cell) == name)


def place_of(notebook: NotebookNode, name: str) -> int:
    return next(place for place, cell in enumerate(notebook.cells) if grade_id(cell) == name)


def solved(release: NotebookNode) -> NotebookNode:
    """Return the students' copy with a right answer to every task and an explanation."""
    notebook = copy.deepcopy(release)
    right = {variant.task: variant for variant in reversed(read_variants(ASSIGNMENT)) if variant.correct}
    for name, task in tasks(ASSIGNMENT).items():
        for answer, source in zip(task.answers, right[name].cells, strict=True):
            cell_of(notebook, answer).source = source
    cell_of(notebook, "explain").source = "Only a validation split can tell."
    return notebook


# --- changes that take more than a line --------------------------------------------------------------------


def _blank(notebook: NotebookNode) -> None:
    source = {grade_id(cell): cell for cell in notebook.metadata.pop("released").cells}
    for cell in notebook.cells:
        if grade_id(cell):
            cell.source = source[grade_id(cell)].source


def _copy_test(notebook: NotebookNode) -> None:
    place = place_of(notebook, "accuracy_by_class-test")
    notebook.cells.insert(place + 1, copy.deepcopy(notebook.cells[place]))


def _delete(*names: str) -> Change:
    def change(notebook: NotebookNode) -> None:
        for name in names:
            del notebook.cells[place_of(notebook, name)]

    return change


def _test_first(notebook: NotebookNode) -> None:
    test = notebook.cells.pop(place_of(notebook, "accuracy_by_class-test"))
    notebook.cells.insert(1, test)


def _edited_test(notebook: NotebookNode) -> None:
    cell_of(notebook, TARGET).source = "accuracy_by_class = None"
    test = cell_of(notebook, "accuracy_by_class-test")
    test.source = "pass"
    test.metadata.nbgrader.points = 400
    cell_of(notebook, "predict-test").metadata.nbgrader.points = "many"


def _other_kernel(notebook: NotebookNode) -> None:
    notebook.metadata.kernelspec = {"name": "julia-9.9", "display_name": "Julia", "language": "julia"}


def _renamed(notebook: NotebookNode) -> None:
    cell = cell_of(notebook, TARGET)
    cell.source = cell.source.replace("def accuracy_by_class", "def class_accuracy")


def _other_labels(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if grade_id(cell):
            cell.metadata.nbgrader.grade_id += "-of-another"


def _other_assignment(notebook: NotebookNode) -> None:
    notebook.cells = Handout(read_source("ex02_model")).cells


def _bare_metadata(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if grade_id(cell):
            cell.metadata = NotebookNode(nbgrader={"grade_id": grade_id(cell)}, tags=["mine"])


def _version_three(notebook: NotebookNode) -> None:
    notebook.metadata.as_version = 3


def _turned_into_text(notebook: NotebookNode) -> None:
    cell = cell_of(notebook, "accuracy_by_class-test")
    place = notebook.cells.index(cell)
    notebook.cells[place] = nbformat.v4.new_markdown_cell(cell.source, metadata=cell.metadata)


PATCH_ALL = """
import fmnist_helpers.exercises.ex05_training_loop as checks
for name in dir(checks):
    if name.startswith("check_"):
        setattr(checks, name, lambda *arguments, **options: None)
accuracy_by_class = None
"""
PATCH_WHEN_CALLED = """
def accuracy_by_class(dataloader, model, num_classes):
    import fmnist_helpers.exercises.ex05_training_loop as checks
    checks.close = lambda *arguments: True
    checks.judge_accuracy_by_class = lambda *arguments: "all is right"
    checks.Check.fail = lambda *arguments, **options: None
    return None
"""
PATCH_TORCH = """
import builtins
torch.Tensor.__eq__ = lambda self, other: torch.ones(len(self), dtype=torch.bool)
builtins.zip = lambda *arguments, **options: []
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            model(images)
    return torch.ones(num_classes)
"""
PATCH_CODE = """
from fmnist_helpers.exercises import check
check.close.__code__ = (lambda one, other, tolerance=1: True).__code__
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            model(images)
    return torch.ones(num_classes)
"""
ALWAYS_EQUAL = """
class Agreeable:
    shape = (4,)
    dtype = torch.float32
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __getattr__(self, name): return self
    def __call__(self, *arguments, **options): return self
    def __float__(self): return 1.0
    def __iter__(self): return iter([])
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            model(images)
    return Agreeable()
"""
SUBCLASS = """
class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None): return torch.tensor(True)
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            model(images)
    return torch.ones(num_classes).as_subclass(Agreeable)
"""
HIDE_ERRORS = """
shell = get_ipython()
shell.showtraceback = shell._showtraceback = lambda *arguments, **options: None
shell.set_custom_exc((Exception,), lambda *arguments, **options: None)
accuracy_by_class = None
"""
REWRITE_CELLS = """
get_ipython().input_transformers_post.append(lambda lines: ["pass\\n"] if any("check_" in l for l in lines) else lines)
accuracy_by_class = None
"""
BEFORE_EACH_CELL = """
def replace_the_check(*arguments):
    import fmnist_helpers.exercises.ex05_training_loop as checks
    checks.check_accuracy_by_class = lambda *arguments, **options: None
get_ipython().events.register("pre_run_cell", replace_the_check)
accuracy_by_class = None
"""
TELL_HIDDEN = """
_right = accuracy_by_class
def accuracy_by_class(dataloader, model, num_classes):
    print(In[-1])
    print(repr(In[-1]))
    from IPython.display import HTML, display
    display(HTML("<pre>" + In[-1] + "</pre>"))
    return _right(dataloader, model, num_classes)
"""
FORKS = """
import os, time
for number in range(300):
    try:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
    except OSError as error:
        print("stopped at", number)
        break
"""
LOOK_AROUND = """
import os, socket
for place in {places}:
    print("visible" if os.path.exists(place) else "not visible", place)
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=2)
    print("network: connected")
except OSError as error:
    print("network: none")
"""
ENDLESS = "did not come to an end within 20 s and was interrupted (usually an endless loop)"
"""What must be told where a cell may take 20 s, as in the tests."""
UNENDING = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"


CASES = [
    Case("honest", MANUAL),
    Case("nothing done", GRADED, tuple(POINTS), change=_blank),
    Case(
        "syntax error", MANUAL, ("accuracy_by_class-test",), change=answered(only="def accuracy_by_class(:")
    ),
    Case(
        "warns",
        MANUAL,
        change=answered("import sys, warnings; warnings.warn('odd'); print('!', file=sys.stderr)"),
    ),
    Case("Zoë O'Neill-Łu [*] 学生", MANUAL),
    Case("=1+1", MANUAL),
    Case(
        "loop",
        IN_PART,
        AFTER[:1],
        f"{ENDLESS}, at accuracy_by_class-test",
        answered(only="while True: pass"),
    ),
    Case(
        "loop in a function",
        IN_PART,
        AFTER[:1],
        f"`accuracy_by_class` {ENDLESS}, at accuracy_by_class-test",
        answered(only=in_function("while True: pass")),
    ),
    Case(
        "list without end",
        IN_PART,
        AFTER[:1],
        "`accuracy_by_class` asked for more than 6 GiB of memory (usually an endless loop that adds",
        answered(only=in_function("kept = []\n    while True: kept.append(bytes(2**28))")),
        needs_sandbox=True,
    ),
    Case(
        "calls itself",
        MANUAL,
        AFTER[:1],
        change=answered(only=in_function(f"return {TARGET}(dataloader, model, num_classes)")),
    ),
    Case("loop without mercy", IN_PART, AFTER, "could not be interrupted", answered(only=UNENDING)),
    Case(
        "kills the kernel", IN_PART, AFTER, "the kernel died, at accuracy", answered("import os; os._exit(1)")
    ),
    Case(
        "kills itself hard", IN_PART, AFTER, "the kernel died", answered("import os; os.kill(os.getpid(), 9)")
    ),
    Case("exits", MANUAL, change=answered("raise SystemExit")),
    Case("asks for input", MANUAL, change=answered("input('what now? ')")),
    Case("recursion", MANUAL, change=answered("def again(): again()\nagain()")),
    Case("copied test", MANUAL, words="accuracy_by_class-test stood there twice", change=_copy_test),
    Case(
        "deleted test", MANUAL, words="was missing and was put back", change=_delete("accuracy_by_class-test")
    ),
    Case(
        "deleted much",
        GRADED,
        (*AFTER[1:], "accuracy_by_class-test"),
        "explain was missing",
        _delete(TARGET, "accuracy_by_class-test", "train_accumulated", "train_clipped", "explain"),
    ),
    Case("edited test", MANUAL, AFTER[:1], change=_edited_test),
    Case("test first", MANUAL, words="stood before its answer", change=_test_first),
    Case("test as text", MANUAL, words="turned into a markdown cell", change=_turned_into_text),
    Case("bare metadata", MANUAL, change=_bare_metadata),
    Case("renamed function", MANUAL, AFTER[:1], change=_renamed),
    Case("50 MB of output", MANUAL, change=answered("print('y' * 50_000_000)")),
    Case(
        "prints for ever",
        IN_PART,
        AFTER[:1],
        "printed without end",
        answered(only="while True: print('x' * 9999)"),
    ),
    Case("wrong kernel", MANUAL, change=_other_kernel),
    Case("labels of another", MANUAL, words="recognised by their text", change=_other_labels),
    Case("other assignment", FLAGGED, tuple(POINTS), "another assignment", _other_assignment),
    Case("empty file", UNREADABLE, words="the file is empty", text=""),
    Case("half a file", UNREADABLE, words="ends in the middle", text='{"cells": ['),
    Case("a picture", UNREADABLE, words="a picture (JPEG)", text="\udcff\udcd8\udcff"),
    Case("a list", UNREADABLE, words="it is not a notebook", text="[1, 2]"),
    Case("nested", UNREADABLE, words="nested without end", text="[" * 100_000),
    Case("nbformat 3", MANUAL, change=_version_three),
    Case("second download", MANUAL, words="is called", name=f"{ASSIGNMENT} (1).ipynb"),
    Case("only a text file", NOT_SUBMITTED, words="holds no notebook", text="later", name="note.txt"),
    Case("shadows torch", MANUAL, files={"torch.py": "raise ImportError('mine')", "random.py": "1 / 0"}),
    Case("late", MANUAL, files={"timestamp.txt": "2026-03-02 12:00:00 UTC"}),
    Case("patches the checks", MANUAL, AFTER[:1], change=answered(only=PATCH_ALL)),
    Case(
        "patches when called",
        MANUAL,
        AFTER[:1],
        change=answered(only=PATCH_WHEN_CALLED),
    ),
    Case("patches torch", MANUAL, AFTER, change=answered(only=PATCH_TORCH)),
    Case("patches code", MANUAL, AFTER[:1], change=answered(only=PATCH_CODE)),
    Case("always equal", MANUAL, AFTER[:1], change=answered(only=ALWAYS_EQUAL)),
    Case("always equal tensor", MANUAL, AFTER[:1], change=answered(only=SUBCLASS)),
    Case("hides errors", MANUAL, AFTER[:1], change=answered(only=HIDE_ERRORS)),
    Case("rewrites cells", MANUAL, AFTER[:1], change=answered(only=REWRITE_CELLS)),
    Case("before each cell", MANUAL, AFTER[:1], change=answered(only=BEFORE_EACH_CELL)),
    Case("tells hidden tests", MANUAL, change=answered(TELL_HIDDEN)),
    Case(
        "takes 8 GB",
        IN_PART,
        words="a cell asked for more than 6 GiB of memory",
        change=answered("hoard = bytearray(8 * 2**30)"),
        needs_sandbox=True,
    ),
    Case(
        "fork bomb",
        FLAGGED,
        words="limit of processes",
        change=answered(FORKS, task="train_clipped"),
        needs_sandbox=True,
    ),
    Case(
        "deletes everything",
        MANUAL,
        change=answered("!rm -rf {targets} 2>/dev/null; echo gone"),
        needs_sandbox=True,
    ),
    Case("looks around", MANUAL, change=answered(LOOK_AROUND), needs_sandbox=True),
]


def write(
    submitted: Path,
    release: Path,
    cases: list[Case],
    *,
    sandboxed: bool,
    places: Sequence[str] = (),
    port: int = 0,
) -> list[Case]:
    """Write a class into ``submitted`` and return its cases; without a sandbox those that need one are left out.

    Args:
        submitted: nbgrader's folder of submissions.
        release: the students' copy of the assignment.
        cases: the students.
        sandboxed: whether submissions will run in the sandbox.
        places: paths that a sandboxed submission must neither see nor be able to delete.
        port: of a server on loopback that a sandboxed submission must not reach.
    """
    released = nbformat.read(release, as_version=4)
    right = solved(released)
    cases = [case for case in cases if sandboxed or not case.needs_sandbox]
    for case in cases:
        folder = submitted / case.student / ASSIGNMENT
        folder.mkdir(parents=True)
        for name, content in case.files.items():
            (folder / name).write_text(content, encoding="utf-8")
        text = _notebook(case, right, released, places, port) if case.text is None else case.text
        (folder / case.name).write_bytes(text.encode("utf-8", "surrogateescape"))
    return cases


def add_oddities(submitted: Path, place: str) -> Case:
    """Add a file that cannot be written to, one that would lead out of the folder, and a student without a notebook."""
    os.chmod(submitted / "honest" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", 0o444)
    (submitted / "honest" / ASSIGNMENT / "link.txt").symlink_to(place)
    (submitted / "never came").mkdir()
    return Case("never came", NOT_SUBMITTED)


def _notebook(
    case: Case, right: NotebookNode, released: NotebookNode, places: Sequence[str], port: int
) -> str:
    notebook = copy.deepcopy(right)
    if case.change is _blank:
        notebook.metadata["released"] = released
    case.change(notebook)
    cell = next((cell for cell in notebook.cells if grade_id(cell) == TARGET), None)
    if case.student in ("looks around", "deletes everything"):
        targets = " ".join(places)
        cell.source = (
            cell.source.replace("{places}", repr(list(places)))
            .replace("{port}", str(port))
            .replace("{targets}", targets)
        )
    if notebook.metadata.pop("as_version", 4) == 3:
        return json.dumps(nbformat.convert(notebook, 3))
    # Not nbformat's writer, which would refuse what some students do to their metadata.
    return json.dumps(notebook)


def maximum() -> dict[str, float]:
    """Return the points of each automatically graded cell, from the assignment itself."""
    return {
        grade_id(cell): float(cell.metadata.nbgrader.points)
        for cell in read_source(ASSIGNMENT).cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    }
