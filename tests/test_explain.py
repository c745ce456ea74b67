"""Every refusal that the loops explain, and that errors of other kinds pass through as they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

import fmnist_helpers as fh
from tests.small_problem import (
    CROSS_ENTROPY,
    assert_same_weights,
    both_loops,
    garments,
    loader,
    run,
    small_model,
    weights,
)

IMAGES = torch.rand(6, 1, 4, 4)
LABELS = torch.tensor([0, 1, 2, 3, 4, 9])


class Returns(nn.Module):
    """A model whose forward returns something else than logits."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, images):
        return self.value


REFUSALS = {
    "images as bytes": (
        small_model(),
        (255 * IMAGES).byte(),
        LABELS,
        ["the images are torch.uint8", "floating point numbers", "ToTensor()"],
    ),
    "image of another size": (
        small_model(),
        IMAGES[:, :, :3],
        LABELS,
        ["each image has shape (1, 3, 4), 12 numbers", "first layer takes 16"],
    ),
    "larger image": (
        small_model(),
        torch.rand(6, 1, 5, 4),
        LABELS,
        ["each image has shape (1, 5, 4), 20 numbers", "first layer takes 16"],
    ),
    "a single image of another size": (
        small_model(),
        IMAGES[:1, :, :3],
        LABELS[:1],
        ["each image has shape (1, 3, 4), 12 numbers", "first layer takes 16"],
    ),
    "too few channels for a convolution": (
        nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(8, 10)),
        IMAGES,
        LABELS,
        ["batch of images has shape (6, 1, 4, 4)", "(batch, 3, height, width)"],
    ),
    "too many channels for a convolution": (
        nn.Conv2d(1, 10, 3),
        torch.rand(6, 3, 4, 4),
        LABELS,
        ["batch of images has shape (6, 3, 4, 4)", "(batch, 1, height, width)"],
    ),
    # The second axis is as long as the channels are many: only the number of axes tells.
    "images without channels for a convolution": (
        nn.Conv2d(4, 10, 3),
        IMAGES[:, 0],
        LABELS,
        ["batch of images has shape (6, 4, 4)", "(batch, 4, height, width)"],
    ),
    "images with an axis too many for a convolution": (
        nn.Conv2d(1, 10, 3),
        IMAGES[..., None],
        LABELS,
        ["batch of images has shape (6, 1, 4, 4, 1)", "(batch, 1, height, width)"],
    ),
    "no return in forward": (
        Returns(None),
        IMAGES,
        LABELS,
        ["the model returned NoneType, not a tensor of logits", "return logits"],
    ),
    "several outputs": (
        Returns((torch.zeros(6, 10), torch.zeros(6))),
        IMAGES,
        LABELS,
        ["the model returned tuple, not a tensor of logits"],
    ),
    "output with too many axes": (
        nn.Conv2d(1, 10, 3),
        IMAGES,
        LABELS,
        ["an output of shape (6, 10, 2, 2)", "(batch, classes) is needed"],
    ),
    "output with too few axes": (
        nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0)),
        IMAGES,
        LABELS,
        ["an output of shape (6,)", "(batch, classes) is needed"],
    ),
    "too few outputs": (
        nn.Sequential(nn.Flatten(), nn.Linear(16, 9)),
        IMAGES,
        LABELS,
        ["labels of this batch go from 0 to 9", "gives 9 outputs", "from 0 to 8"],
    ),
    "negative label": (small_model(), IMAGES, LABELS - 1, ["go from -1 to 8", "from 0 to 9"]),
    "label too large": (small_model(), IMAGES, LABELS + 1, ["go from 1 to 10", "10 outputs", "from 0 to 9"]),
    "label far too large": (
        small_model(),
        IMAGES,
        LABELS + 5,
        ["go from 5 to 14", "10 outputs", "from 0 to 9"],
    ),
    "labels as int32": (small_model(), IMAGES, LABELS.int(), ["labels are torch.int32", "torch.int64"]),
    "labels as floats": (small_model(), IMAGES, LABELS.float(), ["labels are torch.float32", "torch.int64"]),
    "labels in a column": (
        small_model(),
        IMAGES,
        LABELS[:, None],
        ["labels have shape (6, 1) and are torch.int64", "shape (6,)"],
    ),
    "one-hot labels as integers": (
        small_model(),
        IMAGES,
        nn.functional.one_hot(LABELS, 10),
        ["labels have shape (6, 10) and are torch.int64", "one class per sample"],
    ),
}


