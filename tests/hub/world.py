"""A machine to be thrown away: this one, with users, files and processes of its own.

What is written to its folders goes into layers in memory that only its processes see, and these end with it. So it
leaves nothing behind, neither users nor servers nor files, also where the tests are killed.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from tests.tools.course import COURSE

PROGRAMS = ("unshare", "nsenter", "runuser", "useradd", "chpasswd", "configurable-http-proxy")
WRITTEN = ("/etc", "/home", "/srv", "/var")
PATH = os.pathsep.join([str(Path(sys.prefix, "bin")), "/usr/local/bin", "/usr/bin", "/bin"])
SYSTEM_PATH = os.pathsep.join([PATH, "/usr/sbin", "/sbin"])
# The first of its processes: the others die with it, and it dies when whoever made it does. It buries their dead.
FIRST_PROCESS = (
    "import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
)
LAYER = """
set -e
mkdir -p "/mnt/$2/upper" "/mnt/$2/work"
chown --reference="$1" "/mnt/$2/upper"
chmod --reference="$1" "/mnt/$2/upper"
mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/$2/upper,workdir=/mnt/$2/work" "$1"
"""


def missing() -> str:
    """Return why there can be no such machine here, or an empty string."""
    if not sys.platform.startswith("linux") or os.geteuid():
        return "it needs Linux, and root to make users"
    programs = [name for name in PROGRAMS if shutil.which(name, path=SYSTEM_PATH) is None]
    modules = [name for name in ("jupyterhub", "nbgrader") if importlib.util.find_spec(name) is None]
    if programs or modules:
        return f"there is no {', no '.join([*modules, *programs])} here (make hub-test installs what it can)"
    return ""


class World:
    """The machine. Its users reach Python and the environment, and of the checkout nothing else.

    Raises:
        OSError: if the system does not allow it; says what it refused.
    """

    def __init__(self) -> None:
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._outer = subprocess.Popen(
            [*command, sys.executable, "-c", FIRST_PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if not self._outer.stdout.readline():
            raise OSError(self._outer.stderr.read().decode().strip())
        [inside] = psutil.Process(self._outer.pid).children()
        self.first = inside.pid
        """The process with which all the others end."""
        self._enter = ["nsenter", f"--target={inside.pid}", "--mount", "--pid", "--"]
        try:
            self._lay_layers()
            self._open_environment()
        except OSError:
            self.close()
            raise

    def _lay_layers(self) -> None:
        self.run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", "/mnt")
        read = (sys.prefix, sys.base_prefix, COURSE)
        for number, folder in enumerate(sorted({*WRITTEN, *map(_place, map(os.path.realpath, read))})):
            self.run("sh", "-c", LAYER, "sh", folder, str(number))

    def _open_environment(self) -> None:
        environment = Path(sys.prefix).resolve()
        # Whoever installs the course for a class has no checkout beside it.
        beside = [path for path in COURSE.iterdir() if not environment.is_relative_to(path.resolve())]
        self.run("chmod", "go=", *map(str, beside))
        for folder in {*environment.parents, *Path(os.path.realpath(sys.base_prefix)).parents}:
            if not folder.stat().st_mode & 0o001:
                self.run("chmod", "o+x", str(folder))

    def run(
        self, *command: str, text: str | None = None, expected: int | None = 0
    ) -> subprocess.CompletedProcess:
        """Run a command as root, with ``text`` as its input.

        Raises:
            OSError: if it does not end with the expected status (None: any); shows what it said.
        """
        done = subprocess.run(
            [*self._enter, *command],
            input=text,
            capture_output=True,
            text=True,
            timeout=300,
            env=_environment(),
        )
        if expected is not None and done.returncode != expected:
            raise OSError(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def run_as(
        self, user: str, script: str, expected: int | None = 0, umask: str = "022"
    ) -> subprocess.CompletedProcess:
        """Run lines of shell as a user who has just logged in; raises as ``run`` does."""
        return self.run(
            "runuser", "--login", user, "--command", f"umask {umask}; {script}", expected=expected
        )

    def start(self, *command: str, log: Path, **variables: str) -> subprocess.Popen:
        """Start a server as root."""
        with log.open("w") as file:
            return subprocess.Popen(
                [*self._enter, *command], stdout=file, stderr=file, env=_environment() | variables
            )

    def add_user(self, name: str, password: str) -> None:
        """Make a user with a home that is closed to others."""
        self.run(
            "useradd",
            "--create-home",
            "--key",
            "HOME_MODE=0700",
            "--shell",
            "/bin/bash",
            "--no-log-init",
            name,
        )
        self.run("chpasswd", text=f"{name}:{password}\n")

    def write(self, path: str, text: str, user: str = "root") -> None:
        """Write a file, and the folders above it, as a user."""
        target = shlex.quote(path)
        self.run(
            "runuser",
            "--user",
            user,
            "--",
            "sh",
            "-c",
            f'mkdir -p "$(dirname {target})" && cat > {target}',
            text=text,
        )

    def close(self) -> None:
        """Kill all its processes; with the last of them go its files."""
        self._outer.kill()
        self._outer.communicate()


def _place(path: str) -> str:
    """Return the folder to lay a layer on so that ``path`` is in it: one at the top, or where a disk is mounted."""
    folder = Path(path)
    return str(
        next(one for one in (folder, *folder.parents) if os.path.ismount(one) or str(one.parent) == "/")
    )


def _environment() -> dict[str, str]:
    return {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"}
