"""What keeps a submission from doing harm: bubblewrap, cgroups and resource limits around its kernel.

Inside the sandbox there is no network, the system is read-only, and only Python, the part of this package that judges
nothing, and the submission itself exist: no checks, no sources of the exercises, no grade book, no other student. What
it may write is kept in memory, of a size that is bounded, and vanishes; it writes to no folder of ours.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
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
PERIOD, QUOTA = 100_000, 150_000
"""Of a processor's time, in microseconds: a core for what a submission computes, half of one for what goes with it."""
SHARED_MIB = 64
"""Size of the memory through which processes of one submission share things, such as workers of a data loader."""
END_SECONDS = 30
"""How long to wait for killed processes to be gone: a few hundred take their time on a busy machine."""
OPTIONAL = {
    "--disable-userns": "this bubblewrap knows no --disable-userns (version 0.8 does), so a submission can make "
    "user namespaces, and in them folders in memory of any size",
    "--size": "this bubblewrap knows no --size (version 0.6 does), so a submission can fill the memory with files",
}
"""Options of bubblewrap that an older one has not → what that means."""
CONTROLS = {
    "the number of its processes": ("pids.max",),
    "the memory of all its processes and files together": ("memory.max", "memory.limit_in_bytes"),
    "its share of the processor": ("cpu.max", "cpu.cfs_quota_us"),
}
"""What cgroups limit → the files of either version, one of which it takes."""
EVENTS = (
    ("pids.events", "max", "reached the limit of processes"),
    ("memory.events", "oom_kill", "reached the limit of memory"),
    ("memory.oom_control", "oom_kill", "reached the limit of memory"),
)
"""Files of either version in which cgroups count, what of it, and what that means."""
_numbers = itertools.count()


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_seconds: int = 60
    total_seconds: int = 300
    memory_gib: float = 6.0
    """What all processes may use together; and address space of each, beyond what a kernel has when it starts."""
    processes: int = 256
    file_mib: int = 256
    """Largest file, and size of each of the two folders in memory."""


