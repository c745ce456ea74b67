# %% correct: all models kept in a dict, the helper's evaluation
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    models, found = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        found[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(found, key=found.get)
    tested = fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False)
    return best, found, tested.accuracy


# %% correct: only the best model so far is kept, accuracy by hand
def share_right(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            right += int((model(images).argmax(dim=1) == labels).sum())
            total += labels.numel()
    return right / total


def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    accuracies, best_rate, best_model = {}, None, None
    for rate in learning_rates:
        model = make_model()
        train(model, train_loader, rate)
        accuracies[rate] = share_right(model, valid_loader)
        if best_rate is None or accuracies[rate] > accuracies[best_rate]:
            best_rate, best_model = rate, model
    return (best_rate, accuracies, share_right(best_model, test_loader))


# %% correct: trains all, then evaluates all, from the largest rate to the smallest
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    def accuracy(loader, model):
        return fmnist_helpers.test_loop(loader, model, nn.CrossEntropyLoss(), verbose=False)[1]

    runs = [(rate, make_model()) for rate in sorted(learning_rates, reverse=True)]
    for rate, model in runs:
        train(model, train_loader, learning_rate=rate)
    valid = {rate: accuracy(valid_loader, model) for rate, model in runs}
    best_rate, best_model = max(runs, key=lambda run: valid[run[0]])
    return best_rate, valid, accuracy(test_loader, best_model)


# %% correct: one model that is set back to its first state, and the best state kept
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    model, loss_fn = make_model(), nn.CrossEntropyLoss()
    start = copy.deepcopy(model.state_dict())
    states, valid = {}, {}
    for rate in learning_rates:
        model.load_state_dict(start)
        train(model, train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        states[rate] = copy.deepcopy(model.state_dict())
    best = sorted(learning_rates, key=lambda rate: valid[rate])[-1]
    model.load_state_dict(states[best])
    return best, valid, fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy


# %% correct: the chosen rate trained once more on a new model, which is then tested
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    def run(rate):
        model = make_model()
        train(model, train_loader, rate)
        return model

    def accuracy(model, loader):
        with torch.inference_mode():
            pairs = [(model.eval()(images).argmax(1), labels) for images, labels in loader]
        guessed, labels = (torch.cat(parts) for parts in zip(*pairs))
        return (guessed == labels).double().mean().item()

    valid = {rate: accuracy(run(rate), valid_loader) for rate in learning_rates}
    best = max(learning_rates, key=valid.__getitem__)
    return best, valid, accuracy(run(best), test_loader)


# %% correct: copies of models, and the labels of the test split gathered by themselves
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    results = []
    for rate in learning_rates:
        model = copy.deepcopy(make_model())
        train(model, train_loader, rate)
        valid = fmnist_helpers.test_loop(valid_loader, model, nn.CrossEntropyLoss(), verbose=False)
        results.append((valid.accuracy, rate, copy.deepcopy(model)))
    _, best, model = max(results, key=lambda result: result[0])
    model.eval()
    with torch.no_grad():
        guesses = [model(images).argmax(dim=1) for images, _ in test_loader]
    labels = torch.cat([labels for _, labels in test_loader])
    tested = (torch.cat(guesses) == labels).float().mean().item()
    return best, {rate: value for value, rate, _ in results}, tested


# %% wrong: test_for_choosing | models were evaluated on the test split; one may be | choose_and_test-test
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    valid, tested = {}, {}
    for rate in learning_rates:
        model = make_model()
        train(model, train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        tested[rate] = fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    return best, valid, tested[best]


# %% wrong: test_for_choosing | choose on validation, then test once
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    valid, tested = {}, {}
    for rate in learning_rates:
        model = make_model()
        train(model, train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        tested[rate] = fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy
    best = max(tested, key=tested.get)
    return best, valid, tested[best]


# %% wrong: test_for_choosing | choose on validation, then test once
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    tested = {}
    for rate in learning_rates:
        model = make_model()
        train(model, train_loader, rate)
        result = fmnist_helpers.test_loop(test_loader, model, nn.CrossEntropyLoss(), verbose=False)
        tested[rate] = result.accuracy
    best = max(tested, key=tested.get)
    return best, tested, tested[best]


# %% wrong: test_for_choosing | touched too early: a model was trained after that | choose_and_test-test
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, test_batches = nn.CrossEntropyLoss(), list(test_loader)
    models, valid = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
    for rate, model in models.items():
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    with torch.no_grad():
        hits = [(models[best](images).argmax(1) == labels).float() for images, labels in test_batches]
    return best, valid, torch.cat(hits).mean().item()


# %% wrong: test_for_choosing | was evaluated on the test split 2 times | choose_and_test-test
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    models, valid = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    print(fmnist_helpers.test_loop(test_loader, models[best], loss_fn).loss)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn).accuracy


# %% wrong: none | no model was evaluated on the test split; the validation accuracy came back | choose_and_test-test
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    valid = {}
    for rate in learning_rates:
        model = make_model()
        train(model, train_loader, rate)
        result = fmnist_helpers.test_loop(valid_loader, model, nn.CrossEntropyLoss(), verbose=False)
        valid[rate] = result.accuracy
    best = max(valid, key=valid.get)
    return best, valid, valid[best]


# %% wrong: train_starts_afresh | was trained on with another rate | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, model = nn.CrossEntropyLoss(), make_model()
    states, valid = {}, {}
    for rate in learning_rates:
        train(model, train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        states[rate] = copy.deepcopy(model.state_dict())
    best = max(valid, key=valid.get)
    model.load_state_dict(states[best])
    return best, valid, fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy


# %% wrong: train_starts_afresh | was trained on with another rate | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, valid = nn.CrossEntropyLoss(), {}
    model = make_model()
    for rate in learning_rates:
        train(model, train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    model = make_model()
    train(model, train_loader, best)
    return best, valid, fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy


# %% wrong: falling_loss_generalises | the best training accuracy | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    models, valid, trained = {}, {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        trained[rate] = fmnist_helpers.test_loop(train_loader, models[rate], loss_fn, verbose=False).accuracy
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(trained, key=trained.get)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: falling_loss_generalises | it is its accuracy on the training split | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    models, trained = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        trained[rate] = fmnist_helpers.test_loop(train_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(trained, key=trained.get)
    return best, trained, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: falling_loss_generalises | trained on images of the validation split | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    models, valid = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], valid_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    model = make_model()
    train(model, train_loader, best)
    return best, valid, fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy


# %% wrong: accuracy_is_loss | the lowest validation loss | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    models, valid = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False)
    best = min(valid, key=lambda rate: valid[rate].loss)
    accuracies = {rate: result.accuracy for rate, result in valid.items()}
    return best, accuracies, fmnist_helpers.test_loop(test_loader, models[best], loss_fn).accuracy


# %% wrong: accuracy_is_loss | it is the loss | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn = nn.CrossEntropyLoss()
    models, valid = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).loss
    best = min(valid, key=valid.get)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: mode_returns | evaluated in training mode
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    def accuracy(model, loader):
        with torch.no_grad():
            return torch.cat([(model(x).argmax(1) == y).float() for x, y in loader]).mean().item()

    models, valid = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = accuracy(models[rate], valid_loader)
    best = max(valid, key=valid.get)
    return best, valid, accuracy(models[best], test_loader)


# %% wrong: mean_of_means | it is the mean of the batches' accuracies
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    def accuracy(model, loader):
        model.eval()
        with torch.no_grad():
            shares = [(model(x).argmax(1) == y).float().mean().item() for x, y in loader]
        return sum(shares) / len(shares)

    models, valid = {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = accuracy(models[rate], valid_loader)
    best = max(valid, key=valid.get)
    return best, valid, accuracy(models[best], test_loader)


# %% wrong: last_is_best | the model on the test split was trained with | choose_and_test-test
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, valid = nn.CrossEntropyLoss(), {}
    for rate in learning_rates:
        model = make_model()
        train(model, train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    return best, valid, fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy


# %% wrong: none | the validation accuracy of rate 6.561 should be a Python number, and it is LoopResult
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False)
    best = max(valid, key=lambda rate: valid[rate].accuracy)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: none | the result should have 3 parts, and it has 2
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    return best, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: falling_loss_generalises | images of the validation split
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, valid = nn.CrossEntropyLoss(), {}
    for rate in learning_rates:
        model = make_model()
        train(model, train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    model, both = make_model(), train_loader.dataset + valid_loader.dataset
    train(model, DataLoader(both, batch_size=8), best)
    return best, valid, fmnist_helpers.test_loop(test_loader, model, loss_fn, verbose=False).accuracy


# %% wrong: none | the result should be tuple, and it is list | choose_and_test-choice, choose_and_test-test
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    return [best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy]


# %% wrong: none | is the largest of the rates | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(valid)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: none | is the smallest of the rates | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = min(valid)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: none | has the lowest validation accuracy of all | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = min(valid, key=valid.get)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: last_is_best | came last | choose_and_test-choice
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = rate
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy


# %% wrong: train_starts_afresh | was trained
def choose_and_test(learning_rates, make_model, train, train_loader, valid_loader, test_loader):
    loss_fn, models, valid = nn.CrossEntropyLoss(), {}, {}
    for rate in learning_rates:
        models[rate] = make_model()
        train(models[rate], train_loader, rate)
        valid[rate] = fmnist_helpers.test_loop(valid_loader, models[rate], loss_fn, verbose=False).accuracy
    best = max(valid, key=valid.get)
    train(models[best], train_loader, best)
    return best, valid, fmnist_helpers.test_loop(test_loader, models[best], loss_fn, verbose=False).accuracy
