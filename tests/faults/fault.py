"""Read the description of a fault and plant it in a copy of the course."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

FOLDER = Path(__file__).resolve().parent

STRIP_EVERY_OUTPUT = "strip every output"
STRIP_ONE_OUTPUT = "strip one output"
KEYS = {"title", "file", "find", "replace", "operation", "tests", "caught_by"}


class FaultError(Exception):
    """A fault is described wrongly, or no longer fits what it is meant to change."""


@dataclass(frozen=True)
class Catch:
    """A failure that must be seen: patterns for the id of the test and for its error message."""

    test: str
    reason: str

    def matches(self, test: str, message: str) -> bool:
        return bool(re.search(self.test, test) and re.search(self.reason, message))


@dataclass(frozen=True)
class Fault:
    """What one ``.toml`` file says; the package's docstring explains the fields."""

    name: str
    title: str
    file: str
    tests: tuple[str, ...]
    caught_by: tuple[Catch, ...]
    find: str = ""
    replace: str = ""
    operation: str = ""


def read_faults(names: list[str] | None = None, folder: Path = FOLDER) -> list[Fault]:
    """Return the named faults, or all, in the order of their names.

    Raises:
        FaultError: if there is no fault of that name, or its file is not as it should be.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    unknown = sorted(set(names or ()) - paths.keys())
    if unknown:
        raise FaultError(f"there is no fault {unknown[0]!r}; there are {', '.join(paths)}")
    return [read_fault(path) for name, path in paths.items() if not names or name in names]


def read_fault(path: Path) -> Fault:
    """Read one description.

    Raises:
        FaultError: if something in it is missing, unknown or empty.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = content.keys() - KEYS
        if unknown:
            raise FaultError(f"{path.name} has an unknown key {min(unknown)!r}")
        catches = tuple(Catch(**catch) for catch in content.pop("caught_by"))
        fault = Fault(path.stem, tests=tuple(content.pop("tests")), caught_by=catches, **content)
        _check(fault)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, re.error) as error:
        raise FaultError(f"{path.name} is no description of a fault: {error!r}") from error
    return fault


def _check(fault: Fault) -> None:
    """Refuse a description that could be fulfilled by accident."""
    patterns = [pattern for catch in fault.caught_by for pattern in (catch.test, catch.reason)]
    if not (fault.title and fault.tests and patterns and all(patterns)):
        raise FaultError(f"{fault.name} must have a title, tests, and what catches it, none of them empty")
    for pattern in patterns:
        re.compile(pattern)
    if fault.operation not in ("", STRIP_EVERY_OUTPUT, STRIP_ONE_OUTPUT):
        raise FaultError(f"{fault.name} asks for an unknown operation {fault.operation!r}")
    if not fault.find and fault.operation != STRIP_EVERY_OUTPUT:
        raise FaultError(f"{fault.name} does not say what to find")
    if fault.find == fault.replace and not fault.operation:
        raise FaultError(f"{fault.name} changes nothing")


@contextmanager
def planted(fault: Fault, course: Path) -> Iterator[None]:
    """Change the file of ``fault`` below ``course``, and put it back in the end.

    Raises:
        FaultError: if the file is missing, or the text to find does not stand in it exactly once.
    """
    path = course / fault.file
    if not path.is_file():
        raise FaultError(f"{fault.name}: there is no file {fault.file}")
    before = path.read_bytes()
    path.write_bytes(changed(fault, before.decode("utf-8")).encode("utf-8"))
    try:
        yield
    finally:
        path.write_bytes(before)


def changed(fault: Fault, text: str) -> str:
    """Return the text of the file with the fault in it."""
    if not fault.file.endswith(".ipynb"):
        _expect_once(fault, text.count(fault.find))
        return text.replace(fault.find, fault.replace)
    notebook = nbformat.reads(text, as_version=4)
    if fault.operation == STRIP_EVERY_OUTPUT:
        _strip(notebook.cells)
    else:
        _expect_once(fault, sum(cell.source.count(fault.find) for cell in notebook.cells))
        (cell,) = (cell for cell in notebook.cells if fault.find in cell.source)
        if fault.operation == STRIP_ONE_OUTPUT:
            cell.outputs = []
        else:
            cell.source = cell.source.replace(fault.find, fault.replace)
    return nbformat.writes(notebook)


def _expect_once(fault: Fault, count: int) -> None:
    if count != 1:
        raise FaultError(
            f"{fault.name}: the text to find stands {count} times in {fault.file}, not once: {fault.find!r}"
        )


def _strip(cells: list) -> None:
    """Do what tools that clean notebooks do."""
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
