"""Drawings of ideas show what they say: boxes, arrows and words, all legible, none on top of another."""

from __future__ import annotations

from functools import partial
from itertools import combinations, pairwise, product

import matplotlib

matplotlib.use("Agg")

import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch, Rectangle
from matplotlib.text import Text
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers.figures import Drawing
from tests.lessons.true_words import check
from tests.test_figures import shown
from tests.test_plots import contrast

SPLITS = {"training": 55_000, "validation": 5_000, "test": 10_000}
LOOKS = {"training": "every iteration", "validation": "every epoch", "test": "once"}
IMAGE = ("batch", "channel", "height", "width")

DIAGRAMS = {
    "cycle": fh.draw_cycle,
    **{f"cycle, {here}": partial(fh.draw_cycle, here) for here in ("data", "error", "update", "loop")},
    "product": lambda: fh.draw_matrix_product((64, 784), (784, 512)),
    "product of vectors": lambda: fh.draw_matrix_product((1, 3), (3, 1)),
    "product of squares": lambda: fh.draw_matrix_product((4, 4), (4, 4)),
    "misfit": lambda: fh.draw_matrix_product((64, 784), (10, 784)),
    "network": fh.draw_network,
    "one layer": lambda: fh.draw_network((2, 3)),
    "small network": lambda: fh.draw_network((2, 7, 5, 3)),
    "splits": lambda: fh.draw_splits(SPLITS, LOOKS),
    **{
        f"tensor {shape}": partial(fh.draw_tensor, shape, IMAGE[-len(shape) :])
        for shape in ((64, 1, 28, 28), (1, 28, 28), (28, 28), (10,), (2, 3, 5, 4), (2, 30, 784), (64, 784))
    },
    **{
        f"broadcasting {first} {second}": partial(fh.draw_broadcasting, first, second)
        for first, second in (((4, 3), (3,)), ((4, 1), (3,)), ((4, 3), (4, 3)), ((8, 8), ()), ((1,), (1,)))
    },
}


def facts_of(drawing: Drawing) -> dict[str, list[str]]:
    """Return the parts of each sentence of a text alternative, by the words before the colon."""
    sentences = (one.partition(": ") for one in repr(drawing).removesuffix(".").split(". "))
    return {name: parts.split("; ") for name, _, parts in sentences}


def texts_of(drawing: Drawing) -> list:
    return [text for axes in drawing.axes for text in axes.texts if text.get_text()]


