"""What "break the loop" of lesson 05 says of each bug is what happens, on the stand-in."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers.course import strip
from fmnist_helpers.widgets import broken_loop, lesson05_training_loop
from tests.tools.course import NOTEBOOKS
from tests.widgets.conftest import make_loader


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a bug on the stand-in, each at most once: loss at the end and final accuracy."""
    root = fh.prepare_data(tmp_path_factory.mktemp("standin"), source="standin")
    valid = lesson05_training_loop._first_samples(fh.make_loaders(root).valid)

    @functools.cache
    def run(bug, rate, dropout=False):
        loader = fh.make_loaders(root, seed=0).train
        curve = broken_loop.train_with_bug(bug, rate, loader, valid, dropout=dropout)
        return sum(curve.losses[-50:]) / 50, curve.accuracies[-1][1], curve

    return run


@pytest.mark.slow
def test_without_zero_grad_it_collapses_at_a_large_rate_and_helps_at_a_tiny_one(run):
    assert run("no zero_grad", 0.1)[1] < run(broken_loop.RIGHT, 0.1)[1] - 0.3
    # It had learnt before it lost everything.
    assert max(accuracy for _, accuracy in run("no zero_grad", 0.1)[2].accuracies) > 0.5
    assert run("no zero_grad", 0.001)[1] > run(broken_loop.RIGHT, 0.001)[1] + 0.1


@pytest.mark.parametrize("rate", [0.001, 0.1])
@pytest.mark.parametrize("bug", ["step before backward", "zero_grad before step"])
def test_some_orders_move_nothing_at_any_rate(run, bug, rate):
    accuracies = {accuracy for _, accuracy in run(bug, rate)[2].accuracies}
    assert len(accuracies) == 1


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_softmax_first_is_slower_and_has_a_floor(run, rate):
    assert run("softmax first", rate)[1] < run(broken_loop.RIGHT, rate)[1] - 0.05
    assert min(run("softmax first", rate)[2].losses) > 1.46


def test_hundredfold_rate_helps_the_tiny_one_and_explodes_the_large_one(run):
    assert run("rate x 100", 0.001)[1] > run(broken_loop.RIGHT, 0.001)[1] + 0.2
    assert run("rate x 100", 0.1)[1] < 0.3
    assert not max(run("rate x 100", 0.1)[2].losses) < 100


def test_nothing_is_learnt_from_shuffled_labels(run):
    loss, accuracy, _ = run("shuffled labels", 0.1)
    assert loss == pytest.approx(2.3026, abs=0.05)
    assert accuracy < 0.35


def test_without_eval_the_model_is_as_good_but_looks_worse(run):
    right, buggy = run(broken_loop.RIGHT, 0.01, True), run("no eval()", 0.01, True)
    assert buggy[1] < right[1] - 0.03
    assert buggy[0] == pytest.approx(right[0], abs=0.1)


def test_without_train_dropout_is_gone_and_the_loss_looks_better(run):
    right, buggy = run(broken_loop.RIGHT, 0.01, True), run("no train() after eval()", 0.01, True)
    assert buggy[0] < right[0] - 0.05
    assert buggy[2].losses == run(broken_loop.RIGHT, 0.01)[2].losses


def test_the_right_loop_is_plain_sgd(root):
    valid = next(iter(fh.make_loaders(root, num_valid=100).valid))
    curve = broken_loop.train_with_bug(broken_loop.RIGHT, 0.05, make_loader(root)(), valid, num_iterations=10)
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for (images, labels), loss in zip(make_loader(root)(), curve.losses, strict=False):
        optimizer.zero_grad()
        expected = nn.functional.cross_entropy(model(images), labels)
        expected.backward()
        optimizer.step()
        assert loss == expected.item()
    assert [iteration for iteration, _ in curve.accuracies] == [0, 10]


def test_a_run_leaves_the_random_numbers_of_the_lesson_alone(root):
    valid = next(iter(fh.make_loaders(root, num_valid=100).valid))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    broken_loop.train_with_bug("no eval()", 0.05, make_loader(root)(), valid, dropout=True, num_iterations=2)
    torch.testing.assert_close(torch.rand(3), expected)


def test_unknown_bug_is_named(root):
    words = r"^there is no bug 'no coffee'; choose one of 'no bug', 'no zero_grad', .*, 'no train\(\) after eval\(\)'$"
    with pytest.raises(ValueError, match=words):
        broken_loop.train_with_bug("no coffee", 0.1, [], (None, None))


def test_every_bug_has_its_words():
    assert set(broken_loop.TOLD) == set(broken_loop.BUGS)


def test_the_lesson_tells_what_each_bug_does():
    lesson = (NOTEBOOKS / "05_training_loop.ipynb").read_bytes()
    text = "\n".join(strip.source(cell) for cell in strip.read(lesson)["cells"])
    for bug, told in broken_loop.TOLD.items():
        assert f"| {bug} | {told} |" in text


def test_model_is_the_one_that_pytorch_makes_and_draws_from_its_own_generator_alone():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = fh.NeuralNetwork().linear_relu_stack
        images = torch.rand(5, 1, 28, 28)
    layers = [
        part
        for layer in network
        for part in ([layer, nn.Dropout(0.5)] if type(layer) is nn.ReLU else [layer])
    ]
    by_pytorch = nn.Sequential(nn.Flatten(), *layers)
    state = torch.get_rng_state()
    model = broken_loop.make_model(torch.Generator().manual_seed(3), dropout=0.5)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), by_pytorch.parameters(), strict=True))
    model[3].generator.manual_seed(8)
    ours = model(images)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng():
        torch.manual_seed(8)
        theirs = by_pytorch(images)
    torch.testing.assert_close(ours, theirs)
    assert torch.equal(model.eval()(images), by_pytorch.eval()(images))
