"""Checks of the exercises on lesson 04: the order of a training step, gradient descent, a step of Nesterov's momentum.

An order of lines is carried out here and compared with one that is right; the points of a descent and the tensors
after steps with momentum are compared with what the rule itself gives in float64.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fmnist_helpers.exercises.check import Check, CheckFailed, Hints, Wrong, close, conclude, seeded
from fmnist_helpers.exercises.ex04_observe import (
    Batches,
    Momentum,
    SeenDescent,
    SeenMomentum,
    SeenUpdate,
    SeenWalk,
    Update,
    Valley,
    Walk,
    observe_descend,
    observe_momentum,
    observe_order,
)
from fmnist_helpers.exercises.observation import Array, Call, Seen
from fmnist_helpers.exercises.observe import array, arrays
from fmnist_helpers.exercises.recorder import Trace, trace_training
from fmnist_helpers.exercises.toy import CROSS_ENTROPY, parameters_of, small_loader, small_model

LINES = {
    "A": "optimizer.step()",
    "B": "logits = model(images)",
    "C": "optimizer.zero_grad()",
    "D": "loss = loss_fn(logits, labels)",
    "E": "loss.backward()",
    "F": "model.eval()",
    "G": "logits = logits.softmax(dim=1)",
}
"""The lines that an iteration may be put together from."""

RIGHT_ORDER = "CBDEA"
"""One of the orders that are right; its updates are those that are asked for."""

TOLERANCE = 1e-4
"""How far float32 may carry a student's numbers from ours in a few steps."""

NAMES = Hints(
    "Look at the names on the right of each line, and at the line that makes each of them.",
    "What does each line need, and what does it leave for the lines after it?",
)
ONE_TOO_MANY = Hints(
    "Take one line away at a time. Which one is not missed by any line after it?",
    "Ask of each line what it changes, and which later line looks at that.",
)
MODE = Hints(
    "Look for the line that sets the mode of the model.",
    "Which layers behave differently in the two modes? Which behaviour does training need?",
)
BY_HAND = Hints(
    "Print the point and its gradient at each step, and do the first two steps by hand.",
    "From where does a step start, in which direction does it go, and how far?",
)
NO_COPY = Hints(
    "Look at the first line: does it make a tensor of its own, or another name for start?",
    "A name is no copy. How do you get the same numbers in a new tensor, without a graph?",
)
ONE_TENSOR = Hints(
    "Look at what is put into the list at each step: the numbers, or the tensor that goes on moving?",
    "Take a list with the same tensor in it twice, and change the tensor in place. What do both show?",
)
EMPTY = Hints(
    "Print requires_grad, is_leaf and grad of your tensor just before that line, in each pass through your loop.",
    "backward fills .grad, and only of a tensor that was marked by hand. One that was computed, even as a copy of a "
    "marked one, is a link in a graph. Which of them is yours, and has backward run by then?",
)
CUT_OFF = Hints(
    "Look at what goes into the list at each step, and print its requires_grad.",
    "The clone of a marked tensor was computed from it, so it hangs on the graph. What cuts it off?",
)
RECORDING = Hints(
    "Read the message: it names a leaf and a change in place. Which of your lines is that?",
    "The change is right, but PyTorch is recording while it happens. A step is no part of the loss: what switches the "
    "recording off?",
)
OLD_VELOCITY = Hints(
    "Look at the line that computes the new velocity: what does its left side change?",
    "The list and your function both hold the same tensor. After your line, do they still? Which lines "
    "change a tensor in place?",
)
TABLE = Hints(
    "Set your lines beside the two of the task, from left to right.",
    "Take the numbers of the task's example, and print velocity and parameter after each of your lines. Which of them "
    "is the first that is not as there?",
)
SKIPPED = Hints(
    "Look at what your function does at a parameter whose .grad is None: does it go on with the next, or end?",
    "Write down three parameters, the second one without a gradient, and go through your lines by hand. Which of "
    "the three have moved at the end, and which should have?",
)


# --- the order of a training step --------------------------------------------------------------------------


