"""Several processes against one: the same curve, one voice, and a run that outlives a killed process.

The processes are real: ``torchrun`` starts them on the loopback interface. This file is also the program that
they run.
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
from typing import NamedTuple

import psutil
import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, Subset, TensorDataset

import fmnist_helpers as fh
from fmnist_helpers import distributed
from fmnist_helpers.explain import check_before, check_loss
from tests.small_problem import (
    CROSS_ENTROPY,
    assert_same_weights,
    garments,
    loader,
    sgd,
    small_model,
    weights,
)
from tests.tools.course import COURSE

TOLERANCE = 1e-6
"""How far losses and weights of several processes may be from those of one: sums are done in another order."""

SECONDS = 120
"""When processes that hang are ended."""

NUM_EPOCHS = 8

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
    return Problem(model, sgd(model), train_loader, valid_loader)


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


def train_shared(group: distributed.Group, problem: Problem, loss_fn=None) -> list[tuple[float, ...]]:
    model, optimizer, train_loader, valid_loader = problem
    model, loss_fn = group.share_model(model), loss_fn or group.share_loss(CROSS_ENTROPY)
    train_loader, valid_loader = group.share_loader(train_loader), group.share_loader(valid_loader)
    rows = []
    for _ in range(3):
        train = fh.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        train = group.average(train, train_loader)
        valid = fh.test_loop(valid_loader, model, loss_fn, verbose=False)
        rows.append((*train, *group.average(valid, valid_loader)))
    return rows


# --- the program of the processes ----------------------------------------------------------------------------


def work(folder: Path, root: Path) -> None:
    """What each process does: every problem, what must be refused, and at last rank 1 does not answer."""
    with distributed.process_group(timeout_seconds=10) as group:
        torch.save(results(group, root), folder / f"rank{group.rank}.pt")
        group.require_same(end=True)
        if group.rank == 1:
            time.sleep(SECONDS)
        print("all results are saved", flush=True)
        group.require_same(silence=True)


def results(group: distributed.Group, root: Path) -> dict:
    found = {}
    for name, recipe in PROBLEMS.items():
        problem = recipe(root)
        found[name] = (train_shared(group, problem), problem.model.state_dict())
    found["equal weights"] = train_shared(group, small(51, 8, momentum), CROSS_ENTROPY)
    order, moved = torch.Generator().manual_seed(group.rank), torch.Generator().manual_seed(3)
    if group.rank == 1:
        torch.rand(1, generator=moved)
    for name, generator, number in (
        ("seed", order, 50),
        ("state", moved, 50),
        ("size", moved, 50 + group.rank),
    ):
        with pytest.raises(ValueError) as refused:
            group.share_loader(loader(number, 8, shuffle=True, generator=generator))
        found[name] = str(refused.value)
    return found


# --- starting and watching processes -------------------------------------------------------------------------


@contextmanager
def torchrun(num_processes: int, *arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen]:
    """Start processes that see each other over loopback and no graphics card; none of them outlives the block."""
    if sys.platform == "win32":
        pytest.skip("torchrun and the signals of these tests are not at hand on Windows")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": loopback()}
    process = subprocess.Popen(
        [*launcher, "--nproc-per-node", str(num_processes), *map(str, arguments)],
        cwd=COURSE,
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


def wait(process: subprocess.Popen, output: str = "") -> subprocess.CompletedProcess:
    rest, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output + rest, errors)


def read_until(process: subprocess.Popen, words: str) -> str:
    """Return what the processes print, up to the first line that begins with ``words``."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(words):
            return "".join(lines)
    pytest.fail(f"{words!r} was not printed\n{''.join(lines)}\n{process.stderr.read()}")


def lost(world_size: int, *ranks: int) -> list[str]:
    """What these ranks say when another is lost."""
    words = f"(of 0 to {world_size - 1}) stops: another process is gone or does not answer; start all again"
    return [f"process {rank} {words}" for rank in ranks]


