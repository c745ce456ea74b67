"""Judging the exercises on lesson 01: a normalisation, two loaders to be mended, a split by class from scratch.

Normalised images are compared with those of likely mistakes; loaders' samples are their own numbers, so that orders
can be read; splits are counted, and the draws of many seeds are compared with each other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, pairwise

import torch
from torch import Tensor

from fmnist_helpers.exercises.check import Check, CheckFailed, Hints, Wrong, close, conclude, seeded
from fmnist_helpers.exercises.ex01_observe import (
    EpochSeen,
    LoadersProblem,
    LoadersRun,
    NormaliseProblem,
    NormaliseSeen,
    RunSeen,
    RunsSeen,
    SplitCall,
    SplitProblem,
    next_number,
    observe_make_loaders_of,
    observe_normalise_by,
    observe_split_by_class,
)
from fmnist_helpers.exercises.observation import Call, Seen
from fmnist_helpers.exercises.observe import array

INCOMPLETE = "not all of what was to be seen is there."
"""Said of an observation that lacks a part; those made in a notebook are complete."""

OWN_SOURCE = Hints(
    "Look for the seed in your code, at every line that draws something, and at where its random numbers come from.",
    "Whatever draws can have a source of random numbers for itself, and it repeats itself if it starts from the same "
    "number. Who else draws from the one that your code uses?",
)
USE_OF_SEED = Hints(
    "Look at how the argument seed is used, and at what would be drawn without it.",
    "The same seed should repeat a draw, and another one should give another draw. What tells two of yours apart?",
)

# --- normalisation -----------------------------------------------------------------------------------------

WHOLE_SET = (0.2860, 0.3530)
"""Mean and deviation of the 60,000 training images of Fashion-MNIST, as many web pages have them."""

NO_FLOATS = "dtype|floating point|not implemented for|can't be cast"
"""Words of PyTorch's errors when bytes are to be averaged, or floats written into bytes."""

STEP_BY_STEP = Hints(
    "Print the mean image and the deviation, and follow a single pixel from its byte to its normalised value.",
    "Take one place and two training images with the bytes 0 and 51 there. What are they between 0 and 1, what is "
    "their mean, and what becomes of a byte of 255 at this place?",
)
SMALL = 3, 5
"""Height and width of the images in a problem of few pixels."""
ANY_SIZE = Hints(
    "Look for a number in your code that is only right for images of 28 by 28 pixels, and for width and height.",
    "The shape of what you get says how many images there are, how high and how wide. Which of your numbers could be "
    "read from it?",
)
WHICH_NUMBER = Hints(
    "Look at how the deviation is computed: by .std(), or by something else?",
    "Take the four numbers of the example in the task. Does your deviation come out as 0.163, or as 0.141?",
)
IN_PLACE = Hints(
    "Look for a line that writes into a tensor: an operation with a trailing underscore, or -=.",
    "Somebody else may still need these bytes. Which of your lines makes a new tensor, and which does not?",
)
FOUR_AXES = Hints(
    "Print the shape after each line of your function.",
    "A model wants to know four things of a batch of images, in this order: how many, channels, height, width. "
    "Which of the four is not in the bytes, and at which place does it belong?",
)
WHICH_AXES = Hints(
    "Print the shapes of your mean and of your deviation.",
    "The axis that you name is the one that goes. Which axis has to go for the mean image, and which for a single "
    "deviation?",
)


@seeded
def check_normalise_by(
    function: Callable, *, num_train: int = 36, num_others: int = 6, seed: int = 0
) -> None:
    """Check ``normalise_by(train_images, images)``: floats, by the training images' mean image and deviation.

    Raises:
        CheckFailed: with the likely belief.
    """
    # Where there are few pixels, it shows by which number the squares are divided.
    problems = normalise_problem(num_train, num_others, seed), normalise_problem(3, 2, seed, *SMALL)
    seen = [observe_normalise_by(function, problem) for problem in problems]

    def judged() -> str:
        lines = [judge_normalise_by(*both) for both in zip(problems, seen, strict=True)]
        return f"{lines[0]}; and images of {SMALL[0]} by {SMALL[1]} pixels"

    conclude("normalise_by", judged)


