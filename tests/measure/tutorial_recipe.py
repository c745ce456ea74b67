"""Train the tutorial's recipe with several seeds and store every epoch: what lesson 05 compares with.

    python -m tests.measure.tutorial_recipe              # the real data, five seeds, a few minutes
    python -m tests.measure.tutorial_recipe --source standin

The recipe: NeuralNetwork, SGD with learning rate 1e-3, batches of 64, all 60,000 training images in their
order, the test split after every epoch. Only the first weights differ from seed to seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

import fmnist_helpers as helpers
from fmnist_helpers.runtime import processor, versions
from tests.measure.results import store
from tests.measure.spread import mean_and_deviation
from tests.measure.study import SOURCES, default_source
from tests.tools.course import RESULTS

NUM_EPOCHS = 10


def run(seed: int, root: Path) -> list[helpers.LoopResult]:
    """Return loss and accuracy on the test split after each epoch."""
    helpers.seed_everything(seed)
    model = helpers.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    loss_fn = nn.CrossEntropyLoss()
    loaders = helpers.make_loaders(root, batch_size=64, num_valid=0, shuffle=False)
    results = []
    for _ in range(NUM_EPOCHS):
        helpers.train_loop(loaders.train, model, loss_fn, optimizer, verbose=False)
        results.append(helpers.test_loop(loaders.test, model, loss_fn, verbose=False))
    return results


def main() -> None:
    """Run the seeds, print how they end and store every epoch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=SOURCES, default=default_source())
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    root = helpers.prepare_data(source=arguments.source)
    runs = {seed: run(seed, root) for seed in range(arguments.seeds)}
    accuracies = [100 * results[-1].accuracy for results in runs.values()]
    losses = [results[-1].loss for results in runs.values()]
    print(
        f"at the end: accuracy in % {mean_and_deviation(accuracies, 2)}, loss {mean_and_deviation(losses, 3)}"
    )
    content = {
        "recipe": "SGD 1e-3, batch 64, 60,000 images in order, test split after each epoch",
        "command": f"python -m tests.measure.tutorial_recipe --source {arguments.source}",
        "machine": f"{processor()}, {versions()}",
        "accuracy_percent": {s: [100 * r.accuracy for r in runs[s]] for s in runs},
        "loss": {s: [r.loss for r in runs[s]] for s in runs},
    }
    store(content, RESULTS / f"tutorial_recipe_{arguments.source}.json")


if __name__ == "__main__":
    main()
