"""Work that goes on beside the kernel's other cells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Worker:
    """Does one piece of work at a time in a thread, so that the kernel and its controls answer meanwhile."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a piece of work is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[..., None], *arguments: Any) -> None:
        """Begin ``work(*arguments)``; whoever calls has seen that nothing is under way, or that it is at its end."""
        self._thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when the work is done."""
        if self._thread is not None:
            self._thread.join()
