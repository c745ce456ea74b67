"""What the report says of a class is what was put into it, counted apart; what students wrote is inert there."""

from __future__ import annotations

import csv
import html
import re
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.exercises.misconceptions import BELIEFS, SECTIONS
from fmnist_helpers.exercises.remote import answer
from fmnist_helpers.grading.__main__ import main
from fmnist_helpers.grading.class_page import lasted, section_link
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.instructor_cells import plan
from fmnist_helpers.grading.judging import judge
from tests.exercises.bank import read_variants, tasks
from tests.grading.reported import FIRST, NAME, TASK, HandMadeClass
from tests.grading.test_alike import disguised

STRANGE = [
    "=1+1",
    "<script>ran.push(1)<",
    '"><b onclick=alert(1)>',
    "ë José",
    "ב ג",
    "a" * 80,
    "o'neill",
]
SMUGGLED = (
    'a text\nA belief that leads there: "labels must be one-hot". But no.\n<img src=x onerror=alert(1)>'
)
TITLES = {
    "predict": "Task 1: Predict, then run",
    "model_loss": "Task 2: Find the faults",
    "loss_over_batches": "Task 3: Batches of different sizes",
    TASK: "Task 4: Cross-entropy from scratch",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A class of 24 and the answers of each: half of them graded by an edition that wrote no beliefs down."""
    made = HandMadeClass(tmp_path_factory.mktemp("a class"))
    bank = defaultdict(list)
    for variant in read_variants(NAME):
        bank[variant.task].append(variant)
    given = {}
    for number in range(24):
        student = STRANGE[number] if number < len(STRANGE) else f"student {number}"
        # Each fifth leaves a task out; the offsets bring other mistakes together.
        chosen = {
            task: bank[task][(number * (place + 2) + place) % len(bank[task])]
            for place, task in enumerate(bank)
            if (number + place) % 5
        }
        made.add(
            student,
            chosen,
            explanation="Because." if number % 3 else "",
            mark=2.0 if number % 2 else None,
            written_down=number % 2 == 0,
            seen=SMUGGLED,
        )
        given[student] = chosen
    made.outcome("Nemo", problem="not submitted")
    made.outcome("Odd", problem="unreadable")
    (made.classroom.folder / "feedback" / STRANGE[1]).mkdir(parents=True)
    (made.classroom.folder / "feedback" / STRANGE[1] / f"{NAME}.html").touch()
    made.report()
    return made, given


def read(made: HandMadeClass) -> tuple[str, list[dict[str, str]]]:
    page = (made.classroom.folder / "report.html").read_text(encoding="utf-8")
    with open(made.classroom.folder / "report.csv", encoding="utf-8-sig", newline="") as file:
        return page, list(csv.DictReader(file))


def table_rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, as they are read."""
    part = page.split(f"<h3>{heading}</h3>")[1].split("</table>")[0].split("<tbody>")[1]
    rows = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in part.split("</tr>")[:-1]]
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in rows]


def counted(given) -> tuple[dict[str, tuple[int, int]], Counter]:
    """Count apart: title → how many tried and solved it, and (belief, title) → how many students met it."""
    tried, solved, met = Counter(), Counter(), Counter()
    for answers in given.values():
        for task, variant in answers.items():
            tried[TITLES[task]] += 1
            solved[TITLES[task]] += variant.correct
            if not variant.correct and variant.about != "none":
                met[BELIEFS[variant.about].words, TITLES[task]] += 1
    return {title: (tried[title], solved[title]) for title in TITLES.values()}, met


def test_page_and_table_count_what_was_put_in(made):
    expected, met = counted(made[1])
    page, rows = read(made[0])
    tasks_told = {row["task"]: row for row in rows if not row["belief"]}
    for title, (tried, solved) in expected.items():
        row = tasks_told[title]
        assert (row["handed_in"], row["tried"], row["solved"]) == ("24", str(tried), str(solved))
    assert {(row["belief"], row["task"]): int(row["met_by"]) for row in rows if row["belief"]} == met
    told = table_rows(page, "Tasks")
    assert {row[0]: (int(row[2]), int(row[3])) for row in told[:4]} == expected
    told = table_rows(page, "Beliefs")
    of = {title: tried for title, (tried, _) in expected.items()}
    assert {(row[0], row[1]): row[2] for row in told} == {key: f"{met[key]} of {of[key[1]]}" for key in met}
    numbers = [int(row[2].split()[0]) for row in told]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) >= 5