def sentences(errors: str) -> list[str]:
    """What the ranks said, sorted. The rest is the launcher's, and no traceback comes from the course's code."""
    assert "fmnist_helpers/" not in errors
    return sorted(line for line in errors.splitlines() if line.startswith(("process ", "the processes ")))


# --- several processes and one -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_processes(tiny_root, tmp_path_factory) -> Iterator[tuple[subprocess.Popen, list[dict]]]:
    """Two processes, and what each has found. They are still there: rank 0 waits for rank 1, in vain."""
    folder = tmp_path_factory.mktemp("two")
    with torchrun(2, "-m", "tests.test_distributed", folder, tiny_root) as process:
        assert process.stdout.readline() == "all results are saved\n", process.stderr.read()
        yield process, [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_two_processes_train_as_one(two_processes, tiny_root, name):
    problem = PROBLEMS[name](tiny_root)
    expected = train_alone(problem)
    found = [ranks[name] for ranks in two_processes[1]]
    for rows, model in found:
        assert [row[0::2] for row in rows] == [
            pytest.approx(row[0::2], rel=0, abs=TOLERANCE) for row in expected
        ]
        # Shares of right answers are counted, so they are equal to the last digit.
        assert [row[1::2] for row in rows] == [row[1::2] for row in expected]
        torch.testing.assert_close(model, problem.model.state_dict(), rtol=0, atol=TOLERANCE)
    assert_same_weights(*(list(model.values()) for _, model in found))


@pytest.mark.slow
def test_equal_weights_of_ranks_would_be_noticed(two_processes):
    expected = train_alone(small(51, 8, momentum))
    found = two_processes[1][0]["equal weights"]
    differences = (torch.tensor(found) - torch.tensor(expected)).abs()
    assert differences[:, 0::2].max() > 1000 * TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("seed", "generator_seed: process 0 has 0, process 1 has 1;"),
        ("state", r"generator_state: process 0 has -?\d+, process 1 has -?\d+;"),
        ("size", "num_samples: process 0 has 50, process 1 has 51;"),
    ],
)
def test_all_ranks_refuse_loaders_that_differ_and_name_what_differs(two_processes, name, words):
    one, other = (rank[name] for rank in two_processes[1])
    assert one == other
    assert re.match(
        f"the processes differ in {words} start all with the same arguments, seeds and files$", one
    )


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
    first: subprocess.CompletedProcess
    second: subprocess.CompletedProcess
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


@pytest.mark.slow
def test_killed_rank_ends_the_run_and_every_other_rank_says_so_in_one_sentence(story):
    assert story.first.returncode != 0
    assert sentences(story.first.stderr) == lost(3, 0, 2)
    assert sentences(story.second.stderr) == lost(2, 1)


@pytest.mark.slow
def test_killed_run_leaves_its_last_checkpoint_and_the_next_one_goes_on(story):
    first, second = story.epochs
    assert 1 <= first < second < NUM_EPOCHS
    output = story.first.stdout + story.second.stdout
    shown = [int(number) for number in re.findall(r"^Epoch (\d+)$", output, re.MULTILINE)]
    assert shown == sorted(set(shown))
    # The last epoch before a kill may have been saved and not yet shown.
    assert set(range(1, NUM_EPOCHS + 1)) - set(shown) <= {first, second}


