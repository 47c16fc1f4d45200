"""The Fusion page's logic, without a browser: the views open, say what was measured, refuse in words."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.information.measured import conditions, differ
from vlmlens.lab.cards import cards
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.weights import LabName
from vlmlens.ui.fusion import VIEWS, beside, known

ROOT = Path(__file__).resolve().parents[2]
NEWEST = [name for name in WIRINGS if LabName(name).path.exists()]


@pytest.fixture
def start(settle):
    """start(view, **link): the page on one of its views."""

    def begin(view: str, **link: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
        at.query_params.update(link)
        at.run().switch_page(str(ROOT / "app_pages" / "fusion.py"))
        at.query_params["view"] = view
        at.query_params.update(link)
        return settle(at.run())

    return begin


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(each.value for kind in ("markdown", "caption", "info") for each in at.get(kind))


def drawn(at: AppTest, place: int) -> list[dict]:
    return pa.ipc.open_stream(at.get("vega_lite_chart")[place].proto.data.data).read_all().to_pylist()


@pytest.mark.parametrize("view", ["Gallery", "Side by side", "Ablation"])
def test_a_view_opens_with_something_to_look_at(start, view):
    at = start(view)
    assert VIEWS[view].question in told(at)
    assert at.get("vega_lite_chart")


def test_the_overview_tells_of_all_nine_what_their_cards_say(start):
    table = start("Gallery").dataframe[0].value.set_index("wiring")
    assert sorted(table.index) == sorted(WIRINGS)
    for name in WIRINGS:
        found = cards(name)
        row = table.loc[name]
        assert row["seeds measured"] == f"{len(found.cards)} of {found.count}"
        if found.accuracy is None:
            assert row["interval"] == "n/a"
        else:
            assert row["accuracy"] == pytest.approx(found.accuracy.value)


@pytest.mark.parametrize("name", WIRINGS)
def test_every_wiring_has_its_diagram_cost_and_claim(start, settle, name):
    at = start("Gallery", **{"gallery-wiring": name})
    words = told(at)
    row = WIRINGS[name]
    assert row.sentence in words
    assert row.cannot in words
    assert f"**{known.measured().costs[name].parameters:,}** parameters" in words
    assert "as the registry says" in words
    found = cards(name)
    if found.cards:
        assert found.accuracy is not None
        assert str(found.accuracy) in words
        assert not found.ceiling_told() or found.ceiling_told() in words
    else:
        assert found.told in words
    assert ("gates of attention" in words) == (row.gated and name in NEWEST)
    assert ("half as open" in words) == row.gated  # their curves are in the cards


def test_predict_first_hides_until_a_class_has_chosen(start, settle):
    at = start("Gallery", **{"gallery-wiring": "img2txt", "gallery-predict": "true"})
    before = told(at)
    kinds = cards("img2txt").by_question
    assert "Choose above" in before
    assert "falls short" not in before
    assert "weakest" not in at.dataframe[0].value
    assert str(kinds["relation"]) not in before
    pills = next(group for group in at.get("button_group") if group.key == "gallery-guess-img2txt")
    pills.set_value("relation").run()
    settle(at)
    after = told(at)
    assert "predicted (relation" in after
    assert "Choose above" not in after


def test_milliseconds_are_measured_only_when_asked_for(start, settle):
    at = start("Gallery", **{"gallery-wiring": "txt2img"})
    assert "Median" not in told(at)
    at.button(key="gallery-time-txt2img").click().run()
    settle(at)
    assert "ms** a question" in told(at)


def test_side_by_side_says_why_shares_do_not_compare(start):
    at = start("Side by side")
    assert "Shares of attention do not compare: in lab:txt2img" in told(at)


def test_where_shares_compare_they_are_shown(start, settle):
    at = start("Side by side", **{"fusion-one": "lab:concat", "fusion-other": "lab:llava"})
    assert "The picture's share of attention" in told(at)
    next(g for g in at.get("button_group") if g.key == "fusion-budget").set_value("contribution").run()
    settle(at)
    assert "of what attention wrote" in told(at)


@pytest.mark.parametrize("name", [*NEWEST, "planted:blind"])
def test_any_model_can_stand_beside_another(start, name):
    at = start(
        "Side by side", **{"fusion-one": f"lab:{name}" if name in WIRINGS else name, "fusion-other": "lab:llava"}
    )
    words = told(at)
    assert "share of attention" in words or "of what attention wrote" in words


@pytest.mark.parametrize("method", ["raw", "gradient", "occlusion"])
def test_the_same_map_for_both(start, settle, method):
    from vlmlens.attribution import METHODS

    found = [name for name in METHODS if method in name]
    at = start("Side by side", **{"fusion-map": found[0]})
    settle(at)
    assert told(at).count("Did looking matter?") == 2


def test_one_model_twice_is_told(start):
    at = start("Side by side", **{"fusion-one": "lab:concat", "fusion-other": "lab:concat"})
    assert "one model twice" in told(at)


def test_another_seed_is_another_model(start, settle):
    at = start("Side by side", **{"fusion-one": "lab:concat", "fusion-other": "lab:concat"})
    next(g for g in at.get("button_group") if g.key == "fusion-seed-other-concat").set_value(1).run()
    settle(at)
    assert "one model twice" not in told(at)
    assert "lab:concat@1" in told(at)


def test_a_model_that_is_not_there_is_told_in_words_and_the_other_still_answers(start):
    at = start("Side by side", **{"fusion-one": "planted:nonsense"})
    assert not at.exception
    assert any("nonsense" in error.value for error in at.error)
    assert at.get("vega_lite_chart"), "the other one answers"


def test_a_word_the_lab_does_not_know_is_told_in_words(start):
    at = start("Side by side", q="what about the zebra?")
    assert any("zebra" in error.value for error in at.error)


def test_what_can_stand_side_by_side_has_its_weights():
    for name in beside.names():
        assert not name.startswith("lab:") or LabName.parse(name).path.exists()


def test_the_ablation_tells_the_committed_figures(start):
    """Accuracies by condition and wiring, and where they differ, computed anew from the file."""
    rows = json.loads((ROOT / "assets" / "information" / "conditions.json").read_text())["rows"]
    at = start("Ablation")
    table = at.dataframe[0].value.set_index("condition")
    for condition in table.index.drop("as shipped"):
        values = {
            name: [r["held_out"]["accuracy"] for r in rows if (r["condition"], r["wiring"]) == (condition, name)]
            for name in WIRINGS
        }
        assert table.loc[condition, "wirings"] == differ(values).word
        for name, found in values.items():
            assert table.loc[condition, name].startswith(f"{np.mean(found):.3f}" if found else "n/a")


@pytest.mark.parametrize("kind", conditions().kinds)
def test_image_shares_of_every_kind_are_shown(start, kind):
    at = start("Ablation", **{"ablation-what": "image share (behavior)"})
    next(g for g in at.get("button_group") if g.key == "ablation-kinds-image share").set_value(kind).run()
    assert f"In image share (behavior) on {kind} questions the wirings" in told(at)


def test_the_published_ablation_is_judged(start):
    words = told(start("Ablation"))
    assert "Is the published ablation confirmed?" in words
    assert "contradicted in" in words
    assert "Why." in words
