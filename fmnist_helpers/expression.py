"""Small expressions as computation graphs: numbers forward, slopes backward by the chain rule, drawn.

In the manner of Karpathy's micrograd, and made to be looked at. PyTorch takes no part, so that it can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fmnist_helpers.figures import Drawing, format_number
from fmnist_helpers.sketch import BLUE, DARK_ORANGE, GREY, TEXT, Box, Sketch

LONGEST_NAME = 11
"""Characters of a name that fit into a box."""
BOX_HEIGHT, ROW_HEIGHT, GAP, SIGN_WIDTH, NARROWEST = 0.4, 1.15, 0.9, 0.46, 4.0
"""In inches; a gap between columns holds the arrows and the sign of what is done."""


class Value:
    """A number that remembers how it was computed; ``+ - *``, ``**`` with a whole number, and ``relu`` make more.

    Args:
        number: the number itself.
        name: a word for it; a result without one is called by its formula.

    Attributes:
        number, name: as given.
        operation: what was done with the parts, such as "*"; empty for a number that was written down.
        parts: what this was computed from, each with its local slope, by which this grows per unit of that part.
    """

    def __init__(self, number: float, name: str = "") -> None:
        self.number = float(number)
        self.name = name
        self.operation = ""
        self.parts: list[tuple[Value, float]] = []
        self._formula = format_number(self.number)

    def named(self, name: str) -> Value:
        """Give this result a name, and return it."""
        self.name = name
        return self

    def __repr__(self) -> str:
        return f"Value({self.number}, {self.name!r})"

    def __add__(self, other: Value | float) -> Value:
        other = _as_value(other)
        formula = f"{_called(self)} + {_called(other)}"
        return _result(self.number + other.number, "+", formula, (self, 1.0), (other, 1.0))

    def __sub__(self, other: Value | float) -> Value:
        other = _as_value(other)
        formula = f"{_called(self)} - {_factor(other)}"
        return _result(self.number - other.number, "-", formula, (self, 1.0), (other, -1.0))

    def __mul__(self, other: Value | float) -> Value:
        other = _as_value(other)
        formula = f"{_factor(self)}*{_factor(other)}"
        return _result(self.number * other.number, "*", formula, (self, other.number), (other, self.number))

    def __pow__(self, power: int) -> Value:
        if not isinstance(power, int) or power < 1:
            raise ValueError(f"a power is a whole number from 1, such as 2; found {power!r}")
        local = power * self.number ** (power - 1)
        return _result(self.number**power, f"**{power}", f"{_factor(self)}**{power}", (self, local))

    def __radd__(self, other: float) -> Value:
        return _as_value(other) + self

    def __rsub__(self, other: float) -> Value:
        return _as_value(other) - self

    def __rmul__(self, other: float) -> Value:
        return _as_value(other) * self

    def __neg__(self) -> Value:
        return -1 * self

    def relu(self) -> Value:
        """Return this number if it is positive, else 0; the slope at 0 is 0, as in PyTorch."""
        is_positive = self.number > 0
        number = self.number if is_positive else 0.0
        return _result(number, "relu", f"relu({_called(self)})", (self, float(is_positive)))

    def slopes(self) -> dict[str, float]:
        """Return by how much this number grows per unit of each named number in it, itself included.

        Raises:
            ValueError: if two numbers have the same name.
        """
        named = [(node.name, slope) for node, slope in _all_slopes(self).items() if node.name]
        names = [name for name, _ in named]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two numbers are called {twice[0]!r}: give each a name of its own")
        return dict(named)


def _as_value(other: Value | float) -> Value:
    return other if isinstance(other, Value) else Value(other)


def _result(number: float, operation: str, formula: str, *parts: tuple[Value, float]) -> Value:
    result = Value(number)
    result.operation, result.parts, result._formula = operation, list(parts), formula
    return result


def _called(node: Value) -> str:
    """Return the name of a node, or else its formula, as far as it fits."""
    formula = node._formula if len(node._formula) <= LONGEST_NAME else "…"
    return node.name or formula


def _factor(node: Value) -> str:
    called = _called(node)
    return f"({called})" if not node.name and (" " in called or called.startswith("−")) else called


def _in_order(value: Value) -> list[Value]:
    """Return every node once, each after its parts."""
    order: dict[Value, None] = {}

    def visit(node: Value) -> None:
        if node not in order:
            for part, _ in node.parts:
                visit(part)
            order[node] = None

    visit(value)
    return list(order)


def _all_slopes(value: Value) -> dict[Value, float]:
    """Go backward from the last node: each part receives its node's slope times its own local slope."""
    order = _in_order(value)
    slopes = dict.fromkeys(order, 0.0)
    slopes[value] = 1.0
    for node in reversed(order):
        for part, local in node.parts:
            # Added up, because a number may be used more than once.
            slopes[part] += slopes[node] * local
    return slopes


