"""What all interactive parts have in common: frame, captions, pictures, tables."""

from __future__ import annotations

import base64
import functools
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers import widgets
from fmnist_helpers.recipes.study import read_study
from fmnist_helpers.widgets import broken_loop, lesson05_training_loop
from fmnist_helpers.widgets.views import Interactive, bar, pixels_source, table
from tests.tools.course import RESULTS
from tests.widgets.conftest import cells, make_loader


@pytest.fixture(scope="module")
def every_part(root):
    loaders = fh.make_loaders(root, batch_size=16, num_valid=100)
    images, labels = next(iter(loaders.valid))
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    make = make_loader(root)
    # So few noisy images: these tests look at frames and texts, not at what is learnt.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson05_training_loop, "NUM_ITERATIONS", 3)
        short = functools.partial(broken_loop.train_with_bug, num_iterations=3)
        patch.setattr(lesson05_training_loop, "train_with_bug", short)
        broken = widgets.BreakTheLoop(make, loaders.valid)
    return [
        widgets.ImageBrowser(root, num_valid=100),
        widgets.BatchBrowser(root, num_valid=100),
        widgets.LayerPath(model, images, labels),
        widgets.LogitExplorer(),
        widgets.OptimizerRace(),
        widgets.RangeTest(fh.NeuralNetwork, make),
        widgets.TrainingDashboard(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 2),
        broken,
        widgets.ConvolutionWindow(images[0, 0], {"upright edges": torch.tensor([[1.0, 0, -1]] * 3)}),
        widgets.StudyExplorer(read_study(RESULTS / "study_real.json")),
    ]


def test_every_part_is_exported_and_has_a_caption(every_part):
    parts = {name for name in widgets.__all__ if isinstance(getattr(widgets, name), type)}
    assert {type(part).__name__ for part in every_part} == parts - {"FileUpload", "Prediction"}
    for part in every_part:
        assert all(len(text) > 10 for text in part.caption)
        assert "!" not in "".join(part.caption)
        assert part.caption.try_this.endswith(".") and part.caption.predict.endswith("?")
        for word in ("Try", "Predict", "Notice"):
            assert f"<em>{word}:</em>" in part.children[0].value


def test_every_control_has_a_label(every_part):
    for part in every_part:
        assert part.controls
        for control in part.controls:
            assert control.description


def test_every_picture_has_a_text_alternative(every_part):
    for part in every_part:
        pictures = re.findall(r"<img [^>]*", part.body + part.still())
        assert pictures or "<table" in part.body
        for one in pictures:
            assert len(re.match(r'<img alt="([^"]*)"', one)[1]) >= 3


def test_every_table_has_headers_and_a_caption(every_part):
    for part in every_part:
        assert part.body.count("<table") == part.body.count("<caption") == part.body.count("<thead")
        for one in re.findall(r"<table.*?</table>", part.body, flags=re.DOTALL):
            assert 'scope="col"' in one and 'scope="row"' in one


def test_without_a_kernel_a_still_picture_and_the_caption_stand_in(every_part):
    for part in every_part:
        bundle = part._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert bundle["text/plain"] == part.still_alt
        alternative = re.escape(part.still_alt)
        starts = rf'<img alt="{alternative}"|<div role="group" aria-label="{alternative}">'
        assert re.match(starts, bundle["text/html"])
        assert part.caption.as_html() in bundle["text/html"]
        assert "in JupyterLab or on Binder" in bundle["text/html"]


def test_still_pictures_are_the_same_in_every_run(root):
    for make in (
        lambda: widgets.ImageBrowser(root, num_valid=100),
        lambda: widgets.BatchBrowser(root, num_valid=100),
        widgets.OptimizerRace,
    ):
        assert make().still() == make().still()


@pytest.mark.parametrize("scale", [255, 1])
def test_pixels_come_through_unchanged(scale):
    grey = np.arange(0, 252, dtype=np.uint8).reshape(12, 21)
    source = pixels_source(grey if scale == 255 else grey.astype(np.float32) / 255)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))
    np.testing.assert_array_equal(shown, np.kron(grey, np.ones((4, 4), dtype=np.uint8)))


def test_table_and_bar():
    made = table(("a", "b"), [("x", bar(0.5, "0.50")), ("y", bar(2, "2"))], "what")
    assert cells(made) == [["a", "b"], ["x", "0.50"], ["y", "2"]]
    assert "width: 45.0px" in made and "width: 90.0px" in made


def test_interactive_itself_has_nothing_to_show():
    with pytest.raises(NotImplementedError):
        Interactive.view(None)
    with pytest.raises(NotImplementedError):
        Interactive.still(None)
