# %% correct: adds up sums and sizes
def loss_over_batches(batch_losses, batch_sizes):
    total, num_samples = 0.0, 0
    for loss, size in zip(batch_losses, batch_sizes):
        total += loss.item() * size
        num_samples += size
    return total / num_samples


# %% correct: tensors all the way, one number at the end
def loss_over_batches(batch_losses, batch_sizes):
    sizes = torch.tensor(batch_sizes, dtype=torch.float32)
    return (torch.stack(batch_losses) @ sizes / sizes.sum()).item()


# %% correct: shares of the whole
def loss_over_batches(batch_losses, batch_sizes):
    return float(
        sum(loss.detach() * (size / sum(batch_sizes)) for loss, size in zip(batch_losses, batch_sizes))
    )


# %% correct: a running mean
def loss_over_batches(batch_losses, batch_sizes):
    mean, seen = 0.0, 0
    for loss, size in zip(batch_losses, batch_sizes):
        seen += size
        mean += (float(loss) - mean) * size / seen
    return mean


# %% correct: every sample gets its batch's mean
def loss_over_batches(batch_losses, batch_sizes):
    losses = torch.tensor([loss.item() for loss in batch_losses], dtype=torch.float64)
    return losses.repeat_interleave(torch.tensor(batch_sizes)).mean().item()


# %% correct: numpy, made a Python float
def loss_over_batches(batch_losses, batch_sizes):
    import numpy as np

    return float(np.average([loss.item() for loss in batch_losses], weights=batch_sizes))


# %% correct: merges two batches at a time
def loss_over_batches(batch_losses, batch_sizes):
    while len(batch_losses) > 1:
        one, other = batch_losses.pop(), batch_losses.pop()
        m, n = batch_sizes.pop(), batch_sizes.pop()
        batch_losses.append((one * m + other * n) / (m + n))
        batch_sizes.append(m + n)
    return batch_losses[0].item()


# %% correct: a number of NumPy's
def loss_over_batches(batch_losses, batch_sizes):
    import numpy as np

    return np.average([loss.item() for loss in batch_losses], weights=batch_sizes)


# %% wrong: mean_of_means | the mean of the batches' means
def loss_over_batches(batch_losses, batch_sizes):
    return sum(loss.item() for loss in batch_losses) / len(batch_losses)


# %% wrong: last_is_all | the loss of the last batch
def loss_over_batches(batch_losses, batch_sizes):
    for loss, size in zip(batch_losses, batch_sizes):
        mean = loss.item() * size / size
    return mean


# %% wrong: last_is_all | the loss of the first batch
def loss_over_batches(batch_losses, batch_sizes):
    total, num_samples = 0.0, 0
    for loss, size in zip(batch_losses, batch_sizes):
        total += loss.item() * size
        num_samples += size
        return total / num_samples


# %% wrong: summing_is_free | is a tensor and still holds the graphs of the batches
def loss_over_batches(batch_losses, batch_sizes):
    total, num_samples = 0.0, 0
    for loss, size in zip(batch_losses, batch_sizes):
        total += loss * size
        num_samples += size
    return total / num_samples


# %% wrong: none | the result is a tensor; a Python float
def loss_over_batches(batch_losses, batch_sizes):
    with torch.no_grad():
        return sum(loss * size for loss, size in zip(batch_losses, batch_sizes)) / sum(batch_sizes)


# %% wrong: none | the sum over all samples
def loss_over_batches(batch_losses, batch_sizes):
    return sum(loss.item() * size for loss, size in zip(batch_losses, batch_sizes))


# %% wrong: mean_of_means | the sum of the batches' means, divided by the number of samples
def loss_over_batches(batch_losses, batch_sizes):
    return sum(loss.item() for loss in batch_losses) / sum(batch_sizes)


# %% wrong: mean_of_means | the sum over all samples, divided by the number of batches
def loss_over_batches(batch_losses, batch_sizes):
    total = 0.0
    for loss, size in zip(batch_losses, batch_sizes):
        total += loss.item() * size
    return total / len(batch_losses)


# %% wrong: none | the mean without the last batch
def loss_over_batches(batch_losses, batch_sizes):
    total, num_samples = 0.0, 0
    for i in range(len(batch_losses) - 1):
        total += batch_losses[i].item() * batch_sizes[i]
        num_samples += batch_sizes[i]
    return total / num_samples


# %% wrong: none | None (is a return missing?)
def loss_over_batches(batch_losses, batch_sizes):
    total = sum(loss.item() * size for loss, size in zip(batch_losses, batch_sizes))
    print(total / sum(batch_sizes))
