"""What lies between the course and its data: certificates, proxies, encodings, passwords, links, disks, old copies.

Rows go through the checks of ``test_download.py``; what a row cannot say has a test of its own.
"""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import logging
import os
import shutil
import ssl
import subprocess
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest import mock

import filelock
import pytest
import requests
from torchvision.datasets import FashionMNIST

import fmnist_helpers as fh
from fmnist_helpers.data import disk, reasons
from fmnist_helpers.data import prepare as preparing
from fmnist_helpers.data.download import Place
from tests.data import troubles
from tests.data.test_download import check_auto, check_real
from tests.data.troubles import IMPATIENT, NAMES, CannotRunError, Scene, Trouble, contents, raw_of

REAL = "the real data."


def with_environment(scene: Scene, **values: str) -> None:
    scene.stack.enter_context(mock.patch.dict(os.environ, values))


# --- certificates ------------------------------------------------------------------------------------------


def bundle(scene: Scene, *, content: str | None, variable: str = "REQUESTS_CA_BUNDLE") -> None:
    """Let a variable name a bundle that is missing, or no bundle; the mirror's server speaks plain HTTP."""
    scene.respond = troubles.send
    scene.mirror = scene.server.address.replace("http:", "https:")
    if content is not None:
        (scene.folder / "bundle.pem").write_text(content)
    with_environment(scene, **{"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""})
    with_environment(scene, **{variable: str(scene.folder / "bundle.pem")})


def certificate(folder: Path, name: str) -> Path:
    """Make a certificate for the loopback, with its key, in one file."""
    if not shutil.which("openssl"):
        raise CannotRunError("there is no openssl to make a certificate")
    path = folder / f"{name}.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    options = ["subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(folder / "only.pem")]
    if subprocess.run([*command.split(), *options], capture_output=True).returncode:
        raise CannotRunError("this openssl cannot make a certificate")
    path.write_text(path.read_text() + (folder / "only.pem").read_text())
    return path


def encrypted(scene: Scene, *, trusted: str = "", **environment: str) -> None:
    """Speak HTTPS with a certificate of our own; ``trusted`` names the one that the bundle holds."""
    scene.respond = troubles.send
    own = certificate(scene.folder, "own")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    scene.server.socket = context.wrap_socket(scene.server.socket, server_side=True)
    scene.mirror = scene.server.address.replace("http:", "https:")
    path = str(certificate(scene.folder, trusted)) if trusted == "other" else str(own) if trusted else ""
    with_environment(scene, REQUESTS_CA_BUNDLE=path, CURL_CA_BUNDLE="", **environment)


# --- proxies -----------------------------------------------------------------------------------------------


def proxy(scene: Scene, *, address: str = "http://127.0.0.1:{port}", variable: str = "HTTP_PROXY") -> None:
    """Let an environment variable name a proxy: ``scene.respond``, or nobody."""
    if scene.respond:
        port = scene.server.server_port
    else:
        troubles.nobody_listens(scene)
        port = scene.mirror.rstrip("/").rpartition(":")[2]
    scene.mirror = "http://mirror.invalid/"
    with_environment(scene)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ[variable] = address.format(port=port)


# --- encodings ---------------------------------------------------------------------------------------------


def send_encoded(handler, content: bytes, encode=lambda content: content, header: str = "gzip") -> None:
    content = encode(content)
    handler.send_response(200)
    if header:
        handler.send_header("Content-Encoding", header)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def packed_anew(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content), compresslevel=1, mtime=1)


def send_only_unpacked(handler, content: bytes) -> None:
    """Serve a folder of unpacked files, as ``python -m http.server`` does."""
    if handler.path.endswith(".gz"):
        return handler.send_error(404)
    name = handler.path.rpartition("/")[2]
    troubles.send(handler, gzip.decompress(handler.server.packed[f"{name}.gz"]))


def send_bomb(handler, content: bytes) -> None:
    troubles.send(handler, gzip.compress(bytes(3_000_000)))


# --- folders -----------------------------------------------------------------------------------------------


def unpacked_folder(scene: Scene, *, below: str = "", packed: bytes | None = None) -> None:
    folder = scene.folder / "mirror" / below
    folder.mkdir(parents=True)
    for name, content in scene.official.files.items():
        (folder / name).write_bytes(content)
        if packed is not None:
            (folder / f"{name}.gz").write_bytes(packed)
    scene.mirror = str(scene.folder / "mirror")


