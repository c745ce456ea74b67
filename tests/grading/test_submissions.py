"""The right file of the right student is found."""

from __future__ import annotations

import copy
import json
import os
import unicodedata

import nbformat
import pytest

from fmnist_helpers.grading import submissions
from fmnist_helpers.grading.handout import Handout
from fmnist_helpers.grading.submissions import Finder, students
from tests.exercises.accidents import zip_of
from tests.exercises.bank import read_source
from tests.exercises.hostile import ASSIGNMENT, cell_of
from tests.grading.test_repair import HANDOUT, RELEASED, SOLVED

NAME = f"{ASSIGNMENT}.ipynb"


def find(folder, student: str = "ada"):
    return Finder(folder.parent, {ASSIGNMENT: HANDOUT}).find(student, ASSIGNMENT)


def hand_in(folder, **files):
    place = folder / "ada" / ASSIGNMENT
    place.mkdir(parents=True, exist_ok=True)
    for number, (name, notebook) in enumerate(files.items()):
        path = place / (NAME if name == "named" else f"{name}.ipynb")
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))
        os.utime(path, (number, number))
    return find(folder / "ada")


def answer_of(found) -> str:
    return cell_of(found.notebook, "predict").source


def with_answer(text: str, notebook=SOLVED):
    other = copy.deepcopy(notebook)
    cell_of(other, "predict").source = text
    return other


def test_of_two_with_the_same_work_the_right_name_counts(tmp_path):
    found = hand_in(tmp_path, named=with_answer("a = 1"), later=with_answer("b = 2"))
    assert answer_of(found) == "a = 1"
    assert found.notes[0] == f"2 notebooks; {NAME} was graded; later.ipynb holds work, too"


def test_most_work_counts_more_than_name_and_time(tmp_path):
    found = hand_in(
        tmp_path, other=with_answer("b = 2"), named=with_answer("a = 1", RELEASED), newest=RELEASED
    )
    assert answer_of(found) == "b = 2"
    assert found.notes[:2] == [
        "the notebook is called other.ipynb",
        f"3 notebooks; other.ipynb was graded; {NAME} holds work, too",
    ]


def test_untouched_copy_of_an_older_edition_is_not_taken_for_work(tmp_path):
    older = copy.deepcopy(RELEASED)
    for cell in older.cells:
        cell.source = cell.source.replace("raise", "# an older text\nraise") + "\n\n "
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = "# of last year\n" + cell.source
    assert answer_of(hand_in(tmp_path, named=older, mine=with_answer("b = 2"))) == "b = 2"


def test_of_untouched_ones_the_named_is_graded(tmp_path):
    found = hand_in(tmp_path, named=RELEASED, copy=RELEASED)
    assert found.notes[0] == f"2 notebooks; {NAME} was graded"


def test_notebook_that_cannot_be_read_is_passed_over_and_told(tmp_path):
    found = hand_in(tmp_path, named="{", other=SOLVED)
    assert found.problem == "" and f"{NAME}: the file ends in the middle" in " ".join(found.notes)
    assert hand_in(tmp_path / "2", named="{").problem == "unreadable"


def test_links_are_no_submissions(tmp_path):
    other = tmp_path / "other" / ASSIGNMENT
    other.mkdir(parents=True)
    (other / NAME).write_text(json.dumps(SOLVED))
    for name, target in (("file", other / NAME), ("assignment", other), ("student", tmp_path / "other")):
        folder = tmp_path / "submitted" / name
        place = folder / ASSIGNMENT
        if name == "file":
            place.mkdir(parents=True)
            (place / NAME).symlink_to(target)
        elif name == "assignment":
            folder.mkdir()
            place.symlink_to(target)
        else:
            folder.symlink_to(target)
        found = find(folder, name)
        assert found.notebook is None and found.problem in ("unreadable", "not submitted")
        assert "it is a link" in " ".join(found.notes)


def test_students_whose_names_look_the_same_are_one(tmp_path):
    for name in ("Zoë", unicodedata.normalize("NFD", "Zoë"), os.fsdecode("Zoë".encode("cp1252"))):
        (tmp_path / name / ASSIGNMENT).mkdir(parents=True)
    (tmp_path / unicodedata.normalize("NFD", "Zoë") / ASSIGNMENT / NAME).write_text(json.dumps(SOLVED))
    ((student, folders),) = students(tmp_path).items()
    assert student == "Zoë" and len(folders) == 3
    found = find(folders[0], student)
    assert found.notebook is not None and "3 folders" in found.notes[0]


def test_files_lie_as_the_notebook_sees_them(tmp_path):
    place = tmp_path / "ada" / ASSIGNMENT
    for name in ("top.py", "work/near.py", "work/src/deep.py", "work/top.py"):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (place / "work" / NAME).write_text(json.dumps(SOLVED))
    found = find(tmp_path / "ada")
    assert found.files == {
        "near.py": b"work/near.py",
        "src/deep.py": b"work/src/deep.py",
        "top.py": b"work/top.py",
    }
    submissions.write_files(found.files, tmp_path / "out")
    assert (tmp_path / "out" / "src" / "deep.py").read_text() == "work/src/deep.py"


