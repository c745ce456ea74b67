"""One submission in its kernel: what it shows is kept, what it takes is limited, and who is to blame if it fails."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from fmnist_helpers.grading import execute, listener
from fmnist_helpers.grading.execute import DidNotStart, Kernel, Report
from fmnist_helpers.grading.inside import write_package
from fmnist_helpers.grading.listener import CUT, OUTPUT_BYTES, SUBMISSION_BYTES, Start
from fmnist_helpers.grading.sandbox import Limits, missing_limits
from tests.grading.conftest import PROBLEM

MISSING = " ".join(missing_limits(sandboxed=not PROBLEM))
PATIENT = Limits(cell_seconds=120)
inside_only = pytest.mark.skipif(bool(PROBLEM), reason=PROBLEM)


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    write_package(folder)
    return folder


@pytest.fixture
def run(package, tmp_path):
    """Return what runs cells as a submission; nothing may be left of it."""
    (tmp_path / "files").mkdir()
    (tmp_path / "temporary").mkdir()
    before, running = tempfile.tempdir, children()
    tempfile.tempdir = str(tmp_path / "temporary")

    def run_cells(*sources: str, limits: Limits = PATIENT) -> tuple[Report, list[NotebookNode]]:
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        folders = tmp_path / "files", package
        return execute.execute(notebook, *folders, limits, {}, 0, sandboxed=not PROBLEM), notebook.cells

    yield run_cells
    tempfile.tempdir = before
    assert list((tmp_path / "temporary").iterdir()) == []
    assert children() <= running


def children() -> set[psutil.Process]:
    """Return the processes below this one; other tests may have left a server of processes."""
    return set(psutil.Process().children(recursive=True))


def texts(cell: NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def errors(cell: NotebookNode) -> list[str]:
    return [output.ename for output in cell.outputs if output.output_type == "error"]


# --- honest work -------------------------------------------------------------------------------------------

HONEST = {
    "lines": "for number in range(20_000):\n    print('line', number, flush=True)",
    "half a pair": "print('\\ud800 and more')\n'\\udcff'",
    "figure": "import base64, os\nfrom IPython.display import Image, display\n"
    "png = base64.b64decode('iVBORw0KGgo=') + os.urandom(300_000)\ndisplay(Image(png, format='png'))",
    "interactive figure": "display({'application/vnd.plotly.v1+json': {'x': [1.5] * 8_000_000}, 'text/plain': 'f'},"
    " raw=True)\nprint('shown')",
    "live plot": "from IPython.display import clear_output\nfor step in range(100):\n"
    "    clear_output(wait=True)\n    display(Image(png, format='png'))",
    "display that is updated": "handle = display('0 %', display_id=True)\nfor step in range(300):\n"
    "    handle.update(f'{step} %')",
    "widget": "import ipywidgets\nbox = ipywidgets.Image(value=bytes(20_000_000))\nbox\nprint('made')",
    "long error": "raise ValueError('x' * 10_000_000)",
    "metadata": "display({'text/plain': 'x'}, metadata={'a': 'y' * 4_000_000}, raw=True)",
    "other processes": "import os\nif os.fork() == 0:\n    print('child')\n    os._exit(0)\n"
    "os.wait()\n!echo of a shell",
    "thread": "import threading, time\n"
    "threading.Thread(target=lambda: [print('.', time.sleep(0.01)) for _ in range(9**9)], daemon=True).start()",
    "input": "input('what now? ')",
    "last": "print('the last')",
}


@pytest.fixture(scope="module")
def honest(package, tmp_path_factory):
    notebook = new_notebook(cells=[new_code_cell(source) for source in HONEST.values()])
    folders = tmp_path_factory.mktemp("files"), package
    limits = Limits(cell_seconds=200, total_seconds=900)
    report = execute.execute(notebook, *folders, limits, {}, 0, sandboxed=not PROBLEM)
    return report, dict(zip(HONEST, notebook.cells, strict=True))


def test_honest_work_is_not_stopped(honest):
    report, cells = honest
    assert (report.stopped, report.flags, report.limits) == ("", [], [])
    assert [name for name, cell in cells.items() if errors(cell)] == ["long error", "input"]
    assert "the last" in texts(cells["last"])
    assert [cell.execution_count for cell in cells.values()] == list(range(1, len(HONEST) + 1))


def test_what_honest_work_shows_is_kept(honest):
    _, cells = honest
    assert texts(cells["lines"]).startswith("line 0\nline 1\n") and texts(cells["lines"]).endswith(CUT)
    assert len(texts(cells["lines"])) > 0.9 * OUTPUT_BYTES
    assert texts(cells["half a pair"]) == "? and more\n"
    assert len(cells["figure"].outputs[0].data["image/png"]) > 400_000
    assert [len(output.data["image/png"]) > 400_000 for output in cells["live plot"].outputs] == [True]
    assert [output.data["text/plain"] for output in cells["display that is updated"].outputs] == ["'299 %'"]
    assert cells["metadata"].outputs[0].metadata == {}
    assert "child" in texts(cells["other processes"]) and "of a shell" in texts(cells["other processes"])


def test_what_is_too_large_is_said_to_be_left_out(honest):
    _, cells = honest
    shown = cells["interactive figure"].outputs
    assert "an output of 40 MB is left out" in shown[0].data["text/plain"] and shown[1].text == "shown\n"
    assert errors(cells["long error"]) == ["ValueError"] and len(str(cells["long error"].outputs)) < 50_000


# --- limits ------------------------------------------------------------------------------------------------


def test_cell_that_prints_without_end_is_interrupted_soon_and_the_next_one_runs(run):
    report, cells = run("while True: print('x' * 9999)", "print('after')")
    assert report.stopped == "a cell printed without end and was interrupted"
    assert cells[0].outputs[-1].ename == "KeyboardInterrupt"
    assert len(str(cells[0].outputs)) < 2 * OUTPUT_BYTES
    assert cells[1].outputs[0].text == "after\n"


@pytest.mark.slow
def test_cell_that_takes_too_long_is_interrupted_or_ends_the_run(run):
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    report, cells = run("import time\ntime.sleep(99)", "1", stubborn, "2", limits=Limits(cell_seconds=3))
    assert (
        report.stopped
        == "a cell did not come to an end within 3 s and was interrupted (usually an endless loop)"
    )
    assert errors(cells[0]) == ["KeyboardInterrupt", "CellTimeoutError"] and errors(cells[1]) == []
    stuck = "a cell did not come to an end within 3 s and could not be interrupted (usually an endless loop). Look"
    assert cells[2].outputs[-1].evalue.startswith(stuck)
    assert errors(cells[3]) == ["NotRun"]


@pytest.mark.slow
def test_error_that_is_swallowed_with_the_interrupt_is_told_all_the_same(run):
    quiet = "try:\n    while True: print('x' * 9999)\nexcept BaseException: pass"
    _, cells = run(
        quiet, "try:\n    while True: pass\nexcept BaseException: pass", limits=Limits(cell_seconds=10)
    )
    assert errors(cells[0])[-1:] == errors(cells[1])[-1:] == ["CellTimeoutError"]


def test_everything_that_is_shown_is_bounded_together(run):
    figure = f"from IPython.display import display\ndisplay({{'image/png': 'x' * {listener.PICTURE_BYTES}}}, raw=True)"
    report, cells = run(
        *["print('x' * 200_000)"] * 60, *[figure] * 5, "1 / 0", "while True: print('x' * 9999)"
    )
    assert len(str(cells)) < 1.1 * SUBMISSION_BYTES
    assert errors(cells[-2]) == ["ZeroDivisionError"] and errors(cells[-1]) != []
    assert report.stopped


MEMORY_FILES = """
import os
for number in range(30):
    file = os.memfd_create("filler")
    for _ in range(200):
        os.write(file, bytes(2**20))
