"""Train the tutorial's recipe with several seeds and store every epoch: what lesson 05 compares with.

    python -m tests.benchmarks.tutorial_recipe              # the real data, five seeds, a few minutes
    python -m tests.benchmarks.tutorial_recipe --source standin

The recipe: NeuralNetwork, SGD with learning rate 1e-3, batches of 64, all 60,000 training images in their
order, the test split after every epoch. Only the first weights differ from seed to seed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from pathlib import Path

import torch
from torch import nn

import fmnist_helpers as helpers

NUM_EPOCHS = 10
RESULTS = Path(__file__).resolve().parents[2] / "notebooks" / "results"


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
    """Run the seeds, print the last epoch of each and store all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=("real", "standin"), default="real")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    root = helpers.prepare_data(source=arguments.source)
    runs = {seed: run(seed, root) for seed in range(arguments.seeds)}
    for seed, results in runs.items():
        print(f"seed {seed}: accuracy {results[-1].accuracy:.2%}, loss {results[-1].loss:.4f}")
    accuracies = [100 * results[-1].accuracy for results in runs.values()]
    losses = [results[-1].loss for results in runs.values()]
    print(f"mean accuracy {statistics.mean(accuracies):.2f} %, mean loss {statistics.mean(losses):.4f}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"tutorial_recipe_{arguments.source}.json"
    content = {
        "recipe": "SGD 1e-3, batch 64, 60,000 images in order, test split after each epoch",
        "command": f"python -m tests.benchmarks.tutorial_recipe --source {arguments.source}",
        "machine": f"{platform.machine()}, 1 thread, torch {torch.__version__}",
        "accuracy_percent": {s: [round(100 * r.accuracy, 2) for r in runs[s]] for s in runs},
        "loss": {s: [round(r.loss, 6) for r in runs[s]] for s in runs},
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
