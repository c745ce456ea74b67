"""What the minutes of the tutorial's ten epochs buy: ``OMP_NUM_THREADS=1 python -m tests.measure.budget``.

In turn, once for each seed and on one thread: the tutorial's listing, ten epochs with a test after each, and the final
recipe of lesson 07, which may take no longer. Both clocks start before the data is read. The recipe was chosen on the
validation split (``study``); the test split is used once a run, at its end.

A second run of the recipe finds out when it passes the accuracy at which the tutorial ends, and 88 and 90 %, on the
validation split. Its clock stands still while the model is evaluated, and the run ends with the last of them.

    python -m tests.measure.budget                    # the real data, five seeds, a quarter of an hour or more
    python -m tests.measure.budget --source standin   # the same offline
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import fmnist_helpers as helpers
from fmnist_helpers.recipes.recipe import Recipe, train_recipe
from fmnist_helpers.recipes.study import FINAL, STEPS
from tests.measure.epoch import LEARNING_RATE, listing_test, listing_train, standard_splits
from tests.measure.results import store
from tests.measure.spread import mean_and_deviation, median_and_range, median_ratio
from tests.measure.study import SOURCES, about, default_source
from tests.tools.course import RESULTS

NUM_EPOCHS = 10
THRESHOLDS = (0.71, 0.88, 0.90)
"""Validation accuracies whose time is measured; the first is where the tutorial ends."""


class Result(NamedTuple):
    """One timed run."""

    seconds: float
    test_accuracy: float


def tutorial_run(root: Path, seed: int) -> Result:
    """Run the tutorial's listing: SGD at 1e-3, batches of 64, all 60,000 images in order, a test after each epoch."""
    start = time.perf_counter()
    splits = standard_splits(root)
    torch.manual_seed(seed)
    model = helpers.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    with contextlib.redirect_stdout(io.StringIO()):
        for _ in range(NUM_EPOCHS):
            listing_train(splits.train, model, nn.CrossEntropyLoss(), optimizer)
            listing_test(splits.test, model, nn.CrossEntropyLoss())
    seconds = time.perf_counter() - start
    return Result(seconds, _test_accuracy(model, root))


def recipe_run(recipe: Recipe, root: Path, seed: int) -> Result:
    """Carry out the recipe, reading the data and the validation after every epoch included."""
    start = time.perf_counter()
    run = train_recipe(recipe, root, seed, progress=False)
    seconds = time.perf_counter() - start
    if run.history.interrupted:
        # What was stopped half-way is no measurement of the recipe.
        raise KeyboardInterrupt
    return Result(seconds, _test_accuracy(run.model, root))


def _test_accuracy(model: nn.Module, root: Path) -> float:
    loader = helpers.make_loaders(root, batch_size=1000, num_valid=0).test
    return helpers.test_loop(loader, model, nn.CrossEntropyLoss(), verbose=False).accuracy


class AllPassed(Exception):  # noqa: N818 (it is no error)
    """The model has passed every threshold, so there is nothing left to watch for."""


class Milestones:
    """Notes the time at which a model first passes each threshold, and raises :class:`AllPassed` with the last.

    Its clock starts when it is made, and stands still during evaluations.

    Args:
        root: the data; the model is evaluated on the validation split.
        thresholds: accuracies, 0 to 1, ascending.
        num_valid: size of the validation split.
        fine: evaluate after every 5th step until so many steps are done, and after every 50th from then on.

    Attributes:
        seconds: the time of each threshold that was passed.
    """

    def __init__(
        self, root: Path, thresholds: tuple[float, ...], num_valid: int = 5000, fine: int = 200
    ) -> None:
        self.seconds: dict[float, float] = {}
        self._thresholds, self._fine, self._step = thresholds, fine, 0
        self._loader = helpers.make_loaders(root, batch_size=1000, num_valid=num_valid).valid
        self._start, self._paused = time.perf_counter(), 0.0

    def __call__(self, model: nn.Module) -> None:
        """Evaluate, if it is time to; what ``train_recipe`` calls after each step."""
        self._step += 1
        open_thresholds = [value for value in self._thresholds if value not in self.seconds]
        if self._step % (5 if self._step <= self._fine else 50):
            return
        before = time.perf_counter()
        accuracy = helpers.test_loop(self._loader, model, nn.CrossEntropyLoss(), verbose=False).accuracy
        model.train()
        for threshold in open_thresholds:
            if accuracy > threshold:
                self.seconds[threshold] = before - self._start - self._paused
        if len(self.seconds) == len(self._thresholds):
            raise AllPassed
        self._paused += time.perf_counter() - before


