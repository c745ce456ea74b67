"""Checks of the final project: a model within a size, the best epoch kept, test discipline, a measured result.

The choices of an epoch and of a learning rate are judged on models that do not compute at all: the images carry what
each of them answers (see ``ex06_observe``). So every way of choosing leads somewhere else, and accuracies and losses
can be read off the problem. The result within a budget is measured on images that nobody was shown (see ``garments``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import torch
from torch import Tensor

from fmnist_helpers.exercises.check import (
    Check,
    Hints,
    Wrong,
    close,
    conclude,
    mean,
    mean_of_batch_means,
    seeded,
)
from fmnist_helpers.exercises.ex06_observe import (
    FIRST,
    IN_TRAINING,
    LABEL,
    SECONDS,
    SPLIT,
    SPLITS,
    SPOILED,
    TICK,
    BudgetProblem,
    BudgetSeen,
    ChoiceProblem,
    ChoiceSeen,
    Drawn,
    Garments,
    KeepProblem,
    KeepSeen,
    ModelProblem,
    ModelSeen,
    Note,
    Samples,
    observe_build_model,
    observe_choice,
    observe_keep_best,
    observe_within_budget,
)
from fmnist_helpers.exercises.garments import REAL, STANDIN, data_set_here, draw
from fmnist_helpers.exercises.observation import Call, Seen
from fmnist_helpers.exercises.observe import array
from fmnist_helpers.exercises.remote import Reference, at_defaults
from fmnist_helpers.exercises.toy import NUM_CLASSES

MOST_PARAMETERS = 300_000
IMAGES_MEET = "An image must get the same logits, whoever stands beside it. Where do the images meet?"
WHERE_RANDOM = "Look for what is random in your model."
WHO_STEPS = Hints(
    "Look at which model and which optimiser your function trains with: are they those that were handed over?",
    "The optimiser holds tensors. Are they the ones that your loss has its gradients for?",
)
WHAT_COMES_BETWEEN = Hints(
    "Look at everything that happens between the loss of a batch and the step.",
    "An update uses the gradient of the mean loss of its own batch. Which gradient does yours use?",
)
WHO_CHANGES = Hints(
    "Look at everything in your function that changes the model, beside the steps of the optimiser.",
    "Follow the weights through two epochs: who changes them, when, and who puts which ones back?",
)
PUT_BACK = Hints(
    "Look at the end of your function: which line changes the model that the caller handed over?",
    "A line such as model = best gives the name to another model, and the caller's stays as it is. How do you put the "
    "numbers of one model into another?",
)
TEST_AT_THE_END = Hints(
    "Look at where the third value comes from: which loader was read for it?",
    "The chosen rate was chosen because its validation accuracy is high, luck included. Which images have had no part "
    "in the choice?",
)
EACH_COUNTS = Hints(
    "Count the images that one epoch of your function uses, and then how often it does this, for all settings.",
    "Every image whose loss is differentiated counts, whether it is shown again, turned or shifted, or used to try "
    "another setting. What does that add up to?",
)
COUNT_RIGHT = Hints(
    "Look at how right answers are counted, and by what their number is divided.",
    "Take one batch and count by hand. Then think of all batches, and of which mode the model is in.",
)


# --- build_model -------------------------------------------------------------------------------------------


@seeded
def check_build_model(function: Callable, *, num_images: int = 6, seed: int = 0) -> None:
    """Check ``build_model()``: (N, 1, 28, 28) to (N, 10), any logits, at most ``MOST_PARAMETERS`` parameters.

    Raises:
        CheckFailed: with the likely belief.
    """
    generator = torch.Generator().manual_seed(seed)
    problem = ModelProblem(array(torch.rand(num_images, 1, 28, 28, generator=generator)), seed)
    seen = observe_build_model(function, problem)
    conclude("build_model", lambda: judge_build_model(problem, seen))


def judge_build_model(problem: ModelProblem, seen: ModelSeen) -> str:
    """Return the line with which a model passes."""
    check, num_images = Check("build_model", "module"), problem.images.shape[0]
    for built in (seen.built, seen.again):
        result = _result(check, built)
        if not result.is_a("Module"):
            check.fail(f"an nn.Module should come back, and it is {result.name}.")
    outputs = _result(check, seen.outputs)
    logits = check.tensor(outputs, (num_images, 10), "the logits", "float32")
    number = sum(map(math.prod, seen.trainable.values()))
    _judge_parameters(check, seen, outputs.graph, number)
    check.tensor(_result(check, seen.single), (1, 10), "what the model gives for one image")
    again = [_result(check, call) for call in (seen.second, seen.alone)]
    second, alone = (check.tensor(each, (num_images, 10), "the logits") for each in again)
    if not close(logits, second, 1e-4):
        hint = "Which layer draws random numbers? Find out what tells it to stop in evaluation mode."
        said = "in evaluation mode, the same images got other logits the second time."
        check.fail(said, hints=Hints(WHERE_RANDOM, hint), section="modes")
    if not (logits - logits[:1]).abs().max() > 1e-6 * (1e-3 + logits.abs().max()):
        hint = "Follow two different images through the layers. Where do they become equal?"
        said = "all images got the same logits, so the first update cannot tell them apart."
        where = "Look at what forward does with its images, and at the last layer."
        check.fail(said, None, Hints(where, hint))
    if not close(logits, alone, 1e-3):
        hints = Hints("Look for what is computed over the whole batch.", IMAGES_MEET)
        said = "in evaluation mode, an image got other logits alone than in a batch."
        check.fail(said, None, hints, section="modes")
    _judge_range(check, seen.drawn)
    return f"logits of shape ({num_images}, 10) from {number:,} parameters"


def _result(check: Check, call: Call | None) -> Seen:
    found = None if call is None else check.result(call)
    return found or check.fail("nothing came back that could be looked at.")


def _judge_parameters(check: Check, seen: ModelSeen, graph: bool, number: int) -> None:
    if seen.strangers:
        strange = sum(map(math.prod, seen.strangers))
        said = f"the logits depend on {strange:,} weights that are not among model.parameters()."
        check.fail(said, "plain_list")
    if not graph:
        hints = Hints(
            "Look for what ends the recording in forward: detach, no_grad, NumPy, or requires_grad_(False).",
            "Follow the logits back to the weights. At which line does PyTorch stop to keep notes?",
        )
        check.fail(
            "nothing was recorded for the logits, so no parameter of the model could be trained.", None, hints
        )
    if number > MOST_PARAMETERS:
        hints = Hints(
            "Count the parameters of each layer. Which layer has most of them?",
            "A linear layer has a weight for each pair of an input and an output. Which of the two numbers can you "
            "choose?",
        )
        said = f"the model has {number:,} trainable parameters, and at most {MOST_PARAMETERS:,} are allowed."
        check.fail(said, None, hints, section="counting")
    if seen.num_shared:
        check.fail("two calls gave models that share their parameters.", "train_starts_afresh")


def _judge_range(check: Check, drawn: Sequence[Drawn]) -> None:
    """What stays on one side of a number, however large the weights are drawn, is no logit."""
    for training in (False, True):
        gains = sorted({one.gain for one in drawn})
        finite = [rows for gain in gains for rows in _rows(drawn, gain, training)]
        words = _squeezed(*finite[-2:]) if len(finite) > 1 else ""
        if words:
            said = f"{'in training mode, ' if training else ''}with weights drawn anew, small ones and large ones, the "
            check.fail(f"{said}ten outputs {words}, so they are not logits.", "probabilities_in")


def _rows(drawn: Sequence[Drawn], gain: float, training: bool) -> list[Tensor]:
    """Return all outputs for weights of this size as the only item; none if some are not finite."""
    alike = [one.outputs for one in drawn if (one.gain, one.training) == (gain, training)]
    outputs = [numbers.tensor() for numbers in alike if numbers.shape[1:] == [10] and numbers.numbers]
    return [torch.cat(outputs)] if outputs and bool(torch.cat(outputs).isfinite().all()) else []


def _squeezed(small: Tensor, large: Tensor) -> str:
    both = torch.cat([small, large])
    # The log-softmax is never above 0, but it only shifts the logits, which no cross-entropy notices.
    if close(both.logsumexp(dim=1), torch.zeros(len(both)), 1e-3):
        return ""
    stays_above, stays_below = (
        bool((extreme(large) - extreme(small)).abs() <= 0.5 * extreme(small).abs() + 0.5)
        for extreme in (Tensor.min, Tensor.max)
    )
    low, high = (f"{round(bound, 2) + 0.0:g}" for bound in (both.min().item(), both.max().item()))  # no -0
    if stays_above and stays_below:
        sums = both.sum(dim=1)
        same = close(sums, torch.ones_like(sums), 1e-3)
        return "added up to 1 for each image" if same else f"all lay between {low} and {high}"
    return f"were never below {low}" if stays_above else f"were never above {high}" if stays_below else ""


# --- scripted images ---------------------------------------------------------------------------------------


def _script(split: str, labels: Tensor, answers: dict[int, tuple[int, float]], batch_size: int) -> Samples:
    """Return images whose pixels name the right class for so many samples, the first ones, with such a logit."""
    side = math.isqrt(max(answers)) + 1
    images = torch.zeros(len(labels), side * side)
    images[:, SPLIT], images[:, LABEL] = SPLITS.index(split), labels
    images[:, TICK] = 1 if split == "train" else -1
    for column, (num_right, logit) in answers.items():
        wrong = torch.arange(len(labels)) >= num_right
        named = (labels + wrong * (1 + column % (NUM_CLASSES - 1))) % NUM_CLASSES
        images[:, column] = named + logit / 10
    return Samples(array(images.reshape(-1, 1, side, side)), array(labels), batch_size)


def _labels(number: int, seed: int) -> Tensor:
    return torch.randint(0, NUM_CLASSES, (number,), generator=torch.Generator().manual_seed(seed))


def _hits(samples: Samples, column: int) -> list[float]:
    named = samples.images.tensor().flatten(1)[:, column].floor()
    return (named == samples.labels.tensor()).double().tolist()


def _accuracy(samples: Samples, column: int) -> float:
    return mean(_hits(samples, column))


def _loss(samples: Samples, column: int) -> float:
    """Return the mean cross-entropy of what such a model answers."""
    logits = 10 * samples.images.tensor().flatten(1)[:, column].frac()
    right = torch.tensor(_hits(samples, column), dtype=torch.float64)
    return float((torch.log(logits.exp() + NUM_CLASSES - 1) - logits * right).mean())


def _mean_of_means(samples: Samples, column: int) -> float:
    return mean_of_batch_means(_hits(samples, column), samples.batch_size)


def _rounded(found: Sequence[float], right: Sequence[float]) -> list[float]:
    """Return what was found if rounding explains it, else nothing."""
    near = len(found) == len(right) and all(abs(a - b) < 0.011 for a, b in zip(found, right, strict=True))
    return list(found) if near else []


# --- train_keep_best ---------------------------------------------------------------------------------------


@seeded
def check_train_keep_best(function: Callable, *, num_epochs: int = 6, best: int = 2, seed: int = 0) -> None:
    """Check what ``train_keep_best`` leaves: the model of the epoch with the best validation accuracy.

    The best epoch (``best``, from 1) is not the last one, not the one with the lowest loss or the highest accuracy
    on the training split, and not the one with the lowest validation loss.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = make_keep_problem(num_epochs, best, seed)
    seen = observe_keep_best(function, problem)
    conclude("train_keep_best", lambda: judge_train_keep_best(problem, seen))


