"""Checks of the exercises on lesson 01: a normalisation, two loaders to be mended, a split by class from scratch.

Normalised images are turned back into bytes with sums over whole numbers; loaders are read sample by sample, each
sample under a number of its own; splits are counted, and the draws of many seeds are compared with each other.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from fmnist_helpers.exercises.old_check import (
    CheckFailed,
    call,
    close,
    expect_tensor,
    expect_type,
    fail,
    fail_in_form,
    passed,
)

WHOLE_SET = (0.2860, 0.3530)
"""Mean and deviation of the 60,000 training images of Fashion-MNIST, as many web pages have them."""

# --- normalisation -----------------------------------------------------------------------------------------


def check_make_normaliser(
    function: Callable, *, num_train: int = 36, num_others: int = 6, seed: int = 0
) -> None:
    """Check ``make_normaliser(train_images)``: a function from bytes to floats normalised by the training images.

    Dark images are given for training, bright ones afterwards: several, a single one, and the training images.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "make_normaliser"
    generator = torch.Generator().manual_seed(seed)
    dark, bright = _noise(num_train, 3.0, generator), _noise(num_others, 0.6, generator)
    handed = dark.clone()
    normalise = _explained_call(task, function, handed)
    if not callable(normalise):
        fail(
            task,
            f"a function should come back, and it is {_what(normalise)}.",
            section="normalisation",
            where="Look at what your function returns.",
            think="Two things happen at two times: something is learnt from the training images now, and used on "
            "other images later. Which part belongs into a function of its own?",
        )

    def normaliser(images: Tensor) -> Any:
        return normalise(images)

    for images in (bright, bright[:1].clone(), dark):
        given = images.clone()
        result = _explained_call(task, normaliser, given)
        for what, one, other in (("training images", handed, dark), ("images", given, images)):
            if one.dtype != other.dtype or one.shape != other.shape or not close(one, other, 0):
                _changed(task, what)
        _expect_floats(task, result, images)
        _check_pixels(task, result.detach(), images, dark)
    passed(task, f"{num_others} images, a single one, and the training images themselves")


NO_FLOATS = "dtype|floating point|not implemented for|can't be cast"
"""Words of PyTorch's errors when bytes are to be averaged, or floats written into bytes."""


def _explained_call(task: str, function: Callable, images: Tensor) -> Any:
    def guarded(images: Tensor) -> Any:
        try:
            return function(images)
        except NotImplementedError as error:
            # PyTorch refuses the mean of bytes with the error that stands for unwritten code, too.
            if re.search(NO_FLOATS, str(error)):
                raise RuntimeError(str(error)).with_traceback(error.__traceback__) from error
            raise

    runner = guarded if isinstance(function, FunctionType | type) else function
    try:
        return call(runner, images, section="normalisation")
    except CheckFailed as failure:
        if " raised " in f" {failure.seen}" and re.search(NO_FLOATS, failure.seen):
            fail(task, failure.seen, "bytes_are_floats")
        fail(task, failure.seen, section=failure.section, where=failure.hints[0], think=failure.hints[1])


def _changed(task: str, what: str) -> None:
    fail(
        task,
        f"the {what} that were handed over were changed in place.",
        section="normalisation",
        where="Look for a line that writes into a tensor: an operation with a trailing underscore, or -=.",
        think="Somebody else may still need these bytes. Which of your lines makes a new tensor, and which does not?",
    )


def _expect_floats(task: str, result: Any, images: Tensor) -> None:
    expect_type(task, result, Tensor, "what the returned function gives", "normalisation")
    shape = (len(images), 1, *images.shape[1:])
    if tuple(result.shape) != shape:
        fail(
            task,
            f"for images of shape {tuple(images.shape)} the result should have shape {shape}, "
            f"and it has {tuple(result.shape)}.",
            section="bytes",
            where="Print the shape after each line of your function.",
            think="A model wants to know four things of a batch of images, in this order: how many, channels, "
            "height, width. Which of the four is not in the bytes, and at which place does it belong?",
        )
    if result.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        fail(task, f"the result holds whole numbers, {result.dtype}.", "bytes_are_floats")
    expect_tensor(task, result, shape, "the result", "bytes", torch.float32)


