"""A model that says more than one word: any token of its answer can be looked into."""

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.attention import budget
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.trace import Segment, trace_bytes
from vlmlens.ui import pool, words
from vlmlens.ui.inspect import step as steps

ROOT = Path(__file__).resolve().parents[2]
SCENE = Scene((Thing(0, "red", "circle", "large"),))
QUESTION = "what color is the circle?"


@pytest.fixture(scope="module")
def talker(grouped_folder, tmp_path_factory):
    """The folder of a model that goes on until it is stopped."""
    folder = tmp_path_factory.mktemp("talker")
    shutil.copytree(grouped_folder, folder, dirs_exist_ok=True)
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": None}))
    return str(folder)


@pytest.fixture(scope="module")
def trace(talker):
    return vlmlens.load(talker).inspect(SCENE, QUESTION)


@pytest.fixture
def start(talker, settle):
    def run(**link: str) -> AppTest:
        pool.get(talker)  # as if it had been loaded on the page
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        at.query_params.update({"model": talker, "scene": SCENE.to_json(), "q": QUESTION} | link)
        settle(at.run())
        if load := next((button for button in at.button if button.label == "Load"), None):
            load.click()
            settle(at.run())
        return at

    return run


def pills(at: AppTest):
    return next((group for group in at.get("button_group") if group.key == steps.KEY), None)


def selectboxes(at: AppTest) -> set[str | None]:
    return {box.key for box in at.selectbox}


def said_of_the_budget(at: AppTest) -> str:
    return next(text.value for text in at.markdown if "of attention at" in text.value)


def test_every_token_of_the_answer_can_be_picked_and_is_shown(start, settle, trace):
    at = start()
    assert not at.error
    assert len(trace.steps) > 3
    shown = [html.proto.body for html in at.get("html") if '<p class="lens-answer' in html.proto.body]
    assert trace.text in shown[0]
    labels = [option.content for option in pills(at).proto.options]
    assert len(labels) == len(trace.steps)
    for step, label in zip(trace.steps, labels, strict=True):
        assert words.markdown(step.token.text) in label
        assert f"{step.token.probability:.2f}" in label
    assert {"map", "against"} <= selectboxes(at)
    first = said_of_the_budget(at)
    assert first == words.budget_sentence(budget(trace), trace)
    settle(pills(at).set_value(2).run())
    assert at.query_params[steps.LINK] == "3"
    assert not {"map", "against"} & selectboxes(at)
    assert any(text.value == words.step_sentence(trace, 2) for text in at.markdown)
    then = trace.at_step(2)
    assert said_of_the_budget(at) == words.budget_sentence(budget(then), then) != first
    assert not at.error
    assert not at.exception
    settle(pills(at).set_value(0).run())
    assert steps.LINK not in at.query_params
    assert said_of_the_budget(at) == first


def test_a_link_restores_the_token_and_another_question_begins_anew(start, settle, trace):
    at = start(token="3")
    assert pills(at).value == 2
    assert any(text.value == words.step_sentence(trace, 2) for text in at.markdown)
    settle(at.text_input(key="question").set_value("how many objects are there?").run())
    assert pills(at).value == 0
    assert steps.LINK not in at.query_params
    for nonsense in ("0", "999", "x"):
        assert pills(start(token=nonsense)).value == 0


def test_one_word_has_nothing_to_pick(start):
    for model in ("lab:llava", "lab:concat"):
        at = start(model=model, token="2")
        assert pills(at) is None
        assert steps.LINK not in at.query_params
        assert not at.error


def test_a_saved_trace_has_its_steps(start, settle, trace):
    at = start(model="lab:concat")
    uploader = next(u for u in at.file_uploader if u.key == "trace-file")
    settle(uploader.upload("t.safetensors", trace_bytes(trace)).run())
    settle(pills(at).set_value(1).run())
    then = trace.at_step(1)
    assert Segment.ANSWER in budget(then).segments
    assert said_of_the_budget(at) == words.budget_sentence(budget(then), then)
    assert not at.error


def test_any_token_can_stand_in_a_label():
    assert words.markdown("a*b_c[d]:e $1 `x`") == r"a\*b\_c\[d\]\:e \$1 \`x\`"
    assert words.markdown("rouge é 红") == "rouge é 红"
