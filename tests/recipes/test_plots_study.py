"""The picture of the study shows what its table says."""

from __future__ import annotations

import numpy as np
import pytest

from fmnist_helpers.recipes.plots_study import CLOSE_UP, plot_study
from fmnist_helpers.recipes.study import Row, Study, read_study
from tests.lessons.true_words import check
from tests.test_diagrams import assert_legible
from tests.tools.course import RESULTS

NUM_IMAGES = 400


def small_study() -> Study:
    """Three seeds of 400 images: a large gain, one that is sure, and one that is not."""
    generator = np.random.default_rng(0)
    first = generator.random((3, NUM_IMAGES)) < 0.6
    large = first | (generator.random((3, NUM_IMAGES)) < 0.5)
    sure, unsure = large.copy(), large.copy()
    sure[:, :60] = True
    unsure[0, :4] = ~unsure[0, :4]
    steps = {
        "first": (None, first),
        "large": ("first", large),
        "sure": ("large", sure),
        "unsure": ("large", unsure),
    }
    return Study([row(name, *step) for name, step in steps.items()], {})


def row(name, before, right):
    accuracies, bits = tuple(right.mean(axis=1).tolist()), tuple(np.packbits(one).tobytes() for one in right)
    return Row(name, before, {}, 1000, accuracies, (1.0,) * 3, ((0.5,),) * 3, bits, NUM_IMAGES)


def test_dots_and_bars_are_the_gains_and_their_margins():
    study = small_study()
    drawing = plot_study(study)
    left, right = drawing.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "large, from first",
        "sure, from large",
        "unsure, from large",
    ]
    ends = [line.get_xydata()[0] for line in left.lines if line.get_marker() == "o"]
    expected = [100 * study[name].right.mean() for name in ("large", "sure", "unsure")]
    assert [x for x, _ in ends] == pytest.approx(expected) and [y for _, y in ends] == [0, 1, 2]
    for container, name in zip(right.containers, ("sure", "unsure"), strict=True):
        gain = study.paired(name)
        dot, _, (bar,) = container
        ((start, _), (end, _)) = bar.get_segments()[0]
        assert dot.get_xdata()[0] == pytest.approx(100 * gain.gain)
        assert (end - start) / 2 == pytest.approx(100 * gain.margin)
        # A filled dot stands out: its bar does not reach 0.
        assert (dot.get_markerfacecolor() == "white") == (start <= 0 <= end) == (name == "unsure")
    # What lies beyond the panel is written at its edge.
    assert 100 * study.gain("large") > CLOSE_UP
    assert any(text.get_text().startswith("+") for text in right.texts)


def test_its_words_are_those_of_the_table():
    study = small_study()
    words = repr(plot_study(study))
    for name in ("large", "sure", "unsure"):
        gain = study.paired(name)
        told = f"{100 * gain.gain:+.2f} ± {100 * gain.margin:.2f} points".replace("-", "−")
        assert f"{name}: {100 * study[name].mean:.2f} %, {told}" in words
    assert words.count("does not stand out") == 1


def test_the_stored_study_is_drawn_legibly():
    drawing = plot_study(read_study(RESULTS / "study_real.json"))
    assert_legible(drawing)
    check(drawing)
    drawing._repr_html_()


def test_a_study_without_a_comparison_is_refused():
    with pytest.raises(ValueError, match="there is nothing to compare"):
        plot_study(Study([row("first", None, np.ones((3, 8), dtype=bool))], {}))
