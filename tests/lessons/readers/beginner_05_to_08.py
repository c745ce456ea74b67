"""What a reader wrote in the first year of Python, in the order of writing."""


# wrong
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    logits = model(images)
    loss = loss_fn(logits, labels)
    loss.backward
    optimizer.step()
    return loss.item()


# wrong
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    logits = model(images)
    loss = loss_fn(labels, logits)
    loss.backward()
    optimizer.step()
    return loss.item()


# wrong
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    logits = model(images)
    loss = loss_fn(logits, labels)
    loss.backward()
    optimizer.step()
    return loss


# right
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    logits = model(images)
    loss = loss_fn(logits, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


# wrong
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    total = 0
    for images, labels in loader:
        total += train_step(images, labels, model, loss_fn, optimizer)
    return total / len(loader.dataset)


# wrong
def train_epoch(loader, model, loss_fn, optimizer):
    total = 0
    for images, labels in loader:
        total += train_step(images, labels, model, loss_fn, optimizer) * len(images)
    return total / len(loader.dataset)


# wrong
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    total = 0
    for images, labels in loader:
        loss = train_step(images, labels, model, loss_fn, optimizer)
        total = total + loss * len(images)
        return total / len(loader.dataset)


# right
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    total = 0
    for images, labels in loader:
        loss = train_step(images, labels, model, loss_fn, optimizer)
        total = total + loss * len(images)
    return total / len(loader.dataset)


# right
def evaluate(loader, model, loss_fn):
    model.eval()
    total = 0
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            loss = loss_fn(logits, labels)
            total += loss * len(images)
            right += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), right / len(loader.dataset)


# wrong
def evaluate(loader, model, loss_fn):
    model.eval()
    torch.no_grad()
    total = 0
    right = 0
    for images, labels in loader:
        logits = model(images)
        total += loss_fn(logits, labels).item() * len(images)
        right += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), right / len(loader.dataset)


# wrong
def evaluate(loader, model, loss_fn):
    model.eval()
    total = 0
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += loss_fn(logits, labels).item() * len(images)
            right += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), 100 * right / len(loader.dataset)


# right
def evaluate(loader, model, loss_fn):
    model.eval()
    total = 0
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += loss_fn(logits, labels).item() * len(images)
            right += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), right / len(loader.dataset)


# wrong
def standard_error(accuracy, num_images):
    return accuracy * (1 - accuracy) / num_images**0.5


# wrong
def standard_error(accuracy, num_images):
    return accuracy * (1 - accuracy) / num_images


# wrong
def standard_error(accuracy, num_images):
    return (accuracy * (1 - accuracy)) ** 0.5 / num_images


# right
def standard_error(accuracy, num_images):
    variance = accuracy * (1 - accuracy)
    return (variance / num_images) ** 0.5


# wrong
def schedule(step, num_steps, max_rate):
    warm_up = num_steps // 5
    if step < warm_up:
        return max_rate * (step + 1) / (warm_up + 1)
    else:
        return max_rate * (num_steps - step) / num_steps


# wrong
def schedule(step, num_steps, max_rate):
    warm_up = num_steps // 5
    if step < warm_up:
        return max_rate * (step + 1) / (warm_up + 1)
    else:
        return max_rate * (num_steps - step - 1) / (num_steps - warm_up)


# wrong
def schedule(step, num_steps, max_rate):
    warm_up = num_steps // 5
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    else:
        return (num_steps - step) / (num_steps - warm_up)


# right
def schedule(step, num_steps, max_rate):
    warm_up = num_steps // 5
    if step <= warm_up:
        return max_rate * (step + 1) / (warm_up + 1)
    else:
        return max_rate * (num_steps - step) / (num_steps - warm_up)


# wrong
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        a = decay * a + (1 - decay) * w


# wrong
def average_weights(average, weights, decay):
    for a, w in zip(average, weights):
        a *= decay
        a += (1 - decay) * w


# wrong
def average_weights(average, weights, decay):
    with torch.no_grad():
        for i in range(len(average)):
            average[i] = decay * average[i] + (1 - decay) * weights[i]