@seeded
def check_valid_accuracies(function: Callable, *, num_epochs: int = 6, best: int = 2, seed: int = 0) -> None:
    """Check what ``train_keep_best`` returns: the validation accuracy of every epoch, as a list of floats.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = make_keep_problem(num_epochs, best, seed)
    seen = observe_keep_best(function, problem)
    conclude("train_keep_best", lambda: judge_valid_accuracies(problem, seen))


def make_keep_problem(num_epochs: int, best: int, seed: int) -> KeepProblem:
    """Write a script in which every measure is best after another epoch, as far as there are enough epochs."""
    others = [epoch for epoch in range(2, num_epochs) if epoch != best]
    others = others if len(others) > 2 else [epoch for epoch in range(1, num_epochs) if epoch != best] or [1]
    low, fitted, learnt = (others[(place + seed) % len(others)] for place in range(3))
    # The accuracy rises towards the end again, so that better than the last one is not the best one.
    valid = {epoch: (5 + 2 * ((num_epochs - epoch) % 2 == 0), 5.0) for epoch in range(1, num_epochs + 1)}
    train = {epoch: (9 + epoch % 2, 5.0) for epoch in range(1, num_epochs + 1)}
    valid |= {0: (2, 5.0), low: (10, 1.9), best: (11, 5.0)}
    train |= {0: (4, 5.0), learnt: (17, 6.0), fitted: (16, 2.3)}
    return KeepProblem(
        _script("train", _labels(20, 2 * seed), _columns(train), 8),
        _script("valid", _labels(14, 2 * seed + 1), _columns(valid), 8),
        num_epochs,
    )


def _columns(states: dict[int, tuple[int, float]]) -> dict[int, tuple[int, float]]:
    return {SPOILED: (1, 5.0), IN_TRAINING: (1, 5.0)} | {FIRST + at: answer for at, answer in states.items()}


def judge_valid_accuracies(problem: KeepProblem, seen: KeepSeen) -> str:
    """Return the line with which the list of accuracies passes."""
    check, result = _trained(problem, seen)
    expected, num_epochs = _by_epoch(problem, "valid", _accuracy), problem.num_epochs
    if result.number is not None:
        said = "one number came back; a list with the validation accuracy of every epoch is asked for."
        check.fail(said, "last_is_best" if any(close(result.number, one) for one in expected) else None)
    items = check.items(result, "the result")
    found = [check.number(item, f"entry {place} of the list") for place, item in enumerate(items)]
    if not close(found, expected, 1e-4):
        _explain_training(check, problem, seen)
        if len(found) != num_epochs:
            said = f"the list has {len(found)} entries, and the model was to train for {num_epochs} epochs."
            each_batch = len(found) == num_epochs * _num_batches(problem)
            check.fail(said, "epoch_is_iteration" if each_batch else None)
        _explain_list(check, problem, found, expected)
    if any(note.kind == "forward" and "valid" in note.splits and note.graph for note in seen.notes):
        said = "the model was evaluated with gradients on, so PyTorch recorded it."
        check.fail(said, "eval_stops_gradients")
    return f"the validation accuracies of all {num_epochs} epochs came back"


def _trained(problem: KeepProblem | ChoiceProblem, seen: KeepSeen | ChoiceSeen) -> tuple[Check, Seen]:
    task = "train_keep_best" if isinstance(problem, KeepProblem) else "choose_and_test"
    check = Check(task, "validation")
    result = _result(check, seen.call)
    if seen.changed:
        check.fail("images or labels of a loader were changed in place; nobody else can use them now.")
    return check, result


def _by_epoch(problem: KeepProblem, split: str, measure: Callable[[Samples, int], float]) -> list[float]:
    return [measure(getattr(problem, split), FIRST + epoch) for epoch in range(1, problem.num_epochs + 1)]


def _num_batches(problem: KeepProblem) -> int:
    return math.ceil(problem.train.labels.shape[0] / problem.train.batch_size)


def _explain_list(check: Check, problem: KeepProblem, found: list[float], expected: list[float]) -> None:
    per_cent = [100 * value for value in expected]
    earlier = [found[0], *expected[:-1]]  # the first may be of any untrained model
    wrong = [
        Wrong(_by_epoch(problem, "valid", _loss), "the validation losses came back.", "accuracy_is_loss"),
        Wrong(_by_epoch(problem, "train", _loss), "the training losses came back.", "accuracy_is_loss"),
        Wrong(
            _by_epoch(problem, "train", _accuracy),
            "the accuracies on the training split came back; those on the validation split are asked for.",
            "falling_loss_generalises",
        ),
        Wrong(
            _by_epoch(problem, "valid", _mean_of_means),
            "the mean of the batches' accuracies came back.",
            "mean_of_means",
        ),
        Wrong(per_cent, "the accuracies came back in per cent; shares from 0 to 1 are asked for."),
        Wrong(earlier, "each accuracy was measured before the training of its epoch, not after it."),
        Wrong(_rounded(found, expected), "the accuracies were rounded; all their digits are asked for."),
    ]
    place = next(i for i, pair in enumerate(zip(found, expected, strict=True)) if not close(*pair, 1e-4))
    said = f"entry {place} is {found[place]:.4f}; after epoch {place + 1} the validation accuracy was "
    otherwise = Wrong(None, f"{said}{expected[place]:.4f}.", None, COUNT_RIGHT)
    check.compare(found, expected, wrong, otherwise, 1e-4)


def judge_train_keep_best(problem: KeepProblem, seen: KeepSeen) -> str:
    """Return the line with which the model that is left passes."""
    check, _ = _trained(problem, seen)
    accuracies, losses = (_by_epoch(problem, "valid", measure) for measure in (_accuracy, _loss))
    best, last, batches = 1 + accuracies.index(max(accuracies)), problem.num_epochs, _num_batches(problem)
    left = [
        number
        for name in ("clock", "norm.running_mean", "norm.running_var")
        for number in (seen.state[name].numbers if name in seen.state else [])
    ]
    states = [_state_after(epoch * batches) for epoch in range(last + 1)]
    if close(left, states[best], 1e-3):
        _explain_too_few(check, problem, seen.notes)
        return f"the model is the one of epoch {best} of {last}, the best on the validation split"
    _explain_training(check, problem, seen)
    kept = next((epoch for epoch, state in enumerate(states) if close(left[:1], state[:1], 1e-3)), None)
    if kept == best and any(close(left[1:], state[1:], 1e-3) for state in states):
        said = f"the weights are those of epoch {best}, but the running averages of batch normalisation"
        check.fail(f"{said} are of another epoch.", "parameters_are_all")
    if kept is None or kept == best:
        said = "the model at the end is not as it was after any of the epochs."
        check.fail(said, None, WHO_CHANGES)
    said = (
        f"the model is left as it was {f'after epoch {kept} of {last}' if kept else 'before the first epoch'}"
    )
    if kept == last and any(note.kind == "load" and note.own for note in seen.notes):
        said = f"load_state_dict was called, but {said}: what it put back had changed since the best epoch."
        check.fail(said, "state_dict_copies")
    if kept:
        ours, highest = accuracies[kept - 1], max(accuracies)
        said += f", validation accuracy {ours:.2f}; epoch {best} has {highest:.2f}"
    if kept and kept - 1 in _best_in_training(problem):
        check.fail(f"{said}. On the training split that epoch looks best.", "falling_loss_generalises")
    if kept and losses[kept - 1] == min(losses):
        check.fail(f"{said}. Its validation loss is the lowest.", "accuracy_is_loss")
    if kept == last and not any(note.kind == "load" for note in seen.notes):
        said += ". Nothing was put back into the model that was handed over"
        check.fail(f"{said}.", "last_is_best", PUT_BACK)
    check.fail(f"{said}.", "last_is_best" if kept == last else None, None if kept == last else WHO_CHANGES)


def _state_after(num_batches: int) -> list[float]:
    """Return clock, running mean and running variance: every training image has the same pixel for both."""
    return [num_batches, 1 - 0.9**num_batches, 0.9**num_batches]


def _best_in_training(problem: KeepProblem) -> set[int]:
    losses, accuracies = (_by_epoch(problem, "train", measure) for measure in (_loss, _accuracy))
    return {losses.index(min(losses)), accuracies.index(max(accuracies))}


def _explain_training(check: Check, problem: KeepProblem, seen: KeepSeen) -> None:
    """End the check if the model was not trained with one step per batch, each with its batch's gradient."""
    forwards = [note for note in seen.notes if note.kind == "forward"]
    for note in forwards:
        if "train" in note.splits and note.graph and not note.training:
            check.fail("the model was trained in evaluation mode.", "mode_returns")
        if "valid" in note.splits and note.training:
            said = "the model was evaluated in training mode"
            check.fail(f"{said}, so batch normalisation took in validation images.", "mode_returns")
    steps = [note for note in seen.notes if note.kind == "step"]
    differentiated = any(note.kind == "backward" for note in seen.notes)
    if not any(step.gradient for step in steps) and any(not note.own and note.training for note in forwards):
        said = "a copy of the model was trained; the optimiser holds the weights of the model that is handed over."
        check.fail(said, None, WHO_STEPS)
    if not steps and any(note.own and any(note.state) for note in forwards):
        said = "the weights moved, but the optimiser that is handed over never took a step: another one did."
        check.fail(said, None, WHO_STEPS)
    if not steps:
        belief, hints = ("backward_updates", None) if differentiated else (None, WHO_STEPS)
        check.fail("the optimiser never took a step, so the weights are what they were.", belief, hints)
    _explain_too_few(check, problem, seen.notes)
    if len(steps) > _num_batches(problem) * problem.num_epochs:
        check.fail(_number_of_steps(problem, len(steps)), None, WHAT_COMES_BETWEEN)
    _explain_gradients(check, seen.notes, _num_batches(problem))


