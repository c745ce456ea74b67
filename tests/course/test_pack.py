"""That wheel and source distribution carry the course, and no solution and no hidden test."""

from __future__ import annotations

import re
import tarfile
import zipfile

import pytest

from fmnist_helpers.course import copies, strip
from fmnist_helpers.course.root import PACKAGED
from tests.course.conftest import build
from tests.tools.course import EXERCISES, LESSONS, RESULTS

MEGABYTES = 8


@pytest.fixture(scope="module")
def archives(checkout, wheel, tmp_path_factory):
    """Wheel, source distribution, and a wheel made of that: path in the package → content."""
    folder = tmp_path_factory.mktemp("archives")
    sdist = build("sdist", checkout, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    again = build("wheel", folder / sdist.name.removesuffix(".tar.gz"), folder)
    with tarfile.open(sdist) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        packed = {one.name.partition("/")[2]: archive.extractfile(one).read() for one in members}
    return {"wheel": unzipped(wheel), "sdist": packed, "sdist to wheel": unzipped(again)}


def unzipped(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def secrets():
    """Return what no learner may get: solutions and hidden tests, and those of their lines that no handout has."""
    whole, lines, given = set(), set(), set()
    for path in EXERCISES.glob("*/*.ipynb"):
        source = strip.read(path.read_bytes())
        given |= {line.strip() for line in texts(strip.strip_exercise(source)).splitlines()}
        for one in re.findall(r"### BEGIN .*\n((?:.*\n)*?) *### END", texts(source)):
            whole.add(one)
            lines |= {line.strip() for line in one.splitlines()}
    return whole, {line for line in lines if len(line) > 30} - given


def texts(notebook):
    return "\n".join(strip.source(cell) for cell in notebook["cells"])


@pytest.mark.parametrize("kind", ["wheel", "sdist", "sdist to wheel"])
def test_no_file_holds_a_solution_or_a_hidden_test(archives, kind):
    whole, lines = secrets()
    assert len(whole) > 50 and len(lines) > 100 and "" not in whole
    for name, content in archives[kind].items():
        text = texts(strip.read(content)) if name.endswith(".ipynb") else content.decode("utf-8", "replace")
        assert [one for one in whole if one in text] == [], name
        if name.endswith(".ipynb") and "/exercises/" in name:
            # In a lesson or in the package such a line may well stand by itself.
            assert lines & {line.strip() for line in text.splitlines()} == set(), name
            assert "### BEGIN" not in text and "### END" not in text, name
    assert not any(name.startswith(("notebooks/", "tests/exercises/")) for name in archives[kind])


def test_the_search_would_find_them():
    source = texts(strip.read((EXERCISES / "ex01_data" / "ex01_data.ipynb").read_bytes()))
    assert [len([one for one in part if one in source]) > 5 for part in secrets()] == [True, True]


@pytest.mark.parametrize("kind", ["wheel", "sdist", "sdist to wheel"])
def test_lessons_results_and_exercises_are_carried(archives, kind):
    packed = {
        name.removeprefix(PACKAGED.as_posix() + "/"): content
        for name, content in archives[kind].items()
        if name.startswith(PACKAGED.as_posix())
    }
    for path in LESSONS:
        assert packed.pop(path.name) == path.read_bytes()
    for path in RESULTS.glob("*.json"):
        assert packed.pop(f"results/{path.name}") == path.read_bytes()
    handed_out = copies.editions()
    assert packed and all(content == handed_out[name] for name, content in packed.items())


def test_the_wheel_is_small_and_the_same_by_both_ways(archives, wheel):
    assert wheel.stat().st_size < MEGABYTES * 1e6
    ways = [
        {
            name: content
            for name, content in archives[kind].items()
            if not name.endswith(("RECORD", "SOURCES.txt"))
        }
        for kind in ("wheel", "sdist to wheel")
    ]
    assert ways[0] == ways[1]


def test_an_older_build_leaves_no_lesson_behind(checkout, tmp_path):
    stale = checkout / "build" / "lib" / PACKAGED / "09_gone.ipynb"
    stale.parent.mkdir(parents=True, exist_ok=True)
    stale.write_text("{}")
    assert not any("09_gone" in name for name in unzipped(build("wheel", checkout, tmp_path)))
