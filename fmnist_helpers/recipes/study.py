"""The study of lessons 06 and 07: which recipes it compares, one change at a time, and what came of them.

``make study`` carries it out (``tests/measure/study.py``) and stores the results, which the lessons read.
"""

from __future__ import annotations

import base64
import html
import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmnist_helpers.recipes.gains import Elsewhere, PairedGain, chosen_on_one_half, paired_gain
from fmnist_helpers.recipes.recipe import Recipe


class Step(NamedTuple):
    """One change to a recipe."""

    name: str
    """What is changed, in a few words."""
    compared_with: str | None
    """The step whose recipe is changed; None for the first."""
    recipe: Recipe


def _steps() -> dict[str, Step]:
    steps = {"the tutorial": Step("the tutorial", None, Recipe())}

    def change(name: str, compared_with: str, **changes: Any) -> None:
        steps[name] = Step(name, compared_with, replace(steps[compared_with].recipe, **changes))

    change("shuffling", "the tutorial", shuffle=True)
    change("normalisation", "shuffling", normalise=True)
    change("rate x 30", "normalisation", learning_rate=0.03)
    change("batch and rate x 4", "rate x 30", batch_size=256, learning_rate=0.12)
    change("momentum", "batch and rate x 4", momentum=0.9, learning_rate=0.012)
    change("AdamW", "batch and rate x 4", optimizer="AdamW", learning_rate=1e-3, weight_decay=0.01)
    change("early stopping", "AdamW", num_epochs=30, patience=4)
    change("averaged weights", "momentum", averaging=0.995)
    change("one cycle", "momentum", schedule="one cycle", learning_rate=0.05)
    change("CNN", "one cycle", model="CNN", num_epochs=8, weight_decay=5e-4, learning_rate=0.2)
    change("bfloat16", "CNN", channels_last=True, bfloat16=True)
    change("flips", "bfloat16", flip=True)
    change("shifts", "flips", shift=1)
    change("label smoothing", "flips", label_smoothing=0.1)
    change("views without flips", "bfloat16", both_views=True)
    change("both views", "flips", both_views=True)
    change("flips in turn", "both views", flips_in_turn=True)
    return steps


STEPS = _steps()
"""The recipes of the study by name, in the order of the lesson."""

RUN = "in a terminal in the course's folder run"

FINAL = "flips in turn"
"""The step that the course ends with, chosen on the validation split."""