def bubblewrap_problem() -> str:
    """Return why submissions cannot be put into bubblewrap here, or an empty string if they can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    return _trial(shutil.which("bwrap"))[1]


def missing_limits(*, sandboxed: bool) -> list[str]:
    """Return what cannot be limited here, and what that means, in words; nothing if all can."""
    words = [OPTIONAL[option] for option in _trial(shutil.which("bwrap"))[0]] if sandboxed else []
    with process_groups(Limits()) as groups:
        limited = {path.name for group in groups for path in group.iterdir()}
    lost = [what for what, files in CONTROLS.items() if not limited.intersection(files)]
    if lost:
        words.append(
            f"no cgroup can be made here that limits what a submission takes of {', '.join(lost)}: one that takes "
            "much slows the others down, and may fill the memory (root can make them, as can whoever systemd lets)"
        )
    return words


@functools.cache
def _trial(_: str | None) -> tuple[tuple[str, ...], str]:
    """Return without which options bubblewrap works here; and why it does not, if it does with none of them."""
    problem = ""
    for without in ((), ("--disable-userns",), ("--size",), tuple(OPTIONAL)):
        try:
            command = [*_wrap(Limits(), without), "true"]
            trial = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            return (), f"bubblewrap does not start: {error}"
        if trial.returncode == 0:
            return without, ""
        problem = problem or f"bubblewrap does not work here: {trial.stderr.strip()[:300]}"
    return (), problem


def kernel_command(
    folder: Path,
    package: Path,
    limits: Limits,
    groups: list[Path],
    *,
    sandboxed: bool,
    core: int | None = None,
) -> list[str]:
    """Return the command that starts the kernel of one submission.

    Args:
        folder: holds the submission's files; inside they are read-only.
        package: the folder with the package that the kernel sees.
        limits: what it may use.
        groups: cgroups that the kernel enters before anything else.
        sandboxed: whether bubblewrap goes around it.
        core: the core of the processor that it is asked to stay on, where no cgroup limits its share.
    """
    kernel = [sys.executable, "-P", "-m", "fmnist_helpers.grading.kernel"]
    # A traceback with its surroundings takes IPython half a minute for an endless recursion.
    kernel += ["--HistoryManager.hist_file=:memory:", "--InteractiveShell.xmode=Plain"]
    if sandboxed:
        files = [
            argument
            for path in sorted(folder.iterdir())
            if path.suffix != ".ipynb"
            for argument in ("--ro-bind", str(path), f"{INSIDE}/{path.name}")
        ]
        inside = ["--ro-bind", str(package), PACKAGE_INSIDE, "--remount-ro", "/", "--chdir", INSIDE]
        kernel = [*_wrap(limits, _trial(shutil.which("bwrap"))[0]), *files, *inside, *kernel]
        # ipykernel looks for its parent, which cannot be seen from inside; bubblewrap dies with it anyway.
        kernel.append("--IPKernelApp.parent_handle=0")
    if core is not None:
        pin = ["taskset", "--cpu-list", str(core)] if shutil.which("taskset") else []
        kernel = ["nice", "-n", "10", *pin, *kernel]
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


def _wrap(limits: Limits, without: tuple[str, ...]) -> list[str]:
    """Return bubblewrap's command; the places that are still to come lie in ``/``, which is then made read-only."""

    def memory(folder: str, mib: int) -> list[str]:
        size = [] if "--size" in without else ["--size", str(mib * 2**20)]
        return [*size, "--tmpfs", folder]

    # A user namespace of its own: there its keyring of the user is its own, too.
    command = ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]
    command += [] if "--disable-userns" in without else ["--disable-userns"]
    command += ["--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "submission"]
    for folder in SYSTEM:
        if os.path.islink(folder):
            command += ["--symlink", os.readlink(folder), folder]
        elif os.path.exists(folder):
            command += ["--ro-bind", folder, folder]
    command += ["--dev", "/dev", *memory("/dev/shm", SHARED_MIB), "--remount-ro", "/dev", "--proc", "/proc"]
    command += [*memory("/tmp", limits.file_mib), *memory(INSIDE, limits.file_mib)]
    # After /tmp, because Python or the package may lie below it.
    python = sorted({sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)})
    for folder in python:
        command += ["--ro-bind", folder, folder]
    # Installed without -e, the package lies below one of them, and the exercises may, too. On a hub, where an
    # instructor works in a copy of the course, a second package does.
    packages = {PACKAGE, *(Path(entry, PACKAGE.name).absolute() for entry in sys.path)}
    for folder in (*sorted(packages), SOURCE):
        if any(folder.is_relative_to(one) for one in python) and folder.is_dir():
            command += ["--tmpfs", str(folder), "--remount-ro", str(folder)]
    return command


# --- cgroups -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def process_groups(limits: Limits) -> Iterator[list[Path]]:
    """Make cgroups that limit processes, memory and time of the processor; give those that can be made here."""
    made = _make_groups(limits)
    try:
        yield list(made)
    finally:
        _end(list(made))


def _make_groups(limits: Limits) -> dict[Path, set[str]]:
    """Return the groups that can be made here, each with the names of the settings that it took."""
    made = {}
    for parent, settings in _parents(limits):
        if not _can_be_entered(parent):
            continue
        group, taken = _new_group(parent), set()
        for name, value in settings.items():
            with contextlib.suppress(OSError):
                (group / name).write_text(str(value))
                taken.add(name)
        if taken:
            made[group] = taken
        else:
            _end([group])
    return made


def _new_group(parent: Path) -> Path:
    group = parent / f"fmnist-grading-{_mark()}-{next(_numbers)}"
    group.mkdir()
    return group


@functools.cache
def _can_be_entered(parent: Path) -> bool:
    """Return whether a group can be made there, and a process moved into it."""
    try:
        group = _new_group(parent)
    except OSError:
        return False
    entered = subprocess.run(["sh", "-c", 'echo $$ > "$0/cgroup.procs"', str(group)], capture_output=True)
    _end([group])
    return entered.returncode == 0


def _parents(limits: Limits) -> Iterator[tuple[Path, dict[str, object]]]:
    """Yield where cgroups may be made, with their settings: one folder in version 2, several in version 1."""
    memory = int(limits.memory_gib * 2**30)
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        here = CGROUPS / controllers / path.lstrip("/")
        if controllers == "pids":
            yield here, {"pids.max": limits.processes}
        elif controllers == "memory":
            yield here, {"memory.limit_in_bytes": memory}
        elif "cpu" in controllers.split(","):
            yield here, {"cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": QUOTA}
        elif not controllers and path != "/":
            # A group with processes of its own cannot have limited children, so the new one stands beside it.
            for controller in ("cpu", "memory", "pids"):
                with contextlib.suppress(OSError):
                    (here.parent / "cgroup.subtree_control").write_text(f"+{controller}")
            yield (
                here.parent,
                {
                    "pids.max": limits.processes,
                    "memory.max": memory,
                    "cpu.max": f"{QUOTA} {PERIOD}",
                },
            )


