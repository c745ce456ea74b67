"""The loops against the tutorial's own, against full-batch computation, and every refusal they explain."""

from __future__ import annotations

import inspect
import math
import weakref
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

import fmnist_helpers as fh
from tests.measure.epoch import listing_test, listing_train
from tests.small_problem import (
    CROSS_ENTROPY,
    assert_same_weights,
    both_loops,
    garments,
    loader,
    run,
    sgd,
    small_model,
    weights,
)

# --- one epoch of training ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make_optimizer", [sgd, lambda model: torch.optim.Adam(model.parameters())])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("num_samples", "batch_size"), [(402, 2), (401, 2), (64, 64), (50, 64), (50, 8)])
def test_train_loop_is_the_tutorials(capsys, make_optimizer, shuffle, num_samples, batch_size):
    runs = []
    for loop, arguments in ((fh.train_loop, ()), (listing_train, (batch_size,))):
        generator = torch.Generator().manual_seed(5)
        model, batches = small_model(), loader(num_samples, batch_size, shuffle=shuffle, generator=generator)
        optimizer = make_optimizer(model)
        for _ in range(2):
            loop(batches, model, CROSS_ENTROPY, optimizer, *arguments)
        runs.append((weights(model), capsys.readouterr().out))
    (ours, our_lines), (theirs, their_lines) = runs
    assert_same_weights(ours, theirs)
    assert our_lines == their_lines
    assert our_lines.count("loss:") == 2 * math.ceil(math.ceil(num_samples / batch_size) / 100)


def test_train_loop_prints_the_documented_line(capsys):
    model = small_model()
    fh.train_loop(loader(401, 2), model, lambda logits, _: logits.sum() * 0 + 2.5, sgd(model))
    assert capsys.readouterr().out.splitlines() == [
        "loss: 2.500000  [    2/  401]",
        "loss: 2.500000  [  202/  401]",
        "loss: 2.500000  [  401/  401]",
    ]


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_train_loop_returns_the_mean_over_samples_before_each_step(batch_size):
    batches, model, twin = loader(50, batch_size), small_model(), small_model()
    result = fh.train_loop(batches, model, CROSS_ENTROPY, sgd(model), verbose=False)
    optimizer, losses, hits = sgd(twin), [], []
    for images, labels in batches:
        logits = twin(images)
        losses += nn.functional.cross_entropy(logits, labels, reduction="none").tolist()
        hits += (logits.argmax(dim=1) == labels).tolist()
        optimizer.zero_grad()
        CROSS_ENTROPY(logits, labels).backward()
        optimizer.step()
    assert len(losses) == 50
    assert result.loss == pytest.approx(math.fsum(losses) / 50, rel=1e-6)
    assert result.accuracy == sum(hits) / 50


def test_gradients_from_before_the_loop_do_not_leak_into_it():
    clean, stained = small_model(), small_model()
    stained(torch.rand(3, 1, 4, 4)).square().sum().backward()
    results = [
        fh.train_loop(loader(), model, CROSS_ENTROPY, sgd(model), verbose=False) for model in (clean, stained)
    ]
    assert results[0] == results[1]
    assert_same_weights(weights(clean), weights(stained))


def test_loss_falls_when_ten_images_are_overfitted():
    batches, model = loader(10, 5, shuffle=True), small_model()
    optimizer = sgd(model, 0.5)
    results = [fh.train_loop(batches, model, CROSS_ENTROPY, optimizer, verbose=False) for _ in range(300)]
    assert results[-1].loss < results[0].loss / 10
    assert results[-1].accuracy == 1


def test_train_loop_keeps_no_graph_alive():
    alive, most = weakref.WeakSet(), []

    class Token:
        """Lives as long as the graph of one loss."""

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(context, loss):
            context.token = Token()
            alive.add(context.token)
            return loss.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient

    def loss_fn(logits, labels):
        loss = Watched.apply(CROSS_ENTROPY(logits, labels))
        most.append(len(alive))
        return loss

    model = small_model()
    fh.train_loop(loader(80, 4), model, loss_fn, sgd(model), verbose=False)
    assert len(most) == 20
    # The graph of the batch before may still be bound to a name, no older one.
    assert max(most) <= 2
    assert len(alive) == 0


