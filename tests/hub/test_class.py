"""A class on a hub, step by step, as the instructor's guide describes it: two students and their instructor.

What a person does in a browser is done in one. Ada answers rightly, and others may read what she writes unless its
folder is closed; Ben has a fault in one task, and nobody may read what he or the instructor writes.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys

import pytest

from tests.exercises.bank import grade_id, is_test, read_source, read_variants, tasks
from tests.hub.conftest import Hub, wait_for_lab
from tests.hub.world import PATH, World
from tests.tools.course import EXERCISES, LESSONS

STUDENTS = ("ada", "ben")
ASSIGNMENT = "ex01_data"
WRONG_TASK = "make_loaders_of"
LESSON = "01_data.ipynb"
EXPLANATION = "Every choice that looks at the test images fits them a little."
EXCHANGE = "/srv/nbgrader/exchange"
DATA = "/srv/fashion-mnist"
WORK = f"my_course/assignments/{ASSIGNMENT}"
NOTEBOOK = "jupyterapp.shell.currentWidget"

PROFILE = f"export PATH={PATH}:$PATH FMNIST_DATA={DATA}\n"
SECTION = (
    (EXERCISES / "README.md")
    .read_text("utf-8")
    .split("## A class that outgrows one machine")[1]
    .split("\n## ")[0]
)
SETTINGS, CLASSROOM = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
COMMANDS = re.search(r"```bash\n(.*?)```", SECTION, flags=re.DOTALL)[1]
"""What the guide has an administrator and an instructor write and type."""


def in_classroom(world: World, command: str, expected: int | None = 0):
    """Run a command as the instructor, in the class's folder."""
    return world.run_as("teacher", f"cd course/classroom && {command}", expected, umask="077")


# --- the administrator


def test_the_administrator_installs_the_course_without_its_solutions(world, wheel):
    pip = f"{sys.prefix}/bin/python -m pip install --quiet --no-deps --no-index --force-reinstall"
    world.run("sh", "-c", f"{pip} {wheel}")
    world.write("/etc/profile.d/course.sh", PROFILE)
    ask = "python -c 'import fmnist_helpers; print(fmnist_helpers.__path__[0])'"
    package = world.run_as("ada", ask).stdout.strip()
    assert package.startswith(sys.prefix)
    world.run("grep", "-rqE", "BEGIN (SOLUTION|HIDDEN)", f"{package}/course/packaged", expected=1)
    assert "Permission denied" in world.run_as("ada", f"touch {package}/mine", expected=1).stderr


def test_the_administrator_prepares_the_data_and_the_exchange(world):
    install, rest = COMMANDS.split("\n", 1)
    assert install.startswith("pip install")
    world.run("sh", "-ec", f"export FMNIST_SOURCE=standin\n{rest}")
    assert "Permission denied" in world.run_as("ada", f"touch {DATA}/mine", expected=1).stderr
    world.write("/etc/jupyter/nbgrader_config.py", SETTINGS)


# --- the instructor hands out


def test_the_instructor_releases_an_assignment(world):
    settings = CLASSROOM.replace("NAME", "teacher")
    world.write("/home/teacher/.jupyter/nbgrader_config.py", settings, user="teacher")
    release = f"python -m fmnist_helpers.grading release --out classroom --assignment {ASSIGNMENT}"
    world.run_as("teacher", f"cd course && {release}", umask="077")
    in_classroom(world, f"nbgrader release_assignment {ASSIGNMENT}")
    assert "Permission denied" in world.run_as("ada", "ls ~teacher/course", expected=2).stderr


# --- the students


@pytest.fixture(scope="module")
def pages() -> dict[str, object]:
    """Name of each who has logged in → their page."""
    return {}


@pytest.mark.parametrize("user", [*STUDENTS, "teacher"])
def test_start(hub, pages, user):
    pages[user] = hub.log_in(user)