@pytest.mark.slow
def test_continued_run_ends_as_an_uninterrupted_one(story, uninterrupted):
    assert story.second.returncode == 0, story.second.stderr
    ours, theirs = load(story.path).history, load(uninterrupted).history
    assert ours.column("epoch") == list(range(1, NUM_EPOCHS + 1))
    for name in ("train_loss", "valid_loss"):
        assert ours.column(name) == pytest.approx(theirs.column(name), rel=0, abs=TOLERANCE)
    # Among 45,000 answers one may hang on the last digit of a logit.
    for name, num_samples in (("train_accuracy", 577), ("valid_accuracy", 5000)):
        assert ours.column(name) == pytest.approx(theirs.column(name), rel=0, abs=1.5 / num_samples)
    assert theirs[-1].valid_loss < theirs[0].valid_loss - 0.1
    # The names are those of the bare model, not of a wrapper.
    ours, theirs = (torch.load(path)["model"] for path in (story.path, uninterrupted))
    assert list(ours) == list(fh.NeuralNetwork().state_dict())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_one_rank_prints_an_epoch_as_the_tutorial_does(story):
    history, finished, output = load(story.path).history, story.epochs[1], story.second.stdout
    expected = "".join(
        f"Epoch {row.epoch}\n-------------------------------\n"
        f"Test Error: \n Accuracy: {100 * row.valid_accuracy:>0.1f}%, Avg loss: {row.valid_loss:>8f}\n\n"
        for row in history[finished:]
    )
    data, started, rest = output[output.rindex("Fashion-MNIST in ") :].split("\n", 2)
    # Before the kill, and after it.
    assert output.count(data) == 2
    assert started == f"Processes: 2 (cpu), Test Error: on the validation split, finished epochs: {finished}"
    assert rest == f"{expected}Done!\n{history}\n"


@pytest.mark.slow
def test_ranks_with_other_seeds_all_refuse_in_one_sentence(data, tmp_path):
    """The program below gives each rank its own number for a seed."""
    with torchrun(2, "-m", "tests.test_distributed", *command(tmp_path / "a.pt"), **data) as process:
        ended = wait(process)
    assert ended.returncode != 0
    one, other = sentences(ended.stderr)
    assert one == other
    assert one.startswith(
        "the processes differ in seed: process 0 has 0, process 1 has 1; start all with the same"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_process_that_does_not_answer_ends_the_run(two_processes):
    """Here, because ten seconds have passed by now."""
    ended = wait(two_processes[0])
    assert ended.returncode != 0
    assert sentences(ended.stderr) == lost(2, 0, 1)


# --- without torchrun ----------------------------------------------------------------------------------------


def test_one_process_is_a_group_of_its_own_and_trains_to_the_bit_as_the_loops_do():
    problem, twin = small(51, 8, momentum), small(51, 8, momentum)
    with distributed.process_group() as group:
        assert group == (0, 1, fh.pick_device())
        assert train_shared(group, problem) == train_alone(twin)
    assert_same_weights(weights(problem.model), weights(twin.model))


def test_uninterrupted_command_is_the_loops_repeated(uninterrupted, data):
    """Nothing of the module under test is used for what is expected."""
    root = Path(data["FMNIST_DATA"], "standin")
    train, valid, _ = fh.make_loaders(root, seed=3)
    first = Subset(train.dataset, range(577))
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


NEEDED = "3 processes need 3 or more, one"


@pytest.mark.parametrize(
    ("dataloader", "sentence"),
    [
        (
            loader(50, 8, shuffle=True),
            "the loader shuffles without a generator, so each process would have another order; "
            "make it with DataLoader(..., generator=torch.Generator())",
        ),
        (DataLoader(garments(), batch_size=None), f"batch_size is None; {NEEDED} sample for each"),
        (loader(50, 2), f"batch_size is 2; {NEEDED} sample for each"),
        (loader(2, 8), f"the data set has 2 samples; {NEEDED} for each"),
    ],
    ids=["no generator", "no batches", "too small batches", "too few samples"],
)
def test_loader_that_cannot_be_dealt_out_is_refused_for_its_own_fault(dataloader, sentence):
    with pytest.raises(ValueError) as refused:
        distributed.Group(0, 3, CPU).share_loader(dataloader)
    assert str(refused.value) == sentence


def test_loss_that_does_not_average_is_refused_when_shared():
    summed = distributed.Group(0, 2, CPU).share_loss(nn.CrossEntropyLoss(reduction="sum"))
    with pytest.raises(ValueError, match="the loss function has reduction='sum'"):
        fh.train_loop(loader(), small_model(), summed, sgd(small_model()))


def test_loss_with_class_weights_is_refused_when_shared():
    weighted = distributed.Group(0, 2, CPU).share_loss(nn.CrossEntropyLoss(weight=torch.ones(10)))
    with pytest.raises(ValueError, match="class weights"):
        check_loss(weighted)


@pytest.mark.parametrize(("number", "sizes"), [(10, [1, 1]), (11, [1, 2]), (12, [2, 2]), (9, [0, 1])])
def test_last_batch_of_one_for_each_process_is_said_before_the_epoch(number, sizes):
    samples = TensorDataset(torch.rand(number, 16), torch.arange(number))
    batches = DataLoader(samples, 4 if number != 9 else 8)
    shared = DataLoader(samples, batch_sampler=distributed.PartSampler(batches.batch_sampler, 0, 2))
    assert shared.batch_sampler.last_sizes() == sizes
    model = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 12))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if 1 in sizes:
        with pytest.raises(ValueError, match="has 1 sample for a process"):
            check_before(shared, model, nn.CrossEntropyLoss(), optimizer)
    else:
        check_before(shared, model, nn.CrossEntropyLoss(), optimizer)


