"""What is kept of what a kernel shows is bounded, whatever it sends; and what is no message ends that kernel alone."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from types import SimpleNamespace

import msgspec
import nbformat
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist_helpers.grading import listener
from fmnist_helpers.grading.listener import (
    CONTENTS,
    CUT,
    ERROR_BYTES,
    OUTPUT_BYTES,
    PICTURE_BYTES,
    SUBMISSION_BYTES,
    Break,
    Kernel,
    Message,
    Reply,
    Shown,
)

PICTURE = "iVBOR" + "x" * 400_000
"""A figure of 300 kB as a kernel sends it."""


def message(kind: str, **content) -> Message:
    return Message(kind, "", msgspec.convert(content, CONTENTS[kind]), [])


def shown(*messages: Message, text: int = OUTPUT_BYTES, whole: int = SUBMISSION_BYTES) -> Shown:
    """Return what is kept, having made sure that a notebook takes it and that the accounts are right."""
    kept = Shown(text, whole)
    for one in messages:
        kept.see(one)
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.from_dict(output) for output in kept.outputs])
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    taken_text, taken = kept.taken()
    size = sum(len(json.dumps(output, ensure_ascii=False).encode()) for output in kept.outputs)
    assert 0 <= taken_text <= text and 0 <= taken <= whole
    assert size <= taken + len(CUT) + 200
    return kept


def printed(text: str, name: str = "stdout") -> Message:
    return message("stream", name=name, text=text)


def displayed(identity: str | None = None, kind: str = "display_data", **data: str) -> Message:
    data = {name.replace("__", "/").replace("svg_xml", "svg+xml"): value for name, value in data.items()}
    return message(kind, data=data, transient={"display_id": identity}, metadata={"x": "y" * 999})


def texts(kept: Shown) -> str:
    return "".join(output.get("text", "") for output in kept.outputs)


# --- what is kept ------------------------------------------------------------------------------------------


def test_what_is_printed_comes_together_by_stream():
    kept = shown(printed("a"), printed("b"), printed("!", "stderr"), printed("c"))
    assert [(one["name"], one["text"]) for one in kept.outputs] == [
        ("stdout", "ab"),
        ("stderr", "!"),
        ("stdout", "c"),
    ]


def test_a_hundred_thousand_lines_sent_one_by_one_are_kept_up_to_the_limit():
    kept = shown(*(printed(f"line {number}\n") for number in range(100_000)))
    assert len(kept.outputs) == 2 or texts(kept).count(CUT) == 1
    assert OUTPUT_BYTES * 0.9 < len(texts(kept)) < OUTPUT_BYTES + len(CUT)
    assert texts(kept).startswith("line 0\nline 1\n") and texts(kept).endswith(CUT)


@pytest.mark.parametrize("letter", ["x", "\n", "\0", "é", "学", "😀", "\ud800", '"', "\x1b[0m"])
def test_long_text_is_cut_where_it_fills_the_room(letter):
    kept = shown(printed(letter * 3_000_000))
    assert 0.9 * OUTPUT_BYTES < kept.taken()[0] <= OUTPUT_BYTES
    assert texts(kept).endswith(CUT) and texts(kept).count(CUT) == 1


@pytest.mark.parametrize("kind", ["image__png", "image__jpeg", "image__svg_xml"])
def test_honest_figure_is_kept_whole_even_after_much_text(kind):
    kept = shown(printed("x" * 999_999), displayed(**{kind: PICTURE, "text__plain": "<Figure>"}))
    assert PICTURE in kept.outputs[-1]["data"].values()
    assert shown(displayed(**{kind: PICTURE})).outputs[0]["metadata"] == {}


def test_ten_figures_of_a_cell_and_a_table_are_kept_whole():
    table = "<table>" + "<tr><td>1</td></tr>" * 1000 + "</table>"
    kept = shown(*[displayed(image__png=PICTURE)] * 10, displayed(text__html=table, text__plain="a table"))
    assert len(kept.outputs) == 11 and kept.outputs[-1]["data"]["text/html"] == table


def test_picture_that_is_too_large_is_left_out_and_that_is_said():
    kept = shown(displayed(image__png="x" * (PICTURE_BYTES + 1), text__plain="<Figure>"))
    assert [one.get("data") for one in kept.outputs] == [None, {"text/plain": "<Figure>"}]
    assert texts(kept) == CUT


def test_pictures_are_bounded_all_together():
    kept = shown(*[displayed(image__png=PICTURE)] * 500)
    assert sum("data" in one for one in kept.outputs) == 12 and texts(kept) == CUT


def test_markup_that_is_too_long_is_dropped_and_its_text_is_cut():
    kept = shown(displayed(text__html="<b>" * 50_000, text__plain="z" * 150_000))
    data = kept.outputs[-1]["data"]
    assert set(data) == {"text/plain"} and 90_000 < len(data["text/plain"]) < OUTPUT_BYTES


@pytest.mark.parametrize(
    "data",
    [
        {"application/vnd.plotly.v1+json": {"a": "x" * 1_000_000}},
        {"application/javascript": "alert(1)"},
        {"text/plain": 5, "image/png": ["x"], "text/html": None},
        {"x" * 1_000_000: "y"},
        {},
    ],
)
def test_forms_that_no_page_shows_are_not_kept(data):
    assert shown(message("display_data", data=data, metadata={})).outputs == []


def test_many_empty_outputs_are_not_kept():
    assert len(shown(*[displayed(text__plain="x")] * 100_000).outputs) < 250
    assert len(shown(*[printed("x", name) for name in ("stdout", "stderr") * 50_000]).outputs) < 250


def test_update_puts_something_in_the_place_and_cannot_grow_it_without_end():
    kept = shown(displayed("a", text__plain="0 %"), displayed("a", "update_display_data", text__plain="50 %"))
    assert kept.outputs == [{"output_type": "display_data", "metadata": {}, "data": {"text/plain": "50 %"}}]
    update = displayed("a", "update_display_data", text__html="x" * 90_000)
    outputs = shown(displayed("a", text__plain="small"), *[update] * 100).outputs
    assert len(outputs) == 1 and outputs[0]["data"] == {"text/html": "x" * 90_000}
    updates = [displayed(str(n), "update_display_data", text__html="x" * 90_000) for n in range(50)]
    kept = shown(*(displayed(str(n), text__plain="small") for n in range(50)), *updates)
    assert len(json.dumps(kept.outputs)) < OUTPUT_BYTES + len(CUT)


def test_update_of_what_was_never_shown_is_nothing():
    assert shown(displayed("b", "update_display_data", text__plain="x")).outputs == []


def test_live_plot_that_is_cleared_each_time_keeps_its_last_picture():
    plot = [message("clear_output", wait=True), displayed(image__png=PICTURE)]
    kept = shown(*plot * 200, message("clear_output", wait=True))
    assert len(kept.outputs) == 1 and kept.outputs[0]["data"]["image/png"] == PICTURE
    assert shown(printed("x"), message("clear_output", wait=False)).outputs == []


def test_clearing_and_filling_again_and_again_is_bounded():
    kept = shown(*[printed("x" * 90_000), message("clear_output", wait=False)] * 100, printed("y" * 90_000))
    assert texts(kept) == "y" * 90_000


def error(name: str = "ValueError", message_: str = "no", lines: int = 1, length: int = 10) -> Message:
    return message("error", ename=name, evalue=message_, traceback=["t" * length] * lines)


def test_errors_are_cut_and_counted():
    kept = shown(error("E" * 10**6, "v" * 10**6, 5, 10**6))
    assert len(json.dumps(kept.outputs)) < ERROR_BYTES and kept.outputs[0]["traceback"][0]
    kept = shown(*[error(lines=3, length=5000)] * 10_000)
    assert len(json.dumps(kept.outputs)) < ERROR_BYTES + len(CUT) + 500
    assert len(json.dumps(shown(error(lines=10**6, length=0)).outputs)) < ERROR_BYTES


def test_error_is_kept_where_there_is_no_room_for_text():
    kept = shown(printed("x" * 10**6), error())
    assert kept.outputs[-1]["evalue"] == "no"


def test_error_of_the_reply_is_added_where_it_was_not_shown():
    kept = Shown(0, 0)
    kept.see(error("KeyError"))
    kept.finish(Reply("error", "KeyError" * 1000, "x" * 10**6))
    assert kept.outputs[-1]["output_type"] == "error" and len(json.dumps(kept.outputs[-1])) < 2000
    kept = shown(error("KeyError"))
    kept.finish(Reply("error", "KeyError", "no"))
    assert len(kept.outputs) == 1
    kept.finish(Reply("ok"))
    assert len(kept.outputs) == 1
    # Whatever else a reply says, the cell did not run.
    kept.finish(Reply("aborted"))
    assert kept.outputs[-1]["ename"] == "NotRun"


def test_nothing_is_kept_where_nothing_is_left():
    everything = [printed("x"), displayed(text__plain="x"), displayed(image__png="x"), error()]
    assert texts(shown(*everything, whole=100)) == CUT
    assert len(shown(*everything, whole=100).outputs) == 1


words = st.text(max_size=30) | st.text(max_size=5).map(lambda text: text * 30_000)
kinds = st.sampled_from([*listener.TEXTS, *listener.PICTURES, "application/json"])
anything = st.one_of(
    st.builds(printed, words, st.sampled_from(["stdout", "stderr"])),
    st.builds(error, words, words, st.integers(0, 30), st.integers(0, 30_000)),
    st.builds(
        lambda data, name, kind: message(kind, data=data, transient={"display_id": name}),
        st.dictionaries(kinds, words | st.integers(), max_size=4),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from(["display_data", "update_display_data", "execute_result"]),
    ),
    st.builds(lambda wait: message("clear_output", wait=wait), st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(anything, max_size=30), st.integers(0, 200_000), st.integers(0, 1_000_000))
def test_whatever_is_shown_the_accounts_are_right(messages, text, whole):
    shown(*messages, text=text, whole=whole)


# --- what is read ------------------------------------------------------------------------------------------

KEY = "key"


class Fake(Kernel):
    """A kernel that is a pair of sockets in this process."""

    def __init__(self) -> None:
        self._grader, self._key, self._received, self._broken = -1, KEY, 0, 0.0
        self._context, self._monitors = zmq.Context(), []
        self.process = SimpleNamespace(poll=lambda: None, pid=0)
        self.far = {}
        self._poller = zmq.Poller()
        for name in ("iopub", "shell", "control"):
            near, far = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
            near.linger = far.linger = 0
            # Nobody reads any more once the end has come: what is sent then must not wait for ever.
            far.sndtimeo, far.rcvtimeo = 1_000, 60_000
            far.bind(f"inproc://{name}")
            near.connect(f"inproc://{name}")
            setattr(self, name, near)
            self.far[name] = far
            if name != "control":
                self._poller.register(near, zmq.POLLIN)

    def say(self, channel: str, kind: str, content: object, parent: str = "", *buffers: bytes) -> None:
        header = {"msg_type": kind, "msg_id": "x"}
        parts = [json.dumps(part).encode() for part in (header, {"msg_id": parent}, {}, content)]
        self.far[channel].send_multipart([b"topic", *signed(*parts), *buffers])


def signed(*parts: bytes) -> list[bytes]:
    digest = hmac.new(KEY.encode(), b"".join(parts), hashlib.sha256).hexdigest().encode()
    return [listener.DELIMITER, digest, *parts]


@pytest.fixture
def kernel():
    fake = Fake()
    yield fake
    fake._context.destroy(linger=0)


@contextlib.contextmanager
def answering(fake: Fake, *says: tuple):
    """Answer the next request on the shell channel with these messages, in another thread."""

    def answer() -> None:
        frames = fake.far["shell"].recv_multipart()
        request = json.loads(frames[2])["msg_id"]
        for channel, kind, content, *buffers in says:
            fake.say(channel, kind, content, request, *buffers)

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join()


IDLE = ("iopub", "status", {"execution_state": "idle"})
DONE = [("shell", "execute_reply", {"status": "ok", "execution_count": 3}), IDLE]
RUN = listener.Run("1", 20, True, OUTPUT_BYTES, SUBMISSION_BYTES)


def test_outputs_that_come_after_the_reply_are_kept(kernel):
    late = [DONE[0], ("iopub", "stream", {"name": "stdout", "text": "late"}), IDLE]
    with answering(kernel, *late):
        ran = kernel.run(RUN)
    assert ran.outputs[0]["text"] == "late" and ran.count == 3 and ran.gone is None and ran.ending == ""


def test_messages_of_other_requests_and_of_unknown_kinds_are_passed_over(kernel):
    kernel.say("iopub", "stream", {"name": "stdout", "text": "of another"}, "another")
    kernel.say("shell", "execute_reply", {"status": "error"}, "another")
    with answering(
        kernel, ("iopub", "x" * 1000, [1, 2]), ("iopub", "comm_open", {"data": "x" * 1000}), *DONE
    ):
        ran = kernel.run(RUN)
    assert ran.outputs == [] and ran.gone is None


HEADER, PARENT = b'{"msg_type": "stream", "msg_id": "x"}', b'{"msg_id": "y"}'
GOOD = [HEADER, PARENT, b"{}", b'{"name": "stdout", "text": "x"}']


def with_part(place: int, data: bytes) -> list[bytes]:
    return signed(*[data if number == place else part for number, part in enumerate(GOOD)])


def content_of(kind: str, content: object) -> list[bytes]:
    return signed(json.dumps({"msg_type": kind}).encode(), PARENT, b"{}", json.dumps(content).encode())


MALFORMED = {
    "nothing": [b""],
    "no delimiter": [b"a", b"b", b"c", b"d", b"e", b"f"],
    "delimiter alone": [listener.DELIMITER],
    "too few parts": signed(HEADER, PARENT),
    "not signed": [listener.DELIMITER, b"", *GOOD],
    "signed by another": [listener.DELIMITER, b"0" * 64, *GOOD],
    "header is a list": with_part(0, b"[]"),
    "header is no JSON": with_part(0, b"{"),
    "header is empty": with_part(0, b"{}"),
    "kind is a number": with_part(0, b'{"msg_type": 5}'),
    "kind is null": with_part(0, b'{"msg_type": null}'),
    "parent is a list": with_part(1, b"[1]"),
    "parent is null": with_part(1, b"null"),
    "number of the parent is a list": with_part(1, b'{"msg_id": []}'),
    "content is a list": with_part(3, b"[]"),
    "content is null": with_part(3, b"null"),
    "content is no JSON": with_part(3, b"\xff\xfe"),
    "nested without end": with_part(3, b"[" * 2_000_000),
    "text is a number": content_of("stream", {"name": "stdout", "text": 5}),
    "text is missing": content_of("stream", {"name": "stdout"}),
    "stream of another name": content_of("stream", {"name": "x" * 10_000, "text": ""}),
    "data is a text": content_of("display_data", {"data": "x", "metadata": {}}),
    "transient is a list": content_of("display_data", {"data": {}, "transient": []}),
    "display id is a number": content_of("display_data", {"data": {}, "transient": {"display_id": 5}}),
    "number is a text": content_of("execute_result", {"data": {}, "execution_count": "x" * 10_000}),
    "traceback is a text": content_of("error", {"ename": "E", "evalue": "", "traceback": "x"}),
    "traceback of numbers": content_of("error", {"ename": "E", "evalue": "", "traceback": [1]}),
    "state is a list": content_of("status", {"execution_state": []}),
    "wait is a text": content_of("clear_output", {"wait": "x"}),
    "status is a number": content_of("execute_reply", {"status": 5}),
}


@pytest.mark.parametrize("channel", ["iopub", "shell"])
@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_message_ends_the_kernel_in_a_word(kernel, channel, name):
    kernel.far[channel].send_multipart(MALFORMED[name])
    ran = kernel.run(RUN)
    assert ran.gone.reason == "garbled" and len(ran.gone.words) < 60
    kernel.far[channel].send_multipart(MALFORMED[name])
    with pytest.raises(Break):
        kernel.ask(listener.Ask(b"", 20))


@pytest.mark.parametrize(
    ("kind", "buffers", "reply"),
    [("observe_reply", [b"it"], b"it"), ("execute_reply", [b"it"], None), ("observe_reply", [], None)],
)
def test_only_a_reply_of_the_right_kind_is_an_answer(kernel, kind, buffers, reply):
    with answering(kernel, ("shell", kind, {}, *buffers), ("shell", "observe_reply", {}, b"second")):
        assert kernel.ask(listener.Ask(b"", 20)).reply == reply


@pytest.mark.parametrize("count", [-1, 10**30, None])
def test_number_of_a_cell_is_one_or_none(kernel, count):
    with answering(kernel, ("shell", "execute_reply", {"status": "ok", "execution_count": count}), IDLE):
        assert kernel.run(RUN).count is None


def junk(fake: Fake, channel: str, stop: threading.Event) -> None:
    with contextlib.suppress(zmq.Again):
        while not stop.is_set():
            fake.say(channel, "stream", {"name": "stdout", "text": "x" * 10}, "another")


@pytest.mark.parametrize("channel", ["iopub", "shell"])
def test_junk_does_not_keep_the_end_of_the_time_from_being_seen(kernel, channel, monkeypatch):
    monkeypatch.setattr(listener, "GRACE_SECONDS", 0.5)
    stop = threading.Event()
    thread = threading.Thread(target=junk, args=(kernel, channel, stop))
    thread.start()
    begin = time.monotonic()
    ran = kernel.run(listener.Run("1", 1, True, OUTPUT_BYTES, SUBMISSION_BYTES))
    stop.set()
    thread.join()
    assert ran.gone.reason == "stuck" and time.monotonic() - begin < 10
    # It was asked to stop.
    assert b"interrupt_request" in kernel.far["control"].recv_multipart()[2]


def test_flood_of_junk_is_seen_before_the_time_is_over(kernel, monkeypatch):
    monkeypatch.setattr(listener, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(listener, "FLOOD_BYTES", 100_000)
    for _ in range(300):
        kernel.say("iopub", "stream", {"name": "stdout", "text": ""}, "another")
    begin = time.monotonic()
    gone = kernel.run(RUN).gone
    assert (gone.reason, gone.ending) == ("stuck", "flood") and time.monotonic() - begin < 10


@pytest.mark.parametrize("kind", ["clear_output", "update_display_data", "stream"])
def test_only_what_stays_is_counted_as_a_flood(kernel, kind, monkeypatch):
    monkeypatch.setattr(listener, "FLOOD_BYTES", 50_000)
    content = {"wait": True, "data": {}, "name": "stdout", "text": ""}
    again = ("iopub", kind, content), ("iopub", "stream", {"name": "stdout", "text": "x" * 10_000})
    with answering(kernel, *again * 10, *DONE):
        assert kernel.run(RUN).ending == ("flood" if kind == "stream" else "")


def test_kernel_that_answers_and_never_rests_is_not_waited_for_without_end(kernel, monkeypatch):
    monkeypatch.setattr(listener, "IDLE_SECONDS", 1)
    begin = time.monotonic()
    with answering(kernel, DONE[0]):
        assert kernel.run(RUN).gone.reason == "stuck"
    assert time.monotonic() - begin < 10


def test_grader_that_has_gone_is_noticed(kernel):
    near, far = socket.socketpair()
    kernel._grader = near.fileno()
    kernel._poller.register(near, zmq.POLLIN)
    far.close()
    with pytest.raises(EOFError):
        kernel.run(RUN)
