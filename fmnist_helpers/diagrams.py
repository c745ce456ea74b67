"""Drawings of ideas, which need no data: ``draw_…`` returns a ``Drawing``, which shows itself (see ``figures``)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import NamedTuple

from fmnist_helpers.figures import COLOURS, Drawing
from fmnist_helpers.sketch import BLUE, DARK_ORANGE, GREEN, GREY, ORANGE, SMALL_TEXT, TEXT, Box, Point, Sketch

CYCLE = {
    "data": ((1.0, 3.45), "data", "images, labels", (0, -0.47)),
    "guess": ((4.3, 3.45), "1 guess", "model(images)", (0, -0.47)),
    "error": ((6.1, 2.0), "2 measure the error", "loss_fn(logits, labels)", (0.6, -0.47)),
    "direction": ((4.3, 0.55), "3 find the direction", "loss.backward()", (0, 0.47)),
    "update": ((2.5, 2.0), "4 update", "optimizer.step()", (-0.6, -0.47)),
}
"""Each part of the training loop: its place, its name, what PyTorch calls it, and from its place to its mark."""

CYCLE_ARROWS = (
    ("data", "guess", "next batch", (2.45, 3.63), 0.0),
    ("guess", "error", "logits", (5.95, 3.05), -0.3),
    ("error", "direction", "loss", (5.9, 0.95), -0.3),
    ("direction", "update", "gradients", (2.55, 0.95), -0.3),
    ("update", "guess", "new weights", (2.5, 2.95), -0.3),
)


def draw_cycle(here: str | None = None) -> Drawing:
    """Draw the four steps of training as a ring, with the batches that come in.

    Args:
        here: the part that is marked "you are here": "data", "guess", "error", "direction", "update", or
            "loop" for the ring as a whole.

    Raises:
        ValueError: if there is no such part.
    """
    if here not in (None, "loop", *CYCLE):
        raise ValueError(f"the cycle has no part {here!r}; choose one of {', '.join([*CYCLE, 'loop'])}")
    sketch = Sketch(7.4, 4.4, "The training loop: four steps, again for each batch")
    boxes = {}
    for name, (place, words, code, _) in CYCLE.items():
        size = (1.6 if name == "data" else 2.2, 0.66)
        look = {"fill": ORANGE, "linewidth": 2.5} if name == here else {}
        boxes[name] = sketch.box(place, size, words, code, **look)
    ring = {"linewidth": 3, "color": COLOURS[1]} if here == "loop" else {"linewidth": 1.5}
    for start, end, words, at, bend in CYCLE_ARROWS:
        look = ring if start != "data" else {"linewidth": 1.5}
        curve = f"arc3,rad={bend}"
        sketch.arrow(boxes[start], boxes[end], words, at=at, connectionstyle=curve, **look)
    if here:
        _mark_here(sketch, here)
    return sketch.drawing()


def _mark_here(sketch: Sketch, here: str) -> None:
    (x, y), words, _, (right, up) = CYCLE.get(here, ((4.3, 2.0), "the whole loop", "", (0, 0)))
    look = {"boxstyle": "round,pad=0.25", "facecolor": COLOURS[5], "edgecolor": "none"}
    sketch.write((x + right, y + up), "you are here", fact="", fontweight="bold", bbox=look)
    sketch.note("You are here", words)


# --- matrix product


class _Matrix(NamedTuple):
    """A rectangle for a matrix: its name and shape, its lower left corner, and its size in inches."""

    name: str
    shape: tuple[int, int]
    corner: Point
    size: Point

    def side(self, name: str) -> tuple[Point, Point]:
        """Return both ends of a side."""
        (x, y), (width, height) = self.corner, self.size
        lower, upper, far = (x, y), (x, y + height), x + width
        ends = {"left": (lower, upper), "right": ((far, y), (far, y + height))}
        return {**ends, "top": (upper, (far, y + height)), "bottom": (lower, (far, y))}[name]


def draw_matrix_product(first: Sequence[int], second: Sequence[int]) -> Drawing:
    """Draw ``first @ second``: the first stands to the left of the result, the second above it.

    A row of the first and a column of the second, which meet in one number of the result, must be equally long.
    Longer sides are drawn longer, equal ones equal, but not to scale. Shapes that do not fit are drawn, too, with
    what PyTorch says of them.

    Args:
        first, second: the shapes, each as rows and columns.

    Raises:
        ValueError: if a shape is not two whole numbers from 1.
    """
    for shape in (first, second):
        if len(shape) != 2 or min(shape) < 1:
            raise ValueError(f"a matrix has rows and columns, at least one of each; found {tuple(shape)}")
    (rows, inner), (inner_too, columns) = first, second
    long, fits = _lengths([*first, *second]), inner == inner_too
    width = max(long[inner] + long[columns] + 2.3, 6.8)
    left, low = (width - long[inner] - long[columns] - 0.7) / 2, 0.9
    across, above = left + long[inner] + 0.7, low + long[rows] + 0.6
    title = f"({rows}, {inner}) @ ({inner_too}, {columns}) gives ({rows}, {columns})"
    refused = f"mat1 and mat2 shapes cannot be multiplied ({rows}x{inner} and {inner_too}x{columns})"
    sketch = Sketch(width, above + long[inner_too] + 0.8, title if fits else refused)
    matrices = [
        _Matrix("first", (rows, inner), (left, low), (long[inner], long[rows])),
        _Matrix("second", (inner_too, columns), (across, above), (long[columns], long[inner_too])),
        _Matrix(
            "result" if fits else "no result", (rows, columns), (across, low), (long[columns], long[rows])
        ),
    ]
    for matrix, fill in zip(matrices, (BLUE, GREEN, GREY if fits else "white"), strict=True):
        _draw_matrix(sketch, matrix, fill)
    _draw_inner_sides(sketch, *matrices)
    return sketch.drawing()


def _lengths(sizes: Sequence[int]) -> dict[int, float]:
    """Return a length in inches for each size: in their order, not to scale, because 10 beside 784 would vanish."""
    ordered = sorted(set(sizes))
    step = 1.2 / max(len(ordered) - 1, 1)
    return {size: 1.2 + step * place for place, size in enumerate(ordered)}


def _draw_matrix(sketch: Sketch, matrix: _Matrix, fill: str) -> None:
    (x, y), (width, height), (rows, columns) = matrix.corner, matrix.size, matrix.shape
    missing = matrix.name == "no result"
    sketch.rectangle(matrix.corner, matrix.size, fill=fill, linestyle="--" if missing else "-")
    words = matrix.name if missing else f"{matrix.name}\n({rows}, {columns})"
    sketch.write((x + width / 2 + 0.1, y + height / 2 - 0.1), words, fact="Matrices", fontsize=TEXT)
    if missing:
        return
    # One row of the first, one column of the second, and the number of the result in which they meet.
    wide, high = 0.14, 0.14
    stripe = {
        "first": ((x, y + height - 0.3), (width, high)),
        "second": ((x + 0.16, y), (wide, height)),
        "result": ((x + 0.16, y + height - 0.3), (wide, high)),
    }
    sketch.rectangle(*stripe[matrix.name], fill=COLOURS[5], linewidth=0.8)


def _draw_inner_sides(sketch: Sketch, first: _Matrix, second: _Matrix, result: _Matrix) -> None:
    (rows, inner), (inner_too, columns), fits = first.shape, second.shape, result.name == "result"
    for matrix, side in ((first, "top"), (second, "left")):
        sketch.line(matrix.side(side), color=DARK_ORANGE, linewidth=3.5)
    (x, y), (width, _) = first.corner, first.size
    look = {"color": DARK_ORANGE, "fontweight": "bold"}
    top, left = y + first.size[1], second.corner[0]
    sketch.write((x + width / 2, top + 0.18), f"{inner}", fact="", **look)
    sketch.write(
        (left - 0.1, second.corner[1] + second.size[1] / 2), f"{inner_too}", ha="right", fact="", **look
    )
    sketch.write((x - 0.1, y + first.size[1] / 2), f"{rows}", ha="right", fact="")
    sketch.write((left + second.size[0] / 2, second.corner[1] + second.size[1] + 0.16), f"{columns}", fact="")
    verdict = f"{inner} = {inner_too}: these fit" if fits else f"{inner} ≠ {inner_too}:\nthese must be equal"
    sketch.write(
        (x + width / 2 - 0.2, second.corner[1] + second.size[1] / 2), verdict, fact="Inner sides", **look
    )
    if fits:
        meet = "one row of the first and one column of the second\nmeet in one number of the result"
        sketch.write((first.corner[0] + (left + result.size[0] - x) / 2, 0.4), meet)


# --- network

BETWEEN = 2.1
"""Inches from one column of a network to the next."""


def draw_network(sizes: Sequence[int] = (784, 512, 512, 10)) -> Drawing:
    """Draw a network of linear layers with a ReLU between them: a column for each layer of numbers.

    Args:
        sizes: how many numbers there are before the first layer and after each, from the input to the logits.

    Raises:
        ValueError: if there are fewer than two sizes, or one is less than 1.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(
            f"a network has an input and an output, each of at least one number; found {tuple(sizes)}"
        )
    hidden = [f"hidden {number}" for number in range(1, len(sizes) - 1)]
    width = max(BETWEEN * len(sizes) - 0.6, 5)
    sketch = Sketch(width, 4.4, "A network of linear layers: " + " → ".join(map(str, sizes)))
    places = [width / 2 + BETWEEN * (number - (len(sizes) - 1) / 2) for number in range(len(sizes))]
    for (x, size), (next_x, next_size) in pairwise(zip(places, sizes, strict=True)):
        dots = product(_units(size), _units(next_size))
        sketch.strokes((((x, y), (next_x, next_y)) for y, next_y in dots), edgecolor="#b0b0b0")
    columns = [
        _draw_column(sketch, *column)
        for column in zip(places, sizes, ["input", *hidden, "logits"], strict=True)
    ]
    for number, (start, end) in enumerate(pairwise(columns)):
        weight = f"weight ({sizes[number + 1]}, {sizes[number]})"
        told = _draw_layer(sketch, places[number] + BETWEEN / 2, weight, has_relu=number < len(hidden))
        sketch.arrow(start, end, linewidth=1.5, told=told)
    sketch.write(
        (width / 2, 0.3),
        "N: images per batch; a weight table has\none row per output and one column per input",
    )
    return sketch.drawing()


