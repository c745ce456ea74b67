# %% correct: every prediction held
predicted = {"batches": 16, "in_last_batch": 40, "iterations": 48}
# next cell
held = {"batches": True, "in_last_batch": True, "iterations": True}

# %% correct: the rest forgotten, and admitted
predicted = {"batches": 15, "in_last_batch": 64, "iterations": 45}
# next cell
held = {"batches": False, "in_last_batch": False, "iterations": False}

# %% correct: an epoch taken for an iteration, and one prediction held
predicted = {"batches": 16, "in_last_batch": 64, "iterations": 3}
# next cell
held = {"batches": True, "in_last_batch": False, "iterations": False}

# %% correct: compared by a program, with a decimal
predicted = dict(batches=15.625, in_last_batch=40, iterations=46.875)
# next cell
held = {question: predicted[question] == measured[question] for question in measured}

# %% correct: computed and compared with NumPy
counts = torch.tensor([1000 / 64, 1000 % 64, 3 * (1000 / 64)]).ceil().numpy()
predicted = dict(zip(["batches", "in_last_batch", "iterations"], counts))
# next cell
held = {question: predicted[question] == answer for question, answer in measured.items()}

# %% wrong: none | your prediction of 'batches' held, but it was 15
predicted = {"batches": 15, "in_last_batch": 40, "iterations": 48}
# next cell
held = {"batches": True, "in_last_batch": True, "iterations": True}

# %% wrong: none | your prediction of 'iterations' did not hold, but it was 48
predicted = {"batches": 16, "in_last_batch": 40, "iterations": 48}
# next cell
held = {"batches": True, "in_last_batch": True, "iterations": False}

# %% wrong: none | should be of type int or float, and it is str
predicted = {"batches": "16", "in_last_batch": "40", "iterations": "48"}
# next cell
held = {"batches": True, "in_last_batch": True, "iterations": True}

# %% wrong: none | exactly the keys
predicted = {"batches": 16, "in_last_batch": 40}
# next cell
held = {"batches": True, "in_last_batch": True}

# %% wrong: none | should be True or False, and it is of type int
predicted = {"batches": 16, "in_last_batch": 40, "iterations": 48}
# next cell
held = {"batches": 1, "in_last_batch": 1, "iterations": 1}
