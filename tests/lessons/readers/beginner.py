"""What a reader wrote in the first year of Python, in the order of writing."""


# wrong
def num_pixels(width, height):
    width * height


# wrong
def num_pixels(width, height):
    print(width * height)


# right
def num_pixels(width, height):
    return width * height


# wrong
def share_right(guesses, labels):
    right = 0
    for i in range(len(guesses)):
        if guesses[i] == labels[i]:
            right = right + 1
    return right


# right
def share_right(guesses, labels):
    right = 0
    for i in range(len(guesses)):
        if guesses[i] == labels[i]:
            right = right + 1
    return right / len(guesses)


# wrong
def count_of_class(labels, label):
    return (labels == label).sum()


# right
def count_of_class(labels, label):
    return (labels == label).sum().item()


# wrong
def mean_image(images):
    return images.float().mean()


# wrong
def mean_image(images):
    images.float()
    return images.mean(dim=0)


# right
def mean_image(images):
    return images.float().mean(dim=0)


# wrong
def to_floats(pixels):
    return pixels[:, None].float() / 255


# wrong
def to_floats(pixels):
    return pixels.float() / 255


# right
def to_floats(pixels):
    return pixels.unsqueeze(0).float() / 255


# wrong
def num_iterations(num_samples, batch_size):
    return num_samples // batch_size + 1


# right
def num_iterations(num_samples, batch_size):
    full = num_samples // batch_size
    if num_samples % batch_size > 0:
        full = full + 1
    return full


# right
def linear(inputs, weight, bias):
    return inputs @ weight.T + bias


# wrong
def linear(inputs, weight, bias):
    return weight @ inputs.T + bias


# wrong
def relu(numbers):
    return max(0, numbers)


# wrong
def relu(numbers):
    for n in numbers:
        if n < 0:
            n = 0
    return numbers


# wrong
def relu(numbers):
    numbers[numbers < 0] = 0
    return numbers


# wrong
def relu(numbers):
    return numbers[numbers > 0]


# right
def relu(numbers):
    result = numbers.clone()
    result[result < 0] = 0
    return result


# wrong
def num_parameters(sizes):
    total = 0
    for i in range(len(sizes)):
        total = total + sizes[i] * sizes[i + 1] + sizes[i + 1]
    return total


# right
def num_parameters(sizes):
    total = 0
    for i in range(len(sizes) - 1):
        total = total + sizes[i] * sizes[i + 1] + sizes[i + 1]
    return total


# wrong
def softmax(logits):
    powers = 2.718**logits
    return powers / powers.sum(dim=1, keepdim=True)


# wrong
def softmax(logits):
    powers = math.e**logits
    return powers / powers.sum(dim=1)


# right
def softmax(logits):
    powers = math.e**logits
    return powers / powers.sum(dim=1, keepdim=True)


# wrong
def softmax(logits):
    powers = [math.exp(x) for x in logits]
    return powers / sum(powers)


# right
def likelihood_loss(probabilities, labels):
    rows = torch.arange(len(labels))
    p = probabilities[rows, labels]
    return -p.log().mean()


# wrong
def likelihood_loss(probabilities, labels):
    return -math.log(probabilities[torch.arange(len(labels)), labels].mean())


# wrong
def likelihood_loss(probabilities, labels):
    return -probabilities[:, labels].log().mean()


# wrong
def logit_slopes(logits, label):
    slopes = logits.softmax(dim=1)
    slopes[label] -= 1
    return slopes


# wrong
def logit_slopes(logits, label):
    slopes = logits
    slopes[label] -= 1
    return slopes


# right
def logit_slopes(logits, label):
    slopes = logits.softmax(dim=0)
    slopes[label] -= 1
    return slopes


# wrong
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    y = w2 * h
    slope_y = 2 * (y - t)
    slope_w2 = slope_y * h
    slope_h = slope_y * w2
    slope_w1 = slope_h * x
    return slope_w1, slope_w2


# right
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    y = w2 * h
    slope_y = 2 * (y - t)
    slope_w2 = slope_y * h
    slope_h = slope_y * w2
    if h > 0:
        slope_w1 = slope_h * x
    else:
        slope_w1 = 0
    return slope_w1, slope_w2


# wrong
def linear_backward(inputs, weight, slope_outputs):
    slope_weight = inputs.T @ slope_outputs
    slope_bias = slope_outputs.sum(dim=0)
    slope_inputs = slope_outputs @ weight
    return slope_weight, slope_bias, slope_inputs


# right
def linear_backward(inputs, weight, slope_outputs):
    slope_weight = slope_outputs.T @ inputs
    slope_bias = slope_outputs.sum(dim=0)
    slope_inputs = slope_outputs @ weight
    return slope_weight, slope_bias, slope_inputs


# wrong
def sgd_step(parameters, learning_rate):
    for parameter in parameters:
        parameter = parameter - learning_rate * parameter.grad


# wrong
def sgd_step(parameters, learning_rate):
    parameters -= learning_rate * parameters.grad


# right
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for parameter in parameters:
            parameter -= learning_rate * parameter.grad


# wrong
def momentum_step(parameter, velocity, gradient, learning_rate):
    velocity = 0.9 * velocity + gradient
    parameter = parameter - velocity
    return parameter, velocity


# wrong
def momentum_step(parameter, velocity, gradient, learning_rate):
    velocity = 0.9 * velocity + gradient
    parameter -= learning_rate * velocity
    return parameter, velocity


# right
def momentum_step(parameter, velocity, gradient, learning_rate):
    velocity = 0.9 * velocity + gradient
    parameter = parameter - learning_rate * velocity
    return parameter, velocity
