"""Judging a test cell: what it prints and raises becomes its outputs, whatever others do meanwhile."""

from __future__ import annotations

import sys
import threading

import pytest
import torch

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.exercises.remote import NoObservation, answer
from fmnist_helpers.grading import judging
from fmnist_helpers.grading.instructor_cells import plan
from fmnist_helpers.grading.judging import judge, seed_of

CELL = """
from fmnist_helpers.exercises.ex04_optimizer import check_order
print("before")
check_order(order)
check_order(order, seed=4)
"""
ORDER = {"order": "C B D E A"}


def texts(judged) -> str:
    return "".join(output.get("text", "") for output in judged.outputs)


def test_outputs_are_what_the_cell_printed(capsys):
    judged = judge(plan(CELL), lambda request: answer(request, ORDER), 7)
    before, *lines = texts(judged).splitlines()
    assert before == "before" and len(lines) == 2 and all(line.startswith("order: ") for line in lines)
    assert judged.gone is None and not judged.fault
    assert capsys.readouterr().out == ""


def test_wrong_answer_ends_with_its_diagnosis():
    judged = judge(plan(CELL), lambda request: answer(request, {"order": "A"}), 7)
    (*_, error) = judged.outputs
    assert (error.output_type, error.ename) == ("error", "CheckFailed")
    assert error.traceback[0] == "order is not right yet." and "run hint()" not in error.evalue


def test_many_cells_at_once_keep_their_outputs_apart():
    together = threading.Barrier(8)
    found: dict[int, str] = {}

    def work(number: int) -> None:
        waited = []

        def ask(request):
            # All of them are in the middle of a test cell at the same time.
            if not waited:
                waited.append(together.wait(timeout=60))
            # The student's process is another one: it shares no hooks with what is judged here.
            with judging._LOCK:
                return answer(request, ORDER)

        source = CELL.replace("before", f"thread {number}")
        found[number] = texts(judge(plan(source), ask, number))

    before = sys.stdout
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is before
    for number, text in found.items():
        assert text.startswith(f"thread {number}\norder: ") and text.count("thread") == 1
    assert len(found) == 8


def test_switches_that_were_left_on_are_named_once():
    def ask(request):
        with torch.no_grad(), torch.autocast("cpu"):
            return answer(request, ORDER)

    judged = judge(plan(CELL), ask, 7)
    assert judged.switches == ["gradients", "autocast"]
    assert len(texts(judged).splitlines()) == 3
    assert judge(plan(CELL), lambda request: answer(request, ORDER), 7).switches == []


def test_a_missing_observation_ends_the_cell_at_once():
    asked = []

    def ask(request):
        asked.append(request)
        raise NoObservation("Stopped", "the kernel died")

    source = CELL + "\ntry:\n    check_order(order)\nexcept Exception:\n    pass\n"
    judged = judge(plan(source), ask, 7)
    assert len(asked) == 1 and judged.gone.name == "Stopped"
    assert judged.outputs[-1].evalue == "the kernel died"


def test_value_of_the_last_line_is_shown_as_a_notebook_shows_it():
    judged = judge(plan(CELL + "2.5"), lambda request: answer(request, ORDER), 7)
    assert judged.outputs[-1].output_type == "execute_result"
    assert judged.outputs[-1].data["text/plain"] == "2.5"


def test_seed_follows_from_secret_and_submission():
    assert seed_of(b"secret", "digest") == seed_of(b"secret", "digest")
    assert len({seed_of(secret, digest) for secret in (b"a", b"b") for digest in "cd"}) == 4
    assert 0 <= seed_of(b"secret", "digest") < 2**30
