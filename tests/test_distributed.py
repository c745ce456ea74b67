"""Several processes against one: the same curve, one voice, and a run that outlives a killed process.

The processes are real: ``torchrun`` starts them on the loopback interface, without graphics cards. This file is
also the program that they run.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler, TensorDataset

import fmnist_helpers as fh
from fmnist_helpers import distributed
from tests.conftest import COURSE_FOLDER
from tests.small_problem import (
    CROSS_ENTROPY,
    assert_same_weights,
    garments,
    loader,
    sgd,
    small_model,
    weights,
)

TOLERANCE = 1e-6
"""How far losses and weights of several processes may be from those of one: sums are done in another order."""

SECONDS = 120
"""When processes that hang are ended."""

NUM_EPOCHS = 8

needs_torchrun = pytest.mark.skipif(
    sys.platform == "win32", reason="torchrun and the signals of these tests are not at hand on Windows"
)

CPU = torch.device("cpu")


# --- what one process and several train alike ----------------------------------------------------------------


class Problem(NamedTuple):
    """All that a run needs, made anew and alike at every call of its recipe."""

    model: nn.Module
    optimizer: Optimizer
    train_loader: DataLoader
    valid_loader: DataLoader


def small(
    num_samples: int, batch_size: int, make_optimizer=sgd, *, shuffle: bool = True, **options
) -> Problem:
    model = small_model()
    generator = torch.Generator().manual_seed(3)
    train_loader = loader(num_samples, batch_size, shuffle=shuffle, generator=generator, **options)
    return Problem(model, make_optimizer(model), train_loader, loader(num_samples, batch_size + 1))


def course(root: Path) -> Problem:
    """The course's own loaders: 341 samples in batches of 20, of which the last has a single one."""
    train_loader, valid_loader, _ = fh.make_loaders(root, batch_size=20, num_valid=59, seed=4)
    torch.manual_seed(0)
    model = fh.NeuralNetwork()
    return Problem(model, torch.optim.SGD(model.parameters(), lr=0.1), train_loader, valid_loader)


def adam(model: nn.Module) -> Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.01)


def momentum(model: nn.Module) -> Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


PROBLEMS = {
    "in order": lambda root: small(64, 8, shuffle=False),
    "shuffled": lambda root: small(64, 8),
    "last batch of two": lambda root: small(50, 8),
    "last batch uneven": lambda root: small(51, 8, momentum),
    "last batch of one": lambda root: small(49, 8, momentum),
    "every batch uneven": lambda root: small(45, 7, adam),
    "last batch dropped": lambda root: small(51, 8, drop_last=True),
    "one batch": lambda root: small(33, 64),
    "course": course,
}


def train_alone(problem: Problem, num_epochs: int = 3) -> list[tuple[float, ...]]:
    """The loops as every lesson calls them; nothing of the module under test is used."""
    model, optimizer, train_loader, valid_loader = problem
    return [
        (
            *fh.train_loop(train_loader, model, CROSS_ENTROPY, optimizer, verbose=False),
            *fh.test_loop(valid_loader, model, CROSS_ENTROPY, verbose=False),
        )
        for _ in range(num_epochs)
    ]


def train_shared(
    group: distributed.Group, problem: Problem, loss_fn=None, num_epochs: int = 3
) -> list[tuple[float, ...]]:
    model, optimizer, train_loader, valid_loader = problem
    model, loss_fn = group.share_model(model), loss_fn or group.share_loss(CROSS_ENTROPY)
    train_loader, valid_loader = group.share_loader(train_loader), group.share_loader(valid_loader)
    rows = []
    for _ in range(num_epochs):
        train = fh.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        train = group.average(train, train_loader)
        valid = fh.test_loop(valid_loader, model, loss_fn, verbose=False)
        rows.append((*train, *group.average(valid, valid_loader)))
    return rows


# --- the program of the processes ----------------------------------------------------------------------------


