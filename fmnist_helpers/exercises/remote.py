"""Observing in another process: the one that judges asks, and the one in which the student's code runs answers.

What passes between them is MessagePack with a schema, never a pickle. A check is handed a :class:`Reference` where a
learner's notebook hands it a function; an :func:`observer` then asks the other process in place of running anything.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any, get_type_hints

import msgspec

from fmnist_helpers.exercises.observation import MalformedError, decode, encode
from fmnist_helpers.exercises.observe import MOST_LETTERS, line_of
from fmnist_helpers.exercises.switches import SWITCHES, Name, undone, undone_and_told

VERSION = 1
"""Of the protocol. Both sides come from one package, so another number means that something else answered."""


MOST_OBSERVED = 4_000_000
"""How many bytes an observation may have; the largest of an honest solution has a tenth of that."""


class Request(msgspec.Struct, frozen=True):
    """What the judging side asks for."""

    version: int
    nonce: str
    """A random text that the reply must repeat."""
    observer: str
    """Module and name, for example ``ex05_observe.observe_training``."""
    names: list[str]
    """What the observer looks at, as it is called in the student's notebook."""
    problem: bytes
    """The problem, encoded; empty if the observer takes none."""


class Fault(msgspec.Struct, frozen=True):
    """Why there is no observation: the name of an exception and its message."""

    name: str
    message: str


class Reply(msgspec.Struct, frozen=True):
    """What the student's process answers."""

    version: int
    nonce: str
    observation: bytes = b""
    fault: Fault | None = None
    switches: Annotated[list[Name], msgspec.Meta(max_length=len(SWITCHES))] = []
    """Which were left on by an earlier cell, and off while it was observed."""


class NoObservation(BaseException):
    """The student's process gave no well-formed observation, so the test earns nothing.

    Attributes:
        name: of the exception in that process, or of what happened to it.
        message: in words.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


class Reference:
    """Stands for what a student's notebook calls by a name. Nothing but an observer can do anything with it.

    Args:
        name: the name.
        ask: sends a request to the student's process and returns its reply, both encoded.
        seed: turns the seed that is written in a test into the one that this submission gets.
        left_on: gets the names of the switches that a reply tells of.
        data_set: name of the one on which the class is graded (see ``garments``).
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[bytes], bytes],
        seed: Callable[[int], int],
        left_on: Callable[[list[Name]], None] = lambda names: None,
        data_set: str = "standin",
    ) -> None:
        self.name, self._ask, self._left_on = name, ask, left_on
        self.seed, self.data_set = seed, data_set

    def observe(self, observer: str, names: list[str], problem: bytes, kind: Any) -> Any:
        """Return the observation of this kind.

        Raises:
            NoObservation: if none came, or what came is not well-formed.
        """
        nonce = secrets.token_hex(16)
        answer = self._ask(encode(Request(VERSION, nonce, observer, names, problem)))
        try:
            reply = decode(Reply, answer, MOST_OBSERVED + 1000)
            if (reply.version, reply.nonce) != (VERSION, nonce):
                raise MalformedError("this is no reply to what was asked")
            self._left_on(reply.switches)
            if reply.fault is None:
                return decode(kind, reply.observation)
        except MalformedError as error:
            raise NoObservation("MalformedError", str(error)[:300]) from None
        raise NoObservation(reply.fault.name[:100], reply.fault.message[:1000])


def at_defaults(function: Callable) -> Callable:
    """Let a check run with every switch at its default, and say which were not.

    Where it is handed a reference, that is done in the other process.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        # By type alone: an object of a student's may raise when it is asked for its class.
        if any(type(one) is Reference for one in (*arguments, *options.values())):
            return function(*arguments, **options)
        with undone_and_told():
            return function(*arguments, **options)

    return run


def observer(function: Callable) -> Callable:
    """Let an observer be handed references, too: it then asks their process and returns what that one saw.

    The observer's type hints are the schema: its parameter ``problem``, if it has one, and what it returns.
    """
    hints = get_type_hints(function)

    @functools.wraps(function)
    def observe(*arguments: Any) -> Any:
        reference = next((one for one in arguments if type(one) is Reference), None)
        if reference is None:
            return function(*arguments)
        things = arguments[:-1] if "problem" in hints else arguments
        problem = encode(arguments[-1]) if "problem" in hints else b""
        where = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        return reference.observe(where, [one.name for one in things], problem, hints["return"])

    observe.problem = hints.get("problem")
    return observe


def answer(question: bytes, namespace: Mapping[str, Any]) -> bytes:
    """Return the reply to a request, whatever the student's code does meanwhile.

    Args:
        question: an encoded :class:`Request`.
        namespace: the variables of the student's notebook.
    """
    request, left_on = decode(Request, question), []
    try:
        with undone() as left_on:
            seen = _observe(request, namespace)
        reply = Reply(VERSION, request.nonce, encode(seen), switches=left_on)
    except BaseException as error:
        fault = Fault(type(error).__name__, _words(error))
        reply = Reply(VERSION, request.nonce, fault=fault, switches=left_on)
    return encode(reply)


def _observe(request: Request, namespace: Mapping[str, Any]) -> Any:
    module, _, name = request.observer.partition(".")
    observe = getattr(import_module(f"fmnist_helpers.exercises.{module}"), name)
    things = [_look_up(name, namespace) for name in request.names]
    problem = [decode(observe.problem, request.problem)] if observe.problem is not None else []
    return observe.__wrapped__(*things, *problem)


def _look_up(name: str, namespace: Mapping[str, Any]) -> Any:
    try:
        return namespace[name]
    except KeyError:
        raise NameError(f"name {name!r} is not defined") from None


def interrupted_in(reply: bytes | None) -> str:
    """Return the student's line in which an observation was interrupted, if its reply names one."""
    try:
        fault = decode(Reply, reply or b"", MOST_OBSERVED + 1000).fault
    except MalformedError:
        return ""
    return fault.message[:MOST_LETTERS] if fault is not None and fault.name == "KeyboardInterrupt" else ""


def _words(error: BaseException) -> str:
    try:
        if isinstance(error, KeyboardInterrupt):
            return line_of(error)
        return str(error)[:1000].encode("utf-8", "replace").decode()
    except Exception:
        return ""
