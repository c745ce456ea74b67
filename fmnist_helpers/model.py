"""The models of the course, and a count of their parameters."""

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


class ConvolutionalNetwork(nn.Module):
    """A small convolutional network: three convolutions, each followed by pooling, then two linear layers.

    A convolution multiplies every 3×3 neighbourhood of an image by the same small matrix and adds up, so what it
    learns at one place holds at all places. Pooling keeps the largest of 2×2 neighbours and halves height and width:
    28 → 14 → 7 → 3.

    Args:
        channels: how many values each of the three convolutions computes a pixel.
        hidden: units of the linear layer before the last.
    """

    def __init__(self, channels: tuple[int, int, int] = (16, 32, 64), hidden: int = 256) -> None:
        super().__init__()
        stages, inputs = [], IMAGE_SHAPE[0]
        for outputs in channels:
            stages += [
                # The normalisation that follows has a shift of its own, so the convolution needs none.
                nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
                # Pooled first: the two layers after it then have a quarter of the work.
                nn.MaxPool2d(2),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Linear(inputs * 3 * 3, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Turn float images of shape (N, 1, 28, 28) into logits of shape (N, 10)."""
        features = self.stages(images)
        # Channels last, as they lie in memory in that format: so flattening copies nothing, forward or backward.
        return self.head(features.permute(0, 2, 3, 1).flatten(start_dim=1))


def count_parameters(model: nn.Module, trainable_only: bool = True) -> int:
    """Return how many numbers the optimiser may change in ``model``.

    With ``trainable_only=False`` frozen parameters (``requires_grad=False``) count too. Buffers, such as
    the running mean of a batch normalisation, are not parameters and never count.
    """
    parameters = model.parameters()
    return sum(p.numel() for p in parameters if p.requires_grad or not trainable_only)
