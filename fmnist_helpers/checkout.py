"""The checkout of the course that this package belongs to, if there is one."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
"""The checkout, or the folder into which the package was installed."""


def checkout() -> Path | None:
    """Return the folder of the checkout, or None if the package was installed from a wheel."""
    # Not just any folder of this name: others may have put one beside their packages.
    return FOLDER if (FOLDER / "notebooks" / "00_start_here.ipynb").is_file() else None
