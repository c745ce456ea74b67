"""The tasks in the middle of lesson 06: each as its solution and a judgement."""

import torch

from fmnist_helpers.exercises.check import Hints, Wrong
from fmnist_helpers.exercises.observation import Seen
from fmnist_helpers.exercises.turns import Called, turn


def standard_error(accuracy, num_images):
    return (accuracy * (1 - accuracy) / num_images) ** 0.5


@turn(standard_error, "spread")
def judge_standard_error(called: Called) -> str:
    for p, n in ((0.5, 100), (0.8, 5000), (0.95, 400)):
        given = f"for accuracy {p} on {n} images"
        found, right = (
            called.one_number(called(p, n), "the standard error"),
            standard_error(p, n),
        )
        called.compare(
            found,
            right,
            [
                Wrong(right**2, f"{given} it gives {found:.6g}: the variance, without its square root."),
                Wrong(
                    (p * (1 - p)) ** 0.5,
                    f"{given} it gives {found:.6g}: the deviation of a single image; that of a mean is smaller.",
                    hints=Hints(
                        "Which of the two arguments does your line not use?",
                        "The variance of the mean is the variance of one image divided by their number.",
                    ),
                ),
                Wrong(
                    (p * (1 - p)) ** 0.5 / n,
                    f"{given} it gives {found:.6g}: the number of images belongs under the root, too.",
                ),
                Wrong(
                    p * (1 - p) / n**0.5,
                    f"{given} it gives {found:.6g}: p (1 - p) belongs under the root, too.",
                ),
                Wrong(100 * right, f"{given} it gives {found:.6g}: points, and a share was asked for."),
            ],
            Wrong(None, f"{given} it gives {found:.6g}, and {right:.6g} is right."),
            tolerance=1e-7,
        )
    return "Tried with three accuracies."


def schedule(step, num_steps, max_rate):
    warm_up = num_steps // 5
    if step < warm_up:
        return max_rate * (step + 1) / (warm_up + 1)
    return max_rate * (num_steps - step) / (num_steps - warm_up)


STRAIGHT = Hints(
    "Put a finger on the point where your rates first leave the figure: at which step is that?",
    "A straight line from 0 at step a to the largest rate at step b: at step k it has climbed the share "
    "(k - a) / (b - a).",
)


@turn(schedule, "schedules")
def judge_schedule(called: Called) -> str:
    for n, most in ((13, 0.5), (100, 0.2)):
        rates = [called.one_number(called(step, n, most), f"the rate at step {step}") for step in range(n)]
        w = n // 5
        up = [(k + 1) / (w + 1) for k in range(w)]
        down = [(n - k) / (n - w) for k in range(w, n)]
        right, given = [most * share for share in up + down], f"for {n} steps and max_rate = {most}"
        late = [min(k / w, 1) for k in range(w)]
        first = next((k for k in range(n) if abs(rates[k] - right[k]) > 1e-6 * most), 0)
        called.compare(
            rates,
            right,
            [
                Wrong(up + down, f"{given} the largest rate is 1: max_rate is missing."),
                Wrong(
                    [most * one for one in late + down],
                    f"{given} the rate at step 0 is 0, so the first step goes nowhere: the line starts at step -1.",
                    hints=STRAIGHT,
                ),
                Wrong(
                    [most * one for one in up] + [most] * (n - w),
                    f"{given} the rate climbs and never comes down.",
                ),
                Wrong(
                    [most * (n - k) / n for k in range(n)],
                    f"{given} the rate falls from the first step on: the warm-up is missing.",
                ),
                Wrong(
                    [most * one for one in up] + [most * (n - k) / n for k in range(w, n)],
                    f"{given} the rate never reaches {most}: coming down starts at the end of the warm-up, not at 0.",
                    hints=STRAIGHT,
                ),
                Wrong(
                    [most * one for one in up] + [most * (n - 1 - k) / (n - 1 - w) for k in range(w, n)],
                    f"{given} the rate of the last step is 0, so that step goes nowhere: the line ends one step later.",
                    hints=STRAIGHT,
                ),
            ],
            Wrong(
                None,
                f"{given} the rate at step {first} is {rates[first]:.6g}, and it should be {right[first]:.6g}.",
                hints=STRAIGHT,
            ),
            tolerance=1e-7,
        )
    return "Compared with the two straight lines, for 13 and for 100 steps."


def average_weights(average, weights, decay):
    with torch.no_grad():
        for mean, weight in zip(average, weights):
            mean *= decay
            mean += (1 - decay) * weight


