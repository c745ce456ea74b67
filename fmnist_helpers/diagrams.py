"""Drawings of ideas, which need no data: ``draw_…`` returns a ``Drawing``, which shows itself (see ``figures``)."""

from __future__ import annotations

from fmnist_helpers.figures import COLOURS, Drawing
from fmnist_helpers.sketch import ORANGE, Sketch

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
