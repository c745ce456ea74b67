"""What students get as one zip: all of the course, and nothing of the instructor's."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.course.copies import LINK
from fmnist_helpers.grading import students_course
from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.students_course import NoCheckoutError, release_course
from tests.tools.course import EXERCISES, LESSONS


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    """Path below the zip's one folder → content."""
    folder = tmp_path_factory.mktemp("class")
    assert main(["release", "--course", "--out", str(folder)]) == 0
    with zipfile.ZipFile(folder / "release" / "course.zip") as archive:
        assert {PurePosixPath(name).parts[0] for name in archive.namelist()} == {"course"}
        return {name.removeprefix("course/"): archive.read(name) for name in archive.namelist()}


def test_all_lessons_and_exercises_are_in_it(files):
    for lesson in LESSONS:
        assert f"my_course/{lesson.name}" in files
    for source in EXERCISES.glob("ex*/ex*.ipynb"):
        assert f"my_course/exercises/{source.parent.name}/{source.name}" in files
    assert "my_course/exercises/how_exercises_work.ipynb" in files


def test_the_first_page_names_the_package_that_is_there(files):
    wheel = next(name for name in files if name.endswith(".whl"))
    start = files["START_HERE.md"].decode()
    assert f"pip install ./{wheel}" in start and "fmnist-course" in start


def test_nothing_of_the_instructors_or_of_the_tests_is_in_it(files):
    assert not [
        name for name in files if PurePosixPath(name).suffix not in (".ipynb", ".whl", ".md", ".png", ".json")
    ]
    assert [name for name in files if name.endswith(".md")] == ["START_HERE.md"]
    for name, content in files.items():
        if name.endswith(".ipynb"):
            text = content.decode()
            assert "HIDDEN TESTS" not in text and "BEGIN SOLUTION" not in text, name
            assert "make test" not in text, name


def test_every_link_between_its_files_leads_to_one(files):
    dead = []
    for name, content in files.items():
        for cell in json.loads(content)["cells"] if name.endswith(".ipynb") else []:
            text = "".join(cell["source"])
            for pair in LINK.findall(text) if cell["cell_type"] == "markdown" else []:
                target = unquote("".join(pair).partition("#")[0])
                if target and not re.match(r"[a-z]+:", target):
                    path = (Path("/") / PurePosixPath(name).parent / target).resolve()
                    if str(path.relative_to("/")) not in files:
                        dead.append((name, target))
    assert dead == []


def test_without_a_checkout_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(students_course, "checkout", lambda: None)
    with pytest.raises(NoCheckoutError, match="packed from a checkout"):
        release_course(tmp_path)
    assert not any(tmp_path.iterdir())
