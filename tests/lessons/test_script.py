"""The script of lesson 08: it runs alone, with PyTorch and torchvision only, and finds what the course's loops find."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import pytest
import torch
from torch import nn

from fmnist_helpers import loops
from fmnist_helpers.data import prepare_data
from tests.lessons.script import load_script, script

EPOCH = re.compile(r"epoch (\d+): (\d\.\d{6}) (\d\.\d{6}), (\d+\.\d)% right")


@pytest.fixture(scope="module")
def root():
    return prepare_data()


@pytest.fixture(scope="module")
def ran(root, tmp_path_factory):
    """The folder in which the script was run as a program, and what it printed."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "train.py").write_text(script(), encoding="utf-8")
    options = ["--data", str(root.resolve()), "--images", "1000", "--epochs", "2"]
    # Isolated: neither the course nor the working folder is on Python's path. As many threads as here: sums are then
    # done in the same order.
    command = [sys.executable, "-I", "train.py", *options]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | threads)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return folder, done.stdout


def test_it_needs_pytorch_and_torchvision_only():
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(script()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert modules - set(sys.stdlib_module_names) == {"torch", "torchvision"}


def test_it_is_short_and_narrow_enough_to_be_read():
    lines = script().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 77
    assert max(map(len, lines)) <= 88


def test_alone_in_an_empty_folder_it_trains_saves_loads_and_predicts(ran):
    folder, printed = ran
    *epochs, prediction = printed.splitlines()
    assert [EPOCH.fullmatch(line)[1] for line in epochs] == ["1", "2"]
    # Guessing is right one time in ten.
    assert float(EPOCH.fullmatch(epochs[-1])[4]) > 40
    assert re.fullmatch(r"[\w/ -]+: the network says [\w/ -]+", prediction)
    assert sorted(path.name for path in folder.iterdir()) == ["network.pt", "train.py"]


def test_its_losses_and_weights_are_those_of_the_courses_loops_digit_for_digit(ran, root, tmp_path):
    folder, printed = ran
    module = load_script(tmp_path)
    torch.manual_seed(0)
    train_loader, valid_loader, classes = module.load_data(root, 1000)
    model, loss_fn = module.Network(len(classes)), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    lines = []
    for epoch in (1, 2):
        train = loops.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        valid = loops.test_loop(valid_loader, model, loss_fn, verbose=False)
        lines.append(f"epoch {epoch}: {train.loss:.6f} {valid.loss:.6f}, {valid.accuracy:.1%} right")
    assert printed.splitlines()[:2] == lines
    saved, saved_classes = module.load_model(folder / "network.pt", "cpu")
    assert saved_classes == classes and not saved.training
    # The loss fell, so the weights of the second epoch are the best, and those that were saved.
    assert EPOCH.fullmatch(lines[1])[3] < EPOCH.fullmatch(lines[0])[3]
    for name, value in model.state_dict().items():
        assert torch.equal(saved.state_dict()[name], value), name


def test_the_means_count_samples_where_the_last_batch_is_short(tmp_path):
    module = load_script(tmp_path)
    torch.manual_seed(0)
    images, labels = torch.rand(70, 1, 28, 28), torch.randint(0, 10, (70,))
    data = torch.utils.data.TensorDataset(images, labels)
    loader = torch.utils.data.DataLoader(data, batch_size=64)
    model = module.Network(10)
    loss, accuracy = module.evaluate(model, loader, nn.CrossEntropyLoss(), "cpu")
    with torch.no_grad():
        logits = model.eval()(images)
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), abs=1e-6)
    assert accuracy == (logits.argmax(dim=1) == labels).sum().item() / 70


def test_the_weights_of_the_best_epoch_are_kept(root, tmp_path, monkeypatch, capsys):
    module = load_script(tmp_path)
    losses, kept = iter([0.5, 0.3, 0.4]), []
    original = torch.save
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--data", str(root), "--images", "64", "--epochs", "3"])
    monkeypatch.setattr(module, "evaluate", lambda *_: (next(losses), 0.5))
    monkeypatch.setattr(torch, "save", lambda *given: kept.append(given[1]) or original(*given))
    module.main()
    # After the first epoch and the second, not after the third, which is worse.
    assert kept == ["network.pt"] * 2
    assert len(EPOCH.findall(capsys.readouterr().out)) == 3