def _explain_too_few(check: Check, problem: KeepProblem, notes: list[Note]) -> None:
    number, batches = sum(note.kind == "step" for note in notes), _num_batches(problem)
    if not 0 < number < batches * problem.num_epochs:
        return
    shown = sum(note.images for note in notes if note.kind == "forward" and note.training and note.graph)
    if number % batches == 0 and shown == number // batches * problem.train.labels.shape[0]:
        hints = Hints(
            "Look for what ends your loop before all epochs are over.",
            "The best epoch may come after a worse one. Who says that no better one follows?",
        )
        said = f"the training ended after {number // batches} of {problem.num_epochs} epochs"
        check.fail(f"{said}; all are asked for.", None, hints)
    once = number in (problem.num_epochs, batches)
    said = _number_of_steps(problem, number)
    check.fail(said, "epoch_is_iteration" if once else None, None if once else WHAT_COMES_BETWEEN)


def _number_of_steps(problem: KeepProblem, number: int) -> str:
    wanted = _num_batches(problem) * problem.num_epochs
    return f"the optimiser took {number} steps; with one for each batch of each epoch it would be {wanted}."


def _explain_gradients(check: Check, notes: list[Note], batches: int) -> None:
    """Each step moves the clock by 1 with the gradient -10; the next batch is shown to the model that it leaves."""
    place, start, backward = 0, 0.0, False
    for note in notes:
        clock = (*note.state, math.nan)[0]
        if note.kind == "forward" and note.own and note.training:
            start = clock
            if not close(start, place, 1e-3):
                said = (
                    f"epoch {1 + place // batches} did not go on with the model that the last step had left."
                )
                check.fail(said, None, WHO_CHANGES)
        backward |= note.kind == "backward"
        if note.kind != "step":
            continue
        place, share = place + 1, (note.gradient or 0.0) / -10
        if place == 1 and not share and not backward:
            said = "the optimiser took its first step before any loss was differentiated."
            check.fail(said, "step_computes")
        if not share and backward:
            check.fail(f"the gradients had been cleared again before step {place}.", "zero_grad_anywhere")
        if place == 2 and close(share, 2, 1e-2):
            check.fail("the second step used the gradients of two batches, added up.", "gradients_reset")
        if not close(share, 1, 1e-2):
            said = f"step {place} found {share + 0.0:.3g} times the gradient of its batch's mean loss."
            check.fail(said, None, WHAT_COMES_BETWEEN)
        if not close(clock - start, 1, 1e-2):
            said = (
                f"step {place} was {clock - start:.3g} times as long as the learning rate made it at first."
            )
            check.fail(said, None, WHO_CHANGES)
        backward = False


