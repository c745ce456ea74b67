"""What a whole class knows by now: by task how many solved it, the beliefs that were met, answers that are alike.

Counted is what the grader has written down: outcomes, marks in the grade book, graded notebooks. Nothing is run.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import nbformat
from nbformat import NotebookNode

from fmnist_helpers.exercises.misconceptions import BELIEFS
from fmnist_helpers.grading.alike import Pair, alike
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.handout import Handout, grade_id
from fmnist_helpers.grading.instructor_cells import is_test
from fmnist_helpers.grading.marks import NOT_SUBMITTED, Marks, Outcome, read_marks, read_outcome

OFTEN, HALF = 0.2, 0.5
"""A belief is worth a word if so many of those who tried the task met it; a task, if fewer of them solved it
and it earned less than this share of its points."""
TITLE = re.compile(r"^# +(.+)$", re.MULTILINE)
HEADING = re.compile(r"^## +(.+?)(?: +\(\d+ points?\))? *$", re.MULTILINE)
TOLD = re.compile(r'^A belief that leads there: "(.+?)"\. But', re.MULTILINE | re.DOTALL)
"""How a diagnosis begins a line that names a belief; what comes from a student stands in other lines."""


@dataclass
class Task:
    """One task, as an assignment's author wrote it, and what a class made of it."""

    title: str
    answers: list[str] = field(default_factory=list)
    """Names of the cells in which it is answered."""
    points: dict[str, float] = field(default_factory=dict)
    """Name of each cell that carries marks → the most there are."""
    handed_in: int = 0
    tried: int = 0
    solved: int = 0
    """How many of those who tried have all points."""
    waiting: int = 0
    """How many of those who tried wait for a person; they are not among those who solved it."""
    results: list[float] = field(default_factory=list)
    """Points of each who handed in, but for those who wait."""
    beliefs: Counter[str] = field(default_factory=Counter)
    """Key in ``BELIEFS`` → number of students who met it here."""
    pairs: list[Pair] = field(default_factory=list)

    @property
    def most(self) -> float:
        return sum(self.points.values())

    @property
    def mean(self) -> float | None:
        return sum(self.results) / len(self.results) if self.results else None


@dataclass
class AssignmentReport:
    """What a class made of one assignment."""

    name: str
    title: str
    tasks: list[Task]
    handed_in: int = 0
    not_graded: Counter[str] = field(default_factory=Counter)
    """Why there are no marks → number of students."""
    times: list[datetime] = field(default_factory=list)
    """When it was handed in, where that is known; UTC, in order."""

    @property
    def beliefs(self) -> list[tuple[Task, str, int]]:
        """Task, key in ``BELIEFS``, and how many students met it there; most frequent first."""
        found = [(task, key, met) for task in self.tasks for key, met in task.beliefs.items()]
        return sorted(found, key=lambda one: -one[2])

    @property
    def words(self) -> list[tuple[Task, str, int]]:
        """What is worth a word in the next lecture: beliefs as above, then tasks, with no key, and who solved them."""
        often = [(task, key, met) for task, key, met in self.beliefs if met >= OFTEN * task.tried]
        few = [task for task in self.tasks if task.solved < HALF * (task.tried - task.waiting)]
        # Few have all points of what a person marks, which may be no sign of trouble.
        hard = [task for task in few if task.mean < HALF * task.most]
        return [*often, *((task, "", task.solved) for task in hard)]

    @property
    def pairs(self) -> list[tuple[Task, Pair]]:
        """Near-equal answers, by task, the most alike first."""
        return [(task, pair) for task in self.tasks for pair in task.pairs]


@dataclass(frozen=True)
class _Work:
    """One graded submission, as it is counted."""

    marks: Marks
    written: dict[str, list[str]]
    """Name of each answer that was worked on → its cells."""
    beliefs: dict[str, str]
    """Name of each test cell that named one → its key in ``BELIEFS``."""