@both_loops
@pytest.mark.parametrize("case", REFUSALS)
def test_batch_that_does_not_fit_is_explained(loop, case):
    model, images, labels, fragments = REFUSALS[case]
    with pytest.raises(ValueError) as raised:
        run(loop, DataLoader(TensorDataset(images, labels), 6), model)
    for fragment in fragments:
        assert fragment in str(raised.value)
    assert raised.value.__cause__ is not None, "PyTorch's own error is kept as the cause"


@both_loops
def test_loader_that_makes_no_batches_is_explained(loop):
    with pytest.raises(ValueError, match=r"the labels have shape \(\) .*one class per sample"):
        run(loop, DataLoader(garments(), batch_size=None), small_model())


class Named(Dataset):
    """A data set that names its classes, as torchvision's do."""

    def __init__(self, classes):
        self.classes = classes
        self.samples = garments(20, len(classes))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


@both_loops
@pytest.mark.parametrize("nesting", [0, 1, 2])
def test_more_outputs_than_the_data_set_names_classes_are_refused(loop, nesting):
    dataset = Named(["bag", "coat", "dress"])
    for _ in range(nesting):
        dataset = Subset(dataset, range(len(dataset) - 4))
    model = small_model()
    before = weights(model)
    with pytest.raises(
        ValueError, match=r"output of shape \(4, 10\) for 4 samples; the data set has 3 classes"
    ):
        run(loop, DataLoader(dataset, 4), model)
    assert_same_weights(before, weights(model))


@both_loops
def test_fewer_outputs_than_the_data_set_names_classes_are_refused(loop):
    dataset = Named([str(number) for number in range(12)])
    dataset.samples = garments(20, 10)  # No label is too large for the model, so PyTorch does not object.
    with pytest.raises(ValueError, match=r"output of shape \(4, 10\) for 4 samples; .* has 12 classes"):
        run(loop, DataLoader(dataset, 4), small_model())


@both_loops
def test_naming_as_many_classes_as_there_are_outputs_changes_nothing(loop):
    named = run(loop, DataLoader(Named([str(number) for number in range(10)]), 4), small_model())
    assert named == run(loop, loader(20, 4), small_model())


@both_loops
@pytest.mark.parametrize("reduction", ["sum", "none", "max"])
def test_loss_that_does_not_average_is_refused(loop, reduction):
    with pytest.raises(ValueError, match=f"reduction='{reduction}'.*use reduction='mean'"):
        run(loop, loader(), small_model(), nn.CrossEntropyLoss(reduction=reduction))


@both_loops
def test_reduction_is_compared_by_its_letters(loop):
    made_at_run_time = "".join(["me", "an"])
    result = run(loop, loader(), small_model(), nn.CrossEntropyLoss(reduction=made_at_run_time))
    assert result == run(loop, loader(), small_model())


@both_loops
def test_empty_loader_is_refused(loop):
    with pytest.raises(ValueError, match="the data loader is empty"):
        run(loop, DataLoader([], batch_size=4), small_model())


@both_loops
@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("something odd"), KeyError("key")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", ["model", "loss"])
def test_errors_that_are_not_understood_pass_through_unchanged(loop, error, place):
    class Fails(nn.Sequential):
        def forward(self, images):
            if place == "model":
                raise error
            return super().forward(images)

    def loss_fn(logits, labels):
        raise error

    with pytest.raises(type(error)) as raised:
        run(loop, loader(), Fails(*small_model()), loss_fn)
    assert raised.value is error


@pytest.mark.parametrize("lowest", [0, 1, 9])
def test_error_of_the_loss_is_not_blamed_on_labels_within_range(lowest):
    def loss_fn(logits, labels):
        raise RuntimeError("something odd")

    with pytest.raises(RuntimeError, match="something odd"):
        fh.test_loop(DataLoader(TensorDataset(IMAGES, LABELS.clamp(min=lowest)), 6), small_model(), loss_fn)


@pytest.mark.parametrize(
    ("images", "first"),
    [
        (IMAGES, (nn.Flatten(), nn.Linear(16, 12))),
        (torch.rand(6, 1, 28, 28), (nn.Flatten(), nn.Linear(28 * 28, 12))),
        (IMAGES, (nn.Conv2d(1, 1, 3), nn.Flatten())),
    ],
)
def test_error_deep_in_the_model_passes_through_unchanged(images, first):
    model = nn.Sequential(*first, nn.Linear(13, 10))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as raised:
        fh.test_loop(DataLoader(TensorDataset(images, LABELS), 6), model, CROSS_ENTROPY)
    assert raised.type is RuntimeError


@both_loops
def test_functional_loss_that_does_not_average_is_refused(loop):
    def loss_of_each(logits, labels):
        return nn.functional.cross_entropy(logits, labels, reduction="none")

    with pytest.raises(ValueError, match=r"tensor of shape \(8,\).*a single number"):
        run(loop, loader(), small_model(), loss_of_each)
