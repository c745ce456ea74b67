"""Grades a class: every submission of every assignment, side by side, whatever they do.

nbgrader keeps the book: its converter sanitises, records and scores each submission. Only the step that executes the
notebook is replaced (``execute``), and while it runs other submissions take their turn.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import CheckCellMetadata, LimitOutput, SaveAutoGrades
from sqlalchemy.exc import OperationalError

from fmnist_helpers.grading import by_hand, inert, submissions
from fmnist_helpers.grading.classroom import Classroom, ExactPaths
from fmnist_helpers.grading.collect import LATE_WITHOUT_TIME, came_late
from fmnist_helpers.grading.execute import DidNotStart, Report, execute
from fmnist_helpers.grading.feedback import write_feedback
from fmnist_helpers.grading.given_imports import given_by
from fmnist_helpers.grading.handout import Handout
from fmnist_helpers.grading.inside import PACKAGE, write_package
from fmnist_helpers.grading.instructor_cells import sources_of_tests
from fmnist_helpers.grading.judging import seed_of
from fmnist_helpers.grading.late import assign_penalty
from fmnist_helpers.grading.marks import (
    FAILED,
    FAILED_RULE,
    NOT_SUBMITTED,
    OLD_MARKS,
    Marks,
    Outcome,
    read_marks,
    read_outcome,
    remarks_on,
    write_outcome,
)
from fmnist_helpers.grading.release import ChangedError, release
from fmnist_helpers.grading.sandbox import Limits, remove_stale_groups, remove_stale_spools
from fmnist_helpers.grading.submissions import Submission


@dataclass(frozen=True)
class Options:
    """How to grade."""

    limits: Limits = field(default_factory=Limits)
    jobs: int = 1
    sandboxed: bool = True


class Grader:
    """Grades submissions into a classroom.

    The lock is held by whoever works with nbgrader, whose converters change the working folder of the process and
    whose grade book has one writer. It is given back while a submission runs in its own process.
    """

    def __init__(self, classroom: Classroom, options: Options) -> None:
        self.classroom, self.options = classroom, options
        self._lock = threading.Lock()
        self._sources = {name: classroom.read_source(name) for name in classroom.assignments()}
        self._handouts = {name: Handout(source) for name, source in self._sources.items()}
        self._tests = {name: sources_of_tests(source) for name, source in self._sources.items()}
        self.finder = submissions.Finder(classroom.submitted, self._handouts)
        self._secret, self._data_set = classroom.secret(), classroom.data_set()
        self._package = classroom.folder / ".package"
        self._refused: dict[str, str] = {}
        """Name of each assignment that cannot be graded → why."""

    def grade(
        self, pairs: Iterable[tuple[str, str]], done: Callable[[Outcome], None] = lambda outcome: None
    ) -> list[Outcome]:
        """Grade the pairs of student and assignment; call ``done`` as each is finished. The order is kept."""
        pairs = list(pairs)
        here = os.getcwd()
        write_package(self._package)
        remove_stale_groups()
        remove_stale_spools()
        # What is wrong with the ids of a student's cells is repaired.
        warnings.filterwarnings("ignore", module="nbformat")
        try:
            for assignment in sorted({assignment for _, assignment in pairs}):
                self._register(assignment)
            outcomes: dict[tuple[str, str], Outcome] = {}
            pool = ThreadPoolExecutor(self.options.jobs)
            futures = {pool.submit(self._grade_one, *pair): pair for pair in pairs}
            try:
                for future in as_completed(futures):
                    outcomes[futures[future]] = future.result()
                    done(future.result())
            finally:
                # After an interrupt nobody waits for what is still at work.
                pool.shutdown(wait=False, cancel_futures=True)
        finally:
            os.chdir(here)
        return [outcomes[pair] for pair in pairs]

    def _register(self, assignment: str) -> None:
        """Have nbgrader record the assignment, unless its grade book knows this very source already."""
        mark = self.classroom.folder / "release" / f".{assignment}"
        digest = self._source_digest(assignment)
        if not mark.exists() or mark.read_text() != digest or not self.classroom.knows(assignment):
            try:
                release(self.classroom, assignment)
            except ChangedError as error:
                self._refused[assignment] = str(error)
                return
            mark.write_text(digest)

    def _source_digest(self, assignment: str) -> str:
        return hashlib.sha256(nbformat.writes(self._sources[assignment]).encode()).hexdigest()

    def _grade_one(self, student: str, assignment: str) -> Outcome:
        if assignment in self._refused:
            return self._as_it_was(student, assignment)
        try:
            submission = self.finder.find(student, assignment)
            outcome = self._grade_found(submission)
            if not outcome.problem:
                # Now, while others run, and again by the command if a person has changed the marks.
                self.write_feedback(outcome)
            return outcome
        except Exception as error:
            outcome = Outcome(student, assignment, problem=FAILED)
            outcome.flags.append(in_words(error))
            # On a full disk neither can be written, and the others go on.
            with contextlib.suppress(OSError):
                self._log(student, assignment, traceback.format_exc())
                self.save(outcome)
            return outcome

    def _as_it_was(self, student: str, assignment: str) -> Outcome:
        """Return an earlier outcome, its marks untouched, where the assignment cannot be graded any more."""
        why = self._refused[assignment]
        known = read_outcome(self._path(Outcome(student, assignment)))
        if known is None or known.problem:
            return Outcome(student, assignment, problem=FAILED, flags=[why])
        return replace(known, flags=[*known.flags, f"{OLD_MARKS}: {why}"])

    def _grade_found(self, submission: Submission) -> Outcome:
        outcome = Outcome(submission.student, submission.assignment, notes=submission.notes)
        if submission.problem:
            outcome.problem = submission.problem
            self.save(outcome)
            return outcome
        outcome.key, outcome.limits = self._key(submission), str(self.options.limits)
        outcome.seed, outcome.digest = seed_of(self._secret, submission.digest), submission.digest
        outcome.accepted, outcome.accepted_flags = self._accepted(outcome)
        outcome.answered = self._handouts[submission.assignment].work(submission.notebook.cells)[0]
        known = self._known(outcome)
        if known is not None:
            return known
        self._stage(submission)
        report, who = Report(), (submission.student, submission.assignment)
        try:
            with self._lock:
                before = by_hand.marked(self.classroom, *who)
                _RecordingAutograde(self, submission, outcome.seed, report).start()
                by_hand.keep(self.classroom, *who, before)
        finally:
            shutil.rmtree(self._files(submission), ignore_errors=True)
        outcome.stopped, outcome.stopped_at, outcome.seconds = (
            report.stopped,
            report.stopped_at,
            report.seconds,
        )
        outcome.unprotected, outcome.beliefs = report.unprotected, report.beliefs
        outcome.flags += [*report.flags, *report.limits]
        outcome.notes += report.notes
        for fault in report.faults:
            self._log(submission.student, submission.assignment, fault)
        outcome.flags += [note for note in outcome.notes if "another assignment" in note]
        self.save(outcome)
        return outcome

    def _key(self, submission: Submission) -> str:
        parts = [submission.digest, self._source_digest(submission.assignment), _checks_digest()]
        parts += [str(submission.time or ""), self._data_set]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    # --- results of earlier runs -----------------------------------------------------------------------

    def _path(self, outcome: Outcome) -> Path:
        return self.classroom.folder / "outcomes" / outcome.student / f"{outcome.assignment}.json"

    def _known(self, outcome: Outcome) -> Outcome | None:
        """Return the result of an earlier run on the same submission, if it was finished and no limit has changed.

        A limit matters only to a submission that met one.
        """
        known = read_outcome(self._path(outcome))
        if known is None or known.key != outcome.key or (known.stopped and known.limits != outcome.limits):
            return None
        autograded = self.classroom.folder / "autograded" / outcome.student / outcome.assignment
        return known if autograded.is_dir() else None

    def _accepted(self, outcome: Outcome) -> tuple[str, list[str] | None]:
        """Return what a person noted who accepted flags of an earlier run on the same submission, and which."""
        known = read_outcome(self._path(outcome))
        same = known is not None and known.digest == outcome.digest
        return (known.accepted, known.accepted_flags) if same else ("", None)

    def accept(self, student: str, assignment: str, note: str) -> bool:
        """Keep a person's note on the flags of a submission; tell whether it has been graded."""
        known = read_outcome(self._path(Outcome(student, assignment)))
        if known is None or known.problem:
            return False
        self.save(replace(known, accepted=note, accepted_flags=known.flags))
        return True

    def again(self, student: str, assignment: str, task: str = "") -> bool:
        """Have a submission graded at the next run, and one task without what a person gave; tell if it was graded."""
        path = self._path(Outcome(student, assignment))
        known = read_outcome(path)
        if known is None or (task and not by_hand.forget(self.classroom, student, assignment, task)):
            return False
        # Not deleted: what a person has accepted stays.
        self.save(replace(known, key=""))
        return True

    def others(self, names: Iterable[str]) -> list[Outcome]:
        """Return the outcomes of earlier runs for all assignments but these, in order."""
        paths = sorted(
            (self.classroom.folder / "outcomes").glob("*/*.json"), key=lambda path: (path.stem, path)
        )
        outcomes = [read_outcome(path) for path in paths if path.stem not in set(names)]
        return [outcome for outcome in outcomes if outcome is not None]

    def refresh(self, assignment: str) -> dict[str, str]:
        """Bring penalties and pages of what is graded up to date with marks and settings, and run nothing.

        Returns:
            Each student → what went wrong, or nothing.
        """
        failed = {}
        for outcome in self.others(()):
            if outcome.assignment == assignment and not outcome.problem:
                try:
                    self.write_feedback(outcome)
                except NbGraderException:
                    failed[outcome.student] = (
                        "the page is of an earlier run; grade again, or see nbgrader.log"
                    )
                else:
                    reasons = [flag for flag in outcome.flags if flag.startswith(FAILED_RULE)]
                    failed[outcome.student] = "; ".join(reasons)
        return failed

    def outdated(self, assignment: str) -> set[str]:
        """Return who has handed in something else since it was graded."""
        graded = [
            one for one in self.others(()) if one.assignment == assignment and one.digest and not one.problem
        ]
        found = {one.student: self.finder.find(one.student, assignment) for one in graded}
        return {
            one.student
            for one in graded
            if found[one.student].problem != NOT_SUBMITTED and found[one.student].digest != one.digest
        }

    def save(self, outcome: Outcome) -> None:
        """Keep an outcome for later runs. It is the last thing written, so what is there is complete."""
        write_outcome(self._path(outcome), outcome)

    # --- one submission --------------------------------------------------------------------------------

    def staged(self, student: str, assignment: str) -> Path:
        return self.classroom.staged / student / assignment

    def _files(self, submission: Submission) -> Path:
        """Return where the files lie that the kernel sees beside the notebook; nbgrader need not copy them."""
        return self.classroom.staged / ".files" / submission.student / submission.assignment

    def _stage(self, submission: Submission) -> None:
        """Write the repaired notebook to where nbgrader is told to look, and the files that go with it."""
        folder, files = self.staged(submission.student, submission.assignment), self._files(submission)
        for one in (folder, files):
            shutil.rmtree(one, ignore_errors=True)
            one.mkdir(parents=True)
        nbformat.write(submission.notebook, folder / f"{submission.assignment}.ipynb")
        submissions.write_files(submission.files, files)
        if submission.time is not None:
            stamp = submissions.written_stamp(submission.time)
            (folder / submissions.STAMP).write_text(stamp, encoding="utf-8")
        if submission.secret:
            (folder / submissions.SECRET).write_text(submission.secret, encoding="utf-8")

    def execute(self, submission: Submission, seed: int, nb: NotebookNode) -> Report:
        """Run a notebook while others take their turn with nbgrader."""
        log = self.classroom.log()
        self._lock.release()
        try:
            limits, sandboxed = self.options.limits, self.options.sandboxed
            tests, files = self._tests[submission.assignment], self._files(submission)
            given = given_by(self._sources[submission.assignment])
            report = execute(
                nb,
                files,
                self._package,
                limits,
                tests,
                seed,
                sandboxed=sandboxed,
                given=given,
                data_set=self._data_set,
                log=log,
            )
            inert.notebook(nb)
            return report
        finally:
            self._lock.acquire()

    def _log(self, student: str, assignment: str, text: str) -> None:
        with open(self.classroom.folder / "nbgrader.log", "a", encoding="utf-8") as log:
            log.write(f"--- {student}, {assignment}\n{text}\n")

    def write_feedback(self, outcome: Outcome) -> Marks | None:
        """Write the feedback page, unless marks and comments are those it shows already; return the marks."""
        with self._lock:
            failed = assign_penalty(self.classroom, outcome.student, outcome.assignment)
            changing = (FAILED_RULE, LATE_WITHOUT_TIME)
            outcome.flags = [flag for flag in outcome.flags if not flag.startswith(changing)]
            outcome.flags += [failed] if failed else []
            marks = read_marks(self.classroom, outcome.student, outcome.assignment)
            if marks is not None:
                if not marks.handed_in and came_late(self.classroom, outcome.student, outcome.assignment):
                    outcome.flags.append(LATE_WITHOUT_TIME)
                page = self.classroom.folder / "feedback" / outcome.student / f"{outcome.assignment}.html"
                remarks = remarks_on(outcome, marks)
                digest = hashlib.sha256(f"{outcome.key}{marks}{remarks}".encode()).hexdigest()
                if outcome.feedback != digest or not page.exists():
                    write_feedback(self.classroom, outcome.student, outcome.assignment, remarks, marks)
                    outcome.feedback = digest
                    self.save(outcome)
        return marks


