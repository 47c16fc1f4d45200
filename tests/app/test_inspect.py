"""The Inspect page's logic, without a browser: what is asked, what is answered, what goes wrong in words."""

import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.lab.questions import by_text
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.ui.source import examples

ROOT = Path(__file__).resolve().parents[2]
RED_CIRCLE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.query_params.update(link)
    return settle(at.run())


def settle(at: AppTest) -> AppTest:
    """Run again while a job is still under way, as the browser's fragment would."""
    for _ in range(300):
        if not any(button.label == "Cancel" for button in at.button):
            return at
        time.sleep(0.1)
        at.run()
    raise AssertionError("the page never finished its work")


def answer_shown(at: AppTest) -> str:
    found = [html.proto.body for html in at.get("html") if "lens-answer" in html.proto.body and "<p" in html.proto.body]
    assert found, [error.value for error in at.error]
    return str(found[0])


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def huge_png() -> bytes:
    """A small file that claims 20000 x 20000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_opens_with_an_example_answered_truly():
    at = start()
    trace = vlmlens.load("lab:concat").inspect(examples()[0], at.text_input(key="question").value)
    assert trace.answer in answer_shown(at)
    assert f"{trace.answers[0].probability:.3f}" in answer_shown(at)
    assert not at.error
    assert not at.exception


def test_the_picture_component_gets_the_same_maps_as_the_library():
    at = start()
    assert len(at.get("bidi_component")) == 1


@pytest.mark.parametrize("name", [model.name for model in vlmlens.models.lab_models()])
def test_every_model_answers_on_the_page(name: str):
    at = start(model=name, scene=RED_CIRCLE.to_json(), q="what color is the circle?")
    trace = vlmlens.load(name).inspect(RED_CIRCLE, "what color is the circle?")
    assert f">{trace.text or trace.answer}<" in answer_shown(at)
    assert not at.error
    assert not at.exception


def test_the_link_restores_and_follows_the_page():
    at = start(model="lab:txt2img", scene=RED_CIRCLE.to_json(), q="what shape is the blue object?", beside="lab:concat")
    assert at.selectbox(key="model").value == "lab:txt2img"
    assert at.multiselect(key="beside").value == ["lab:concat"]
    assert at.session_state.source.scene == RED_CIRCLE
    settle(at.text_input(key="question").set_value("what color is the circle?").run())
    assert at.query_params["q"] == "what color is the circle?"


def test_models_stand_side_by_side_on_the_same_input():
    at = start(beside="lab:bidirectional")
    assert any(sub.value == "lab:bidirectional" for sub in at.subheader)
    assert len(at.get("bidi_component")) == 2


def test_suggestions_have_an_answer_on_the_scene():
    at = start(scene=RED_CIRCLE.to_json())
    offered = at.get("button_group")
    labels = [option.content for group in offered for option in group.proto.options]
    questions = [label for label in labels if label.endswith("?")]
    assert questions
    assert all(by_text()[label[:-1]].answer(RED_CIRCLE) is not None for label in questions)


def test_a_photograph_gets_a_notice_beside_the_true_result():
    at = start()
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    photo = Image.fromarray(noise).resize((600, 400), Image.Resampling.BICUBIC)
    settle(at.file_uploader[0].upload("photo.jpg", encoded(photo, "JPEG"), "image/jpeg").run())
    assert any("knows only lab scenes" in warning.value for warning in at.warning)
    assert answer_shown(at)
    assert at.query_params["picture"]


GOOD = Image.fromarray(np.random.default_rng(1).integers(0, 255, (30, 40, 3), np.uint8))

READABLE = {
    "1x1": encoded(Image.new("RGB", (1, 1), "red")),
    "cmyk": encoded(GOOD.convert("CMYK"), "JPEG"),
    "palette": encoded(GOOD.convert("P"), "PNG", transparency=0),
    "16-bit": encoded(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50)),
    "animated": encoded(GOOD, "GIF", save_all=True, append_images=[GOOD.rotate(90)]),
    "wrong extension": encoded(GOOD, "JPEG"),
}
UNREADABLE = {
    "no picture": b"hello, I am a text",
    "truncated": encoded(GOOD, "PNG")[:200],
    "empty": b"",
    "20000x20000": huge_png(),
}


@pytest.mark.parametrize("name", READABLE)
def test_unusual_pictures_are_read(name: str):
    at = start()
    settle(at.file_uploader[0].upload("picture.png", READABLE[name], "image/png").run())
    assert not at.error
    assert not at.exception
    assert "picture" in at.query_params


@pytest.mark.parametrize("name", UNREADABLE)
def test_bad_pictures_are_told_in_one_sentence_and_the_page_goes_on(name: str):
    at = start()
    settle(at.file_uploader[0].upload("picture.png", UNREADABLE[name], "image/png").run())
    assert len(at.error) == 1
    assert "Traceback" not in at.error[0].value
    assert answer_shown(at)
    assert not at.exception


@pytest.mark.parametrize(
    ("question", "said"),
    [("", "empty"), ("   ", "empty"), ("why " * 1250, "5000"), ("what color is the giraffe?", "giraffe")],
)
def test_bad_questions_are_told_in_one_sentence_and_the_page_goes_on(question: str, said: str):
    at = start()
    settle(at.text_input(key="question").set_value(question).run())
    assert len(at.error) == 1
    assert said in at.error[0].value
    settle(at.text_input(key="question").set_value("what color is the circle?").run())
    assert not at.error
    assert answer_shown(at)


def test_bad_models_are_told_in_one_sentence_and_the_page_goes_on(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for name, said in (
        (str(tmp_path / "nowhere"), "no folder"),
        (str(tmp_path / "empty"), "config.json"),
        ("lab:nothing", "There is no lab:nothing"),
        ("org/not-here", "could not be"),
    ):
        at = start(model=name)
        assert [said in error.value for error in at.error] == [True], (name, [e.value for e in at.error])
        settle(at.selectbox(key="model").set_value("lab:concat").run())
        assert not at.error
        assert answer_shown(at)


def test_a_broken_link_says_what_was_lost():
    at = start(picture="0" * 64)
    assert any("Upload it again" in warning.value for warning in at.warning)
    at = start(scene='{"things": [{"cell": 99}]}')
    assert any("An example is shown" in warning.value for warning in at.warning)


def test_a_saved_trace_reopens_without_the_model():
    trace = vlmlens.load("lab:img2txt").inspect(RED_CIRCLE, "what color is the circle?")
    from vlmlens.trace import trace_bytes

    at = start()
    uploader = next(u for u in at.file_uploader if u.key == "trace-file")
    settle(uploader.upload("t.safetensors", trace_bytes(trace)).run())
    assert trace.answer in answer_shown(at)
    assert any("saved trace of lab:img2txt" in info.value for info in at.info)
    settle(next(u for u in at.file_uploader if u.key == "trace-file").upload("t.safetensors", b"\x80\x04 evil").run())
    assert len(at.error) == 1
    assert "not a trace file" in at.error[0].value


def test_a_drawn_region_is_checked_in_place_of_the_hottest():
    from vlmlens.lab.draw import render
    from vlmlens.picture import encode_png
    from vlmlens.ui.browser import picture_id

    at = start(scene=RED_CIRCLE.to_json(), q="what color is the circle?")
    shown = picture_id(encode_png(render(RED_CIRCLE)))
    at.session_state["picture"] = {"region": {"picture": shown, "cells": [34, 35]}}
    settle(at.run())
    assert any("Hiding your region" in text.value for text in at.markdown)


def test_the_widgets_stay_while_the_model_is_still_at_work(monkeypatch):
    from vlmlens.ui import jobs, pool

    vlm, plain = pool.get("lab:concat"), type(pool.get("lab:concat")).inspect

    def slow(*args: object, **options: object):
        time.sleep(0.5)
        return plain(*args, **options)

    monkeypatch.setattr(type(vlm), "inspect", slow)
    monkeypatch.setattr(jobs, "PATIENCE", 0.01)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    unseen = Scene(RED_CIRCLE.things, noise_seed=4711)  # that no other test has asked about
    at.query_params.update({"q": "what color is the circle?", "scene": unseen.to_json()})
    at.run()
    assert any(button.label == "Cancel" for button in at.button)
    assert at.text_input(key="question").value == "what color is the circle?"
    time.sleep(0.6)
    assert "red" in answer_shown(settle(at.run()))
    assert not at.error


def test_a_loaded_model_is_held_by_the_pool_alone():
    from vlmlens.models import VLM
    from vlmlens.ui import jobs

    start()
    assert not [job for job in jobs._registry()[1].values() if isinstance(job.value, VLM)]
