# %% correct: clip_grad_norm_ between backward and step
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% correct: by hand, with one length over all parameters
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        with torch.no_grad():
            length = sum(p.grad.pow(2).sum() for p in model.parameters()) ** 0.5
            if length > max_norm:
                for p in model.parameters():
                    p.grad *= max_norm / length
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% correct: clears after the step and before the loop
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    optimizer.zero_grad()
    losses = []
    for batch in dataloader:
        logits = model(batch[0])
        loss = loss_fn(logits, batch[1])
        losses.append(float(loss))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=max_norm, norm_type=2)
        optimizer.step()
        optimizer.zero_grad()
    return losses


# %% correct: gradients asked for with torch.autograd.grad
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    parameters = list(model.parameters())
    for images, labels in dataloader:
        loss = loss_fn(model(images), labels)
        slopes = torch.autograd.grad(loss, parameters)
        length = torch.cat([slope.flatten() for slope in slopes]).norm()
        scale = min(1.0, max_norm / length.item())
        for parameter, slope in zip(parameters, slopes):
            parameter.grad = slope * scale
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: none | it was not clipped, or not yet | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        losses.append(loss.item())
    return losses


# %% wrong: none | it was not clipped, or not yet | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: none | each tensor was clipped by itself | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        for parameter in model.parameters():
            nn.utils.clip_grad_norm_(parameter, max_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: none | differ from those that the asked updates give | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), max_norm / 20)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: gradients_reset | when batch 1 was differentiated | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: zero_grad_anywhere | all gradients were 0 | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: step_computes | the first step came before the first backward | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.step()
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        losses.append(loss.item())
    return losses


# %% wrong: backward_updates | the optimiser never took a step | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        losses.append(loss.item())
    return losses


# %% wrong: mode_returns | trained in evaluation mode | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: last_is_all | one number came back | train_clipped-losses
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
    return loss.item()


# %% wrong: none | should be list, and it is None (is a return missing?) | train_clipped-losses
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


# %% wrong: none | all gradients came out as 0 | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    model.train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.clamp(max=max_norm).backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong: none | is it a copy that is trained | train_clipped-updates
def train_clipped(dataloader, model, loss_fn, optimizer, max_norm):
    import copy

    twin = copy.deepcopy(model).train()
    losses = []
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(twin(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(twin.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses
