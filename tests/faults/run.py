"""Plant every fault, one at a time, in a copy of the course, and see that the tests turn red for its reason.

    python -m tests.faults.run [NAME ...]
    python -m tests.faults.run --due       # a fifth of them, another one with each commit

The copy is what git would commit from the working tree. First the tests must be green there as it stands.
Then each fault is planted, its tests run, and the table says what caught it. A run that is red for another
reason than the one that the fault names, such as an import that fails, does not count.

Every run of pytest is a process of its own. Where the system can, it is forked from one that has imported
PyTorch already, which saves most of the time that a short run takes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fault import Catch, Fault, FaultError, planted, read_faults
from tests.tools.course import COURSE, copy_course
from tests.tools.due import OPTION, due, number_of_commits

WORKERS = 2
RUN_SECONDS = 600
PRELOADED = ["torch", "torchvision", "matplotlib.pyplot", "nbformat"]
# Not verbose: pytest would then explain for minutes how two lists of images differ.
OPTIONS = ["-q", "--color=no", "--tb=short", "-p", "no:cacheprovider", "-p", "tests.faults.watch"]

# Where the package comes from, and the stand-in drawn once, so that no lesson has to wait for it.
PREPARE = "import fmnist_helpers as fh; fh.prepare_data(source='standin'); print(fh.__file__)"


@dataclass(frozen=True)
class Failure:
    """A test that failed: ``when`` is pytest's phase, "call" where the test itself was running."""

    test: str
    when: str
    message: str


@dataclass(frozen=True)
class Run:
    """What one run of pytest left: its exit code, what failed, its last words, and how long it took."""

    code: int
    failures: tuple[Failure, ...] = ()
    last_words: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    caught: bool
    words: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        first, *others = self.words
        lines = [f"{self.name:30s} {self.seconds:5.1f}  {first}", *(38 * " " + other for other in others)]
        return "\n".join(lines)


# --- a copy of the course ----------------------------------------------------------------------------------


def environment(copy: Path) -> dict[str, str]:
    """Return the environment of every process in the copy: its own package, its own data, no settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FMNIST_", "PYTEST_", "COV_"))
    }
    return kept | {
        # Before the site packages, where the course itself may be installed.
        "PYTHONPATH": str(copy),
        # A file and its faulty twin may have the same size and time, and then share their compiled form.
        "PYTHONDONTWRITEBYTECODE": "1",
        "FMNIST_SOURCE": "standin",
        "OMP_NUM_THREADS": "1",
    }


def prepare(copy: Path) -> None:
    """Fill one copy and make sure that it is the copy's package that is imported there.

    Raises:
        FaultError: if another package is imported, or none.
    """
    copy_course(copy)
    done = subprocess.run(
        [sys.executable, "-c", PREPARE],
        cwd=copy / "notebooks",
        env=environment(copy),
        capture_output=True,
        text=True,
    )
    found = done.stdout.splitlines()[-1] if done.returncode == 0 else done.stderr
    if Path(found) != copy / "fmnist_helpers" / "__init__.py":
        raise FaultError(f"in {copy} the package comes from elsewhere, or cannot be used: {found}")


# --- one run -----------------------------------------------------------------------------------------------


def process_context() -> multiprocessing.context.BaseContext:
    """Return how new processes are made: forked from a server, or afresh where there is no such thing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def run_pytest(copy: Path, tests: Iterable[str], expected: Iterable[Catch] = ()) -> Run:
    """Run pytest in the copy until all is done, or all that is expected has failed."""
    report, log = copy / ".faults.jsonl", copy / ".faults.log"
    report.unlink(missing_ok=True)
    watched = {
        "FAULT_REPORT": str(report),
        "FAULT_EXPECTED": json.dumps([(catch.test, catch.reason) for catch in expected]),
    }
    arguments = (copy, environment(copy) | watched, [*OPTIONS, *tests], log)
    start = time.perf_counter()
    process = process_context().Process(target=pytest_in, args=arguments)
    process.start()
    process.join(RUN_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return Run(-1, (), f"not done after {RUN_SECONDS} s", RUN_SECONDS)
    lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    failures = tuple(Failure(**json.loads(line)) for line in lines)
    words = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return Run(process.exitcode, failures, " ".join(words[-4:]).strip()[-200:], time.perf_counter() - start)


def pytest_in(copy: Path, variables: dict[str, str], arguments: list[str], log: Path) -> None:
    """Turn this new process into ``python -m pytest`` in the copy; both outputs go to the log."""
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(copy)
    os.environ.clear()
    os.environ.update(variables)
    sys.dont_write_bytecode = True
    # Of the course nothing that was imported so far may stay, nor the place it came from.
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "fmnist_helpers")]:
        del sys.modules[name]
    sys.path[:] = [str(copy), *(place for place in sys.path if Path(place).resolve() != COURSE)]
    import pytest

    sys.exit(int(pytest.main(arguments)))


