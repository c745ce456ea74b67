"""The tasks in the middle of lesson 07: each as its solution and a judgement."""

import torch
from torch import nn

from fmnist_helpers.exercises.check import Hints, Wrong
from fmnist_helpers.exercises.turns import Called, turn


def convolve(image, kernel):
    height, width = image.shape
    result = torch.zeros(height - 2, width - 2)
    for row in range(height - 2):
        for column in range(width - 2):
            window = image[row : row + 3, column : column + 3]
            result[row, column] = (window * kernel).sum()
    return result


@turn(convolve, "convolution")
def judge_convolve(called: Called) -> str:
    generator = torch.Generator().manual_seed(0)
    image, kernel = torch.rand(6, 5, generator=generator), torch.randn(3, 3, generator=generator)
    seen = called(image.clone(), kernel.clone())
    if seen.array is not None and tuple(seen.array.shape) in ((6, 5), (3, 2), (5, 4)):
        found = "{} by {}".format(*seen.array.shape)
        called.fail(
            f"an image of 6 by 5 gave a map of {found}, and it should be 4 by 3.",
            hints=Hints(
                "In how many places does the window fit, from top to bottom?",
                "The window is three rows high. Where does its upper row stand when its lower row is the last?",
            ),
        )
    found = called.tensor(seen, (4, 3), "the map")

    def slid(one, weights):
        return nn.functional.conv2d(one[None, None], weights[None, None])[0, 0]

    rows = slid(image, kernel)
    called.compare(
        found,
        rows,
        [
            Wrong(slid(image, kernel.flip(0, 1)), "the kernel is turned by half; here it stays as it is."),
            Wrong(
                slid(image, kernel.T), "the kernel lies on its side: its rows meet the columns of the window."
            ),
            Wrong(rows / 9, "each number is the mean of nine products, and it should be their sum."),
            Wrong(
                slid(image, torch.ones(3, 3)),
                "each number is the sum of the window: the kernel is not in it.",
            ),
            Wrong(
                slid(image, torch.ones(3, 3)) * kernel.sum(),
                "each number is one sum times another: multiply first, number by number, and then add up.",
            ),
            Wrong(
                rows[:1, :1].expand(4, 3),
                "the window stands still: every place of the map has the same number.",
            ),
            Wrong(torch.zeros(4, 3), "the map is 0 everywhere: nothing is written into it."),
            *(
                Wrong(
                    rows * places, "the last row or column of the map is 0: a loop ends one place too early."
                )
                for places in _without_the_last_places()
            ),
        ],
        Wrong(
            None,
            "the map has the right shape, and not the numbers of conv2d.",
            hints=Hints(
                "Which nine pixels does the window see at row 1, column 2?",
                "Rows `row` to `row + 2`, columns `column` to `column + 2`; a slice leaves its end out.",
            ),
        ),
    )
    return "Compared with conv2d, on an image that is not square."


def _without_the_last_places() -> list[torch.Tensor]:
    """Return masks of a map of 4 by 3 that lack its last row, its last column, or both."""
    row, column = torch.ones(4, 3), torch.ones(4, 3)
    row[-1], column[:, -1] = 0, 0
    return [row, column, row * column]


def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3), keepdim=True)
    variance = values.var(dim=(0, 2, 3), keepdim=True, correction=0)
    return (values - mean) / (variance + 1e-5).sqrt() * scale + shift


@turn(batch_norm, "batch_normalisation")
def judge_batch_norm(called: Called) -> str:
    generator = torch.Generator().manual_seed(0)
    values = 3 * torch.randn(4, 3, 2, 2, generator=generator) + torch.arange(3.0)[:, None, None]
    # A channel that hardly varies, so that the small number under the root matters.
    values[:, 0] /= 1000
    scale, shift = torch.tensor([0.5, 2.0, 3.0])[:, None, None], torch.tensor([1.0, -1.0, 4.0])[:, None, None]
    found = called.tensor(called(values.clone(), scale.clone(), shift.clone()), (4, 3, 2, 2), "the result")

    def normed(dim, correction=0, power=0.5, times=scale, plus=shift, small=1e-5):
        mean, variance = (
            values.mean(dim=dim, keepdim=True),
            values.var(dim=dim, keepdim=True, correction=correction),
        )
        return (values - mean) / (variance + small) ** power * times + plus

    ours = (0, 2, 3)
    called.compare(
        found,
        nn.functional.batch_norm(values, None, None, scale.flatten(), shift.flatten(), training=True),
        [
            Wrong(normed(ours, times=1, plus=0), "scale and shift are not used."),
            Wrong(
                normed(ours, small=0),
                "where a channel hardly varies, the result is far too large: 1e-5 under the root is missing.",
            ),
            Wrong(normed(ours, plus=0), "the shift is missing."),
            Wrong(normed(ours, times=1), "the scale is missing."),
            Wrong(normed(ours, times=shift, plus=scale), "scale and shift have changed places."),
            Wrong(
                normed(ours) - shift + shift * scale,
                "the shift was added before the scale was applied; it comes last.",
            ),
            Wrong(
                normed(ours, power=1.0),
                "the values were divided by the variance, and should be by its square root.",
            ),
            Wrong(
                normed(ours, correction=1),
                "the variance divides by n - 1; here it is the plain mean of the squares: correction=0.",
            ),
            Wrong(
                normed((0, 1, 2, 3)), "mean and variance are of all values; each channel should have its own."
            ),
            Wrong(normed((1, 2, 3)), "mean and variance are of each image, and should be of each channel."),
            Wrong(normed((2, 3)), "mean and variance are of each map alone: the batch is not in them."),
            Wrong(normed(0), "mean and variance are of each pixel: height and width are not in them."),
        ],
        Wrong(
            None,
            "the result is not that of nn.BatchNorm2d.",
            hints=Hints(
                "Print the mean of your result over dim=(0, 2, 3): before scale and shift it should be 0.",
                "One mean and one variance per channel: over all the dimensions but dim 1.",
            ),
        ),
        tolerance=1e-4,
    )
    return "Compared with PyTorch, on 4 images of 3 channels."


