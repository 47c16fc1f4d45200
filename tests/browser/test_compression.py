"""The Compression view in a browser: it opens with what is there, a slider moves it, the link restores it."""

import re

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    query = "&".join(f"{key}={value}" for key, value in {"view": "Compression", **link}.items())
    page.goto(f"{url}/tokens?{query}")
    expect(page.get_by_text("How few tokens can a picture be told in")).to_be_visible(timeout=60_000)


def test_the_slider_moves_the_budget_and_the_link_keeps_it(app, page, new_page, wait_idle):
    opened(page, app, compressor="average+pooling")
    wait_idle(page)
    page.get_by_role("slider", name="Image tokens").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("tokens-kept=9"), timeout=20_000)
    wait_idle(page)
    again = new_page()
    again.goto(page.url)
    expect(again.get_by_role("slider", name="Image tokens")).to_have_attribute("aria-valuetext", "9", timeout=60_000)
    expect(again.get_by_text("The board becomes coarser")).to_be_visible()
