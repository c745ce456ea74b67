"""The controls of the interactive parts that ipywidgets lacks: a slider with a name, and a line that is read out.

ipywidgets draws sliders whose handles have no name for a screen reader, and has no place for a text that is read
out when it changes. These two are therefore made with anywidget from the browser's own elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from fmnist_helpers.widgets.toolkit import AnyWidget

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


class Slider(AnyWidget):
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


class Spoken(AnyWidget):
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
