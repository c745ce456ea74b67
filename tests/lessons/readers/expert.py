"""What a reader wrote who knows PyTorch: unusual right answers, and wrong ones that look right."""


# right: first
def num_pixels(width, height):
    return width * height


# right: np.prod
def num_pixels(width, height):
    return np.prod([width, height])


# right: tensor out
def num_pixels(width, height):
    return torch.zeros(height, width).numel()


# right: sum loop
def num_pixels(width, height):
    return sum(width for _ in range(height))


# wrong: square
def num_pixels(width, height):
    return width**2


# wrong: const
def num_pixels(width, height):
    return 784


# wrong: str
def num_pixels(width, height):
    return f"{width * height}"


# wrong: print
def num_pixels(width, height):
    print(width * height)


# right: first
def share_right(guesses, labels):
    return sum(g == l for g, l in zip(guesses, labels)) / len(labels)


# right: mean of list comp, np
def share_right(guesses, labels):
    return np.mean([g == l for g, l in zip(guesses, labels)])


# right: np arrays
def share_right(guesses, labels):
    return (np.array(guesses) == np.array(labels)).mean()


# right: torch tensors
def share_right(guesses, labels):
    return (torch.tensor(guesses) == torch.tensor(labels)).float().mean().item()


# wrong: 0-dim tensor out
def share_right(guesses, labels):
    return (torch.tensor(guesses) == torch.tensor(labels)).float().mean()


# right: statistics.mean
def share_right(guesses, labels):
    import statistics

    return statistics.mean(float(g == l) for g, l in zip(guesses, labels))


# right: index loop, len(guesses)
def share_right(guesses, labels):
    n = 0
    for i in range(len(guesses)):
        n += guesses[i] == labels[i]
    return n / len(guesses)


# right: Fraction
def share_right(guesses, labels):
    from fractions import Fraction

    return float(Fraction(sum(map(int.__eq__, guesses, labels)), len(labels)))


# wrong: count not share
def share_right(guesses, labels):
    return sum(g == l for g, l in zip(guesses, labels))


# wrong: percent
def share_right(guesses, labels):
    return 100 * sum(g == l for g, l in zip(guesses, labels)) / len(labels)


# wrong: integer div
def share_right(guesses, labels):
    return sum(g == l for g, l in zip(guesses, labels)) // len(labels)


# wrong: set overlap
def share_right(guesses, labels):
    return sum(g in labels for g in guesses) / len(labels)


# wrong: round 1 digit
def share_right(guesses, labels):
    return round(sum(g == l for g, l in zip(guesses, labels)) / len(labels), 1)


# wrong: round 2 digits
def share_right(guesses, labels):
    return round(sum(g == l for g, l in zip(guesses, labels)) / len(labels), 2)


# wrong: return in loop
def share_right(guesses, labels):
    r = 0
    for g, l in zip(guesses, labels):
        if g == l:
            r += 1
        return r / len(labels)


# wrong: error share
def share_right(guesses, labels):
    return sum(g != l for g, l in zip(guesses, labels)) / len(labels)


# wrong: divide by 10
def share_right(guesses, labels):
    return sum(g == l for g, l in zip(guesses, labels)) / 10


# wrong: divide by 4
def share_right(guesses, labels):
    return sum(g == l for g, l in zip(guesses, labels)) / 4


# wrong: `is`
def share_right(guesses, labels):
    return sum(g is l for g, l in zip(guesses, labels)) / len(labels)


# right: first
def count_of_class(labels, label):
    return (labels == label).sum().item()


# right: int()
def count_of_class(labels, label):
    return int((labels == label).sum())


# right: tolist count
def count_of_class(labels, label):
    return labels.tolist().count(label)


# right: count_nonzero
def count_of_class(labels, label):
    return torch.count_nonzero(labels == label).item()


# right: bincount minlength
def count_of_class(labels, label):
    return torch.bincount(labels, minlength=10)[label].item()


# right: mask len
def count_of_class(labels, label):
    return len(labels[labels == label])


# right: numpy int64
def count_of_class(labels, label):
    return (labels.numpy() == label).sum()


# right: float .float().sum().item()
def count_of_class(labels, label):
    return (labels == label).float().sum().item()


# right: eq + where
def count_of_class(labels, label):
    return torch.where(labels == label, 1, 0).sum().item()


# right: gen expr
def count_of_class(labels, label):
    return sum(1 for x in labels if x == label)


# right: nonzero shape
def count_of_class(labels, label):
    return labels.eq(label).nonzero().shape[0]


# wrong: 0-dim tensor (doc says Python number)
def count_of_class(labels, label):
    return (labels == label).sum()


# wrong: tensor sum in python loop
def count_of_class(labels, label):
    return sum(labels == label)


# wrong: mean
def count_of_class(labels, label):
    return (labels == label).float().mean().item()


# wrong: sum of masked labels
def count_of_class(labels, label):
    return labels[labels == label].sum().item()


# wrong: numel of mask
def count_of_class(labels, label):
    return (labels == label).numel()


# wrong: >=
def count_of_class(labels, label):
    return (labels >= label).sum().item()


# wrong: sum // label
def count_of_class(labels, label):
    return labels[labels == label].sum().item() // label