@pytest.mark.parametrize("user", STUDENTS)
def test_a_student_writes_copies_from_a_terminal(world, pages, user):
    page = pages[user]
    page.evaluate("async () => { await jupyterapp.commands.execute('terminal:create-new'); }")
    page.wait_for_function(f"() => {NOTEBOOK}.content?.session?.connectionStatus === 'connected'")
    page.locator(".jp-Terminal .xterm-helper-textarea").focus()
    page.keyboard.type("fmnist-course --no-lab > said.txt 2>&1; echo $? > status.txt\n")
    wait_for(page, lambda: world.run("cat", f"/home/{user}/status.txt", expected=None).stdout)
    said = world.run("cat", f"/home/{user}/said.txt").stdout
    assert world.run("cat", f"/home/{user}/status.txt").stdout == "0\n", said
    assert f"Fashion-MNIST in {DATA}/standin" in said
    there = world.run("ls", f"/home/{user}/my_course").stdout.split()
    assert {path.name for path in LESSONS} < set(there)
    mode = world.run("stat", "--format=%U %a", f"/home/{user}/my_course/{LESSON}").stdout.split()
    assert mode == [user, "644" if user == "ada" else "600"]


@pytest.mark.parametrize("user", STUDENTS)
def test_a_student_has_nothing_of_the_instructors_in_the_menus(pages, user):
    commands = set(pages[user].evaluate("() => jupyterapp.commands.listCommands()"))
    assert "nbgrader:open-assignment-list" in commands
    assert not commands & {"nbgrader:open-formgrader", "nbgrader:open-create-assignment"}


def test_a_student_who_opens_formgrader_sees_no_class(hub, world, pages):
    page = pages["ben"]
    page.goto(f"{hub.address}/user/ben/formgrader/manage_students")
    page.locator("#main-table").wait_for()
    page.wait_for_load_state("networkidle")
    assert "ada" not in page.locator("#main-table").inner_text()
    page.goto(f"{hub.address}/user/ben/lab?reset")
    wait_for_lab(page)


def test_a_student_runs_a_lesson(hub, pages):
    page = pages["ada"]
    open_notebook(hub, page, "ada", f"my_course/{LESSON}")
    cells = run_cells(page)
    assert errors(cells) == []
    assert f"{DATA}/standin" in json.dumps(cells)


@pytest.mark.parametrize("user", STUDENTS)
def test_a_student_fetches_the_assignment(hub, world, pages, user):
    open_list(hub, pages[user], user)
    press(pages[user], "released", "Fetch")
    pages[user].locator("#fetched_assignments_list button", has_text="Submit").wait_for()
    assert world.run("ls", f"/home/{user}/{WORK}").stdout.split() == [f"{ASSIGNMENT}.ipynb"]
    world.run("test", "-e", f"/home/{user}/{WORK}/../../{LESSON}")


def test_a_student_submits_too_early(world):
    world.run_as("ben", f"nbgrader submit {ASSIGNMENT}", umask="077")
    in_classroom(world, f"nbgrader collect {ASSIGNMENT}")
    assert EXPLANATION not in in_classroom(world, f"cat submitted/ben/{ASSIGNMENT}/*.ipynb").stdout


def answers_of(user: str) -> dict[str, str]:
    """Return what a student writes: name of each answer's cell → its text."""
    right, wrong = {}, {}
    for variant in read_variants(ASSIGNMENT):
        (right if variant.correct else wrong).setdefault(variant.task, variant.cells)
    chosen = right if user == "ada" else {**right, WRONG_TASK: wrong[WRONG_TASK]}
    known = tasks(ASSIGNMENT)
    cells = {
        name: text for task in known for name, text in zip(known[task].answers, chosen[task], strict=True)
    }
    return {**cells, "explain": EXPLANATION}


@pytest.mark.parametrize("user", STUDENTS)
def test_a_student_answers(hub, world, pages, user):
    page = pages[user]
    open_notebook(hub, page, user, f"{WORK}/{ASSIGNMENT}.ipynb")
    page.evaluate(
        f"""answers => {{
            for (const cell of {NOTEBOOK}.content.model.cells) {{
                const name = cell.getMetadata("nbgrader")?.grade_id;
                if (name in answers) cell.sharedModel.setSource(answers[name]);
            }}
        }}""",
        answers_of(user),
    )
    cells = run_cells(page)
    page.evaluate("async () => { await jupyterapp.commands.execute('docmanager:save'); }")
    said = json.dumps(cells)
    assert errors(cells) == ([] if user == "ada" else ["CheckFailed"])
    assert (f"{WRONG_TASK} is not right yet" in said) == (user == "ben")
    assert EXPLANATION in world.run("cat", f"/home/{user}/{WORK}/{ASSIGNMENT}.ipynb").stdout