def test_file_that_stands_where_a_folder_is_needed_gives_way(tmp_path):
    place = tmp_path / "ada" / ASSIGNMENT
    (place / "work").mkdir(parents=True)
    (place / "work" / NAME).write_text(json.dumps(SOLVED))
    (place / "work" / "src").write_text("a file")
    (place / "src").mkdir()
    (place / "src" / "x.py").write_text("x")
    submissions.write_files(find(tmp_path / "ada").files, tmp_path / "out")


def test_time_is_taken_from_the_folder_and_not_from_an_archive(tmp_path):
    place = tmp_path / "ada" / ASSIGNMENT
    place.mkdir(parents=True)
    (place / NAME).write_text(json.dumps(SOLVED))
    (place / "x.zip").write_bytes(zip_of({"timestamp.txt": b"2020-01-01 00:00:00 UTC"}))
    found = find(tmp_path / "ada")
    assert found.time is None
    (place / "timestamp.txt").write_text("2026-03-02 13:00:00 +0100")
    late = find(tmp_path / "ada")
    assert submissions.written_stamp(late.time) == "2026-03-02 12:00:00.000000 UTC"
    assert late.digest == found.digest


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"0f" * 64, "0f" * 64),
        (b"0f" * 64 + b"\n", "0f" * 64),
        (b"", ""),
        (b"\xff" * 128, ""),
        (b"../../x" * 9, ""),
    ],
)
def test_secret_of_the_exchange_is_taken_and_changes_nothing(tmp_path, content, secret):
    found = hand_in(tmp_path, named=SOLVED)
    place = tmp_path / "ada" / ASSIGNMENT
    (place / "submission_secret.txt").write_bytes(content)
    again = find(tmp_path / "ada")
    assert (found.secret, again.secret) == ("", secret)
    assert again.files == found.files == {} and again.digest == found.digest


def test_secret_in_an_archive_is_a_file_of_the_student(tmp_path):
    hand_in(tmp_path, named=SOLVED)
    archive = zip_of({"submission_secret.txt": b"0f" * 64})
    (tmp_path / "ada" / ASSIGNMENT / "x.zip").write_bytes(archive)
    assert find(tmp_path / "ada").secret == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.pdf", "x.pdf (a PDF)"),
        ("x.py", "x.py (a program)"),
        ("x.html", "x.html (a web page)"),
        ("x.abc", "x.abc"),
    ],
)
def test_what_lies_there_in_place_of_a_notebook_is_named(tmp_path, name, words):
    place = tmp_path / "ada" / ASSIGNMENT
    place.mkdir(parents=True)
    (place / name).write_bytes(b"%PDF" if name == "x.pdf" else b"text")
    found = find(tmp_path / "ada")
    assert found.problem == "not submitted"
    assert found.notes == [f"the folder holds no notebook, but {words}"]


def test_nothing_at_all(tmp_path):
    (tmp_path / "ada" / ASSIGNMENT).mkdir(parents=True)
    assert find(tmp_path / "ada").notes == ["the folder is empty"]
    found = find(tmp_path / "nobody", "nobody")
    assert found.problem == "not submitted" and found.notes == []


def test_digest_follows_what_is_handed_in(tmp_path):
    digests = [hand_in(tmp_path, named=SOLVED).digest for _ in range(2)]
    (tmp_path / "ada" / ASSIGNMENT / "helper.py").write_text("x = 1")
    digests.append(find(tmp_path / "ada").digest)
    assert digests[0] == digests[1] != digests[2]
    nbformat.validate(hand_in(tmp_path, named=SOLVED).notebook)


@pytest.mark.parametrize(
    ("path", "found_in"),
    [
        (f"{NAME}", True),
        ("my work.ipynb", True),
        (f"assignsubmission_file/{ASSIGNMENT}/{NAME}", True),
        ("ex02_model/my work.ipynb", False),
        ("all.zip", True),
    ],
)
def test_notebook_outside_of_its_folder_is_found(tmp_path, path, found_in):
    content = json.dumps(SOLVED).encode()
    target = tmp_path / "ada" / path
    target.parent.mkdir(parents=True)
    target.write_bytes(zip_of({"ex/a.ipynb": content}) if path == "all.zip" else content)
    other = Handout(read_source("ex02_model"))
    finder = Finder(tmp_path, {ASSIGNMENT: HANDOUT, "ex02_model": other})
    found = finder.find("ada", ASSIGNMENT)
    assert (found.notebook is not None) == found_in
    if found_in:
        assert found.notes[0] == "it lay outside of a folder for the assignment"
        assert finder.assignments() == [ASSIGNMENT]
        assert finder.find("ada", "ex02_model").problem == "not submitted"