# wrong: any
def count_of_class(labels, label):
    return (labels == label).any().item()


# wrong: changes its input
def count_of_class(labels, label):
    labels[labels != label] = -1
    return (labels == label).sum().item()


# wrong: bincount no minlength, fails if label absent
def count_of_class(labels, label):
    return torch.bincount(labels)[label].item()


# wrong: 6000 always
def count_of_class(labels, label):
    return 6000


# right: first
def mean_image(images):
    return images.float().mean(dim=0)


# right: mean(dtype)
def mean_image(images):
    return images.mean(dim=0, dtype=torch.float32)


# right: sum/len float
def mean_image(images):
    return images.float().sum(0) / len(images)


# right: int sum / len
def mean_image(images):
    return images.sum(dim=0) / images.shape[0]


# right: double
def mean_image(images):
    return images.double().mean(0)


# right: einsum
def mean_image(images):
    return torch.einsum("nhw->hw", images.float()) / images.size(0)


# right: loop
def mean_image(images):
    t = torch.zeros(images.shape[1:])
    for i in images:
        t += i
    return t / len(images)


# right: numpy from_numpy f64
def mean_image(images):
    return torch.from_numpy(images.numpy().mean(axis=0))


# wrong: numpy array out
def mean_image(images):
    return images.numpy().mean(axis=0)


# right: flatten/reshape
def mean_image(images):
    return images.flatten(1).float().mean(0).reshape(images.shape[1:])


# wrong: half
def mean_image(images):
    return images.half().mean(0)


# right: axis=0
def mean_image(images):
    return torch.mean(images.to(torch.float32), axis=0)


# wrong: keepdim
def mean_image(images):
    return images.float().mean(dim=0, keepdim=True)


# wrong: all
def mean_image(images):
    return images.float().mean()


# wrong: dim 1
def mean_image(images):
    return images.float().mean(dim=1)


# wrong: /255
def mean_image(images):
    return images.float().mean(dim=0) / 255


# wrong: byte back
def mean_image(images):
    return images.float().mean(dim=0).byte()


# wrong: byte overflow sum
def mean_image(images):
    t = torch.zeros_like(images[0])
    for i in images:
        t += i
    return t.float() / len(images)


# wrong: no float
def mean_image(images):
    return images.mean(dim=0)


# wrong: dims 1,2
def mean_image(images):
    return images.float().mean(dim=(1, 2))


# wrong: median
def mean_image(images):
    return images.float().median(dim=0).values


# wrong: sum / 10
def mean_image(images):
    return images.float().sum(0) / 10


# right: first
def to_floats(pixels):
    return pixels[None].float() / 255


# right: div no float (true division of uint8 gives float32)
def to_floats(pixels):
    return pixels.unsqueeze(0) / 255


# right: reshape
def to_floats(pixels):
    return pixels.reshape(1, 28, 28) / 255.0


# right: view -1
def to_floats(pixels):
    return pixels.view(1, *pixels.shape).to(torch.float32).div(255)


# right: stack
def to_floats(pixels):
    return torch.stack([pixels.float() / 255])


# right: mul 1/255
def to_floats(pixels):
    return pixels.float()[None, :, :] * (1 / 255)


# right: div_ in place on the copy
def to_floats(pixels):
    return pixels.float().div_(255)[None]


# right: torchvision functional
def to_floats(pixels):
    import torchvision.transforms.v2.functional as TF

    return TF.to_dtype(pixels[None], torch.float32, scale=True)


# wrong: 256
def to_floats(pixels):
    return pixels[None].float() / 256


# wrong: no axis
def to_floats(pixels):
    return pixels.float() / 255


# wrong: axis last
def to_floats(pixels):
    return pixels[..., None].float() / 255


# wrong: two axes
def to_floats(pixels):
    return pixels[None, None].float() / 255