# --- choose_and_test ---------------------------------------------------------------------------------------


@seeded
def check_choice(function: Callable, *, num_rates: int = 8, batch_size: int = 8, seed: int = 0) -> None:
    """Check how ``choose_and_test`` chooses: fresh models, compared by their validation accuracy.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = make_choice_problem(num_rates, batch_size, seed)
    seen = observe_choice(function, problem)
    conclude("choose_and_test", lambda: judge_choice(problem, seen))


@seeded
def check_test_discipline(
    function: Callable, *, num_rates: int = 8, batch_size: int = 8, seed: int = 0
) -> None:
    """Check how ``choose_and_test`` tests: once, at the end, the chosen model only.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = make_choice_problem(num_rates, batch_size, seed)
    seen = observe_choice(function, problem)
    conclude("choose_and_test", lambda: judge_test_discipline(problem, seen))


def make_choice_problem(num_rates: int, batch_size: int, seed: int) -> ChoiceProblem:
    """Give each way of choosing a rate of its own, neither the first nor the last as far as there are enough.

    The first rate is the largest one, so what is largest is not what comes last.
    """
    inner = list(range(1, num_rates - 1))
    best = inner.pop(seed % len(inner))
    order = [best, *inner] if len(inner) > 2 else [best, 0, *inner, num_rates - 1]
    roles = dict(zip(("valid", "test", "train", "loss", "smallest", "worst"), order, strict=False))
    splits = []
    for split, size, base, most in (("train", 30, 16, 24), ("valid", 22, 9, 18), ("test", 26, 12, 20)):
        counts = {place: base + place % 2 for place in range(num_rates)}
        counts |= {best: 16} if split == "test" else {}
        counts |= {roles["worst"]: base - 3} if split == "valid" and "worst" in roles else {}
        counts[roles.get(split, best)] = most
        logits = {best: 9.0, roles.get("loss"): 0.8}
        answers = {FIRST + place: (number, logits.get(place, 8.0)) for place, number in counts.items()}
        answers |= {SPOILED: (4, 8.0), IN_TRAINING: (7, 8.0)}
        splits.append(_script(split, _labels(size, 10 * seed + len(splits)), answers, batch_size))
    *others, largest = [0.003 * 3**place for place in range(num_rates)]
    others.insert(roles.get("smallest", 1) - 1, others.pop(0))
    return ChoiceProblem([largest, *others], *splits)


