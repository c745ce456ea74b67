"""The explorer of lesson 07: any two recipes of the study, side by side."""

from __future__ import annotations

import math
import statistics

from ipywidgets import Dropdown

from fmnist_helpers.recipes.study import Row, Study
from fmnist_helpers.widgets.chart import line_chart
from fmnist_helpers.widgets.views import Caption, Interactive, View, picture, side_by_side, svg_source, table


class StudyExplorer(Interactive):
    """Two steps of the study: their curves, their settings, and whether the spread over seeds explains the difference.

    Args:
        study: as ``read_study`` returns it.
        step: which step stands first.
    """

    caption = Caption(
        "Which change paid?",
        "choose a step; the other list follows to the step that it changes. Then choose any other.",
        "will the difference be larger than the spread over the seeds?",
        "where a curve starts says how fast a recipe learns, where it ends what it is worth. Some changes gain much at "
        "one end and nothing at the other.",
    )
    still_alt = (
        "Validation accuracy against the epoch for two recipes: the convolutional network lies above the best "
        "multilayer perceptron from the first epoch on."
    )

    def __init__(self, study: Study, step: str = "CNN") -> None:
        self.study = study
        names = list(study)
        self.step = Dropdown(description="step", options=names, value=step)
        self.other = Dropdown(description="beside", options=names, value=self._before(step))
        self.step.observe(self._follow, names="value")
        super().__init__([self.step, self.other])

    def _before(self, step: str) -> str:
        return self.study[step].compared_with or step

    def _follow(self, change: object) -> None:
        self.other.value = self._before(self.step.value)

    @property
    def _rows(self) -> tuple[Row, Row]:
        return self.study[self.step.value], self.study[self.other.value]

    def view(self) -> View:
        return View(side_by_side(self._chart(), self._settings()), self._verdict())

    def _verdict(self) -> str:
        one, other = self._rows
        if one is other:
            return f"{one.name}: {_percent(one)}."
        gain = 100 * (one.mean - other.mean)
        noise = (
            100 * (one.deviation**2 / len(one.accuracies) + other.deviation**2 / len(other.accuracies)) ** 0.5
        )
        size = "more than twice" if abs(gain) > 2 * noise else "less than twice"
        return (
            f"{one.name} {_percent(one)}, {other.name} {_percent(other)}: a difference of {gain:+.2f} points, "
            f"{size} its standard error of {noise:.2f} points."
        )

    def _chart(self, alt: str = "") -> str:
        lines = {row.name: mean_curve(row) for row in self._rows}
        # Most recipes end close together at the top; the axis begins where the lower curve does.
        lowest = min(accuracy for points in lines.values() for _, accuracy in points)
        drawn = line_chart(
            lines,
            title="Validation accuracy, mean over the seeds",
            xlabel="epoch",
            ylabel="accuracy (%)",
            xlim=(1, max(len(points) for points in lines.values())),
            ylim=(10 * math.floor(lowest / 10), 100),
            dots=True,
        )
        alt = alt or f"Validation accuracy after each epoch of {' and '.join(lines)}"
        return picture(svg_source(drawn), alt, 404)

    def _settings(self) -> str:
        one, other = self._rows
        differing = [name for name in one.recipe if one.recipe[name] != other.recipe[name]]
        rows = [
            (name.replace("_", " "), str(one.recipe[name]), str(other.recipe[name])) for name in differing
        ]
        rows.append(("seconds", f"{one.median_seconds:.0f}", f"{other.median_seconds:.0f}"))
        rows.append(("parameters", f"{one.num_parameters:,}", f"{other.num_parameters:,}"))
        return table(("setting", one.name, other.name), rows, "In what they differ")

    def still(self) -> str:
        return self._chart(self.still_alt)


def _percent(row: Row) -> str:
    return f"{100 * row.mean:.2f} ± {100 * row.deviation:.2f} %"


def mean_curve(row: Row) -> list[tuple[float, float]]:
    """Return (epoch, mean accuracy in per cent) of the seeds; after an early stop fewer seeds are left."""
    longest = max(len(curve) for curve in row.curves)
    at_epoch = [[curve[epoch] for curve in row.curves if epoch < len(curve)] for epoch in range(longest)]
    return [(epoch + 1.0, 100 * statistics.mean(values)) for epoch, values in enumerate(at_epoch)]
