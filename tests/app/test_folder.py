"""A Hugging Face folder loads through the same box as every other model."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.ui import pool

SCENE = Scene((Thing(0, "red", "circle", "large"),))


def test_a_llava_folder_answers_on_the_page(grouped_folder, settle):
    pool.drop(str(grouped_folder))  # another test of this process may have loaded it
    at = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=60)
    at.query_params.update({"model": str(grouped_folder), "scene": SCENE.to_json(), "q": "what color is the circle?"})
    settle(at.run())
    assert not at.error, at.error[0].value
    assert any("LLaVA-1.5" in caption.value and "36 tokens" not in caption.value for caption in at.caption)
    next(button for button in at.button if button.label == "Load").click()
    settle(at.run())
    assert not at.error, at.error[0].value
    trace = vlmlens.load(str(grouped_folder)).inspect(SCENE, "what color is the circle?")
    shown = next(html.proto.body for html in at.get("html") if '<p class="lens-answer' in html.proto.body)
    assert f"{trace.answers[0].probability:.3f}" in shown
    assert len(at.get("bidi_component")) == 1
    assert any("million parameters" in caption.value for caption in at.caption)
    next(button for button in at.button if button.label == "Unload").click().run()
    assert at.selectbox(key="model").value == pool.DEFAULT
    assert not pool.here(str(grouped_folder))
