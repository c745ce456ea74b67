"""Runs the cells of one submission in a kernel of its own, within limits, and keeps going where stock tools stop.

The student's cells run in the kernel. A test cell is the instructor's: it is judged in this process, which asks the
kernel for observations only (see ``judging``). Whatever a submission does, every test cell ends in one of three ways:
it passed, it holds a diagnosis, or it holds an error that says why it was not judged. nbgrader gives full marks to a
test cell without an error, so none is ever left empty.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from nbformat import NotebookNode, from_dict

from fmnist_helpers.exercises import switches
from fmnist_helpers.exercises.endless import GROWING_LOOP, LOOK, LOOP, no_memory_left
from fmnist_helpers.exercises.observation import decode
from fmnist_helpers.exercises.remote import NoObservation, Request, interrupted_in
from fmnist_helpers.grading.given_imports import Given, go_on, once_more, remarks_on_imports
from fmnist_helpers.grading.inside import PACKAGE
from fmnist_helpers.grading.instructor_cells import Plan, is_test, plan
from fmnist_helpers.grading.judging import Judged, error_output, judge
from fmnist_helpers.grading.listener import (
    OUTPUT_BYTES,
    SUBMISSION_BYTES,
    Answered,
    Ask,
    Ending,
    Gone,
    Ran,
    Ready,
    Run,
    Start,
)
from fmnist_helpers.grading.sandbox import (
    PACKAGE_INSIDE,
    Limits,
    environment,
    kernel_command,
    limits_reached,
    own_core,
    process_groups,
    spool,
)

START_SECONDS = 120
"""How long a kernel may take to start; a new one is started once if it does not."""
PATIENCE_SECONDS = 30
"""How much longer than it was told a listener may take to answer: to interrupt, and to read what was shown."""
ANSWER_BYTES = 4 * SUBMISSION_BYTES
"""What a listener may answer; its outputs have a fourth of that, and an observation less."""
FAULT_LETTERS = 10_000
"""Letters that are kept of a traceback."""
NOTHING = Given("", frozenset())
WORDS = 300
"""Letters that are kept of what is told of a submission."""


class DidNotStart(Exception):  # noqa: N818
    """No kernel could be started, so nothing is known of the submission; the message says why."""


@dataclass
class Report:
    """What happened to one submission while it ran."""

    stopped: str = ""
    """Why the run ended early, or why a cell was cut short; empty if nothing happened."""
    stopped_at: str = ""
    """Name of the first graded cell that did not run or was cut short."""
    flags: list[str] = field(default_factory=list)
    """What an instructor should look at, in words."""
    notes: list[str] = field(default_factory=list)
    """What an instructor may want to know, in words: what was repaired, and what cost nobody anything."""
    unprotected: list[str] = field(default_factory=list)
    """Names of the test cells that ran, at least in part, in the student's process."""
    beliefs: dict[str, str] = field(default_factory=dict)
    """Name of each test cell whose check named a belief → its key in ``BELIEFS``."""
    faults: list[str] = field(default_factory=list)
    """Tracebacks of test cells, or of checks, that failed by themselves."""
    limits: list[str] = field(default_factory=list)
    """Which limits it hit, in words."""
    seconds: float = 0.0