def judge_choice(problem: ChoiceProblem, seen: ChoiceSeen) -> str:
    """Return the line with which the choice passes."""
    check, best, accuracies, _ = _chosen(problem, seen)
    rates = problem.rates
    trainings = [note for note in seen.notes if note.kind == "train"]
    for note in trainings:
        if any(note.state):
            said = f"a model that was {_history(problem, note.state)} already"
            place = _place(problem, note.rate)
            same = place is not None and place < len(note.state) and note.state[place] > 0
            which = "again with the same rate" if same else "on with another rate"
            check.fail(f"{said} was trained {which}.", "train_starts_afresh")
        if note.splits != ["train"]:
            tested = "test" in note.splits
            said = f"a model was trained on images of the {'test' if tested else 'validation'} split."
            belief = "test_for_choosing" if tested else "falling_loss_generalises"
            check.fail(said, belief, section="splits")
    if len(trainings) < len(rates):
        check.fail(f"{len(trainings)} models were trained, and there are {len(rates)} learning rates.")
    for place, value in enumerate(accuracies):
        _compare_accuracy(check, problem, "valid", place, value)
    wanted, chosen = _best_rate(problem, "valid"), f"{rates[best]:g}"
    said = f"the rate {chosen} was chosen; {rates[wanted]:g} has the best validation accuracy"
    hints = Hints(
        "Look at the line that singles out a rate.", "Which number does it compare, and which one wins?"
    )
    if best != wanted:
        reasons = list(_likely_reasons(problem, seen.notes, best))
        facts = f", and {chosen} {' and '.join(fact for fact, _ in reasons)}" if reasons else ""
        # Where two reasons lead to the same rate, neither is shown.
        belief = reasons[0][1] if len(reasons) == 1 else None
        check.fail(f"{said}{facts}.", belief, None if belief else hints)
    return f"{len(rates)} fresh models, and the best one on the validation split chosen"


