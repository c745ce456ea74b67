"""The one progress bar of the course."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any


def in_notebook() -> bool:
    """Return whether this code runs in a Jupyter kernel, where widgets can be shown."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def progress_bar(iterable: Iterable | None = None, *, shown: bool = True, **options: Any) -> Any:
    """Return a ``tqdm`` bar, a widget in JupyterLab and text in a terminal, that vanishes at its end.

    Args:
        iterable: what to count, or None for a bar that is moved by hand.
        shown: with False nothing is drawn.
        options: passed on to tqdm.

    The environment variable ``TQDM_DISABLE=1`` hides every bar, as tqdm documents it; its widget overlooks
    the variable, so it is read here.
    """
    # tqdm.auto would take any process that has loaded parts of Jupyter, such as a grader, for a notebook.
    if in_notebook():
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    hidden = not shown or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(iterable, disable=hidden, leave=False, **options)
