# %% correct: in place under no_grad
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is None:
                continue
            velocity.mul_(momentum).add_(parameter.grad)
            parameter.sub_(parameter.grad + momentum * velocity, alpha=learning_rate)


# %% correct: a decorator, indices and copy_
@torch.no_grad()
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for i in range(len(parameters)):
        if parameters[i].grad is not None:
            gradient = parameters[i].grad
            velocities[i].copy_(momentum * velocities[i] + gradient)
            parameters[i].copy_(parameters[i] - learning_rate * (gradient + momentum * velocities[i]))


# %% correct: through .data
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for p, v in zip(parameters, velocities):
        if p.grad is not None:
            v.data = momentum * v.data + p.grad.data
            p.data = p.data - learning_rate * p.grad.data - learning_rate * momentum * v.data


# %% correct: slices
def nesterov_step(parameters, velocities, learning_rate, momentum):
    pairs = [(p, v) for p, v in zip(parameters, velocities) if p.grad is not None]
    for p, v in pairs:
        v[...] = momentum * v + p.grad
    with torch.inference_mode():
        for p, v in pairs:
            p[...] -= learning_rate * (p.grad + momentum * v)


# %% correct: all tensors at once
@torch.no_grad()
def nesterov_step(parameters, velocities, learning_rate, momentum):
    chosen = [i for i, p in enumerate(parameters) if p.grad is not None]
    moving = [parameters[i] for i in chosen]
    speeds = [velocities[i] for i in chosen]
    slopes = [p.grad for p in moving]
    torch._foreach_mul_(speeds, momentum)
    torch._foreach_add_(speeds, slopes)
    torch._foreach_add_(moving, torch._foreach_add(slopes, speeds, alpha=momentum), alpha=-learning_rate)


# %% correct: augmented assignment into the lists
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for i, parameter in enumerate(parameters):
        if parameter.grad is None:
            continue
        velocities[i] *= momentum
        velocities[i] += parameter.grad
        with torch.no_grad():
            parameters[i] -= learning_rate * (parameter.grad + momentum * velocities[i])


# %% correct: numpy, on the same memory
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for p, v in zip(parameters, velocities):
        if p.grad is not None:
            slope = p.grad.numpy()
            v.numpy()[...] = momentum * v.numpy() + slope
            p.detach().numpy()[...] -= learning_rate * (slope + momentum * v.numpy())


# %% correct: one long row of numbers for all parameters, cut up again
def nesterov_step(parameters, velocities, learning_rate, momentum):
    pairs = [(p, v) for p, v in zip(parameters, velocities) if p.grad is not None]
    if not pairs:
        return
    with torch.no_grad():
        slopes = torch.cat([p.grad.flatten() for p, _ in pairs])
        speeds = momentum * torch.cat([v.flatten() for _, v in pairs]) + slopes
        sizes = [p.numel() for p, _ in pairs]
        moves = learning_rate * (slopes + momentum * speeds)
        for (p, v), speed, move in zip(pairs, speeds.split(sizes), moves.split(sizes)):
            v.copy_(speed.view_as(v))
            p -= move.view_as(p)


# %% correct: switched off and on again
def nesterov_step(parameters, velocities, learning_rate, momentum):
    torch.set_grad_enabled(False)
    for p, v in zip(parameters, velocities):
        if p.grad is not None:
            torch.add(p.grad, v, alpha=momentum, out=v)
            p.sub_(learning_rate * (p.grad + momentum * v))
    torch.set_grad_enabled(True)


# %% wrong: new_tensor_is_update | Read again: Lesson 04, section 5
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity = momentum * velocity + parameter.grad
            parameter = parameter - learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | gradients were switched off and stayed off
def nesterov_step(parameters, velocities, learning_rate, momentum):
    torch.set_grad_enabled(False)
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad)
            parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: new_tensor_is_update | Read again
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for i, parameter in enumerate(parameters):
            if parameter.grad is not None:
                velocities[i] = momentum * velocities[i] + parameter.grad
                parameter -= learning_rate * (parameter.grad + momentum * velocities[i])


