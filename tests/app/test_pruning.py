"""The Pruning view without a browser: what it says is what the library computes, measured or not."""

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import vlmlens
from vlmlens.tokens import prune_measured
from vlmlens.tokens.pruned import compare
from vlmlens.ui.request import QUESTION
from vlmlens.ui.source import examples

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(settle):
    """start(**link): the view, when its work is done."""

    def opened(**link: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
        at.run().switch_page(str(ROOT / "app_pages" / "tokens.py"))
        at.session_state["model"] = link.pop("model", "lab:llava")
        at.query_params.update({"view": "Pruning"} | link)
        return settle(at.run())

    return opened


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(part.value for part in (*at.markdown, *at.get("html"), *at.info, *at.warning) if part.value)


@pytest.fixture(scope="module")
def vlm():
    return vlmlens.load("lab:llava")


def test_it_opens_with_the_answer_before_and_after(vlm, start):
    at = start(**{"prune-share": "25", "prune-layer": "1"})
    text = told(at)
    effect = compare(vlm, examples()[0], QUESTION, 0.25, 1)
    assert "How many image tokens can a loaded model do without?" in text
    assert "**9 of 36** image tokens" in text
    assert f"from {effect.before.probability:.2f} to **{effect.probability:.2f}**" in text
    assert at.get("bidi_component")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"prune-share": "100"}, "All 36 image tokens stay: this is the full model"),
        ({"prune-share": "0"}, "No image token goes on after layer 1"),
        ({"prune-layer": "7"}, "tokens can leave after layers 1 to 2, not after layer 7"),
        ({"prune-layer": "zebra"}, "not after layer zebra"),
        ({"prune-by": "random"}, "ranked by chance, the control"),
    ],
)
def test_the_ends_of_the_dials_are_told_in_a_sentence(link, said, start):
    assert said in told(start(**link))


def test_a_model_of_the_lab_is_refused_and_one_that_can_is_a_button_away(start, settle):
    at = start(model="lab:concat")
    assert "no image tokens in the sequence of a Hugging Face decoder" in told(at)
    settle(at.button(key="prune-take").click().run())
    assert "**9 of 36** image tokens" in told(at)


def measured(path, above=0.2, half=0.05):
    def row(share, by, accuracy, above=None, ends=(None, None)):
        own = {"model": "lab:llava", "layer": 1, "share": share, "by": by, "n": 300, "draws": 1}
        return own | {"accuracy": accuracy, "interval": [0.5, 0.95], "above": above, "above_interval": list(ends)}

    rows = [row(1.0, "all", 0.985)]
    for by in ("attention", "received"):
        rows.append(row(0.25, by, 0.8, above, (above - half, above + half)))
    rows.append(row(0.25, "random", 0.6))
    about = {"command": "c", "date": "d", "versions": {"torch": "2"}, "items": {"n": 300}}
    path.write_text(json.dumps(about | {"accuracy": rows, "time": []}))


@pytest.mark.parametrize(
    ("above", "half", "word"),
    [(0.2, 0.05, "more than chance"), (-0.2, 0.05, "less than chance"), (0.02, 0.05, "inconclusive against chance")],
)
def test_accuracy_over_many_questions_has_its_verdict(monkeypatch, tmp_path, above, half, word, start):
    measured(tmp_path / "prune.json", above, half)
    kept = prune_measured.read
    monkeypatch.setattr("vlmlens.ui.tokens.pruning_accuracy.read", lambda: kept(tmp_path / "prune.json"))
    text = told(start())
    assert re.search(rf"answers \*\*0\.985\*\* of 300 .* with 25% of them .*\*\*{word}\*\*", text)


def test_not_measured_and_damaged_are_told_in_a_sentence(monkeypatch, tmp_path, start):
    kept = prune_measured.read
    monkeypatch.setattr("vlmlens.ui.tokens.pruning_accuracy.read", lambda: kept(tmp_path / "none.json"))
    assert "not measured yet" in told(start())
    (tmp_path / "bad.json").write_text("[]")
    monkeypatch.setattr("vlmlens.ui.tokens.pruning_accuracy.read", lambda: kept(tmp_path / "bad.json"))
    assert any("damaged; measure again" in error.value for error in start().error)