class Kernel:
    """The kernel of one submission, known through the process that listens to it."""

    def __init__(self, start: Start, log: Any = None) -> None:
        """Start it.

        Raises:
            DidNotStart: if it gives no answer.
        """
        self._log = log
        self._line, theirs = multiprocessing.Pipe()
        with spool() as place, theirs:
            self._listener = subprocess.Popen(
                [sys.executable, "-P", "-m", "fmnist_helpers.grading.listener", str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
                cwd=place,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # So that Ctrl-C comes to the grader alone.
                start_new_session=True,
            )
            theirs.close()
            answer = self._said(start, start.seconds)
        if not isinstance(answer, Ready):
            self.end()
            raise DidNotStart(f"the kernel did not start: {answer.words}"[:WORDS])

    def run(self, wish: Run) -> Ran:
        """Run a cell."""
        answer = self._said(wish, wish.seconds)
        return answer if isinstance(answer, Ran) else Ran([], 0, 0, gone=answer)

    def ask(self, wish: Ask) -> Answered | Gone:
        """Have something observed."""
        return self._said(wish, wish.seconds)

    def _said(self, wish: Start | Run | Ask, seconds: float) -> Any:
        """Return what the listener answers; Gone if it does not."""
        try:
            self._line.send_bytes(msgspec.msgpack.encode(wish))
            if not self._line.poll(seconds + PATIENCE_SECONDS):
                return Gone("stuck")
            answer = self._line.recv_bytes(ANSWER_BYTES)
            return msgspec.msgpack.decode(answer, type=Ready | Ran | Answered | Gone)
        except (EOFError, OSError):
            return self._broken()

    def _broken(self) -> Gone:
        """Return why the listener is no more, which a kernel can bring about, but not by killing it."""
        last_words = self.end()
        if self._log is not None and last_words:
            self._log.error("The listener ended: %s", last_words)
        if self._listener.returncode == -9:
            raise DidNotStart("the process that listens to the kernel was killed: is there memory enough?")
        return Gone("garbled", f"more than can be taken; {last_words[-100:]}".rstrip("; "))

    def end(self) -> str:
        """End the listener, and the kernel with it; return what the listener had to say."""
        self._line.close()
        try:
            return self._listener.communicate(timeout=PATIENCE_SECONDS)[1].decode(errors="replace")[-2000:]
        except subprocess.TimeoutExpired:
            self._listener.kill()
            return ""
        except ValueError:  # It was asked before.
            return ""


def start_kernel(start: Start, log: Any = None) -> Kernel:
    """Start a kernel, and if it gives no answer another one.

    Raises:
        DidNotStart: if neither does.
    """
    try:
        return Kernel(start, log)
    except DidNotStart:
        return Kernel(start, log)


class LimitedExecute:
    """Runs the cells of a notebook within limits of time and output, and says of each what became of it."""

    def __init__(self, kernel: Kernel, limits: Limits, report: Report) -> None:
        self.kernel, self.limits, self.report = kernel, limits, report
        self.tests: dict[str, str] = {}
        """Name of each test cell → its source, as the instructor wrote it."""
        self.seed = 0
        self.data_set = "standin"
        self.given = NOTHING
        self.groups: list[Path] = []
        """The cgroups in which it runs, if there are any."""
        self._begun = False

    def preprocess(self, nb: NotebookNode) -> None:
        """Run a notebook; its outputs are then in it."""
        self.nb = nb
        self._ended = ""
        self._whole = SUBMISSION_BYTES
        start = time.monotonic()
        self._deadline = start + self.limits.total_seconds
        try:
            for index, cell in enumerate(nb.cells):
                self.preprocess_cell(cell, index)
        finally:
            self.report.seconds = time.monotonic() - start

    def preprocess_cell(self, cell: NotebookNode, index: int) -> None:
        """Run one cell, if it is one of code."""
        self._room = OUTPUT_BYTES
        self._allot()
        if not self._ended and time.monotonic() > self._deadline:
            self._end(self._too_long(), cell)
        if cell.cell_type != "code":
            return
        if not self._begun and not self._ended:
            self._begun = True
            self.report.notes += remarks_on_imports(self.given.imports, self.nb)
            self._run_beside(self.given.imports, index)
        if self._ended:
            _add_error(cell, "NotRun", f"not run: {self._ended}")
        elif is_test(cell):
            self._test(cell, index, plan(self.tests[cell.metadata.nbgrader.grade_id]))
        else:
            self._run_and_go_on(cell, index)

    def _run_and_go_on(self, cell: NotebookNode, index: int) -> None:
        """Run a cell, and then what an import that failed kept from running, all in the time of a cell."""
        end = time.monotonic() + self._seconds
        self._run(cell, index)

        def run(source: str) -> list[NotebookNode] | None:
            left = end - time.monotonic()
            if self._ended or left < 0:
                return None
            self._seconds = max(1, int(left))
            return self._run_beside(source, index)

        go_on(cell, run, self.report.notes)
        once_more(cell, self.given, run, self.report.notes)

    def _run_beside(self, source: str, index: int) -> list[NotebookNode]:
        """Run something in place of a cell that stays as it is; return the outputs."""
        cell = self.nb.cells[index]
        outputs = self._run_inside(source, index, counted=False)
        self.nb.cells[index] = cell
        return outputs

    def _run(self, cell: NotebookNode, index: int, *, counted: bool = True) -> None:
        """Run a cell in the kernel, whatever comes of it."""
        gone = self.execute_cell(cell, index, store_history=counted)
        if gone is not None:
            self._end(self._reason(gone), cell)

    def execute_cell(self, cell: NotebookNode, index: int, *, store_history: bool) -> Gone | None:
        """Run a cell; return why nothing more can be had of the kernel, if that came of it."""
        cell.outputs, cell.execution_count = [], None
        if not cell.source.strip():
            return None
        ran = self.kernel.run(Run(cell.source, self._seconds, store_history, self._room, self._whole))
        cell.outputs = [from_dict(output) for output in ran.outputs]
        cell.execution_count = ran.count
        self._room, self._whole = self._room - ran.text, self._whole - ran.whole
        self.nb.cells[index] = cell
        if ran.ending and ran.gone is None:
            self._note(self._words(ran.ending), cell)
            if ran.ending == "slow" or not any(one.output_type == "error" for one in cell.outputs):
                _add_error(cell, "CellTimeoutError", with_advice(self._words(ran.ending)))
        elif ran.gone is None and any(map(_no_memory_left, cell.outputs)):
            self._note(self._too_large("a cell"), cell)
            _add_error(cell, "TookAllMemory", with_advice(self._too_large("this cell")))
        return ran.gone

    # --- test cells ------------------------------------------------------------------------------------

    def _test(self, cell: NotebookNode, index: int, plan: Plan) -> None:
        """Judge a test cell here; run in the kernel what cannot be judged."""
        name = cell.metadata.nbgrader.grade_id
        cell.outputs, cell.execution_count = [], None
        if plan.refused:
            self.report.flags.append(f"{name} could not be judged: {plan.refused}")
            cell.outputs = [error_output("NotJudged", plan.refused)]
            return
        start, self._observing = time.monotonic(), 0.0
        judged = Judged()
        if plan.outside:
            judged = judge(plan, lambda request: self._ask(request, cell), self.seed, self.data_set)
        # Judging takes the grader's time, and waits for others that judge: not a student's.
        self._deadline += time.monotonic() - start - self._observing
        if judged.fault:
            self.report.flags.append(f"{name} failed by itself: {judged.outputs[-1].ename}")
            self.report.faults.append(judged.fault[-FAULT_LETTERS:])
        if judged.took_all_memory:
            self._note(self._too_large(f"`{judged.took_all_memory}`"), cell)
            told = judged.outputs[-1]
            told = f"{told.evalue}\nWhile it is graded, it may take {self.limits.memory_gib:g} GiB."
            judged.outputs[-1] = error_output("CheckFailed", told)
        if judged.belief is not None:
            self.report.beliefs[name] = judged.belief
        if judged.gone is not None and judged.gone.name == "MalformedError":
            self.report.flags.append(f"{name} got an answer that is no observation")
        outputs = judged.outputs
        told = map(switches.note, judged.switches)
        self.report.notes += [note for note in told if note not in self.report.notes]
        if plan.inside:
            self.report.unprotected.append(name)
            if not self._ended:
                outputs = outputs + self._run_inside(plan.inside, index)
        # Last of all, so that nothing which came from the kernel stands among them.
        cell.outputs, cell.execution_count = outputs, index + 1
        self.nb.cells[index] = cell

    def _run_inside(self, source: str, index: int, *, counted: bool = True) -> list[NotebookNode]:
        """Run the unprotected part of a test cell in the kernel; return its outputs."""
        # A copy, so that the notebook keeps the cell as the instructor wrote it.
        cell = copy.deepcopy(self.nb.cells[index])
        cell.source = source
        self.nb.cells[index] = cell
        self._run(cell, index, counted=counted)
        for output in cell.outputs:
            # nbgrader takes anything on stderr for a failure, be it a warning or a progress bar.
            if output.output_type == "stream":
                output.name = "stdout"
        return cell.outputs

    def _ask(self, request: bytes, cell: NotebookNode) -> bytes:
        """Send a request to the kernel and return what it answers.

        Raises:
            NoObservation: if nothing came in time.
        """
        if self._ended:
            raise NoObservation("NotRun", f"not run: {self._ended}")
        start = time.monotonic()
        answer = self.kernel.ask(Ask(request, max(0, self._seconds - self._observing)))
        self._observing += time.monotonic() - start
        what = " or ".join(f"`{name}`" for name in decode(Request, request).names)
        if isinstance(answer, Gone):
            self._end(self._reason(answer, what), cell)
            raise NoObservation("Stopped", with_advice(self._ended))
        if answer.ending:
            words, line = self._words(answer.ending, what=what), interrupted_in(answer.reply)
            self._note(words, cell)
            words += f", in the line `{line}`" if line else ""
            raise NoObservation("Interrupted", with_advice(words))
        if answer.reply is None:
            raise NoObservation("MalformedError", "this is no reply to what was asked")
        return answer.reply

    # --- endings ---------------------------------------------------------------------------------------

    def _allot(self) -> None:
        """Give the next cell its time, or what is left of the submission's."""
        left = self._deadline - time.monotonic()
        self._seconds, self._last = (
            max(1, int(min(self.limits.cell_seconds, left))),
            left < self.limits.cell_seconds,
        )

    def _too_long(self) -> str:
        return f"the submission ran longer than {self.limits.total_seconds} s"

    def _too_large(self, what: str) -> str:
        return f"{what} asked for more than {self.limits.memory_gib:g} GiB of memory ({GROWING_LOOP})"

    def _words(self, ending: Ending, how: str = "was interrupted", what: str = "a cell") -> str:
        if ending == "flood":
            return f"{what} printed without end and {how}"
        # What was slow before has taken a part of this cell's time, so that nothing shows a loop.
        if self._last:
            return f"{self._too_long()} and {how}"
        return f"{what} did not come to an end within {self._seconds} s and {how} ({LOOP})"

    def _reason(self, gone: Gone, what: str = "a cell") -> str:
        if gone.reason == "died":
            full = any("memory" in words for words in limits_reached(self.groups))
            return f"the kernel died: {self._too_large(what)}" if full else "the kernel died"
        if gone.reason == "stuck":
            return self._words(gone.ending, "could not be interrupted", what)
        return f"the kernel sent what is no message ({gone.words})"[:WORDS]

    def _end(self, reason: str, cell: NotebookNode) -> None:
        self._ended = reason
        self._note(reason, cell)
        if cell.cell_type == "code":
            _add_error(cell, "Stopped", with_advice(reason))

    def _note(self, reason: str, cell: NotebookNode) -> None:
        if not self.report.stopped:
            self.report.stopped = reason
            self.report.stopped_at = next(
                (
                    one.metadata.nbgrader.grade_id
                    for one in self.nb.cells[self.nb.cells.index(cell) :]
                    if is_test(one)
                ),
                "",
            )


def execute(
    nb: NotebookNode,
    folder: Path,
    package: Path,
    limits: Limits,
    tests: dict[str, str],
    seed: int,
    *,
    sandboxed: bool,
    given: Given = NOTHING,
    data_set: str = "standin",
    log: Any = None,
) -> Report:
    """Execute ``nb`` in place, as a submission whose files lie in ``folder``.

    Args:
        nb: the notebook.
        folder: the submission's folder; the kernel works there, or in a copy in memory if sandboxed.
        package: the folder with the package that the kernel sees.
        limits: of time, memory, processes and files.
        tests: name of each test cell → its source as the instructor wrote it; that in ``nb`` is not looked at.
        seed: of the submission.
        sandboxed: whether to put the kernel into bubblewrap.
        given: by the assignment; its imports are run before the first cell.
        data_set: name of the one on which the class is graded.
        log: where it is said if the process that listens to the kernel breaks.

    Returns:
        What happened. The outputs are in ``nb``.

    Raises:
        DidNotStart: if no kernel could be started, which is the fault of no submission.
    """
    report = Report()
    with process_groups(limits) as groups, own_core(groups) as core:
        command = kernel_command(folder, package, limits, groups, sandboxed=sandboxed, core=core)
        surroundings = environment(limits, PACKAGE_INSIDE if sandboxed else package)
        kernel = start_kernel(Start(command, surroundings, str(folder), START_SECONDS), log)
        try:
            runner = LimitedExecute(kernel, limits, report)
            runner.tests, runner.seed, runner.given, runner.data_set = tests, seed, given, data_set
            runner.groups = groups
            runner.preprocess(nb)
        finally:
            kernel.end()
            report.limits = limits_reached(groups)
    return report


def with_advice(words: str) -> str:
    """Return why something was ended, for a student: with what to look for, where it may be an endless loop."""
    return f"{words}. {LOOK}" if f"({LOOP})" in words else words


def _no_memory_left(output: NotebookNode) -> bool:
    return output.output_type == "error" and no_memory_left(output.ename, output.evalue)


def _add_error(cell: NotebookNode, name: str, message: str) -> None:
    cell.outputs.append(
        NotebookNode(output_type="error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
    )


def available_jobs() -> int:
    """Return how many submissions to run side by side: one for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
