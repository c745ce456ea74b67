"""The interactive parts of the lessons, made of ipywidgets.

Each is a frame of caption, controls and a view; each works without a browser through the values of its controls.
"""

from fmnist_helpers.widgets.data import BatchBrowser, ImageBrowser
from fmnist_helpers.widgets.loss import LogitExplorer
from fmnist_helpers.widgets.model import LayerPath
from fmnist_helpers.widgets.optimizer import OptimizerRace, RangeTest
from fmnist_helpers.widgets.prediction import Prediction
from fmnist_helpers.widgets.study import StudyExplorer
from fmnist_helpers.widgets.training import BreakTheLoop, TrainingDashboard, watch_training

__all__ = [
    "BatchBrowser",
    "BreakTheLoop",
    "ImageBrowser",
    "LayerPath",
    "LogitExplorer",
    "OptimizerRace",
    "Prediction",
    "RangeTest",
    "StudyExplorer",
    "TrainingDashboard",
    "watch_training",
]
