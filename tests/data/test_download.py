"""Every trouble of ``tests/data/troubles.py`` ends as its row says, and soon."""

from __future__ import annotations

import _thread
import signal
import threading
import time

import pytest

import fmnist_helpers as fh
from fmnist_helpers.data import download
from fmnist_helpers.data import prepare as preparing
from tests.data import troubles
from tests.data.troubles import IMPATIENT, TROUBLES, CannotRunError, Mirror, Official, Scene

MOST_SECONDS = 30
"""A healthy run takes under ten, most of it waiting; without a limit a server here goes on for ever."""
MOST_SECONDS_OF_MANY = 600
"""Where many processes are started one after the other, a busy machine may take minutes; no server hangs there."""


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_real_gets_the_data_or_says_what_was_wrong(trouble):
    check_real(trouble)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_auto_gets_the_data_or_the_stand_in_with_its_notice(trouble):
    check_auto(trouble)


def check_real(trouble):
    outcome = produce(trouble, "real")
    assert trouble.words in outcome.said
    assert outcome.gave == ("real data" if "the real data." in trouble.words else "sentence")
    assert outcome.trusted == ("intact" if outcome.gave == "real data" else "none")
    assert "\n" not in outcome.said
    if outcome.gave == "sentence":
        assert "MIRROR" in outcome.said or "FOLDER" in outcome.said
        assert "environment variable FMNIST_" in outcome.said and "prepare_data(" in outcome.said
        assert outcome.said.endswith(".")
        assert ".. " not in outcome.said.replace(" ... ", " ")
    check_bounds(outcome, trouble, trouble.untouched)


def check_auto(trouble):
    outcome = produce(trouble, "auto")
    *before, last = outcome.said.splitlines()
    if trouble.auto == "same sentence":
        assert outcome.gave == "sentence"
        assert "cannot be used" in last
        assert "set the environment variable FMNIST_DATA" in last
    else:
        assert outcome.gave == trouble.auto
        assert outcome.gave == "real data" or ("STAND-IN DATA" in last and "You can go on with it" in last)
        # One line says which data it is and names the culprit.
        assert before == []
        assert trouble.run or trouble.words in last or trouble.words == troubles.DELETED
    assert outcome.trusted == ("none" if outcome.gave == "sentence" else "intact")
    check_bounds(outcome, trouble, untouched=False)


def produce(trouble, source):
    try:
        return troubles.produce(trouble, source)
    except CannotRunError as error:
        pytest.skip(f"NOT RUN, {trouble.name}: {error}")


def check_bounds(outcome, trouble, untouched):
    assert outcome.seconds < (MOST_SECONDS if trouble.run is None else MOST_SECONDS_OF_MANY)
    assert untouched or outcome.leftovers == []


# --- a download that was given up --------------------------------------------------------------------------


@pytest.fixture
def stalled(tmp_path):
    """A scene whose server sends the right bytes, but only when ``go_on`` is set."""
    scene, go_on, sent = Scene(tmp_path), threading.Event(), threading.Event()

    def respond(handler, content):
        go_on.wait(MOST_SECONDS)
        troubles.send(handler, content)
        sent.set()

    server = Mirror(respond, scene.official.packed)
    scene.mirror = server.address
    yield scene, go_on, sent
    go_on.set()
    server.close()


def downloads_end() -> bool:
    """Wait until no download runs in the background."""
    until = time.monotonic() + 10
    while any(thread.name == "download" for thread in threading.enumerate()):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_download_that_was_given_up_can_do_no_harm(stalled):
    scene, go_on, sent = stalled
    with troubles.tiny_world(scene.official, STALL_SECONDS=0.3):
        assert "STAND-IN" in troubles.prepare(scene, "auto")
        go_on.set()
        assert sent.wait(MOST_SECONDS)
        assert downloads_end()
        assert not any((scene.data / "real").rglob("*ubyte*"))
        assert troubles.leftovers(scene.data) == []
        assert troubles.trusted(scene) == "intact"


def test_download_without_end_stops_when_it_is_given_up(tmp_path):
    official = Official()
    server = Mirror(troubles.send_without_end, official.packed)
    try:
        with troubles.tiny_world(official, MOST_BYTES=100_000):
            assert "STAND-IN" in troubles.prepare(Scene(tmp_path, mirror=server.address), "auto")
        # The server goes on, and nobody listens.
        assert downloads_end()
    finally:
        server.close()


def interrupt_a_download() -> None:
    """Press stop once a download is on its way: before, something else might take the interrupt."""
    while not any(thread.name == "download" for thread in threading.enumerate()):
        time.sleep(0.01)
    time.sleep(0.3)
    _thread.interrupt_main()


@pytest.fixture
def heard():
    """Hear Ctrl-C, also where the tests run in the background (``make test &``, nohup), which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupt_ends_a_silent_download_at_once(stalled, heard):
    scene, _, _ = stalled
    with troubles.tiny_world(scene.official):
        start = time.monotonic()
        threading.Thread(target=interrupt_a_download, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            fh.prepare_data(scene.data, "real", scene.mirror)
        # READ_SECONDS and STALL_SECONDS are at their usual 20 and 30 seconds here.
        assert time.monotonic() - start < 10
        assert troubles.leftovers(scene.data) == []


def test_every_official_file_is_below_the_largest_size(real_mirror):
    sizes = [path.stat().st_size for path in real_mirror.glob("*.gz")]
    assert len(sizes) == 4
    assert max(sizes) < download.MOST_BYTES < 2 * max(sizes)


def test_limits_of_the_tests_are_below_those_of_the_course():
    assert all(value < getattr(download, name) for name, value in IMPATIENT.items())


# --- the table itself --------------------------------------------------------------------------------------


def test_names_of_troubles_are_unique():
    names = [trouble.name for trouble in TROUBLES]
    assert len(set(names)) == len(names)


def test_tiny_files_are_the_official_ones_only_where_patched():
    packed = Official().packed
    assert sorted(packed) == sorted(f"{name}.gz" for name in preparing.UNPACKED_SHA256)
    official = troubles.sha256_of(Official().files["t10k-labels-idx1-ubyte"])
    assert official not in preparing.UNPACKED_SHA256.values()
