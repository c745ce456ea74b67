"""Batches equal torchvision's, the split is fair and the loaders keep their promises."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import FashionMNIST
from torchvision.transforms import Compose, Normalize, ToTensor

import fmnist_helpers as fh


def batches_of(dataset, **options) -> list[list[Tensor]]:
    """Read two epochs."""
    batches = DataLoader(dataset, batch_size=64, **options)
    return [list(batch) for _ in range(2) for batch in batches]


def assert_same_batches(ours: list[list[Tensor]], theirs: list[list[Tensor]]) -> None:
    assert len(ours) == len(theirs) > 0
    for our_batch, their_batch in zip(ours, theirs, strict=True):
        for one, other in zip(our_batch, their_batch, strict=True):
            assert one.dtype == other.dtype
            assert torch.equal(one, other)


def compare_with_torchvision(root, shuffle: bool, num_samples: int) -> None:
    ours = fh.InMemoryDataset(FashionMNIST(root))
    theirs = FashionMNIST(root, transform=ToTensor())

    def read(dataset, **options):
        generator = torch.Generator().manual_seed(1)
        part = Subset(dataset, range(num_samples))
        return batches_of(part, shuffle=shuffle, generator=generator, **options)

    assert_same_batches(read(ours, collate_fn=ours.collate), read(theirs))


@pytest.fixture
def dataset(tiny_root) -> fh.InMemoryDataset:
    return fh.InMemoryDataset(FashionMNIST(tiny_root))


# --- the in-memory data set --------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("num_samples", [64, 400])
def test_batches_are_torchvisions_to_the_bit(tiny_root, shuffle, num_samples):
    compare_with_torchvision(tiny_root, shuffle, num_samples)


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_of_the_real_data_are_torchvisions_to_the_bit(real_root, shuffle):
    compare_with_torchvision(real_root, shuffle, 1000)


def test_whole_data_set_without_subset_gives_the_same_batches(tiny_root, dataset):
    theirs = FashionMNIST(tiny_root, transform=ToTensor())
    assert_same_batches(batches_of(dataset, collate_fn=dataset.collate), batches_of(theirs))


def test_every_byte_becomes_the_float_that_totensor_makes():
    data = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    source = SimpleNamespace(data=data, targets=torch.tensor([3]), classes=["a"] * 4)
    images, labels = fh.InMemoryDataset(source).__getitems__([0]).batch
    assert torch.equal(images[0], ToTensor()(data[0].numpy()))
    assert labels.tolist() == [3]


@pytest.mark.parametrize("index", [0, 7, 399, -1])
def test_single_samples_are_torchvisions(tiny_root, dataset, index):
    image, label = dataset[index]
    their_image, their_label = FashionMNIST(tiny_root, transform=ToTensor())[index]
    assert torch.equal(image, their_image)
    assert (label, type(label)) == (their_label, int)


def test_length_and_classes_are_torchvisions(dataset):
    assert len(dataset) == 400
    assert dataset.classes == FashionMNIST.classes


@pytest.mark.parametrize("transform", [None, ToTensor()])
def test_images_stay_bytes_and_share_torchvisions_memory(tiny_root, transform):
    source = FashionMNIST(tiny_root, transform=transform)
    dataset = fh.InMemoryDataset(source)
    assert dataset.images.dtype == torch.uint8
    assert dataset.images.data_ptr() == source.data.data_ptr()
    assert dataset.labels.data_ptr() == source.targets.data_ptr()


def test_a_batch_does_not_share_memory_with_the_data_set(dataset):
    before = dataset.labels.clone()
    images, labels = dataset.__getitems__([0, 1]).batch
    images.zero_()
    labels.zero_()
    assert torch.equal(dataset.labels, before)
    assert dataset.images[0].any()


@pytest.mark.parametrize("name", ["cpu", "meta", "cuda"])
def test_to_moves_images_labels_and_batches(dataset, name):
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no cuda device on this machine")
    moved = dataset.to(name)
    images, labels = moved.__getitems__([3, 1]).batch
    for tensor in (moved.images, moved.labels, images, labels):
        assert tensor.device.type == name
    assert (images.shape, images.dtype, labels.shape) == ((2, 1, 28, 28), torch.float32, (2,))
    assert isinstance(moved, fh.InMemoryDataset)
    assert moved.classes == dataset.classes
    assert dataset.images.device.type == "cpu"


def source(**changes) -> SimpleNamespace:
    """A data set like torchvision's, with some attributes changed."""
    usual = {"data": torch.zeros(4, 28, 28, dtype=torch.uint8), "targets": torch.arange(4), "classes": "abcd"}
    return SimpleNamespace(**(usual | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transform": Normalize(0.5, 0.5)}, "has the transform Normalize"),
        ({"transform": Compose([ToTensor()])}, "has the transform Compose"),
        ({"target_transform": str}, "has a target_transform"),
        ({"data": torch.zeros(4, 28, 28)}, r"uint8 tensor .* found torch.float32 of shape \(4, 28, 28\)"),
        (
            {"data": torch.zeros(4, 32, 32, 3, dtype=torch.uint8)},
            r"found torch.uint8 of shape \(4, 32, 32, 3\)",
        ),
        ({"data": torch.zeros(4, 784, dtype=torch.uint8)}, r"found torch.uint8 of shape \(4, 784\)"),
        ({"data": torch.zeros(4, 28, 28, dtype=torch.uint8).numpy()}, "found ndarray"),
        ({"data": None}, "found NoneType"),
        ({"targets": [0, 1, 2, 3]}, "one label for each image, as a tensor"),
        ({"targets": torch.arange(3)}, "one label for each image"),
        ({"targets": torch.arange(5)}, "one label for each image"),
    ],
)
def test_other_data_sets_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        fh.InMemoryDataset(source(**changes))


