"""The folder in which an instructor works, as nbgrader knows it."""

from __future__ import annotations

import functools
import logging
import os
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.course.strip import CODE_STUB, TEXT_STUB
from fmnist_helpers.exercises.garments import DATA_SETS, data_set_here

SOURCE = Path(__file__).resolve().parent.parent.parent / "notebooks" / "exercises"
"""Where the exercises with their solutions lie in a copy of the course."""

LOCKED_SECONDS = 60
"""How long to wait for a grade book that another program has locked."""

LOG_BYTES, RECORD_BYTES = 5_000_000, 10_000
"""How large a log grows before a new one is begun, and what is kept of one record."""

DATA_SET = "data_set.txt"
"""The file in the folder of a class that names the data set on which it is graded."""

SETTINGS = """\
# Written anew at every run of `python -m fmnist_helpers.grading`, and read in this folder by it, by nbgrader's own
# commands and by Formgrader. Settings of your own, such as late penalties, go into own_settings.py beside it.
c = get_config()

c.CourseDirectory.root = {folder!r}
c.CourseDirectory.source_directory = {source!r}
c.CourseDirectory.submitted_directory = {submitted!r}
c.CourseDirectory.db_url = {db_url!r}
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "README.md"]
c.ClearSolutions.code_stub = {{"python": {code_stub!r}}}
c.ClearSolutions.text_stub = {text_stub!r}
# A feedback page of nbgrader's own would show the hidden tests, and load scripts from the web.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "fmnist_helpers.grading.feedback.HideTests",
]
c.ExportApp.plugin_class = "fmnist_helpers.grading.export.QuotedExport"
c.GenerateFeedback.exporter_class = "fmnist_helpers.grading.page.FeedbackPage"
# For Formgrader: formulas without the web, and no heading that has the name of a box for points.
c.HTMLExporter.filters = {{"markdown2html": "fmnist_helpers.grading.page.markdown2html"}}
try:
    load_subconfig("own_settings.py")
except FileNotFoundError:
    pass
"""


