"""A JupyterLab that cannot show widgets: stills and words stand in for the interactive parts, and nothing is red."""

from __future__ import annotations

import json

import pytest

from tests.browser.opened import opened_and_run

WIDGETS = "@jupyter-widgets/jupyterlab-manager"
LESSON = "02_model"


@pytest.fixture(scope="module")
def opened(start_lab, browser, tmp_path_factory):
    settings = tmp_path_factory.mktemp("settings")
    (settings / "labconfig").mkdir()
    off = {"disabledExtensions": {WIDGETS: True}}
    (settings / "labconfig" / "page_config.json").write_text(json.dumps(off))
    with (
        start_lab(JUPYTER_CONFIG_DIR=str(settings)) as address,
        opened_and_run(browser, address, LESSON) as lesson,
    ):
        yield lesson


def outputs_with_widgets(opened):
    """Return index and data of each output that would be a widget."""
    return [
        (at, one["data"])
        for at, cell in enumerate(opened.cells())
        for one in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in one.get("data", {})
    ]


def test_each_interactive_part_shows_what_stands_for_it(opened):
    parts = outputs_with_widgets(opened)
    assert len(parts) >= 5
    for at, _ in parts:
        opened.page.evaluate("at => { jupyterapp.shell.currentWidget.content.activeCellIndex = at; }", at)
        cell = opened.page.locator(f".jp-Cell >> nth={at}")
        shown = cell.locator(".jp-OutputArea-output")
        shown.last.scroll_into_view_if_needed()
        # What is out of sight is drawn late, so the words are waited for.
        cell.get_by_text("Run this cell in JupyterLab or on Binder").first.wait_for()
        words = " ".join(shown.all_inner_texts())
        assert "Error" not in words and "model_id" not in words, words
