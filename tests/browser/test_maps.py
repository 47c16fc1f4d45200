"""Maps on Inspect as a person uses them: choose, be told whether to trust, unfold, click a layer, take away."""

import io
import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import vlmlens
from vlmlens.attribution import Case, explain
from vlmlens.attribution.faithfulness import trust
from vlmlens.lab.scenes import Scene, Thing

SCENE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))
QUESTION = "what color is the circle?"
LENS = ".st-key-picture .lens"
VERDICT = re.compile("Better than random|No better than random|Inconclusive")


@pytest.fixture
def opened(app, page, wait_idle):
    """opened(map="chefer"): the page of a link, after the picture is drawn."""

    def go(**link: str) -> Page:
        asked = {"scene": SCENE.to_json(), "q": QUESTION, **link}
        page.goto(f"{app}/?" + "&".join(f"{key}={quote(value)}" for key, value in asked.items()))
        page.wait_for_selector(f'{LENS}[data-ready="1"]', timeout=60_000)
        wait_idle(page)
        return page

    return go


@pytest.fixture
def case():
    vlm = vlmlens.load("lab:concat")
    return Case(vlm, SCENE, QUESTION, vlm.inspect(SCENE, QUESTION))


def test_a_map_is_chosen_and_judged(opened, page_problems, case):
    page = opened()
    page.get_by_role("combobox", name="Map", exact=True).click()
    page.get_by_role("option", name="ablation").click()
    found = explain("ablation", case)
    page.get_by_text(trust(case, found.cells()).sentence()).wait_for(timeout=60_000)
    assert page.locator(LENS).get_attribute("data-ready") == "1"
    assert "map=ablation" in page.url
    expect(page.locator(f"{LENS} .unit")).to_contain_text(found.unit)


def test_a_click_on_a_layer_of_the_sweep_shows_its_map(opened, page_problems, wait_idle):
    page = opened(**{"fold-sweep": "true", "model": "lab:llava"})
    chart = page.locator(".st-key-sweep-picked")
    chart.wait_for(timeout=60_000)
    wait_idle(page)
    chart.scroll_into_view_if_needed()
    box = chart.locator(".vega-embed canvas, .vega-embed svg").first.bounding_box()
    assert box is not None
    before = page.locator(LENS).get_attribute("data-slice")
    place, across = ("0", 0.2) if before != "0" else ("2", 0.88)  # the first and the last of three layers
    page.mouse.click(box["x"] + across * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_selector(f'{LENS}[data-slice="{place}"]', timeout=30_000)
    wait_idle(page)
    chosen = page.get_by_role("combobox", name="Layer that is shown first and judged")
    expect(chosen).to_have_value(f"layer {int(place) + 1}")


def test_two_maps_share_a_cursor_and_say_whether_they_agree(opened, page_problems):
    page = opened(**{"fold-second": "true", "second-map": "occlusion"})
    page.get_by_text(re.compile("(agree|disagree) in the order of patches")).wait_for(timeout=60_000)
    one, two = page.locator(".st-key-picture-one .lens"), page.locator(".st-key-picture-two .lens")
    two.and_(page.locator('[data-ready="1"]')).wait_for()
    canvas = one.locator("canvas.picture")
    canvas.scroll_into_view_if_needed()
    canvas.hover(position={"x": 20, "y": 20})
    expect(two.locator(".tip")).to_be_visible()


def test_the_map_and_its_verdict_are_taken_away(opened, page_problems, case):
    page = opened(map="occlusion")
    page.get_by_text(VERDICT).first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Save").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Map, CSV").click()
    table = pd.read_csv(Path(download.value.path()))
    np.testing.assert_allclose(table.value, explain("occlusion", case).values.ravel(), atol=1e-5)
    with page.expect_download() as download:
        page.get_by_role("button", name="Picture with the map").click()
    assert Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).size == (480, 480)
    with page.expect_download() as download:
        page.get_by_role("button", name="Deletion and insertion").click()
    assert set(pd.read_csv(Path(download.value.path())).way) == {"mean colour", "blur", "other picture", "knock-out"}
    expect(page.get_by_text("explain('occlusion', case)")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_unfolded_nothing_serious_for_axe_and_nothing_sideways(app, new_page, fine, wait_idle, width, scheme):
    page = new_page(width, 900, scheme)
    folds = "&".join(f"fold-{name}=true" for name in ("sweep", "contrast", "second", "curves", "truth"))
    page.goto(f"{app}/?model=lab:llava&{folds}")
    page.get_by_text("Measured on lab:llava").wait_for(timeout=60_000)
    page.get_by_text(VERDICT).first.wait_for(timeout=60_000)
    page.get_by_text("To mark the thing is not to be faithful").wait_for(timeout=60_000)
    wait_idle(page)
    fine(page)