def milestones(recipe: Recipe, root: Path, seed: int) -> dict[float, float]:
    """Return the seconds after which the recipe passes each threshold, reading the data included."""
    watch = Milestones(root, THRESHOLDS)
    with contextlib.suppress(AllPassed):
        train_recipe(recipe, root, seed, progress=False, after_step=watch)
    return watch.seconds


def summary(tutorial: list[Result], recipe: list[Result], passed: list[dict[float, float]]) -> dict[str, Any]:
    """Return the figures of all runs, as they are stored."""
    budget = statistics.median(result.seconds for result in tutorial)
    return {
        "tutorial": [run._asdict() for run in tutorial],
        "recipe": [run._asdict() for run in recipe],
        "share_of_budget": median_ratio([run.seconds for run in recipe], [run.seconds for run in tutorial]),
        "mean_test_accuracy": statistics.mean(run.test_accuracy for run in recipe),
        "passed": {
            f"{threshold:.0%}": {
                "seconds": statistics.median(one[threshold] for one in passed),
                "share_of_budget": statistics.median(one[threshold] for one in passed) / budget,
            }
            for threshold in THRESHOLDS
            if all(threshold in one for one in passed)
        },
    }


def report(figures: dict[str, Any]) -> str:
    """Return the figures as a table, and what share of the tutorial's time the recipe takes."""
    titles = {"tutorial": "the tutorial's ten epochs", "recipe": "the final recipe of lesson 07"}
    lines = [f"{'':30s} {'seconds':>22s} {'test accuracy in %':>30s}"]
    for name, title in titles.items():
        seconds = median_and_range([run["seconds"] for run in figures[name]], 1)
        accuracy = mean_and_deviation([100 * run["test_accuracy"] for run in figures[name]], 2)
        lines.append(f"{title:30s} {seconds:>22s} {accuracy:>30s}")
    lines.append(f"the recipe took {figures['share_of_budget']:.0%} of the time (median of the pairs)")
    for threshold, passed in figures["passed"].items():
        lines.append(
            f"it passes {threshold} on validation after {passed['seconds']:.2f} s, "
            f"{passed['share_of_budget']:.1%} of the tutorial's time"
        )
    return "\n".join(lines)


def run_pairs(recipe: Recipe, root: Path, num_pairs: int) -> dict[str, Any]:
    """Run both in turn, once for each seed, then the recipe again for its milestones; return the summary."""
    tutorial, recipes = [], []
    for seed in range(num_pairs):
        tutorial.append(tutorial_run(root, seed))
        recipes.append(recipe_run(recipe, root, seed))
        for name, runs in (("tutorial", tutorial), ("recipe", recipes)):
            print(
                f"seed {seed}: the {name} {runs[-1].seconds:.1f} s, {runs[-1].test_accuracy:.2%}", flush=True
            )
    return summary(tutorial, recipes, [milestones(recipe, root, seed) for seed in range(num_pairs)])


def main() -> None:
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=SOURCES, default=default_source())
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--epochs", type=int, help="of the recipe, if not its own number, for a trial")
    parser.add_argument("--output", type=Path, help="where to store (default: notebooks/results)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipe = STEPS[FINAL].recipe
    try:
        root = helpers.prepare_data(source=arguments.source)
        if arguments.epochs is not None:
            recipe = replace(recipe, num_epochs=arguments.epochs)
        if arguments.seeds < 1:
            raise ValueError(f"--seeds is {arguments.seeds}; at least one run is needed")
    except (ValueError, helpers.DataError) as error:
        sys.exit(str(error))
    figures = run_pairs(recipe, root, arguments.seeds)
    print(report(figures))
    header = about(arguments.source, None)
    header |= {"command": "python -m tests.measure.budget", "seconds": "of the clock"}
    store({"about": header, **figures}, arguments.output or RESULTS / f"budget_{arguments.source}.json")


if __name__ == "__main__":
    main()
