"""That copies are whole, renewed while nobody changed them, and never overwritten."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from fmnist_helpers import atomic
from fmnist_helpers.course import copies, strip
from tests.tools.course import COURSE, EXERCISES, LESSONS, NOTEBOOKS

DAMAGED = ("", "[]", "{", '{"01_data.ipynb": 3}')


@pytest.fixture
def editions(monkeypatch):
    """Two small files for a course, which a test may change."""
    wanted = {"01_data.ipynb": b"one\n", "exercises/ex01/ex01.ipynb": b"task\n"}
    monkeypatch.setattr(copies, "editions", lambda names=None: dict(wanted))
    return wanted


def content(folder):
    """Return what lies in a folder of copies, but for the record."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != copies.RECORD
    }


def test_everything_is_copied_and_every_link_leads_somewhere(tmp_path):
    assert copies.write_copies(tmp_path) == []
    written = content(tmp_path)
    expected = {path.name for path in LESSONS} | {
        path.relative_to(NOTEBOOKS).as_posix() for path in EXERCISES.rglob("*.ipynb")
    }
    assert "exercises/how_exercises_work.ipynb" in expected and set(written) >= expected
    for name in expected:
        cells = strip.read(written[name])["cells"]
        text = "\n".join(strip.source(cell) for cell in cells if cell["cell_type"] == "markdown")
        links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")]
        assert links
        for link in links:
            assert ((tmp_path / name).parent / link).is_file(), (name, link)


def test_pictures_come_along_and_nothing_from_outside(tmp_path, monkeypatch):
    root = tmp_path / "a [course] here"
    (root / "pictures").mkdir(parents=True)
    (root / "pictures" / "the cycle.svg").write_bytes(b"<svg/>\r\n")
    (tmp_path / "secret.svg").write_text("no")
    long = "data:image/png;base64," + 5000 * "A"
    text = f"![cycle](pictures/the%20cycle.svg) ![x](../secret.svg) ![y]({long}) <img src='gone.png'> [z](https://z.org)"
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": [text]}
    lesson = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "00_start_here.ipynb").write_bytes(strip.written(lesson))
    monkeypatch.setattr(copies, "course_root", lambda: root)
    copies.write_copies(tmp_path / "mine")
    assert content(tmp_path / "mine") == {
        "00_start_here.ipynb": strip.written(lesson),
        "pictures/the cycle.svg": b"<svg/>\r\n",
    }