"""


@pytest.mark.slow
@inside_only
@pytest.mark.skipif("memory" in MISSING, reason="no cgroup limits memory here")
def test_files_in_memory_count_as_memory(run):
    report, cells = run("1", MEMORY_FILES, limits=Limits(memory_gib=3))
    assert report.stopped.startswith("the kernel died: a cell asked for more than 3 GiB of memory (usually")
    assert report.limits == ["reached the limit of memory"]
    assert cells[0].outputs


def test_memory_counts_beyond_what_a_kernel_has_when_it_starts(run):
    """torch built for CUDA takes 3 GiB of address space, which says nothing of memory."""
    little = Limits(cell_seconds=120, memory_gib=1.5)
    fill = "hoard = []\nwhile True:\n    hoard.append(b'x' * 2**26)"
    report, cells = run("import torch, torchvision", fill, "print(len(hoard) * 2**26)", limits=little)
    assert (errors(cells[0]), errors(cells[1])) == ([], ["MemoryError", "TookAllMemory"])
    assert 2**29 < int(texts(cells[2])) < 1.5 * 2**30 and report.limits == []
    assert report.stopped.startswith(
        "a cell asked for more than 1.5 GiB of memory (usually an endless loop that adds"
    )


ORDERLY = "order = 'C B D E A'"


def with_test(body: str) -> tuple[list[NotebookNode], dict[str, str]]:
    """Return an answer with its test and one more task that is right, and the sources of the tests."""
    sources = {
        "descend-test": "from fmnist_helpers.exercises.ex04_optimizer import check_descend\ncheck_descend(descend)",
        "order-test": "from fmnist_helpers.exercises.ex04_optimizer import check_order\ncheck_order(order)",
    }
    answers = f"def descend(slope, start, rate, num_steps):\n    {body}", ORDERLY
    cells = []
    for answer, (name, source) in zip(answers, sources.items(), strict=True):
        test = new_code_cell(source)
        test.metadata.nbgrader = NotebookNode(grade=True, solution=False, grade_id=name, points=1)
        cells += [new_code_cell(answer), test]
    return cells, sources


@pytest.fixture
def judge(package, tmp_path):
    def judge_cells(body: str, limits: Limits) -> tuple[Report, list[NotebookNode]]:
        cells, tests = with_test(body)
        notebook = new_notebook(cells=cells)
        return execute.execute(notebook, tmp_path, package, limits, tests, 0, sandboxed=not PROBLEM), cells

    return judge_cells


UNENDING = {
    "loop": (
        "while True: pass",
        "`descend` did not come to an end within 8 s and was interrupted (usually an endless",
    ),
    "growing": (
        "kept = []\n    while True: kept.append(bytes(2**28))",
        "`descend` asked for more than 1.5 GiB of memory (usually an endless loop that adds to something",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", UNENDING)
def test_function_without_end_is_called_that_and_the_next_task_is_judged(judge, kind):
    body, words = UNENDING[kind]
    report, cells = judge(body, Limits(cell_seconds=8 if kind == "loop" else 60, memory_gib=1.5))
    assert report.stopped.startswith(words) and report.stopped_at == "descend-test"
    (error,) = cells[1].outputs
    told = " ".join(error.evalue.split())
    assert "in the line `while True:" in told and "endless loop" in told and errors(cells[3]) == []
    assert ("While it is graded, it may take 1.5 GiB." in told) == (kind == "growing")


@pytest.mark.slow
def test_end_of_the_submissions_time_is_called_no_loop(judge):
    report, cells = judge("while True: pass", Limits(cell_seconds=60, total_seconds=8))
    assert report.stopped == "the submission ran longer than 8 s and was interrupted"
    assert errors(cells[1]) == ["Interrupted"] and "loop" not in cells[1].outputs[0].evalue


BUSY = """
import os, resource, time
begin = time.time()
for _ in range(24):
    if os.fork() == 0:
        while time.time() < begin + 4:
            pass
        os._exit(0)
