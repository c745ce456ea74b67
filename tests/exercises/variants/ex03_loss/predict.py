# %% correct: every prediction held
predicted = {"equal": 1.39, "accuracy": "same", "mistake": "larger"}
# next cell
held = {"equal": True, "accuracy": True, "mistake": True}

# %% correct: ten classes taken for four, and admitted
predicted = {"equal": 2.3, "accuracy": "other", "mistake": "smaller"}
# next cell
held = {"equal": False, "accuracy": False, "mistake": False}

# %% correct: the logarithm itself, compared by rounding
predicted = {"equal": torch.tensor(4.0).log().item(), "accuracy": "same", "mistake": "larger"}
# next cell
held = {
    "equal": abs(predicted["equal"] - measured["equal"]) < 0.01,
    "accuracy": predicted["accuracy"] == measured["accuracy"],
    "mistake": predicted["mistake"] == measured["mistake"],
}

# %% correct: a whole number, compared by a program
predicted = dict(equal=4, accuracy="same", mistake="larger")
# next cell
held = {question: predicted[question] == measured[question] for question in measured}

# %% wrong: none | your prediction of 'accuracy' held, but it was 'other'
predicted = {"equal": 1.39, "accuracy": "other", "mistake": "larger"}
# next cell
held = {"equal": True, "accuracy": True, "mistake": True}

# %% wrong: none | your prediction of 'equal' held, but it was 2.3
predicted = {"equal": 2.3, "accuracy": "same", "mistake": "larger"}
# next cell
held = {"equal": True, "accuracy": True, "mistake": True}

# %% wrong: none | should be of type int or float, and it is str
predicted = {"equal": "ln 4", "accuracy": "same", "mistake": "larger"}
# next cell
held = {"equal": True, "accuracy": True, "mistake": True}

# %% wrong: none | exactly the keys
predicted = {"equal": 1.39, "accuracy": "same"}
# next cell
held = {"equal": True, "accuracy": True}

# %% wrong: none | should be True or False, and it is of type str
predicted = {"equal": 1.39, "accuracy": "same", "mistake": "larger"}
# next cell
held = {"equal": "True", "accuracy": "True", "mistake": "True"}