# wrong: // 255
def to_floats(pixels):
    return (pixels[None] // 255).float()


# wrong: pixels / pixels.max()
def to_floats(pixels):
    return pixels[None].float() / pixels.max()


# wrong: no division
def to_floats(pixels):
    return pixels[None].float()


# wrong: float16
def to_floats(pixels):
    return pixels[None].half() / 255


# wrong: transposed
def to_floats(pixels):
    return pixels.T[None].float() / 255


# wrong: swap: /255 rounding 2 dec
def to_floats(pixels):
    return (pixels[None].float() / 255).round(decimals=2)


# right: first
def num_iterations(num_samples, batch_size):
    return -(-num_samples // batch_size)


# right: ceil
def num_iterations(num_samples, batch_size):
    return math.ceil(num_samples / batch_size)


# right: len range
def num_iterations(num_samples, batch_size):
    return len(range(0, num_samples, batch_size))


# right: divmod
def num_iterations(num_samples, batch_size):
    q, r = divmod(num_samples, batch_size)
    return q + bool(r)


# right: np.ceil -> float64 938.0
def num_iterations(num_samples, batch_size):
    return np.ceil(num_samples / batch_size)


# right: int(np.ceil)
def num_iterations(num_samples, batch_size):
    return int(np.ceil(num_samples / batch_size))


# right: torch ceil int
def num_iterations(num_samples, batch_size):
    return int(torch.tensor(num_samples / batch_size, dtype=torch.float64).ceil())


# right: len DataLoader
def num_iterations(num_samples, batch_size):
    from torch.utils.data import DataLoader

    return len(DataLoader(range(num_samples), batch_size=batch_size))


# right: len split
def num_iterations(num_samples, batch_size):
    return len(torch.arange(num_samples).split(batch_size))


# wrong: floor
def num_iterations(num_samples, batch_size):
    return num_samples // batch_size


# wrong: floor+1
def num_iterations(num_samples, batch_size):
    return num_samples // batch_size + 1


# wrong: round
def num_iterations(num_samples, batch_size):
    return round(num_samples / batch_size)


# wrong: fraction
def num_iterations(num_samples, batch_size):
    return num_samples / batch_size


# wrong: +bs//bs
def num_iterations(num_samples, batch_size):
    return (num_samples + batch_size) // batch_size


# wrong: round(x+.5)
def num_iterations(num_samples, batch_size):
    return round(num_samples / batch_size + 0.5)


# wrong: 64 fixed
def num_iterations(num_samples, batch_size):
    return math.ceil(num_samples / 64)


# right: first
def linear(inputs, weight, bias):
    return inputs @ weight.T + bias


# right: F.linear
def linear(inputs, weight, bias):
    return F.linear(inputs, weight, bias)


# right: einsum
def linear(inputs, weight, bias):
    return torch.einsum("na,ba->nb", inputs, weight) + bias


# right: addmm
def linear(inputs, weight, bias):
    return torch.addmm(bias, inputs, weight.t())


# right: broadcast sum
def linear(inputs, weight, bias):
    return (inputs[:, None] * weight[None]).sum(-1) + bias[None, :]


# right: (W @ x.T).T
def linear(inputs, weight, bias):
    return (weight @ inputs.T + bias[:, None]).T


# right: list comp stack
def linear(inputs, weight, bias):
    return torch.stack([weight @ row + bias for row in inputs])


# right: loops
def linear(inputs, weight, bias):
    out = torch.zeros(len(inputs), len(weight))
    for n in range(len(inputs)):
        for b in range(len(weight)):
            out[n, b] = (inputs[n] * weight[b]).sum() + bias[b]
    return out


# right: nn.Linear with params set
def linear(inputs, weight, bias):
    l = nn.Linear(weight.shape[1], weight.shape[0])
    l.weight.data = weight
    l.bias.data = bias
    return l(inputs)


# right: double
def linear(inputs, weight, bias):
    return inputs.double() @ weight.double().T + bias.double()


# right: numpy
def linear(inputs, weight, bias):
    return torch.from_numpy(inputs.numpy() @ weight.numpy().T + bias.numpy())


# right: tensordot / mT / matmul
def linear(inputs, weight, bias):
    return torch.matmul(inputs, weight.mT).add(bias)


# right: in place add on result
def linear(inputs, weight, bias):
    out = inputs @ weight.transpose(0, 1)
    out += bias
    return out


# wrong: no bias
def linear(inputs, weight, bias):
    return inputs @ weight.T


# wrong: no T
def linear(inputs, weight, bias):
    return inputs @ weight + bias


# wrong: minus bias
def linear(inputs, weight, bias):
    return inputs @ weight.T - bias


# wrong: bias[:,None]
def linear(inputs, weight, bias):
    return inputs @ weight.T + bias[:, None]


# wrong: reshape instead of T
def linear(inputs, weight, bias):
    return inputs @ weight.reshape(weight.shape[1], weight.shape[0]) + bias


# wrong: W @ x.T
def linear(inputs, weight, bias):
    return weight @ inputs.T + bias[:, None]


# wrong: bias.sum / bias[0]
def linear(inputs, weight, bias):
    return inputs @ weight.T + bias[0]


# wrong: batch of 64 hard wired
def linear(inputs, weight, bias):
    return (inputs @ weight.T + bias).reshape(64, 10)


# wrong: changes weight in place
def linear(inputs, weight, bias):
    out = inputs @ weight.T
    bias += out[0] * 0
    weight *= 1.0
    weight += 1
    return out + bias


# wrong: inputs.T
def linear(inputs, weight, bias):
    return inputs.T @ weight + bias


# right: first
def relu(numbers):
    return numbers.clamp(min=0)


# right: where
def relu(numbers):
    return torch.where(numbers > 0, numbers, 0)


# right: where 0.0
def relu(numbers):
    return torch.where(numbers < 0, torch.zeros_like(numbers), numbers)


# right: mask mult
def relu(numbers):
    return numbers * (numbers > 0)


# right: clone + mask assign
def relu(numbers):
    out = numbers.clone()
    out[out < 0] = 0
    return out


# right: maximum
def relu(numbers):
    return torch.maximum(numbers, torch.tensor(0.0))


# right: maximum zeros_like
def relu(numbers):
    return torch.maximum(numbers, torch.zeros_like(numbers))


# right: F.relu
def relu(numbers):
    return F.relu(numbers)


# right: abs
def relu(numbers):
    return (numbers + numbers.abs()) / 2


# right: list comp 1-D only?
def relu(numbers):
    return torch.tensor([max(x, 0.0) for x in numbers.flatten().tolist()]).reshape(numbers.shape)


# right: numpy
def relu(numbers):
    return torch.from_numpy(np.maximum(numbers.numpy(), 0))


# right: masked_fill
def relu(numbers):
    return numbers.masked_fill(numbers < 0, 0)


# right: nn.ReLU()
def relu(numbers):
    return nn.ReLU()(numbers)


# right: clip
def relu(numbers):
    return torch.clip(numbers, 0)


# wrong: in place
def relu(numbers):
    numbers[numbers < 0] = 0
    return numbers


# wrong: clamp_
def relu(numbers):
    return numbers.clamp_(min=0)


# wrong: alias copy
def relu(numbers):
    out = numbers
    out[out < 0] = 0
    return out


# wrong: view copy [:]
def relu(numbers):
    out = numbers[:]
    out[out < 0] = 0
    return out


# wrong: abs
def relu(numbers):
    return numbers.abs()


# wrong: drops negatives
def relu(numbers):
    return numbers[numbers > 0]


# wrong: mask
def relu(numbers):
    return (numbers > 0).float()


# wrong: max() scalar
def relu(numbers):
    return max(numbers, 0)


# wrong: cut at 1 (relu6-like)
def relu(numbers):
    return numbers.clamp(0, 1)


# wrong: relu6
def relu(numbers):
    return F.relu6(numbers)


# wrong: leaky
def relu(numbers):
    return F.leaky_relu(numbers)


# wrong: softplus steep
def relu(numbers):
    return F.gelu(numbers)


# wrong: ints out
def relu(numbers):
    return numbers.clamp(min=0).int()


# wrong: numpy array out
def relu(numbers):
    return np.maximum(numbers.numpy(), 0)


# right: first
def num_parameters(sizes):
    return sum(a * b + b for a, b in zip(sizes, sizes[1:]))


# right: index loop
def num_parameters(sizes):
    t = 0
    for i in range(len(sizes) - 1):
        t += (sizes[i] + 1) * sizes[i + 1]
    return t


# right: pairwise
def num_parameters(sizes):
    from itertools import pairwise

    return sum((a + 1) * b for a, b in pairwise(sizes))


# right: build it
def num_parameters(sizes):
    return sum(
        p.numel() for p in nn.Sequential(*[nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]).parameters()
    )


# right: torch tensors .item()
def num_parameters(sizes):
    s = torch.tensor(sizes)
    return (s[:-1] * s[1:] + s[1:]).sum().item()


# wrong: tensor out
def num_parameters(sizes):
    s = torch.tensor(sizes)
    return ((s[:-1] + 1) * s[1:]).sum()


# right: numpy out
def num_parameters(sizes):
    s = np.array(sizes)
    return ((s[:-1] + 1) * s[1:]).sum()


# right: dot
def num_parameters(sizes):
    return sum(map(lambda a, b: a * b, sizes, sizes[1:])) + sum(sizes[1:])


# right: pops own copy
def num_parameters(sizes):
    s = list(sizes)
    t = 0
    while len(s) > 1:
        a = s.pop(0)
        t += a * s[0] + s[0]
    return t


# wrong: no biases
def num_parameters(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:]))


