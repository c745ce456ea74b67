"""The recorder sees what a loop does in which order, and changes no number; the timeline draws what it saw."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import pytest
import torch

import fmnist_helpers as fh
from fmnist_helpers.exercises import trace_training
from fmnist_helpers.exercises.recorder import KINDS, Trace
from fmnist_helpers.exercises.toy import CROSS_ENTROPY, parameters_of, small_loader, small_model


def traced(loop, *, model=None, num_samples=10, **options):
    model = model or small_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return trace_training(
        loop, small_loader(num_samples, 4), model, CROSS_ENTROPY, optimizer, **options
    ), model


def test_train_loop_is_recorded_event_by_event():
    trace, _ = traced(fh.train_loop, verbose=False)
    assert trace.kinds()[0] == "train"
    for batch in (1, 2, 3):
        assert trace.kinds(batch) == ["zero_grad", "forward", "loss", "backward", "step"]
    assert len(trace.of("batch")) == 3
    assert all(event.training and event.grad_enabled for event in trace.of("forward"))
    assert [event.value for event in trace.of("backward")] == [1, 1, 1]


def test_test_loop_is_recorded_without_gradients():
    trace = trace_training(fh.test_loop, small_loader(10, 4), small_model(), CROSS_ENTROPY, verbose=False)
    assert trace.kinds() == ["eval", *["batch", "forward", "loss"] * 3]
    assert not any(event.training or event.grad_enabled for event in trace.of("forward"))


def test_recorder_changes_no_number_and_leaves_nothing_behind():
    trace, recorded = traced(fh.train_loop, verbose=False)
    model = small_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    result = fh.train_loop(small_loader(10, 4), model, CROSS_ENTROPY, optimizer, verbose=False)
    assert trace.result == result
    assert all(torch.equal(a, b) for a, b in zip(parameters_of(recorded), parameters_of(model), strict=True))
    assert not {"train", "zero_grad"} & set(vars(recorded))
    assert not recorded._forward_pre_hooks


def test_values_and_gradients_are_those_of_pytorch():
    def one_batch(dataloader, model, loss_fn, optimizer):
        images, labels = next(iter(dataloader))
        (loss_fn(model(images), labels) / 4).backward()
        optimizer.step()

    trace, _ = traced(one_batch)
    fresh = small_model()
    images, labels = next(iter(small_loader(10, 4)))
    loss = CROSS_ENTROPY(fresh(images), labels)
    (loss / 4).backward()
    length = torch.cat([p.grad.flatten() for p in fresh.parameters()]).norm().item()
    assert trace.of("loss")[0].value == pytest.approx(loss.item())
    assert trace.of("backward")[0].value == pytest.approx(0.25)
    assert trace.of("backward")[0].gradient == 0
    assert trace.of("step")[0].gradient == pytest.approx(length)


def test_loop_that_fetches_all_batches_first_is_numbered_by_its_forward_passes():
    def eager(dataloader, model, loss_fn, optimizer):
        for images, labels in list(dataloader):
            loss_fn(model(images), labels).backward()
            optimizer.step()

    trace, _ = traced(eager)
    assert [event.batch for event in trace.of("step")] == [1, 2, 3]


@pytest.mark.parametrize(("keep", "most"), [(False, 1), (True, 2)])
def test_graphs_that_are_held_are_counted(keep, most):
    def loop(dataloader, model, loss_fn, optimizer):
        kept = []
        for images, labels in dataloader:
            loss = loss_fn(model(images), labels)
            loss.backward()
            kept.append(loss if keep else loss.item())
            del loss

    trace, _ = traced(loop)
    assert trace.graphs_alive == (most if keep else 0)


def test_zero_grad_of_model_and_of_optimizer_both_count():
    def loop(dataloader, model, loss_fn, optimizer):
        model.zero_grad()
        optimizer.zero_grad()

    trace, _ = traced(loop)
    assert trace.kinds() == ["zero_grad", "zero_grad"]


def test_error_in_the_loop_passes_and_leaves_the_model_as_it_was():
    def broken(*arguments):
        raise KeyError("mine")

    model = small_model()
    with pytest.raises(KeyError, match="mine"):
        trace_training(broken, small_loader(4, 4), model, CROSS_ENTROPY)
    assert "train" not in vars(model)


def test_loader_and_loss_keep_their_attributes():
    def look(dataloader, model, loss_fn):
        return len(dataloader), len(dataloader.dataset), dataloader.batch_size, loss_fn.reduction

    assert trace_training(look, small_loader(10, 4), small_model(), CROSS_ENTROPY).result == (
        3,
        10,
        4,
        "mean",
    )


def test_trace_prints_one_line_a_batch():
    def loop(dataloader, model, loss_fn, optimizer):
        model.train()
        for images, labels in dataloader:
            (loss_fn(model(images), labels) / 2).backward()

    lines = str(traced(loop, num_samples=8)[0]).splitlines()
    assert lines[0] == "before   train"
    assert re.fullmatch(r"batch 1  forward > loss \d\.\d{3} > backward \(weight 0\.5\)", lines[1])
    assert len(lines) == 3


def test_timeline_has_a_mark_for_each_event_in_its_row():
    trace, _ = traced(fh.train_loop, verbose=False)
    above, below = trace.plot("One epoch")
    rows = {
        label.get_text(): tick
        for label, tick in zip(above.get_yticklabels(), above.get_yticks(), strict=True)
    }
    assert list(rows) == list(KINDS)
    drawn = {
        line.get_ydata()[0]: len(line.get_xdata())
        for line in above.get_lines()
        if line.get_marker() != "None"
    }
    assert drawn == {rows[kind]: 3 for kind in KINDS}
    heights = below.get_lines()[0].get_ydata()
    assert list(heights) == [event.gradient for event in trace.events if event.kind in KINDS]
    assert above.get_title() == "One epoch"
    plt.close(above.figure)


def test_timeline_shades_evaluation():
    trace = trace_training(fh.test_loop, small_loader(4, 4), small_model(), CROSS_ENTROPY, verbose=False)
    axes = trace.plot()
    assert len(axes[0].patches) == 3
    plt.close(axes[0].figure)


def test_empty_timeline_is_refused():
    with pytest.raises(ValueError, match="there is no event to draw"):
        Trace().plot()