def _likely_reasons(
    problem: ChoiceProblem, notes: Sequence[Note], place: int
) -> Iterator[tuple[str, str | None]]:
    """Yield what may have singled out this rate, in words, with the belief that it would show."""
    places, rates = range(len(problem.rates)), problem.rates
    # Who compares models on a split has shown several of them images of it.
    if place == _best_rate(problem, "test") and _num_evaluated(notes, "test") > 1:
        yield "has the best test accuracy", "test_for_choosing"
    if place == _best_rate(problem, "train") and _num_evaluated(notes, "train") > 1:
        yield "has the best training accuracy", "falling_loss_generalises"
    if place == min(places, key=lambda one: _loss(problem.valid, FIRST + one)):
        yield "has the lowest validation loss", "accuracy_is_loss"
    if place == min(places, key=lambda one: _accuracy(problem.valid, FIRST + one)):
        yield "has the lowest validation accuracy of all", None
    if rates[place] == max(rates):
        yield "is the largest of the rates", None
    if rates[place] == min(rates):
        yield "is the smallest of the rates", None
    if place == places[-1]:
        yield "came last", "last_is_best"


def _num_evaluated(notes: Sequence[Note], split: str) -> int:
    """Return how many models were shown images of a split."""
    return len({tuple(note.state) for note in notes if note.kind == "forward" and split in note.splits})


def _chosen(problem: ChoiceProblem, seen: ChoiceSeen) -> tuple[Check, int, list[float], float]:
    """Return the place of the chosen rate, the accuracies in the order of the rates, and the test accuracy."""
    check, result = _trained(problem, seen)
    first, second, third = check.items(result, "the result", "tuple", 3)
    place = _place(problem, check.number(first, "the first value, the best rate,"))
    if place is None:
        check.fail(f"the first value is {first.shown}, which is not one of the learning rates.")
    if not second.is_a("dict") or second.entries is None:
        check.fail(f"the second value should be dict, and it is {second.name}.")
    accuracies = {
        _place(problem, key.number): check.number(value, f"the validation accuracy of rate {key.shown}")
        for key, value in second.entries
    }
    if len(second.entries) != len(problem.rates) or set(accuracies) != set(range(len(problem.rates))):
        number = len(problem.rates)
        check.fail(f"the second value should have the {number} learning rates as keys, and no others.")
    accuracy = check.number(third, "the third value, the test accuracy,")
    return check, place, [accuracies[at] for at in range(len(problem.rates))], accuracy


def _place(problem: ChoiceProblem, rate: float | None) -> int | None:
    near = [place for place, one in enumerate(problem.rates) if rate is not None and close(rate, one, 1e-9)]
    return near[0] if near else None


def _best_rate(problem: ChoiceProblem, split: str) -> int:
    accuracies = [_accuracy(getattr(problem, split), FIRST + place) for place in range(len(problem.rates))]
    return accuracies.index(max(accuracies))


def _history(problem: ChoiceProblem, scores: Sequence[float]) -> str:
    rates = [
        f"{rate:g}" + (f" ({score:g} times)" if 1 < score < 100 else "")
        for rate, score in zip(problem.rates, scores, strict=False)
        if score
    ]
    return f"trained with {' and then with '.join(rates)}" if rates else "not trained"


