"""How results are stored: rounded, and whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fmnist_helpers.atomic import written_whole


def store(content: dict[str, Any], path: Path) -> None:
    """Write ``content`` as JSON, its decimals with five significant digits; nothing measured here is finer."""
    rounded = json.loads(json.dumps(content), parse_float=lambda text: float(f"{float(text):.5g}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished:
        unfinished.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
