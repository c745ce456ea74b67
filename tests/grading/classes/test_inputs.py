"""Folders that hold what no folder should: the command ends, in time, names everybody, and reads nothing else."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import time
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbformat.v4 import new_markdown_cell

from tests.exercises import hostile
from tests.exercises.accidents import zip_of
from tests.exercises.hostile import ASSIGNMENT, MANUAL, NOT_SUBMITTED, POINTS, UNREADABLE
from tests.grading.conftest import SANDBOX, Graded, command

NAME = f"{ASSIGNMENT}.ipynb"
WHOLE = sum(POINTS.values())
SECRET = "the answer of another student, which nobody else may see"


def _notebook_pipe(folder: Path, right: str) -> None:
    os.mkfifo(folder / NAME)


def _stamp_pipe(folder: Path, right: str) -> None:
    (folder / NAME).write_text(right)
    os.mkfifo(folder / "timestamp.txt")


def _socket(folder: Path, right: str) -> None:
    here = os.getcwd()
    os.chdir(folder)
    socket.socket(socket.AF_UNIX).bind(NAME)
    os.chdir(here)


def _linked_folder(folder: Path, right: str) -> None:
    folder.rmdir()
    folder.symlink_to(folder.parent.parent / "victim" / ASSIGNMENT)


def _linked_student(folder: Path, right: str) -> None:
    shutil.rmtree(folder.parent)
    folder.parent.symlink_to(folder.parent.parent / "victim")


def _linked_files(folder: Path, right: str) -> None:
    (folder / NAME).write_text(right)
    (folder / "timestamp.txt").symlink_to("/etc/passwd")
    (folder / "picture.png").symlink_to(folder.parent.parent / "victim" / ASSIGNMENT / NAME)


def _linked_in_zip(folder: Path, right: str) -> None:
    import zipfile

    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        link = zipfile.ZipInfo(NAME)
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(folder.parent.parent / "victim" / ASSIGNMENT / NAME))


def _cells(cells: list) -> str:
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def written(text: str, name: str = NAME):
    return lambda folder, right: (folder / name).write_text(text) and None


def with_cells(*more: dict):
    """A right notebook with other cells in it."""

    def write(folder: Path, right: str) -> None:
        notebook = json.loads(right)
        notebook["cells"] += list(more)
        (folder / NAME).write_text(json.dumps(notebook))

    return write


def _bomb(folder: Path, right: str) -> None:
    (folder / "x.zip").write_bytes(
        zip_of({f"{n}.bin": bytes(19_000_000) for n in range(30)} | {NAME: right.encode()})
    )


def _many_files(folder: Path, right: str) -> None:
    (folder / NAME).write_text(right)
    for number in range(6000):
        (folder / f"z{number}").touch()


def _deep(folder: Path, right: str) -> None:
    (folder / NAME).write_text(right)
    folder.joinpath(*"abcdefghijklmnop").mkdir(parents=True)


def _closed(folder: Path, right: str) -> None:
    (folder / NAME).write_text(right)
    (folder / "closed").mkdir(mode=0)


EMPTY = {"cell_type": "code", "source": "", "metadata": {}, "outputs": []}
HARMLESS = {"nested in metadata": {"cell_type": "markdown", "source": "x", "metadata": {"a": [[[[{}]]]]}}}

STUDENTS = {
    "pipe as notebook": (_notebook_pipe, UNREADABLE, "it is no regular file"),
    "pipe as time stamp": (_stamp_pipe, MANUAL, "it is no regular file"),
    "socket as notebook": (_socket, UNREADABLE, "it is no regular file"),
    "link to another's folder": (_linked_folder, UNREADABLE, "it is a link"),
    "link to another student": (_linked_student, UNREADABLE, "it is a link"),
    "links beside": (_linked_files, MANUAL, "it is a link"),
    "link in a zip": (_linked_in_zip, UNREADABLE, "it is a link"),
    "million empty objects": (written(_cells([{}] * 10**6)), "flagged", "another assignment"),
    "million cells": (written(_cells([{"source": "x"}] * 10**6)), UNREADABLE, "1000 are allowed"),
    "ten million values": (written('{"cells": [' + "[]," * 10**7 + "1]}"), UNREADABLE, "five million values"),
    "20,000 empty cells": (with_cells(*[EMPTY] * 20_000), MANUAL, ""),
    "text without end": (with_cells(new_markdown_cell("\\(" * 500_000)), MANUAL, ""),
    "texts without end": (with_cells(*[new_markdown_cell("\\(" * 20_000)] * 300), MANUAL, ""),
    "quotes without end": (
        with_cells(new_markdown_cell("> " * 500_000), new_markdown_cell("- " * 500_000)),
        MANUAL,
        "",
    ),
    "nested metadata": (with_cells(HARMLESS["nested in metadata"]), MANUAL, ""),
    "bomb in a zip": (_bomb, MANUAL, ""),
    "six thousand files": (_many_files, MANUAL, "was not read"),
    "deep folders": (_deep, MANUAL, "too many folders deep"),
    "closed folder": (_closed, MANUAL, ""),
    "nothing": (lambda folder, right: None, NOT_SUBMITTED, "the folder is empty"),
}
RAW_NAMES = {
    b"\xff\xfe\xfd": "ÿþý",
    b"a\nb\tc": "a_b_c",
    b"..x": "..x",
    b"\x1b[2J": "_[2J",
    "‮evil".encode(): "_evil",
    b"x'; DROP TABLE student; --": "x'; DROP TABLE student; --",
    b"<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    b"n" * 255: None,
}
"""Name of a folder as bytes → the student's in the table."""


