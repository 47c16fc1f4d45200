"""The Allocation view as a person uses it: a slider moves the budgets, the link keeps them, in both color schemes."""

import pytest
from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    query = "&".join(f"{key}={value}" for key, value in {"view": "Allocation", **link}.items())
    page.goto(f"{url}/tokens?{query}")
    expect(page.get_by_text("Uniform, same total")).to_be_visible(timeout=60_000)


def test_a_slider_moves_the_budgets_and_the_link_keeps_them(app, page, new_page, wait_idle):
    opened(page, app)
    wait_idle(page)
    assert "9 to 9 tokens" not in page.inner_text(".stMain")
    page.get_by_role("slider", name="compress - particularize").focus()
    page.keyboard.press("Home")  # all alike
    expect(page.get_by_text("9 to 9 tokens, 324 in all")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("All patches are alike, so allotted is uniform")).to_be_visible()
    assert "allocation-particularize=-1" in page.url
    again = new_page()
    again.goto(page.url)
    expect(again.get_by_text("9 to 9 tokens, 324 in all")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_nothing_serious_for_axe_and_nothing_sideways(app, new_page, axe_findings, wait_idle, width, scheme):
    page = new_page(width, 900, scheme)
    opened(page, app, **{"allocation-total": "144"})
    wait_idle(page)
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 2")
    assert not page.locator("[data-testid='stException']").count()
    assert not axe_findings(page)
