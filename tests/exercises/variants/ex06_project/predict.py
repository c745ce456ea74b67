# %% correct: every prediction held
predicted = {"on_chosen": "above", "on_new": "at", "images_shown": 12_000, "updates": 189}
# next cell
held = {"on_chosen": True, "on_new": True, "images_shown": True, "updates": True}

# %% correct: luck taken for skill, the last batch forgotten, and both admitted
predicted = {"on_chosen": "above", "on_new": "above", "images_shown": 12_000, "updates": 186}
# next cell
held = {"on_chosen": True, "on_new": False, "images_shown": True, "updates": False}

# %% correct: a float where a whole number was meant
predicted = {"on_chosen": "at", "on_new": "at", "images_shown": 4000.0, "updates": 187.5}
# next cell
held = {"on_chosen": False, "on_new": True, "images_shown": False, "updates": False}

# %% correct: compared by a program
predicted = dict(on_chosen="below", on_new="at", images_shown=4000 * 3, updates=3)
# next cell
held = {question: predicted[question] == measured[question] for question in measured}

# %% wrong: none | your prediction of 'on_new' held, but it was 'above'
predicted = {"on_chosen": "above", "on_new": "above", "images_shown": 12_000, "updates": 189}
# next cell
held = {"on_chosen": True, "on_new": True, "images_shown": True, "updates": True}

# %% wrong: none | your prediction of 'updates' did not hold, but it was 189
predicted = {"on_chosen": "above", "on_new": "at", "images_shown": 12_000, "updates": 189}
# next cell
held = {"on_chosen": True, "on_new": True, "images_shown": True, "updates": False}

# %% wrong: none | should be of type int or float, and it is str
predicted = {"on_chosen": "above", "on_new": "at", "images_shown": "12,000", "updates": 189}
# next cell
held = {"on_chosen": True, "on_new": True, "images_shown": True, "updates": True}

# %% wrong: none | exactly the keys
predicted = {"on_chosen": "above"}
# next cell
held = {"on_chosen": True}

# %% wrong: none | should be True or False, and it is of type str
predicted = {"on_chosen": "above", "on_new": "at", "images_shown": 12_000, "updates": 189}
# next cell
held = {"on_chosen": "yes", "on_new": "yes", "images_shown": "yes", "updates": "yes"}
