"""A canvas for drawings of ideas: boxes, arrows and words, measured in inches, which says what was drawn on it.

Boxes, words and arrows are noted in the call that draws them, under headings, which make the text alternative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path

from fmnist_helpers.figures import Drawing, new_figure

BLUE, ORANGE, GREEN, GREY = "#E4F0F8", "#FBE3C0", "#DFF2EA", "#F1F1F1"
"""Pale fills, on which black words stand out."""
DARK_ORANGE = "#A84300"
"""For words on white: the orange of the palette, darkened to a contrast of more than 4.5 to 1."""
TEXT, SMALL_TEXT = 11, 10
"""Sizes of words in points."""

Point = tuple[float, float]


class Box(NamedTuple):
    """A box that was drawn: its name in words, its shape, and the point in its middle."""

    name: str
    patch: FancyBboxPatch
    centre: Point


class Sketch:
    """An empty canvas; its lower left corner is (0, 0).

    Args:
        width, height: in inches.
        title: above the drawing.
    """

    def __init__(self, width: float, height: float, title: str = "") -> None:
        self._facts: dict[str, list[str]] = {}
        self._title = title
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        self.axes = figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()
        if title:
            self.write((width / 2, height - 0.22), title, fact="", fontsize=12)

    def drawing(self) -> Drawing:
        """Return what was drawn, with its words."""
        facts = [f"{name}: {'; '.join(parts)}" for name, parts in self._facts.items()]
        return Drawing(self.axes, words=[f"Diagram: {self._title}" if self._title else "Diagram", *facts])

    def note(self, fact: str, words: str) -> None:
        """Add words to what is said under the heading ``fact``; without a heading nothing is said."""
        if fact:
            self._facts.setdefault(fact, []).append(" ".join(words.split()))

    def write(self, at: Point, words: str, *, fact: str = "Words", **look) -> None:
        """Write words around a point, and note them under ``fact``."""
        look = {"ha": "center", "va": "center", "fontsize": SMALL_TEXT, "color": "black", **look}
        self.axes.text(*at, words, **look)
        self.note(fact, words)

    def box(
        self,
        centre: Point,
        size: Point,
        words: str,
        code: str = "",
        *,
        fact: str = "Boxes",
        fill: str = BLUE,
        fontsize: float = TEXT,
        **look,
    ) -> Box:
        """Draw a box with words, and code below them, and note both."""
        (x, y), (width, height) = centre, size
        style = {"boxstyle": "round,pad=0,rounding_size=0.08", "edgecolor": "black", **look}
        patch = FancyBboxPatch((x - width / 2, y - height / 2), width, height, facecolor=fill, **style)
        self.axes.add_patch(patch)
        weight = "bold" if code else "normal"
        self.write((x, y + 0.13 if code else y), words, fact="", fontsize=fontsize, fontweight=weight)
        if code:
            self.write((x, y - 0.13), code, fact="", family="monospace")
        self.note(fact, f"{words}, {code}" if code else words)
        return Box(words, patch, centre)

    def arrow(
        self,
        start: Box | Point,
        end: Box | Point,
        words: str = "",
        *,
        at: Point = (0, 0),
        told: str = "",
        **look,
    ) -> None:
        """Draw an arrow from edge to edge, with words at a point; between boxes it is noted, with ``told`` or them."""
        ends = {f"patch{name}": one.patch for name, one in (("A", start), ("B", end)) if isinstance(one, Box)}
        places = [one.centre if isinstance(one, Box) else one for one in (start, end)]
        look = {
            "arrowstyle": "-|>",
            "mutation_scale": 14,
            "shrinkA": 1,
            "shrinkB": 2,
            "color": "#444444",
            **look,
        }
        self.axes.add_patch(FancyArrowPatch(*places, **ends, **look))
        if words:
            self.write(at, words, fact="")
        if len(ends) == 2:
            way = f"from {start.name} to {end.name}"
            self.note("Arrows", f"{way} ({told or words})" if told or words else way)

    def dot(self, centre: Point) -> None:
        """Draw a dot; it says nothing by itself."""
        self.axes.add_patch(Circle(centre, 0.1, facecolor=BLUE, edgecolor="black", zorder=2))

    def strokes(self, ways: Iterable[tuple[Point, Point]], **look) -> None:
        """Draw thin straight lines; they say nothing by themselves."""
        points = [point for way in ways for point in way]
        codes = [Path.MOVETO, Path.LINETO] * (len(points) // 2)
        self.axes.add_patch(PathPatch(Path(points, codes), linewidth=0.5, **look))

    def rectangle(self, corner: Point, size: Point, *, fill: str = BLUE, **look) -> None:
        """Draw a rectangle from its lower left corner; it says nothing by itself."""
        look = {"edgecolor": "black", **look}
        self.axes.add_patch(Rectangle(corner, *size, facecolor=fill, **look))

    def line(self, points: Sequence[Point], *, arrow: bool = False, **look) -> None:
        """Draw a line through points, with an arrow head at the last one if asked; it says nothing by itself."""
        *_, last = ways = list(pairwise(points))
        for way in ways:
            style = "-|>" if arrow and way is last else "-"
            self.arrow(*way, arrowstyle=style, shrinkA=0, shrinkB=0, **look)
