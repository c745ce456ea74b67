"""A computation graph has PyTorch's numbers and slopes, and is drawn with every number and arrow in its place."""

from __future__ import annotations

import itertools
import math
import random

import pytest
import torch
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import fmnist_helpers as fh
from fmnist_helpers import expression
from fmnist_helpers.expression import Value
from tests.lessons.true_words import check
from tests.test_diagrams import assert_legible, assert_texts_stay_in_their_boxes, facts_of, texts_of
from tests.test_figures import shown

OPERATIONS = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a * b": lambda a, b: a * b,
    "a * a": lambda a, b: a * a,
    "a ** 3": lambda a, b: a**3,
    "relu": lambda a, b: a.relu(),
    "with numbers": lambda a, b: 2 - 0.5 * a + (b + 1) * 3 - 1,
    "-a": lambda a, b: -a,
}


def lesson() -> Value:
    x, w1, w2, t = Value(2.0, "x"), Value(0.5, "w1"), Value(-1.0, "w2"), Value(1.0, "t")
    h = (w1 * x).relu().named("h")
    y = (w2 * h).named("y")
    return ((y - t) ** 2).named("loss")


def twice_used() -> Value:
    a, b = Value(3, "a"), Value(-2, "b")
    c = (a * b).named("c")
    return (((c + a) * 2).relu() + a * a + (b - c) ** 3 * a).named("f")


def grown(seed: int) -> tuple[Value, dict[str, torch.Tensor]]:
    """Return a random expression, and the same one in PyTorch, by the names of its numbers."""
    chance = random.Random(seed)
    values = [Value(chance.uniform(-2, 2), f"n{number}") for number in range(3)]
    tensors = [torch.tensor(value.number, dtype=torch.float64, requires_grad=True) for value in values]
    for number in range(3, 10):
        operation = OPERATIONS[chance.choice(list(OPERATIONS))]
        one, other = chance.randrange(number), chance.randrange(number)
        values.append(operation(values[one], values[other]).named(f"n{number}"))
        tensors.append(operation(tensors[one], tensors[other]))
        tensors[-1].retain_grad()
    # All that was made is used, much of it twice.
    return sum(values[1:], values[0]).named("sum"), dict(
        zip([*(f"n{number}" for number in range(10)), "sum"], [*tensors, sum(tensors)], strict=True)
    )


# --- numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize(("a", "b"), list(itertools.product([-1.5, 0.0, 2.0], repeat=2)))
def test_every_operation_is_pytorchs(operation, a, b):
    tensors = [torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in (a, b)]
    expected = operation(*tensors)
    gradients = torch.autograd.grad(expected, tensors, allow_unused=True)
    result = operation(Value(a, "a"), Value(b, "b"))
    assert result.number == pytest.approx(expected.item())
    slopes = result.slopes()
    for name, gradient in zip("ab", gradients, strict=True):
        assert slopes.get(name, 0) == pytest.approx(0 if gradient is None else gradient.item())
        assert (name in slopes) == (gradient is not None)


@pytest.mark.parametrize("seed", range(20))
def test_slopes_of_random_expressions_are_autograds(seed):
    value, tensors = grown(seed)
    tensors["sum"].retain_grad()
    tensors["sum"].backward()
    slopes = value.slopes()
    assert set(slopes) == set(tensors)
    for name, tensor in tensors.items():
        assert slopes[name] == pytest.approx(tensor.grad.item(), rel=1e-9, abs=1e-9), name


def test_slopes_of_the_lesson_are_those_found_by_hand():
    by_hand = {"loss": 1, "y": 2 * (-1 - 1), "t": 4, "w2": -4 * 1, "h": -4 * -1, "w1": 4 * 2, "x": 4 * 0.5}
    assert lesson().slopes() == by_hand


def test_slopes_are_asked_twice_with_the_same_result():
    value = lesson()
    assert value.slopes() == value.slopes()


def test_two_numbers_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two numbers are called 'a': give each a name of its own"):
        (Value(1, "a") + Value(2, "a")).slopes()


@pytest.mark.parametrize("power", [0, -1, 0.5, 2.0])
def test_other_powers_are_refused(power):
    with pytest.raises(ValueError, match="a power is a whole number from 1, such as 2; found"):
        Value(2.0) ** power


def test_a_value_shows_its_number_and_name():
    assert repr(Value(2, "x")) == "Value(2.0, 'x')"


# --- drawn -------------------------------------------------------------------------------------------------


