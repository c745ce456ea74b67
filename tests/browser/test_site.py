"""The lessons as web pages: opened from their folder, searched, paged through, without a server."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.browser.test_walkthrough import LESSONS
from tests.tools.site import broken_links, build, tool


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("jupyter-book", "lychee"):
        if shutil.which(tool(name)) is None:
            pytest.skip(f"no {name} here: pip install -e '.[site]'")
    folder = tmp_path_factory.mktemp("site") / "site"
    build(folder)
    return folder


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def test_every_link_of_the_site_leads_somewhere(site):
    followed, broken = broken_links(site)
    assert followed > 100 and broken == []


# A page, what it is to get in the place of what, and the target that then leads nowhere.
BREAKS = {
    "page": ("02_model.html", 'href="03_loss.html"', 'href="03_gain.html"', "/03_gain.html"),
    "picture": ("02_model.html", "</article>", '<img src="gone.png" alt=""></article>', "/gone.png"),
    "anchor here": ("04_optimizer.html", '<section id="summary">', "<section>", "/04_optimizer.html#summary"),
    "anchor there": (
        "exercises/README.html",
        "</article>",
        '<a href="../01_data.html#gone"></a></article>',
        "/01_data.html#gone",
    ),
    "style sheet": (
        "search.html",
        'href="_static/pygments.css',
        'href="_static/gone.css',
        "/_static/gone.css",
    ),
    "script": ("search.html", 'src="_static/doctools.js', 'src="_static/gone.js', "/_static/gone.js"),
}


@pytest.mark.parametrize(("name", "old", "new", "target"), BREAKS.values(), ids=BREAKS)
def test_a_link_that_leads_nowhere_is_found(site, tmp_path, name, old, new, target):
    copy = tmp_path / "copy"
    shutil.copytree(site, copy)
    page = copy / name
    text = page.read_text(encoding="utf-8")
    assert old in text
    page.write_text(text.replace(old, new), encoding="utf-8")
    followed, broken = broken_links(copy)
    assert followed > 100
    assert broken and all(line.startswith(f"{name}: ") and target in line for line in broken)


def test_exercises_are_pages_without_their_solutions(site):
    pages = [path for path in site.rglob("ex0*") if path.suffix in (".html", ".ipynb")]
    assert len(pages) == 12  # each as it is read, and as it is downloaded
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert "Replace this line by your code" in text
        assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN TESTS)", text)


def test_pages_follow_each_other_from_the_first_to_the_last(site, page):
    page.goto((site / "index.html").as_uri())
    for lesson in LESSONS:
        page.wait_for_url(f"**/{lesson}.html")
        assert page.locator("article h1").is_visible()
        if lesson != LESSONS[-1]:
            page.locator("a.right-next").click()


def test_pictures_of_the_lessons_are_there(site, page):
    for lesson in LESSONS:
        page.goto((site / f"{lesson}.html").as_uri())
        pictures = page.locator("article img")
        assert pictures.count() > 0
        assert pictures.evaluate_all("all => all.filter(one => !one.naturalWidth || !one.alt).length") == 0


def test_search_finds_a_word_without_a_server(site, page):
    page.goto((site / "search.html").as_uri() + "?q=momentum")
    # Exercise 04 and lesson 08 speak of momentum, too, and the order of what was found is the search's own affair.
    found = page.locator("#search-results li a[href*='04_optimizer.html']:not([href*='exercises'])")
    found.first.wait_for()
    found.first.click()
    page.wait_for_url("**/04_optimizer.html*")
