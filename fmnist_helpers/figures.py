"""A figure that shows itself in a notebook, and says in words what was drawn.

The words begin with what the figure is: its kind, titles, axes, legend and marks. After ``IN_THIS_RUN`` follows what
its lines do, which another run may change. The values themselves stand in a list that can be unfolded.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.category import StrCategoryFormatter
from matplotlib.collections import QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FuncFormatter

IN_THIS_RUN = "In this run: "
DOTS_PER_INCH = 160
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""The palette of Okabe and Ito (2008), made for colour-blind readers; yellow is too pale on white."""
MOST_VALUES = 11
"""Of a long line the list gives this many, evenly spread, the first and the last among them."""


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """Return an empty figure of this many inches, white in any theme, which only a :class:`Drawing` shows."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=11)
    return figure


class Drawing:
    """What a plot returns: as the last expression of a cell it is shown, elsewhere ``display(drawing)`` shows it.

    Before that it can be changed: ``drawing.axes[0].set_yscale("log")``.

    Attributes:
        axes: matplotlib's Axes, a list with one for each panel or image.
        figure: the figure that they are part of.

    Args:
        axes: of one figure.
        measured_titles: whether the titles of images come from this run, and another has others.
        words: for a drawing of an idea, the sentences that say what was drawn; a plot finds its own.
    """

    def __init__(
        self, axes: Axes | Iterable[Axes], *, measured_titles: bool = False, words: Iterable[str] = ()
    ) -> None:
        self.axes: list[Axes] = [axes] if isinstance(axes, Axes) else list(axes)
        self.figure = self.axes[0].figure
        self._measured_titles = measured_titles
        self._words = list(words)

    def __repr__(self) -> str:
        pictures = all(axes.images and not axes.axison for axes in self.axes)
        titles = [axes.get_title() for axes in self.axes if pictures and axes.get_title()]
        if self._words:
            parts, course = self._words, []
        elif pictures:
            parts = _pictures(self.axes, [] if self._measured_titles else titles)
            course = titles if self._measured_titles else []
        elif len(self.axes) == 1:
            parts, course = _panel(self.axes[0], self.figure.get_suptitle()), _courses(self.axes[0])
            parts += _stated({"Legend": _legend_below(self.figure)})
        else:
            parts = [_headed(f"{len(self.axes)} panels", self.figure.get_suptitle())]
            parts += _stated({"Legend": _legend_below(self.figure)})
            parts += [part for axes in self.axes for part in _panel(axes)]
            course = [_headed(axes.get_title(), one, ", ") for axes in self.axes for one in _courses(axes)]
        told = [IN_THIS_RUN + "; ".join(course)] if course else []
        return " ".join(" ".join(part.split()).rstrip(".") + "." for part in parts + told)

    def _repr_html_(self) -> str:
        """Return the picture, with its words as text alternative, and its values.

        Raises:
            ValueError: if nothing was drawn.
        """
        if not any(map(_is_drawn_on, self.axes)):
            raise ValueError("the figure is empty: draw on its Axes before showing it")
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, facecolor="white")
        # Twice the pixels of an ordinary screen, at its ordinary width: sharp, and never wider than the page.
        width = round(self.figure.get_figwidth() * DOTS_PER_INCH / 2)
        source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
        words, style = html.escape(repr(self)), f"width: {width}px; max-width: 100%"
        return f'<img alt="{words}" style="{style}" src="{source}">' + self._values()

    def _values(self) -> str:
        """Return the numbers behind the picture as a list that can be unfolded, or nothing where there are none."""
        items = ""
        for axes in self.axes:
            panel = axes.get_title() if len(self.axes) > 1 else ""
            for name, values in _written(axes) if axes.images else _spread(axes):
                pairs = ", ".join(f"{place}: {value}" for place, value in values)
                name = _headed(panel, name, ", ")
                items += f"<li><strong>{html.escape(name)}</strong>: {html.escape(pairs)}</li>"
        return items and f"<details><summary>The values</summary><ul>{items}</ul></details>"


class Row(NamedTuple):
    """Values that belong together: a line, bars, or one coordinate of a path."""

    name: str
    places: list[float] | list[str]
    values: np.ndarray


def _rows(axes: Axes) -> Iterator[Row]:
    for bars in axes.containers:
        if isinstance(bars, BarContainer):
            yield Row(axes.get_xlabel(), _names(axes.yaxis), np.asarray(bars.datavalues))
    # Where the rows of a panel have names, these say all; of points in regions only the number is told.
    for line in () if _names(axes.yaxis) or _has_regions(axes) else _lines(axes):
        x, y = line.get_xydata().T
        if axes.collections:
            yield Row("across", list(range(len(x))), x)
            yield Row("up", list(range(len(y))), y)
        else:
            label = line.get_label()
            yield Row(axes.get_ylabel() if label.startswith("_") else label, x.tolist(), y)


def _is_drawn_on(axes: Axes) -> bool:
    lines = any(np.isfinite(line.get_ydata()).any() for line in _lines(axes))
    return lines or any((axes.images, axes.containers, axes.collections, axes.patches))


def _lines(axes: Axes) -> list[Line2D]:
    # One across the whole panel, such as axvline draws, is no data.
    return [line for line in axes.lines if line.get_transform() is axes.transData]


# --- what the figure is


def _pictures(grid: list[Axes], titles: list[str]) -> list[str]:
    number = f"{len(grid)} image{'s' if len(grid) > 1 else ''}"
    texts = [text.get_text() for axes in grid for text in axes.texts]
    facts = {"Titles": titles, "Words": texts, "Colours": _colours(grid[0])}
    return [_headed(number, grid[0].figure.get_suptitle()), *_stated(facts)]


def _legend_below(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def _panel(axes: Axes, above: str = "") -> list[str]:
    legend = axes.get_legend()
    facts = {
        "Horizontal axis": _axis(axes.xaxis),
        "Vertical axis": _axis(axes.yaxis),
        "Legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        "Marked": [] if axes.images or axes.containers else [text.get_text() for text in axes.texts],
        "Colours": _colours(axes),
    }
    return [_headed(_kind(axes), _headed(above, axes.get_title())), *_stated(facts)]


def _kind(axes: Axes) -> str:
    if axes.images:
        return "Grid of numbers" if axes.texts else "Image"
    if axes.containers:
        return "Bar chart"
    if _has_regions(axes):
        return "Regions with points"
    if axes.collections:
        return "Path on contour lines"
    number = sum(line.get_linestyle() != "None" for line in _lines(axes))
    return f"Line chart with {number} line{'s' if number > 1 else ''}" if number else "Points"


def _has_regions(axes: Axes) -> bool:
    return any(isinstance(collection, QuadMesh) for collection in axes.collections)


def _axis(axis: Axis) -> list[str]:
    scale = "" if axis.get_scale() == "linear" else f"{axis.get_scale()} scale"
    return [part for part in (axis.label.get_text(), scale, *_names(axis)) if part]


def _names(axis: Axis) -> list[str]:
    """Return the words at the ticks of an axis; there are none where these are numbers."""
    if not isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter | StrCategoryFormatter):
        return []
    return [label.get_text() for label in axis.get_ticklabels()]


def _colours(axes: Axes) -> list[str]:
    return [image.colorbar.ax.get_ylabel() for image in axes.images if image.colorbar]


def _stated(facts: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {'; '.join(parts)}" for name, parts in facts.items() if parts]


def _headed(head: str, text: str, between: str = ": ") -> str:
    return between.join(filter(None, (head, text)))


# --- what its lines do


def _courses(axes: Axes) -> list[str]:
    if _has_regions(axes):
        counts = [(line.get_label(), len(line.get_xdata())) for line in _lines(axes)]
        return [f"{name}: {count} point{'' if count == 1 else 's'}" for name, count in counts]
    return [f"{row.name}: {_course(row)}" for row in _rows(axes)]


def _course(row: Row) -> str:
    """Return where values begin and end, how often they turn, and their extremes where these lie between."""
    finite = np.isfinite(row.values)
    values = row.values[finite]
    places = [_place(place) for place, is_finite in zip(row.places, finite, strict=True) if is_finite]
    if len(values) == 0:
        return "no finite value"
    first, last, low, high = values[0], values[-1], values.argmin(), values.argmax()
    lowest, highest = (f"{format_number(values[place])} at {places[place]}" for place in (low, high))
    if values[low] == values[high]:
        told = lowest if len(values) == 1 else f"{format_number(first)} throughout"
    elif isinstance(row.places[0], str):
        told = f"lowest {lowest}, highest {highest}"
    else:
        direction = "rises" if last > first else "falls" if last < first else "goes"
        told = f"{direction} from {format_number(first)} to {format_number(last)}"
        steps = np.sign(np.diff(values))
        turns = np.count_nonzero(np.diff(steps[steps != 0]))
        told += f", turning {turns} time{'s' if turns > 1 else ''}" if turns else ""
        told += f", lowest {lowest}" if values[low] not in (first, last) else ""
        told += f", highest {highest}" if values[high] not in (first, last) else ""
    return told if finite.all() else f"{told}, {np.count_nonzero(~finite)} more not finite"


def format_number(value: float) -> str:
    """Return a number with four digits and a true minus sign; a whole one below a million with all of its digits."""
    whole = float(value).is_integer() and abs(value) < 1e6
    # Adding zero makes a plain one of minus zero.
    return (f"{value + 0:,.0f}" if whole else f"{value:.4g}").replace("-", "−")


def _place(place: float | str) -> str:
    return place if isinstance(place, str) else format_number(place)


# --- its values


def _spread(axes: Axes) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the name of each row, and places and values of it, evenly spread."""
    for row in _rows(axes):
        number = len(row.values)
        some = np.linspace(0, number - 1, min(number, MOST_VALUES)).round().astype(int)
        yield row.name, [(_place(row.places[at]), format_number(row.values[at])) for at in some]


def _written(axes: Axes) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the name of each row of a grid, and the columns and texts that are written in it."""
    written: dict[str, list[tuple[str, str]]] = {}
    for text in axes.texts if axes.axison else ():
        column, row = (
            names[int(at)] if (names := _names(axis)) else format_number(at)
            for at, axis in zip(text.get_position(), (axes.xaxis, axes.yaxis), strict=True)
        )
        written.setdefault(f"{axes.get_ylabel()} {row}", []).append((column, text.get_text()))
    yield from written.items()
