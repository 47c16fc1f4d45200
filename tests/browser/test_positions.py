"""The Positions view as a person uses it: a slider moves the score, and the link restores it."""

import re

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    query = "&".join(f"{key}={value}" for key, value in {"view": "Positions", **link}.items())
    page.goto(f"{url}/fusion?{query}")
    page.wait_for_selector(".stMain [data-testid='stVegaLiteChart']", timeout=60_000)


def score(page: Page) -> str:
    return page.get_by_text(re.compile(r"is left \d rows? and \d columns? apart")).first.inner_text()


def test_a_slider_moves_the_score_and_the_link_keeps_it(app, page, new_page, wait_idle):
    opened(page, app, positions="interleaved")
    wait_idle(page)
    before = score(page)
    page.get_by_role("slider", name="Rows apart").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("is left 3 rows and 2 columns apart")).to_be_visible(timeout=20_000)
    assert score(page) != before
    assert "positions-row=3" in page.url
    again = new_page()
    again.goto(page.url)
    expect(again.get_by_text("is left 3 rows and 2 columns apart")).to_be_visible(timeout=60_000)
    assert score(again) == score(page)
