"""Deliberate faults, each of which must turn the tests red: ``python -m tests.faults.run [NAME ...]``.

One ``.toml`` file is one fault. It says what is changed and which test must fail for which reason:

    title = "what is wrong, in words"
    file = "what is changed, from the root of the course"
    find = "text that stands there exactly once"
    replace = "what stands there instead"
    tests = ["what pytest runs: files, or single tests by their ids"]

    [[caught_by]]
    test = "a pattern (regular expression) for the id of the test that must fail"
    reason = "a pattern for its error message"

In a notebook ``find`` looks through the sources of the cells. Two things no replacement can do have names:
``operation = "strip every output"`` and ``operation = "strip one output"``, the latter of the cell whose
source holds ``find``.

With several ``[[caught_by]]`` every one of them must come true: so a fault in the package can be shown to
fail a unit test and, by itself, a lesson.
"""