for _ in range(24):
    os.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print((used.ru_utime + used.ru_stime) / (time.time() - begin))
"""


@pytest.mark.slow
@pytest.mark.skipif("processor" in MISSING, reason="no cgroup limits the time of the processor here")
def test_busy_processes_take_no_more_than_a_core_and_a_half(run):
    report, cells = run(BUSY)
    assert report.stopped == "" and 0 < float(texts(cells[0])) < 1.7


# --- what is no message ------------------------------------------------------------------------------------

MANY_PARTS = """
import zmq
socket = get_ipython().kernel.iopub_thread.socket
part = zmq.Frame(bytes(5_000_000))
get_ipython().kernel.iopub_thread.schedule(lambda: socket.send_multipart([part] * 500, copy=False))
import time
time.sleep(30)
"""
TOO_LARGE = (
    "get_ipython().kernel.iopub_thread.send_multipart([bytes(50_000_000)])\nimport time\ntime.sleep(30)"
)
JUNK = """
import os
for name in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
            os.write(int(name), b"\\xff" * 100_000)
    except OSError:
        pass
import time
time.sleep(30)
"""


@pytest.mark.parametrize(
    "code", [MANY_PARTS, TOO_LARGE, JUNK], ids=["a message of many parts", "a large message", "other bytes"]
)
def test_what_no_kernel_sends_ends_the_submission_and_takes_no_memory_of_the_grader(run, code):
    process, most = psutil.Process(), []
    before, done = process.memory_info().rss, threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            most.append(process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    report, cells = run("print('before')", code, "print('after')")
    done.set()
    thread.join()
    assert report.stopped.startswith("the kernel sent what is no message") and len(report.stopped) < 300
    assert texts(cells[0]) == "before\n" and errors(cells[2]) == ["NotRun"]
    assert max(most) - before < 100_000_000


# --- who is to blame ---------------------------------------------------------------------------------------


@pytest.fixture
def started_by(monkeypatch):
    """Return what puts another command in the place of the kernel's."""
    made = execute.kernel_command

    def install(command) -> None:
        def changed(*arguments, **options) -> list[str]:
            return command(made(*arguments, **options))

        monkeypatch.setattr(execute, "kernel_command", changed)

    return install


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["false"], "it ended with status 1"),
        (["sh", "-c", "echo bwrap: no room >&2; exit 3"], "it ended with status 3: bwrap: no room"),
        (["sh", "-c", "kill -9 $$"], "it ended with status -9"),
        (["sleep", "600"], "it gave no answer in 3 s"),
        (["sh", "-c", "while true; do echo x; done >&2"], "it gave no answer in 3 s"),
        (["/no/such/program"], "No such file or directory: '/no/such/program'"),
        ([sys.executable, "-c", "import os; os.kill(os.getppid(), 9)"], "is there memory enough?"),
    ],
)
def test_kernel_that_does_not_start_is_nobodys_zero(run, started_by, monkeypatch, command, words):
    monkeypatch.setattr(execute, "START_SECONDS", 3)
    started_by(lambda usual: command)
    begin = time.monotonic()
    with pytest.raises(DidNotStart) as error:
        run("1")
    assert words in str(error.value) and len(str(error.value)) < 400
    assert time.monotonic() - begin < 60


