"""The kernel of a submission: what it sends is small, nothing honest is lost by that, and it answers requests."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from ipykernel.iostream import OutStream

from fmnist_helpers.exercises import remote
from fmnist_helpers.grading import kernel, listener
from fmnist_helpers.grading.kernel import BoundedSession, GradedKernel, SteadyStream


@pytest.fixture
def stream(monkeypatch) -> tuple[SteadyStream, list]:
    """A stream, and what it did: texts that were written, and None for each time that they were sent."""
    done = []
    monkeypatch.setattr(OutStream, "write", lambda self, string: done.append(string))
    monkeypatch.setattr(OutStream, "flush", lambda self: done.append(None))
    return SteadyStream.__new__(SteadyStream), done


def messages(done: list) -> list[str]:
    """Return what goes into each message."""
    found = [[]]
    for one in done:
        if one is None:
            found.append([])
        else:
            found[-1].append(one)
    return ["".join(parts) for parts in found]


def test_much_output_is_sent_piece_by_piece_and_whole(stream):
    stream, done = stream
    texts = ["a" * 1_000_000, "b", "", *["c" * 100_000] * 10, "d" * stream.piece]
    for text in texts:
        assert stream.write(text) == len(text)
    sent = messages(done)
    assert "".join(sent) == "".join(texts)
    assert max(map(len, sent)) <= stream.piece and len(sent) < 15


def test_no_message_of_a_stream_is_larger_than_the_other_side_takes():
    for letter in ("x", "\0", "学", "😀", "\ud800"):
        content = {"name": "stdout", "text": letter * SteadyStream.piece}
        assert len(kernel.pack(content)) < kernel.LARGEST < listener.MESSAGE_BYTES


@pytest.mark.parametrize("text", ["\ud800 half a pair", "\udcff from a file name", "學 😀 é", "\0\x1b"])
def test_every_text_can_be_sent(text):
    assert json.loads(kernel.pack({"text": text, "number": float("nan"), "bytes": b"x"}))["text"] == text


class Session(BoundedSession):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__(key=b"secret")
        self.sent: list[list[bytes]] = []
        self.line = type("Line", (), {"send_multipart": lambda _, parts, copy: self.sent.append(parts)})()

    def content(self) -> dict:
        """Return the content of the last message."""
        return json.loads(self.sent[-1][-1])


@pytest.mark.parametrize("kind", ["display_data", "update_display_data", "execute_result"])
def test_display_that_is_too_large_is_replaced_by_words(kind):
    session = Session()
    content = {
        "data": {
            "application/vnd.plotly.v1+json": {"points": ["1.25"] * 4_000_000},
            "text/plain": "Figure()",
        },
        "metadata": {"wide": "x" * 10_000_000},
        "transient": {"display_id": "mine"},
    }
    session.send(session.line, kind, content)
    told = session.content()
    assert told["data"] == {"text/plain": "... an output of 42 MB is left out: the grader takes 5 MB ..."}
    assert told["transient"] == {"display_id": "mine"} and told["metadata"] == {}


def test_display_that_is_large_and_not_too_large_is_sent_as_it_is():
    session = Session()
    content = {
        "data": {"image/png": "x" * 4_000_000},
        "metadata": {"image/png": {"width": 3}},
        "transient": {},
    }
    session.send(session.line, "display_data", content)
    assert session.content() == content


def test_error_that_is_too_large_is_cut_and_still_an_error():
    session = Session()
    content = {
        "status": "error",
        "ename": "ValueError",
        "evalue": "x" * 10_000_000,
        "traceback": ["y" * 10_000_000, "last line"],
        "execution_count": 7,
        "payload": [{"big": "z"}],
        "engine": {"a": 1},
    }
    session.send(session.line, "execute_reply", content)
    told = session.content()
    assert (told["status"], told["ename"], told["execution_count"]) == ("error", "ValueError", 7)
    assert told["traceback"][-1] == "last line" and told["payload"] == []
    assert sum(map(len, session.sent[-1])) < 50_000


def test_state_of_widgets_is_not_sent():
    session = Session()
    session.send(session.line, "comm_open", {"data": {}}, buffers=[b"x" * 100_000_000])
    session.send(session.line, session.msg("comm_msg", {"data": {}}))
    assert session.sent == []


@pytest.mark.parametrize(
    ("size", "arrives"), [(1000, True), (remote.MOST_OBSERVED, True), (40_000_000, False)]
)
def test_observation_that_is_too_large_is_none(monkeypatch, size, arrives):
    monkeypatch.setattr(remote, "answer", lambda question, names: bytes(size))
    sent = []
    fake = type("Fake", (), {})()
    fake.shell, fake.session = type("Shell", (), {"user_ns": {}}), type("Session", (), {})()
    fake.session.send = lambda *arguments, buffers, **options: sent.extend(buffers)
    asyncio.run(GradedKernel.observe_request(fake, None, None, {"buffers": [b"question"]}))
    assert sent == [bytes(size) if arrives else b""]


def test_what_is_printed_while_observed_is_not_shown(monkeypatch):
    monkeypatch.setattr(remote, "answer", lambda question, names: print("hidden") or b"")
    fake = type("Fake", (), {"shell": type("Shell", (), {"user_ns": {}})})()
    fake.session = type("Session", (), {"send": lambda self, *arguments, **options: None})()
    screen = io.StringIO()
    monkeypatch.setattr("sys.stdout", screen)
    asyncio.run(GradedKernel.observe_request(fake, None, None, {"buffers": [b""]}))
    assert screen.getvalue() == ""
