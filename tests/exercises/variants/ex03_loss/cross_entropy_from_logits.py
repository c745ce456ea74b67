# %% correct: the largest logit subtracted, the true class picked by its index
def cross_entropy_from_logits(logits, labels):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_probabilities = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_probabilities[torch.arange(len(labels)), labels].mean()


# %% correct: logsumexp and gather
def cross_entropy_from_logits(logits, labels):
    own = logits.gather(1, labels.unsqueeze(1)).squeeze(1)
    return (torch.logsumexp(logits, dim=1) - own).mean()


# %% correct: a mask instead of an index
def cross_entropy_from_logits(logits, labels):
    mask = nn.functional.one_hot(labels, logits.size(1)).to(logits.dtype)
    highest = logits.detach().amax(1, keepdim=True)
    total = torch.exp(logits - highest).sum(1, keepdim=True)
    log_p = logits - highest - torch.log(total)
    return -(mask * log_p).sum() / len(logits)


# %% correct: a loop over the samples
def cross_entropy_from_logits(logits, labels):
    losses = []
    for row, label in zip(logits, labels.tolist()):
        gaps = row - row[label]
        top = gaps.max()
        losses.append(top + (gaps - top).exp().sum().log())
    return torch.stack(losses).mean()


# %% correct: the logarithms added up one class at a time
def cross_entropy_from_logits(logits, labels):
    total = logits[:, 0]
    for column in range(1, logits.shape[1]):
        total = torch.logaddexp(total, logits[:, column])
    return torch.mean(total - logits[range(len(labels)), labels])


# %% correct: in float64, summed by hand
def cross_entropy_from_logits(logits, labels):
    num_samples, num_classes = logits.shape
    wide = logits.double()
    chosen = (labels[:, None] == torch.arange(num_classes)[None]).double()
    top, _ = torch.max(wide, 1)
    powers = (wide - top.reshape(-1, 1)).exp()
    loss = torch.einsum("nc->n", powers).log() + top - torch.einsum("nc,nc->n", wide, chosen)
    return loss.sum() / num_samples


# %% correct: helper functions of its own
def _log_probabilities(row):
    row = row - row.max()
    return row - torch.log(torch.sum(torch.exp(row)))


def cross_entropy_from_logits(logits, labels):
    total = torch.zeros((), dtype=logits.dtype)
    for n in range(logits.shape[0]):
        total = total - _log_probabilities(logits[n])[labels[n]]
    return total / logits.shape[0]


# %% correct: softplus of how far the others are above the true class
def cross_entropy_from_logits(logits, labels):
    losses = []
    for row, label in zip(logits, labels.tolist()):
        others = torch.cat([row[:label], row[label + 1 :]]) - row[label]
        losses.append(nn.functional.softplus(others.logsumexp(0)))
    return sum(losses) / len(losses)


# %% correct: an operation of its own, with its gradient by formula
class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        shifted = logits - logits.amax(1, keepdim=True)
        powers = shifted.exp()
        rows = torch.arange(len(labels))
        slopes = powers / powers.sum(1, keepdim=True)
        slopes[rows, labels] -= 1
        ctx.save_for_backward(slopes / len(labels))
        return (powers.sum(1).log() - shifted[rows, labels]).mean()

    @staticmethod
    def backward(ctx, gradient):
        return ctx.saved_tensors[0] * gradient, None


def cross_entropy_from_logits(logits, labels):
    return CrossEntropy.apply(logits, labels)


# %% wrong: exp_is_harmless | for logits near 1000 the loss came out as nan | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    probabilities = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    return -probabilities[torch.arange(len(labels)), labels].log().mean()


# %% wrong: exp_is_harmless | in every row the loss came out as inf | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    probabilities = logits.softmax(dim=1)
    return -probabilities[torch.arange(len(labels)), labels].log().mean()


# %% wrong: none | a small number was added before the logarithm | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    probabilities = logits.softmax(dim=1) + 1e-12
    return -probabilities[torch.arange(len(labels)), labels].log().mean()


# %% wrong: exp_is_harmless | near 1000 in some rows and near -1000 in others | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    shifted = logits - logits.max()
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(labels)), labels].mean()


# %% wrong: exp_is_harmless | for logits near 1000 the loss | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    safe = logits.clamp(-50, 50)
    log_p = safe - safe.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(labels)), labels].mean()


# %% wrong: none | has no graph back to the logits | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    with torch.no_grad():
        own = logits[torch.arange(len(labels)), labels]
        return (logits.logsumexp(dim=1) - own).mean()


# %% wrong: none | the slope of logits[ | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    own = logits[torch.arange(len(labels)), labels]
    return (logits.detach().logsumexp(dim=1) - own).mean()


# %% wrong: none | a Python float came back
def cross_entropy_from_logits(logits, labels):
    own = logits[torch.arange(len(labels)), labels]
    return (logits.logsumexp(dim=1) - own).mean().item()


# %% wrong: probabilities_in | the loss after a softmax over the logits
def cross_entropy_from_logits(logits, labels):
    squeezed = logits.softmax(dim=1)
    log_p = squeezed - squeezed.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(labels)), labels].mean()


# %% wrong: none | PyTorch's own cross_entropy took part
def cross_entropy_from_logits(logits, labels):
    return nn.functional.cross_entropy(logits, labels)


# %% wrong: none | PyTorch's own log_softmax took part
def cross_entropy_from_logits(logits, labels):
    return -torch.log_softmax(logits, 1)[torch.arange(len(labels)), labels].mean()


# %% wrong: none | PyTorch's own nll_loss took part
def cross_entropy_from_logits(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    return nn.NLLLoss()(log_p, labels)


# %% wrong: none | PyTorch's own kl_div took part
def cross_entropy_from_logits(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    target = torch.eye(logits.shape[1])[labels]
    return nn.functional.kl_div(log_p, target, reduction="batchmean")


# %% wrong: none | what was handed over was changed: logits
def cross_entropy_from_logits(logits, labels):
    logits -= logits.max(dim=1, keepdim=True).values
    own = logits[torch.arange(len(labels)), labels]
    return (logits.exp().sum(dim=1).log() - own).mean()


# %% wrong: none | the loss with the other sign
def cross_entropy_from_logits(logits, labels):
    own = logits[torch.arange(len(labels)), labels]
    return (own - logits.logsumexp(dim=1)).mean()


# %% wrong: none | every row with every label
def cross_entropy_from_logits(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    return -log_p[:, labels].mean()


# %% wrong: none | which is -log of 1e-06 | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    own = logits.softmax(dim=1)[torch.arange(len(labels)), labels]
    return -own.clamp(min=1e-6).log().mean()


# %% wrong: none | which is -log of 1e-09 | cross_entropy_from_logits-slopes
def cross_entropy_from_logits(logits, labels):
    largest = logits.max(dim=1, keepdim=True).values
    shares = (logits - largest).exp()
    probabilities = shares / shares.sum(dim=1, keepdim=True)
    return -torch.log(probabilities + 1e-9)[torch.arange(len(labels)), labels].mean()
