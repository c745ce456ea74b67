"""That the papers around the course (changelog, citation, attributes, workflows) say what is so."""

from __future__ import annotations

import re
import subprocess
import tomllib

import yaml

import fmnist_helpers
from tests.tools.course import COURSE, LESSONS


def read(name):
    return (COURSE / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
CITATION = yaml.safe_load(read("CITATION.cff"))
CHANGELOG = read("CHANGELOG.md")


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=COURSE, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def place(name):
    """Return the file or folder of a module, or of a path."""
    path = COURSE / (name if "/" in name else name.replace(".", "/"))
    return path if path.exists() else path.with_suffix(".py")


def test_version_stands_in_one_place_and_heads_the_changelog():
    assert PROJECT["dynamic"] == ["version"] and "version" not in CITATION
    newest = re.search(r"^## \[(.+)\] - \d{4}-\d\d-\d\d$", CHANGELOG, flags=re.MULTILINE)[1]
    assert newest == fmnist_helpers.__version__
    files = git(
        "grep", "-l", "--untracked", "--fixed-strings", f'"{newest}"', "--", "*.py", "*.toml", "*.cff"
    )
    assert files == "fmnist_helpers/__init__.py"


def test_citation_agrees_with_readme_licence_and_project():
    assert read("README.md").startswith(f"# {CITATION['title']}\n")
    assert CITATION["license"] == PROJECT["license"]
    assert f"{CITATION['license']} License\n" in read("LICENSE")
    (author,) = CITATION["authors"]
    assert re.search(rf"^Copyright \(c\) \d+ {author['name']}$", read("LICENSE"), flags=re.MULTILINE)


def test_workflows_run_what_exists():
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE)
    for path in ("tests.yml", "site.yml"):
        jobs = yaml.safe_load(read(f".github/workflows/{path}"))["jobs"].values()
        runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
        words = [line.split() for run in runs for line in run.splitlines()]
        made = [line[1] for line in words if line[0] == "make"]
        assert made and set(made) <= set(targets), path
        files = [word for line in words for word in line if re.match(r"(tests|\.ci)/", word)]
        assert [name for name in files if not (COURSE / name).is_file()] == []


def test_what_make_test_leaves_out_for_its_time_is_run_by_ci():
    text = read(".ci/run").replace("\\\n", " ")
    named = re.search(r"-m pytest -m slow (.*)", text)[1].split()
    run = {path for name in named for path in COURSE.glob(name)}
    slow = git("grep", "-l", "--untracked", "pytest.mark.slow$", "--", "tests/*.py").splitlines()
    assert slow and '-m "not slow"' in read("Makefile")
    assert [name for name in slow if not run & {COURSE / name, *(COURSE / name).parents}] == []


def test_what_moved_is_where_the_changelog_says():
    rows = [line.split("|")[1:-1] for line in CHANGELOG.splitlines() if line.startswith("| `")]
    assert rows
    for old, new in ([re.findall("`(.+?)`", cell) for cell in row] for row in rows):
        assert new and all(place(name).exists() for name in new), new
        # The exercises still answer to their old name. (A folder may stay behind, empty but for caches.)
        assert old == ["fmnist_helpers.checks"] or not place(*old).is_file(), old


def test_git_keeps_line_ends_where_a_shell_reads_and_knows_notebooks():
    for name in (".ci/run", "binder/postBuild", "binder/start", "Makefile"):
        assert git("check-attr", "eol", "--", name) == f"{name}: eol: lf"
    lesson = LESSONS[0].relative_to(COURSE).as_posix()
    assert git("check-attr", "diff", "--", lesson) == f"{lesson}: diff: jupyternotebook"
