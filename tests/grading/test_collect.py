"""Archives of Moodle and Canvas, honest, careless and hostile, become folders: nobody is dropped, nothing is lost."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading import grade
from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.collect import LATE_WITHOUT_TIME
from fmnist_helpers.grading.marks import Outcome, status_of

EX = "ex03_loss"
PLUGIN = "assignsubmission_file_"
WORKSHEET = """\
\ufeffIdentifier,"Full name","Email address",Status,Grade,"Maximum Grade","Last modified (submission)"
"Participant 101","Ada Lovelace",ada@uni.example,Submitted,,17.00,"Sunday, 2 March 2025, 11:59 PM"
"Participant 102","Zoë Müller",zoe@uni.example,Submitted,,17.00,-
"Participant 103","O'Neill, Seán",sean@uni.example,Submitted,,17.00,-
"Participant 104","Kim Lee",kim1@uni.example,Submitted,,17.00,-
"Participant 105","Kim Lee",kim2@uni.example,Submitted,,17.00,-
"Participant 106","Max Absent",max@uni.example,"No submission",,17.00,-
"""


def pack(path: Path, files: dict[str, bytes | str], day: int = 1) -> Path:
    """Write an archive whose members are a day apart, each with its time; a name in angle brackets is a link."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(files.items()):
            one = zipfile.ZipInfo(name.strip("<>"), (2025, 3, day + number, 12, 30, 0))
            one.compress_type = zipfile.ZIP_DEFLATED
            if name.startswith("<"):
                one.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(one, content)
    return path


def run(capsys, *arguments: object) -> tuple[int, str]:
    """Run the command, and return its status and all that it said."""
    status = main(list(map(str, arguments)))
    told = capsys.readouterr()
    return status, told.out + told.err


