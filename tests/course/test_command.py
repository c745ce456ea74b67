"""The command ``fmnist-course``: what it does, says and refuses, in the places where learners type it."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pytest

from fmnist_helpers.course import __main__ as command
from fmnist_helpers.course.copies import editions
from tests.course.conftest import alone, give_away
from tests.tools.course import COURSE, copy_course

PREPARE = "import fmnist_helpers; fmnist_helpers.prepare_data()"


@pytest.fixture
def prepared(monkeypatch):
    """Stands for ready data."""
    calls = []
    monkeypatch.setattr("fmnist_helpers.data.prepare_data", lambda: calls.append("data"))
    return calls


@pytest.fixture
def lab(monkeypatch):
    """Stands for JupyterLab."""
    calls = []
    monkeypatch.setattr("jupyterlab.labapp.main", calls.append)
    return calls


def test_without_arguments_it_opens_the_first_copy(tmp_path, monkeypatch, prepared, lab):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert command.main([]) == 0
    folder = tmp_path / "my_course"
    assert prepared == ["data"] and os.environ["OMP_NUM_THREADS"] == "1"
    first = "00_start_here.ipynb"
    start = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{first}"]
    assert lab == [[str(folder / first), *start]]


def test_what_follows_two_dashes_is_jupyterlabs(tmp_path, prepared, lab):
    assert command.main([str(tmp_path / "a [b] c"), "--", "--no-browser", "--list"]) == 0
    assert lab[0][-2:] == ["--no-browser", "--list"] and (tmp_path / "a [b] c" / "01_data.ipynb").is_file()


def test_no_lab_only_writes_and_prepares(tmp_path, prepared, lab, capsys):
    assert command.main([str(tmp_path / "mine"), "--no-lab"]) == 0
    assert prepared and not lab
    assert capsys.readouterr().out == f"Your copies are in {tmp_path / 'mine'}.\n"


def test_exercises_alone_and_the_first_of_them_opened(tmp_path, prepared, lab):
    assert command.main([str(tmp_path), "--exercises", "ex02_model", "ex01_data"]) == 0
    assert sorted(path.name for path in tmp_path.rglob("*.ipynb")) == ["ex01_data.ipynb", "ex02_model.ipynb"]
    assert lab[0][0] == str(tmp_path / "exercises" / "ex02_model" / "ex02_model.ipynb")


def test_list_writes_nothing(tmp_path, prepared, lab, capsys):
    assert command.main([str(tmp_path / "mine"), "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(editions())
    assert all(line.endswith("not there yet") for line in lines)
    assert not (prepared or lab or (tmp_path / "mine").exists())


def test_refusals_are_a_line_and_an_exit_code(tmp_path, prepared, lab, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    for arguments, words in (
        ([str(COURSE / "notebooks")], "choose another folder"),
        ([str(tmp_path), "--exercises", "ex9"], "there is no exercise ex9"),
        ([str(tmp_path / "file")], "choose a folder that you may write to"),
    ):
        assert command.main(arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("fmnist-course: ") and words in line
    assert not (prepared or lab)


def test_data_that_cannot_be_had_is_said_before_jupyterlab_opens(tmp_path, lab, capsys, monkeypatch):
    monkeypatch.setenv("FMNIST_SOURCE", "internet")
    assert command.main([str(tmp_path)]) == 1
    assert "choose one of 'auto', 'real', 'standin'" in capsys.readouterr().err and not lab


# --- a wheel alone


def test_the_installed_command_writes_the_same_copies_within_seconds(installed, tmp_path):
    for _ in range(2):
        done = installed.run("fmnist-course", "--no-lab", "mine [1] 2", cwd=tmp_path, FMNIST_DATA="data")

        assert done.returncode == 0, done.stderr
    for name, content in editions().items():
        assert (tmp_path / "mine [1] 2" / name).read_bytes() == content
    assert (tmp_path / "data" / "standin").is_dir()  # a relative path counts from where one is


def test_who_may_not_write_the_package_works_in_a_cache_of_their_own(read_only, tmp_path):
    home = tmp_path / "home of [one]"
    home.mkdir()
    before = {path: path.stat().st_mtime_ns for path in read_only.package.rglob("*")}
    done = read_only.run(
        "fmnist-course", "--no-lab", cwd=home, HOME=str(home), XDG_CACHE_HOME=str(home / "cache")
    )
    assert done.returncode == 0, done.stderr
    assert str(home / "cache" / "fmnist-course" / "standin") in done.stdout
    assert (home / "my_course" / "06_better_training.ipynb").is_file()
    assert {path: path.stat().st_mtime_ns for path in read_only.package.rglob("*")} == before


def test_what_an_administrator_prepared_is_used_as_it_is(read_only, tmp_path):
    shared = tmp_path / "shared"
    assert read_only.run("-c", PREPARE, cwd=tmp_path, FMNIST_DATA=str(shared)).returncode == 0
    give_away(shared)
    for source in ("standin", "auto"):
        # Without a network the stand-in is the best there is, and the folder of the real data cannot even be made.
        done = read_only.run("-c", PREPARE, cwd=tmp_path, FMNIST_DATA=str(shared), FMNIST_SOURCE=source)
        assert done.returncode == 0, done.stderr
        assert f"Fashion-MNIST in {shared / 'standin'}: STAND-IN DATA" in done.stdout


# --- a checkout


def test_git_sees_nothing_of_the_copies(tmp_path):
    course = copy_course(tmp_path / "course")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*git, *arguments], cwd=course, check=True)
    run = [sys.executable, "-P", "-m", "fmnist_helpers.course", "--no-lab"]
    subprocess.run(run, cwd=course, env=alone(PYTHONPATH=str(course)), check=True, capture_output=True)
    mine = nbformat.read(course / "my_course" / "01_data.ipynb", as_version=4)
    mine.cells[0].source = "mine"
    nbformat.write(mine, course / "my_course" / "01_data.ipynb")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=course, check=True, capture_output=True)
    assert status.stdout == b"" and (course / "data" / "standin").is_dir()