@turn(average_weights, "averaging")
def judge_average_weights(called: Called) -> str:
    numbers = (torch.tensor([1.0, -2.0]), torch.tensor([[0.5], [3.0]]))
    average = [torch.nn.Parameter(one.clone()) for one in numbers]
    decay = 0.75
    for weights in ([one.flip(0) + 1 for one in numbers], [2 * one for one in numbers]):
        weights = [torch.nn.Parameter(one) for one in weights]
        before, given = ([one.detach().clone() for one in some] for some in (average, weights))
        # Other lists: who puts new tensors into them has not changed the model's.
        called(list(average), list(weights), decay, may_change=True)
        if not all(torch.equal(one, other) for one, other in zip(weights, given, strict=True)):
            called.fail("the weights of the model have changed, and only their average should.")
        called.still_learns(weights)
        found = [one.detach() for one in average]
        pairs = list(zip(before, given, strict=True))
        right = [decay * mean + (1 - decay) * weight for mean, weight in pairs]
        called.compare(
            found,
            right,
            [
                Wrong(before, "the average has not changed.", "new_tensor_is_update"),
                Wrong(
                    [(1 - decay) * mean + decay * weight for mean, weight in pairs],
                    "the two shares are exchanged: decay is the share of the old average that stays.",
                ),
                Wrong([decay * mean for mean, _ in pairs], "the old average fades, and nothing is added."),
                Wrong(
                    [decay * mean + weight for mean, weight in pairs],
                    "all of the weights is added, and only 1 - decay of them should be.",
                ),
                Wrong(
                    [decay * (mean + (1 - decay) * weight) for mean, weight in pairs],
                    "what was added has faded, too: first multiply, then add.",
                ),
                Wrong(
                    [(mean + weight) / 2 for mean, weight in pairs],
                    "it is the plain mean of the two, and decay is not used.",
                ),
                Wrong([right[0], before[1]], "only the first tensor has changed."),
            ],
            Wrong(None, "the average is not decay times the old one plus 1 - decay times the weights."),
            tolerance=1e-6,
        )
    return "Two tensors, twice in a row; the weights themselves are left alone."


def should_stop(accuracies, patience):
    best = accuracies.index(max(accuracies))
    return len(accuracies) - 1 - best >= patience


RUNS = (
    ([0.5], 2),
    ([0.5, 0.6, 0.7, 0.69], 2),
    ([0.5, 0.7, 0.69, 0.68], 2),
    ([0.5, 0.7, 0.69, 0.71], 2),
    ([0.5, 0.7, 0.6, 0.5], 3),
    ([0.7, 0.6, 0.65, 0.66], 3),
    ([0.5, 0.7, 0.7, 0.7], 2),
    ([0.7, 0.5, 0.6, 0.55], 2),
    ([0.7, 0.6, 0.5, 0.4, 0.3], 2),
    ([0.7, 0.6, 0.65, 0.8], 2),
    ([0.5, 0.4, 0.6, 0.55], 2),
)
"""Accuracies of the epochs so far, and the patience."""


@turn(should_stop, "stopping")
def judge_should_stop(called: Called) -> str:
    answers = [called(list(accuracies), patience) for accuracies, patience in RUNS]
    for seen in answers:
        if _truth(seen) is None:
            called.fail(
                f"True or False should come back, and what came back is {seen.name}; bool(...) makes one of a number."
            )
    found = [float(_truth(seen)) for seen in answers]
    waited = [len(run) - 1 - run.index(max(run)) for run, _ in RUNS]
    right = [float(wait >= patience) for wait, (_, patience) in zip(waited, RUNS, strict=True)]
    ever = [_longest_wait(run) for run, _ in RUNS]
    in_all = [sum(one <= max(run[:at]) for at, one in enumerate(run) if at) for run, _ in RUNS]
    latest = [run[::-1].index(max(run)) for run, _ in RUNS]
    first = next((at for at in range(len(RUNS)) if found[at] != right[at]), 0)
    called.compare(
        found,
        right,
        [
            Wrong([1 - one for one in right], "True and False are exchanged: True means stop."),
            Wrong(
                [float(wait > patience) for wait, (_, patience) in zip(waited, RUNS, strict=True)],
                "it waits one epoch too long: with patience 2 the second epoch without a new best is the last.",
            ),
            Wrong(
                [float(wait + 1 >= patience) for wait, (_, patience) in zip(waited, RUNS, strict=True)],
                "it stops one epoch too early: the best epoch itself is no epoch without a new best.",
            ),
            Wrong(
                [float(wait >= patience) for wait, (_, patience) in zip(latest, RUNS, strict=True)],
                "an epoch that is only as good as the best counts as a new best, and it is none.",
            ),
            Wrong(
                [float(most >= patience) for most, (_, patience) in zip(ever, RUNS, strict=True)],
                "a run that waited so long and then found a new best is stopped: what counts is the last epochs.",
            ),
            Wrong(
                [float(most >= patience) for most, (_, patience) in zip(in_all, RUNS, strict=True)],
                "all epochs without a new best were counted; a new best starts the count again.",
            ),
            Wrong(
                [float(_falls(run) >= patience) for run, patience in RUNS],
                "epochs in a row that fall are counted; compare with the best epoch, not with the one before.",
            ),
        ],
        Wrong(
            None,
            f"for {RUNS[first][0]} and patience {RUNS[first][1]} it gives {bool(found[first])}.",
            hints=Hints(
                "Where in the list is the largest accuracy? accuracies.index(x) finds it.",
                "How many epochs came after it?",
            ),
        ),
    )
    return f"Tried on {len(RUNS)} runs."


def _truth(seen: Seen) -> bool | None:
    """Return the truth value that came back, also in a tensor."""
    if seen.array is not None and seen.array.dtype == "bool" and seen.array.shape == []:
        return bool(seen.array.numbers[0])
    return seen.truth


def _longest_wait(run: list[float]) -> int:
    """Return the largest number of epochs in a row without a new best, anywhere in a run."""
    best, waited, most = run[0], 0, 0
    for accuracy in run[1:]:
        best, waited = (accuracy, 0) if accuracy > best else (best, waited + 1)
        most = max(most, waited)
    return most


def _falls(run: list[float]) -> int:
    """Return how many times in a row the last epochs were below the one before."""
    count = 0
    while count < len(run) - 1 and run[-1 - count] < run[-2 - count]:
        count += 1
    return count
