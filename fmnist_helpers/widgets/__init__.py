"""The interactive parts of the lessons, made of ipywidgets.

Each is a frame of caption, controls and a view; each works without a browser through the values of its controls.
"""

import sys

from fmnist_helpers.widgets.lesson01_data import BatchBrowser, ImageBrowser
from fmnist_helpers.widgets.lesson02_model import LayerPath
from fmnist_helpers.widgets.lesson03_loss import LogitExplorer
from fmnist_helpers.widgets.lesson04_optimizer import OptimizerRace
from fmnist_helpers.widgets.lesson05_training_loop import BreakTheLoop, TrainingDashboard, watch_training
from fmnist_helpers.widgets.lesson06_better_training import RangeTest
from fmnist_helpers.widgets.lesson07_model_for_images import ConvolutionWindow, StudyExplorer
from fmnist_helpers.widgets.prediction import Prediction
from fmnist_helpers.widgets.toolkit import FileUpload

__all__ = [
    "BatchBrowser",
    "BreakTheLoop",
    "ConvolutionWindow",
    "FileUpload",
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


def _let_colab_show_them() -> None:
    """Ask Colab for what it leaves out by default: widgets that are not among ipywidgets' own."""
    if "google.colab" in sys.modules:
        from google.colab import output

        output.enable_custom_widget_manager()


_let_colab_show_them()
