"""Make Fashion-MNIST ready for torchvision: verified on disk, from a mirror, or drawn as a stand-in.

``prepare_data`` is the one entry. It leaves a folder that ``torchvision.datasets.FashionMNIST(root=...)``
reads and says in one line which data is there. Real data and stand-in live in separate folders, so one is
never taken for the other.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from fmnist_helpers.checkout import checkout
from fmnist_helpers.data import standin
from fmnist_helpers.data.disk import DataError, digest, exclusive, is_intact, move, raw_folder
from fmnist_helpers.data.download import (
    MirrorError,
    Place,
    at_address,
    hide_credentials,
    in_folder,
    is_address,
    watched_downloader,
)
from fmnist_helpers.data.reasons import explain

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

# SHA-256 of the four official files after unpacking, which is how torchvision reads them. They were taken from the
# packed files whose MD5 torchvision publishes; here they hold however a mirror packs its files.
UNPACKED_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

COURSE_FOLDER = checkout()
CACHE = "fmnist-course"
"""The folder of the data in a user's cache."""


def prepare_data(
    root: str | Path | None = None, source: str | None = None, mirror: str | None = None
) -> Path:
    """Make Fashion-MNIST ready and return the folder that torchvision reads.

    The real data is used if it is on disk and intact (no network is touched), also where PyTorch's tutorial left
    it: in ``FashionMNIST/raw`` of the data folder or of ``data/`` in the working folder or the course's. Else it
    is fetched from ``mirror`` if one is set, else from torchvision's public mirrors. Where none can be reached, a
    statistical stand-in is drawn (see :mod:`fmnist_helpers.data.standin`), and a printed line says so and why.

    Args:
        root: the data folder, by default ``FMNIST_DATA``, else ``data/`` of a checkout that can be written, else a
            folder in the user's cache. One that may only be read will do if the data lies in it.
        source: ``"auto"`` as above, ``"real"`` never falls back, ``"standin"`` never looks for the real data;
            by default ``FMNIST_SOURCE``, else ``"auto"``.
        mirror: an ``http(s)://`` address, or a local folder, that holds the four official files, packed (``.gz``)
            or not; by default ``FMNIST_MIRROR``. A name and a password in an address are sent to that mirror, and
            never shown.

        A relative path in an environment variable counts from the checkout, if there is one, so that it means the
        same in every notebook; a relative path in an argument counts from the working folder.

    Returns:
        ``<root>/real`` or ``<root>/standin``, or the folder of the tutorial's copy if it is ``<root>`` or no
        ``root`` was chosen: what ``torchvision.datasets.FashionMNIST(root=...)`` takes.

    Raises:
        ValueError: if ``source`` is unknown, or ``root`` is a file.
        DataError: if the source is ``"real"``, and no mirror gives intact files, or the data folder cannot be
            written, or another notebook has held it for half an hour; for another source, if there is no
            stand-in and none can be drawn, for the same reasons.
    """
    folder = _data_folder(root)
    by = "the argument source" if source else "the environment variable FMNIST_SOURCE"
    source = source or os.environ.get("FMNIST_SOURCE") or "auto"
    if source not in SOURCES:
        raise ValueError(f"{by} is {source!r}; choose one of {', '.join(map(repr, SOURCES))}")
    reason, way = f"asked for by {by}", 'For the real data, run prepare_data(source="real")'
    if source != "standin":
        try:
            return _prepare_real(folder, _is_chosen(root), mirror)
        except DataError as error:
            if source == "real":
                raise
            reason = error.culprit
            way = "You can go on with it; when that is mended, run this cell again for the real data"
    return _prepare_standin(folder / "standin", reason, way)


def find_real() -> Path | None:
    """Return the folder that ``prepare_data()`` would return if the real data lies on this machine, else None.

    Nothing is fetched, drawn, written or printed. Where ``FMNIST_SOURCE`` is ``"standin"`` there is none.
    """
    if os.environ.get("FMNIST_SOURCE") == "standin":
        return None
    return next((place for place in _places(_data_folder(None), _is_chosen(None)) if _has_real(place)), None)


def _is_chosen(root: str | Path | None) -> bool:
    return root is not None or bool(os.environ.get("FMNIST_DATA"))


def _places(folder: Path, chosen: bool) -> tuple[Path, ...]:
    """Return where the real data may lie, best first; ``chosen`` tells whether somebody named the folder."""
    return (folder / "real", folder) if chosen else (folder / "real", *_tutorial_folders(folder))


def _data_folder(root: str | Path | None) -> Path:
    named = os.environ.get("FMNIST_DATA")
    if root is not None:
        folder = Path(root).expanduser().absolute()
    elif named:
        folder = _start() / Path(named).expanduser()
    else:
        folder = _default_folder()
    # pathlib would raise for a folder that may not be looked at; preparing it will say so better.
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ValueError(f"the data folder {folder} is a file; choose a folder")
    return folder


def _start() -> Path:
    """Return where relative paths in environment variables begin."""
    return COURSE_FOLDER or Path.cwd()


def _default_folder() -> Path:
    """Return the data folder of who has chosen none."""
    if COURSE_FOLDER:
        data = COURSE_FOLDER / "data"
        # Whoever may not write here may still find what the owner prepared.
        if os.access(data if data.exists() else COURSE_FOLDER, os.W_OK) or _has_real(data / "real"):
            return data
    import pooch

    return Path(pooch.os_cache(CACHE))


