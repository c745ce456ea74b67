"""That every lesson runs by itself: one file in an empty folder, the wheel, and no right to write the package."""

from __future__ import annotations

import pytest

from fmnist_helpers.course.copies import editions
from tests.tools.course import LESSONS

RUN = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=900, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.get("outputs", []):
        print(output.get("text", ""))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The cache of a user who has run one lesson before."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_alone(read_only, path, tmp_path, cache):
    folder = tmp_path / "a [folder] of mine"
    folder.mkdir()
    (folder / path.name).write_bytes(editions()[path.name])
    done = read_only.run("-c", RUN, path.name, cwd=folder, XDG_CACHE_HOME=str(cache), HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    assert str(cache) in done.stdout
    assert [one.name for one in folder.iterdir()] == [path.name]
