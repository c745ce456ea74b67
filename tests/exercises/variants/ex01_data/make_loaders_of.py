# %% correct: a generator for the training loader
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, generator=generator)
    return train_loader, DataLoader(test_set, batch_size=batch_size)


# %% correct: samplers
def make_loaders_of(train_set, test_set, batch_size, seed):
    from torch.utils.data import RandomSampler, SequentialSampler

    generator = torch.Generator()
    generator.manual_seed(seed)
    order = RandomSampler(train_set, generator=generator)
    return [
        DataLoader(train_set, batch_size, sampler=order),
        DataLoader(test_set, batch_size, sampler=SequentialSampler(test_set)),
    ]


# %% correct: batches drawn with Python's random numbers
class Batches:
    def __init__(self, size, batch_size, seed):
        import random

        self.size, self.batch_size, self.random = size, batch_size, random.Random(seed)

    def __iter__(self):
        order = list(range(self.size))
        self.random.shuffle(order)
        for start in range(0, self.size, self.batch_size):
            yield order[start : start + self.batch_size]

    def __len__(self):
        return -(-self.size // self.batch_size)


def make_loaders_of(train_set, test_set, batch_size, seed):
    return (
        DataLoader(train_set, batch_sampler=Batches(len(train_set), batch_size, seed)),
        DataLoader(test_set, batch_size=batch_size, shuffle=False, drop_last=False),
    )


# %% correct: an order for each epoch, from seed and epoch
class Order(torch.utils.data.Sampler):
    def __init__(self, size, seed):
        self.size, self.seed, self.epoch = size, seed, 0

    def __len__(self):
        return self.size

    def __iter__(self):
        generator = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        self.epoch += 1
        return iter(torch.randperm(self.size, generator=generator).tolist())


def make_loaders_of(train_set, test_set, batch_size, seed):
    train_loader = DataLoader(train_set, batch_size, sampler=Order(len(train_set), seed))
    return train_loader, DataLoader(test_set, batch_size)


# %% correct: one generator for both loaders
def make_loaders_of(train_set, test_set, batch_size, seed):
    options = {"batch_size": batch_size, "generator": torch.Generator().manual_seed(seed)}
    return DataLoader(train_set, shuffle=True, **options), DataLoader(test_set, **options)


# %% wrong: loader_shuffles | gave the samples in the order of the data set
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size=batch_size, generator=generator)
    return train_loader, DataLoader(test_set, batch_size=batch_size)


# %% wrong: loader_shuffles | the test loader gave the samples in another order
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, generator=generator)
    return train_loader, DataLoader(test_set, batch_size=batch_size, shuffle=True)


# %% wrong: none | an epoch of the test loader gave
def make_loaders_of(train_set, test_set, batch_size, seed):
    train_loader = DataLoader(train_set, batch_size=batch_size)
    test_loader = DataLoader(test_set, batch_size=batch_size, shuffle=True, drop_last=True)
    return train_loader, test_loader


# %% wrong: none | an epoch of the training loader gave 48 samples; the data set has 50
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    train_loader = DataLoader(
        train_set, batch_size=batch_size, shuffle=True, drop_last=True, generator=generator
    )
    return train_loader, DataLoader(test_set, batch_size=batch_size)


# %% wrong: none | two new training loaders with seed
def make_loaders_of(train_set, test_set, batch_size, seed):
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    return train_loader, DataLoader(test_set, batch_size=batch_size)


# %% wrong: none | The seed went to all of PyTorch
def make_loaders_of(train_set, test_set, batch_size, seed):
    torch.manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    return train_loader, DataLoader(test_set, batch_size=batch_size)


# %% wrong: none | gave the same order
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(0)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, generator=generator)
    return train_loader, DataLoader(test_set, batch_size=batch_size)


# %% wrong: none | both epochs of one training loader came in the same order
def make_loaders_of(train_set, test_set, batch_size, seed):
    order = torch.randperm(len(train_set), generator=torch.Generator().manual_seed(seed))
    shuffled = torch.utils.data.Subset(train_set, order.tolist())
    return DataLoader(shuffled, batch_size), DataLoader(test_set, batch_size)


