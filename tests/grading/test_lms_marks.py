"""The tables of Moodle and Canvas come back with the final marks in them, and with nothing else changed."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.grade import Grader, Options
from fmnist_helpers.grading.late import FAILED_RULE, extend, set_due_date
from fmnist_helpers.grading.lms_marks import number
from fmnist_helpers.grading.marks import Outcome, write_outcome
from tests.grading.test_by_hand import write_graded

EX, OTHER, NEXT = "ex03_loss", "ex01_data", "ex04_optimizer"
DUE = datetime(2027, 3, 1, 12)
A_POINT_PER_HOUR = """
from nbgrader.plugins import LateSubmissionPlugin

class PerHour(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 3600

get_config().AssignLatePenalties.plugin_class = PerHour
"""
GIVEN = {
    # student: points and hours late in the one assignment, and in the other; None waits for a person.
    "ada@uni.example": {EX: (15.25, 2.0), OTHER: (18.0, 0.0)},
    "zoe@uni.example": {EX: (3.0, 5.0), OTHER: (7.0, 0.5)},
    "sean@uni.example": {EX: (None, 0.0), OTHER: (0.0, 0.0)},
    "Eve Stranger_999": {EX: (9.0, 0.0)},
    "nobody's": {EX: (1.0, 0.0)},
}
FINAL = {
    # Worked out by hand.
    EX: {"ada@uni.example": "13.25", "zoe@uni.example": "0", "Eve Stranger_999": "9"},
    OTHER: {"ada@uni.example": "18", "zoe@uni.example": "6.5", "sean@uni.example": "0"},
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Path:
    """A class of five with marks in two assignments, one of whom was collected and never joined to the list."""
    room = Classroom(tmp_path_factory.mktemp("graded"), Path("submitted"))
    room.prepare()
    (room.folder / "own_settings.py").write_text(A_POINT_PER_HOUR)
    (room.folder / "autograded" / "sean@uni.example" / EX).mkdir(parents=True)
    with room.gradebook() as gradebook:
        for name, most in ((EX, 17), (OTHER, 18)):
            gradebook.add_assignment(name, duedate=f"{DUE} UTC")
            gradebook.add_notebook(name, name)
            gradebook.add_grade_cell("task", name, name, max_score=most, cell_type="code")
        for student, marks in GIVEN.items():
            gradebook.add_student(student)
            for name, (points, hours) in marks.items():
                gradebook.add_submission(name, student, timestamp=f"{DUE + timedelta(hours=hours)} UTC")
                grade = gradebook.find_grade("task", name, name, student)
                grade.auto_score, grade.needs_manual_grade = points, points is None
        gradebook.add_student("max@uni.example")
        gradebook.db.commit()
    sent = {"lms": "moodle", "who": "Eve Stranger_999", "number": "999", "original": "x"}
    (room.folder / "collected.json").write_text(json.dumps({EX: {"Eve Stranger_999": sent}}))
    return room.folder


@pytest.fixture
def classroom(graded, tmp_path) -> Path:
    return Path(shutil.copytree(graded, tmp_path / "class"))


def export(classroom: Path, capsys, lms: str, text: bytes, *more: str) -> tuple[int, bytes, str]:
    """Run the command on a table; return its status, the table that it wrote, and what it said."""
    table, to = classroom.parent / "theirs.csv", classroom.parent / "filled.csv"
    table.write_bytes(text)
    status = main(["export", "--out", str(classroom), f"--{lms}", str(table), "--to", str(to), *more])
    told = capsys.readouterr()
    return status, to.read_bytes() if to.exists() else b"", told.out + told.err


WORKSHEET = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (submission),Feedback comments\r
Participant 101,Ada Lovelace,ADA@uni.example,Submitted,{ada},17.00,"Sunday, 2 March 2025, 11:59 PM",\r
Participant 102,"Müller, Zoë",zoe@uni.example,Submitted,{zoe},17.00,-,"two ""words"", a comma"\r
Participant 103,Seán O'Neill,sean@uni.example,Submitted,{sean},17.00,-,\r
Participant 106,Max Absent,max@uni.example,No submission,,17.00,-,\r
Participant 107,Only There,only@uni.example,No submission,,17.00,-,\r
Participant 999,Eve Stranger,eve@uni.example,Submitted,{eve},17.00,-,\r
"""


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16", "cp1252"])
def test_moodles_worksheet_comes_back_with_its_grades_and_no_other_byte_changed(classroom, capsys, encoding):
    before = WORKSHEET.format(ada="", zoe="3.00", sean="4.00", eve="").encode(encoding)
    status, after, told = export(classroom, capsys, "moodle", before, "--assignment", EX)
    expected = {name.split("@")[0].split()[0].lower(): mark for name, mark in FINAL[EX].items()}
    assert status == 0 and after == WORKSHEET.format(**expected, sean="").encode(encoding)
    assert f"{EX}: 1 wait for your marks and are empty: Seán O'Neill (sean@uni.example)" in told
    assert (
        f"{EX}: 2 have handed in nothing and stay as they were: Max Absent" in told and "Only There" in told
    )
    assert f"{EX}: 1 are graded and in no row of the table: nobody's" in told


def test_a_worksheet_with_semicolons_and_decimal_commas_keeps_both(classroom, capsys):
    text = (
        "ID;Vollständiger Name;E-Mail-Adresse;Bewertung;Bestwertung\n"
        "Teilnehmer/in101;Ada Lovelace;ada@uni.example;{};20,00\n"
    )
    _, after, told = export(
        classroom, capsys, "moodle", text.format("").encode("utf-8-sig"), "--assignment", EX
    )
    assert after == text.format("13,25").encode("utf-8-sig")
    assert "the platform has 20 points for it, here it has 17; nothing was scaled" in told


def test_moodles_table_of_all_grades_takes_each_assignment_in_its_column(classroom, capsys):
    text = (
        "First name,Last name,ID number,Email address,Assignment: ex03_loss (Real),Assignment: ex03_loss (Feedback),"
        "Assignment: ex01_data (Real),Course total (Real)\n"
        "Ada,Lovelace,1,ada@uni.example,{},good,{},99\n"
        "Zoë,Müller,2,zoe@uni.example,{},,{},99\n"
    )
    _, after, _ = export(classroom, capsys, "moodle", text.format("-", "-", "-", "-").encode())
    assert after.decode() == text.format("13.25", "18", "0", "6.5")


GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,ex01_data (990),ex03_loss (991),Final Score
,,,,,Manual Posting,,
    Points Possible,,,,,18.00,17.00,(read only)
"Lovelace, Ada",12345,s1,ada@uni.example,A,{},{},80
"Müller, Zoë",12346,s2,zoe@uni.example,A,{},{},80
"O'Neill, Seán",12347,s3,sean@uni.example,A,{},{},80
"Absent, Max",12348,s4,max@uni.example,A,EX,,80
"""


def test_canvas_grade_book_is_filled_for_all_assignments_or_for_one(classroom, capsys):
    empty = GRADEBOOK.format(*[""] * 6).encode("utf-8-sig")
    _, after, told = export(classroom, capsys, "canvas", empty)
    assert after.decode("utf-8-sig") == GRADEBOOK.format("18", "13.25", "6.5", "0", "0", "")
    assert after.startswith(b"\xef\xbb\xbf") and "nothing was scaled" not in told
    _, after, _ = export(classroom, capsys, "canvas", empty, "--assignment", OTHER)
    assert after.decode("utf-8-sig") == GRADEBOOK.format("18", "", "6.5", "", "0", "")


def room_of(folder: Path) -> Classroom:
    return Classroom(folder, folder / "submitted")


def test_penalties_are_those_of_this_moment(classroom, capsys):
    text = "Email address,Grade\nada@uni.example,{}\nzoe@uni.example,{}\nsean@uni.example,{}\n"
    table = text.format("", "", "").encode()
    with room_of(classroom).gradebook() as gradebook:
        # As Formgrader leaves it: somebody has marked, and nobody has graded since.
        grade = gradebook.find_grade("task", EX, EX, "sean@uni.example")
        grade.manual_score, grade.needs_manual_grade = 6, False
        gradebook.find_submission(EX, "sean@uni.example").timestamp = DUE + timedelta(hours=2)
        gradebook.db.commit()
    extend(room_of(classroom), "zoe@uni.example", EX, "2027-03-01 15:00 UTC")
    _, after, _ = export(classroom, capsys, "moodle", table, "--assignment", EX)
    assert after.decode() == text.format("13.25", "1", "4")
    set_due_date(room_of(classroom), EX, "2027-03-01 13:00 UTC")
    _, after, _ = export(classroom, capsys, "moodle", table, "--assignment", EX)
    assert after.decode() == text.format("14.25", "1", "5")
    (classroom / "own_settings.py").write_text(A_POINT_PER_HOUR.replace("3600", "0"))
    _, after, told = export(classroom, capsys, "moodle", table, "--assignment", EX)
    assert after.decode() == text.format("14.25", "1", "5")
    assert f"{EX}: ada@uni.example, sean@uni.example, zoe@uni.example: {FAILED_RULE}: the rule raised" in told


def test_an_extension_before_there_is_any_work_changes_no_cell(classroom, capsys):
    room = room_of(classroom)
    for name in (NEXT, EX):
        set_due_date(room, name, f"{DUE} UTC")
        extend(room, "max@uni.example", name, "2027-03-05 12:00 UTC")
    text = f"Student,ID,SIS Login ID,Section,{NEXT},{EX}\nMax Absent,1,max@uni.example,A,12,EX\n"
    _, after, told = export(classroom, capsys, "canvas", text.encode())
    assert after.decode() == text and NEXT not in told and "wait for your marks" not in told
    assert f"{EX}: 1 have handed in nothing and stay as they were: Max Absent" in told
    _, after, told = export(classroom, capsys, "canvas", text.encode(), "--assignment", NEXT)
    assert after.decode() == text
    assert f"{NEXT}: 1 have handed in nothing and stay as they were: Max Absent" in told


def test_who_is_in_doubt_is_told_and_gets_no_mark(classroom, capsys):
    text = (
        "Username,Email address,Grade\n"
        "ada@uni.example,zoe@uni.example,\n"
        "sean@uni.example,,\n"
        ",sean@uni.example,\n"
    )
    _, after, told = export(classroom, capsys, "moodle", text.encode(), "--assignment", OTHER)
    assert after.decode() == text
    assert "(ada@uni.example) may be ada@uni.example or zoe@uni.example; left empty" in told
    assert "sean@uni.example stands in 2 rows; left empty" in told


def test_what_could_not_be_graded_is_never_a_mark(classroom, capsys):
    outcome = classroom / "outcomes" / "ada@uni.example" / f"{EX}.json"
    outcome.parent.mkdir(parents=True)
    outcome.write_text(json.dumps({"student": "ada@uni.example", "assignment": EX, "problem": "unreadable"}))
    _, after, told = export(
        classroom, capsys, "moodle", b"Email address,Grade\nada@uni.example,\n", "--assignment", EX
    )
    assert after == b"Email address,Grade\nada@uni.example,\n"
    assert "1 have no marks and stay as they were:  (ada@uni.example): unreadable" in told.replace(
        ": (", ":  ("
    )


def test_names_are_no_formulas_and_columns_that_are_missing_are_added(classroom, capsys):
    text = b"Student,ID,SIS Login ID,Section\n=1+1,12345,ada@uni.example,A\n"
    _, after, told = export(classroom, capsys, "canvas", text, "--assignment", EX)
    assert list(csv.reader(io.StringIO(after.decode()))) == [
        ["Student", "ID", "SIS Login ID", "Section", EX],
        ["'=1+1", "12345", "ada@uni.example", "A", "13.25"],
    ]
    assert "no column has its name, so one was added at the end" in told


@pytest.mark.parametrize(
    ("lms", "text", "words"),
    [
        (
            "moodle",
            "Email address,Grade\nada@uni.example,\n",
            "say which assignment it is of with --assignment NAME",
        ),
        ("canvas", "Student,ID,Section\nAda,1,A\n", "the table has no column for these assignments"),
        ("moodle", "Colour,Grade\nred,1\n", "tells who somebody is"),
    ],
)
def test_a_table_without_a_place_for_marks_is_refused(classroom, capsys, lms, text, words):
    status, after, told = export(classroom, capsys, lms, text.encode())
    assert status == 2 and words in told and not after


@pytest.mark.parametrize(
    ("points", "text"), [(0.0, "0"), (10.0, "10"), (2 / 3, "0.6667"), (1e-9, "0"), (100.5, "100.5")]
)
def test_points_have_the_digits_that_they_need(points, text):
    assert number(points) == text and number(points, comma=True) == text.replace(".", ",")


# --- feedback --------------------------------------------------------------------------------------------------


def test_pages_go_back_under_the_names_that_were_collected(classroom, capsys):
    folder = "Zoë Müller_102_assignsubmission_file_"
    originals = {
        "ada@uni.example": (
            "moodle",
            f"Ada_101_assignsubmission_file_{EX}.ipynb",
            f"Ada_101_assignsubmission_file_{EX}.html",
        ),
        "zoe@uni.example": ("moodle", f"around/{folder}/sub/work.ipynb", f"{folder}/{EX}.html"),
        "sean@uni.example": (
            "canvas",
            f"oneillsean_LATE_7_8_{EX}-1.ipynb",
            f"oneillsean_LATE_7_8_{EX}-1.html",
        ),
        "by mail": ("folder", "by mail/x.ipynb", None),
    }
    record = {
        student: {"lms": lms, "original": original, "number": "", "who": student}
        for student, (lms, original, _) in originals.items()
    }
    without = {"lms": "canvas", "original": "x_1_2_y.ipynb", "number": "", "who": "x"}
    (classroom / "collected.json").write_text(json.dumps({EX: {**record, "ungraded": without}}))
    for student in originals:
        page = classroom / "feedback" / student / f"{EX}.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"the page of {student}")
    assert main(["feedback", "--out", str(classroom), "--assignment", EX]) == 0
    told = capsys.readouterr().out
    with zipfile.ZipFile(classroom / f"feedback_{EX}.zip") as archive:
        packed = {name: archive.read(name).decode() for name in archive.namelist()}
    assert packed == {name: f"the page of {student}" for student, (_, _, name) in originals.items() if name}
    assert "3 pages" in told and "1 say that an explanation waits for you: sean@uni.example" in told
    assert "1 were collected and have no page" in told and "1 came another way and are not in it" in told


def test_who_handed_in_something_else_or_cannot_be_graded_now_gets_no_old_page_and_no_old_mark(
    classroom, capsys
):
    room = room_of(classroom)
    sent = {}
    for place, student in enumerate(("ada@uni.example", "zoe@uni.example", "Eve Stranger_999")):
        work = room.submitted / student / EX / f"{EX}.ipynb"
        work.parent.mkdir(parents=True)
        work.write_text(nbformat.writes(new_notebook(cells=[new_code_cell(student)])))
        digest = Grader(room, Options()).finder.find(student, EX).digest
        write_outcome(room.folder / "outcomes" / student / f"{EX}.json", Outcome(student, EX, digest=digest))
        page = room.folder / "feedback" / student / f"{EX}.html"
        page.parent.mkdir(parents=True)
        page.write_text("a page")
        original = f"{student}_{place}_assignsubmission_file_{EX}.ipynb"
        sent[student] = {"lms": "moodle", "original": original, "number": str(place), "who": student}
    (room.folder / "collected.json").write_text(json.dumps({EX: sent}))
    table = b"Email address,Grade\nada@uni.example,1\nzoe@uni.example,1\n"
    assert Grader(room, Options()).outdated(EX) == set()
    assert export(classroom, capsys, "moodle", table, "--assignment", EX)[1] == (
        b"Email address,Grade\nada@uni.example,13.25\nzoe@uni.example,0\n"
    )
    (room.submitted / "ada@uni.example" / EX / f"{EX}.ipynb").write_text("a web page")
    unreadable = Outcome("zoe@uni.example", EX, problem="unreadable")
    write_outcome(room.folder / "outcomes" / "zoe@uni.example" / f"{EX}.json", unreadable)
    _, filled, told = export(classroom, capsys, "moodle", table, "--assignment", EX)
    assert filled == table
    assert "1 have handed in something else since they were graded and stay as they were" in told
    assert main(["feedback", "--out", str(classroom), "--assignment", EX]) == 0
    told = capsys.readouterr().out
    assert "1 have handed in something else since and are not in it; grade first: ada@uni.example" in told
    assert (
        "1 could not be graded and are not in it, nor are older pages of theirs: zoe@uni.example (unread"
        in told
    )
    with zipfile.ZipFile(classroom / f"feedback_{EX}.zip") as archive:
        assert archive.namelist() == [f"Eve Stranger_999_2_assignsubmission_file_{EX}.html"]


def test_where_there_is_no_page_and_no_folder_that_is_said(classroom, capsys):
    assert main(["feedback", "--out", str(classroom), "--assignment", NEXT]) == 2
    assert f"there is no page of {NEXT} to send; collect and grade first" in capsys.readouterr().err
    assert not (classroom / f"feedback_{NEXT}.zip").exists()
    _, _, told = export(classroom, capsys, "moodle", b"Email address,Grade\na@b,\n", "--to", "nowhere/x.csv")
    assert "there is no folder nowhere to write x.csv into" in told


def test_pages_are_brought_up_to_date_before_they_are_packed(tmp_path, capsys):
    room = room_of(tmp_path / "class")
    room.prepare()
    (room.folder / "own_settings.py").write_text(A_POINT_PER_HOUR)
    with room.gradebook() as gradebook:
        gradebook.add_assignment(EX, duedate=f"{DUE} UTC")
        gradebook.add_notebook(EX, EX)
        for name, most in (("test", 3), ("why", 2)):
            gradebook.add_grade_cell(name, EX, EX, max_score=most, cell_type="code")
        for name in ("answer", "why"):
            gradebook.add_solution_cell(name, EX, EX)
        gradebook.add_student("ada")
        gradebook.add_submission(EX, "ada", timestamp=f"{DUE + timedelta(hours=1)} UTC")
        test = gradebook.find_grade("test", EX, EX, "ada")
        test.auto_score, test.needs_manual_grade = 3, False
        gradebook.db.commit()
    write_graded(room)
    graded = Outcome("ada", EX)
    write_outcome(room.folder / "outcomes" / "ada" / f"{EX}.json", graded)
    Grader(room, Options()).write_feedback(graded)
    sent = {
        "lms": "moodle",
        "original": f"Ada_101_assignsubmission_file_{EX}.ipynb",
        "number": "",
        "who": "ada",
    }
    (room.folder / "collected.json").write_text(json.dumps({EX: {"ada": sent}}))

    def packed() -> tuple[str, str]:
        assert main(["feedback", "--out", str(room.folder), "--assignment", EX]) == 0
        with zipfile.ZipFile(room.folder / f"feedback_{EX}.zip") as archive:
            (page,) = (archive.read(name).decode() for name in archive.namelist())
        return " ".join(re.sub(r"<[^>]*>", " ", page).split()), capsys.readouterr().out

    page, told = packed()
    assert "waits to be marked" in page and "3 of 5" in page and "1 say that an explanation waits" in told
    with room.gradebook() as gradebook:
        why = gradebook.find_grade("why", EX, EX, "ada")
        why.manual_score, why.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    page, told = packed()
    assert "waits to be marked" not in page and "4.5 of 5" in page and "Final mark 3.5" in page
    assert "waits" not in told
    extend(room, "ada", EX, "2027-03-01 13:00 UTC")
    page, _ = packed()
    assert "4.5 of 5" in page and "Final mark 4.5" in page
    (room.folder / "own_settings.py").write_text(A_POINT_PER_HOUR.replace("3600", "0"))
    extend(room, "ada", EX, "never")
    assert f"ada: {FAILED_RULE}" in packed()[1]
    shutil.rmtree(room.folder / "autograded")
    set_due_date(room, EX, "never")
    assert "ada: the page is of an earlier run; grade again" in packed()[1]
