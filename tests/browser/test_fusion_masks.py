"""Masks and Q-Former as a person uses them: hover a pair and read why, move a picture, the parts behind a choice."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

STAGES = "Its losses and its two stages"
FLAMINGO = {"view": "Masks", "mask-group": "Flamingo"}
PARTS = (FLAMINGO, {"view": "Q-Former", "qformer-part": STAGES})  # the other parts open with their views


def opened(page: Page, url: str, wait_idle, **link: str) -> None:
    page.goto(f"{url}/fusion?" + "&".join(f"{key}={quote(value)}" for key, value in link.items()))
    expect(page.locator(".stMain [data-testid='stVegaLiteChart'] svg, .stMain canvas").first).to_be_visible(
        timeout=60_000
    )
    wait_idle(page)


def test_hovering_a_pair_says_whether_and_why_not(app, page, wait_idle):
    opened(page, app, wait_idle, view="Masks")
    chart = page.locator("[data-testid='stVegaLiteChart']").nth(2)  # Tell: queries see no words
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] - 20, "y": 110})
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_contain_text(re.compile(r"query \d may not look at the word “star”.*must be in the queries"))
    chart.hover(position={"x": box["width"] / 3, "y": 110})
    expect(tip).to_contain_text(re.compile(r"query \d may look at (itself|query \d)"))


def test_a_picture_is_moved_and_the_link_brings_it_back(app, page, new_page, wait_idle):
    opened(page, app, wait_idle, **FLAMINGO)
    expect(page.get_by_text("4 of 14")).to_be_visible(timeout=20_000)
    page.locator(".st-key-flamingo-1-later button").click()
    expect(page.get_by_text("3 of 14")).to_be_visible(timeout=20_000)
    again = new_page()
    again.goto(page.url)
    expect(again.get_by_text("3 of 14")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("link", PARTS, ids=[" ".join(link.values()) for link in PARTS])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_nothing_serious_for_axe_and_nothing_sideways(app, new_page, fine, wait_idle, link, width, scheme):
    page = new_page(width, 900, scheme)
    opened(page, app, wait_idle, **link)
    page.wait_for_timeout(500)
    fine(page)