def tree(folder: Path) -> dict[str, str]:
    """Return the text of every file below a folder, read without the collector's help."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()[:60].decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def gradebook(tmp_path_factory) -> Path:
    """An empty grade book; nbgrader needs seconds to make one."""
    room = Classroom(tmp_path_factory.mktemp("empty"), Path("submitted"))
    room.prepare()
    with room.gradebook():
        return room.folder / "gradebook.db"


@pytest.fixture
def classroom(tmp_path, gradebook) -> Path:
    (tmp_path / "people.csv").write_text(WORKSHEET, encoding="utf-8")
    (tmp_path / "class").mkdir()
    shutil.copy(gradebook, tmp_path / "class")
    return tmp_path / "class"


MOODLE = {
    f"Ada Lovelace_101_{PLUGIN}/{EX}.ipynb": "ada",
    f"Ada Lovelace_101_{PLUGIN}/data/extra.csv": "ada's table",
    f"Zoe\u0308 Mu\u0308ller_102_{PLUGIN}/{EX}.ipynb": "zoe",
    # Without folders, and with the suffix of a newer version, and of another language.
    f"O'Neill, Seán_103_{PLUGIN}{EX}.ipynb": "sean",
    f"Kim Lee_104_assignsubmission_file/{EX}.ipynb": "kim 1",
    f"Kim Lee_105_Abgabe_Datei_/{EX} (1).ipynb": "kim 2",
    f"Eve Stranger_999_{PLUGIN}/{EX}.ipynb": "eve",
}
EXPECTED_OF_MOODLE = {
    # The list's word, then the time of the newest file, a day later for each.
    f"ada@uni.example/{EX}/{EX}.ipynb": "ada",
    f"ada@uni.example/{EX}/data/extra.csv": "ada's table",
    f"ada@uni.example/{EX}/timestamp.txt": "2025-03-02 23:59:00.000000 UTC\n",
    f"zoe@uni.example/{EX}/{EX}.ipynb": "zoe",
    f"zoe@uni.example/{EX}/timestamp.txt": "2025-03-03 12:30:00.000000 UTC\n",
    f"sean@uni.example/{EX}/{EX}.ipynb": "sean",
    f"sean@uni.example/{EX}/timestamp.txt": "2025-03-04 12:30:00.000000 UTC\n",
    f"kim1@uni.example/{EX}/{EX}.ipynb": "kim 1",
    f"kim1@uni.example/{EX}/timestamp.txt": "2025-03-05 12:30:00.000000 UTC\n",
    f"kim2@uni.example/{EX}/{EX} (1).ipynb": "kim 2",
    f"kim2@uni.example/{EX}/timestamp.txt": "2025-03-06 12:30:00.000000 UTC\n",
    f"Eve Stranger_999/{EX}/{EX}.ipynb": "eve",
    f"Eve Stranger_999/{EX}/timestamp.txt": "2025-03-07 12:30:00.000000 UTC\n",
}


def collect_moodle(classroom: Path, capsys, files=MOODLE, *more: object, day: int = 1) -> tuple[int, str]:
    archive = pack(classroom.parent / "moodle.zip", files, day)
    people = classroom.parent / "people.csv"
    return run(capsys, "collect", "--out", classroom, "--moodle", archive, "--students", people, *more)


def test_moodles_archive_becomes_folders_of_the_people_in_its_list(classroom, capsys):
    status, told = collect_moodle(classroom, capsys)
    assert status == 0
    assert tree(classroom / "submitted") == EXPECTED_OF_MOODLE
    assert "6 submissions: 6 new" in told
    assert (
        "Eve Stranger_999, ex03_loss: not joined to anybody: nobody of the list has this name or number"
        in told
    )
    assert "1 of the list are not in it: Max Absent (max@uni.example)" in told
    assert "5 times are guessed from the archive, read as UTC, because it names no time zone" in told
    assert "1 times of the list name no time zone, and were read as UTC (--zone)" in told
    assert f"taken as {EX}, because most files are named so" in told


def test_the_list_is_in_the_grade_book_so_who_is_missing_is_seen(classroom, capsys):
    collect_moodle(classroom, capsys)
    with Classroom(classroom, classroom / "submitted").gradebook() as gradebook:
        names = {student.id: (student.first_name, student.last_name) for student in gradebook.students}
    assert names["max@uni.example"] == (None, "Max Absent") and names["sean@uni.example"] == (
        "Seán",
        "O'Neill",
    )
    assert len(names) == 6


def test_a_zone_that_is_named_counts_and_an_unknown_one_is_refused(classroom, capsys):
    _, told = collect_moodle(classroom, capsys, MOODLE, "--zone", "Europe/Berlin")
    assert "1 times of the list name no time zone, and were read as Europe/Berlin (--zone)" in told
    stamps = {
        name.split("/")[0]: text for name, text in tree(classroom / "submitted").items() if "stamp" in name
    }
    assert stamps["ada@uni.example"] == "2025-03-02 22:59:00.000000 UTC\n"
    assert stamps["zoe@uni.example"] == "2025-03-03 11:30:00.000000 UTC\n"
    assert collect_moodle(classroom, capsys, MOODLE, "--zone", "Mars/Crater")[0] == 2


def test_times_of_a_whole_class_at_once_are_those_of_the_archive_and_are_not_used(classroom, capsys):
    with zipfile.ZipFile(classroom.parent / "moodle.zip", "w") as archive:
        for name in MOODLE:
            archive.writestr(zipfile.ZipInfo(name, (2025, 3, 9, 12, 0, 0)), "x")
    people = classroom.parent / "people.csv"
    archive = classroom.parent / "moodle.zip"
    _, told = run(capsys, "collect", "--out", classroom, "--moodle", archive, "--students", people)
    stamped = [name for name in tree(classroom / "submitted") if name.endswith("timestamp.txt")]
    assert stamped == [f"ada@uni.example/{EX}/timestamp.txt"]
    assert (
        "it was made then, and they were not used" in told and "5 have no time and count as on time" in told
    )


def test_collecting_again_keeps_what_did_not_change_and_what_was_mended_by_hand(classroom, capsys):
    collect_moodle(classroom, capsys)
    mended = classroom / "submitted" / "zoe@uni.example" / EX / f"{EX}.ipynb"
    mended.write_text("mended")
    before = {path: path.stat().st_mtime_ns for path in (classroom / "submitted").rglob("*")}
    _, told = collect_moodle(classroom, capsys)
    assert "6 submissions: 6 unchanged" in told
    assert {path: path.stat().st_mtime_ns for path in (classroom / "submitted").rglob("*")} == before
    (classroom / "collected.json").unlink()
    mended.write_text("zoe")
    assert "6 submissions: 6 unchanged" in collect_moodle(classroom, capsys)[1]


def test_a_newer_attempt_replaces_an_older_does_not_and_both_are_kept(classroom, capsys):
    zoe = f"Zoë Müller_102_{PLUGIN}/{EX}.ipynb"
    collect_moodle(classroom, capsys, {zoe: "first"}, day=10)
    _, told = collect_moodle(classroom, capsys, {zoe: "second"}, day=12)
    assert "1 replaced" in told and f"the last one, now in earlier/zoe@uni.example/{EX}/1" in told
    for _ in range(2):
        _, told = collect_moodle(classroom, capsys, {zoe: "older still"}, day=3)
        assert "1 kept as they were" in told and "what is there is newer, and was kept" in told
    assert tree(classroom / "submitted")[f"zoe@uni.example/{EX}/{EX}.ipynb"] == "second"
    assert tree(classroom / "earlier" / "zoe@uni.example") == {
        f"{EX}/1/{EX}.ipynb": "first",
        f"{EX}/1/timestamp.txt": "2025-03-10 12:30:00.000000 UTC\n",
        f"{EX}/2/{EX}.ipynb": "older still",
    }


def test_two_of_one_name_without_their_numbers_are_never_one_person(classroom, capsys):
    other = {name.replace("_104_", "_204_").replace("_105_", "_205_"): text for name, text in MOODLE.items()}
    _, told = collect_moodle(classroom, capsys, other)
    found = tree(classroom / "submitted")
    assert (
        found[f"Kim Lee_204/{EX}/{EX}.ipynb"] == "kim 1"
        and found[f"Kim Lee_205/{EX}/{EX} (1).ipynb"] == "kim 2"
    )
    assert told.count("2 people of the list have this name; the folder has the archive's name") == 2
    twice = {f"Ada Lovelace_{number}_{PLUGIN}/{EX}.ipynb": f"ada {number}" for number in (301, 302)}
    _, told = collect_moodle(classroom, capsys, twice)
    assert told.count("several in the archive have the name of Ada Lovelace (ada@uni.example)") == 2
    assert tree(classroom / "submitted")[f"Ada Lovelace_302/{EX}/{EX}.ipynb"] == "ada 302"


KIMS = """\
Identifier,Full name,Status,Grade
Participant 101,Ada Lovelace,Submitted,
Participant 104,Kim Lee,Submitted,
Participant 105,Kim Lee,Submitted,
Participant 106,Max Absent,No submission,
"""
ANONYMOUS = """\
Identifier,Status,Grade
Participant 101,Submitted,
Participant 104,Submitted,
Participant 105,Submitted,
Participant 106,No submission,
"""


@pytest.mark.parametrize(
    ("people", "names", "folders", "absent"),
    [
        (
            KIMS,
            ["Ada Lovelace", "Kim Lee", "Kim Lee"],
            ["Ada Lovelace", "Kim Lee_104", "Kim Lee_105"],
            "Max Absent",
        ),
        (ANONYMOUS, ["Participant"] * 3, [f"Participant {n}" for n in (101, 104, 105)], "Participant 106"),
    ],
    ids=["two of one name", "anonymous"],
)
def test_a_worksheet_without_mail_and_user_name_keeps_everybody_apart_and_gets_their_marks(
    classroom, capsys, people, names, folders, absent
):
    worksheet, numbers = classroom.parent / "people.csv", (101, 104, 105)
    worksheet.write_text(people)
    files = {
        f"{name}_{number}_{PLUGIN}/{EX}.ipynb": f"of {number}"
        for name, number in zip(names, numbers, strict=True)
    }
    for what in ("new", "unchanged"):
        _, told = collect_moodle(classroom, capsys, files)
        assert f"3 submissions: 3 {what}" in told
        found = tree(classroom / "submitted")
        assert {name: text for name, text in found.items() if name.endswith(".ipynb")} == {
            f"{folder}/{EX}/{EX}.ipynb": f"of {number}"
            for folder, number in zip(folders, numbers, strict=True)
        }
    assert not (classroom / "earlier").exists()
    assert f"1 of the list are not in it: {absent}" in told
    assert "4 of the list have neither user name, e-mail nor ID" in told
    with Classroom(classroom, classroom / "submitted").gradebook() as gradebook:
        assert {student.id for student in gradebook.students} == {*folders, absent}
        gradebook.add_assignment(EX)
        gradebook.add_notebook(EX, EX)
        gradebook.add_grade_cell("task", EX, EX, max_score=200, cell_type="code")
        for folder, number in zip(folders, numbers, strict=True):
            gradebook.add_submission(EX, folder)
            grade_of = gradebook.find_grade("task", EX, EX, folder)
            grade_of.auto_score, grade_of.needs_manual_grade = number, False
        gradebook.db.commit()
    to = classroom.parent / "filled.csv"
    _, told = run(
        capsys, *("export", "--out", classroom, "--moodle", worksheet, "--assignment", EX, "--to", to)
    )
    rows = zip(people.splitlines(), ["", *map(str, numbers), ""], strict=True)
    assert to.read_text().splitlines() == [row + points for row, points in rows]
    assert f"1 have handed in nothing and stay as they were: {absent}" in told


def test_a_name_that_was_another_participants_is_not_taken_for_the_same_person(classroom, capsys):
    for number in (104, 204):
        (classroom.parent / "people.csv").write_text(f"Identifier,Full name\nParticipant {number},Kim Lee\n")
        kim = {f"Kim Lee_{number}_{PLUGIN}/{EX}.ipynb": f"of {number}"}
        _, told = collect_moodle(classroom, capsys, kim)
    found = tree(classroom / "submitted")
    assert (found[f"Kim Lee/{EX}/{EX}.ipynb"], found[f"Kim Lee_204/{EX}/{EX}.ipynb"]) == ("of 104", "of 204")
    assert "not joined to anybody: Kim Lee was collected as Kim Lee_104 before" in told


def test_two_people_whom_the_list_gives_one_address_keep_two_folders_and_are_told(classroom, capsys):
    (classroom.parent / "people.csv").write_text(
        "Identifier,Full name,Email address\n"
        "Participant 101,Ada Lovelace,office@uni.example\nParticipant 102,Ben Bell,office@uni.example\n"
    )
    files = {f"{name}_{PLUGIN}/{EX}.ipynb": name for name in ("Ada Lovelace_101", "Ben Bell_102")}
    _, told = collect_moodle(classroom, capsys, files)
    found = tree(classroom / "submitted")
    assert {found[f"{name}/{EX}/{EX}.ipynb"] for name in ("Ada Lovelace_101", "Ben Bell_102")} == {
        "Ada Lovelace_101",
        "Ben Bell_102",
    }
    assert told.count("not joined to anybody: several in the archive would be office@uni.example") == 2
    assert "2 people of the list would be office@uni.example, who stands in the grade book once" in told


def test_two_folders_of_one_person_are_both_kept_and_told(classroom, capsys):
    (classroom.parent / "people.csv").write_text("Username,Email address\nada,ada@uni.example\n")
    source = classroom.parent / "by mail"
    for name in ("ada", "ada@uni.example"):
        (source / name).mkdir(parents=True)
        (source / name / f"{EX}.ipynb").write_text(name)
    people = classroom.parent / "people.csv"
    _, told = run(capsys, "collect", "--out", classroom, "--folder", source, "--students", people)
    assert tree(classroom / "submitted") == {
        f"{name}/{EX}/{EX}.ipynb": name for name in ("ada", "ada@uni.example")
    }
    assert not (classroom / "earlier").exists()
    assert told.count("several in the archive have the key of") == 2


CANVAS = {
    f"lovelaceada_12345_900_{EX}.ipynb": "ada first",
    f"lovelaceada_12345_950_{EX}-1.ipynb": "ada second",
    f"lovelaceada_12345_960_{EX}-2.ipynb": "ada third",
    f"mullerzoe_LATE_12346_901_{EX}-1.ipynb": "zoe",
    "mullerzoe_LATE_12346_902_data-1.csv": "zoe's table",
    f"under_score_77_903_{EX}.ipynb": "who",
}
GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,ex03_loss (991)
    Points Possible,,,,,17
"Lovelace, Ada",12345,s1,ada,A,
"Müller, Zoë",12346,s2,zoe,A,
"""