def judge_test_discipline(problem: ChoiceProblem, seen: ChoiceSeen) -> str:
    """Return the line with which the use of the test split passes."""
    check, best, _, accuracy = _chosen(problem, seen)
    tests = [note for note in seen.notes if note.kind == "forward" and "test" in note.splits]
    if any(note.kind == "train" and "test" in note.splits for note in seen.notes):
        check.fail("a model was trained on the test split.", "test_for_choosing")
    if not tests:
        as_valid = close(accuracy, _accuracy(problem.valid, FIRST + best))
        said = "no model was evaluated on the test split"
        said += "; the validation accuracy came back as test accuracy." if as_valid else "."
        check.fail(said, None, TEST_AT_THE_END, section="test_once")
    num_models = _num_evaluated(seen.notes, "test")
    if num_models > 1:
        said = f"{num_models} models were evaluated on the test split; one may be."
        check.fail(said, "test_for_choosing")
    _judge_order(check, seen.notes)
    times = sum(note.images for note in tests) / problem.test.labels.shape[0]
    if times > 1:
        said = f"the chosen model was evaluated on the test split {times:g} times."
        check.fail(said, "test_for_choosing")
    _judge_tested(check, problem, tests[0].state, best)
    _compare_accuracy(check, problem, "test", best, accuracy)
    return "the test split was used once, at the end, for the chosen model"


def _judge_order(check: Check, notes: list[Note]) -> None:
    """End the check if something was trained or measured on another split after the test split was touched."""
    touched = next(place for place, note in enumerate(notes) if "test" in note.splits)
    for note in notes[touched:]:
        if note.kind in ("train", "forward") and "test" not in note.splits:
            where = " and ".join(map(_full, note.splits))
            what = "trained" if note.kind == "train" else f"evaluated on the {where} split"
            said = f"the test split was touched too early: a model was {what} after that."
            check.fail(said, "test_for_choosing")


def _judge_tested(check: Check, problem: ChoiceProblem, scores: list[float], best: int) -> None:
    if scores == [float(place == best) for place in range(len(problem.rates))]:
        return
    said = f"the model on the test split was {_history(problem, scores)}"
    if any(score >= 100 for score in scores):
        said = f"{said}, and on images of the validation split as well; they were to choose by."
        check.fail(said, "falling_loss_generalises", section="splits")
    if sum(scores) > 1:
        check.fail(f"{said}, each training going on from the one before.", "train_starts_afresh")
    said = f"{said}; the rate you return is {problem.rates[best]:g}."
    last = scores[-1:] == [1.0]
    check.fail(said, "last_is_best" if last else None, None if last else WHO_CHANGES, section="test_once")


def _compare_accuracy(check: Check, problem: ChoiceProblem, split: str, place: int, value: float) -> None:
    samples, column = getattr(problem, split), FIRST + place
    right = _accuracy(samples, column)
    start = f"{value:.4f} came back as {_full(split)} accuracy of rate {problem.rates[place]:g}"

    def wrong() -> Iterator[Wrong]:
        in_training = f"{start}: the model was evaluated in training mode, in which train leaves it."
        yield Wrong(_accuracy(samples, IN_TRAINING), in_training, "mode_returns")
        for other in (one for one in SPLITS if one != split):
            belief = "test_for_choosing" if "test" in (split, other) else "falling_loss_generalises"
            said = f"{start}; it is its accuracy on the {_full(other)} split."
            yield Wrong(_accuracy(getattr(problem, other), column), said, belief)
        said = f"{start}; it is the mean of the batches' accuracies."
        yield Wrong(_mean_of_means(samples, column), said, "mean_of_means")
        yield Wrong(_loss(samples, column), f"{start}; it is the loss.", "accuracy_is_loss")
        yield Wrong(100 * right, f"{start}; a share from 0 to 1 is asked for.")
        yield Wrong(_rounded([value], [right]), f"{start}; it was rounded, and all its digits are asked for.")

    said = f"{start}; over the samples of the split it is {right:.4f}."
    check.compare(value, right, wrong(), Wrong(None, said, None, COUNT_RIGHT), 1e-4)


def _full(split: str) -> str:
    return {"train": "training", "valid": "validation"}.get(split, split)


# --- the measured result -----------------------------------------------------------------------------------

# Accuracy on new images in per cent, lowest to highest of four runs and more for each of the two sizes and budgets of
# the exercise, batches of 64, whole epochs. torch 2.14.1 and 2.15.0, CPU, one thread.
#
#                                                            stand-in      real
#   the tutorial's rate, SGD 1e-3: two hidden layers         10.7-25.1     9.8-19.6
#                                  convolutions               9.9-28.7    11.4-28.8
#                                  one layer                 48.6-60.4    48.8-58.0
#   SGD 0.01:                      one hidden layer          63.1-67.3    58.2-65.4
#   SGD 0.01, momentum 0.9:        one hidden layer          76.9-81.4    75.2-78.5
#   SGD 0.1:                       one hidden layer          70.5-79.7    69.5-78.1
#                                  two hidden layers         70.8-77.9    70.1-74.9
#                                  convolutions              67.2-81.3    69.6-78.8
#   Adam 1e-3:                     one layer                 75.4-80.4    74.2-78.4
#                                  one hidden layer          76.9-83.9    77.7-81.3
#                                  convolutions              77.8-81.3    78.1-80.8
#                                  one, batch normalisation  80.9-85.0    79.4-82.7

