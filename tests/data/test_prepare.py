"""Data is verified, fetched from the first mirror that has it, or drawn, and never silently.

Four tiny files stand for the official ones and a server on the loopback for a mirror, so that nothing here
needs a network, and whatever asks for one fails. Mirrors, disks and neighbours that misbehave have a file of
their own, ``test_download.py``.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import filelock
import pooch
import pytest
from torchvision.datasets import FashionMNIST

import fmnist_helpers as fh
from fmnist_helpers.data import disk, reasons, standin
from fmnist_helpers.data import prepare as preparing
from tests.data.troubles import (
    NAMES,
    SIZES,
    Mirror,
    contents,
    leftovers,
    raw_of,
    send,
    send_404,
    sha256_of,
    write_tiny,
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No settings of the user, no wait between two attempts, and no network but the loopback."""
    for name in ("FMNIST_DATA", "FMNIST_SOURCE", "FMNIST_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda seconds: None))
    connect = socket.socket.connect

    def connect_to_loopback(self, address):
        assert address[0] == "127.0.0.1", f"a test asked for the network: {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)


@pytest.fixture
def no_server() -> str:
    """An address on the loopback where nobody answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


@pytest.fixture
def official(monkeypatch, tmp_path, no_server) -> dict[str, bytes]:
    """Tiny official files, by name; the public mirror is out of reach."""
    write_tiny(tmp_path / "official", seed=1)
    files = contents(tmp_path / "official")
    monkeypatch.setattr(FashionMNIST, "mirrors", [no_server])
    monkeypatch.setattr(preparing, "UNPACKED_SHA256", {name: sha256_of(files[name]) for name in NAMES})
    return files


@pytest.fixture
def mirror(tmp_path, official) -> Path:
    """A local folder that holds the official files, packed."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in official.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    return folder


@pytest.fixture
def draws(monkeypatch) -> list[Path]:
    """The stand-in, in small; the list grows by one at every draw."""
    done = []

    def draw(raw):
        done.append(raw)
        write_tiny(raw, seed=2)

    monkeypatch.setattr(standin, "write_standin", draw)
    return done


@pytest.fixture
def serve(mirror):
    """Start servers that answer with ``respond(handler, packed file)``; return address and requests."""
    servers = []

    def start(respond):
        servers.append(Mirror(respond, contents(mirror)))
        return servers[-1].address, servers[-1].requests

    yield start
    for server in servers:
        server.close()


def is_official(root: Path, official: dict[str, bytes]) -> bool:
    return contents(raw_of(root)) == official


# --- the real data -----------------------------------------------------------------------------------------


def test_local_folder_gives_the_official_files(tmp_path, official, mirror, capsys):
    root = fh.prepare_data(tmp_path / "data", mirror=str(mirror))
    assert root == tmp_path / "data" / "real"
    assert is_official(root, official)
    assert leftovers(tmp_path / "data") == []
    assert capsys.readouterr().out == f"Fashion-MNIST in {root.as_posix()}: the real data.\n"


@pytest.mark.parametrize("slash", ["", "/"])
def test_server_gives_the_official_files_each_asked_for_once(tmp_path, official, serve, slash):
    address, requests = serve(send)
    root = fh.prepare_data(tmp_path / "data", "real", address.rstrip("/") + slash)
    assert is_official(root, official)
    assert sorted(requests) == sorted(f"{name}.gz" for name in NAMES)
    assert leftovers(tmp_path / "data") == []


def test_torchvision_reads_what_was_prepared(tmp_path, official, mirror):
    root = fh.prepare_data(tmp_path, mirror=str(mirror))
    for train, number in ((True, SIZES["train"]), (False, SIZES["t10k"])):
        dataset = FashionMNIST(root, train=train)
        assert len(dataset) == number
        assert dataset.targets.tolist() == [index % 10 for index in range(number)]
    images = official["train-images-idx3-ubyte"][16:]
    assert FashionMNIST(root).data.numpy().tobytes() == images


def test_real_files_end_to_end(real_root):
    for train, number in ((True, 60_000), (False, 10_000)):
        dataset = FashionMNIST(real_root, train=train)
        assert dataset.data.shape == (number, 28, 28)
        assert dataset.targets.bincount().tolist() == [number // 10] * 10
    for name, sha256 in preparing.UNPACKED_SHA256.items():
        assert sha256_of((raw_of(real_root) / name).read_bytes()) == sha256


def test_public_mirrors_are_used_where_none_is_set(tmp_path, official, serve, monkeypatch):
    address, _ = serve(send)
    monkeypatch.setattr(FashionMNIST, "mirrors", [*FashionMNIST.mirrors, address])
    assert is_official(fh.prepare_data(tmp_path / "data", "real"), official)


def test_own_mirror_comes_before_the_public_ones(tmp_path, official, mirror, serve, monkeypatch):
    address, requests = serve(send)
    monkeypatch.setattr(FashionMNIST, "mirrors", [address])
    fh.prepare_data(tmp_path / "data", "real", str(mirror))
    assert requests == []


def test_next_mirror_gives_only_what_the_first_has_not(tmp_path, official, mirror, serve, monkeypatch):
    incomplete = shutil.copytree(mirror, tmp_path / "incomplete")
    (incomplete / f"{NAMES[2]}.gz").unlink()
    address, requests = serve(send)
    monkeypatch.setattr(FashionMNIST, "mirrors", [address])
    root = fh.prepare_data(tmp_path / "data", "real", str(incomplete))
    assert is_official(root, official)
    # Files come in order, so the first mirror is left at the third.
    assert requests == [f"{NAMES[2]}.gz", f"{NAMES[3]}.gz"]


def forbid_fetching(monkeypatch) -> None:
    def fail(*_, **__):
        pytest.fail("verified data was fetched again")

    monkeypatch.setattr(pooch, "create", fail)
    # No lock either: a lab's read-only folder with the data in it is good enough.
    monkeypatch.setattr(disk, "FileLock", fail)
    monkeypatch.setattr(socket.socket, "connect", fail)
    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.parametrize("source", ["auto", "real"])
def test_data_on_disk_is_verified_and_used_without_network(tmp_path, official, mirror, monkeypatch, source):
    root = fh.prepare_data(tmp_path / "data", "real", str(mirror))
    before = {path: path.stat().st_mtime_ns for path in raw_of(root).iterdir()}
    forbid_fetching(monkeypatch)
    assert fh.prepare_data(tmp_path / "data", source) == root
    assert {path: path.stat().st_mtime_ns for path in raw_of(root).iterdir()} == before


@pytest.mark.parametrize("damage", [lambda p: p.write_bytes(p.read_bytes()[:-1]), Path.unlink])
def test_damaged_file_is_fetched_again_and_no_other(tmp_path, official, mirror, serve, damage):
    address, requests = serve(send)
    root = fh.prepare_data(tmp_path / "data", "real", str(mirror))
    damage(raw_of(root) / NAMES[1])
    fh.prepare_data(tmp_path / "data", "real", address)
    assert requests == [f"{NAMES[1]}.gz"]
    assert is_official(root, official)


# --- no mirror gives intact files --------------------------------------------------------------------------


def test_real_fails_and_says_what_was_tried_and_what_to_do(tmp_path, official, serve, draws):
    address, requests = serve(send_404)
    with pytest.raises(fh.DataError) as raised:
        fh.prepare_data(tmp_path / "data", "real", address)
    message = str(raised.value)
    assert f"{address}: 404" in message
    assert f"{FashionMNIST.mirrors[0]}: ConnectionError: " in message
    assert 'prepare_data(mirror="...")' in message
    assert 'prepare_data(source="standin")' in message
    assert "set the environment variable FMNIST_MIRROR or FMNIST_SOURCE" in message
    assert "\n" not in message
    # Attempts are bounded: the first file twice, packed and unpacked, no other after it.
    assert requests == [f"{NAMES[0]}.gz", NAMES[0]] * 2
    assert draws == []
    assert not (tmp_path / "data" / "standin").exists()


def test_auto_falls_back_to_the_stand_in_and_says_so(tmp_path, official, serve, draws, capsys):
    address, _ = serve(send_404)
    root = fh.prepare_data(tmp_path / "data", "auto", address)
    assert root == tmp_path / "data" / "standin"
    assert len(FashionMNIST(root)) == SIZES["train"]
    assert len(draws) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        f"Fashion-MNIST in {root.as_posix()}: STAND-IN DATA, drawn by a statistical model, not real garments "
        f"(the real data could not be fetched: {address}: 404 "
    )
    assert line.endswith(
        "Connection refused). You can go on with it; when that is mended, run this cell again for the real data."
    )


def test_long_reasons_are_cut_to_one_line():
    text = reasons.in_one_line(ValueError("many\nwords " * 100 + "and the reason"))
    assert text.startswith("many words many words")
    assert text.endswith("words and the reason")
    assert len(text) == 200


def test_wrapped_reasons_end_in_the_innermost():
    try:
        try:
            raise OSError("Connection refused")
        except OSError as error:
            raise ValueError("HTTPConnectionPool(host=...): " + repr(error)) from error
    except ValueError as error:
        assert reasons.in_one_line(error) == "ValueError: Connection refused"


# --- the stand-in ------------------------------------------------------------------------------------------


def test_stand_in_end_to_end_in_full_size(tmp_path, capsys):
    root = fh.prepare_data(tmp_path, "standin")
    for train, number in ((True, 60_000), (False, 10_000)):
        dataset = FashionMNIST(root, train=train)
        assert dataset.data.shape == (number, 28, 28)
        assert dataset.targets.bincount().tolist() == [number // 10] * 10
    assert "STAND-IN DATA, drawn by a statistical model, not real garments" in capsys.readouterr().out


def test_stand_in_is_drawn_once_and_announced_each_time(tmp_path, official, draws, capsys):
    roots = [fh.prepare_data(tmp_path, "standin") for _ in range(2)]
    assert roots == [tmp_path / "standin"] * 2
    assert len(draws) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    way = '(asked for by the argument source). For the real data, run prepare_data(source="real").'
    assert all("STAND-IN DATA" in line and line.endswith(way) for line in lines)


def test_the_notice_says_that_the_environment_asked_for_the_stand_in(
    tmp_path, official, draws, capsys, monkeypatch
):
    monkeypatch.setenv("FMNIST_SOURCE", "standin")
    fh.prepare_data(tmp_path)
    assert "(asked for by the environment variable FMNIST_SOURCE). For the real" in capsys.readouterr().out


def test_stand_in_never_satisfies_real(tmp_path, official, draws):
    fh.prepare_data(tmp_path / "data", "standin")
    with pytest.raises(fh.DataError):
        fh.prepare_data(tmp_path / "data", "real")


def test_stand_in_files_in_the_real_folder_are_replaced(tmp_path, official, mirror):
    write_tiny(raw_of(tmp_path / "data" / "real"), seed=2)
    root = fh.prepare_data(tmp_path / "data", "real", str(mirror))
    assert is_official(root, official)


def test_auto_looks_for_the_real_data_again_when_it_is_back(tmp_path, official, mirror, draws):
    assert fh.prepare_data(tmp_path / "data").name == "standin"
    assert fh.prepare_data(tmp_path / "data").name == "standin"
    assert fh.prepare_data(tmp_path / "data", mirror=str(mirror)).name == "real"
    # From now on it is there already, with or without a mirror.
    assert fh.prepare_data(tmp_path / "data").name == "real"
    assert len(draws) == 1


def test_asking_for_the_stand_in_never_looks_for_the_real_data(
    tmp_path, official, mirror, draws, monkeypatch
):
    fh.prepare_data(tmp_path / "data", "real", str(mirror))
    monkeypatch.setattr(preparing, "_prepare_real", lambda *_: pytest.fail("the real data was looked for"))
    assert fh.prepare_data(tmp_path / "data", "standin", str(mirror)).name == "standin"


def refuse_writing(monkeypatch) -> None:
    """Refuse every lock and folder, as a read-only disk does (permission bits do not bind root)."""

    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(disk, "FileLock", refuse)
    monkeypatch.setattr(os, "mkdir", refuse)


def test_auto_uses_an_earlier_stand_in_where_nothing_can_be_written(
    tmp_path, official, mirror, draws, monkeypatch, capsys
):
    root = fh.prepare_data(tmp_path, "standin")
    refuse_writing(monkeypatch)
    assert fh.prepare_data(tmp_path, "auto", str(mirror)) == root
    last = capsys.readouterr().out.splitlines()[-1]
    assert "STAND-IN DATA" in last
    assert f"(the data folder {tmp_path / 'real'} cannot be used (Read-only file system: " in last
    assert len(draws) == 1
    with pytest.raises(fh.DataError, match="write permission"):
        fh.prepare_data(tmp_path, "real", str(mirror))
    (raw_of(root) / NAMES[0]).write_bytes(b"half")
    with pytest.raises(fh.DataError, match="write permission"):
        fh.prepare_data(tmp_path, "auto", str(mirror))


def test_another_fitted_model_is_drawn_anew(tmp_path, official, draws, monkeypatch):
    fh.prepare_data(tmp_path, "standin")
    monkeypatch.setattr(standin, "fingerprint", lambda: "another")
    fh.prepare_data(tmp_path, "standin")
    assert len(draws) == 2
    fh.prepare_data(tmp_path, "standin")
    assert len(draws) == 2


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "{}", '{"fitted": 1}', "null"])
def test_damaged_manifest_is_drawn_anew(tmp_path, official, draws, content):
    root = fh.prepare_data(tmp_path, "standin")
    (root / "manifest.json").write_text(content)
    fh.prepare_data(tmp_path, "standin")
    assert len(draws) == 2
    assert json.loads((root / "manifest.json").read_text())["fitted"] == standin.fingerprint()


