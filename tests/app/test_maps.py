"""Maps on the Inspect page: each method is drawn and judged, a second answer narrows them, every fold answers."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.attribution import METHODS, Case, explain
from vlmlens.attribution.faithfulness import trust
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.ui import pool
from vlmlens.ui.inspect import FOLDS
from vlmlens.ui.inspect.choice import Choice
from vlmlens.ui.inspect.save import as_python
from vlmlens.ui.request import Request
from vlmlens.ui.source import Source

ROOT = Path(__file__).resolve().parents[2]
RED_CIRCLE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))
QUESTION = "what color is the circle?"
BADGES = ("Better than random", "No better than random", "Inconclusive")


@pytest.fixture
def asked(settle):
    """asked(map="chefer"): the page of a link, after its work."""

    def open_page(**link: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        at.query_params.update({"scene": RED_CIRCLE.to_json(), "q": QUESTION, **link})
        return settle(at.run())

    return open_page


def said(at, part: str) -> bool:
    return any(part in text.value for text in at.markdown)


@pytest.mark.parametrize("method", METHODS)
def test_every_map_is_drawn_and_judged(method, asked):
    at = asked(model="lab:concat", map=method)
    assert not at.error, [error.value for error in at.error]
    assert at.selectbox(key="map").value == method
    assert sum(said(at, f"{badge}]") for badge in BADGES) == 1
    assert said(at, "Removing what this map marks takes “red” from")


def test_a_map_that_a_wiring_cannot_draw_says_why_and_leaves_the_rest(asked):
    at = asked(model="lab:txt2img", map="lens")
    vlm = vlmlens.load("lab:txt2img")
    case = Case(vlm, RED_CIRCLE, QUESTION, vlm.inspect(RED_CIRCLE, QUESTION))
    with pytest.raises(vlmlens.errors.NotApplicable) as refused:
        explain("lens", case)
    assert f"n/a: {refused.value}" in [info.value for info in at.info]
    assert not at.error
    assert len(at.get("bidi_component")) == 1  # the picture, without a map


def test_a_second_answer_leaves_the_maps_that_know_answers(asked):
    at = asked(against="blue")
    assert at.selectbox(key="map").options == [name for name, row in METHODS.items() if row.contrasts]
    assert not at.error


@pytest.mark.parametrize("fold", [fold.name for fold in FOLDS])
@pytest.mark.parametrize("model", ["lab:concat", "lab:llava"])
def test_every_fold_answers(fold, model, asked, settle):
    at = asked(model=model)
    at.session_state[f"fold-{fold}"] = True
    settle(at.run())
    assert not at.error, [error.value for error in at.error]
    assert not at.exception


def test_a_layer_clicked_elsewhere_is_shown_and_judged(asked, settle):
    at = asked(map="chefer")
    at.session_state["wanted-layer"] = "layer 3: all → all"
    settle(at.run())
    assert at.selectbox(key="map").value == "raw"  # chefer has one map for all layers
    assert at.selectbox(key="slice-raw-lab:concat").value == "layer 3: all → all"


def test_the_lines_of_python_make_the_same_map():
    vlm = vlmlens.load("lab:concat")
    trace = vlm.inspect(RED_CIRCLE, QUESTION)
    for choice in (Choice("raw"), Choice("chefer", "blue"), Choice("contrastive")):
        request = Request("lab:concat", Source.of_scene(RED_CIRCLE), QUESTION)
        found = explain(choice.method, Case(vlm, RED_CIRCLE, QUESTION, trace, choice.answer(trace)))
        lines = as_python(request, trace, (found, found.first, choice)).split("\n")
        assert lines[-1].startswith(f"print(trust(case, found.cells({found.first})")
        made: dict = {}
        exec("\n".join(lines[:-1]), made)
        assert made["case"].against == choice.answer(trace)
        if choice.method != "contrastive":  # its layers come from a sweep
            np.testing.assert_allclose(made["found"].values, found.values, atol=1e-6)


def test_the_verdict_on_the_page_is_the_librarys(asked):
    at = asked(map="ablation")
    vlm = vlmlens.load("lab:concat")
    case = Case(vlm, RED_CIRCLE, QUESTION, vlm.inspect(RED_CIRCLE, QUESTION))
    assert said(at, trust(case, explain("ablation", case).cells()).sentence())


def test_a_large_model_is_judged_when_asked(asked, settle, grouped_folder, monkeypatch):
    pool.get(str(grouped_folder))  # as if it had been loaded on the page
    at = asked(model=str(grouped_folder))
    if load := next((button for button in at.button if button.label == "Load"), None):
        settle(load.click().run())
    (button,) = [button for button in at.button if button.label.startswith("Compare with random maps (up to")]
    assert said(at, "not checked yet]")
    assert said(at, "Removing what this map marks takes")
    settle(button.click().run())
    assert not at.error
    assert any(said(at, f"{badge}]") for badge in BADGES)


def test_a_cancelled_verdict_can_be_asked_for_again(asked, settle, monkeypatch):
    from vlmlens.progress import Cancelled
    from vlmlens.ui.inspect import badge

    def cancelled(*_rest, **_more):
        raise Cancelled

    monkeypatch.setattr(badge, "trust", cancelled)
    at = asked(map="lens", q="what shape is the red object?")
    assert said(at, "not checked]")
    assert not at.error
    monkeypatch.undo()
    settle(next(button for button in at.button if button.label == "Compare with random maps").click().run())
    assert any(said(at, f"{badge}]") for badge in BADGES)


def test_what_a_map_may_cost_is_set_and_told(asked):
    at = asked(**{"map": "shapley", "map-passes": "100"})
    assert any("36 regions, 2 random orders" in caption.value for caption in at.caption)