@pytest.mark.parametrize("user", STUDENTS)
def test_a_student_submits(hub, world, pages, user):
    open_list(hub, pages[user], user)
    press(pages[user], "fetched", "Submit")
    expected = {"ada": 1, "ben": 2}[user]
    wait_for(pages[user], lambda: len(submissions(world, user)) == expected)


def submissions(world: World, user: str) -> list[str]:
    """Return the paths at which a student's submissions wait in the exchange."""
    find = f"find {EXCHANGE}/fmnist/inbound -mindepth 1 -maxdepth 1 -name '{user}+{ASSIGNMENT}+*'"
    return world.run("sh", "-c", find).stdout.splitlines()


def test_a_student_cannot_read_what_another_one_handed_in(world):
    assert "Permission denied" in world.run_as("ben", f"ls {EXCHANGE}/fmnist/inbound", expected=2).stderr
    assert "Permission denied" in world.run_as("ben", f"ls ~ada/{WORK}", expected=2).stderr
    # Whoever does not know the folder's name, with what is random in it, guesses in vain.
    begin = submissions(world, "ada")[0].rpartition("+")[0]
    assert "No such file" in world.run_as("ben", f"ls '{begin}+'", expected=2).stderr


# --- the instructor grades


def test_the_instructor_collects(world):
    said = in_classroom(world, f"nbgrader collect {ASSIGNMENT} --update").stderr
    assert "cheating" not in said
    find = f"find submitted -type f ! -user teacher -o -name {ASSIGNMENT}.ipynb"
    found = in_classroom(world, find).stdout.split()
    assert sorted(found) == [f"submitted/{user}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb" for user in STUDENTS]
    for path in found:
        assert EXPLANATION in in_classroom(world, f"cat {path}").stdout


def grade(world: World) -> dict[str, dict[str, str]]:
    """Grade as the instructor; return the lines of the table, by student."""
    command = f"python -m fmnist_helpers.grading grade --out classroom --assignment {ASSIGNMENT}"
    done = world.run_as("teacher", f"cd course && {command}", umask="077")
    print("without a sandbox" if "NOT SANDBOXED" in done.stderr else "in the sandbox")
    table = in_classroom(world, "cat grades.csv").stdout.lstrip("\ufeff")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(table))}


def points(user: str) -> dict[str, float]:
    """Return the marks that a student's tests must get."""
    most = {
        grade_id(cell): cell.metadata.nbgrader.points
        for cell in read_source(ASSIGNMENT).cells
        if is_test(cell)
    }
    lost = tasks(ASSIGNMENT)[WRONG_TASK].tests if user == "ben" else ()
    return {name: 0 if name in lost else float(number) for name, number in most.items()}


def test_the_instructor_grades(world):
    rows = grade(world)
    assert set(rows) == set(STUDENTS)
    for user, row in rows.items():
        assert row["status"] == "needs manual grading", row
        assert {name: float(row[name]) for name in points(user)} == points(user)
        assert row["flags"] == row["notes"] == "", row


def test_the_instructor_marks_explanations_in_formgrader(hub, world, pages):
    page = pages["teacher"]
    for number in range(len(STUDENTS)):
        page.goto(f"{hub.address}/user/teacher/formgrader/gradebook/{ASSIGNMENT}/{ASSIGNMENT}")
        page.locator("a", has_text=re.compile("^Submission #")).nth(number).click()
        # What is typed before is lost.
        page.wait_for_function("() => window.formgrader?.grades?.loaded && formgrader.comments?.loaded")
        for kind, box, text in (("grade", "#explain", "2"), ("comment", "#explain-comment", "Well said.")):
            page.locator(box).fill(text)
            with page.expect_response(re.compile(f"/api/{kind}/")) as saved:
                page.locator(box).blur()
            assert saved.value.request.method == "PUT" and saved.value.ok
    for user, row in grade(world).items():
        assert (row["status"], float(row["explain"])) == ("graded", 2.0), row
        assert float(row["points"]) == sum(points(user).values()) + 2


