"""Fusion as a person uses it: links, predict and reveal, two models."""

import time
from collections.abc import Callable
from urllib.parse import quote

from playwright.sync_api import Page, expect


def opened(page: Page, url: str, view: str, wait_idle: Callable[..., None], **link: str) -> None:
    """A view with all that it computes by itself."""
    query = "&".join(f"{key}={quote(value)}" for key, value in {"view": view, **link}.items())
    page.goto(f"{url}/fusion?{query}")
    page.wait_for_selector(".stMain [data-testid='stButtonGroup']", timeout=60_000)
    wait_idle(page)
    began = time.monotonic()
    while page.get_by_role("button", name="Cancel").count() and time.monotonic() - began < 60:
        page.wait_for_timeout(200)
    wait_idle(page)


def test_a_class_predicts_and_the_numbers_appear(app, page, wait_idle):
    opened(page, app, "Gallery", wait_idle, **{"gallery-wiring": "img2txt"})
    expect(page.get_by_text("The picture looks at the words").first).to_be_visible()
    expect(
        page.get_by_text("No kind of question falls short").or_(page.get_by_text("It falls short of"))
    ).to_be_visible()
    page.get_by_text("Predict first").click()
    expect(page.get_by_text("Choose above which kind")).to_be_visible(timeout=20_000)
    page.get_by_role("radio", name="count").or_(page.get_by_role("button", name="count")).first.click()
    expect(page.get_by_text("predicted (count")).to_be_visible(timeout=20_000)
    assert "gallery-predict=true" in page.url


def test_a_link_restores_the_two_models_and_their_map(app, page, wait_idle):
    link = {"fusion-one": "lab:txt2img", "fusion-other": "lab:bidirectional", "q": "how many objects are there?"}
    opened(page, app, "Side by side", wait_idle, **link)
    expect(page.locator(".st-key-fusion-picture-one .lens[data-ready='1']")).to_be_visible(timeout=60_000)
    expect(page.locator(".st-key-fusion-picture-other .lens[data-ready='1']")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Shares of attention do not compare").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("lab:bidirectional").first).to_be_visible()
    expect(page.get_by_label("Question", exact=True)).to_have_value("how many objects are there?")


def test_another_page_leads_to_the_ablation(app, page, wait_idle):
    page.goto(f"{app}/information?view=Wirings")
    page.get_by_role("link", name="Where wirings do differ").click(timeout=60_000)
    expect(page.get_by_text("Is the published ablation confirmed?")).to_be_visible(timeout=60_000)