def _draw_layer(sketch: Sketch, x: float, weight: str, has_relu: bool) -> str:
    """Draw what happens between two columns, and return it in words."""
    look = {"fact": "", "fontsize": SMALL_TEXT}
    sketch.box((x, 2.5), (1.35, 0.52), f"Linear\n{weight}", **look)
    if has_relu:
        sketch.box((x, 1.95), (0.8, 0.32), "ReLU", fill=ORANGE, **look)
    return f"Linear, {weight}" + (", then ReLU" if has_relu else "")


def _units(size: int) -> list[float]:
    """Return the heights of the dots of a column: all if there are few, else the first three and the last two."""
    dots = range(size) if size <= 6 else (0, 1, 2, 4, 5)
    middle = (min(size, 6) - 1) / 2
    return [2.35 + 0.36 * (middle - dot) for dot in dots]


def _draw_column(sketch: Sketch, x: float, size: int, name: str) -> Box:
    for y in _units(size):
        sketch.dot((x, y))
    if size > 6:
        sketch.write((x, 2.35 - 0.18), "⋮", fact="", fontsize=14)
    sketch.write((x, 3.6), f"{name}\n{size}", fact="", fontsize=TEXT)
    box = sketch.box((x, 0.9), (1.1, 0.34), f"(N, {size})", fact="", fill="white", edgecolor="none")
    told = f"{name} (N, {size})"
    sketch.note("Columns", told)
    return box._replace(name=told)