def test_the_instructor_releases_feedback(world):
    in_classroom(world, f"nbgrader release_feedback {ASSIGNMENT}")
    assert len(world.run("ls", f"{EXCHANGE}/fmnist/feedback").stdout.split()) == 2


# --- the students read it


@pytest.mark.parametrize("user", STUDENTS)
def test_a_student_reads_the_feedback(hub, world, pages, user):
    page = pages[user]
    open_list(hub, page, user)
    press(page, "submitted", "Fetch Feedback")
    page.locator("#submitted_assignments_list a", has_text="(view feedback)").click()
    page.locator(".jp-DirListing-item", has_text=f"{ASSIGNMENT}.html").dblclick()
    shown = page.frame_locator(".jp-HTMLViewer iframe").locator("body").inner_text()
    assert EXPLANATION in shown and "Well said." in shown
    assert (f"{WRONG_TASK} is not right yet" in shown) == (user == "ben")


def test_a_student_cannot_read_the_feedback_of_another_one(world):
    assert "Permission denied" in world.run_as("ben", f"ls {EXCHANGE}/fmnist/feedback", expected=2).stderr
    # What is fetched in Ben's name is his.
    world.run_as("ben", f"nbgrader fetch_feedback {ASSIGNMENT}", umask="077")
    pages = world.run("sh", "-c", f"cat /home/ben/{WORK}/feedback/*/*.html").stdout
    assert "is not right yet" in pages and pages.count("<title>") == 1


def test_a_submission_in_the_name_of_another_one_is_told(world):
    forged = f"{EXCHANGE}/fmnist/inbound/ada+ex03_loss+2026-03-02 12:00:00.000000 UTC+x"
    world.run_as("ben", f"mkdir '{forged}' && cp {WORK}/*.ipynb '{forged}'")
    said = in_classroom(world, "nbgrader collect ex03_loss").stderr
    assert "claims to be submitted by ada but is owned by ben; cheating attempt?" in said


# --- in the browser


def open_notebook(hub: Hub, page, user: str, path: str) -> None:
    """Open a notebook, and wait for its kernel."""
    page.goto(f"{hub.address}/user/{user}/lab/tree/{path}?reset")
    wait_for_lab(page)
    page.wait_for_function(f"() => {NOTEBOOK}?.sessionContext")
    page.evaluate(f"async () => {{ await {NOTEBOOK}.context.ready; await {NOTEBOOK}.sessionContext.ready; }}")
    page.evaluate(f"async () => {{ await {NOTEBOOK}.sessionContext.session.kernel.info; }}")


def run_cells(page) -> list[dict]:
    """Run all cells of the open notebook until one fails, and return them."""
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-all-cells'); }")
    return page.evaluate(f"() => {NOTEBOOK}.content.model.toJSON().cells")


def errors(cells: list[dict]) -> list[str]:
    """Return the names of the errors that cells show, without those that are there to be read."""
    unmeant = [cell for cell in cells if "raises-exception" not in cell["metadata"].get("tags", [])]
    outputs = [one for cell in unmeant for one in cell.get("outputs", [])]
    return [one["ename"] for one in outputs if one["output_type"] == "error"]


def open_list(hub: Hub, page, user: str) -> None:
    """Open nbgrader's list of assignments."""
    page.goto(f"{hub.address}/user/{user}/lab?reset")
    wait_for_lab(page)
    page.evaluate("async () => { await jupyterapp.commands.execute('nbgrader:open-assignment-list'); }")


def press(page, kind: str, words: str) -> None:
    """Press the button with these words in one of the three parts of that list."""
    page.locator(f"#{kind}_assignments_list button", has_text=words).click()


def wait_for(page, holds, seconds: int = 120) -> None:
    for _ in range(5 * seconds):
        if holds():
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"not so after {seconds} seconds")
