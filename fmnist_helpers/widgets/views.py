"""What the interactive parts show: the frame around caption, controls and view, and pictures and tables as HTML."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fmnist_helpers.widgets.controls import Spoken
from fmnist_helpers.widgets.toolkit import HTML, MISSING, Box, DOMWidget, VBox


class Caption(NamedTuple):
    """What stands above an interactive part."""

    title: str
    try_this: str
    predict: str
    notice: str

    def as_html(self) -> str:
        """Return the caption as a few lines of HTML."""
        parts = (("Try", self.try_this), ("Predict", self.predict), ("Notice", self.notice))
        lines = "<br>".join(f"<em>{word}:</em> {html.escape(text)}" for word, text in parts)
        return f'<p style="line-height: 1.5"><strong>{html.escape(self.title)}</strong><br>{lines}</p>'


class View(NamedTuple):
    """What an interactive part shows at one setting of its controls."""

    body: str
    """HTML: pictures with their text alternatives, tables with headers."""
    spoken: str
    """What has happened, in a sentence or two."""


class Interactive(VBox):
    """A caption, controls, and what they lead to; ``view()`` says what that is.

    Where no kernel runs (a web page, a notebook that has just been opened) the caption and ``still`` stand in
    for it: the picture of the first setting.

    Attributes:
        caption: what to try, to predict and to notice.
        still_alt: the text alternative of the still picture, without numbers that another run may change.
    """

    caption: Caption
    still_alt: str

    def __init__(self, controls: Iterable[DOMWidget]) -> None:
        self.controls = list(controls)
        self._body, self._spoken = HTML(), Spoken()
        row = Box(self.controls, layout={"flex_flow": "row wrap"})
        super().__init__([HTML(self.caption.as_html()), row, self._spoken, self._body])
        self.add_class("fmnist-frame")
        for control in self.controls:
            if control.has_trait("value"):
                control.observe(self.refresh, names="value")
        self.refresh()

    def view(self) -> View:
        """Return what the present setting shows."""
        raise NotImplementedError

    def refresh(self, change: Any = None) -> None:
        """Show what the controls now say."""
        self.show(self.view())

    def show(self, view: View) -> None:
        """Put a view in place of the last one."""
        self._body.value, self._spoken.text = view

    @property
    def body(self) -> str:
        """The HTML that is shown."""
        return self._body.value

    @property
    def spoken(self) -> str:
        """The line that is read out."""
        return self._spoken.text

    def still(self) -> str:
        """Return the picture that stands for this part where no kernel runs, as HTML."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        where = MISSING or "Run this cell in JupyterLab or on Binder, and the controls appear."
        return {
            **super()._repr_mimebundle_(**options),
            "text/html": f"{self.still()}{self.caption.as_html()}<p>{where}</p>",
            "text/plain": self.still_alt,
        }


def picture(source: str, alt: str, width: int) -> str:
    """Return an ``img`` element: ``source`` is a data address, ``width`` its width in pixels at most."""
    text = html.escape(alt, quote=True)
    return f'<img alt="{text}" style="width: {width}px; max-width: 100%" src="{source}">'


def svg_source(svg: str) -> str:
    """Return an SVG picture as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def pixels_source(pixels: np.ndarray) -> str:
    """Return a grey picture as a data address.

    Args:
        pixels: shape (height, width); 0 is black, the largest possible value (255 for bytes, 1 for floats) white.
    """
    grey = pixels if pixels.dtype == np.uint8 else np.round(255 * pixels).astype(np.uint8)
    picture = Image.fromarray(grey)
    # A browser smooths what it enlarges; blocks of four by four keep the pixels visible at every size.
    picture = picture.resize((4 * picture.width, 4 * picture.height), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def side_by_side(*parts: str) -> str:
    """Return parts in a row that wraps where the window is narrow."""
    cells = "".join(f"<div>{part}</div>" for part in parts)
    style = "display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; line-height: 1.4"
    return f'<div style="{style}">{cells}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """Return an HTML table; the first cell of each row is its header, cells may hold HTML."""
    head = "".join(
        f'<th scope="col" style="padding: 1px 8px; text-align: right">{cell}</th>' for cell in header
    )
    lines = "".join(
        f'<tr><th scope="row" style="padding: 1px 8px; text-align: right">{first}</th>'
        + "".join(f'<td style="padding: 1px 8px; text-align: right">{cell}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        '<table style="border-collapse: collapse; font-variant-numeric: tabular-nums; line-height: 1.3">'
        f'<caption style="text-align: left; padding: 2px 8px">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    )


def bar(share: float, text: str) -> str:
    """Return a horizontal bar of this share (0 to 1) of its place, with its value as text beside it."""
    width = round(90 * min(max(share, 0.0), 1.0), 1)
    block = "display: inline-block; text-align"
    return (
        f'<span style="{block}: left; width: 90px">'
        f'<span style="display: inline-block; height: 10px; width: {width}px; background: #0072B2"></span></span>'
        f'<span style="{block}: right; width: 4em">{text}</span>'
    )
