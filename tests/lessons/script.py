"""The script of lesson 08, as the lesson writes it."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import nbformat

from tests.tools.course import NOTEBOOKS

LESSON = NOTEBOOKS / "08_on_your_own.ipynb"


def script() -> str:
    """Return the text that the lesson writes to ``train.py``."""
    cells = nbformat.read(LESSON, as_version=4).cells
    (source,) = (cell.source for cell in cells if cell.source.startswith("SCRIPT = "))
    return ast.literal_eval(ast.parse(source).body[0].value)


def load_script(folder: Path) -> ModuleType:
    """Write the script to ``folder`` and return it as a module; its ``main`` does not run."""
    path = folder / "train.py"
    path.write_text(script(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("script_of_lesson_08", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