def test_a_second_run_writes_nothing(tmp_path, editions):
    copies.write_copies(tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*.ipynb")}
    assert copies.write_copies(tmp_path) == []
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*.ipynb")} == before


def test_an_unchanged_copy_is_renewed_and_a_lost_one_comes_back(tmp_path, editions):
    copies.write_copies(tmp_path)
    editions["01_data.ipynb"] = b"two\n"
    (tmp_path / "exercises/ex01/ex01.ipynb").unlink()
    assert copies.write_copies(tmp_path) == []
    assert content(tmp_path) == editions


def test_a_changed_copy_stays_and_the_newer_edition_lies_beside_it(tmp_path, editions):
    copies.write_copies(tmp_path)
    mine = tmp_path / "01_data.ipynb"
    mine.write_bytes(b"mine\r\n")
    assert copies.write_copies(tmp_path) == []  # nothing newer: nothing to say
    editions["01_data.ipynb"] = b"two\n"
    (line,) = copies.write_copies(tmp_path)
    assert "01_data.ipynb is as you left it" in line and line.endswith("01_data.new.ipynb")
    assert mine.read_bytes() == b"mine\r\n" and (tmp_path / "01_data.new.ipynb").read_bytes() == b"two\n"
    assert copies.write_copies(tmp_path) == []  # it has been said
    editions["01_data.ipynb"] = b"three\n"
    assert len(copies.write_copies(tmp_path)) == 1
    assert (tmp_path / "01_data.new.ipynb").read_bytes() == b"three\n"


def test_work_in_the_newer_edition_stays_too(tmp_path, editions):
    copies.write_copies(tmp_path)
    for text in (b"two\n", b"three\n"):
        (tmp_path / "01_data.ipynb").write_bytes(b"mine")
        editions["01_data.ipynb"] = text
        copies.write_copies(tmp_path)
        (tmp_path / "01_data.new.ipynb").write_bytes(b"mine, too")
    assert content(tmp_path) == {
        "01_data.ipynb": b"mine",
        "01_data.new.ipynb": b"mine, too",
        "01_data.new2.ipynb": b"three\n",
        "exercises/ex01/ex01.ipynb": b"task\n",
    }


def test_whoever_takes_the_newer_edition_is_renewed_again(tmp_path, editions):
    copies.write_copies(tmp_path)
    (tmp_path / "01_data.ipynb").write_bytes(b"mine")
    editions["01_data.ipynb"] = b"two\n"
    copies.write_copies(tmp_path)
    (tmp_path / "01_data.new.ipynb").replace(tmp_path / "01_data.ipynb")
    editions["01_data.ipynb"] = b"three\n"
    assert copies.write_copies(tmp_path) == []
    assert content(tmp_path) == editions


@pytest.mark.parametrize("record", [*DAMAGED, None])
def test_without_a_record_nothing_is_overwritten(tmp_path, editions, record):
    copies.write_copies(tmp_path)
    path = tmp_path / copies.RECORD
    path.unlink() if record is None else path.write_text(record)
    assert copies.write_copies(tmp_path) == []  # all is what it should be
    path.unlink()
    editions["01_data.ipynb"] = b"two\n"
    assert len(copies.write_copies(tmp_path)) == 1
    assert (tmp_path / "01_data.ipynb").read_bytes() == b"one\n"


def test_what_is_no_file_is_the_learners(tmp_path, editions):
    (tmp_path / "01_data.ipynb").mkdir()
    assert len(copies.write_copies(tmp_path)) == 1
    assert (tmp_path / "01_data.ipynb").is_dir() and (tmp_path / "01_data.new.ipynb").is_file()


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("at", range(1, 7))
def test_killed_at_any_write_nothing_is_half_written_and_the_next_run_completes(
    tmp_path, editions, monkeypatch, at
):
    copies.write_copies(tmp_path)
    (tmp_path / "01_data.ipynb").write_bytes(b"mine")
    before = content(tmp_path)
    editions["01_data.ipynb"], editions["exercises/ex01/ex01.ipynb"] = b"two\n", b"task 2\n"
    after = {**before, "exercises/ex01/ex01.ipynb": b"task 2\n", "01_data.new.ipynb": b"two\n"}
    replace, seen = atomic.os.replace, []

    def killed(source, target):
        seen.append(target)
        if len(seen) == at:
            raise KilledError
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(atomic.os, "replace", killed)
        try:
            copies.write_copies(tmp_path)
        except KilledError:
            left = content(tmp_path)
            assert all(left[name] in (before.get(name), after[name]) for name in left)
    copies.write_copies(tmp_path)
    assert content(tmp_path) == after
    assert at <= len(seen) or at > 5


def test_a_real_kill_leaves_whole_files(tmp_path):
    code = "import sys; from pathlib import Path; from fmnist_helpers.course.copies import write_copies\n"
    code += "print('go', flush=True); write_copies(Path(sys.argv[1]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], cwd=COURSE, stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    while process.poll() is None and not list(tmp_path.glob("0*.ipynb")):
        pass
    process.kill()
    process.wait()
    wanted = copies.editions()
    assert all(wanted[name] == text for name, text in content(tmp_path).items() if name in wanted)
    assert copies.write_copies(tmp_path) == []
    assert {name: text for name, text in content(tmp_path).items() if name in wanted} == wanted


def test_the_courses_own_folder_is_refused(tmp_path):
    with pytest.raises(copies.CopyError, match="choose another folder"):
        copies.write_copies(NOTEBOOKS)
    with pytest.raises(copies.CopyError, match="choose another folder"):
        copies.write_copies(EXERCISES / "mine")
    assert not list(NOTEBOOKS.rglob("*.new*")) and not (EXERCISES / "mine").exists()


def test_only_the_exercises_that_were_asked_for(tmp_path):
    copies.write_copies(tmp_path, ["ex02_model"])
    assert set(content(tmp_path)) == {"exercises/ex02_model/ex02_model.ipynb"}
    with pytest.raises(copies.CopyError, match=r"no exercise ex9; there are ex01_data, "):
        copies.write_copies(tmp_path, ["ex9"])


def test_a_checkout_with_windows_line_ends_gives_the_same_copies(tmp_path, monkeypatch):
    root = tmp_path / "notebooks"
    for path in (*LESSONS, *EXERCISES.rglob("*.ipynb")):
        place = root / path.relative_to(NOTEBOOKS)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    expected = copies.editions()
    monkeypatch.setattr(copies, "course_root", lambda: root)
    made = copies.editions()
    assert {name: made[name] for name in made} == {name: expected[name] for name in made}
    assert len(made) == len(LESSONS) + 7


def test_the_record_is_plain_and_names_every_copy(tmp_path, editions):
    copies.write_copies(tmp_path)
    record = json.loads((tmp_path / copies.RECORD).read_text())
    assert set(record) == set(editions) and all(len(digests) == 1 for digests in record.values())
    assert copies.state(tmp_path, "01_data.ipynb") == "as written"
    assert copies.state(tmp_path, "02_model.ipynb") == "not there yet"
    (tmp_path / "01_data.ipynb").write_bytes(b"mine")
    assert copies.state(tmp_path, "01_data.ipynb") == "changed by you"