# --- splits


def draw_splits(sizes: Mapping[str, int], looks: Mapping[str, str]) -> Drawing:
    """Draw how a data set is split, as one bar to scale, with how often each part may be looked at.

    Args:
        sizes: images by the name of the split.
        looks: when a split may be looked at, such as "every epoch", by the same names.

    Raises:
        ValueError: if the names differ, or there are none.
    """
    if not sizes or set(sizes) != set(looks):
        raise ValueError(
            f"each split needs a size and a look: sizes for {list(sizes)}, looks for {list(looks)}"
        )
    total, width, between = sum(sizes.values()), 7.2, 7.2 / len(sizes)
    sketch = Sketch(width, 2.7, f"{total:,} images in {len(sizes)} splits")
    left = 0.2
    for number, (name, size) in enumerate(sizes.items()):
        length, fill = (width - 0.4) * size / total, (BLUE, ORANGE, GREEN, GREY)[number % 4]
        sketch.rectangle((left, 1.7), (length, 0.4), fill=fill)
        words = [name, f"{size:,} images", f"looked at {looks[name]}"]
        place = (between * (number + 0.5), 0.65)
        box = sketch.box(place, (between - 0.3, 0.85), "\n".join(words), fact="", fill=fill)
        sketch.note("Splits", ", ".join(words))
        sketch.arrow((left + length / 2, 1.7), box)
        left += length
    return sketch.drawing()


