"""Lesson 02: one garment on its way through the layers of a model."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from fmnist_helpers.data import CLASSES
from fmnist_helpers.widgets.controls import Slider
from fmnist_helpers.widgets.toolkit import Checkbox
from fmnist_helpers.widgets.views import (
    Caption,
    Interactive,
    View,
    bar,
    picture,
    pixels_source,
    side_by_side,
    table,
)


def stages(model: nn.Module, image: Tensor, relu: bool = True) -> list[Tensor]:
    """Return what the layers of a ``NeuralNetwork`` make of an image.

    Args:
        model: has a ``linear_relu_stack`` of linear layers and ReLUs.
        image: float32, shape (1, 28, 28).
        relu: with False the ReLUs are left out.

    Returns:
        The flattened image, the values of each hidden layer, and the logits, each of shape (units,).
    """
    values = image.flatten()
    found = [values]
    with torch.no_grad():
        for layer in model.linear_relu_stack:
            if isinstance(layer, nn.Linear) or relu:
                values = layer(values)
            if isinstance(layer, nn.ReLU):
                found.append(values)
    return [*found, values]


class LayerPath(Interactive):
    """Pick a garment and see its path: pixels, two hidden layers, ten logits, ten probabilities.

    Args:
        model: a ``NeuralNetwork`` on the CPU.
        images: float32, shape (N, 1, 28, 28), values in 0 … 1.
        labels: int64, shape (N,).
    """

    caption = Caption(
        "From pixels to probabilities",
        "move from garment to garment, then switch the ReLU off.",
        "will the logits of a boot and of a T-shirt differ much in a model that has learnt nothing?",
        "the bright units change with the garment, the logits hardly do, and softmax turns their small "
        "differences into probabilities near one tenth.",
    )
    still_alt = (
        "A garment and, beside it, the values of the first and the second hidden layer as grey squares."
    )

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor) -> None:
        self._model, self._images, self._labels = model, images, labels
        self.sample = Slider("garment", min=1, value=1, max=len(images))
        self.relu = Checkbox(description="with ReLU", value=True, indent=False)
        super().__init__([self.sample, self.relu])

    def view(self) -> View:
        number = self.sample.number - 1
        image, name = self._images[number], CLASSES[self._labels[number]]
        flat, first, second, logits = stages(self._model, image, self.relu.value)
        probabilities = logits.softmax(dim=0)
        grids = [
            picture(pixels_source(image[0].numpy()), f"The garment, a {name}", 140)
            + f"<br>image (1, 28, 28),<br>flattened ({len(flat)},)",
            *(
                picture(
                    pixels_source(_grid(values)), f"The {len(values)} units of the {word} hidden layer", 200
                )
                + f"<br>{word} hidden layer ({len(values)},):<br>{int((values != 0).sum())} units are not 0"
                for word, values in (("first", first), ("second", second))
            ),
        ]
        rows = [
            (CLASSES[i], f"{logits[i]:+.3f}", bar(probabilities[i].item(), f"{probabilities[i]:.1%}"))
            for i in range(10)
        ]
        outcome = table(("class", "logit", "probability"), rows, "logits (10,) and their softmax")
        best = int(probabilities.argmax())
        said = (
            f"The garment is a {name}. The largest logit is {logits[best]:+.3f}, for {CLASSES[best]}, "
            f"so the model says {CLASSES[best]} with probability {probabilities[best]:.1%}."
        )
        return View(side_by_side(*grids, outcome), said)

    def still(self) -> str:
        image = self._images[0]
        _, first, second, _ = stages(self._model, image)
        both = [torch.as_tensor(_grid(values)) for values in (first, second)]
        padded = nn.functional.pad(image[0], (0, 4, 2, 2))
        framed = [nn.functional.pad(grid, (0, 4, 8, 8)) for grid in both]
        return picture(pixels_source(torch.cat([padded, *framed], dim=1).numpy()), self.still_alt, 416)


def _grid(values: Tensor) -> np.ndarray:
    """Lay 512 values out in 16 rows of 32 by their size, the largest white; floats in 0 … 1."""
    size = values.abs()
    return (size / size.max().clamp(min=1e-12)).reshape(16, -1).numpy()
