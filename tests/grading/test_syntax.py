"""Syntax trees are made right, however many threads make them."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor

import pytest

from fmnist_helpers.grading.syntax import parse

SOURCE = "\n".join(f"x{n} = [{n}, (a.b[{n}](c, *d) + {{1: 2}}) if e else f'{{g}}']" for n in range(300))


def test_many_threads_get_the_tree_that_one_gets():
    expected = ast.dump(ast.parse(SOURCE))
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(parse, [SOURCE] * 60))
    assert all(ast.dump(tree) == expected for tree in trees)


@pytest.mark.parametrize("source", ["def f(:", "x = 1\0"])
def test_what_is_no_python_raises_as_ever_and_the_next_is_read(source):
    with pytest.raises((SyntaxError, ValueError)):
        parse(source)
    assert ast.dump(parse("x = 1")) == ast.dump(ast.parse("x = 1"))
