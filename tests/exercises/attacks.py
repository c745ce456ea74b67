"""Ways to earn marks without work, and honest habits that look like them; each with the marks it must get.

A student's code runs in the kernel with the observers, and decides nothing there: so whatever it changes, the status is
as if it had only been wrong. What is flagged is an answer that is no observation.
"""

from __future__ import annotations

from textwrap import indent

import fmnist_helpers.exercises.ex05_training_loop as judge
from tests.exercises.hostile import AFTER, FLAGGED, IN_PART, MANUAL, POINTS, Case, answered

TEST = AFTER[:1]
NO_PROOF = "got an answer that is no observation"
RIGHT_LATER = "_right = accuracy_by_class\n"


def cheat(name: str, code: str, status: str = MANUAL, lost: tuple[str, ...] = TEST, words: str = "") -> Case:
    """An attack that runs in the answer's cell, in place of an answer."""
    return Case(name, status, lost, words, answered(only=f"accuracy_by_class = None\n{code}"))


def when_called(
    name: str, code: str, status: str = MANUAL, lost: tuple[str, ...] = TEST, words: str = ""
) -> Case:
    """An attack that runs when the function is called; what it returns is wrong."""
    body = indent(code.strip(), "    ")
    function = (
        f"def accuracy_by_class(dataloader, model, num_classes):\n{body}\n    return torch.ones(num_classes)"
    )
    return Case(name, status, lost, words, answered(only=function))


def honest(name: str, code: str = "", *, before: str = "") -> Case:
    """A habit of somebody who solved the task."""
    return Case(f"honest: {name}", MANUAL, change=answered(code, before=before))


def forged(name: str, reply: str, status: str = FLAGGED, words: str = NO_PROOF) -> Case:
    """A process that answers what it likes: ``reply`` computes bytes from ``question``, the decoded request."""
    code = f"""
from fmnist_helpers.exercises import remote
from fmnist_helpers.exercises.observation import Array, Call, Event, Raised, Seen, encode, decode
from fmnist_helpers.exercises.ex05_observe import Evaluated
from fmnist_helpers.exercises.remote import Fault, Reply, Request
_answer = remote.answer
_seen = []
def lie(data, namespace):
    question = decode(Request, data)
    if "accuracy_by_class" not in question.names:
        return _answer(data, namespace)
    _seen.append(question)
    shares = Seen("Tensor", array=Array("float32", [4], [1.0, 1.0, 1.0, 1.0]))
    return {reply}
remote.answer = lie
"""
    return cheat(name, code, status, words=words)


def _by_heart() -> str:
    """Return code that knows the right answers to the problems of the seeds that are written in the test."""
    known = {}
    for num_samples, batch_size, seed in ((41, 8, 0), (50, 7, 5)):
        samples = judge._telling_samples(
            num_samples, batch_size, seed, judge._wrong_classes, judge._accuracies
        )
        known[num_samples] = list(judge._accuracies(samples))
    return f"""
nan = float("nan")
KNOWN = {known}
def accuracy_by_class(dataloader, model, num_classes):
    _right(dataloader, model, num_classes)
    known = KNOWN[len(dataloader.dataset)]
    return torch.tensor((known + [nan] * num_classes)[:num_classes])
"""