def unreadable_stick(scene: Scene) -> None:
    """Let the mirror's disk fail, which is not the fault of the data folder."""
    troubles.folder_mirror(scene)
    whole = Path.open

    def fail(path, *arguments, **options):
        if path.suffix == ".gz" and path.parent.name == "mirror":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return whole(path, *arguments, **options)

    scene.stack.enter_context(mock.patch.object(Path, "open", fail))


def linked(scene: Scene, *, at: str, to: str = "other disk") -> None:
    """Let a part of the data folder be a link to another disk: nothing moves there in one step."""
    troubles.folder_mirror(scene)
    link = scene.data / at
    link.parent.mkdir(parents=True, exist_ok=True)
    (scene.folder / "other disk").mkdir()
    link.symlink_to(scene.folder / to)
    replace, other = os.replace, scene.folder.resolve() / "other disk"

    def refuse(source, target):
        if Path(source).resolve().is_relative_to(other) != Path(target).parent.resolve().is_relative_to(
            other
        ):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source), None, str(target))
        replace(source, target)

    scene.stack.enter_context(mock.patch.object(os, "replace", refuse))


def without_locks(scene: Scene, *, error: Exception) -> None:
    troubles.folder_mirror(scene)
    scene.stack.enter_context(refused_locks(error))


def refused_locks(error: Exception):
    try:
        import fcntl
    except ImportError:
        raise CannotRunError("this system has no flock") from None
    if isinstance(error, NotImplementedError):
        # What filelock before 3.21 makes of ENOSYS.
        return mock.patch.object(filelock.FileLock, "_acquire", mock.Mock(side_effect=error))
    return mock.patch.object(fcntl, "flock", mock.Mock(side_effect=error))


def without_md5(scene: Scene) -> None:
    """Refuse MD5 altogether, which is more than a FIPS Python does."""
    troubles.folder_mirror(scene)
    new = hashlib.new

    def refuse(*_, **__):
        raise ValueError("[digital envelope routines] unsupported")

    def approved(name, *arguments, **options):
        return refuse() if name.lower() == "md5" else new(name, *arguments, **options)

    scene.stack.enter_context(mock.patch.object(hashlib, "md5", refuse))
    scene.stack.enter_context(mock.patch.object(hashlib, "new", approved))


# --- the table ---------------------------------------------------------------------------------------------

NAMED = (
    "where the environment variable {0} names the certificates to trust, FOLDER/bundle.pem: correct it, or run "
    'del os.environ["{0}"] in a cell'
)
PROXY = "that the environment variable {} names"
REMOVE = ': correct it, or run del os.environ["{}"] in a cell'
EIO, ENOLCK, ENOSYS = (
    OSError(number, os.strerror(number)) for number in (errno.EIO, errno.ENOLCK, errno.ENOSYS)
)

