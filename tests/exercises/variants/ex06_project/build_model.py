# %% correct: a small multilayer perceptron
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


# %% correct: a class of its own, with ModuleList, dropout and normalisation in forward
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(784, 128), nn.Linear(128, 64)])
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Linear(64, 10)

    def forward(self, images):
        hidden = ((images - 0.286) / 0.353).view(len(images), -1)
        for layer in self.layers:
            hidden = self.dropout(torch.relu(layer(hidden)))
        return self.last(hidden)


def build_model():
    return Stack()


# %% correct: a convolutional network with batch normalisation and average pooling
def build_model():
    def block(num_in, num_out):
        return [nn.Conv2d(num_in, num_out, 3, padding=1), nn.BatchNorm2d(num_out), nn.ReLU()]

    layers = [*block(1, 16), nn.MaxPool2d(2), *block(16, 32), nn.AdaptiveAvgPool2d(4)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 16, 10))


# %% correct: the class itself is the function, and layers find their sizes themselves
class build_model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.LazyConv2d(8, 5, stride=3), nn.GELU(), nn.Flatten(), nn.LazyLinear(10))

    def forward(self, x):
        return self.net(x)


# %% correct: the log-softmax at the end is a shift of the logits, which cross-entropy does not notice
def build_model():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 100), nn.Tanh(), nn.Linear(100, 10), nn.LogSoftmax(dim=1)
    )


# %% correct: a frozen buffer for the normalisation, a residual connection, and bare parameters
class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.286))
        self.first = nn.Linear(784, 96)
        self.second = nn.Linear(96, 96)
        self.weight = nn.Parameter(0.05 * torch.randn(96, 10))

    def forward(self, images):
        hidden = self.first((images - self.mean).flatten(1)).relu()
        hidden = hidden + self.second(hidden).relu()
        return hidden @ self.weight


def build_model():
    torch.manual_seed(0)
    return Residual()


# %% correct: eight layers, seeded to start with almost equal logits
def build_model():
    sizes = [784, *[100] * 8, 10]
    layers = [nn.Flatten()]
    for num_in, num_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(num_in, num_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# %% wrong: plain_list | weights that are not among model.parameters()
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = [nn.Linear(784, 64), nn.Linear(64, 64)]
        self.last = nn.Linear(64, 10)

    def forward(self, images):
        hidden = images.flatten(1)
        for layer in self.hidden:
            hidden = layer(hidden).relu()
        return self.last(hidden)


def build_model():
    return Stack()


# %% wrong: probabilities_in | added up to 1 for each image
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(dim=1))


# %% wrong: probabilities_in | were never below 0
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.ReLU())


# %% wrong: probabilities_in | all lay between -1 and 1
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.Tanh())


# %% wrong: none | has 669,706 trainable parameters, and at most 300,000
def build_model():
    return fmnist_helpers.NeuralNetwork()


# %% wrong: train_starts_afresh | share their parameters
model_of_the_project = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def build_model():
    return model_of_the_project


# %% wrong: none | other logits the second time
class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(784, 64), nn.Linear(64, 10)

    def forward(self, images):
        return self.last(nn.functional.dropout(self.first(images.flatten(1)).relu()))


def build_model():
    return Dropping()


# %% wrong: none | other logits alone than in a batch
def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.Flatten(),
        nn.Linear(256, 10),
    )


# %% wrong: none | all images got the same logits
def build_model():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    nn.init.zeros_(model[1].weight)
    return model


# %% wrong: none | should have shape (6, 10)
def build_model():
    return nn.Sequential(nn.Linear(28, 64), nn.ReLU(), nn.Linear(64, 10))


# %% wrong: none | it is Tensor
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))(torch.rand(1, 1, 28, 28))


# %% wrong: none | it raised RuntimeError
def build_model():
    return nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


# %% wrong: probabilities_in | all lay between -10 and 10
class Bounded(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, images):
        return 10 * torch.tanh(self.layers(images))


def build_model():
    return Bounded()


# %% wrong: probabilities_in | the ten outputs added up to 1
class SoftmaxInTraining(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, images):
        logits = self.layers(images)
        return logits.softmax(dim=1) if self.training else logits


def build_model():
    return SoftmaxInTraining()


# %% wrong: none | what the model gives for one image should have shape (1, 10), and it has (10,)
class Squeezed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, images):
        return self.layers(images).squeeze()


def build_model():
    return Squeezed()


# %% wrong: probabilities_in | with weights drawn anew, small ones and large ones, the ten outputs were never below -0.
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.SiLU())
