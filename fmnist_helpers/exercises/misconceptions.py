"""What learners often believe, the section that says how it is, and two hints towards it.

The list comes from questions about the PyTorch tutorial and its issues, from course forums and from guides to
debugging; a check names an entry by its key.
"""

from __future__ import annotations

from dataclasses import dataclass

SECTIONS = {
    "start": ("Lesson 00, section 4", "A first look"),
    "normalisation": ("Lesson 01, section 4", "Normalisation"),
    "splits": ("Lesson 01, section 5", "Training, validation, test"),
    "batches": ("Lesson 01, section 6", "Batches"),
    "shuffling": ("Lesson 01, section 7", "Shuffling"),
    "tensors": ("Lesson 01, section 2", "Tensors, on garments"),
    "bytes": ("Lesson 01, section 3", "From bytes to floats: ToTensor"),
    "linear": ("Lesson 02, section 1", "A linear layer"),
    "between": ("Lesson 02, section 2", "What stands between two layers"),
    "module": ("Lesson 02, section 3", "Your own nn.Module"),
    "counting": ("Lesson 02, section 4", "Counting parameters"),
    "logits": ("Lesson 02, section 5", "Logits and probabilities"),
    "modes": ("Lesson 02, section 7", "Training mode and evaluation mode"),
    "likelihood": ("Lesson 03, section 2", "A loss for probabilities: negative log-likelihood"),
    "cross_entropy": ("Lesson 03, section 3", "Cross-entropy: both steps in one"),
    "untrained_loss": ("Lesson 03, section 4", "The loss of an untrained model"),
    "softmax_first": ("Lesson 03, section 6", "Softmax before cross-entropy"),
    "labels": ("Lesson 03, section 7", "Labels"),
    "averages": ("Lesson 03, section 8", "Two traps: averages and accuracy"),
    "downhill": ("Lesson 04, section 1", "Downhill, by hand"),
    "by_hand": ("Lesson 04, section 2", "Backwards through a graph"),
    "derivatives": ("Lesson 04, section 3", "PyTorch finds the derivatives"),
    "accumulation": ("Lesson 04, section 4", "Calling backward twice"),
    "step": ("Lesson 04, section 5", "A step, and the order of the three calls"),
    "order": ("Lesson 04, section 5", "A step, and the order of the three calls"),
    "rate": ("Lesson 04, section 6", "The learning rate"),
    "optimisers": ("Lesson 04, section 7", "Rules with a memory"),
    "iteration": ("Lesson 05, section 2", "One training step"),
    "loops": ("Lesson 05, section 3", "An epoch and an evaluation"),
    "listing": ("Lesson 05, section 5", "The tutorial's listing"),
    "validation": ("Lesson 05, section 6", "With a validation split"),
    "test_once": ("Lesson 05, section 7", "The test split, once"),
    "saving": ("Lesson 05, section 8", "Save, load, predict"),
    "convolution": ("Lesson 07, section 1", "Convolution: a window that moves"),
    "batch_normalisation": ("Lesson 07, section 3", "Batch normalisation"),
    "augmentation": ("Lesson 07, section 5", "More from the same images"),
    "own_pictures": ("Lesson 08, section 3", "Pictures of your own"),
    "trained_start": ("Lesson 08, section 5", "Trained weights to start from"),
    "logit_slopes": ("Lesson 03, section 5", "What a logit does to the loss"),
    "spread": ("Lesson 06, section 2", "Spread before gain"),
    "schedules": ("Lesson 06, section 5", "A schedule"),
    "averaging": ("Lesson 06, section 6", "Averaged weights"),
    "stopping": ("Lesson 06, section 7", "Early stopping"),
}
"""Where to read again: the lesson and section, and its title (a test compares them with the lessons)."""


@dataclass(frozen=True)
class Belief:
    """One belief: in a learner's words, how it really is, and where and how to look."""

    words: str
    truth: str
    section: str
    """A key of SECTIONS."""
    where: str
    """Hint 2: where to look."""
    think: str
    """Hint 3: how to think about it."""


