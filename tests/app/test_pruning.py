"""The Pruning view without a browser: what it says is what the library computes, measured or not."""

import json
import re
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.tokens import prune_measured
from vlmlens.tokens.pruned import compare
from vlmlens.ui.request import QUESTION
from vlmlens.ui.source import examples
from vlmlens.ui.tokens.pruning_accuracy import sentence

ROOT = Path(__file__).resolve().parents[2]


def run(at: AppTest) -> str:
    """All that the view says when its work is done."""
    at.run()
    for _ in range(300):
        if not any(button.label in ("Stop", "Cancel") for button in at.button):
            break
        time.sleep(0.1)
        at.run()
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(part.value for part in (*at.markdown, *at.info, *at.warning, *at.caption))


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.run().switch_page(str(ROOT / "app_pages" / "tokens.py"))
    at.session_state["model"] = "lab:llava"
    at.query_params.update({"view": "Pruning"} | link)
    return at


@pytest.fixture(scope="module")
def at():
    """The view, open; tests turn its dials."""
    at = start()
    run(at)
    return at


def test_it_opens_with_the_answer_before_and_after(at):
    text = run(at)
    effect = compare(vlmlens.load("lab:llava"), examples()[0], QUESTION, 0.25, 1)
    assert "How many image tokens can a loaded model do without?" in text
    assert "**9 of 36** image tokens" in text
    assert f"from {effect.before.probability:.2f} to **{effect.probability:.2f}**" in text
    assert re.search(r"9 at random at [01]\.\d\d .* 20 draws\): \*\*", text)
    assert re.search(r"A pruned pass takes \*\*\d\.\d\d\*\* of the full pass's time .* 15 pairs\)", text)
    assert at.get("bidi_component")


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (100, "All 36 image tokens stay: this is the full model"),
        (0, "No image token goes on after layer 1"),
        (5, "**2 of"),
    ],
)
def test_the_ends_of_the_dial_are_told_in_a_sentence(at, share, said):
    at.select_slider(key="prune-share").set_value(share)
    assert said in run(at)


def test_another_ranking_is_told(at):
    at.segmented_control(key="prune-by").set_value("random")
    assert "ranked by chance, the control" in run(at)
    at.segmented_control(key="prune-by").set_value("attention")


def test_a_link_brings_the_share_back_and_a_layer_that_does_not_exist_is_told_in_a_sentence():
    text = run(start(**{"prune-layer": "7", "prune-share": "10"}))
    assert "With **4 of 36** image tokens after layer 1" in text
    assert "tokens can leave after layers 1 to 2, not after layer 7" in text
    assert "image tokens go on after layer 1" in text


def test_a_model_of_the_lab_is_refused_and_one_that_can_is_a_button_away(at):
    at.session_state["model"] = "lab:concat"
    assert "no image tokens in the sequence of a Hugging Face decoder" in run(at)
    at.button(key="prune-take").click()
    assert "image tokens after layer 1, lab:llava" in run(at)


def measured(path, above=0.2, half=0.05):
    """A file as the benchmark writes it, with this lead over chance."""

    def row(share, by, accuracy, above=None, ends=(None, None)):
        own = {"model": "lab:llava", "layer": 1, "share": share, "by": by, "n": 300, "draws": 1}
        return own | {"accuracy": accuracy, "interval": [0.5, 0.95], "above": above, "above_interval": list(ends)}

    rows = [row(1.0, "all", 0.985)]
    for by in ("attention", "received"):
        rows.append(row(0.25, by, 0.8, above, (above - half, above + half)))
    rows.append(row(0.25, "random", 0.6))
    about = {"command": "c", "date": "d", "versions": {"torch": "2"}, "items": {"n": 300}}
    path.write_text(json.dumps(about | {"accuracy": rows, "time": []}))
    return prune_measured.read(path)


@pytest.mark.parametrize(
    ("above", "half", "word"),
    [(0.2, 0.05, "more than chance"), (-0.2, 0.05, "less than chance"), (0.02, 0.05, "inconclusive against chance")],
)
def test_accuracy_over_many_questions_has_its_verdict(tmp_path, above, half, word):
    own = measured(tmp_path / "prune.json", above, half).of("lab:llava", 1)
    text = sentence(own, "lab:llava", 1, 0.3)
    assert re.search(rf"answers \*\*0\.985\*\* of 300 .* with 25% of them .*\*\*{word}\*\*", text)
    assert sentence(own, "lab:llava", 1, 1.0).endswith("(0.500 to 0.950).")


def test_not_measured_and_damaged_are_told_in_a_sentence(at, monkeypatch, tmp_path):
    kept = prune_measured.read
    monkeypatch.setattr("vlmlens.ui.tokens.pruning_accuracy.read", lambda: kept(tmp_path / "none.json"))
    assert "not measured yet" in run(at)
    (tmp_path / "bad.json").write_text("[]")
    monkeypatch.setattr("vlmlens.ui.tokens.pruning_accuracy.read", lambda: kept(tmp_path / "bad.json"))
    assert any("damaged; measure again" in error.value for error in at.run().error)
