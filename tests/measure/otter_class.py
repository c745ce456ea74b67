"""Our exercises as otter-grader knows assignments: the same assertions as its test files, the same answers.

otter-grader runs in an environment of its own (:func:`make_environment`), because it would bring some thirty packages
into that of the course, extensions of JupyterLab among them. Its command for a class, ``otter grade``, needs Docker.
What needs none is ``otter run``, one submission a command, and the same as a function, which a loop can call
(:data:`LOOP`).
"""

from __future__ import annotations

import builtins
import json
import subprocess
import symtable
import sys
import textwrap
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tests.exercises.bank import grade_id, graded_cells, is_test

LOOP = """\
import sys
from pathlib import Path

from otter.run import main

autograder, submitted, results = map(Path, sys.argv[1:])
for path in sorted(submitted.glob("*.ipynb")):
    (results / path.stem).mkdir(parents=True)
    main(str(path), autograder=str(autograder), output_dir=str(results / path.stem), no_logo=True)
"""
"""A class through ``otter run`` without starting it anew for each submission."""


def make_environment(folder: Path) -> Path:
    """Make an environment with otter-grader and everything that this one has; return its Python.

    Raises:
        subprocess.CalledProcessError: if otter-grader cannot be had; ``stderr`` says why.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there, here = (
        subprocess.run([one, "-c", find], check=True, capture_output=True, text=True).stdout.strip()
        for one in (python, sys.executable)
    )
    Path(there, "course.pth").write_text(here + "\n")
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "0",
        "otter-grader",
    ]
    subprocess.run(install, check=True, capture_output=True, text=True)
    return python


def write_tests(source: NotebookNode, folder: Path) -> None:
    """Write a test file for each test cell."""
    folder.mkdir(parents=True)
    for name, cell in graded_cells(source).items():
        (folder / f"{name}.py").write_text(as_test_file(cell), encoding="utf-8")


def as_test_file(cell: NotebookNode) -> str:
    """Return a test cell as a file of otter-grader's: a function of what it uses of the notebook."""
    return (
        "from otter.test_files import test_case\n\n"
        f"OK_FORMAT = False\nname = {grade_id(cell)!r}\npoints = {cell.metadata.nbgrader.points}\n\n\n"
        f"@test_case()\ndef test({', '.join(names_used(cell.source))}):\n"
        f"{textwrap.indent(cell.source, '    ')}\n"
    )


def names_used(source: str) -> list[str]:
    """Return the names that a cell reads and neither imports nor finds in Python itself."""
    symbols = symtable.symtable(source, "<cell>", "exec").get_symbols()
    return sorted(
        one.get_name()
        for one in symbols
        if one.is_referenced() and not one.is_imported() and not hasattr(builtins, one.get_name())
    )


def as_otter_has_it(notebook: NotebookNode) -> NotebookNode:
    """Return a submission as otter-grader's students hand it in: their answers, and a call in place of each test."""
    cells = [nbformat.v4.new_code_cell("import otter\n\ngrader = otter.Notebook()")]
    for cell in notebook.cells:
        if is_test(cell):
            cell = nbformat.v4.new_code_cell(f"grader.check({grade_id(cell)!r})")
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def read_points(results: Path) -> dict[str, float]:
    """Return the points of each test, from the file that otter-grader leaves of a submission."""
    tests = json.loads((results / "results.json").read_text(encoding="utf-8"))["tests"]
    return {test["name"]: float(test["score"]) for test in tests if "score" in test}
