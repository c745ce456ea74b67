# %% correct: every prediction held
predicted = {"updates": 8, "in_last_batch": 52, "mode": "eval"}
# next cell
held = {"updates": True, "in_last_batch": True, "mode": True}

# %% correct: an epoch taken for an iteration, and admitted
predicted = {"updates": 1, "in_last_batch": 64, "mode": "train"}
# next cell
held = {"updates": False, "in_last_batch": False, "mode": False}

# %% correct: a float where a whole number was meant
predicted = {"updates": 7.8125, "in_last_batch": 52, "mode": "eval"}
# next cell
held = {"updates": False, "in_last_batch": True, "mode": True}

# %% correct: compared by a program
predicted = dict(updates=500, in_last_batch=52, mode="eval")
# next cell
held = {question: predicted[question] == measured[question] for question in measured}

# %% wrong: none | your prediction of 'updates' held, but it was 1
predicted = {"updates": 1, "in_last_batch": 52, "mode": "eval"}
# next cell
held = {"updates": True, "in_last_batch": True, "mode": True}

# %% wrong: none | should be of type int or float, and it is NoneType
predicted = {"updates": None, "in_last_batch": 52, "mode": "eval"}
# next cell
held = {"updates": True, "in_last_batch": True, "mode": True}

# %% wrong: none | exactly the keys
predicted = {"updates": 8}
# next cell
held = {"updates": True}

# %% wrong: none | should be True or False, and it is of type str
predicted = {"updates": 8, "in_last_batch": 52, "mode": "eval"}
# next cell
held = {"updates": "yes", "in_last_batch": "yes", "mode": "yes"}
