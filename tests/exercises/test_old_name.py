"""Notebooks that were handed out before version 1.0 import ``fmnist_helpers.checks``; they go on working."""

from __future__ import annotations

import subprocess
import sys

from tests.tools.course import COURSE

HANDED_OUT = """
from fmnist_helpers.checks import CheckFailed, hint, trace_training
from fmnist_helpers.checks.prediction import check_prediction
from fmnist_helpers.checks.data import check_make_loaders_of, check_split_by_class
from fmnist_helpers.checks.model import check_deep_network
from fmnist_helpers.checks.loss import check_cross_entropy, check_loss_over_batches, check_model_loss
from fmnist_helpers.checks.optimizer import check_descend, check_order
from fmnist_helpers.checks.training_loop import check_every_loss, check_top_two_accuracy, check_train_clipped
from fmnist_helpers.checks.project import check_build_model, check_train_keep_best
import fmnist_helpers.checks.diagnosis as diagnosis
import fmnist_helpers.exercises.ex05_training_loop as new

def top_two_accuracy(dataloader, model):
    raise NotImplementedError

try:
    check_top_two_accuracy(top_two_accuracy)
except CheckFailed as failure:
    print(failure.belief, len(failure.hints), "it is not written yet" in str(failure))
print(check_top_two_accuracy is new.check_top_two_accuracy, diagnosis.CheckFailed is CheckFailed)
hint()
"""


def test_old_imports_work_and_one_sentence_says_what_is_new():
    done = subprocess.run([sys.executable, "-c", HANDED_OUT], cwd=COURSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # nbgrader would take anything on stderr for a failure.
    assert done.stderr == ""
    told, failed, same, *_ = done.stdout.splitlines()
    assert told.startswith("fmnist_helpers.checks is called fmnist_helpers.exercises now; ") and "2.0" in told
    assert failed == "None 2 True"
    assert same == "True True"
