"""The package as a learner without a checkout gets it: built into a wheel, and installed into an empty environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.tools.course import COURSE

BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def build(kind: str, source: Path, target: Path) -> Path:
    """Build a wheel or a source distribution, without a network, and return its path."""
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel, and finds torch and the rest where they are already."""

    python: Path
    package: Path
    humble: tuple[str, ...] = ()
    """What stands before a command to take root's special rights from it."""

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
        """Run a program of the environment (``-m module`` or the name of a script) in a folder."""
        first, *rest = map(str, command)
        start = [self.python, first] if first.startswith("-") else [self.python.parent / first]
        return subprocess.run(
            [*self.humble, *start, *rest], cwd=cwd, env=alone(**environment), capture_output=True, text=True
        )


def alone(**environment: str) -> dict[str, str]:
    """Return the environment of a process that is not to find the checkout, nor its data."""
    inherited = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "FMNIST_DATA")}
    return {**inherited, **environment}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A copy of what a build reads, in which it leaves its debris; git need not know it (faults are planted)."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(COURSE / name, folder)
    for name in ("fmnist_helpers", "notebooks"):
        shutil.copytree(COURSE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb*"))
    return folder


@pytest.fixture(scope="session")
def wheel(checkout, tmp_path_factory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Installed:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=os.name == "posix", with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(
        subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    )
    # Before the other packages can be seen: among them may be this one, in an editable install.
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", python, "install"),
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ],
        check=True,
        env=alone(),
    )
    # A folder that is named so adds none of the .pth files in it, and with them no editable install.
    (site / "there.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return Installed(python, site / "fmnist_helpers")


NOBODY = 65534
HUMBLE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner,-chown", "--")


def give_away(folder: Path) -> None:
    """Make a folder and what is in it somebody else's, to be read by all."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.fixture(scope="session")
def read_only(installed) -> Installed:
    """The same environment for one who may not write where the package lies: it is somebody else's."""
    if os.name == "nt" or os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to take the right to write from a process")
    give_away(installed.package)
    humble = replace(installed, humble=HUMBLE)
    code = f"open({str(installed.package / 'written')!r}, 'w')"
    assert "PermissionError" in humble.run("-c", code, cwd=installed.package.parent).stderr
    return humble
