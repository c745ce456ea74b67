"""A figure shows itself whole and opaque, says what it is and what its lines do, and lists its values."""

from __future__ import annotations

import base64
import html.parser
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_rgba
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

import fmnist_helpers as fh
from fmnist_helpers.exercises import trace_training
from fmnist_helpers.figures import IN_THIS_RUN, Drawing, new_figure
from tests.test_plots import FIGURES, history


def words_of(drawing: Drawing) -> tuple[str, str]:
    """Return what a figure is, and what its lines do."""
    structure, _, course = repr(drawing).partition(IN_THIS_RUN)
    return structure.strip(), course


class Page(html.parser.HTMLParser):
    """Collects the attributes of pictures, and the values below them."""

    def __init__(self, text: str):
        super().__init__()
        self.pictures, self.values, self.tag = [], {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tag = tag
        if tag == "img":
            self.pictures.append(dict(attrs))

    def handle_endtag(self, tag):
        self.tag = {"strong": "li"}.get(tag, "")

    def handle_data(self, data):
        if self.tag == "strong":
            self.values[data] = ""
        elif self.tag == "li":
            self.values[list(self.values)[-1]] += data.removeprefix(": ")


def shown(drawing: Drawing) -> tuple[dict[str, str], Image.Image]:
    """Return the attributes of the picture and the picture, as a notebook shows it."""
    bundle, metadata = DisplayFormatter().format(drawing)
    assert set(bundle) == {"text/html", "text/plain"} and not metadata
    (attributes,) = Page(bundle["text/html"]).pictures
    assert attributes["alt"] == bundle["text/plain"] == repr(drawing)
    header, content = attributes["src"].split(",")
    assert header == "data:image/png;base64"
    return attributes, Image.open(io.BytesIO(base64.b64decode(content)))


def line(*values: float, **options) -> Drawing:
    words = {"title": "Height", "xlabel": "step", "ylabel": "metres", **options}
    return fh.plot_lines({"ball": list(values)}, **words)


# --- shown -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_shown_whole_opaque_and_once(name):
    drawing = FIGURES[name]()
    attributes, picture = shown(drawing)
    pixels = np.asarray(picture.convert("RGBA"))
    assert (pixels[..., 3] == 255).all()
    assert (pixels[0, 0, :3] == 255).all()
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 2
    # Sharp on a screen with twice the pixels, and never wider than the page.
    width, limit = re.fullmatch(r"width: (\d+)px; max-width: (\d+%)", attributes["style"]).groups()
    assert picture.width >= 2 * int(width) - 2 and limit == "100%"
    # Nothing is left that matplotlib would show once more at the end of the cell.
    assert plt.get_fignums() == []


def test_backgrounds_are_opaque_in_a_dark_style_too():
    with plt.style.context("dark_background"):
        drawing = fh.plot_class_balance(torch.arange(10))
        assert to_rgba(drawing.figure.get_facecolor()) == (1, 1, 1, 1)
        assert shown(drawing)[1].convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_a_figure_can_be_changed_before_it_is_shown():
    drawing = line(1, 10, 100)
    before = shown(drawing)[1].tobytes()
    drawing.axes[0].set(yscale="log", xlabel="time")
    assert shown(drawing)[1].tobytes() != before
    assert "Horizontal axis: time. Vertical axis: metres; log scale." in repr(drawing)


@pytest.mark.parametrize("title", ['"quoted" & <tagged>', "größer als", "two\nlines"])
def test_words_survive_any_character(title):
    assert " ".join(title.split()) in shown(line(1, 2, title=title))[0]["alt"]


@pytest.mark.parametrize("draw", [lambda figure: None, lambda figure: figure.axes[0].plot([], [])])
def test_empty_figure_is_refused(draw):
    figure = new_figure(4, 3)
    drawing = Drawing(figure.subplots(1, 2))
    draw(figure)
    with pytest.raises(ValueError, match="the figure is empty: draw on its Axes before showing it"):
        drawing._repr_html_()


def test_a_figure_that_was_cleared_is_refused():
    drawing = line(1, 2)
    drawing.axes[0].clear()
    with pytest.raises(ValueError, match="the figure is empty"):
        drawing._repr_html_()


# --- what it is --------------------------------------------------------------------------------------------


def test_lines_are_named_with_axes_legend_and_marks():
    drawing = fh.plot_lines({"a": [1, 2], "b": [2, 1]}, title="Two", xlabel="step", ylabel="loss (nats)")
    assert words_of(drawing)[0] == (
        "Line chart with 2 lines: Two. Horizontal axis: step. Vertical axis: loss (nats). Legend: a; b."
    )
    axes = drawing.axes[0]
    axes.text(0.5, 1.5, "they cross")
    axes.axvline(0.5)
    axes.get_legend().remove()
    assert words_of(drawing)[0].endswith("Vertical axis: loss (nats). Marked: they cross.")
    assert words_of(drawing)[0].startswith("Line chart with 2 lines")


def test_panels_follow_each_other():
    structure, _ = words_of(fh.plot_curves(history(2.0, 1.0), title="A run"))
    legend = "Legend: training; validation."
    assert structure == (
        "2 panels: A run. Line chart with 2 lines: Loss. Horizontal axis: epoch. "
        f"Vertical axis: mean loss per sample. {legend} "
        "Line chart with 2 lines: Accuracy. Horizontal axis: epoch. Vertical axis: accuracy (%)."
    )


def test_images_are_counted_and_their_titles_named():
    images = torch.rand(3, 28, 28)
    assert (
        repr(fh.plot_images(images, ["a", "b\nc", "d"], title="Three"))
        == "3 images: Three. Titles: a; b c; d."
    )
    drawing = fh.plot_images(images[:1])
    assert repr(drawing) == "1 image."
    drawing.axes[0].text(0, 0, "bag")
    assert repr(drawing) == "1 image. Words: bag."


def test_titles_that_were_measured_belong_to_the_run():
    drawing = fh.plot_worst_mistakes(
        torch.rand(2, 28, 28), torch.tensor([1, 1]), torch.eye(2), ["bag", "coat"]
    )
    assert repr(drawing) == "1 image: The worst mistakes. In this run: coat taken for bag (73%)."
    drawing = fh.plot_images(torch.rand(2, 28, 28), guesses=["bag?\n11%", "coat?\n12%"])
    assert repr(drawing) == "2 images. In this run: bag? 11%; coat? 12%."


def test_other_kinds_are_named():
    balance, _ = words_of(fh.plot_class_balance(torch.tensor([0, 1, 1]), ["bag", "coat"]))
    assert balance == "Bar chart: Samples of each class. Horizontal axis: samples. Vertical axis: bag; coat."
    zeros = torch.zeros(28, 28, dtype=torch.uint8)
    axes = "Horizontal axis: column. Vertical axis: row."
    assert repr(fh.plot_pixels(zeros)) == (
        f"2 panels. Image: The whole image. {axes} Grid of numbers: A part of it, with its bytes. {axes}"
    )
    matrix = fh.plot_confusion_matrix(torch.tensor([0]), torch.tensor([0]), ["bag", "coat"])
    assert repr(matrix) == (
        "Grid of numbers: Confusion matrix. Horizontal axis: predicted class; bag; coat. "
        "Vertical axis: true class; bag; coat. Colours: % of the true class."
    )
    layer = fh.plot_first_layer(fh.NeuralNetwork(), number=2)
    assert repr(layer) == "2 images: First-layer weights. Colours: weight."
    points = fh.plot_points({"a": [1], "b": [2]}, title="Dots", xlabel="step", ylabel="label")
    assert words_of(points)[0] == (
        "2 panels: Dots. Points: a. Horizontal axis: step. Vertical axis: label. Points: b. Horizontal axis: step."
    )
    paths = fh.plot_paths(lambda at: at[0] ** 2, {"SGD": torch.rand(3, 2)})
    assert words_of(paths)[0] == (
        "Path on contour lines: Paths downhill: SGD. Horizontal axis: first parameter. "
        "Vertical axis: second parameter. Legend: start; one dot per step; the same loss along each line."
    )
    points, labels = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 2.0]]), torch.tensor([0, 1, 1])
    regions = fh.plot_regions(
        {"upper": lambda at: at, "lower": lambda at: -at}, points, labels, title="Planes"
    )
    assert repr(regions) == (
        "2 panels: Planes. Regions with points: upper. Horizontal axis: first number. Vertical axis: second number. "
        "Regions with points: lower. Horizontal axis: first number. "
        "Legend: class 0; class 1; in a wrong region. "
        "In this run: upper, class 0: 1 point; upper, class 1: 2 points; upper, in a wrong region: 2 points; "
        "lower, class 0: 1 point; lower, class 1: 2 points; lower, in a wrong region: 1 point."
    )