def test_graph_of_the_lesson():
    drawing = fh.draw_graph(lesson(), title="Forward")
    facts = facts_of(drawing)
    assert facts["Diagram"] == ["Forward"]
    assert set(facts["Numbers, forward"]) == {
        *("w2 = −1", "w1 = 0.5", "x = 2", "w1*x = 1", "h = 1", "y = −1", "t = 1", "y - t = −2", "loss = 4")
    }
    assert set(facts["Arrows"]) == {
        "from w1 and x by * to w1*x",
        "from w1*x by relu to h",
        "from w2 and h by * to y",
        "from y and t by - to y - t",
        "from y - t by **2 to loss",
    }
    assert not any("lope" in name for name in facts)
    # A box for each number and each sign, an arrow for each part.
    texts = [text.get_text() for text in texts_of(drawing)]
    assert all(texts.count(sign) == number for sign, number in {"*": 2, "**2": 1, "-": 1, "relu": 1}.items())
    assert sum(isinstance(patch, FancyArrowPatch) for patch in drawing.axes[0].patches) == 8
    assert sum(isinstance(patch, FancyBboxPatch) for patch in drawing.axes[0].patches) == 9 + 5


def test_each_number_stands_above_its_box_and_each_slope_below():
    drawing = fh.draw_graph(lesson(), True)
    drawing.figure.draw_without_rendering()
    places = {text.get_text(): text.get_window_extent() for text in texts_of(drawing)}
    slopes = {"w1": "← 8", "x": "← 2", "loss": "← 1"}
    for name, slope in slopes.items():
        assert places[slope].y1 < places[name].y0
        assert abs(places[slope].x0 + places[slope].x1 - places[name].x0 - places[name].x1) < 2
    assert places["0.5"].y0 > places["w1"].y1
    colours = {text.get_text(): text.get_color() for text in texts_of(drawing)}
    assert colours["← 8"] != colours["0.5"]


def test_computed_slopes_are_told_for_every_node():
    value = lesson()
    told = dict(fact.split(": ") for fact in facts_of(fh.draw_graph(value, True))["Slopes of loss, backward"])
    named = {name: f"{slope:g}".replace("-", "−") for name, slope in value.slopes().items()}
    assert told == {**named, "w1*x": "4", "y - t": "−4"}


def test_slopes_by_hand_are_judged_one_by_one():
    given = {"y": -4, "h": 4.0000001, "w1": 2, "w2": ..., "t": math.nan, "x": torch.tensor(2.0), "loss": None}
    drawing = fh.draw_graph(lesson(), given)
    assert facts_of(drawing)["Slopes of loss, backward"] == [
        *("y: −4", "h: 4", "w1: 2, not yet", "w2: ?, not yet", "t: nan, not yet", "x: 2", "loss: ?, not yet")
    ]
    texts = [text.get_text() for text in texts_of(drawing)]
    assert sum("✗ not yet" in text for text in texts) == 4
    # The right slope of w1 is 8: nothing gives it away.
    assert not any("8" in text for text in texts) and "8" not in repr(drawing)


def test_a_slope_of_nothing_is_right_only_as_nothing():
    value = (Value(-1, "a").relu() * Value(2, "b")).named("c")
    assert facts_of(fh.draw_graph(value, {"a": 0, "b": 1e-3}))["Slopes of c, backward"] == [
        *("a: 0", "b: 0.001, not yet")
    ]


def test_a_name_that_is_not_in_the_graph_is_refused():
    with pytest.raises(ValueError, match="no number called 'w3'; its names are w2, w1, x, h, y, t, loss"):
        fh.draw_graph(lesson(), {"w3": 1.0})


GRAPHS = {
    "lesson": lesson,
    "twice used": twice_used,
    "one number": lambda: Value(1, "a"),
    "square": lambda: Value(1, "a") * 2 * 3,
    **{f"random {seed}": lambda seed=seed: grown(seed)[0] for seed in range(4)},
}


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_is_legible_shown_and_true(name, slopes):
    drawing = fh.draw_graph(GRAPHS[name](), slopes, title="A graph")
    assert_legible(drawing)
    assert_texts_stay_in_their_boxes(drawing)
    shown(drawing)
    check(drawing)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_arrow_crosses_a_box(name):
    value = GRAPHS[name]()
    layout = expression._Layout(value)
    boxes = {}
    for node, (_, y) in layout.centres.items():
        left, right = layout.edges(node)
        sign = expression.SIGN_WIDTH if node.parts else 0
        boxes[node] = (left - sign, right, y - 0.2, y + 0.2)
    for node in layout.centres:
        for part, _ in node.parts:
            way = layout.way(part, node)
            for (x0, y0), (x1, y1) in itertools.pairwise(way):
                for step in torch.linspace(0.01, 0.99, 60).tolist():
                    x, y = x0 + step * (x1 - x0), y0 + step * (y1 - y0)
                    assert not any(a < x < b and c < y < d for a, b, c, d in boxes.values())
