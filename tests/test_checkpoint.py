"""A checkpoint continues a run to the bit, refuses what it is not, and is never half written."""

from __future__ import annotations

import copy
import errno
import io
import os
import pickle
import re
import zipfile
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


UNREADABLE = r"\w+\.pt cannot be read as a file of save_checkpoint; if it is one, copy or save it again$"


def test_missing_file_is_refused_with_the_folder_that_was_looked_in(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here, give = re.escape(str(tmp_path)), "give the path that save_checkpoint returned$"
    words = f"^there is no checkpoint none.pt in {here}; {give}"
    assert_refused(Path("none.pt"), *trained, words, FileNotFoundError)
    with pytest.raises(
        FileNotFoundError, match=f"^there is no folder {re.escape(str(tmp_path / 'runs'))}; {give}"
    ):
        fh.load_checkpoint("runs/none.pt", *trained)
    words = f"^{here} is a folder; give the path of a checkpoint in it$"
    assert_refused(tmp_path, *trained, words, FileNotFoundError)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(saved, trained, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    assert_refused(saved, *trained, UNREADABLE)


def test_one_flipped_bit_in_a_weight_is_refused(saved, trained):
    content = bytearray(saved.read_bytes())
    content[content.index(trained[0][0].weight.detach().numpy().tobytes()) + 2] ^= 1
    saved.write_bytes(content)
    assert_refused(saved, *trained, UNREADABLE)


# Each first character is another instruction to a pickle reader, so each fails in another way.
@pytest.mark.parametrize("text", ["hello", "epoch,loss\n1,2.3\n", "0", "1", ".", "{}", "PK", "\x80\x02"])
def test_text_file_is_refused(trained, tmp_path, text):
    path = tmp_path / "notes.pt"
    path.write_text(text, encoding="latin-1")
    assert_refused(path, *trained, UNREADABLE)


FOREIGN = r"was written by torch.save, not by save_checkpoint; "


@pytest.mark.parametrize(
    "content", [torch.zeros(3), {"format": "another"}, {}, {"epoch": 1, "w": torch.ones(2)}]
)
def test_foreign_pytorch_file_is_refused(trained, tmp_path, content):
    path = tmp_path / "foreign.pt"
    torch.save(content, path)
    assert_refused(path, *trained, rf"{FOREIGN}torch.load\('.*foreign.pt'\) shows what it holds$")


def test_a_state_dict_is_refused_with_what_loads_it(trained, tmp_path):
    path, model = tmp_path / "sd.pth", make_model()
    torch.save(trained[0].state_dict(), path)
    with pytest.raises(ValueError, match=FOREIGN) as refused:
        fh.load_checkpoint(path, model)
    # The command of the sentence does what the sentence says.
    eval(str(refused.value).partition("if it is a state_dict, ")[2].removesuffix(" loads it"))
    assert same(model.state_dict(), trained[0].state_dict())


def test_a_whole_model_is_not_called_damaged(trained, tmp_path):
    torch.save(trained[0], path := tmp_path / "whole.pth")
    words = r"whole.pth holds more than tensors and plain values, as torch.save\(model\) writes it; save the model "
    assert_refused(path, *trained, words)
    torch.save(trained[0].state_dict(), path, _use_new_zipfile_serialization=False)
    assert_refused(
        path, *trained, "cannot be read as a file of save_checkpoint; if it is one, copy or save it again"
    )


def test_neither_a_broken_disk_nor_too_little_memory_is_the_fault_of_the_file(saved, trained, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", lambda *arguments, **options: torch.empty(1 << 58))
        words = (
            r"there is too little free memory to load .*model\.pt; shut down other notebooks, and try again$"
        )
        assert_refused(saved, *trained, words, MemoryError)

    def fail(*arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(zipfile, "ZipFile", fail)
    assert_refused(saved, *trained, rf"{os.strerror(errno.EIO)}: '.*model\.pt'$", OSError)


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
    words = "holds more than tensors and plain values" if as_pytorch_file else UNREADABLE
    assert_refused(path, *trained, words)
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
            r"model.pt does not fit Sequential: 7 differences in names, shapes or types, first 0.weight \(file: "
            r"shape \(8, 6\), here: shape \(9, 6\)\); build the model that was saved$",
        ),
        (nn.Linear(6, 3), r"fit Linear: 11 .*, first weight \(file: missing, here: shape \(3, 6\)\)"),
        (
            nn.Sequential(*make_model(), nn.Linear(3, 3)),
            r"does not fit Sequential: 2 .* 4.weight \(file: missing, here: shape",
        ),
    ],
    ids=["other sizes", "other layers", "one layer more"],
)
def test_other_model_is_refused(saved, other, message):
    assert_refused(saved, other, OPTIMIZERS["Adam"](other), message)


ALONE = r"make that one, or load the model alone with load_checkpoint\(path, model\)$"


@pytest.mark.parametrize("other", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
def test_other_optimiser_is_refused(saved, other):
    model = make_model()
    optimizer = other(model.parameters(), lr=0.1)
    assert_refused(
        saved, model, optimizer, f"was saved with the optimizer Adam, not {other.__name__}; {ALONE}"
    )


def test_optimiser_of_other_parameters_is_refused(saved):
    model = make_model()
    optimizer = torch.optim.Adam(model[0].parameters())
    message = r"with an optimizer of \[6\] parameter tensors per group, and this one has \[2\]; make it from the same"
    assert_refused(saved, model, optimizer, message)


def test_file_without_optimiser_is_refused_if_one_is_wanted(trained, tmp_path):
    path = fh.save_checkpoint(tmp_path / "model.pt", trained[0])
    assert_refused(
        path, *trained, r"was saved without an optimizer; load it with load_checkpoint\(path, model\)$"
    )


# --- whole or not at all -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(28, "no space left"), KeyboardInterrupt()], ids=["disk", "stop"])
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


def test_a_full_disk_is_named_as_such(saved, trained):
    """PyTorch itself says "unexpected pos". Files that may not grow fail as a full disk does."""
    resource = pytest.importorskip("resource")
    before, limits = saved.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(OSError, match=rf"{os.strerror(errno.EFBIG)}: '.*model\.pt'$"):
            fh.save_checkpoint(saved, *trained)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_an_earlier_error_of_the_disk_is_not_to_blame(saved, trained):
    model, optimizer = trained
    optimizer.param_groups[0]["note"] = lambda: 0
    try:
        fh.load_checkpoint("none.pt", model)
    except FileNotFoundError:
        assert_not_written(
            saved, lambda: fh.save_checkpoint(saved, model, optimizer), "param_groups[0]['note'] is"
        )


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
        (
            with_row(1, torch.ones(3)),
            "history[1].train_loss is tensor([1., 1., 1.]) (Tensor); it must be a number",
        ),
        (with_row(0, 1.5), "history[1].epoch is 1.5 (float); it must be an integer (int)"),
        (
            {"history": [ROW[:4]]},
            "history[0] is (1, 2.0, 0.25, 1.5) (tuple); the history that fit returns has 6 n",
        ),
        (
            {"history": [0.5, 0.4]},
            "history[0] is 0.5 (float); the history that fit returns has 6 numbers per row",
        ),
        (
            {"history": [{"epoch": 1}]},
            "history[0] is {'epoch': 1} (dict); the history that fit returns has 6 n",
        ),
        (
            {"history": {"loss": [1.0]}},
            "history is {'loss': [1.0]} (dict); it must be a list of rows, as fit",
        ),
        ({"history": Path("log")}, "it must be a list of rows, as fit returns it"),
        ({"epoch": 1.5}, "epoch is 1.5 (float); it must be an integer (int), 0 or above"),
        ({"epoch": -1}, "epoch is -1; it must be 0 or above"),
        ({"epoch": None}, "epoch is None (NoneType); it must be an integer (int), 0 or above"),
        ({"classes": "coat"}, "classes is 'coat' (str); it must be a list of names"),
        ({"classes": ["a", Path("coat")]}, "classes[1] is "),
        (
            {"classes": [*9 * ["a"], None]},
            "classes[9] is None (NoneType); each class must be a name (str) or an integer (int)",
        ),
        ({"classes": 10}, "classes is 10 (int); it must be a list of names"),
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
        (
            Path("data"),
            f"optimizer.param_groups[0]['note'] is {Path('data')!r} ({type(Path('data')).__name__}), which a che",
        ),
        (
            Strange(),
            "is of type Strange, which a checkpoint cannot hold; make it a number, a text or a tensor",
        ),
        ([0, {"a": Strange()}], ": optimizer.param_groups[0]['note'][1]['a'] is of type Strange"),
        (lambda: 0, "is of type function"),
        (np.datetime64("2026-01-01"), "is datetime.date(2026, 1, 1) (date), which a checkpoint cannot hold"),
        (np.array([Path("data")]), "['note'][0] is"),
        ({Path("data"): 1}, "a key of optimizer.param_groups[0]['note'] is"),
        (Fraction(1, 3), "is Fraction(1, 3) (Fraction), which a checkpoint cannot hold"),
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
        saved,
        lambda: fh.save_checkpoint(saved, layer),
        "model.state_dict()['_extra_state'] is of type Strange",
    )


def test_things_in_another_things_place_are_refused(saved, trained):
    model, optimizer = trained
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    found = {
        (model, schedule): "optimizer is of type StepLR; give None or an optimizer",
        (
            model,
            torch.optim.SGD,
        ): "optimizer is the class SGD; give None or an optimizer, as in SGD(model.parameters())",
        (model, nn.Linear): "optimizer is the class Linear; give None or an optimizer",
        (fh.NeuralNetwork, None): "model is the class NeuralNetwork; give a model, as in NeuralNetwork()",
        (torch.optim.SGD, None): "model is the class SGD; give a model",
        (optimizer, model): "model is of type Adam; give a model",
    }
    states = [
        (
            (model.state_dict(), None),
            "model is of type OrderedDict; give a model itself, not its state_dict()",
        ),
        (
            (model, optimizer.state_dict()),
            "optimizer is of type dict; give None or an optimizer itself, not its state_dict()",
        ),
    ]
    for arguments, sentence in [*found.items(), *states]:
        assert_not_written(saved, lambda arguments=arguments: fh.save_checkpoint(saved, *arguments), sentence)
        with pytest.raises(ValueError) as refused:
            fh.load_checkpoint(saved, *arguments)
        assert str(refused.value) == f"{saved} was not loaded: {sentence}"
    for call in (fh.save_checkpoint, fh.load_checkpoint):
        with pytest.raises(
            ValueError, match=r"^path is of type Sequential; give path, model and optimizer in this ord"
        ):
            call(model, saved)


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
    assert_refused(saved, other, None, r"fit Linear: 11 differences in .*, first weight \(")


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


AGAIN = "; train and save again$"
STATE_DAMAGED = f"a.pt is not a complete checkpoint: its optimizer state is damaged{AGAIN}"
GROUP = ("optimizer", "param_groups", 0)
STATE = ("optimizer", "state", 0)
SPOILT = {
    "no model": (change("model"), "'model' is missing"),
    "no optimiser": (change("optimizer"), "'optimizer' is missing"),
    "no name": (change("optimizer_name"), "'optimizer_name' is missing"),
    "no epoch": (change("epoch"), "'epoch' is missing"),
    "no history": (change("history"), "'history' is missing"),
    "no classes": (change("classes"), "'classes' is missing"),
    "list for model": (
        change("model", to=[1]),
        r": model is \[1\] \(list\), not a dictionary of tensors; tr",
    ),
    "tensor for model": (
        change("model", to=torch.ones(2)),
        r"a complete checkpoint: model is tensor\(\[1., 1.\]\) \(Tensor\), not a dict",
    ),
    "text for history": (
        change("history", to="none"),
        r"history is 'none' \(str\), not a list of rows; train",
    ),
    "short row": (
        change("history", 0, to=(1, 2)),
        r"complete checkpoint: history\[0\] is \(1, 2\) \(tuple\); the .* has 6 numbers per row; train and save again$",
    ),
    "long row": (
        change("history", 0, to=[1] * 7),
        r"history\[0\] is .*; the history that fit returns has 6 n",
    ),
    "number for row": (change("history", 0, to=3), r"history\[0\] is 3 \(int\); the history that fit ret"),
    "text in row": (
        change("history", 0, to=[1, 2, 3, 4, "x", 6]),
        r"history\[0\].valid_accuracy is 'x' \(str\);",
    ),
    "epoch half": (
        change("epoch", to=0.5),
        rf"epoch is 0.5 \(float\); it must be an integer \(int\), 0 or above{AGAIN}",
    ),
    "epoch below": (
        change("epoch", to=-2),
        f"epoch is -2; it must be 0 or above{AGAIN}",
    ),
    "text for classes": (change("classes", to="ab"), r"classes is 'ab' \(str\), not a tuple of names"),
    "dicts for classes": (
        change("classes", to=[{}]),
        rf"classes\[0\] is \{{\}} \(dict\); each class must be a name \(str\) or an integer \(int\){AGAIN}",
    ),
    "one weight missing": (
        change("model", "0.bias"),
        r": 1 difference in names, .*, first 0.bias \(file: missing, here: shape \(8,\)\); build the model that was",
    ),
    "one weight too many": (
        change("model", "9.bias", to=torch.ones(1)),
        r"first 9.bias \(file: shape \(1,\), here: missing\)",
    ),
    "a name twice": (
        change("model", "_orig_mod.0.bias", to=torch.ones(8)),
        r"_orig_mod.0.bias \(file: shape \(8,\), here: missing\)",
    ),
    "number for a key": (
        change("model", 7, to=torch.ones(1)),
        r"1 difference in names, shapes or types, first 7 \(file",
    ),
    "other shape": (
        change("model", "0.bias", to=torch.ones(9)),
        r"0.bias \(file: shape \(9,\), here: shape \(8,\)\)",
    ),
    "number for a weight": (change("model", "0.bias", to=0.5), r"0.bias \(file: no tensor, here"),
    "integers": (
        change("model", "0.bias", to=torch.arange(8)),
        r"\(file: shape \(8,\) of integers, here: shape \(8,\)\)",
    ),
    "complex": (change("model", "0.bias", to=torch.ones(8) * 1j), r"\(file: shape \(8,\) of complex, here"),
    "no numbers": (change("model", "0.bias", to=torch.ones(8, device="meta")), r"\(file: without numbers"),
    "list for optimiser": (change("optimizer", to=[1]), r"optimizer is \[1\] \(list\), not a dictionary"),
    "no groups": (change("optimizer", "param_groups"), STATE_DAMAGED),
    "number for a group": (change(*GROUP, to=3), STATE_DAMAGED),
    "no parameters": (change(*GROUP, "params"), STATE_DAMAGED),
    "parameter twice": (change(*GROUP, "params", 1, to=5), STATE_DAMAGED),
    "lists as parameters": (
        change(*GROUP, "params", 1, to=[1]),
        STATE_DAMAGED,
    ),
    "state of nobody": (
        change("optimizer", "state", 77, to={}),
        STATE_DAMAGED,
    ),
    "fewer parameters": (change(*GROUP, "params", 5), STATE_DAMAGED),
    "no rate": (
        change(*GROUP, "lr"),
        r"a.pt's optimizer state does not fit this Adam \(KeyError: 'lr'\); make it",
    ),
    "text for rate": (change(*GROUP, "lr", to="fast"), r"optimizer state does not fit this Adam \("),
    "one beta": (
        change(*GROUP, "betas", to=(0.9,)),
        r"optimizer state does not fit this Adam \(ValueError: ",
    ),
    "half a state": (
        change(*STATE, "exp_avg"),
        r"this Adam \(KeyError: 'exp_avg'\); make it from the same parameters, .*, or train and save again$",
    ),
    "other state": (
        change(*STATE, "exp_avg", to=torch.ones(2, 2)),
        "optimizer state does not fit this Adam ",
    ),
    "one number": (
        change(*STATE, "exp_avg_sq", to=torch.ones(())),
        "optimizer state does not fit this Adam ",
    ),
    "number for state": (change(*STATE, to=3), "optimizer state does not fit this Adam "),
    "newer": (
        change("format", to="fmnist-course-checkpoint-2"),
        "has the format 'fmnist-course-checkpoint-2', and this .*-1'; update the course, or train and save again$",
    ),
    "no version": (change("format"), FOREIGN),
    "number for version": (change("format", to=1), FOREIGN),
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
        assert str(raised.value).endswith("and nothing was changed (RuntimeError: the layer is full)")
    assert all(map(torch.equal, weights, fresh.parameters()))
    assert optimizers[1].param_groups[0]["lr"] == 0.2


def test_an_optimiser_of_another_model_is_to_blame_and_not_the_file(saved):
    """The file fits; an optimiser that was made before the model was built anew is the usual cause."""
    model, older = make_model(), make_model(hidden=9)
    optimizer = OPTIMIZERS["Adam"](older)
    words = (
        r"model.pt was not loaded: optimizer was made from the parameters of another model; make it from this one's: "
        r"Adam\(model.parameters\(\), ...\)$"
    )
    assert_refused(saved, model, optimizer, words)
    fh.load_checkpoint(saved, model, OPTIMIZERS["Adam"](model))


def test_an_optimiser_with_parameters_in_another_order_is_told_of_the_order(saved):
    model = make_model()
    optimizer = torch.optim.Adam(list(model.parameters())[::-1], lr=0.01)
    assert_refused(
        saved, model, optimizer, "make it from the same parameters, in the same order, as when it was"
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: nn.Sequential(nn.LazyLinear(8)),
            "here: not made yet); call the model with a batch of images first",
        ),
        (
            lambda: nn.Linear(6, 3, device="meta"),
            "here: without numbers (on the device meta)); make the model without torch.device('meta')",
        ),
    ],
    ids=["lazy", "meta"],
)
def test_a_model_that_has_no_numbers_yet_is_not_called_another(saved, make, sentence):
    with pytest.raises(ValueError) as refused:
        fh.load_checkpoint(saved, make())
    assert str(refused.value).endswith(sentence)