ASKED = {REAL: 0.70, STANDIN: 0.65}
"""The accuracy that must be reached on each data set."""
NUM_HELD = 1000
"""How many images there are for validation, and how many new ones."""


@at_defaults
def check_train_within_budget(
    build_model: Callable,
    function: Callable,
    *,
    num_images: int = 3000,
    max_images: int = 12_500,
    leeway: float = 0.0,
    seed: int = 0,
) -> None:
    """Train the student's model with the student's ``train_within_budget`` and measure it on new images.

    In a notebook these are real garments if they lie on the machine, else images of the stand-in; a class is graded
    on one of the two.

    Args:
        build_model: the student's, as :func:`check_build_model` checks it.
        function: ``train_within_budget(model, train_loader, valid_loader, max_images)``.
        num_images: size of the training split, a multiple of ten.
        max_images: the budget: so many images may be used for gradients, an image twice if it is used twice.
        leeway: how much less than ``ASKED`` will do.
        seed: of the images, of the model and of the order.

    Raises:
        CheckFailed: with the likely belief.
    """
    graded = type(function) is Reference
    data_set = function.data_set if graded else data_set_here()
    # The new images are of a seed that no submission knows; what they are drawn from everybody may have.
    of_new = 3 * seed + 72
    seeds = 3 * seed + 70, 3 * seed + 71, function.seed(of_new) if graded else of_new
    train, valid, new = draw(data_set, (num_images, NUM_HELD, NUM_HELD), seeds)
    problem = BudgetProblem(train, valid, Garments(new.pixels), max_images, seed)
    seen = observe_within_budget(build_model, function, problem)
    asked = ASKED[data_set] - leeway
    conclude("train_within_budget", lambda: judge_train_within_budget(problem, seen, new.labels, asked))


def judge_train_within_budget(
    problem: BudgetProblem, seen: BudgetSeen, labels: Sequence[int], asked: float
) -> str:
    """Return the line with which a training passes; ``labels`` are those of the new images."""
    check, most = Check("train_within_budget", "rate"), problem.max_images
    built = _result(check, seen.built)
    if not built.is_a("Module"):
        check.fail(f"build_model should return an nn.Module, and it is {built.name}.", section="module")
    shown = seen.num_used or seen.num_fetched
    if seen.stopped == "images" or shown > most:
        _over_budget(check, problem, seen, shown)
    if not seen.stopped:
        _result(check, seen.call)
    if seen.num_like_validation > 0.05 * seen.num_looked_at:
        said = "the model was trained on images of the validation split: of "
        said += f"{seen.num_looked_at:,} images that were looked at closely, {seen.num_like_validation:,} are among "
        check.fail(f"{said}these or resemble one of them.", "falling_loss_generalises", section="splits")
    if not seen.moved:
        _explain_unmoved(check, seen)
    logits = check.tensor(_result(check, seen.logits), (len(labels), 10), "the logits of new images")
    accuracy = mean((logits.argmax(dim=1) == torch.tensor(labels)).double().tolist())
    if accuracy < asked:
        _judge_range(check, seen.drawn)
        said = f"the accuracy on new garments is {accuracy:.1%} after {shown:,} of {most:,} images"
        _too_low(check, said, asked, seen)
    return f"{accuracy:.1%} on new garments with {shown:,} of {most:,} images"


def _over_budget(check: Check, problem: BudgetProblem, seen: BudgetSeen, shown: int) -> NoReturn:
    most, size = problem.max_images, len(problem.train.labels)
    told = f"more than {2 * most:,}" if seen.stopped == "images" else f"{shown:,}"
    said = f"{told} images were used for training, and the budget is {most:,}."
    if seen.stopped != "images":
        if seen.num_copies:
            said += f" {seen.num_copies:,} of them went through a copy of the model."
        elif 0 < seen.num_fetched < seen.num_used:
            said += f" The data set was asked for {seen.num_fetched:,}, so the others were made from these, "
            said += "or shown again."
        elif size and shown % size == 0:
            said += f" These are {shown // size} epochs of {size:,}, and {most // size} fit."
    check.fail(said, "epoch_is_iteration", EACH_COUNTS)


def _explain_unmoved(check: Check, seen: BudgetSeen) -> NoReturn:
    said = "the model's parameters are what they were before the training"
    if seen.written:
        check.fail(f"{said}: whatever changed them, their first values were put back.", None, WHO_CHANGES)
    if seen.num_used > seen.num_copies:
        check.fail(f"{said}, though its loss was differentiated.", "backward_updates")
    if seen.num_copies:
        check.fail(f"{said}; a copy of the model was trained.", None, WHO_STEPS)
    if seen.num_fetched:
        said = f"{said}, though {seen.num_fetched:,} images were fetched. Was another model trained?"
        check.fail(said, None, WHO_STEPS)
    check.fail(f"{said}, and no training image was used.", None, WHO_STEPS)


def _too_low(check: Check, said: str, asked: float, seen: BudgetSeen) -> NoReturn:
    if seen.stopped == "time":
        said += f"; the training was ended after {SECONDS:g} seconds of the processor's work"
    hints = Hints(
        "Look at the learning rate and the optimiser first, and at whether the whole budget is used.",
        "The budget fixes how many updates there are. How far does each of them move the weights, and what would you "
        "see in the first losses if it were too short or too long a way?",
    )
    check.fail(f"{said}; {asked:.0%} is asked for.", None, hints)