def _check_pixels(task: str, result: Tensor, images: Tensor, dark: Tensor) -> None:
    """Turn the result back into bytes and compare; a tenth of a byte is no difference."""
    mean, deviation = _statistics(dark)
    back = 255 * (result.double().flatten() * deviation + mean)
    if all(abs(a - b) < 0.1 for a, b in zip(back.tolist(), images.flatten().tolist(), strict=True)):
        return
    if not all(map(math.isfinite, back.tolist())):
        seen = "some of the normalised pixels are not finite."
        fail(task, seen, section="normalisation", where=STEP_BY_STEP[0], think=STEP_BY_STEP[1])
    table = _table(images, result)
    if table is None:
        _diagnose_places(task, result, images)
    _diagnose_table(task, table, images, dark)


STEP_BY_STEP = (
    "Print mean and deviation, and follow a single pixel from its byte to its normalised value.",
    "Take four pixels, 0, 0, 51 and 255. What are they between 0 and 1, what is their mean, and what does each of "
    "them become?",
)


def _table(images: Tensor, result: Tensor) -> dict[int, float] | None:
    """Return byte → normalised value, ascending; None if two pixels with the same byte differ."""
    table: dict[int, float] = {}
    for byte, value in zip(images.flatten().tolist(), result.flatten().tolist(), strict=True):
        if not close(value, table.setdefault(byte, value), 1e-3):
            return None
    return dict(sorted(table.items()))


def _diagnose_places(task: str, result: Tensor, images: Tensor) -> None:
    if all(_table(image, floats) is not None for image, floats in zip(images, result, strict=True)):
        seen = "pixels with the same byte came out differently in different images: each image has its own numbers."
        fail(task, seen, "statistics_of_all")
    fail(
        task,
        "pixels with the same byte came out differently, depending on where in the image they are.",
        section="normalisation",
        where="Look at the shapes of your mean and your deviation.",
        think="One number says how bright a typical pixel is. Over which axes has to be averaged until only one "
        "number is left?",
    )


def _diagnose_table(task: str, table: dict[int, float], images: Tensor, dark: Tensor) -> None:
    """End the check, by the mean and the deviation that the values show."""
    bytes_, values = list(table), list(table.values())
    for (low, one), (high, other) in zip(list(table.items())[:-1], list(table.items())[1:], strict=True):
        if other < one:
            seen = f"a pixel of {low} came out as {one:.3f}, and a brighter one of {high} as {other:.3f}, below it."
            fail(task, seen, "bytes_are_floats")
    different = len({round(value, 3) for value in values})
    if len(values) > 50 and different < 10:
        seen = f"{len(values)} different bytes became only {different} different floats."
        fail(task, seen, "bytes_are_floats")
    slope = (values[-1] - values[0]) / (bytes_[-1] - bytes_[0])
    if slope == 0:
        fail(task, "all pixels came out equal.", "bytes_are_floats")
    shown = (bytes_[0] / 255 - values[0] / (255 * slope), 1 / (255 * slope))
    (mean, deviation), own = _statistics(dark), _statistics(images)
    trained = f"those of the training images are {mean:.3f} and {deviation:.3f}"
    for other, what in (
        (own, "the images that were to be normalised"),
        ((own[0], deviation), "the images that were to be normalised, as far as the mean goes"),
        ((mean, own[1]), "the images that were to be normalised, as far as the deviation goes"),
        (WHOLE_SET, "the 60,000 images of Fashion-MNIST"),
    ):
        if close(shown, other, 2e-3):
            seen = f"mean {shown[0]:.3f} and deviation {shown[1]:.3f} come from {what}; {trained}."
            fail(task, seen, "statistics_of_all")
    for other, what in (
        ((mean, 1.0), "the mean was subtracted, but nothing was divided by the deviation"),
        ((0.0, deviation), "the pixels were divided by the deviation, but the mean was not subtracted"),
        ((0.0, 1.0), "the pixels were scaled, but not normalised"),
        ((0.0, 1 / 255), "the bytes came back as floats, neither scaled nor normalised"),
        ((mean, deviation**2), "the pixels were divided by the square of the deviation"),
        ((mean / 255, deviation / 255), "bytes up to 255 were normalised with numbers for pixels up to 1"),
        ((255 * mean, 255 * deviation), "pixels up to 1 were normalised with numbers for bytes up to 255"),
    ):
        if close(shown, other, 1e-3 * min(1.0, abs(other[1]))):
            fail(task, f"{what}.", section="normalisation", where=STEP_BY_STEP[0], think=STEP_BY_STEP[1])
    fail(
        task,
        f"the pixels look normalised with mean {shown[0]:.3f} and deviation {shown[1]:.3f}; {trained}.",
        section="normalisation",
        where=STEP_BY_STEP[0],
        think=STEP_BY_STEP[1],
    )


