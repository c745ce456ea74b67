"""The interactive parts, driven through the values of their controls: what they show before and after."""

from __future__ import annotations

import base64
import functools
import io
import re
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fmnist_helpers as fh
from fmnist_helpers import widgets
from fmnist_helpers.study import Row, Study, read_study
from fmnist_helpers.widgets import faults, training
from fmnist_helpers.widgets.chart import Scale, line_chart
from fmnist_helpers.widgets.data import byte_table, order_of_epochs, split_of
from fmnist_helpers.widgets.loss import consequences
from fmnist_helpers.widgets.model import stages
from fmnist_helpers.widgets.optimizer import OPTIMIZERS, SURFACES, range_test, smooth, walk
from fmnist_helpers.widgets.parts import Interactive, Slider, Spoken, bar, pixels_source, table
from fmnist_helpers.widgets.study import mean_curve
from tests.conftest import COURSE_FOLDER
from tests.test_plots import contrast

STUDY = COURSE_FOLDER / "notebooks" / "results" / "study_real.json"


@pytest.fixture(scope="module")
def root(tiny_root):
    return tiny_root


@pytest.fixture
def loaders(root):
    return fh.make_loaders(root, batch_size=16, num_valid=100)


def make_loader(root):
    return lambda: fh.make_loaders(root, batch_size=16, num_valid=100).train