def test_canvas_archive_takes_the_last_attempt_and_tells_who_is_late(classroom, capsys):
    archive = pack(classroom.parent / "canvas.zip", CANVAS)
    people = classroom.parent / "gradebook.csv"
    people.write_text(GRADEBOOK, encoding="utf-8-sig")
    status, told = run(capsys, "collect", "--out", classroom, "--canvas", archive, "--students", people)
    assert status == 0 and tree(classroom / "submitted") == {
        f"ada/{EX}/{EX}.ipynb": "ada third",
        f"ada/{EX}/timestamp.txt": "2025-03-03 12:30:00.000000 UTC\n",
        f"under_score_77/{EX}/{EX}.ipynb": "who",
        f"under_score_77/{EX}/timestamp.txt": "2025-03-06 12:30:00.000000 UTC\n",
        f"zoe/{EX}/data-1.csv": "zoe's table",
        f"zoe/{EX}/{EX}.ipynb": "zoe",
        f"zoe/{EX}/timestamp.txt": "2025-03-05 12:30:00.000000 UTC\n",
    }
    assert tree(classroom / "earlier") == {
        f"ada/{EX}/1/lovelaceada_12345_900_{EX}.ipynb": "ada first",
        f"ada/{EX}/1/lovelaceada_12345_950_{EX}-1.ipynb": "ada second",
    }
    assert f"ada, {EX}: 3 attempts at {EX}.ipynb; the last counts, lovelaceada_12345_960_{EX}-2.ipynb" in told
    assert f"zoe, {EX}: Canvas says that it came late" in told


