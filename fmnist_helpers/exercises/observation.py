"""What was seen of a student's work: plain data with a written schema, and the only thing a judgement looks at.

Numbers, texts, shapes, names of types, what was raised and where: nothing here is an object of the student's, and
none of it can run. ``msgspec`` holds the schema: whatever is not well-formed is refused when it is read.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor

MOST_BYTES = 20_000_000
"""How large an observation, or a problem, may be once it is encoded."""
Word = Annotated[str, msgspec.Meta(max_length=300)]
"""A name, or a line that is shown."""
Text = Annotated[str, msgspec.Meta(max_length=2_100)]
Few = msgspec.Meta(max_length=2_000)
"""How many items of a value are described."""


class MalformedError(ValueError):
    """Something that should be an observation is none."""


class Array(msgspec.Struct, frozen=True):
    """The numbers of a tensor."""

    dtype: Word
    """As PyTorch names it, without the prefix: ``float32``, ``int64``, ``bool``."""
    shape: list[int]
    numbers: list[float]
    """Row by row; whole numbers and truth values as floats."""

    def __post_init__(self) -> None:
        if any(side < 0 for side in self.shape) or math.prod(self.shape) != len(self.numbers):
            raise ValueError(f"{len(self.numbers)} numbers do not fill the shape {self.shape}")

    def tensor(self) -> Tensor:
        """Return the numbers as a float64 tensor of this shape."""
        return torch.tensor(self.numbers, dtype=torch.float64).reshape(self.shape)


class Seen(msgspec.Struct, frozen=True):
    """One value that came back: the name of its type, and what can be said of it as plain data."""

    type: Word
    """Name of its class; ``NoneType`` for None."""
    shown: Word = ""
    """How it prints, cut to a line."""
    bases: Annotated[list[Word], Few] = []
    """Names of the classes it inherits from, its own first; so a subclass is seen for what it is."""
    number: float | None = None
    """Of a Python or NumPy number, or of a tensor that holds a single one. A truth value is no number."""
    truth: bool | None = None
    """Of a Python or NumPy truth value."""
    text: Text | None = None
    """Of a string."""
    array: Array | None = None
    """Of a tensor or a NumPy array that is not too large."""
    items: Annotated[list[Seen], Few] | None = None
    """Of a list or tuple, and whatever inherits from them."""
    entries: Annotated[list[tuple[Seen, Seen]], Few] | None = None
    """Keys and values of a dict, in its order."""
    graph: bool = False
    """Whether a tensor requires a gradient."""

    @property
    def name(self) -> str:
        """The type in words for a message."""
        return "None (is a return missing?)" if self.type == "NoneType" else self.type

    def is_a(self, kind: str) -> bool:
        """Return whether the value's class is, or inherits from, the one of this name."""
        return kind == self.type or kind in self.bases


class Raised(msgspec.Struct, frozen=True):
    """What a student's function raised."""

    type: Word
    message: Word
    """Its first line."""
    line: Word = ""
    """The student's line that raised it, if it is known."""
    unwritten: bool = False
    """Whether the task is not written yet."""


class Call(msgspec.Struct, frozen=True):
    """One call of a student's function: what it returned, or what it raised."""

    name: Word
    """Name of the function, as it calls itself."""
    callable: bool = True
    """Whether what stands under the name can be called at all; ``result`` describes it where it cannot."""
    result: Seen | None = None
    raised: Raised | None = None
    gradients_left_off: bool = False
    """Whether PyTorch kept no graph any more after the call, though it did before."""


class Event(msgspec.Struct, frozen=True):
    """One thing that a loop did, as the recorder saw it."""

    kind: Word
    batch: int
    training: bool
    grad_enabled: bool
    gradient: float
    value: float | None = None


def encode(observation: Any) -> bytes:
    """Return an observation (or a problem) as bytes: MessagePack."""
    return msgspec.msgpack.encode(observation)


def decode(kind: Any, data: bytes, most: int = MOST_BYTES) -> Any:
    """Return the observation (or the problem) of this kind that the bytes hold.

    Raises:
        MalformedError: if they are too many, or hold something else.
    """
    if len(data) > most:
        raise MalformedError(f"an observation of {len(data)} bytes is too large; {most} are allowed")
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, OverflowError, ValueError) as error:
        name = getattr(kind, "__name__", str(kind))
        raise MalformedError(f"this is no observation of the kind {name}: {error}") from error