BELIEFS = {
    "gradients_reset": Belief(
        "gradients reset themselves",
        "backward adds to what is in .grad already, until somebody clears it",
        "accumulation",
        "Look for the place in your loop where the gradients of the last update are cleared.",
        "Write down what .grad holds after the first backward, after the first update, and after the second "
        "backward. Which of the three numbers should the second update use?",
    ),
    "backward_updates": Belief(
        "backward changes the weights",
        "backward only fills .grad; the weights move when the optimiser takes a step",
        "step",
        "Count in your code how often the optimiser is asked to move the weights.",
        "Two things happen after the loss is known: somebody finds out in which direction to go, and somebody "
        "goes. Which line does which?",
    ),
    "step_computes": Belief(
        "step computes the gradients",
        "step uses the gradients it finds in .grad; backward puts them there",
        "order",
        "Look at what stands before the call of step: has this batch's loss been differentiated by then?",
        "Follow one batch with a finger. At the moment of the update, which batch do the gradients come from?",
    ),
    "zero_grad_anywhere": Belief(
        "zero_grad may stand anywhere",
        "gradients that are cleared between backward and step are gone before they are used",
        "order",
        "Look at what happens to .grad between the moment it is filled and the moment it is used.",
        "A gradient is born in backward and used in step. When may it be thrown away?",
    ),
    "probabilities_in": Belief(
        "probabilities go into cross-entropy",
        "cross-entropy takes logits and does the softmax itself; anything squeezed before it is squeezed twice",
        "softmax_first",
        "Follow the logits from the model to the loss: what is done to them on the way?",
        "Which range do logits have, and which range does what you pass on have? What can the loss then no "
        "longer tell apart?",
    ),
    "eval_stops_gradients": Belief(
        "eval() switches gradients off",
        "eval() changes how layers such as dropout behave; only no_grad stops PyTorch from recording",
        "modes",
        "Look at how your evaluation is wrapped: there are two switches, and they do different things.",
        "One switch is about what the layers compute, the other about what PyTorch remembers of the computation. "
        "An evaluation wants both set. Which one did you set?",
    ),
    "no_grad_stops_dropout": Belief(
        "no_grad switches dropout off",
        "no_grad stops PyTorch from recording; dropout stays at work until eval() is called",
        "modes",
        "Look at how your evaluation is wrapped: there are two switches, and they do different things.",
        "Evaluate the same model twice on the same images. If the two results differ, which layer could be at "
        "fault, and what tells it to stop?",
    ),
    "mode_returns": Belief(
        "training mode comes back by itself",
        "a model stays in the mode it was last put into, so every loop sets the mode it needs",
        "modes",
        "Look at the first lines of your function: in which mode is the model when the loop starts?",
        "Somebody evaluated the model just before your function was called. What did that leave behind?",
    ),
    "mean_of_means": Belief(
        "the mean of batch means is the mean",
        "a short last batch then counts too much; averages count samples, not batches",
        "averages",
        "Look at how you put the batches together: by what does each batch's value get multiplied, and by what "
        "do you divide at the end?",
        "Take one batch of 4 samples with mean 1 and one of 1 sample with mean 6. What is the mean of the 5 "
        "numbers, and what does your code give?",
    ),
    "last_is_all": Belief(
        "the last batch's loss is the epoch's loss",
        "the last batch is one sample of many; an epoch's result takes in every batch",
        "loops",
        "Look at what your function keeps from each batch, and what it returns.",
        "If the data set were twice as long, would your result take the additional batches in?",
    ),
    "epoch_is_iteration": Belief(
        "an epoch is an iteration",
        "an iteration is one batch; an epoch is every batch once",
        "batches",
        "Look at which of the three numbers you used: samples, batch size, or batches.",
        "Draw ten samples as dots and put boxes of four around them. Count the dots, the boxes, and the dots in "
        "the last box.",
    ),
    "loader_shuffles": Belief(
        "the loader shuffles by default",
        "DataLoader keeps the order unless you ask for shuffle=True; only training needs to be shuffled",
        "shuffling",
        "Look at the arguments of each DataLoader, one after the other.",
        "For each loader ask: does the order change what is learnt from it? And what would leaving samples out "
        "change?",
    ),
    "test_for_choosing": Belief(
        "the test set is fine for choosing",
        "whoever chooses on the test set also chooses its luck; choose on validation, then test once",
        "test_once",
        "Look at every line that touches the test loader: what is decided afterwards with what it gives?",
        "Imagine somebody else holds the test images and hands you a single number for a single model. In which "
        "line of your code could you ask for it?",
    ),
    "summing_is_free": Belief(
        "summing loss tensors is free",
        "a loss tensor holds on to its graph; keep the number (loss.item()), and the graph can go",
        "loops",
        "Look at what you store of each batch: a number, or a tensor that knows where it came from?",
        "Ask each thing you keep after the loop: could somebody still call backward on you? If yes, memory is "
        "being kept for it.",
    ),
    "plain_list": Belief(
        "layers in a plain list are parameters of the model",
        "a module only finds layers that are its attributes or stand in a container such as nn.ModuleList",
        "module",
        "Look at how the layers are stored in __init__, and at what model.parameters() gives.",
        "The optimiser is handed model.parameters(). How does the model know which tensors belong to it?",
    ),
    "seed_everywhere": Belief(
        "a seed makes results equal everywhere",
        "a seed repeats a run on one machine; elsewhere sums are rounded in another order",
        "listing",
        "Look for a comparison of floats with ==.",
        "Add three numbers in two orders, in floats. Are the results equal to the last bit? How close must two "
        "results be before you call them the same?",
    ),
    "accuracy_is_loss": Belief(
        "accuracy is the loss",
        "the loss is what training lowers, and it has a slope; accuracy only counts right answers",
        "averages",
        "Look at which of the two numbers your code returns or compares.",
        "Change a logit by a very small amount. Which of the two numbers changes?",
    ),
    "one_hot": Belief(
        "labels must be one-hot",
        "cross-entropy takes class numbers (int64, one per sample); one-hot vectors would have to be floats",
        "labels",
        "Look at shape and dtype of the labels at the moment they enter the loss.",
        "What does the loss need to know of a sample: a row of ten numbers, or the number of one column?",
    ),
    "falling_loss_generalises": Belief(
        "a loss that falls means the model generalises",
        "the training loss says how well the training images are fitted; validation says how well others are",
        "validation",
        "Look at which data the number you decide by was measured on.",
        "Picture a model that learns every training image by heart. What would each of your numbers say of it?",
    ),
    "statistics_of_all": Belief(
        "mean and deviation may come from any images",
        "they are learnt from data like everything else, so they come from the training images only",
        "normalisation",
        "Look at which images your mean and your deviation are computed from.",
        "When the model is used one day, images come one at a time. Which mean will be subtracted then?",
    ),
    "bytes_are_floats": Belief(
        "bytes compute like floats",
        "a byte holds whole numbers from 0 to 255; below 0 it starts again at 255",
        "bytes",
        "Look at the dtype at each step, the first one above all.",
        "What is 3 - 5 for a number that cannot be negative?",
    ),
    "exp_is_harmless": Belief(
        "exp can take any number",
        "exp of a large logit is infinite in floats, and exp of one far below the others is 0",
        "cross_entropy",
        "Try your function on logits such as 1000 and look at each step.",
        "What happens to the probabilities if the same number is subtracted from all logits of a row? Which "
        "number would you like to subtract?",
    ),
    "new_tensor_is_update": Belief(
        "a new tensor under the old name changes the parameter",
        "the model keeps the tensor it has; only a change in place, without a graph, moves it",
        "step",
        "Look at the line that updates: does it change the tensor, or does it make another one?",
        "The model and your function both hold the same tensor. After your line, do they still?",
    ),
    "sum_is_mean": Belief(
        "a sum of means is a mean",
        "gradients of several batches add up, so each has to count by its share",
        "accumulation",
        "Look at the size of the gradient at the moment of the step, for one batch and for several.",
        "Two equal batches, each with the same gradient: how large should the gradient of both together be, and "
        "how large is it after two calls of backward?",
    ),
    "copied_prediction": Belief(
        "a prediction is only worth something if it is right",
        "it is worth something if it was made before: the surprise is what you learn from",
        "batches",
        "Look at the three values: what you predicted, what was measured, and what you say about the two.",
        "Nothing is lost by a wrong prediction here. Say honestly whether it held.",
    ),
    "last_is_best": Belief(
        "what was trained last is the best",
        "validation goes up and down, so the best may be long past; keep it when you see it",
        "validation",
        "Look at which model your function ends with, and at how that one was singled out.",
        "Write down the validation accuracies of all epochs or models, and mark the best. When did you last have "
        "that model in your hands?",
    ),
    "state_dict_copies": Belief(
        "state_dict() is a snapshot of the model",
        "it holds the model's own tensors, and training goes on changing them; only a copy stays as it is",
        "saving",
        "Look at the line that keeps the state of the best epoch: does it copy the numbers, or point at them?",
        "Keep a state_dict, train for one more epoch, and look at the kept tensors again. Are they still what "
        "they were?",
    ),
    "parameters_are_all": Belief(
        "a model is its parameters",
        "batch normalisation keeps running averages as well, as buffers; state_dict() holds both",
        "saving",
        "Compare what model.parameters() gives with the names in model.state_dict().",
        "In evaluation mode, which numbers does a batch normalisation use, and when were they made?",
    ),
    "train_starts_afresh": Belief(
        "training a model again starts from the beginning",
        "a model keeps what it has learnt, so a second training goes on from there; each run needs a new model",
        "validation",
        "Look at where the model is made: once, or anew for each run?",
        "Two runs are to be compared. What must be the same at their start, and is it?",
    ),
}
