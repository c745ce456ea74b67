# %% correct: the functional form
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(model(images), labels)


# %% correct: the module, with its arguments by name
def model_loss(model, images, labels):
    loss_fn = nn.CrossEntropyLoss(reduction="mean")
    return loss_fn(input=model(images), target=labels)


# %% correct: one-hot rows of floats, with all classes
def model_loss(model, images, labels):
    logits = model(images)
    one_hot = nn.functional.one_hot(labels, num_classes=logits.shape[1]).float()
    return nn.functional.cross_entropy(logits, one_hot)


# %% correct: LogSoftmax, then NLLLoss
def model_loss(model, images, labels):
    log_probabilities = nn.LogSoftmax(dim=1)(model(images))
    return nn.NLLLoss()(log_probabilities, labels)


# %% correct: by hand, a sample at a time
def model_loss(model, images, labels):
    total = 0
    for image, label in zip(images, labels):
        logits = model(image[None])[0]
        total = total - torch.log_softmax(logits, dim=0)[label]
    return total / len(labels)


# %% correct: log-probabilities, which a second LogSoftmax does not change
def model_loss(model, images, labels):
    return nn.CrossEntropyLoss()(model(images).log_softmax(dim=1), labels)


# %% correct: in float64, the mean taken afterwards
def model_loss(model, images, labels):
    losses = nn.functional.cross_entropy(model(images).double(), labels, reduction="none")
    return losses.sum() / losses.numel()


# %% correct: the divergence from one-hot rows, which is the same number
def model_loss(model, images, labels):
    log_p = nn.functional.log_softmax(model(images), dim=1)
    target = torch.zeros_like(log_p).scatter_(1, labels[:, None], 1.0)
    return nn.functional.kl_div(log_p, target, reduction="batchmean")


# %% wrong: one_hot | a class is missing in them
def model_loss(model, images, labels):
    one_hot = nn.functional.one_hot(labels).float()
    return nn.functional.cross_entropy(model(images), one_hot)


# %% wrong: one_hot | the labels entered the loss as torch.int64 of shape
def model_loss(model, images, labels):
    logits = model(images)
    one_hot = nn.functional.one_hot(labels, num_classes=logits.shape[1])
    return nn.functional.cross_entropy(logits, one_hot)


# %% wrong: one_hot | the labels entered the loss as torch.float32 of shape
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(model(images), labels.float())


# %% wrong: probabilities_in | the loss after a softmax over the logits
def model_loss(model, images, labels):
    probabilities = model(images).softmax(dim=1)
    return nn.functional.cross_entropy(probabilities, labels)


# %% wrong: probabilities_in | the loss after a ReLU over the logits
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(nn.functional.relu(model(images)), labels)


# %% wrong: probabilities_in | the loss after a sigmoid over the logits
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(model(images).sigmoid(), labels)


# %% wrong: none | has no graph back to the parameters
def model_loss(model, images, labels):
    with torch.no_grad():
        logits = model(images)
    return nn.functional.cross_entropy(logits, labels)


# %% wrong: none | a Python float came back
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(model(images), labels).item()


# %% wrong: accuracy_is_loss | which counts right or wrong answers
def model_loss(model, images, labels):
    return (model(images).argmax(dim=1) == labels).float().mean()


# %% wrong: none | the sum over the batch
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(model(images), labels, reduction="sum")


# %% wrong: none | and came back with
def model_loss(model, images, labels):
    model.eval()
    return nn.functional.cross_entropy(model(images), labels)


# %% wrong: none | the function called backward itself
def model_loss(model, images, labels):
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    return loss


# %% wrong: none | the function called backward itself
def model_loss(model, images, labels):
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward(retain_graph=True)
    return loss


# %% wrong: none | and one of shape (12, 4) for the labels
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(labels, model(images))


# %% wrong: none | should have shape (), and it has (12,)
def model_loss(model, images, labels):
    return nn.functional.cross_entropy(model(images), labels, reduction="none")


# %% wrong: none | None (is a return missing?)
def model_loss(model, images, labels):
    loss = nn.functional.cross_entropy(model(images), labels)


# %% correct: a loss module in its own mode, the layers one by one
def model_loss(model, images, labels):
    numbers = images
    for layer in model:
        numbers = layer(numbers)
    return nn.Sequential(nn.LogSoftmax(dim=1))(numbers)[torch.arange(len(labels)), labels].mean().neg()


# %% wrong: none | the function emptied .grad
def model_loss(model, images, labels):
    model.zero_grad()
    return nn.functional.cross_entropy(model(images), labels)


# %% wrong: none | the function emptied .grad
def model_loss(model, images, labels):
    for parameter in model.parameters():
        parameter.grad.zero_()
    return nn.functional.cross_entropy(model(images), labels)


# %% wrong: none | it computed its logits in the other mode
def model_loss(model, images, labels):
    found = model.training
    model.eval()
    logits = model(images)
    model.train(found)
    return nn.functional.cross_entropy(logits, labels)


# %% wrong: none | it computed its logits in the other mode
def model_loss(model, images, labels):
    found = model.training
    model.train()
    loss = nn.functional.cross_entropy(model(images), labels)
    model.train(found)
    return loss
