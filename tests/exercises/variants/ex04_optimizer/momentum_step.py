# %% correct: in place under no_grad
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is None:
                continue
            velocity.mul_(momentum).add_(parameter.grad)
            parameter.sub_(velocity, alpha=learning_rate)


# %% correct: a decorator, indices and copy_
@torch.no_grad()
def momentum_step(parameters, velocities, learning_rate, momentum):
    for i in range(len(parameters)):
        if parameters[i].grad is not None:
            velocities[i].copy_(momentum * velocities[i] + parameters[i].grad)
            parameters[i].copy_(parameters[i] - learning_rate * velocities[i])


# %% correct: through .data
def momentum_step(parameters, velocities, learning_rate, momentum):
    for p, v in zip(parameters, velocities):
        if p.grad is not None:
            v.data = momentum * v.data + p.grad.data
            p.data = p.data - learning_rate * v.data


# %% correct: slices
def momentum_step(parameters, velocities, learning_rate, momentum):
    pairs = [(p, v) for p, v in zip(parameters, velocities) if p.grad is not None]
    for p, v in pairs:
        v[...] = momentum * v + p.grad
    with torch.inference_mode():
        for p, v in pairs:
            p[...] -= learning_rate * v


# %% correct: all tensors at once
@torch.no_grad()
def momentum_step(parameters, velocities, learning_rate, momentum):
    chosen = [i for i, p in enumerate(parameters) if p.grad is not None]
    moving = [parameters[i] for i in chosen]
    speeds = [velocities[i] for i in chosen]
    torch._foreach_mul_(speeds, momentum)
    torch._foreach_add_(speeds, [p.grad for p in moving])
    torch._foreach_add_(moving, speeds, alpha=-learning_rate)


# %% correct: augmented assignment into the lists
def momentum_step(parameters, velocities, learning_rate, momentum):
    for i, parameter in enumerate(parameters):
        if parameter.grad is None:
            continue
        velocities[i] *= momentum
        velocities[i] += parameter.grad
        with torch.no_grad():
            parameters[i] -= learning_rate * velocities[i]


# %% correct: numpy, on the same memory
def momentum_step(parameters, velocities, learning_rate, momentum):
    for p, v in zip(parameters, velocities):
        if p.grad is not None:
            v.numpy()[...] = momentum * v.numpy() + p.grad.numpy()
            p.detach().numpy()[...] -= learning_rate * v.numpy()


# %% wrong: new_tensor_is_update | Read again: Lesson 04, section 5
def momentum_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity = momentum * velocity + parameter.grad
            parameter = parameter - learning_rate * velocity


# %% wrong: none | gradients were switched off and stayed off
def momentum_step(parameters, velocities, learning_rate, momentum):
    torch.set_grad_enabled(False)
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad)
            parameter -= learning_rate * velocity


# %% wrong: new_tensor_is_update | Read again
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for i, parameter in enumerate(parameters):
            if parameter.grad is not None:
                velocities[i] = momentum * velocities[i] + parameter.grad
                parameter -= learning_rate * velocities[i]


# %% wrong: new_tensor_is_update | Read again
def momentum_step(parameters, velocities, learning_rate, momentum):
    for i in range(len(parameters)):
        if parameters[i].grad is not None:
            velocities[i].mul_(momentum).add_(parameters[i].grad)
            parameters[i] = parameters[i] - learning_rate * velocities[i]


# %% wrong: new_tensor_is_update | a leaf Variable that requires grad
def momentum_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity *= momentum
            velocity += parameter.grad
            parameter -= learning_rate * velocity


# %% wrong: none | with a parameter whose .grad is None | momentum_step-several
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            velocity *= momentum
            velocity += parameter.grad
            parameter -= learning_rate * velocity


# %% wrong: none | a parameter had no gradient (None) | momentum_step-several
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            velocity *= momentum
            if parameter.grad is not None:
                velocity += parameter.grad
            parameter -= learning_rate * velocity


# %% wrong: none | it should have kept going by its velocity | momentum_step-several
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None and parameter.grad.any():
                velocity *= momentum
                velocity += parameter.grad
                parameter -= learning_rate * velocity


# %% wrong: none | a gradient was cleared or made | momentum_step-several
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * velocity
                parameter.grad = None


# %% wrong: none | a gradient was changed | momentum_step-several
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.copy_(parameter.grad.add_(velocity, alpha=momentum))
                parameter -= learning_rate * velocity


# %% wrong: none | requires_grad of a parameter was True and is False | momentum_step-several
def momentum_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad)
            parameter.requires_grad_(False)
            parameter -= learning_rate * velocity


# %% wrong: none | returned an object of type list | momentum_step-several
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * velocity
    return velocities


# %% wrong: none | torch.optim.SGD was used
def momentum_step(parameters, velocities, learning_rate, momentum):
    optimizer = torch.optim.SGD(parameters, lr=learning_rate, momentum=momentum)
    for parameter, velocity in zip(parameters, velocities):
        optimizer.state[parameter]["momentum_buffer"] = velocity
    optimizer.step()


# %% wrong: none | Lesson 04, section 7
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad, alpha=1 - momentum)
                parameter -= learning_rate * velocity


# %% wrong: none | Lesson 04, section 7
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                parameter -= learning_rate * velocity
                velocity.mul_(momentum).add_(parameter.grad)


# %% wrong: none | Lesson 04, section 7
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).sub_(learning_rate * parameter.grad)
                parameter += velocity


# %% wrong: none | Lesson 04, section 7
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.mul_(momentum).add_(parameter.grad)
                parameter -= learning_rate * (parameter.grad + momentum * velocity)


# %% wrong: none | Lesson 04, section 7
def momentum_step(parameters, velocities, learning_rate, momentum):
    with torch.no_grad():
        for parameter, velocity in zip(parameters, velocities):
            if parameter.grad is not None:
                velocity.copy_(parameter.grad)
                parameter -= learning_rate * velocity


# %% wrong: none | torch.optim.sgd was used
@torch.no_grad()
def momentum_step(parameters, velocities, learning_rate, momentum):
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
        nesterov=False,
        maximize=False,
    )


# %% wrong: none | behind the first one without a gradient stayed where they were | momentum_step-several
@torch.no_grad()
def momentum_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is None:
            break
        velocity.mul_(momentum).add_(parameter.grad)
        parameter -= learning_rate * velocity


# %% wrong: none | the learning rate is in the velocity already, and in the step once more
@torch.no_grad()
def momentum_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(learning_rate * parameter.grad)
            parameter -= learning_rate * velocity


# %% wrong: none | momentum * velocity + gradient is
@torch.no_grad()
def momentum_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad + 0.01 * parameter)
            parameter -= learning_rate * velocity


# %% wrong: none | parameter 2 has a gradient, but it and its velocity stayed as they were
@torch.no_grad()
def momentum_step(parameters, velocities, learning_rate, momentum):
    for parameter, velocity in zip(parameters, velocities):
        if parameter.grad is not None:
            velocity.mul_(momentum).add_(parameter.grad)
            parameter -= learning_rate * velocity
        return