# wrong: biases of inputs
def num_parameters(sizes):
    return sum(a * b + a for a, b in zip(sizes, sizes[1:]))


# wrong: biases incl first size
def num_parameters(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:])) + sum(sizes)


# wrong: hard-wired 4 sizes
def num_parameters(sizes):
    a, b, c, d = sizes
    return a * b + b + b * c + c + c * d + d


# wrong: one bias per layer
def num_parameters(sizes):
    return sum(a * b + 1 for a, b in zip(sizes, sizes[1:]))


# wrong: no hidden bias last
def num_parameters(sizes):
    return sum(a * b + b for a, b in zip(sizes, sizes[1:])) - sizes[-1]


# wrong: skip last pair
def num_parameters(sizes):
    return sum(sizes[i] * sizes[i + 1] + sizes[i + 1] for i in range(len(sizes) - 2))


# right: first
def softmax(logits):
    e = logits.exp()
    return e / e.sum(dim=1, keepdim=True)


# right: safe
def softmax(logits):
    e = (logits - logits.max(dim=1, keepdim=True).values).exp()
    return e / e.sum(1, keepdim=True)


# right: amax
def softmax(logits):
    e = (logits - logits.amax(1, keepdim=True)).exp()
    return e / e.sum(1)[:, None]


# right: log_softmax.exp
def softmax(logits):
    return logits.log_softmax(dim=-1).exp()


# right: F.softmax
def softmax(logits):
    return F.softmax(logits, dim=1)


# right: logsumexp
def softmax(logits):
    return (logits - logits.logsumexp(1, keepdim=True)).exp()


# right: math.e **
def softmax(logits):
    e = math.e**logits
    return e / e.sum(dim=1, keepdim=True)


# right: 2.718281828 **
def softmax(logits):
    e = 2.718281828**logits
    return e / e.sum(dim=1, keepdim=True)