def _mirrors(mirror: str | None) -> list[Place]:
    """Return the places to ask, best first; the path of a local folder is absolute."""
    from torchvision.datasets import FashionMNIST

    public = [at_address(public) for public in FashionMNIST.mirrors]
    named = mirror if mirror is not None else os.environ.get("FMNIST_MIRROR") or None
    if named is None:
        return public
    if is_address(named.strip()):
        return [at_address(named), *public]
    start = _start() if mirror is None else Path.cwd()
    return [in_folder(str(start / Path(named).expanduser())), *public]


def _prepare_real(folder: Path, chosen: bool, mirror: str | None) -> Path:
    """Return the folder with the real data; ``chosen`` tells whether somebody named ``folder``."""
    root = folder / "real"
    for place in _places(folder, chosen):
        if _has_real(place):
            return _announce(place.absolute(), "the real data")
    with exclusive(root) as unfinished:
        # Another process may have done the work while this one waited for its turn.
        if not _has_real(root):
            _fetch_from_first([*_copies(folder), *_mirrors(mirror)], raw_folder(root), unfinished)
    return _announce(root, "the real data")


def _has_real(root: Path) -> bool:
    return is_intact(raw_folder(root), UNPACKED_SHA256)


def _tutorial_folders(folder: Path) -> list[Path]:
    """Return where the tutorial's ``download=True`` may have left the data, each place once."""
    # The working folder may have been deleted, so its path is asked for only where a copy was found.
    courses = (COURSE_FOLDER / "data",) if COURSE_FOLDER else ()
    return list(dict.fromkeys((folder, Path("data"), *courses)))


def _copies(folder: Path) -> list[Place]:
    return [
        Place(str(raw_folder(place).absolute())) for place in _tutorial_folders(folder) if _has_real(place)
    ]


def _prepare_standin(root: Path, reason: str, way: str) -> Path:
    if not _has_standin(root):
        with exclusive(root) as unfinished:
            if not _has_standin(root):
                _draw_standin(raw_folder(root), _manifest(root), unfinished)
    what = "STAND-IN DATA, drawn by a statistical model, not real garments"
    return _announce(root, f"{what} ({reason}). {way}")


def _has_standin(root: Path) -> bool:
    return is_intact(raw_folder(root), _read_manifest(_manifest(root)))


def _manifest(root: Path) -> Path:
    return root / "manifest.json"


def _announce(root: Path, what: str) -> Path:
    inside = COURSE_FOLDER and root.is_relative_to(COURSE_FOLDER)
    shown = root.relative_to(COURSE_FOLDER) if inside else root
    print(f"Fashion-MNIST in {shown.as_posix()}: {what}.")
    return root


def _draw_standin(raw: Path, manifest: Path, unfinished: Path) -> None:
    standin.write_standin(unfinished)
    digests = {name: digest(unfinished / name) for name in UNPACKED_SHA256}
    content = {"fitted": standin.fingerprint(), "sha256": digests}
    (unfinished / manifest.name).write_text(json.dumps(content, indent=1))
    raw.mkdir(parents=True, exist_ok=True)
    for name in UNPACKED_SHA256:
        move(unfinished / name, raw / name)
    move(unfinished / manifest.name, manifest)


def _read_manifest(manifest: Path) -> dict[str, str]:
    """Return the SHA-256 of each drawn file, or nothing if there is no draw of today's fitted model."""
    try:
        content = json.loads(manifest.read_bytes())
        return content["sha256"] if content["fitted"] == standin.fingerprint() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _fetch_from_first(mirrors: list[Place], raw: Path, unfinished: Path) -> None:
    """Fetch what is missing from the first mirror that has it, intact."""
    import requests

    failures: dict[str, list[str]] = {}
    for mirror in mirrors:
        try:
            return _fetch(mirror, raw, unfinished)
        except (requests.RequestException, ValueError, MirrorError) as error:
            # What fails each mirror for the same reason, such as a proxy, is said once.
            failures.setdefault(explain(error, mirror), []).append(hide_credentials(mirror.path))
    tried = "; ".join(f"{' and '.join(places)}: {reason}" for reason, places in failures.items())
    raise DataError(
        f"the real data could not be fetched: {tried}",
        'Check the network, or name an address or a folder with the four official files: prepare_data(mirror="..."), '
        'or work with stand-in data: prepare_data(source="standin"). For all lessons, set the environment variable '
        "FMNIST_MIRROR or FMNIST_SOURCE instead.",
    )


def _fetch(mirror: Place, raw: Path, unfinished: Path) -> None:
    """Fetch from one mirror what is missing or broken in ``raw``: unpack, verify, move into place."""
    import pooch

    if mirror.flaw:
        raise MirrorError(mirror.flaw)
    digests = {name: f"sha256:{sha256}" for name, sha256 in UNPACKED_SHA256.items()}
    store = pooch.create(unfinished, mirror.path.rstrip("/") + "/", registry=digests, retry_if_failed=1)
    # pooch reports every file in red on stderr; the progress bar says enough.
    pooch.get_logger().setLevel("WARNING")
    raw.mkdir(parents=True, exist_ok=True)
    for name, sha256 in UNPACKED_SHA256.items():
        if not is_intact(raw, {name: sha256}):
            with watched_downloader(mirror, name) as downloader:
                fetched = store.fetch(name, downloader=downloader)
            move(Path(fetched), raw / name)