def class_report(classroom: Classroom, names: Sequence[str] | None = None) -> list[AssignmentReport]:
    """Return what is known of each assignment (of these) that somebody has handed in, in order."""
    paths = sorted((classroom.folder / "outcomes").glob("*/*.json"))
    known = [outcome for outcome in map(read_outcome, paths) if outcome is not None]
    reports = []
    for name in sorted(set(names) if names else classroom.assignments()):
        outcomes = [one for one in known if one.assignment == name and one.problem != NOT_SUBMITTED]
        if outcomes:
            reports.append(_report(classroom, name, outcomes))
    return reports


def tasks_of(source: NotebookNode) -> list[Task]:
    """Return the tasks of an assignment: each is a heading of the second level, with marks below it."""
    tasks = [Task("")]
    for cell in source.cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and (headings := HEADING.findall(cell.source)):
            tasks.append(Task(re.sub(r"[*`]", "", headings[-1])))
        if marks.get("solution"):
            tasks[-1].answers.append(grade_id(cell))
        if marks.get("grade") or marks.get("task"):
            tasks[-1].points[grade_id(cell)] = marks.points
            tasks[-1].title = tasks[-1].title or grade_id(cell)
    return [task for task in tasks if task.points]


def beliefs_of(outcome: Outcome, cells: list[NotebookNode]) -> dict[str, str]:
    """Return test cell → belief, as the judge wrote it down, or for earlier runs as the diagnoses say it."""
    found = dict(_told(cells)) if outcome.beliefs is None else outcome.beliefs
    return {name: belief for name, belief in found.items() if belief in BELIEFS}


def _told(cells: list[NotebookNode]) -> Iterator[tuple[str, str]]:
    keys = {belief.words: key for key, belief in BELIEFS.items()}
    for cell in filter(is_test, cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename == "CheckFailed":
                for words in TOLD.findall(output.evalue):
                    yield grade_id(cell), keys.get(" ".join(words.split()), "")


def _report(classroom: Classroom, name: str, outcomes: list[Outcome]) -> AssignmentReport:
    source = classroom.read_source(name)
    handout = Handout(source)
    titles = TITLE.findall("\n".join(cell.source for cell in source.cells if cell.cell_type == "markdown"))
    report = AssignmentReport(name, titles[0] if titles else name, tasks_of(source))
    work = {}
    for outcome in outcomes:
        marks = read_marks(classroom, outcome.student, name) if not outcome.problem else None
        if marks is None:
            report.not_graded[outcome.problem or "not in the grade book"] += 1
            continue
        cells = _graded_cells(classroom, outcome)
        work[outcome.student] = _Work(marks, handout.answers_in(cells), beliefs_of(outcome, cells))
    report.handed_in = len(work)
    report.times = _times(classroom, name, set(work))
    given = [cell.source for cell in handout.cells if cell.cell_type == "code"]
    for task in report.tasks:
        _count(task, work, given)
    return report


def _graded_cells(classroom: Classroom, outcome: Outcome) -> list[NotebookNode]:
    name = outcome.assignment
    path = classroom.folder / "autograded" / outcome.student / name / f"{name}.ipynb"
    # One that was deleted, or damaged by hand, has its marks all the same.
    with contextlib.suppress(Exception):
        return nbformat.read(path, as_version=4).cells
    return []


def _times(classroom: Classroom, name: str, students: set[str]) -> list[datetime]:
    if not students:
        return []
    with classroom.gradebook() as gradebook:
        found = {one.student_id: one.timestamp for one in gradebook.assignment_submissions(name)}
        return sorted(time for student, time in found.items() if student in students and time is not None)


def _count(task: Task, work: dict[str, _Work], given: list[str]) -> None:
    """Count into a task what a class made of it; ``given`` is the code of the cells that were handed out."""
    answers = {}
    for student, one in work.items():
        points = [one.marks.tasks.get(name) for name in task.points]
        known = None if None in points else sum(points)
        written = [text for name in task.answers for text in one.written.get(name, [])]
        tried = bool(written or known)
        task.handed_in += 1
        task.tried += tried
        task.waiting += tried and known is None
        task.solved += tried and known is not None and known >= task.most
        task.results += [known] if known is not None else []
        task.beliefs.update({belief for name, belief in one.beliefs.items() if name in task.points})
        # A cell of one's own may answer two.
        answers[student] = list(dict.fromkeys(written))
    task.pairs = alike(answers, given)