# right
def average_weights(average, weights, decay):
    with torch.no_grad():
        for a, w in zip(average, weights):
            a *= decay
            a += (1 - decay) * w


# wrong
def should_stop(accuracies, patience):
    best = accuracies.index(max(accuracies))
    return len(accuracies) - best >= patience


# wrong
def should_stop(accuracies, patience):
    best = max(accuracies)
    last = accuracies[-patience:]
    return best not in last


# wrong
def should_stop(accuracies, patience):
    best = accuracies.index(max(accuracies))
    if len(accuracies) - 1 - best >= patience:
        return True


# right
def should_stop(accuracies, patience):
    best = accuracies.index(max(accuracies))
    return len(accuracies) - 1 - best >= patience


# wrong
def convolve(image, kernel):
    height, width = image.shape
    result = torch.zeros(height - 2, width - 2)
    for row in range(height - 3):
        for column in range(width - 3):
            window = image[row : row + 3, column : column + 3]
            result[row, column] = (window * kernel).sum()
    return result


# wrong
def convolve(image, kernel):
    rows = []
    for row in range(image.shape[0] - 2):
        for column in range(image.shape[1] - 2):
            window = image[row : row + 3, column : column + 3]
            rows.append((window * kernel).sum())
    return torch.tensor(rows)


# wrong
def convolve(image, kernel):
    result = torch.zeros(image.shape[0] - 2, image.shape[1] - 2)
    for row in range(image.shape[0] - 2):
        for column in range(image.shape[1] - 2):
            result[row, column] = image[row : row + 3, column : column + 3] * kernel
    return result


# right
def convolve(image, kernel):
    height, width = image.shape
    result = torch.zeros(height - 2, width - 2)
    for row in range(height - 2):
        for column in range(width - 2):
            window = image[row : row + 3, column : column + 3]
            result[row, column] = (window * kernel).sum()
    return result


# wrong
def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3), keepdim=True)
    variance = values.var(dim=(0, 2, 3), keepdim=True)
    return (values - mean) / (variance + 0.00001).sqrt() * scale + shift


# wrong
def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3), keepdim=True)
    variance = values.var(dim=(0, 2, 3), keepdim=True, correction=0)
    return (values - mean) / (variance + 0.00001) * scale + shift


# wrong
def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3), keepdim=True)
    variance = values.var(dim=(0, 2, 3), keepdim=True, correction=0)
    return (values - mean) / (variance + 0.00001).sqrt() * (scale + shift)


# right
def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3), keepdim=True)
    variance = values.var(dim=(0, 2, 3), keepdim=True, correction=0)
    normal = (values - mean) / (variance + 0.00001).sqrt()
    return normal * scale + shift


# wrong
def mirror_some(images, coins):
    copy = images.clone()
    copy[coins].flip(-1)
    return copy


# wrong
def mirror_some(images, coins):
    copy = images.clone()
    if coins.any():
        copy = copy.flip(-1)
    return copy


# wrong
def mirror_some(images, coins):
    copy = images.clone()
    copy[coins] = images.flip(-1)
    return copy


# right
def mirror_some(images, coins):
    copy = images.clone()
    for i in range(len(images)):
        if coins[i]:
            copy[i] = images[i].flip(-1)
    return copy


# right
def mirror_some(images, coins):
    copy = images.clone()
    copy[coins] = images[coins].flip(-1)
    return copy


# wrong
def two_views(model, images):
    return model(images) + model(images.flip(-1)) / 2


# wrong
def two_views(model, images):
    both = torch.cat([images, images.flip(-1)])
    return model(both).mean(dim=0)


# wrong
def two_views(model, images):
    return model((images + images.flip(-1)) / 2)


# right
def two_views(model, images):
    return (model(images) + model(images.flip(-1))) / 2


# wrong
def prepare(picture):
    grey = picture.mean(dim=0)
    return 1 - grey / 255


# wrong
def prepare(picture):
    grey = picture.float().mean(dim=0)
    return 1 - grey / 255


