# %% correct: a function inside the function
def make_normaliser(train_images):
    pixels = train_images.float() / 255
    mean, deviation = pixels.mean(), pixels.std()

    def normalise(images):
        return (images.unsqueeze(1) / 255 - mean) / deviation

    return normalise


# %% correct: counts how often each byte occurs, as in the lesson
def make_normaliser(train_images):
    values = torch.arange(256) / 255
    shares = torch.bincount(train_images.flatten(), minlength=256) / train_images.numel()
    mean = (shares * values).sum()
    deviation = (shares * (values - mean) ** 2).sum().sqrt()
    table = (values - mean) / deviation
    return lambda images: table[images.long()][:, None]


# %% correct: a module that keeps its numbers
class Normaliser(torch.nn.Module):
    def __init__(self, mean, deviation):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, images):
        return ((images.float() - self.mean) / self.deviation).reshape(len(images), 1, 28, 28)


def make_normaliser(train_images):
    deviation, mean = torch.std_mean(train_images.double(), correction=0)
    return Normaliser(mean.float(), deviation.float())


# %% correct: NumPy and a class that can be called
class Normalise:
    def __init__(self, train_images):
        self.mean, self.deviation = train_images.numpy().mean(), train_images.numpy().std()

    def __call__(self, images):
        pixels = (images.numpy() - self.mean) / self.deviation
        return torch.from_numpy(pixels.astype("float32")[:, None])


make_normaliser = Normalise


# %% correct: torchvision's transform, handed the numbers by partial
def scale(images):
    return images.view(-1, 1, 28, 28).to(torch.float32).div_(255)


def make_normaliser(train_images):
    from functools import partial

    from torchvision.transforms.functional import normalize

    pixels = scale(train_images)
    mean = pixels.mean()
    deviation = (pixels.square().mean() - mean**2).sqrt()
    normalise = partial(normalize, mean=[mean.item()], std=[deviation.item() + 1e-7])
    return lambda images: normalise(scale(images))


# %% wrong: statistics_of_all | come from the images that were to be normalised
def make_normaliser(train_images):
    def normalise(images):
        pixels = images.unsqueeze(1) / 255
        return (pixels - pixels.mean()) / pixels.std()

    return normalise


# %% wrong: statistics_of_all | each image has its own numbers
def make_normaliser(train_images):
    def normalise(images):
        pixels = images.unsqueeze(1) / 255
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        return (pixels - mean) / pixels.std(dim=(1, 2, 3), keepdim=True)

    return normalise


# %% wrong: statistics_of_all | come from the 60,000 images of Fashion-MNIST
def make_normaliser(train_images):
    return lambda images: (images.unsqueeze(1) / 255 - 0.2860) / 0.3530


# %% wrong: statistics_of_all | as far as the mean goes
def make_normaliser(train_images):
    deviation = (train_images / 255).std()

    def normalise(images):
        pixels = images.unsqueeze(1) / 255
        return (pixels - pixels.mean()) / deviation

    return normalise


# %% wrong: bytes_are_floats | and a brighter one of
def make_normaliser(train_images):
    mean = int(train_images.float().mean())
    deviation = train_images.float().std()
    return lambda images: (images - mean).unsqueeze(1) / deviation


# %% wrong: bytes_are_floats | it raised
def make_normaliser(train_images):
    mean, deviation = train_images.mean(), train_images.std()
    return lambda images: (images.unsqueeze(1) - mean) / deviation


# %% wrong: bytes_are_floats | it raised
def make_normaliser(train_images):
    deviation = train_images.std()
    mean = train_images.float().mean()
    return lambda images: (images.unsqueeze(1) - mean) / deviation


# %% wrong: bytes_are_floats | it raised
def make_normaliser(train_images):
    mean, deviation = train_images.float().mean(), train_images.float().std()

    def normalise(images):
        images -= mean
        return images.unsqueeze(1) / deviation

    return normalise


# %% wrong: bytes_are_floats | different bytes became only 2 different floats
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images.unsqueeze(1) // 255 - mean) / deviation


# %% wrong: none | the result should have shape (6, 1, 28, 28), and it has (6, 28, 28)
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images / 255 - mean) / deviation


# %% wrong: none | and it has (1, 6, 28, 28)
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images.unsqueeze(0) / 255 - mean) / deviation


# %% wrong: none | bytes up to 255 were normalised with numbers for pixels up to 1
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images.unsqueeze(1) - mean) / deviation


# %% wrong: none | pixels up to 1 were normalised with numbers for bytes up to 255
def make_normaliser(train_images):
    pixels = train_images.float()
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images.unsqueeze(1) / 255 - mean) / deviation


# %% wrong: none | nothing was divided by the deviation
def make_normaliser(train_images):
    mean = (train_images / 255).mean()
    return lambda images: images.unsqueeze(1) / 255 - mean


# %% wrong: none | the square of the deviation
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, variance = pixels.mean(), pixels.var()
    return lambda images: (images.unsqueeze(1) / 255 - mean) / variance


# %% wrong: none | depending on where in the image they are
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, deviation = pixels.mean(dim=0), pixels.std(dim=0) + 1e-3
    return lambda images: ((images / 255 - mean) / deviation).unsqueeze(1)


# %% wrong: none | the images that were handed over were changed in place
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images.unsqueeze_(1) / 255 - mean) / deviation


# %% wrong: none | the training images that were handed over were changed in place
def make_normaliser(train_images):
    pixels = train_images.unsqueeze_(1) / 255
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images.unsqueeze(1) / 255 - mean) / deviation


# %% wrong: none | a function should come back, and it is an object of type Tensor
def make_normaliser(train_images):
    pixels = train_images.unsqueeze(1) / 255
    return (pixels - pixels.mean()) / pixels.std()


# %% wrong: none | should be torch.float32, and it is torch.float64
def make_normaliser(train_images):
    pixels = train_images.double() / 255
    mean, deviation = pixels.mean(), pixels.std()
    return lambda images: (images.double().unsqueeze(1) / 255 - mean) / deviation


# %% wrong: none | the pixels look normalised with mean
def make_normaliser(train_images):
    pixels = train_images / 255
    mean, deviation = pixels.mean(), pixels.std(dim=(1, 2)).mean()
    return lambda images: (images.unsqueeze(1) / 255 - mean) / deviation


# %% wrong: none | it is not written yet
def make_normaliser(train_images):
    raise NotImplementedError()