def normalise_problem(
    num_train: int, num_others: int, seed: int, height: int = 28, width: int = 28
) -> NormaliseProblem:
    """Return dark images for training; bright ones, a single one, and the training images to be normalised."""
    generator = torch.Generator().manual_seed(seed)
    dark, bright = (
        array(_noise(*kind, height, width, generator)) for kind in ((num_train, 3.0), (num_others, 0.6))
    )
    return NormaliseProblem(dark, [bright, array(bright.tensor()[:1].byte()), dark])


def judge_normalise_by(problem: NormaliseProblem, seen: NormaliseSeen) -> str:
    """Judge what was seen of ``normalise_by``."""
    check = Check("normalise_by", "normalisation")
    if len(seen.uses) != len(problem.batches):
        check.fail(INCOMPLETE)
    for batch, use in zip(problem.batches, seen.uses, strict=True):
        result = _result_of_bytes(check, use.call, batch.shape)
        for kept, what in ((use.train_kept, "training images"), (use.images_kept, "images")):
            if not kept:
                check.fail(f"the {what} that were handed over were changed in place.", hints=IN_PLACE)
        found = _floats(check, result, batch.shape).squeeze(1)
        _judge_pixels(check, found, batch.tensor() / 255, problem.train.tensor() / 255)
    return f"{problem.batches[0].shape[0]} images, a single one, and the training images themselves"


def _result_of_bytes(check: Check, call: Call, given: list[int]) -> Seen:
    try:
        return check.result(call)
    except CheckFailed as failure:
        if call.raised is None or call.raised.unwritten:
            raise
        if re.search(NO_FLOATS, call.raised.message):
            check.fail(failure.seen, "bytes_are_floats")
        if given[1:] == [28, 28]:
            raise
        check.fail(f"for images of shape {tuple(given)} {failure.seen}", hints=ANY_SIZE)


def _floats(check: Check, seen: Seen, given: list[int]) -> Tensor:
    """Return the normalised images; end the check unless they are float32 of the right shape."""
    found, shape = seen.array if seen.is_a("Tensor") else None, (given[0], 1, *given[1:])
    if found is not None and tuple(found.shape) != shape:
        check.fail(
            f"for images of shape {tuple(given)} the result should have shape {shape}, and it has "
            f"{tuple(found.shape)}.",
            hints=FOUR_AXES,
            section="bytes",
        )
    if found is not None and "int" in found.dtype:
        check.fail(f"the result holds whole numbers, torch.{found.dtype}.", "bytes_are_floats")
    return check.tensor(seen, shape, "the result", "float32")


def _judge_pixels(check: Check, found: Tensor, pixels: Tensor, train: Tensor) -> None:
    """Compare with the right floats, then with those of likely mistakes; a tenth of a byte is no difference."""
    mean, deviation = train.mean(dim=0), train.std()
    right = (pixels - mean) / deviation
    if close(found, right, 1e-3):
        return
    likely = (
        *_of_other_images(pixels, train),
        *_of_bytes(pixels, mean, deviation),
        *_of_a_step(pixels, train, mean, deviation),
        *_of_a_count(pixels, train),
    )
    check.compare(found, right, likely, _otherwise(found, right, pixels, mean), 1e-3)


def _of_a_count(pixels: Tensor, train: Tensor) -> Iterator[Wrong]:
    """Give what comes of squares that are divided by another number; of many pixels that makes no difference."""
    number, whole = train.numel(), train.std(correction=0)
    seen = (
        f"the deviation came from squares divided by their number, {number}; .std() divides by {number - 1}."
    )
    for mean in (train.mean(dim=0), train.mean()):
        yield Wrong((pixels - mean) / whole, seen, None, WHICH_NUMBER)


def _of_other_images(pixels: Tensor, train: Tensor) -> Iterator[Wrong]:
    """Give what comes of numbers that other images than the training images have a part in."""
    every, themselves = torch.cat([train, pixels]), "the images that were to be normalised"
    mean, deviation, own, spread = train.mean(dim=0), train.std(), pixels.mean(dim=0), pixels.std()
    for m, d, what in (
        (own, spread, f"mean image and deviation come from {themselves}"),
        (own, deviation, f"the mean image comes from {themselves}"),
        (mean, spread, f"the deviation comes from {themselves}"),
        (pixels.mean(), spread, f"mean and deviation come from {themselves}"),
        (every.mean(dim=0), every.std(), f"{themselves} have a part in mean image and deviation"),
        (every.mean(dim=0), deviation, f"{themselves} have a part in the mean image"),
        (mean, every.std(), f"{themselves} have a part in the deviation"),
        (*WHOLE_SET, "mean and deviation come from the 60,000 images of Fashion-MNIST"),
    ):
        seen = f"{what}; those of the training images are asked for."
        yield Wrong((pixels - m) / d, seen, "statistics_of_all")
    spreads, means = torch.std_mean(pixels, (1, 2), keepdim=True)
    for d in (spreads, deviation):
        seen = "from each image its own mean was subtracted; the training images' mean image is asked for."
        yield Wrong((pixels - means) / d, seen, "statistics_of_all")