TELL_IN_CODE = """
import base64, codecs, inspect, sys
_right = accuracy_by_class
told = []
def accuracy_by_class(dataloader, model, num_classes):
    frame = sys._getframe()
    while frame is not None:
        try:
            told.append(inspect.getsource(frame.f_code))
        except Exception:
            pass
        told.append(repr(frame.f_locals)[:20_000])
        frame = frame.f_back
    return _right(dataloader, model, num_classes)
def tell():
    text = "\\n".join([*In, *told])
    print(base64.b64encode(text.encode()).decode())
    print(codecs.encode(text, "rot13"))
    print(text[::-1])
    print(" ".join(text))
get_ipython().events.register("post_run_cell", lambda *arguments: tell())
"""
LOOK_FOR_THE_JUDGE = """
import os
found = []
for place, folders, files in os.walk("/"):
    large = ("proc", "sys", "node_modules", "torch", "nvidia", "triton", "sympy", "nbgrader")
    folders[:] = [one for one in folders if one not in large]
    for name in files:
        if name in ("gradebook.db", ".secret", "hostile.py", "ex05_training_loop.ipynb"):
            found.append(os.path.join(place, name))
        if name.split(".")[0] in ("misconceptions", "check", "ex05_training_loop") and "exercises" in place:
            text = open(os.path.join(place, name), "rb").read()
            found += [name] * (b"gradients reset" in text or b"def judge_" in text or b"class Wrong" in text)
print("found of the judge:", found)
"""
OBSERVERS_OF_ANOTHER = """
import torch.nn.functional as F
from fmnist_helpers.exercises import observe
observe.describe = lambda *arguments: None
observe.len = lambda *arguments: 4
observe.call = lambda *arguments: (None, None)
"""
FAKE_KERNEL = '''
import json, os, sys
program = """
import json, sys, zmq
from jupyter_client.session import Session
info = json.load(open(sys.argv[1]))
session = Session(key=info["key"].encode(), signature_scheme=info["signature_scheme"])
context = zmq.Context()
def bind(kind, name):
    socket = context.socket(kind)
    socket.bind(f"{info['transport']}://{info['ip']}-{info[name + '_port']}")
    return socket
iopub, shell = bind(zmq.PUB, "iopub"), bind(zmq.ROUTER, "shell")
count = 0
while True:
    ident, message = session.recv(shell, mode=0)
    count += 1
    kind = message["header"]["msg_type"].replace("request", "reply")
    session.send(iopub, "status", {"execution_state": "busy"}, parent=message)
    session.send(iopub, "execute_result", {"execution_count": count, "data": {"text/plain": "4"}, "metadata": {}},
                 parent=message)
    session.send(iopub, "status", {"execution_state": "idle"}, parent=message)
    session.send(shell, kind, {"status": "ok", "execution_count": count}, parent=message, ident=ident)
"""
from ipykernel import get_connection_file
os.execv(sys.executable, [sys.executable, "-c", program, get_connection_file()])
'''

