"""Runs the cells of one submission in a kernel of its own, within limits, and keeps going where stock tools stop.

Whatever a submission does, every graded cell ends in one of three ways: it ran without an error, it ran with one, or
it holds an error output that says why it did not run. nbgrader gives full marks to a test cell without an error, so
a cell must never be left empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import Any as AnyTrait

from fmnist_helpers.grading.sandbox import Limits, environment, kernel_command, limits_reached, process_groups

OUTPUT_BYTES = 100_000
"""What is kept of the outputs of one cell."""
SMALLEST_OUTPUT = 500
"""What an output counts for at least, so that a cell cannot show a hundred thousand empty ones."""
FLOOD_BYTES = 100_000_000
"""A cell that sends more than this is interrupted."""
MESSAGE_BYTES = 500_000_000
"""A message larger than this is refused, and the kernel with it."""
SPOOL_BYTES = 100_000_000
"""What a submission may leave in the folder of its connection, the only one that is not in memory."""
CUT = f"\n... the rest is cut: a cell may show {OUTPUT_BYTES // 1000} kB ...\n"


@dataclass
class Report:
    """What happened to one submission while it ran."""

    stopped: str = ""
    """Why the run ended early, or why a cell was cut short; empty if nothing happened."""
    stopped_at: str = ""
    """Name of the first graded cell that did not run or was cut short."""
    changed: list[str] = field(default_factory=list)
    """What the submission changed of the checks, PyTorch or Python, by name."""
    limits: list[str] = field(default_factory=list)
    """Which limits it hit, in words."""
    seconds: float = 0.0


class LimitedExecute(Execute):
    """nbgrader's Execute with limits of time and output, and without an end at the first dead kernel."""

    limits = AnyTrait(Limits())
    report = AnyTrait()
    spool = AnyTrait()
    manager_options = AnyTrait()

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
        if not self._ended and time.monotonic() > self._deadline:
            self._end(f"the submission ran longer than {self.limits.total_seconds} s", cell)
        if cell.cell_type != "code":
            return cell, resources
        if self._ended:
            _add_error(cell, "NotRun", f"not run: {self._ended}")
            return cell, resources
        try:
            with contextlib.suppress(asyncio.CancelledError):
                cell = self.execute_cell(cell, index, store_history=True)
        except CellTimeoutError:
            self._end(
                f"a cell ran longer than {self._get_timeout(cell)} s and could not be interrupted", cell
            )
        except DeadKernelError as error:
            self._end(str(error) if "disk" in str(error) else "the kernel died", cell)
        return cell, resources

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
                    if is_grade(one) and one.cell_type == "code"
                ),
                "",
            )

    def on_cell_executed(self, **arguments: Any) -> None:
        """Keep an error whose output was suppressed, and take note of what the guard had to put back."""
        super().on_cell_executed(**arguments)
        cell, content = arguments["cell"], arguments["execute_reply"]["content"]
        changed = [str(name) for name in content.get("changed", [])]
        self.report.changed += [name for name in changed if name not in self.report.changed]
        if content.get("ename") == "CellTimeoutError":
            self._note("a cell ran longer than its time and was interrupted", cell)
        for output in cell.outputs:
            # nbgrader takes anything on stderr for a failure, be it a warning or a progress bar.
            if is_grade(cell) and output.output_type == "stream":
                output.name = "stdout"
        if is_grade(cell) and changed:
            names = ", ".join(changed[:3])
            _add_error(cell, "ChecksChanged", f"{names} was changed while this cell ran, so it earns nothing")

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


def execute(nb: NotebookNode, folder: Path, limits: Limits, *, sandboxed: bool, log: Any = None) -> Report:
    """Execute ``nb`` in place, as a submission whose files lie in ``folder``.

    Args:
        nb: the notebook, with the instructor's test cells.
        folder: the submission's folder; the kernel works there, or in a copy in memory if sandboxed.
        limits: of time, memory, processes and files.
        sandboxed: whether to put the kernel into bubblewrap.
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
            command = kernel_command(folder, spool, limits, groups, sandboxed=sandboxed)
            runner = _runner(limits, report, spool, command, context)
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
        "surroundings": environment(limits),
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
        if cell.cell_type == "code" and is_grade(cell) and cell.execution_count is None and not cell.outputs:
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