def test_a_late_one_without_a_time_stays_late_when_it_is_graded(classroom, capsys, monkeypatch):
    archive = classroom.parent / "canvas.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in CANVAS:
            packed.writestr(zipfile.ZipInfo(name, (2025, 3, 9, 12, 0, 0)), "x")
    people = classroom.parent / "gradebook.csv"
    people.write_text(GRADEBOOK, encoding="utf-8")
    _, told = run(capsys, "collect", "--out", classroom, "--canvas", archive, "--students", people)
    assert f"zoe, {EX}: {LATE_WITHOUT_TIME}" in told
    room = Classroom(classroom, classroom / "submitted")
    with room.gradebook() as gradebook:
        gradebook.add_assignment(EX)
        gradebook.add_notebook(EX, EX)
        for student in ("ada", "zoe"):
            gradebook.add_submission(EX, student)
            (classroom / "autograded" / student / EX).mkdir(parents=True)
    monkeypatch.setattr(grade, "write_feedback", lambda *arguments: None)
    grader = grade.Grader(room, grade.Options())
    found = {student: Outcome(student, EX) for student in ("ada", "zoe")}
    for _ in range(2):
        status = {student: status_of(one, grader.write_feedback(one)) for student, one in found.items()}
        assert status == {"ada": "graded", "zoe": "flagged"} and found["zoe"].flags == [LATE_WITHOUT_TIME]
    with room.gradebook() as gradebook:
        gradebook.update_or_create_submission(EX, "zoe", timestamp="2025-03-09 12:00:00 UTC")
    assert status_of(found["zoe"], grader.write_feedback(found["zoe"])) == "graded"


