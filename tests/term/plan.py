"""The plan of a term, made from a seed, and the marks that follow from it, computed apart from the grader.

Thirty students hand in six assignments: right, wrong and missing answers of the bank, on time and late, with and
without an extension; a person gives points for each explanation. What each earns is worked out here from what the
variants say of themselves, from the points in the notebooks and from the calendar; nothing of ``grading`` is used.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import nbformat

from tests.exercises.bank import Variant, assignments, grade_id, is_test, read_source, read_variants, tasks

SEED = 7
ZONE = ZoneInfo("Europe/Berlin")
DUE = {
    # The clocks are set back on the night before the second date.
    name: datetime(2025, month, day, 23, 59, tzinfo=ZONE)
    for name, (month, day) in zip(
        assignments(), [(10, 12), (10, 26), (11, 9), (11, 23), (12, 7), (12, 21)], strict=True
    )
}
EX01, EX02, EX03, EX04, EX05, EX06 = DUE
BY_MOODLE, BY_CANVAS = (EX01, EX02, EX03), (EX04, EX05, EX06)
PER_DAY = 0.1
"""What is taken off for each day that has begun, as a share of the points."""

NAMES = """\
Ada Lovelace, Zoë Müller, Seán O'Neill, Kim Lee, Kim Lee, Nguyễn Văn An, Łukasz Żak, Olga Ivanova, Max Mustermann,
Anna-Lena von der Heide, José García Márquez, 小龙 李, Fatima al-Zahra, Sven Ångström, Chloé Dupont, Raj Patel,
Emily Chen, Tom Baker, Ines Costa, Yuki Tanaka, Bo Li, Maria Rossi, Ivan Petrov, Leila Haddad, Noah Smith,
Ayşe Demir, Paul Weber, Nora Lind, Omar Diallo, Grace Kim"""


@dataclass(frozen=True)
class Student:
    """Somebody, as the platforms know them."""

    number: int
    name: str

    @property
    def email(self) -> str:
        """What both platforms agree on, so it is what the class calls them."""
        return f"s{self.number:02d}@uni.example"

    def participant(self, assignment: str) -> int:
        """Return Moodle's number, which is another one in each assignment."""
        return 100 * (1 + assignments().index(assignment)) + 7 * self.number % 89

    @property
    def canvas_id(self) -> int:
        return 12_000 + 13 * self.number

    @property
    def first(self) -> str:
        return self.name.split()[0]

    @property
    def last(self) -> str:
        return self.name.partition(" ")[2]


STUDENTS = [Student(number, " ".join(name.split())) for number, name in enumerate(NAMES.split(","), 1)]


@dataclass(frozen=True)
class HandIn:
    """What somebody handed in for an assignment."""

    student: Student
    assignment: str
    answers: dict[str, Variant | None]
    """Task → what was answered; None if it was left as it was handed out."""
    explanation: str
    by_hand: float
    """What a person gives for the explanation; an empty one gets nothing by itself."""
    when: datetime
    extended: timedelta = field(default=timedelta(0))

    @property
    def late(self) -> timedelta:
        due = (DUE[self.assignment] + timedelta(0)).astimezone(ZoneInfo("UTC")) + self.extended
        return max(timedelta(0), self.when.astimezone(ZoneInfo("UTC")) - due)

    @property
    def tests(self) -> dict[str, float]:
        """Test → the points that it must give."""
        points = points_of(self.assignment)
        earned = {}
        for name, task in tasks(self.assignment).items():
            variant = self.answers[name]
            failing = task.tests if variant is None else variant.failing or task.tests
            lost = () if variant is not None and variant.correct else failing
            earned |= {test: 0.0 if test in lost else points[test] for test in task.tests}
        return earned

    @property
    def points(self) -> float:
        return sum(self.tests.values()) + (self.by_hand if self.explanation else 0.0)

    @property
    def penalty(self) -> float:
        days = 0 if not self.late else self.late // timedelta(days=1) + 1
        return PER_DAY * days * self.points

    @property
    def final(self) -> float:
        return max(0.0, self.points - self.penalty)

    @property
    def beliefs(self) -> set[tuple[str, str]]:
        """Pairs of a task and the belief that its answer shows."""
        wrong = {name: one for name, one in self.answers.items() if one is not None and not one.correct}
        return {(name, one.about) for name, one in wrong.items() if one.about != "none"}


@cache
def points_of(assignment: str) -> dict[str, float]:
    """Return cell → the most points there are for it, as the notebook says."""
    marked = [c for c in read_source(assignment).cells if c.metadata.get("nbgrader", {}).get("grade")]
    return {grade_id(cell): float(cell.metadata.nbgrader.points) for cell in marked}