@pytest.fixture(scope="module")
def graded(tmp_path_factory, released) -> Graded:
    folder = Path(shutil.copytree(released, tmp_path_factory.mktemp("inputs") / "class"))
    release = nbformat.read(folder / "release" / ASSIGNMENT / NAME, as_version=4)
    notebook = hostile.solved(release)
    right = json.dumps(notebook)
    hostile.cell_of(notebook, "explain").source = SECRET
    submitted = folder / "submitted"
    for name in ["victim", *STUDENTS]:
        (submitted / name / ASSIGNMENT).mkdir(parents=True)
    (submitted / "victim" / ASSIGNMENT / NAME).write_text(json.dumps(notebook))
    for name, (write, _, _) in STUDENTS.items():
        write(submitted / name / ASSIGNMENT, right)
    for name in RAW_NAMES:
        place = submitted / os.fsdecode(name) / ASSIGNMENT
        place.mkdir(parents=True)
        (place / NAME).write_text(json.dumps(release))
    (submitted / "a file").write_text("no folder")
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.monotonic()
    done = command("grade", "--out", folder, *SANDBOX)
    graded = Graded(folder, done, [])
    graded.seconds = time.monotonic() - begin
    graded.grew = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before
    return graded


@pytest.mark.parametrize("name", STUDENTS)
def test_each_has_a_row_and_a_reason(graded, name):
    _, status, words = STUDENTS[name]
    row = graded.rows[name]
    assert row["status"] == status, row
    assert words in "; ".join((row["flags"], row["notes"]))
    if status == MANUAL:
        assert float(row["points"]) == WHOLE


@pytest.mark.parametrize("name", RAW_NAMES)
def test_student_with_any_name_has_a_row(graded, name):
    student = RAW_NAMES[name] or next(one for one in graded.rows if one.startswith("nnn"))
    assert graded.rows[student]["status"] == "graded" and float(graded.rows[student]["points"]) == 0
    assert (graded.folder / "feedback" / student / f"{ASSIGNMENT}.html").is_file()


def test_command_ends_well_and_nobody_is_lost(graded):
    assert graded.done.returncode == 0, graded.done.stdout + graded.done.stderr
    assert "Traceback" not in graded.done.stderr
    assert len(graded.rows) == len(STUDENTS) + len(RAW_NAMES) + 1
    assert graded.rows["victim"]["status"] == MANUAL


def test_nothing_of_another_student_is_shown(graded):
    for path in [
        *graded.folder.rglob("*.html"),
        *(graded.folder / "autograded").rglob("*"),
        graded.folder / "grades.csv",
    ]:
        if path.is_file() and "victim" not in path.parts:
            assert SECRET not in path.read_text(encoding="utf-8", errors="replace"), path


def test_memory_and_time_of_the_grader_are_bounded(graded):
    # In KiB, of the largest process; 3.6 GB were taken for one notebook. A kernel with PyTorch takes about 0.6 GB.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2_500_000
    assert graded.seconds < 15 * 60


def test_pages_and_notebooks_are_small(graded):
    for path in (*graded.folder.rglob("*.html"), *(graded.folder / "autograded").rglob("*.ipynb")):
        assert path.stat().st_size < 8_000_000, path
    assert (graded.folder / "grades.csv").stat().st_size < 100_000
    assert all(len(line) < 1000 for line in graded.done.stdout.splitlines())