def _statistics(images: Tensor) -> tuple[float, float]:
    """Return mean and deviation of the pixels between 0 and 1, from sums of whole numbers."""
    how_often = Counter(images.flatten().tolist())
    size = sum(how_often.values())
    total = sum(byte * times for byte, times in how_often.items())
    squares = sum(byte * byte * times for byte, times in how_often.items())
    return total / size / 255, math.sqrt(size * squares - total * total) / size / 255


def _noise(number: int, power: float, generator: torch.Generator) -> Tensor:
    """Bytes of shape (number, 28, 28): a large power makes dark images; images and rows differ in brightness."""
    brightness = 0.5 + torch.rand(number, 1, 1, generator=generator) / 2
    rows = torch.linspace(0.4, 1, 28)[:, None]
    images = 255.9 * torch.rand(number, 28, 28, generator=generator) ** power * brightness * rows
    images[:, 0, 0], images[:, 27, 27] = 0, 255
    return images.byte()


# --- loaders -----------------------------------------------------------------------------------------------

FIRST_TEST_SAMPLE = 1000
"""Training samples are numbered from 0, test samples from here."""


def check_make_loaders_of(
    function: Callable, *, num_train: int = 50, num_test: int = 22, batch_size: int = 8, seed: int = 0
) -> None:
    """Check ``make_loaders_of(train_set, test_set, batch_size, seed)``: one loader shuffles, the other does not.

    The label of every sample is its number, so that the order can be read from a loader.

    Raises:
        CheckFailed: with the likely belief.
    """
    task = "make_loaders_of"
    sets = (_numbered(0, num_train), _numbered(FIRST_TEST_SAMPLE, num_test))

    def run(this_seed: int, numbers_between: int) -> tuple[list[int], list[int], bool]:
        """Make new loaders and read two epochs of training; draw some random numbers before the first one."""
        torch.manual_seed(seed + 77 * numbers_between)
        before = torch.get_rng_state().tolist()
        loaders = _two_loaders(task, call(function, *sets, batch_size, this_seed, section="shuffling"))
        seeded = torch.get_rng_state().tolist() != before
        torch.rand(numbers_between)
        first = _read(task, loaders[0], "training", batch_size, 0, num_train)
        test = _read(task, loaders[1], "test", batch_size, FIRST_TEST_SAMPLE, num_test)
        second = _read(task, loaders[0], "training", batch_size, 0, num_train)
        if first == sorted(first):
            seen = "the training loader gave the samples in the order of the data set."
            fail(task, seen, "loader_shuffles")
        if test != sorted(test):
            fail(
                task,
                "the test loader gave the samples in another order than the data set.",
                "loader_shuffles",
            )
        if first == second:
            fail(
                task,
                "both epochs of one training loader came in the same order.",
                section="shuffling",
                where="Look for the place where the order is drawn, and count how often it is reached.",
                think="An order that is drawn once stays as it is. Who asks for the next one when a new epoch begins?",
            )
        return first, second, seeded

    with torch.random.fork_rng(devices=[]):
        *orders, seeded = run(seed, 1)
        if orders != list(run(seed, 2)[:2]):
            extra = ""
            if seeded:
                extra = " The seed went to all of PyTorch, and something else drew a random number before the epoch."
            fail(
                task,
                f"two new training loaders with seed {seed} gave two different orders.{extra}",
                section="shuffling",
                where="Look for the seed in your code, and at who takes random numbers from what it starts.",
                think="A loader can have a source of random numbers for itself. Who else draws from the one that it "
                "uses in your code?",
            )
        if orders[0] == run(seed + 1, 1)[0]:
            fail(
                task,
                f"the training loaders of the seeds {seed} and {seed + 1} gave the same order.",
                section="shuffling",
                where="Look at how the argument seed is used.",
                think="The same seed should repeat a run, and another one should give another run. What tells your "
                "two runs apart?",
            )
    passed(task, f"{num_train} training samples, shuffled and repeatable; {num_test} test samples, in order")


