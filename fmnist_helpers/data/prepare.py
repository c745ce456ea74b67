"""Make Fashion-MNIST ready for torchvision: verified on disk, from a mirror, or drawn as a stand-in.

``prepare_data`` is the one entry. It leaves a folder that ``torchvision.datasets.FashionMNIST(root=...)``
reads and says in one line which data is there. Real data and stand-in live in separate folders, so one is
never taken for the other.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fmnist_helpers.data import standin
from fmnist_helpers.data.download import MirrorError, is_address, watched_downloader

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""The ten class names; a label is an index into this tuple."""

SOURCES = ("auto", "real", "standin")

# MD5 of the four official files after unpacking, which is how torchvision reads them. The MD5 of the packed
# files come from torchvision itself.
UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}

COURSE_FOLDER = Path(__file__).resolve().parents[2]

LOCK_SECONDS = 30 * 60  # how long to wait for another notebook that is preparing the same data


class DataError(RuntimeError):
    """The data could not be made ready; the message says what was tried and what to do."""


def prepare_data(
    root: str | Path | None = None, source: str | None = None, mirror: str | None = None
) -> Path:
    """Make Fashion-MNIST ready and return the folder that torchvision reads.

    The real data is used if it is on disk and intact (no network is touched), else fetched from ``mirror``
    if one is set, else from torchvision's public mirrors. Where none can be reached, a statistical stand-in
    is drawn (see :mod:`fmnist_helpers.data.standin`), and a printed line says so.

    Args:
        root: the data folder, by default ``FMNIST_DATA``, else ``data/`` in the course's folder.
        source: ``"auto"`` as above, ``"real"`` never falls back, ``"standin"`` never looks for the real data;
            by default ``FMNIST_SOURCE``, else ``"auto"``.
        mirror: an ``http(s)://`` address or a local folder that holds the four official ``.gz`` files; by
            default ``FMNIST_MIRROR``.

        A relative path in an environment variable counts from the course's folder, so that it means the
        same in every notebook; a relative path in an argument counts from the working folder.

    Returns:
        ``<root>/real`` or ``<root>/standin``: what ``torchvision.datasets.FashionMNIST(root=...)`` takes.

    Raises:
        ValueError: if ``source`` is unknown, or ``root`` is a file.
        DataError: if the source is ``"real"`` and no mirror gives intact files; or if the data folder cannot
            be written, or another notebook has held it for half an hour, and what was asked for is not in
            it already (for ``"auto"``: neither the real data nor a stand-in).
    """
    folder = _data_folder(root)
    source = source or os.environ.get("FMNIST_SOURCE") or "auto"
    if source not in SOURCES:
        raise ValueError(f"FMNIST_SOURCE or source is {source!r}; choose one of {', '.join(SOURCES)}")
    reason = "asked for by FMNIST_SOURCE or source"
    if source != "standin":
        try:
            return _prepare_real(folder / "real", _mirrors(mirror))
        except MirrorError as error:
            reason = "the real data could not be fetched"
            if source == "real":
                raise DataError(
                    f"{error} Check the network, or set FMNIST_MIRROR to an address or a folder with the "
                    "four official .gz files, or set FMNIST_SOURCE=standin to work with stand-in data."
                ) from error
            print(error)
        except DataError:
            # Where nothing can be written, a stand-in drawn earlier still serves.
            if source == "real" or not _has_standin(folder / "standin"):
                raise
            reason = "the real data is not here and the folder cannot be used to fetch it"
    return _prepare_standin(folder / "standin", reason)


def _data_folder(root: str | Path | None) -> Path:
    if root is not None:
        folder = Path(root).expanduser().absolute()
    else:
        folder = COURSE_FOLDER / Path(os.environ.get("FMNIST_DATA") or "data").expanduser()
    # pathlib would raise for a folder that may not be looked at; preparing it will say so better.
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ValueError(f"the data folder {folder} is a file; choose a folder")
    return folder


def _mirrors(mirror: str | None) -> list[str]:
    """Return the places to ask, best first; a local folder is returned as an absolute path."""
    from torchvision.datasets import FashionMNIST

    if mirror is None and os.environ.get("FMNIST_MIRROR"):
        mirror = os.environ["FMNIST_MIRROR"]
        if not is_address(mirror):
            mirror = str(COURSE_FOLDER / Path(mirror).expanduser())
    if mirror is None:
        return list(FashionMNIST.mirrors)
    if not is_address(mirror):
        mirror = str(Path(mirror).expanduser().absolute())
    return [mirror, *FashionMNIST.mirrors]


def _prepare_real(root: Path, mirrors: list[str]) -> Path:
    raw = _raw(root)
    if not _is_intact(raw, UNPACKED_MD5):
        with _exclusive(root) as unfinished:
            # Another process may have done the work while this one waited for its turn.
            if not _is_intact(raw, UNPACKED_MD5):
                _fetch_from_first(mirrors, raw, unfinished)
    return _announce(root, "the real data")