def test_damaged_stand_in_file_is_drawn_anew(tmp_path, official, draws):
    root = fh.prepare_data(tmp_path, "standin")
    before = contents(raw_of(root))
    (raw_of(root) / NAMES[0]).write_bytes(b"damaged")
    fh.prepare_data(tmp_path, "standin")
    assert contents(raw_of(root)) == before


# --- settings ----------------------------------------------------------------------------------------------


def test_environment_chooses_folder_source_and_mirror(tmp_path, official, mirror, draws, monkeypatch):
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FMNIST_SOURCE", "real")
    monkeypatch.setenv("FMNIST_MIRROR", str(mirror))
    assert fh.prepare_data() == tmp_path / "data" / "real"
    monkeypatch.setenv("FMNIST_SOURCE", "standin")
    assert fh.prepare_data() == tmp_path / "data" / "standin"


def test_arguments_come_before_the_environment(tmp_path, official, mirror, monkeypatch):
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "not here"))
    monkeypatch.setenv("FMNIST_SOURCE", "standin")
    monkeypatch.setenv("FMNIST_MIRROR", str(tmp_path / "neither here"))
    root = fh.prepare_data(tmp_path / "data", "real", str(mirror))
    assert root == tmp_path / "data" / "real"
    assert not (tmp_path / "not here").exists()