def _of_bytes(pixels: Tensor, mean: Tensor, deviation: Tensor) -> Iterator[Wrong]:
    """Give what comes of arithmetic with whole numbers."""
    below = ((255 * pixels).round() - (255 * mean + 1e-6).floor()) % 256
    for d in (deviation, 1 / 255, 255 * deviation, deviation / 255):
        seen = "pixels darker than the mean image came out bright: bytes below 0 start again at 255."
        yield Wrong(below / 255 / d, seen, "bytes_are_floats")
    seen = "every byte but 255 became 0: whole numbers were divided."
    yield Wrong(((pixels == 1).double() - mean) / deviation, seen, "bytes_are_floats")


def _of_a_step(pixels: Tensor, train: Tensor, mean: Tensor, deviation: Tensor) -> Iterator[Wrong]:
    """Give what comes of a mean or a deviation of another shape, or of a step left out or done twice."""
    places = "the mean image has a number for each place"
    rows, columns = train.mean(dim=(0, 2))[:, None], train.mean(dim=(0, 1))
    for m, d, what in (
        (train.mean(), deviation, f"the same number was subtracted at every place; {places}"),
        (rows, deviation, f"a number per row was subtracted; {places}"),
        (columns, deviation, f"a number per column was subtracted; {places}"),
        (mean, train.std(dim=0), "each place was divided by its own deviation; one for all is asked for"),
    ):
        yield Wrong((pixels - m) / d, f"{what}.", None, WHICH_AXES)
    for m, d, what in (
        (mean, 1.0, "the mean image was subtracted, but nothing was divided by the deviation"),
        (0.0, deviation, "the pixels were divided by the deviation, but the mean image was not subtracted"),
        (0.0, 1.0, "the pixels were scaled, but not normalised"),
        (0.0, 1 / 255, "the bytes came back as floats, neither scaled nor normalised"),
        (mean, deviation**2, "the pixels were divided by the square of the deviation"),
        (mean, -deviation, "the images were subtracted from the mean image, not the other way round"),
        (mean / 255, deviation / 255, "bytes up to 255 were normalised with numbers for pixels up to 1"),
        (255 * mean, 255 * deviation, "pixels up to 1 were normalised with numbers for bytes up to 255"),
        (mean, 255 * deviation, "pixels up to 1 were divided by a deviation for bytes up to 255"),
        (mean, deviation / 255, "bytes up to 255 were divided by a deviation for pixels up to 1"),
    ):
        yield Wrong((pixels - m) / d, f"{what}.", None, STEP_BY_STEP)


def _otherwise(found: Tensor, right: Tensor, pixels: Tensor, mean: Tensor) -> Wrong:
    """Name the pixel that is furthest from what it should be."""
    if not found.isfinite().all():
        return Wrong(None, "some of the normalised pixels are not finite.", None, STEP_BY_STEP)
    image, row, column = torch.unravel_index((found - right).abs().argmax(), right.shape)
    seen = (
        f"in row {row}, column {column} a byte of {255 * pixels[image, row, column]:.0f} became "
        f"{found[image, row, column]:.3f}, and it should be {right[image, row, column]:.3f}: the mean there is "
        f"{mean[row, column]:.3f} (between 0 and 1)."
    )
    return Wrong(None, seen, None, STEP_BY_STEP)


