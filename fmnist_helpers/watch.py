"""Stands between a loop and its loader or its loss, and tells somebody what passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


class _StandIn:
    """Has every attribute of what it stands for."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        # Copying and unpickling ask for attributes before there is an original.
        if name == "_original":
            raise AttributeError(name)
        return getattr(self._original, name)


class WatchedLoader(_StandIn):
    """Gives the batches of a loader, or of a list of batches, and tells ``on_batch`` before each is handed out.

    What ``on_batch`` raises ends the pass.
    """

    def __init__(self, dataloader: Any, on_batch: Callable[[], Any]) -> None:
        super().__init__(dataloader)
        self._on_batch = on_batch

    def __iter__(self) -> Iterator[Any]:
        for batch in self._original:
            self._on_batch()
            yield batch

    def __len__(self) -> int:
        return len(self._original)


class WatchedLoss(_StandIn):
    """Calls a loss function and passes each loss through ``on_loss``, which returns the one to go on with."""

    def __init__(self, loss_fn: Callable[..., Tensor], on_loss: Callable[[Tensor], Tensor]) -> None:
        super().__init__(loss_fn)
        self._on_loss = on_loss

    def __call__(self, *arguments: Any, **options: Any) -> Tensor:
        return self._on_loss(self._original(*arguments, **options))
