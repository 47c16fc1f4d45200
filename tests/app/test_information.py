"""The Information page's logic, without a browser: what is computed, what is refused, what goes wrong in words."""

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.charts import ATOMS
from vlmlens.information import GATES, Running
from vlmlens.lab.sample import take
from vlmlens.ui.information import VIEWS

ROOT = Path(__file__).resolve().parents[2]


def start(view: str, **link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.query_params.update(link)
    at.run().switch_page(str(ROOT / "app_pages" / "information.py"))
    at.query_params["view"] = view
    at.session_state["probe-items"] = 1000  # quick, and enough for k = 4
    at.session_state["trust-n"] = 500
    return settle(at.run())


def settle(at: AppTest) -> AppTest:
    """Run again while work is under way, as the browser's fragment would."""
    for _ in range(300):
        if not any(button.label in ("Stop", "Cancel") for button in at.button):
            return at
        time.sleep(0.2)
        at.run()
    raise AssertionError("the page never finished its work")


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(markdown.value for markdown in at.markdown)


def bars(at: AppTest) -> dict[str, float | None]:
    """Atoms and their bits as the first chart has them."""
    drawn = pa.ipc.open_stream(at.get("vega_lite_chart")[0].proto.data.data).read_all().to_pylist()
    return {row["atom"]: row["value"] for row in drawn}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_with_a_result_and_no_error(view):
    at = start(view)
    assert VIEWS[view].question in told(at)
    assert at.get("vega_lite_chart"), "a view opens with something to look at"


@pytest.mark.parametrize("name", GATES)
def test_a_gate_shows_its_known_atoms(name):
    at = start("Gates")
    at.segmented_control(key="gate").set_value(name).run()
    drawn = bars(at)
    np.testing.assert_allclose([drawn[atom] for atom in ATOMS], GATES[name].truth, atol=1e-9)


def test_noise_alone_tells_nothing():
    at = start("Gates")
    at.slider(key="gate-noise").set_value(1.0).run()
    assert "Nothing tells anything" in told(at)


def test_the_probe_set_shows_what_the_library_computes():
    at = start("Probe set")
    at.slider(key="probe-k").set_value(4).run()
    settle(at)
    vlm_items = take("test", 0, 1000, kinds=("color",))
    import vlmlens

    running = Running(4)
    vlm = vlmlens.load("lab:concat")
    for part in vlm.read([item.scene for item in vlm_items], [item.question.text for item in vlm_items]):
        running.add(part)
    (estimate,) = running.estimates(0, final=True)
    shown = bars(at)
    for atom, term in zip(ATOMS, estimate.terms, strict=True):
        if term.status == "shown":
            assert shown[atom] == pytest.approx(term.value, abs=1e-9)
        else:
            assert shown[atom] is None
    assert estimate.sentence("the picture", "the question") in told(at)


def test_too_few_items_are_refused_in_words():
    at = start("Probe set")
    at.select_slider(key="probe-items").set_value(500)
    at.slider(key="probe-k").set_value(16).run()
    settle(at)
    assert "Too few samples" in told(at)
    assert "n/a: too few samples" in told(at)  # the share


def test_another_k_keeps_the_data():
    at = start("Probe set")
    at.select_slider(key="probe-items").set_value(2000).run()
    settle(at)
    from vlmlens.ui.information import probe

    _, kept = probe._kept()
    before = {asked: reading for asked, reading in kept.items() if asked.items == 2000}
    at.slider(key="probe-k").set_value(5).run()
    settle(at)
    after = {asked: reading for asked, reading in kept.items() if asked.items == 2000}
    assert before == after  # nothing was read again
    assert len(before) == 1
    assert "5 x " in "\n".join(caption.value for caption in at.caption)


def test_this_input_says_over_which_ensemble_it_speaks():
    at = start("This input")
    assert "Over this scene with one thing recoloured" in told(at)
    at.selectbox(key="ensemble-pictures").set_value("hidden regions").run()
    settle(at)
    assert "one of 4 x 4 regions faded out" in told(at)


def test_one_question_alone_is_refused_in_words():
    at = start("This input")
    at.selectbox(key="ensemble-questions").set_value("my own list").run()
    settle(at)
    at.text_area(key="own").set_value("what color is the star?").run()
    settle(at)
    assert any("One question alone" in info.value for info in at.info)


def test_an_unknown_word_is_told_in_words():
    at = start("This input")
    at.text_input(key="question").set_value("what about the zebra?").run()
    settle(at)
    assert any("zebra" in error.value for error in at.error)


def test_the_published_protocol_stands_beside_its_controls():
    at = start("As published", model="lab:llava")
    assert "controls" in told(at)


def test_an_unknown_view_in_a_link_opens_the_first():
    at = start("Nonsense")
    assert next(iter(VIEWS.values())).question in told(at)


@pytest.mark.parametrize(
    ("name", "said"),
    [("text", "the question alone"), ("image", "the picture alone"), ("either", "either"), ("both", "both together")],
)
def test_planted_scenes_show_their_atom_in_a_trained_model(name, said):
    at = start("Gates")
    at.segmented_control(key="planted").set_value(name).run()
    settle(at)
    assert f"{said}" in next(text.value for text in at.markdown if text.value.startswith("Over 8 scenes"))


def test_the_wirings_view_tells_the_committed_figures():
    """The mean shares by reading point, computed anew from the file."""
    readings = json.loads((ROOT / "assets" / "information" / "ablation.json").read_text())["readings"]
    at = start("Wirings")
    by_point = next(frame.value for frame in at.dataframe if "order shown" in frame.value).set_index("read")
    for point, row in by_point.iterrows():
        for wiring in ("img2txt", "txt2img", "concat", "bidirectional"):
            found = [
                r["share"]
                for r in readings
                if (r["ruler"], r["kind"], r["point"], r["wiring"]) == ("representational", "color", point, wiring)
                and r["share"] is not None
            ]
            assert row[wiring] == (f"{np.mean(found):.2f}" if found else "n/a")
