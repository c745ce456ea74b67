# %% correct: a step at the end of each group
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    optimizer.zero_grad()
    for batch, (images, labels) in enumerate(dataloader):
        loss = loss_fn(model(images), labels)
        first = batch - batch % num_accumulate
        (loss / min(num_accumulate, len(dataloader) - first)).backward()
        losses.append(loss.item())
        if (batch + 1) % num_accumulate == 0 or batch + 1 == len(dataloader):
            optimizer.step()
            optimizer.zero_grad()
    return losses


# %% correct: groups cut from a list first
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            torch.autograd.backward(loss / len(group))
            losses.append(float(loss.detach()))
        optimizer.step()
    return losses


# %% correct: sums the gradients and scales them before the step
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    losses, waiting = [], 0
    for parameter in model.parameters():
        parameter.grad = None
    for number, (images, labels) in enumerate(dataloader, 1):
        loss = loss_fn(model(images), labels)
        waiting += 1
        left = len(dataloader) - number + waiting
        loss.backward(gradient=torch.tensor(1 / min(num_accumulate, left)))
        losses.append(loss.item())
        if waiting == num_accumulate or number == len(dataloader):
            optimizer.step()
            model.zero_grad()
            waiting = 0
    return losses


# %% correct: clears at the start of each group
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    losses = []
    num_batches = len(dataloader)
    for index, (images, labels) in enumerate(dataloader):
        place = index % num_accumulate
        if place == 0:
            optimizer.zero_grad(set_to_none=False)
            size = min(num_accumulate, num_batches - index)
        loss = loss_fn(model(images), labels)
        losses.append(loss.item())
        loss = loss / size
        loss.backward()
        if place == size - 1:
            optimizer.step()
    return losses


# %% wrong: gradients_reset | still held the gradients of earlier batches | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
            losses.append(loss.item())
        optimizer.step()
    return losses


# %% wrong: gradients_reset | when batch 1 was differentiated | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    for batch, (images, labels) in enumerate(dataloader):
        loss = loss_fn(model(images), labels)
        first = batch - batch % num_accumulate
        (loss / min(num_accumulate, len(dataloader) - first)).backward()
        losses.append(loss.item())
        if (batch + 1) % num_accumulate == 0 or batch + 1 == len(dataloader):
            optimizer.step()
            optimizer.zero_grad()
    return losses


# %% wrong: zero_grad_anywhere | the gradient of its group had been cleared | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    for batch, (images, labels) in enumerate(dataloader):
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        first = batch - batch % num_accumulate
        (loss / min(num_accumulate, len(dataloader) - first)).backward()
        losses.append(loss.item())
        if (batch + 1) % num_accumulate == 0 or batch + 1 == len(dataloader):
            optimizer.step()
    return losses


# %% wrong: zero_grad_anywhere | all gradients were 0 | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
            losses.append(loss.item())
        optimizer.zero_grad()
        optimizer.step()
    return losses


# %% wrong: sum_is_mean | entered the update with weight 1; it is one of 2 in its group | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    optimizer.zero_grad()
    for batch, (images, labels) in enumerate(dataloader):
        loss = loss_fn(model(images), labels)
        loss.backward()
        losses.append(loss.item())
        if (batch + 1) % num_accumulate == 0 or batch + 1 == len(dataloader):
            optimizer.step()
            optimizer.zero_grad()
    return losses


# %% wrong: sum_is_mean | weight 0.5; it is one of 1 in its group | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    optimizer.zero_grad()
    for batch, (images, labels) in enumerate(dataloader):
        loss = loss_fn(model(images), labels)
        (loss / num_accumulate).backward()
        losses.append(loss.item())
        if (batch + 1) % num_accumulate == 0 or batch + 1 == len(dataloader):
            optimizer.step()
            optimizer.zero_grad()
    return losses


# %% wrong: none | the last group, 1 of its batches, was never used | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    optimizer.zero_grad()
    for batch, (images, labels) in enumerate(dataloader):
        loss = loss_fn(model(images), labels)
        (loss / num_accumulate).backward()
        losses.append(loss.item())
        if (batch + 1) % num_accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
    return losses


