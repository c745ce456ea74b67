"""The tasks in the middle of lesson 03: each as its solution and a judgement."""

import torch

from fmnist_helpers.exercises.check import Hints, Wrong
from fmnist_helpers.exercises.turns import Called, turn


def likelihood_loss(probabilities, labels):
    of_true_class = probabilities[torch.arange(len(labels)), labels]
    return -of_true_class.log().mean()


@turn(likelihood_loss, "likelihood")
def judge_likelihood_loss(called: Called) -> str:
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.3, 0.45], [0.35, 0.55, 0.1]])
    labels = torch.tensor([0, 1, 2, 1])
    seen = called(probabilities.clone(), labels.clone())
    shape = tuple(seen.array.shape) if seen.array else None
    if shape == (4,):
        called.fail("it gives one number per sample, and their mean was asked for.")
    if shape == (4, 4):
        called.fail(
            "a table of 4 by 4 came back: for each row the columns of all labels were taken.",
            hints=Hints(
                "A colon in the first place takes all rows for each label.",
                "Row 0 with the label of sample 0, row 1 with that of sample 1: which row numbers does that need?",
            ),
        )
    if seen.array is None and seen.number is not None:
        called.fail(
            "a Python number came back; leave out .item(): PyTorch needs the tensor to find slopes later."
        )
    true = probabilities.double()[torch.arange(4), labels]
    largest = probabilities.double().max(dim=1).values
    called.compare(
        called.number(_plain(seen), "the loss"),
        -true.log().mean(),
        [
            Wrong(true.log().mean(), "the loss is negative: the minus before the logarithm is missing."),
            Wrong(
                -true.log().sum(), "the losses of the samples were added up, and their mean was asked for."
            ),
            Wrong(
                -true.mean(),
                "the mean of the probabilities with a minus came back: the logarithm is missing.",
            ),
            Wrong(
                -true.mean().log(),
                "the logarithm of the mean came back, and the mean of the logarithms was asked for.",
                hints=Hints(
                    "In which order do log and mean stand in your line?",
                    "Each sample has a loss of its own. First make it, then average.",
                ),
            ),
            Wrong(-true.log2().mean(), "another logarithm was taken; log() is the natural one."),
            Wrong(-true.log10().mean(), "another logarithm was taken; log() is the natural one."),
            Wrong(
                -largest.log().mean(),
                "it looks at the largest probability of each row, and not at that of the true class.",
                hints=Hints(
                    "Where does your line use the labels?",
                    "A model that is sure and wrong has a large probability in the wrong place.",
                ),
            ),
        ],
        Wrong(None, "the result is not the mean of minus the logarithm of the true class's probability."),
    )
    return "Tried on four samples, of which two are guessed wrongly."


def _plain(seen):
    """Return a tensor with a single number as that number, since either will do."""
    return seen if seen.array is None else type(seen)("float", number=seen.number)


def logit_slopes(logits, label):
    slopes = logits.softmax(dim=0)
    slopes[label] -= 1
    return slopes


@turn(logit_slopes, "logit_slopes")
def judge_logit_slopes(called: Called) -> str:
    for logits, label in ((torch.tensor([2.0, 1.0, -1.0]), 1), (torch.tensor([0.0, 0.5, 3.0, 1.0]), 3)):
        with_slopes = logits.clone().requires_grad_()
        torch.nn.functional.cross_entropy(with_slopes[None], torch.tensor([label])).backward()
        right = with_slopes.grad.double()
        shares = logits.double().softmax(dim=0)
        found = called.tensor(called(logits.clone(), label), logits.shape, "the slopes")
        called.compare(
            found,
            right,
            [
                Wrong(
                    shares,
                    "the probabilities came back: at the true class there is 1 to subtract.",
                    hints=Hints(
                        "What is different at the place of the label?",
                        "If the model is right and sure, all slopes are 0. What has the true class to lose?",
                    ),
                ),
                Wrong(-right, "all signs are the other way round."),
                Wrong(shares - 1, "1 was subtracted everywhere, and it is for the true class alone."),
            ],
            Wrong(
                None,
                "the slopes differ from those that PyTorch finds.",
                hints=Hints(
                    "Begin with the probabilities: the softmax of the logits.",
                    "Compare the two printed rows. At which place do they differ, and by how much?",
                ),
            ),
        )
    return "Compared with the slopes that PyTorch finds, for three and for four classes."