class _RecordingAutograde(ExactPaths, Autograde):
    """nbgrader's autograder for one submission, with our execution in place of its own."""

    def __init__(self, grader: Grader, submission: Submission, seed: int, report: Report) -> None:
        classroom = grader.classroom
        config = classroom.config(submission.assignment, submission.student, submitted=classroom.staged)
        super().__init__(coursedir=classroom.course_directory(config), config=config, log=classroom.log())
        self.force = True

        def run(nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
            report.__dict__.update(grader.execute(submission, seed, nb).__dict__)
            # nbgrader has set this before and removes it after; another submission may have removed it meanwhile.
            os.environ["NBGRADER_EXECUTION"] = "autograde"
            return nb, resources

        self.autograde_preprocessors = [
            run,
            LimitOutput,
            SaveAutoGrades,
            CheckCellMetadata,
        ]
        self._failure: Exception | None = None

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Record the submission in the grade book."""
        with self._kept():
            super().init_assignment(assignment_id, student_id)

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Sanitise, run and score the notebook."""
        with self._kept():
            super().convert_single_notebook(notebook_filename)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._failure = error
            raise

    def convert_notebooks(self) -> None:
        """Convert the submission; nbgrader tells its log alone what failed, and then says that something did."""
        try:
            super().convert_notebooks()
        except NbGraderException as error:
            raise error from self._failure


@functools.cache
def _checks_digest() -> str:
    """Return a hash of the checks, so that a mended check grades anew."""
    digest = hashlib.sha256()
    for path in sorted((PACKAGE / "exercises").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def in_words(error: BaseException) -> str:
    """Return why something failed, in one line that says what to do if that is known."""
    reason: BaseException | None = error
    while reason is not None:
        text = str(reason)
        if isinstance(reason, OperationalError) and "locked" in text:
            return (
                "the grade book is locked by another program; close it (Formgrader, perhaps), and grade again"
            )
        if (
            getattr(reason, "errno", None) == errno.ENOSPC
            or "disk is full" in text
            or "No space left" in text
        ):
            return "the disk is full; make room, and grade again: what is finished is kept"
        if isinstance(reason, DidNotStart):
            return f"{text}; nothing is known of the submission, so grade again"
        reason = reason.__cause__ or reason.__context__
    if isinstance(error, NbGraderException):
        error = error.__cause__ or error
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"