# right: einsum
def softmax(logits):
    e = logits.exp()
    return torch.einsum("nc,n->nc", e, 1 / e.sum(1))


# right: .T trick
def softmax(logits):
    e = logits.exp()
    return (e.T / e.sum(dim=1)).T


# right: list comp stack
def softmax(logits):
    return torch.stack([r.exp() / r.exp().sum() for r in logits])


# right: double
def softmax(logits):
    e = logits.double().exp()
    return e / e.sum(1, keepdim=True)


# right: numpy
def softmax(logits):
    e = np.exp(logits.numpy())
    return torch.from_numpy(e / e.sum(axis=1, keepdims=True))


# right: subtract the global max (safe enough)
def softmax(logits):
    e = (logits - logits.max()).exp()
    return e / e.sum(1, keepdim=True)


# wrong: dim 0
def softmax(logits):
    e = logits.exp()
    return e / e.sum(dim=0, keepdim=True)


# wrong: no keepdim
def softmax(logits):
    e = logits.exp()
    return e / e.sum(dim=1)


# wrong: sum of all
def softmax(logits):
    e = logits.exp()
    return e / e.sum()


# wrong: 2.718 **
def softmax(logits):
    e = 2.718**logits
    return e / e.sum(dim=1, keepdim=True)


# wrong: 2.7 **
def softmax(logits):
    e = 2.7**logits
    return e / e.sum(dim=1, keepdim=True)


# wrong: no exp
def softmax(logits):
    return logits / logits.sum(dim=1, keepdim=True)


# wrong: sigmoid
def softmax(logits):
    return logits.sigmoid()


# wrong: log_softmax
def softmax(logits):
    return logits.log_softmax(1)


# wrong: exp_ in place
def softmax(logits):
    e = logits.exp_()
    return e / e.sum(dim=1, keepdim=True)


# wrong: squares
def softmax(logits):
    return logits**2 / (logits**2).sum(1, keepdim=True)


# wrong: 1-D only
def softmax(logits):
    e = logits[0].exp()
    return e / e.sum()


# wrong: softmax dim=0 builtin
def softmax(logits):
    return logits.softmax(0)


# right: first
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].log().mean()


# right: gather
def likelihood_loss(probabilities, labels):
    return -probabilities.gather(1, labels[:, None]).log().mean()


# right: F.nll_loss
def likelihood_loss(probabilities, labels):
    return F.nll_loss(probabilities.log(), labels)


# right: one-hot mask
def likelihood_loss(probabilities, labels):
    return -(probabilities.log() * F.one_hot(labels, probabilities.shape[1])).sum(1).mean()


# right: bool mask
def likelihood_loss(probabilities, labels):
    m = torch.arange(probabilities.shape[1])[None] == labels[:, None]
    return -probabilities[m].log().mean()


# right: list comp python float -> tensor
def likelihood_loss(probabilities, labels):
    return torch.stack([-p[l].log() for p, l in zip(probabilities, labels)]).mean()


# wrong: python float
def likelihood_loss(probabilities, labels):
    return -sum(math.log(p[l]) for p, l in zip(probabilities.tolist(), labels.tolist())) / len(labels)


# wrong: item
def likelihood_loss(probabilities, labels):
    return -probabilities[range(len(labels)), labels].log().mean().item()


# right: cross_entropy of log
def likelihood_loss(probabilities, labels):
    return F.cross_entropy(probabilities.log(), labels)


# right: take_along_dim, 1/p
def likelihood_loss(probabilities, labels):
    return (1 / probabilities.take_along_dim(labels[:, None], 1)).log().mean()


# wrong: numpy out
def likelihood_loss(probabilities, labels):
    return -np.log(probabilities.numpy()[np.arange(len(labels)), labels.numpy()]).mean()


# right: diag of index
def likelihood_loss(probabilities, labels):
    return -probabilities[:, labels].diag().log().mean()


# right: double
def likelihood_loss(probabilities, labels):
    return -probabilities.double()[torch.arange(len(labels)), labels].log().mean()


# wrong: no minus
def likelihood_loss(probabilities, labels):
    return probabilities[torch.arange(len(labels)), labels].log().mean()


# wrong: sum
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].log().sum()


# wrong: log of mean
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].mean().log()


# wrong: :,labels
def likelihood_loss(probabilities, labels):
    return -probabilities[:, labels].log().mean()


# wrong: log2
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].log2().mean()


# wrong: log10
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].log10().mean()


# wrong: no mean
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].log()


# wrong: max instead of true
def likelihood_loss(probabilities, labels):
    return -probabilities.max(1).values.log().mean()


# wrong: softmax again
def likelihood_loss(probabilities, labels):
    return F.cross_entropy(probabilities, labels)


# wrong: swapped indices
def likelihood_loss(probabilities, labels):
    return -probabilities[labels, torch.arange(len(labels))].log().mean()


# wrong: nll without log
def likelihood_loss(probabilities, labels):
    return F.nll_loss(probabilities, labels)


# wrong: arange(64) hard wired
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(64), labels].log().mean()


# wrong: log_ in place on input
def likelihood_loss(probabilities, labels):
    return -probabilities.log_()[torch.arange(len(labels)), labels].mean()


