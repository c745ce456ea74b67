"""What keeps a submission from doing harm: bubblewrap, a cgroup and resource limits around its kernel.

Inside the sandbox there is no network, the system is read-only, and only Python, the part of this package that judges
nothing, and the submission itself exist: no checks, no sources of the exercises, no grade book, no other student. What
it may write is kept in memory and vanishes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fmnist_helpers.grading.classroom import SOURCE
from fmnist_helpers.grading.inside import PACKAGE

INSIDE = "/submission"
"""Where the kernel of a submission works; inside the sandbox this is a folder in memory."""
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
)
PACKAGE_INSIDE = "/course"
"""Where the package lies inside the sandbox."""
CGROUPS = Path("/sys/fs/cgroup")
_numbers = itertools.count()


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_seconds: int = 60
    total_seconds: int = 300
    memory_gib: float = 6.0
    """Address space, for a process and for all together; importing a CUDA build of torch takes 3.5 GiB of it."""
    processes: int = 256
    file_mib: int = 256
    """Largest file, and size of the folder in memory."""


def bubblewrap_problem() -> str:
    """Return why submissions cannot be put into bubblewrap here, or an empty string if they can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    try:
        trial = subprocess.run([*_wrap(Limits()), "true"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start: {error}"
    return f"bubblewrap does not work here: {trial.stderr.strip()}" if trial.returncode else ""


def kernel_command(
    folder: Path, connection: Path, package: Path, limits: Limits, groups: list[Path], *, sandboxed: bool
) -> list[str]:
    """Return the command that starts the kernel of one submission.

    Args:
        folder: holds the submission's files; inside they are read-only.
        connection: the folder of the connection file, which both sides write to.
        package: the folder with the package that the kernel sees.
        limits: what it may use.
        groups: cgroups that the kernel enters before anything else.
        sandboxed: whether bubblewrap goes around it.
    """
    kernel = [sys.executable, "-P", "-m", "fmnist_helpers.grading.kernel", "-f", "{connection_file}"]
    # A traceback with its surroundings takes IPython half a minute for an endless recursion.
    kernel += ["--HistoryManager.hist_file=:memory:", "--InteractiveShell.xmode=Plain"]
    if sandboxed:
        files = [
            argument
            for path in sorted(folder.iterdir())
            if path.suffix != ".ipynb"
            for argument in ("--ro-bind", str(path), f"{INSIDE}/{path.name}")
        ]
        bound = ["--bind", str(connection), str(connection), "--ro-bind", str(package), PACKAGE_INSIDE]
        kernel = [*_wrap(limits), *files, *bound, "--chdir", INSIDE, *kernel]
        # ipykernel looks for its parent, which cannot be seen from inside; bubblewrap dies with it anyway.
        kernel.append("--IPKernelApp.parent_handle=0")
    if groups:
        enter = " && ".join(f'echo $$ > "${{{number}}}/cgroup.procs"' for number in range(1, len(groups) + 1))
        kernel = [
            "sh",
            "-c",
            f'{enter} && shift {len(groups)} && exec "$@"',
            "sh",
            *map(str, groups),
            *kernel,
        ]
    return kernel


def environment(limits: Limits, package: Path | str) -> dict[str, str]:
    """Return the whole environment of a submission's kernel, which finds the package in this folder."""
    return {
        "PYTHONPATH": str(package),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "FMNIST_SOURCE": "standin",
        "FMNIST_DATA": "/tmp/fashion-mnist",
        "HOME": "/tmp",
        "IPYTHONDIR": "/tmp/ipython",
        "NBGRADER_EXECUTION": "autograde",
        "FMNIST_GRADING_LIMITS": f"{int(limits.memory_gib * 2**30)} {limits.file_mib * 2**20} {limits.processes}",
    }


def _wrap(limits: Limits) -> list[str]:
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += ["--uid", "65534", "--gid", "65534", "--hostname", "submission"]
    for folder in SYSTEM:
        if os.path.islink(folder):
            command += ["--symlink", os.readlink(folder), folder]
        elif os.path.exists(folder):
            command += ["--ro-bind", folder, folder]
    command += ["--dev", "/dev", "--proc", "/proc"]
    for folder in ("/tmp", INSIDE):
        command += ["--size", str(limits.file_mib * 2**20), "--tmpfs", folder]
    # After /tmp, because Python or the package may lie below it.
    python = sorted({sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)})
    for folder in python:
        command += ["--ro-bind", folder, folder]
    # Installed without -e, the package lies below one of them, and the exercises may, too.
    for folder in (PACKAGE, SOURCE):
        if any(folder.is_relative_to(one) for one in python) and folder.is_dir():
            command += ["--tmpfs", str(folder)]
    return command


@contextlib.contextmanager
def process_groups(limits: Limits) -> Iterator[list[Path]]:
    """Make cgroups that limit processes and memory; give those that can be made here, perhaps none."""
    made = []
    for parent, settings in _parents(limits):
        group = parent / f"fmnist-grading-{os.getpid()}-{next(_numbers)}"
        try:
            group.mkdir()
            made.append(group)
            for name, value in settings.items():
                (group / name).write_text(str(value))
        except OSError:
            if made and made[-1] == group:
                made.pop()
                with contextlib.suppress(OSError):
                    group.rmdir()
    try:
        yield made
    finally:
        for group in made:
            _end(group)


def remove_stale_groups() -> None:
    """Remove the cgroups of runs that were killed before they could do it."""
    for group in stale_groups():
        _end(group)


def stale_groups() -> list[Path]:
    """Return the cgroups that this process could have made, of runs that are no more."""
    return [
        group
        for parent, _ in _parents(Limits())
        for group in parent.glob("fmnist-grading-*")
        if not Path("/proc", group.name.split("-")[2]).exists()
    ]


def limits_reached(groups: list[Path]) -> list[str]:
    """Return which limits of the cgroups were hit, in words."""
    hits = []
    for group in groups:
        with contextlib.suppress(OSError, ValueError):
            events = dict(line.split() for line in (group / "pids.events").read_text().splitlines())
            if int(events.get("max", 0)):
                hits.append("reached the limit of processes")
    return hits


def _parents(limits: Limits) -> Iterator[tuple[Path, dict[str, int]]]:
    """Yield where cgroups may be made, with their settings: one folder in version 2, two in version 1."""
    memory = int(limits.memory_gib * 2**30)
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "pids":
            yield CGROUPS / "pids" / path.lstrip("/"), {"pids.max": limits.processes}
        elif controllers == "memory":
            yield CGROUPS / "memory" / path.lstrip("/"), {"memory.limit_in_bytes": memory}
        elif not controllers and path != "/":
            # A group with processes of its own cannot have limited children, so the new one stands beside it.
            yield (CGROUPS / path.lstrip("/")).parent, {"pids.max": limits.processes, "memory.max": memory}


def _end(group: Path) -> None:
    """Kill what is left in a cgroup and remove it."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            for process in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), 9)
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