def work(folder: Path, root: Path) -> None:
    """What each process does: every problem, what must be refused, and at last rank 1 does not answer."""
    try:
        with distributed.process_group(timeout_seconds=10) as group:
            torch.save(results(group, root), folder / f"rank{group.rank}.pt")
            group.require_same("the end", True)
            if group.rank == 1:
                time.sleep(SECONDS)
            print("all results are saved", flush=True)
            group.require_same("the silence", True)
    except distributed.LostProcessError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def results(group: distributed.Group, root: Path) -> dict:
    found = {}
    for name, recipe in (PROBLEMS | {"normalised": normalised}).items():
        problem = recipe(root)
        found[name] = {"rows": train_shared(group, problem), "model": problem.model.state_dict()}
    found["equal weights"] = {"rows": train_shared(group, small(51, 8, momentum), CROSS_ENTROPY)}
    found["refused"] = [refusal(attempt, group) for attempt in (unlike_orders, unlike_values, unfit_images)]
    return found


def normalised(root: Path) -> Problem:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 10))
    return Problem(model, sgd(model), loader(50, 10), loader(50, 10))


def refusal(attempt, group: distributed.Group) -> str:
    with pytest.raises(ValueError) as refused:
        attempt(group)
    return str(refused.value)


def unlike_orders(group: distributed.Group) -> None:
    generator = torch.Generator().manual_seed(group.rank)
    group.share_loader(loader(50, 8, shuffle=True, generator=generator))


def unlike_values(group: distributed.Group) -> None:
    group.require_same("the rate", 0.1 * group.rank)


def unfit_images(group: distributed.Group) -> None:
    images = DataLoader(TensorDataset(torch.rand(8, 1, 5, 5), torch.zeros(8, dtype=torch.int64)), 4)
    fh.train_loop(
        group.share_loader(images), group.share_model(small_model()), CROSS_ENTROPY, sgd(small_model())
    )


# --- starting and watching processes -------------------------------------------------------------------------


class Ended(NamedTuple):
    code: int
    output: str
    errors: str


@contextmanager
def torchrun(num_processes: int, *arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen]:
    """Start processes that see each other over loopback and no graphics card; none of them outlives the block."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": loopback()}
    process = subprocess.Popen(
        [*launcher, "--nproc-per-node", str(num_processes), *map(str, arguments)],
        cwd=COURSE_FOLDER,
        env={**os.environ, **alone, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = threading.Timer(SECONDS, end_all, [process])
    limit.start()
    try:
        yield process
    finally:
        limit.cancel()
        end_all(process)
        process.communicate()


def loopback() -> str:
    """The name of the loopback interface, on Linux or macOS."""
    return next(name for _, name in socket.if_nameindex() if name in ("lo", "lo0"))


def end_all(process: subprocess.Popen) -> None:
    if process.poll() is None:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.kill()


def kill_rank(process: subprocess.Popen, rank: int) -> None:
    children = psutil.Process(process.pid).children()
    (victim,) = [child for child in children if child.environ().get("RANK") == str(rank)]
    victim.send_signal(signal.SIGKILL)


def wait(process: subprocess.Popen, output: str = "") -> Ended:
    rest, errors = process.communicate()
    return Ended(process.returncode, output + rest, errors)


def read_until(process: subprocess.Popen, words: str) -> str:
    """Return what the processes print, up to the first line that begins with ``words``."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(words):
            return "".join(lines)
    pytest.fail(f"{words!r} was not printed\n{''.join(lines)}\n{process.stderr.read()}")


# --- several processes and one -------------------------------------------------------------------------------


class Run(NamedTuple):
    process: subprocess.Popen
    ranks: list[dict]


@pytest.fixture(scope="module")
def two_processes(tiny_root, tmp_path_factory) -> Iterator[Run]:
    """What two processes have found. They are still there: rank 0 waits for rank 1, in vain."""
    folder = tmp_path_factory.mktemp("two")
    with torchrun(2, "-m", "tests.test_distributed", folder, tiny_root) as process:
        assert process.stdout.readline() == "all results are saved\n", process.stderr.read()
        yield Run(process, [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)])