def drawn_texts(figure: Figure) -> list[Text]:
    """Return all texts but those of ticks that lie outside, which matplotlib keeps and does not draw."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [
            tick
            for tick in axis.get_major_ticks()
            if not axis.axes.axison or not low <= tick.get_loc() <= high
        ]
        hidden |= {id(text) for tick in ticks for text in (tick.label1, tick.label2)}
    texts = figure.findobj(Text)
    return [text for text in texts if text.get_text() and text.get_visible() and id(text) not in hidden]


def assert_legible(drawing: Drawing) -> None:
    """Check that texts are large enough, within the figure, and not on top of each other."""
    drawing.figure.draw_without_rendering()
    texts = drawn_texts(drawing.figure)
    extents = [(text.get_text(), text.get_window_extent()) for text in texts]
    for text, (words, extent) in zip(texts, extents, strict=True):
        assert text.get_fontsize() >= 9, words
        assert extent.x0 >= 0 and extent.y0 >= 0, words
        assert extent.x1 <= drawing.figure.bbox.x1 and extent.y1 <= drawing.figure.bbox.y1, words
    for (one, extent), (other, other_extent) in combinations(extents, 2):
        assert not extent.padded(-1).overlaps(other_extent.padded(-1)), (one, other)


def assert_texts_stay_in_their_boxes(drawing: Drawing) -> None:
    boxes = [patch for patch in drawing.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    extents = [box.get_window_extent() for box in boxes]
    for text in texts_of(drawing):
        extent = text.get_window_extent()
        for box in extents:
            if box.contains((extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2):
                assert box.x0 < extent.x0 and extent.x1 < box.x1, text.get_text()
    for one, other in combinations(extents, 2):
        # They may touch.
        assert not one.padded(-1).overlaps(other.padded(-1))


@pytest.mark.parametrize("name", DIAGRAMS)
def test_every_diagram_is_legible_shown_and_tells_all_its_words(name):
    drawing = DIAGRAMS[name]()
    assert_legible(drawing)
    assert_texts_stay_in_their_boxes(drawing)
    shown(drawing)
    check(drawing)
    told = repr(drawing).lower()
    for text in texts_of(drawing):
        # Signs, sides and numbers of units are told by the words around them.
        for line in text.get_text().lower().split("\n"):
            assert line in told or line in "+=⋮…" or (line.isdigit() and line in told), line
        ground = text.get_bbox_patch()
        assert contrast(text.get_color(), ground.get_facecolor() if ground else "white") >= 4.5


# --- the cycle ---------------------------------------------------------------------------------------------


STEPS = ["1 guess", "2 measure the error", "3 find the direction", "4 update"]


def test_cycle_is_a_ring_of_four_steps_that_batches_come_into():
    facts = facts_of(fh.draw_cycle())
    calls = ["model(images)", "loss_fn(logits, labels)", "loss.backward()", "optimizer.step()"]
    steps = [f"{step}, {call}" for step, call in zip(STEPS, calls, strict=True)]
    assert facts["Boxes"] == ["data, images, labels", *steps]
    ring = [f"from {one} to {next_one}" for one, next_one in pairwise([*STEPS, STEPS[0]])]
    assert [arrow.partition(" (")[0] for arrow in facts["Arrows"]] == [f"from data to {STEPS[0]}", *ring]
    assert "You are here" not in facts
    patches = fh.draw_cycle().axes[0].patches
    assert sum(isinstance(patch, FancyArrowPatch) for patch in patches) == 5
    assert sum(isinstance(patch, FancyBboxPatch) for patch in patches) == 5


@pytest.mark.parametrize(
    ("here", "name"),
    [("data", "data"), *zip(["guess", "error", "direction", "update"], STEPS, strict=True)],
)
def test_cycle_marks_one_box(here, name):
    drawing = fh.draw_cycle(here)
    assert facts_of(drawing)["You are here"] == [name]
    boxes = [patch for patch in drawing.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    marked = max(boxes, key=lambda box: box.get_linewidth())
    assert [box.get_facecolor() for box in boxes].count(marked.get_facecolor()) == 1
    drawing.figure.draw_without_rendering()
    (text,) = (text for text in texts_of(drawing) if text.get_text() == name)
    assert marked.get_window_extent().overlaps(text.get_window_extent())
    # The mark stands beside its box, nearer than to any other.
    (tag,) = (text.get_window_extent() for text in texts_of(drawing) if text.get_text() == "you are here")
    distances = {
        box: abs(box.get_window_extent().get_points().mean(0) - tag.get_points().mean(0)).sum()
        for box in boxes
    }
    assert min(distances, key=distances.get) is marked


def test_cycle_marks_the_whole_loop():
    drawing = fh.draw_cycle("loop")
    assert facts_of(drawing)["You are here"] == ["the whole loop"]
    arrows = [patch for patch in drawing.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert sum(arrow.get_linewidth() >= 3 for arrow in arrows) == 4


def test_unknown_part_of_the_cycle_is_refused():
    with pytest.raises(
        ValueError, match="no part 'step'; choose one of data, guess, error, direction, update, loop"
    ):
        fh.draw_cycle("step")


# --- matrix product ----------------------------------------------------------------------------------------


def rectangles_of(drawing: Drawing) -> list[Rectangle]:
    return [patch for patch in drawing.axes[0].patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize(("first", "second"), [((64, 784), (784, 512)), ((3, 2), (2, 7)), ((5, 5), (5, 5))])
def test_matrix_product_draws_equal_sides_equal_and_longer_ones_longer(first, second):
    drawing = fh.draw_matrix_product(first, second)
    result = tuple((torch.zeros(first) @ torch.zeros(second)).shape)
    assert facts_of(drawing)["Matrices"] == [f"first {first}", f"second {second}", f"result {result}"]
    assert facts_of(drawing)["Inner sides"] == [f"{first[1]} = {first[1]}: these fit"]
    # Each matrix is drawn before its stripe.
    matrices = rectangles_of(drawing)[::2]
    lengths = {}
    for (rows, columns), matrix in zip((first, second, result), matrices, strict=True):
        lengths.setdefault(rows, set()).add(round(matrix.get_height(), 6))
        lengths.setdefault(columns, set()).add(round(matrix.get_width(), 6))
    assert all(len(drawn) == 1 for drawn in lengths.values())
    assert [min(lengths[size]) for size in sorted(lengths)] == sorted(
        {min(drawn) for drawn in lengths.values()}
    )
    one, other, both = matrices
    assert one.get_y() == both.get_y() and other.get_x() == both.get_x()
    # The row of the first and the column of the second meet in a number of the result.
    row, column, number = rectangles_of(drawing)[1::2]
    assert (number.get_x(), number.get_y()) == (column.get_x(), row.get_y())


def test_misfit_is_drawn_with_pytorchs_words():
    first, second = (64, 784), (10, 784)
    with pytest.raises(RuntimeError) as raised:
        torch.zeros(first) @ torch.zeros(second)
    drawing = fh.draw_matrix_product(first, second)
    facts = facts_of(drawing)
    assert facts["Diagram"] == [str(raised.value)]
    assert facts["Matrices"] == ["first (64, 784)", "second (10, 784)", "no result"]
    assert facts["Inner sides"] == ["784 ≠ 10: these must be equal"]
    assert rectangles_of(drawing)[-1].get_linestyle() == "--"
    one, _, other, *_ = rectangles_of(drawing)
    assert one.get_width() > other.get_height()


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 2)])
def test_what_is_no_matrix_is_refused(shape):
    with pytest.raises(ValueError, match="a matrix has rows and columns, at least one of each; found"):
        fh.draw_matrix_product((2, 2), shape)


# --- network -----------------------------------------------------------------------------------------------


def test_network_has_the_shapes_of_the_courses_model():
    weights = [tuple(one.weight.shape) for one in fh.NeuralNetwork().modules() if isinstance(one, nn.Linear)]
    facts = facts_of(fh.draw_network())
    names = ["input (N, 784)", "hidden 1 (N, 512)", "hidden 2 (N, 512)", "logits (N, 10)"]
    assert facts["Columns"] == names
    between = [f"(Linear, weight {weight}, then ReLU)" for weight in weights[:-1]]
    between.append(f"(Linear, weight {weights[-1]})")
    ends = zip(pairwise(names), between, strict=True)
    assert facts["Arrows"] == [f"from {one} to {other} {layer}" for (one, other), layer in ends]


def test_network_draws_few_units_all_and_many_in_part():
    drawing = fh.draw_network((2, 6, 7))
    dots = [patch.center[0] for patch in drawing.axes[0].patches if isinstance(patch, Circle)]
    assert sorted(map(dots.count, set(dots))) == [2, 5, 6]
    assert [text.get_text() for text in texts_of(drawing)].count("⋮") == 1


@pytest.mark.parametrize("sizes", [(), (784,), (784, 0)])
def test_what_is_no_network_is_refused(sizes):
    with pytest.raises(ValueError, match="an input and an output, each of at least one number; found"):
        fh.draw_network(sizes)


# --- splits ------------------------------------------------------------------------------------------------


def test_splits_are_one_bar_to_scale():
    drawing = fh.draw_splits(SPLITS, LOOKS)
    bars = rectangles_of(drawing)
    scale = bars[0].get_width() / 55_000
    assert [bar.get_width() for bar in bars] == pytest.approx([size * scale for size in SPLITS.values()])
    for one, other in pairwise(bars):
        assert one.get_x() + one.get_width() == pytest.approx(other.get_x())
    assert facts_of(drawing) == {
        "Diagram": ["70,000 images in 3 splits"],
        "Splits": [
            "training, 55,000 images, looked at every iteration",
            "validation, 5,000 images, looked at every epoch",
            "test, 10,000 images, looked at once",
        ],
    }


@pytest.mark.parametrize(("sizes", "looks"), [({}, {}), ({"a": 1}, {}), ({"a": 1}, {"b": "once"})])
def test_splits_without_a_look_are_refused(sizes, looks):
    with pytest.raises(ValueError, match="each split needs a size and a look: sizes for"):
        fh.draw_splits(sizes, looks)


# --- tensors -----------------------------------------------------------------------------------------------


def test_tensor_names_its_dimensions_and_counts_its_numbers():
    facts = facts_of(fh.draw_tensor((64, 1, 28, 28), IMAGE))
    assert facts["Diagram"] == [f"Shape (64, 1, 28, 28): {torch.zeros(64, 1, 28, 28).numel():,} numbers"]
    assert facts["Dimensions"] == [
        *("batch: 64 (dim 0)", "channel: 1 (dim 1)", "height: 28 (dim 2)", "width: 28 (dim 3)")
    ]


@pytest.mark.parametrize(
    ("shape", "sheets", "is_cut"),
    [
        ((28, 28), 1, False),
        ((3, 4, 4), 3, False),
        ((9, 4, 4), 4, False),
        ((2, 3, 4, 4), 6, False),
        ((64, 1, 4, 4), 2, True),
    ],
)
def test_tensor_draws_its_sheets(shape, sheets, is_cut):
    drawing = fh.draw_tensor(shape, IMAGE[-len(shape) :])
    assert len(rectangles_of(drawing)) == sheets
    assert ("…" in [text.get_text() for text in texts_of(drawing)]) == is_cut


def test_tensor_sheet_has_its_proportions_and_squares():
    drawing = fh.draw_tensor((4, 8), ("height", "width"))
    (sheet,) = rectangles_of(drawing)
    assert sheet.get_width() == pytest.approx(2 * sheet.get_height())
    (grid,) = (patch for patch in drawing.axes[0].patches if isinstance(patch, PathPatch))
    assert len(grid.get_path().vertices) == 2 * (3 + 7)


@pytest.mark.parametrize(
    ("shape", "names"), [((), ()), ((2, 2), ("a",)), ((1,) * 5, "abcde"), ((0,), ("a",))]
)
def test_what_is_no_such_tensor_is_refused(shape, names):
    with pytest.raises(ValueError, match="one to four lengths from 1, each with a name, are needed; found"):
        fh.draw_tensor(shape, names)


# --- broadcasting ------------------------------------------------------------------------------------------

SHAPES = [shape for number in range(3) for shape in product((1, 2, 3), repeat=number)]


@pytest.mark.parametrize("first", SHAPES)
def test_broadcasting_is_pytorchs(first):
    for second in SHAPES:
        try:
            expected = tuple((torch.zeros(first) + torch.zeros(second)).shape)
        except RuntimeError as error:
            with pytest.raises(ValueError) as raised:
                fh.draw_broadcasting(first, second)
            assert str(raised.value) == str(error)
            continue
        drawing = fh.draw_broadcasting(first, second)
        assert facts_of(drawing)["Diagram"] == [f"{first} and {second} give {expected}"]
        solid = [square for square in rectangles_of(drawing) if square.get_linestyle() != "--"]
        sizes = [torch.zeros(shape).numel() for shape in (first, second, expected)]
        assert len(solid) == sum(sizes) and len(rectangles_of(drawing)) == 3 * sizes[-1]
        stretched = [words for words in facts_of(drawing)["Tensors"] if "stretched" in words]
        assert len(stretched) == (first != expected) + (second != expected)


def test_broadcasting_copies_along_the_stretched_dimension():
    squares = rectangles_of(fh.draw_broadcasting((2, 1), (3,)))
    is_there = [
        [square.get_linestyle() != "--" for square in squares[start : start + 6]] for start in (0, 6, 12)
    ]
    # Row by row: the first has one column, the second one row.
    assert is_there == [[True, False, False] * 2, [True] * 3 + [False] * 3, [True] * 6]


@pytest.mark.parametrize("shape", [(9,), (2, 2, 2), (0,)])
def test_broadcasting_of_what_is_too_large_to_draw_is_refused(shape):
    with pytest.raises(ValueError, match="up to two lengths from 1 to 8 can be drawn; found the shape"):
        fh.draw_broadcasting(shape, (1,))