# --- the verdict -------------------------------------------------------------------------------------------


def judge(fault: Fault, run: Run) -> Row:
    """Tell whether each failure that the fault names was seen in its run.

    A failure counts where the test itself failed: not while pytest collected it or prepared it.
    """
    called = [failure for failure in run.failures if failure.when == "call"]
    caught = [
        next((f.test for f in called if catch.matches(f.test, f.message)), None) for catch in fault.caught_by
    ]
    if all(caught):
        return Row(fault.name, True, tuple(map(short, caught)), run.seconds)
    missed = fault.caught_by[caught.index(None)]
    return Row(fault.name, False, (f"NOT CAUGHT by {missed.test}: {what_else(run)}",), run.seconds)


def what_else(run: Run) -> str:
    """Say what a run that has not shown the expected failure has shown instead."""
    if run.failures:
        others = [
            f"{short(f.test)} ({f.when}): {' '.join(f.message.split())[-200:]}" for f in run.failures[:3]
        ]
        return "red for another reason: " + "; ".join(others)
    return "green" if run.code == 0 else f"pytest ended with code {run.code}: {run.last_words}"


def short(test: str) -> str:
    """Return a test's id without its folder and its parameters."""
    return test.removeprefix("tests/").removeprefix("notebooks/").partition("[")[0]


# --- the whole suite ---------------------------------------------------------------------------------------


def groups(faults: list[Fault]) -> list[list[str]]:
    """Return what must be green without a fault, file by file, lessons first because they take longest."""
    selected = sorted({test for fault in faults for test in fault.tests})
    files = {test.partition("::")[0] for test in selected}
    return [
        # A whole file stands for each of its tests.
        [file] if file in selected else [test for test in selected if test.startswith(f"{file}::")]
        for file in sorted(files, key=lambda file: (not file.endswith(".ipynb"), file))
    ]


def check_green(copy: Path, tests: list[str]) -> None:
    """Raise FaultError if something fails without any fault."""
    run = run_pytest(copy, tests)
    if run.code != 0:
        raise FaultError(f"without any fault {', '.join(tests)} must be green, but it is {what_else(run)}")


def try_fault(copy: Path, fault: Fault) -> Row:
    """Plant a fault, run its tests, and take it out again."""
    with planted(fault, copy):
        return judge(fault, run_pytest(copy, fault.tests, fault.caught_by))


class Copies:
    """Copies of the course; each piece of work has one to itself."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folders = [folder / f"copy{index}" for index in range(number)]
        self.free = queue.SimpleQueue()
        self.pool = ThreadPoolExecutor(number)

    def prepare(self) -> None:
        list(self.pool.map(prepare, self.folders))
        for copy in self.folders:
            self.free.put(copy)

    def map(self, function, arguments: Iterable) -> Iterable:
        """Call ``function(copy, argument)`` for each argument, in parallel; yield results in order."""

        def call(argument):
            copy = self.free.get()
            try:
                return function(copy, argument)
            finally:
                self.free.put(copy)

        return self.pool.map(call, arguments)

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


def run_suite(faults: list[Fault], folder: Path) -> bool:
    """Try all faults and print the table; return whether every one was caught."""
    copies, start = Copies(folder, min(WORKERS, len(faults))), time.perf_counter()
    try:
        copies.prepare()
        list(copies.map(check_green, groups(faults)))
        print(f"green without a fault after {time.perf_counter() - start:.0f} s\n")
        print(f"{'fault':28s} seconds  caught by")
        # The longest first, so that no worker is left with a long one at the end.
        ordered = sorted(faults, key=lambda fault: not any(".ipynb" in test for test in fault.tests))
        rows = []
        for row in copies.map(try_fault, ordered):
            rows.append(row)
            print(row, flush=True)
    finally:
        copies.close()
    caught = sum(row.caught for row in rows)
    print(f"\n{caught} of {len(rows)} faults turned the tests red for the stated reason", end=" ")
    print(f"({time.perf_counter() - start:.0f} s in all)")
    return caught == len(rows)


def asked_for(arguments: list[str]) -> list[Fault]:
    """Return the named faults, those that are due, or all."""
    if arguments == [OPTION]:
        return due(read_faults([]), number_of_commits())
    return read_faults(arguments)


def main(arguments: list[str]) -> int:
    """Run the faults that are asked for; return 0 if every one was caught."""
    # For the server, too, from which the runs are forked.
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        faults = asked_for(arguments)
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            return 0 if run_suite(faults, Path(folder).resolve()) else 1
    except FaultError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
