"""That the ways to install the course agree, and that Binder and CI do what they say."""

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
import venv
from fnmatch import fnmatch
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.tools.course import COURSE, copy_course

PROJECT = tomllib.loads((COURSE / "pyproject.toml").read_text())
CONDA = yaml.safe_load((COURSE / "environment.yml").read_text())

BINDER_COPIES = "my_course"

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
    makefile = (COURSE / "Makefile").read_text()
    for text in PROJECT["project"]["dependencies"]:
        if text.startswith("torch"):
            assert f'"{text}"' in makefile


def test_every_file_of_the_package_is_installed():
    setuptools = PROJECT["tool"]["setuptools"]
    (pattern,) = setuptools["packages"]["find"]["include"]
    carried = {name: globs for name, globs in setuptools["package-data"].items()}
    for path in (COURSE / "fmnist_helpers").rglob("*"):
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        package = path.parent.relative_to(COURSE).as_posix().replace("/", ".")
        assert fnmatch(package, pattern) and (path.parent / "__init__.py").is_file()
        assert path.suffix == ".py" or any(path.match(glob) for glob in carried[package]), path


def test_binder_builds_from_the_one_environment():
    link = COURSE / "binder" / "environment.yml"
    assert link.is_symlink()
    assert link.resolve() == COURSE / "environment.yml"
    assert not any("-e" in str(text) or "file:" in str(text) for text in CONDA["dependencies"])


@pytest.mark.parametrize("script", ["binder/postBuild", "binder/start", ".ci/run"])
def test_scripts_are_executable_and_parse(script):
    path = COURSE / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)


def test_binder_start_sets_one_thread_and_hands_over():
    command = [
        COURSE / "binder" / "start",
        sys.executable,
        "-c",
        "import os; print(os.environ['OMP_NUM_THREADS'])",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "1"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Binder runs Linux")
def test_postbuild_and_start_do_as_binder_would(tmp_path):
    course = copy_course(tmp_path / "course")
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    # Stands for the conda environment: everything but the package is there already.
    site = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    Path(site.stdout.strip(), "there.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    environment = {
        **os.environ,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_INDEX": "1",
        "FMNIST_SOURCE": "standin",
    }
    for name in ("FMNIST_DATA", "PYTHONPATH"):
        environment.pop(name, None)
    done = subprocess.run(
        [course / "binder" / "postBuild"], cwd=course, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "STAND-IN DATA" in done.stdout
    assert (course / "data" / "standin" / "FashionMNIST" / "raw" / "train-images-idx3-ubyte").is_file()
    # An editable install uses the files of the checkout and packs none.
    assert not list(course.rglob("packaged"))
    # What the badge opens is there, and git sees nothing of it.
    first = nbformat.read(course / BINDER_COPIES / "00_start_here.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in first.cells)
    assert f"/{BINDER_COPIES}/" in (COURSE / ".gitignore").read_text().splitlines()
    # At the launch the data is there, and the package is the course's own.
    code = "import fmnist_helpers as f, torch; print(f.__file__, torch.get_num_threads()); f.prepare_data()"
    launch = [course / "binder" / "start", python, "-c", code]
    done = subprocess.run(launch, cwd=course / "notebooks", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{course / 'fmnist_helpers' / '__init__.py'} 1\n")


def test_repo2docker_builds_from_our_files(tmp_path):
    course = copy_course(tmp_path / "course")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(course)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    dockerfile = done.stdout + done.stderr
    assert done.returncode == 0, dockerfile[-3000:]
    assert "environment.yml" in dockerfile
    for words in ("binder/postBuild", "binder/start", "env update"):
        assert words in dockerfile, words


def test_badge_opens_the_first_lesson_in_jupyterlab():
    address = re.search(r"\]\((https://mybinder.org/v2/[^)]*)\)", (COURSE / "README.md").read_text())[1]
    assert address.endswith(f"?urlpath=lab/tree/{BINDER_COPIES}/00_start_here.ipynb")


def test_a_codespace_installs_the_same_and_opens_the_copies():
    settings = json.loads((COURSE / ".devcontainer" / "devcontainer.json").read_text())
    made = settings["postCreateCommand"]
    for text in PROJECT["project"]["dependencies"]:
        assert not text.startswith("torch") or f"'{text}'" in made
    assert made.endswith(f"-e . && fmnist-course --no-lab {BINDER_COPIES}")
    assert "fmnist-course" in PROJECT["project"]["scripts"]
    assert settings["customizations"]["codespaces"]["openFiles"] == [f"{BINDER_COPIES}/00_start_here.ipynb"]


def test_conda_asks_for_the_cpu_build():
    torch_packages = [text for text in CONDA["dependencies"] if text.startswith("pytorch")]
    assert torch_packages and all(text.startswith("pytorch-cpu") for text in torch_packages)


def test_make_refuses_an_old_python(tmp_path):
    old = tmp_path / "python"
    pretend = "import sys; sys.version_info = (3, 9); sys.version = '3.9.1 x';"
    old.write_text(f'#!/bin/sh\nshift\nexec {shlex.quote(sys.executable)} -c "{pretend} $*"\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "--silent", "test", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=COURSE,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_make_help_names_every_command():
    done = subprocess.run(["make", "help"], cwd=COURSE, check=True, capture_output=True, text=True)
    commands = (
        "lab",
        "test",
        "browser-test",
        "hub-test",
        "term-test",
        "execute",
        "format",
        "bench",
        "release",
        "site",
        "clean",
    )
    for command in commands:
        assert re.search(rf"^\s+make {command} ", done.stdout, flags=re.MULTILINE)
