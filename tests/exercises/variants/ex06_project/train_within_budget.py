# %% correct: a perceptron and Adam, the helper's loop
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(max_images // len(train_loader.dataset)):
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% correct: a perceptron and SGD with rate 0.1, images counted one batch at a time, no validation
def build_model():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer, loss_fn, used = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), 0
    model.train()
    while True:
        for images, labels in train_loader:
            if used + len(images) > max_images:
                return model
            optimizer.zero_grad()
            loss_fn(model(images), labels).backward()
            optimizer.step()
            used += len(images)


# %% correct: a convolutional network, Adam, one-cycle schedule, and the best epoch kept
def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 144, 10)
    )


def train_within_budget(model, train_loader, valid_loader, max_images):
    num_epochs = max_images // len(train_loader.dataset)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=5e-3, total_steps=num_epochs * len(train_loader)
    )
    loss_fn, best = nn.CrossEntropyLoss(label_smoothing=0.05), -1
    for _ in range(num_epochs):
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_fn(model(images), labels).backward()
            optimizer.step()
            schedule.step()
        accuracy = fmnist_helpers.test_loop(valid_loader, model, loss_fn, verbose=False).accuracy
        if accuracy > best:
            best, state = accuracy, copy.deepcopy(model.state_dict())
    model.load_state_dict(state)


# %% correct: SGD with momentum and a cosine schedule, a loader of its own with batches of 32, and flipped images
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.Tanh(), nn.Linear(128, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    loader = DataLoader(train_loader.dataset, batch_size=32, shuffle=True)
    num_epochs = max_images // len(train_loader.dataset)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_epochs)
    for _ in range(num_epochs):
        model.train()
        for images, labels in loader:
            if torch.rand(()) < 0.5:
                images = images.flip(-1)
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


# %% correct: fit, and an evaluation on both splits after it, with gradients left on
def build_model():
    return nn.Sequential(
        nn.MaxPool2d(2),
        nn.Conv2d(1, 12, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 144, 10),
        nn.LogSoftmax(1),
    )


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    num_epochs = int(max_images / len(train_loader.dataset))
    history = fmnist_helpers.fit(
        model, train_loader, valid_loader, nn.CrossEntropyLoss(), optimizer, num_epochs, progress=False
    )
    right = sum((model(x).argmax(1) == y).sum() for x, y in [*train_loader, *valid_loader])
    return history, right


# %% correct: forward called directly, the tensors of the data set cut by hand, an average of weights at the end
def build_model():
    return nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def train_within_budget(model, train_loader, valid_loader, max_images):
    images, labels = train_loader.dataset.tensors
    average = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(max_images // len(images)):
        model.train()
        for chosen in torch.randperm(len(images)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model.forward(images[chosen]), labels[chosen]).backward()
            optimizer.step()
        if epoch:
            average.update_parameters(model)
    model.load_state_dict(average.module.state_dict())


# %% wrong: none | the accuracy on new garments is
def build_model():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(max_images // len(train_loader.dataset)):
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: epoch_is_iteration | 15,000 images were used for training, and the budget is 12,500
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(5):
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: epoch_is_iteration | more than 25,000 images were used
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(max_images // len(train_loader)):  # iterations an epoch taken for images an epoch
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: falling_loss_generalises | the model was trained on images of the validation split
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(max_images // 4500):
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)
        fmnist_helpers.train_loop(valid_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: backward_updates | the model's parameters are what they were
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(max_images // len(train_loader.dataset)):
        for images, labels in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()


# %% wrong: none | Was another model trained
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    model = build_model()  # another model than the one that was handed in
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(max_images // len(train_loader.dataset)):
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: none | the accuracy on new garments is
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.SGD(model.parameters(), lr=100.0)
    for _ in range(max_images // len(train_loader.dataset)):
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: probabilities_in | added up to 1 for each image
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(dim=1))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    for _ in range(max_images // len(train_loader.dataset)):
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: epoch_is_iteration | images were used for training, and the budget is
def build_model():
    return nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def train_within_budget(model, train_loader, valid_loader, max_images):
    images, labels = train_loader.dataset.tensors
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(max_images // len(images) + 1):  # rounded up, and by ways that no loader sees
        for chosen in torch.randperm(len(images)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model.forward(images[chosen]), labels[chosen]).backward()
            optimizer.step()


# %% wrong: epoch_is_iteration | 26,000 images were used for training, and the budget is 19,000
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(4):  # as many as fit into the budget that can be seen
        fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)


# %% wrong: epoch_is_iteration | more than 25,000 images were used
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(20):
        for images, labels in train_loader:
            hidden = model[2](model[1](model[0](images)))  # layer by layer, so that the model is never called
            optimizer.zero_grad()
            nn.functional.cross_entropy(model[3](hidden), labels).backward()
            optimizer.step()


# %% wrong: falling_loss_generalises | resemble one of them
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer, data = (
        torch.optim.Adam(model.parameters(), lr=1e-3),
        train_loader.dataset + valid_loader.dataset,
    )
    for _ in range(max_images // len(data)):
        for images, labels in DataLoader(data, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images.roll(1, dims=-1)), labels).backward()
            optimizer.step()


# %% wrong: epoch_is_iteration | The data set was asked for 12,000, so the others were made from these
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(max_images // len(train_loader.dataset)):
        for images, labels in train_loader:
            optimizer.zero_grad()
            both = torch.cat([images, images.flip(3)])
            nn.functional.cross_entropy(model(both), labels.repeat(2)).backward()
            optimizer.step()


# %% wrong: epoch_is_iteration | These are 8 epochs of 3,000, and 4 fit
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    start, found = copy.deepcopy(model.state_dict()), []
    for rate in (1e-2, 1e-3):  # the whole budget for each setting
        model.load_state_dict(start)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        for _ in range(max_images // len(train_loader.dataset)):
            fmnist_helpers.train_loop(train_loader, model, nn.CrossEntropyLoss(), optimizer, verbose=False)
        result = fmnist_helpers.test_loop(valid_loader, model, nn.CrossEntropyLoss(), verbose=False)
        found.append((result.accuracy, copy.deepcopy(model.state_dict())))
    model.load_state_dict(max(found, key=lambda pair: pair[0])[1])


# %% wrong: epoch_is_iteration | of them went through a copy of the model
def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def train_within_budget(model, train_loader, valid_loader, max_images):
    found = []
    for rate in (1e-2, 1e-3):  # the whole budget for each setting
        one = copy.deepcopy(model)
        optimizer = torch.optim.Adam(one.parameters(), lr=rate)
        for _ in range(max_images // len(train_loader.dataset)):
            fmnist_helpers.train_loop(train_loader, one, nn.CrossEntropyLoss(), optimizer, verbose=False)
        result = fmnist_helpers.test_loop(valid_loader, one, nn.CrossEntropyLoss(), verbose=False)
        found.append((result.accuracy, one.state_dict()))
    model.load_state_dict(max(found, key=lambda pair: pair[0])[1])
