"""The tasks in the middle of lesson 01: each as its solution and a judgement."""

import torch

from fmnist_helpers.exercises.check import Hints, Wrong
from fmnist_helpers.exercises.turns import Called, turn


def count_of_class(labels, label):
    return (labels == label).sum().item()


@turn(count_of_class, "tensors")
def judge_count_of_class(called: Called) -> str:
    labels = torch.tensor([2, 0, 2, 1, 2, 4, 3])
    for label in (2, 0, 9):
        seen = called(labels.clone(), label)
        if seen.array is not None and seen.array.dtype == "bool":
            called.fail(
                "it gives the mask itself, one True or False for each label, and not how many are True.",
                hints=Hints(
                    "What does sum() make of a mask?",
                    "True counts as 1 and False as 0, so the sum of a mask is a count.",
                ),
            )
        if seen.array is not None:
            called.fail(
                f"it gives a tensor of shape {tuple(seen.array.shape)}, and a Python number was asked for.",
                hints=Hints(
                    "Which method turns a tensor with a single number into a Python number?",
                    "It was used with the largest byte: .item().",
                ),
            )
        found, right = called.number(seen, "the count"), int((labels == label).sum())
        called.compare(
            found,
            right,
            [
                Wrong(
                    len(labels),
                    f"for label {label} it gives {len(labels)}: how many labels there are in all.",
                    hints=Hints("len of a mask is its length.", "How many of its entries are True?"),
                ),
                Wrong(
                    label * right,
                    f"for label {label} it gives {label * right}: the labels themselves were added up.",
                    hints=Hints(
                        "Look at what is added: labels, or the entries of a mask?",
                        "Each sample of the class should add 1.",
                    ),
                ),
            ],
            Wrong(None, f"for label {label} it gives {found:g}, and the class occurs {right} times."),
        )
    return "Tried on classes that occur three times, once and never."


def mean_image(images):
    return images.float().mean(dim=0)


@turn(mean_image, "tensors")
def judge_mean_image(called: Called) -> str:
    images = torch.randint(0, 256, (5, 4, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    seen = called(images.clone())
    shape = tuple(seen.array.shape) if seen.array else None
    which = {
        (): "a single number: the mean over everything",
        (5,): "one number per image",
        (5, 6): "shape (5, 6): the mean over the rows of each image",
        (5, 4): "shape (5, 4): the mean over the columns of each image",
    }
    if shape in which:
        called.fail(
            f"for 5 images of 4 by 6 pixels it gives {which[shape]}.",
            hints=Hints(
                "Which axis counts the images?",
                "dim names the axis that disappears. Five images become one, so it is theirs that goes.",
            ),
        )
    found = called.tensor(seen, (4, 6), "the mean image of 5 images of 4 by 6 pixels")
    called.compare(
        found,
        images.double().mean(dim=0),
        [
            Wrong(images.double().sum(dim=0), "it gives the sum of the images, and the mean was asked for."),
            Wrong(images.double().mean(dim=0) / 255, "each number is 255 times too small."),
            Wrong(
                images.double().mean(dim=0).floor(),
                "the numbers are cut to whole ones.",
                "bytes_are_floats",
            ),
        ],
        Wrong(None, "the shape is right, and the numbers are not the mean over the images."),
    )
    return "Compared with the mean of 5 images, pixel by pixel."


def to_floats(pixels):
    return pixels.unsqueeze(0).float() / 255


@turn(to_floats, "bytes")
def judge_to_floats(called: Called) -> str:
    # No pixel is white: to divide by the largest would be right by chance.
    pixels = torch.arange(28 * 28).remainder(250).to(torch.uint8).reshape(28, 28)
    seen = called(pixels.clone())
    shape = tuple(seen.array.shape) if seen.array else None
    if shape in ((28, 28), (28, 28, 1), (28, 1, 28)):
        called.fail(
            f"for an image of shape (28, 28) the result has shape {shape}, and it should have (1, 28, 28).",
            hints=Hints(
                "Which call adds an axis of length 1, and where does it put it?",
                "unsqueeze takes the place of the new axis; the first place is 0.",
            ),
        )
    found = called.tensor(seen, (1, 28, 28), "the result for an image of shape (28, 28)")
    right = pixels.double().unsqueeze(0) / 255
    called.compare(
        found,
        right,
        [
            Wrong(pixels.double() / 256, "white becomes 255/256, because 256 was divided by."),
            Wrong(pixels.double(), "the values still go up to 255."),
            Wrong(
                pixels.double() / 249,
                "it was divided by the largest value of this image: 255 is white, whatever the image holds.",
            ),
            Wrong(
                (pixels // 255).double(),
                "only 0 and 1 are left: whole numbers were divided.",
                "bytes_are_floats",
            ),
        ],
        Wrong(None, "the shape is right, and the values are not the bytes divided by 255."),
        tolerance=1e-6,
    )
    called.tensor(seen, (1, 28, 28), "the result", "float32")
    return "Compared with each byte divided by 255; shape and dtype looked at, too."


def num_iterations(num_samples, batch_size):
    full, remainder = divmod(num_samples, batch_size)
    return full + 1 if remainder else full


@turn(num_iterations, "batches")
def judge_num_iterations(called: Called) -> str:
    for num_samples, batch_size in ((11, 4), (12, 4), (3, 4), (55_000, 64)):
        found = called.number(called(num_samples, batch_size), "the number of iterations")
        whole, remainder = divmod(num_samples, batch_size)
        right, given = whole + bool(remainder), f"for {num_samples} samples in batches of {batch_size}"
        called.compare(
            found,
            right,
            [
                Wrong(
                    whole,
                    f"{given} it gives {whole}: the short last batch is missing.",
                    hints=Hints(
                        "Put ten dots into boxes of four. How many boxes do you need?",
                        "What is left after the full batches is a batch, too.",
                    ),
                ),
                Wrong(
                    whole + 1,
                    f"{given} it gives {whole + 1}: one too many, because nothing is left over.",
                    hints=Hints(
                        "Twelve dots fill three boxes of four exactly. Is there a fourth?",
                        "The remainder of a division, %, says whether anything is left over.",
                    ),
                ),
                Wrong(
                    num_samples / batch_size,
                    f"{given} it gives {num_samples / batch_size:g}, and batches are counted in whole ones.",
                ),
            ],
            Wrong(None, f"{given} it gives {found:g}, and there are {right} batches.", "epoch_is_iteration"),
            tolerance=1e-9,
        )
    return "Tried with and without a short last batch, and with a single one."
