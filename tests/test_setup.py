"""That the ways to install the course agree, and that Binder and CI do what they say."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())

# Conda-forge has other names for two packages: the CPU build of torch, and matplotlib without a GUI.
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}


def test_environment_agrees_with_pyproject():
    dependencies = [re.split(r"(?=[<>=])", text, maxsplit=1) for text in PROJECT["project"]["dependencies"]]
    expected = {f"{CONDA_NAMES.get(name, name)}{bound}" for name, bound in dependencies}
    python = next(text for text in CONDA["dependencies"] if text.startswith("python="))
    assert set(CONDA["dependencies"]) == expected | {python, "pip"}


def test_conda_pins_a_python_that_the_package_accepts():
    python = next(text for text in CONDA["dependencies"] if text.startswith("python="))
    pinned = tuple(map(int, python.removeprefix("python=").split(".")))
    lowest = tuple(map(int, PROJECT["project"]["requires-python"].removeprefix(">=").split(".")))
    assert len(pinned) == 2 and pinned >= lowest
    assert CONDA["channels"][0] == "conda-forge"


def test_makefile_asks_for_the_same_torch_as_pyproject():
    makefile = (ROOT / "Makefile").read_text()
    for text in PROJECT["project"]["dependencies"]:
        if text.startswith("torch"):
            assert f'"{text}"' in makefile


def test_every_file_of_the_package_is_installed():
    packages = {path.parent for path in (ROOT / "fmnist_helpers").rglob("__init__.py")}
    names = {path.relative_to(ROOT).as_posix().replace("/", ".") for path in packages}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == names
    data = [path for path in (ROOT / "fmnist_helpers").iterdir() if path.suffix not in (".py", "")]
    assert data
    assert all(path.match("*.npz") for path in data)


def test_binder_builds_from_the_one_environment():
    link = ROOT / "binder" / "environment.yml"
    assert link.is_symlink()
    assert link.resolve() == ROOT / "environment.yml"
    assert not any("-e" in str(text) or "file:" in str(text) for text in CONDA["dependencies"])


@pytest.mark.parametrize("script", ["binder/postBuild", "binder/start", ".ci/run"])
def test_scripts_are_executable_and_parse(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)


def test_binder_start_sets_one_thread_and_hands_over():
    command = [
        ROOT / "binder" / "start",
        sys.executable,
        "-c",
        "import os; print(os.environ['OMP_NUM_THREADS'])",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "1"


def test_postbuild_installs_without_dependencies_and_prepares_data():
    script = (ROOT / "binder" / "postBuild").read_text()
    assert "pip install --no-deps" in script
    assert "prepare_data()" in script


def test_make_refuses_an_old_python(tmp_path):
    old = tmp_path / "python"
    pretend = "import sys; sys.version_info = (3, 9); sys.version = '3.9.1 x';"
    old.write_text(f'#!/bin/sh\nshift\nexec {shlex.quote(sys.executable)} -c "{pretend} $*"\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "--silent", "test", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_make_help_names_every_command():
    done = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    for command in ("lab", "test", "execute", "format", "bench"):
        assert re.search(rf"^\s+make {command} ", done.stdout, flags=re.MULTILINE)
