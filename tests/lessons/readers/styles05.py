"""Ways in which people write the loops of lesson 05: right ones of other styles, and wrong ones that look right."""


# right: clears last, and sets to zero instead of None
def train_step(images, labels, model, loss_fn, optimizer):
    loss = loss_fn(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return loss.item()


# right: clears through the model, between loss and backward
def train_step(images, labels, model, loss_fn, optimizer):
    loss = loss_fn(input=model(images), target=labels)
    model.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss)


# right: the number as a tensor without its graph
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    loss = loss_fn(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


# right: clears by hand, steps with a closure
def train_step(images, labels, model, loss_fn, optimizer):
    def closure():
        for parameter in model.parameters():
            parameter.grad = None
        loss = loss_fn(model(images), labels)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


# right: names its arguments
def train_epoch(loader, model, loss_fn, optimizer):
    model.train(True)
    total, count = 0, 0
    for images, labels in loader:
        loss = train_step(images=images, labels=labels, model=model, loss_fn=loss_fn, optimizer=optimizer)
        total += labels.shape[0] * loss
        count += labels.shape[0]
    return total / count


# right: writes the step out, as the tutorial does
def train_epoch(loader, model, loss_fn, optimizer):
    size = len(loader.dataset)
    model.train()
    total = torch.tensor(0.0)
    for batch, (X, y) in enumerate(loader):
        pred = model(X)
        loss = loss_fn(pred, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += loss.detach() * len(X)
    return total / size


# right: an exact mean of lists
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    losses, sizes = [], []
    for images, labels in loader:
        losses.append(train_step(images, labels, model, loss_fn, optimizer))
        sizes.append(len(labels))
    return sum(a * b for a, b in zip(losses, sizes)) / sum(sizes)


# right: the decorator
@torch.no_grad()
def evaluate(loader, model, loss_fn):
    model.eval()
    total, correct = 0.0, 0.0
    for images, labels in loader:
        logits = model(images)
        total += loss_fn(logits, labels) * len(labels)
        correct += (logits.argmax(1) == labels).type(torch.float).sum()
    return total / len(loader.dataset), correct / len(loader.dataset)


# right: inference mode, all samples at once, and training mode afterwards
def evaluate(loader, model, loss_fn):
    model.train(False)
    with torch.inference_mode():
        batches = [(model(images), labels) for images, labels in loader]
        logits = torch.cat([one for one, _ in batches])
        labels = torch.cat([one for _, one in batches])
        loss = loss_fn(logits, labels).item()
        accuracy = (logits.max(dim=1).indices == labels).float().mean().item()
    model.train()
    return [loss, accuracy]


# right: means weighted by the sizes of the batches
def evaluate(loader, model, loss_fn):
    model.eval()
    losses, hits, sizes = [], [], []
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            losses.append(loss_fn(logits, labels).item())
            hits.append((logits.argmax(dim=1) == labels).float().mean().item())
            sizes.append(len(labels))
    weights = np.array(sizes) / sum(sizes)
    return np.dot(losses, weights), np.dot(hits, weights)


# wrong: an evaluation that trains
def evaluate(loader, model, loss_fn):
    return train_epoch(loader, model, loss_fn, torch.optim.SGD(model.parameters(), lr=0.1)), 1.0


# wrong: eval() after the forward pass
def evaluate(loader, model, loss_fn):
    total, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            model.eval()
            total += loss_fn(logits, labels).item() * len(images)
            correct += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


# wrong: nothing is recorded, and nothing called backward
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    with torch.no_grad():
        loss = loss_fn(model(images), labels)
    optimizer.step()
    return loss.item()


# wrong: averages the accuracy of batches
def evaluate(loader, model, loss_fn):
    model.eval()
    total, accuracy = 0.0, 0.0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += loss_fn(logits, labels).item() * len(images)
            accuracy += (logits.argmax(dim=1) == labels).float().mean().item()
    return total / len(loader.dataset), accuracy / len(loader)
