"""What the command refuses or says when it is asked for what does not exist."""

from __future__ import annotations

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from filelock import FileLock

from fmnist_helpers.grading.__main__ import main


def test_without_a_sandbox_it_says_so_loudly(tmp_path, capsys):
    (tmp_path / "submitted").mkdir()
    assert main(["grade", "--out", str(tmp_path), "--no-sandbox"]) == 0
    told = capsys.readouterr()
    assert "NOT SANDBOXED" in told.err
    assert "0 in all" in told.out


def test_unknown_assignment_is_named(tmp_path, capsys):
    (tmp_path / "submitted").mkdir()
    assert main(["grade", "--out", str(tmp_path), "--assignment", "ex99"]) == 2
    assert "There is no assignment ex99; there are ex0" in capsys.readouterr().err


def test_missing_folder_is_named(tmp_path, capsys):
    assert main(["grade", "--out", str(tmp_path)]) == 2
    assert f"There is no folder {tmp_path / 'submitted'}" in capsys.readouterr().out


@pytest.mark.parametrize("pair", ["ada", "ada/ex03_loss"])
def test_again_says_how_to_write_what_it_does_not_find(tmp_path, capsys, pair):
    (tmp_path / "submitted").mkdir()
    assert main(["grade", "--out", str(tmp_path), "--no-sandbox", "--again", pair]) == 2
    assert "write STUDENT/ASSIGNMENT[/CELL].\n" in capsys.readouterr().err


def test_two_runs_at_once_do_not_meet(tmp_path, capsys):
    with FileLock(tmp_path / ".lock"):
        assert main(["release", "--out", str(tmp_path)]) == 2
    assert "Another run is at work" in capsys.readouterr().err
