"""The Pruning view as a person uses it: fewer tokens fade more of the picture, and the link restores it."""

import re

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, **link: str) -> None:
    wanted = {"view": "Pruning", "model": "lab:llava", **link}
    page.goto(f"{url}/tokens?" + "&".join(f"{key}={value}" for key, value in wanted.items()))
    expect(page.get_by_text(re.compile(r"A pruned pass takes .* on this device"))).to_be_visible(timeout=90_000)


def test_fewer_tokens_by_the_keyboard_and_the_link_keeps_them(app, page, new_page, wait_idle):
    opened(page, app, **{"prune-share": "25", "prune-layer": "1"})
    wait_idle(page)
    expect(page.get_by_text("9 of 36 image tokens go on after layer 1")).to_be_visible()
    slider = page.get_by_role("slider", name="Image tokens kept")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("4 of 36 image tokens go on after layer 1")).to_be_visible(timeout=60_000)
    assert "prune-share=10" in page.url
    again = new_page()
    again.goto(page.url)
    expect(again.get_by_text("4 of 36 image tokens go on after layer 1")).to_be_visible(timeout=90_000)
