"""The Counterfactual page as a person uses it: draw, slide, undo, reload the link, the same numbers."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

NOISE = '{"picture":[{"name":"noise","strength":0.6,"seed":1}]}'


def opened(page: Page, app: str, wait_idle: Callable[..., None], **link: str) -> None:
    query = "&".join(f"{key}={quote(value)}" for key, value in link.items())
    page.goto(f"{app}/counterfactual?{query}")
    page.wait_for_selector(".pairs", timeout=60_000)
    page.wait_for_selector('.st-key-paint .painter[data-ready="1"]', timeout=60_000)
    wait_idle(page)


def numbers(page: Page) -> str:
    """Every answer's probability before and after."""
    return str(page.locator(".pairs").first.get_attribute("aria-label"))


def changed(page: Page, before: str) -> None:
    expect(page.locator(".pairs").first).not_to_have_attribute("aria-label", before, timeout=20_000)


def canvas(page: Page) -> Locator:
    return page.locator(".st-key-paint canvas.picture")


def draw_box(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """With the pointer, in fractions of the picture."""
    box = canvas(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], box["y"] + bottom * box["height"], steps=6)
    page.mouse.up()


def add(page: Page, group: str, label: str) -> None:
    page.get_by_role("radio", name=group, exact=True).click()
    page.get_by_role("combobox", name="Add a change").click()
    page.get_by_role("option", name=label, exact=True).click()


def test_a_region_a_slider_undo_and_the_link(app, page, new_page, wait_idle):
    opened(page, app, wait_idle)
    plain = numbers(page)
    draw_box(page, 0.02, 0.68, 0.35, 0.98)  # the star, whose colour is asked
    expect(page.locator(".legend", has_text="your region: box")).to_be_visible(timeout=10_000)
    wait_idle(page)
    add(page, "Region", "Fill: mean colour")
    changed(page, plain)
    filled = numbers(page)
    wait_idle(page)
    assert "cyan →" in page.locator("p.lens-answer").inner_text()
    slider = page.get_by_role("slider", name="strength")
    slider.focus()
    for _ in range(17):
        page.keyboard.press("ArrowLeft")
    changed(page, filled)
    wait_idle(page)
    weak = numbers(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".pairs").first).not_to_have_attribute("aria-label", weak, timeout=20_000)
    page.get_by_role("button", name="Redo").click()
    expect(page.locator(".pairs")).to_have_attribute("aria-label", weak, timeout=20_000)
    wait_idle(page)
    again = new_page()
    again.goto(page.url)
    expect(again.locator(".pairs")).to_have_attribute("aria-label", weak, timeout=60_000)
    wait_idle(again)
    assert float(again.get_by_role("slider", name="strength").input_value()) == float(slider.input_value())
    again.get_by_role("button", name="Clear all").click()
    expect(again.locator(".pairs")).to_have_attribute("aria-label", plain, timeout=20_000)


def test_changes_are_dragged_into_another_order(app, page, wait_idle):
    two = '{"picture":[{"name":"noise","strength":0.4},{"name":"blur","strength":0.6}]}'
    opened(page, app, wait_idle, changes=two)
    before = numbers(page)
    grips = page.locator(".st-key-steps .grip")
    start, end = (grips.nth(i).bounding_box() for i in range(2))
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(end["x"] + 8, end["y"] + 40, steps=8)
    page.mouse.up()
    changed(page, before)
    wait_idle(page)
    assert page.url.index("blur") < page.url.index("noise")
    page.get_by_role("link", name="Inspect").click()
    page.wait_for_selector('.st-key-picture .lens[data-ready="1"]', timeout=60_000)
    page.get_by_role("link", name="Counterfactual").click()
    expect(page.locator(".st-key-steps .title").first).to_have_text("Blur", timeout=20_000)
    wait_idle(page)
    page.locator(".st-key-steps .grip").nth(1).focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".pairs")).to_have_attribute("aria-label", before, timeout=20_000)


def test_an_object_is_clicked_and_taken_elsewhere(app, page, wait_idle):
    opened(page, app, wait_idle)
    plain = numbers(page)
    page.get_by_role("button", name="Object", exact=True).click()
    box = canvas(page).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.17 * box["width"], box["y"] + 0.83 * box["height"])
    expect(page.locator(".legend", has_text="small cyan star")).to_be_visible(timeout=10_000)
    wait_idle(page)
    add(page, "Region", "Move")
    expect(page.locator(".st-key-steps .title")).to_contain_text("Move", timeout=20_000)
    changed(page, plain)
    assert '"to":' in page.evaluate("new URL(location).searchParams.get('changes')")


def test_the_curve_and_the_tray(app, page, new_page, wait_idle):
    opened(page, app, wait_idle, changes=NOISE, **{"fold-tray": "true"})
    page.get_by_label("Name", exact=True).fill("noisy")
    page.get_by_label("Name", exact=True).press("Enter")
    page.get_by_role("button", name="Keep this run").click()
    expect(page.get_by_text("1 kept.")).to_be_visible(timeout=20_000)
    noisy = numbers(page)
    page.get_by_role("button", name="Clear all").click()
    changed(page, noisy)
    wait_idle(page)
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_label("Name", exact=True).press("Enter")
    page.get_by_role("button", name="Keep this run").click()
    expect(page.get_by_text(re.compile("“noisy” and “plain”: .* bits apart"))).to_be_visible(timeout=20_000)
    again = new_page()
    again.goto(page.url)  # the tray is under its number in the link
    expect(again.get_by_text("2 kept.")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Undo").click()
    changed(page, numbers(again))
    page.get_by_text("How strong must the change be?").click()
    expect(page.get_by_text("The strength is 0.60 at present")).to_be_visible(timeout=30_000)
    expect(page.locator("[data-testid='stVegaLiteChart']")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_nothing_serious_for_axe_and_nothing_sideways(app, new_page, fine, wait_idle, width, scheme):
    page = new_page(width, 900, scheme)
    opened(page, app, wait_idle, changes=NOISE, **{"fold-looks": "true", "fold-tray": "true"})
    if width == 1440:  # the first screen has it all
        for found in (".st-key-steps .step", "p.lens-answer", ".pairs", ".swing", ".st-key-paint canvas.picture"):
            box = page.locator(found).last.bounding_box()
            assert box is not None, found
            assert box["y"] + box["height"] <= 900, found
    fine(page)
