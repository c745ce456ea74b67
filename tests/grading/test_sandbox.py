"""The command and the environment of a submission's kernel."""

from __future__ import annotations

import os

from fmnist_helpers.grading import submissions
from fmnist_helpers.grading.sandbox import Limits, environment, kernel_command


def test_command_of_the_kernel_binds_no_source_and_no_other_folder(tmp_path):
    folder = tmp_path / "staged"
    folder.mkdir()
    (folder / "helper.py").touch()
    (folder / "ex.ipynb").touch()
    command = kernel_command(folder, tmp_path / "spool", tmp_path / "package", Limits(), [], sandboxed=True)
    bound = [command[place + 1] for place, word in enumerate(command) if word in ("--bind", "--ro-bind")]
    assert str(folder / "helper.py") in bound
    assert str(folder / "ex.ipynb") not in bound and str(folder) not in bound
    course = str(submissions.__file__).split("/fmnist_helpers/")[0]
    # Of our package it sees the part that judges nothing, and in another place.
    assert command[command.index(str(tmp_path / "package")) + 1] == "/course"
    assert f"{course}/fmnist_helpers" not in bound
    assert course not in bound and os.path.expanduser("~") not in bound
    assert [path for path in bound if command[command.index(path) - 1] == "--bind"] == [
        str(tmp_path / "spool")
    ]
    assert "--unshare-all" in command and "--share-net" not in command


def test_environment_of_the_kernel_holds_nothing_of_the_instructor(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    assert "abc" not in str(environment(Limits(), "/course"))
    assert (
        environment(Limits(memory_gib=2, file_mib=1, processes=7), "/course")["FMNIST_GRADING_LIMITS"]
        == "2147483648 1048576 7"
    )
