"""Lesson 05: watch a model train and stop it when you like; break the loop and compare."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from fmnist_helpers.explain import LossFunction
from fmnist_helpers.history import History
from fmnist_helpers.loops import fit, run_epoch
from fmnist_helpers.progress import in_notebook
from fmnist_helpers.watch import WatchedLoader, WatchedLoss
from fmnist_helpers.widgets.background import Worker
from fmnist_helpers.widgets.broken_loop import (
    BUGS,
    DROPOUT_BUGS,
    NUM_ITERATIONS,
    RATES,
    RIGHT,
    TOLD,
    Curve,
    train_with_bug,
)
from fmnist_helpers.widgets.chart import line_chart, smooth
from fmnist_helpers.widgets.toolkit import Button, Dropdown
from fmnist_helpers.widgets.views import Caption, Interactive, View, picture, side_by_side, svg_source

SECONDS_BETWEEN_PICTURES = 0.4

# fmt: off
EARLIER_LOSSES = (
    2.29, 1.16, 0.80, 0.73, 0.63, 0.62, 0.62, 0.53, 0.56, 0.50, 0.54, 0.50, 0.50, 0.47, 0.52, 0.45,
    0.47, 0.48, 0.45, 0.46, 0.45, 0.41, 0.43, 0.42, 0.38, 0.45, 0.47, 0.39, 0.38, 0.38, 0.39, 0.39,
    0.42, 0.36, 0.37, 0.38, 0.36, 0.41, 0.37, 0.40, 0.36, 0.34, 0.35,
)
# fmt: on
"""Loss of every 60th batch, each the mean of up to 20, in three epochs of SGD at rate 0.1 on the real data."""
EARLIER_ACCURACIES = {"training": (76.2, 84.5, 86.0), "validation": (77.9, 80.7, 85.7)}
"""Per cent after each epoch of the same run."""
EARLIER_BATCHES = 2580


def watch_training(
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    loss_fn: LossFunction,
    optimizer: Optimizer,
    num_epochs: int,
) -> TrainingDashboard | History:
    """Return a dashboard that trains at the press of a button; without a notebook, train and print lines.

    The arguments are those of :func:`fmnist_helpers.fit`. Outside of Jupyter, where no button can be shown, the
    run starts at once, prints a line for each epoch, and its history is returned.
    """
    arguments = (model, train_loader, valid_loader, loss_fn, optimizer, num_epochs)
    if in_notebook():
        return TrainingDashboard(*arguments)
    history = fit(*arguments, progress=False)
    print(history)
    return history


class TrainingDashboard(Interactive):
    """Trains in a thread of its own, shows how it goes, and stops when asked to.

    Because it does not block the kernel, other cells can look at the model meanwhile, and the stop button
    is heard at once. A stopped model keeps what it has learnt; pressing start again goes on.

    Args:
        model, train_loader, valid_loader, loss_fn, optimizer, num_epochs: as :func:`fmnist_helpers.fit` takes them.

    Attributes:
        history: one row for each finished epoch.
        losses: the loss of every batch so far.
    """

    caption = Caption(
        "Training, live",
        "press Start; then stop it in the middle of an epoch and start it again.",
        "at which loss will it begin, and will the validation accuracy of the first epoch lie above or "
        "below the training accuracy?",
        "the loss of single batches is noisy, its trend is not. After a stop the model is not lost: training "
        "goes on from there.",
    )
    still_alt = "Two charts of an earlier run: the loss of each batch, and the accuracy after each epoch."

    def __init__(
        self,
        model: nn.Module,
        train_loader: DataLoader,
        valid_loader: DataLoader,
        loss_fn: LossFunction,
        optimizer: Optimizer,
        num_epochs: int,
    ) -> None:
        self._model, self._optimizer, self._loss_fn = model, optimizer, loss_fn
        self._train_loader, self._valid_loader, self._num_epochs = train_loader, valid_loader, num_epochs
        self.history, self.losses = History(), []
        self._message = "Not started."
        self._stop, self._worker = threading.Event(), Worker()
        self._num_batches, self._shown_at = 0, 0.0
        self.start_button = Button(description="Start", icon="play", tooltip="Train in the background")
        self.stop_button = Button(
            description="Stop", icon="stop", tooltip="Stop and keep the model", disabled=True
        )
        self.start_button.on_click(self.start)
        self.stop_button.on_click(self.stop)
        super().__init__([self.start_button, self.stop_button])

    @property
    def running(self) -> bool:
        """Whether it is training."""
        return self._worker.busy

    def start(self, button: Any = None) -> None:
        """Begin to train, or go on, until all epochs are done."""
        if self.running or len(self.history) >= self._num_epochs:
            return
        self._stop.clear()
        self.start_button.disabled, self.stop_button.disabled = True, False
        self._worker.start(self._train)

    def stop(self, button: Any = None) -> None:
        """Stop after the batch at work; the model stays as it is then."""
        self._stop.set()

    def wait(self) -> None:
        """Return when training has ended."""
        self._worker.wait()

    def _train(self) -> None:
        # Watched, so that a press of Stop is heard at the next batch, and every loss is seen.
        loader = WatchedLoader(self._train_loader, self._before_batch)
        loss_fn = WatchedLoss(self._loss_fn, self._keep_loss)
        try:
            while len(self.history) < self._num_epochs:
                self._num_batches = 0
                self._run_epoch(loader, loss_fn)
            self._message = f"Done: {len(self.history)} epochs."
        except _Stopped:
            self._message = (
                f"Stopped in epoch {len(self.history) + 1} after {self._num_batches} of {len(loader)} batches. "
                "The model keeps what it has learnt."
            )
        except Exception as error:
            self._message = f"Training ended with an error. {type(error).__name__}: {error}"
        finally:
            self.stop_button.disabled = True
            self.start_button.disabled = len(self.history) >= self._num_epochs
            self.start_button.description = "Go on"
            self.refresh()

    def _run_epoch(self, loader: WatchedLoader, loss_fn: WatchedLoss) -> None:
        number = len(self.history) + 1
        row = run_epoch(number, self._model, loader, self._valid_loader, loss_fn, self._optimizer)
        self.history.append(row)

    def _before_batch(self) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._num_batches += 1

    def _keep_loss(self, loss: Tensor) -> Tensor:
        # The validation split is evaluated with the same loss function, and without a graph.
        if loss.requires_grad:
            self.losses.append(loss.item())
            if time.monotonic() - self._shown_at > SECONDS_BETWEEN_PICTURES:
                self._message = (
                    f"Epoch {len(self.history) + 1} of {self._num_epochs}, "
                    f"batch {self._num_batches} of {len(self._train_loader)}."
                )
                self.refresh()
                self._shown_at = time.monotonic()
        return loss

    def view(self) -> View:
        said = self._message
        if self.history:
            last = self.history[-1]
            said += (
                f" After epoch {last.epoch}: training loss {last.train_loss:.3f}, validation loss "
                f"{last.valid_loss:.3f}, validation accuracy {last.valid_accuracy:.1%}."
            )
        smoothed = smooth(self.losses, 20)
        # A screen has no room for more points than this.
        every = max(1, len(smoothed) // 400)
        accuracies = {
            name: [100 * value for value in self.history.column(f"{part}_accuracy")]
            for name, part in (("training", "train"), ("validation", "valid"))
        }
        total = self._num_epochs * len(self._train_loader)
        charts = _charts(list(enumerate(smoothed))[::every], total, accuracies, self._num_epochs)
        return View(side_by_side(*charts), said)

    def still(self) -> str:
        points = [(60 * place, loss) for place, loss in enumerate(EARLIER_LOSSES)]
        num_epochs = len(EARLIER_ACCURACIES["training"])
        charts = _charts(points, EARLIER_BATCHES, EARLIER_ACCURACIES, num_epochs, "An earlier run: ")
        return f'<div role="group" aria-label="{self.still_alt}">{side_by_side(*charts)}</div>'


def _charts(
    losses: list[tuple[int, float]],
    num_batches: int,
    accuracies: Mapping[str, Sequence[float]],
    num_epochs: int,
    whose: str = "",
) -> Iterator[str]:
    """Give two pictures: the loss of the batches, and the accuracies in per cent after each epoch."""
    loss_title, accuracy_title = (
        (whose + words).capitalize()
        for words in ("loss of the batch, mean of 20", "accuracy after each epoch")
    )
    loss_chart = line_chart(
        {"loss": losses},
        title=loss_title,
        xlabel="iteration",
        ylabel="loss",
        xlim=(0, num_batches),
        ylim=(0, 2.5),
    )
    accuracy_chart = line_chart(
        {name: list(enumerate(values, start=1)) for name, values in accuracies.items()},
        title=accuracy_title,
        xlabel="epoch",
        ylabel="accuracy (%)",
        xlim=(0, num_epochs),
        ylim=(0, 100),
        dots=True,
    )
    yield picture(svg_source(loss_chart), f"{loss_title}, against the iteration", 404)
    yield picture(svg_source(accuracy_chart), f"{accuracy_title}, of training and validation", 404)


class _Stopped(Exception):  # noqa: N818  It is a request, not an error.
    """The stop button was pressed."""


class BreakTheLoop(Interactive):
    """One bug at a time in a training loop, its curves beside those of the right loop.

    Args:
        make_loader: makes the training loader; called for every run, so that each sees the same batches.
        valid_loader: its first thousand samples are the ones evaluated.
    """

    caption = Caption(
        "Break the loop",
        "choose a bug and watch it beside the right loop, first at rate 0.1, then at the tutorial's 0.001.",
        "which of the bugs will you see in the loss, and which only in the accuracy?",
        "no bug raises an error. Some stop all learning, some only slow it down, and at the tiny rate two "
        "of them even help.",
    )
    still_alt = "Accuracy while training, with and without the bug of leaving zero_grad out, at rate 0.1."

    def __init__(self, make_loader: Callable[[], DataLoader], valid_loader: DataLoader) -> None:
        self._make_loader, self._valid = make_loader, _first_samples(valid_loader)
        self.curves: dict[tuple[str, float, bool], Curve] = {}
        self._worker = Worker()
        self._lock, self._busy = threading.Lock(), False
        self.bug = Dropdown(description="bug", options=list(BUGS))
        self.rate = Dropdown(description="rate", options=RATES, value=0.1)
        super().__init__([self.bug, self.rate])
        # The first pair at once, so that there is something to look at.
        self._run()

    def refresh(self, change: Any = None) -> None:
        """Show the chosen pair, and run what of it has not been run yet."""
        self.show(self.view())
        with self._lock:
            if change is None or self._busy or not self._missing():
                return
            self._busy = True
        self._worker.start(self._run)

    def start(self) -> None:
        """Run the chosen pair as if a control had been moved."""
        self.refresh(change={})

    def wait(self) -> None:
        """Return when every run that was asked for is over."""
        self._worker.wait()

    def _pair(self) -> list[tuple[str, float, bool]]:
        dropout = self.bug.value in DROPOUT_BUGS
        return [(bug, self.rate.value, dropout) for bug in (RIGHT, self.bug.value)]

    def _missing(self) -> list[tuple[str, float, bool]]:
        return [key for key in self._pair() if not self._finished(key)]

    def _finished(self, key: tuple[str, float, bool]) -> bool:
        return key in self.curves and len(self.curves[key].losses) == NUM_ITERATIONS

    def _run(self) -> None:
        try:
            while (key := self._next()) is not None:
                bug, rate, dropout = key
                report = functools.partial(self._keep, key)
                train_with_bug(bug, rate, self._make_loader(), self._valid, dropout=dropout, report=report)
        finally:
            self._busy = False
        self.show(self.view())

    def _next(self) -> tuple[str, float, bool] | None:
        """Return what to run next; the choice may change while something runs."""
        with self._lock:
            missing = self._missing()
            # Said under the lock, so that a choice made now starts a worker of its own.
            self._busy = bool(missing)
            return missing[0] if missing else None

    def _keep(self, key: tuple[str, float, bool], curve: Curve) -> None:
        self.curves[key] = curve
        self.show(self.view())

    def view(self) -> View:
        pair = self._pair()
        missing = self._missing()
        if missing:
            done = max((len(self.curves[key].losses) for key in missing if key in self.curves), default=0)
            said = f"Running {missing[0][0]}: {done} of {NUM_ITERATIONS} iterations."
        else:
            right, buggy = (self.curves[key].accuracies[-1][1] for key in pair)
            said = f"At the end, accuracy {right:.1%} without the bug and {buggy:.1%} with it."
            said += " " + TOLD[self.bug.value]
        alt = f"Accuracy of the right loop and of one with the bug: {self.bug.value}"
        return View(side_by_side(*self._charts(pair, alt)), said)

    def _charts(self, pair: list[tuple[str, float, bool]], alt_of_accuracies: str) -> Iterator[str]:
        names = ("right loop", self.bug.value)
        curves = [self.curves.get(key, Curve()) for key in pair]
        losses = {
            name: list(enumerate(smooth(curve.losses, 10)))[::3]
            for name, curve in zip(names, curves, strict=True)
        }
        accuracies = {
            name: [(iteration, 100 * value) for iteration, value in curve.accuracies]
            for name, curve in zip(names, curves, strict=True)
        }
        common = {"xlabel": "iteration", "xlim": (0, NUM_ITERATIONS)}
        loss = line_chart(
            losses, title="Loss of the batch, mean of 10", ylabel="loss (nats)", ylim=(0, 4), **common
        )
        accuracy = line_chart(
            accuracies, title="Accuracy on validation images", ylabel="accuracy (%)", ylim=(0, 100), **common
        )
        yield picture(svg_source(loss), f"Loss of the right loop and of one with the bug: {names[1]}", 404)
        yield picture(svg_source(accuracy), alt_of_accuracies, 404)

    def still(self) -> str:
        _, accuracy = self._charts(self._pair(), self.still_alt)
        return accuracy


def _first_samples(loader: DataLoader, number: int = 1000) -> tuple[Tensor, Tensor]:
    images, labels = [], []
    for some_images, some_labels in loader:
        images.append(some_images)
        labels.append(some_labels)
        if sum(map(len, labels)) >= number:
            break
    return torch.cat(images)[:number], torch.cat(labels)[:number]
