# right: a tensor of one number, as torch.sqrt gives it
def standard_error(accuracy, num_images):
    return torch.sqrt(torch.tensor(accuracy * (1 - accuracy) / num_images))


# right: both lines, and the lower one
def schedule(step, num_steps, max_rate):
    warm_up = num_steps // 5
    up = torch.tensor((step + 1) / (warm_up + 1))
    down = torch.tensor((num_steps - step) / (num_steps - warm_up))
    return max_rate * torch.minimum(up, down)


# wrong: rounds where the task cuts off
def schedule(step, num_steps, max_rate):
    warm_up = round(num_steps / 5)
    if step < warm_up:
        return max_rate * (step + 1) / (warm_up + 1)
    return max_rate * (num_steps - step) / (num_steps - warm_up)


# right: remembers what it has read
def get_sample(self, index):
    if not hasattr(self, "cache"):
        self.cache = {}
    if index not in self.cache:
        self.cache[index] = self.read(self.paths[index])
    return self.cache[index], self.labels[index]


# wrong: sorts the paths and not the labels
def get_sample(self, index):
    return self.read(sorted(self.paths)[index]), self.labels[index]


# wrong: sorts the paths for good
def get_sample(self, index):
    self.paths.sort()
    return self.read(self.paths[index]), self.labels[index]


# wrong: keeps both and returns nothing
def get_sample(self, index):
    self.image, self.label = self.read(self.paths[index]), self.labels[index]


# right: a decorator that is no function
import functools


@functools.cache
def num_pixels(width, height):
    return width * height


# right: a cache with a size
import functools


@functools.lru_cache(maxsize=None)
def num_iterations(num_samples, batch_size):
    return -(-num_samples // batch_size)


# wrong: the remainder
def num_iterations(num_samples, batch_size):
    return num_samples % batch_size


# wrong: all hidden layers as wide as the first
def num_parameters(sizes):
    inputs, hidden = sizes[0], sizes[1]
    total = inputs * hidden + hidden
    for outputs in sizes[2:]:
        total += hidden * outputs + outputs
    return total


# wrong: the median
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].log().median()
