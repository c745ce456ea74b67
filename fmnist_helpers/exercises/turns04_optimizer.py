"""The tasks in the middle of lesson 04: each as its solution and a judgement."""

import torch

from fmnist_helpers.exercises.check import Check, Hints, Wrong
from fmnist_helpers.exercises.turns import Called, turn

SHARED = Hints(
    "Go backwards along the arrows: the slope behind a box, times what the box itself does.",
    "Change the number a little: by how much does the next box change, and by how much does that change the loss?",
)


def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    y = w2 * h
    slope_y = 2 * (y - t)
    slope_w2 = slope_y * h
    slope_h = slope_y * w2
    slope_w1 = slope_h * x if h > 0 else 0
    return slope_w1, slope_w2


@turn(slopes, "by_hand")
def judge_slopes(called: Called) -> str:
    for x, t, w1, w2 in (
        (2.0, 1.0, 0.75, -1.0),
        (3.0, -2.0, 0.5, 2.0),
        (2.0, 3.0, -0.5, -1.0),
        (-2.0, 3.0, 0.5, 1.0),
    ):
        given = f"for x = {x:g}, t = {t:g}, w1 = {w1:g}, w2 = {w2:g}"
        found = called.numbers(called(x, t, w1, w2), ["slope_w1", "slope_w2"])
        h, right = max(w1 * x, 0.0), _slopes_by_autograd(x, t, w1, w2)
        slope_y = 2 * (w2 * h - t)
        alive = float(h > 0)
        called.compare(
            found[1],
            right[1],
            [
                Wrong(
                    right[1] / 2, f"{given} the slope of w2 is half of what it should be: the square gives 2."
                ),
                Wrong(-right[1], f"{given} the slope of w2 has the wrong sign: look at y - t."),
                Wrong(
                    slope_y,
                    f"{given} the slope of w2 lacks its own link: y = w2 * h changes by h.",
                    hints=SHARED,
                ),
                Wrong(
                    slope_y * w2,
                    f"{given} the slope of w2 is multiplied by w2, and it should be by h.",
                    hints=SHARED,
                ),
            ],
            Wrong(
                None,
                f"{given} the slope of w2 is {found[1]:g}, and autograd finds {right[1]:g}.",
                hints=SHARED,
            ),
        )
        called.compare(
            found[0],
            right[0],
            [
                Wrong(
                    slope_y * w2 * x,
                    f"{given} the slope of w1 is {found[0]:g}, though the ReLU gives 0 there and lets nothing through.",
                    hints=Hints(
                        "What does the ReLU do to a negative number?",
                        "If h stays 0 when w1 moves a little, so does the loss.",
                    ),
                ),
                Wrong(
                    slope_y * x * alive,
                    f"{given} the slope of w1 lacks the link from y to h, which is w2.",
                    hints=SHARED,
                ),
                Wrong(
                    slope_y * w2 * alive,
                    f"{given} the slope of w1 lacks the link from h to w1, which is x.",
                    hints=SHARED,
                ),
            ],
            Wrong(
                None,
                f"{given} the slope of w1 is {found[0]:g}, and autograd finds {right[0]:g}.",
                hints=SHARED,
            ),
        )
    return "Compared with autograd at four places; at two of them the ReLU gives 0."


def _slopes_by_autograd(x: float, t: float, w1: float, w2: float) -> list[float]:
    numbers = torch.tensor([w1, w2], dtype=torch.float64, requires_grad=True)
    ((numbers[1] * (numbers[0] * x).relu() - t) ** 2).backward()
    return numbers.grad.tolist()


def linear_backward(inputs, weight, slope_outputs):
    slope_weight = slope_outputs.T @ inputs
    slope_bias = slope_outputs.sum(dim=0)
    slope_inputs = slope_outputs @ weight
    return slope_weight, slope_bias, slope_inputs


@turn(linear_backward, "by_hand")
def judge_linear_backward(called: Called) -> str:
    generator = torch.Generator().manual_seed(0)
    inputs, weight, upstream = (
        torch.randn(*shape, generator=generator) for shape in ((5, 4), (3, 4), (5, 3))
    )
    parts = called.parts(
        called(inputs.clone(), weight.clone(), upstream.clone()),
        ["slope_weight", "slope_bias", "slope_inputs"],
    )
    own = (
        inputs.double().requires_grad_(),
        weight.double().requires_grad_(),
        torch.zeros(3, dtype=torch.float64).requires_grad_(),
    )
    (own[0] @ own[1].T + own[2]).backward(upstream.double())
    _judge_part(
        called,
        parts[0],
        own[1].grad,
        "slope_weight",
        (
            Wrong(
                own[1].grad / 5,
                "slope_weight is 5 times too small: samples add up here; the mean is in the loss already.",
            ),
        ),
    )
    _judge_part(
        called,
        parts[1],
        own[2].grad,
        "slope_bias",
        (
            Wrong(
                own[2].grad / 5,
                "slope_bias is 5 times too small: it is the sum over the samples, not their mean.",
                hints=Hints("sum or mean?", "The bias is added to every sample, so every sample pushes it."),
            ),
        ),
    )
    _judge_part(called, parts[2], own[0].grad, "slope_inputs", ())
    return "Compared with autograd, on 5 inputs of 4 numbers and 3 outputs."


