"""A checkpoint continues a run to the bit, refuses what it is not, and is never half written."""

from __future__ import annotations

import copy
import io
import os
import pickle
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
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


# --- what is saved can be loaded ---------------------------------------------------------------------------


def numpy_row(number: int = 1) -> tuple:
    return (
        np.int64(number),
        np.float64(2.0),
        np.float32(0.25),
        np.array(1.5),
        torch.tensor(0.5),
        Fraction(3),
    )


ROW = fh.EpochResult(1, 2.0, 0.25, 1.5, 0.5, 3.0)


@pytest.mark.parametrize(
    "history", [[numpy_row()], (fh.EpochResult(*numpy_row()),), fh.History([ROW]), [list(ROW)]], ids=str
)
def test_numbers_in_any_guise_come_back_as_plain_ones(trained, tmp_path, history):
    path = fh.save_checkpoint(tmp_path / "a.pt", *trained, epoch=np.int64(4), history=history)
    checkpoint = fh.load_checkpoint(path, make_model())
    assert checkpoint == (4, [ROW], fh.CLASSES)
    assert type(checkpoint.epoch) is int
    assert [type(value) for value in checkpoint.history[0]] == [int] + 5 * [float]


@pytest.mark.parametrize("classes", [np.array(["a", "b"]), ["a", np.str_("b")], ("a", "b")], ids=repr)
def test_class_names_in_any_guise_come_back_as_text(trained, tmp_path, classes):
    path = fh.save_checkpoint(tmp_path / "a.pt", trained[0], classes=classes)
    assert fh.load_checkpoint(path, make_model()).classes == ("a", "b")


def test_settings_of_an_optimiser_in_numpys_numbers_come_back(tmp_path):
    """A rate from ``np.logspace`` is the usual case; what an optimiser does not know it saves as well."""
    model = make_model()
    rate, betas = np.logspace(-3, -1, 3)[1], np.array([0.8, 0.9])
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=betas)
    optimizer.param_groups[0]["note"] = {"rates": np.array([0.1, 0.2]), np.int64(3): np.str_("three")}
    train(model, optimizer, 1)
    path = fh.save_checkpoint(tmp_path / "a.pt", model, optimizer)
    fresh = OPTIMIZERS["Adam"](other := make_model())
    fh.load_checkpoint(path, other, fresh)
    group = fresh.param_groups[0]
    assert (group["lr"], list(group["betas"])) == (rate, [0.8, 0.9])
    assert group["note"] == {"rates": [0.1, 0.2], 3: "three"}


class Noted(nn.Linear):
    """A layer that saves something beside its tensors."""

    note: object = None

    def get_extra_state(self):
        return self.note

    def set_extra_state(self, state):
        self.note = state


def test_what_a_layer_saves_beside_its_tensors_comes_back(tmp_path):
    model, fresh = Noted(2, 2), Noted(2, 2)
    model.note = {"temperature": np.float32(0.5)}
    fh.load_checkpoint(fh.save_checkpoint(tmp_path / "a.pt", model), fresh)
    assert fresh.note == {"temperature": 0.5}


def with_row(place: int, value: object) -> dict:
    return {"history": [ROW, (*ROW[:place], value, *ROW[place + 1 :])]}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (with_row(3, "low"), "history[1].valid_loss is 'low' (str); it must be a number"),
        (with_row(3, None), "history[1].valid_loss is None (NoneType); it must be a number"),
        (with_row(2, True), "history[1].train_accuracy is True (bool); it must be a number"),
        (
            with_row(1, np.ones(3)),
            "history[1].train_loss is array([1., 1., 1.]) (ndarray); it must be a number",
        ),
        (with_row(1, torch.ones(3)), "history[1].train_loss is a Tensor of shape (3,); it must be a number"),
        (with_row(0, 1.5), "history[1].epoch is 1.5 (float); it must be a whole number"),
        ({"history": [ROW[:4]]}, "history[0] is (1, 2.0, 0.25, 1.5) (tuple); a row holds 6 numbers: epoch, "),
        ({"history": [{"epoch": 1}]}, "history[0] is {'epoch': 1} (dict); a row holds 6 numbers: epoch, "),
        (
            {"history": {"loss": [1.0]}},
            "history is {'loss': [1.0]} (dict); it must be a list of rows, as fit",
        ),
        ({"history": Path("log")}, "it must be a list of rows, as fit returns it"),
        ({"epoch": 1.5}, "epoch is 1.5 (float); it must be a whole number, 0 or above"),
        ({"epoch": -1}, "epoch is -1 (int); it must be a whole number, 0 or above"),
        ({"epoch": None}, "epoch is None (NoneType); it must be a whole number, 0 or above"),
        ({"classes": "coat"}, "classes are 'coat' (str); they must be a list of names"),
        ({"classes": [Path("coat")]}, "(list); they must be a list of names"),
        ({"classes": 10}, "classes are 10 (int); they must be a list of names"),
    ],
    ids=str,
)
def test_what_could_not_be_loaded_is_refused_before_the_old_file_goes(saved, trained, options, sentence):
    assert_not_written(saved, lambda: fh.save_checkpoint(saved, *trained, **options), sentence)