@needs_torchrun
@pytest.mark.parametrize("name", PROBLEMS)
def test_two_processes_train_as_one(two_processes, tiny_root, name):
    problem = PROBLEMS[name](tiny_root)
    expected = train_alone(problem)
    for rank in (0, 1):
        found = two_processes.ranks[rank][name]
        assert [row[0::2] for row in found["rows"]] == [
            pytest.approx(row[0::2], rel=0, abs=TOLERANCE) for row in expected
        ]
        # Shares of right answers are counted, so they are equal to the last digit.
        assert [row[1::2] for row in found["rows"]] == [row[1::2] for row in expected]
        torch.testing.assert_close(found["model"], problem.model.state_dict(), rtol=0, atol=TOLERANCE)
    assert_same_weights(*(list(two_processes.ranks[rank][name]["model"].values()) for rank in (0, 1)))


@needs_torchrun
def test_equal_weights_of_ranks_would_be_noticed(two_processes):
    expected = train_alone(small(51, 8, momentum))
    differences = [
        abs(one - other)
        for row, alone in zip(two_processes.ranks[0]["equal weights"]["rows"], expected, strict=True)
        for one, other in zip(row[0::2], alone[0::2], strict=True)
    ]
    assert max(differences) > 1000 * TOLERANCE


@needs_torchrun
def test_batch_normalisation_trains_and_all_ranks_evaluate_the_model_of_rank_0(two_processes, tiny_root):
    found, problem = two_processes.ranks[0]["normalised"], normalised(tiny_root)
    first, *_, last = found["rows"]
    assert last[0] < first[0]
    problem.model.load_state_dict(found["model"])
    alone = fh.test_loop(problem.valid_loader, problem.model, CROSS_ENTROPY, verbose=False)
    assert last[2] == pytest.approx(alone.loss, rel=0, abs=TOLERANCE)
    assert last[3] == alone.accuracy


@needs_torchrun
def test_all_ranks_refuse_what_they_disagree_on_and_explain_an_unfit_batch(two_processes):
    refused, again = (rank["refused"] for rank in two_processes.ranks)
    assert refused == again
    orders, values, images = refused
    assert re.match(
        r"the processes do not agree on the loader: rank 0 has \(50, 8, False, 'random state", orders
    )
    assert values == (
        "the processes do not agree on the rate: rank 0 has 0.0, rank 1 has 0.1; "
        "start all with the same arguments, seeds and files"
    )
    assert "each image has shape (1, 5, 5), 25 numbers" in images


# --- the command line and a killed process -------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("data")
    fh.prepare_data(folder, source="standin")
    return {"FMNIST_SOURCE": "standin", "FMNIST_DATA": str(folder)}


