"""What all interactive parts are made of: a slider, a spoken line, pictures, and the frame around them.

ipywidgets draws sliders whose handles have no name for a screen reader, and has no place for a text that is read
out when it changes. These two controls are therefore made with anywidget from the browser's own elements.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import anywidget
import ipywidgets
import numpy as np
import traitlets
from PIL import Image

_SLIDER = """
function render({ model, el }) {
  // Every slider loads this module anew, so a counter would give them all the same number.
  const id = `fmnist-slider-${Math.random().toString(36).slice(2)}`;
  const label = document.createElement("label");
  const input = document.createElement("input");
  const shown = document.createElement("output");
  el.classList.add("fmnist-slider");
  label.htmlFor = input.id = id;
  shown.htmlFor = id;
  input.type = "range";
  const tell = () => {
    const options = model.get("options"), step = String(model.get("step"));
    const decimals = step.includes(".") ? step.split(".")[1].length : 0;
    const value = Number(input.value);
    shown.textContent = options.length ? options[value] : value.toFixed(decimals);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  const follow = () => {
    label.textContent = model.get("description");
    for (const name of ["min", "max", "step"]) input[name] = model.get(name);
    input.value = model.get("value");
    input.disabled = model.get("disabled");
    tell();
  };
  input.addEventListener("input", () => {
    tell();
    model.set("value", Number(input.value));
    model.save_changes();
  });
  model.on("change", follow);
  follow();
  el.append(label, input, shown);
  return () => model.off("change", follow);
}
export default { render };
"""

_SLIDER_STYLE = """
.fmnist-slider { display: flex; align-items: center; gap: 8px; margin: 2px; min-height: 28px;
  color: var(--jp-widgets-color, black); font-size: var(--jp-widgets-font-size, 13px); }
.fmnist-slider label { width: 80px; text-align: right; line-height: 1.1; }
.fmnist-slider input { width: 200px; accent-color: #0072B2; }
.fmnist-slider output { min-width: 56px; font-variant-numeric: tabular-nums; }
"""


class Slider(anywidget.AnyWidget):
    """A slider with a name: drag it, or move it with the arrow keys.

    Args:
        description: its label.
        options: what to choose from; ``value`` is then an index into them.
        value: where it stands; between ``min`` and ``max`` in steps of ``step`` if there are no options.
    """

    _esm = _SLIDER
    _css = _SLIDER_STYLE
    description = traitlets.Unicode().tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value = traitlets.CFloat(0).tag(sync=True)
    min = traitlets.CFloat(0).tag(sync=True)
    max = traitlets.CFloat(1).tag(sync=True)
    step = traitlets.CFloat(1).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    def __init__(self, description: str, options: Sequence[Any] = (), **traits: Any) -> None:
        if len(options):
            traits |= {"options": [str(option) for option in options], "min": 0, "max": len(options) - 1}
        super().__init__(description=description, **traits)

    @traitlets.validate("value")
    def _keep_in_range(self, proposal: Any) -> float:
        return min(max(proposal["value"], self.min), self.max)

    @traitlets.observe("max")
    def _follow_the_end(self, change: Any) -> None:
        self.value = min(self.value, self.max)

    @property
    def number(self) -> int:
        """The value as a whole number: an index, or a count."""
        return round(self.value)


class Spoken(anywidget.AnyWidget):
    """A line of text that a screen reader reads out whenever it changes.

    It also sees to it that keys pressed in the controls around it reach them: JupyterLab takes arrow keys and Enter
    for its own commands, except on elements with the mark that is set here.
    """

    _esm = """
    function giveKeysToControls(el) {
      const frame = el.closest(".fmnist-frame");
      if (!frame) return requestAnimationFrame(() => giveKeysToControls(el));
      const mark = () => frame.querySelectorAll("input, select, button").forEach(
        (control) => { control.dataset.lmSuppressShortcuts = "true"; });
      mark();
      new MutationObserver(mark).observe(frame, { childList: true, subtree: true });
    }
    function render({ model, el }) {
      el.setAttribute("role", "status");
      el.classList.add("fmnist-spoken");
      const follow = () => { el.textContent = model.get("text"); };
      model.on("change:text", follow);
      follow();
      giveKeysToControls(el);
      return () => model.off("change:text", follow);
    }
    export default { render };
    """
    _css = ".fmnist-spoken { margin: 4px 2px; min-height: 1.4em; color: var(--jp-widgets-color, black); }"
    text = traitlets.Unicode().tag(sync=True)


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


class Interactive(ipywidgets.VBox):
    """A caption, controls, and what they lead to; ``view()`` says what that is.

    Where no kernel runs (a web page, a notebook that has just been opened) the caption and ``still`` stand in
    for it: the picture of the first setting.

    Attributes:
        caption: what to try, to predict and to notice.
        still_alt: the text alternative of the still picture, without numbers that another run may change.
    """

    caption: Caption
    still_alt: str

    def __init__(self, controls: Iterable[ipywidgets.DOMWidget]) -> None:
        self.controls = list(controls)
        self._body, self._spoken = ipywidgets.HTML(), Spoken()
        row = ipywidgets.Box(self.controls, layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([ipywidgets.HTML(self.caption.as_html()), row, self._spoken, self._body])
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
        where = "<p>Run this cell in JupyterLab or on Binder, and the controls appear.</p>"
        return {
            **super()._repr_mimebundle_(**options),
            "text/html": self.still() + self.caption.as_html() + where,
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