def test_students_keep_the_names_that_the_class_knows_them_by(classroom, capsys):
    room = Classroom(classroom, classroom / "submitted")
    room.prepare()
    with room.gradebook() as gradebook:
        gradebook.add_student("al", email="ADA@uni.example")
    (classroom / "submitted" / "Zoe@Uni.example").mkdir(parents=True)
    collect_moodle(classroom, capsys)
    assert {"al", "Zoe@Uni.example"} <= {path.name for path in (classroom / "submitted").iterdir()}
    assert not (classroom / "submitted" / "ada@uni.example").exists()


def test_the_number_of_one_is_not_the_id_of_another(classroom, capsys):
    """Ada's ID of the school is Bob's ID in Canvas, and each stands in the list of a section."""
    head = "Student,ID,SIS User ID,Section\n    Points Possible,,,\n"
    for section, row, file in (
        ("a", '"Lovelace, Ada",777,12345,A\n', f"lovelaceada_777_1_{EX}.ipynb"),
        ("b", '"Noyce, Bob",12345,888,B\n', f"noycebob_12345_2_{EX}.ipynb"),
    ):
        (classroom.parent / "section.csv").write_text(head + row)
        archive = pack(classroom.parent / f"{section}.zip", {file: section})
        people = classroom.parent / "section.csv"
        _, told = run(capsys, "collect", "--out", classroom, "--canvas", archive, "--students", people)
        assert "1 submissions: 1 new" in told
    works = {name: text for name, text in tree(classroom / "submitted").items() if name.endswith("ipynb")}
    assert works == {f"12345/{EX}/{EX}.ipynb": "a", f"888/{EX}/{EX}.ipynb": "b"}