def cells(body):
    """Return the text of every cell of the tables in ``body``, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in rows
    ]


# --- what all have in common


@pytest.fixture(scope="module")
def every_part(root):
    loaders = fh.make_loaders(root, batch_size=16, num_valid=100)
    images, labels = next(iter(loaders.valid))
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    make = make_loader(root)
    # So few noisy images: these tests look at frames and texts, not at what is learnt.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "NUM_ITERATIONS", 3)
        patch.setattr(
            faults.run_with_fault,
            "__kwdefaults__",
            {**faults.run_with_fault.__kwdefaults__, "num_iterations": 3},
        )
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
        widgets.StudyExplorer(read_study(STUDY)),
    ]


def test_every_part_is_exported_and_has_a_caption(every_part):
    parts = {name for name in widgets.__all__ if isinstance(getattr(widgets, name), type)} - {"Prediction"}
    assert {type(part).__name__ for part in every_part} == parts
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
        assert re.match(rf'<img alt="{re.escape(part.still_alt)}"', bundle["text/html"])
        assert part.caption.as_html() in bundle["text/html"]
        assert "in JupyterLab or on Binder" in bundle["text/html"]


def test_still_pictures_are_the_same_in_every_run(root):
    for make in (
        lambda: widgets.ImageBrowser(root, num_valid=100),
        lambda: widgets.BatchBrowser(root, num_valid=100),
        widgets.OptimizerRace,
    ):
        assert make().still() == make().still()


def test_slider_keeps_its_value_in_range_and_names_its_options():
    slider = Slider("rate", options=[0.1, 1, 10], value=1)
    assert (slider.options, slider.min, slider.max, slider.number) == (["0.1", "1", "10"], 0, 2, 1)
    slider.value = 7
    assert slider.value == 2
    slider.value = -3
    assert slider.value == 0


def test_controls_report_to_screen_readers():
    assert 'role", "status"' in Spoken._esm
    assert "htmlFor" in Slider._esm and "aria-valuetext" in Slider._esm


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


# --- lesson 01


def test_image_browser_shows_the_bytes_of_the_garment(root):
    browser = widgets.ImageBrowser(root, num_valid=100)
    for split, label, place in (("test", 9, 3), ("validation", 0, 1)):
        browser.split.value, browser.label.value, browser.place.value = split, label, place
        images, labels, indices = browser._splits[split]
        pixels = images[indices][labels[indices] == label][place - 1]
        _, *rows = cells(browser.body)
        assert [[int(v) for v in row[1:]] for row in rows] == pixels.tolist()
        assert fh.CLASSES[label] in browser.spoken and f"the {split} split" in browser.spoken


def test_image_browser_keeps_to_the_garments_there_are(root):
    browser = widgets.ImageBrowser(root, num_valid=100)
    browser.place.value = 10_000
    _, labels, indices = browser._splits["training"]
    count = int((labels[indices] == 0).sum())
    assert f"garment {count} of {count}" in browser.spoken
    browser.split.value = "test"
    assert "garment 7 of 7 in the test split" in browser.spoken


def test_samples_of_a_split_are_those_of_its_loader(root):
    for loader in fh.make_loaders(root, num_valid=100, shuffle=False):
        images, labels, indices = split_of(loader)
        theirs = [torch.cat(part) for part in zip(*loader, strict=True)]
        torch.testing.assert_close(images[indices].unsqueeze(1) / 255, theirs[0])
        torch.testing.assert_close(labels[indices], theirs[1])


@pytest.mark.parametrize("shuffle", [True, False])
def test_order_is_that_of_the_loader_in_every_epoch(root, shuffle):
    loader = fh.make_loaders(root, batch_size=32, num_valid=100, shuffle=shuffle).train
    _, labels, indices = split_of(loader)
    for epoch in order_of_epochs(300, 32, shuffle, epochs=3):
        for chosen, (_, theirs) in zip(epoch, loader, strict=True):
            torch.testing.assert_close(labels[indices[chosen]], theirs)


def test_batch_browser_shows_the_last_short_batch_and_the_order(root):
    browser = widgets.BatchBrowser(root, num_valid=100)
    browser.batch_size.value, browser.batch.value = 64, 10_000
    labels = browser._split.labels[browser._split.indices]
    num_samples = len(labels)
    rest = num_samples % 64 or 64
    assert f"({rest}, 1, 28, 28)" in browser.spoken
    assert browser.body.count("<img") == rest
    browser.batch.value = 1
    shuffled = browser.spoken
    browser.epoch.value = 2
    assert browser.spoken != shuffled.replace("epoch 1", "epoch 2")
    browser.shuffle.value = False
    second = browser.spoken
    browser.epoch.value = 1
    assert browser.spoken == second.replace("epoch 2", "epoch 1")
    assert str(labels[:8].tolist()) in browser.spoken


# --- lesson 02


def test_layer_path_shows_what_hooks_see(loaders):
    images, _ = next(iter(loaders.valid))
    model = fh.NeuralNetwork()
    seen = []
    for layer in model.linear_relu_stack:
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output[0].detach()))
    model(images[3:4])
    mine = stages(model, images[3])
    for ours, theirs in zip(mine[1:], (seen[1], seen[3], seen[4]), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(mine[0], images[3].flatten())


def test_layer_path_follows_the_slider_and_the_switch(loaders):
    images, labels = next(iter(loaders.valid))
    model = fh.NeuralNetwork()
    path = widgets.LayerPath(model, images, labels)
    path.sample.value = 6
    probabilities = model(images[5:6]).softmax(dim=1)[0]
    shown = [float(row[2].rstrip("%")) for row in cells(path.body)[1:]]
    assert shown == pytest.approx((100 * probabilities).tolist(), abs=0.051)
    assert fh.CLASSES[int(probabilities.argmax())] in path.spoken
    assert "512 units are not 0" not in path.body
    before = path.body
    path.relu.value = False
    assert path.body != before
    assert path.body.count("512 units are not 0") == 2


# --- lesson 03


def test_consequences_agree_with_the_formula():
    logits = torch.tensor([1.0, -2.0, 0.5])
    found = consequences(logits, 1)
    expected = logits.double().softmax(dim=0)
    torch.testing.assert_close(found.probabilities, expected)
    assert found.loss == pytest.approx(-expected[1].log().item())
    torch.testing.assert_close(found.slopes, expected - torch.tensor([0.0, 1, 0]))


def test_softmax_first_cannot_reach_zero():
    logits = torch.tensor([10.0, -10, -10])
    assert consequences(logits, 0).loss < 1e-6
    found = consequences(logits, 0, softmax_first=True)
    assert found.loss == pytest.approx(torch.tensor(1 + 2 / torch.e).log().item(), abs=1e-6)
    assert found.slopes.abs().max() < 1e-6


def test_logit_explorer_tells_the_loss_of_its_sliders():
    explorer = widgets.LogitExplorer()
    assert f"{torch.tensor(3.0).log():.3f} nats" in explorer.spoken
    explorer.logits[0].value = 2.0
    expected = -torch.tensor([2.0, 0, 0]).log_softmax(dim=0)[0]
    assert f"{expected:.3f} nats" in explorer.spoken
    explorer.label.value = 1
    assert f"{-torch.tensor([2.0, 0, 0]).log_softmax(dim=0)[1]:.3f} nats" in explorer.spoken
    slopes = [float(row[4]) for row in cells(explorer.body)[1:]]
    assert sum(slopes) == pytest.approx(0, abs=0.002)
    before = explorer.spoken
    explorer.softmax_first.value = True
    assert explorer.spoken != before and "softmax twice" in explorer.body


def test_logit_explorer_takes_ten():
    explorer = widgets.LogitExplorer(10)
    assert len(explorer.logits) == 10
    assert f"{torch.tensor(10.0).log():.3f} nats" in explorer.spoken


@pytest.mark.parametrize("number", [1, 11])
def test_logit_explorer_refuses_another_number_of_classes(number):
    with pytest.raises(ValueError, match=f"num_classes is {number}; choose from 2 to 10"):
        widgets.LogitExplorer(number)


# --- lesson 04


@pytest.mark.parametrize("surface", SURFACES)
def test_sgd_walks_against_the_slope(surface):
    path = walk(surface, "SGD", (1.0, 1.0), 0.01, num_steps=3)
    for here, there in pairwise(path):
        point = here.clone().requires_grad_()
        SURFACES[surface](point).backward()
        torch.testing.assert_close(there, here - 0.01 * point.grad)


def test_race_on_the_narrow_valley_has_its_limits():
    race = widgets.OptimizerRace()
    race.rate.value = race.rate.options.index("0.1")
    # Across the valley SGD multiplies the distance by 1 - 25 * rate, so it runs away above 2 / 25.
    assert "SGD has run away" in race.spoken
    assert "Adam has" not in race.spoken
    race.rate.value = race.rate.options.index("0.0562")
    assert "has run away" not in race.spoken.split("momentum")[0]
    path = race.paths()["SGD"]
    torch.testing.assert_close(path[-1, 1], torch.tensor(2.0) * (1 - 25 * 0.0562) ** 40, atol=1e-5, rtol=1e-3)


def test_race_draws_a_map_for_each_optimiser_and_follows_its_controls():
    race = widgets.OptimizerRace()
    assert race.body.count("<img") == len(OPTIMIZERS)
    bodies = {race.body}
    race.surface.value = "saddle"
    bodies.add(race.body)
    race.start_x.value = 3
    bodies.add(race.body)
    race.start_y.value = -1
    bodies.add(race.body)
    assert len(bodies) == 4
    assert race.paths()["Adam"][0].tolist() == [3, -1]


def test_range_test_is_training_with_a_growing_rate(root):
    rates = [0.001, 0.01, 0.1, 0.5]
    fh.seed_everything(0)
    losses = range_test(fh.NeuralNetwork(), make_loader(root)(), OPTIMIZERS["SGD"], rates)
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    for rate, (images, labels), loss in zip(rates, make_loader(root)(), losses, strict=False):
        expected = nn.functional.cross_entropy(model(images), labels)
        assert loss == pytest.approx(expected.item(), abs=1e-5)
        model.zero_grad()
        expected.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= rate * parameter.grad


def test_range_test_breaks_off_when_the_loss_leaps(root):
    losses = range_test(fh.NeuralNetwork(), make_loader(root)(), OPTIMIZERS["SGD"], [1e6] * 18)
    assert len(losses) < 18
    assert not losses[-1] <= 10 * losses[0]


def test_range_test_keeps_each_optimisers_curve(root):
    test = widgets.RangeTest(fh.NeuralNetwork, make_loader(root))
    assert list(test.losses) == ["SGD"]
    assert test.run.description == "Test SGD"
    test.optimizer.value = "Adam"
    assert test.run.description == "Test Adam"
    test.start()
    test.wait()
    assert list(test.losses) == ["SGD", "Adam"]
    assert not test.run.disabled
    test.reading.value = 5
    assert f"Adam {test.losses['Adam'][5]:.3f}" in test.spoken
    test.reading.value = 149
    assert "No run has reached" in test.spoken


def test_smooth_is_a_running_mean():
    assert smooth([1.0, 3.0, 5.0, 7.0], 2) == [1.0, 2.0, 4.0, 6.0]


# --- lesson 05


@pytest.fixture
def dashboard(loaders):
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.TrainingDashboard(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 3)
    made.model = model
    return made


def test_dashboard_trains_as_fit_does(dashboard, root):
    assert "Not started" in dashboard.spoken
    dashboard.start_button.click()
    dashboard.wait()
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    train, valid, _ = fh.make_loaders(root, batch_size=16, num_valid=100)
    history = fh.fit(
        model, train, valid, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.05), 3
    )
    assert [row[:5] for row in dashboard.history] == [row[:5] for row in history]
    assert len(dashboard.losses) == 3 * len(train)
    assert "Done: 3 epochs" in dashboard.spoken
    assert dashboard.start_button.disabled and dashboard.stop_button.disabled


class Slow(nn.CrossEntropyLoss):
    """Takes its time, so that there is a middle to stop in."""

    def forward(self, logits, labels):
        time.sleep(0.02)
        return super().forward(logits, labels)


def test_dashboard_stops_keeps_the_model_and_goes_on(loaders):
    model = fh.NeuralNetwork()
    untrained = model.linear_relu_stack[0].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.TrainingDashboard(model, loaders.train, loaders.valid, Slow(), optimizer, 1)
    made.start()
    assert made.running and made.start_button.disabled and not made.stop_button.disabled
    while len(made.losses) < 3:
        time.sleep(0.005)
    made.stop_button.click()
    made.wait()
    assert 3 <= len(made.losses) < len(loaders.train)
    assert f"Stopped in epoch 1 after {len(made.losses)} of {len(loaders.train)} batches" in made.spoken
    assert not torch.equal(model.linear_relu_stack[0].weight, untrained)
    assert made.start_button.description == "Go on" and not made.start_button.disabled
    made.start()
    made.wait()
    assert len(made.history) == 1


def test_dashboard_tells_what_went_wrong(loaders):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.TrainingDashboard(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 1)
    made.start()
    made.wait()
    assert "Training ended with an error. ValueError" in made.spoken
    assert made.stop_button.disabled


def test_outside_of_jupyter_training_prints_lines(loaders, capsys):
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    history = widgets.watch_training(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 2)
    assert isinstance(history, fh.History) and len(history) == 2
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_in_a_notebook_training_waits_for_the_button(loaders, monkeypatch):
    monkeypatch.setattr(training, "_in_notebook", lambda: True)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    made = widgets.watch_training(model, loaders.train, loaders.valid, nn.CrossEntropyLoss(), optimizer, 2)
    assert isinstance(made, widgets.TrainingDashboard) and not made.running and not made.losses


def test_break_the_loop_runs_what_is_chosen_while_it_runs(loaders, root, monkeypatch):
    short = functools.partial(faults.run_with_fault, num_iterations=4)
    monkeypatch.setattr(training, "NUM_ITERATIONS", 4)
    monkeypatch.setattr(training, "run_with_fault", short)
    broken = widgets.BreakTheLoop(make_loader(root), loaders.valid)
    assert set(broken.curves) == {(faults.RIGHT, 0.1, False), ("no zero_grad", 0.1, False)}
    for fault in faults.FAULTS[1:]:
        broken.fault.value = fault
    broken.rate.value = 0.001
    broken.wait()
    last = faults.FAULTS[-1]
    assert {(faults.RIGHT, 0.001, True), (last, 0.001, True)} <= set(broken.curves)
    assert faults.TOLD[last] in broken.spoken
    right, faulty = (broken.curves[fault, 0.001, True].accuracies[-1][1] for fault in (faults.RIGHT, last))
    assert f"accuracy {right:.1%} without the fault and {faulty:.1%} with it" in broken.spoken
    # Nothing is run twice.
    kept = dict(broken.curves)
    broken.rate.value = 0.1
    broken.wait()
    assert all(broken.curves[key] is curve for key, curve in kept.items())


def test_a_right_loop_with_no_fault_is_plain_sgd(root):
    valid = next(iter(fh.make_loaders(root, num_valid=100).valid))
    curve = faults.run_with_fault(faults.RIGHT, 0.05, make_loader(root)(), valid, num_iterations=10)
    fh.seed_everything(0)
    model = fh.NeuralNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for (images, labels), loss in zip(make_loader(root)(), curve.losses, strict=False):
        optimizer.zero_grad()
        expected = nn.functional.cross_entropy(model(images), labels)
        expected.backward()
        optimizer.step()
        assert loss == expected.item()
    assert [iteration for iteration, _ in curve.accuracies] == [0, 10]


def test_a_run_leaves_the_random_numbers_of_the_lesson_alone(root):
    valid = next(iter(fh.make_loaders(root, num_valid=100).valid))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    faults.run_with_fault("no eval()", 0.05, make_loader(root)(), valid, dropout=True, num_iterations=2)
    torch.testing.assert_close(torch.rand(3), expected)


def test_unknown_fault_is_named(root):
    with pytest.raises(ValueError, match="there is no fault 'no coffee'"):
        faults.run_with_fault("no coffee", 0.1, [], (None, None))


def test_every_fault_has_its_words():
    assert set(faults.TOLD) == set(faults.FAULTS)


# --- predict, then look


def test_prediction_hides_the_result_until_the_answer_is_committed():
    question = widgets.Prediction("How much is 2 + 3?", ["4", "5"], lambda: 2 + 3, "Sums add.")
    assert question.outcome == "" and question.spoken == "" and question.commit.disabled
    assert question.answer.value is None
    question.answer.value = "4"
    assert question.outcome == "" and not question.commit.disabled
    question.commit.click()
    assert cells(question.outcome)[1] == ["4", "5"]
    assert question.spoken == "Not as you predicted. Sums add."
    assert question.answer.disabled and question.commit.disabled


def test_prediction_that_comes_true():
    question = widgets.Prediction("How much is 2 + 3?", ["4", "5"], lambda: 5)
    question.answer.value = "5"
    question.commit.click()
    assert question.spoken == "As you predicted."


def test_prediction_needs_the_right_answer_among_its_choices():
    with pytest.raises(ValueError, match="'7', which is not among"):
        widgets.Prediction("How much is 2 + 3?", ["4", "5"], lambda: 7)


def test_prediction_without_a_kernel_shows_the_question_and_not_the_result():
    bundle = widgets.Prediction("Which?", ["a <b>", "c"], lambda: "c", "Because.")._repr_mimebundle_()
    assert "a &lt;b&gt;" in bundle["text/html"] and "Because" not in bundle["text/html"]
    assert bundle["text/plain"] == "Predict: Which? (a <b> / c)"


# --- lesson 06


def small_study():
    """A first step, a large gain, and a small one; three seeds each, the last one stopped early twice."""

    def row(name, before, accuracies, **settings):
        curves = tuple((0.5, value)[: 1 if seed else 2] for seed, value in enumerate(accuracies))
        recipe = {"shuffle": False, "learning_rate": 0.1, **settings}
        return Row(name, before, recipe, 1000, tuple(accuracies), (10.0, 30.0, 11.0), curves)

    rows = [
        row("first", None, [0.50, 0.51, 0.52]),
        row("large", "first", [0.80, 0.81, 0.82], learning_rate=0.3),
        row("small", "large", [0.81, 0.82, 0.83], learning_rate=0.3, shuffle=True),
    ]
    return Study(rows, {})


def test_a_difference_is_judged_by_its_standard_error():
    explorer = widgets.StudyExplorer(small_study(), "large")
    # Each mean has a standard error of 1 / sqrt(3) points, their difference one of sqrt(2 / 3).
    error = f"{(2 / 3) ** 0.5:.2f}"
    assert explorer.spoken == (
        "large 81.00 ± 1.00 %, first 51.00 ± 1.00 %: a difference of +30.00 points, more than twice "
        f"its standard error of {error} points."
    )
    explorer.step.value = "small"
    assert explorer.other.value == "large"
    assert (
        f"a difference of +1.00 points, less than twice its standard error of {error} points"
        in explorer.spoken
    )


def test_the_table_shows_only_what_differs():
    explorer = widgets.StudyExplorer(small_study(), "small")
    assert cells(explorer.body) == [
        ["setting", "small", "large"],
        ["shuffle", "True", "False"],
        ["seconds", "11", "11"],
        ["parameters", "1,000", "1,000"],
    ]


def test_any_step_can_stand_beside_any_other_and_beside_itself():
    explorer = widgets.StudyExplorer(small_study(), "small")
    explorer.other.value = "first"
    assert explorer.spoken.startswith(
        "small 82.00 ± 1.00 %, first 51.00 ± 1.00 %: a difference of +31.00 points"
    )
    explorer.step.value = "first"
    assert explorer.spoken == "first: 51.00 ± 1.00 %."


def test_curves_are_means_of_the_seeds_that_are_still_running():
    assert mean_curve(small_study()["large"]) == [(1.0, 50.0), (2.0, 80.0)]


# --- charts


def test_scale_maps_ends_to_ends():
    scale = Scale(0.01, 100, 50, 450, log=True)
    assert (scale(0.01), scale(1), scale(100)) == pytest.approx((50, 250, 450))
    assert scale.ticks() == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert Scale(0, 10, 300, 0)(2.5) == 225


@pytest.mark.parametrize("value", range(0, 256, 5))
def test_bytes_in_the_table_can_be_read(value):
    shown = byte_table(np.full((28, 28), value, dtype=np.uint8))
    assert f"background: rgb({value},{value},{value})" in shown
    colour = re.search(r"; color: (#\w+)", shown)[1]
    assert contrast(colour, [value / 255] * 3) >= 4.5


def test_text_of_charts_stands_out():
    svg = line_chart({}, title="", xlabel="", ylabel="", xlim=(0, 1), ylim=(0, 1))
    assert contrast(re.search(r'fill="(#222)"', svg)[1], "white") >= 4.5


def test_line_chart_draws_the_points_it_is_given():
    svg = line_chart(
        {"a": [(0, 0), (1, 1)], "b": [(0, 1), (0.5, float("nan")), (1, 9)]},
        title="T <",
        xlabel="x",
        ylabel="y",
        xlim=(0, 1),
        ylim=(0, 1),
        size=(200, 200),
    )
    x, y = Scale(0, 1, 56, 186), Scale(0, 1, 136, 26)
    assert f"M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}" in svg
    # A gap at what is no number, and the edge for what lies outside.
    assert f"M{x(0):.1f} {y(1):.1f}M{x(1):.1f} {y(1):.1f}" in svg
    assert "T &lt;" in svg and svg.count("stroke-dasharray") == 4
