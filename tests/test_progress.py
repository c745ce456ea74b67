"""The one progress bar shows itself where it is wanted and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fmnist_helpers.progress import in_notebook, progress_bar


@pytest.mark.parametrize(
    ("shown", "variable", "expected"),
    [
        (True, None, True),
        (True, "", True),
        (True, "0", True),
        (True, "1", False),
        (False, None, False),
        (False, "0", False),
    ],
)
def test_argument_and_environment_hide_the_bar(capsys, monkeypatch, shown, variable, expected):
    if variable is None:
        monkeypatch.delenv("TQDM_DISABLE", raising=False)
    else:
        monkeypatch.setenv("TQDM_DISABLE", variable)
    # What is counted comes through unchanged, seen or not.
    assert list(progress_bar(range(3), shown=shown, desc="Counting")) == [0, 1, 2]
    output, errors = capsys.readouterr()
    assert output == ""
    assert ("Counting" in errors) is expected


def test_a_process_that_has_loaded_jupyter_is_no_notebook(capsys, monkeypatch):
    import ipykernel.zmqshell  # noqa: F401

    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert not in_notebook()
    assert list(progress_bar(range(2), desc="Counting")) == [0, 1]
    assert "Counting" in capsys.readouterr().err


def test_in_a_kernel_the_bar_is_a_widget(monkeypatch):
    import IPython
    from ipywidgets import FloatProgress
    from tqdm.notebook import tqdm

    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=True))
    with progress_bar(total=4) as bar:
        assert isinstance(bar, tqdm)
        assert isinstance(bar.container.children[1], FloatProgress)


def test_bar_vanishes_at_its_end(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    with progress_bar(desc="By hand", total=4) as bar:
        bar.update(4)
    last_line = capsys.readouterr().err.rpartition("\r")[2]
    assert last_line.strip() == ""