@seeded
def check_order(order: Any, *, num_batches: int = 3, seed: int = 0) -> None:
    """Check ``order``, a text of letters: the lines of an iteration, carried out for a few batches.

    Everything but letters of lines is passed over, and small letters are as good as capital ones.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = Batches(num_batches, seed)
    seen = observe_order(order, problem)
    conclude("order", lambda: judge_order(problem, seen))


def judge_order(problem: Batches, seen: Seen) -> str:
    """Return the line with which the answer passes; raises ``CheckFailed`` with the likely belief."""
    check = Check("order", "order")
    if not seen.is_a("str") or seen.text is None:
        check.fail(f"the answer should be str, and it is {seen.name}.")
    letters = _letters(check, seen.text)
    found, trace = _carry_out(check, letters, problem)
    right, _ = _carry_out(check, RIGHT_ORDER, problem)
    if not close(found, right, TOLERANCE):
        _explain_order(check, trace)
    if len(letters) > len(RIGHT_ORDER):
        number = f"{len(letters)} lines are used; {len(RIGHT_ORDER)} are enough"
        check.fail(f"the updates are right, but {number}.", hints=ONE_TOO_MANY)
    number = problem.num_batches
    return f"{number} batches, {number} updates, each by the gradient of its own batch"


def _letters(check: Check, text: str) -> str:
    """Return the letters of the lines in order; end the check unless each is known and stands once."""
    words = re.findall(r"[^\W\d_]+", text.upper())
    # Somebody may write "line C, then B"; a word that is no row of letters says nothing of the order.
    letters = "".join(word for word in words if len(word) == 1 or set(word) <= set(LINES)) or "".join(words)
    unknown = sorted(set(letters) - set(LINES))
    twice = sorted({letter for letter in letters if letters.count(letter) > 1})
    if not letters:
        check.fail("the answer holds no letter.")
    if unknown:
        check.fail(f"no line is called {', '.join(unknown)}; the lines are A to {max(LINES)}.")
    if twice:
        check.fail(f"line {', '.join(twice)} is used more than once; each line may stand once at most.")
    return letters


def _carry_out(check: Check, letters: str, problem: Batches) -> tuple[list[Tensor], Trace]:
    """Run the lines in that order for every batch; return the weights at the end, and what happened."""

    def loop(dataloader: Any, model: Any, loss_fn: Any, optimizer: Any) -> None:
        names = {"model": model, "loss_fn": loss_fn, "optimizer": optimizer}
        for names["images"], names["labels"] in dataloader:
            for letter in letters:
                try:
                    exec(LINES[letter], names)
                except NameError as error:
                    needs = f"needs `{error.name}`, which no line before it has made"
                    check.fail(f"line {letter}, `{LINES[letter]}`, {needs}.", hints=NAMES)
                except RuntimeError:
                    # A step between forward and backward changes what backward needs; what came before tells enough.
                    return

    loader = small_loader(problem.num_batches * 4, 4, problem.seed)
    model = small_model(problem.seed, dropout=0.5).train()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(problem.seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        trace = trace_training(loop, loader, model, CROSS_ENTROPY, optimizer)
    return parameters_of(model), trace


def _explain_order(check: Check, trace: Trace) -> None:
    """End the check with what the lines did to the gradients, else to the mode, else to the logits."""
    steps, backwards = trace.of("step"), trace.of("backward")
    if not steps:
        check.fail("the optimiser never took a step, so the weights are what they were.", "backward_updates")
    if not backwards:
        check.fail("the optimiser took steps, but no loss was differentiated.", "step_computes")
    if trace.kinds().index("step") < trace.kinds().index("backward"):
        seen = "the first step came before the first backward, so there was no gradient to follow."
        check.fail(seen, "step_computes")
    for batch in [event.batch for event in steps if event.gradient == 0]:
        check.fail(f"at the step of batch {batch} the gradients had been cleared.", "zero_grad_anywhere")
    for batch in [event.batch for event in backwards if event.gradient > 0]:
        seen = f"when batch {batch} was differentiated, .grad still held the gradients of earlier batches."
        check.fail(seen, "gradients_reset")
    for batch in [event.batch for event in trace.of("forward") if not event.training]:
        seen = f"batch {batch} was computed in evaluation mode, though the model is being trained."
        check.fail(seen, hints=MODE, section="modes")
    # Of the seven lines, only the softmax is left to change an update.
    check.fail("the logits went through a softmax on their way to the loss.", "probabilities_in")


# --- gradient descent --------------------------------------------------------------------------------------


@seeded
def check_descend(
    function: Callable,
    *,
    shape: tuple[int, ...] = (3,),
    learning_rate: float = 0.1,
    num_steps: int = 5,
    seed: int = 0,
) -> None:
    """Check ``descend(function, start, learning_rate, num_steps)`` in a round valley, where its path is known.

    It walks from a plain start, with no step, from the lowest point, and from a marked start with a gradient.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = descend_problem(shape, learning_rate, num_steps, seed)
    seen = observe_descend(function, problem)
    conclude("descend", lambda: judge_descend(problem, seen))