# wrong: divide by C
def likelihood_loss(probabilities, labels):
    return -probabilities[torch.arange(len(labels)), labels].log().sum() / probabilities.shape[1]


# wrong: 1 - p
def likelihood_loss(probabilities, labels):
    return (1 - probabilities[torch.arange(len(labels)), labels]).mean()


# right: first
def logit_slopes(logits, label):
    slopes = logits.softmax(dim=0)
    slopes[label] -= 1
    return slopes


# right: one-hot
def logit_slopes(logits, label):
    return logits.softmax(-1) - F.one_hot(torch.as_tensor(label), len(logits))


# right: where/arange
def logit_slopes(logits, label):
    return logits.softmax(0) - (torch.arange(len(logits)) == label).to(logits.dtype)


# right: autograd
def logit_slopes(logits, label):
    z = logits.detach().clone().requires_grad_(True)
    F.cross_entropy(z[None], torch.as_tensor(label).reshape(1)).backward()
    return z.grad


# right: exp / sum
def logit_slopes(logits, label):
    s = logits.exp() / logits.exp().sum()
    s[label] = s[label] - 1
    return s


# right: eye
def logit_slopes(logits, label):
    return logits.softmax(0) - torch.eye(len(logits))[label]


# right: batch [0] with own softmax
def logit_slopes(logits, label):
    p = logits[None].softmax(1)
    p[0, label] -= 1
    return p[0]


# right: list out -> tensor
def logit_slopes(logits, label):
    return torch.tensor([p - (i == label) for i, p in enumerate(logits.softmax(0).tolist())])


# right: finite diff f64
def logit_slopes(logits, label):
    z = logits.double()
    out = torch.empty_like(z)
    t = torch.as_tensor(label).reshape(1)
    for i in range(len(z)):
        d = torch.zeros_like(z)
        d[i] = 1e-4
        out[i] = (F.cross_entropy((z + d)[None], t) - F.cross_entropy((z - d)[None], t)) / 2e-4
    return out


# right: log_softmax exp
def logit_slopes(logits, label):
    s = logits.log_softmax(0).exp()
    s[label].sub_(1)
    return s


# wrong: sign flipped
def logit_slopes(logits, label):
    s = -logits.softmax(0)
    s[label] += 1
    return s


# wrong: logits - 1
def logit_slopes(logits, label):
    s = logits.clone()
    s[label] -= 1
    return s


# wrong: changes its input
def logit_slopes(logits, label):
    logits[:] = logits.softmax(0)
    logits[label] -= 1
    return logits


# wrong: no -1
def logit_slopes(logits, label):
    return logits.softmax(0)


# wrong: all -1
def logit_slopes(logits, label):
    return logits.softmax(0) - 1


# wrong: set -1
def logit_slopes(logits, label):
    s = logits.softmax(0)
    s[label] = -1
    return s


# wrong: / C
def logit_slopes(logits, label):
    s = logits.softmax(0)
    s[label] -= 1
    return s / len(logits)


# wrong: only true
def logit_slopes(logits, label):
    return logits.softmax(0)[label] - 1


# wrong: 1-p for true, p else
def logit_slopes(logits, label):
    s = logits.softmax(0)
    s[label] = 1 - s[label]
    return s


# wrong: rounded 2
def logit_slopes(logits, label):
    s = logits.softmax(0)
    s[label] -= 1
    return s.round(decimals=2)


# wrong: softmax dim=1
def logit_slopes(logits, label):
    s = logits.softmax(1)
    s[label] -= 1
    return s


# right: first
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    y = w2 * h
    sy = 2 * (y - t)
    sw2 = sy * h
    sh = sy * w2
    sw1 = sh * x if w1 * x > 0 else 0
    return sw1, sw2


# right: autograd
def slopes(x, t, w1, w2):
    a = torch.tensor(float(w1), requires_grad=True)
    b = torch.tensor(float(w2), requires_grad=True)
    ((b * torch.relu(a * x) - t) ** 2).backward()
    return a.grad.item(), b.grad.item()


# right: autograd tensors out
def slopes(x, t, w1, w2):
    a = torch.tensor(float(w1), requires_grad=True)
    b = torch.tensor(float(w2), requires_grad=True)
    ((b * torch.relu(a * x) - t) ** 2).backward()
    return a.grad, b.grad


# right: list out, (h>0)*
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0.0)
    s = 2 * (w2 * h - t)
    return [s * w2 * x * (h > 0), s * h]


# right: float64 tensors, torch.autograd.grad
def slopes(x, t, w1, w2):
    a, b = (torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for v in (w1, w2))
    return torch.autograd.grad((b * (a * x).clamp(min=0) - t) ** 2, (a, b))


# right: finite differences 1e-6
def slopes(x, t, w1, w2):
    L = lambda a, b: (b * max(a * x, 0) - t) ** 2
    e = 1e-6
    return (L(w1 + e, w2) - L(w1 - e, w2)) / (2 * e), (L(w1, w2 + e) - L(w1, w2 - e)) / (2 * e)


