"""A kernel without ipywidgets runs every lesson's parts: each shows its still, and says what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.course import LESSONS

WITHOUT = """
import importlib.abc, json, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing, root = sys.argv[1:]
sys.meta_path.insert(0, Missing())
import torch
import fmnist_helpers as fh
from fmnist_helpers import widgets

loaders = fh.make_loaders(root, batch_size=16, num_valid=100)
images, labels = next(iter(loaders.valid))
parts = [
    widgets.ImageBrowser(root, num_valid=100),
    widgets.BatchBrowser(root, num_valid=100),
    widgets.LayerPath(fh.NeuralNetwork(), images, labels),
    widgets.LogitExplorer(),
    widgets.OptimizerRace(),
    widgets.RangeTest(fh.NeuralNetwork, lambda: loaders.train),
    widgets.Prediction("How many?", number=True, run=lambda: 3),
    widgets.Prediction("Which?", choices=["a", "b"], run=lambda: "a"),
    widgets.Prediction("Why?", run=lambda: "because"),
]
upload = widgets.FileUpload(accept="image/png", description="Your picture")
assert upload.value == () and upload.description == "Your picture"
parts[0].label.value = 1  # a control of a part still leads to what it shows
print(json.dumps([[part._repr_mimebundle_() for part in parts], parts[0].spoken]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["ipywidgets", "anywidget"])
def test_parts_show_their_stills_and_say_what_is_missing(missing, tiny_root):
    command = [sys.executable, "-c", WITHOUT, missing, str(tiny_root)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    bundles, spoken = json.loads(done.stdout.splitlines()[-1])
    for bundle in bundles:
        assert set(bundle) == {"text/html", "text/plain"}
        assert "%pip install ipywidgets anywidget" in bundle["text/html"]
    assert sum("<img " in bundle["text/html"] for bundle in bundles) == 6
    assert spoken.startswith("Trouser")


def test_lessons_take_their_controls_from_the_course():
    for path in LESSONS:
        assert "ipywidgets import" not in path.read_text(encoding="utf-8"), (
            f"{path.name} needs ipywidgets itself"
        )
