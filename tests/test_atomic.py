"""A file is written whole or not at all, whatever interrupts the writing."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from fmnist_helpers.atomic import written_whole


def test_the_file_appears_when_the_block_has_ended(tmp_path):
    path = tmp_path / "result.txt"
    with written_whole(path) as unfinished:
        unfinished.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_after_an_error_the_older_file_stands_alone(tmp_path, error):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(type(error)), written_whole(path) as unfinished:
        unfinished.write_text("ha")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "result.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "result.txt"
    with written_whole(path) as one, written_whole(path) as other:
        one.write_text("one")
        other.write_text("other")
    # The outer block ends last.
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def write_and_die(path) -> None:
    with written_whole(path) as unfinished:
        unfinished.write_text("half")
        os._exit(1)


def test_a_killed_writer_leaves_the_older_file(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    process = multiprocessing.get_context("fork").Process(target=write_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 1
    assert path.read_text() == "old"
    # What it left is hidden, and belongs to nobody.
    assert all(other.name.startswith(".") for other in tmp_path.iterdir() if other != path)