# --- the split ---------------------------------------------------------------------------------------------

repeatable = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def splits(draw) -> tuple[Tensor, int]:
    """Labels, balanced or not, and how many of them to set aside."""
    counts = draw(st.lists(st.integers(0, 60), min_size=1, max_size=10))
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    return labels[order], draw(st.integers(0, len(labels)))


@repeatable
@given(splits(), st.integers(0, 2**32))
def test_split_is_disjoint_complete_and_ascending(case, seed):
    labels, num_valid = case
    train, valid = fh.stratified_split(labels, num_valid, seed)
    assert len(valid) == num_valid
    assert sorted(train.tolist() + valid.tolist()) == list(range(len(labels)))
    for part in (train, valid):
        assert part.dtype == torch.int64
        assert part.tolist() == sorted(part.tolist())


@repeatable
@given(splits())
def test_each_class_is_within_one_sample_of_its_exact_share(case):
    labels, num_valid = case
    _, valid = fh.stratified_split(labels, num_valid)
    for label in labels.unique():
        in_all, in_valid = (int((part == label).sum()) for part in (labels, labels[valid]))
        # The exact share is in_all * num_valid / N; multiplied by N, all numbers are whole.
        assert abs(in_valid * len(labels) - in_all * num_valid) < len(labels)


@pytest.mark.parametrize(
    ("counts", "num_valid", "expected"),
    [
        # By hand: the exact shares are 3.5, 2.1, 1.4; 1.2, 1.5, 0.3; 2.25, 2.25, 0.75, 3.75.
        ([10, 6, 4], 7, [4, 2, 1]),
        ([4, 5, 1], 3, [1, 2, 0]),
        ([3, 3, 1, 5], 9, [2, 2, 1, 4]),
    ],
)
def test_samples_left_over_go_to_the_largest_remainders(counts, num_valid, expected):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    _, valid = fh.stratified_split(labels, num_valid)
    assert labels[valid].bincount(minlength=len(counts)).tolist() == expected


