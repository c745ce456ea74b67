"""What the comparison of notebook outputs must accept and what it must refuse."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.lessons.tolerance import Text, Tolerance

LOOSE = Tolerance(percent=5, decimal=0.15)


def equal(left, right, tolerance=LOOSE):
    return Text(left, tolerance) == Text(right, tolerance)


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("loss: 2.30", "loss: 2.40"),
        ("loss: 0.15", "loss: 0.30"),
        ("loss: -0.05", "loss: 0.05"),
        ("Accuracy: 70.7%", "Accuracy: 74.9%"),
        ("Accuracy: 98%", "Accuracy: 100%"),
        ("Accuracy:  9.9 %", "Accuracy: 10.1 %"),
        ("1.5e-02 of 10 classes", "2.5e-02 of 10 classes"),
        ("loss: 2.298730  [   64/60000]", "loss: 2.301234  [   64/60000]"),
        ("tensor([0.10, 0.90])", "tensor([0.20, 0.80])"),
        ("no number at all", "no number at all"),
    ],
)
def test_small_differences_of_measured_numbers_are_accepted(stored, new):
    assert equal(stored, new)
    assert equal(new, stored)


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("loss: 2.30", "loss: 2.46"),
        ("Accuracy: 70.7%", "Accuracy: 75.8%"),
        ("60000 images", "60001 images"),
        ("torch.Size([64, 1, 28, 28])", "torch.Size([64, 1, 28, 29])"),
        ("loss: 2.298730  [   64/60000]", "loss: 2.298730  [  128/60000]"),
        ("Shirt 70.7%", "Coat 70.7%"),
        ("loss: 2.3", "loss: 2"),
        ("loss: 2.3", "loss: 2.3%"),
        ("loss: 2.3", "loss: nan"),
        ("loss: 2.3 2.3", "loss: 2.3"),
        ("a 1.0\nb 1.0", "a 1.0 b 1.0"),
        ("torch 2.15.0", "torch 2.15.1"),
        ("conv2.5", "conv2.6"),
        ("", "0.1"),
        ("True", "False"),
        ("3-5", "3+5"),
    ],
)
def test_everything_else_is_refused(stored, new):
    assert not equal(stored, new)
    assert Text(stored, LOOSE) != Text(new, LOOSE)


@pytest.mark.parametrize(("stored", "new"), [("0.1", "0.1000"), ("0.10", "0.11"), ("a  b", "a b")])
def test_without_a_tag_every_character_counts(stored, new):
    assert not equal(stored, new, Tolerance.from_tags(["hide-input"]))
    assert equal(stored, stored, Tolerance.from_tags([]))


def test_each_kind_has_its_own_limit():
    only_percent = Tolerance.from_tags(["approx:percent=5"])
    assert equal("71.0% 0.7", "74.0% 0.7", only_percent)
    assert not equal("71.0% 0.7", "71.0% 0.71", only_percent)
    only_decimal = Tolerance.from_tags(["other", "approx:decimal=0.02"])
    assert equal("71.0% 0.7", "71.0% 0.71", only_decimal)
    assert not equal("71.0% 0.7", "71.1% 0.7", only_decimal)


@pytest.mark.parametrize(
    "tag",
    [
        "approx",
        "approx:",
        "approx:5",
        "approx:percent",
        "approx:percent=",
        "approx:integer=1",
        "approx:percent=-1",
        "approx:decimal=inf",
        "approx:percent=5,decimal=1",
        "approximately",
    ],
)
def test_a_tag_that_says_nothing_clear_is_an_error(tag):
    with pytest.raises(ValueError, match="is no tolerance"):
        Tolerance.from_tags([tag])


def test_two_tolerances_are_an_error():
    with pytest.raises(ValueError, match="more than one"):
        Tolerance.from_tags(["approx:percent=5", "approx:decimal=1"])


def test_pixels_are_not_compared_but_the_text_alternative_is():
    exact = Tolerance()
    one, other = (f'<img alt="{alt}" src="data:image/png;base64,{data}">' for alt, data in ["aA", "aB"])
    assert exact.prepare(one) == exact.prepare(other)
    assert exact.prepare(one) != exact.prepare(other.replace('alt="a"', 'alt="b"'))


SHOWN = (
    '<img alt="Line chart: T. In this run: a: rises from 1 to 2." src="x"><details><summary>The values</summary>'
    "<ul><li><strong>a</strong>: 0: 1, 1: 2</li></ul></details>"
)


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("rises from 1 to 2", "falls from 3 to 0, turning 7 times", True),
        ("1: 2<", "1: 2, 2: 3<", True),
        ("Line chart: T", "Line chart: S", False),
        (" In this run: a: rises from 1 to 2.", "", False),
        ("<summary>The values</summary>", "<summary>Values</summary>", False),
        ('src="x"', 'src="y"', False),
    ],
)
def test_what_a_figure_says_of_one_run_is_not_compared_and_all_else_is(old, new, is_same):
    assert old in SHOWN
    exact = Tolerance()
    assert (exact.prepare(SHOWN) == exact.prepare(SHOWN.replace(old, new))) == is_same
    assert exact.prepare("T. In this run: a: 1.\nmore") != exact.prepare("T. In this run: a: 1.\nless")


def test_what_is_no_text_stays_as_it_is():
    assert LOOSE.prepare({"a": 1.0}) == {"a": 1.0}
    assert LOOSE.prepare({"a": 1.0}) != {"a": 1.1}


CELLS = (
    # what is stored, what is printed now, the tags, whether nbval passes it
    ("loss 2.30\n", "loss 2.35", ["approx:decimal=0.1"], True),
    ("loss 2.30\n", "loss 2.45", ["approx:decimal=0.1"], False),
    ("loss 2.30\n", "loss 2.35", [], False),
    ("loss 2.30\n", "lost 2.30", ["approx:decimal=0.1"], False),
)


def test_cells_turn_red_and_green_through_nbval(pytester, request, monkeypatch):
    notebook = new_notebook()
    for stored, printed, tags, _ in CELLS:
        cell = new_code_cell(f"print({printed!r})", outputs=[new_output("stream", text=stored)])
        cell.execution_count = len(notebook.cells) + 1
        cell.metadata.tags = tags
        notebook.cells.append(cell)
    nbformat.write(notebook, pytester.path / "lesson.ipynb")
    root = request.config.rootpath
    pytester.makeconftest((root / "conftest.py").read_text())
    monkeypatch.setenv("PYTHONPATH", str(root))
    result = pytester.runpytest_subprocess("--nbval", "--nbval-current-env", "-v", "lesson.ipynb")
    colours = [
        f"*Cell {number} {'PASSED' if passes else 'FAILED'}*" for number, (*_, passes) in enumerate(CELLS)
    ]
    result.stdout.fnmatch_lines(colours)