def test_empty_environment_variables_count_as_unset(tmp_path, official, draws, monkeypatch):
    for name in ("FMNIST_DATA", "FMNIST_SOURCE", "FMNIST_MIRROR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(preparing, "COURSE_FOLDER", tmp_path)
    assert fh.prepare_data() == tmp_path / "data" / "standin"


def test_relative_paths_in_the_environment_count_from_the_course(
    tmp_path, official, mirror, monkeypatch, capsys
):
    course, elsewhere = tmp_path / "course", tmp_path / "elsewhere"
    course.mkdir()
    elsewhere.mkdir()
    monkeypatch.setattr(preparing, "COURSE_FOLDER", course)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("FMNIST_DATA", "some/data")
    monkeypatch.setenv("FMNIST_MIRROR", "../mirror")
    root = fh.prepare_data(source="real")
    assert root == course / "some" / "data" / "real"
    assert is_official(root, official)
    # What is printed is the same on every machine.
    assert capsys.readouterr().out == "Fashion-MNIST in some/data/real: the real data.\n"


def test_relative_paths_in_arguments_count_from_the_working_folder(tmp_path, official, mirror, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    root = fh.prepare_data("data", "real", "../mirror")
    assert root == tmp_path / "work" / "data" / "real"
    assert root.is_absolute()


def test_default_folder_is_the_courses(official, mirror, monkeypatch, tmp_path):
    assert (preparing.COURSE_FOLDER / "fmnist_helpers" / "data" / "prepare.py").is_file()
    course = tmp_path / "course"
    course.mkdir()
    monkeypatch.setattr(preparing, "COURSE_FOLDER", course)
    assert fh.prepare_data(mirror=str(mirror)) == course / "data" / "real"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "fmnist-course"


def test_without_a_checkout_the_users_cache_is_the_default(official, mirror, monkeypatch, cache, tmp_path):
    monkeypatch.setattr(preparing, "COURSE_FOLDER", None)
    monkeypatch.chdir(tmp_path)
    assert fh.prepare_data(mirror="mirror") == cache / "real"
    # Then a relative path can only count from the working folder.
    monkeypatch.setenv("FMNIST_DATA", "elsewhere")
    assert fh.prepare_data(mirror="mirror") == tmp_path / "elsewhere" / "real"


@pytest.mark.parametrize("has_data_folder", [True, False])
def test_a_checkout_that_cannot_be_written_leaves_the_cache(
    official, mirror, monkeypatch, cache, tmp_path, has_data_folder
):
    course = tmp_path / "course"
    (course / "data" if has_data_folder else course).mkdir(parents=True)
    monkeypatch.setattr(preparing, "COURSE_FOLDER", course)
    monkeypatch.setattr(preparing.os, "access", lambda path, mode: not Path(path).is_relative_to(course))
    assert fh.prepare_data(mirror=str(mirror)) == cache / "real"


def test_what_was_prepared_in_a_checkout_is_used_by_who_may_only_read_it(
    official, mirror, monkeypatch, cache, tmp_path
):
    course = tmp_path / "course"
    prepared = fh.prepare_data(course / "data", "real", str(mirror))
    monkeypatch.setattr(preparing, "COURSE_FOLDER", course)
    monkeypatch.setattr(preparing.os, "access", lambda path, mode: False)
    monkeypatch.setattr(preparing, "exclusive", None)
    assert fh.prepare_data() == prepared and not cache.exists()


def test_finding_the_real_data_fetches_and_says_nothing(
    official, mirror, draws, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(preparing, "COURSE_FOLDER", tmp_path / "course")
    (tmp_path / "course").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FMNIST_MIRROR", str(mirror))
    assert preparing.find_real() is None
    assert not any((tmp_path / "course").iterdir()) and not draws
    root = fh.prepare_data(source="real")
    capsys.readouterr()
    assert preparing.find_real() == root
    monkeypatch.setenv("FMNIST_SOURCE", "standin")
    assert preparing.find_real() is None
    monkeypatch.setenv("FMNIST_SOURCE", "")
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "elsewhere"))
    assert preparing.find_real() is None
    monkeypatch.delenv("FMNIST_DATA")
    (raw_of(root) / NAMES[0]).write_bytes(b"half")
    assert preparing.find_real() is None
    assert capsys.readouterr().out == ""


def test_data_that_is_there_waits_for_no_torchvision(official, mirror, monkeypatch, tmp_path):
    root = fh.prepare_data(tmp_path / "data", "real", str(mirror))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    assert fh.prepare_data(tmp_path / "data") == root


@pytest.mark.parametrize("by_environment", [True, False])
def test_unknown_source_is_refused(tmp_path, official, monkeypatch, by_environment):
    if by_environment:
        monkeypatch.setenv("FMNIST_SOURCE", "internet")
    by = "the environment variable FMNIST_SOURCE" if by_environment else "the argument source"
    with pytest.raises(ValueError, match=f"^{by} is 'internet'; choose one of 'auto', 'real', 'standin'$"):
        fh.prepare_data(tmp_path / "data", None if by_environment else "internet")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("by_environment", [True, False])
def test_data_folder_that_is_a_file_is_refused(tmp_path, official, monkeypatch, by_environment):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("FMNIST_DATA", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="file is a file; choose a folder"):
        fh.prepare_data(None if by_environment else tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["no such folder", "ftp://host/", "file:///tmp"])
def test_mirror_that_is_neither_address_nor_folder_is_named(tmp_path, official, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(fh.DataError, match=r"neither an http\(s\) address nor a folder that exists"):
        fh.prepare_data(tmp_path / "data", "real", name)


def unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_data_that_cannot_be_read_is_no_traceback(tmp_path, official, mirror):
    root = fh.prepare_data(tmp_path / "data", "real", str(mirror))
    unreadable(raw_of(root) / NAMES[0])
    with pytest.raises(fh.DataError, match=f"cannot be used .*{NAMES[0]}"):
        fh.prepare_data(tmp_path / "data", "real", str(mirror))


def test_data_deleted_while_it_is_verified_is_fetched_again(tmp_path, official, mirror, monkeypatch):
    root, digest = fh.prepare_data(tmp_path / "data", "real", str(mirror)), disk.digest

    def delete_first(path):
        monkeypatch.setattr(disk, "digest", digest)
        path.unlink()
        return digest(path)

    monkeypatch.setattr(disk, "digest", delete_first)
    assert fh.prepare_data(tmp_path / "data", "real", str(mirror)) == root
    assert is_official(root, official)


def test_folder_that_may_not_be_looked_at_is_named(tmp_path, official, mirror):
    # No path is this long, so looking at it fails with an error of the system.
    with pytest.raises(fh.DataError, match="cannot be used"):
        fh.prepare_data(tmp_path / ("long" * 1000), "real", str(mirror))


# --- disk and neighbours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["real", "standin"])
@pytest.mark.parametrize("in_the_way", ["{root}", "{root}/FashionMNIST"])
def test_file_in_the_way_is_named_with_what_to_do(tmp_path, official, mirror, draws, source, in_the_way):
    root = tmp_path / "data" / ("standin" if source == "standin" else "real")
    path = Path(in_the_way.format(root=root))
    path.parent.mkdir(parents=True)
    path.write_text("in the way")
    with pytest.raises(fh.DataError) as raised:
        fh.prepare_data(tmp_path / "data", source, str(mirror))
    assert f"the data folder {root} cannot be used ({path} is a file, and a folder is needed" in str(
        raised.value
    )
    assert 'Rename or delete that file, or use another folder: prepare_data("another/folder")' in str(
        raised.value
    )
    # Neither of them would help.
    assert "free space" not in str(raised.value) and "permission" not in str(raised.value)
    assert path.read_text() == "in the way"
    assert leftovers(tmp_path / "data") in ([], [str(path)])


def test_auto_draws_the_stand_in_where_only_the_real_data_has_no_place(
    tmp_path, official, mirror, draws, capsys
):
    in_the_way = tmp_path / "data" / "real"
    in_the_way.parent.mkdir()
    in_the_way.write_text("in the way")
    assert fh.prepare_data(tmp_path / "data", "auto", str(mirror)).name == "standin"
    (line,) = capsys.readouterr().out.splitlines()
    assert f"(the data folder {in_the_way} cannot be used ({in_the_way} is a file, and a folder is " in line
    assert in_the_way.read_text() == "in the way"


def test_full_disk_is_named_with_what_to_do(tmp_path, official, monkeypatch):
    def fill(raw):
        (raw / NAMES[0]).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(standin, "write_standin", fill)
    with pytest.raises(fh.DataError, match=r"\(No space left on device\).*150 MB of free space"):
        fh.prepare_data(tmp_path / "data", "standin")
    assert leftovers(tmp_path / "data") == []
    assert not any((tmp_path / "data").rglob("*ubyte"))


def test_interrupt_leaves_nothing_half_written(tmp_path, official, monkeypatch):
    def stop(raw):
        (raw / NAMES[0]).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(standin, "write_standin", stop)
    with pytest.raises(KeyboardInterrupt):
        fh.prepare_data(tmp_path / "data", "standin")
    assert leftovers(tmp_path / "data") == []
    assert not any((tmp_path / "data").rglob("*ubyte"))


@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs.github.com/spec/v1\n", b"half"])
def test_a_file_of_the_course_that_is_missing_or_damaged_is_not_the_fault_of_the_data_folder(
    tmp_path, official, monkeypatch, content
):
    fitted = tmp_path / "course" / "standin.npz"
    if content is not None:
        fitted.parent.mkdir()
        fitted.write_bytes(standin.FITTED_FILE.read_bytes()[:-100] if content == b"half" else content)
    monkeypatch.setattr(standin, "FITTED_FILE", fitted)
    with pytest.raises(fh.DataError) as raised:
        fh.prepare_data(tmp_path / "data", "standin")
    assert str(raised.value).startswith(f"{fitted}, a file of the course, cannot be read (")
    assert str(raised.value).endswith(". Download the course again.")
    assert "data folder" not in str(raised.value) and "free space" not in str(raised.value)
    assert leftovers(tmp_path / "data") == []


@pytest.mark.parametrize("source", ["real", "standin"])
def test_what_a_killed_process_left_is_dropped(tmp_path, official, mirror, draws, source):
    unfinished = tmp_path / "data" / source / "unfinished"
    unfinished.mkdir(parents=True)
    for name in NAMES:
        (unfinished / name).write_bytes(b"half")
        (unfinished / f"{name}.gz").write_bytes(b"half")
    root = fh.prepare_data(tmp_path / "data", source, str(mirror))
    assert len(FashionMNIST(root)) == SIZES["train"]
    assert leftovers(tmp_path / "data") == []


def test_waiting_for_another_notebook_is_bounded(tmp_path, official, draws, monkeypatch):
    monkeypatch.setattr(disk, "LOCK_SECONDS", 0.3)
    held, over = threading.Event(), threading.Event()

    def hold():
        with filelock.FileLock(tmp_path / "standin.lock"):
            held.set()
            over.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(30)
        words = r"waited 0\.005 minutes for another program that is preparing .*it locks .*standin.lock"
        with pytest.raises(fh.DataError, match=words):
            fh.prepare_data(tmp_path, "standin")
    finally:
        over.set()
        holder.join(30)
    assert draws == []


def test_second_notebook_waits_for_the_first(tmp_path, official, monkeypatch):
    drawn = []

    def draw_slowly(raw):
        drawn.append(1)
        time.sleep(0.2)
        write_tiny(raw)

    monkeypatch.setattr(standin, "write_standin", draw_slowly)
    notebooks = [threading.Thread(target=fh.prepare_data, args=(tmp_path, "standin")) for _ in range(3)]
    for notebook in notebooks:
        notebook.start()
    for notebook in notebooks:
        notebook.join(60)
        assert not notebook.is_alive()
    assert len(drawn) == 1
    assert len(FashionMNIST(tmp_path / "standin")) == SIZES["train"]
