"""Pitfalls as a person uses it: cards that fill, a pair by link, from a pitfall to the remedy."""

from urllib.parse import quote

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    query = "&".join(f"{key}={quote(value)}" for key, value in {"view": "Pitfalls", **link}.items())
    page.goto(f"{url}/fusion?{query}")
    page.wait_for_selector(".stMain [data-testid='stButtonGroup']", timeout=60_000)
    expect(page.get_by_text("What the remedies move", exact=True)).to_be_visible(timeout=90_000)
    expect(page.get_by_role("button", name="Save").first).to_be_visible(timeout=90_000)


def test_a_link_restores_the_pair_and_what_it_shows(app, page, wait_idle):
    opened(page, app, **{"pitfall-shown": "dead gates", "pitfall-pair": "3"})
    expect(page.get_by_text("The most shut gate").first).to_be_visible(timeout=60_000)
    page.get_by_role("radio", name="collapsed vision encoder").click()
    expect(page.get_by_text("what differs spreads over").first).to_be_visible(timeout=60_000)
    wait_idle(page)
    assert "pitfall-pair=3" in page.url
    assert "collapsed" in page.url
