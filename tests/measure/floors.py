"""Two floors under the time of an epoch: batches made ahead with the bare step, and the matrix products alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tests.measure.epoch import Seconds, Splits, device_of, time_parts


def bare_epoch(splits: Splits, model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Seconds:
    """Do an epoch with nothing but the step: over a list of batches, neither checked, printed nor averaged."""
    return time_parts(
        lambda: _bare_train(splits.train, model, loss_fn, optimizer),
        lambda: _bare_test(splits.test, model, loss_fn),
        device_of(model),
    )


def _bare_train(batches, model, loss_fn, optimizer) -> None:
    model.train()
    for images, labels in batches:
        loss_fn(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()


@torch.no_grad()
def _bare_test(batches, model, loss_fn) -> None:
    model.eval()
    for images, labels in batches:
        logits = model(images)
        loss_fn(logits, labels)
        # An evaluation without the number of right answers would be half of one.
        (logits.argmax(dim=1) == labels).sum()


class Products(NamedTuple):
    """The matrix products of one iteration, in the order and the memory layout in which PyTorch does them.

    Each is a pair of matrices and a place for their product.
    """

    forward: list[tuple[Tensor, Tensor, Tensor]]
    backward: list[tuple[Tensor, Tensor, Tensor]]


def products_of(model: nn.Module, batch_size: int) -> Products:
    """Return the products that a batch needs: for each linear layer its outputs, the derivatives by its weights
    and those by its inputs. The first layer has none of the last kind: nobody asks how the images should change.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    forward, backward = [], []
    for layer in layers:
        weight = layer.weight.detach()
        inputs = torch.rand(batch_size, layer.in_features, device=weight.device)
        slopes = torch.rand(batch_size, layer.out_features, device=weight.device)
        by_inputs = [] if layer is layers[0] else [(slopes, weight)]
        forward.append((inputs, weight.t()))
        backward = [*by_inputs, (slopes.t(), inputs), *backward]
    return Products(*([(a, b, torch.mm(a, b)) for a, b in pairs] for pairs in (forward, backward)))


def matrix_epoch(splits: Splits, model: nn.Module, loss_fn: nn.Module, optimizer: Optimizer) -> Seconds:
    """Do the matrix products of an epoch and nothing else: no loss, no update, no batch.

    A last, shorter batch counts as a whole one.
    """
    products = products_of(model, batch_size=len(splits.train[0][1]))
    return time_parts(
        lambda: multiply([*products.forward, *products.backward], len(splits.train)),
        lambda: multiply(products.forward, len(splits.test)),
        device_of(model),
    )


def multiply(products: list[tuple[Tensor, Tensor, Tensor]], repeats: int) -> None:
    """Do the products, again and again into the same places."""
    for _ in range(repeats):
        for left, right, product in products:
            torch.mm(left, right, out=product)