def _prepare_standin(root: Path, reason: str) -> Path:
    if not _has_standin(root):
        with _exclusive(root) as unfinished:
            if not _has_standin(root):
                _draw_standin(_raw(root), _manifest(root), unfinished)
    return _announce(root, f"STAND-IN DATA, drawn by a statistical model, not real garments ({reason})")


def _has_standin(root: Path) -> bool:
    return _is_intact(_raw(root), _read_manifest(_manifest(root)))


def _manifest(root: Path) -> Path:
    return root / "manifest.json"


def _raw(root: Path) -> Path:
    """Return the folder below ``root`` in which torchvision looks for the four unpacked files."""
    return root / "FashionMNIST" / "raw"


def _announce(root: Path, what: str) -> Path:
    shown = root.relative_to(COURSE_FOLDER) if root.is_relative_to(COURSE_FOLDER) else root
    print(f"Fashion-MNIST in {shown.as_posix()}: {what}.")
    return root


def _is_intact(raw: Path, md5: dict[str, str]) -> bool:
    try:
        return bool(md5) and all(_md5(raw / name) == value for name, value in md5.items())
    except OSError:
        # A file is missing, cannot be read, or was deleted this moment.
        return False


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


@contextmanager
def _exclusive(root: Path) -> Iterator[Path]:
    """Hold the lock of one data folder and give a working folder inside it that is dropped at the end.

    What a killed process left in the working folder is dropped first, so nothing unfinished is ever used.
    What the disk refuses becomes one sentence.
    """
    unfinished, lock = root / "unfinished", root.with_suffix(".lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK_SECONDS):
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(exist_ok=True)
            try:
                yield unfinished
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    except Timeout as error:
        raise DataError(
            f"another notebook has been preparing {root} for {LOCK_SECONDS} s (it holds {lock}). Wait until "
            "it is ready, or restart its kernel, or set FMNIST_DATA to choose another folder."
        ) from error
    except OSError as error:
        reason = ": ".join(filter(None, (error.strerror or str(error), error.filename2 or error.filename)))
        raise DataError(
            f"the data folder {root} cannot be used ({reason}). It needs 150 MB of free space and the right "
            "to write, and nothing may delete it meanwhile; run the cell again, or set FMNIST_DATA to choose "
            "another folder."
        ) from error


def _draw_standin(raw: Path, manifest: Path, unfinished: Path) -> None:
    standin.write_standin(unfinished)
    md5 = {name: _md5(unfinished / name) for name in UNPACKED_MD5}
    content = {"fitted": standin.fingerprint(), "md5": md5}
    (unfinished / manifest.name).write_text(json.dumps(content, indent=1))
    raw.mkdir(parents=True, exist_ok=True)
    for name in UNPACKED_MD5:
        os.replace(unfinished / name, raw / name)
    os.replace(unfinished / manifest.name, manifest)


def _read_manifest(manifest: Path) -> dict[str, str]:
    """Return the MD5 of each drawn file, or nothing if there is no draw of today's fitted model."""
    try:
        content = json.loads(manifest.read_bytes())
        return content["md5"] if content["fitted"] == standin.fingerprint() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _fetch_from_first(mirrors: list[str], raw: Path, unfinished: Path) -> None:
    """Fetch what is missing from the first mirror that has it, intact."""
    import requests

    failures = []
    for mirror in mirrors:
        try:
            return _fetch(mirror, raw, unfinished)
        except (requests.RequestException, ValueError, MirrorError) as error:
            failures.append(f"{mirror}: {_in_one_line(error).rstrip('.')}")
    raise MirrorError(f"Fashion-MNIST could not be fetched. {'; '.join(failures)}.")


def _fetch(mirror: str, raw: Path, unfinished: Path) -> None:
    """Fetch from one mirror what is missing or broken in ``raw``: verify, unpack, move into place."""
    import pooch
    from torchvision.datasets import FashionMNIST

    packed_md5 = {name: f"md5:{md5}" for name, md5 in FashionMNIST.resources}
    store = pooch.create(unfinished, mirror.rstrip("/") + "/", registry=packed_md5, retry_if_failed=1)
    # pooch reports every file in red on stderr; the progress bar says enough.
    pooch.get_logger().setLevel("WARNING")
    raw.mkdir(parents=True, exist_ok=True)
    for name, md5 in UNPACKED_MD5.items():
        if not _is_intact(raw, {name: md5}):
            with watched_downloader(mirror, name) as downloader:
                packed = store.fetch(f"{name}.gz", downloader=downloader)
            with gzip.open(packed) as source, (unfinished / name).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.replace(unfinished / name, raw / name)


def _in_one_line(error: Exception) -> str:
    # requests wraps the reason several times; the innermost error says it in plain words.
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    text = str(error) if cause is error else f"{type(error).__name__}: {cause}"
    text = " ".join(text.split())
    # Some reasons stand at the start (a wrong checksum), some at the end (connection refused): keep both.
    return text if len(text) <= 200 else f"{text[:100]} ... {text[-95:]}"
