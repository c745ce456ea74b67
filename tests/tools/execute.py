"""Run lessons top to bottom and store their outputs in place: ``python -m tests.tools.execute [NAME ...]``.

Without names all lessons run. A notebook is rewritten only after its last cell has succeeded, and holds
nothing that would change from one run to the next by itself: no times, no Python version, no widget state.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.course.strip import REGRESSION_ONLY
from tests.lessons.questions import is_gated
from tests.lessons.true_words import KERNEL_ARGUMENTS
from tests.tools.course import LESSONS

CELL_SECONDS = 900
FOLDED = "hide-cell"
"""The tag by which Jupyter Book folds a cell."""
QUESTION = "hide-input"
"""The tag by which Jupyter Book folds the source of a cell: that of a question holds its answer."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(path: Path) -> None:
    """Execute one notebook and replace it by the executed one."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=KERNEL_ARGUMENTS,
    )
    client.execute()
    tidy(notebook)
    with written_whole(path) as unfinished:
        nbformat.write(notebook, unfinished)


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Keep only what a lesson means to say: its kernel, its language, its tags, and no view of a widget that is gone.

    What stays of an interactive part is its still picture, which every viewer shows. A traceback names the files of
    packages as they are named everywhere.
    """
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        question = {key: value for key, value in cell.metadata.items() if key == "question"}
        tags = {*cell.metadata.get("tags", []), *([QUESTION] if is_gated(cell) else [])}
        cell.metadata = nbformat.from_dict({**question, **_kept(sorted(tags))})
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
            if output.output_type == "error":
                output.traceback = [
                    re.sub(r"[~/][^\s\x1b]*/site-packages/", "", one) for one in output.traceback
                ]


def _kept(tags: list[str]) -> dict:
    """Return the metadata of a cell with these tags; what serves only the tests, and a question's code, is folded."""
    if REGRESSION_ONLY in tags or FOLDED in tags:
        return {"jupyter": {"source_hidden": True}, "tags": sorted({*tags, FOLDED})}
    if QUESTION in tags:
        return {"jupyter": {"source_hidden": True}, "tags": tags}
    return {"tags": tags} if tags else {}


def main(names: list[str]) -> None:
    """Execute the named lessons, or all, and say which is running."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["TQDM_DISABLE"] = "1"
    os.environ.setdefault("FMNIST_SOURCE", "real")
    paths = [Path(name) for name in names] or LESSONS
    for path in paths:
        print(f"executing {path.name}", flush=True)
        execute(path)


if __name__ == "__main__":
    main(sys.argv[1:])
