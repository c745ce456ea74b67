"""One epoch of the recipe by well-known packages: Lightning, skorch and Ignite, as their users write it.

Each gets the same model, the same loss and a loader of the same batches. Progress bars, loggers, checkpoints and
summaries are off, in the way each package's documentation says. Only the epoch is timed, never what a package
does once before its first. Each measures loss and accuracy on the test part, as the listing does. A package that
is not installed is left out, and :func:`missing_peers` names it; ``pip install -e '.[bench]'`` installs all.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from importlib.metadata import version
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tests.measure.epoch import Seconds, Splits, Way, device_of, now, time_parts


def lightning_epoch(splits: Splits, model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Seconds:
    """Do an epoch by Lightning's ``Trainer.fit``."""
    import lightning

    clock = _lightning_clock(device_of(model))
    with warnings.catch_warnings():
        # It advises worker processes, and on a GPU machine to use the GPU; both would be another benchmark.
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        trainer = lightning.Trainer(
            accelerator=device_of(model).type,
            devices=1,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=[clock],
        )
        trainer.fit(_lightning_module(model, loss_fn, optimizer), splits.train, splits.test)
    return clock.seconds()


def _lightning_module(model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Any:
    import lightning

    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.loss_fn = model, loss_fn

        def training_step(self, batch: list[Tensor], batch_number: int) -> Tensor:
            images, labels = batch
            return self.loss_fn(self.model(images), labels)

        def validation_step(self, batch: list[Tensor], batch_number: int) -> None:
            images, labels = batch
            logits = self.model(images)
            accuracy = (logits.argmax(dim=1) == labels).float().mean()
            self.log("valid_loss", self.loss_fn(logits, labels))
            self.log("valid_accuracy", accuracy)

        def configure_optimizers(self) -> Optimizer:
            return optimizer

    return Classifier()


def _lightning_clock(device: torch.device) -> Any:
    import lightning

    class Clock(lightning.Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            self.start = now(device)

        def on_validation_start(self, *_: Any) -> None:
            self.middle = now(device)

        # Lightning tests inside the training epoch, before it says that this is at its end.
        def on_train_epoch_end(self, *_: Any) -> None:
            self.end = now(device)

        def seconds(self) -> Seconds:
            return Seconds(self.middle - self.start, self.end - self.middle)

    return Clock()


def skorch_epoch(splits: Splits, model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Seconds:
    """Do an epoch by skorch's ``NeuralNetClassifier.fit``, which makes loaders and an optimiser of its own."""
    from skorch import NeuralNetClassifier
    from skorch.helper import predefined_split

    clock = _skorch_clock(device_of(model))
    net = NeuralNetClassifier(
        model,
        criterion=loss_fn,
        optimizer=type(optimizer),
        lr=optimizer.param_groups[0]["lr"],
        max_epochs=1,
        batch_size=splits.train.batch_size,
        iterator_train__collate_fn=splits.train.collate_fn,
        iterator_valid__collate_fn=splits.test.collate_fn,
        train_split=predefined_split(splits.test.dataset),
        callbacks=[("clock", clock)],
        callbacks__print_log=None,
        classes=list(range(len(splits.train.dataset.classes))),
        device=str(device_of(model)),
    )
    net.fit(splits.train.dataset, y=None)
    return clock.seconds()


def _skorch_clock(device: torch.device) -> Any:
    from skorch.callbacks import Callback

    class Clock(Callback):
        def on_epoch_begin(self, net: Any, **_: Any) -> None:
            self.start, self.middle = now(device), None

        def on_batch_begin(self, net: Any, training: bool = False, **_: Any) -> None:
            if self.middle is None and not training:
                self.middle = now(device)

        def on_epoch_end(self, net: Any, **_: Any) -> None:
            self.end = now(device)

        def seconds(self) -> Seconds:
            return Seconds(self.middle - self.start, self.end - self.middle)

    return Clock()


def ignite_epoch(splits: Splits, model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Seconds:
    """Do an epoch by Ignite's supervised trainer and evaluator."""
    from ignite.engine import create_supervised_evaluator, create_supervised_trainer
    from ignite.metrics import Accuracy, Loss

    device = device_of(model)
    metrics = {"accuracy": Accuracy(device=device), "loss": Loss(loss_fn, device=device)}
    trainer = create_supervised_trainer(model, optimizer, loss_fn, device=device)
    evaluator = create_supervised_evaluator(model, metrics=metrics, device=device)
    return time_parts(
        lambda: trainer.run(splits.train, max_epochs=1), lambda: evaluator.run(splits.test), device
    )


class Peer(NamedTuple):
    """A package to compare with."""

    module: str
    """What is imported."""
    distribution: str
    """What is installed."""
    epoch: Way


PEERS = {
    "Lightning": Peer("lightning", "lightning", lightning_epoch),
    "skorch": Peer("skorch", "skorch", skorch_epoch),
    "Ignite": Peer("ignite", "pytorch-ignite", ignite_epoch),
}


def installed_peers() -> dict[str, Peer]:
    """Return the peers that can be imported here, by their names."""
    return {name: peer for name, peer in PEERS.items() if importlib.util.find_spec(peer.module)}


def missing_peers() -> list[str]:
    """Return the names of the others."""
    return [name for name in PEERS if name not in installed_peers()]


def peer_versions() -> dict[str, str]:
    """Return the version of each installed peer, by the name under which it is installed."""
    return {peer.distribution: version(peer.distribution) for peer in installed_peers().values()}