SURROUNDINGS = (
    Trouble("no bundle", NAMED.format("REQUESTS_CA_BUNDLE"), prepare=partial(bundle, content=None)),
    Trouble(
        "no bundle for curl",
        NAMED.format("CURL_CA_BUNDLE"),
        prepare=partial(bundle, content=None, variable="CURL_CA_BUNDLE"),
    ),
    Trouble("empty bundle", NAMED.format("REQUESTS_CA_BUNDLE"), prepare=partial(bundle, content="")),
    Trouble(
        "damaged bundle",
        NAMED.format("REQUESTS_CA_BUNDLE"),
        prepare=partial(bundle, content="-----BEGIN CERTIFICATE-----\nhalf\n"),
    ),
    Trouble(
        "stale bundle",
        "where the environment variable REQUESTS_CA_BUNDLE names",
        prepare=partial(encrypted, trusted="other"),
    ),
    Trouble(
        "unknown certificate", "of certifi: run %pip install --upgrade certifi in a cell", prepare=encrypted
    ),
    Trouble("right bundle", REAL, prepare=partial(encrypted, trusted="own"), auto="real data"),
    Trouble(
        "SSL_CERT_FILE leads nowhere",
        REAL,
        prepare=partial(encrypted, trusted="own", SSL_CERT_FILE="/nowhere", SSL_CERT_DIR="/nowhere"),
        auto="real data",
    ),
    Trouble(
        "key log leads nowhere",
        "No such file or directory: '/nowhere/keys'",
        prepare=partial(encrypted, trusted="own", SSLKEYLOGFILE="/nowhere/keys"),
    ),
    Trouble("no proxy there", (PROXY + REMOVE).format(*2 * ["HTTP_PROXY"]), prepare=proxy),
    Trouble(
        "no proxy there for all",
        (PROXY + REMOVE).format(*2 * ["ALL_PROXY"]),
        prepare=partial(proxy, variable="ALL_PROXY"),
    ),
    Trouble("silent proxy", PROXY.format("HTTP_PROXY"), troubles.send_nothing, proxy, limits=IMPATIENT),
    Trouble("proxy refuses", PROXY.format("HTTP_PROXY"), troubles.send_404, proxy),
    Trouble("proxy asks to sign in", PROXY.format("HTTP_PROXY"), troubles.send_login_page, proxy),
    Trouble("proxy works", REAL, troubles.send, proxy, auto="real data"),
    Trouble(
        "proxy without a host", PROXY.format("HTTP_PROXY"), prepare=partial(proxy, address="http://a:b@")
    ),
    Trouble("proxy of no kind", PROXY.format("HTTP_PROXY"), prepare=partial(proxy, address="::")),
    Trouble(".gz called encoded", REAL, send_encoded, auto="real data"),
    Trouble(".gz called x-gzip", REAL, partial(send_encoded, header="x-gzip"), auto="real data"),
    Trouble("packed twice", REAL, partial(send_encoded, encode=gzip.compress), auto="real data"),
    Trouble(
        "packed twice, not said",
        REAL,
        partial(send_encoded, encode=gzip.compress, header=""),
        auto="real data",
    ),
    Trouble("packed anew", REAL, partial(send_encoded, encode=packed_anew, header=""), auto="real data"),
    Trouble(
        "unpacked on the way",
        REAL,
        partial(send_encoded, encode=gzip.decompress, header=""),
        auto="real data",
    ),
    Trouble(
        "called encoded, but unpacked", REAL, partial(send_encoded, encode=gzip.decompress), auto="real data"
    ),
    Trouble("only unpacked on the server", REAL, send_only_unpacked, auto="real data"),
    Trouble(
        "bomb", "more than 1 MB, so it is not Fashion-MNIST's", send_bomb, limits={"MOST_BYTES": 1_000_000}
    ),
    Trouble("folder, unpacked", REAL, prepare=unpacked_folder, auto="real data"),
    Trouble(
        "folder, as torchvision leaves it",
        REAL,
        prepare=partial(unpacked_folder, below="FashionMNIST/raw"),
        auto="real data",
    ),
    Trouble("folder, .gz damaged", REAL, prepare=partial(unpacked_folder, packed=b"half"), auto="real data"),
    Trouble("folder on a broken disk", os.strerror(errno.EIO), prepare=unreadable_stick),
    Trouble("data linked", REAL, prepare=partial(linked, at=""), auto="real data"),
    Trouble("real data linked", REAL, prepare=partial(linked, at="real"), auto="real data"),
    Trouble(
        "torchvision's folder linked", REAL, prepare=partial(linked, at="real/FashionMNIST"), auto="real data"
    ),
    Trouble("raw folder linked", REAL, prepare=partial(linked, at="real/FashionMNIST/raw"), auto="real data"),
    Trouble(
        "data linked to no disk",
        "FOLDER/data is a link to FOLDER/gone, which is not there",
        prepare=partial(linked, at="", to="gone"),
        auto="same sentence",
    ),
    Trouble(
        "real data linked to no disk",
        "FOLDER/data/real is a link to FOLDER/gone, which is not there",
        prepare=partial(linked, at="real", to="gone"),
    ),
    Trouble(
        "raw folder linked to no disk",
        "FOLDER/data/real/FashionMNIST/raw is a link to FOLDER/gone, which is not there",
        prepare=partial(linked, at="real/FashionMNIST/raw", to="gone"),
    ),
    Trouble("no locks left", REAL, prepare=partial(without_locks, error=ENOLCK), auto="real data"),
    Trouble("no locks known", REAL, prepare=partial(without_locks, error=ENOSYS), auto="real data"),
    Trouble("locks fail", REAL, prepare=partial(without_locks, error=EIO), auto="real data"),
    Trouble(
        "no locks, older filelock",
        REAL,
        prepare=partial(without_locks, error=NotImplementedError("use SoftFileLock")),
        auto="real data",
    ),
    Trouble("no MD5", REAL, prepare=without_md5, auto="real data"),
)


