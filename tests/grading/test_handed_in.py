"""A folder that was handed in is read whole, and nothing else is: no link, no pipe, nothing without end."""

from __future__ import annotations

import io
import os
import socket
import tarfile
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmnist_helpers.grading import handed_in
from fmnist_helpers.grading.handed_in import clean_name, read_folder
from tests.exercises.accidents import zip_of


def test_files_are_found_in_folders_and_archives(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mine.py").write_bytes(b"x = 1")
    (tmp_path / "work.zip").write_bytes(zip_of({"a/b.txt": b"deep", "in.zip": zip_of({"c.txt": b"deeper"})}))
    read = read_folder(tmp_path)
    assert read.files == {
        "src/mine.py": b"x = 1",
        "work.zip/a/b.txt": b"deep",
        "work.zip/in.zip/c.txt": b"deeper",
    }
    assert read.notes == []
    assert set(read.times) == set(read.files)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.symlink_to("/etc/passwd"), "a link"),
        (lambda path: path.symlink_to("/etc"), "a link"),
        (os.mkfifo, "no regular file"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "no regular file"),
    ],
)
def test_what_is_no_regular_file_is_never_opened(tmp_path, monkeypatch, make, words):
    monkeypatch.chdir(tmp_path)
    make(Path("odd.ipynb"))
    Path("good.txt").write_text("good")
    begin = time.monotonic()
    read = read_folder(tmp_path)
    assert time.monotonic() - begin < 5
    assert read.files == {"good.txt": b"good"}
    assert read.notes == [f"odd.ipynb was not read: it is {words}"]


@pytest.mark.skipif(not hasattr(os, "mknod") or os.getuid() != 0, reason="devices can be made by root alone")
def test_device_is_never_opened(tmp_path):
    try:
        os.mknod(tmp_path / "zero.ipynb", 0o600 | 0o020000, os.makedev(1, 5))
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    assert read_folder(tmp_path).notes == ["zero.ipynb was not read: it is no regular file"]


def test_folder_that_is_a_link_is_not_entered(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.txt").write_text("another's answer")
    (tmp_path / "mine").symlink_to(tmp_path / "other")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "inner").symlink_to(tmp_path / "other")
    assert read_folder(tmp_path / "mine").files == {}
    assert read_folder(tmp_path / "mine").notes == ["the folder was not read: it is a link"]
    assert read_folder(tmp_path / "real").files == {}


def test_links_in_archives_are_not_followed(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"link{kind!r}.txt")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    (tmp_path / "links.tar").write_bytes(packed.getvalue())
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    read = read_folder(tmp_path)
    assert read.files == {}
    assert len(read.notes) == 3 and all("it is a link" in note for note in read.notes)


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt", "C:\\out.txt"])
def test_no_path_of_an_archive_leads_out(tmp_path, name):
    (tmp_path / "x.zip").write_bytes(zip_of({name: b"1"}))
    (path,) = read_folder(tmp_path).files
    assert path.startswith("x.zip/") and ".." not in path.split("/")


def test_archive_that_unpacks_to_more_than_it_may_is_cut_short(tmp_path, monkeypatch):
    monkeypatch.setattr(handed_in, "LARGEST_FILE", 1_000_000)
    (tmp_path / "bomb.zip").write_bytes(zip_of({"large.txt": bytes(50_000_000), "small.txt": b"small"}))
    read = read_folder(tmp_path)
    assert read.files == {"bomb.zip/small.txt": b"small"}
    assert "larger than" in read.notes[0]


def test_zips_in_zips_end(tmp_path):
    content = zip_of({"x.txt": b"1"})
    for _ in range(20):
        content = zip_of({"x.zip": content})
    (tmp_path / "nest.zip").write_bytes(content)
    read = read_folder(tmp_path)
    assert read.files == {} and "too many archives deep" in read.notes[0]


DAMAGED = {
    "empty": b"",
    "signature": b"PK\3\4",
    "zeros": b"PK\3\4" + bytes(100),
    "end missing": zip_of({"a": b"1" * 999})[:-30],
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_damaged_archive_is_told(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    read = read_folder(tmp_path)
    assert read.files == {} and f"{name} was not read: it is damaged" in read.notes[0]


def test_number_of_files_folders_and_bytes_is_bounded(tmp_path, monkeypatch):
    for number in range(handed_in.MOST_FILES + 30):
        (tmp_path / f"{number:04d}.txt").touch()
    read = read_folder(tmp_path)
    assert len(read.files) == handed_in.MOST_FILES
    assert len(read.notes) == handed_in.MOST_NOTES + 1 and read.left_out == 30
    deep = tmp_path / "deep"
    deep.joinpath(*"abcdefgh").mkdir(parents=True)
    deep.joinpath(*"abcdefgh", "x.txt").write_text("x")
    assert "too many folders deep" in read_folder(deep).notes[0]
    monkeypatch.setattr(handed_in, "LARGEST_IN_ALL", 10)
    (deep / "y.txt").write_bytes(b"1" * 11)
    assert any("all together" in note for note in read_folder(deep).notes)


def test_litter_of_systems_and_tools_is_passed_over_in_silence(tmp_path):
    for name in (".DS_Store", "._x.ipynb", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_text("x")
    for name in ("__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.ipynb").write_text("x")
    assert read_folder(tmp_path).files == {}
    assert read_folder(tmp_path).notes == []


def test_file_that_changes_while_it_is_read_is_hashed_as_it_was_read(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text("before")
    read = read_folder(tmp_path)
    path.write_text("after")
    assert read.digest() != read_folder(tmp_path).digest()
    path.write_text("before")
    assert read.digest() == read_folder(tmp_path).digest()


@given(st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_any_name_of_bytes_becomes_one_that_can_be_printed_and_kept(name):
    cleaned = clean_name(os.fsdecode(name))
    cleaned.encode("utf-8")
    assert cleaned and cleaned.isprintable() and "/" not in cleaned and cleaned.strip(".")
    assert len(cleaned.encode()) <= 200
    assert clean_name(cleaned) == cleaned


def test_names_that_look_the_same_are_the_same():
    assert clean_name(unicodedata.normalize("NFD", "Zoë")) == "Zoë"
    assert clean_name(os.fsdecode("Zoë".encode("cp1252"))) == "Zoë"
    assert clean_name("  Doe, Jane ") == "Doe, Jane"