# --- tensors


MOST_ITEMS, MOST_SHEETS, MOST_CELLS, SHIFT = 3, 4, 28, 0.16
"""How many items and sheets stand for many, how many squares a side may have, and how far, in inches, a sheet stands
behind the next."""


def draw_tensor(shape: Sequence[int], names: Sequence[str]) -> Drawing:
    """Draw a tensor: its last two dimensions are a sheet, the one before stacks sheets, the first repeats all that.

    Args:
        shape: one to four lengths, such as (64, 1, 28, 28).
        names: of the dimensions, such as ("batch", "channel", "height", "width").

    Raises:
        ValueError: if there are not one to four dimensions, each with a name and a length from 1.
    """
    if not 1 <= len(shape) <= 4 or len(shape) != len(names) or min(shape) < 1:
        raise ValueError(
            f"one to four lengths from 1, each with a name, are needed; found {tuple(shape)}, {names}"
        )
    items, sheets, rows, columns = (1,) * (4 - len(shape)) + tuple(shape)
    longest = max(rows, columns)
    size = (max(1.7 * columns / longest, 0.35), max(1.7 * rows / longest, 0.35))
    depth = SHIFT * (min(sheets, MOST_SHEETS) - 1)
    low = 1.25 if len(shape) == 4 else 0.65
    places = [1.6 + (size[0] + depth + 0.4) * number for number in range(min(items, MOST_ITEMS))]
    total = math.prod(shape)
    title = f"Shape {tuple(shape)}: {total:,} number{'s' if total > 1 else ''}"
    sketch = Sketch(max(places[-1] + size[0] + depth + 0.3, 5.0), low + size[1] + depth + 0.95, title)
    for number, place in enumerate(places):
        if items > MOST_ITEMS and number == 1:
            sketch.write((place + size[0] / 2, low + size[1] / 2), "…", fact="", fontsize=20)
        else:
            _draw_sheets(sketch, (place, low), size, (sheets, rows, columns))
    _name_dimensions(sketch, shape, names, (places[0], low), size, places[-1] + size[0])
    return sketch.drawing()


def _draw_sheets(sketch: Sketch, corner: Point, size: Point, lengths: tuple[int, int, int]) -> None:
    sheets, rows, columns = lengths
    for number in reversed(range(min(sheets, MOST_SHEETS))):
        place = (corner[0] + SHIFT * number, corner[1] + SHIFT * number)
        sketch.rectangle(place, size, fill=BLUE)
        if max(rows, columns) <= MOST_CELLS:
            sketch.strokes(_grid(place, size, rows, columns), edgecolor="#7f9fb5")


def _grid(corner: Point, size: Point, rows: int, columns: int) -> Iterator[tuple[Point, Point]]:
    (x, y), (width, height) = corner, size
    for row in range(1, rows):
        yield (x, y + height * row / rows), (x + width, y + height * row / rows)
    for column in range(1, columns):
        yield (x + width * column / columns, y), (x + width * column / columns, y + height)