# wrong
def prepare(picture):
    grey = picture.float().mean(dim=0, keepdim=True)
    return 255 - grey / 255


# right
def prepare(picture):
    grey = picture.float().mean(dim=0).unsqueeze(0)
    return 1 - grey / 255


# wrong
def get_sample(self, index):
    return self.paths[index], self.labels[index]


# wrong
def get_sample(self, index):
    image = read(self.paths[index])
    return image, self.labels[index]


# wrong
def get_sample(self, index):
    for path, label in zip(self.paths, self.labels):
        return self.read(path), label


# right
def get_sample(self, index):
    image = self.read(self.paths[index])
    return image, self.labels[index]


# wrong
def renumber(folder_classes, classes):
    numbers = []
    for name in classes:
        numbers.append(folder_classes.index(name))
    return numbers


# wrong
def renumber(folder_classes, classes):
    return classes.index(folder_classes)


# right
def renumber(folder_classes, classes):
    numbers = []
    for name in folder_classes:
        numbers.append(classes.index(name))
    return numbers


# wrong
def start_from(model, num_classes):
    model.head = nn.Linear(model.head.in_features, num_classes)
    model.requires_grad_(False)
    return model


# wrong
def start_from(model, num_classes):
    for parameter in model.parameters():
        parameter.requires_grad_ = False
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# wrong
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)


# wrong
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head.out_features = num_classes
    return model


# right
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# right
def train_step(images, labels, model, loss_fn, optimizer):
    loss = loss_fn(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


# wrong
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    loss = loss_fn(model(images), labels)
    loss.backward()
    optimizer.step()
    loss = loss_fn(model(images), labels)
    return loss.item()


# wrong
def train_step(images, labels, model, loss_fn, optimizer):
    optimizer.zero_grad()
    logits = model(images)
    loss = loss_fn(logits.softmax(dim=1), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


# right
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    total = 0
    count = 0
    for images, labels in loader:
        total += train_step(images, labels, model, loss_fn, optimizer) * len(images)
        count += len(images)
    return total / count


# wrong
def train_epoch(loader, model, loss_fn, optimizer):
    model.train()
    losses = []
    for images, labels in loader:
        losses.append(train_step(images, labels, model, loss_fn, optimizer))
    return sum(losses) / len(losses)


# wrong
def evaluate(loader, model, loss_fn):
    total = 0
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += loss_fn(logits, labels).item() * len(images)
            right += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader.dataset), right / len(loader.dataset)


# wrong
def evaluate(loader, model, loss_fn):
    model.eval()
    total = 0
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += loss_fn(logits, labels).item()
            right += (logits.argmax(dim=1) == labels).sum().item()
    return total / len(loader), right / len(loader.dataset)


# right
def evaluate(loader, model, loss_fn):
    model.eval()
    total = 0
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            total += loss_fn(logits, labels).item() * len(images)
            right += (logits.argmax(dim=1) == labels).sum().item()
    model.train()
    return total / len(loader.dataset), right / len(loader.dataset)


# right
def standard_error(accuracy, num_images):
    return accuracy**0.5 * (1 - accuracy) ** 0.5 / num_images**0.5


# wrong
def schedule(step, num_steps, max_rate):
    warm_up = num_steps // 5
    if step < warm_up:
        return max_rate * step / warm_up
    return max_rate * (num_steps - step) / (num_steps - warm_up)


# right
def average_weights(average, weights, decay):
    with torch.no_grad():
        for i in range(len(average)):
            average[i][:] = decay * average[i] + (1 - decay) * weights[i]


# right
def average_weights(average, weights, decay):
    with torch.no_grad():
        for a, w in zip(average, weights):
            a -= (1 - decay) * (a - w)


# wrong
def average_weights(average, weights, decay):
    with torch.no_grad():
        for a, w in zip(average, weights):
            a += decay * a + (1 - decay) * w


# right
def should_stop(accuracies, patience):
    if len(accuracies) <= patience:
        return False
    before = accuracies[:-patience]
    last = accuracies[-patience:]
    return max(last) <= max(before)


# right
def should_stop(accuracies, patience):
    best = -1
    waited = 0
    for accuracy in accuracies:
        if accuracy > best:
            best = accuracy
            waited = 0
        else:
            waited += 1
    return waited >= patience


# wrong
def should_stop(accuracies, patience):
    last = accuracies[-patience:]
    return max(last) < max(accuracies)


# wrong
def convolve(image, kernel):
    size = len(image)
    result = torch.zeros(size - 2, size - 2)
    for row in range(size - 2):
        for column in range(size - 2):
            window = image[row : row + 3, column : column + 3]
            result[row, column] = (window * kernel).sum()
    return result


# wrong
def convolve(image, kernel):
    result = torch.zeros(image.shape[0] - 2, image.shape[1] - 2)
    for row in range(image.shape[0] - 2):
        for column in range(image.shape[1] - 2):
            window = image[row : row + 2, column : column + 2]
            result[row, column] = (window * kernel).sum()
    return result


# right
def convolve(image, kernel):
    rows = []
    for row in range(image.shape[0] - 2):
        sums = []
        for column in range(image.shape[1] - 2):
            window = image[row : row + 3, column : column + 3]
            sums.append((window * kernel).sum())
        rows.append(sums)
    return torch.tensor(rows)


# right
def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3), keepdim=True)
    variance = ((values - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    return scale * (values - mean) / (variance + 0.00001) ** 0.5 + shift


# wrong
def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3))
    variance = values.var(dim=(0, 2, 3), correction=0)
    return (values - mean) / (variance + 0.00001).sqrt() * scale + shift


