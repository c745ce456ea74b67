"""A checkpoint continues a run to the bit, refuses what it is not, and is never half written."""

from __future__ import annotations

import copy
import io
import os
import pickle

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import fmnist_helpers as fh

OPTIMIZERS = {
    "momentum": lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
    "Adam": lambda model: torch.optim.Adam(model.parameters(), lr=0.01),
}


def make_model(hidden: int = 8) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 3))


def make_loader() -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(40, 6, generator=generator), torch.arange(40) % 3
    return DataLoader(TensorDataset(images, labels), batch_size=8)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, num_epochs: int, **options) -> fh.History:
    loss_fn = nn.CrossEntropyLoss()
    return fh.fit(
        model, make_loader(), make_loader(), loss_fn, optimizer, num_epochs, progress=False, **options
    )


def same(one: object, other: object) -> bool:
    """Compare nested state dictionaries, tensors to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture
def trained():
    """A model and its Adam after one epoch."""
    torch.manual_seed(0)
    model = make_model()
    optimizer = OPTIMIZERS["Adam"](model)
    train(model, optimizer, 1)
    return model, optimizer


@pytest.fixture
def saved(trained, tmp_path):
    return fh.save_checkpoint(tmp_path / "model.pt", *trained)


# --- round trip --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_continued_run_equals_an_uninterrupted_one_to_the_bit(tmp_path, name):
    torch.manual_seed(0)
    model = make_model()
    continued = copy.deepcopy(model)
    whole = train(model, optimizer := OPTIMIZERS[name](model), 4)

    first_optimizer = OPTIMIZERS[name](continued)
    history = train(continued, first_optimizer, 2)
    path = fh.save_checkpoint(tmp_path / "half.pt", continued, first_optimizer, epoch=2, history=history)
    fresh = make_model()
    fresh_optimizer = OPTIMIZERS[name](fresh)
    checkpoint = fh.load_checkpoint(path, fresh, fresh_optimizer)
    history = train(fresh, fresh_optimizer, 2, history=checkpoint.history)

    assert same(fresh.state_dict(), model.state_dict())
    assert same(fresh_optimizer.state_dict(), optimizer.state_dict())
    assert [row[:5] for row in history] == [row[:5] for row in whole]


def test_epoch_history_and_classes_come_back(trained, tmp_path):
    history = fh.History([fh.EpochResult(1, 2.0, 0.25, 1.5, 0.5, 3.0)])
    path = fh.save_checkpoint(tmp_path / "a.pt", *trained, epoch=1, history=history, classes=["a", "b", "c"])
    checkpoint = fh.load_checkpoint(path, make_model())
    assert checkpoint == (1, history, ("a", "b", "c"))
    assert isinstance(checkpoint.history, fh.History)
    assert checkpoint.history.column("valid_loss") == [1.5]


def test_defaults_are_no_epoch_no_history_and_the_courses_classes(saved):
    assert fh.load_checkpoint(saved, make_model()) == (0, [], fh.CLASSES)


def test_model_alone_can_be_saved_and_loaded(trained, tmp_path):
    path = fh.save_checkpoint(str(tmp_path / "model.pt"), trained[0])
    fresh = make_model()
    fh.load_checkpoint(str(path), fresh)
    assert same(fresh.state_dict(), trained[0].state_dict())


def test_model_alone_can_be_loaded_from_a_file_with_optimiser(saved, trained):
    fresh = make_model()
    fh.load_checkpoint(saved, fresh)
    assert same(fresh.state_dict(), trained[0].state_dict())


def test_optimiser_under_a_schedule_loads_into_a_fresh_one(trained, tmp_path):
    model, optimizer = trained
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    path = fh.save_checkpoint(tmp_path / "scheduled.pt", model, optimizer)
    fresh = make_model()
    fresh_optimizer = OPTIMIZERS["Adam"](fresh)
    fh.load_checkpoint(path, fresh, fresh_optimizer)
    assert same(fresh_optimizer.state_dict(), optimizer.state_dict())


def test_missing_folders_are_made_and_the_path_is_returned(trained, tmp_path):
    path = tmp_path / "runs" / "today" / "model.pt"
    assert fh.save_checkpoint(path, trained[0]) == path
    assert path.is_file()


def test_file_is_readable_by_pytorch_alone(saved, trained):
    content = torch.load(saved, weights_only=True)
    assert same(dict(content["model"]), dict(trained[0].state_dict()))


# --- refusals ----------------------------------------------------------------------------------------------


def assert_refused(path, model, optimizer, message: str, error: type[Exception] = ValueError) -> None:
    """The error names what was wrong, and neither model nor optimiser has changed."""
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict() if optimizer else None))
    with pytest.raises(error, match=message) as raised:
        fh.load_checkpoint(path, model, optimizer)
    assert path.name in str(raised.value)
    assert same(before[0], model.state_dict())
    assert optimizer is None or same(before[1], optimizer.state_dict())


def test_missing_file_is_refused(trained, tmp_path):
    assert_refused(tmp_path / "none.pt", *trained, "there is no checkpoint", FileNotFoundError)
    assert_refused(tmp_path, *trained, "there is no checkpoint", FileNotFoundError)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(saved, trained, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    assert_refused(saved, *trained, "is not a checkpoint, or it is damaged")


def test_one_flipped_bit_in_a_weight_is_refused(saved, trained):
    content = bytearray(saved.read_bytes())
    content[content.index(trained[0][0].weight.detach().numpy().tobytes()) + 2] ^= 1
    saved.write_bytes(content)
    assert_refused(saved, *trained, "is not a checkpoint, or it is damaged")


# Each first character is another instruction to a pickle reader, so each fails in another way.
@pytest.mark.parametrize("text", ["hello", "epoch,loss\n1,2.3\n", "0", "1", ".", "{}", "PK", "\x80\x02"])
def test_text_file_is_refused(trained, tmp_path, text):
    path = tmp_path / "notes.pt"
    path.write_text(text, encoding="latin-1")
    assert_refused(path, *trained, "is not a checkpoint, or it is damaged")


@pytest.mark.parametrize("content", [{"weight": torch.zeros(3)}, torch.zeros(3), {"format": "another"}])
def test_foreign_pytorch_file_is_refused(trained, tmp_path, content):
    path = tmp_path / "foreign.pt"
    torch.save(content, path)
    assert_refused(path, *trained, "is a PyTorch file, but not written by save_checkpoint")


class Malicious:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("as_pytorch_file", [True, False])
def test_malicious_file_is_refused_and_not_executed(saved, trained, tmp_path, as_pytorch_file):
    trap, path = tmp_path / "trap", tmp_path / "evil.pt"
    content = torch.load(saved, weights_only=True) | {"history": Malicious(trap)}
    if as_pytorch_file:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    assert_refused(path, *trained, "is not a checkpoint, or it is damaged")
    assert not trap.exists()
    # The trap works: a reader without weights_only would have walked into it.
    if as_pytorch_file:
        torch.load(path, weights_only=False)
    else:
        pickle.load(io.BytesIO(path.read_bytes()))
    assert trap.exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            make_model(hidden=9),
            r"another model: 7 of its tensors .* 0.bias, is \(8,\) in the file and \(9,\)",
        ),
        (nn.Linear(6, 3), "another model: .* differ from Linear's; the first, 0.bias, .* missing here"),
        (nn.Sequential(*make_model(), nn.Linear(3, 3)), "another model: 2 .* 4.bias, is missing in the file"),
    ],
    ids=["other sizes", "other layers", "one layer more"],
)
def test_other_model_is_refused(saved, other, message):
    assert_refused(saved, other, OPTIMIZERS["Adam"](other), message)


@pytest.mark.parametrize("other", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
def test_other_optimiser_is_refused(saved, other):
    model = make_model()
    optimizer = other(model.parameters(), lr=0.1)
    assert_refused(saved, model, optimizer, f"holds the state of Adam, not of {other.__name__}$")


def test_optimiser_of_other_parameters_is_refused(saved):
    model = make_model()
    optimizer = torch.optim.Adam(model[0].parameters())
    message = r"optimiser of other parameters: groups of \[6\] tensors, here \[2\]"
    assert_refused(saved, model, optimizer, message)


def test_file_without_optimiser_is_refused_if_one_is_wanted(trained, tmp_path):
    path = fh.save_checkpoint(tmp_path / "model.pt", trained[0])
    assert_refused(path, *trained, "was saved without its optimiser")


# --- whole or not at all -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=["disk", "stop"])
def test_failed_write_leaves_the_old_file_and_nothing_else(saved, trained, monkeypatch, error):
    before = saved.read_bytes()

    def write_half(content, file):
        file.write(before[: len(before) // 2])
        raise error

    monkeypatch.setattr(torch, "save", write_half)
    with pytest.raises(type(error)):
        fh.save_checkpoint(saved, *trained)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_good_write_replaces_the_old_file_and_leaves_nothing_else(saved, trained):
    fh.save_checkpoint(saved, *trained, epoch=9)
    assert fh.load_checkpoint(saved, make_model()).epoch == 9
    assert list(saved.parent.iterdir()) == [saved]


def test_place_that_cannot_be_written_is_an_oserror(trained, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        fh.save_checkpoint(tmp_path / "file" / "model.pt", *trained)