def assert_not_written(path, save, sentence: str) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError) as raised:
        save()
    assert str(raised.value).startswith(f"{path} was not written: ")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


class Strange:
    """Known to nobody who reads the file."""

    def __repr__(self):
        return "a\nstrange thing"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (Path("data"), f"is {Path('data')!r} ({type(Path('data')).__name__}), which cannot be loaded"),
        (
            Strange(),
            "is of the kind Strange, which cannot be loaded with weights_only=True; make it a number,",
        ),
        ([0, {"a": Strange()}], "param_groups'][0]['note'][1]['a'] is of the kind Strange"),
        (lambda: 0, "is of the kind function"),
        (np.datetime64("2026-01-01"), "is datetime.date(2026, 1, 1) (date), which cannot be loaded"),
        (np.array([Path("data")]), "['note'][0] is"),
        ({Path("data"): 1}, "a key of optimizer['param_groups'][0]['note'] is"),
        (Fraction(1, 3), "is Fraction(1, 3) (Fraction), which cannot be loaded"),
    ],
    ids=["path", "strange", "nested", "function", "date", "array of paths", "key", "fraction"],
)
def test_a_value_that_nobody_could_load_is_named(saved, trained, value, sentence):
    model, optimizer = trained
    optimizer.param_groups[0]["note"] = value
    assert_not_written(saved, lambda: fh.save_checkpoint(saved, model, optimizer), sentence)
    layer = Noted(2, 2)
    layer.note = Strange()
    assert_not_written(
        saved, lambda: fh.save_checkpoint(saved, layer), "model['_extra_state'] is of the kind"
    )


def test_things_in_another_things_place_are_refused(saved, trained):
    model, optimizer = trained
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    sentence = "the optimiser is of the kind StepLR; give one of torch.optim, or None"
    assert_not_written(saved, lambda: fh.save_checkpoint(saved, model, schedule), sentence)
    sentence = "the model is of the kind OrderedDict; give the nn.Module itself"
    assert_not_written(saved, lambda: fh.save_checkpoint(saved, model.state_dict()), sentence)
    for arguments in ((model.state_dict(), optimizer), (model, schedule)):
        with pytest.raises(
            ValueError, match=r"model\.pt was not loaded: the (model|optimiser) is of the kind"
        ):
            fh.load_checkpoint(saved, *arguments)


# --- compiled and wrapped models ---------------------------------------------------------------------------

WRAPPINGS = {
    "bare": lambda model: model,
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "parallel": nn.DataParallel,
    "compiled and parallel": lambda model: nn.DataParallel(torch.compile(model, backend="eager")),
}


