"""Drawings of ideas show what they say: boxes, arrows and words, all legible, none on top of another."""

from __future__ import annotations

from itertools import combinations, pairwise

import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import fmnist_helpers as fh
from fmnist_helpers.figures import Drawing
from tests.lessons.true_words import check
from tests.test_figures import shown
from tests.test_plots import contrast

DIAGRAMS = {
    "cycle": fh.draw_cycle,
    **{
        f"cycle, {here}": lambda here=here: fh.draw_cycle(here)
        for here in ("data", "error", "update", "loop")
    },
}


def facts_of(drawing: Drawing) -> dict[str, list[str]]:
    """Return the parts of each sentence of a text alternative, by the words before the colon."""
    sentences = (sentence.partition(": ") for sentence in repr(drawing).removesuffix(".").split(". "))
    return {name: parts.split("; ") for name, _, parts in sentences}


def texts_of(drawing: Drawing) -> list:
    return [text for axes in drawing.axes for text in axes.texts if text.get_text()]


def assert_legible(drawing: Drawing) -> None:
    """Check that texts are large and dark enough, in the figure, and not on top of each other."""
    drawing.figure.canvas.draw()
    texts = [
        text
        for text in drawing.figure.findobj(matplotlib.text.Text)
        if text.get_text() and text.get_visible()
    ]
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
        assert " ".join(text.get_text().split()).lower().removesuffix(".") in told
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
    drawing.figure.canvas.draw()
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
