"""Every lesson in JupyterLab and a real browser: run, moved by keyboard, read by axe, and photographed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
import torch

from fmnist_helpers.exercises.turns import turns
from tests.browser.conftest import SCREENSHOTS
from tests.browser.opened import NOTEBOOK, Opened, opened_and_run
from tests.tools.course import LESSONS as PATHS
from tests.tools.course import NOTEBOOKS

LESSONS = [path.stem for path in PATHS]
DEBRIS = (
    "Error displaying widget",
    "Loading widget",
    "model_id",
    "VBox(",
    "Box(children",
    "it/s]",
    "Warning:",
)


@pytest.fixture(scope="module", params=LESSONS)
def opened(request, lab, browser) -> Iterator[Opened]:
    with opened_and_run(browser, lab, request.param) as lesson:
        yield lesson


only = pytest.mark.lessons
"""Runs a test in these lessons alone (``conftest.py`` drops the others)."""


# --- the whole lesson


def test_no_cell_failed(opened):
    code = [cell for cell in opened.cells() if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    wrong = [
        cell["source"]
        for cell in code
        if any(one["output_type"] == "error" for one in cell["outputs"])
        != ("raises-exception" in cell["metadata"].get("tags", []))
    ]
    assert wrong == [], "an error where none is meant, or none where one is"
    assert opened.errors == []


def test_no_result_was_on_the_screen_before_a_cell_was_run(opened):
    code = [cell for cell in opened.at_first if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert not any("regression-only" in cell["metadata"].get("tags", []) for cell in code)


def test_no_debris_is_shown(opened):
    shown = opened.page.locator(".jp-Notebook").inner_text()
    assert [words for words in DEBRIS if words in shown] == []
    stderr = [
        cell["source"]
        for cell in opened.cells()
        for one in cell.get("outputs", [])
        if one.get("name") == "stderr"
    ]
    assert stderr == []


def test_table_of_contents_lists_every_heading(opened):
    text = "\n".join(cell["source"] for cell in opened.cells() if cell["cell_type"] == "markdown")
    headings = re.findall(r"^#{1,2} (.+)$", text, flags=re.MULTILINE)
    opened.page.evaluate("async () => { await jupyterapp.commands.execute('toc:show-panel'); }")
    items = opened.page.locator(".jp-TableOfContents .jp-tocItem-content")
    items.nth(len(headings) - 1).wait_for(state="visible")
    assert [item.strip() for item in items.all_inner_texts()] == [
        heading.replace("`", "") for heading in headings
    ]
    opened.page.evaluate("async () => { await jupyterapp.commands.execute('filebrowser:activate'); }")


def test_every_control_has_a_name(opened):
    unnamed = opened.page.evaluate(
        """() => [...document.querySelectorAll('.jp-OutputArea :is(input, select, button, textarea)')]
        .filter(one => !(one.labels?.length && one.labels[0].textContent.trim())
                       && !one.textContent.trim() && !one.ariaLabel && !one.title)
        .map(one => one.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1280, 768])
def test_nothing_overflows_and_a_picture_is_kept(opened, theme, width):
    page = opened.page
    page.evaluate(
        "async theme => { await jupyterapp.commands.execute('apputils:change-theme', {theme}); }",
        f"JupyterLab {theme}",
    )
    page.evaluate("() => { jupyterapp.shell.collapseLeft(); }")
    page.set_viewport_size({"width": width, "height": 1000})
    page.wait_for_timeout(500)
    try:
        wide = page.evaluate(
            """() => [...document.querySelectorAll('.jp-OutputArea-output')]
            .filter(one => one.scrollWidth > one.clientWidth + 1)
            .map(one => one.innerText.slice(0, 80))"""
        )
        # Long printed lines scroll; figures and controls must fit.
        assert [text for text in wide if "Module" not in text and "def " not in text] == []
        unseen = page.evaluate(
            "() => [...document.querySelectorAll('.jp-OutputArea img')].filter(one => !one.naturalWidth).length"
        )
        assert unseen == 0
        photograph(opened, f"{opened.name}-{theme.lower()}-{width}.png", width)
    finally:
        page.set_viewport_size({"width": 1280, "height": 1000})