@pytest.mark.parametrize("wrap_saved", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("wrap_loaded", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_model_goes_from_any_wrapping_to_any_other(trained, tmp_path, wrap_saved, wrap_loaded):
    model, optimizer = trained
    expected = copy.deepcopy(model.state_dict())
    path = fh.save_checkpoint(tmp_path / "a.pt", wrap_saved(model), optimizer)
    assert list(torch.load(path, weights_only=True)["model"]) == list(expected)
    fresh = make_model()
    fresh_optimizer = OPTIMIZERS["Adam"](fresh)
    fh.load_checkpoint(path, wrap_loaded(fresh), fresh_optimizer)
    assert same(dict(fresh.state_dict()), dict(expected))
    assert same(fresh_optimizer.state_dict(), optimizer.state_dict())


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_file_of_an_earlier_version_with_the_wrappers_names_is_read(saved, trained, wrap):
    content = torch.load(saved, weights_only=True)
    content["model"] = wrap(trained[0]).state_dict()
    torch.save(content, saved)
    fresh = make_model()
    fh.load_checkpoint(saved, fresh)
    assert same(dict(fresh.state_dict()), dict(trained[0].state_dict()))


def test_another_model_is_named_by_its_own_name_and_not_by_its_wrappers(saved):
    other = torch.compile(nn.Linear(6, 3), backend="eager")
    assert_refused(saved, other, None, "another model: .* differ from Linear's; the first, 0.bias, ")


# --- a checkpoint that is wrong somewhere ------------------------------------------------------------------


def change(*places: object, to: object = None):
    """Return what puts a value at some place of a checkpoint's content; without a value it takes the place away."""

    def spoil(content: dict) -> None:
        for place in places[:-1]:
            content = content[place]
        if to is None:
            del content[places[-1]]
        else:
            content[places[-1]] = to

    return spoil


GROUP = ("optimizer", "param_groups", 0)
STATE = ("optimizer", "state", 0)
SPOILT = {
    "no model": (change("model"), "'model' is missing"),
    "no optimiser": (change("optimizer"), "'optimizer' is missing"),
    "no name": (change("optimizer_name"), "'optimizer_name' is missing"),
    "no epoch": (change("epoch"), "'epoch' is missing"),
    "no history": (change("history"), "'history' is missing"),
    "no classes": (change("classes"), "'classes' is missing"),
    "list for model": (change("model", to=[1]), r"its model is \[1\] \(list\), not a dictionary of tensors"),
    "tensor for model": (
        change("model", to=torch.ones(2)),
        r"its model is a Tensor of shape \(2,\), not a dict",
    ),
    "text for history": (change("history", to="none"), r"its history is 'none' \(str\), not a list of rows"),
    "short row": (
        change("history", 0, to=(1, 2)),
        r"its history\[0\] is \(1, 2\) \(tuple\); a row holds 6 numbers",
    ),
    "long row": (change("history", 0, to=[1] * 7), r"its history\[0\] is .*; a row holds 6 numbers"),
    "number for row": (change("history", 0, to=3), r"its history\[0\] is 3 \(int\); a row holds 6 numbers"),
    "text in row": (
        change("history", 0, to=[1, 2, 3, 4, "x", 6]),
        r"history\[0\].valid_accuracy is 'x' \(str\);",
    ),
    "epoch half": (change("epoch", to=0.5), r"its epoch is 0.5 \(float\); it must be a whole number"),
    "epoch below": (
        change("epoch", to=-2),
        r"its epoch is -2 \(int\); it must be a whole number, 0 or above",
    ),
    "text for classes": (change("classes", to="ab"), r"its classes is 'ab' \(str\), not a tuple of names"),
    "dicts for classes": (
        change("classes", to=[{}]),
        r"its classes are \[\{\}\] \(list\); they must be a list",
    ),
    "one weight missing": (
        change("model", "0.bias"),
        r"the first, 0.bias, is missing in the file and \(8,\) here",
    ),
    "one weight too many": (
        change("model", "9.bias", to=torch.ones(1)),
        r"9.bias, is \(1,\) .* missing here",
    ),
    "a name twice": (
        change("model", "_orig_mod.0.bias", to=torch.ones(8)),
        r"_orig_mod.0.bias, is \(8,\) in the file and missing here",
    ),
    "number for a key": (
        change("model", 7, to=torch.ones(1)),
        "another model: 1 of its tensors differ .*, 7, is",
    ),
    "other shape": (
        change("model", "0.bias", to=torch.ones(9)),
        r"0.bias, is \(9,\) in the file and \(8,\) here",
    ),
    "number for a weight": (change("model", "0.bias", to=0.5), r"0.bias, is no tensor in the file"),
    "whole numbers": (
        change("model", "0.bias", to=torch.arange(8)),
        r"is \(8,\) of whole numbers in the file",
    ),
    "complex": (change("model", "0.bias", to=torch.ones(8) * 1j), r"is \(8,\) of complex in the file"),
    "no numbers": (change("model", "0.bias", to=torch.ones(8, device="meta")), r"is without numbers"),
    "list for optimiser": (change("optimizer", to=[1]), r"its optimizer is \[1\] \(list\), not a dictionary"),
    "no groups": (change("optimizer", "param_groups"), r"its optimizer is no state_dict\(\) of Adam"),
    "number for a group": (change(*GROUP, to=3), r"its optimizer is no state_dict\(\) of Adam"),
    "no parameters": (change(*GROUP, "params"), r"its optimizer is no state_dict\(\) of Adam"),
    "parameter twice": (change(*GROUP, "params", 1, to=5), r"its optimizer is no state_dict\(\) of Adam"),
    "lists as parameters": (
        change(*GROUP, "params", 1, to=[1]),
        r"its optimizer is no state_dict\(\) of Adam",
    ),
    "state of nobody": (
        change("optimizer", "state", 77, to={}),
        r"its optimizer is no state_dict\(\) of Adam",
    ),
    "fewer parameters": (change(*GROUP, "params", 5), r"its optimizer is no state_dict\(\) of Adam"),
    "no rate": (change(*GROUP, "lr"), r"a state that Adam cannot go on from \(KeyError: 'lr'\)"),
    "text for rate": (change(*GROUP, "lr", to="fast"), r"a state that Adam cannot go on from \("),
    "one beta": (change(*GROUP, "betas", to=(0.9,)), r"a state that Adam cannot go on from \(ValueError: "),
    "half a state": (
        change(*STATE, "exp_avg"),
        r"a state that Adam cannot go on from \(KeyError: 'exp_avg'\)",
    ),
    "other state": (change(*STATE, "exp_avg", to=torch.ones(2, 2)), "a state that Adam cannot go on from "),
    "one number": (change(*STATE, "exp_avg_sq", to=torch.ones(())), "a state that Adam cannot go on from "),
    "number for state": (change(*STATE, to=3), "a state that Adam cannot go on from "),
    "newer": (
        change("format", to="fmnist-course-checkpoint-2"),
        "of the form 'fmnist-course-checkpoint-2'; this ver",
    ),
    "no version": (change("format"), "is a PyTorch file, but not written by save_checkpoint"),
    "number for version": (change("format", to=1), "is a PyTorch file, but not written by save_checkpoint"),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILT.values(), ids=SPOILT)
def test_a_checkpoint_that_is_wrong_anywhere_changes_nothing(trained, tmp_path, spoil, message):
    path = fh.save_checkpoint(tmp_path / "a.pt", *trained, history=[ROW])
    content = torch.load(path, weights_only=True)
    spoil(content)
    torch.save(content, path)
    # Once into a fresh optimiser, and once into one that has a state to lose.
    fresh = make_model()
    assert_refused(path, fresh, OPTIMIZERS["Adam"](fresh), message)
    torch.manual_seed(9)
    train(other := make_model(), optimizer := OPTIMIZERS["Adam"](other), 2)
    assert_refused(path, other, optimizer, message)


def places(content: object) -> Iterator[tuple]:
    """All places in a content at which something stands, outermost first."""
    keys = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield (key,)
        yield from ((key, *place) for place in places(content[key]))


@pytest.mark.parametrize(
    "junk",
    [-7, 0.5, "junk", (), [[]], {"a": 1}, torch.ones(2, 5), torch.arange(3), torch.ones(8) > 0],
    ids=str,
)
def test_whatever_stands_anywhere_it_loads_or_changes_nothing(trained, tmp_path, junk):
    path = fh.save_checkpoint(tmp_path / "a.pt", *trained, history=[ROW])
    torch.manual_seed(9)
    train(model := make_model(), optimizer := OPTIMIZERS["Adam"](model), 1)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    refused = 0
    for place in places(torch.load(path, weights_only=True)):
        content = torch.load(path, weights_only=True)
        change(*place, to=junk)(content)
        torch.save(content, tmp_path / "spoilt.pt")
        try:
            fh.load_checkpoint(tmp_path / "spoilt.pt", model, optimizer)
        except ValueError as error:
            assert "\n" not in str(error) and "spoilt.pt" in str(error)
            assert same(before[0], model.state_dict()) and same(before[1], optimizer.state_dict())
            refused += 1
        else:
            # What was let through, such as another number for a rate, can be trained on.
            train(model, optimizer, 1)
            model.load_state_dict(before[0])
            optimizer.load_state_dict(copy.deepcopy(before[1]))
    assert refused > 20


@pytest.mark.parametrize(
    "error", [RuntimeError("the layer\nis full"), KeyboardInterrupt()], ids=["fault", "stop"]
)
def test_what_fails_half_way_is_taken_back(tmp_path, error):
    """The last layer fails when it is loaded, after the others have their new weights."""

    def broken(state):
        if fresh[1].note == "armed":
            fresh[1].note = None
            raise error

    model, fresh = (nn.Sequential(nn.Linear(2, 2), Noted(2, 2)) for _ in range(2))
    optimizers = [torch.optim.SGD(m.parameters(), lr=rate) for m, rate in ((model, 0.1), (fresh, 0.2))]
    path = fh.save_checkpoint(tmp_path / "a.pt", model, optimizers[0])
    fresh[1].set_extra_state, fresh[1].note = broken, "armed"
    weights = copy.deepcopy(list(fresh.parameters()))
    expected = ValueError if isinstance(error, Exception) else KeyboardInterrupt
    with pytest.raises(expected) as raised:
        fh.load_checkpoint(path, fresh, optimizers[1])
    if expected is ValueError:
        assert str(raised.value).endswith("and nothing was changed (RuntimeError: the layer)")
    assert all(map(torch.equal, weights, fresh.parameters()))
    assert optimizers[1].param_groups[0]["lr"] == 0.2


SETTINGS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adam": {"amsgrad": True},
}
EVERY = [
    "AdamW",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "NAdam",
    "RAdam",
    "ASGD",
    "Rprop",
    "Adafactor",
    "LBFGS",
    *SETTINGS,
]


@pytest.mark.parametrize("name", EVERY)
def test_every_optimiser_of_pytorch_goes_on_to_the_bit(tmp_path, name):
    """The check of a state must not refuse what is right, nor take a step in the model."""

    def make(model):
        return getattr(torch.optim, name)(model.parameters(), lr=0.01, **SETTINGS.get(name, {}))

    def steps(model, optimizer, number):
        images, labels = make_loader().dataset.tensors
        for _ in range(number):

            def closure():
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(images), labels)
                loss.backward()
                return loss

            optimizer.step(closure)

    torch.manual_seed(0)
    whole, fresh = make_model(), make_model()
    optimizer, fresh_optimizer = make(whole), make(fresh)
    steps(whole, optimizer, 3)
    path = fh.save_checkpoint(tmp_path / "a.pt", whole, optimizer)
    fh.load_checkpoint(path, fresh, fresh_optimizer)
    assert all(p.grad is None for p in fresh.parameters())
    steps(whole, optimizer, 3)
    steps(fresh, fresh_optimizer, 3)
    assert all(map(torch.equal, whole.parameters(), fresh.parameters()))


