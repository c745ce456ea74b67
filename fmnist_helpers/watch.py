"""Stands between a loop and its loader or its loss, and tells somebody what passes."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


class _StandIn:
    """Has the class and every attribute of what it stands for; ``_tell`` is called with what passes."""

    def __init__(self, original: Any, tell: Callable[..., Any]) -> None:
        vars(self).update(_original=original, _tell=tell)

    # isinstance looks at this, so a loop may ask whether its loader is a DataLoader.
    __class__ = property(lambda self: self._original.__class__)

    def __getattr__(self, name: str) -> Any:
        # Copying and unpickling ask for attributes before there is an original.
        if name in ("_original", "_tell"):
            raise AttributeError(name)
        value = getattr(self._original, name)
        return self._staying(value) if getattr(value, "__self__", None) is self._original else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._original, name, value)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._original, self._tell)

    def __copy__(self) -> _StandIn:
        return type(self)(copy.copy(self._original), self._tell)

    def __deepcopy__(self, memo: dict[int, Any]) -> _StandIn:
        # Whoever is told stays the same: a copy is watched, too.
        return type(self)(copy.deepcopy(self._original, memo), self._tell)

    def _staying(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that gives the stand-in where it would give the original, as ``to(device)`` does."""

        @functools.wraps(method)
        def stays(*arguments: Any, **options: Any) -> Any:
            result = method(*arguments, **options)
            return self if result is self._original else result

        return stays


class WatchedLoader(_StandIn):
    """Gives the batches of a loader, or of a list of batches, and tells ``on_batch`` before each is handed out.

    What ``on_batch`` raises ends the pass.
    """

    def __init__(self, dataloader: Any, on_batch: Callable[[], Any]) -> None:
        super().__init__(dataloader, on_batch)

    def __iter__(self) -> Iterator[Any]:
        for batch in self._original:
            self._tell()
            yield batch

    def __len__(self) -> int:
        return len(self._original)

    def __getitem__(self, place: Any) -> Any:
        batch = self._original[place]
        self._tell()
        return batch


class WatchedLoss(_StandIn):
    """Calls a loss function and passes each loss through ``on_loss``, which returns the one to go on with."""

    def __init__(self, loss_fn: Callable[..., Tensor], on_loss: Callable[[Tensor], Tensor]) -> None:
        super().__init__(loss_fn, on_loss)

    def __call__(self, *arguments: Any, **options: Any) -> Tensor:
        return self._tell(self._original(*arguments, **options))

    def forward(self, *arguments: Any, **options: Any) -> Tensor:
        """Do what ``forward`` of the original does, which some call directly."""
        return self._tell(self._original.forward(*arguments, **options))
