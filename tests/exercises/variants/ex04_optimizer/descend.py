# %% correct: clears, moves in place, keeps copies
def descend(function, start, learning_rate, num_steps):
    point = start.clone().detach().requires_grad_(True)
    points = [point.detach().clone()]
    for _ in range(num_steps):
        loss = function(point)
        loss.backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        point.grad.zero_()
        points.append(point.detach().clone())
    return torch.stack(points)


# %% correct: asks for the gradient with torch.autograd.grad
def descend(function, start, learning_rate, num_steps):
    points = [start.detach().clone()]
    for _ in range(num_steps):
        here = points[-1].clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(here), here)
        points.append(points[-1] - learning_rate * slope)
    return torch.stack(points)


# %% correct: an optimiser takes the steps
def descend(function, start, learning_rate, num_steps):
    point = nn.Parameter(start.detach().clone())
    optimizer = torch.optim.SGD([point], lr=learning_rate)
    path = torch.empty(num_steps + 1, *start.shape)
    path[0] = point.data
    for step in range(1, num_steps + 1):
        optimizer.zero_grad()
        function(point).backward()
        optimizer.step()
        path[step] = point.data
    return path


# %% correct: a new leaf at every step
def descend(function, start, learning_rate, num_steps):
    point = torch.tensor(start.tolist(), requires_grad=True)
    points = [point]
    for _ in range(num_steps):
        function(point).backward()
        point = (point - learning_rate * point.grad).detach().requires_grad_()
        points.append(point)
    return torch.stack(points).detach()


# %% correct: a function for the gradient, and recursion
def descend(function, start, learning_rate, num_steps):
    slope = torch.func.grad(function)
    here = start.detach().clone()
    if num_steps == 0:
        return here[None]
    rest = descend(function, here - learning_rate * slope(here), learning_rate, num_steps - 1)
    return torch.cat([here[None], rest])


# %% correct: through .data
def descend(function, start, learning_rate, num_steps):
    w = start.data.clone()
    w.requires_grad = True
    points = []
    for _ in range(num_steps):
        points.append(w.data.clone())
        w.grad = None
        function(w).backward()
        w.data = w.data - learning_rate * w.grad
    points.append(w.data.clone())
    return torch.stack(points)


# %% correct: through one long graph, cut at the end
def descend(function, start, learning_rate, num_steps):
    points = [start.detach().clone().requires_grad_()]
    for _ in range(num_steps):
        here = points[-1]
        (slope,) = torch.autograd.grad(function(here), here, create_graph=True)
        points.append(here - learning_rate * slope)
    return torch.stack(points).detach()


# %% wrong: none | start was changed: its numbers are others
def descend(function, start, learning_rate, num_steps):
    point = start.requires_grad_()
    points = [point]
    for _ in range(num_steps):
        function(point).backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        points.append(point)
    return torch.stack(points)


# %% wrong: none | the list holds one tensor many times
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point]
    for _ in range(num_steps):
        point.grad = None
        function(point).backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        points.append(point)
    return torch.stack(points).detach()


# %% wrong: gradients_reset | followed the sum of all gradients so far
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        function(point).backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: new_tensor_is_update | it raised TypeError
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.detach()]
    for _ in range(num_steps):
        function(point).backward()
        point = point - learning_rate * point.grad
        points.append(point.detach())
    return torch.stack(points)


# %% wrong: new_tensor_is_update | a leaf Variable that requires grad
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        point.grad = None
        function(point).backward()
        point -= learning_rate * point.grad
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: none | has no attribute 'zero_'
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        point.grad.zero_()
        function(point).backward()
        point.data -= learning_rate * point.grad
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: new_tensor_is_update | the point did not move
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        function(point).backward()
        moved = point - learning_rate * point.grad
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: summing_is_free | the points still hold their graph
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.clone()]
    for _ in range(num_steps):
        point.grad = None
        function(point).backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        points.append(point.clone())
    return torch.stack(points)


# %% wrong: none | the first step went up the slope
def descend(function, start, learning_rate, num_steps):
    points = [start.detach().clone()]
    for _ in range(num_steps):
        points.append(points[-1] + learning_rate * torch.func.grad(function)(points[-1]))
    return torch.stack(points)


# %% wrong: none | should have shape (6, 3), and it has (5, 3)
def descend(function, start, learning_rate, num_steps):
    point, points = start.detach().clone(), []
    for _ in range(num_steps):
        point = point - learning_rate * torch.func.grad(function)(point)
        points.append(point)
    return torch.stack(points)


# %% wrong: none | its requires_grad was False and is True
def descend(function, start, learning_rate, num_steps):
    start.requires_grad_()
    points = [start.detach().clone()]
    for _ in range(num_steps):
        here = points[-1].requires_grad_()
        (slope,) = torch.autograd.grad(function(here), here)
        points.append((here - learning_rate * slope).detach())
    return torch.stack(points).detach()


# %% wrong: gradients_reset | followed the sum of all gradients so far
def descend(function, start, learning_rate, num_steps):
    import copy

    point = copy.deepcopy(start).requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        function(point).backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: gradients_reset | if start carries a gradient from before
def descend(function, start, learning_rate, num_steps):
    import copy

    point = copy.deepcopy(start).requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        function(point).backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        point.grad = None
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: none | with a start that is marked with requires_grad, it raised
def descend(function, start, learning_rate, num_steps):
    point = start.clone().requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        point.grad = None
        function(point).backward()
        with torch.no_grad():
            point -= learning_rate * point.grad
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: none | the result from the lowest point should have shape (6, 3), and it has (1, 3)
def descend(function, start, learning_rate, num_steps):
    points = [start.detach().clone()]
    for _ in range(num_steps):
        slope = torch.func.grad(function)(points[-1])
        if slope.norm() < 1e-6:
            break
        points.append(points[-1] - learning_rate * slope)
    return torch.stack(points)


# %% wrong: none | it raised TypeError
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        function(point)
        with torch.no_grad():
            point -= learning_rate * point.grad
        points.append(point.detach().clone())
    return torch.stack(points)


# %% wrong: none | every step followed the gradient at start
def descend(function, start, learning_rate, num_steps):
    slope = torch.func.grad(function)(start.detach())
    return torch.stack([start.detach() - k * learning_rate * slope for k in range(num_steps + 1)])


# %% wrong: none | it raised IndexError
def descend(function, start, learning_rate, num_steps):
    points = torch.empty(num_steps + 1, *start.shape)
    points[0] = start.detach()
    for step in range(num_steps):
        slope = torch.func.grad(function)(points[step])
        for i in range(len(slope) if slope.ndim else 1):
            points[step + 1, i] = points[step, i] - learning_rate * slope[i]
    return points


# %% wrong: none | the first row of the result is the last point
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone()
    points = [point]
    for _ in range(num_steps):
        point -= learning_rate * torch.func.grad(function)(point)
        points.append(point.clone())
    return torch.stack(points)


# %% wrong: none | does not require grad
def descend(function, start, learning_rate, num_steps):
    point = start.detach().clone().requires_grad_()
    points = [point.detach().clone()]
    for _ in range(num_steps):
        function(point).backward()
        point = (point - learning_rate * point.grad).detach()
        points.append(point)
    return torch.stack(points)