# --- settings that come back -------------------------------------------------------------------------------


def load_into(path, **settings) -> torch.optim.Optimizer:
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), **settings)
    fh.load_checkpoint(path, model, optimizer)
    return optimizer


def test_a_rate_that_comes_back_is_told_in_one_line(saved, capsys):
    assert load_into(saved, lr=0.5).param_groups[0]["lr"] == 0.01
    assert capsys.readouterr().out == (
        "model.pt brings back the learning rate 0.01 (here it was 0.5); "
        "to go on with another, set it in optimizer.param_groups after loading.\n"
    )


def test_other_settings_that_come_back_are_told_too(saved, capsys):
    load_into(saved, lr=torch.tensor(0.5), betas=(0.5, 0.9))
    told = capsys.readouterr().out
    assert "betas (0.9, 0.999) (here it was (0.5, 0.9)), the learning rate 0.01 (here it was 0.5)" in told
    assert told.count("\n") == 1


def test_nothing_is_told_where_nothing_differs(saved, capsys):
    load_into(saved, lr=0.01)
    load_into(saved, lr=np.float64(0.01), betas=[0.9, 0.999], foreach=False)
    fh.load_checkpoint(saved, make_model())
    assert capsys.readouterr().out == ""


def test_each_groups_rate_is_told(tmp_path, capsys):
    def make(model, *rates):
        return torch.optim.SGD(
            [{"params": p.parameters(), "lr": r} for p, r in zip(model[:2], rates, strict=True)]
        )

    path = fh.save_checkpoint(tmp_path / "a.pt", model := make_model(), make(model, 0.1, 0.2))
    fh.load_checkpoint(path, fresh := make_model(), make(fresh, 0.3, 0.3))
    assert "the learning rate 0.1 and 0.2 (here it was 0.3)" in capsys.readouterr().out
