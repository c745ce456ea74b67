# %% correct: as the lesson writes it
def normalise_by(train_images, images):
    train_pixels = train_images.float() / 255
    mean_image = train_pixels.mean(dim=0)
    normalised = (images.float() / 255 - mean_image) / train_pixels.std()
    return normalised.unsqueeze(1)


# %% correct: the bytes are averaged, and None adds the axis
def normalise_by(train_images, images):
    mean, deviation = train_images.float().mean(0), train_images.float().std()
    return ((images - mean) / deviation)[:, None]


# %% correct: sums in place of means
def normalise_by(train_images, images):
    number, height, width = train_images.shape
    train = train_images.double() / 255
    mean_image = train.sum(dim=0) / number
    middle = train.sum() / train.numel()
    deviation = (((train - middle) ** 2).sum() / (train.numel() - 1)).sqrt()
    return ((images / 255 - mean_image) / deviation).float().reshape(-1, 1, height, width)


# %% correct: NumPy
def normalise_by(train_images, images):
    train = train_images.numpy() / 255
    pixels = (images.numpy() / 255 - train.mean(axis=0)) / train.std(ddof=1)
    return torch.from_numpy(pixels.astype("float32")[:, None])


# %% correct: image by image, with a channel from the start
def scaled(images):
    return images.view(len(images), 1, *images.shape[1:]).to(torch.float32).div_(255)


def normalise_by(train_images, images):
    train = scaled(train_images)
    mean_image, deviation = train.mean(dim=0), train.flatten().std(correction=1)
    return torch.stack([(image - mean_image) / deviation for image in scaled(images)])


# %% correct: on copies, in place
def normalise_by(train_images, images):
    train, pixels = train_images.clone().float(), images.clone().float()
    pixels -= train.mean(dim=0)
    pixels /= train.std()
    return pixels.unsqueeze(dim=1)


# %% wrong: statistics_of_all | mean image and deviation come from the images that were to be normalised
def normalise_by(train_images, images):
    pixels = images / 255
    return ((pixels - pixels.mean(dim=0)) / pixels.std()).unsqueeze(1)


# %% wrong: statistics_of_all | have a part in mean image and deviation
def normalise_by(train_images, images):
    pixels = torch.cat([train_images, images]) / 255
    return ((images / 255 - pixels.mean(dim=0)) / pixels.std()).unsqueeze(1)


# %% wrong: statistics_of_all | the mean image comes from the images that were to be normalised
def normalise_by(train_images, images):
    pixels, deviation = images / 255, (train_images / 255).std()
    return ((pixels - pixels.mean(dim=0)) / deviation).unsqueeze(1)


# %% wrong: statistics_of_all | the deviation comes from the images that were to be normalised
def normalise_by(train_images, images):
    pixels, mean_image = images / 255, (train_images / 255).mean(dim=0)
    return ((pixels - mean_image) / pixels.std()).unsqueeze(1)


# %% wrong: statistics_of_all | mean and deviation come from the images that were to be normalised
def normalise_by(train_images, images):
    pixels = images.unsqueeze(1) / 255
    return (pixels - pixels.mean()) / pixels.std()


# %% wrong: statistics_of_all | from each image its own mean was subtracted
def normalise_by(train_images, images):
    pixels = images.unsqueeze(1) / 255
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    return (pixels - mean) / pixels.std(dim=(1, 2, 3), keepdim=True)


# %% wrong: statistics_of_all | from each image its own mean was subtracted
def normalise_by(train_images, images):
    pixels = images / 255
    mean = pixels.mean(dim=(1, 2))[:, None, None]
    return ((pixels - mean) / (train_images / 255).std()).unsqueeze(1)


# %% wrong: statistics_of_all | come from the 60,000 images of Fashion-MNIST
def normalise_by(train_images, images):
    return (images.unsqueeze(1) / 255 - 0.2860) / 0.3530


# %% wrong: bytes_are_floats | it raised
def normalise_by(train_images, images):
    return ((images - train_images.mean(dim=0)) / train_images.std()).unsqueeze(1)


# %% wrong: bytes_are_floats | it raised
def normalise_by(train_images, images):
    train = train_images.float()
    images -= train.mean(dim=0)
    return (images / train.std()).unsqueeze(1)


# %% wrong: bytes_are_floats | bytes below 0 start again at 255
def normalise_by(train_images, images):
    mean_image = train_images.float().mean(dim=0).byte()
    return ((images - mean_image) / train_images.float().std()).unsqueeze(1)


# %% wrong: bytes_are_floats | bytes below 0 start again at 255
def normalise_by(train_images, images):
    mean_image = train_images.float().mean(dim=0).to(torch.uint8)
    return ((images - mean_image) / 255 / (train_images / 255).std()).unsqueeze(1)