def _numbered(first: int, size: int) -> TensorDataset:
    numbers = torch.arange(first, first + size)
    return TensorDataset(numbers[:, None, None, None].expand(-1, 1, 2, 2).float(), numbers)


def _two_loaders(task: str, result: Any) -> Any:
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail_in_form(task, f"two loaders should come back, and it is {_what(result)}.", "shuffling")
    for loader in result:
        if not isinstance(loader, DataLoader):
            seen = f"two objects of type DataLoader should come back, and one is of type {type(loader).__name__}."
            fail_in_form(task, seen, "shuffling")
    return result


def _read(task: str, loader: DataLoader, name: str, batch_size: int, first: int, size: int) -> list[int]:
    """Return the numbers of an epoch's samples; end the check if any is missing, or if a batch has another size."""

    def make_loaders_of(batches: Iterable) -> list:
        return list(batches)

    sizes, numbers = [], []
    for batch in call(make_loaders_of, loader, section="batches"):
        if type(batch) not in (tuple, list) or len(batch) != 2:
            fail_in_form(task, f"a batch of the {name} loader is not a pair of images and labels.", "batches")
        images, labels = batch
        for part in batch:
            expect_type(task, part, Tensor, f"a part of a batch of the {name} loader", "batches")
        if labels.ndim != 1 or tuple(images.shape) != (len(labels), 1, 2, 2):
            fail_in_form(
                task, f"a batch of the {name} loader has images of shape {tuple(images.shape)}.", "batches"
            )
        if not close(images[:, 0, 0, 0], labels, 0):
            fail_in_form(task, f"images of the {name} loader have labels of other images.", "batches")
        sizes.append(len(labels))
        numbers += labels.tolist()
    expected = [min(batch_size, size - start) for start in range(0, size, batch_size)]
    wanted = set(range(first, first + size))
    if not set(numbers) <= wanted:
        fail_in_form(task, f"the {name} loader gave samples of another data set.", "splits")
    if sizes and (sizes[-1] > batch_size or any(one != batch_size for one in sizes[:-1])):
        seen = f"the batches of the {name} loader have the sizes {_some(sizes)}; {_some(expected)} are asked for."
        fail(task, seen, "epoch_is_iteration")
    if sorted(numbers) != sorted(wanted):
        twice = (
            f", {len(numbers) - len(set(numbers))} of them repeated"
            if len(set(numbers)) < len(numbers)
            else ""
        )
        fail(
            task,
            f"an epoch of the {name} loader gave {len(numbers)} samples{twice}; the data set has {size}, each once.",
            section="batches",
            where=f"Look at every argument of the {name} loader, and count the samples of one epoch.",
            think="An epoch is every sample once. What happens in your loader to those that do not fill a batch, and "
            "can a sample be drawn twice?",
        )
    return numbers


