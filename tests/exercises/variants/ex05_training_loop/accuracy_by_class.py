# %% correct: counts with bincount
def accuracy_by_class(dataloader, model, num_classes):
    right, total = torch.zeros(num_classes), torch.zeros(num_classes)
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            hit = model(images).argmax(dim=1) == labels
            right += torch.bincount(labels[hit], minlength=num_classes)
            total += torch.bincount(labels, minlength=num_classes)
    return right / total


# %% correct: collects all predictions, then a loop over the classes
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        pairs = [(model(images).argmax(dim=1), labels) for images, labels in dataloader]
    guesses = torch.cat([guess for guess, _ in pairs])
    labels = torch.cat([label for _, label in pairs])
    return torch.stack([(guesses[labels == k] == k).float().mean() for k in range(num_classes)])


# %% correct: plain Python numbers
def accuracy_by_class(dataloader, model, num_classes):
    right, total = [0] * num_classes, [0] * num_classes
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            for guess, label in zip(model(images).argmax(dim=1).tolist(), labels.tolist()):
                right[label] += guess == label
                total[label] += 1
    return torch.tensor([r / t if t else float("nan") for r, t in zip(right, total)])


# %% correct: from a confusion matrix in double precision
@torch.no_grad()
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    table = torch.zeros(num_classes, num_classes, dtype=torch.float64)
    for images, labels in dataloader:
        guesses = model(images).argmax(dim=1)
        table.index_put_((labels, guesses), torch.ones(len(labels), dtype=torch.float64), accumulate=True)
    return table.diagonal() / table.sum(dim=1)


# %% wrong: mean_of_means | the mean of its batches' accuracies
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    shares = [[] for _ in range(num_classes)]
    with torch.no_grad():
        for images, labels in dataloader:
            hit = (model(images).argmax(dim=1) == labels).float()
            for k in range(num_classes):
                if (labels == k).any():
                    shares[k].append(hit[labels == k].mean())
    return torch.tensor([sum(s) / len(s) if s else float("nan") for s in shares])


# %% wrong: none | nan (no value) is asked for
def accuracy_by_class(dataloader, model, num_classes):
    right, total = torch.zeros(num_classes), torch.zeros(num_classes)
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            hit = model(images).argmax(dim=1) == labels
            right += torch.bincount(labels[hit], minlength=num_classes)
            total += torch.bincount(labels, minlength=num_classes)
    return right / total.clamp(min=1)


# %% wrong: none | divided by all samples, not by its own
def accuracy_by_class(dataloader, model, num_classes):
    right = torch.zeros(num_classes)
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            hit = model(images).argmax(dim=1) == labels
            right += torch.bincount(labels[hit], minlength=num_classes)
    return right / len(dataloader.dataset)


# %% wrong: last_is_all | only the last batch was counted
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            hit = model(images).argmax(dim=1) == labels
            right = torch.bincount(labels[hit], minlength=num_classes)
            total = torch.bincount(labels, minlength=num_classes)
    return right / total


# %% wrong: mode_returns | evaluated in training mode
def accuracy_by_class(dataloader, model, num_classes):
    right, total = torch.zeros(num_classes), torch.zeros(num_classes)
    for images, labels in dataloader:
        hit = model(images).argmax(dim=1) == labels
        right += torch.bincount(labels[hit], minlength=num_classes)
        total += torch.bincount(labels, minlength=num_classes)
    return right / total


# %% wrong: eval_stops_gradients | evaluated with gradients on
def accuracy_by_class(dataloader, model, num_classes):
    right, total = torch.zeros(num_classes), torch.zeros(num_classes)
    model.eval()
    for images, labels in dataloader:
        hit = model(images).argmax(dim=1) == labels
        right += torch.bincount(labels[hit], minlength=num_classes)
        total += torch.bincount(labels, minlength=num_classes)
    return right / total


# %% wrong: none | should have shape (4,), and it has ()
def accuracy_by_class(dataloader, model, num_classes):
    right = total = 0
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            right += (model(images).argmax(dim=1) == labels).sum()
            total += len(labels)
    return right / total


# %% wrong: none | should be Tensor, and it is dict
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        guesses = torch.cat([model(images).argmax(dim=1) for images, _ in dataloader])
    labels = torch.cat([labels for _, labels in dataloader])
    return {k: (guesses[labels == k] == k).float().mean().item() for k in range(num_classes)}


# %% correct: a loop over the classes that occur, each put in its place
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        hits = torch.cat([model(images).argmax(dim=1) == labels for images, labels in dataloader])
    labels = torch.cat([labels for _, labels in dataloader])
    result = torch.full((num_classes,), float("nan"))
    for k in labels.unique():
        result[k] = hits[labels == k].float().mean()
    return result


# %% wrong: none | the accuracies stand one after the other
def accuracy_by_class(dataloader, model, num_classes):
    model.eval()
    with torch.no_grad():
        hits = torch.cat([model(images).argmax(dim=1) == labels for images, labels in dataloader])
    labels = torch.cat([labels for _, labels in dataloader])
    result = torch.full((num_classes,), float("nan"))
    for place, k in enumerate(labels.unique()):
        result[place] = hits[labels == k].float().mean()
    return result


# %% wrong: none | the evaluation changed something that it was given: the gradients in .grad
def accuracy_by_class(dataloader, model, num_classes):
    right, total = torch.zeros(num_classes), torch.zeros(num_classes)
    model.eval()
    model.zero_grad()
    with torch.no_grad():
        for images, labels in dataloader:
            hit = model(images).argmax(dim=1) == labels
            right += torch.bincount(labels[hit], minlength=num_classes)
            total += torch.bincount(labels, minlength=num_classes)
    return right / total
