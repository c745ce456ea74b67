"""Likely mistakes in the tasks in the middle of the lessons, each with words that its diagnosis must say."""

FORWARD = "h = max(w1 * x, 0)\n    y = w2 * h\n    "

MISTAKES = {
    "num_pixels": [
        ("return width + height", "the sum"),
        ("return 784", "28 by 28 only"),
        ("print(width * height)", "None (is a return missing?)"),
        ("return width * width", "there are"),
        ("return width * hight", "NameError"),
    ],
    "share_right": [
        ("return sum(guess == label for guess, label in zip(guesses, labels))", "not which share"),
        ("return sum(g != l for g, l in zip(guesses, labels)) / len(labels)", "wrong guesses"),
        ("return 100 * sum(g == l for g, l in zip(guesses, labels)) / len(labels)", "per cent"),
        ("return float(guesses == labels)", "it gives 0, though"),
        ("return sum(guess in labels for guess in guesses) / len(labels)", "are right"),
        ("return (guesses == labels).mean()", "AttributeError"),
    ],
    "count_of_class": [
        ("return (labels[labels == label].sum() // label).item()", "raised"),
        ("return labels.bincount()[label].item()", "raised IndexError"),
        ("labels[labels != label] = -1\n    return (labels >= 0).sum().item()", "an argument has changed"),
        ("return labels == label", "the mask itself"),
        ("return (labels == label).sum()", "a Python number was asked for"),
        ("return len(labels == label)", "how many labels there are in all"),
        ("return labels[labels == label].sum().item()", "added up"),
        ("return labels[label].item()", "occurs"),
    ],
    "mean_image": [
        ("return images.mean(dim=0)", "RuntimeError: mean()"),
        ("return images.float().mean()", "a single number"),
        ("return images.float().mean(dim=1)", "shape (5, 6)"),
        ("return images.float().mean(dim=2)", "shape (5, 4)"),
        ("return images.float().mean(dim=(1, 2))", "one number per image"),
        ("return images.float().sum(dim=0)", "the sum of the images"),
        ("return images.float().mean(dim=0) / 255", "255 times too small"),
        ("return images.sum(dim=0) // len(images)", "a byte holds whole numbers"),
    ],
    "to_floats": [
        ("return pixels.float() / 255", "shape (28, 28), and it should have (1, 28, 28)"),
        ("return pixels.unsqueeze(0).float() / 256", "256"),
        ("return pixels.unsqueeze(0).float()", "still go up to 255"),
        ("return pixels.unsqueeze(0).float() / pixels.max()", "255 is white, whatever the image holds"),
        ("return pixels.unsqueeze(0) // 255", "whole numbers were divided"),
        ("return pixels.unsqueeze(2).float() / 255", "shape (28, 28, 1)"),
        ("return pixels.unsqueeze(0).double() / 255", "float64"),
        ("return pixels[None, None].float() / 255", "should have shape (1, 28, 28)"),
    ],
    "num_iterations": [
        ("return num_samples // batch_size", "the short last batch is missing"),
        ("return num_samples // batch_size + 1", "one too many"),
        ("return num_samples / batch_size", "counted in whole ones"),
        ("return round(num_samples / batch_size)", "the short last batch is missing"),
        ("return batch_size", "there are"),
    ],
    "linear": [
        ("return inputs @ weight + bias", "RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        ("return inputs @ weight.T", "the bias is missing"),
        ("bias += inputs @ weight.T\n    return bias", "RuntimeError"),
        ("weight.mul_(2)\n    return inputs @ (weight / 2).T + bias", "an argument has changed"),
        ("return inputs @ weight.T - bias", "subtracted"),
        ("return weight @ inputs.T + bias", "RuntimeError"),
        ("return inputs * weight + bias", "RuntimeError"),
    ],
    "relu": [
        ("return numbers.abs()", "become positive"),
        ("return numbers.clamp(max=0)", "the positive ones became 0"),
        ("return (numbers > 0).float()", "it gives 1"),
        ("numbers[numbers < 0] = 0\n    return numbers", "in place"),
        ("return max(numbers, 0)", "RuntimeError"),
        ("return numbers[numbers > 0]", "should have shape (2, 3)"),
        ("return torch.nn.functional.relu6(numbers)", "not those of a ReLU"),
    ],
    "num_parameters": [
        ("return sum(a * b for a, b in zip(sizes, sizes[1:]))", "without the biases"),
        ("return sum(a * b for a, b in zip(sizes, sizes[1:])) + sum(sizes)", "the input was given biases"),
        ("return sum(a * b + a for a, b in zip(sizes, sizes[1:]))", "one bias per input"),
        ("return sum(a * b + 1 for a, b in zip(sizes, sizes[1:]))", "one bias per layer"),
        ("return sizes[0] * sizes[1] + sizes[1]", "has"),
    ],
    "softmax": [
        ("powers = logits.exp()\n    return powers / powers.sum(dim=0)", "the columns add up to 1"),
        ("powers = logits.exp()\n    return powers / powers.sum()", "all numbers together"),
        ("return logits.exp()", "not divided by their sum"),
        ("powers = 2.718**logits\n    return powers / powers.sum(dim=1, keepdim=True)", "use logits.exp()"),
        (
            "powers = logits.exp_()\n    return powers / powers.sum(dim=1, keepdim=True)",
            "an argument has changed",
        ),
        ("return logits / logits.sum(dim=1, keepdim=True)", "some results are negative"),
        ("powers = logits.exp()\n    return powers / powers.sum(dim=1)", "RuntimeError"),
    ],
    "likelihood_loss": [
        ("return probabilities[torch.arange(len(labels)), labels].log().mean()", "negative"),
        ("return -probabilities[torch.arange(len(labels)), labels].log().sum()", "added up"),
        ("return -probabilities[torch.arange(len(labels)), labels].mean()", "the logarithm is missing"),
        (
            "return -probabilities[torch.arange(len(labels)), labels].mean().log()",
            "the logarithm of the mean",
        ),
        ("return -probabilities[torch.arange(len(labels)), labels].log10().mean()", "another logarithm"),
        ("return -probabilities[torch.arange(len(labels)), labels].log().mean().item()", "leave out .item()"),
        ("return -probabilities.max(dim=1).values.log().mean()", "the largest probability of each row"),
        ("return -probabilities[torch.arange(len(labels)), labels].log()", "one number per sample"),
        ("return -probabilities[:, labels].log()", "a table of 4 by 4"),
        ("return -probabilities[:, labels].log().mean()", "is not the mean of minus"),
    ],
    "logit_slopes": [
        ("return logits.softmax(dim=0)", "the probabilities came back"),
        ("slopes = -logits.softmax(dim=0)\n    slopes[label] += 1\n    return slopes", "the other way round"),
        ("return logits.softmax(dim=0) - 1", "subtracted everywhere"),
        ("slopes = logits.clone()\n    slopes[label] -= 1\n    return slopes", "differ from those"),
        ("return logits.softmax(dim=1)", "IndexError"),
        ("logits[label] -= 1\n    return logits", "an argument has changed"),
    ],
    "slopes": [
        (FORWARD + "return (y - t) * w2 * x, (y - t) * h", "the square gives 2"),
        (FORWARD + "s = 2 * (t - y)\n    return s * w2 * x, s * h", "the wrong sign"),
        (FORWARD + "s = 2 * (y - t)\n    return s * w2 * x, s * h", "lets nothing through"),
        (FORWARD + "s = 2 * (y - t)\n    return s * x * (h > 0), s * h", "which is w2"),
        (FORWARD + "s = 2 * (y - t)\n    return s * w2 * (h > 0), s * h", "which is x"),
        (FORWARD + "s = 2 * (y - t)\n    return s * w2 * x * (h > 0), s", "lacks its own link"),
        (FORWARD + "s = 2 * (y - t)\n    return s * w2 * x * (h > 0), s * w2", "should be by h"),
        ("y = w2 * w1 * x\n    s = 2 * (y - t)\n    return s * w2 * x, s * w1 * x", "for x = 2, t = 3"),
        (FORWARD + "s = 2 * (y - t)\n    return s * w2 * x * (w1 > 0), s * h", "for x = -2"),
        (FORWARD + "return 2 * (y - t)", "should come back"),
    ],
    "linear_backward": [
        (
            "return inputs.T @ slope_outputs, slope_outputs.sum(dim=0), slope_outputs @ weight",
            "it lies on its side",
        ),
        (
            "return slope_outputs.T @ inputs, slope_outputs.mean(dim=0), slope_outputs @ weight",
            "the sum over the samples, not their mean",
        ),
        (
            "return slope_outputs.T @ inputs / len(inputs), slope_outputs.sum(dim=0), slope_outputs @ weight",
            "the mean is in the loss already",
        ),
        (
            "return slope_outputs.T @ inputs, slope_outputs.sum(dim=0), slope_outputs @ weight.T",
            "RuntimeError: mat1 and mat2",
        ),
        ("return slope_outputs.T @ inputs, slope_outputs.sum(dim=1), slope_outputs @ weight", "shape (3,)"),
        ("return slope_outputs.T @ inputs, slope_outputs.sum(dim=0)", "what came back is 2 parts"),
    ],
    "sgd_step": [
        (
            "for parameter in parameters:\n        parameter -= learning_rate * parameter.grad",
            "RuntimeError: a leaf Variable",
        ),
        (
            "with torch.no_grad():\n        for p in parameters:\n            p = p - learning_rate * p.grad",
            "no parameter has moved",
        ),
        (
            "with torch.no_grad():\n        for p in parameters:\n            p += learning_rate * p.grad",
            "uphill",
        ),
        (
            "with torch.no_grad():\n        for p in parameters:\n            p -= p.grad",
            "the learning rate is missing",
        ),
        (
            "for p in parameters:\n        p.data -= learning_rate * p.grad\n        return",
            "only the first parameter",
        ),
        (
            "with torch.no_grad():\n        for p in parameters:\n            p -= learning_rate * p.grad\n"
            "            p.grad.zero_()",
            "the gradients have changed",
        ),
    ],
    "momentum_step": [
        (
            "velocity *= 0.9\n    velocity += gradient\n    return parameter - learning_rate * velocity, velocity",
            "an argument has changed",
        ),
        (
            "velocity = 0.9 * velocity + learning_rate * gradient\n    return parameter - velocity, velocity",
            "the learning rate went into the velocity",
        ),
        ("return parameter - learning_rate * velocity, 0.9 * velocity + gradient", "by the old velocity"),
        ("return parameter - learning_rate * gradient, 0.9 * velocity + gradient", "by the gradient alone"),
        (
            "velocity = 0.9 * velocity + gradient\n    return parameter + learning_rate * velocity, velocity",
            "uphill",
        ),
        (
            "velocity = 0.9 * velocity + gradient\n    return parameter - velocity, velocity",
            "the learning rate is missing",
        ),
        (
            "velocity = velocity + gradient\n    return parameter - learning_rate * velocity, velocity",
            "the old velocity was kept whole",
        ),
        (
            "velocity = 0.9 * velocity + 0.1 * gradient\n    return parameter - learning_rate * velocity, velocity",
            "adds all of it",
        ),
        (
            "velocity = 0.9 * velocity + gradient\n    return velocity, parameter - learning_rate * velocity",
            "in the other order",
        ),
        (
            "velocity = 0.9 * velocity + gradient\n    return parameter - learning_rate * velocity",
            "should come back",
        ),
    ],
    "prepare": [
        ("return 1 - picture.float().mean(dim=0) / 255", "the axis for the channel is gone"),
        ("return 1 - picture.float() / 255", "there are still three channels"),
        ("return 1 - picture.mean(dim=0, keepdim=True) / 255", "RuntimeError: mean()"),
        ("return picture.float().mean(dim=0, keepdim=True) / 255", "still dark on light"),
        ("return 255 - picture.float().mean(dim=0, keepdim=True)", "still go up to 255"),
        ("return 1 - picture.float().mean(dim=0, keepdim=True)", "before they were divided by 255"),
        ("return 1 - picture.float().sum(dim=0, keepdim=True) / 255", "added up"),
        (
            "grey = picture.float().mean(dim=0, keepdim=True)\n    return 1 - grey / grey.max()",
            "the largest value of this picture",
        ),
        ("return -picture.float().mean(dim=0, keepdim=True) / 255", "the whole range lies below 0"),
        ("return 1 - picture[:1].float() / 255", "the values are not"),
        ("grey = 1 - picture.float().mean(dim=0, keepdim=True) / 255", "None (is a return missing?)"),
    ],
    "get_sample": [
        ("return self.read(self.paths[index])", "the image, the label should come back"),
        ("return self.paths[index], self.labels[index]", "nobody has read the picture"),
        ("return self.labels[index], self.read(self.paths[index])", "the label came first"),
        ("return self.read(self.paths[0]), self.labels[index]", "it shows another picture"),
        ("return self.read(self.paths[index]), self.labels", "the label should be a Python number"),
        ("return self.read(self.paths[index]), index", "the label of sample 1 is 1, not 0"),
        (
            "images = [self.read(path) for path in self.paths]\n    return images[index], self.labels[index]",
            "3 pictures were read for one sample",
        ),
        ("return read(self.paths[index]), self.labels[index]", "NameError"),
    ],
    "renumber": [
        (
            "return [folder_classes.index(name) for name in classes if name in folder_classes]",
            "the other way",
        ),
        ("return list(range(len(folder_classes)))", "own numbers once more"),
        ("return [name for name in classes if name in folder_classes]", "the list holds names"),
        ("return {name: classes.index(name) for name in folder_classes}", "a list was asked for"),
        ("return classes.index(folder_classes)", "ValueError"),
        ("return [classes.index(name) for name in sorted(classes)]", "should have 2 parts"),
        ("return [classes.index(name) + 1 for name in folder_classes]", "for the folders"),
    ],
    "start_from": [
        ("model.head = torch.nn.Linear(model.head.in_features, num_classes)\n    return model", "not frozen"),
        (
            "model.head = torch.nn.Linear(model.head.in_features, num_classes)\n"
            "    model.requires_grad_(False)\n    return model",
            "the new head is frozen, too",
        ),
        ("model.requires_grad_(False)\n    return model", "the head should be (5, 4), and it is (3, 4)"),
        (
            "model.requires_grad_(False)\n"
            "    model.head = torch.nn.Linear(num_classes, model.head.in_features)\n    return model",
            "and it is (4, 5)",
        ),
        (
            "model.requires_grad_(False)\n    model.head = torch.nn.Linear(model.head.in_features, num_classes)",
            "the model should come back",
        ),
        (
            "model.requires_grad_(False)\n    return torch.nn.Linear(model.head.in_features, num_classes)",
            "the model should come back, and what came back is Linear",
        ),
        (
            "model.features.weight.requires_grad_(False)\n"
            "    model.head = torch.nn.Linear(model.head.in_features, num_classes)\n    return model",
            "not frozen",
        ),
        ("model.requires_grad = False\n    return model", "the head should be (5, 4)"),
    ],
}
"""Name of the task → bodies of a function, and words of what it is told."""