# right: np
def slopes(x, t, w1, w2):
    h = np.maximum(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return np.array([s * w2 * x * (h > 0), s * h])


# right: torch.where
def slopes(x, t, w1, w2):
    z = torch.tensor(float(w1 * x))
    h = torch.relu(z)
    s = 2 * (w2 * h - t)
    return torch.where(z > 0, s * w2 * x, 0.0), s * h


# right: stack tensor out
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return torch.tensor([s * w2 * x * (h > 0), s * h])


# wrong: no relu gate
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return s * w2 * x, s * h


# wrong: gate on w1 > 0
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return (s * w2 * x if w1 > 0 else 0), s * h


# wrong: swapped
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return s * h, s * w2 * x * (h > 0)


# wrong: no 2
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = w2 * h - t
    return s * w2 * x * (h > 0), s * h


# wrong: t - y
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (t - w2 * h)
    return s * w2 * x * (h > 0), s * h


# wrong: w1 uses w1
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return s * w1 * x * (h > 0), s * h


# wrong: no relu at all
def slopes(x, t, w1, w2):
    h = w1 * x
    s = 2 * (w2 * h - t)
    return s * w2 * x, s * h


# wrong: slope_w1 = sh * h
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return s * w2 * h, s * h


# wrong: forgets x
def slopes(x, t, w1, w2):
    h = max(w1 * x, 0)
    s = 2 * (w2 * h - t)
    return s * w2 * (h > 0), s * h


# right: first
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs.T @ inputs, slope_outputs.sum(dim=0), slope_outputs @ weight


# right: einsum
def linear_backward(inputs, weight, slope_outputs):
    return (
        torch.einsum("nb,na->ba", slope_outputs, inputs),
        torch.einsum("nb->b", slope_outputs),
        torch.einsum("nb,ba->na", slope_outputs, weight),
    )


# right: (x.T @ g).T
def linear_backward(inputs, weight, slope_outputs):
    return (inputs.T @ slope_outputs).T, slope_outputs.sum(0), (weight.T @ slope_outputs.T).T


# right: autograd vjp
def linear_backward(inputs, weight, slope_outputs):
    i, w = inputs.detach().clone().requires_grad_(), weight.detach().clone().requires_grad_()
    b = torch.zeros(weight.shape[0], dtype=weight.dtype, requires_grad=True)
    gi, gw, gb = torch.autograd.grad(F.linear(i, w, b), (i, w, b), slope_outputs)
    return gw, gb, gi


# right: loop over samples
def linear_backward(inputs, weight, slope_outputs):
    sw = sum(torch.outer(g, x) for g, x in zip(slope_outputs, inputs))
    return sw, sum(slope_outputs), torch.stack([g @ weight for g in slope_outputs])


# right: list out
def linear_backward(inputs, weight, slope_outputs):
    return [slope_outputs.T @ inputs, slope_outputs.sum(0), slope_outputs @ weight]


# right: ones @
def linear_backward(inputs, weight, slope_outputs):
    return (
        slope_outputs.T @ inputs,
        torch.ones(len(inputs), dtype=slope_outputs.dtype) @ slope_outputs,
        slope_outputs @ weight,
    )


# right: double
def linear_backward(inputs, weight, slope_outputs):
    return (
        slope_outputs.double().T @ inputs.double(),
        slope_outputs.double().sum(0),
        slope_outputs.double() @ weight.double(),
    )


# right: broadcast
def linear_backward(inputs, weight, slope_outputs):
    return (
        (slope_outputs[:, :, None] * inputs[:, None, :]).sum(0),
        slope_outputs.sum(0),
        (slope_outputs[:, :, None] * weight[None]).sum(1),
    )


# wrong: mean for bias
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs.T @ inputs, slope_outputs.mean(dim=0), slope_outputs @ weight


# wrong: all / N
def linear_backward(inputs, weight, slope_outputs):
    n = len(inputs)
    return slope_outputs.T @ inputs / n, slope_outputs.mean(dim=0), slope_outputs @ weight


# wrong: weight (A,B)
def linear_backward(inputs, weight, slope_outputs):
    return inputs.T @ slope_outputs, slope_outputs.sum(dim=0), slope_outputs @ weight


# wrong: bias dim1
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs.T @ inputs, slope_outputs.sum(dim=1), slope_outputs @ weight


# wrong: keepdim bias
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs.T @ inputs, slope_outputs.sum(dim=0, keepdim=True), slope_outputs @ weight


# wrong: weight.T
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs.T @ inputs, slope_outputs.sum(dim=0), slope_outputs @ weight.T


# wrong: order
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs @ weight, slope_outputs.T @ inputs, slope_outputs.sum(dim=0)


# wrong: reshape not T
def linear_backward(inputs, weight, slope_outputs):
    return (inputs.T @ slope_outputs).reshape(weight.shape), slope_outputs.sum(0), slope_outputs @ weight


# wrong: 2 outputs only
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs.T @ inputs, slope_outputs.sum(dim=0)


# wrong: slope_outputs**2
def linear_backward(inputs, weight, slope_outputs):
    return slope_outputs.T @ inputs, (slope_outputs**2).sum(0), slope_outputs @ weight


# right: first
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p -= learning_rate * p.grad


# right: decorator no_grad
@torch.no_grad()
def sgd_step(parameters, learning_rate):
    for p in parameters:
        p.sub_(learning_rate * p.grad)


# right: add_ alpha
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p.add_(p.grad, alpha=-learning_rate)


# right: .data -=
def sgd_step(parameters, learning_rate):
    for p in parameters:
        p.data -= learning_rate * p.grad


# right: .data = new
def sgd_step(parameters, learning_rate):
    for p in parameters:
        p.data = p.data - learning_rate * p.grad.data


# right: detach().sub_
def sgd_step(parameters, learning_rate):
    for p in parameters:
        p.detach().sub_(learning_rate * p.grad)


# right: copy_
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p.copy_(p - learning_rate * p.grad)


# right: skip None
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            if p.grad is not None:
                p[...] = p - learning_rate * p.grad


# right: inference_mode? (sub_)
def sgd_step(parameters, learning_rate):
    with torch.inference_mode():
        for p in parameters:
            p.sub_(learning_rate * p.grad)


# right: torch.optim.SGD
def sgd_step(parameters, learning_rate):
    torch.optim.SGD(parameters, lr=learning_rate).step()


# right: _foreach
def sgd_step(parameters, learning_rate):
    ps = list(parameters)
    with torch.no_grad():
        torch._foreach_add_(ps, [p.grad for p in ps], alpha=-learning_rate)


# right: set_grad_enabled / -= inside loop no_grad
def sgd_step(parameters, learning_rate):
    for p in parameters:
        with torch.no_grad():
            p -= learning_rate * p.grad


# right: p[:] with no_grad, returns list comp trick
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        [p.sub_(p.grad * learning_rate) for p in parameters]


# wrong: plus
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p += learning_rate * p.grad


# wrong: rebinds
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p = p - learning_rate * p.grad


# wrong: no no_grad
def sgd_step(parameters, learning_rate):
    for p in parameters:
        p -= learning_rate * p.grad


# wrong: no lr
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p -= p.grad


# wrong: return in loop: only first
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p -= learning_rate * p.grad
            return


# wrong: moves grad
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p.grad -= learning_rate * p


# wrong: also clears (sgd_step + zero)
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p -= learning_rate * p.grad
            p.grad = None


# wrong: scales the grad in place
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p -= p.grad.mul_(learning_rate)


# wrong: sign step
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for p in parameters:
            p -= learning_rate * p.grad.sign()


# right: returns the parameters
def sgd_step(parameters, learning_rate):
    ps = list(parameters)
    with torch.no_grad():
        for p in ps:
            p -= learning_rate * p.grad
    return ps


# wrong: grad left switched off globally
def sgd_step(parameters, learning_rate):
    torch.set_grad_enabled(False)
    for p in parameters:
        p -= learning_rate * p.grad


# wrong: requires_grad switched off
def sgd_step(parameters, learning_rate):
    for p in parameters:
        p.requires_grad = False
        p -= learning_rate * p.grad


# right: lr twice / calls len (fails for generator)
def sgd_step(parameters, learning_rate):
    with torch.no_grad():
        for i in range(len(parameters)):
            parameters[i] -= learning_rate * parameters[i].grad


# right: first
def momentum_step(parameter, velocity, gradient, learning_rate):
    velocity = 0.9 * velocity + gradient
    return parameter - learning_rate * velocity, velocity


# right: torch.add/mul, list out
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = torch.add(gradient, velocity, alpha=0.9)
    return [torch.sub(parameter, v, alpha=learning_rate), v]


# right: lerp-like /no_grad detach
def momentum_step(parameter, velocity, gradient, learning_rate):
    with torch.no_grad():
        v = velocity * 9 / 10 + gradient
        return parameter.detach() - v * learning_rate, v


# right: double
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * torch.as_tensor(velocity).double() + torch.as_tensor(gradient).double()
    return torch.as_tensor(parameter).double() - learning_rate * v, v


# wrong: numpy
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * np.asarray(velocity) + np.asarray(gradient)
    return np.asarray(parameter) - learning_rate * v, v


# wrong: old velocity used
def momentum_step(parameter, velocity, gradient, learning_rate):
    return parameter - learning_rate * velocity, 0.9 * velocity + gradient


# wrong: 0.1 g
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * velocity + 0.1 * gradient
    return parameter - learning_rate * v, v


# wrong: lr inside v (Sutskever)
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * velocity + learning_rate * gradient
    return parameter - v, v


# wrong: nesterov
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * velocity + gradient
    return parameter - learning_rate * (gradient + 0.9 * v), v


# wrong: swapped
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * velocity + gradient
    return v, parameter - learning_rate * v


# wrong: plus
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * velocity + gradient
    return parameter + learning_rate * v, v


# wrong: v - g
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * velocity - gradient
    return parameter + learning_rate * v, v


# wrong: 0.9 * (v + g)
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * (velocity + gradient)
    return parameter - learning_rate * v, v


# wrong: only param
def momentum_step(parameter, velocity, gradient, learning_rate):
    v = 0.9 * velocity + gradient
    return parameter - learning_rate * v


# wrong: plain sgd
def momentum_step(parameter, velocity, gradient, learning_rate):
    return parameter - learning_rate * gradient, velocity
