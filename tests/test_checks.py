"""The recorder, the diagnoses and the hints; what each check accepts and refuses is in test_exercises.py."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers.checks import CheckFailed, diagnosis, hint, student, trace_training
from fmnist_helpers.checks.beliefs import BELIEFS, SECTIONS
from fmnist_helpers.checks.diagnosis import fail, passed
from fmnist_helpers.checks.prediction import check_prediction
from fmnist_helpers.checks.problems import CROSS_ENTROPY, parameters_of, small_loader, small_model
from fmnist_helpers.checks.timeline import plot_timeline
from fmnist_helpers.checks.trace import KINDS, Trace
from tests.exercises.bank import COURSE


@pytest.fixture(autouse=True)
def no_failure_before():
    diagnosis._last.clear()


# --- the recorder ------------------------------------------------------------------------------------------


def traced(loop, *, model=None, num_samples=10, **options):
    model = model or small_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return trace_training(
        loop, small_loader(num_samples, 4), model, CROSS_ENTROPY, optimizer, **options
    ), model


def test_train_loop_is_recorded_event_by_event():
    trace, _ = traced(fh.train_loop, verbose=False)
    assert trace.kinds()[0] == "train"
    for batch in (1, 2, 3):
        assert trace.kinds(batch) == ["zero_grad", "forward", "loss", "backward", "step"]
    assert len(trace.of("batch")) == 3
    assert all(event.training and event.grad_enabled for event in trace.of("forward"))
    assert [event.value for event in trace.of("backward")] == [1, 1, 1]


def test_test_loop_is_recorded_without_gradients():
    trace = trace_training(fh.test_loop, small_loader(10, 4), small_model(), CROSS_ENTROPY, verbose=False)
    assert trace.kinds() == ["eval", *["batch", "forward", "loss"] * 3]
    assert not any(event.training or event.grad_enabled for event in trace.of("forward"))


def test_recorder_changes_no_number_and_leaves_nothing_behind():
    trace, recorded = traced(fh.train_loop, verbose=False)
    model = small_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    result = fh.train_loop(small_loader(10, 4), model, CROSS_ENTROPY, optimizer, verbose=False)
    assert trace.result == result
    assert all(torch.equal(a, b) for a, b in zip(parameters_of(recorded), parameters_of(model), strict=True))
    assert not {"train", "zero_grad"} & set(vars(recorded))
    assert not recorded._forward_pre_hooks


def test_values_and_gradients_are_those_of_pytorch():
    def one_batch(dataloader, model, loss_fn, optimizer):
        images, labels = next(iter(dataloader))
        (loss_fn(model(images), labels) / 4).backward()
        optimizer.step()

    trace, _ = traced(one_batch)
    fresh = small_model()
    images, labels = next(iter(small_loader(10, 4)))
    loss = CROSS_ENTROPY(fresh(images), labels)
    (loss / 4).backward()
    length = torch.cat([p.grad.flatten() for p in fresh.parameters()]).norm().item()
    assert trace.of("loss")[0].value == pytest.approx(loss.item())
    assert trace.of("backward")[0].value == pytest.approx(0.25)
    assert trace.of("backward")[0].gradient == 0
    assert trace.of("step")[0].gradient == pytest.approx(length)


def test_loop_that_fetches_all_batches_first_is_numbered_by_its_forward_passes():
    def eager(dataloader, model, loss_fn, optimizer):
        for images, labels in list(dataloader):
            loss_fn(model(images), labels).backward()
            optimizer.step()

    trace, _ = traced(eager)
    assert [event.batch for event in trace.of("step")] == [1, 2, 3]


@pytest.mark.parametrize(("keep", "most"), [(False, 1), (True, 2)])
def test_graphs_that_are_held_are_counted(keep, most):
    def loop(dataloader, model, loss_fn, optimizer):
        kept = []
        for images, labels in dataloader:
            loss = loss_fn(model(images), labels)
            loss.backward()
            kept.append(loss if keep else loss.item())
            del loss

    trace, _ = traced(loop)
    assert trace.graphs_alive == (most if keep else 0)


def test_zero_grad_of_model_and_of_optimizer_both_count():
    def loop(dataloader, model, loss_fn, optimizer):
        model.zero_grad()
        optimizer.zero_grad()

    trace, _ = traced(loop)
    assert trace.kinds() == ["zero_grad", "zero_grad"]


def test_error_in_the_loop_passes_and_leaves_the_model_as_it_was():
    def broken(*arguments):
        raise KeyError("mine")

    model = small_model()
    with pytest.raises(KeyError, match="mine"):
        trace_training(broken, small_loader(4, 4), model, CROSS_ENTROPY)
    assert "train" not in vars(model)


def test_loader_and_loss_keep_their_attributes():
    def look(dataloader, model, loss_fn):
        return len(dataloader), len(dataloader.dataset), dataloader.batch_size, loss_fn.reduction

    assert trace_training(look, small_loader(10, 4), small_model(), CROSS_ENTROPY).result == (
        3,
        10,
        4,
        "mean",
    )


def test_trace_prints_one_line_a_batch():
    def loop(dataloader, model, loss_fn, optimizer):
        model.train()
        for images, labels in dataloader:
            (loss_fn(model(images), labels) / 2).backward()

    lines = str(traced(loop, num_samples=8)[0]).splitlines()
    assert lines[0] == "before   train"
    assert re.fullmatch(r"batch 1  forward > loss \d\.\d{3} > backward \(weight 0\.5\)", lines[1])
    assert len(lines) == 3


def test_timeline_has_a_mark_for_each_event_in_its_row():
    trace, _ = traced(fh.train_loop, verbose=False)
    above, below = trace.plot("One epoch")
    rows = {
        label.get_text(): tick
        for label, tick in zip(above.get_yticklabels(), above.get_yticks(), strict=True)
    }
    assert list(rows) == list(KINDS)
    drawn = {
        line.get_ydata()[0]: len(line.get_xdata())
        for line in above.get_lines()
        if line.get_marker() != "None"
    }
    assert drawn == {rows[kind]: 3 for kind in KINDS}
    heights = below.get_lines()[0].get_ydata()
    assert list(heights) == [event.gradient for event in trace.events if event.kind in KINDS]
    assert above.get_title() == "One epoch"
    plt.close(above.figure)


def test_timeline_shades_evaluation():
    trace = trace_training(fh.test_loop, small_loader(4, 4), small_model(), CROSS_ENTROPY, verbose=False)
    axes = plot_timeline(trace)
    assert len(axes[0].patches) == 3
    plt.close(axes[0].figure)


def test_empty_timeline_is_refused():
    with pytest.raises(ValueError, match="the trace is empty"):
        plot_timeline(Trace())


# --- diagnoses and hints -----------------------------------------------------------------------------------


def failure(*arguments, **options) -> CheckFailed:
    with pytest.raises(CheckFailed) as raised:
        fail(*arguments, **options)
    return raised.value


def test_diagnosis_says_what_was_seen_believed_and_where_to_read():
    text = " ".join(str(failure("descend", "it went up.", "gradients_reset")).split())
    assert text.startswith("descend is not right yet. What was seen: it went up.")
    assert '"gradients reset themselves". But backward adds' in text
    assert 'Read again: Lesson 04, section 3, "Gradients add up".' in text


def test_ipython_shows_the_diagnosis_and_no_line_of_the_check():
    shown = "\n".join(failure("descend", "it went up.", "gradients_reset")._render_traceback_())
    assert "descend is not right yet" in shown and "hint()" in shown
    assert "File" not in shown


def test_hints_come_one_by_one(capsys):
    hint()
    assert "No check has failed" in capsys.readouterr().out
    failure("descend", "it went up.", "gradients_reset")
    hint()
    assert "hint 1 of 2" in (first := capsys.readouterr().out) and "Where to look" in first
    hint()
    assert "hint 2 of 2" in (second := capsys.readouterr().out) and "How to think about it" in second
    hint()
    assert "That was the last hint" in capsys.readouterr().out
    passed("descend", "all is well")
    assert capsys.readouterr().out == "descend: all is well\n"
    hint()
    assert "No check has failed" in capsys.readouterr().out


@pytest.mark.parametrize("key", BELIEFS)
def test_belief_is_complete_and_its_hints_hold_no_code(key):
    belief = BELIEFS[key]
    assert belief.section in SECTIONS
    for text in (belief.words, belief.truth, belief.where, belief.think):
        assert len(text) > 10 and "!" not in text and "`" not in text
    # A hint points; a call with its arguments would be the solution.
    assert not re.search(r"\w+\([^)]+\)", belief.where + belief.think)


@pytest.mark.parametrize("place", SECTIONS.values(), ids=SECTIONS)
def test_section_to_read_again_is_in_its_lesson(place):
    lesson, number = re.fullmatch(r"Lesson (\d\d), section (\d)", place[0]).groups()
    (path,) = (COURSE / "notebooks").glob(f"{lesson}_*.ipynb")
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert f"## {number}. {place[1]}" in text.replace("`", "")


# --- a student's function ----------------------------------------------------------------------------------


def test_call_returns_what_the_function_returns():
    assert student.call(lambda a, b=1: a + b, 1, b=2, section="step") == 3


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (3, "a function was expected, and there is an object of type int"),
        (lambda: [][0], "it raised IndexError: list index out of range"),
        (lambda: (_ for _ in ()).throw(ValueError("one\ntwo")), "it raised ValueError: one"),
    ],
)
def test_call_explains_what_went_wrong(function, words):
    with pytest.raises(CheckFailed, match=words):
        student.call(function, section="step")


def test_call_says_that_a_task_is_not_written_yet():
    def task():
        raise NotImplementedError

    with pytest.raises(CheckFailed, match="task is not right yet"):
        student.call(task, section="step")


def test_call_refuses_and_mends_gradients_left_off():
    with pytest.raises(CheckFailed, match="keeps no graph any more"):
        student.call(lambda: torch.set_grad_enabled(False) and None, section="step")
    assert torch.is_grad_enabled()


def test_call_puts_warnings_where_nbgrader_does_not_take_them_for_failures(capsys):
    def warns():
        warnings.warn("odd", stacklevel=1)
        print("also", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        student.call(warns, section="step")
    assert capsys.readouterr().err == ""


def test_call_runs_what_the_grader_wants_after_it(monkeypatch):
    done = []
    monkeypatch.setattr(student, "after_call", [lambda: done.append(1)])
    student.call(lambda: None, section="step")
    with pytest.raises(CheckFailed):
        student.call(lambda: 1 / 0, section="step")
    assert done == [1, 1]


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (1.0, 1.0 + 1e-7, True),
        (1.0, 1.001, False),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
        (float("inf"), 1.0, False),
        ([1.0, 2.0], torch.tensor([1.0, 2.0]), True),
        ([1.0], [1.0, 2.0], False),
        ([], [1.0], False),
        ([torch.ones(2), 3], [[1, 1], 3.0], True),
    ],
)
def test_close_compares_numbers_one_by_one(one, other, agree):
    assert student.close(one, other) is agree


class Agreeable(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


@pytest.mark.parametrize("value", [Agreeable(1), True, "1", None, torch.tensor(1.0)])
def test_numbers_are_python_numbers_and_nothing_that_resembles_them(value):
    with pytest.raises(CheckFailed, match="should be a Python number"):
        student.expect_number("task", value, "the result", "step")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1.0, 2.0], "should be Tensor, and it is list"),
        (nn.Parameter(torch.ones(2)), "should be Tensor, and it is Parameter"),
        (torch.ones(3), r"should have shape \(2,\), and it has \(3,\)"),
        (torch.ones(2, dtype=torch.int64), "should be torch.float32, and it is torch.int64"),
    ],
)
def test_tensors_have_their_type_shape_and_dtype(value, words):
    with pytest.raises(CheckFailed) as raised:
        student.expect_tensor("task", value, (2,), "the result", "step", torch.float32)
    assert re.search(words, " ".join(str(raised.value).split()))


def test_prediction_that_is_nearly_right_may_be_called_either():
    for held in (True, False):
        check_prediction({"loss": 1.386}, {"loss": held}, {"loss": 1.3862}, section="untrained_loss")
    with pytest.raises(CheckFailed, match="did not hold"):
        check_prediction(
            {"loss": 1.3862}, {"loss": False}, {"loss": 1.3862 + 0.0}, section="untrained_loss"
        ) or None
    with pytest.raises(CheckFailed, match="held, but it was"):
        check_prediction({"loss": 1.5}, {"loss": True}, {"loss": 1.3862}, section="untrained_loss")


def test_package_loads_no_check_and_a_check_no_plot():
    code = (
        "import json, sys, fmnist_helpers; before = sorted(sys.modules); import fmnist_helpers.checks.training_loop;"
        "print(json.dumps([[n for n in before if 'checks' in n], 'matplotlib' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=COURSE, timeout=120
    )
    loaded, matplotlib = json.loads(done.stdout)
    assert [name for name in loaded if name.startswith("fmnist_helpers.checks")] == []
    assert not matplotlib
