"""What is around the grader fails: the grade book is locked, the disk is full, the exercise is another one by now."""

from __future__ import annotations

import copy
import shutil
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbgrader.api import Gradebook

from fmnist_helpers.grading import classroom, execute
from fmnist_helpers.grading.__main__ import main
from tests.exercises import hostile
from tests.exercises.hostile import ASSIGNMENT, MANUAL, POINTS
from tests.grading.conftest import SANDBOX, Graded, command
from tests.tools.course import EXERCISES

WHOLE = sum(POINTS.values())


def hand_in(folder: Path, *students: str) -> None:
    release = folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    right = hostile.solved(nbformat.read(release, as_version=4))
    for student in students:
        target = folder / "submitted" / student / ASSIGNMENT
        target.mkdir(parents=True)
        nbformat.write(right, target / f"{ASSIGNMENT}.ipynb")


@pytest.fixture
def small_class(tmp_path, released) -> Path:
    folder = Path(shutil.copytree(released, tmp_path / "class"))
    hand_in(folder, "ada", "ben")
    return folder


def points(folder: Path) -> dict[str, str]:
    return {name: row["points"] for name, row in Graded(folder, None, []).rows.items()}


# --- the grade book is locked ------------------------------------------------------------------------------


class Locked:
    """Another program that writes to the grade book, from the moment a file appears, for some seconds."""

    def __init__(self, folder: Path, sign: str, seconds: float) -> None:
        self.folder, self.sign, self.seconds = folder, sign, seconds
        self.locked = threading.Event()

    def __enter__(self) -> Locked:
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._work)
        self.thread.start()
        return self

    def _work(self) -> None:
        while not list(self.folder.glob(self.sign)) and not self.ended.wait(0.02):
            pass
        book = sqlite3.connect(self.folder / "gradebook.db", timeout=60)
        book.execute("BEGIN EXCLUSIVE")
        self.locked.set()
        self.ended.wait(self.seconds)
        book.rollback()
        book.close()

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()


@pytest.mark.parametrize("sign", ["gradebook.db", "staged/*"])
def test_grade_book_locked_for_a_while_is_waited_for(small_class, sign):
    # SQLite's own patience is five seconds.
    with Locked(small_class, sign, 12) as other:
        done = command("grade", "--out", small_class, *SANDBOX)
        assert other.locked.is_set()
    assert done.returncode == 0, done.stdout + done.stderr
    assert points(small_class) == {"ada": str(WHOLE), "ben": str(WHOLE)}


@pytest.mark.parametrize("sign", ["gradebook.db", "staged/*"])
def test_grade_book_locked_for_good_ends_in_a_sentence_and_loses_nothing(
    small_class, sign, monkeypatch, capsys
):
    monkeypatch.setattr(classroom, "LOCKED_SECONDS", 1)
    with Locked(small_class, sign, 600):
        assert main(["grade", "--out", str(small_class), *SANDBOX]) == 1
    told = capsys.readouterr()
    said = told.out + told.err
    assert "the grade book is locked by another program; close it" in said
    assert "Traceback" not in said
    monkeypatch.setattr(classroom, "LOCKED_SECONDS", 60)
    assert main(["grade", "--out", str(small_class), *SANDBOX]) == 0
    assert points(small_class) == {"ada": str(WHOLE), "ben": str(WHOLE)}


# --- no kernel starts --------------------------------------------------------------------------------------


def test_kernel_that_does_not_start_is_not_graded_and_the_same_command_repairs_it(
    small_class, monkeypatch, capsys
):
    with monkeypatch.context() as broken:
        broken.setattr(execute, "kernel_command", lambda *arguments, **options: ["false"])
        assert main(["grade", "--out", str(small_class), *SANDBOX]) == 1
    said = "".join(capsys.readouterr())
    assert "did not start" in said and "grade again" in said and "Traceback" not in said
    rows = Graded(small_class, None, []).rows.values()
    assert {(row["status"], row["points"]) for row in rows} == {("not graded", "")}
    assert main(["grade", "--out", str(small_class), *SANDBOX]) == 0
    assert points(small_class) == {"ada": str(WHOLE), "ben": str(WHOLE)}


