"""The recorder sees what a loop does in which order, and changes no number; the timeline draws what it saw."""

from __future__ import annotations

import copy
import io
import re

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

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
    assert set(vars(recorded)) == set(vars(model))
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"
    for method in (nn.Module.train, nn.Module.zero_grad, torch.optim.Optimizer.zero_grad):
        assert "recorder" not in method.__code__.co_filename


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


@pytest.mark.parametrize(("group", "waited"), [(1, 0), (2, 1), (3, 2)])
def test_losses_that_wait_for_the_next_batch_are_counted(group, waited):
    def loop(dataloader, model, loss_fn, optimizer):
        waiting = []
        for number, (images, labels) in enumerate(dataloader, 1):
            loss_fn(model(images), labels).item()  # looked at twice, and the first loss is let go
            waiting.append(loss_fn(model(images), labels))
            if number % group == 0 or number == len(dataloader):
                torch.stack(waiting).sum().backward()
                waiting.clear()

    assert traced(loop)[0].losses_that_waited == waited


def test_zero_grad_of_model_and_of_optimizer_both_count():
    def loop(dataloader, model, loss_fn, optimizer):
        model.zero_grad()
        optimizer.zero_grad()

    trace, _ = traced(loop)
    assert trace.kinds() == ["zero_grad", "zero_grad"]


# --- ways of writing a loop ---------------------------------------------------------------------------------


def evaluated(evaluate, model=None):
    """Trace an evaluation of ten images in batches of four."""
    return trace_training(evaluate, small_loader(10, 4), model or small_model(dropout=0.5), CROSS_ENTROPY)


def images_of(trace):
    return [event.value for event in trace.of("forward")]


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        (lambda model, images: model.forward(images), "forward"),
        (lambda model, images: model(input=images), "by keyword"),
        (lambda model, images: copy.deepcopy(model).eval()(images), "copy"),
        (lambda model, images: copy.deepcopy(model).eval().forward(images), "forward of a copy"),
        (lambda model, images: nn.Sequential(model, nn.Softmax(dim=1))(images), "inside another"),
        (lambda model, images: nn.Sequential(*model)(images), "the same layers"),
        (lambda model, images: model[1:](model[0](images)), "layer after layer"),
        (
            lambda model, images: torch.func.functional_call(model, dict(model.named_parameters()), images),
            "functional",
        ),
    ],
)
def test_images_are_counted_in_whatever_way_they_go_through_the_model(forward, names):
    trace = evaluated(lambda dataloader, model, loss_fn: [forward(model, images) for images, _ in dataloader])
    assert images_of(trace) == [4, 4, 2], names
    assert [event.training for event in trace.of("forward")] == ["copy" not in names] * 3


def test_one_pass_over_all_images_counts_them_all():
    def at_once(dataloader, model, loss_fn):
        model(torch.cat([images for images, _ in dataloader]))

    assert images_of(evaluated(at_once)) == [10]


def test_training_mode_is_that_of_the_layers_that_have_two_ways():
    def only_dropout(dataloader, model, loss_fn):
        model[3].eval()
        model(torch.zeros(1, 9))

    trace = evaluated(only_dropout)
    assert [(event.training, event.value) for event in trace.of("forward")] == [(False, 1)]
    plain = evaluated(lambda dataloader, model, loss_fn: model(torch.zeros(1, 9)), nn.Linear(9, 4))
    assert [event.training for event in plain.of("forward")] == [True]


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda loss_fn, logits, labels: loss_fn(input=logits, target=labels),
        lambda loss_fn, logits, labels: loss_fn.to("cpu")(logits, labels),
        lambda loss_fn, logits, labels: loss_fn.eval().train().forward(logits, labels),
        lambda loss_fn, logits, labels: copy.deepcopy(loss_fn)(logits, labels),
    ],
)
def test_loss_is_seen_however_it_is_called(loss_of):
    def loop(dataloader, model, loss_fn, optimizer):
        for images, labels in dataloader:
            loss_of(loss_fn, model(images), labels).backward()

    trace, _ = traced(loop)
    assert len(trace.of("loss")) == len(trace.of("backward")) == 3


