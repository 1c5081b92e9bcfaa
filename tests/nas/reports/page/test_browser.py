"""The page in a browser: touched, sorted, walked by keys, on a phone, in the dark, without script.

One Chromium, a subprocess, for the module; where none is installed, these tests are skipped.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from nas.reports.page import write_report
from nas.runs.run import open_run
from tests.nas.reports.made_run import SCRIPT, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; apt-get install chromium")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with a hostile caption, and a hostile name."""
    run = make_run(tmp_path_factory.mktemp("browser") / "<b>mine", captions=[SCRIPT, "a red ring", "a cross", "a star"])
    return write_report(open_run(run.path), run.path.parent / "report.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The report, opened; no test may leave a request, an error or a warning behind."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened, wrong = context.new_page(), list[str]()
    opened.on("request", lambda request: wrong.extend([request.url][: not request.url.startswith(("file:", "data:"))]))
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(report.as_uri())
    yield opened
    assert not wrong
    context.close()


def turn_to(page: Page, index: int, /) -> None:
    page.get_by_label("Round", exact=True).fill(str(index))


def shown_card(page: Page, /) -> str:
    (card,) = [card for card in page.locator(".block-card").all() if card.is_visible()]
    return card.locator("h3").inner_text()


def block(page: Page, label: str, /) -> Locator:
    return page.get_by_role("button", name=re.compile(f"^{label}:"))


def test_it_opens_on_the_result_and_the_block_that_matters_most(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text("less latency with 4 of 38 blocks gone")
    expect(page.locator(".round-card:visible")).to_contain_text("Round 2: what was found")
    assert shown_card(page) == "Up-3 cross-attention 1"


def test_a_block_tells_itself_when_pointed_at_and_stays_when_clicked(page: Page) -> None:
    before = shown_card(page)
    block(page, "Up-2 ResNet 1").hover()
    assert shown_card(page) == "Up-2 ResNet 1"
    page.get_by_role("heading", level=1).hover()
    assert shown_card(page) == before
    block(page, "Mid ResNet 1").click()
    page.get_by_role("heading", level=1).hover()
    assert shown_card(page) == "Mid ResNet 1"
    expect(block(page, "Mid ResNet 1")).to_have_attribute("aria-pressed", "true")
    card = page.locator(".block-card:visible")
    expect(card.locator(".fate")).to_contain_text("Removed after round 0, step 1 of 2.")
    expect(card.locator(".with-without svg")).to_have_count(8)


def test_the_slider_shows_what_every_round_had(page: Page) -> None:
    turn_to(page, 0)
    expect(block(page, "Mid ResNet 1")).to_have_class(re.compile("is-leaving"))
    expect(page.locator(".round-card:visible h3")).to_have_text("Round 0")
    turn_to(page, 1)
    expect(block(page, "Mid ResNet 1")).to_have_class(re.compile("is-gone"))
    expect(block(page, "Mid ResNet 1").locator("text")).to_have_text("round 0")
    expect(block(page, "Down-1 ResNet 2")).to_have_class(re.compile("is-leaving"))
    expect(page.get_by_label("Round", exact=True)).to_have_attribute("aria-valuetext", re.compile("Round 1: 36.0"))
    assert "round=1" in page.url, "the address leads to what is seen"


def test_blocks_are_coloured_by_what_they_cost(page: Page) -> None:
    turn_to(page, 0)
    page.get_by_text("CLIP lost", exact=True).first.click()
    heat = block(page, "Up-3 cross-attention 1").evaluate("each => Number(each.style.getPropertyValue('--heat'))")
    less = block(page, "Mid ResNet 1").evaluate("each => Number(each.style.getPropertyValue('--heat'))")
    assert heat == 1
    assert less < 0.1
    expect(block(page, "Up-1 ResNet 1")).to_have_class(re.compile("is-unknown"))
    expect(page.locator("#legend")).to_contain_text("by its removal alone")


def test_a_table_is_sorted_by_a_click_up_and_down_and_unknown_numbers_stay_below(page: Page) -> None:
    page.get_by_role("heading", name="Blocks", exact=True).click()
    table = page.get_by_role("region", name="Blocks").get_by_role("table")
    head = table.get_by_role("columnheader", name=re.compile("^CLIP lost ?.?$"))
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    names = table.locator("tbody tr td:first-child")
    assert names.first.inner_text() in ("Mid ResNet 1", "Down-1 cross-attention 1")
    head.get_by_role("button").click()
    assert names.first.inner_text() == "Up-3 cross-attention 1"
    assert table.locator("tbody tr").last.locator("td").nth(2).inner_text() == "–"
    assert names.count() == 38


def test_it_is_read_and_walked_by_keys_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the report")).to_be_focused()
    page.keyboard.press("Enter")
    reached = list[str]()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.block ?? document.activeElement.id"))
        if reached[-1].isdecimal():
            break
    assert "round" in reached, "the slider comes before the drawing"
    assert reached[-1].isdecimal(), "one stop for the whole drawing"
    start = shown_card(page)
    page.keyboard.press("ArrowLeft")
    assert shown_card(page) != start
    page.keyboard.press("Home")
    assert shown_card(page) == "Down-1 ResNet 1"
    page.keyboard.press("ArrowDown")
    assert shown_card(page) == "Down-1 cross-attention 1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert shown_card(page) == "Down-1 ResNet 2"


def test_an_answer_leads_to_its_block(page: Page) -> None:
    page.get_by_role("article").filter(has_text="Which went first").get_by_role("link").click()
    assert shown_card(page) == "Mid ResNet 1"
    expect(block(page, "Mid ResNet 1")).to_be_focused()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_nothing_keeps_a_reader_out(page: Page, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for fold in page.locator("details").all():
        fold.evaluate("each => each.open = true")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) is (scheme == "dark")


def test_a_phone_shows_it_without_moving_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    block(page, "Up-3 ResNet 1").click()
    assert shown_card(page) == "Up-3 ResNet 1"


def test_a_hostile_text_is_a_text(page: Page) -> None:
    assert page.evaluate("window.attacked") is None
    expect(page.locator(".pair-grid figcaption").first).to_have_text(SCRIPT)
    expect(page.locator(".kicker .name")).to_have_text("<b>mine")
    assert page.locator("img").count() == 0


def test_without_script_everything_can_be_read(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(".block-card:visible").count() == 38
    assert page.locator(".round-card:visible").count() == 3
    assert page.locator("table.sortable:visible").count() == 4
    assert page.locator("#round").is_hidden(), "nothing that would not work"
    context.close()