def test_last_batch_may_be_dropped(capsys):
    model = small_model()
    result = fh.train_loop(loader(50, 8, drop_last=True), model, CROSS_ENTROPY, sgd(model, 0))
    expected = CROSS_ENTROPY(small_model()(garments().tensors[0][:48]), garments().tensors[1][:48])
    assert result.loss == pytest.approx(expected.item(), rel=1e-6)
    assert capsys.readouterr().out.endswith("[    8/   50]\n")


# --- one evaluation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 8, 49, 50, 64])
def test_test_loop_is_one_full_batch_whatever_the_batch_size(batch_size):
    model, (images, labels) = small_model(), garments().tensors
    result = fh.test_loop(loader(50, batch_size), model, CROSS_ENTROPY, verbose=False)
    with torch.no_grad():
        logits = model(images).double()
    assert result.loss == pytest.approx(CROSS_ENTROPY(logits, labels).item(), rel=1e-6)
    assert result.accuracy == (logits.argmax(dim=1) == labels).sum().item() / 50


def test_short_last_batch_counts_by_its_size():
    # 64 samples with loss 0 and a last batch of one with loss 65: the mean is 1, a mean of batches 32.5.
    dataset = TensorDataset(torch.cat([torch.zeros(64, 1), torch.full((1, 1), 65.0)]), torch.zeros(65).long())
    model = nn.Identity()
    result = fh.test_loop(DataLoader(dataset, 64), model, lambda out, _: out.mean(), verbose=False)
    assert result.loss == 1


def test_test_loop_prints_the_tutorials_lines_where_batches_are_equal(capsys):
    model = small_model()
    fh.test_loop(loader(48, 8), model, CROSS_ENTROPY)
    ours = capsys.readouterr().out
    listing_test(loader(48, 8), model, CROSS_ENTROPY)
    assert ours == capsys.readouterr().out


def test_test_loop_prints_the_documented_lines(capsys):
    model = nn.Identity()
    dataset = TensorDataset(torch.eye(3)[[0, 1, 1]], torch.tensor([0, 1, 2]))
    fh.test_loop(DataLoader(dataset, 2), model, lambda logits, _: logits.sum() * 0 + 2.0)
    assert capsys.readouterr().out == "Test Error: \n Accuracy: 66.7%, Avg loss: 2.000000\n\n"


@pytest.mark.parametrize("extra", [nn.Dropout(0.5), nn.BatchNorm1d(12)])
def test_test_loop_changes_neither_weights_nor_buffers_nor_gradients(extra):
    model = small_model(extra)
    before = weights(model)
    results = [fh.test_loop(loader(), model, CROSS_ENTROPY, verbose=False) for _ in range(2)]
    assert results[0] == results[1]
    assert_same_weights(before, weights(model))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_test_loop_builds_no_graph_and_switches_gradients_on_again():
    seen = []

    def loss_fn(logits, labels):
        seen.append((torch.is_grad_enabled(), logits.requires_grad))
        return CROSS_ENTROPY(logits, labels)

    fh.test_loop(loader(), small_model(), loss_fn, verbose=False)
    assert set(seen) == {(False, False)}
    assert torch.is_grad_enabled()


# --- both --------------------------------------------------------------------------------------------------


@both_loops
@pytest.mark.parametrize("mode_before", [True, False])
def test_each_loop_sets_its_mode_and_leaves_it(loop, mode_before):
    model, seen = small_model(nn.Dropout(0.5)), set()
    model.train(mode_before)
    model[2].register_forward_hook(lambda layer, *_: seen.add(layer.training))
    run(loop, loader(), model)
    in_training = loop == "train_loop"
    assert seen == {in_training}
    assert model.training is model[2].training is in_training


def test_batch_norm_learns_in_train_loop_only():
    model = small_model(nn.BatchNorm1d(12))
    fh.train_loop(loader(48, 8), model, CROSS_ENTROPY, sgd(model), verbose=False)
    assert model[2].num_batches_tracked == 6
    fh.test_loop(loader(48, 8), model, CROSS_ENTROPY, verbose=False)
    assert model[2].num_batches_tracked == 6


def test_dropout_acts_in_train_loop_only():
    model = small_model(nn.Dropout(0.5))
    still, images = sgd(model, 0), garments().tensors[0]
    full = fh.test_loop(loader(50, 50), model, CROSS_ENTROPY, verbose=False).loss
    assert full == pytest.approx(CROSS_ENTROPY(model(images), garments().tensors[1]).item(), rel=1e-6)
    assert fh.train_loop(loader(50, 50), model, CROSS_ENTROPY, still, verbose=False).loss != full


