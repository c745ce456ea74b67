"""A pytest plugin: write down what fails, and stop as soon as all that is expected has failed.

``FAULT_REPORT`` names the file to write, one failure a line; ``FAULT_EXPECTED`` holds pairs of patterns, for
a test's id and for its error message.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path

import pytest

# What pytest marks as the error, and the functions it came through, without the source code around them, in
# which a pattern might be found too.
ERROR_LINE = re.compile(r"^(?:E\s+(?=\S)|(?=\S+:\d+: in ))(.*)$", flags=re.MULTILINE)
# What nbval says about a cell, without the cell's source.
SOURCE_OF_CELL = re.compile(r"^Input:\n.*?(?=^Traceback:|\Z)", flags=re.MULTILINE | re.DOTALL)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def message_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the error message of a failure."""
    text = COLOUR.sub("", report.longreprtext)
    if ".ipynb::" in report.nodeid:
        return SOURCE_OF_CELL.sub("", text)
    return "\n".join(ERROR_LINE.findall(text)) or text


def write_down(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str]:
    """Append one failure to the file; return the test's id and its error message."""
    failure = {"test": report.nodeid, "when": report.when, "message": message_of(report)}
    with Path(os.environ["FAULT_REPORT"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(failure) + "\n")
    return failure["test"], failure["message"]


class Watch:
    """Keeps what is still expected."""

    def __init__(self, expected: list[tuple[str, str]]) -> None:
        self.expected = expected

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item):
        report = yield
        if report.failed:
            test, message = write_down(report)
            if self.expected and report.when == "call":
                self.expected = [
                    (name, reason)
                    for name, reason in self.expected
                    if not (re.search(name, test) and re.search(reason, message))
                ]
                if not self.expected:
                    item.session.shouldstop = "all that was expected has failed"
        return report

    def pytest_collectreport(self, report):
        if report.failed:
            write_down(report)


def pytest_configure(config):
    # A course that is installed elsewhere would be found, too, and would be without the fault.
    found = importlib.util.find_spec("fmnist_helpers")
    place = "nowhere" if found is None else found.origin
    if not Path(place).is_relative_to(config.rootpath):
        raise pytest.UsageError(f"the package comes from {place}, not from {config.rootpath}")
    config.pluginmanager.register(Watch(json.loads(os.environ.get("FAULT_EXPECTED", "[]"))))
