"""The tasks in the middle of the start page: each as its solution and a judgement."""

from fmnist_helpers.exercises.check import Hints, Wrong
from fmnist_helpers.exercises.turns import Called, turn


def num_pixels(width, height):
    return width * height


@turn(num_pixels, "start")
def judge_num_pixels(called: Called) -> str:
    for width, height in ((28, 28), (3, 5)):
        found = called.number(called(width, height), "the number of pixels")
        called.compare(
            found,
            width * height,
            [
                Wrong(
                    width + height,
                    f"for {width} by {height} it gives {width + height}: the sum.",
                    hints=Hints(
                        "Look at the sign between the two.",
                        "How many pixels stand in a row, and how many rows are there?",
                    ),
                ),
                Wrong(28 * 28, f"for {width} by {height} it gives 784, which holds for 28 by 28 only."),
            ],
            Wrong(
                None, f"for {width} by {height} it gives {found:g}, and there are {width * height} pixels."
            ),
        )
    return "Tried on two sizes."


def share_right(guesses, labels):
    right = 0
    for guess, label in zip(guesses, labels):
        if guess == label:
            right += 1
    return right / len(labels)


@turn(share_right, "start")
def judge_share_right(called: Called) -> str:
    for guesses, labels in (([3, 1, 4, 1], [3, 1, 5, 2]), ([0, 7, 7], [1, 7, 2]), ([300, 301], [300, 302])):
        found = called.number(called([int(str(one)) for one in guesses], list(labels)), "the share")
        right = sum(guess == label for guess, label in zip(guesses, labels, strict=True))
        share, given = right / len(labels), f"for {guesses} and {labels}"
        called.compare(
            found,
            share,
            [
                Wrong(
                    right,
                    f"{given} it gives {right}: how many are right, not which share of them.",
                    hints=Hints(
                        "Look at what you return.",
                        "A share lies between 0 and 1. By what must a count be divided?",
                    ),
                ),
                Wrong(
                    1 - share,
                    f"{given} it gives {1 - share:g}: the share of wrong guesses.",
                    hints=Hints("Look at your comparison.", "Do you count where the two are equal?"),
                ),
                Wrong(100 * share, f"{given} it gives {100 * share:g}: per cent, and a share was asked for."),
                Wrong(
                    0,
                    f"{given} it gives 0, though {right} are right.",
                    hints=Hints(
                        "Is each guess compared with the label at its own place?",
                        "Two lists are only equal if all their items are. Go through the pairs with zip.",
                    ),
                ),
            ],
            Wrong(None, f"{given} it gives {found:g}, and {right} of {len(labels)} are right."),
        )
    return "Tried on two lists of guesses."