# %% wrong: bytes_are_floats | whole numbers were divided
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images // 255 - train.mean(dim=0)) / train.std()).unsqueeze(1)


# %% wrong: bytes_are_floats | the result holds whole numbers
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train.std()).unsqueeze(1).int()


# %% wrong: none | the same number was subtracted at every place
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean()) / train.std()).unsqueeze(1)


# %% wrong: none | a number per column was subtracted
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=(0, 1))) / train.std()).unsqueeze(1)


# %% wrong: none | a number per row was subtracted
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=(0, 2))[:, None]) / train.std()).unsqueeze(1)


# %% wrong: none | each place was divided by its own deviation
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train.std(dim=0)).unsqueeze(1)


# %% wrong: none | it raised RuntimeError: The size of tensor a
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=1)) / train.std()).unsqueeze(1)


# %% wrong: none | the result should have shape (6, 1, 28, 28), and it has (6, 28, 28)
def normalise_by(train_images, images):
    train = train_images / 255
    return (images / 255 - train.mean(dim=0)) / train.std()


# %% wrong: none | and it has (1, 6, 28, 28)
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train.std()).unsqueeze(0)


# %% wrong: none | bytes up to 255 were normalised with numbers for pixels up to 1
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images - train.mean(dim=0)) / train.std()).unsqueeze(1)


# %% wrong: none | pixels up to 1 were normalised with numbers for bytes up to 255
def normalise_by(train_images, images):
    train = train_images.float()
    return ((images / 255 - train.mean(dim=0)) / train.std()).unsqueeze(1)


# %% wrong: none | pixels up to 1 were divided by a deviation for bytes up to 255
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train_images.float().std()).unsqueeze(1)


# %% wrong: none | nothing was divided by the deviation
def normalise_by(train_images, images):
    return (images / 255 - (train_images / 255).mean(dim=0)).unsqueeze(1)


# %% wrong: none | the mean image was not subtracted
def normalise_by(train_images, images):
    return (images / 255 / (train_images / 255).std()).unsqueeze(1)


# %% wrong: none | scaled, but not normalised
def normalise_by(train_images, images):
    return images.unsqueeze(1).float() / 255


# %% wrong: none | the square of the deviation
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train.var()).unsqueeze(1)


# %% wrong: none | the images were subtracted from the mean image
def normalise_by(train_images, images):
    train = train_images / 255
    return ((train.mean(dim=0) - images / 255) / train.std()).unsqueeze(1)


# %% wrong: none | the images that were handed over were changed in place
def normalise_by(train_images, images):
    train = train_images / 255
    return (images.unsqueeze_(1) / 255 - train.mean(dim=0)) / train.std()


# %% wrong: none | the training images that were handed over were changed in place
def normalise_by(train_images, images):
    train = train_images.unsqueeze_(1) / 255
    return (images.unsqueeze(1) / 255 - train.mean(dim=0)) / train.std()


# %% wrong: none | should be torch.float32, and it is torch.float64
def normalise_by(train_images, images):
    train = train_images.double() / 255
    return ((images.double() / 255 - train.mean(dim=0)) / train.std()).unsqueeze(1)


# %% wrong: none | and it should be
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.median(dim=0).values) / train.std()).unsqueeze(1)


# %% wrong: none | should be Tensor, and it is None (is a return missing?)
def normalise_by(train_images, images):
    train = train_images / 255
    normalised = ((images / 255 - train.mean(dim=0)) / train.std()).unsqueeze(1)


# %% wrong: none | it is not written yet
def normalise_by(train_images, images):
    raise NotImplementedError()


# %% wrong: none | squares divided by their number, 45; .std() divides by 44
def normalise_by(train_images, images):
    train = train_images.numpy() / 255
    pixels = (images.numpy() / 255 - train.mean(axis=0)) / train.std()
    return torch.from_numpy(pixels.astype("float32")[:, None])


# %% wrong: none | squares divided by their number, 45; .std() divides by 44
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train.std(correction=0)).unsqueeze(1)


# %% wrong: none | for images of shape (2, 3, 5) it raised RuntimeError: shape
def normalise_by(train_images, images):
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train.std()).view(-1, 1, 28, 28)


# %% wrong: none | for images of shape (2, 3, 5) it raised RuntimeError: shape
def normalise_by(train_images, images):
    train = train_images.reshape(-1, 784) / 255
    rows = (images.reshape(-1, 784) / 255 - train.mean(dim=0)) / train.std()
    return rows.reshape(-1, 1, *images.shape[1:])


# %% wrong: none | for images of shape (2, 3, 5) the result should have shape (2, 1, 3, 5), and it has (2, 1, 5, 3)
def normalise_by(train_images, images):
    number, width, height = images.shape
    train = train_images / 255
    return ((images / 255 - train.mean(dim=0)) / train.std()).reshape(number, 1, height, width)
