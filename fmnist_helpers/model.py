"""The course's model and a count of its parameters."""

from torch import Tensor, nn

IMAGE_SHAPE = (1, 28, 28)
"""Channels, height and width of one Fashion-MNIST image."""


class NeuralNetwork(nn.Module):
    """The multilayer perceptron of the PyTorch tutorial "Optimizing Model Parameters".

    An image is flattened to 784 numbers and passes through linear layers 784 → 512 → 512 → 10, with a
    ReLU after the first and the second. The layers have the tutorial's names, so a ``state_dict`` of
    either model loads into the other, and the same seed gives both the same first weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512),
            nn.ReLU(),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Linear(512, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Turn float images of shape (N, 1, 28, 28) or (N, 28, 28) into logits of shape (N, 10).

        Logits are scores of any size and sign, not probabilities: ``nn.CrossEntropyLoss`` expects them
        as they are, and ``logits.softmax(dim=1)`` makes probabilities of them.
        """
        return self.linear_relu_stack(self.flatten(images))


def count_parameters(model: nn.Module, trainable_only: bool = True) -> int:
    """Return how many numbers the optimiser may change in ``model``.

    With ``trainable_only=False`` frozen parameters (``requires_grad=False``) count too. Buffers, such as
    the running mean of a batch normalisation, are not parameters and never count.
    """
    parameters = model.parameters()
    return sum(p.numel() for p in parameters if p.requires_grad or not trainable_only)
