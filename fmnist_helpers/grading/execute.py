"""Runs the cells of one submission in a kernel of its own, within limits, and keeps going where stock tools stop.

The student's cells run in the kernel. A test cell is the instructor's: it is judged in this process, which asks the
kernel for observations only (see ``judging``). Whatever a submission does, every test cell ends in one of three ways:
it passed, it holds a diagnosis, or it holds an error that says why it was not judged. nbgrader gives full marks to a
test cell without an error, so none is ever left empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from traitlets import Any as AnyTrait

from fmnist_helpers.exercises import switches
from fmnist_helpers.exercises.remote import NoObservation
from fmnist_helpers.grading.given_imports import go_on, remarks_on_imports
from fmnist_helpers.grading.instructor_cells import Plan, is_test, plan
from fmnist_helpers.grading.judging import Judged, error_output, judge
from fmnist_helpers.grading.sandbox import (
    PACKAGE_INSIDE,
    Limits,
    environment,
    kernel_command,
    limits_reached,
    process_groups,
)

OUTPUT_BYTES = 100_000
"""What is kept of the outputs of one cell."""
SMALLEST_OUTPUT = 500
"""What an output counts for at least, so that a cell cannot show a hundred thousand empty ones."""
FLOOD_BYTES = 60_000_000
"""A cell that sends more than this is interrupted."""
MESSAGE_BYTES = 100_000_000
"""A message larger than this is refused, and the kernel with it."""
SPOOL_BYTES = 100_000_000
"""What a submission may leave in the folder of its connection, the only one that is not in memory."""
MOST_AT_ONCE = 1000
"""How many messages are thrown away before somebody looks at the clock."""
GRACE_SECONDS = 5
"""How long an interrupted observation may take to end."""
CUT = f"\n... the rest is cut: a cell may show {OUTPUT_BYTES // 1000} kB ...\n"


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
    faults: list[str] = field(default_factory=list)
    """Tracebacks of test cells, or of checks, that failed by themselves."""
    limits: list[str] = field(default_factory=list)
    """Which limits it hit, in words."""
    seconds: float = 0.0


class LimitedExecute(Execute):
    """nbgrader's Execute with limits of time and output, and without an end at the first dead kernel."""

    limits = AnyTrait(Limits())
    report = AnyTrait()
    spool = AnyTrait()
    manager_options = AnyTrait()
    tests = AnyTrait({})
    """Name of each test cell → its source, as the instructor wrote it."""
    seed = AnyTrait(0)
    given = AnyTrait("")
    """Imports that are run before the first cell."""

    def preprocess(self, nb: NotebookNode, resources: dict, km: Any = None) -> tuple[NotebookNode, dict]:
        self._deadline = time.monotonic() + self.limits.total_seconds
        self._ended = ""
        self._sent = 0
        start = time.monotonic()
        try:
            return super().preprocess(nb, resources, km)
        finally:
            self.report.seconds = time.monotonic() - start

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        self._sent, self._kept, self._cut = 0, 0, False
        self._seconds = self._get_timeout(cell)
        if not self._ended and time.monotonic() > self._deadline:
            self._end(f"the submission ran longer than {self.limits.total_seconds} s", cell)
        if cell.cell_type != "code":
            return cell, resources
        if self.given and not self._ended:
            self.report.notes += remarks_on_imports(self.given, self.nb)
            self._run_beside(self.given, index)
            self.given = ""
        if self._ended:
            _add_error(cell, "NotRun", f"not run: {self._ended}")
        elif is_test(cell):
            self._test(cell, index, plan(self.tests[cell.metadata.nbgrader.grade_id]))
        else:
            self._run_and_go_on(cell, index)
        return cell, resources

    @contextlib.contextmanager
    def _watchdog(self) -> Iterator[None]:
        """Kill the kernel some time after a cell's last second, whatever it sends to keep us busy."""
        watchdog = threading.Timer(self._seconds + 3 * GRACE_SECONDS, self._kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _kill(self) -> None:
        with contextlib.suppress(Exception):
            self.km.provisioner.process.kill()

    def _run(self, cell: NotebookNode, index: int, *, counted: bool = True) -> None:
        """Run a cell in the kernel, whatever comes of it."""
        try:
            with self._watchdog(), contextlib.suppress(asyncio.CancelledError):
                self.execute_cell(cell, index, store_history=counted)
        except CellTimeoutError:
            self._end(f"a cell ran longer than {self._seconds} s and could not be interrupted", cell)
        except DeadKernelError as error:
            self._end(str(error) if "disk" in str(error) else "the kernel died", cell)
        except Exception as error:
            # The kernel can send anything; what nbclient cannot read ends this submission, and no other.
            self._end(f"the kernel sent what is no message ({type(error).__name__})", cell)

    def _run_and_go_on(self, cell: NotebookNode, index: int) -> None:
        """Run a cell, and then what an import that failed kept from running, all in the time of a cell."""
        end, deadline = time.monotonic() + self._seconds, self._deadline
        self._run(cell, index)

        def run(source: str) -> list[NotebookNode] | None:
            self._deadline = min(end, deadline)
            if self._ended or time.monotonic() > self._deadline:
                return None
            self._seconds = self._get_timeout(cell)
            return self._run_beside(source, index)

        go_on(cell, run, self.report.notes)
        self._deadline = deadline

    def _run_beside(self, source: str, index: int) -> list[NotebookNode]:
        """Run something in place of a cell that stays as it is; return the outputs."""
        cell = self.nb.cells[index]
        outputs = self._run_inside(source, index, counted=False)
        self.nb.cells[index] = cell
        return outputs

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
            judged = judge(plan, lambda request: self._ask(request, cell), self.seed)
        # Judging takes the grader's time, and waits for others that judge: not a student's.
        self._deadline += time.monotonic() - start - self._observing
        if judged.fault:
            self.report.flags.append(f"{name} failed by itself: {judged.outputs[-1].ename}")
            self.report.faults.append(judged.fault)
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
        try:
            with self._watchdog():
                return run_sync(self._async_ask)(request, cell)
        except DeadKernelError as error:
            self._end(str(error) if "disk" in str(error) else "the kernel died", cell)
        except TimeoutError:
            self._end(f"a cell ran longer than {self._seconds} s and could not be interrupted", cell)
        except NoObservation:
            raise
        except Exception as error:
            self._end(f"the kernel sent what is no message ({type(error).__name__})", cell)
        finally:
            self._observing += time.monotonic() - start
        raise NoObservation("Stopped", self._ended)

    async def _async_ask(self, request: bytes, cell: NotebookNode) -> bytes:
        session, channel = self.kc.session, self.kc.shell_channel
        question = session.msg("observe_request", {})
        session.send(channel.socket, question, buffers=[request])
        deadline = time.monotonic() + self._seconds - self._observing
        interrupted, look_again = 0.0, 0.0
        while True:
            now = time.monotonic()
            if now > look_again:
                await self._async_check_alive()
                look_again = now + 1
            if interrupted and now > interrupted + GRACE_SECONDS:
                raise TimeoutError
            if not interrupted and (self._sent > FLOOD_BYTES or now > deadline):
                interrupted = now
                await self.km.interrupt_kernel()
            await self._drop_outputs()
            with contextlib.suppress(Empty):
                reply = await channel.get_msg(timeout=0.2)
                if reply["parent_header"].get("msg_id") == question["header"]["msg_id"]:
                    break
        if interrupted:
            flooded = "a cell printed without end and was interrupted"
            slow = f"a cell ran longer than {self._seconds} s and was interrupted"
            self._note(flooded if self._sent > FLOOD_BYTES else slow, cell)
            raise NoObservation("Interrupted", self.report.stopped)
        if reply["msg_type"] != "observe_reply" or len(reply["buffers"]) != 1:
            raise NoObservation("MalformedError", "this is no reply to what was asked")
        return bytes(reply["buffers"][0])

    async def _drop_outputs(self) -> None:
        """Throw away what the student's code shows while it is observed, and count it."""
        for _ in range(MOST_AT_ONCE):
            if not await self.kc.iopub_channel.msg_ready():
                return
            content = (await self.kc.iopub_channel.get_msg(timeout=0))["content"]
            self._sent += (
                SMALLEST_OUTPUT + len(str(content.get("text", ""))) + len(str(content.get("data", "")))
            )

    def _get_timeout(self, cell: NotebookNode | None) -> int:
        return max(1, min(self.limits.cell_seconds, int(self._deadline - time.monotonic())))

    def _end(self, reason: str, cell: NotebookNode) -> None:
        self._ended = reason
        self._note(reason, cell)
        if cell.cell_type == "code":
            _add_error(cell, "Stopped", reason)

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

    def on_cell_executed(self, **arguments: Any) -> None:
        """Keep an error whose output was suppressed."""
        super().on_cell_executed(**arguments)
        if arguments["execute_reply"]["content"].get("ename") == "CellTimeoutError":
            self._note("a cell ran longer than its time and was interrupted", arguments["cell"])

    # --- output ----------------------------------------------------------------------------------------

    def output(self, outs: list, msg: dict, display_id: str | None, cell_index: int) -> NotebookNode | None:
        """Keep an output if there is room for it, else the part that fits."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            size = len(content["text"])
        else:
            size = sum(len(str(part)) for part in content.get("data", {}).values())
        # Each costs something, however little it holds.
        size = max(size, SMALLEST_OUTPUT)
        self._sent += size
        if self._sent > FLOOD_BYTES and self._sent - size <= FLOOD_BYTES:
            self._note("a cell printed without end and was interrupted", self.nb.cells[cell_index])
            self._interrupting = asyncio.ensure_future(self.km.interrupt_kernel())
        room = OUTPUT_BYTES - self._kept
        self._kept += size
        if msg["msg_type"] == "error":
            msg["content"] = _short_error(content)
        elif size > room:
            if self._cut:
                return None
            self._cut = True
            kept = content["text"][: max(room, 0)] if msg["msg_type"] == "stream" else ""
            msg = {**msg, "msg_type": "stream", "header": {**msg["header"], "msg_type": "stream"}}
            msg["content"] = {"name": content.get("name", "stdout"), "text": kept + CUT}
        return super().output(outs, msg, display_id, cell_index)

    def handle_comm_msg(self, *arguments: Any) -> None:
        """Leave widgets aside: their state is not shown on a feedback page, and could be of any size."""

    # --- the kernel ------------------------------------------------------------------------------------

    def create_kernel_manager(self) -> AsyncKernelManager:
        """Return a manager that starts the limited kernel, whatever kernel the notebook asks for."""
        self.km = _Manager(**self.manager_options)
        return self.km

    async def _async_check_alive(self) -> None:
        await super()._async_check_alive()
        used = sum(
            path.stat().st_size for path in self.spool.rglob("*") if path.is_file() and not path.is_symlink()
        )
        if used > SPOOL_BYTES:
            raise DeadKernelError("the submission filled the disk")


class _Manager(AsyncKernelManager):
    """Starts a kernel by a command of ours, in an environment of ours, without our terminal."""

    command = AnyTrait()
    surroundings = AnyTrait()

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(
            argv=self.command, display_name="graded", language="python", interrupt_mode="message", env={}
        )

    async def _async_start_kernel(self, **options: Any) -> None:
        quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
        await super()._async_start_kernel(
            **{**options, **quiet, "env": dict(self.surroundings), "extra_arguments": []}
        )

    start_kernel = _async_start_kernel


def execute(
    nb: NotebookNode,
    folder: Path,
    package: Path,
    limits: Limits,
    tests: dict[str, str],
    seed: int,
    *,
    sandboxed: bool,
    given: str = "",
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
        given: imports that are run before the first cell.
        log: where nbclient writes what it does.

    Returns:
        What happened. The outputs are in ``nb``.
    """
    report = Report()
    # A short path: the address of a socket has at most 107 characters.
    spool = Path(tempfile.mkdtemp(prefix="fmnist-"))
    context = zmq.asyncio.Context()
    context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
    context.setsockopt(zmq.LINGER, 0)
    try:
        with process_groups(limits) as groups:
            command = kernel_command(folder, spool, package, limits, groups, sandboxed=sandboxed)
            runner = _runner(limits, report, spool, command, context)
            runner.manager_options["surroundings"] = environment(
                limits, PACKAGE_INSIDE if sandboxed else package
            )
            runner.tests, runner.seed, runner.given = tests, seed, given
            if log is not None:
                runner.log = log
            try:
                runner.preprocess(nb, {"metadata": {"path": str(folder)}})
            finally:
                report.limits = limits_reached(groups)
    except RuntimeError as error:
        # The kernel died before it answered for the first time.
        report.stopped = report.stopped or f"the kernel did not start: {error}"
    finally:
        context.destroy(linger=0)
        shutil.rmtree(spool, ignore_errors=True)
    _fill_what_did_not_run(nb, report)
    return report


def _runner(
    limits: Limits, report: Report, spool: Path, command: list[str], context: zmq.asyncio.Context
) -> LimitedExecute:
    runner = LimitedExecute(limits=limits, report=report, spool=spool, timeout=limits.cell_seconds)
    runner.manager_options = {
        "command": command,
        "transport": "ipc",
        "connection_file": str(spool / "k.json"),
        "context": context,
    }
    runner.record_timing = runner.store_widget_state = False
    runner.shutdown_kernel = "immediate"
    runner.startup_timeout = 120
    return runner


def _fill_what_did_not_run(nb: NotebookNode, report: Report) -> None:
    for cell in nb.cells:
        if is_test(cell) and cell.execution_count is None and not cell.outputs:
            _add_error(cell, "NotRun", f"not run: {report.stopped or 'the run ended before this cell'}")
            report.stopped = report.stopped or "the run ended early"
            report.stopped_at = report.stopped_at or cell.metadata.nbgrader.grade_id


def _short_error(content: dict) -> dict:
    """Return an error cut to a few pages; it says why marks were lost, so it is never dropped."""
    lines, left = [], OUTPUT_BYTES // 2
    for line in map(str, content.get("traceback", [])):
        lines.append(line[:left])
        left -= len(lines[-1])
    texts = {name: str(content.get(name, ""))[: OUTPUT_BYTES // 10] for name in ("ename", "evalue")}
    return {**texts, "traceback": [line for line in lines if line]}


def _add_error(cell: NotebookNode, name: str, message: str) -> None:
    cell.outputs.append(
        NotebookNode(output_type="error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
    )


def available_jobs() -> int:
    """Return how many submissions to run side by side: one for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
