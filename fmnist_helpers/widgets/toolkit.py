"""What the interactive parts are built of: ipywidgets and anywidget.

Where a kernel lacks them, parts of the same names stand in: they hold values and show nothing, so that a lesson runs
to its end, and each interactive part shows its still picture and says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import traitlets

try:
    from anywidget import AnyWidget
    from ipywidgets import (
        HTML,
        Box,
        Button,
        Checkbox,
        DOMWidget,
        Dropdown,
        FileUpload,
        RadioButtons,
        Text,
        VBox,
    )
except ImportError:

    class DOMWidget(traitlets.HasTraits):
        """A part without a view: it holds what is put into it and tells who observes it."""

        value = traitlets.Any()
        description = traitlets.Unicode()
        disabled = traitlets.Bool(False)

        def __init__(self, children: Iterable[Any] = (), **others: Any) -> None:
            self.children = tuple(children)
            super().__init__(**{name: value for name, value in others.items() if self.has_trait(name)})

        def add_class(self, name: str) -> DOMWidget:
            return self

        def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
            return {}

    class AnyWidget(DOMWidget):
        """Its traits stand in its own class."""

    class Box(DOMWidget):
        """A row."""

    class VBox(DOMWidget):
        """A column."""

    class Checkbox(DOMWidget):
        """True or False."""

    class Text(DOMWidget):
        """A line that somebody types."""

        value = traitlets.Unicode()

    class HTML(DOMWidget):
        """A text with marks."""

        value = traitlets.Unicode()

        def __init__(self, value: str = "") -> None:
            super().__init__(value=value)

    class Button(DOMWidget):
        """Nobody can press it."""

        def on_click(self, call: Any) -> None:
            """Take what would be called."""

    class RadioButtons(DOMWidget):
        """One of several choices, or none yet."""

    class Dropdown(DOMWidget):
        """One of several choices, at first the first."""

        def __init__(self, options: Sequence[Any], **others: Any) -> None:
            first = options[0][1] if isinstance(options[0], tuple) else options[0]
            super().__init__(**{"value": first, **others})

    class FileUpload(DOMWidget):
        """Nobody can choose a file."""

        def __init__(self, **others: Any) -> None:
            super().__init__(**{"value": (), **others})

    MISSING = (
        "The controls need packages that this kernel lacks: run %pip install ipywidgets anywidget in a cell, "
        "restart the kernel, and run the lesson again."
    )
else:
    MISSING = ""

__all__ = [
    "HTML",
    "MISSING",
    "AnyWidget",
    "Box",
    "Button",
    "Checkbox",
    "DOMWidget",
    "Dropdown",
    "FileUpload",
    "RadioButtons",
    "Text",
    "VBox",
]