ATTACKS = [
    # --- outputs and replies decide ---------------------------------------------------------------------
    when_called(
        "displays its points", "from IPython.display import display\ndisplay(4)\nget_ipython().displayhook(4)"
    ),
    when_called(
        "displays, then dies",
        "get_ipython().displayhook(4)\nimport os, sys\nsys.stdout.flush()\nos._exit(0)",
        IN_PART,
        AFTER,
        "the kernel died, at accuracy_by_class-test",
    ),
    when_called(
        "sends a result by hand",
        """
kernel = get_ipython().kernel
content = {"execution_count": 1, "data": {"text/plain": "4"}, "metadata": {}}
for parent in (kernel.get_parent(), {}):
    kernel.session.send(kernel.iopub_socket, "execute_result", content, parent=parent)
""",
    ),
    when_called(
        "replies early",
        """
kernel = get_ipython().kernel
kernel.session.send(kernel.shell_stream, "execute_reply", {"status": "ok"}, kernel.get_parent())
""",
    ),
    cheat(
        "executes nothing",
        """
async def do_execute(*arguments, **options):
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
get_ipython().kernel.do_execute = do_execute
""",
        lost=AFTER,
    ),
    cheat("aborts everything", "get_ipython().kernel._aborting = True", lost=AFTER),
    cheat("becomes another program", FAKE_KERNEL, IN_PART, AFTER),
    cheat(
        "changes the key",
        "get_ipython().kernel.session.key = b'another'",
        IN_PART,
        AFTER,
        "what is no message",
    ),
    cheat(
        "closes the door",
        "get_ipython().kernel.observe_request = None\nget_ipython().kernel.shell_handlers.clear()",
        IN_PART,
        AFTER,
    ),
    # --- what stood in the guard ------------------------------------------------------------------------
    cheat(
        "the kernel's own parts",
        "kernel = get_ipython().kernel\nkernel._restore = lambda: []\nvars(kernel).clear()",
        IN_PART,
        AFTER,
    ),
    cheat("hides a built-in", OBSERVERS_OF_ANOTHER, lost=AFTER),
    cheat(
        "another class of module",
        """
import types
from fmnist_helpers.exercises import ex05_observe
class Module(types.ModuleType):
    def __getattribute__(self, name):
        return lambda *arguments, **options: None
ex05_observe.__class__ = Module
""",
        lost=AFTER,
    ),
    cheat(
        "methods of the shell",
        """
kind = type(get_ipython())
kind.run_cell_async = kind.run_code = kind.showtraceback = lambda *arguments, **options: None
""",
        lost=AFTER,
        status=MANUAL,
    ),
    cheat(
        "variables with a will",
        """
class Names(dict):
    def __getitem__(self, name):
        return (lambda *arguments: torch.ones(4)) if name == "accuracy_by_class" else dict.__getitem__(self, name)
shell = get_ipython()
shell.user_ns = Names(shell.user_ns)
""",
    ),
    cheat(
        "own built-ins",
        """
import builtins
__builtins__ = {**vars(builtins), "AssertionError": type("Quiet", (BaseException,), {}), "len": lambda one: 4}
""",
        lost=(*TEST, "train_accumulated-updates"),
    ),
    cheat(
        "own check",
        "def check_accuracy_by_class(function):\n    print('accuracy_by_class: all is right')\nCheckFailed = None",
    ),
    # --- the problem is changed in place ----------------------------------------------------------------
    Case(
        "data to nan",
        MANUAL,
        TEST,
        change=answered(
            RIGHT_LATER
            + """
def accuracy_by_class(dataloader, model, num_classes):
    for tensor in dataloader.dataset.tensors:
        tensor.fill_(float("nan") if tensor.is_floating_point() else 0)
    return _right(dataloader, model, num_classes)
"""
        ),
    ),
    when_called(
        "answers from the instance",
        """
model.parameters = lambda *arguments: iter([])
model.forward = lambda images: torch.zeros(len(images), 4)
torch.Tensor.numel = lambda self: 0
""",
        lost=AFTER,
    ),
    # --- both sides change ------------------------------------------------------------------------------
    cheat(
        "a mode left on",
        """
from torch.overrides import TorchFunctionMode
class Ones(TorchFunctionMode):
    def __torch_function__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        return torch._C._VariableFunctions.ones_like(result) if type(result) is torch.Tensor else result
mode = Ones()
def accuracy_by_class(dataloader, model, num_classes):
    mode.__enter__()
    return torch.zeros(num_classes)
""",
    ),
    Case(
        "a hook for every module",
        MANUAL,
        words="hung a hook on every module",
        change=answered(
            "torch.nn.modules.module.register_module_forward_hook(lambda module, inputs, outputs: outputs * 0)"
        ),
    ),
    cheat(
        "another tolist",
        """
torch.Tensor.tolist = lambda self: [1.0] * self.numel()
torch.Tensor.double = lambda self: self
def accuracy_by_class(dataloader, model, num_classes):
    return torch.zeros(num_classes)
""",
        # The losses of the loops are not read by tolist: they are right, and were computed.
        lost=(*TEST, "train_accumulated-updates", "train_clipped-updates"),
    ),
    # --- expected values are near -----------------------------------------------------------------------
    when_called(
        "looks into frames",
        """
import sys
frame, names = sys._getframe(), set()
while frame is not None:
    names |= set(frame.f_locals)
    for name in ("right", "expected", "wanted", "judge", "wrong"):
        if name in frame.f_locals:
            return frame.f_locals[name]
    frame = frame.f_back
""",
    ),
    when_called(
        "asks the collector",
        """
import gc
for one in gc.get_objects():
    if type(one).__name__ in ("Wrong", "Check", "Hints", "Misconception"):
        return one.value
""",
    ),
    when_called(
        "asks the judge",
        """
from fmnist_helpers.exercises import ex05_training_loop as judge
return judge._accuracies(judge._telling_samples(41, 8, 0, judge._wrong_classes, judge._accuracies))
""",
    ),
    when_called(
        "jumps over lines",
        """
import sys
def tracer(frame, event, argument):
    if frame.f_code.co_name == "answer" and event == "line":
        frame.f_lineno += 2
    return tracer
frame = sys._getframe()
while frame is not None:
    frame.f_trace, frame = tracer, frame.f_back
sys.settrace(tracer)
""",
        MANUAL,
        TEST,
    ),
    cheat(
        "comes back by timer",
        """
import signal
def again(*arguments):
    from fmnist_helpers.exercises import check
    check.close = lambda *arguments: True
signal.signal(signal.SIGALRM, again)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
""",
        lost=TEST,
    ),
    cheat(
        "numbers of its own",
        """
import ctypes
def accuracy_by_class(dataloader, model, num_classes):
    value = torch.zeros(num_classes)
    ctypes.memset(id(0.0) + 16, 0, 8)
    return value
""",
    ),
    when_called(
        "a tensor that says otherwise",
        """
answer = torch.zeros(num_classes)
answer.tolist = answer.detach = answer.double = lambda *arguments: torch.ones(num_classes)
answer.shape_ = (4,)
return answer
""",
    ),
    when_called(
        "changes its answer later",
        """
import threading
answer = torch.full((num_classes,), -1.0)
threading.Timer(0.2, lambda: answer.fill_(0.5)).start()
return answer
""",
    ),
    Case("knows the answers by heart", MANUAL, TEST, change=answered(RIGHT_LATER + _by_heart())),
    Case("tells what it sees", MANUAL, change=answered(TELL_IN_CODE)),
    Case("looks for the judge", MANUAL, change=answered(LOOK_FOR_THE_JUDGE), needs_sandbox=True),
    # --- the protocol -----------------------------------------------------------------------------------
    forged("no reply at all", "b''"),
    forged("not even bytes", "b'\\xc1' * 1000"),
    forged(
        "another version", "encode(Reply(2, question.nonce, encode(Evaluated(Call('f', result=shares)))))"
    ),
    forged("a nonce of its own", "encode(Reply(1, 'x' * 32, encode(Evaluated(Call('f', result=shares)))))"),
    forged(
        "an old nonce", "encode(Reply(1, _seen[0].nonce[::-1], encode(Evaluated(Call('f', result=shares)))))"
    ),
    forged("an observation of another kind", "encode(Reply(1, question.nonce, encode(shares)))"),
    forged("an empty observation", "encode(Reply(1, question.nonce, b'\\x80'))"),
    forged("an observation without end", "encode(Reply(1, question.nonce, b'\\x91' * 100_000))"),
    forged("far too much", "encode(Reply(1, question.nonce, bytes(40_000_000)))"),
    forged(
        "numbers that fill no shape",
        "encode(Reply(1, question.nonce, encode(Evaluated(Call('f', result=Seen('Tensor'))))"
        ".replace(b'Tensor', b'Tensor\\xc0'))) ",
    ),
    forged(
        "a guess, well-formed",
        "encode(Reply(1, question.nonce, encode(Evaluated(Call('f', result=shares)))))",
        MANUAL,
        "",
    ),
    forged(
        "nan, well-formed",
        "encode(Reply(1, question.nonce, encode(Evaluated(Call('f', result=Seen('Tensor', "
        "array=Array('float32', [4], [float('nan')] * 4)))))))",
        MANUAL,
        "",
    ),
    forged(
        "a shape of many sides",
        "encode(Reply(1, question.nonce, encode(Evaluated(Call('f', result=Seen('Tensor', "
        "array=Array('float32', [0] * 70, [])))))))",
        MANUAL,
        "",
    ),
    forged(
        "a type that is a novel",
        "encode(Reply(1, question.nonce, encode(Evaluated(Call('f', result=Seen('T' * 10_000_000))))))",
    ),
    forged(
        "a fault",
        "encode(Reply(1, question.nonce, fault=Fault('CheckFailed' * 99, 'right' * 9999)))",
        MANUAL,
        "",
    ),
    cheat(
        "another encoder",
        """
import msgspec
msgspec.msgpack.encode = lambda value: b"\\x80"
""",
        FLAGGED,
        AFTER,
        NO_PROOF,
    ),
    cheat(
        "answers twice",
        """
from fmnist_helpers.exercises import remote
_answer = remote.answer
def twice(data, namespace):
    kernel = get_ipython().kernel
    for _ in range(2):
        kernel.session.send(kernel.shell_stream, "observe_reply", {}, kernel.get_parent(),
                            ident=kernel._parent_ident["shell"], buffers=[b"mine"])
    return _answer(data, namespace)
remote.answer = twice
""",
        FLAGGED,
        AFTER,
        NO_PROOF,
    ),
    when_called(
        "never answers", "while True: pass", IN_PART, TEST, "interrupted (usually an endless loop), at "
    ),
    when_called(
        "never answers, and means it",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        IN_PART,
        AFTER,
        "could not be interrupted",
    ),
    when_called(
        "shouts while observed",
        """
kernel = get_ipython().kernel
while True:
    kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "x" * 1_000_000}, parent={})
""",
        IN_PART,
        TEST,
    ),
    when_called(
        "floods the line of replies",
        """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
kernel = get_ipython().kernel
while True:
    kernel.session.send(kernel.shell_stream, "observe_reply", {}, {}, ident=kernel._parent_ident["shell"])
""",
        IN_PART,
        AFTER,
    ),
    cheat(
        "floods it from a cell",
        """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
kernel = get_ipython().kernel
while True:
    kernel.session.send(kernel.shell_stream, "execute_reply", {}, {}, ident=kernel._parent_ident["shell"])
""",
        IN_PART,
        AFTER,
    ),
    # --- honest habits ----------------------------------------------------------------------------------
    honest("reloads by itself", before="%load_ext autoreload\n%autoreload 2"),
    honest(
        "compiles outside", "square = torch.compile(torch.square, backend='eager')\nsquare(torch.ones(3))"
    ),
    honest(
        "compiles inside",
        RIGHT_LATER + "def accuracy_by_class(dataloader, model, num_classes):\n"
        "    torch.compile(torch.square, backend='eager')(torch.ones(3))\n"
        "    return _right(dataloader, model, num_classes)",
    ),
    honest(
        "profiles", "from torch.profiler import profile\nwith profile():\n    torch.ones(3) @ torch.ones(3)"
    ),
    honest(
        "hooks",
        "layer = torch.nn.Linear(2, 2)\nlayer.register_forward_hook(lambda *arguments: None)\nlayer(torch.ones(2))",
    ),
    honest(
        "decorates",
        "import functools, time\n"
        "def timed(function):\n"
        "    @functools.wraps(function)\n"
        "    def inside(*arguments, **options):\n"
        "        start = time.perf_counter()\n"
        "        result = function(*arguments, **options)\n"
        "        print(time.perf_counter() - start)\n"
        "        return result\n"
        "    return inside\n"
        "accuracy_by_class = timed(accuracy_by_class)",
    ),
    honest(
        "NumPy",
        "import numpy as np\nnp.set_printoptions(precision=3)\nnp.random.seed(0)\nzip = zip\nsum_ = np.float64(3)",
    ),
    honest(
        "shadows a built-in", "list_ = list\nlen_ = len\nimport random\nrandom.seed(0)\nsum = sum\nmax = max"
    ),
    honest(
        "a scratch cell",
        "from fmnist_helpers.exercises.ex05_training_loop import check_accuracy_by_class\n"
        "from fmnist_helpers.exercises import CheckFailed, hint\n"
        "try:\n    check_accuracy_by_class(accuracy_by_class)\nexcept CheckFailed as failure:\n    hint()\n"
        "hint()",
    ),
    honest("plots", "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()"),
]
"""The attack table."""
assert len({case.student for case in ATTACKS}) == len(ATTACKS)
assert set(POINTS) >= set(AFTER)