def _noise(number: int, power: float, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Bytes of images: a large power makes dark ones; images and rows differ in brightness."""
    brightness = 0.5 + torch.rand(number, 1, 1, generator=generator) / 2
    rows = torch.linspace(0.4, 1, height)[:, None]
    images = 255.9 * torch.rand(number, height, width, generator=generator) ** power * brightness * rows
    images[:, 0, 0], images[:, -1, -1] = 0, 255
    return images.byte()


# --- loaders -----------------------------------------------------------------------------------------------

FIRST_TEST_SAMPLE = 1000
"""Training samples are numbered from 0, test samples from here."""

NEW_ORDER = Hints(
    "Look for the place where the order is drawn, and count how often it is reached.",
    "An order that is drawn once stays as it is. Who asks for the next one when a new epoch begins?",
)
MIXED = Hints(
    "Look at what your code shuffles: samples, batches, or the place where the epoch begins?",
    "Think of cards in stacks of eight. Which cards can be neighbours after the stacks were shuffled, and which "
    "after all the cards were?",
)
EACH_ONCE = Hints(
    "Look at every argument of the loader, and count the samples of one epoch.",
    "An epoch is every sample once. What happens in your loader to those that do not fill a batch, can a sample be "
    "drawn twice, and who ends the epoch?",
)
BATCH_SIZE = Hints(
    "Look at how the argument batch_size reaches each of the two loaders.",
    "Ten samples in boxes of four: how many are in each box? What has to be the same for every box but the last?",
)


@seeded
def check_make_loaders_of(
    function: Callable, *, num_train: int = 50, num_test: int = 22, batch_size: int = 8, seed: int = 0
) -> None:
    """Check ``make_loaders_of(train_set, test_set, batch_size, seed)``: one loader shuffles, the other does not.

    Raises:
        CheckFailed: with the likely belief.
    """
    problem = loaders_problem(num_train, num_test, batch_size, seed)
    seen = observe_make_loaders_of(function, problem)
    conclude("make_loaders_of", lambda: judge_make_loaders_of(problem, seen))


def loaders_problem(num_train: int, num_test: int, batch_size: int, seed: int) -> LoadersProblem:
    """Return numbered samples, and four runs: two with the same seed, one with another, and again the first one.

    In the last one a second pair of loaders, with the other seed, is made before the first pair is read.
    """
    test = range(FIRST_TEST_SAMPLE, FIRST_TEST_SAMPLE + num_test)
    runs = [LoadersRun(seed + other, seed + 77 * draws, draws) for other, draws in ((0, 1), (0, 2), (1, 1))]
    runs.append(LoadersRun(seed, seed, 1, seed + 1))
    return LoadersProblem(list(range(num_train)), list(test), batch_size, runs)


def judge_make_loaders_of(problem: LoadersProblem, seen: RunsSeen) -> str:
    """Judge what was seen of ``make_loaders_of``."""
    check = Check("make_loaders_of", "shuffling")
    if len(seen.runs) != len(problem.runs):
        check.fail(INCOMPLETE)
    one, same, other, between = [_judge_run(check, problem, run) for run in seen.runs]
    seed = problem.runs[0].seed
    if one != same:
        states, later = (run.next_numbers for run in seen.runs[:2])
        seeded = " and ".join(name for name in states if states[name] == later.get(name))
        extra = f" The seed went to all of {seeded}, and others draw random numbers, too." if seeded else ""
        check.fail(
            f"two new training loaders with seed {seed} gave two different orders.{extra}", hints=OWN_SOURCE
        )
    if one[0] == other[0]:
        words = f"the training loaders of the seeds {seed} and {problem.runs[2].seed} gave the same order."
        check.fail(words, hints=USE_OF_SEED)
    if one != between:
        words = f"the training loader of seed {seed} gave another order because a second pair, with seed "
        words += f"{problem.runs[3].second}, was made before it was read."
        check.fail(words, hints=OWN_SOURCE)
    num_train, num_test = len(problem.train), len(problem.test)
    return f"{num_train} training samples, shuffled and repeatable; {num_test} test samples, in order"


def _judge_run(check: Check, problem: LoadersProblem, run: RunSeen) -> list[list[float]]:
    """Return the training samples of two epochs; end the check if any of the loader's orders is no right one."""
    for loader in _two(check, check.result(run.call), "loaders"):
        if not loader.is_a("DataLoader"):
            check.fail(f"two objects of type DataLoader should come back, and one is of type {loader.type}.")
    parts = [("training", problem.train), ("test", problem.test), ("training", problem.train)]
    if len(run.epochs) != len(parts):
        check.fail(INCOMPLETE)
    passes = [
        _batches(check, epoch, *part, problem.batch_size)
        for epoch, part in zip(run.epochs, parts, strict=True)
    ]
    first, test, second = (list(chain(*batches)) for batches in passes)
    if first == problem.train:
        check.fail("the training loader gave the samples in the order of the data set.", "loader_shuffles")
    if test != problem.test:
        seen = "the test loader gave the samples in another order than the data set."
        check.fail(seen, "loader_shuffles")
    if first == second:
        check.fail("both epochs of one training loader came in the same order.", hints=NEW_ORDER)
    if stacked := _stacked(passes[0], passes[2]):
        check.fail(stacked, hints=MIXED)
    return [first, second]


def _batches(
    check: Check, epoch: EpochSeen, name: str, part: list[int], batch_size: int
) -> list[list[float]]:
    """Return the sample numbers of each batch; end the check if one is missing, or a batch has another size."""
    check.result(epoch.call)
    batches = [_numbers(check, batch, name) for batch in epoch.batches]
    numbers, sizes = list(chain(*batches)), [len(batch) for batch in batches]
    if not set(numbers) <= set(part):
        check.fail(f"the {name} loader gave samples of another data set.", section="splits")
    if sizes and (sizes[-1] > batch_size or any(size != batch_size for size in sizes[:-1])):
        wanted = [min(batch_size, len(part) - start) for start in range(0, len(part), batch_size)]
        seen = (
            f"the batches of the {name} loader have the sizes {_some(sizes)}; {_some(wanted)} are asked for."
        )
        # Samples, batches and batch size were mixed up where one of the other two stands for the batch size.
        mixed_up = sizes[0] in (len(part), len(wanted), len(part) // batch_size)
        check.fail(seen, "epoch_is_iteration" if mixed_up else None, None if mixed_up else BATCH_SIZE)
    if not epoch.ended or sorted(numbers) != part:
        repeated = len(numbers) - len(set(numbers))
        check.fail(
            f"an epoch of the {name} loader {'gave' if epoch.ended else 'had not ended after'} {len(numbers)} samples"
            f"{f', {repeated} of them repeated' if repeated else ''}; the data set has {len(part)}, each once.",
            hints=EACH_ONCE,
            section="batches",
        )
    return batches


def _numbers(check: Check, batch: Seen, name: str) -> list[float]:
    pair = batch.items if batch.items is not None and len(batch.items) == 2 else None
    if pair is None:
        check.fail(f"a batch of the {name} loader is not a pair of images and labels.", section="batches")
    size = len(pair[1].array.numbers) if pair[1].array is not None else 0
    labels = check.array(pair[1], (size,), f"the labels in a batch of the {name} loader")
    images = check.array(pair[0], (size, 1, 2, 2), f"the images in a batch of the {name} loader")
    if not close(images.numbers[::4], labels, 0):
        check.fail(f"images of the {name} loader have labels of other images.", section="batches")
    return labels.numbers


def _stacked(first: list[list[float]], second: list[list[float]]) -> str:
    """Say how it shows that stacks of samples were shuffled, not samples; nothing if it does not, or by chance."""
    numbers = list(chain(*first))
    if len(numbers) < 16 or len(first) < 4:
        return ""
    if len(first[0]) > 1 and {frozenset(batch) for batch in first} == {frozenset(batch) for batch in second}:
        return "both epochs had the same samples together in a batch; a new order would mix them anew."
    neighbours = sum(after == before + 1 for before, after in pairwise(numbers))
    if neighbours > len(numbers) / 2:
        return f"after {neighbours} of {len(numbers)} training samples came the next one of the data set, not any."
    return ""


def _some(sizes: list[int]) -> str:
    few = sizes if len(sizes) <= 8 else [*sizes[:3], "...", sizes[-1]]
    return ", ".join(map(str, few))


# --- a split by class --------------------------------------------------------------------------------------

SIZES = {1: 9, 4: 3, 8: 6, 23: 14}
"""Class number → samples: not all numbers occur, some are above 9, and one class is held out as a whole."""
NUM_SEEDS = 60

WHICH_PLACES = Hints(
    "Look at what your indices count: places in all labels, or places in a part of them?",
    "Five samples, of which the second and the fourth are of class 7. Which numbers should come out for them?",
)
TAKEN_AWAY = Hints(
    "Look at how each part is made: can a sample be drawn twice, and what is taken away from all samples?",
    "Think of cards that are dealt to two players: each card lies before exactly one of them, once. Where in your code "
    "could a card be copied, or get lost?",
)
COUNT = Hints(
    "Count the held-out samples of each class, and look at which classes your code goes through.",
    "Three classes with 9, 3 and 14 samples, 2 to be held out of each. Which numbers does your code compute on the "
    "way?",
)
WHICH_CLASSES = Hints(
    "Look at the classes that your code goes through: where do they come from?",
    "Not every number has to be a class. What becomes of a class that does not occur at all?",
)
TOO_FEW = Hints(
    "Look for the place where you know how many samples a class has.",
    "A split that is quietly smaller than promised misleads everybody who uses it. Where can you notice it, and how "
    "do you say so?",
)


@seeded
def check_split_by_class(
    function: Callable, *, num_each: int = 3, sizes: dict[int, int] | None = None, seed: int = 0
) -> None:
    """Check the split of ``split_by_class(labels, num_each, seed)``: counts, completeness, and the ValueError.

    Raises:
        CheckFailed: with what was seen.
    """
    problem = split_problem(num_each, sizes or SIZES, seed)
    seen = observe_split_by_class(function, problem)
    conclude("split_by_class", lambda: judge_split_by_class(problem, seen))


def split_problem(num_each: int, sizes: dict[int, int], seed: int) -> SplitProblem:
    """Return labels that can be split, and some in which the first or the last class has too few samples."""
    poor = [sizes | {label: num_each - 1} for label in (min(sizes), max(sizes))]
    return SplitProblem([SplitCall(_labels(each, seed), num_each, seed, seed) for each in (sizes, *poor)])


def judge_split_by_class(problem: SplitProblem, seen: RunsSeen) -> str:
    """Judge the split, and the refusals."""
    check = Check("split_by_class", "splits")
    if len(seen.runs) != len(problem.calls):
        check.fail(INCOMPLETE)
    given = problem.calls[0]
    sizes, every = Counter(given.labels), range(len(given.labels))
    if seen.runs[0].value_error:
        classes, raised = ", ".join(map(str, sorted(sizes))), seen.runs[0].call.raised
        message = f"ValueError: {raised.message}" if raised else "a ValueError"
        words = f"the labels were {classes}, with enough samples of each, and it raised {message}."
        check.fail(words, hints=WHICH_CLASSES)
    train, held = _parts(check, seen.runs[0])
    if not set(train + held) <= set(every):
        check.fail(f"there are sample numbers that are not among 0 to {every[-1]}.", hints=WHICH_PLACES)
    for number, what in (
        (len(set(train) & set(held)), "{} of {} samples are in both parts."),
        (len(train) - len(set(train)), "the training part holds {} of {} samples more than once."),
        (len(held) - len(set(held)), "the held-out part holds {} of {} samples more than once."),
    ):
        if number:
            check.fail(what.format(number, len(every)), hints=TAKEN_AWAY)
    of_class = Counter(given.labels[int(number)] for number in held)
    for label, size in sorted(sizes.items()):
        if of_class[label] != given.num_each:
            check.fail(
                f"{of_class[label]} of {size} samples of class {label} were held out; {given.num_each} are asked for.",
                hints=COUNT,
            )
    if missing := len(every) - len(train + held):
        check.fail(f"{missing} of {len(every)} samples are in neither part.", hints=TAKEN_AWAY)
    for poor, refused in zip(problem.calls[1:], seen.runs[1:], strict=True):
        _judge_refusal(check, poor, refused, set(sizes))
    return f"{len(sizes)} classes, {given.num_each} samples of each held out, and too few refused"


def _judge_refusal(check: Check, given: SplitCall, seen: RunSeen, classes: set[int]) -> None:
    raised = seen.call.raised
    if seen.value_error and raised is not None:
        return
    if raised is None or raised.unwritten:
        check.result(seen.call)
    label = min(classes, key=Counter(given.labels).__getitem__)
    check.fail(
        f"class {label} had {given.num_each - 1} samples, {given.num_each} were to be held out, and "
        f"{raised.type if raised else 'nothing'} was raised; a ValueError is asked for.",
        hints=TOO_FEW,
    )


# --- its draw ----------------------------------------------------------------------------------------------

WHERE_TO_CUT = Hints(
    "Look at which samples of a class can be drawn at all, and in which combinations.",
    "Put the samples of a class on a table like cards. Does your code shuffle them, or does it only choose where to "
    "cut?",
)
SIDE_EFFECT = Hints(
    "Look for a seed that is set for everybody, and for a draw that is not told where to take its random numbers from.",
    "Somebody calls your function in the middle of a training. Which random numbers will the training get after that, "
    "with your function and without it?",
)


@seeded
def check_split_by_class_seed(
    function: Callable, *, num_each: int = 3, sizes: dict[int, int] | None = None, seed: int = 0
) -> None:
    """Check the draw of ``split_by_class(labels, num_each, seed)``: repeatable, random, and without side effects.

    Every class needs clearly more than ``num_each`` samples, so that many draws are possible.

    Raises:
        CheckFailed: with what was seen.
    """
    problem = draws_problem(num_each, sizes or {0: 9, 3: 8, 14: 10}, seed)
    seen = observe_split_by_class(function, problem)
    conclude("split_by_class", lambda: judge_split_by_class_seed(problem, seen))


def draws_problem(num_each: int, sizes: dict[int, int], seed: int) -> SplitProblem:
    """Return the same labels for many seeds, the first one twice; each call finds another global random state."""
    labels, seeds = _labels(sizes, seed), [seed, *range(seed, seed + NUM_SEEDS)]
    return SplitProblem(
        [SplitCall(labels, num_each, one, seed + 1 + number) for number, one in enumerate(seeds)]
    )


def judge_split_by_class_seed(problem: SplitProblem, seen: RunsSeen) -> str:
    """Judge the draws of all seeds, and what the first of them left behind."""
    check = Check("split_by_class", "splits")
    if len(seen.runs) != len(problem.calls):
        check.fail(INCOMPLETE)
    given = problem.calls[0]
    again, *draws = [set(_parts(check, one)[1]) for one in seen.runs]
    num_seeds = len(draws)
    if again != draws[0]:
        words = f"two calls with the same labels and seed {given.seed} gave two draws."
        check.fail(words, hints=OWN_SOURCE)
    if all(draw == draws[0] for draw in draws):
        check.fail(f"{num_seeds} seeds gave the same draw.", hints=USE_OF_SEED)
    for label, size in sorted(Counter(given.labels).items()):
        members = {number for number, other in enumerate(given.labels) if other == label}
        if never := members - set().union(*draws):
            words = f"{len(never)} of the {size} samples of class {label} were never held out"
        elif always := members.intersection(*draws):
            words = f"{len(always)} of the {size} samples of class {label} were held out every time"
        elif (different := len({frozenset(draw & members) for draw in draws})) < num_seeds / 4:
            words = f"for class {label} there were only {different} different draws"
        else:
            continue
        check.fail(f"{words}, with {num_seeds} seeds.", hints=WHERE_TO_CUT)
    generator = torch.Generator().manual_seed(given.start)
    if seen.runs[0].next_numbers.get("PyTorch") != [next_number(generator) for _ in range(2)][1]:
        words = "PyTorch's global random state was not the same after the call."
        check.fail(words, hints=SIDE_EFFECT)
    return (
        f"{num_seeds} seeds, each with a draw of its own, and PyTorch's own random numbers are as they were"
    )


def _labels(sizes: dict[int, int], seed: int) -> list[int]:
    """Return labels in mixed order, so many of each class."""
    labels = torch.tensor([label for label, size in sizes.items() for _ in range(size)])
    return labels[torch.rand(len(labels), generator=torch.Generator().manual_seed(seed)).argsort()].tolist()


def _parts(check: Check, seen: RunSeen) -> tuple[list[float], list[float]]:
    """Return the sample numbers of both parts; end the check unless they are two int64 tensors of one axis."""
    result = check.result(seen.call)
    if not seen.labels_kept:
        check.fail("the labels that were handed over were changed in place.", hints=IN_PLACE)
    train, held = (
        check.array(part, (len(part.array.numbers) if part.array else 0,), what, "int64").numbers
        for part, what in zip(_two(check, result, "tensors"), ("train_indices", "held_indices"), strict=True)
    )
    return train, held


# --- form --------------------------------------------------------------------------------------------------


def _two(check: Check, seen: Seen, what: str) -> list[Seen]:
    if seen.items is None or len(seen.items) != 2:
        check.fail(f"two {what} should come back, and it is {_what(seen)}.")
    return seen.items


def _what(seen: Seen) -> str:
    if seen.items is not None:
        return f"a {seen.type} of {len(seen.items)}"
    return seen.name if seen.type == "NoneType" else f"an object of type {seen.type}"
