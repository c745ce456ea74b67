"""What a reader wrote with school mathematics, whose English is a second language, in the order of writing."""


# right
def num_pixels(width, height):
    return width * height


# right
def share_right(guesses, labels):
    right = 0
    for i in range(len(labels)):
        if guesses[i] == labels[i]:
            right = right + 1
    return right / len(labels)


# right
def count_of_class(labels, label):
    return (labels == label).sum().item()


# right
def mean_image(images):
    return images.float().mean(dim=0)


# right
def to_floats(pixels):
    return pixels[None].float() / 255


# right
def num_iterations(num_samples, batch_size):
    number = num_samples // batch_size
    if num_samples % batch_size > 0:
        number = number + 1
    return number


# right
def linear(inputs, weight, bias):
    return inputs @ weight.T + bias


# right
def relu(numbers):
    result = numbers.clone()
    result[result < 0] = 0
    return result


# right
def num_parameters(sizes):
    total = 0
    for a, b in zip(sizes, sizes[1:]):
        total = total + a * b + b
    return total


# wrong
def softmax(logits):
    # first attempt: the lesson gives only "e, the number 2.718…" and no function for powers
    powers = 2.718**logits
    return powers / powers.sum(dim=1, keepdim=True)


# right
def softmax(logits):
    # second attempt
    powers = torch.e**logits
    return powers / powers.sum(dim=1, keepdim=True)


# right
def likelihood_loss(probabilities, labels):
    rows = torch.arange(len(labels))
    p = probabilities[rows, labels]
    return -p.log().mean()


# right
def logit_slopes(logits, label):
    slopes = logits.softmax(dim=0)
    slopes[label] -= 1
    return slopes


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
    # first attempt: for each sample input a times slope b, summed over samples
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


# right
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for parameter in parameters:
            parameter -= learning_rate * parameter.grad


# right
def momentum_step(parameter, velocity, gradient, learning_rate):
    velocity = 0.9 * velocity + gradient
    parameter = parameter - learning_rate * velocity
    return parameter, velocity
