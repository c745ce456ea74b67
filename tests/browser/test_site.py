"""The lessons as web pages: opened from their folder, searched, paged through, without a server."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.browser.test_walkthrough import LESSONS
from tests.build_site import broken_links, build


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if shutil.which("jupyter-book", path=Path(sys.executable).parent) is None:
        pytest.skip("no Jupyter Book here: pip install -e '.[site]'")
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


def test_a_link_that_leads_nowhere_is_found(site, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(site, copy)
    (copy / "03_loss.html").unlink()
    _, broken = broken_links(copy)
    assert any("03_loss.html" in target for target in broken)


def test_no_solution_of_an_exercise_is_published(site):
    assert not any("BEGIN SOLUTION" in path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    assert [path.name for path in site.rglob("ex0*")] == []


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
    found = page.locator("#search-results li a", has_text="Optimiser")
    found.first.wait_for()
    found.first.click()
    page.wait_for_url("**/04_optimizer.html*")