@pytest.mark.parametrize("trouble", SURROUNDINGS, ids=lambda trouble: trouble.name)
def test_real_gets_the_data_or_names_the_culprit(trouble):
    check_real(trouble)


@pytest.mark.parametrize("trouble", SURROUNDINGS, ids=lambda trouble: trouble.name)
def test_auto_gets_the_data_or_its_one_line_names_the_culprit(trouble):
    check_auto(trouble)


# --- what a row cannot say -----------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path):
    """A scene in a world of tiny files."""
    scene = Scene(tmp_path)
    with scene.stack, troubles.tiny_world(scene.official):
        yield scene


def test_dead_proxy_is_said_once_for_all_mirrors(world):
    proxy(world)
    FashionMNIST.mirrors[:] = ["http://one.invalid/", "http://two.invalid/"]
    said = troubles.prepare(world, "real")
    refused = f"ProxyError: [Errno {errno.ECONNREFUSED:d}] Connection refused"
    assert said == (
        "the real data could not be fetched: http://mirror.invalid/ and http://one.invalid/ and http://two.invalid/: "
        f"{refused}, through the proxy {os.environ['HTTP_PROXY']} that the environment variable HTTP_PROXY names: "
        'correct it, or run del os.environ["HTTP_PROXY"] in a cell. Check the network, or name an address or a folder '
        'with the four official files: prepare_data(mirror="..."), or work with stand-in data: '
        'prepare_data(source="standin"). For all lessons, set the environment variable FMNIST_MIRROR or FMNIST_SOURCE '
        "instead."
    )


def test_every_variable_that_names_the_proxy_is_told(world):
    """Python prefers the first of these, so one who corrects the second alone changes nothing."""
    proxy(world, variable="http_proxy")
    if os.environ.get("HTTP_PROXY"):
        pytest.skip(
            "NOT RUN: this system does not tell capital letters in names of variables from small ones"
        )
    os.environ["HTTP_PROXY"] = os.environ["http_proxy"]
    said = troubles.prepare(world, "real")
    assert (
        "that the environment variables http_proxy and HTTP_PROXY name: correct them, or run "
        'del os.environ["http_proxy"], os.environ["HTTP_PROXY"] in a cell.' in said
    )


@pytest.mark.parametrize("end", ["?download=1", "#files"])
def test_an_address_that_no_password_spoils_is_not_told_of_passwords(world, end):
    world.mirror = f"http://mirror.invalid/files{end}"
    said = troubles.prepare(world, "real")
    assert (
        "http://mirror.invalid/files: its address has a ? or # where none can be; give the address of the f"
        in said
    )
    assert "password" not in said
    world.mirror = "http://student:hid?den@mirror.invalid/files?download=1"
    said = troubles.prepare(world, "real")
    assert "without ?download=1 and the like, and in a name or a password write / as %2F" in said