def test_a_timeline_names_its_rows():
    samples = TensorDataset(torch.rand(2, 1, 28, 28), torch.zeros(2, dtype=torch.int64))
    trace = trace_training(
        fh.test_loop, DataLoader(samples), fh.NeuralNetwork(), torch.nn.CrossEntropyLoss(), verbose=False
    )
    structure, _ = words_of(trace.plot("One batch"))
    assert structure.startswith("2 panels. Points: One batch. Vertical axis: ")
    assert "batch; " in structure and "Line chart with 1 line. Horizontal axis: event" in structure


# --- what its lines do -------------------------------------------------------------------------------------

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "course"),
    [
        ([1, 2, 4], "rises from 1 to 4"),
        ([0, 0, 2], "rises from 0 to 2"),
        ([2.5, 0.125], "falls from 2.5 to 0.125"),
        ([0.123456, -1234.5678], "falls from 0.1235 to −1235"),
        ([60000, 1e-7], "falls from 60,000 to 1e−07"),
        ([3, 3, 3], "3 throughout"),
        ([-0.0, 0.0], "0 throughout"),
        ([7], "7 at 0"),
        ([1, 5, 2], "rises from 1 to 2, turning 1 time, highest 5 at 1"),
        ([3, 1, 2], "falls from 3 to 2, turning 1 time, lowest 1 at 1"),
        ([0, 6, 6, -1, 0], "goes from 0 to 0, turning 2 times, lowest −1 at 3, highest 6 at 1"),
        ([1, 2, 1, 2], "rises from 1 to 2, turning 2 times"),
        ([1, 2, NAN, INFINITE], "rises from 1 to 2, 2 more not finite"),
        ([NAN, 1, 0], "falls from 1 to 0, 1 more not finite"),
    ],
)
def test_course_of_a_line(values, course):
    assert words_of(line(*values))[1] == f"ball: {course}."


