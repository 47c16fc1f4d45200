"""Inspect as a person uses it: a real server, a real browser, a real JPEG."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import vlmlens
from vlmlens.lab.scenes import Scene, Thing

ROOT = Path(__file__).resolve().parents[2]
SCENE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))
LENS = ".st-key-picture .lens"


def opened(page: Page, url: str, wait_idle: Callable[..., None], **link: str) -> None:
    query = "&".join(f"{key}={quote(value)}" for key, value in link.items())
    page.goto(f"{url}/?{query}")
    page.wait_for_selector(f'{LENS}[data-ready="1"]', timeout=60_000)
    wait_idle(page)
    expect(page.get_by_label("Question", exact=True)).not_to_have_value("")  # the widgets come after the picture


def answer(page: Page) -> str:
    return page.locator("p.lens-answer").first.inner_text()


def ask(page: Page, question: str, wait_idle: Callable[..., None]) -> None:
    page.get_by_label("Question", exact=True).fill(question)
    page.get_by_label("Question", exact=True).press("Enter")
    page.wait_for_function("q => new URL(location).searchParams.get('q') === q", arg=question)
    wait_idle(page)


def test_a_newcomer_sees_an_answered_example(app, page, page_problems, wait_idle):
    opened(page, app, wait_idle)
    assert re.search(r"probability [01]\.\d{3}", answer(page))
    page.get_by_text(re.compile("(Better|No better) than random")).first.wait_for(timeout=30_000)
    assert page.get_by_text("Can this map be trusted?").is_visible()
    expect(page.locator(".stVegaLiteChart svg, .stVegaLiteChart canvas")).to_have_count(3)


def test_a_jpeg_is_uploaded_asked_about_and_told_to_be_foreign(app, page, page_problems, wait_idle, tmp_path):
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # stands on its side; upright it is 300 wide and 400 high
    small.resize((400, 300), Image.Resampling.BICUBIC).save(tmp_path / "photo.jpg", exif=exif)
    opened(page, app, wait_idle)
    page.locator('.st-key-upload-0 input[type="file"]').set_input_files(tmp_path / "photo.jpg")
    page.get_by_text("knows only lab scenes").wait_for(timeout=30_000)
    wait_idle(page)
    trace = vlmlens.load("lab:concat").inspect(tmp_path / "photo.jpg", "what color is the star?")
    assert trace.grid.size == (300, 400)
    assert f"{trace.answers[0].probability:.3f}" in answer(page)
    box = page.locator(f"{LENS} canvas.picture").bounding_box()
    assert box is not None
    assert box["height"] > box["width"]
    page.reload()  # the link finds the uploaded picture again
    page.wait_for_selector(f'{LENS}[data-ready="1"]', timeout=60_000)
    wait_idle(page)
    assert f"{trace.answers[0].probability:.3f}" in answer(page)


def test_scrubbing_asks_the_server_nothing(app, page, page_problems, wait_idle):
    frames: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))
    opened(page, app, wait_idle)
    canvas = page.locator(f"{LENS} canvas.picture")
    canvas.focus()
    before, sent = page.locator(LENS).get_attribute("data-slice"), len(frames)
    canvas.press("ArrowLeft")
    canvas.press("ArrowLeft")
    assert page.locator(LENS).get_attribute("data-slice") != before
    page.wait_for_timeout(400)
    assert len(frames) == sent


def test_a_brushed_region_is_checked(app, page, page_problems, wait_idle):
    opened(page, app, wait_idle, scene=SCENE.to_json(), q="what color is the circle?")
    page.locator(f'{LENS} button[data-tool="box"]').click()
    canvas = page.locator(f"{LENS} canvas.picture")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3 - 4, box["y"] + box["height"] / 3 - 4, steps=4)
    page.mouse.up()
    page.get_by_text("Hiding your region").wait_for(timeout=30_000)
    assert page.locator(LENS).get_attribute("data-region") == "0,1,6,7"
    vlm = vlmlens.load("lab:concat")
    trace = vlm.inspect(SCENE, "what color is the circle?")
    check = vlmlens.attention.causal_check(vlm, SCENE, trace.question, trace, (0, 1, 6, 7))
    assert page.get_by_text(check.sentence("your region")).is_visible()


def test_the_link_restores_the_page(app, page, new_page, page_problems, wait_idle):
    opened(page, app, wait_idle, model="lab:txt2img", scene=SCENE.to_json())
    ask(page, "what shape is the blue object?", wait_idle)
    said = answer(page)
    again = new_page(1440, 900, "light")
    again.goto(page.url)
    again.wait_for_selector(f'{LENS}[data-ready="1"]', timeout=60_000)
    wait_idle(again)
    assert answer(again) == said
    expect(again.get_by_label("Question", exact=True)).to_have_value("what shape is the blue object?")


def test_two_sessions_at_once_get_their_own_answers(app, new_page, page_problems, wait_idle):
    vlm = vlmlens.load("lab:concat")
    first, second = new_page(1440, 900, "light"), new_page(1440, 900, "light")
    questions = ("what color is the circle?", "what shape is the blue object?", "how many objects are there?")
    for one in (first, second):
        opened(one, app, wait_idle, scene=SCENE.to_json(), q="is there a red circle?")
    for turn in range(4):
        asked = {first: questions[turn % 3], second: questions[(turn + 1) % 3]}
        for one, question in asked.items():  # both are sent before either is read
            one.get_by_label("Question", exact=True).fill(question)
            one.get_by_label("Question", exact=True).press("Enter")
        for one, question in asked.items():
            one.wait_for_function("q => new URL(location).searchParams.get('q') === q", arg=question)
            wait_idle(one)
            best = vlm.inspect(SCENE, question).answers[0]
            assert best.text in answer(one)
            assert f"{best.probability:.3f}" in answer(one)


def test_a_composed_scene_is_answered(app, page, page_problems, wait_idle):
    opened(
        page,
        app,
        wait_idle,
        scene=Scene((Thing(0, "red", "circle", "large"),)).to_json(),
        q="how many objects are there?",
    )
    page.get_by_role("button", name="Compose a scene").click()
    cell = page.get_by_role("combobox", name=re.compile("Row 3, column 3"))
    cell.click()
    cell.fill("large blue star")
    cell.press("Enter")
    page.get_by_text("large red circle, large blue star").wait_for()
    page.get_by_role("button", name="Use this scene").click()
    page.wait_for_function("() => (new URL(location).searchParams.get('scene') || '').includes('star')")
    wait_idle(page)
    assert "two" in answer(page)


def test_the_trace_is_saved_and_reopens_without_the_model(app, page, page_problems, wait_idle, tmp_path):
    opened(page, app, wait_idle, scene=SCENE.to_json(), q="what color is the circle?")
    page.get_by_text("random maps as smooth").first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Save").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Trace")).click()
    path = tmp_path / "trace.safetensors"
    download.value.save_as(path)
    trace = vlmlens.open_trace(path)
    assert trace.question == "what color is the circle?"
    assert trace.answer in answer(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Numbers, JSON").click()
    numbers = json.loads(Path(download.value.path()).read_text())
    assert numbers["picture_sha256"] == trace.picture_hash
    assert numbers["trust"]["knock_out"]["answer"] == trace.answer
    assert numbers["map"]["judged"] in numbers["map"]["slices"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Picture with the map").click()
    assert Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).size == (480, 480)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (400, "dark")])
def test_nothing_serious_for_axe_and_nothing_sideways(app, new_page, fine, wait_idle, width, scheme):
    page = new_page(width, 900, scheme)
    opened(page, app, wait_idle, beside="lab:img2txt")
    page.wait_for_selector('.st-key-picture-lab-img2txt .lens[data-ready="1"]', timeout=30_000)
    fine(page)
