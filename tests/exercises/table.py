"""What each graded task needs, which lesson teaches it, and how long it takes: ``python -m tests.exercises.table``.

A need is written as what somebody must know and as words that stand where it is taught. Where they first stand is
looked up: in a lesson up to the exercise's own, else in the exercise itself. The time is a count, at the lessons' pace.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat

from tests.exercises.bank import assignments, grade_id, is_answer, read_source, tasks
from tests.tools.course import LESSONS
from tests.tools.lesson_table import (
    LINES_PER_MINUTE,
    MINUTES_PER_ANSWER,
    WORDS_PER_MINUTE,
    num_words,
    to_state,
)

MINUTES_PER_TASK, MINUTES_PER_LINE = 5, 3
"""To begin with a task, and for each line of its solution: to think, to write, to read what the check says, to mend."""
EXPLAINED_PER_MINUTE = 15
"""Words that somebody writes in an explanation."""

NEEDS = {
    "normalise_by": {
        "bytes become floats between 0 and 1": "pixels.unsqueeze(0).float() / 255",
        "a mean over the images": ".mean(dim=0)",
        "mean and deviation of all pixels": "sample.std()",
        "(M, H, W) minus (H, W)": "*broadcasting*",
        "an axis of length 1": "unsqueeze(0)",
        "only training images count": "called *data leakage*",
    },
    "make_loaders_of": {
        "a loader, its batch size and its last batch": "DataLoader(train_data, batch_size=64)",
        "the short batch left out": "drop_last=True",
        "shuffling, for training alone": "shuffle=True, generator=",
        "a seed": "its *seed*, gives the same choice again",
    },
    "split_by_class": {
        "which classes occur": ".unique()",
        "the samples of a class": "*mask*",
        "their numbers": "torch.arange(len(labels))[labels == 2]",
        "a random order from a seed": "torch.randperm(len(train_data), generator=generator)",
        "samples by their numbers": "train_data.targets[drawn]",
        "tensors one after the other": "torch.cat([train_indices, valid_indices])",
    },
    "DeepNetwork": {
        "a module, its layers and its forward": "class WrittenOut(nn.Module)",
        "a ReLU between two layers": "called *ReLU*",
        "lists that a module can see": "`nn.ModuleList` and `nn.Sequential` are lists that the module can see",
        "neighbours in a list": "`pairwise` gives each number with the next one",
        "logits, not probabilities": "A softmax at the end of the model is a common mistake",
    },
    "parameters_by_layer": {
        "parameters and their names": "model.named_parameters()",
        "how many numbers one holds": "parameter.numel()",
        "frozen ones": "requires_grad = False",
        "the name of the layer": 'name.rpartition(".")[0]',
    },
    "confident_predictions": {
        "probabilities": "powers.sum(dim=1, keepdim=True)",
        "the largest and its place": "largest, places = table.max(dim=1)",
        "assignment to a mask": "numbers[numbers < 0] = 0",
        "both switches": "An evaluation wants both",
        "the mode, found and set": "`module.training` says which one it is in",
    },
    "model_loss": {
        "logits go into cross-entropy": "takes the *logits*",
        "labels are class numbers": "labels need not be one-hot",
        "nothing is recorded under no_grad": "`torch.no_grad()`, which stops PyTorch from recording",
    },
    "loss_over_batches": {
        "each batch by its number of samples": "each batch's mean is multiplied by its number of samples",
        "a Python number of a tensor": "`.item()` turns a tensor",
    },
    "cross_entropy_from_logits": {
        "a safe log of the softmax": "subtracts the largest logit first",
        "the pair that max gives": "`max(dim=1)` gives a pair",
        "the entry of the true class": "probabilities[torch.arange(len(labels)), labels]",
    },
    "order": {
        "who does what": "`step()` moves the parameters and computes no gradient",
        "where to clear": "as long as it never happens between `backward()` and `step()`",
        "no softmax before the loss": "## 6. Softmax before cross-entropy",
        "modes stay": "The mode is a switch that stays where you put it",
    },
    "descend": {
        "walking against the slope": "w = w - learning_rate * slope(w)",
        "gradients add up": "`backward()` *adds* to what is there",
        "a step in place, not recorded": "with torch.no_grad():\n        for parameter in parameters:",
        "a copy of a state": "you need a copy, `clone()`",
        "numbers without the record": "`detach()` gives a view of the numbers without the record",
        "a tensor for training": "requires_grad=True",
        "points in one tensor": "torch.stack(",
    },
    "nesterov_step": {
        "momentum": "*Momentum* keeps a *velocity*",
        "parameters moved in place": "def sgd_step(parameters, learning_rate)",
        "a new tensor moves nothing": "makes a *new* tensor and calls it `w`",
        "gradients that are None": "It sets them to `None`",
        "Nesterov's rule": "learning_rate · (gradient + momentum · velocity)",
    },
    "top_two_accuracy": {
        "both switches": "An evaluation wants both",
        "averages count samples": "The right average counts *samples*",
        "the two largest": "`topk(2, dim=1)` finds the two largest numbers",
    },
    "accuracy_by_class": {
        "both switches": "An evaluation wants both",
        "counts of whole numbers": "`bincount` counts",
        "guesses compared with labels": "`argmax(dim=1)` gives the place of the largest",
    },
    "train_accumulated": {
        "parts add up to the whole": "share = len(part_images) / 64",
        "an iteration in order": "So only one order makes sense: clear, then `backward()`, then `step()`",
        "the mode for training": "Evaluating a model does not bring it back to training mode",
        "a Python number of a tensor": "`.item()` turns a tensor",
    },
    "train_clipped": {
        "an iteration in order": "So only one order makes sense: clear, then `backward()`, then `step()`",
        "the mode for training": "Evaluating a model does not bring it back to training mode",
        "how gradients are clipped": "nn.utils.clip_grad_norm_(model.parameters(), max_norm)",
        "a Python number of a tensor": "`.item()` turns a tensor",
    },
    "build_model": {
        "a module of layers": "class WrittenOut(nn.Module)",
        "how many parameters it has": "count_parameters(",
        "no softmax at its end": "A softmax at the end of the model is a common mistake",
    },
    "train_keep_best": {
        "training and evaluating an epoch": "train_loop(",
        "the state of a model, put back": "load_state_dict",
        "a state that stays as it was": "deepcopy",
    },
    "choose_and_test": {
        "three splits, and what each is for": "a part of the training data is set aside",
        "an accuracy on a split": "test_loop(",
        "the test split, once": "The test images give the one number that you report",
    },
    "train_within_budget": {
        "images per epoch": "an *epoch* is all the batches once",
        "an optimiser and its rate": "much of the difference between optimisers is a difference of learning rates",
        "the best epoch": "train_keep_best(",
    },
}
"""Task → what it needs → words that stand where that is taught."""


def last_lesson(assignment: str) -> int:
    """Return the number of the lesson that an exercise goes with: the project with the last on training."""
    return 7 if assignment == "ex06_project" else int(assignment[2:4])


def cells_of_lessons(assignment: str) -> list[tuple[str, str]]:
    """Return all cells that somebody has seen before an exercise: where each stands, and its source."""
    return [
        (f"lesson {path.stem[:2]}, {section}", source)
        for path in LESSONS
        if int(path.stem[:2]) <= last_lesson(assignment)
        for section, source in _sections(path)
    ]


def _sections(path: Path) -> list[tuple[str, str]]:
    section, found = "opening", []
    for cell in nbformat.read(path, as_version=4).cells:
        if title := re.match(r"## (\d+)\.", cell.source):
            section = f"section {title[1]}"
        if "hide-cell" not in cell.metadata.get("tags", []):
            found.append((section, cell.source))
    return found


def own_text(assignment: str) -> str:
    """Return what an exercise shows anyway: its text and the code that is given."""
    return "\n".join(
        re.sub(r"### BEGIN.*?### END [A-Z ]+", "", cell.source, flags=re.DOTALL)
        for cell in read_source(assignment).cells
        if not (cell.cell_type == "markdown" and grade_id(cell))
    )


def taught_in(words: str, assignment: str) -> str | None:
    """Return where words first stand, or None."""
    where = next((place for place, source in cells_of_lessons(assignment) if words in source), None)
    return where or ("the exercise" if words in own_text(assignment) else None)


def solution(assignment: str, task: str) -> str:
    """Return the reference solution of a task, cell by cell, without what is given."""
    sources = {grade_id(cell): cell.source for cell in read_source(assignment).cells}
    parts = [sources[name] for name in tasks(assignment)[task].answers]
    return "\n".join(
        "\n".join(re.findall(r"### BEGIN SOLUTION\n(.*?) *### END", part, re.S)) for part in parts
    )


def calls(assignment: str, task: str) -> set[str]:
    """Return the names of PyTorch's and the package's that a reference solution writes after a dot."""
    sources = {grade_id(cell): cell.source for cell in read_source(assignment).cells}
    trees = [ast.parse(sources[name]) for name in tasks(assignment)[task].answers]
    names = {
        node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    } - OF_PYTHON
    own = {target.attr for tree in trees for target in ast.walk(tree) if _is_stored(target)}
    return names - own


OF_PYTHON = {"__init__", *dir(list), *dir(dict), *dir(str)}


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)


def counted_minutes(assignment: str) -> float:
    """Return how long an exercise takes: to read it, to predict, to write each task, and to explain."""
    cells = read_source(assignment).cells
    given = [cell for cell in cells if cell.cell_type == "code" and not is_answer(cell)]
    lines = sum(_num_lines(re.sub(r"### BEGIN.*", "", cell.source, flags=re.DOTALL)) for cell in given)
    explained = next(cell for cell in cells if cell.cell_type == "markdown" and is_explained(cell))
    names = [name for name in tasks(assignment) if name != "predict"]
    written = sum(_num_lines(solution(assignment, name)) for name in names)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown" and not is_explained(cell))
    return (
        num_words(text) / WORDS_PER_MINUTE
        + lines / LINES_PER_MINUTE
        + MINUTES_PER_ANSWER * len(_predicted(cells))
        + MINUTES_PER_TASK * len(names)
        + MINUTES_PER_LINE * written
        + num_words(explained.source) / EXPLAINED_PER_MINUTE
    )


def is_explained(cell: nbformat.NotebookNode) -> bool:
    """Return whether a cell holds the explanation that is marked by hand."""
    return cell.cell_type == "markdown" and bool(grade_id(cell))


def _predicted(cells: list[nbformat.NotebookNode]) -> list[str]:
    first = next(cell.source for cell in cells if is_answer(cell))
    return re.findall(r'"(\w+)": \.\.\.', first)


def _num_lines(source: str) -> int:
    return sum(bool(line.strip()) and not re.match(r"(from|import) ", line) for line in source.splitlines())


def table() -> str:
    """Return both tables as Markdown."""
    lines = ["| exercise | task | it needs | taught in |", "|---|---|---|---|"]
    for assignment in assignments():
        for task in (name for name in tasks(assignment) if name != "predict"):
            for what, words in NEEDS[task].items():
                lines.append(f"| {assignment[:4]} | `{task}` | {what} | {taught_in(words, assignment)} |")
    lines += ["", "| exercise | counted | to state |", "|---|---|---|"]
    for assignment in assignments():
        minutes = counted_minutes(assignment)
        lines.append(f"| {assignment} | {minutes:.0f} min | {to_state(minutes)} min |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