def test_verbose_false_prints_nothing(capsys):
    model = small_model()
    fh.train_loop(loader(), model, CROSS_ENTROPY, sgd(model), verbose=False)
    fh.test_loop(loader(), model, CROSS_ENTROPY, verbose=False)
    assert capsys.readouterr() == ("", "")


@both_loops
def test_result_is_plain_numbers_that_unpack(loop):
    result = run(loop, loader(), small_model())
    loss, accuracy = result
    assert (type(loss), type(accuracy)) == (float, float)
    assert (loss, accuracy) == (result.loss, result.accuracy)


@both_loops
def test_functional_loss_is_accepted(loop):
    functional = run(loop, loader(), small_model(), nn.functional.cross_entropy)
    assert functional == run(loop, loader(), small_model(), CROSS_ENTROPY)


@both_loops
def test_float_distributions_are_accepted_as_labels(loop):
    images, labels = garments().tensors
    one_hot = TensorDataset(images, nn.functional.one_hot(labels, 10).float())
    result = run(loop, DataLoader(one_hot, 8), small_model())
    expected = run(loop, loader(50, 8), small_model())
    assert result.accuracy == expected.accuracy
    assert result.loss == pytest.approx(expected.loss, rel=1e-6)


@pytest.mark.parametrize("function", [fh.train_loop, fh.test_loop, fh.fit])
def test_options_are_given_by_name_and_arguments_may_be(function):
    kinds = {name: parameter.kind for name, parameter in inspect.signature(function).parameters.items()}
    options = {name for name, kind in kinds.items() if kind is inspect.Parameter.KEYWORD_ONLY}
    assert options == ({"history", "progress"} if function is fh.fit else {"verbose"})
    assert set(kinds.values()) == {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def test_log_probabilities_and_nll_give_the_same_loss():
    result = fh.test_loop(loader(), small_model(), CROSS_ENTROPY, verbose=False)
    twice = nn.Sequential(small_model(), nn.LogSoftmax(dim=1))
    assert fh.test_loop(loader(), twice, nn.NLLLoss(), verbose=False).loss == pytest.approx(result.loss)


def available_device(name: str) -> torch.device:
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not found[name]:
        pytest.skip(f"no {name} device on this machine")
    return torch.device(name)


@pytest.mark.parametrize("name", ["cpu", "cuda", "mps"])
def test_batches_follow_the_model_to_its_device(name):
    device = available_device(name)
    model, on_cpu = small_model().to(device), small_model()
    train = fh.train_loop(loader(), model, CROSS_ENTROPY, sgd(model), verbose=False)
    expected = fh.train_loop(loader(), on_cpu, CROSS_ENTROPY, sgd(on_cpu), verbose=False)
    assert train.loss == pytest.approx(expected.loss, rel=1e-4)
    valid = fh.test_loop(loader(), model, CROSS_ENTROPY, verbose=False)
    assert valid.loss == pytest.approx(
        fh.test_loop(loader(), on_cpu, CROSS_ENTROPY, verbose=False).loss, rel=1e-4
    )
    assert next(model.parameters()).device.type == name


# --- fit ---------------------------------------------------------------------------------------------------


def fit(model, num_epochs=2, *, loss_fn=CROSS_ENTROPY, train=None, optimizer=None, **options) -> fh.History:
    train = loader() if train is None else train
    optimizer = sgd(model) if optimizer is None else optimizer
    return fh.fit(model, train, loader(20), loss_fn, optimizer, num_epochs, **{"progress": False, **options})


def test_fit_is_both_loops_repeated():
    model, twin = small_model(), small_model()
    history = fit(model, 3)
    optimizer = sgd(twin)
    for number, row in enumerate(history, start=1):
        train = fh.train_loop(loader(), twin, CROSS_ENTROPY, optimizer, verbose=False)
        valid = fh.test_loop(loader(20), twin, CROSS_ENTROPY, verbose=False)
        assert row[:5] == (number, *train, *valid)
        assert row.seconds > 0
    assert len(history) == 3
    assert not history.interrupted
    assert_same_weights(weights(model), weights(twin))


def test_fit_notes_the_seconds_of_each_epoch(monkeypatch):
    readings = iter([10.0, 25.0, 40.0, 64.5])
    monkeypatch.setattr("fmnist_helpers.loops.time", SimpleNamespace(perf_counter=lambda: next(readings)))
    assert fit(small_model(), 2).column("seconds") == [15.0, 24.5]


@pytest.mark.parametrize("num_before", [1, 2, 4])
def test_fit_continues_a_history_and_its_numbering(num_before):
    model = small_model()
    optimizer = sgd(model)
    first = fit(model, num_before, optimizer=optimizer)
    both = fit(model, 5 - num_before, optimizer=optimizer, history=first)
    assert both is first
    assert both.column("epoch") == [1, 2, 3, 4, 5]
    assert [row[:5] for row in both] == [row[:5] for row in fit(small_model(), 5)]


class InterruptedLoader(DataLoader):
    """The stop button is pressed in the middle of the third epoch."""

    epochs = 0

    def __iter__(self):
        self.epochs += 1
        for number, batch in enumerate(super().__iter__()):
            if self.epochs == 3 and number == 2:
                raise KeyboardInterrupt
            yield batch


def test_interrupt_in_the_loader_keeps_finished_epochs_and_the_model(capsys):
    model, twin = small_model(), small_model()
    history = fit(model, 5, train=InterruptedLoader(garments(), 8))
    optimizer = sgd(twin)
    expected = fit(twin, 2, optimizer=optimizer)
    assert [row[:5] for row in history] == [row[:5] for row in expected]
    assert history.interrupted
    assert "Stopped by hand; the 2 finished epochs are kept." in capsys.readouterr().out
    # The model is as it was at that moment: two batches into the third epoch.
    two_batches = DataLoader(Subset(garments(), range(16)), 8)
    fh.train_loop(two_batches, twin, CROSS_ENTROPY, optimizer, verbose=False)
    assert_same_weights(weights(model), weights(twin))


@pytest.mark.parametrize("stop_at", [1, 7, 8, 12])
def test_interrupt_in_the_loss_keeps_finished_epochs(stop_at):
    calls = []

    def loss_fn(logits, labels):
        calls.append(1)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return CROSS_ENTROPY(logits, labels)

    # An epoch makes 7 training and 3 validation calls.
    history = fit(small_model(), 3, loss_fn=loss_fn)
    assert len(history) == (stop_at - 1) // 10
    assert history.interrupted


def test_continuing_after_an_interrupt_clears_the_mark():
    history = fit(small_model(), 5, train=InterruptedLoader(garments(), 8))
    assert history.interrupted
    assert not fit(small_model(), 1, history=history).interrupted
    assert history.column("epoch") == [1, 2, 3]


def test_other_errors_in_fit_are_raised_and_keep_a_given_history():
    history = fit(small_model(), 1)
    with pytest.raises(ValueError, match="the data loader is empty"):
        fit(small_model(), 1, history=history, train=DataLoader([], 4))
    assert len(history) == 1


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bar_is_shown_only_if_wanted(capsys, monkeypatch, shown):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(small_model(), 2, progress=shown)
    output, errors = capsys.readouterr()
    assert output == ""
    assert ("Training" in errors) is shown
    assert ("valid loss" in errors) is shown


def test_progress_bar_is_shown_unless_declined(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    model = small_model()
    fh.fit(model, loader(), loader(20), CROSS_ENTROPY, sgd(model), 1)
    assert "Training" in capsys.readouterr().err


@pytest.mark.parametrize("num_epochs", [0, -1])
def test_fit_needs_an_epoch(num_epochs):
    model = small_model()
    before = weights(model)
    with pytest.raises(ValueError, match=f"num_epochs is {num_epochs}; at least 1 epoch is needed"):
        fit(model, num_epochs)
    assert_same_weights(before, weights(model))


def test_fit_needs_a_validation_loader_and_says_so_before_training():
    model = small_model()
    before = weights(model)
    with pytest.raises(ValueError, match=r"no validation loader.*num_valid above 0"):
        fh.fit(model, loader(), None, CROSS_ENTROPY, sgd(model), 1, progress=False)
    assert_same_weights(before, weights(model))


@both_loops
def test_a_loader_that_gives_more_batches_than_it_promises_is_named(loop):
    class OneTooMany(DataLoader):
        def __len__(self):
            return super().__len__() - 1

    with pytest.raises(ValueError, match="gives more batches than the 6 that its length promises"):
        run(loop, OneTooMany(garments(50), batch_size=8), small_model())
