"""The tasks in the middle of lesson 05: each as its solution and a judgement.

The loops run on the small problem with the recorder listening. What counts are the parameters afterwards and what came
back; the events only explain what went wrong, and show the two switches, which no number shows.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fmnist_helpers.exercises.check import Hints, Wrong, close, mean
from fmnist_helpers.exercises.observation import Seen
from fmnist_helpers.exercises.recorder import Trace, trace_training
from fmnist_helpers.exercises.toy import parameters_of, small_dataset, small_loader, small_model
from fmnist_helpers.exercises.turns import Called, turn

RATE, NUM_SAMPLES, BATCH_SIZE, NUM_BATCHES = 0.5, 22, 8, 3
"""The last batch is short."""
SMOOTHING = 0.1
"""Of the labels: so only the loss that is handed over will do."""
FOLLOW = Hints(
    "Follow one batch through your lines: images, logits, loss, slopes, step.",
    "Five lines: clear, guess, loss, backward, step. Which of them does another thing than its name says?",
)
NOT_KEPT = "what came back is a tensor that holds on to its graph; .item() makes a plain number of it."
ONE_NUMBER = Hints(
    "Look at what you add up for each batch, and at what you divide by at the end.",
    "Turn the mean of each batch back into a sum, add the sums up, and divide by the number of all samples.",
)


def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    logits = model(images)
    loss = loss_fn(logits, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@turn(train_step, "iteration")
def judge_train_step(called: Called) -> str:
    returned = []

    def three_steps(loader, *rest):
        for images, labels in loader:
            returned.append(called(images, labels, *rest, may_change=True))

    model = small_model()
    losses = _judge_steps(called, _run(three_steps, model, trains=True), model)
    for seen, loss in zip(returned, losses, strict=True):
        number = _number(called, seen, "the loss")
        came, was = _apart(number, loss)
        said = f"{came} came back; the loss of this batch was {was} before the step."
        called.compare(number, loss, [], Wrong(None, said, hints=FOLLOW))
    return "Three steps, compared with gradient descent written out."


def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    total = 0.0
    for images, labels in loader:
        loss = train_step(images, labels, model, loss_fn, optimizer)
        total += loss * len(images)
    return total / len(loader.dataset)


@turn(train_epoch, "loops")
def judge_train_epoch(called: Called) -> str:
    returned = []

    def epoch(*arguments):
        returned.append(called(*arguments, may_change=True))

    model = small_model().eval()
    trace = _run(epoch, model, trains=True)
    if any(event.grad_enabled and not event.training for event in trace.of("forward")):
        called.fail(
            "the model was trained in evaluation mode, in which an evaluation had left it.", "mode_returns"
        )
    losses = _judge_steps(called, trace, model)
    _compare_means(called, _number(called, returned[0], "the mean loss"), losses, "mean loss")
    return "Mode, steps and average are right; the last batch was a short one."


def evaluate(loader, model, loss_fn):
    model.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += loss_fn(logits, labels).item() * len(images)
            correct += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


@turn(evaluate, "loops")
def judge_evaluate(called: Called) -> str:
    returned = []

    def evaluation(*arguments):
        returned.append(called(*arguments, may_change=True))

    model = small_model(dropout=0.5).train()
    _judge_switches(called, _run(evaluation, model, trains=False))
    called.still_learns(model.parameters())
    loss, accuracy = called.numbers(returned[0], ["the mean loss", "the accuracy"])
    with torch.no_grad():
        batches = [(small_model()(images), labels) for images, labels in _batches()]
    _compare_means(called, loss, [_loss(*batch).item() for batch in batches], "mean loss")
    hits = [(logits.argmax(dim=1) == labels).double().mean().item() for logits, labels in batches]
    _compare_means(called, accuracy, hits, "accuracy")
    return "Both switches and both averages are right; the last batch was a short one."


def _run(function: Callable, model: nn.Module, *, trains: bool) -> Trace:
    """Run a loop on the small problem, recorded."""
    optimizer = [torch.optim.SGD(model.parameters(), lr=RATE)] if trains else []
    # A loader draws from the global source, and so does dropout that is left on.
    with torch.random.fork_rng(devices=[]):
        return trace_training(
            function,
            small_loader(NUM_SAMPLES, BATCH_SIZE),
            model,
            nn.CrossEntropyLoss(label_smoothing=SMOOTHING),
            *optimizer,
        )


def _batches() -> Iterator[tuple[Tensor, Tensor]]:
    images, labels = small_dataset(NUM_SAMPLES).tensors
    return zip(images.split(BATCH_SIZE), labels.split(BATCH_SIZE), strict=True)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels, label_smoothing=SMOOTHING)


def _apart(found: float, right: float) -> tuple[str, str]:
    """Write two numbers with as many digits as show that they differ."""
    digits = 4 if f"{found:.4f}" != f"{right:.4f}" else 7
    return f"{found:.{digits}f}", f"{right:.{digits}f}"


def _number(called: Called, seen: Seen, what: str) -> float:
    if seen.graph:
        called.fail(NOT_KEPT, "summing_is_free")
    if seen.number is None:
        called.fail(f"{what} should come back, as one number, and what came back is {seen.name}.")
    return seen.number


def _judge_steps(called: Called, trace: Trace, model: nn.Module) -> list[float]:
    """Compare the parameters with steps written out; return the loss of each batch before its step."""
    losses, right = _descended()
    if not close(parameters_of(model), right, 1e-4):
        _diagnose(called, trace)
    return losses


def _descended() -> tuple[list[float], list[Tensor]]:
    model, losses = small_model(), []
    parameters = list(model.parameters())
    for images, labels in _batches():
        loss = _loss(model(images), labels)
        losses.append(loss.item())
        slopes = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter -= RATE * slope
    return losses, parameters_of(model)


def _diagnose(called: Called, trace: Trace) -> None:
    """Say which of the calls is missing or stands in a wrong place; the parameters are not the right ones."""
    letters = {"zero_grad": "z", "forward": "f", "backward": "b", "step": "s"}
    order = "".join(letters.get(kind, "") for kind in trace.kinds())
    if "f" not in order:
        called.fail("no image went through the model.", hints=FOLLOW)
    if "s" not in order:
        called.fail("the optimiser never took a step, so no parameter has moved.", "backward_updates")
    if not trace.of("loss"):
        called.fail("loss_fn was never called: another loss was computed.", hints=FOLLOW)
    if "b" not in order:
        called.fail(
            "nothing called backward on the result of loss_fn, so no gradient came from it.", "step_computes"
        )
    if order.index("s") < order.index("b"):
        called.fail("step was called before the backward of its batch.", "step_computes")
    if "bz" in order:
        called.fail("the gradients were cleared between backward and step.", "zero_grad_anywhere")
    if "z" not in order:
        said = "nothing cleared the gradients, so each step followed the sum of all so far."
        called.fail(said, "gradients_reset")
    if order.count("s") != NUM_BATCHES:
        said = f"steps taken: {order.count('s')}; batches: {NUM_BATCHES}."
        called.fail(said, "epoch_is_iteration")
    said = "the parameters have moved, and not by one step against the gradient of each batch."
    called.fail(said, hints=FOLLOW)


def _judge_switches(called: Called, trace: Trace) -> None:
    """Judge the two switches: the model has dropout and was left in training mode."""
    forward = trace.of("forward")
    if not forward:
        called.fail("no image went through the model.", hints=FOLLOW)
    with_graph = any(event.grad_enabled for event in forward)
    if any(event.training for event in forward):
        belief = "mode_returns" if with_graph else "no_grad_stops_dropout"
        called.fail("the model was evaluated in training mode, so its dropout was at work.", belief)
    if with_graph:
        called.fail(
            "the model was evaluated with gradients on, so PyTorch kept a graph.", "eval_stops_gradients"
        )


def _compare_means(called: Called, found: float, means: list[float], what: str) -> None:
    """Compare a mean over samples with what comes of the batches' means in other ways."""
    total = sum(one * len(labels) for one, (_, labels) in zip(means, _batches(), strict=True))
    right = total / NUM_SAMPLES
    said = f"the {what} that came back, {found:.4f}, is the mean of the batches' values"
    wrong = [
        Wrong(mean(means), f"{said}; over the samples it is {right:.4f}.", "mean_of_means"),
        Wrong(means[-1], f"the {what} of the last batch came back.", "last_is_all"),
    ]
    wrong += [
        Wrong(value, f"the {what} {words}.", hints=ONE_NUMBER)
        for value, words in (
            (sum(means), "was added up over the batches, and never divided"),
            (total, "was added up over the samples, and never divided"),
            (total / NUM_BATCHES, "was divided by the number of batches, and not of samples"),
            (sum(means) / NUM_SAMPLES, "lacks the size of each batch: a batch's value is a mean already"),
            (total / (NUM_BATCHES * BATCH_SIZE), "was divided as if the last batch were a full one"),
            (100 * right, "came back in per cent; a share from 0 to 1 is asked for"),
        )
    ]
    came, is_right = _apart(found, right)
    otherwise = f"the {what} is {came}, and over these samples it is {is_right}."
    called.compare(found, right, wrong, Wrong(None, otherwise, hints=ONE_NUMBER))
