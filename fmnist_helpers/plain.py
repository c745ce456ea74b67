"""Plain Python values of what stands for them: NumPy's numbers, tensors of one number, enumerations."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from torch import Tensor


def whole_number(value: Any) -> int | None:
    """Return a whole number in any guise (``int``, NumPy's, a tensor of one) as an ``int``; None for all else.

    A float is none, not even 2.0, and neither is a truth value.
    """
    if _is_truth_value(value):
        return None
    try:
        return int(operator.index(value))
    except (TypeError, ValueError, RuntimeError):
        return None


def require_whole_number(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Return a count or a seed as an int, whatever kind of whole number it is (Python's, NumPy's, a tensor's).

    Raises:
        ValueError: if it is a fraction, a float, a truth value, no number at all, below ``least`` or above ``most``.
    """
    number = whole_number(value)
    limits = "" if least is None else f"{least} or above" if most is None else f"from {least} to {most}"
    if number is None:
        rest = limits and f"{', ' if most is None else ' '}{limits}"
        raise ValueError(f"{name} is {shown(value)}; it must be an integer (int){rest}")
    if limits and not least <= number <= (number if most is None else most):
        raise ValueError(f"{name} is {number}; it must be {limits}")
    return number


def real_number(value: Any) -> float | None:
    """Return a number in any guise (``float``, a fraction, NumPy's, a tensor of one) as a ``float``; None for all else.

    Infinity and nan are numbers here. A truth value and a text of digits are none.
    """
    if isinstance(value, str | bytes | bytearray) or _is_truth_value(value):
        return None
    try:
        # A tensor that takes part in a gradient would warn, and an array of one number is read by item alone.
        return float(value.item() if isinstance(value, Tensor | np.ndarray) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def _is_truth_value(value: Any) -> bool:
    return isinstance(value, bool | np.bool_) or "bool" in str(getattr(value, "dtype", ""))


def shown(value: Any) -> str:
    """Name a value behind "is" in a sentence: its type, and itself where that is short."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text, kind = repr(value), type(value).__name__
    if len(text) < 60 and "\n" not in text and not text.startswith("<"):
        return f"{text} ({kind})"
    is_array = isinstance(value, np.ndarray | Tensor) and not text.startswith("<")
    return f"of type {kind} and shape {tuple(value.shape)}" if is_array else f"of type {kind}"


def plain(value: Any) -> Any:
    """Return ``value`` with NumPy's numbers, texts and arrays in it as Python's own, at any depth.

    Kinds of ``int``, ``float``, ``str``, ``tuple``, ``list`` and ``dict``, such as enumerations and named tuples,
    become those themselves, and an array becomes a list. Tensors, and what is nothing of these, stay as they are.
    """
    if isinstance(value, np.ndarray) and value.ndim:
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(map(plain, value))
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        # The longest of NumPy's floats is all that it gives as an item of itself.
        item = value.item()
        value = float(item) if isinstance(item, np.floating) else item
    for kind in (int, float, complex, str, bytes):
        # The method of the kind itself: an enumeration's own would give its name.
        if isinstance(value, kind) and type(value) not in (kind, bool):
            return str.__str__(value) if kind is str else kind.__new__(kind, value)
    return value