def explanation_of(assignment: str) -> str:
    """Return the name of the cell that a person marks."""
    (name,) = set(points_of(assignment)) - {grade_id(c) for c in read_source(assignment).cells if is_test(c)}
    return name


@dataclass(frozen=True)
class Term:
    """What happens."""

    first: list[HandIn]
    """What has come when an assignment is collected for the first time."""
    again: list[HandIn]
    """What comes after that: of ``EX03``, a week later."""
    extensions: dict[tuple[str, str], datetime]
    """E-mail address, assignment → until when."""
    before: set[tuple[str, str]]
    """Which of these were given before anything was handed in."""

    @property
    def last(self) -> dict[tuple[str, str], HandIn]:
        """E-mail address, assignment → what counts."""
        return {(one.student.email, one.assignment): one for one in [*self.first, *self.again]}


def make_term() -> Term:
    """Return the plan: another seed gives another term, and every rule must hold in it."""
    chance = random.Random(SEED)
    first = [
        _hand_in(student, assignment, chance)
        for assignment in assignments()
        for student in STUDENTS
        if chance.random() > 0.07 or student.number <= 2
    ]
    again, extensions, before = [], {}, set()
    of = {(one.student.number, one.assignment): number for number, one in enumerate(first)}

    def change(number: int, assignment: str, **fields) -> HandIn:
        place = of.setdefault((number, assignment), len(first))
        if place == len(first):
            first.append(_hand_in(STUDENTS[number - 1], assignment, chance))
        first[place] = replace(first[place], **fields)
        return first[place]

    for number, assignment, days, hours_late, at_once in (
        (4, EX02, 3, 50, True),  # within the extension
        (5, EX02, 1, 47, True),  # a day beyond it, almost
        (9, EX05, 2, 30, False),  # given after it was graded
        (11, EX06, 4, 97, False),  # an hour beyond it
    ):
        until = DUE[assignment] + timedelta(days=days)
        one = change(
            number,
            assignment,
            when=DUE[assignment] + timedelta(hours=hours_late),
            extended=until.astimezone(ZoneInfo("UTC")) - DUE[assignment].astimezone(ZoneInfo("UTC")),
        )
        extensions[one.student.email, assignment] = until
        if at_once:
            before.add((one.student.email, assignment))
    for number in (6, 14):  # hand in once more, better and later
        old = change(number, EX03)
        better = {task: right(EX03, task, chance) for task in tasks(EX03)}
        again.append(replace(old, answers=better, when=DUE[EX03] + timedelta(days=number / 4)))
    for number in (3, 21):  # nothing at first
        late = change(number, EX03, when=DUE[EX03] + timedelta(days=2, hours=number))
        first.pop(of[number, EX03])
        of = {(one.student.number, one.assignment): place for place, one in enumerate(first)}
        again.append(late)
    return Term(first, again, extensions, before)


def right(assignment: str, task: str, chance: random.Random) -> Variant:
    """Return one of the first right answers to a task."""
    known = [one for one in read_variants(assignment) if one.task == task and one.correct]
    return chance.choice(known[:2])


def _hand_in(student: Student, assignment: str, chance: random.Random) -> HandIn:
    answers = {task: _answer(assignment, task, chance) for task in tasks(assignment)}
    if assignment == EX06 and answers["train_within_budget"] is not None:
        # The last task of the project trains the model of the second, and may call what the third asks for.
        answers |= {task: right(EX06, task, chance) for task in ("build_model", "train_keep_best")}
    hours = chance.choices([-chance.uniform(0.2, 70), chance.choice([3, 20, 30, 71])], weights=[0.85, 0.15])[
        0
    ]
    return HandIn(
        student,
        assignment,
        answers,
        explanation=chance.choice(["", *3 * ["Only a validation split can tell; the rest is chance."]]),
        by_hand=chance.choice([0.0, 0.5, 1.0, 1.5, 2.0]),
        when=(DUE[assignment] + timedelta(hours=hours)).replace(second=0, microsecond=0),
    )


def _answer(assignment: str, task: str, chance: random.Random) -> Variant | None:
    kind = chance.choices(["right", "wrong", "none"], weights=[6, 3, 1])[0]
    if kind == "none":
        return None
    if kind == "right":
        return right(assignment, task, chance)
    return chance.choice([v for v in read_variants(assignment) if v.task == task and not v.correct][:5])


def notebook_of(one: HandIn, released: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook that somebody handed in."""
    notebook = copy.deepcopy(released)
    cells = {grade_id(cell): cell for cell in notebook.cells}
    for name, task in tasks(one.assignment).items():
        if (variant := one.answers[name]) is not None:
            for answer, source in zip(task.answers, variant.cells, strict=True):
                cells[answer].source = source
    if one.explanation:
        cells[explanation_of(one.assignment)].source = one.explanation
    return notebook
