"""What the tests of several parts share: tiny data, loaders over it, and a reader of tables."""

from __future__ import annotations

import re

import pytest

import fmnist_helpers as fh


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