def test_who_went_by_canvas_number_is_the_same_when_a_list_knows_more(classroom, capsys):
    people, head = classroom.parent / "people.csv", "Student,ID{},Section\n    Points Possible,{}\n"
    people.write_text(head.format("", ",") + '"Lovelace, Ada",777,A\n')
    for name in (EX, "ex04_optimizer"):
        archive = pack(classroom.parent / "canvas.zip", {f"lovelaceada_777_1_{name}.ipynb": name})
        run(capsys, "collect", "--out", classroom, "--canvas", archive, "--students", people)
        people.write_text(head.format(",SIS User ID", ",,") + '"Lovelace, Ada",777,s0042,A\n')
    assert [path.name for path in (classroom / "submitted").iterdir()] == ["777"]


@pytest.mark.parametrize(
    ("sent", "folder", "words"),
    [
        (
            "Zoë Müller",
            "Zoë Müller_101",
            "the number is that of Ada Lovelace (ada@uni.example), and the name that of Zoë",
        ),
        (
            "Grace Hopper",
            "ada@uni.example",
            "joined by the number alone: the archive says Grace Hopper, the list Ada",
        ),
        ("Lovelace Ada", "ada@uni.example", ""),
        ("Participant 101", "ada@uni.example", ""),
    ],
)
def test_a_number_that_contradicts_the_name_is_told(classroom, capsys, sent, folder, words):
    _, told = collect_moodle(classroom, capsys, {f"{sent}_101_{PLUGIN}/{EX}.ipynb": "x"})
    assert [path.name for path in (classroom / "submitted").iterdir()] == [folder]
    assert words in told and ("joined" in told) == bool(words)


def test_an_older_archive_of_canvas_replaces_nothing_newer(classroom, capsys):
    def collect(*files: str) -> str:
        archive = pack(classroom.parent / "canvas.zip", {name: name for name in files})
        return run(capsys, "collect", "--out", classroom, "--canvas", archive, "--assignment", EX)[1]

    old, new = f"lovelaceada_12345_900001_{EX}.ipynb", f"lovelaceada_12345_900002_{EX}-1.IPYNB"
    collect(new)
    assert "what is there is newer, and was kept" in collect(old)
    assert "1 submissions: 1 unchanged" in collect(old, new)
    assert "a newer attempt took the place" in collect(f"lovelaceada_12345_900003_{EX}-2.ipynb")
    (path,) = (classroom / "submitted").rglob("*.ipynb")
    assert "900003" in path.read_text()


def test_where_nothing_tells_which_attempt_is_newer_that_is_said(classroom, capsys):
    path = f"Ada Lovelace_101_{PLUGIN}/{EX}.ipynb"
    collect_moodle(classroom, capsys, {path: "first"})
    _, told = collect_moodle(classroom, capsys, {path: "second"})
    assert "another attempt took the place of the last one" in told and "nothing says which is newer" in told


def test_folders_whose_names_differ_in_capitals_are_two_peoples(classroom, capsys):
    source = classroom.parent / "by mail"
    for name in ("Max", "max"):
        (source / name).mkdir(parents=True)
        (source / name / f"{EX}.ipynb").write_text(name)
    if len(list(source.iterdir())) == 1:
        pytest.skip("this disk takes the two for one")
    run(capsys, "collect", "--out", classroom, "--folder", source)
    assert tree(classroom / "submitted") == {f"{name}/{EX}/{EX}.ipynb": name for name in ("Max", "max")}