# %% wrong: epoch_is_iteration | steps were taken after batches [1, 2, 3, 4, 5] | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    for images, labels in dataloader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        (loss / num_accumulate).backward()
        losses.append(loss.item())
        optimizer.step()
    return losses


# %% wrong: backward_updates | the optimiser never took a step | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    losses = []
    model.train()
    optimizer.zero_grad()
    for batch, (images, labels) in enumerate(dataloader):
        loss = loss_fn(model(images), labels)
        (loss / num_accumulate).backward()
        losses.append(loss.item())
        if (batch + 1) % num_accumulate == 0 or batch + 1 == len(dataloader):
            optimizer.zero_grad()
    return losses


# %% wrong: step_computes | the first step came before the first backward | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.step()
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
            losses.append(loss.item())
    return losses


# %% wrong: mode_returns | trained in evaluation mode | train_accumulated-updates
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
            losses.append(loss.item())
        optimizer.step()
    return losses


# %% wrong: summing_is_free | the list holds tensors | train_accumulated-losses
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
            losses.append(loss)
        optimizer.step()
    return losses


# %% wrong: last_is_all | one number came back | train_accumulated-losses
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches = list(dataloader)
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
        optimizer.step()
    return loss.item()


# %% wrong: epoch_is_iteration | the list has 3 entries, and there are 5 batches | train_accumulated-losses
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
        losses.append(loss.item())
        optimizer.step()
    return losses


# %% wrong: sum_is_mean | the mean loss of batch 1 was | train_accumulated-losses
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels) / len(group)
            loss.backward()
            losses.append(loss.item())
        optimizer.step()
    return losses


# %% wrong: summing_is_free | losses still held their graphs | train_accumulated-losses
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses, total = list(dataloader), [], 0
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        for images, labels in group:
            loss = loss_fn(model(images), labels)
            (loss / len(group)).backward()
            total = total + loss
            losses.append(loss.item())
        optimizer.step()
    print("total", total)
    return losses


# %% correct: two forward passes a batch, the first for the record
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    losses, number = [], len(dataloader)
    optimizer.zero_grad()
    for index, (images, labels) in enumerate(dataloader):
        losses.append(loss_fn(model(images), labels).item())
        size = min(num_accumulate, number - index // num_accumulate * num_accumulate)
        scaled = loss_fn(model(images), labels) / size
        scaled.backward()
        if (index + 1) % num_accumulate == 0 or index + 1 == number:
            optimizer.step()
            optimizer.zero_grad()
    return losses


# %% correct: each group's step takes a closure, and the variables hold the last batch's graph
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []

    def differentiate(group):
        optimizer.zero_grad()
        for images, labels in group:
            logits = model(images)
            loss = loss_fn(logits, labels)
            share = loss / len(group)
            share.backward()
            losses.append(loss.item())
        return share

    for start in range(0, len(batches), num_accumulate):
        total = optimizer.step(lambda start=start: differentiate(batches[start : start + num_accumulate]))
    return losses


# %% wrong: summing_is_free | differentiated only after the next batch had gone through | train_accumulated-losses
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    batches, losses = list(dataloader), []
    for start in range(0, len(batches), num_accumulate):
        group = batches[start : start + num_accumulate]
        optimizer.zero_grad()
        parts = torch.stack([loss_fn(model(images), labels) for images, labels in group])
        parts.mean().backward()
        optimizer.step()
        losses += parts.tolist()
    return losses


# %% wrong: summing_is_free | differentiated only after the next batch had gone through | train_accumulated-losses
def train_accumulated(dataloader, model, loss_fn, optimizer, num_accumulate):
    model.train()
    losses, total, waiting = [], 0, 0
    for number, (images, labels) in enumerate(dataloader, 1):
        loss = loss_fn(model(images), labels)
        total, waiting = total + loss, waiting + 1
        losses.append(loss.item())
        del loss
        if waiting == num_accumulate or number == len(dataloader):
            optimizer.zero_grad()
            (total / waiting).backward()
            optimizer.step()
            total, waiting = 0, 0
    return losses
