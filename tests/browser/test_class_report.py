"""The report on a class in a browser: light and dark, wide and narrow, without scripts, and read by axe."""

from __future__ import annotations

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from tests.browser.conftest import SCREENSHOTS
from tests.exercises.bank import read_variants
from tests.grading.reported import NAME, TASK, HandMadeClass

STRANGE = ["<script>ran=1<", "ב ג", "a" * 80]


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """The address of the report on a class of nine, with beliefs and near-equal answers."""
    made = HandMadeClass(tmp_path_factory.mktemp("a class"))
    variants = read_variants(NAME)
    for number, student in enumerate([*STRANGE, *"abcdef"]):
        answers = {variant.task: variant for variant in variants[number::9]}
        if student in "ef":
            answers[TASK] = [variant for variant in variants if variant.task == TASK][8]
        made.add(student, answers, explanation="Because.", mark=None if number % 2 else 2.0)
    made.report()
    return (made.classroom.folder / "report.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_is_read_without_barriers_and_runs_nothing(browser, address, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install -e '.[browser]'"
    ).Axe()
    page = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme=scheme)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    assert page.locator("table").count() == 3 and page.locator("ul.word > li").count() > 0
    assert page.locator("script, iframe, object, embed, form, link, base, svg, img").count() == 0
    assert page.locator("bdi").all_inner_texts()[-2:] == ["e", "f"]
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"class-report-{scheme}.png", full_page=True)
    found = axe.run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    for width in (1100, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=SCREENSHOTS / f"class-report-{scheme}-narrow.png", full_page=True)
    assert requests == [address]
    page.close()