def test_rare_classes_do_not_lose_their_share_to_a_large_one():
    labels = torch.cat([torch.zeros(100), torch.arange(1, 10)]).long()
    _, valid = fh.stratified_split(labels, 50)
    # 100 * 50 / 109 = 45.9; the nine single samples have 0.46 each.
    assert (labels[valid] == 0).sum() in (45, 46)


@repeatable
@given(splits(), st.integers(0, 2**32))
def test_same_seed_gives_the_same_split(case, seed):
    labels, num_valid = case
    first, again = (fh.stratified_split(labels, num_valid, seed) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_another_seed_gives_another_split():
    labels = torch.arange(200) % 10
    valid = [tuple(fh.stratified_split(labels, 50, seed)[1].tolist()) for seed in range(5)]
    assert len(set(valid)) == 5


def test_every_sample_has_a_chance_to_be_drawn():
    labels = torch.arange(40) % 10
    drawn = {index for seed in range(60) for index in fh.stratified_split(labels, 10, seed)[1].tolist()}
    assert drawn == set(range(40))


@pytest.mark.parametrize(("num_valid", "sizes"), [(0, (20, 0)), (20, (0, 20))])
def test_nothing_or_everything_may_be_set_aside(num_valid, sizes):
    train, valid = fh.stratified_split(torch.arange(20) % 10, num_valid)
    assert (len(train), len(valid)) == sizes


@pytest.mark.parametrize("num_valid", [-1, 21])
def test_impossible_split_is_refused(num_valid):
    with pytest.raises(ValueError, match=f"num_valid is {num_valid}; choose from 0 to 20 samples"):
        fh.stratified_split(torch.arange(20) % 10, num_valid)


def test_split_leaves_pytorchs_own_generator_alone():
    before = torch.get_rng_state()
    fh.stratified_split(torch.arange(20) % 10, 10)
    assert torch.equal(torch.get_rng_state(), before)


# --- the loaders -------------------------------------------------------------------------------------------


def read(loader: DataLoader) -> tuple[Tensor, Tensor]:
    """Return all images and labels of one epoch, in its order."""
    batches = list(loader)
    return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])


def as_bytes(images: Tensor) -> list[bytes]:
    """Each image as bytes: the noise images all differ, so this tells which samples came."""
    return [image.numpy().tobytes() for image in images]


def test_sizes_of_splits_and_batches(tiny_root):
    train, valid, test = fh.make_loaders(tiny_root, batch_size=32, num_valid=100)
    assert [len(loader.dataset) for loader in (train, valid, test)] == [300, 100, 70]
    assert [len(labels) for _, labels in train] == [32] * 9 + [12]
    assert [len(labels) for _, labels in valid] == [32] * 3 + [4]
    assert [len(labels) for _, labels in test] == [32] * 2 + [6]


def test_a_batch_may_be_a_single_sample(tiny_root):
    loaders = fh.make_loaders(tiny_root, batch_size=1, num_valid=100)
    assert [len(loader) for loader in loaders] == [300, 100, 70]


def test_defaults_are_the_documented_ones(tiny_root):
    labels = FashionMNIST(tiny_root).targets
    assert_same_batches([fh.stratified_split(labels, 100)], [fh.stratified_split(labels, 100, seed=0)])
    by_default = fh.make_loaders(tiny_root, num_valid=100)
    in_words = fh.make_loaders(tiny_root, batch_size=64, num_valid=100, shuffle=True, seed=0)
    for one, other in zip(by_default, in_words, strict=True):
        assert_same_batches(list(one), list(other))
    with pytest.raises(ValueError, match="num_valid is 5000 of 400"):
        fh.make_loaders(tiny_root)


def test_loaders_have_names_too(tiny_root):
    loaders = fh.make_loaders(tiny_root, num_valid=100)
    assert (loaders.train, loaders.valid, loaders.test) == tuple(loaders)
    assert all(isinstance(loader, DataLoader) for loader in loaders)