# %% wrong: new_tensor_is_update | Read again
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for i, parameter in enumerate(parameters):
        if parameter.grad is not None:
            velocities[i].mul_(momentum).add_(parameter.grad)
            parameters[i] = parameter - learning_rate * (parameter.grad + momentum * velocities[i])


# %% wrong: new_tensor_is_update | a leaf Variable that requires grad
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity *= momentum
            velocity += parameter.grad
            parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: new_tensor_is_update | the tensors in velocities are as they were
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity = momentum * velocity + parameter.grad
                parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | with a parameter whose .grad is None | nesterov_step-several
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            velocity *= momentum
            velocity += parameter.grad
            parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | a parameter had no gradient (None) | nesterov_step-several
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            velocity *= momentum
            velocity += gradient
            parameter -= learning_rate * (gradient + momentum * velocity)


# %% wrong: none | it should have kept going by its velocity | nesterov_step-several
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None and parameter.grad.any():
                velocity *= momentum
                velocity += parameter.grad
                parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | a gradient was cleared or made | nesterov_step-several
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * (parameter.grad + momentum * velocity)
                parameter.grad = None


# %% wrong: none | a gradient was changed | nesterov_step-several
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * parameter.grad.add_(velocity, alpha=momentum)


# %% wrong: none | requires_grad of a parameter was True and is False | nesterov_step-several
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad)
            parameter.requires_grad_(False)
            parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | returned an object of type list | nesterov_step-several
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * (parameter.grad + momentum * velocity)
    return velocities


# %% wrong: none | torch.optim.SGD was used
def nesterov_step(parameters, velocities, learning_rate, momentum):
    optimizer = torch.optim.SGD(parameters, lr=learning_rate, momentum=momentum, nesterov=True)
    for parameter, velocity in zip(parameters, velocities):
        optimizer.state[parameter]["momentum_buffer"] = velocity
    optimizer.step()


# %% wrong: none | torch.optim.sgd was used
@torch.no_grad()
def nesterov_step(parameters, velocities, learning_rate, momentum):
    from torch.optim.sgd import sgd

    moving = [(p, v) for p, v in zip(parameters, velocities) if p.grad is not None]
    sgd(
        [p for p, _ in moving],
        [p.grad for p, _ in moving],
        [v for _, v in moving],
        weight_decay=0,
        momentum=momentum,
        lr=learning_rate,
        dampening=0,
        nesterov=True,
        maximize=False,
    )


# %% wrong: none | along the new velocity alone, as with the lesson's momentum
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity *= momentum
                velocity += parameter.grad
                parameter -= learning_rate * velocity


# %% wrong: none | along the new velocity alone, as with the lesson's momentum
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                parameter -= learning_rate * (parameter.grad + momentum * velocity)
                velocity.mul_(momentum).add_(parameter.grad)


# %% wrong: none | along gradient + velocity; momentum is missing
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * (parameter.grad + velocity)


# %% wrong: none | along momentum * velocity, without the gradient
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * momentum * velocity


# %% wrong: none | with weight 1 - momentum
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad, alpha=1 - momentum)
                parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | the learning rate is in the velocity already
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).sub_(learning_rate * parameter.grad)
                parameter += momentum * velocity - learning_rate * parameter.grad


# %% wrong: none | the learning rate is in the velocity already, and in the step once more
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(learning_rate * parameter.grad)
                parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | the old velocity is forgotten
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.copy_(parameter.grad)
                parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | the learning rate is missing
def nesterov_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= parameter.grad + momentum * velocity


# %% wrong: none | behind the first one without a gradient stayed where they were | nesterov_step-several
@torch.no_grad()
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is None:
            break
        velocity.mul_(momentum).add_(parameter.grad)
        parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | momentum * velocity + gradient is
@torch.no_grad()
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad + 0.01 * parameter)
            parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | parameter - learning_rate * (gradient + momentum * velocity) is
@torch.no_grad()
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad)
            parameter *= 0.999
            parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | parameter 2 has a gradient, but it and its velocity stayed as they were
@torch.no_grad()
def nesterov_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad)
            parameter -= learning_rate * (parameter.grad + momentum * velocity)
        return
