"""The tasks in the middle of lesson 02: each as its solution and a judgement."""

import torch

from fmnist_helpers.exercises.check import Hints, Wrong
from fmnist_helpers.exercises.turns import Called, turn


def linear(inputs, weight, bias):
    return inputs @ weight.T + bias


@turn(linear, "linear")
def judge_linear(called: Called) -> str:
    generator = torch.Generator().manual_seed(0)
    inputs, weight = torch.randn(5, 4, generator=generator), torch.randn(3, 4, generator=generator)
    bias = torch.randn(3, generator=generator)
    product = inputs.double() @ weight.double().T
    found = called.tensor(called(inputs.clone(), weight.clone(), bias.clone()), (5, 3), "the result")
    called.compare(
        found,
        product + bias.double(),
        [
            Wrong(
                product,
                "the products are right, and the bias is missing.",
                hints=Hints(
                    "Which of the three arguments does your line not use?",
                    "Each output has a bias of its own, which is added to its column.",
                ),
            ),
            Wrong(product - bias.double(), "the bias is subtracted, and it should be added."),
        ],
        Wrong(None, "the shape is right, and the numbers are not inputs times weights plus bias."),
    )
    return "Compared with a product in float64, on 5 inputs of 4 numbers."


def relu(numbers):
    return numbers.clamp(min=0)


@turn(relu, "between")
def judge_relu(called: Called) -> str:
    numbers = torch.tensor([[-20.0, -0.5, 0.0], [0.25, 1.0, 30.0]])
    found = called.tensor(called(numbers.clone()), (2, 3), "the result")
    called.compare(
        found,
        numbers.double() * (numbers > 0),
        [
            Wrong(numbers.abs(), "negative numbers become positive, and they should become 0."),
            Wrong(numbers.clamp(max=0), "the negative numbers stay, and the positive ones became 0."),
            Wrong((numbers > 0).double(), "it gives 1 for positive numbers, and they should stay."),
        ],
        Wrong(None, "the shape is right, and the numbers are not those of a ReLU."),
        tolerance=1e-7,
    )
    return "Tried on negative numbers, on 0 and on positive ones; its argument is left alone."


def num_parameters(sizes):
    total = 0
    for inputs, outputs in zip(sizes[:-1], sizes[1:]):
        total += inputs * outputs + outputs
    return total


@turn(num_parameters, "counting")
def judge_num_parameters(called: Called) -> str:
    for sizes in ([4, 3], [5, 4, 2], [6, 5, 4, 3], [784, 512, 512, 10]):
        found = called.number(called(list(sizes)), "the number of parameters")
        pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
        weights = sum(a * b for a, b in pairs)
        right = weights + sum(sizes[1:])
        called.compare(
            found,
            right,
            [
                Wrong(
                    weights,
                    f"for {sizes} it gives {weights:,}: the weights, without the biases.",
                    hints=Hints(
                        "What does a linear layer hold beside its weight table?",
                        "Each output has a bias of its own.",
                    ),
                ),
                Wrong(
                    weights + sum(sizes),
                    f"for {sizes} it gives {weights + sum(sizes):,}: the input was given biases, too.",
                ),
                Wrong(
                    weights + sum(sizes[:-1]),
                    f"for {sizes} it gives {weights + sum(sizes[:-1]):,}: one bias per input of a layer, "
                    "and there is one per output.",
                ),
                Wrong(
                    weights + len(pairs),
                    f"for {sizes} it gives {weights + len(pairs):,}: one bias per layer, "
                    "and there is one per output.",
                ),
            ],
            Wrong(None, f"for {sizes} it gives {found:,.0f}, and a network of these layers has {right:,}."),
            tolerance=1e-12,
        )
    return "Tried on networks of one, two and three layers."


def softmax(logits):
    powers = logits.exp()
    return powers / powers.sum(dim=1, keepdim=True)


@turn(softmax, "logits")
def judge_softmax(called: Called) -> str:
    logits = torch.tensor([[2.0, 1.0, -1.0], [0.0, 0.5, 3.0]])
    seen = called(logits.clone())
    found = called.tensor(seen, (2, 3), "the result for two images and three classes")
    powers = logits.double().exp()
    called.compare(
        found,
        powers / powers.sum(dim=1, keepdim=True),
        [
            Wrong(
                powers / powers.sum(dim=0, keepdim=True),
                "the columns add up to 1, and the rows should: each row is one image.",
                hints=Hints(
                    "Along which axis did you add?",
                    "dim names the axis that is summed over. The classes stand along axis 1.",
                ),
            ),
            Wrong(powers / powers.sum(), "all numbers together add up to 1, and each row should."),
            Wrong(powers, "the powers are right, and they are not divided by their sum yet."),
            Wrong(
                2.718 ** logits.double() / (2.718 ** logits.double()).sum(dim=1, keepdim=True),
                "2.718 is not exactly e; use logits.exp(), which raises e to the power of every number.",
            ),
            Wrong(
                logits.double() / logits.double().sum(dim=1, keepdim=True),
                "the logits themselves were divided, so some results are negative; first make powers of them.",
            ),
        ],
        Wrong(None, "the shape is right, and the numbers are not e to the logits, divided by their sum."),
    )
    return "Tried on two rows; each adds up to 1."