def test_hostile_members_are_left_out_and_told_and_the_rest_is_collected(classroom, capsys):
    ada = f"Ada Lovelace_101_{PLUGIN}"
    hostile = {
        f"{ada}/{EX}.ipynb": "ada",
        f"{ada}/../../../evil_{PLUGIN}.txt": "out",
        f"/Ada Lovelace_101_{PLUGIN}/absolute.txt": "out",
        f"<{ada}/link.ipynb>": "/etc/passwd",
        f"{ada}/timestamp.txt": "2020-01-01 00:00:00 UTC",
        f"{ada}/submission_secret.txt": "0f" * 32,
        f"{ada}/bomb.csv": b"\0" * (21 * 2**20),
        f"{ada}/{EX}.ipynb/inner.txt": "a folder in place of a file",
        f"{ada}/timestamp.txt/inner.txt": "a folder in the way of the time stamp",
        f"{ada}/1/2/3/4/5/6/deep.txt": "deep",
        f"{ada}/escape\x1b[2J.txt": "seen",
        f"__MACOSX/{ada}/{EX}.ipynb": "litter",
        f"{ada}/.ipynb_checkpoints/{EX}.ipynb": "litter",
        "notes for the lecturer.txt": "junk",
        "C:\\Windows\\evil.ipynb": "junk",
    }
    status, told = collect_moodle(classroom, capsys, hostile, "--assignment", EX)
    assert status == 0
    folder = f"ada@uni.example/{EX}"
    assert set(tree(classroom / "submitted")) == {
        f"{folder}/{EX}.ipynb",
        f"{folder}/escape_[2J.txt",
        f"{folder}/timestamp.txt",
    }
    assert tree(classroom / "submitted")[f"{folder}/timestamp.txt"].startswith("2025-03-02 23:59")
    outside = {path.name for path in classroom.parent.iterdir()}
    assert outside == {"class", "moodle.zip", "people.csv"}
    for words in (
        "link.ipynb was not collected: it is a link",
        "its path leads out of the archive",
        "timestamp.txt was not collected: only the collecting program may write a file of this name",
        "submission_secret.txt was not collected",
        "bomb.csv was not collected: it is larger than 20 MB",
        "a folder and a file have this name",
        "deep.txt was not collected: it lies too many folders deep",
        "nobody's, so not collected: notes for the lecturer.txt, C:/Windows/evil.ipynb",
    ):
        assert words in told
    assert "\x1b" not in told


def test_a_damaged_member_costs_only_itself(classroom, capsys):
    archive = pack(classroom.parent / "moodle.zip", MOODLE)
    data = bytearray(archive.read_bytes())
    place = data.index(b"Ada Lovelace_101_") - 30
    length = 30 + len(next(iter(MOODLE)))
    data[place + length : place + length + 3] = b"\xff\xff\xff"
    archive.write_bytes(data)
    people = classroom.parent / "people.csv"
    status, told = run(capsys, "collect", "--out", classroom, "--moodle", archive, "--students", people)
    assert status == 0 and f"{EX}.ipynb was not collected: it is damaged" in told
    assert f"ada@uni.example/{EX}/{EX}.ipynb" not in tree(classroom / "submitted")
    assert len(tree(classroom / "submitted")) == len(EXPECTED_OF_MOODLE) - 1
    # Whole at first and damaged later: what is there stays.
    collect_moodle(classroom, capsys)
    archive.write_bytes(data)
    _, told = run(capsys, "collect", "--out", classroom, "--moodle", archive, "--students", people)
    assert "not all of it could be read, so what is there was kept" in told
    assert tree(classroom / "submitted") == EXPECTED_OF_MOODLE


def test_a_folder_that_is_a_link_is_not_written_through(classroom, capsys):
    elsewhere = classroom.parent / "elsewhere"
    elsewhere.mkdir()
    (classroom / "submitted").mkdir(parents=True)
    (classroom / "submitted" / "ada@uni.example").symlink_to(elsewhere)
    _, told = collect_moodle(classroom, capsys)
    assert "not collected: the folder for it is a link" in told and not list(elsewhere.iterdir())