def test_a_line_without_a_finite_value_says_so():
    drawing = fh.plot_lines({"a": [1, 2], "b": [NAN, NAN]}, title="T", xlabel="x", ylabel="y")
    assert words_of(drawing)[1] == "a: rises from 1 to 2; b: no finite value."


def test_places_are_those_of_the_horizontal_axis():
    drawing = fh.plot_lines({"a": [1, 3, 1.5]}, x=[0.5, 1, 4], title="T", xlabel="x", ylabel="y")
    assert words_of(drawing)[1] == "a: rises from 1 to 1.5, turning 1 time, highest 3 at 1."
    drawing.axes[0].plot(4, 9, "o")
    assert words_of(drawing)[1].endswith("; y: 9 at 4.")


def test_bars_name_the_shortest_and_the_longest():
    classes = ["bag", "coat", "dress"]
    drawing = fh.plot_class_balance(torch.tensor([0, 1, 1, 2, 2, 2]), classes)
    assert words_of(drawing)[1] == "samples: lowest 1 at bag, highest 3 at dress."
    assert words_of(fh.plot_class_balance(torch.arange(3), classes))[1] == "samples: 1 throughout."


def test_panels_say_which_line_is_meant():
    _, course = words_of(fh.plot_curves({"SGD": history(2.0, 1.0)}))
    assert course.startswith(
        "Loss, SGD, training: falls from 2 to 1; Loss, SGD, validation: falls from 2.1 to 1.1; "
    )
    assert course.endswith("Accuracy, SGD, validation: rises from 40 to 65.")


def test_a_legend_below_all_panels_is_told_once():
    drawing = fh.plot_valley(lambda w: w**2, {"slow": [-2, -1], "good": [-2, 0.5]}, title="Rates")
    assert words_of(drawing)[0].startswith(
        "2 panels: Rates. Legend: loss; lowest; ball, numbered by step. Line chart"
    )


def test_words_that_are_given_replace_those_that_are_found():
    axes = line(1, 2).axes
    assert repr(Drawing(axes, words=["Diagram: a", "Boxes: b; c."])) == "Diagram: a. Boxes: b; c."


def test_a_path_is_told_by_its_two_coordinates():
    path = torch.tensor([[0.0, 3.0], [1.0, -2.0], [2.0, 0.5]])
    _, course = words_of(fh.plot_paths(lambda at: at[0] ** 2, {"SGD": path, "Adam": path}))
    first = "SGD, across: rises from 0 to 2; SGD, up: falls from 3 to 0.5, turning 1 time, lowest −2 at 1; "
    assert course == first + first.replace("SGD", "Adam").removesuffix("; ") + "."


# --- its values --------------------------------------------------------------------------------------------


def values_of(drawing: Drawing) -> dict[str, str]:
    return Page(drawing._repr_html_()).values


def test_values_of_short_lines_are_all_there():
    drawing = fh.plot_lines({"a": [1, 2.25], "<b>": [3, NAN]}, title="T", xlabel="x", ylabel="y")
    assert values_of(drawing) == {"a": "0: 1, 1: 2.25", "<b>": "0: 3, 1: nan"}


def test_values_of_long_lines_are_evenly_spread():
    (values,) = values_of(line(*range(0, 2010, 10))).values()
    assert values == ", ".join(f"{at}: {10 * at:,}" for at in range(0, 201, 20))


def test_values_of_bars_grids_and_panels_have_names():
    assert values_of(fh.plot_class_balance(torch.tensor([0, 1, 1]), ["bag", "coat"])) == {
        "samples": "bag: 1, coat: 2"
    }
    matrix = fh.plot_confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), ["bag", "coat"])
    assert values_of(matrix) == {"true class bag": "bag: 50, coat: 50", "true class coat": "coat: 100"}
    pixels = torch.arange(784).reshape(28, 28).clamp(max=255).to(torch.uint8)
    part = "A part of it, with its bytes, row"
    assert values_of(fh.plot_pixels(pixels, first=1, number=2)) == {
        f"{part} 1": "1: 29, 2: 30",
        f"{part} 2": "1: 57, 2: 58",
    }
    assert list(values_of(fh.plot_curves(history(2.0, 1.0)))) == [
        "Loss, training",
        "Loss, validation",
        "Accuracy, training",
        "Accuracy, validation",
    ]


def test_pictures_have_no_values():
    assert values_of(fh.plot_images(torch.rand(2, 28, 28), ["a", "b"])) == {}
    assert "details" not in fh.plot_images(torch.rand(2, 28, 28))._repr_html_()
