"""A model that is not the lab's, as a person uses it: told of, loaded, asked, looked into token by token, unloaded."""

import json
import re
import runpy
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

import vlmlens
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.ui.words import markdown

build = runpy.run_path(str(Path(__file__).parents[1] / "models" / "tiny.py"))["build"]
SCENE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))
QUESTION = "what color is the circle?"
LENS = ".st-key-picture .lens"
CARD = '[class*="st-key-card-"]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained LLaVA-NeXT, which sees tiles and the whole, and says eight tokens."""
    path = tmp_path_factory.mktemp("tiles")
    build("llava_next", path)
    settings = path / "generation_config.json"
    told = json.loads(settings.read_text()) | {"max_new_tokens": 8, "eos_token_id": None}
    settings.write_text(json.dumps(told))
    return str(path)


@pytest.fixture(scope="module")
def trace(folder):
    return vlmlens.load(folder).inspect(SCENE, QUESTION)


def test_a_folder_is_told_of_loaded_looked_into_and_unloaded(
    app, page, page_problems, wait_idle, axe_findings, folder, trace
):
    page.goto(f"{app}/?model={quote(folder)}&q={quote(QUESTION)}&scene={quote(SCENE.to_json())}")
    card = page.locator(CARD)
    expect(card).to_contain_text("is not in memory", timeout=60_000)
    expect(card).to_contain_text(re.compile(r"needs .* free in float32"))
    wait_idle(page)
    assert axe_findings(page) == {}
    card.get_by_role("button", name="Load", exact=True).click()
    page.wait_for_selector(f'{LENS}[data-ready="1"]', timeout=60_000)
    wait_idle(page)
    expect(page.locator("p.lens-answer").first).to_contain_text(f"{trace.answers[0].probability:.3f}")
    expect(page.get_by_text("Self-check passed")).to_be_visible()

    # A token of the coarse view shows more than one cell, and the picture says so.
    strip = page.locator(f"{LENS} .tokens canvas").first
    strip.scroll_into_view_if_needed()
    frame = strip.bounding_box()
    page.mouse.move(frame["x"] + frame["width"] / 4, frame["y"] + 6)  # the coarse view is narrower than the fine one
    expect(page.locator(f"{LENS} .tip:not([hidden])")).to_be_visible()

    # The step that produced the third token: its row, in the link and after a reload.
    step = trace.steps[2].token
    pill = page.get_by_role("radio", name=re.compile(rf"^3 {re.escape(markdown(step.text))} ")).or_(
        page.get_by_role("button", name=re.compile(r"^3 "))
    )
    pill.first.click()
    page.wait_for_function("new URL(location).searchParams.get('token') === '3'")
    wait_idle(page)
    expect(page.get_by_text("Token 3 of")).to_be_visible()
    page.reload()
    page.wait_for_selector(f'{LENS}[data-ready="1"]', timeout=60_000)
    wait_idle(page)
    expect(page.get_by_text("Token 3 of")).to_be_visible()

    page.get_by_role("button", name="Unload").click()
    wait_idle(page)
    expect(page.get_by_role("button", name="Unload")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Model")).to_have_value("lab:concat")


def test_a_wide_picture_goes_through_tiles_on_a_phone(app, new_page, page_problems, wait_idle, folder):
    page = new_page(width=400, height=860)
    page.goto(f"{app}/?model={quote(folder)}&q={quote(QUESTION)}&scene={quote(SCENE.to_json())}")
    page.locator(CARD).get_by_role("button", name="Load", exact=True).click(timeout=60_000)
    page.wait_for_selector(f'{LENS}[data-ready="1"]', timeout=60_000)
    wait_idle(page)
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