def _some(sizes: list[int]) -> str:
    return (
        ", ".join(map(str, sizes))
        if len(sizes) <= 8
        else f"{', '.join(map(str, sizes[:3]))}, ..., {sizes[-1]}"
    )


def _what(result: Any) -> str:
    if isinstance(result, tuple | list):
        return f"a {type(result).__name__} of {len(result)}"
    return "None (is a return missing?)" if result is None else f"an object of type {type(result).__name__}"


# --- a split by class --------------------------------------------------------------------------------------

SIZES = {1: 9, 4: 3, 5: 14, 8: 6}
"""Class number → samples: not all numbers occur, and one class is held out as a whole."""
NUM_SEEDS = 60


def check_split_by_class(
    function: Callable, *, num_each: int = 3, sizes: dict[int, int] | None = None, seed: int = 0
) -> None:
    """Check the split of ``split_by_class(labels, num_each, seed)``: counts, completeness, and the ValueError.

    Raises:
        CheckFailed: with what was seen.
    """
    task, sizes = "split_by_class", sizes or SIZES
    labels = _labels(sizes, seed)
    train, held = _split(task, function, labels, num_each, seed)
    numbers = train + held
    if not set(numbers) <= set(range(len(labels))):
        _fail_split(
            task,
            f"there are sample numbers below 0 or above {len(labels) - 1}.",
            "Look at what your indices count: places in all labels, or places in a part of them?",
            "Five samples, of which the second and the fourth are of class 7. Which numbers should come out for them?",
        )
    of_class = Counter(labels[held].tolist())
    both = set(train) & set(held)
    if both:
        _fail_split(
            task,
            f"{len(both)} of {len(labels)} samples are in both parts.",
            "Look at how the training part is made: what is taken away from all samples?",
            "An image that is in both parts is known to the model already. How do you make sure that there is none?",
        )
    for what, part in (("training", train), ("held-out", held)):
        if len(set(part)) < len(part):
            _fail_split(
                task,
                f"the {what} part holds {len(part) - len(set(part))} samples more than once.",
                "Look at how the samples are drawn: can the same one be drawn twice?",
                "Think of cards: is each card put back before the next one is drawn?",
            )
    for label, size in sizes.items():
        if of_class[label] != num_each:
            _fail_split(
                task,
                f"{of_class[label]} of {size} samples of class {label} were held out; {num_each} are asked for.",
                "Count the held-out samples of each class, and look at which classes your code goes through.",
                "Three classes with 9, 3 and 14 samples, 2 to be held out of each. Which numbers does your code "
                "compute on the way?",
            )
    if len(numbers) < len(labels):
        _fail_split(
            task,
            f"{len(labels) - len(numbers)} of {len(labels)} samples are in neither part.",
            "Look at how the training part is made: what is taken away from all samples?",
            "Every sample belongs somewhere. Where does one go that is not drawn?",
        )
    for poor in (min(sizes), max(sizes)):
        _check_refusal(task, function, sizes | {poor: num_each - 1}, poor, num_each, seed)
    passed(task, f"{len(sizes)} classes, {num_each} samples of each held out, and too few refused")


def _check_refusal(
    task: str, function: Callable, sizes: dict[int, int], poor: int, num_each: int, seed: int
) -> None:
    def split_by_class(*arguments: Any) -> str:
        try:
            function(*arguments)
        except NotImplementedError:
            raise
        except Exception as error:
            return "ValueError" if isinstance(error, ValueError) else type(error).__name__
        return ""

    raised = call(split_by_class, _labels(sizes, seed), num_each, seed, section="splits")
    if raised != "ValueError":
        _fail_split(
            task,
            f"class {poor} had {num_each - 1} samples, {num_each} were to be held out, and "
            f"{raised or 'nothing'} was raised; a ValueError is asked for.",
            "Look for the place where you know how many samples a class has.",
            "A split that is quietly smaller than promised misleads everybody who uses it. Where can you notice it, "
            "and how do you say so?",
        )