def limits_reached(groups: list[Path]) -> list[str]:
    """Return which limits of the cgroups were hit, in words."""
    hits = []
    for group, (name, event, words) in itertools.product(groups, EVENTS):
        with contextlib.suppress(OSError, ValueError):
            events = dict(line.split() for line in (group / name).read_text().splitlines())
            if int(events.get(event, 0)):
                hits.append(words)
    return hits


def remove_stale_groups() -> None:
    """Remove the cgroups of runs that were killed before they could do it."""
    _end(stale_groups())


def stale_groups() -> list[Path]:
    """Return the cgroups that this process could have made, of runs that are no more."""
    parents = [parent for parent, _ in _parents(Limits())]
    return [group for parent in parents for group in parent.glob("fmnist-grading-*") if _is_stale(group.name)]


def _end(groups: list[Path]) -> None:
    """Kill what is left in cgroups and remove them; one whose processes do not die is left to a later run."""
    deadline = time.monotonic() + END_SECONDS
    while groups and time.monotonic() < deadline:
        groups = [group for group in groups if not _removed(group)]
        time.sleep(0.05 if groups else 0)


def _removed(group: Path) -> bool:
    # Nothing new is started meanwhile, and dying takes time of the processor. No other file can be made there.
    for name, value in (
        ("pids.max", "0"),
        ("cpu.cfs_quota_us", "-1"),
        ("cpu.max", "max"),
        ("cgroup.kill", "1"),
    ):
        with contextlib.suppress(OSError):
            (group / name).write_text(value)
    with contextlib.suppress(OSError):
        for process in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), 9)
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


# --- where no cgroup can be had ----------------------------------------------------------------------------

_busy: Counter[int] = Counter()
_lock = threading.Lock()


@contextlib.contextmanager
def own_core(groups: list[Path]) -> Iterator[int | None]:
    """Give the core on which the fewest submissions run, or None where a cgroup limits their share anyway.

    A submission can leave the core that it was put on. So this keeps apart only those that do not mean any harm.
    """
    if any((group / name).exists() for group in groups for name in CONTROLS["its share of the processor"]):
        yield None
        return
    with _lock:
        core = min(sorted(os.sched_getaffinity(0)), key=_busy.__getitem__)
        _busy[core] += 1
    try:
        yield core
    finally:
        with _lock:
            _busy[core] -= 1


# --- the folder in which a kernel is met -------------------------------------------------------------------


@contextlib.contextmanager
def spool() -> Iterator[Path]:
    """Make a folder for the sockets at which a kernel is met while it starts; it is not seen from inside."""
    folder = Path(tempfile.mkdtemp(prefix=f"fmnist-{_mark()}-"))
    try:
        yield folder
    finally:
        _remove(folder)


def remove_stale_spools() -> None:
    """Remove the folders of sockets of runs that were killed before they could do it."""
    for folder in Path(tempfile.gettempdir()).glob("fmnist-*-*-*"):
        with contextlib.suppress(OSError):
            ours = folder.lstat().st_uid == os.getuid() and stat.S_ISDIR(folder.lstat().st_mode)
            if ours and _is_stale(folder.name):
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder of ours with all that is in it, closed folders too; a link is removed, never followed."""
    for path, names, _ in os.walk(folder):
        for name in names:
            inside = os.path.join(path, name)
            if not os.path.islink(inside):
                os.chmod(inside, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _mark() -> str:
    """Return what tells this process from every other one, also from a later one of the same number."""
    return f"{os.getpid()}-{_start_of(os.getpid())}"


def _start_of(process: int) -> str:
    """Return when a process was started, in the kernel's own count; an empty text if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_stale(name: str) -> bool:
    """Return whether a name holds the mark of a process that is no more."""
    mark = re.match(r"fmnist-(?:grading-)?(\d+)-(\d+)-.", name)
    return mark is not None and _start_of(int(mark[1])) != mark[2]