# --- drawn


def draw_graph(value: Value, slopes: Mapping[str, float] | bool = False, title: str = "") -> Drawing:
    """Draw how a number was computed, from left to right: each number stands above its box.

    Args:
        value: the last number, such as the loss.
        slopes: True writes below each box the slope of ``value`` by it. Or slopes by name, such as those that you
            found by hand: these are written, and each that is not right is marked "not yet"; one that is no number
            is written as "?".
        title: above the drawing.

    Raises:
        ValueError: if the graph has no number of a name in ``slopes``, or two of the same name.
    """
    layout = _Layout(value)
    sketch = Sketch(*layout.size, title)
    boxes = {node: _draw_node(sketch, node, layout) for node in layout.centres}
    for node in layout.centres:
        if node.parts:
            _draw_operation(sketch, node, boxes, layout)
    legend = "above each box is its number, forward"
    if slopes is not False:
        written = _written_slopes(value, slopes)
        for node, words in written.items():
            _draw_slope(sketch, node, words, layout, _called(value))
        legend += f"\nbelow it ← the slope of {_called(value)} by it, backward"
    sketch.write((layout.size[0] / 2, 0.25), legend)
    return sketch.drawing()


class _Layout:
    """Where the nodes stand: a column for each depth, a row for each leaf, and each result in the middle of its parts.

    A second arrow from a node that passes over columns has a row of its own, its lane, so that it crosses no box.
    """

    def __init__(self, value: Value) -> None:
        self.columns = _columns(value)
        self.rows: dict[Value, float] = {}
        self.lanes: dict[tuple[Value, Value], float] = {}
        self._next_row = 0
        self._settle(value)
        self._edges = self._across()
        self.size = (max(self._edges[-1][1] + 0.25, NARROWEST), ROW_HEIGHT * self._next_row + 0.85)
        self.centres = {
            node: (sum(self.edges(node)) / 2, self.height(self.rows[node])) for node in _in_order(value)
        }

    def edges(self, node: Value) -> tuple[float, float]:
        """Return where the column of a node begins and ends."""
        return self._edges[self.columns[node]]

    def height(self, row: float) -> float:
        """Return how high a row lies."""
        return self.size[1] - 0.32 - ROW_HEIGHT * (row + 0.5)

    def way(self, part: Value, node: Value) -> list[tuple[float, float]]:
        """Return the points through which the arrow from a part to a node goes, around all boxes."""
        lane = self.height(self.lanes.get((part, node), self.rows[part]))
        way = [(self.edges(part)[1], self.centres[part][1])]
        if self.columns[node] - self.columns[part] > 1:
            way += [
                (self._edges[self.columns[part] + 1][0] - SIGN_WIDTH, lane),
                (self._edges[self.columns[node] - 1][1], lane),
            ]
        return [*way, (self.edges(node)[0] - SIGN_WIDTH, self.centres[node][1])]

    def _settle(self, node: Value) -> None:
        own = []
        for part, _ in node.parts:
            if part not in self.rows:
                self._settle(part)
                own.append(self.rows[part])
            elif self.columns[node] - self.columns[part] > 1 and (part, node) not in self.lanes:
                self.lanes[part, node] = self._new_row()
                own.append(self.lanes[part, node])
        self.rows[node] = sum(own) / len(own) if own else self._new_row()

    def _new_row(self) -> int:
        self._next_row += 1
        return self._next_row - 1

    def _across(self) -> list[tuple[float, float]]:
        edges, left = [], 0.25
        for column in range(max(self.columns.values()) + 1):
            names = [_called(node) for node, place in self.columns.items() if place == column]
            right = left + max(0.75, 0.105 * max(map(len, names)) + 0.15)
            edges.append((left, right))
            left = right + GAP
        return edges


