# %% correct: the helper's loops and a deep copy of the state
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, best_state = [], None
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% correct: both loops by hand, the state cloned tensor by tensor
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    best, history = -1.0, []
    for epoch in range(num_epochs):
        model.train()
        for images, labels in train_loader:
            loss = loss_fn(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        hits = total = 0
        with torch.no_grad():
            for images, labels in valid_loader:
                hits += (model(images).argmax(1) == labels).sum().item()
                total += len(labels)
        history.append(hits / total)
        if history[-1] > best:
            best = history[-1]
            kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return history


# %% correct: a copy of the whole model each time, the best one's state at the end
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    results = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        snapshot = copy.deepcopy(model)
        accuracy = fmnist_helpers.test_loop(valid_loader, snapshot, loss_fn, verbose=False).accuracy
        results.append((accuracy, snapshot))
    best = max(results, key=lambda result: result[0])[1]
    model.load_state_dict(best.state_dict())
    return [accuracy for accuracy, _ in results]


# %% correct: the state in memory as a file
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    import io

    accuracies = []
    for epoch in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False)[1]
        if epoch == 0 or accuracy > max(accuracies):
            file = io.BytesIO()
            torch.save(model.state_dict(), file)
        accuracies.append(accuracy)
    file.seek(0)
    model.load_state_dict(torch.load(file))
    return accuracies


# %% correct: fit one epoch at a time, and the parameters and buffers copied back by hand
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    history = fmnist_helpers.History()
    states = []
    for _ in range(num_epochs):
        fmnist_helpers.fit(
            model, train_loader, valid_loader, loss_fn, optimizer, 1, history=history, progress=False
        )
        states.append([value.clone() for value in [*model.parameters(), *model.buffers()]])
    accuracies = history.column("valid_accuracy")
    with torch.no_grad():
        best = accuracies.index(max(accuracies))
        for value, kept in zip([*model.parameters(), *model.buffers()], states[best]):
            value.copy_(kept)
    return accuracies


# %% correct: all validation logits at once, in inference mode, and back in training mode
@torch.inference_mode()
def share_right(model, loader):
    model.eval()
    logits = torch.cat([model(images) for images, _ in loader])
    labels = torch.cat([labels for _, labels in loader])
    model.train()
    return torch.mean((logits.argmax(1) == labels).float()).item()


def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    model.train()
    found = {}
    for epoch in range(num_epochs):
        for images, labels in train_loader:
            optimizer.zero_grad(set_to_none=False)
            loss_fn(model(images), labels).backward()
            optimizer.step()
        found[epoch] = share_right(model, valid_loader), copy.deepcopy(model.state_dict())
    model.load_state_dict(max(found.values(), key=lambda pair: pair[0])[1])
    return [accuracy for accuracy, _ in found.values()]


# %% wrong: last_is_best | left as it was after epoch 6 of 6 | train_keep_best-model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
    return accuracies


# %% wrong: state_dict_copies | what it put back had changed since the best epoch | train_keep_best-model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, best = [], -1.0
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        accuracies.append(accuracy)
        if accuracy > best:
            best, best_state = accuracy, model.state_dict()
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: state_dict_copies | load_state_dict was called, but | train_keep_best-model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, best = [], -1.0
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        accuracies.append(accuracy)
        if accuracy > best:
            best, best_state = accuracy, model.state_dict().copy()
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: falling_loss_generalises | On the training split that epoch looks best | train_keep_best-model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, lowest = [], float("inf")
    for _ in range(num_epochs):
        loss = fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False).loss
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
        if loss < lowest:
            lowest, best_state = loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: accuracy_is_loss | Its validation loss is the lowest | train_keep_best-model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, lowest = [], float("inf")
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        loss, accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False)
        accuracies.append(accuracy)
        if loss < lowest:
            lowest, best_state = loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: parameters_are_all | running averages of batch normalisation are of another epoch | train_keep_best-model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            kept = [parameter.detach().clone() for parameter in model.parameters()]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), kept):
            parameter.copy_(value)
    return accuracies


