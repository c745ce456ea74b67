# %% correct: the own parameters of each module
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        number = sum(p.numel() for p in layer.parameters(recurse=False) if p.requires_grad)
        if number > 0:
            numbers[name] = number
    return numbers


# %% correct: by the names of the parameters
def parameters_by_layer(model):
    numbers = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            layer = name.rpartition(".")[0]
            numbers[layer] = numbers.get(layer, 0) + parameter.numel()
    return numbers


# %% correct: by recursion over the children
def parameters_by_layer(model, prefix=""):
    found = {}
    for name, child in model.named_children():
        own = sum(p.nelement() * p.requires_grad for p in child._parameters.values() if p is not None)
        if own:
            found[prefix + name] = int(own)
        found.update(parameters_by_layer(child, f"{prefix}{name}."))
    return found


# %% correct: with a Counter, given back as a dict
def parameters_by_layer(model):
    from collections import Counter

    counter = Counter()
    for name, parameter in model.named_parameters():
        counter[".".join(name.split(".")[:-1])] += len(parameter.flatten()) if parameter.requires_grad else 0
    return {name: number for name, number in counter.items() if number}


# %% correct: what a layer has beyond the layers inside it
def parameters_by_layer(model):
    def total(layer):
        return sum(p.numel() for p in layer.parameters() if p.requires_grad)

    own = {
        name: total(layer) - sum(total(child) for child in layer.children())
        for name, layer in model.named_modules()
    }
    return dict(filter(lambda item: item[1], own.items()))


# %% correct: by looking up the owner of each parameter
def parameters_by_layer(model):
    names = {id(p): name for name, m in model.named_modules() for p in m.parameters(recurse=False)}
    counts = dict.fromkeys(names.values(), 0)
    for p in model.parameters():
        counts[names[id(p)]] += p.shape.numel() if p.requires_grad else 0
    return {name: count for name, count in counts.items() if count > 0}


# %% wrong: none | frozen parameters, whose requires_grad is False, were counted
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        number = sum(p.numel() for p in layer.parameters(recurse=False))
        if number:
            numbers[name] = number
    return numbers


# %% wrong: none | is there with 0
def parameters_by_layer(model):
    return {
        name: sum(p.numel() for p in layer.parameters(recurse=False) if p.requires_grad)
        for name, layer in model.named_modules()
    }


# %% wrong: none | owns no trainable parameter itself
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        number = sum(p.numel() for p in layer.parameters() if p.requires_grad)
        if number:
            numbers[name] = number
    return numbers


# %% wrong: none | is missing
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_children():
        number = sum(p.numel() for p in layer.parameters() if p.requires_grad)
        if number:
            numbers[name] = number
    return numbers


# %% wrong: none | trainable parameters, and
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        number = sum(
            p.numel() for n, p in layer.named_parameters(recurse=False) if p.requires_grad and n != "bias"
        )
        if number:
            numbers[name] = number
    return numbers


# %% wrong: none | trainable parameters, and
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        number = sum(len(p) for p in layer.parameters(recurse=False) if p.requires_grad)
        if number:
            numbers[name] = number
    return numbers


# %% wrong: none | should map a name to a Python int
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        number = sum(torch.tensor(p.shape).prod() for p in layer.parameters(recurse=False) if p.requires_grad)
        if number > 0:
            numbers[name] = number
    return numbers


# %% wrong: none | should be dict, and it is int
def parameters_by_layer(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


# %% wrong: none | 'body.scaled' (a layer with a parameter of its own, 5 numbers, and a layer inside) is missing
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        if not list(layer.children()):
            number = sum(p.numel() for p in layer.parameters() if p.requires_grad)
            if number:
                numbers[name] = number
    return numbers


# %% wrong: none | 'body.norm' (nn.BatchNorm1d(5)) is missing
def parameters_by_layer(model):
    return {
        name: sum(p.numel() for p in layer.parameters() if p.requires_grad)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and any(p.requires_grad for p in layer.parameters())
    }


# %% wrong: none | though only its bias is frozen
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        own = list(layer.parameters(recurse=False))
        if own and all(p.requires_grad for p in own):
            numbers[name] = sum(p.numel() for p in own)
    return numbers


# %% wrong: none | frozen parameters, whose requires_grad is False, were counted
def parameters_by_layer(model):
    numbers = {}
    for name, layer in model.named_modules():
        own = list(layer.parameters(recurse=False))
        if any(p.requires_grad for p in own):
            numbers[name] = sum(p.numel() for p in own)
    return numbers


# %% wrong: none | trainable parameters, and
def parameters_by_layer(model):
    numbers = {}
    for name, value in model.state_dict(keep_vars=True).items():
        layer, _, kind = name.rpartition(".")
        if value.requires_grad or kind.startswith("running"):
            numbers[layer] = numbers.get(layer, 0) + value.numel()
    return numbers


# %% wrong: none | it is not written yet
def parameters_by_layer(model):
    raise NotImplementedError()