def _judge_part(called: Check, part, right, name: str, wrong) -> None:
    shape = tuple(right.shape)
    if part.array is not None and tuple(part.array.shape) == shape[::-1] != shape:
        called.fail(
            f"{name} has shape {shape[::-1]}, and it should have {shape}: it lies on its side.",
            hints=Hints(
                "Which of the two factors needs .T?",
                "A slope has the shape of what it belongs to. Which product of the two gives that shape?",
            ),
        )
    found = called.tensor(part, shape, name)
    called.compare(
        found,
        right,
        wrong,
        Wrong(None, f"{name} has the right shape, and not the numbers that autograd finds."),
    )


RATE = 0.25
GIVEN_RATE = f"the steps are those of a rate of 0.1, and {RATE} was handed over as learning_rate."


def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for parameter in parameters:
            parameter -= learning_rate * parameter.grad


@turn(sgd_step, "step")
def judge_sgd_step(called: Called) -> str:
    before = [torch.tensor([1.0, -2.0]), torch.tensor([[0.5], [3.0]])]
    gradients = [torch.tensor([0.5, 4.0]), torch.tensor([[-1.0], [2.0]])]
    parameters = [torch.nn.Parameter(value.clone()) for value in before]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    # Another list: who puts new tensors into it has not moved the model's. And another rate than the usual one.
    called(list(parameters), RATE, may_change=True)
    if not all(parameter.requires_grad for parameter in parameters):
        called.fail("the parameters no longer require gradients, so nothing more can be learnt.")
    after = [parameter.detach() for parameter in parameters]
    if any(
        parameter.grad is None or not torch.equal(parameter.grad, gradient)
        for parameter, gradient in zip(parameters, gradients, strict=True)
    ):
        called.fail("the gradients have changed: a step reads them; zero_grad clears them.", section="order")
    moved = [one - other for one, other in zip(after, before, strict=True)]
    called.compare(
        moved,
        [-RATE * gradient for gradient in gradients],
        [
            Wrong(
                [0 * gradient for gradient in gradients], "no parameter has moved.", "new_tensor_is_update"
            ),
            Wrong(
                [RATE * gradient for gradient in gradients],
                "every parameter has moved uphill: a step goes against the gradient.",
            ),
            Wrong(
                [-gradient for gradient in gradients],
                "the steps are as long as the gradients: the learning rate is missing.",
            ),
            Wrong([-RATE * gradients[0], 0 * gradients[1]], "only the first parameter has moved."),
            Wrong([-0.1 * gradient for gradient in gradients], GIVEN_RATE),
        ],
        Wrong(None, "the parameters have moved, and not by the learning rate times the gradient."),
        tolerance=1e-6,
    )
    return "Two parameters have moved in place, against their gradients."


def momentum_step(parameter, velocity, gradient, learning_rate):
    velocity = 0.9 * velocity + gradient
    return parameter - learning_rate * velocity, velocity


@turn(momentum_step, "optimisers")
def judge_momentum_step(called: Called) -> str:
    parameter, velocity = torch.tensor([1.0, -1.0]).double(), torch.zeros(2).double()
    for gradient in torch.tensor([[2.0, 0.5], [1.0, 3.0], [-4.0, 1.0]]).double():
        seen = called(parameter.clone(), velocity.clone(), gradient.clone(), RATE)
        found = [
            called.tensor(part, (2,), name)
            for part, name in zip(
                called.parts(seen, ["the parameter", "the velocity"]),
                ("the parameter", "the velocity"),
                strict=True,
            )
        ]
        new, tenth = 0.9 * velocity + gradient, 0.9 * velocity + 0.1 * gradient
        kept, rated = velocity + gradient, 0.9 * velocity + RATE * gradient
        called.compare(
            found,
            [parameter - RATE * new, new],
            [
                Wrong(
                    [parameter - RATE * velocity, new],
                    "the parameter moves by the old velocity; it should by the new one.",
                ),
                Wrong(
                    [parameter - RATE * gradient, new],
                    "the parameter moves by the gradient alone; it should by the velocity.",
                ),
                Wrong([parameter + RATE * new, new], "the parameter moves uphill."),
                Wrong([parameter - 0.1 * new, new], GIVEN_RATE),
                Wrong(
                    [parameter - new, new],
                    "the parameter moves by the whole velocity: the learning rate is missing.",
                ),
                Wrong(
                    [parameter - RATE * kept, kept],
                    "the old velocity was kept whole, and nine tenths of it should be.",
                ),
                Wrong(
                    [parameter - RATE * tenth, tenth],
                    "the gradient was taken to one tenth; the rule of this lesson adds all of it.",
                ),
                Wrong(
                    [parameter - rated, rated],
                    "the learning rate went into the velocity; here it scales the step only.",
                ),
                Wrong(
                    [new, parameter - RATE * new],
                    "the two came back in the other order: first the parameter, then the velocity.",
                ),
            ],
            Wrong(
                None,
                "parameter and velocity are not those of the rule above.",
                hints=Hints(
                    "Two lines: first the new velocity, then the new parameter.",
                    "The velocity is nine tenths of the old one plus the gradient. By what does the parameter move?",
                ),
            ),
        )
        parameter, velocity = parameter - RATE * new, new
    return "Three steps in a row, compared with the rule."
