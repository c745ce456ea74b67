"""Plots draw the data they were given, with titles and units, in colours that can be told apart."""

from __future__ import annotations

import math

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers import plots
from tests.lessons.true_words import check

CLASSES = ["bag", "coat", "dress"]


def picture_of(axes: Axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def history(*losses: float) -> fh.History:
    rows = [fh.EpochResult(n, x, 1 - x / 4, x + 0.1, 0.9 - x / 4, 1.0) for n, x in enumerate(losses, start=1)]
    return fh.History(rows)


# --- images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [True, False])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_images_are_drawn_as_given(channel, as_bytes):
    pixels = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8)
    expected = pixels.numpy() / np.float32(255)
    images = pixels if as_bytes else pixels / 255
    axes = fh.plot_images(images[:, None] if channel else images).axes
    assert len(axes) == 5
    for one, picture in zip(axes, expected, strict=True):
        np.testing.assert_allclose(picture_of(one), picture, rtol=1e-6)
        # Black is 0 and white is 1 in every image, whatever its own range.
        assert one.images[0].get_clim() == (0, 1)
        assert one.images[0].get_cmap().name == "gray"


def test_images_have_titles_and_stand_in_rows():
    axes = fh.plot_images(torch.rand(5, 28, 28), list("abcde"), columns=2, title="Garments").axes
    assert [one.get_title() for one in axes] == list("abcde")
    assert axes[0].figure.get_suptitle() == "Garments"
    axes[0].figure.canvas.draw()
    lefts = [round(one.get_position().x0, 3) for one in axes]
    heights = [round(one.get_position().y0, 3) for one in axes]
    assert lefts == [lefts[0], lefts[1]] * 2 + [lefts[0]]
    assert heights[0] == heights[1] > heights[2] == heights[3] > heights[4]


def test_images_that_need_gradients_can_be_drawn():
    images = torch.rand(2, 1, 28, 28, requires_grad=True)
    np.testing.assert_array_equal(picture_of(fh.plot_images(images).axes[1]), images[1, 0].detach().numpy())


