"""Information as a person uses it: bars that fill, Pause and Stop, links, gates."""

import re
from collections.abc import Callable
from urllib.parse import quote

from playwright.sync_api import Page, expect

QUICK = {"probe-items": "1000", "probe-k": "4"}


def opened(page: Page, url: str, view: str, **link: str) -> None:
    query = "&".join(f"{key}={quote(value)}" for key, value in {"view": view, **link}.items())
    page.goto(f"{url}/information?{query}")
    page.wait_for_selector(".stMain [data-testid='stButtonGroup']", timeout=60_000)


def ended(page: Page, wait_idle: Callable[..., None], seconds: float = 90) -> None:
    """Until nothing grows any more: the view offers what it found."""
    expect(page.get_by_role("button", name="Save").first).to_be_visible(timeout=1000 * seconds)
    wait_idle(page)


def counted(page: Page) -> int:
    told = page.get_by_text(re.compile(r"\d+ items read")).first.inner_text()
    return int(re.search(r"(\d+) items read", told)[1])


def test_the_bars_fill_pause_and_go_on(app, page, wait_idle):
    opened(page, app, "Probe set", **{"probe-items": "8000", "probe-k": "3"})
    expect(page.get_by_text(re.compile(r"\d+ items read"))).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible(timeout=10_000)
    page.wait_for_timeout(1500)  # what was under way is finished
    held = counted(page)
    assert 0 < held < 8000
    page.wait_for_timeout(2000)
    assert counted(page) == held
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text(f"{held} items read")).to_have_count(0, timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("what was found until then is kept")).to_be_visible(timeout=30_000)
    assert held < counted(page) < 8000


def test_a_link_restores_the_view_and_its_numbers(app, page, new_page, wait_idle):
    opened(page, app, "Probe set", **QUICK)
    ended(page, wait_idle)
    sentence = page.locator(".stMain [data-testid='stMarkdown']").nth(1).inner_text()
    page.get_by_role("slider", name="Clusters k").focus()
    page.keyboard.press("ArrowRight")
    wait_idle(page)
    ended(page, wait_idle)
    assert "probe-k=5" in page.url
    again = new_page()
    again.goto(page.url)
    ended(again, wait_idle)
    assert again.get_by_text("1000 items read").count() == 1
    assert "5 x " in again.get_by_text("1000 items read").first.inner_text()
    assert sentence


def test_a_gate_moves_with_its_noise(app, page, wait_idle):
    opened(page, app, "Gates")
    expect(page.get_by_text("1.000 by both together")).to_be_visible(timeout=60_000)
    page.get_by_role("slider", name=re.compile("Noise")).focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Nothing tells anything: the output is noise.")).to_be_visible(timeout=20_000)


def test_a_crossed_ensemble_is_drawn_as_it_fills(app, page, wait_idle):
    opened(page, app, "This input", **{"ensemble-pictures": "other lab scenes", "ensemble-questions": "any kind"})
    page.wait_for_selector("[aria-label^='Bits so far'], [data-testid='stVegaLiteChart']", timeout=60_000)
    ended(page, wait_idle)
    expect(page.get_by_text("this picture and other lab scenes").first).to_be_visible()
    expect(page.get_by_text("A second opinion")).to_be_visible(timeout=30_000)


def test_what_is_asked_goes_along_from_page_to_page(app, page, wait_idle):
    page.goto(f"{app}/?q={quote('what shape is the green object?')}")
    page.wait_for_selector('.st-key-picture .lens[data-ready="1"]', timeout=60_000)
    wait_idle(page)
    page.get_by_role("link", name="Information").click()
    page.get_by_role("radio", name="This input").click()
    expect(page.get_by_label("Question", exact=True)).to_have_value("what shape is the green object?", timeout=30_000)
    page.get_by_role("link", name="Inspect").click()
    expect(page.get_by_label("Question", exact=True)).to_have_value("what shape is the green object?", timeout=30_000)
