"""The views Masks and Q-Former, without a browser: what they say was computed, and bad input gets a sentence."""

import json
import time
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.lab import two_stages_found
from vlmlens.lab.masks import MASKS
from vlmlens.lab.two_stages import VARIANTS, Schedule, run
from vlmlens.ui.fusion import masks, two_stages

ROOT = Path(__file__).resolve().parents[2]
STAGES = "Its losses and its two stages"
TINY = Schedule(read=64, pool=64, tested=80, batch=16, reader=3, align=3, connect=2, every=2)


def start(view: str, **state: object) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.run().switch_page(str(ROOT / "app_pages" / "fusion.py"))
    at.query_params["view"] = view
    for key, value in state.items():
        at.session_state[key] = value
    return at.run()


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    assert not at.warning, [warning.value for warning in at.warning]
    return "\n".join(markdown.value for markdown in at.markdown)


def drawn(at: AppTest, number: int = 0) -> list[dict]:
    """The rows behind a chart."""
    chart = at.get("vega_lite_chart")[number].proto
    if chart.data.data:
        return pa.ipc.open_stream(chart.data.data).read_all().to_pylist()
    return json.loads(chart.spec)["data"]["values"]


@pytest.mark.parametrize("group", masks.GROUPS)
def test_every_group_of_masks_opens_with_its_pictures(group):
    at = start("Masks", **{"mask-group": group})
    said = told(at)
    for name in masks.GROUPS[group]:
        assert MASKS[name].title in said
        assert MASKS[name].sentence in said
    assert len(at.get("vega_lite_chart")) >= len(masks.GROUPS[group])


def test_every_mask_is_in_one_group():
    assert sorted(name for names in masks.GROUPS.values() for name in names) == sorted(MASKS)


def test_the_masks_speak_the_words_of_the_question_and_follow_the_lengths():
    at = start("Masks", question="is there a red circle")
    assert any(row["told"].startswith("the word “circle” may") for row in drawn(at))
    at.slider(key="mask-queries-Q-Former").set_value(3).run()
    assert len(drawn(at)) == (3 + 5) ** 2
    at.slider(key="mask-words-Q-Former-5").set_value(2).run()
    assert len(drawn(at)) == (3 + 2) ** 2
    assert "Of 25 pairs, **13** may look" in told(at)


def test_decoders_show_the_true_answer_as_a_word():
    at = start("Masks", **{"mask-group": "Decoders"})
    assert any("the word “cyan”" in row["told"] for row in drawn(at, 1))


@pytest.mark.parametrize("question", ["", "???", "a zebra on the moon, please"])
def test_any_question_has_masks(question):
    told(start("Masks", question=question))
    told(start("Masks", question=question, **{"mask-group": "Decoders"}))


def test_flamingo_proves_its_mask_and_says_when_it_is_got_around():
    at = start("Masks", **{"mask-group": "Flamingo"})
    assert "**4 of 14** states change, from “image 1” to “circle”: exactly those that may look at it" in told(at)
    at.slider(key="flamingo-gate").set_value(0.0).run()
    assert "**0 of 14** states change: the gate is shut" in told(at)
    at.slider(key="flamingo-gate").set_value(0.7).run()
    at.toggle(key="flamingo-itself").set_value(True).run()
    assert "**10 of 14** states change" in told(at)
    assert "6 of them may not look at it" in told(at)


def test_a_picture_moves_a_word_on():
    at = start("Masks", **{"mask-group": "Flamingo"})
    at.button(key="flamingo-1-later").click().run()
    assert (
        at.text_input(key="flamingo-text").value
        == "is there a star a <image> red circle <image> what color is the star"
    )
    assert "**3 of 14** states change" in told(at)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a star <image>", "1 of <image>"), ("<image> a <image> zebra", "“zebra”"), ("", "0 of <image>")],
)
def test_a_text_that_cannot_be_read_gets_a_sentence(text, problem):
    at = start("Masks", **{"mask-group": "Flamingo", "flamingo-text": text})
    assert not at.exception
    assert problem in at.error[0].value


def test_the_queries_of_the_shipped_model_are_shown_with_what_the_answer_hangs_on():
    at = start("Q-Former")
    said = told(at)
    assert "of its look to what is asked about" in said
    assert "“cyan”" in said
    cells = drawn(at)
    assert len(cells) == 2 * 8 * 36
    assert sum(cell["share"] for cell in cells) == pytest.approx(16, abs=1e-3)


def test_an_unreadable_question_gets_a_sentence():
    at = start("Q-Former", question="what color is the zebra")
    assert not at.exception
    assert "“zebra”" in at.error[0].value


def test_without_a_measurement_the_page_says_so_and_shows_the_masks(monkeypatch, tmp_path):
    monkeypatch.setattr(two_stages_found, "TARGET", tmp_path / "none.json")
    at = start("Q-Former", **{"qformer-part": STAGES})
    assert "not been measured yet" in at.info[0].value
    assert len(at.get("vega_lite_chart")) == 3
    told(at)


def test_what_was_measured_is_told_with_its_doubt(monkeypatch, tmp_path):
    runs = [list(run(seed, TINY))[-1].to_dict() | {"seconds_of_one_core": 1} for seed in (0, 1)]
    target = tmp_path / "two_stages.json"
    target.write_text(json.dumps({"command": "python x", "date": "2026-01-01", "runs": runs}))
    monkeypatch.setattr(two_stages_found, "TARGET", target)
    at = start("Q-Former", **{"qformer-part": STAGES})
    said = told(at)
    assert "A projection alone over an aligned Q-Former reaches" in said
    assert "Stage 1 is worth" in said
    assert "(2 seeds; 95 % interval of the mean)" in said
    table = at.dataframe[0].value
    assert sorted(set(table["variant"])) == sorted(VARIANTS)
    assert len(table) == 2 * len(VARIANTS)


def test_the_two_stages_can_be_trained_here(monkeypatch, tmp_path):
    monkeypatch.setattr(two_stages_found, "TARGET", tmp_path / "none.json")
    monkeypatch.setattr(two_stages, "SMALL", TINY)
    at = start("Q-Former", **{"qformer-part": STAGES, "stages-source": two_stages.MODES[1], "stages-train": True})
    for _ in range(200):
        if not any(button.label == "Stop" for button in at.button):
            break
        time.sleep(0.1)
        at.run()
    said = told(at)
    assert "one seed cannot say how surely" in said
    assert "trained here, now" in "\n".join(caption.value for caption in at.caption)
    assert len(at.dataframe[0].value) == len(VARIANTS)
