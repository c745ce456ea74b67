"""What must hold for any data, not only for that of the other tests: averages, batches, files."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import MNIST
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.transforms import ToTensor

import fmnist_helpers as fh
from fmnist_helpers.data.standin import write_idx

repeatable = settings(max_examples=50, deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**32 - 1)


class Given(MNIST):
    """torchvision's data set around images that a test made up; nothing is read from a disk."""

    def __init__(self, images: np.ndarray, transform=None):
        self.data = torch.from_numpy(images)
        self.targets = torch.arange(len(images)) % 10
        self.transform, self.target_transform = transform, None


@repeatable
@given(st.integers(1, 90), st.integers(1, 100), seeds)
def test_averages_count_samples_whatever_the_batches(num_samples, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(num_samples, 4, generator=generator)
    labels = torch.randint(0, 4, (num_samples,), generator=generator)
    result = fh.test_loop(
        DataLoader(TensorDataset(logits, labels), batch_size),
        nn.Identity(),
        nn.CrossEntropyLoss(),
        verbose=False,
    )
    of_each = nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    assert result.loss == pytest.approx(of_each.mean().item(), rel=1e-5)
    assert result.accuracy == (logits.argmax(dim=1) == labels).sum().item() / num_samples


@repeatable
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.just(28), st.just(28))),
    st.integers(1, 13),
    st.booleans(),
    seeds,
)
def test_in_memory_batches_are_torchvisions_to_the_bit(images, batch_size, shuffle, seed):
    fast_data = fh.InMemoryDataset(Given(images))
    slow_data = Given(images, ToTensor())
    fast, slow = (
        DataLoader(
            data,
            batch_size,
            shuffle=shuffle,
            collate_fn=collate,
            generator=torch.Generator().manual_seed(seed),
        )
        for data, collate in ((fast_data, fast_data.collate), (slow_data, None))
    )
    for (ours, our_labels), (theirs, their_labels) in zip(fast, slow, strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)
        assert torch.equal(our_labels, their_labels)


@repeatable
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 30), st.integers(1, 30))))
def test_idx_files_of_any_size_read_back(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("idx")
    labels = images[:, 0, 0] % 10
    write_idx(folder / "images", images)
    write_idx(folder / "labels", labels)
    np.testing.assert_array_equal(read_image_file(str(folder / "images")).numpy(), images)
    np.testing.assert_array_equal(read_label_file(str(folder / "labels")).numpy(), labels)
