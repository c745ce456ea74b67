# %% correct: counts the hits of topk
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1).indices
            right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
            total += len(labels)
    return right / total


# %% correct: gathers all logits first
def top_two_accuracy(dataloader, model):
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(images) for images, _ in dataloader])
    labels = torch.cat([labels for _, labels in dataloader])
    order = logits.argsort(dim=1, descending=True)[:, :2]
    return sum(label in row for row, label in zip(order.tolist(), labels.tolist())) / len(labels)


# %% correct: weights each batch by its size, in inference mode
@torch.inference_mode()
def top_two_accuracy(dataloader, model):
    model.train(False)
    share = 0.0
    for images, labels in dataloader:
        logits = model(images)
        own = logits.gather(1, labels[:, None])
        hit = (logits > own).sum(dim=1) < 2
        share += hit.float().mean().item() * len(labels) / len(dataloader.dataset)
    return share


# %% correct: gives the mode back
def top_two_accuracy(dataloader, model):
    mode = model.training
    model.eval()
    hits = []
    with torch.no_grad():
        for images, labels in dataloader:
            values, places = torch.sort(model(images), descending=True)
            hits += ((places[:, 0] == labels) | (places[:, 1] == labels)).tolist()
    model.train(mode)
    return float(sum(hits) / len(hits))


# %% wrong: mode_returns | evaluated in training mode
def top_two_accuracy(dataloader, model):
    right = total = 0
    for images, labels in dataloader:
        best = model(images).topk(2, dim=1).indices
        right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
        total += len(labels)
    return right / total


# %% wrong: no_grad_stops_dropout | though no_grad was set, so its dropout was at work
def top_two_accuracy(dataloader, model):
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1).indices
            right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
            total += len(labels)
    return right / total


# %% wrong: eval_stops_gradients | evaluated with gradients on
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    for images, labels in dataloader:
        best = model(images).topk(2, dim=1).indices
        right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
        total += len(labels)
    return right / total


# %% wrong: mean_of_means | the mean of the batches' values
def top_two_accuracy(dataloader, model):
    model.eval()
    accuracies = []
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1).indices
            accuracies.append((best == labels.unsqueeze(1)).any(dim=1).float().mean().item())
    return sum(accuracies) / len(accuracies)


# %% wrong: last_is_all | the value of the last batch
def top_two_accuracy(dataloader, model):
    model.eval()
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1).indices
            accuracy = (best == labels.unsqueeze(1)).any(dim=1).float().mean().item()
    return accuracy


# %% wrong: none | a share of the samples, from 0 to 1, is asked for
def top_two_accuracy(dataloader, model):
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1).indices
            right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
    return right


# %% wrong: last_is_all | images went through the model
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1).indices
            right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
            total += len(labels)
            return right / total


# %% wrong: none | should be a Python number, and it is Tensor
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1).indices
            right = right + (best == labels.unsqueeze(1)).any(dim=1).sum()
            total += len(labels)
    return right / total


# %% wrong: none | it is not written yet
def top_two_accuracy(dataloader, model):
    raise NotImplementedError()


# %% wrong: none | one of the two smallest logits came back
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            best = model(images).topk(2, dim=1, largest=False).indices
            right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
            total += len(labels)
    return right / total


# %% wrong: none | top-1 accuracy came back
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            total += len(labels)
    return right / total


# %% wrong: none | the second largest logit came back
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            second = model(images).topk(2, dim=1).indices[:, 1]
            right += (second == labels).sum().item()
            total += len(labels)
    return right / total


# %% wrong: none | the gradients in .grad
def top_two_accuracy(dataloader, model):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in dataloader:
            for parameter in model.parameters():
                parameter.grad = None
            best = model(images).topk(2, dim=1).indices
            right += (best == labels.unsqueeze(1)).any(dim=1).sum().item()
            total += len(labels)
    return right / total
