"""The slider with a name, and the line that is read out."""

from __future__ import annotations

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