def test_validation_takes_the_same_number_of_each_class_and_none_of_training(tiny_root):
    train, valid, _ = fh.make_loaders(tiny_root, num_valid=100)
    (train_images, _), (valid_images, valid_labels) = read(train), read(valid)
    assert valid_labels.bincount().tolist() == [10] * 10
    parts = set(as_bytes(train_images)), set(as_bytes(valid_images))
    assert not parts[0] & parts[1]
    whole = FashionMNIST(tiny_root, transform=ToTensor())
    # Compared without ==, because pytest would take minutes to show how two such sets differ.
    assert not (parts[0] | parts[1]) ^ set(as_bytes(torch.stack([image for image, _ in whole])))


def test_only_training_comes_in_a_new_order_each_epoch(tiny_root):
    train, valid, test = fh.make_loaders(tiny_root, num_valid=100)
    (first, _), (second, _) = read(train), read(train)
    assert as_bytes(first) != as_bytes(second)
    assert not set(as_bytes(first)) ^ set(as_bytes(second))
    for loader in (valid, test):
        assert torch.equal(read(loader)[0], read(loader)[0])


def test_test_loader_gives_the_test_set_in_its_own_order(tiny_root):
    _, _, test = fh.make_loaders(tiny_root, num_valid=100)
    assert_same_batches(
        [list(batch) for batch in test],
        [list(batch) for batch in DataLoader(FashionMNIST(tiny_root, False, ToTensor()), 64)],
    )


def test_same_seed_gives_the_same_batches_whatever_happened_between(tiny_root):
    one = fh.make_loaders(tiny_root, num_valid=100, seed=3)
    torch.rand(5)
    other = fh.make_loaders(tiny_root, num_valid=100, seed=3)
    for _ in range(2):
        for ours, theirs in zip(one, other, strict=True):
            assert torch.equal(read(ours)[0], read(theirs)[0])


def test_another_seed_gives_another_split_and_order(tiny_root):
    one, other = (fh.make_loaders(tiny_root, num_valid=100, seed=seed) for seed in (3, 4))
    assert set(as_bytes(read(one.valid)[0])) != set(as_bytes(read(other.valid)[0]))
    unsplit = [fh.make_loaders(tiny_root, num_valid=0, seed=seed).train for seed in (3, 4)]
    assert as_bytes(read(unsplit[0])[0]) != as_bytes(read(unsplit[1])[0])


def test_without_validation_and_shuffling_it_is_the_tutorials(tiny_root):
    train, valid, test = fh.make_loaders(tiny_root, num_valid=0, shuffle=False)
    assert valid is None
    for loader, is_train in ((train, True), (test, False)):
        tutorial = DataLoader(FashionMNIST(tiny_root, is_train, ToTensor()), batch_size=64)
        assert_same_batches([list(b) for b in loader], [list(b) for b in tutorial])


def test_loops_find_the_class_names_of_a_split(tiny_root):
    train, _, _ = fh.make_loaders(tiny_root, num_valid=100)
    twelve_outputs = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 12))
    with pytest.raises(ValueError, match="the data set has 10 classes"):
        fh.test_loop(train, twelve_outputs, torch.nn.CrossEntropyLoss())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; a batch needs at least 1 sample"),
        ({"num_valid": 400}, "num_valid is 400 of 400 training images; nothing is left to train on"),
        ({"num_valid": 401}, "num_valid is 401 of 400 training images"),
        ({"num_valid": -1}, "num_valid is -1; choose from 0 to 400"),
    ],
)
def test_impossible_loaders_are_refused(tiny_root, options, message):
    with pytest.raises(ValueError, match=message):
        fh.make_loaders(tiny_root, **({"num_valid": 0} | options))


def test_folder_without_data_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no Fashion-MNIST in .*call prepare_data\(\)"):
        fh.make_loaders(tmp_path)