@pytest.mark.parametrize("shape", [(28, 28), (2, 3, 28, 28), (0, 28, 28), (0, 1, 28, 28), (784,)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError) as raised:
        fh.plot_images(torch.rand(shape))
    assert f"images of shape {shape} cannot be drawn; give (N, 28, 28) or (N, 1, 28, 28)" == str(raised.value)


def test_wrong_number_of_titles_is_refused():
    with pytest.raises(ValueError, match="there are 3 images and 2 titles"):
        fh.plot_images(torch.rand(3, 28, 28), ["a", "b"])
    with pytest.raises(ValueError, match="a title or a guess above it, not both"):
        fh.plot_images(torch.rand(1, 28, 28), ["a"], guesses=["b"])


def test_pixels_show_the_image_and_the_bytes_of_a_part():
    pixels = torch.randint(0, 256, (28, 28), dtype=torch.uint8)
    whole, part = fh.plot_pixels(pixels, first=5, number=3).axes
    for axes in (whole, part):
        np.testing.assert_array_equal(picture_of(axes), pixels.numpy())
        assert axes.images[0].get_clim() == (0, 255)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("column", "row")
        assert axes.get_title()
    expected = {(x, y, str(pixels[y, x].item())) for x in range(5, 8) for y in range(5, 8)}
    assert {(*text.get_position(), text.get_text()) for text in part.texts} == expected
    # The part is seen alone, and its first row stands on top.
    assert (part.get_xlim(), part.get_ylim()) == ((4.5, 7.5), (7.5, 4.5))


@pytest.mark.parametrize("pixels", [torch.rand(28, 28), torch.zeros(1, 28, 28, dtype=torch.uint8)])
def test_pixels_of_anything_but_one_image_of_bytes_are_refused(pixels):
    with pytest.raises(ValueError, match=r"one image of bytes is needed, found torch\.(float32|uint8) of \("):
        fh.plot_pixels(pixels)


# --- class balance -----------------------------------------------------------------------------------------


def test_class_balance_counts_labels():
    labels = torch.tensor([0] * 1200 + [2] * 3)
    (axes,) = fh.plot_class_balance(labels, CLASSES, title="Balance").axes
    assert [bar.get_width() for bar in axes.patches] == [1200, 0, 3]
    assert [text.get_text() for text in axes.get_yticklabels()] == CLASSES
    assert [text.get_text() for text in axes.texts] == ["1,200", "0", "3"]
    assert (axes.get_title(), axes.get_xlabel()) == ("Balance", "samples")
    # The first class stands on top.
    assert axes.yaxis_inverted()


def test_class_balance_names_the_courses_classes():
    (axes,) = fh.plot_class_balance(torch.arange(10)).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == list(fh.CLASSES)
    assert axes.get_title() == "Samples of each class"


def test_bars_are_drawn_as_given():
    values = {"a": 401_920, "b": -2.5, "c": 0.125}
    (axes,) = fh.plot_bars(values, title="Bars", xlabel="metres").axes
    assert [bar.get_width() for bar in axes.patches] == list(values.values())
    assert [text.get_text() for text in axes.get_yticklabels()] == list(values)
    assert [text.get_text() for text in axes.texts] == ["401,920", "−2.5", "0.125"]
    assert (axes.get_title(), axes.get_xlabel()) == ("Bars", "metres")
    assert axes.yaxis_inverted()


def test_no_bar_is_refused():
    with pytest.raises(ValueError, match="there is no bar to draw"):
        fh.plot_bars({}, title="Nothing", xlabel="x")


# --- curves ------------------------------------------------------------------------------------------------


def assert_shows(axes: Axes, label: str, run: fh.History, column: str) -> None:
    lines = [one for one in axes.lines if one.get_label() == label]
    assert len(lines) == 1
    np.testing.assert_array_equal(lines[0].get_xdata(), run.column("epoch"))
    percent = 100 if "accuracy" in column else 1
    np.testing.assert_allclose(lines[0].get_ydata(), [percent * value for value in run.column(column)])


def test_curves_of_one_run():
    run = history(2.0, 1.0, 0.5)
    loss, accuracy = fh.plot_curves(run, title="A run").axes
    for axes, measure in ((loss, "loss"), (accuracy, "accuracy")):
        assert_shows(axes, "training", run, f"train_{measure}")
        assert_shows(axes, "validation", run, f"valid_{measure}")
        assert axes.get_xlabel() == "epoch"
        training, validation = axes.lines
        assert (training.get_linestyle(), validation.get_linestyle()) == ("--", "-")
        assert validation.get_marker() not in ("", "None", None)
        assert training.get_color() == validation.get_color()
    assert loss.figure.get_suptitle() == "A run"
    assert (loss.get_title(), loss.get_ylabel()) == ("Loss", "mean loss per sample")
    assert (accuracy.get_title(), accuracy.get_ylabel()) == ("Accuracy", "accuracy (%)")
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "validation"]


def test_curves_of_several_runs_differ_in_colour_and_marker():
    runs = {"SGD": history(2.0, 1.5), "Adam": history(1.0, 0.5, 0.4)}
    loss, accuracy = fh.plot_curves(runs).axes
    for name, run in runs.items():
        assert_shows(loss, f"{name}, training", run, "train_loss")
        assert_shows(accuracy, f"{name}, validation", run, "valid_accuracy")
    validation = [one for one in loss.lines if "validation" in one.get_label()]
    assert len({one.get_color() for one in validation}) == 2
    assert len({one.get_marker() for one in validation}) == 2


def test_a_run_of_one_epoch_is_visible():
    loss, _ = fh.plot_curves(history(2.0)).axes
    assert loss.lines[1].get_marker() == "o"
    assert loss.has_data()


@pytest.mark.parametrize("runs", [fh.History(), {}, {"SGD": history(1.0), "Adam": fh.History()}])
def test_curves_without_an_epoch_are_refused(runs):
    with pytest.raises(ValueError, match="nothing to draw: every run needs at least one finished epoch"):
        fh.plot_curves(runs)


# --- lines and points --------------------------------------------------------------------------------------