def _columns(value: Value) -> dict[Value, int]:
    """Return the column of each node: right of all its parts; a leaf stands just left of its first use."""
    columns: dict[Value, int] = {}
    order = _in_order(value)
    for node in order:
        columns[node] = 1 + max((columns[part] for part, _ in node.parts), default=-1)
    for leaf in (node for node in order if not node.parts):
        uses = [columns[node] for node in order if leaf in dict(node.parts)]
        columns[leaf] = min(uses, default=1) - 1
    return columns


def _draw_node(sketch: Sketch, node: Value, layout: _Layout) -> Box:
    (left, right), (x, y) = layout.edges(node), layout.centres[node]
    fill = BLUE if node.name else GREY
    box = sketch.box((x, y), (right - left, BOX_HEIGHT), _called(node), fact="", fill=fill)
    if node.name or node.parts:
        number = format_number(node.number)
        sketch.write((x, y + 0.34), number, fact="", fontsize=TEXT)
        sketch.note("Numbers, forward", f"{box.name} = {number}")
    return box


def _draw_operation(sketch: Sketch, node: Value, boxes: dict[Value, Box], layout: _Layout) -> None:
    """Draw the arrows from the parts of a node to the sign of what is done with them, before its box."""
    for part in dict(node.parts):
        sketch.line(layout.way(part, node), arrow=True)
    sign = (layout.edges(node)[0] - SIGN_WIDTH / 2, layout.centres[node][1])
    sketch.box(sign, (SIGN_WIDTH, 0.28), node.operation, fact="", fill="white")
    parts = " and ".join(boxes[part].name for part, _ in node.parts)
    sketch.note("Arrows", f"from {parts} by {node.operation} to {boxes[node].name}")


def _written_slopes(value: Value, slopes: Mapping[str, float] | bool) -> dict[Value, str]:
    """Return what is written below each node: slopes as computed here, or as given, with a mark if not right."""
    right = _all_slopes(value)
    if isinstance(slopes, bool):
        return {node: format_number(slope) for node, slope in right.items() if node.name or node.parts}
    value.slopes()
    nodes = {node.name: node for node in right if node.name}
    if unknown := [name for name in slopes if name not in nodes]:
        raise ValueError(f"the graph has no number called {unknown[0]!r}; its names are {', '.join(nodes)}")
    return {nodes[name]: _judged(given, right[nodes[name]]) for name, given in slopes.items()}


def _judged(given: Any, right: float) -> str:
    try:
        number = float(given)
    except (TypeError, ValueError):
        return "?\n✗ not yet"
    mark = "" if math.isclose(number, right, rel_tol=1e-6, abs_tol=1e-9) else "\n✗ not yet"
    return format_number(number) + mark


def _draw_slope(sketch: Sketch, node: Value, words: str, layout: _Layout, of: str) -> None:
    x, y = layout.centres[node]
    sketch.write(
        (x, y - 0.27), f"← {words}", fact="", va="top", color=DARK_ORANGE, fontsize=TEXT, fontweight="bold"
    )
    told = words.replace("\n✗", ",")
    sketch.note(f"Slopes of {of}, backward", f"{_called(node)}: {told}")