@pytest.fixture(scope="module")
def alone(data) -> Iterator[Callable[[list[str]], None]]:
    """The command line in this process, on the CPU and the stand-in."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in data.items():
            patch.setenv(name, value)
        patch.setattr(distributed, "pick_device", lambda: CPU)
        yield distributed.main


@pytest.fixture(scope="module")
def uninterrupted(alone, tmp_path_factory) -> Path:
    """The checkpoint of one process that runs through."""
    path = tmp_path_factory.mktemp("uninterrupted") / "alone.pt"
    alone(command(path))
    return path


def command(path: Path, num_epochs: int = NUM_EPOCHS, **changes) -> list[str]:
    """577 samples in batches of 64: the last batch has a single one, so a rank has none."""
    settings = {"num-samples": 577, "learning-rate": 0.01, "seed": 3, **changes}
    settings |= {"num-epochs": num_epochs, "checkpoint": path}
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


class Story(NamedTuple):
    """One run, killed twice. Rank 1 of 3 is killed; of the same command with 2 processes, rank 0.

    The second time the launcher itself starts the processes again, and they run to the end.
    """

    path: Path
    first: Ended
    second: Ended
    epochs: tuple[int, int]
    """How many epochs were finished at each start after a kill."""


@pytest.fixture(scope="module")
def story(data, tmp_path_factory) -> Story:
    path = tmp_path_factory.mktemp("story") / "ddp.pt"
    program = ("-m", "fmnist_helpers.distributed", *command(path))
    with torchrun(3, *program, **data) as process:
        output = read_until(process, " Accuracy")
        kill_rank(process, 1)
        first = wait(process, output)
    epoch = load(path).epoch
    with torchrun(2, "--max-restarts", "1", *program, **data) as process:
        output = read_until(process, " Accuracy")
        kill_rank(process, 0)
        output += read_until(process, "Processes: ")
        second = wait(process, output)
    return Story(path, first, second, (epoch, int(output.split()[-1])))


def load(path: Path) -> fh.Checkpoint:
    """Read a checkpoint as any code of one process does."""
    model = fh.NeuralNetwork()
    return fh.load_checkpoint(path, model, momentum(model))


@needs_torchrun
def test_killed_rank_ends_the_run_and_every_other_rank_says_so_in_one_sentence(story):
    assert story.first.code != 0
    for errors, survivors, world_size in ((story.first.errors, (0, 2), 3), (story.second.errors, (1,), 2)):
        sentences = sorted(line for line in errors.splitlines() if line.startswith("rank "))
        for sentence, rank in zip(sentences, survivors, strict=True):
            assert re.fullmatch(
                rf"rank {rank} of {world_size} processes stops: (another has ended or does not answer \(.+\)|"
                r"it was asked to, as the launcher does when another has ended); "
                rf"the same command goes on after the last epoch saved in {re.escape(str(story.path))}",
                sentence,
            )
        # What else stands there is the launcher's: no traceback comes from the course's code.
        assert "fmnist_helpers/" not in errors


@needs_torchrun
def test_killed_run_leaves_its_last_checkpoint_and_the_next_one_goes_on(story):
    first, second = story.epochs
    assert 1 <= first < second < NUM_EPOCHS
    for ended, expected in (
        (story.first, range(1, first + 1)),
        (story.second, range(first + 1, NUM_EPOCHS + 1)),
    ):
        shown = [int(number) for number in re.findall(r"^Epoch (\d+)$", ended.output, re.MULTILINE)]
        # The last epoch before a kill may have been saved and not yet shown.
        assert set(shown) <= set(expected)
        assert len(set(expected) - set(shown)) <= 1
        assert len(set(shown)) == len(shown)


@needs_torchrun
def test_continued_run_ends_as_an_uninterrupted_one(story, uninterrupted):
    assert story.second.code == 0, story.second.errors
    ours, theirs = load(story.path).history, load(uninterrupted).history
    assert ours.column("epoch") == list(range(1, NUM_EPOCHS + 1))
    for name in ("train_loss", "valid_loss"):
        assert ours.column(name) == pytest.approx(theirs.column(name), rel=0, abs=TOLERANCE)
    # Among 45,000 answers one may hang on the last digit of a logit.
    for name, num_samples in (("train_accuracy", 577), ("valid_accuracy", 5000)):
        assert ours.column(name) == pytest.approx(theirs.column(name), rel=0, abs=1.5 / num_samples)
    assert theirs[-1].valid_loss < theirs[0].valid_loss - 0.1


@needs_torchrun
def test_one_rank_prints_an_epoch_as_the_tutorial_does(story):
    history, finished, output = load(story.path).history, story.epochs[1], story.second.output
    expected = "".join(
        f"Epoch {row.epoch}\n-------------------------------\n"
        f"Test Error: \n Accuracy: {100 * row.valid_accuracy:>0.1f}%, Avg loss: {row.valid_loss:>8f}\n\n"
        for row in history[finished:]
    )
    data, started, rest = output[output.rindex("Fashion-MNIST in ") :].split("\n", 2)
    # Before the kill, and after it.
    assert output.count(data) == 2
    assert started == f"Processes: 2 (cpu), finished epochs: {finished}"
    assert rest == f"{expected}Done!\n{history}\n"


@needs_torchrun
def test_checkpoint_has_the_names_and_weights_of_the_bare_model(story, uninterrupted):
    ours, theirs = (torch.load(path)["model"] for path in (story.path, uninterrupted))
    assert list(ours) == list(fh.NeuralNetwork().state_dict())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=TOLERANCE)


@needs_torchrun
def test_process_that_does_not_answer_ends_the_run(two_processes):
    """Here, because ten seconds have passed by now."""
    code, _, errors = wait(two_processes.process)
    assert code != 0
    silent = r"^rank 0 of 2 processes stops: another has ended or does not answer \(Timed out.* 10000 ?ms"
    assert re.search(silent, errors, re.MULTILINE)
    assert re.search(r"^rank 1 of 2 processes stops: it was asked to, as the launcher", errors, re.MULTILINE)


# --- without torchrun ----------------------------------------------------------------------------------------


@pytest.fixture
def as_rank_1(monkeypatch) -> Iterator[list[dict]]:
    """This process looks like the second of two, which it never meets; gives what PyTorch was asked for."""
    for name, value in {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    asked, meeting = [], (torch.distributed.HashStore(), 1, 2)
    for name, stand_in in {
        "rendezvous": lambda *_, **__: iter([meeting]),
        "init_process_group": lambda backend, **how: asked.append({"backend": backend, **how}),
    }.items():
        monkeypatch.setattr(torch.distributed, name, stand_in)
    before = signal.getsignal(signal.SIGTERM)
    yield asked
    signal.signal(signal.SIGTERM, before)


def test_one_process_is_a_group_of_its_own_and_trains_to_the_bit_as_the_loops_do():
    problem, twin = small(51, 8, momentum), small(51, 8, momentum)
    with distributed.process_group() as group:
        assert group[:2] == (0, 1)
        assert group.device == fh.pick_device()
        assert train_shared(group, problem) == train_alone(twin)
    assert_same_weights(weights(problem.model), weights(twin.model))


def test_uninterrupted_command_is_the_loops_repeated(uninterrupted, data):
    """Nothing of the module under test is used for what is expected."""
    root = Path(data["FMNIST_DATA"], "standin")
    train, valid, _ = fh.make_loaders(root, seed=3)
    first = torch.utils.data.Subset(train.dataset, range(577))
    train = DataLoader(first, 64, shuffle=True, generator=train.generator, collate_fn=train.collate_fn)
    fh.seed_everything(3)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    rows = train_alone(Problem(model, optimizer, train, valid), NUM_EPOCHS)
    assert [row[1:5] for row in load(uninterrupted).history] == rows


@pytest.mark.parametrize("num_processes", [1, 2, 3, 5])
@pytest.mark.parametrize(("num_samples", "batch_size"), [(40, 8), (41, 8), (47, 8), (3, 8), (30, 7)])
def test_parts_make_up_the_batches(num_processes, num_samples, batch_size):
    batches = BatchSampler(SequentialSampler(range(num_samples)), batch_size, drop_last=False)
    samplers = [distributed.PartSampler(batches, rank, num_processes) for rank in range(num_processes)]
    for _ in range(2):
        parts = [list(sampler) for sampler in samplers]
        assert {len(sampler) for sampler in samplers} == {len(part) for part in parts} == {len(batches)}
        for batch, dealt in zip(batches, zip(*parts, strict=True), strict=True):
            assert [*chain(*dealt)] == batch
            sizes = [len(part) for part in dealt]
            assert max(sizes) - min(sizes) <= 1
        assert [sampler.num_samples for sampler in samplers] == [len([*chain(*part)]) for part in parts]


@pytest.mark.parametrize("num_epochs", [0, 1, 3])
def test_skipped_epochs_move_the_order_on_and_load_nothing(num_epochs):
    group = distributed.Group(0, 1, CPU)
    walked, skipped = (small(51, 8).train_loader for _ in range(2))
    for _ in range(num_epochs):
        list(walked)

    class Watched(Dataset):
        loaded = 0

        def __len__(self):
            return 51

        def __getitem__(self, index):
            self.loaded += 1
            return skipped.dataset[index]

    watched = DataLoader(Watched(), 8, shuffle=True, generator=skipped.generator)
    shared = group.share_loader(watched)
    distributed.skip_epochs(shared, num_epochs)
    assert watched.dataset.loaded == 0
    batches = [labels.tolist() for _, labels in shared]
    assert batches == [labels.tolist() for _, labels in walked]
    assert watched.dataset.loaded == 51


@pytest.mark.parametrize(
    ("dataloader", "words"),
    [
        (loader(50, 8, shuffle=True), "the loader shuffles without a generator of its own.*manual_seed"),
        (DataLoader(garments(), batch_size=None), "50 samples in batches of None cannot be dealt out to 3"),
        (loader(50, 2), "50 samples in batches of 2 cannot be dealt out to 3 processes; choose a batch_size"),
        (loader(2, 8), "2 samples in batches of 8 cannot be dealt out to 3 processes"),
    ],
)
def test_loader_that_cannot_be_dealt_out_is_refused(dataloader, words):
    with pytest.raises(ValueError, match=words):
        distributed.Group(0, 3, CPU).share_loader(dataloader)


def test_loss_that_does_not_average_is_refused_when_shared():
    summed = distributed.Group(0, 2, CPU).share_loss(nn.CrossEntropyLoss(reduction="sum"))
    with pytest.raises(ValueError, match="the loss function has reduction='sum'"):
        fh.train_loop(loader(), small_model(), summed, sgd(small_model()))


@pytest.mark.parametrize(
    ("num_cards", "backend", "device"), [(0, "gloo", "cpu"), (1, "gloo", "cpu"), (2, "nccl", "cuda:1")]
)
def test_each_process_has_a_card_of_its_own_or_all_use_the_cpu(
    as_rank_1, monkeypatch, num_cards, backend, device
):
    """What is asked of PyTorch; no card is at hand to do it."""
    cards = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_cards)
    monkeypatch.setattr(torch.cuda, "set_device", cards.append)
    with distributed.process_group(timeout_seconds=7) as group:
        assert group == (1, 2, torch.device(device))
    (asked,) = as_rank_1
    del asked["store"]
    assert asked == {"backend": backend, "rank": 1, "world_size": 2, "timeout": timedelta(seconds=7)}
    assert cards == ([group.device] if num_cards == 2 else [])


def test_only_lost_processes_are_reported_as_such(as_rank_1):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError, match=r"^out of memory$"), distributed.process_group():
        raise RuntimeError("out of memory")
    assert signal.getsignal(signal.SIGTERM) == before
    words = r"^rank 1 of 2 processes stops: another has ended or does not answer \(reset by peer\)$"
    with pytest.raises(distributed.LostProcessError, match=words), distributed.process_group():
        raise RuntimeError("[/gloo/pair.cc:5] reset by peer. Good luck!")


def test_request_to_end_is_an_error_and_the_next_one_does_not_cut_it_off(as_rank_1):
    lost = pytest.raises(
        distributed.LostProcessError, match=r"^rank 1 of 2 processes stops: it was asked to, as the"
    )
    with lost, distributed.process_group():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    os.kill(os.getpid(), signal.SIGTERM)


# --- what the command line refuses -----------------------------------------------------------------------------


@pytest.fixture
def refused(alone, capsys) -> Callable[[list[str]], str]:
    """Run the command line and return the sentence with which it ends."""

    def run(arguments: list[str]) -> str:
        with pytest.raises(SystemExit, match=r"^1$"):
            alone(arguments)
        (sentence,) = capsys.readouterr().err.splitlines()
        return sentence

    return run


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("num-epochs", "0", "argument --num-epochs: '0' is not a whole number above 0"),
        ("num-epochs", "1.5", "argument --num-epochs: '1.5' is not a whole number above 0"),
        ("batch-size", "-8", "argument --batch-size: '-8' is not a whole number above 0"),
        ("num-samples", "many", "argument --num-samples: 'many' is not a whole number above 0"),
        ("learning-rate", "-0.1", "argument --learning-rate: '-0.1' is not a number above 0"),
        ("learning-rate", "nan", "argument --learning-rate: 'nan' is not a number above 0"),
        ("learning-rate", "inf", "argument --learning-rate: 'inf' is not a number above 0"),
        ("seed", "one", "argument --seed: invalid int value: 'one'"),
        ("seed", "-1", "seed is -1; choose a whole number from 0 to 4294967295"),
        ("epochs", "3", "unrecognized arguments: --epochs=3"),
    ],
)
def test_wrong_argument_is_refused_in_one_sentence(refused, tmp_path, name, value, words):
    assert refused([f"--checkpoint={tmp_path / 'a.pt'}", f"--{name}={value}"]) == words
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rank", [0, 1])
def test_error_of_all_ranks_is_told_by_rank_0_first(refused, monkeypatch, as_rank_1, rank):
    waited = []
    monkeypatch.setenv("RANK", str(rank))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    monkeypatch.setattr(distributed, "time", SimpleNamespace(sleep=waited.append))
    sentence = "argument --seed: invalid int value: 'one'"
    assert refused(["--seed=one"]) == ("rank 1: " + sentence if rank else sentence)
    assert waited == ([3] if rank else [])
    # While rank 1 waits, the launcher may end it without a word.
    assert signal.getsignal(signal.SIGTERM) == (signal.SIG_DFL if rank else signal.SIG_IGN)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning-rate": 0.02}, "its lr is 0.01, and here it is 0.02"),
        ({"batch-size": 32}, "its batch_size is 64, and here it is 32"),
        ({"seed": 4}, "its seed is 3, and here it is 4"),
        ({"num-samples": 578}, "its num_samples is 577, and here it is 578"),
    ],
)
def test_checkpoint_of_another_run_is_refused_and_kept(uninterrupted, refused, changes, words):
    before = uninterrupted.read_bytes()
    sentence = refused(command(uninterrupted, NUM_EPOCHS + 1, **changes))
    assert sentence == (
        f"{uninterrupted} belongs to another run: {words}; give that run's settings, or name another --checkpoint"
    )
    assert uninterrupted.read_bytes() == before


def save_text(path: Path) -> None:
    path.write_text("notes")


def save_other_model(path: Path) -> None:
    fh.save_checkpoint(path, small_model(), sgd(small_model()))


def save_other_optimizer(path: Path) -> None:
    model = fh.NeuralNetwork()
    fh.save_checkpoint(path, model, adam(model))


def save_lesson(path: Path) -> None:
    model = fh.NeuralNetwork()
    fh.save_checkpoint(path, model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))


@pytest.mark.parametrize(
    ("save", "words"),
    [
        (save_text, "is not a checkpoint, or it is damaged"),
        (save_other_model, "holds another model"),
        (save_other_optimizer, "holds the state of Adam, not of SGD"),
        (save_lesson, "belongs to another run: its batch_size is not known, and here it is 64"),
        (Path.mkdir, "there is no checkpoint"),
    ],
)
def test_file_that_is_no_checkpoint_of_this_command_is_refused(refused, tmp_path, save, words):
    save(tmp_path / "other.pt")
    assert words in refused(command(tmp_path / "other.pt"))


def test_finished_run_is_not_trained_further(uninterrupted, alone, capsys):
    before = uninterrupted.read_bytes()
    alone(command(uninterrupted))
    assert uninterrupted.read_bytes() == before
    started = f"Processes: 1 (cpu), finished epochs: {NUM_EPOCHS}\n"
    assert capsys.readouterr().out.partition("\n")[2] == f"{started}Done!\n{load(uninterrupted).history}\n"


def test_stop_by_hand_is_one_sentence(refused, tmp_path, monkeypatch):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(distributed, "train_loop", stopped)
    assert refused(command(tmp_path / "a.pt")) == (
        f"stopped by hand; the same command goes on after the last epoch saved in {tmp_path / 'a.pt'}"
    )


if __name__ == "__main__":
    work(*map(Path, sys.argv[1:]))