def mirror_some(images, coins):
    mirrored = images.clone()
    mirrored[coins] = images[coins].flip(-1)
    return mirrored


@turn(mirror_some, "augmentation")
def judge_mirror_some(called: Called) -> str:
    images = torch.rand(6, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    coins = torch.tensor([True, False, True, True, False, False])
    found = called.tensor(called(images.clone(), coins.clone()), (6, 1, 4, 5), "the result")
    chosen = coins[:, None, None, None]

    def turned(dim):
        return torch.where(chosen, images.flip(dim), images)

    called.compare(
        found,
        turned(-1),
        [
            Wrong(images, "no image is mirrored."),
            Wrong(images.flip(-1), "every image is mirrored, whatever its coin says."),
            Wrong(
                torch.where(chosen, images, images.flip(-1)), "the images are mirrored whose coin is False."
            ),
            Wrong(turned(-2), "the images stand on their heads: top and bottom have changed places."),
            Wrong(
                turned((-2, -1)), "the images are turned by half: only left and right should change places."
            ),
            Wrong(turned(0), "whole images have changed places, and so they no longer fit their labels."),
        ],
        Wrong(
            None,
            "the images whose coin is True should be mirrored left to right, and the others stay as they are.",
            hints=Hints(
                "flip(dim) reverses one dimension. Which one runs from left to right?",
                "images[coins] are the chosen ones. What is assigned to mirrored[coins]?",
            ),
        ),
    )
    return "Six images, three of them mirrored, and the argument is as it was."


def two_views(model, images):
    return (model(images) + model(images.flip(-1))) / 2


@turn(two_views, "augmentation")
def judge_two_views(called: Called) -> str:
    generator = torch.Generator().manual_seed(0)
    images, weight = torch.rand(5, 1, 4, 4, generator=generator), torch.randn(16, 8, generator=generator)
    head = torch.randn(8, 3, generator=generator)

    class Model(nn.Module):
        def forward(self, seen):
            # Not linear, so that the mean of two images is another thing than the mean of two answers.
            return (seen.flatten(1) @ weight).relu() @ head

    model = Model()
    found = called.tensor(called(model, images.clone()), (5, 3), "the result")
    one, other = model(images), model(images.flip(-1))
    called.compare(
        found,
        (one + other) / 2,
        [
            Wrong(one, "these are the logits of the images alone: nobody has looked at their mirror images."),
            Wrong(other, "these are the logits of the mirror images alone."),
            Wrong(one + other, "the logits are added up, and the mean is half of that."),
            Wrong((one + model(images.flip(-2))) / 2, "the second view stands on its head."),
            Wrong((one + model(images.flip(0))) / 2, "the second view holds the images in another order."),
            Wrong(
                (one.softmax(1) + other.softmax(1)) / 2,
                "these are means of probabilities; here the logits are averaged.",
            ),
            Wrong(one.maximum(other), "these are the larger of two logits, and the mean is asked for."),
            Wrong(
                model((images + images.flip(-1)) / 2),
                "these are the logits of a mean of two images; ask the model twice, and take the mean of its answers.",
            ),
        ],
        Wrong(
            None,
            "the result is not the mean of the two views' logits.",
            hints=Hints(
                "Call the model twice: with the images, and with images.flip(-1).",
                "Both calls give logits of shape (N, 3). What is the mean of two tensors?",
            ),
        ),
    )
    return "Compared on five images, with a model of three classes."
