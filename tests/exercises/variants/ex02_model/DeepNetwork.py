# %% correct: layers in a ModuleList
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(widths, widths[1:])])

    def forward(self, images):
        values = images.flatten(1)
        for number, layer in enumerate(self.layers):
            values = layer(values)
            if number < len(self.layers) - 1:
                values = torch.relu(values)
        return values


# %% correct: one Sequential with the ReLUs in it
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        parts = [nn.Flatten()]
        for place in range(1, len(widths)):
            parts += [nn.Linear(widths[place - 1], widths[place]), nn.ReLU()]
        self.stack = nn.Sequential(*parts[:-1])

    def forward(self, x):
        return self.stack(x)


# %% correct: layers as attributes with numbered names
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.depth = len(widths) - 1
        for place in range(self.depth):
            setattr(self, f"linear{place}", nn.Linear(widths[place], widths[place + 1]))

    def forward(self, images):
        values = images.reshape(len(images), -1)
        for place in range(self.depth):
            values = getattr(self, f"linear{place}")(values)
            if place + 1 < self.depth:
                values = values.clamp(min=0)
        return values


# %% correct: a Sequential that is built by a function
def DeepNetwork(widths):
    layers = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers.append(nn.Linear(inputs, outputs))
        layers.append(nn.ReLU())
    layers.pop()
    return nn.Sequential(*layers)


# %% correct: weights and biases by hand, in a ParameterList
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.values = nn.ParameterList()
        for inputs, outputs in pairwise(widths):
            bound = inputs**-0.5
            self.values.append(nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound)))
            self.values.append(nn.Parameter(torch.empty(outputs).uniform_(-bound, bound)))

    def forward(self, images):
        values = images.flatten(1)
        for place in range(0, len(self.values), 2):
            if place:
                values = values.relu()
            values = values @ self.values[place].T + self.values[place + 1]
        return values


# %% correct: the last layer is registered first
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        *hidden, last = pairwise(widths)
        self.head = nn.Linear(*last)
        self.body = nn.Sequential(*(nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in hidden))

    def forward(self, images):
        return self.head(self.body(images.flatten(start_dim=1)))


# %% correct: layers that find their inputs when they are first called
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleDict({f"to{width}": nn.LazyLinear(width) for width in widths[1:]})

    def forward(self, images):
        values = images.view(images.shape[0], -1)
        *hidden, last = self.layers.values()
        for layer in hidden:
            values = nn.functional.relu(layer(values))
        return last(values)


# %% correct: networks inside networks, registered by hand, weights the other way round
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        first, second, *rest = widths
        self.register_parameter("bias", nn.Parameter(torch.randn(1, second) / 3))
        self.register_parameter("table", nn.Parameter(torch.randn(first, second) / 3))
        self.rest = DeepNetwork([second, *rest]) if rest else None

    def forward(self, images):
        values = images.flatten(1) @ self.table + self.bias
        return values if self.rest is None else self.rest(torch.relu(values))


# %% wrong: plain_list | parameters() gives 0 numbers
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = [nn.Linear(a, b) for a, b in pairwise(widths)]

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% wrong: plain_list | layers of the widths [9, 8, 6, 4] have
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.hidden = [nn.Linear(a, b) for a, b in pairwise(widths[:-1])]
        self.last = nn.Linear(widths[-2], widths[-1])

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.hidden:
            values = layer(values).relu()
        return self.last(values)


# %% wrong: plain_list | parameters() gives 0 numbers
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = {place: nn.Linear(*pair) for place, pair in enumerate(pairwise(widths))}

    def forward(self, images):
        values = images.flatten(1)
        for place, layer in self.layers.items():
            values = layer(values if place == 0 else values.relu())
        return values


# %% wrong: probabilities_in | each row of the output sums to 1
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values).softmax(dim=1)


# %% wrong: probabilities_in | not one output was negative
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers:
            values = layer(values).relu()
        return values


# %% wrong: probabilities_in | not one output was negative
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return torch.sigmoid(self.layers[-1](values))


# %% wrong: none | no ReLU stands between the layers
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers:
            values = layer(values)
        return values


# %% wrong: none | tanh stands between the layers; a ReLU is asked for
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).tanh()
        return self.layers[-1](values)


# %% wrong: none | have
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.more = nn.Linear(widths[-1], widths[-1])

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers:
            values = layer(values).relu()
        return self.more(values)


# %% wrong: none | widths [9, 8, 6, 4]) should be Tensor, and it is None
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        self.layers[-1](values)


# %% wrong: plain_list | parameters() gives 0 numbers
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = [nn.Linear(*pair) for pair in pairwise(widths)]

    def forward(self, images):
        values = images.flatten(start_dim=1)
        for layer in self.layers:
            values = layer(values).relu()
        return values.softmax(dim=1)


# %% wrong: plain_list | state_dict() gives 0 numbers
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = [nn.Linear(*pair) for pair in pairwise(widths)]

    def parameters(self, recurse=True):
        for layer in self.layers:
            yield from layer.parameters()

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% wrong: probabilities_in | a softmax went over the images
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values).softmax(dim=0)


# %% wrong: probabilities_in | logarithms of probabilities
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values).log_softmax(dim=1)


# %% wrong: probabilities_in | each row of the output sums to 1
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        logits = self.layers[-1](values)
        return logits if self.training else logits.softmax(dim=1)


# %% wrong: none | a ReLU stands before the first layer
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers:
            values = layer(values.relu())
        return values


# %% wrong: none | all the weights; the biases are missing
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair, bias=False) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% wrong: none | the logits were not recorded for derivatives
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    @torch.no_grad()
    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% wrong: none | the loss gives no derivative for | DeepNetwork-test
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.layers[:-1]:
            values = layer(values).relu().detach()
        return self.layers[-1](values)


# %% wrong: none | it raised RuntimeError
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% wrong: none | (batch size 1, widths [9, 8, 6, 4]) should have shape (1, 4), and it has (4,)
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, images):
        values = images.squeeze().flatten(1) if len(images) > 1 else images.flatten()
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% correct: height and width read from the images
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, images):
        number, _, height, width = images.shape
        values = images.reshape(number, height * width)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% wrong: none | for images of height
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, images):
        n, _, h, _ = images.shape
        values = images.reshape(n, h * h)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)


# %% wrong: none | for images of height
class DeepNetwork(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.side = int(widths[0] ** 0.5)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, images):
        values = images.reshape(-1, self.side**2)
        for layer in self.layers[:-1]:
            values = layer(values).relu()
        return self.layers[-1](values)