@dataclass(frozen=True)
class Row:
    """What the study measured of one recipe."""

    name: str
    compared_with: str | None
    recipe: dict[str, Any]
    num_parameters: int
    accuracies: tuple[float, ...]
    """Accuracy on the validation split at the end of each run, 0 to 1; one for each seed."""
    seconds: tuple[float, ...]
    """Time of each run on one thread, training and a validation after every epoch: the processor's, as ``about`` says.

    Wall time would tell, on a machine that is shared, what its other users did."""
    curves: tuple[tuple[float, ...], ...]
    """Validation accuracy after each epoch of the weights as trained, for each seed; averaging comes at the end."""
    bits: tuple[bytes, ...]
    """Which validation images each run named correctly in the end: a bit for each, eight to the byte."""
    num_images: int
    """How many validation images there are."""
    halves: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Where an epoch was chosen: the accuracies on the validation images at even and at odd places, for each epoch."""

    @property
    def right(self) -> NDArray:
        """Which validation images each run named correctly in the end, of shape (seeds, images).

        Of a study from before they were stored the accuracies stand here, of shape (seeds, 1)."""
        if not self.bits:
            return np.array(self.accuracies)[:, None]
        packed = np.frombuffer(b"".join(self.bits), dtype=np.uint8).reshape(len(self.bits), -1)
        return np.unpackbits(packed, axis=1, count=self.num_images).astype(bool)

    @property
    def mean(self) -> float:
        """Mean validation accuracy, 0 to 1."""
        return statistics.mean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds (with n − 1), 0 if there is one seed."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0

    @property
    def median_seconds(self) -> float:
        """Median time of a run."""
        return statistics.median(self.seconds)


class Study(dict[str, Row]):
    """The rows of a study by name; ``print(study)`` shows them as a table, ``about`` says where they were measured."""

    about: dict[str, Any]

    def __init__(self, rows: Iterable[Row], about: dict[str, Any]) -> None:
        super().__init__((row.name, row) for row in rows)
        self.about = about

    def gain(self, name: str) -> float | None:
        """Return by how much a step's mean accuracy exceeds that of the step it changes; None where that is missing."""
        before = self.get(self[name].compared_with or "")
        return None if before is None else self[name].mean - before.mean

    @property
    def num_seeds(self) -> int:
        """How many runs each row has."""
        return min((len(row.accuracies) for row in self.values()), default=0)

    @property
    def num_comparisons(self) -> int:
        """How many rows stand beside the row that they change."""
        return sum(row.compared_with in self for row in self.values())

    def paired(self, name: str, other: str | None = None) -> PairedGain | None:
        """Return a step's gain over the step it changes, or over ``other``, and how sure it is.

        The margin is for all comparisons of the table together. None where the other step is missing.
        """
        before = self.get(other or self[name].compared_with or "")
        if before is None:
            return None
        return paired_gain(self[name].right, before.right, self.num_comparisons)

    def elsewhere(self, name: str) -> Elsewhere | None:
        """Return what a step that chooses an epoch gains on the images that chose it, and on the others.

        None of a step that chooses none, or from before this was stored."""
        if not self[name].halves:
            return None
        return chosen_on_one_half(self[name].halves, self[self[name].compared_with].right)

    def __str__(self) -> str:
        head = ("step", "changes", "valid accuracy", "gain", "± by chance", "seconds", "parameters")
        line = "{:20s} {:20s} {:>15s} {:>7s} {:>12s} {:>8s} {:>11s}"
        return "\n".join(line.format(*cells) for cells in [head, *map(self._cells, self.values())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the table, folded."""
        return f"<details><summary>The whole table</summary><pre>{html.escape(str(self))}</pre></details>"

    def _cells(self, row: Row) -> tuple[str, ...]:
        paired = self.paired(row.name)
        return (
            row.name,
            row.compared_with or "",
            f"{100 * row.mean:.2f} ± {100 * row.deviation:.2f} %",
            "" if paired is None else f"{100 * paired.gain:+.2f}",
            "" if paired is None else f"{100 * paired.margin:.2f}",
            f"{row.median_seconds:.0f}",
            f"{row.num_parameters:,d}",
        )


def read_study(path: str | Path) -> Study:
    """Read what ``make study`` has stored, of those seeds that every step has been run with.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        folder = path.absolute().parent
        raise FileNotFoundError(f"there is no study {path.name} in {folder}; {RUN} `make study`")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        steps = content["steps"]
        seeds = set.intersection(*({run["seed"] for run in stored["runs"]} for stored in steps.values()))
        rows = [_row(name, stored, seeds, content.get("num_images", 0)) for name, stored in steps.items()]
        return Study(rows, content["about"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path.absolute()} does not hold a study; to replace it, {RUN} `make study STUDY_OPTIONS=--fresh`"
        ) from error


def _row(name: str, stored: dict[str, Any], seeds: set[int], num_images: int) -> Row:
    runs = sorted((run for run in stored["runs"] if run["seed"] in seeds), key=lambda run: run["seed"])
    return Row(
        name,
        stored["compared_with"],
        stored["recipe"],
        stored["num_parameters"],
        tuple(run["valid_accuracy"] for run in runs),
        tuple(run["seconds"] for run in runs),
        tuple(tuple(run["curve"]) for run in runs),
        tuple(base64.b64decode(run["right"]) for run in runs if "right" in run),
        num_images,
        tuple(tuple(map(tuple, run["halves"])) for run in runs if "halves" in run),
    )