def test_shared_loader_keeps_the_options_of_the_one_it_shares():
    samples = TensorDataset(torch.rand(12, 16), torch.arange(12))
    options = {"num_workers": 1, "prefetch_factor": 3, "timeout": 7.0, "persistent_workers": True}
    shared = distributed.Group(0, 1, CPU).share_loader(DataLoader(samples, 4, **options))
    assert {name: getattr(shared, name) for name in options} == options


@pytest.fixture
def as_rank_1(monkeypatch) -> Iterator[list[dict]]:
    """This process looks like the second of two, which it never meets; gives what PyTorch was asked for."""
    environment = {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    for name, value in (environment | {"TORCHELASTIC_RESTART_COUNT": 0}).items():
        monkeypatch.setenv(name, str(value))
    asked, store = [], torch.distributed.HashStore()
    monkeypatch.setattr(torch.distributed, "rendezvous", lambda *_: iter([(store, 1, 2)]))
    for name in ("init_process_group", "destroy_process_group"):
        monkeypatch.setattr(torch.distributed, name, lambda *backend, **how: asked.append((*backend, how)))
    before = signal.getsignal(signal.SIGTERM)
    yield asked
    signal.signal(signal.SIGTERM, before)


def test_only_lost_processes_are_reported_as_such_and_no_request_to_end_cuts_that_off(as_rank_1):
    with pytest.raises(RuntimeError, match=r"^out of memory$"), distributed.process_group():
        raise RuntimeError("out of memory")
    with pytest.raises(SystemExit, match=re.escape(lost(2, 1)[0])), distributed.process_group():
        raise RuntimeError("[/gloo/pair.cc:5] reset by peer. Good luck!")
    with pytest.raises(SystemExit, match=re.escape(lost(2, 1)[0])), distributed.process_group():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("num_cards", "backend", "device"),
    [(0, "gloo", "cpu"), (1, "gloo", "cpu"), (2, "cpu:gloo,cuda:nccl", "cuda:1")],
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
    asked, how = as_rank_1[0]
    assert asked == backend and how["timeout"] == timedelta(seconds=7)
    assert cards == ([group.device] if num_cards == 2 else [])


# --- what the command line refuses -----------------------------------------------------------------------------


def refusal(alone: Callable[[list[str]], None], arguments: list[str]) -> str:
    """Return the sentence with which the command line ends."""
    with pytest.raises(SystemExit) as ended:
        alone(arguments)
    return str(ended.value.code).strip()


TOO_SMALL = "--num-epochs and --num-samples must be 1 or more, --learning-rate above 0 and finite"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--num-epochs=0", TOO_SMALL),
        ("--num-samples=-5", TOO_SMALL),
        ("--learning-rate=nan", TOO_SMALL),
        ("--learning-rate=-0.1", TOO_SMALL),
        ("--num-samples=many", "argument --num-samples: invalid int value: 'many'"),
        ("--epochs=3", "unrecognized arguments: --epochs=3"),
        ("--batch-size=-8", "batch_size is -8; a batch needs at least 1 sample"),
        ("--seed=-1", "seed is -1; it must be from 0 to 4294967295"),
    ],
)
def test_wrong_argument_is_refused_in_one_sentence(alone, capsys, tmp_path, argument, words):
    refused = refusal(alone, [f"--checkpoint={tmp_path / 'a.pt'}", argument])
    # The parser ends with 2, and has printed its sentence after what can be given.
    if refused == "2":
        refused = capsys.readouterr().err.strip().rpartition(" error: ")[2]
    assert refused == words
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"learning-rate": 0.02}, "--learning-rate 0.01 (here 0.02)"),
        ({"batch-size": 32}, "--batch-size 64 (here 32)"),
        ({"seed": 4, "num-samples": 578}, "--seed 3 (here 4) and --num-samples 577 (here 578)"),
    ],
    ids=str,
)
def test_checkpoint_of_another_run_is_refused_and_kept(uninterrupted, alone, capsys, changes, differing):
    before = uninterrupted.read_bytes()
    assert refusal(alone, command(uninterrupted, NUM_EPOCHS + 1, **changes)) == (
        f"{uninterrupted} belongs to a run with {differing}; give the same, or another --checkpoint"
    )
    assert uninterrupted.read_bytes() == before
    # Nothing says before it that something was set.
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_checkpoint_of_other_data_is_refused_with_the_variable_that_chooses_it(
    uninterrupted, alone, tmp_path
):
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    fh.load_checkpoint(uninterrupted, model, optimizer)
    optimizer.param_groups[0]["run"]["data"] = "real"
    path = fh.save_checkpoint(tmp_path / "a.pt", model, optimizer)
    assert refusal(alone, command(path)) == (
        f"{path} belongs to a run with FMNIST_SOURCE=real (here standin); give the same, or another --checkpoint"
    )


