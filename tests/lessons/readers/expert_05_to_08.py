"""What a reader wrote who knows PyTorch: lessons 05 to 08."""


# wrong: never clears between, clears only .grad of weights once at the first call
def train_step(images, labels, model, loss_fn, optimizer):
    loss = loss_fn(model(images), labels)
    loss.backward()
    optimizer.step()
    for p in model.parameters():
        if p.ndim > 1:
            p.grad = None
    return loss.item()


# right: autograd.grad and .grad by hand
def train_step(images, labels, model, loss_fn, optimizer):
    loss = loss_fn(model(images), labels)
    params = list(model.parameters())
    for p, g in zip(params, torch.autograd.grad(loss, params)):
        p.grad = g
    optimizer.step()
    return loss.item()


# wrong: an array with no axis, and a number was asked for
def train_step(images, labels, model, loss_fn, optimizer):
    with torch.enable_grad():
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
    optimizer.step()
    return loss.detach().numpy()


# wrong: the loss after the step
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    loss_fn(model(images), labels).backward()
    optimizer.step()
    with torch.no_grad():
        return loss_fn(model(images), labels).item()


# wrong: keeps the graph
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    loss = loss_fn(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


# right: total as a detached tensor
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    total = torch.zeros(())
    for images, labels in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.detach() * images.size(0)
    return (total / len(loader.dataset)).item()


# wrong: no train()
def train_epoch(loader, model, loss_fn, optimizer):
    total = 0.0
    for images, labels in loader:
        total += train_step(images, labels, model, loss_fn, optimizer) * len(images)
    return total / len(loader.dataset)


# right: all losses first, then weighted with tensors
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    pairs = [(train_step(x, y, model, loss_fn, optimizer), len(y)) for x, y in loader]
    losses, sizes = torch.tensor(pairs).T
    return torch.dot(losses, sizes).item() / sizes.sum().item()


# right: inference_mode and requires nothing else
def evaluate(loader, model, loss_fn):
    model.eval()
    with torch.inference_mode():
        logits, labels = zip(*[(model(x), y) for x, y in loader])
        logits, labels = torch.cat(logits), torch.cat(labels)
        return loss_fn(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


# right: decorator
@torch.no_grad()
def evaluate(loader, model, loss_fn):
    model.train(False)
    total = correct = n = 0
    for x, y in loader:
        out = model(x)
        total += loss_fn(out, y).item() * y.numel()
        correct += out.argmax(-1).eq(y).sum().item()
        n += y.numel()
    return total / n, correct / n


# right: a dict-free tuple of 0-dim tensors, no graph
@torch.inference_mode()
def evaluate(loader, model, loss_fn):
    model.eval()
    total, correct = torch.zeros(()), torch.zeros(())
    for x, y in loader:
        out = model(x)
        total += loss_fn(out, y) * len(y)
        correct += (out.argmax(1) == y).sum()
    return total / len(loader.dataset), correct / len(loader.dataset)


# right: sets back the mode it found
def evaluate(loader, model, loss_fn):
    was = model.training
    model.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            total += loss_fn(out, y).item() * len(y)
            correct += (out.max(dim=1).indices == y).sum().item()
    model.train(was)
    return total / len(loader.dataset), correct / len(loader.dataset)


# wrong: accuracy of the last batch
def evaluate(loader, model, loss_fn):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            total += loss_fn(out, y).item() * len(y)
            correct = (out.argmax(1) == y).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


# wrong: eval and no_grad, but steps nothing and reports accuracy first
def evaluate(loader, model, loss_fn):
    model.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            total += loss_fn(out, y).item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
    return correct / len(loader.dataset), total / len(loader.dataset)


# wrong: leaves the parameters frozen for good
def evaluate(loader, model, loss_fn):
    model.eval()
    model.requires_grad_(False)
    total, correct = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            total += loss_fn(out, y).item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


# wrong: switches the gradients off for the whole program
def evaluate(loader, model, loss_fn):
    model.eval()
    torch.set_grad_enabled(False)
    total, correct = 0.0, 0
    for x, y in loader:
        out = model(x)
        total += loss_fn(out, y).item() * len(y)
        correct += (out.argmax(1) == y).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


# right: math
def standard_error(accuracy, num_images):
    import math

    return math.sqrt(accuracy - accuracy**2) / math.sqrt(num_images)


# wrong: n - 1
def standard_error(accuracy, num_images):
    return (accuracy * (1 - accuracy) / (num_images - 1)) ** 0.5


# wrong: floor division
def standard_error(accuracy, num_images):
    return (accuracy * (1 - accuracy)) ** 0.5 // num_images**0.5


# right: float32 tensor
def standard_error(accuracy, num_images):
    return torch.tensor(accuracy * (1 - accuracy) / num_images).sqrt().item()


# right: of the outcomes
def standard_error(accuracy, num_images):
    right = round(accuracy * num_images)
    outcomes = torch.cat([torch.ones(right), torch.zeros(num_images - right)]).double()
    return (outcomes.std(correction=0) / num_images**0.5).item()


# right: min of two lines
def schedule(step, num_steps, max_rate):
    w = num_steps // 5
    return max_rate * min((step + 1) / (w + 1), (num_steps - step) / (num_steps - w))


# right: interp
def schedule(step, num_steps, max_rate):
    return float(np.interp(step, [-1, num_steps // 5, num_steps], [0, max_rate, 0]))


# right: float32 linspace
def schedule(step, num_steps, max_rate):
    w = num_steps // 5
    up = torch.linspace(0, max_rate, w + 2)[1:]
    down = torch.linspace(max_rate, 0, num_steps - w + 1)[1:]
    return torch.cat([up, down])[step].item()


# wrong: a fifth, not the whole number of it
def schedule(step, num_steps, max_rate):
    w = num_steps / 5
    if step < w:
        return max_rate * (step + 1) / (w + 1)
    return max_rate * (num_steps - step) / (num_steps - w)


# right: in one in-place line
def average_weights(average, weights, decay):
    with torch.no_grad():
        for a, w in zip(average, weights):
            a.lerp_(w, 1 - decay)


# right: .data
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        a.data.mul_(decay).add_(w.data, alpha=1 - decay)


# right: foreach
@torch.no_grad()
def average_weights(average, weights, decay):
    torch._foreach_lerp_(average, weights, 1 - decay)


# right: copy_
@torch.no_grad()
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        a.copy_(decay * a + (1 - decay) * w)


# right: new storage in .data
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        a.data = decay * a.data + (1 - decay) * w.data


# wrong: through numpy, a copy
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        n = a.detach().clone().numpy()
        n *= decay
        n += (1 - decay) * w.detach().numpy()


# wrong: puts new tensors into the list
def average_weights(average, weights, decay):
    for i, (a, w) in enumerate(zip(average, weights)):
        average[i] = decay * a.detach() + (1 - decay) * w.detach()


# wrong: drags the weights along
@torch.no_grad()
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        a.lerp_(w, 1 - decay)
        w.copy_(a)


# wrong: turns the gradients of the model off
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        a.requires_grad_(False)
        w.requires_grad_(False)
        a *= decay
        a += (1 - decay) * w


# right: max of the older ones
def should_stop(accuracies, patience):
    return len(accuracies) > patience and max(accuracies[-patience:]) <= max(accuracies[:-patience])


# right: numpy bool
def should_stop(accuracies, patience):
    return len(accuracies) - 1 - np.argmax(accuracies) >= patience


# right: counting loop
def should_stop(accuracies, patience):
    best, waited = -float("inf"), 0
    for a in accuracies:
        if a > best:
            best, waited = a, 0
        else:
            waited += 1
    return waited >= patience


# right: 0-dim bool tensor, as argmax gives it
def should_stop(accuracies, patience):
    return len(accuracies) - 1 - torch.tensor(accuracies).argmax() >= patience


# wrong: compares with the oldest of the window alone
def should_stop(accuracies, patience):
    if len(accuracies) <= patience:
        return False
    return max(accuracies[-patience:]) <= accuracies[-patience - 1]


# wrong: only the latest against the best
def should_stop(accuracies, patience):
    return len(accuracies) > patience and accuracies[-1] < max(accuracies)


# wrong: says stop once the run has ever been patient, although exactly equal
def should_stop(accuracies, patience):
    best = accuracies.index(max(accuracies))
    return len(accuracies) - 1 - best == patience


# wrong: best of the first epoch only counts strictly lower
def should_stop(accuracies, patience):
    best = max(accuracies)
    return all(a < best for a in accuracies[-patience:]) and len(accuracies) > patience


# right: unfold
def convolve(image, kernel):
    return (image.unfold(0, 3, 1).unfold(1, 3, 1) * kernel).sum(dim=(-1, -2))


# right: nine shifted images
def convolve(image, kernel):
    h, w = image.shape
    return sum(kernel[i, j] * image[i : i + h - 2, j : j + w - 2] for i in range(3) for j in range(3))


# right: einsum
def convolve(image, kernel):
    return torch.einsum("hwij,ij->hw", image.unfold(0, 3, 1).unfold(1, 3, 1), kernel)


# right: conv2d itself
def convolve(image, kernel):
    return torch.nn.functional.conv2d(image[None, None], kernel[None, None])[0, 0]


# right: empty, float64
def convolve(image, kernel):
    h, w = image.shape
    out = torch.empty(h - 2, w - 2, dtype=torch.float64)
    for r in range(h - 2):
        for c in range(w - 2):
            out[r, c] = torch.tensordot(image[r : r + 3, c : c + 3], kernel, dims=2)
    return out


# wrong: a matrix product of window and kernel
def convolve(image, kernel):
    h, w = image.shape
    out = torch.zeros(h - 2, w - 2)
    for r in range(h - 2):
        for c in range(w - 2):
            out[r, c] = (image[r : r + 3, c : c + 3] @ kernel).sum()
    return out


# wrong: sizes written in
def convolve(image, kernel):
    out = torch.zeros(26, 26)
    for r in range(26):
        for c in range(26):
            out[r, c] = (image[r : r + 3, c : c + 3] * kernel).sum()
    return out


# right: var_mean
def batch_norm(values, scale, shift):
    v, m = torch.var_mean(values, dim=(0, 2, 3), keepdim=True, correction=0)
    return scale * (values - m) * torch.rsqrt(v + 1e-5) + shift


# right: functional
def batch_norm(values, scale, shift):
    return F.batch_norm(values, None, None, scale.flatten(), shift.flatten(), True)


# right: mean of squares minus square of mean
def batch_norm(values, scale, shift):
    m = values.mean((0, 2, 3), keepdim=True)
    v = (values**2).mean((0, 2, 3), keepdim=True) - m**2
    return (values - m) / torch.sqrt(v + 1e-5) * scale + shift


# right: channel by channel
def batch_norm(values, scale, shift):
    out = torch.empty_like(values)
    for c in range(values.shape[1]):
        one = values[:, c]
        out[:, c] = (one - one.mean()) / (one.var(unbiased=False) + 1e-5).sqrt() * scale[c] + shift[c]
    return out


# wrong: no eps, so a dead channel gives nan
def batch_norm(values, scale, shift):
    m = values.mean((0, 2, 3), keepdim=True)
    s = values.std((0, 2, 3), keepdim=True, correction=0)
    return (values - m) / s * scale + shift


# wrong: eps outside of the root
def batch_norm(values, scale, shift):
    m = values.mean((0, 2, 3), keepdim=True)
    s = values.std((0, 2, 3), keepdim=True, correction=0)
    return (values - m) / (s + 1e-5) * scale + shift


# right: where
def mirror_some(images, coins):
    return torch.where(coins.view(-1, 1, 1, 1), images.flip(3), images)


# right: list of images
def mirror_some(images, coins):
    return torch.stack([im.flip(-1) if c else im for im, c in zip(images, coins)])


# right: blend
def mirror_some(images, coins):
    c = coins.float()[:, None, None, None]
    return (
        c
        * torch.fliplr(images.squeeze(1).transpose(0, 1).transpose(0, 2).transpose(0, 1)).new_tensor(
            images.flip(-1).numpy()
        )
        + (1 - c) * images
    )


# wrong: flips all dims of the chosen part
def mirror_some(images, coins):
    out = images.clone()
    out[coins] = images[coins].flip(0, -1)
    return out


# wrong: rolls instead
def mirror_some(images, coins):
    out = images.clone()
    out[coins] = images[coins].roll(1, -1)
    return out


# right: one batch of both
def two_views(model, images):
    return model(torch.cat([images, images.flip(-1)])).reshape(2, len(images), -1).mean(0)


# right: stack mean
def two_views(model, images):
    return torch.stack([model(images), model(images.flip(dims=(3,)))]).mean(dim=0)


# right: lerp
def two_views(model, images):
    return torch.lerp(model(images), model(torchvision.transforms.functional.hflip(images)), 0.5)


# right: modes and no_grad
@torch.no_grad()
def two_views(model, images):
    return 0.5 * model(images) + 0.5 * model(images.flip(-1))


# right: eval before asking
def two_views(model, images):
    model.eval()
    return (model(images) + model(images.flip(-1))) / 2


# wrong: mean of the images, asked once
def two_views(model, images):
    return model((images + images.flip(-1)) / 2)


# wrong: log of the mean probability
def two_views(model, images):
    return ((model(images).softmax(1) + model(images.flip(-1)).softmax(1)) / 2).log()


# right: rgb_to_grayscale
def prepare(picture):
    from torchvision.transforms.functional import rgb_to_grayscale

    return 1 - rgb_to_grayscale(picture.float()) / 255


# right: bytes of torchvision, rounded
def prepare(picture):
    from torchvision.transforms.functional import rgb_to_grayscale, convert_image_dtype

    return 1 - convert_image_dtype(rgb_to_grayscale(picture), torch.float32)


# right: v2
def prepare(picture):
    from torchvision.transforms import v2

    return v2.functional.invert(v2.functional.to_dtype(picture, torch.float32, scale=True)).mean(0)[None]


# wrong: one channel alone
def prepare(picture):
    return 1 - picture[:1].float() / 255


# wrong: adds as bytes
def prepare(picture):
    return 1 - ((picture[0] + picture[1] + picture[2]) / 3)[None] / 255


# wrong: stretched to the range of this picture
def prepare(picture):
    g = picture.float().mean(0, keepdim=True)
    return (g.max() - g) / (g.max() - g.min())


# right: double
def prepare(picture):
    return (255 - picture.double().mean(0, keepdim=True)) / 255


# right: list back
def get_sample(self, index):
    return [self.read(self.paths[index]), self.labels[index]]


# right: label as tensor
def get_sample(self, index):
    return self.read(self.paths[index]), torch.tensor(self.labels[index])


# right: zip
def get_sample(self, index):
    path, label = list(zip(self.paths, self.labels))[index]
    return self.read(path), label


# wrong: dict
def get_sample(self, index):
    return {"image": self.read(self.paths[index]), "label": self.labels[index]}


# wrong: reads all
def get_sample(self, index):
    return [self.read(p) for p in self.paths][index], self.labels[index]


# wrong: global read of the notebook
def get_sample(self, index):
    return read(self.paths[index]), self.labels[index]


# wrong: label as text
def get_sample(self, index):
    return self.read(self.paths[index]), str(self.labels[index])


# right: map
def renumber(folder_classes, classes):
    return list(map(classes.index, folder_classes))


# right: dictionary
def renumber(folder_classes, classes):
    place = {name: n for n, name in enumerate(classes)}
    return [place[name] for name in folder_classes]


# wrong: tuple, and a list was asked for
def renumber(folder_classes, classes):
    return tuple(classes.index(n) for n in folder_classes)


# wrong: tensor, and a list was asked for
def renumber(folder_classes, classes):
    return torch.tensor([classes.index(n) for n in folder_classes])


# wrong: sorted order
def renumber(folder_classes, classes):
    return [sorted(classes).index(n) for n in folder_classes]


# wrong: generator
def renumber(folder_classes, classes):
    return (classes.index(n) for n in folder_classes)


# right: loop
def start_from(model, num_classes):
    for p in model.parameters():
        p.requires_grad = False
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# right: head first, then freeze by name
def start_from(model, num_classes):
    model.head = nn.Linear(model.head.weight.shape[1], num_classes)
    for name, p in model.named_parameters():
        p.requires_grad_(name.startswith("head"))
    return model


# right: freeze features only
def start_from(model, num_classes):
    model.features.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# right: works on a copy
def start_from(model, num_classes):
    import copy

    model = copy.deepcopy(model)
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# right: modules put into eval first
def start_from(model, num_classes):
    model.eval().requires_grad_(False)
    setattr(model, "head", nn.Linear(model.head.in_features, num_classes))
    return model


# right: reset in place of head
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head.out_features = num_classes
    model.head.weight = nn.Parameter(torch.randn(num_classes, model.head.in_features) * 0.05)
    model.head.bias = nn.Parameter(torch.zeros(num_classes))
    return model


# wrong: the head is wrapped in no_grad semantics: attribute typo
def start_from(model, num_classes):
    model.require_grad = False
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# wrong: eval instead of freezing
def start_from(model, num_classes):
    model.eval()
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# wrong: keeps the weights of the old head as the first rows
def start_from(model, num_classes):
    model.requires_grad_(False)
    old = model.head
    model.head = nn.Linear(old.in_features, num_classes)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.zero_()
    model.features.weight.data.zero_()
    return model


# wrong: sizes written in
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(128, num_classes)
    return model


# wrong: returns the head
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model.head


# wrong: nothing comes back
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
