"""Likely mistakes in the tasks in the middle of the lessons, each with words that its diagnosis must say."""

FORWARD = "h = max(w1 * x, 0)\n    y = w2 * h\n    "
LOSS = "loss = loss_fn(model(images), labels)\n    "
STEPS = (
    "model.train()\n    total, means, n = 0.0, [], 0\n    for images, labels in loader:\n"
    "        loss = train_step(images, labels, model, loss_fn, optimizer)\n"
    "        total += loss * len(labels)\n        means.append(loss)\n        n += len(labels)\n    "
)
LOOK = (
    "total, means, hits, n = 0.0, [], [], 0\n    for images, labels in loader:\n"
    "        logits = model(images)\n        means.append(loss_fn(logits, labels).item())\n"
    "        total += means[-1] * len(labels)\n"
    "        hits.append((logits.argmax(dim=1) == labels).sum().item())\n        n += len(labels)\n    "
)
EVAL = "model.eval()\n    torch.set_grad_enabled(False)\n    " + LOOK + "torch.set_grad_enabled(True)\n    "

WARM_UP = """warm_up = num_steps // 5
    if step < warm_up:
        return max_rate * (step + 1) / (warm_up + 1)
    """
AVERAGE = "with torch.no_grad():\n        for a, w in zip(average, weights):\n            "

CONVOLVE = """height, width = image.shape
    result = torch.zeros(height - 2, width - 2)
    for row in range(height - 2):
        for column in range(width - 2):
            window = image[row : row + {size}, column : column + {size}]
            result[row, column] = ({value}).sum()
    return result"""