@dataclass(frozen=True)
class Classroom:
    """Where everything of a class lies.

    Attributes:
        folder: holds release, autograded, feedback, the grade book and the tables.
        submitted: what students handed in, ``<student>/<assignment>/<assignment>.ipynb``.
        source: the exercises with solutions, ``<assignment>/<assignment>.ipynb``.
    """

    folder: Path
    submitted: Path
    source: Path = SOURCE

    @property
    def db_url(self) -> str:
        return f"sqlite:///{self.folder / 'gradebook.db'}"

    @property
    def patient_db_url(self) -> str:
        """The grade book, for a program that waits while another one, such as Formgrader, is writing."""
        return f"{self.db_url}?timeout={LOCKED_SECONDS}"

    @property
    def staged(self) -> Path:
        """Submissions as they are graded: repaired, under their right names."""
        return self.folder / "staged"

    def assignments(self) -> list[str]:
        """Return the names of all assignments, in order."""
        return sorted(
            path.parent.name for path in self.source.glob("*/*.ipynb") if path.stem == path.parent.name
        )

    def read_source(self, assignment: str) -> NotebookNode:
        """Return the notebook with solutions and hidden tests."""
        return nbformat.read(self.source / assignment / f"{assignment}.ipynb", as_version=4)

    def prepare(self) -> None:
        """Make the folder, and write the settings that nbgrader's own commands read there."""
        # nbgrader calls alembic by name when it makes a grade book, and an environment need not be activated.
        scripts = str(Path(sys.executable).parent)
        if scripts not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS.format(
            folder=str(self.folder),
            source=str(self.source),
            submitted=str(self.submitted),
            db_url=self.db_url,
            code_stub=CODE_STUB,
            text_stub=TEXT_STUB,
        )
        (self.folder / "nbgrader_config.py").write_text(settings, encoding="utf-8")

    def secret(self) -> bytes:
        """Return the secret of this class, made at its first use: from it follow the seeds of all problems."""
        path = self.folder / ".secret"
        if not path.exists():
            with written_whole(path) as unfinished:
                unfinished.write_bytes(secrets.token_bytes(32))
                unfinished.chmod(0o600)
        return path.read_bytes()

    def data_set(self) -> str:
        """Return the name of the data set on which this class is graded, chosen once: real garments if they are here.

        Raises:
            OSError: if the folder holds a name that no data set has.
        """
        path = self.folder / DATA_SET
        if not path.exists():
            with written_whole(path) as unfinished:
                unfinished.write_text(f"{data_set_here()}\n", encoding="utf-8")
        name = path.read_text(encoding="utf-8").strip()
        if name not in DATA_SETS:
            raise OSError(f"{path} says {name!r:.40}; it may be one of {', '.join(map(repr, DATA_SETS))}")
        return name

    def config(self, assignment: str, student: str = "", *, submitted: Path | None = None) -> Config:
        """Return nbgrader's configuration for one assignment (and one student)."""
        config = PyFileConfigLoader("nbgrader_config.py", str(self.folder)).load_config()
        if submitted is not None:
            config.CourseDirectory.submitted_directory = str(submitted)
        config.CourseDirectory.db_url = self.patient_db_url
        config.CourseDirectory.assignment_id = assignment
        if student:
            config.CourseDirectory.student_id = student
        return config

    def course_directory(self, config: Config) -> CourseDirectory:
        return CourseDirectory(config=config, log=quiet_log())

    def log(self) -> logging.Logger:
        """Return a logger that writes beside the grade book."""
        return quiet_log(self.folder / "nbgrader.log")

    def convert(self, kind: type[BaseConverter], config: Config) -> None:
        """Run one of nbgrader's converters, whatever it made before."""
        converter = kind(coursedir=self.course_directory(config), config=config, log=self.log())
        converter.force = True
        converter.start()

    @contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        """Open nbgrader's grade book."""
        with Gradebook(self.patient_db_url) as gradebook:
            yield gradebook

    def knows(self, assignment: str) -> bool:
        """Return whether the grade book has the assignment with its cells."""
        with self.gradebook() as gradebook:
            try:
                return bool(gradebook.find_assignment(assignment).notebooks)
            except MissingEntry:
                return False


class ExactPaths:
    """Makes one of nbgrader's converters work on one notebook, whatever its student and the folders are called.

    On its own nbgrader looks for notebooks with patterns, in which a bracket or an asterisk has a meaning.
    """

    def init_notebooks(self) -> None:
        folder = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        self.notebooks = []
        # Joined as text: nbgrader compares paths to the letter, and one of them may have a dot in it.
        self.assignments = {folder: [os.path.join(folder, f"{self.coursedir.assignment_id}.ipynb")]}

    def _format_source(self, assignment_id: str, student_id: str, escape: bool = False) -> str:
        if not escape:
            return super()._format_source(assignment_id, student_id)
        pattern = re.escape(super()._format_source("<assignment>", "<student>"))
        return pattern.replace("<assignment>", assignment_id).replace("<student>", student_id)


class _BoundedLog(RotatingFileHandler):
    """Writes a log that stays small: one older file is kept, and of a record no more than a few pages."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", delay=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as it is written: cut, without control characters, which a terminal would obey."""
        text = super().format(record).encode("utf-8", "replace")[:RECORD_BYTES].decode("utf-8", "ignore")
        return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing where the log cannot be written, as on a full disk: there is no other place for it."""


def quiet_log(file: Path | None = None) -> logging.Logger:
    """Return the logger that writes into ``file``, or nowhere, in place of the instructor's terminal."""
    with _opening:
        return _log_into(file)


_opening = threading.Lock()


@functools.cache
def _log_into(file: Path | None) -> logging.Logger:
    # One for each file, whoever asks: two would not know of each other when a new file is begun.
    log = logging.Logger(f"fmnist_helpers.grading.{file}", logging.WARNING)
    log.addHandler(_BoundedLog(file) if file else logging.NullHandler())
    return log