def check_split_by_class_seed(
    function: Callable, *, num_each: int = 3, sizes: dict[int, int] | None = None, seed: int = 0
) -> None:
    """Check the draw of ``split_by_class(labels, num_each, seed)``: repeatable, random, and without side effects.

    Every class needs clearly more than ``num_each`` samples, so that many draws are possible.

    Raises:
        CheckFailed: with what was seen.
    """
    task, sizes = "split_by_class", sizes or {0: 9, 3: 8, 4: 10}
    labels = _labels(sizes, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        before = torch.get_rng_state().tolist()
        _, held = _split(task, function, labels, num_each, seed)
        changed = torch.get_rng_state().tolist() != before
        torch.manual_seed(seed + 2)
        if sorted(_split(task, function, labels, num_each, seed)[1]) != sorted(held):
            _fail_split(
                task,
                f"two calls with the same labels and seed {seed} gave two draws.",
                "Look at every line that draws something: where do its random numbers come from?",
                "A source of random numbers repeats itself if it starts from the same number. Which source do you "
                "use, and does it start from the seed?",
            )
        draws = [
            set(_split(task, function, labels, num_each, other)[1]) for other in range(seed, seed + NUM_SEEDS)
        ]
    if all(draw == draws[0] for draw in draws):
        _fail_split(
            task,
            f"{NUM_SEEDS} seeds gave the same draw.",
            "Look at how the argument seed is used, and at which samples of a class you take.",
            "If the data were sorted in some way, by day or by shop, which samples would your code hold out?",
        )
    for label in sizes:
        members = set((labels == label).nonzero().flatten().tolist())
        never = members - set().union(*draws)
        different = len({frozenset(draw & members) for draw in draws})
        if never or different < NUM_SEEDS / 4:
            seen = (
                f"{len(never)} of the {len(members)} samples of class {label} were never held out"
                if never
                else f"for class {label} there were only {different} different draws"
            )
            _fail_split(
                task,
                f"{seen}, with {NUM_SEEDS} seeds.",
                "Look at which samples of a class can be drawn at all, and in which combinations.",
                "Put the samples of a class on a table like cards. Does your code shuffle them, or does it only choose "
                "where to cut?",
            )
    if changed:
        _fail_split(
            task,
            "PyTorch's global random state was not the same after the call.",
            "Look for torch.manual_seed, and for a draw that is not told where to take its random numbers from.",
            "Somebody calls your function in the middle of a training. Which random numbers will the training get "
            "after that, with your function and without it?",
        )
    passed(task, f"{NUM_SEEDS} seeds, each with a draw of its own, and nothing else is disturbed")


def _labels(sizes: dict[int, int], seed: int) -> Tensor:
    """Return labels in mixed order, so many of each class."""
    labels = torch.tensor([label for label, size in sizes.items() for _ in range(size)])
    return labels[torch.rand(len(labels), generator=torch.Generator().manual_seed(seed)).argsort()]


def _split(
    task: str, function: Callable, labels: Tensor, num_each: int, seed: int
) -> tuple[list[int], list[int]]:
    given = labels.clone()
    result = call(function, given, num_each, seed, section="splits")
    if not close(given, labels, 0):
        fail_in_form(task, "the labels that were handed over were changed in place.", "splits")
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail_in_form(task, f"two tensors should come back, and it is {_what(result)}.", "splits")
    parts = []
    for part, what in zip(result, ("train_indices", "held_indices"), strict=True):
        expect_type(task, part, Tensor, what, "splits")
        expect_tensor(task, part, (part.numel(),), what, "splits", torch.int64)
        parts.append(part.tolist())
    return parts[0], parts[1]


def _fail_split(task: str, seen: str, where: str, think: str) -> None:
    fail(task, seen, section="splits", where=where, think=think)