BATCH_NORM = """mean = values.mean(dim={dim}, keepdim=True)
    variance = values.var(dim={dim}, keepdim=True, correction=0)
    return (values - mean) / (variance + 1e-5).sqrt() * {how}"""

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
        (
            "for at, p in enumerate(parameters):\n        parameters[at] = p - learning_rate * p.grad",
            "no parameter has moved",
        ),
        (
            "with torch.no_grad():\n        for p in parameters:\n            p -= 0.1 * p.grad",
            "those of a rate of 0.1, and 0.25 was handed over",
        ),
    ],
    "momentum_step": [
        (
            "velocity = 0.9 * velocity + gradient\n    return parameter - 0.1 * velocity, velocity",
            "those of a rate of 0.1, and 0.25 was handed over",
        ),
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
    "train_step": [
        (
            "optimizer.zero_grad()\n    loss = torch.nn.functional.cross_entropy(model(images), labels)\n"
            "    loss.backward()\n    optimizer.step()\n    return loss.item()",
            "loss_fn was never called",
        ),
        (
            "optimizer.zero_grad()\n    " + LOSS + "loss = torch.tensor(loss.item(), requires_grad=True)\n"
            "    loss.backward()\n    optimizer.step()\n    return loss.item()",
            "nothing called backward on the result of loss_fn",
        ),
        (
            "optimizer.zero_grad()\n    "
            + LOSS
            + "loss.backward()\n    optimizer.step()\n    return round(loss.item(), 4)",
            "00 came back; the loss of this batch was",
        ),
        (LOSS + "loss.backward()\n    optimizer.step()\n    return loss.item()", "until somebody clears it"),
        (
            "optimizer.zero_grad()\n    "
            + LOSS
            + "optimizer.step()\n    loss.backward()\n    return loss.item()",
            "step was called before the backward",
        ),
        (
            LOSS + "loss.backward()\n    optimizer.zero_grad()\n    optimizer.step()\n    return loss.item()",
            "cleared between backward and step",
        ),
        (
            LOSS + "optimizer.step()\n    loss.backward()\n    optimizer.zero_grad()\n    return loss.item()",
            "step was called before the backward",
        ),
        (
            "optimizer.zero_grad()\n    " + LOSS + "loss.backward()\n    return loss.item()",
            "never took a step",
        ),
        (
            "optimizer.zero_grad()\n    " + LOSS + "optimizer.step()\n    return loss.item()",
            "nothing called backward",
        ),
        (
            "optimizer.zero_grad()\n    " + LOSS + "loss.backward()\n    optimizer.step()\n    return loss",
            "holds on to its graph",
        ),
        (
            "optimizer.zero_grad()\n    " + LOSS + "loss.backward()\n    optimizer.step()",
            "None (is a return missing?)",
        ),
        (
            "optimizer.zero_grad()\n    loss = loss_fn(model(images).softmax(dim=1), labels)\n    loss.backward()\n"
            "    optimizer.step()\n    return loss.item()",
            "not by one step against the gradient",
        ),
        (
            "optimizer.zero_grad()\n    " + LOSS + "loss.backward()\n    optimizer.step()\n"
            "    return loss_fn(model(images), labels).item()",
            "before the step",
        ),
        ("loss = loss_fn(labels, model(images))\n    return loss.item()", "it raised"),
    ],
    "train_epoch": [
        (STEPS.replace("model.train()", "pass") + "return total / n", "trained in evaluation mode"),
        (STEPS + "return sum(means) / len(means)", "averages count samples, not batches"),
        (STEPS + "return loss", "of the last batch came back"),
        (STEPS + "return total", "added up over the samples, and never divided"),
        (STEPS + "return total / len(loader)", "by the number of batches"),
        (STEPS + "return sum(means) / len(loader.dataset)", "lacks the size of each batch"),
        (STEPS + "return total / (len(loader) * loader.batch_size)", "as if the last batch were a full one"),
        (STEPS, "None (is a return missing?)"),
        (
            STEPS.replace("        n +=", "        break\n        n +=") + "return loss",
            "steps taken: 1; batches: 3",
        ),
        (
            "model.train()\n    total = 0\n    for images, labels in loader:\n        optimizer.zero_grad()\n"
            "        loss = loss_fn(model(images), labels)\n        loss.backward()\n        optimizer.step()\n"
            "        total += loss * len(labels)\n    return total / len(loader.dataset)",
            "holds on to its graph",
        ),
        (
            "model.train()\n    for images, labels in loader:\n        loss = loss_fn(model(images), labels)\n"
            "        loss.backward()\n        optimizer.step()\n    return loss.item()",
            "until somebody clears it",
        ),
        ("model.train()\n    return train_step(loader, model, loss_fn, optimizer)", "raised TypeError"),
    ],
    "evaluate": [
        (LOOK + "return total / n, sum(hits) / n", "stays in the mode it was last put into"),
        ("model.eval()\n    " + LOOK + "return total / n, sum(hits) / n", "only no_grad stops"),
        (
            EVAL.replace("model.eval()", "pass") + "return total / n, sum(hits) / n",
            "dropout stays at work until eval() is called",
        ),
        (EVAL.replace("(True)", "(False)") + "return total / n, sum(hits) / n", "stayed off"),
        (EVAL + "return sum(means) / len(means), sum(hits) / n", "averages count samples, not batches"),
        (EVAL + "return total / n, sum(hits) / len(loader)", "by the number of batches"),
        (
            EVAL + "return total / n, sum(h / len(y) for h, (_, y) in zip(hits, loader)) / len(loader)",
            "the accuracy that came back",
        ),
        (EVAL + "return total / n, 100 * sum(hits) / n", "in per cent"),
        (EVAL + "return total / n, sum(hits)", "never divided"),
        (EVAL + "return means[-1], sum(hits) / n", "of the last batch came back"),
        (EVAL + "return total / n", "what came back is float"),
        (EVAL + "return sum(hits) / n, total / n", "the mean loss is"),
    ],
    "standard_error": [
        ("return accuracy * (1 - accuracy) / num_images", "without its square root"),
        ("return (accuracy * (1 - accuracy)) ** 0.5", "of a single image"),
        ("return (accuracy * (1 - accuracy)) ** 0.5 / num_images", "belongs under the root"),
        ("return accuracy * (1 - accuracy) / num_images**0.5", "p (1 - p) belongs under the root"),
        ("return 100 * (accuracy * (1 - accuracy) / num_images) ** 0.5", "points"),
        ("return (accuracy / num_images) ** 0.5", "is right"),
        ("return math.sqrt(accuracy * (1 - accuracy) / num_images)", "raised NameError"),
    ],
    "schedule": [
        ("return max_rate", "it should be"),
        (WARM_UP + "return max_rate", "never comes down"),
        ("return max_rate * (num_steps - step) / num_steps", "the warm-up is missing"),
        (
            WARM_UP.replace("(step + 1) / (warm_up + 1)", "step / warm_up")
            + "return max_rate * (num_steps - step) / (num_steps - warm_up)",
            "the line starts at step -1",
        ),
        (WARM_UP + "return max_rate * (num_steps - step) / num_steps", "never reaches 0.5"),
        (
            WARM_UP + "return max_rate * (num_steps - 1 - step) / (num_steps - 1 - warm_up)",
            "the rate of the last step is 0",
        ),
        (
            WARM_UP.replace("max_rate * ", "") + "return (num_steps - step) / (num_steps - warm_up)",
            "max_rate is missing",
        ),
        (
            WARM_UP.replace("//", "/") + "return max_rate * (num_steps - step) / (num_steps - warm_up)",
            "at step 0",
        ),
    ],
    "average_weights": [
        (
            "for a, w in zip(average, weights):\n        a.requires_grad_(False)\n        w.requires_grad_(False)\n"
            "        a.mul_(decay).add_(w, alpha=1 - decay)",
            "no longer require a gradient",
        ),
        (
            "for a, w in zip(average, weights):\n        a = decay * a + (1 - decay) * w",
            "the average has not changed",
        ),
        ("for a, w in zip(average, weights):\n        a *= decay", "RuntimeError: a leaf Variable"),
        (
            "for i in range(len(average)):\n"
            "        average[i] = decay * average[i] + (1 - decay) * weights[i]",
            "the average has not changed",
        ),
        (AVERAGE + "a.copy_((1 - decay) * a + decay * w)", "the two shares are exchanged"),
        (AVERAGE + "a *= decay", "nothing is added"),
        (AVERAGE + "a.copy_(decay * a + w)", "only 1 - decay"),
        (AVERAGE + "a += (1 - decay) * w\n            a *= decay", "first multiply, then add"),
        (AVERAGE + "a.copy_((a + w) / 2)", "the plain mean"),
        (AVERAGE + "w.copy_(decay * a + (1 - decay) * w)", "the weights of the model have changed"),
        (AVERAGE + "a.copy_(decay * a + (1 - decay) * w)\n            break", "only the first tensor"),
    ],
    "should_stop": [
        (
            "best, wait = -1, 0\n    for one in accuracies:\n        if one > best:\n            best = one\n"
            "        else:\n            wait += 1\n    return wait >= patience",
            "a new best starts the count again",
        ),
        (
            "best, wait = -1, 0\n    for one in accuracies:\n        if one > best:\n            best, wait = one, 0\n"
            "        else:\n            wait += 1\n        if wait >= patience:\n            return True\n"
            "    return False",
            "what counts is the last epochs",
        ),
        (
            "if len(accuracies) <= patience:\n        return False\n"
            "    return max(accuracies[-patience:]) <= accuracies[-patience - 1]",
            "it gives False",
        ),
        ("return len(accuracies) - 1 - accuracies.index(max(accuracies)) == patience", "it gives False"),
        ("return accuracies[-1] < max(accuracies)", "it gives"),
        ("best = accuracies.index(max(accuracies))\n    return len(accuracies) - 1 - best", "True or False"),
        ("return len(accuracies) - 1 - accuracies.index(max(accuracies)) > patience", "one epoch too long"),
        ("return len(accuracies) - accuracies.index(max(accuracies)) >= patience", "one epoch too early"),
        ("return len(accuracies) - 1 - accuracies.index(max(accuracies)) < patience", "are exchanged"),
        ("return accuracies[::-1].index(max(accuracies)) >= patience", "only as good as the best"),
        (
            "return len(accuracies) > patience and all(accuracies[-1 - k] < accuracies[-2 - k] "
            "for k in range(patience))",
            "epochs in a row that fall",
        ),
    ],
    "convolve": [
        (
            CONVOLVE.format(size=3, value="window * kernel").replace(
                "range(height - 2)", "range(height - 3)"
            ),
            "too early",
        ),
        (
            "return torch.nn.functional.conv2d(image[None, None], kernel[None, None], padding=1)[0, 0]",
            "6 by 5",
        ),
        (CONVOLVE.format(size=3, value="window * kernel").replace(".sum()", ""), "raised"),
        (CONVOLVE.format(size=3, value="window.sum() * kernel"), "multiply first"),
        (CONVOLVE.format(size=3, value="window * kernel.T"), "on its side"),
        (CONVOLVE.format(size=3, value="window * kernel.flip(0, 1)"), "turned by half"),
        (CONVOLVE.format(size=3, value="window * kernel / 9"), "mean of nine"),
        (CONVOLVE.format(size=3, value="window"), "the kernel is not in it"),
        (CONVOLVE.format(size=2, value="window * kernel"), "RuntimeError: the size of tensor a"),
        (
            CONVOLVE.format(size=3, value="window * kernel").replace("row : row + 3", "0 : 3"),
            "not the numbers",
        ),
        (CONVOLVE.format(size=3, value="image[:3, :3] * kernel"), "stands still"),
        ("height, width = image.shape\n    return torch.zeros(height - 2, width - 2)", "nothing is written"),
        ("height, width = image.shape\n    return torch.zeros(height // 2, width // 2)", "3 by 2"),
    ],
    "batch_norm": [
        (
            BATCH_NORM.format(dim="(0, 2, 3)", how="scale + shift").replace(" + 1e-5", ""),
            "1e-5 under the root",
        ),
        (
            "return (values - values.mean()) / (values.var(correction=0) + 1e-5).sqrt() * scale + shift",
            "of all",
        ),
        (BATCH_NORM.format(dim="0", how="scale + shift"), "of each pixel"),
        (BATCH_NORM.format(dim="(1, 2, 3)", how="scale + shift"), "of each image"),
        (BATCH_NORM.format(dim="(2, 3)", how="scale + shift"), "of each map alone"),
        (BATCH_NORM.format(dim="(0, 2, 3)", how="scale"), "the shift is missing"),
        (BATCH_NORM.format(dim="(0, 2, 3)", how="1 + shift"), "the scale is missing"),
        (BATCH_NORM.format(dim="(0, 2, 3)", how="1"), "scale and shift are not used"),
        (BATCH_NORM.format(dim="(0, 2, 3)", how="shift + scale"), "changed places"),
        (
            BATCH_NORM.format(dim="(0, 2, 3)", how="scale + shift").replace(", correction=0", ""),
            "correction=0",
        ),
        (BATCH_NORM.format(dim="(0, 2, 3)", how="scale + shift").replace(".sqrt()", ""), "square root"),
        (BATCH_NORM.format(dim="(0, 2, 3)", how="scale + shift").replace(", keepdim=True", ""), "raised"),
    ],
    "mirror_some": [
        ("images[coins] = images[coins].flip(-1)\n    return images", "an argument has changed"),
        ("return images.flip(-1)", "every image"),
        ("return images[coins].flip(-1)", "it has (3, 1, 4, 5)"),
        ("images = images.clone()\n    images[coins] = images[coins].flip(2)\n    return images", "heads"),
        ("images = images.clone()\n    images[coins].flip(-1)\n    return images", "no image is mirrored"),
        ("images = images.clone()\n    images[~coins] = images[~coins].flip(-1)\n    return images", "False"),
        ("return torch.where(coins[:, None, None, None], images.flip(0), images)", "changed places"),
        ("return torch.where(coins, images.flip(-1), images)", "raised"),
    ],
    "two_views": [
        ("return model(images) + model(images.flip(-1))", "added up"),
        ("return model((images + images.flip(-1)) / 2)", "of a mean of two images"),
        ("return model(images.flip(-1))", "mirror images alone"),
        ("return model(images)", "of the images alone"),
        ("return (model(images) + model(images.flip(2))) / 2", "on its head"),
        ("return (model(images) + model(images.flip(0))) / 2", "another order"),
        ("return (model(images).softmax(1) + model(images.flip(-1)).softmax(1)) / 2", "probabilities"),
        ("return ((model(images) + model(images.flip(-1))) / 2).argmax(dim=1)", "it has (5,)"),
        ("return torch.stack([model(images), model(images.flip(-1))])", "it has (2, 5, 3)"),
    ],
    "prepare": [
        ("return 1 - ((picture[0] + picture[1] + picture[2]) / 3)[None] / 255", "a byte ends at 255"),
        ("return 255 - picture.float().mean(dim=0, keepdim=True) / 255", "only a part of the line"),
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
