# %% correct: a permutation for each class
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError(f"class {label} has only {len(members)} samples")
        is_held[members[torch.randperm(len(members), generator=generator)[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% correct: Python's sample, which raises the ValueError by itself
def split_by_class(labels, num_each, seed):
    import random
    from collections import defaultdict

    draw = random.Random(seed)
    members = defaultdict(list)
    for index, label in enumerate(labels.tolist()):
        members[label].append(index)
    held = [index for label in sorted(members) for index in draw.sample(members[label], num_each)]
    train = sorted(set(range(len(labels))) - set(held))
    return torch.tensor(train), torch.tensor(held)


# %% correct: one walk through shuffled samples, with a count for each class
def split_by_class(labels, num_each, seed):
    wanted = {label: num_each for label in labels.tolist()}
    train, held = [], []
    for index in torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist():
        label = labels[index].item()
        if wanted[label] > 0:
            wanted[label] -= 1
            held.append(index)
        else:
            train.append(index)
    if any(wanted.values()):
        raise ValueError("a class has too few samples")
    return torch.tensor(train, dtype=torch.int64), torch.tensor(held, dtype=torch.int64)


# %% correct: sorted by class, without a loop
def split_by_class(labels, num_each, seed):
    classes, counts = labels.unique(return_counts=True)
    if (counts < num_each).any():
        raise ValueError(f"fewer than {num_each} samples in {classes[counts < num_each].tolist()}")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = order[labels[order].argsort(stable=True)]
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    held = torch.arange(len(labels)) - starts < num_each
    return order[~held], order[held]


# %% correct: NumPy
def split_by_class(labels, num_each, seed):
    import numpy as np

    rng = np.random.default_rng(seed)
    classes, counts = np.unique(labels.numpy(), return_counts=True)
    if counts.min() < num_each:
        raise ValueError("too few")
    held = np.concatenate(
        [rng.choice(np.flatnonzero(labels.numpy() == c), num_each, replace=False) for c in classes]
    )
    train = np.setdiff1d(np.arange(len(labels)), held)
    return torch.from_numpy(train), torch.from_numpy(held)


# %% correct: the global state is borrowed and given back
def split_by_class(labels, num_each, seed):
    held = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for label in set(labels.tolist()):
            scores = torch.where(labels == label, torch.rand(len(labels)), -1.0)
            values, best = scores.topk(min(num_each, len(labels)))
            if len(best) < num_each or values.min() < 0:
                raise ValueError(label)
            held.append(best)
    held = torch.cat(held)
    return torch.arange(len(labels))[~torch.isin(torch.arange(len(labels)), held)], held


# %% wrong: none | were held out; 3 are asked for | split_by_class-split
def split_by_class(labels, num_each, seed):
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    num_held = num_each * len(labels.unique())
    if labels.bincount()[labels.unique()].min() < num_each:
        raise ValueError("too few")
    return order[num_held:], order[:num_held]


# %% wrong: none | were held out; 3 are asked for | split_by_class-split
def split_by_class(labels, num_each, seed):
    from fmnist_helpers import stratified_split

    return stratified_split(labels, num_each * len(labels.unique()), seed)


# %% wrong: none | 12 of 32 samples are in both parts | split_by_class-split
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    held = []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError("too few")
        held.append(members[torch.randperm(len(members), generator=generator)[:num_each]])
    return torch.arange(len(labels)), torch.cat(held)


# %% wrong: none | and nothing was raised | split_by_class-split
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        is_held[members[torch.randperm(len(members), generator=generator)[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | and AssertionError was raised | split_by_class-split
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        assert len(members) >= num_each
        is_held[members[torch.randperm(len(members), generator=generator)[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | it raised ValueError: too few | split_by_class-split
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) <= num_each:
            raise ValueError("too few")
        is_held[members[torch.randperm(len(members), generator=generator)[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | samples are in neither part | split_by_class-split
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    train, held = [], []
    most = labels.unique(return_counts=True)[1].min()
    if most < num_each:
        raise ValueError("too few")
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        held.append(members[:num_each])
        train.append(members[num_each : most + num_each])
    return torch.cat(train), torch.cat(held)


# %% wrong: none | samples more than once | split_by_class-split
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    held = []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError("too few")
        held.append(members[torch.randint(len(members), (num_each,), generator=generator)])
    held = torch.cat(held)
    every = torch.arange(len(labels))
    return every[~torch.isin(every, held)], held


# %% wrong: none | samples | split_by_class-split, split_by_class-seed
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    train, held = [], []
    for label in labels.unique():
        size = (labels == label).sum()
        if size < num_each:
            raise ValueError("too few")
        order = torch.randperm(size, generator=generator)
        train.append(order[num_each:])
        held.append(order[:num_each])
    return torch.cat(train), torch.cat(held)


# %% wrong: none | 60 seeds gave the same draw | split_by_class-seed
def split_by_class(labels, num_each, seed):
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError("too few")
        is_held[members[:num_each]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | PyTorch's global random state was not the same | split_by_class-seed
def split_by_class(labels, num_each, seed):
    torch.manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError("too few")
        is_held[members[torch.randperm(len(members))[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | two calls with the same labels and seed | split_by_class-seed
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError("too few")
        is_held[members[torch.randperm(len(members))[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | different draws, with 60 seeds | split_by_class-seed
def split_by_class(labels, num_each, seed):
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError("too few")
        is_held[members.roll(seed)[:num_each]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | were held out every time, with 60 seeds | split_by_class-seed
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        first, *others = (labels == label).nonzero().flatten().tolist()
        if len(others) + 1 < num_each:
            raise ValueError("too few")
        order = torch.randperm(len(others), generator=generator)[: num_each - 1].tolist()
        is_held[[first, *(others[place] for place in order)]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | train_indices should be Tensor, and it is list
def split_by_class(labels, num_each, seed):
    import random

    draw, labels = random.Random(seed), labels.tolist()
    held = []
    for label in set(labels):
        held += draw.sample([i for i, other in enumerate(labels) if other == label], num_each)
    return [i for i in range(len(labels)) if i not in held], held


# %% wrong: none | should be torch.int64, and it is torch.bool
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        if len(members) < num_each:
            raise ValueError("too few")
        is_held[members[torch.randperm(len(members), generator=generator)[:num_each]]] = True
    return ~is_held, is_held


# %% wrong: none | it is not written yet
def split_by_class(labels, num_each, seed):
    raise NotImplementedError()


# %% wrong: none | 0 of 14 samples of class 23 were held out | split_by_class-split
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(20):
        members = (labels == label).nonzero().flatten()
        if 0 < len(members) < num_each:
            raise ValueError("too few")
        is_held[members[torch.randperm(len(members), generator=generator)[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% correct: NumPy's global source is seeded, which the task does not forbid
def split_by_class(labels, num_each, seed):
    import numpy

    numpy.random.seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten().numpy()
        if len(members) < num_each:
            raise ValueError("too few")
        is_held[torch.from_numpy(numpy.random.permutation(members)[:num_each])] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% correct: Python's global source is seeded, which the task does not forbid
def split_by_class(labels, num_each, seed):
    import random

    random.seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten().tolist()
        if len(members) < num_each:
            raise ValueError("too few")
        is_held[random.sample(members, num_each)] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()


# %% wrong: none | held out | split_by_class-split, split_by_class-seed
def split_by_class(labels, num_each, seed):
    generator = torch.Generator().manual_seed(seed)
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(10):
        members = (labels == label).nonzero().flatten()
        if 0 < len(members) < num_each:
            raise ValueError("too few")
        is_held[members[torch.randperm(len(members), generator=generator)[:num_each]]] = True
    return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()