def test_lines_are_drawn_as_given():
    lines = {"slow": [3.0, 2.5, 2.0], "fast": torch.tensor([3.0, 1.0, 0.5])}
    (axes,) = fh.plot_lines(lines, x=[1, 2, 4], title="Rates", xlabel="step", ylabel="loss (nats)").axes
    assert [line.get_label() for line in axes.lines] == list(lines)
    for line, values in zip(axes.lines, lines.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 4])
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 2
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("Rates", "step", "loss (nats)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(lines)


def test_a_single_line_starts_at_zero_and_needs_no_legend():
    (axes,) = fh.plot_lines(
        {"loss": [2.0, 1.0]}, title="Loss", xlabel="step", ylabel="nats", markers=True
    ).axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0, 1])
    assert axes.get_legend() is None
    assert axes.lines[0].get_marker() == "o"


def test_no_line_is_refused():
    with pytest.raises(ValueError, match="there is no line to draw"):
        fh.plot_lines({}, title="Nothing", xlabel="x", ylabel="y")


def test_points_have_a_panel_for_each_entry():
    points = {"sorted": torch.tensor([0, 0, 1, 1]), "shuffled": [1, 0, 1]}
    drawing = fh.plot_points(points, title="Labels", xlabel="iteration", ylabel="label")
    assert drawing.figure.get_suptitle() == "Labels"
    assert [axes.get_title() for axes in drawing.axes] == list(points)
    for axes, values in zip(drawing.axes, points.values(), strict=True):
        (line,) = axes.lines
        np.testing.assert_array_equal(line.get_xydata(), list(enumerate(values)))
        assert line.get_linestyle() == "None" and line.get_marker() == "."
        assert axes.get_xlabel() == "iteration"
    assert drawing.axes[0].get_ylabel() == "label"
    assert drawing.axes[0].get_ylim() == drawing.axes[1].get_ylim()


def test_no_point_is_refused():
    with pytest.raises(ValueError, match="there is no point to draw"):
        fh.plot_points({}, title="Nothing", xlabel="x", ylabel="y")


# --- confusion matrix --------------------------------------------------------------------------------------


def counted(labels: list[int], predictions: list[int], num_classes: int) -> list[list[int]]:
    """Count in a double loop."""
    pairs = list(zip(labels, predictions, strict=True))
    return [[pairs.count((row, column)) for column in range(num_classes)] for row in range(num_classes)]


@pytest.mark.parametrize(("num_samples", "num_classes"), [(0, 3), (1, 1), (200, 4), (300, 10)])
def test_confusion_matrix_is_the_double_loop(num_samples, num_classes):
    torch.manual_seed(0)
    labels, predictions = torch.randint(0, num_classes, (2, num_samples))
    matrix = plots.confusion_matrix(labels, predictions, num_classes)
    assert matrix.dtype == torch.int64
    assert matrix.tolist() == counted(labels.tolist(), predictions.tolist(), num_classes)


def test_confusion_matrix_is_drawn_in_per_cent_of_the_true_class():
    labels, predictions = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 0, 2, 1, 0])
    (axes,) = fh.plot_confusion_matrix(labels, predictions, CLASSES, title="Confused").axes
    np.testing.assert_array_equal(picture_of(axes), [[75, 0, 25], [50, 50, 0], [0, 0, 0]])
    assert {(*text.get_position(), text.get_text()) for text in axes.texts} == {
        (0, 0, "75"),
        (2, 0, "25"),
        (0, 1, "50"),
        (1, 1, "50"),
    }
    assert [text.get_text() for text in axes.get_xticklabels()] == CLASSES
    assert [text.get_text() for text in axes.get_yticklabels()] == CLASSES
    labels_of_axes = (axes.get_title(), axes.get_xlabel(), axes.get_ylabel())
    assert labels_of_axes == ("Confused", "predicted class", "true class")
    assert axes.images[0].colorbar.ax.get_ylabel() == "% of the true class"


