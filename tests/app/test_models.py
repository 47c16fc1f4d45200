"""The model box: what is told before a load, the load itself, what is held after it, and what happens when it fails."""

import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.errors import ModelError
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.models import fit
from vlmlens.models.facts import look_up
from vlmlens.picture import encode_png
from vlmlens.progress import Cancelled
from vlmlens.trace import Segment
from vlmlens.ui import pool

build = runpy.run_path(str(Path(__file__).parents[1] / "models" / "tiny.py"))["build"]
QUESTION = "what color is the circle?"
SCENE = Scene((Thing(0, "red", "circle", "large"),))


@pytest.fixture
def start(settle):
    def run(name: str) -> AppTest:
        at = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=60)
        at.query_params.update({"model": name, "scene": SCENE.to_json(), "q": QUESTION})
        return settle(at.run())

    return run


@pytest.fixture
def folder(grouped_folder):
    """Not in memory, before and after."""
    pool.drop(str(grouped_folder))
    yield str(grouped_folder)
    pool.drop(str(grouped_folder))


def button(at: AppTest, label: str):
    return next(each for each in at.button if each.label == label)


def told(at: AppTest) -> str:
    return " ".join(each.value for each in (*at.markdown, *at.caption))


def answered(at: AppTest) -> bool:
    return any('<p class="lens-answer"' in html.proto.body for html in at.get("html"))


def test_a_model_is_told_of_before_it_is_loaded_and_loaded_when_asked(start, settle, folder):
    at = start(folder)
    assert not answered(at)
    assert not pool.here(folder)
    for words in ("not in memory", "LLaVA-1.5", "tokens", "✓ cpu", "needs", "free in float32"):
        assert words in told(at), words
    settle(button(at, "Load").click().run())
    assert answered(at), [error.value for error in at.error]
    assert "Self-check passed" in told(at)
    assert "Load" not in [each.label for each in at.button]


def test_the_chosen_precision_is_that_of_the_load(start, settle, folder):
    at = start(folder)
    at.button_group(key=f"dtype-{folder}").set_value("bfloat16").run()
    assert "free in bfloat16" in told(at)
    settle(button(at, "Load").click().run())
    assert pool.get(folder).info.dtype == "bfloat16"


@pytest.mark.parametrize("kind", ["qwen2_vl", "llava_next"])
def test_the_tokens_on_the_card_are_those_of_the_persons_own_picture(start, settle, tmp_path, kind):
    """Of a wide one and of a tall one, of families that make more tokens of some than of others."""
    build(kind, tmp_path)
    at, vlm = start(str(tmp_path)), vlmlens.load(str(tmp_path))
    counts = set()
    for size in ((400, 60), (60, 90)):
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
        settle(at.file_uploader[0].upload("own.png", encode_png(picture), "image/png").run())
        trace = vlm.inspect(picture, fit.QUESTION, new_tokens=0)
        (shown,) = re.findall(r"(\d+) tokens with this picture", told(at))
        assert int(shown) == trace.length  # the words, of one question, and the picture's
        counts.add((trace.segments == Segment.IMAGE).sum())
    assert len(counts) == 2


def test_what_will_not_fit_has_a_red_light_a_way_out_and_no_load(start, folder, monkeypatch):
    assert "✓" in told(start(folder))
    facts, cpu = look_up(folder, (336, 336)), torch.device("cpu")
    full, half = (facts.fit(cpu, dtype).need.total * fit.SPARE for dtype in ("float32", "bfloat16"))
    monkeypatch.setattr(fit, "free_memory", lambda _device: round((full + half) / 2))
    at = start(folder)
    at.button_group(key=f"dtype-{folder}").set_value("float32").run()
    assert "✕ cpu" in told(at)
    assert "This would fit: dtype bfloat16" in told(at)
    assert button(at, "Load").disabled


def test_a_model_that_cannot_be_loaded_is_told_in_a_sentence_and_the_page_goes_on(start, settle, folder, tmp_path):
    at = start("org/nowhere")
    assert "offline mode is on" in at.error[0].value
    settle(at.selectbox(key="model").set_value("lab:concat").run())
    assert answered(at)


@pytest.mark.parametrize(
    ("error", "said"),
    [(Cancelled("stopped"), "Loading was cancelled"), (ModelError("It is damaged."), "It is damaged.")],
)
def test_a_load_that_ends_early_can_be_asked_for_again(start, settle, folder, monkeypatch, error, said):
    def fail(*_: object, **__: object) -> None:
        raise error

    at = start(folder)
    with monkeypatch.context() as broken:
        broken.setattr(pool, "load", fail)
        settle(button(at, "Load").click().run())
    assert [box.value for box in (*at.info, *at.error) if said in box.value]
    assert not pool.here(folder)
    settle(button(at, "Load").click().run())
    assert answered(at)


def test_two_that_are_not_loaded_stand_side_by_side(settle, folder, tmp_path):
    other = str(shutil.copytree(folder, tmp_path / "other"))
    at = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=60)
    at.query_params.update({"model": folder, "scene": SCENE.to_json(), "q": QUESTION, "beside": other})
    settle(at.run())
    assert not at.exception
    assert [each.label for each in at.button].count("Load") == 2


def test_models_of_the_cache_stand_in_the_box(start, home, sharded):
    import streamlit as st

    runpy.run_path(str(Path(__file__).parents[1] / "hub.py"))["put"](sharded, home)
    st.cache_data.clear()
    try:
        assert "org/tiny-llava" in start("lab:concat").selectbox(key="model").options
    finally:
        st.cache_data.clear()


def test_a_suggestion_is_taken_into_the_box(start):
    at = start("lab:concat")
    next(each for each in at.button if each.key == "start-Qwen/Qwen2-VL-2B-Instruct").click().run()
    assert at.selectbox(key="model").value == "Qwen/Qwen2-VL-2B-Instruct"


def test_a_session_that_ends_lets_go_of_its_model(start, settle, folder, monkeypatch):
    from streamlit.runtime.caching.cache_resource_api import _resource_caches

    monkeypatch.setattr(pool, "GRACE", 0)
    at = start(folder)
    settle(button(at, "Load").click().run())
    assert pool.here(folder)
    for session in list(pool._sessions):
        _resource_caches.clear_session(session)  # as the server does when a session ends
    assert not pool.here(folder)


def test_memory_that_runs_out_is_freed_and_told_with_what_to_lower(start, settle, folder):
    at = start(folder)
    settle(button(at, "Load").click().run())
    vlm = pool.get(folder)

    def full(*_: object, **__: object) -> None:
        held = torch.zeros(1000)
        raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(held)} GiB.")

    hook = vlm.model.register_forward_pre_hook(full)
    try:
        settle(at.text_input(key="question").set_value("what shape is the red object?").run())
        (error,) = at.error
        assert "Memory ran out on cpu" in error.value
        assert "load it in bfloat16" in error.value
        assert "CUDA" not in error.value
    finally:
        hook.remove()
    settle(at.text_input(key="question").set_value(QUESTION).run())
    assert not at.error
    assert answered(at)