def descend_problem(shape: tuple[int, ...], learning_rate: float, num_steps: int, seed: int) -> Valley:
    """Return a valley with points of this shape, and four walks in it."""
    generator = torch.Generator().manual_seed(seed)
    lowest, start, slope = (array(2 * torch.randn(shape, generator=generator)) for _ in range(3))
    steepness = array(0.5 + torch.rand(shape, generator=generator))
    walks = [Walk(start, num_steps), Walk(start, 0), Walk(lowest, num_steps), Walk(start, num_steps, slope)]
    return Valley(lowest, steepness, learning_rate, walks)


def judge_descend(problem: Valley, seen: SeenDescent) -> str:
    """Return the line with which all walks pass; raises ``CheckFailed`` with the likely belief."""
    check = Check("descend", "downhill")
    for walk, one in zip(problem.walks, seen.walks, strict=False):
        _judge_walk(check, problem, walk, one)
    if len(seen.walks) != len(problem.walks):
        check.fail(f"{len(seen.walks)} of {len(problem.walks)} calls were observed.")
    return f"{problem.walks[0].num_steps + 1} points, without a graph, and start is as it was"


def _judge_walk(check: Check, problem: Valley, walk: Walk, one: SeenWalk) -> None:
    marked = walk.slope is not None
    # Where the first step went well, the second one looked for a gradient in a new tensor.
    belief = "new_tensor_is_update" if one.num_values > 1 and not marked else None
    words = "with a start that is marked with requires_grad, " if marked else ""
    section = "step" if marked else "derivatives"  # What a leaf is stands there.
    result = _result(check, one.call, Wrong(None, words, belief, None if belief else EMPTY), section)
    what = "the result from the lowest point" if walk.start == problem.lowest else "the result"
    path = check.tensor(result, (walk.num_steps + 1, *walk.start.shape), what)
    for kept, seen in (
        (one.start.array == walk.start, "its numbers are others"),
        (one.start.graph == marked, f"its requires_grad was {marked} and is {one.start.graph}"),
        (one.slope.array == walk.slope, "its .grad is another one"),
    ):
        if not kept:
            check.fail(f"start was changed: {seen} after the call.", hints=NO_COPY, section="step")
    _judge_path(check, problem, walk, path)
    if result.graph:
        seen = "the points still hold their graph; nothing should be recorded for them any more."
        check.fail(seen, "summing_is_free", CUT_OFF, section="step")


def _judge_path(check: Check, problem: Valley, walk: Walk, path: Tensor) -> None:
    def wrong(seen: str, direction: Callable, belief: str | None = None) -> Wrong:
        return Wrong(_path(problem, walk, direction), seen, belief, None if belief else BY_HAND)

    start, right = walk.start.tensor(), _path(problem, walk, lambda slopes: slopes[-1])
    if close(path, right, TOLERANCE):
        return
    carried = torch.zeros_like(start) if walk.slope is None else walk.slope.tensor()
    if not close(path[0], start):
        if walk.num_steps and close(path[0], path[-1]):
            seen = "the first row of the result is the last point: the tensor went on moving in the list."
            if all(close(point, path[0]) for point in path):
                seen = "all points of the result are equal: the list holds one tensor many times."
            check.fail(seen, hints=ONE_TENSOR, section="step")
        what = "the point after the first step" if close(path[0], right[1:2], TOLERANCE) else "not start"
        check.fail(f"the first row of the result is {what}.", hints=BY_HAND)
    added = "each step followed the sum of all gradients so far, not the gradient at its own point."
    left = "the path is another one if start carries a gradient from before: the first step followed it, too."
    unmoved = f"the point did not move in {walk.num_steps} steps."
    unlike = "every step followed the gradient at start, not the one at its own point."
    bad = next((row for row, point in enumerate(path) if not close(point, right[row], TOLERANCE)), 0)
    found, due = ([round(number, 4) for number in points[bad].flatten().tolist()] for points in (path, right))
    condition = "" if walk.slope is None else "with a start that is marked and carries a gradient, "
    rows = [
        wrong(unmoved, lambda slopes: 0 * slopes[0], "new_tensor_is_update"),
        wrong(added, lambda slopes: sum(slopes), "gradients_reset"),
        wrong(added, lambda slopes: sum(slopes, carried), "gradients_reset"),
        wrong(left, lambda slopes: slopes[-1] + (len(slopes) == 1) * carried, "gradients_reset"),
        wrong("the first step went up the slope.", lambda slopes: -slopes[-1]),
        wrong(unlike, lambda slopes: slopes[0]),
        wrong("the steps lack the learning rate.", lambda slopes: slopes[-1] / problem.learning_rate),
    ]
    seen = f"{condition}the point after step {bad} is {found}; it should be {due}."
    check.compare(path, right, rows, Wrong(None, seen, None, BY_HAND), TOLERANCE)


