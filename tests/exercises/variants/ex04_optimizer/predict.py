# %% correct: every prediction held
predicted = {"once": 12, "twice": 24, "before_step": "same", "after_step": -4}
# next cell
held = {"once": True, "twice": True, "before_step": True, "after_step": True}

# %% correct: gradients that reset themselves, and admitted
predicted = {"once": 12, "twice": 12, "before_step": "same", "after_step": -1}
# next cell
held = {"once": True, "twice": False, "before_step": True, "after_step": False}

# %% correct: backward that changes the weight, and admitted
predicted = {"once": 8, "twice": 8, "before_step": "other", "after_step": 2}
# next cell
held = {"once": False, "twice": False, "before_step": False, "after_step": False}

# %% correct: floats, compared by a program
predicted = dict(once=12.0, twice=24.0, before_step="same", after_step=-4.0)
# next cell
held = {question: predicted[question] == measured[question] for question in measured}

# %% wrong: none | your prediction of 'twice' held, but it was 12
predicted = {"once": 12, "twice": 12, "before_step": "same", "after_step": -1}
# next cell
held = {"once": True, "twice": True, "before_step": True, "after_step": True}

# %% wrong: none | your prediction of 'before_step' held, but it was 'other'
predicted = {"once": 12, "twice": 24, "before_step": "other", "after_step": -4}
# next cell
held = {"once": True, "twice": True, "before_step": True, "after_step": True}

# %% wrong: none | should be of type str, and it is int
predicted = {"once": 12, "twice": 24, "before_step": 2, "after_step": -4}
# next cell
held = {"once": True, "twice": True, "before_step": True, "after_step": True}

# %% wrong: none | exactly the keys
predicted = {"once": 12, "twice": 24}
# next cell
held = {"once": True, "twice": True}

# %% wrong: none | should be True or False, and it is of type int
predicted = {"once": 12, "twice": 24, "before_step": "same", "after_step": -4}
# next cell
held = {"once": 1, "twice": 1, "before_step": 1, "after_step": 1}
