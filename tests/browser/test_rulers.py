"""The Rulers view as a person uses it: a ruler chosen, a model put on the chart and stopped."""

from urllib.parse import quote

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    query = "&".join(f"{key}={quote(value)}" for key, value in {"view": "Rulers", **link}.items())
    page.goto(f"{url}/fusion?{query}")
    expect(page.get_by_text("and what really happens rank")).to_be_visible(timeout=60_000)


def test_a_model_is_put_on_the_chart_and_stopped(app, page, wait_idle):
    opened(page, app, model="lab:concat")
    wait_idle(page)
    page.get_by_text("Put a model on this chart").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("the picture is knocked out")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("what was found until then is kept")).to_be_visible(timeout=60_000)
    assert "rulers-here" in page.url