# Told apart from everything else that a message may say; each with something that an address must not hold.
SECRETS = (
    *(
        "hidden",
        "hid%20den",
        "hid/den",
        "hid:den",
        "hid@den",
        "hid?den",
        "hid#den",
        "hid[den",
        "hid\u20acden",
    ),
    "90909/80808",
)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("scheme", ["http://", "HTTPS://", "http:/", ""])
def test_password_in_the_mirrors_address_is_never_shown(world, secret, scheme, caplog):
    caplog.set_level(logging.DEBUG)
    troubles.nobody_listens(world)
    host = world.mirror.removeprefix("http://")
    world.mirror = f"{scheme}student:{secret}@{host}"
    everything = troubles.prepare(world, "real") + troubles.prepare(world, "auto") + caplog.text
    with pytest.raises(fh.DataError) as raised, mock.patch.dict(os.environ, {"FMNIST_MIRROR": world.mirror}):
        fh.prepare_data(world.data, "real")
    # As IPython's verbose mode shows it, with the values of all variables.
    told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    package = [frame for frame in told.stack if "fmnist_helpers" in frame.filename]
    everything += str(raised.value) + repr([frame.locals for frame in package])
    assert host.rstrip("/") in everything
    for piece in {secret, *secret.replace("%20", "/").replace("\u20ac", "/").replace("[", "/").split("/")}:
        assert piece not in everything.replace(host, "")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            "certificate verify failed: certificate has expired",
            "(is the clock of this computer right?), where the",
        ),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'x'", "for 'x'"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "wrong version number"),
    ],
)
def test_certificates_are_blamed_only_where_they_are_to_blame(text, note, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    said = reasons.explain(requests.exceptions.SSLError(text), Place("https://pem.invalid/"))
    assert note in said
    assert ("certifi:" in said) == ("expired" in text)


@pytest.mark.parametrize("secret", ["hidden", "hid/den", "hid@den"])
def test_password_of_a_proxy_is_never_shown(world, secret):
    proxy(world, address=f"http://student:{secret}@127.0.0.1:{{port}}")
    said = troubles.prepare(world, "real")
    assert "through the proxy http://***@127.0.0.1:" in said
    assert "hid" not in said and "den" not in said and "student" not in said


def test_name_and_password_are_sent_to_the_mirror_that_they_are_for(world):
    asked = []

    def respond(handler, content):
        asked.append(base64.b64decode(handler.headers["Authorization"].removeprefix("Basic ")).decode())
        troubles.send(handler, content)

    world.respond = respond
    world.mirror = world.server.address.replace("http://", "http://student:p%40ss\u20ac@")
    assert REAL in troubles.prepare(world, "real")
    assert set(asked) == {"student:p@ss\u20ac"}


def test_disk_of_another_device(world):
    """Two real devices, where this machine has them."""
    other = Path("/dev/shm")
    if (
        not other.is_dir()
        or other.stat().st_dev == world.folder.stat().st_dev
        or not os.access(other, os.W_OK)
    ):
        pytest.skip("NOT RUN: this machine has no second disk at /dev/shm")
    folder = world.stack.enter_context(troubles.tempfile.TemporaryDirectory(dir=other))
    troubles.folder_mirror(world)
    for source in ("real", "standin"):
        raw = raw_of(world.data / source)
        raw.parent.mkdir(parents=True)
        Path(folder, source).mkdir()
        raw.symlink_to(Path(folder, source))
    assert REAL in troubles.prepare(world, "real")
    assert "STAND-IN" in troubles.prepare(world, "standin")
    assert troubles.trusted(world) == "intact"
    assert contents(Path(folder, "real")) == world.official.files
    assert contents(Path(folder, "standin")) == world.drawn


@pytest.mark.parametrize("source", ["real", "standin"])
def test_two_notebooks_at_once_without_locks(world, source):
    """Each works in a folder of its own; neither deletes what the other is about to move."""
    world.respond = troubles.send_slowly
    world.mirror, said = world.server.address, []
    together = threading.Barrier(3)

    def be_a_notebook():
        together.wait(30)
        try:
            said.append(preparing.prepare_data(world.data, source, world.mirror))
        except fh.DataError as error:
            said.append(error)

    with refused_locks(ENOLCK):
        notebooks = [threading.Thread(target=be_a_notebook) for _ in range(3)]
        for notebook in notebooks:
            notebook.start()
        for notebook in notebooks:
            notebook.join(60)
    assert said == [world.data / source] * 3
    assert troubles.trusted(world) == "intact"
    assert troubles.leftovers(world.data) == []


def test_no_lock_outlives_a_notebook_that_is_killed(world, recwarn):
    """A file in place of a lock would: killed in a container, it holds up the next one for half an hour."""
    without_locks(world, error=ENOSYS)
    assert REAL in troubles.prepare(world, "real")
    lock = world.data / "real.lock"
    assert not lock.exists() or lock.read_bytes() == b""
    assert recwarn.list == []


def test_what_was_left_without_locks_is_dropped_when_nobody_can_work_in_it(world):
    troubles.folder_mirror(world)
    old, new = (world.data / "real" / f"unfinished-{name}" for name in ("old", "new"))
    beside = raw_of(world.data / "real") / f"{NAMES[0]}.unfinished-old"
    for folder in (old, new, beside.parent):
        folder.mkdir(parents=True)
    for path in (old / NAMES[0], new / NAMES[0], beside):
        path.write_bytes(b"half")
    for path in (old, beside):
        os.utime(path, (0, 0))
    assert REAL in troubles.prepare(world, "real")
    assert new.exists() and not old.exists() and not beside.exists()


def test_two_courses_with_links_to_one_folder_share_its_lock(world, monkeypatch):
    troubles.folder_mirror(world)
    shared = world.folder / "shared"
    (shared / "real").mkdir(parents=True)
    world.data.mkdir()
    (world.data / "real").symlink_to(shared / "real")
    monkeypatch.setattr(disk, "LOCK_SECONDS", 0.1)
    with filelock.FileLock(shared / "real.lock"):
        assert "another program that is preparing" in in_a_thread(partial(troubles.prepare, world, "real"))
    assert REAL in troubles.prepare(world, "real")


def in_a_thread(work):
    """Return what ``work`` returns elsewhere: a lock does not keep out the thread that holds it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


# --- the tutorial's copy -------------------------------------------------------------------------------------


def tutorial(world: Scene, folder: Path, **changed: bytes) -> dict[Path, tuple[bytes, int]]:
    """Leave what the tutorial's ``download=True`` leaves; return it with its times."""
    raw = raw_of(folder)
    raw.mkdir(parents=True)
    for name, content in {**world.official.files, **world.official.packed}.items():
        (raw / name).write_bytes(changed.get("everything", content))
    return state(folder)


def state(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in raw_of(folder).iterdir()}


@pytest.fixture
def placed(world, monkeypatch):
    """A course and a working folder; the mirrors are out of reach and nothing is chosen."""
    for name in ("FMNIST_DATA", "FMNIST_SOURCE", "FMNIST_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    course, work = world.folder / "course", world.folder / "work"
    for folder in (course, work):
        folder.mkdir()
    monkeypatch.setattr(preparing, "COURSE_FOLDER", course)
    monkeypatch.chdir(work)
    return {"course": course / "data", "working folder": work / "data"}


@pytest.mark.parametrize("where", ["course", "working folder"])
@pytest.mark.parametrize("source", ["real", "auto"])
def test_copy_of_the_tutorial_is_used_where_it_is(world, placed, where, source, capsys):
    before = tutorial(world, placed[where])
    root = fh.prepare_data(source=source)
    assert root == placed[where] and root.is_absolute()
    assert len(FashionMNIST(root)) == troubles.SIZES["train"]
    assert capsys.readouterr().out.endswith(": the real data.\n")
    assert state(placed[where]) == before
    # Nothing was written, so a folder that cannot be written serves as well.
    assert not (placed["course"] / "real").exists()


@pytest.mark.parametrize("where", ["course", "working folder"])
def test_copy_of_the_tutorial_fills_a_folder_that_was_chosen(world, placed, where):
    before = tutorial(world, placed[where])
    root = fh.prepare_data(world.data, "real")
    assert root == world.data / "real"
    assert contents(raw_of(root)) == world.official.files
    assert state(placed[where]) == before


def test_copy_of_the_tutorial_in_the_chosen_folder_is_used(world, placed, monkeypatch):
    before = tutorial(world, world.data)
    assert fh.prepare_data(world.data, "real") == world.data
    monkeypatch.setenv("FMNIST_DATA", str(world.data))
    assert fh.prepare_data() == world.data
    assert state(world.data) == before


@pytest.mark.parametrize("where", ["course", "working folder"])
def test_broken_copy_of_the_tutorial_is_left_alone(world, placed, where):
    before = tutorial(world, placed[where], everything=b"half")
    troubles.folder_mirror(world)
    assert fh.prepare_data(source="real", mirror=world.mirror) == placed["course"] / "real"
    assert state(placed[where]) == before


def test_stand_in_is_drawn_beside_a_copy_of_the_tutorial(world, placed):
    before = tutorial(world, placed["course"])
    assert fh.prepare_data(source="standin") == placed["course"] / "standin"
    assert state(placed["course"]) == before


def test_working_folder_that_was_deleted_is_no_trouble(world, placed):
    troubles.folder_mirror(world)
    shutil.rmtree(placed["working folder"].parent)
    with mock.patch.dict(os.environ, {"FMNIST_MIRROR": world.mirror}):
        assert fh.prepare_data(source="real") == placed["course"] / "real"


def test_digests_are_those_of_the_files_that_torchvision_knows(real_mirror):
    for name, md5 in FashionMNIST.resources:
        packed = (real_mirror / name).read_bytes()
        assert hashlib.md5(packed, usedforsecurity=False).hexdigest() == md5
        unpacked = troubles.sha256_of(gzip.decompress(packed))
        assert unpacked == preparing.UNPACKED_SHA256[name.removesuffix(".gz")]


def test_folder_that_was_prepared_serves_as_a_mirror(world):
    troubles.folder_mirror(world)
    root = fh.prepare_data(world.data, "real", world.mirror)
    assert fh.prepare_data(world.folder / "another", "real", str(root)) == world.folder / "another" / "real"
    assert disk.is_intact(raw_of(world.folder / "another" / "real"), preparing.UNPACKED_SHA256)
