# %% correct: clears first
order = "C B D E A"

# %% correct: clears between forward and loss, small letters with commas
order = "b, c, d, e, a"

# %% correct: clears before backward, with arrows
order = "B -> D -> C -> E -> A"

# %% correct: clears at the end, without spaces
order = "BDEAC"

# %% correct: a numbered list
order = """
1. C
2. B
3. D
4. E
5. A
"""

# %% correct: written as a list, but as text
order = "['B', 'D', 'E', 'A', 'C']"

# %% correct: with words between the letters
order = "line C, then B, D, E, and at the end A"

# %% wrong: gradients_reset | when batch 2 was differentiated
order = "B D E A"

# %% wrong: backward_updates | the optimiser never took a step
order = "C B D E"

# %% wrong: step_computes | no loss was differentiated
order = "C B D A"

# %% wrong: step_computes | the first step came before the first backward
order = "C B D A E"

# %% wrong: step_computes | the first step came before the first backward
order = "A C B D E"

# %% wrong: zero_grad_anywhere | the gradients had been cleared
order = "B D E C A"

# %% wrong: probabilities_in | went through a softmax on their way to the loss
order = "C B G D E A"

# %% wrong: none | computed in evaluation mode
order = "F C B D E A"

# %% wrong: none | computed in evaluation mode
order = "C B D E A F"

# %% wrong: none | needs `logits`, which no line before it has made
order = "C D E A B"

# %% wrong: none | needs `loss`, which no line before it has made
order = "C B E D A"

# %% wrong: none | 6 lines are used; 5 are enough
order = "C B D G E A"

# %% wrong: none | line C is used more than once
order = "C B D E A C"

# %% wrong: none | no line is called X
order = "X B D E A"

# %% wrong: none | the answer holds no letter
order = "1 2 3"

# %% wrong: none | should be str, and it is list
order = ["C", "B", "D", "E", "A"]

# %% wrong: none | no line is called
order = "optimizer.zero_grad(); logits = model(images); loss = loss_fn(logits, labels); loss.backward()"

# %% wrong: step_computes | the first step came before the first backward
order = "B A C D E"