@pytest.mark.parametrize("num_epochs", [NUM_EPOCHS, NUM_EPOCHS - 1])
def test_a_run_with_nothing_left_to_train_says_so(uninterrupted, alone, capsys, num_epochs):
    before = uninterrupted.read_bytes()
    alone(command(uninterrupted, num_epochs))
    said = (
        f"{uninterrupted} has {NUM_EPOCHS} epochs already; to train on, give a larger --num-epochs\nDone!\n"
    )
    assert said in capsys.readouterr().out
    assert uninterrupted.read_bytes() == before


def test_checkpoint_of_a_lesson_is_refused(alone, tmp_path):
    model, path = fh.NeuralNetwork(), tmp_path / "lesson.pt"
    fh.save_checkpoint(path, model, momentum(model))
    sentence = f"{path} was not written by this program; give another --checkpoint"
    assert refusal(alone, command(path)) == sentence
    fh.save_checkpoint(path, model, torch.optim.Adam(model.parameters()))
    refused = refusal(alone, command(path))
    assert "lesson.pt was saved with the optimizer Adam, not SGD; " in refused
    assert refused.endswith("; here, give another --checkpoint")
    path.write_text("notes")
    assert "lesson.pt cannot be read as a file of save_checkpoint" in refusal(alone, command(path))


def test_stop_by_hand_is_one_sentence(alone, tmp_path, monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(distributed, "run_epoch", stopped)
    sentence = "stopped by hand; the same command goes on from the last checkpoint"
    assert refusal(alone, command(tmp_path / "a.pt")) == sentence


if __name__ == "__main__":
    if "--checkpoint" in sys.argv:
        distributed.main([*sys.argv[1:], "--seed", os.environ["RANK"]])
    else:
        work(*map(Path, sys.argv[1:]))