def test_kernel_that_does_not_start_at_once_is_started_again(run, started_by, tmp_path):
    mark = tmp_path / "tried"
    once = f'if [ -e "{mark}" ]; then exec "$@"; fi; touch "{mark}"; exit 1'
    started_by(lambda usual: ["sh", "-c", once, "sh", *usual])
    report, cells = run("print('works')")
    assert mark.exists() and report.stopped == "" and texts(cells[0]) == "works\n"


@pytest.mark.parametrize("jump", [86_400, -86_400, 1e9])
def test_clock_that_jumps_is_not_noticed(run, monkeypatch, jump):
    real, begin = time.time, time.time()
    monkeypatch.setattr(time, "time", lambda: real() + (jump if real() > begin + 0.5 else 0))
    report, cells = run("import time\ntime.sleep(1)\nprint('works')")
    assert report.stopped == "" and texts(cells[0]) == "works\n" and 0 < report.seconds < 100


def test_kernel_that_dies_after_it_has_started_is_the_submissions_fault(run):
    # ipykernel's flush hands the text to a thread, which dies with the rest; so it gets a moment.
    dies = "import os, time\nprint('dying', flush=True)\ntime.sleep(1)\nos._exit(1)"
    report, cells = run("print('before')", dies, "1")
    assert report.stopped == "the kernel died"
    assert texts(cells[0]) == "before\n" and texts(cells[1]) == "dying\n" and errors(cells[2]) == ["NotRun"]


def test_listener_that_is_killed_is_nobodys_zero(run, monkeypatch):
    usual = Kernel.run

    def run_and_kill(self, wish):
        self._listener.kill()
        return usual(self, wish)

    monkeypatch.setattr(Kernel, "run", run_and_kill)
    with pytest.raises(DidNotStart, match="was killed"):
        run("1")


@pytest.mark.slow
def test_listener_and_kernel_end_when_the_grader_is_killed(package, tmp_path):
    """The grader is a process that starts a kernel and then is killed."""
    code = f"""
import os, sys, time
from pathlib import Path
from fmnist_helpers.grading.execute import Kernel
from fmnist_helpers.grading.listener import Start
from fmnist_helpers.grading.sandbox import Limits, environment, kernel_command
package, sandboxed = Path({str(package)!r}), {not PROBLEM}
command = kernel_command(Path({str(tmp_path)!r}), package, Limits(), [], sandboxed=sandboxed)
kernel = Kernel(Start(command, environment(Limits(), "/course" if sandboxed else package), {str(tmp_path)!r}, 120))
print("started", flush=True)
time.sleep(600)
"""
    with psutil.Popen([sys.executable, "-c", code], stdout=-1) as grader:
        assert grader.stdout.readline() == b"started\n"
        family = grader.children(recursive=True)
        assert len(family) > 1
        grader.kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, [process.cmdline() for process in alive]


def test_nothing_of_the_graders_surroundings_reaches_the_kernel(run, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    _, cells = run("import os\nprint(dict(os.environ), open('/proc/self/environ').read())")
    assert "abc" not in texts(cells[0]) and "PATH" in texts(cells[0])


def test_start_has_a_command_that_can_be_sent_whole():
    start = Start(["x" * 1000] * 300, dict(os.environ), "/", 1)
    assert listener.msgspec.msgpack.decode(listener.msgspec.msgpack.encode(start), type=Start) == start