# --- the disk is full --------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [300, 700, 1200])
def test_full_disk_ends_in_a_sentence_and_the_same_command_goes_on(small_class, tmp_path, room):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be made here")
    try:
        try:
            shutil.copytree(small_class, disk / "class")
        except (OSError, shutil.Error):
            pytest.skip("not even the class fits")
        done = command("grade", "--out", disk / "class", *SANDBOX)
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        if done.returncode == 0:
            assert points(disk / "class") == {"ada": str(WHOLE), "ben": str(WHOLE)}
        else:
            assert done.returncode == 1 and "the disk is full" in said
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        assert command("grade", "--out", disk / "class", *SANDBOX).returncode == 0
        assert points(disk / "class") == {"ada": str(WHOLE), "ben": str(WHOLE)}
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


# --- the exercise has changed ------------------------------------------------------------------------------


@pytest.fixture
def own_source(tmp_path) -> Path:
    return Path(shutil.copytree(EXERCISES / ASSIGNMENT, tmp_path / "source" / ASSIGNMENT)).parent


def change_source(own_source: Path, change) -> None:
    path = own_source / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def add_test(notebook) -> None:
    again = copy.deepcopy(hostile.cell_of(notebook, "train_clipped-losses"))
    again.metadata.nbgrader.grade_id, again.id = "train_clipped-again", "again"
    notebook.cells.append(again)


def drop_test(notebook) -> None:
    del notebook.cells[hostile.place_of(notebook, "train_clipped-losses")]


@pytest.mark.parametrize(
    ("change", "words"), [(add_test, "new: train_clipped-again"), (drop_test, "gone: train_clipped-losses")]
)
def test_exercise_that_changed_after_grading_is_told_and_no_mark_is_lost(
    small_class, own_source, change, words
):
    arguments = ["grade", "--out", small_class, "--source", own_source, *SANDBOX]
    assert command(*arguments).returncode == 0
    with Gradebook(f"sqlite:///{small_class / 'gradebook.db'}") as gradebook:
        grade = gradebook.find_grade("explain", ASSIGNMENT, ASSIGNMENT, "ada")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        gradebook.db.commit()
    before = {path: path.read_bytes() for path in (small_class / "autograded").rglob("*.ipynb")}
    handed_out = (small_class / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes()
    change_source(own_source, change)
    hand_in(small_class, "new here")
    done = command(*arguments)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in said
    assert f"{ASSIGNMENT} has changed since it was graded ({words})" in said
    rows = Graded(small_class, done, []).rows
    assert float(rows["ada"]["points"]) == WHOLE + 2.5 and float(rows["ben"]["points"]) == WHOLE
    assert rows["new here"]["status"] == "not graded" and rows["new here"]["points"] == ""
    assert {path: path.read_bytes() for path in (small_class / "autograded").rglob("*.ipynb")} == before
    assert (small_class / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes() == handed_out
    # The release command says the same, and writes nothing.
    again = command("release", "--out", small_class, "--source", own_source, "--assignment", ASSIGNMENT)
    assert again.returncode == 1 and words in again.stderr and "Traceback" not in again.stderr
    # The cells are put back, and all is as before.
    shutil.copytree(EXERCISES / ASSIGNMENT, own_source / ASSIGNMENT, dirs_exist_ok=True)
    done = command(*arguments)
    assert done.returncode == 0, done.stdout
    rows = Graded(small_class, done, []).rows
    assert float(rows["ada"]["points"]) == WHOLE + 2.5
    assert rows["new here"]["status"] == MANUAL and float(rows["new here"]["points"]) == WHOLE


def test_time_is_not_wasted_on_a_grade_book_that_is_free(small_class):
    begin = time.monotonic()
    assert classroom.Classroom(small_class, small_class).patient_db_url.endswith("?timeout=60")
    with classroom.Classroom(small_class, small_class).gradebook() as gradebook:
        assert gradebook.students == []
    assert time.monotonic() - begin < 30