def _path(problem: Valley, walk: Walk, direction: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Return the points of a walk against ``direction(gradients so far)``, in float64."""
    lowest, steepness = problem.lowest.tensor(), problem.steepness.tensor()
    points, slopes = [walk.start.tensor()], []
    for _ in range(walk.num_steps):
        slopes.append(2 * steepness * (points[-1] - lowest))
        points.append(points[-1] - problem.learning_rate * direction(slopes))
    return torch.stack(points)


# --- steps with momentum -----------------------------------------------------------------------------------

SHAPES = [(8, 9), (8,), (4, 8), (4,)]
"""Shapes of the parameters: those of a model with two linear layers."""


@seeded
def check_nesterov_step(
    function: Callable, *, learning_rate: float = 0.2, momentum: float = 0.9, seed: int = 0
) -> None:
    """Check one call of ``nesterov_step(parameters, velocities, learning_rate, momentum)``, with velocities at work.

    Raises:
        CheckFailed: with the likely belief.
    """
    # With 1 - momentum as the rate, two of the likely wrong rules would give the same velocities.
    generator = torch.Generator().manual_seed(seed)
    parameters, velocities, gradients = (_random(generator) for _ in range(3))
    updates = [Update(gradients, learning_rate)]
    problem = Momentum(parameters, [True] * len(SHAPES), velocities, momentum, updates)
    seen = observe_momentum(function, problem)
    conclude("nesterov_step", lambda: judge_nesterov_step(problem, seen))


@seeded
def check_nesterov_steps(
    function: Callable,
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    num_steps: int = 5,
    seed: int = 0,
) -> None:
    """Check several calls of ``nesterov_step``, with a frozen parameter, missing gradients and zero gradients.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = steps_problem(learning_rate, momentum, num_steps, seed)
    seen = observe_momentum(function, problem)
    conclude("nesterov_step", lambda: judge_nesterov_steps(problem, seen))


def steps_problem(learning_rate: float, momentum: float, num_steps: int, seed: int) -> Momentum:
    """Return steps with a falling rate; the third parameter is frozen, others lack a gradient or have zeros once."""
    generator = torch.Generator().manual_seed(seed)
    parameters, updates = _random(generator), []
    for step in range(num_steps):
        first, second, _, last = _random(generator)
        zeros = array(torch.zeros(SHAPES[0]))
        gradients = [zeros if step == 2 else first, second, None, None if step == 1 else last]
        updates.append(Update(gradients, learning_rate / (1 + step)))
    velocities = arrays(torch.zeros(shape) for shape in SHAPES)
    return Momentum(parameters, [True, True, False, True], velocities, momentum, updates)


def _random(generator: torch.Generator) -> list[Array]:
    return arrays(torch.randn(shape, generator=generator) for shape in SHAPES)


def judge_nesterov_step(problem: Momentum, seen: SeenMomentum) -> str:
    """Return the line with which the numbers pass; raises ``CheckFailed`` with the likely belief."""
    _judge_numbers(Check("nesterov_step", "optimisers"), problem, seen)
    rate = problem.updates[0].learning_rate
    return f"one step with rate {rate:g} and momentum {problem.momentum:g} is as PyTorch's"


def judge_nesterov_steps(problem: Momentum, seen: SeenMomentum) -> str:
    """Return the line with which numbers, lists, marks and gradients pass; raises ``CheckFailed`` otherwise."""
    check = Check("nesterov_step", "optimisers")
    _judge_numbers(check, problem, seen, with_the_rest=True)
    for kind in [one.call.result.type for one in seen.updates if one.call.result.type != "NoneType"]:
        check.fail(f"the function returned an object of type {kind}, not None.")
    return f"{len(problem.updates)} steps are as PyTorch's, also where gradients are 0 or missing"


def _judge_numbers(
    check: Check, problem: Momentum, seen: SeenMomentum, *, with_the_rest: bool = False
) -> None:
    """Judge the form of each step (and what it leaves as it is), then the numbers of all steps together."""
    none = Wrong(None, "with a parameter whose .grad is None, ", None, SKIPPED)
    what, before = "each parameter and velocity after the call", [*problem.parameters, *problem.velocities]
    states = []
    for update, one in zip(problem.updates, seen.updates, strict=False):
        _result(check, one.call, none, "optimisers")
        if one.forbidden:
            check.fail(f"{one.forbidden} was used; the step is to be written by hand.", hints=TABLE)
        if with_the_rest:
            _judge_what_stays(check, problem, update, one)
        tensors = zip([*one.parameters, *one.velocities], before, strict=False)
        states.append([check.tensor(now, then.shape, what, then.dtype) for now, then in tensors])
    if [len(state) for state in states] != [len(before)] * len(problem.updates):
        check.fail(f"{len(seen.updates)} of {len(problem.updates)} steps were observed, or not in full.")
    if close(states, right := _states(problem, RIGHT), TOLERANCE):
        return
    stopped = "the parameters behind the first one without a gradient stayed where they were."
    rows = [Wrong(_states(problem, RIGHT, stops=True), stopped, None, SKIPPED)]
    for rule in _rules(0, 0):
        belief = "new_tensor_is_update" if rule in NOT_IN_PLACE else None
        hints = OLD_VELOCITY if rule == NOT_IN_PLACE[-1] else None if belief else TABLE
        rows.append(Wrong(_states(problem, rule), rule, belief, hints))
    check.compare(states, right, rows, _first_wrong_number(problem, states, right), TOLERANCE)


def _judge_what_stays(check: Check, problem: Momentum, update: Update, one: SeenUpdate) -> None:
    """Judge that both lists hold the same tensors as before, with the same marks and the same gradients."""
    for name, kept in (("parameters", one.parameters_kept), ("velocities", one.velocities_kept)):
        if not kept:
            check.fail(f"the list {name} holds other tensors than before.", "new_tensor_is_update")
    for parameter, mark in zip(one.parameters, problem.marks, strict=False):
        if parameter.graph != mark:
            check.fail(f"requires_grad of a parameter was {mark} and is {parameter.graph}.", hints=TABLE)
    for now, then in zip(one.gradients, update.gradients, strict=False):
        if now.array != then:
            what = "cleared or made" if now.array is None or then is None else "changed"
            check.fail(f"a gradient was {what}; the function leaves them as they are.", hints=TABLE)
    if any(velocity.graph for velocity in one.velocities):
        check.fail("a velocity holds a graph.", hints=RECORDING, section="step")


RIGHT = "the rule that is asked for."
NOT_IN_PLACE = (
    "neither the parameters nor the velocities have changed.",
    "the velocities have changed, but the parameters have not.",
    "the parameters moved, but the tensors in velocities are as they were, so the next step forgets.",
)


def _rules(r: float, m: float) -> dict[str, tuple[float, ...]]:
    """Return the rule and those that are often taken for it, by what to say of them, for rate ``r`` and momentum ``m``.

    Of each: the weights of old velocity and gradient in the new velocity, and then those of old velocity, new velocity
    and gradient in what is subtracted from the parameter.
    """
    neither, no_parameter, no_velocity = NOT_IN_PLACE
    return {
        RIGHT: (m, 1, 0, r * m, r),
        neither: (1, 0, 0, 0, 0),
        no_parameter: (m, 1, 0, 0, 0),
        "the parameters moved along the gradient, and the velocities are as they were.": (1, 0, 0, 0, r),
        no_velocity: (1, 0, r * m * m, 0, r * (1 + m)),
        "the parameters moved along the new velocity alone, as with the lesson's momentum.": (m, 1, 0, r, 0),
        "the parameters moved along the gradient, not along the velocity.": (m, 1, 0, 0, r),
        "the parameters moved along momentum * velocity, without the gradient.": (m, 1, 0, r * m, 0),
        "the parameters moved along gradient + velocity; momentum is missing.": (m, 1, 0, r, r),
        "the parameters moved along momentum * gradient + velocity.": (m, 1, 0, r, r * m),
        "the parameters moved up the slope.": (m, 1, 0, -r * m, -r),
        "the learning rate is missing.": (m, 1, 0, m, 1),
        "the gradient entered the velocity with weight 1 - momentum.": (m, 1 - m, 0, r * m, r),
        "the learning rate is in the velocity already.": (m, r, 0, m, r),
        "the learning rate is in the velocity already, and in the step once more.": (m, r, 0, r * m, r),
        "the learning rate is in the velocity already, and so is the minus.": (m, -r, 0, -m, r),
        "the gradient was subtracted from the velocity.": (m, -1, 0, r * m, r),
        "the gradient was subtracted from the velocity, and the velocity added.": (m, -1, 0, -r * m, r),
        "momentum multiplied the gradient in the velocity, not the old velocity.": (1, m, 0, r * m, r),
        "momentum multiplied the gradient in the velocity as well.": (m, m, 0, r * m, r),
        "the old velocity entered in full, not times momentum.": (1, 1, 0, r * m, r),
        "the velocity is the gradient alone; the old velocity is forgotten.": (0, 1, 0, r * m, r),
    }


def _states(problem: Momentum, rule: str, *, stops: bool = False) -> list[list[Tensor]]:
    """Return all parameters, then all velocities, after each step of a rule, in float64.

    With ``stops``, a step ends at the first parameter without a gradient.
    """
    parameters = [numbers.tensor() for numbers in problem.parameters]
    velocities = [numbers.tensor() for numbers in problem.velocities]
    states = []
    for update in problem.updates:
        a, b, c, d, e = _rules(update.learning_rate, problem.momentum)[rule]
        missing = [index for index, gradient in enumerate(update.gradients) if gradient is None]
        for index in range(missing[0] if stops and missing else len(parameters)):
            if index not in missing:
                slope, old = update.gradients[index].tensor(), velocities[index]
                velocities[index] = a * old + b * slope
                parameters[index] = parameters[index] - (c * old + d * velocities[index] + e * slope)
        states.append([*parameters, *velocities])
    return states


def _first_wrong_number(problem: Momentum, states: list[list[Tensor]], right: list[list[Tensor]]) -> Wrong:
    """Return what to say of the first step that is not as it should be, velocities before parameters."""
    number = len(problem.parameters)
    places = ((k, i) for k in range(len(right)) for i in [*range(number, 2 * number), *range(number)])
    step, index = next((k, i) for k, i in places if not close(states[k][i], right[k][i], TOLERANCE))
    place = index % number
    gradient = problem.updates[step].gradients[place]
    before = right[step - 1] if step else [*problem.parameters, *problem.velocities]
    now, hints = f"in step {step + 1}", TABLE
    if gradient is None:
        hints = SKIPPED
        seen = f"{now} a parameter had no gradient (None), and it or its velocity was changed."
    elif not any(gradient.numbers):
        seen = f"{now} all gradients of a parameter were 0; it should have kept going by its velocity."
    elif all(close(states[step][i], before[i]) for i in (place, place + number)):
        seen = f"{now} parameter {place + 1} has a gradient, but it and its velocity stayed as they were."
    else:
        pairs = torch.stack([states[step][index], right[step][index]]).flatten(1).T.tolist()
        found, due = next(pair for pair in pairs if not close(*pair, TOLERANCE))
        rule = "momentum * velocity + gradient"
        if index < number:
            rule = "parameter - learning_rate * (gradient + momentum * velocity)"
        name = f"{'parameter' if index < number else 'velocity'} {place + 1}"
        seen = f"{now} a number of {name} became {found:.4g}; {rule} is {due:.4g}."
    return Wrong(None, seen, None, hints)


# --- what both functions have in common --------------------------------------------------------------------


def _result(check: Check, call: Call, none: Wrong, section: str) -> Seen:
    """Return what a call gave; where PyTorch refused an update, or met a ``.grad`` of None, say why."""
    if call.result is None and (call.raised is None or not call.callable):
        check.fail("nothing was observed of the call.")
    try:
        return check.result(call)
    except CheckFailed as error:
        failure = error
    message = call.raised.message if call.raised else ""
    if "leaf Variable" in message:
        check.fail(failure.seen, "new_tensor_is_update", RECORDING, section="step")
    if "does not require grad" in message:
        check.fail(failure.seen, hints=none.hints or EMPTY, section=section)
    if "NoneType" in message:
        where = None if none.belief else section
        check.fail(none.seen + failure.seen, none.belief, none.hints, section=where)
    raise failure