def photograph(opened: Opened, name: str, width: int) -> None:
    """Keep a picture of the whole lesson, from its top."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page = opened.page
    for _ in range(2):
        # What comes into view for the first time may turn out higher than it was thought to be.
        height = page.evaluate(
            "() => Math.max(...[...document.querySelectorAll('.jp-WindowedPanel-inner, .jp-WindowedPanel-viewport')]"
            ".map(one => one.scrollHeight))"
        )
        page.set_viewport_size({"width": width, "height": min(int(height) + 160, 16_000)})
        page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0; }")
        page.wait_for_timeout(500)
    page.screenshot(path=SCREENSHOTS / name)


def test_axe_finds_nothing_serious_in_what_the_lesson_shows(opened):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install -e '.[browser]'"
    ).Axe()
    opened.page.wait_for_timeout(300)
    found = axe.run(opened.page, context=".jp-OutputArea-output, .jp-RenderedMarkdown").response["violations"]
    serious = {
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    }
    assert serious == set()


# --- the interactive parts, by keyboard: what they say before and after


def said(part) -> str:
    return part.locator(".fmnist-spoken").text_content()


def wait_for(part, words: str, seconds: int = 60) -> str:
    """Wait until the spoken line of a part holds ``words``; return the line."""
    part.locator(".fmnist-spoken", has_text=words).wait_for(timeout=1000 * seconds)
    return said(part)


def wait_until(page, holds: Callable[[], bool], seconds: int = 60) -> None:
    """Wait for what no locator can say."""
    for _ in range(10 * seconds):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"not so after {seconds} seconds")


def press(part, label: str, *keys: str) -> None:
    """Reach a control by its label and press keys."""
    control = part.get_by_label(label, exact=True)
    control.focus()
    for key in keys:
        control.press(key)


@only("01_data")
def test_garments_and_their_bytes(opened):
    part = opened.part("Any garment, and its bytes")
    assert "T-shirt/top: garment 1 of 5500 in the training split" in said(part)
    first = part.locator("table").inner_text()
    press(part, "garment", "ArrowRight", "ArrowRight", "ArrowRight")
    wait_for(part, "T-shirt/top: garment 4 of 5500")
    assert part.locator("table").inner_text() != first
    press(part, "class", "ArrowDown")
    wait_for(part, "Trouser: garment 4 of 5500")
    press(part, "split", "ArrowDown")
    wait_for(part, "Trouser: garment 4 of 500 in the validation split")


@only("01_data")
def test_batches_of_the_loader(opened):
    part = opened.part("A batch, as the loader gives it")
    first = wait_for(part, "Batch 1 of 3438 in epoch 1: images of shape (16, 1, 28, 28)")
    assert part.locator("img").count() == 16
    press(part, "batch", "End")
    wait_for(part, "Batch 3438 of 3438 in epoch 1: images of shape (8, 1, 28, 28)")
    assert part.locator("img").count() == 8
    press(part, "batch", "Home")
    press(part, "epoch", "ArrowDown")
    assert wait_for(part, "Batch 1 of 3438 in epoch 2").split("labels")[1] != first.split("labels")[1]
    press(part, "shuffle", "Space")
    press(part, "epoch", "ArrowUp")
    in_order = wait_for(part, "in epoch 1")
    press(part, "epoch", "ArrowDown")
    assert wait_for(part, "in epoch 2").split("labels")[1] == in_order.split("labels")[1]


@only("02_model")
def test_path_through_the_layers(opened):
    part = opened.part("From pixels to probabilities")

    def shares():
        texts = part.locator("tbody td:last-child").all_text_contents()
        return [float(text.strip().rstrip("%")) for text in texts]

    before = shares()
    assert sum(before) == pytest.approx(100, abs=0.6) and max(before) < 20
    press(part, "garment", "ArrowRight")
    wait_until(opened.page, lambda: shares() != before)
    assert sum(shares()) == pytest.approx(100, abs=0.6)
    assert "512 units are not 0" not in part.text_content()
    press(part, "with ReLU", "Space")
    part.get_by_text("512 units are not 0").nth(1).wait_for()


@only("03_loss")
def test_logits_and_the_loss(opened):
    part = opened.part("Move a logit")
    wait_for(part, f"{torch.tensor(3.0).log():.3f} nats")
    press(part, "T-shirt/top", *["ArrowRight"] * 10)
    loss = -torch.tensor([1.0, 0, 0]).log_softmax(dim=0)[0]
    wait_for(part, f"{loss:.3f} nats")
    press(part, "softmax first (the mistake)", "Space")
    twice = -torch.tensor([1.0, 0, 0]).softmax(dim=0).log_softmax(dim=0)[0]
    wait_for(part, f"{twice:.3f} nats")
    press(part, "true class", "ArrowDown")
    other = -torch.tensor([1.0, 0, 0]).softmax(dim=0).log_softmax(dim=0)[1]
    wait_for(part, f"{other:.3f} nats")


@only("04_optimizer")
def test_race_of_the_optimisers(opened):
    part = opened.part("Four optimisers, one learning rate")
    assert "diverges" not in wait_for(part, "at rate 0.0562").split("momentum")[0]
    press(part, "learning rate", "ArrowRight", "ArrowRight")
    wait_for(part, "at rate 0.1, height above the lowest point: SGD diverges")
    assert part.locator("img").count() == 4
    picture = part.locator("img").last.get_attribute("src")
    press(part, "start across", "ArrowRight")
    wait_until(opened.page, lambda: part.locator("img").last.get_attribute("src") != picture)
    press(part, "surface", "ArrowDown")
    wait_for(part, "SGD 0.")


@only("06_better_training")
def test_range_test_of_another_optimiser(opened):
    part = opened.part("Which learning rate? A range test")
    assert "SGD" in said(part) and "Adam" not in said(part)
    press(part, "optimiser", "ArrowDown", "ArrowDown", "ArrowDown")
    part.get_by_role("button", name="Test Adam").press("Enter")
    line = wait_for(part, "Adam")
    press(part, "read at rate", "Home")
    line = wait_for(part, "at rate 1e-05: SGD")
    losses = [float(number) for number in re.findall(r"(?:SGD|Adam) ([\d.]+\d)", line)]
    assert losses == pytest.approx([2.3, 2.3], abs=0.1)


@only("05_training_loop")
def test_dashboard_trains_stops_and_goes_on(opened):
    part = opened.part("Training, live")
    assert said(part) == "Not started."
    part.get_by_role("button", name="Start").press("Enter")
    wait_for(part, "Epoch 1 of 3, batch")
    # While it trains, the kernel answers.
    answer = opened.page.evaluate(
        f"""async () => {{
        const future = {NOTEBOOK}.sessionContext.session.kernel.requestExecute({{code: '1 + 1'}});
        return (await future.done).content.status; }}"""
    )
    assert answer == "ok"
    part.get_by_role("button", name="Stop").press("Enter")
    line = wait_for(part, "Stopped in epoch 1 after")
    done, of = map(int, re.search(r"after (\d+) of (\d+) batches", line).groups())
    assert 0 < done < of == 860
    part.get_by_role("button", name="Go on").press("Enter")
    line = wait_for(part, "After epoch 1:", 120)
    assert float(re.search(r"validation accuracy ([\d.]+)%", line)[1]) > 50
    part.get_by_role("button", name="Stop").press("Enter")
    wait_for(part, "Stopped in epoch 2 after")


@only("05_training_loop")
def test_broken_loops_beside_the_right_one(opened):
    part = opened.part("Break the loop")

    def accuracies(words):
        line = wait_for(part, words, 120)
        return [float(number) for number in re.findall(r"([\d.]+)%", line)]

    right, buggy = accuracies("the growing sum of gradients")
    assert right > 60 and buggy < right - 20
    press(part, "bug", "ArrowDown")
    right, buggy = accuracies("moves nothing")
    assert right > 60 and buggy < 25


@only("07_model_for_images")
def test_window_moves_over_a_garment(opened):
    part = opened.part("A window that moves")
    row, column = map(int, re.search(r"row (\d+), column (\d+)", said(part)).groups())
    press(part, "row", "ArrowRight")
    wait_for(part, f"At row {row + 1}, column {column} ")
    press(part, "column", "ArrowLeft", "ArrowLeft")
    line = wait_for(part, f"At row {row + 1}, column {column - 2} ")
    shown = part.get_by_text("sum:").inner_text().removeprefix("sum: ")
    assert f"add up to {shown}." in line
    press(part, "row", "Home")
    press(part, "column", "Home")
    # The corner of a garment is black.
    wait_for(part, "At row 0, column 0 the nine products add up to 0.00")


@only("07_model_for_images")
def test_any_two_recipes_of_the_study(opened):
    part = opened.part("Which change paid?")
    assert said(part).startswith("CNN ") and ", one cycle " in said(part)
    picture = part.locator("img").get_attribute("src")
    press(part, "step", "Home")
    line = wait_for(part, "the tutorial: ")
    assert float(re.search(r"the tutorial: ([\d.]+) ±", line)[1]) < 80
    press(part, "step", "ArrowDown")
    wait_for(part, "shuffling ")
    press(part, "beside", "End")
    line = wait_for(part, "flips in turn ")
    assert float(re.search(r"a difference of ([-+−][\d.]+) points", line)[1].replace("−", "-")) < -10
    assert part.locator("img").get_attribute("src") != picture


def test_every_prediction_is_committed_by_keyboard_before_its_result_is_shown(opened):
    number = sum("\nPrediction(" in "\n" + cell["source"] for cell in opened.cells())
    verdicts = ("As you predicted.", "Not as you predicted.", "Close.")
    for place in range(number):
        question = the(opened, ".fmnist-prediction", place)
        assert question.locator("table").count() == 0
        commit = question.get_by_role("button", name="Commit")
        assert commit.is_disabled()
        if question.get_by_role("radio").count():
            question.get_by_role("radio").first.press("Space")
        else:
            # A number is an answer wherever a few words are.
            question.get_by_role("textbox").press_sequentially("0.5")
        question.get_by_role("button", name="Commit", disabled=False).wait_for()
        commit.press("Enter")
        question.locator("table").wait_for()
        predicted, given = question.locator("tbody tr > *").all_inner_texts()
        told = question.locator(".fmnist-spoken").text_content()
        if question.get_by_role("columnheader", name="you predicted").count():
            assert told.startswith(verdicts)
            assert predicted != given or told.startswith("As you predicted.")


def the(opened: Opened, selector: str, place: int):
    """Return one of several things on the page, as those come into being that are scrolled to."""
    found = opened.page.locator(selector)
    while found.count() <= place:
        found.last.scroll_into_view_if_needed()
        opened.page.wait_for_timeout(200)
    found.nth(place).scroll_into_view_if_needed()
    return found.nth(place)


def test_your_turn_by_keyboard(opened):
    """Unwritten, then wrong, then right, each by typing into the cell and Shift+Enter."""
    places = [at for at, cell in enumerate(opened.cells()) if "= your_turn(" in cell["source"]]
    for at in places:
        source = opened.cells()[at]["source"]
        name = re.search(r"^(\w+) = your_turn", source, flags=re.MULTILINE)[1]
        assert run_cell(opened, at).startswith(f"{name}: not written yet.")
        write(opened, at, source.replace("    ...\n", "    return 'wrong'\n"))
        assert run_cell(opened, at).startswith(f"{name}: not right yet.\n")
        solution = inspect.getsource(turns()[name].solution)
        before, call = source[: source.index("def ")], source.rpartition("\n\n\n")[2]
        write(opened, at, f"{before}{solution}\n\n{call}")
        assert run_cell(opened, at).startswith(f"{name}: right. ")


def write(opened: Opened, at: int, text: str) -> None:
    """Type a text into a cell in place of what stands there."""
    page = opened.page
    page.evaluate(
        f"""at => {{ const panel = {NOTEBOOK}.content; panel.activeCellIndex = at; panel.mode = 'edit'; }}""",
        at,
    )
    page.locator(".jp-Notebook .jp-mod-active .cm-content").focus()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def run_cell(opened: Opened, at: int) -> str:
    """Run a cell as Shift+Enter does; return what it prints."""
    page = opened.page
    before = opened.cells()[at]["execution_count"]
    page.evaluate(f"at => {{ {NOTEBOOK}.content.activeCellIndex = at; }}", at)
    page.locator(".jp-Notebook .jp-mod-active").first.focus()
    page.keyboard.press("Shift+Enter")
    wait_until(page, lambda: opened.cells()[at]["execution_count"] not in (None, before))
    return "".join(one.get("text", "") for one in opened.cells()[at]["outputs"])


def test_links_lead_from_lesson_to_lesson(opened):
    """The last test of a lesson: it leaves the page."""
    last = nbformat.read(NOTEBOOKS / f"{opened.name}.ipynb", as_version=4).cells[-1].source.splitlines()[-1]
    names = re.findall(r"\[([^\]]+)\]\((\w+\.ipynb)\)", last)
    assert names
    name, target = names[-1]
    link = opened.page.locator(".jp-RenderedMarkdown").last.get_by_role("link", name=name)
    link.click()
    opened.page.wait_for_function(
        f"target => {NOTEBOOK}?.context?.path.endsWith(target)", arg=Path(target).name
    )