def test_a_model_of_inference_mode_is_told_where_it_was_made(saved, trained):
    with torch.inference_mode():
        model = make_model()
        fh.load_checkpoint(saved, model)
    words = r"model.pt was not loaded: model was made in torch.inference_mode\(\), so .*; make it outside of that b"
    assert_refused(saved, model, None, words)


def test_what_can_be_put_back_no_more_is_told_and_the_reason_is_whole(tmp_path):
    """A tensor whose numbers share one place in memory cannot be written to, by a file or by what puts it back."""
    path = fh.save_checkpoint(tmp_path / "a.pt", nn.Linear(3, 3))
    model = nn.Linear(3, 3)
    model.bias = nn.Parameter(torch.zeros(1).expand(3))
    with pytest.raises(ValueError) as refused:
        fh.load_checkpoint(path, model)
    said = str(refused.value)
    assert said.startswith(
        f"{path} cannot be loaded, and a part of the model may be changed, so make it anew (Runt"
    )
    # PyTorch's first line says nothing but the name of the class.
    assert 'named "bias"' in said and "\n" not in said


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
    optimizer = load_into(saved, lr=0.5)
    assert optimizer.param_groups[0]["lr"] == 0.01
    said = capsys.readouterr().out
    # The command of the line does what the line says.
    exec(said.partition("to change one: ")[2])
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert said == (
        "model.pt set lr to 0.01 (it was 0.5); to change one: for g in optimizer.param_groups: g['lr'] = 0.5\n"
    )


def test_other_settings_that_come_back_are_told_too(saved, capsys):
    load_into(saved, lr=torch.tensor(0.5), betas=(0.5, 0.9))
    told = capsys.readouterr().out
    assert (
        "model.pt set lr to 0.01 (it was 0.5), betas to (0.9, 0.999) (it was (0.5, 0.9)); to change one: "
        in told
    )
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
    assert "a.pt set lr to 0.1 and 0.2 (it was 0.3); to" in capsys.readouterr().out
