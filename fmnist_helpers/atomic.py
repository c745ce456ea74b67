"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a path to write to, which becomes ``path`` when the block has ended well.

    Whoever looks meanwhile, or after a crash, finds the older file of that name or none, never half of one. If the
    block raises, the older file stays and what was written goes.

    Args:
        path: the file that is wanted; its folder must exist.
    """
    path = Path(path)
    # In the same folder, because only there a file can take another's place in one step; hidden, and with a name
    # that no other process has.
    unfinished = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        yield unfinished
        # On disk before the name changes hands, so that a power cut cannot leave an empty file.
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
