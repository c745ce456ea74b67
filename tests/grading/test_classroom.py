"""The folder of a class: its log stays small, whoever writes into it and whatever, and it is graded on one data set."""

from __future__ import annotations

import logging
import threading

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading import classroom
from fmnist_helpers.grading.classroom import Classroom, quiet_log
from fmnist_helpers.grading.grade import Grader, Options
from tests.exercises.bank import assignments


def test_log_is_bounded_and_keeps_the_newest(tmp_path):
    log = Classroom(tmp_path, tmp_path).log()
    for number in range(2000):
        log.error("record %d %s", number, "x" * 9000)
    files = sorted(tmp_path.glob("nbgrader.log*"))
    assert [file.name for file in files] == ["nbgrader.log", "nbgrader.log.1"]
    assert all(file.stat().st_size <= classroom.LOG_BYTES for file in files)
    assert "record 1999 " in files[0].read_text()


@pytest.mark.parametrize("letter", ["x", "é", "学", "\ud800"])
def test_record_is_cut_in_letters_that_can_be_read(tmp_path, letter):
    log = quiet_log(tmp_path / "log")
    log.error(letter * 1_000_000)
    try:
        raise ValueError(letter * 1_000_000)
    except ValueError:
        log.exception("failed")
    assert (tmp_path / "log").stat().st_size <= 2 * classroom.RECORD_BYTES + 2
    assert (tmp_path / "log").read_text(encoding="utf-8")[0] == letter.encode("utf-8", "replace").decode()


def test_record_holds_nothing_that_a_terminal_obeys(tmp_path):
    quiet_log(tmp_path / "log").error("red: \x1b[31m \x07\r\x9b31m\nnext\tline")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "red: ?[31m ???31m\nnext\tline\n"


def test_one_handler_for_a_file_however_many_threads_write(tmp_path):
    def write(number: int) -> None:
        for _ in range(100):
            Classroom(tmp_path, tmp_path).log().error("from %d %s", number, "x" * 9000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logs = [Classroom(tmp_path, tmp_path).log() for _ in range(3)]
    assert len({id(log) for log in logs}) == 1 and len(logs[0].handlers) == 1
    written = [file.read_text() for file in tmp_path.glob("nbgrader.log*")]
    assert len(written) == 2 and all(len(text) <= classroom.LOG_BYTES for text in written)
    # No record is torn.
    assert all(len(line) == len("from 1 ") + 9000 for text in written for line in text.splitlines())


def test_log_that_cannot_be_written_says_nothing(tmp_path, capsys):
    log = quiet_log(tmp_path / "no folder" / "log")
    log.error("lost")
    assert capsys.readouterr() == ("", "")
    assert log is not logging.getLogger(log.name)


def test_a_class_is_graded_on_what_its_first_run_found(tmp_path, monkeypatch):
    monkeypatch.setattr(classroom, "data_set_here", lambda: "real")
    assert Classroom(tmp_path, tmp_path).data_set() == "real"
    monkeypatch.setattr(classroom, "data_set_here", lambda: "standin")
    assert Classroom(tmp_path, tmp_path).data_set() == "real"
    assert (tmp_path / classroom.DATA_SET).read_text() == "real\n"


def test_a_data_set_that_does_not_exist_is_named(tmp_path):
    (tmp_path / classroom.DATA_SET).write_text("fashion")
    with pytest.raises(OSError, match=r"data_set\.txt says 'fashion'; it may be one of 'real', 'standin'"):
        Classroom(tmp_path, tmp_path).data_set()


def test_assignment_that_the_grade_book_has_lost_is_recorded_again(tmp_path):
    (tmp_path / "submitted").mkdir()
    room, first = Classroom(tmp_path, tmp_path / "submitted"), assignments()[0]
    room.prepare()
    for _ in range(2):
        assert not room.knows(first)
        assert Grader(room, Options()).grade([("nobody", first)])[0].problem == "not submitted"
        assert room.knows(first)
        (tmp_path / "gradebook.db").unlink()