def test_loader_and_loss_are_what_they_stand_for():
    def look(dataloader, model, loss_fn):
        return isinstance(dataloader, DataLoader) and isinstance(loss_fn, nn.CrossEntropyLoss)

    assert evaluated(look).result


def test_schedule_made_in_the_loop_works_and_steps_are_seen():
    def loop(dataloader, model, loss_fn, optimizer):
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
        for images, labels in dataloader:
            loss_fn(model(images), labels).backward()
            optimizer.step()
            schedule.step()
        return schedule.get_last_lr()

    trace, _ = traced(loop)
    assert trace.result == [pytest.approx(0.1 / 8)]
    assert len(trace.of("step")) == 3


def test_step_with_a_closure_comes_after_what_the_closure_does():
    def loop(dataloader, model, loss_fn, optimizer):
        for images, labels in dataloader:

            def closure(images=images, labels=labels):
                optimizer.zero_grad()
                loss = loss_fn(model(images), labels)
                loss.backward()
                return loss

            optimizer.step(closure)

    assert traced(loop)[0].kinds(1) == ["zero_grad", "forward", "loss", "backward", "step"]


def test_optimizer_of_the_loops_own_is_seen_if_it_moves_this_model():
    def loop(dataloader, model, loss_fn, optimizer):
        for moved in (model, small_model(1)[1]):
            mine = torch.optim.Adam(moved.parameters())
            mine.zero_grad()
            mine.step()

    assert traced(loop)[0].kinds() == ["zero_grad", "step"]


@pytest.mark.parametrize("each", [False, True])
def test_torch_func_may_be_used(each):
    def loop(dataloader, model, loss_fn, optimizer):
        parameters = {name: value.detach() for name, value in model.named_parameters()}

        def loss_of(values, images, labels):
            return loss_fn(torch.func.functional_call(model, values, (images,)), labels)

        for images, labels in dataloader:
            if each:
                one_by_one = torch.func.vmap(torch.func.grad(loss_of), in_dims=(None, 0, 0))
                one_by_one(parameters, images[:, None], labels[:, None])
            else:
                torch.func.grad_and_value(loss_of)(parameters, images, labels)

    trace, _ = traced(loop)
    assert trace.kinds(1) == ["forward", "loss", "backward"]
    assert images_of(trace) == ([1, 1, 1] if each else [4, 4, 2])
    assert "loss" in str(trace)


def test_batch_that_is_looked_at_twice_keeps_its_number():
    def loop(dataloader, model, loss_fn, optimizer):
        for images, labels in dataloader:
            loss_fn(model(images), labels).backward()
            optimizer.step()
            with torch.no_grad():
                loss_fn(model(images), labels)

    assert [event.batch for event in traced(loop)[0].of("step")] == [1, 2, 3]


def test_model_can_be_saved_and_copied_in_the_loop():
    def loop(dataloader, model, loss_fn):
        buffer = io.BytesIO()
        torch.save(model, buffer)
        return copy.deepcopy(model)(torch.zeros(1, 9)).shape

    assert evaluated(loop).result == (1, 4)


def test_callable_that_gives_no_tensor_is_left_alone():
    trace = trace_training(lambda loader, model, tell: tell("a"), [], small_model(), str.upper)
    assert (trace.result, trace.events) == ("A", [])


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
    above, below = trace.plot("One epoch").axes
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


def test_timeline_shades_evaluation():
    trace = trace_training(fh.test_loop, small_loader(4, 4), small_model(), CROSS_ENTROPY, verbose=False)
    axes = trace.plot().axes
    assert len(axes[0].patches) == 3


def test_empty_timeline_is_refused():
    with pytest.raises(ValueError, match="there is no event to draw"):
        Trace().plot()