def _name_dimensions(
    sketch: Sketch, shape: Sequence[int], names: Sequence[str], corner: Point, size: Point, end: float
) -> None:
    """Write at each side its name and length, with an arrow along which its index grows."""
    (left, low), right, top = corner, corner[0] + size[0], corner[1] + size[1]
    beside, below, behind = left - 0.1, low - 0.1, SHIFT * (MOST_SHEETS - 1)
    right_aligned = {"ha": "right"}
    ways = [
        ((left, 0.62), (end, 0.62), ((left + end) / 2, 0.4), {}),
        ((beside, top + 0.05), (beside + behind, top + 0.05 + behind), (beside, top + 0.3), right_aligned),
        ((beside, top), (beside, low), (beside - 0.08, (low + top) / 2), right_aligned),
        ((left, below), (right, below), ((left + right) / 2, below - 0.17), {}),
    ][4 - len(shape) :]
    for dim, (name, length, (start, stop, at, look)) in enumerate(zip(names, shape, ways, strict=True)):
        words = f"{name}: {length}\n(dim {dim})" if look else f"{name}: {length} (dim {dim})"
        sketch.write(at, words, fact="Dimensions", **look)
        if length > 1:
            sketch.arrow(start, stop, color=DARK_ORANGE, linewidth=1.5)


# --- broadcasting


def draw_broadcasting(first: Sequence[int], second: Sequence[int]) -> Drawing:
    """Draw how two shapes are stretched to one: each number is a square, the copies pale and dashed.

    Args:
        first, second: shapes of up to two dimensions, with lengths of up to 8.

    Raises:
        ValueError: with PyTorch's words, if the shapes do not fit; or if they are too large to draw.
    """
    for shape in (first, second):
        if len(shape) > 2 or not all(1 <= length <= 8 for length in shape):
            raise ValueError(f"up to two lengths from 1 to 8 can be drawn; found the shape {tuple(shape)}")
    result = _broadcast(first, second)
    rows, columns = _two(result)
    unit = min(0.36, 1.9 / columns)
    between = max(columns * unit + 0.5, 2.0)
    height = rows * unit + 1.75
    sketch = Sketch(3 * between + 0.3, height, f"{tuple(first)} and {tuple(second)} give {result}")
    for number, (name, shape, fill) in enumerate(
        (("first", first, BLUE), ("second", second, GREEN), ("result", result, GREY))
    ):
        middle = 0.15 + between * (number + 0.5)
        corner = (middle - columns * unit / 2, 0.95)
        _draw_squares(sketch, corner, unit, shape, result, fill)
        is_stretched = tuple(shape) != result
        words = f"{name} {tuple(shape)}" + (f"\nstretched to {result}" if is_stretched else "")
        sketch.write((middle, 0.65), words, fact="Tensors", fontsize=TEXT)
        if number:
            sketch.write(
                (middle - between / 2, 0.95 + rows * unit / 2), ("", "+", "=")[number], fact="", fontsize=16
            )
    if not tuple(first) == tuple(second) == result:
        sketch.write((1.5 * between + 0.15, 0.2), "dashed: copies, which take no memory")
    return sketch.drawing()


def _two(shape: Sequence[int]) -> tuple[int, int]:
    """Return rows and columns: missing dimensions are added in front, with length 1."""
    rows, columns = (1,) * (2 - len(shape)) + tuple(shape)
    return rows, columns


def _broadcast(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """Compare lengths from the last: they must be equal, or one of them 1."""
    number = max(len(first), len(second))
    padded = [(1,) * (number - len(shape)) + tuple(shape) for shape in (first, second)]
    for dim, (one, other) in reversed(list(enumerate(zip(*padded, strict=True)))):
        if one != other and 1 not in (one, other):
            sizes = f"The size of tensor a ({one}) must match the size of tensor b ({other})"
            raise ValueError(f"{sizes} at non-singleton dimension {dim}")
    return tuple(map(max, *padded))


def _draw_squares(
    sketch: Sketch, corner: Point, unit: float, shape: Sequence[int], result: Sequence[int], fill: str
) -> None:
    """Draw a square for each number of the result, and those that ``shape`` does not have as copies."""
    rows, columns = _two(result)
    there = _two(shape)
    for row, column in product(range(rows), range(columns)):
        place = (corner[0] + unit * column, corner[1] + unit * (rows - 1 - row))
        if row < there[0] and column < there[1]:
            sketch.rectangle(place, (unit, unit), fill=fill, zorder=2)
        else:
            sketch.rectangle(place, (unit, unit), fill="white", linestyle="--", edgecolor="#8a8a8a", zorder=1)