def test_means_and_explanations_that_wait(made):
    page, rows = read(made[0])
    points = {TITLES[task]: 0.0 for task in TITLES}
    most = {"predict-test": 2, "model_loss-test": 4, "loss_over_batches-test": 3}
    for answers in made[1].values():
        for task, variant in answers.items():
            passed = set(tasks(NAME)[task].tests)
            passed -= set() if variant.correct else set(variant.failing) or passed
            points[TITLES[task]] += sum(most.get(name, 3) for name in passed)
    told = {row["task"]: row for row in rows if not row["belief"]}
    for title, total in points.items():
        assert float(told[title]["mean"]) == pytest.approx(total / 24, abs=1e-3)
    last = told["Task 5: Explain in your own words"]
    # 16 explained; the 8 of them with odd numbers have 2 points, and the 8 that were left empty have 0.
    assert (last["tried"], last["solved"], last["waiting"], last["mean"]) == ("16", "8", "8", "1.0")
    assert table_rows(page, "Tasks")[4][1:] == ["24", "16", "8", "8", "1.00 of 2"]


def test_worth_a_word_is_what_a_fifth_met_and_fewer_than_half_solved(made):
    expected, met = counted(made[1])
    page, _ = read(made[0])
    part = html.unescape(re.sub(r"</?em>", "", page.split('<ul class="word">')[1].split("</ul>")[0]))
    often = {key for key, number in met.items() if number >= expected[key[1]][0] / 5}
    hard = {title for title, (tried, solved) in expected.items() if solved < tried / 2}
    assert often and hard
    items = re.findall(r"<li>(.*?)</li>", part, re.DOTALL)
    said = {
        match.groups()
        for one in items
        if (match := re.match(r"“(.*?)”: \d+ of \d+ who tried (.*?)\. But", one))
    }
    assert said == often
    assert {one.split(": ")[0] + ": " + one.split(": ")[1] for one in items if one.startswith("Task")} == hard


def test_hand_ins_and_what_could_not_be_graded(made):
    page, _ = read(made[0])
    text = " ".join(page.split())
    last = FIRST + timedelta(hours=7 * 23)
    assert (
        "24 handed in, beside them 1 unreadable. The first came on 1 March 2027, 09:30, the last on" in text
    )
    assert f"{last.day} March 2027, {last:%H:%M} (UTC): 6 days 17 h." in text
    assert "Nemo" not in page and "without a time stamp" not in page


def test_what_students_wrote_is_inert(made):
    page, rows = read(made[0])
    assert "<script" not in page and "onclick" not in re.sub(r"&lt;.*?&gt;|&#34;&gt;&lt;b onclick", "", page)
    assert "default-src 'none'" in page and "onerror" not in page
    pairs = table_rows(page, "Near-equal answers")
    assert pairs and {name for row in pairs for name in row[1:3]} <= set(made[1])
    # A diagnosis cannot be made to name a belief by what was seen.
    assert counted(made[1])[1] == {
        (row["belief"], row["task"]): int(row["met_by"]) for row in rows if row["belief"]
    }


def test_a_copy_in_disguise_is_a_pair_and_independent_answers_are_none(tmp_path):
    made = HandMadeClass(tmp_path / "class")
    right = [one for one in read_variants(NAME) if one.task == TASK and one.correct]
    for number, variant in enumerate(right):
        made.add(f"own {number}", {TASK: variant})
    copy = replace(right[8], cells=tuple(map(disguised, right[8].cells)))
    made.add("<i>copy", {TASK: copy})
    made.report()
    rows = table_rows(read(made)[0], "Near-equal answers")
    assert [row[:3] for row in rows] == [[TITLES[TASK], "<i>copy", "own 8"]]


def test_an_empty_class_is_told_so(tmp_path):
    assert main(["report", "--out", str(tmp_path / "new")]) == 0
    assert "Nothing was graded in this class so far." in (tmp_path / "new" / "report.html").read_text()
    assert len((tmp_path / "new" / "report.csv").read_text().splitlines()) == 1


def test_the_judge_writes_down_the_belief_that_a_check_names():
    cell = "from fmnist_helpers.exercises.ex04_optimizer import check_order\ncheck_order(order)"
    for order, belief in (("C B D A E", "step_computes"), ("C B D E A", None)):
        judged = judge(plan(cell), lambda request, order=order: answer(request, {"order": order}), 7)
        assert judged.belief == belief


def test_section_is_linked_where_the_site_is_built(tmp_path):
    classroom = Classroom(tmp_path / "a class", tmp_path, tmp_path / "notebooks" / "exercises")
    assert section_link(classroom, "probabilities_in") == ""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "03_loss.html").touch()
    assert section_link(classroom, "probabilities_in") == "../site/03_loss.html#softmax-before-cross-entropy"
    assert SECTIONS["softmax_first"][0] == "Lesson 03, section 6"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "0 h 0 min"), (320, "5 h 20 min"), (1440 + 61, "1 day 1 h"), (4320, "3 days 0 h")],
)
def test_times_are_told_in_words(minutes, words):
    assert lasted(timedelta(minutes=minutes)) == words
