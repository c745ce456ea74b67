"""The slider with a name, and the line that is read out."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

from fmnist_helpers import widgets
from fmnist_helpers.widgets.controls import Slider, Spoken


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


def test_colab_is_asked_to_show_them_and_nobody_else(monkeypatch):
    calls = []
    widgets._let_colab_show_them()
    colab = ModuleType("google.colab")
    colab.output = SimpleNamespace(enable_custom_widget_manager=lambda: calls.append("enabled"))
    monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    widgets._let_colab_show_them()
    assert calls == ["enabled"]
