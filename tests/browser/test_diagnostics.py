"""Diagnostics as a person uses it: run the card, open what drives it, go to Inspect, compare, come back by the link."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from vlmlens.diagnostics import TESTS

QUICK = {
    "probe": "lab scenes",
    "scenes": "16",
    "questions": "5",
    "tests": "dependency,information",
    "model": "lab:concat",
}


def opened(page: Page, url: str, **link: str) -> None:
    page.goto(f"{url}/diagnostics?" + "&".join(f"{key}={quote(value)}" for key, value in (QUICK | link).items()))


def ended(page: Page, wait_idle: Callable[..., None]) -> None:
    """Until the card is whole: it can be saved."""
    expect(page.get_by_role("button", name="Save")).to_be_visible(timeout=90_000)
    wait_idle(page)


def strip(page: Page) -> str:
    return page.locator(".diag-strip").inner_text()


def test_a_person_runs_the_card_and_follows_its_evidence(app, page, new_page, wait_idle):
    opened(page, app, scenes="12")
    ended(page, wait_idle)
    scenes = page.get_by_label("Scenes", exact=True)
    scenes.fill("16")
    scenes.press("Enter")
    expect(page.get_by_text("What stands on the left has not been run.")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("needs 126, has 80 ~ too few")).to_be_visible()
    page.get_by_role("button", name="Run the card").click()
    expect(page.get_by_text("Over 16 held-out lab scenes")).to_be_visible(timeout=60_000)
    ended(page, wait_idle)

    page.get_by_text("Evidence", exact=True).first.click()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Open in Inspect").first.click()
    asked = page.locator(".st-key-diag-rows").get_by_text(re.compile("^“.*” says")).first.inner_text()
    inspect = popup.value
    inspect.wait_for_selector('.st-key-picture .lens[data-ready="1"]', timeout=60_000)
    question, answer = re.match(r"“(.*)” says ([\w ]+)", asked).groups()
    expect(inspect.get_by_label("Question", exact=True)).to_have_value(question, timeout=30_000)
    expect(inspect.locator(".lens-answer")).to_contain_text(answer)
    inspect.close()

    second = page.get_by_role("combobox", name=re.compile("Compare with"))
    second.fill("lab:img2txt")
    second.press("Enter")
    page.get_by_role("button", name="Run the card").click()
    expect(page.get_by_text("lab:img2txt beside lab:concat")).to_be_visible(timeout=90_000)
    ended(page, wait_idle)
    found = strip(page)
    assert "dependency ✓ PASS" in found

    page.get_by_role("link", name="Information").click()
    expect(page.get_by_role("radio", name="Gates")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Diagnostics").click()
    ended(page, wait_idle)
    assert strip(page) == found
    again = new_page()
    again.goto(page.url)
    ended(again, wait_idle)
    assert strip(again) == found
    expect(again.get_by_text("lab:img2txt beside lab:concat")).to_be_visible()


def test_a_long_run_pauses_goes_on_and_stops(app, page):
    opened(page, app, scenes="128", questions="16", tests=",".join(TESTS))
    page.get_by_role("button", name="Pause").click(timeout=60_000)
    expect(page.get_by_role("button", name="Go on")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Stop").click(timeout=10_000)
    expect(page.get_by_text(re.compile("Stopped at|was cancelled|Cancelled"))).to_be_visible(timeout=30_000)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_nothing_serious_for_axe_and_nothing_sideways(app, new_page, fine, wait_idle, width, scheme):
    page = new_page(width, 900, scheme)
    opened(page, app, second="lab:img2txt")
    ended(page, wait_idle)
    for toggle in page.get_by_text("Evidence", exact=True).all():
        toggle.click()
        wait_idle(page)
    fine(page)
