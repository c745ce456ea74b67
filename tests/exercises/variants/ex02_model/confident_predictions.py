# %% correct: max over the probabilities
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% correct: torch.where, inference mode, and try with finally
def confident_predictions(model, images, threshold):
    mode = model.training
    try:
        with torch.inference_mode():
            probabilities = torch.softmax(model.eval()(images), dim=-1)
        best = probabilities.amax(dim=-1).clone()
        labels = torch.where(best >= threshold, probabilities.argmax(dim=-1), -1)
    finally:
        model.train(mode)
    return labels, best


# %% correct: one image after the other
@torch.no_grad()
def confident_predictions(model, images, threshold):
    was_training = model.training
    model.eval()
    labels, probabilities = [], []
    for image in images:
        shares = nn.functional.softmax(model(image[None])[0], dim=0)
        probabilities.append(shares.max().item())
        labels.append(shares.argmax().item() if probabilities[-1] >= threshold else -1)
    if was_training:
        model.train()
    return torch.tensor(labels), torch.tensor(probabilities)


# %% correct: exponentials by hand
def confident_predictions(model, images, threshold):
    mode = model.training
    model.train(False)
    with torch.no_grad():
        logits = model(images)
    model.train(mode)
    shifted = (logits - logits.max(dim=1, keepdim=True).values).exp()
    probability = 1 / shifted.sum(dim=1)
    label = logits.argmax(dim=1)
    return label.masked_fill(probability < threshold, -1), probability


# %% correct: a copy of the model evaluates
def confident_predictions(model, images, threshold):
    import copy

    with torch.no_grad():
        shares = copy.deepcopy(model).eval()(images).softmax(1)
    best = shares.max(1)
    return torch.where(best.values < threshold, torch.full_like(best.indices, -1), best.indices), best.values


# %% correct: only the layers that are in training mode are switched, forward called by name
def confident_predictions(model, images, threshold):
    switched = [module for module in model.modules() if module.training]
    for module in switched:
        module.training = False
    torch.set_grad_enabled(False)
    shares = model.forward(images).log_softmax(dim=1).exp()
    torch.set_grad_enabled(True)
    for module in switched:
        module.training = True
    best, labels = torch.sort(shares, dim=1, descending=True)
    best, labels = best[:, 0], labels[:, 0]
    sure = (best >= threshold).long()
    return labels * sure - (1 - sure), best


# %% correct: in double precision, given back as float32, from NumPy
def confident_predictions(model, images, threshold):
    mode = model.training
    with torch.no_grad():
        shares = model.eval()(images).double().softmax(1).numpy()
    model.train(mode)
    labels, best = shares.argmax(1), shares.max(1)
    labels[best < threshold] = -1
    return torch.from_numpy(labels), torch.from_numpy(best).float()


# %% wrong: mode_returns | found in training mode and left in evaluation mode | confident_predictions-modes
def confident_predictions(model, images, threshold):
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: mode_returns | found in evaluation mode and left in training mode | confident_predictions-modes
def confident_predictions(model, images, threshold):
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train()
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: no_grad_stops_dropout | though no_grad was set | confident_predictions-modes
def confident_predictions(model, images, threshold):
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: mode_returns | called in training mode, so its dropout | confident_predictions-modes
def confident_predictions(model, images, threshold):
    probabilities, labels = model(images).detach().softmax(dim=1).max(dim=1)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: eval_stops_gradients | PyTorch recorded the computation | confident_predictions-modes
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: none | the largest logits; probabilities are asked for | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        best, labels = model(images).max(dim=1)
    model.train(mode)
    labels[best < threshold] = -1
    return labels, best


# %% wrong: none | sum to 1 over the images | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=0).max(dim=1)
    model.train(mode)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: none | every image got a label | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    return labels, probabilities


# %% wrong: none | the images above the threshold got -1 | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    labels[probabilities > threshold] = -1
    return labels, probabilities


# %% wrong: none | should be torch.int64, and it is torch.float32 | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    labels[probabilities < threshold] = -1
    return labels.float(), probabilities


# %% wrong: none | should be tuple, and it is Tensor | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    labels[probabilities < threshold] = -1
    return labels


# %% wrong: none | at the threshold 1 | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    return torch.where(probabilities > threshold, labels, -1), probabilities


# %% wrong: none | each keeps its own, in doubt or not | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    doubtful = probabilities < threshold
    labels[doubtful] = -1
    probabilities[doubtful] = 0.0
    return labels, probabilities


# %% wrong: none | should have shape | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    sure = probabilities >= threshold
    return labels[sure], probabilities[sure]


# %% wrong: none | the largest logits were compared with the threshold | confident_predictions-results
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval()
    with torch.no_grad():
        logits = model(images)
    model.train(mode)
    labels = logits.argmax(dim=1)
    labels[logits.max(dim=1).values < threshold] = -1
    return labels, logits.softmax(dim=1).max(dim=1).values


# %% wrong: none | not right yet
def confident_predictions(model, images, threshold):
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=0).max(dim=1)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: none | left frozen | confident_predictions-modes
def confident_predictions(model, images, threshold):
    mode = model.training
    model.eval().requires_grad_(False)
    probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(mode)
    labels[probabilities < threshold] = -1
    return labels, probabilities


# %% wrong: none | it is not written yet
def confident_predictions(model, images, threshold):
    raise NotImplementedError()


# %% wrong: none | the result should be tuple, and it is list | confident_predictions-results
def confident_predictions(model, images, threshold):
    found = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(found)
    labels[probabilities < threshold] = -1
    return [labels, probabilities]


# %% wrong: none | the result should have 2 parts, and it has 3 | confident_predictions-results
def confident_predictions(model, images, threshold):
    found = model.training
    model.eval()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(found)
    labels[probabilities < threshold] = -1
    return labels, probabilities, probabilities < threshold


# %% wrong: none | the gradients in .grad of the parameters were changed | confident_predictions-modes
def confident_predictions(model, images, threshold):
    found = model.training
    model.eval()
    model.zero_grad()
    with torch.no_grad():
        probabilities, labels = model(images).softmax(dim=1).max(dim=1)
    model.train(found)
    labels[probabilities < threshold] = -1
    return labels, probabilities