# %% wrong: mode_returns | the model was trained in evaluation mode
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies = []
    for _ in range(num_epochs):
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_fn(model(images), labels).backward()
            optimizer.step()
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: mode_returns | evaluated in training mode
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        right = total = 0
        with torch.no_grad():
            for images, labels in valid_loader:
                right += (model(images).argmax(dim=1) == labels).sum().item()
                total += len(labels)
        accuracies.append(right / total)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: backward_updates | the optimiser never took a step
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies = []
    for _ in range(num_epochs):
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_fn(model(images), labels).backward()
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: accuracy_is_loss | the validation losses came back | train_keep_best-returns
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    losses, best = [], -1.0
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        loss, accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False)
        losses.append(loss)
        if accuracy > best:
            best, best_state = accuracy, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return losses


# %% wrong: falling_loss_generalises | the accuracies on the training split came back | train_keep_best-returns
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, best = [], -1.0
    for _ in range(num_epochs):
        result = fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracies.append(result.accuracy)
        accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        if accuracy > best:
            best, best_state = accuracy, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: falling_loss_generalises | n the training split
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracies.append(fmnist_helpers.test_loop(train_loader, model, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: last_is_best | one number came back | train_keep_best-returns
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    best = -1.0
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        if accuracy > best:
            best, best_state = accuracy, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return best


# %% wrong: mean_of_means | the mean of the batches' accuracies came back | train_keep_best-returns
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, best = [], -1.0
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        model.eval()
        with torch.no_grad():
            shares = [(model(x).argmax(1) == y).float().mean().item() for x, y in valid_loader]
        accuracies.append(sum(shares) / len(shares))
        right = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        if right > best:
            best, best_state = right, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: eval_stops_gradients | evaluated with gradients on | train_keep_best-returns
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        model.eval()
        right = total = 0
        for images, labels in valid_loader:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            total += len(labels)
        accuracies.append(right / total)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: none | the training ended after
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, best = [], -1.0
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        if accuracy < best:
            break
        best, best_state = accuracy, copy.deepcopy(model.state_dict())
        accuracies.append(accuracy)
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: none | entry 0 of the list should be a Python number, and it is LoopResult | train_keep_best-returns
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    results = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        results.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False))
        if results[-1].accuracy == max(result.accuracy for result in results):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return results


# %% correct: the whole model in memory as a file
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    import io

    accuracies = []
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            file = io.BytesIO()
            torch.save(model, file)
    file.seek(0)
    model.load_state_dict(torch.load(file, weights_only=False).state_dict())
    return accuracies


# %% wrong: none | the optimiser holds no parameter of this model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, trained = [], copy.deepcopy(model)
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, trained, loss_fn, optimizer, verbose=False)
        accuracies.append(fmnist_helpers.test_loop(valid_loader, trained, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(trained.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: none | a copy of the model was trained
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, trained = [], copy.deepcopy(model)
    for _ in range(num_epochs):
        trained.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_fn(trained(images), labels).backward()
            optimizer.step()
        accuracies.append(fmnist_helpers.test_loop(valid_loader, trained, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(trained.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: none | the optimiser that is handed over never took a step
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, optimizer = [], torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        accuracies.append(fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy)
        if accuracies[-1] == max(accuracies):
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return accuracies


# %% wrong: last_is_best | Nothing was put back into the model that was handed over | train_keep_best-model
def train_keep_best(model, train_loader, valid_loader, loss_fn, optimizer, num_epochs):
    accuracies, best_model = [], None
    for _ in range(num_epochs):
        fmnist_helpers.train_loop(train_loader, model, loss_fn, optimizer, verbose=False)
        result = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False)
        if not accuracies or result.accuracy > max(accuracies):
            best_model = copy.deepcopy(model)
        accuracies.append(result.accuracy)
    model = best_model
    return accuracies