# wrong
def batch_norm(values, scale, shift):
    mean = values.mean(dim=(0, 2, 3), keepdim=True)
    variance = values.var(dim=(0, 2, 3), keepdim=True, correction=0)
    return values - mean / (variance + 0.00001).sqrt() * scale + shift


# wrong
def mirror_some(images, coins):
    images[coins] = images[coins].flip(-1)
    return images


# wrong
def mirror_some(images, coins):
    copy = images.clone()
    for i in range(len(images)):
        if coins[i]:
            copy[i] = images[i].flip(0)
    return copy


# wrong
def mirror_some(images, coins):
    return images.clone()[coins].flip(-1)


# wrong
def two_views(model, images):
    one = model(images).softmax(dim=1)
    two = model(images.flip(-1)).softmax(dim=1)
    return (one + two) / 2


# wrong
def two_views(model, images):
    logits = (model(images) + model(images.flip(-1))) / 2
    return logits.argmax(dim=1)


# wrong
def two_views(model, images):
    return (model(images) + model(images).flip(-1)) / 2


# right
def two_views(model, images):
    return torch.stack([model(images), model(images.flip(-1))]).mean(dim=0)


# right
def prepare(picture):
    numbers = 1 - picture.float() / 255
    return numbers.mean(dim=0, keepdim=True)


# wrong
def prepare(picture):
    grey = (picture[0] + picture[1] + picture[2]) / 3
    return 1 - grey.unsqueeze(0) / 255


# wrong
def prepare(picture):
    return picture.float().mean(dim=0, keepdim=True) / 255


# wrong
def get_sample(self, index):
    return self.read(self.paths)[index], self.labels[index]


# wrong
def get_sample(self, index):
    return self.labels[index], self.read(self.paths[index])


# wrong
def renumber(folder_classes, classes):
    return [folder_classes.index(name) for name in folder_classes]


# wrong
def renumber(folder_classes, classes):
    numbers = {}
    for name in folder_classes:
        numbers[name] = classes.index(name)
    return numbers


# right
def start_from(model, num_classes):
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# right
def start_from(model, num_classes):
    model.features.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


# wrong
def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head = nn.Linear(num_classes, model.head.in_features)
    return model


# wrong
def start_from(model, num_classes):
    with torch.no_grad():
        model.head = nn.Linear(model.head.in_features, num_classes)
    return model