@pytest.mark.parametrize("draw", [fh.plot_confusion_matrix, lambda a, b, c: plots.confusion_matrix(a, b, 3)])
@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], [0, 1, 2], r"\(2,\) labels and \(3,\) predictions do not pair up"),
        ([0, 3], [0, 1], "class numbers must be from 0 to 2"),
        ([0, 1], [0, -1], "class numbers must be from 0 to 2"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(draw, labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        draw(torch.tensor(labels), torch.tensor(predictions), CLASSES)


# --- worst mistakes ----------------------------------------------------------------------------------------


def test_worst_mistakes_are_the_wrong_images_by_falling_loss():
    torch.manual_seed(0)
    images, logits = torch.rand(40, 1, 28, 28), 3 * torch.randn(40, 3)
    labels = torch.randint(0, 3, (40,))
    mistakes = []
    for image, row, label in zip(images, logits.tolist(), labels.tolist(), strict=True):
        guess = row.index(max(row))
        total = sum(math.exp(value) for value in row)
        if guess != label:
            title = f"{CLASSES[label]}\ntaken for\n{CLASSES[guess]} ({math.exp(row[guess]) / total:.0%})"
            mistakes.append((math.log(total) - row[label], title, image[0]))
    mistakes.sort(key=lambda mistake: mistake[0], reverse=True)
    axes = fh.plot_worst_mistakes(images, labels, logits, CLASSES, number=6, title="Worst").axes
    assert len(axes) == 6 < len(mistakes)
    for one, (_, title, image) in zip(axes, mistakes, strict=False):
        assert one.get_title() == title
        np.testing.assert_array_equal(picture_of(one), image.numpy())
    assert axes[0].figure.get_suptitle() == "Worst"


def test_fewer_mistakes_than_asked_for_are_all_shown():
    logits = torch.eye(3)
    axes = fh.plot_worst_mistakes(torch.rand(3, 28, 28), torch.tensor([0, 1, 0]), logits, CLASSES).axes
    assert len(axes) == 1
    assert axes[0].get_title().startswith("bag\ntaken for\ndress")


def test_no_mistake_is_refused():
    with pytest.raises(ValueError, match="there is no mistake to show: every image is classified rightly"):
        fh.plot_worst_mistakes(torch.rand(3, 28, 28), torch.arange(3), torch.eye(3), CLASSES)


# --- first layer -------------------------------------------------------------------------------------------


def test_first_layer_shows_the_units_with_the_largest_weights_first():
    torch.manual_seed(0)
    model = fh.NeuralNetwork()
    weight = model.linear_relu_stack[0].weight.detach()
    order = sorted(range(512), key=lambda unit: -weight[unit].square().sum().item())[:5]
    axes = fh.plot_first_layer(model, number=5, title="Weights").axes
    assert len(axes) == 5
    limit = max(weight[unit].abs().max().item() for unit in order)
    for one, unit in zip(axes, order, strict=True):
        np.testing.assert_array_equal(picture_of(one), weight[unit].reshape(28, 28).numpy())
        # One scale for all, with zero in its middle, which is the palette's white.
        assert one.images[0].get_clim() == pytest.approx((-limit, limit))
        assert one.images[0].get_cmap().name == "PuOr"
    assert axes[0].figure.get_suptitle() == "Weights"
    assert axes[0].images[0].colorbar.ax.get_ylabel() == "weight"


def test_first_layer_beside_an_earlier_state_shows_the_units_that_changed_most():
    torch.manual_seed(0)
    before, after = fh.NeuralNetwork(), fh.NeuralNetwork()
    after.load_state_dict(before.state_dict())
    change = torch.zeros(512, 784)
    change[7], change[3] = 0.5, torch.linspace(-1, 1, 784)
    with torch.no_grad():
        after.linear_relu_stack[0].weight += change
    drawing = fh.plot_first_layer(after, since=before, number=2)
    old, new = (one.linear_relu_stack[0].weight.detach() for one in (before, after))
    expected = [values[unit] for values in (old, new, new - old) for unit in (3, 7)]
    for axes, values in zip(drawing.axes, expected, strict=True):
        np.testing.assert_array_equal(picture_of(axes), values.reshape(28, 28).numpy())
    assert len({axes.images[0].get_clim() for axes in drawing.axes}) == 1
    assert repr(drawing) == "6 images: First-layer weights. Words: before; after; change. Colours: weight."


def test_first_layer_of_zeros_can_be_drawn():
    model = nn.Linear(784, 3)
    nn.init.zeros_(model.weight)
    axes = fh.plot_first_layer(model).axes
    assert len(axes) == 3
    assert not picture_of(axes[0]).any()


@pytest.mark.parametrize("model", [nn.Flatten(), nn.Linear(10, 3), nn.Conv2d(1, 4, 3)])
def test_model_without_784_inputs_is_refused(model):
    with pytest.raises(ValueError, match="first linear layer does not take the 784 pixels"):
        fh.plot_first_layer(model)


# --- contrast ----------------------------------------------------------------------------------------------


FIGURES = {
    "images": lambda: fh.plot_images(torch.rand(3, 28, 28)),
    "one image": lambda: fh.plot_images(torch.rand(1, 28, 28)),
    "pixels": lambda: fh.plot_pixels(torch.zeros(28, 28, dtype=torch.uint8)),
    "class balance": lambda: fh.plot_class_balance(torch.arange(10)),
    "curves": lambda: fh.plot_curves(history(2.0, 1.0)),
    "confusion matrix": lambda: fh.plot_confusion_matrix(torch.arange(10), torch.arange(10)),
    "worst mistakes": lambda: fh.plot_worst_mistakes(
        torch.rand(3, 28, 28), torch.arange(3) % 2, torch.eye(3)
    ),
    "first layer": lambda: fh.plot_first_layer(fh.NeuralNetwork(), number=3),
    "bars": lambda: fh.plot_bars({"a": 1, "b": 2.5}, title="Bars", xlabel="metres"),
    "paths": lambda: fh.plot_paths(lambda at: at[0] ** 2 + at[1] ** 2, {"a": torch.randn(5, 2)}),
    "valley": lambda: fh.plot_valley(lambda w: w**2, {"a": [-2, 1], "b": [3]}, slope=lambda w: 2 * w),
    "softmax": lambda: fh.plot_softmax([2.0, -1.0, 0.5]),
    "regions": lambda: fh.plot_regions({"a": nn.Linear(2, 2)}, torch.randn(20, 2), torch.arange(20) % 2),
}


def contrast(colour, ground) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""

    def luminance(any_colour):
        parts = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgba(any_colour)[:3]]
        return np.dot(parts, [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(colour), luminance(ground)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_itself():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("value", [0, 60, 118, 119, 160, 255])
def test_bytes_can_be_read_on_every_grey(value):
    _, part = fh.plot_pixels(torch.full((28, 28), value, dtype=torch.uint8)).axes
    assert contrast(part.texts[0].get_color(), [value / 255] * 3) >= 4.5


@pytest.mark.parametrize("percent", [1, 40, 71, 72, 73, 74, 100])
def test_shares_can_be_read_on_every_blue(percent):
    predictions = torch.tensor([0] * percent + [1] * (100 - percent))
    (axes,) = fh.plot_confusion_matrix(torch.zeros(100, dtype=torch.int64), predictions).axes
    text = next(text for text in axes.texts if text.get_text() == str(percent))
    assert contrast(text.get_color(), axes.images[0].cmap(percent / 100)) >= 4.5


@pytest.mark.parametrize("name", FIGURES)
def test_every_other_text_stands_out_from_the_background(name):
    figure = FIGURES[name]().figure
    on_pictures = {id(text) for axes in figure.axes for text in axes.texts}
    texts = [text for text in figure.findobj(matplotlib.text.Text) if id(text) not in on_pictures]
    assert texts
    assert all(contrast(text.get_color(), "white") >= 4.5 for text in texts)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16])
def test_whole_numbers_that_are_no_bytes_are_not_drawn_all_white(dtype):
    with pytest.raises(ValueError, match="cannot be drawn; give bytes"):
        plots.plot_images(torch.full((1, 28, 28), 100, dtype=dtype))


def test_numbers_of_both_signs_share_one_scale():
    pictures = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    drawing = plots.plot_signed(pictures, title="T", label="weight", columns=3)
    assert len(drawing.axes) == 5
    for axes, picture in zip(drawing.axes, pictures.detach(), strict=True):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), picture.numpy())
        assert image.get_clim() == pytest.approx((-pictures.abs().max().item(), pictures.abs().max().item()))
    assert "weight" in repr(drawing)
    check(drawing)
    # Nothing but zeros is white, and no division by 0.
    plots.plot_signed(torch.zeros(2, 3, 3), title="T", label="weight")._repr_html_()
