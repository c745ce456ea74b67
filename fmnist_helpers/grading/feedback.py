"""Feedback: what a student sees of a graded notebook, which is not its hidden tests."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade
from traitlets import List

from fmnist_helpers.grading.classroom import Classroom, ExactPaths
from fmnist_helpers.grading.marks import Marks, final
from fmnist_helpers.grading.submissions import SECRET, STAMP

BEGIN, END = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
REPLACED = "# (hidden tests)"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
SHORTEST = 12
"""Lines of hidden tests shorter than this, such as a bracket, say nothing and may stand anywhere."""


class HideTests(NbGraderPreprocessor):
    """Takes hidden tests out of a graded notebook: from its cells, its tracebacks and what students print."""

    remarks = List(help="What to tell the student at the top of the page, a sentence each.").tag(config=True)
    facts = List(help="What stands above that: pairs of a label and a value.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        secrets: set[str] = set()
        for cell in nb.cells:
            if cell.cell_type == "code" and is_grade(cell):
                cell.source, hidden = split_hidden(cell.source)
                # What is asked twice, once in sight, is no secret.
                secrets.update(set(hidden) - {line.strip() for line in cell.source.split("\n")})
        for cell in nb.cells:
            for output in cell.get("outputs", []):
                _clean(output, secrets, tested=is_grade(cell))
        resources.setdefault("nbgrader", {}).update(remarks=list(self.remarks), facts=list(self.facts))
        return nb, resources


def split_hidden(source: str) -> tuple[str, list[str]]:
    """Return a cell's source without its hidden tests, and their lines."""
    kept, hidden, inside = [], [], False
    for line in source.split("\n"):
        if BEGIN in line:
            inside = True
            kept.append(REPLACED)
        elif END in line:
            inside = False
        elif inside:
            hidden.append(line.strip())
        else:
            kept.append(line)
    return "\n".join(kept), [line for line in hidden if len(line) >= SHORTEST]


def _clean(output: NotebookNode, secrets: set[str], *, tested: bool) -> None:
    if output.output_type == "error":
        if tested:
            # A traceback shows the lines around the one that raised, and the check's own.
            diagnosis = output.ename == "CheckFailed"
            output.traceback = (output.evalue if diagnosis else f"{output.ename}: {output.evalue}").split(
                "\n"
            )
        output.traceback = [_hide(line, secrets) for line in output.traceback]
        output.evalue = _hide(output.evalue, secrets)
    elif output.output_type == "stream":
        output.text = _hide(output.text, secrets)
    else:
        for kind, value in output.get("data", {}).items():
            if isinstance(value, str) and not kind.startswith("image/"):
                output.data[kind] = _hide(value, secrets)


def _hide(text: str, secrets: set[str]) -> str:
    for secret in secrets:
        # Also as repr and JSON write it, with its quotes escaped.
        for form in (secret, repr(secret)[1:-1], secret.replace('"', '\\"'), secret.replace('"', "&quot;")):
            if form in ANSI.sub("", text):
                text = ANSI.sub("", text).replace(form, "(hidden test)")
    return text


class _FeedbackOfOne(ExactPaths, GenerateFeedback):
    """nbgrader's feedback for one submission."""


def facts_of(student: str, marks: Marks) -> list[list[str]]:
    """Return whose work a page shows, when it was handed in, and what came of it, as pairs of a label and a value."""
    facts = [["Student", f"{marks.name} ({student})" if marks.name else student]]
    if marks.handed_in:
        late = f", {marks.late_seconds / 3600:.1f} hours late" if marks.late_seconds else ""
        facts.append(["Handed in", f"{marks.handed_in:%Y-%m-%d %H:%M} UTC{late}"])
    facts.append(["Points", f"{marks.points:g} of {marks.most:g}"])
    if marks.penalty:
        facts.append(["Taken off for late work", f"{marks.penalty:g}"])
    facts.append(["Final mark", f"{final(marks):g}"])
    return facts


def write_feedback(
    classroom: Classroom, student: str, assignment: str, remarks: Sequence[str], marks: Marks
) -> Path:
    """Write the feedback page of a graded submission with its present marks and comments.

    ``remarks`` stand at the top of it, below whose work it is and what came of it.

    nbgrader puts it where its own commands expect it; a copy, ``feedback/<student>/<assignment>.html``, is the
    one to hand back.
    """
    config = classroom.config(assignment, student)
    config.HideTests.remarks, config.HideTests.facts = list(remarks), facts_of(student, marks)
    classroom.convert(_FeedbackOfOne, config)
    folder = classroom.folder / "feedback" / student
    # Where one is missing, nbgrader's release_feedback stops, for all students. Nobody finds a page by a new secret.
    for name, text in ((STAMP, ""), (SECRET, secrets.token_hex(64))):
        if not (folder / assignment / name).exists():
            (folder / assignment / name).write_text(text, encoding="utf-8")
    page = folder / f"{assignment}.html"
    shutil.copyfile(folder / assignment / f"{assignment}.html", page)
    return page
