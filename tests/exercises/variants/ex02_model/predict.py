# %% correct: every prediction held
predicted = {"parameters": 15910, "logits": 10, "same_in_training": "no", "same_in_evaluation": "yes"}
# next cell
held = {"parameters": True, "logits": True, "same_in_training": True, "same_in_evaluation": True}

# %% correct: biases and dropout forgotten, and admitted
predicted = {"parameters": 15880, "logits": 10, "same_in_training": "yes", "same_in_evaluation": "yes"}
# next cell
held = {"parameters": False, "logits": True, "same_in_training": False, "same_in_evaluation": True}

# %% correct: everything wrong, and admitted
predicted = {"parameters": 5, "logits": 50, "same_in_training": "yes", "same_in_evaluation": "no"}
# next cell
held = dict.fromkeys(predicted, False)

# %% correct: compared by a program
predicted = {"parameters": 15910.0, "logits": 5, "same_in_training": "no", "same_in_evaluation": "yes"}
# next cell
held = {question: predicted[question] == answer for question, answer in measured.items()}

# %% wrong: none | your prediction of 'parameters' held, but it was 15880
predicted = {"parameters": 15880, "logits": 10, "same_in_training": "no", "same_in_evaluation": "yes"}
# next cell
held = {"parameters": True, "logits": True, "same_in_training": True, "same_in_evaluation": True}

# %% wrong: none | should be of type str, and it is bool
predicted = {"parameters": 15910, "logits": 10, "same_in_training": False, "same_in_evaluation": True}
# next cell
held = {"parameters": True, "logits": True, "same_in_training": True, "same_in_evaluation": True}

# %% wrong: none | held should be a dict with exactly the keys
predicted = {"parameters": 15910, "logits": 10, "same_in_training": "no", "same_in_evaluation": "yes"}
# next cell
held = True

# %% wrong: none | your prediction of 'same_in_training' did not hold, but it was 'no'
predicted = {"parameters": 15910, "logits": 10, "same_in_training": "no", "same_in_evaluation": "yes"}
# next cell
held = {"parameters": True, "logits": True, "same_in_training": False, "same_in_evaluation": True}

# %% wrong: none | held should be a dict with exactly the keys
predicted = {"parameters": 15910, "logits": 10, "same_in_training": "no", "same_in_evaluation": "yes"}
# next cell
held = {"parameters": True, "logits": True, "modes": True}

# %% wrong: none | should be True or False, and it is of type str
predicted = {"parameters": 15910, "logits": 10, "same_in_training": "no", "same_in_evaluation": "yes"}
# next cell
held = {"parameters": "yes", "logits": "yes", "same_in_training": "yes", "same_in_evaluation": "yes"}