def test_a_plain_folder_with_folders_of_its_own_and_its_owners_time_stamps(classroom, capsys):
    source = classroom.parent / "by mail"
    for name, text in {
        f"ada@uni.example/{EX}/answer.ipynb": "ada",
        f"ada@uni.example/{EX}/timestamp.txt": "2 March 2025, 11:59 CET",
        f"zoe@uni.example/{EX}.ipynb": "zoe",
        "ben/ex02_model/ex02_model.ipynb": "ben",
        "lonely.ipynb": "whose?",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    (source / "ben" / "link.ipynb").symlink_to("/etc/passwd")
    people = classroom.parent / "people.csv"
    _, told = run(capsys, "collect", "--out", classroom, "--folder", source, "--students", people)
    assert tree(classroom / "submitted") == {
        f"ada@uni.example/{EX}/answer.ipynb": "ada",
        f"ada@uni.example/{EX}/timestamp.txt": "2025-03-02 10:59:00.000000 UTC\n",
        "ben/ex02_model/ex02_model.ipynb": "ben",
        f"zoe@uni.example/{EX}/{EX}.ipynb": "zoe",
    }
    assert "nobody's, so not collected: lonely.ipynb" in told


def test_the_zone_is_also_that_of_the_time_stamps_in_a_folder(classroom, capsys):
    source = classroom.parent / "by mail"
    for name, text in {"ada": "2025-03-02 12:00\nby mail", "ben": "2025-03-02 12:00 UTC"}.items():
        (source / name).mkdir(parents=True)
        (source / name / f"{EX}.ipynb").write_text(name)
        (source / name / "timestamp.txt").write_text(text)
    _, told = run(capsys, "collect", "--out", classroom, "--folder", source, "--zone", "Europe/Berlin")
    stamps = [text for name, text in tree(classroom / "submitted").items() if name.endswith("timestamp.txt")]
    assert stamps == ["2025-03-02 11:00:00.000000 UTC\n", "2025-03-02 12:00:00.000000 UTC\n"]
    assert "1 times of timestamp.txt name no time zone, and were read as Europe/Berlin (--zone)" in told


def test_a_day_of_the_week_that_is_another_is_told_though_the_time_is_used(classroom, capsys):
    people = classroom.parent / "people.csv"
    people.write_text(WORKSHEET.replace("Sunday, 2 March", "Monday, 2 March"), encoding="utf-8")
    _, told = collect_moodle(classroom, capsys)
    words = "Monday, 2 March 2025, 11:59 PM names a day of the week that 2025-03-02 is not"
    assert f"ada@uni.example, {EX}: the time stamp {words}" in told
    assert tree(classroom / "submitted")[f"ada@uni.example/{EX}/timestamp.txt"].startswith("2025-03-02 23:59")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({f"lovelaceada_1_2_{EX}.ipynb": "x"}, "it is an archive of canvas: --canvas"),
        ({"inner.zip": "x"}, "it holds another zip: unpack inner.zip and name that"),
        ({"inner.txt": "x"}, "no file has a name as moodle writes it"),
        ({}, "it is empty"),
        ({f"Ada Lovelace_101_{PLUGIN}/work.ipynb": "x"}, "add --assignment NAME"),
        (None, "is no zip archive"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(classroom, capsys, content, words):
    archive = classroom.parent / "moodle.zip"
    if content is None:
        archive.write_text("no zip")
    else:
        pack(archive, content)
    status, told = run(capsys, "collect", "--out", classroom, "--moodle", archive)
    assert status == 2 and words in told
    assert not (classroom / "submitted").exists()


def test_the_record_says_what_everything_was_called(classroom, capsys):
    collect_moodle(classroom, capsys)
    record = json.loads((classroom / "collected.json").read_text(encoding="utf-8"))[EX]
    assert record["kim1@uni.example"]["original"] == f"Kim Lee_104_assignsubmission_file/{EX}.ipynb"
    assert record["zoe@uni.example"]["number"] == "102" and set(record) == {
        name.split("/")[0] for name in EXPECTED_OF_MOODLE
    }