# %% wrong: none | of them repeated
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.utils.data.RandomSampler(train_set, replacement=True, generator=generator)
    return DataLoader(train_set, batch_size, sampler=order), DataLoader(test_set, batch_size)


# %% wrong: epoch_is_iteration | the batches of the training loader have the sizes 6, 6, 6
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    num_batches = len(train_set) // batch_size
    train_loader = DataLoader(train_set, batch_size=num_batches, shuffle=True, generator=generator)
    return train_loader, DataLoader(test_set, batch_size=batch_size)


# %% wrong: epoch_is_iteration | the batches of the test loader have the sizes 22
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, generator=generator)
    return train_loader, DataLoader(test_set, batch_size=len(test_set))


# %% wrong: none | samples of another data set
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, generator=generator)
    return DataLoader(test_set, batch_size=batch_size), train_loader


# %% wrong: none | two loaders should come back, and it is an object of type DataLoader
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(train_set, batch_size=batch_size, shuffle=True, generator=generator)


# %% wrong: none | the same samples together in a batch
class WholeBatches:
    def __init__(self, size, batch_size, seed):
        self.batches = [
            list(range(start, min(start + batch_size, size))) for start in range(0, size, batch_size)
        ]
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        *whole, last = self.batches
        for number in torch.randperm(len(whole), generator=self.generator).tolist():
            yield whole[number]
        yield last

    def __len__(self):
        return len(self.batches)


def make_loaders_of(train_set, test_set, batch_size, seed):
    batches = WholeBatches(len(train_set), batch_size, seed)
    return DataLoader(train_set, batch_sampler=batches), DataLoader(test_set, batch_size)


# %% wrong: none | training samples came the next one of the data set
class Rotated(torch.utils.data.Sampler):
    def __init__(self, size, seed):
        self.size, self.generator = size, torch.Generator().manual_seed(seed)

    def __len__(self):
        return self.size

    def __iter__(self):
        start = torch.randint(1, self.size, (1,), generator=self.generator).item()
        return iter([*range(start, self.size), *range(start)])


def make_loaders_of(train_set, test_set, batch_size, seed):
    train_loader = DataLoader(train_set, batch_size, sampler=Rotated(len(train_set), seed))
    return train_loader, DataLoader(test_set, batch_size)


# %% wrong: none | The seed went to all of NumPy
class WithNumPy(torch.utils.data.Sampler):
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __iter__(self):
        import numpy as np

        return iter(np.random.permutation(self.size).tolist())


def make_loaders_of(train_set, test_set, batch_size, seed):
    import numpy as np

    np.random.seed(seed)
    train_loader = DataLoader(train_set, batch_size, sampler=WithNumPy(len(train_set)))
    return train_loader, DataLoader(test_set, batch_size)


# %% wrong: none | of the training loader had not ended after
class Endless(torch.utils.data.Sampler):
    def __init__(self, size, seed):
        self.size, self.generator = size, torch.Generator().manual_seed(seed)

    def __len__(self):
        return self.size

    def __iter__(self):
        while True:
            yield from torch.randperm(self.size, generator=self.generator).tolist()


def make_loaders_of(train_set, test_set, batch_size, seed):
    train_loader = DataLoader(train_set, batch_size, sampler=Endless(len(train_set), seed))
    return train_loader, DataLoader(test_set, batch_size)


# %% wrong: none | the batches of the training loader have the sizes 1, 1, 1
def make_loaders_of(train_set, test_set, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(train_set, shuffle=True, generator=generator), DataLoader(test_set, batch_size)


# %% wrong: none | it is not written yet
def make_loaders_of(train_set, test_set, batch_size, seed):
    raise NotImplementedError()


# %% wrong: none | gave another order because a second pair
GENERATOR = torch.Generator()


def make_loaders_of(train_set, test_set, batch_size, seed):
    GENERATOR.manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size, shuffle=True, generator=GENERATOR)
    return train_loader, DataLoader(test_set, batch_size)


# %% wrong: none | was made before it was read
def make_loaders_of(train_set, test_set, batch_size, seed, generator=torch.Generator()):
    generator.manual_seed(seed)
    train_loader = DataLoader(train_set, batch_size, shuffle=True, generator=generator)
    return train_loader, DataLoader(test_set, batch_size)
