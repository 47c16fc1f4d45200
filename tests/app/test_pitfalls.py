"""The Pitfalls view, without a browser: cards of findings, pairs, tables, and the way to a remedy."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.lab import runs
from vlmlens.lab.training import Plan
from vlmlens.pitfalls import DETECTORS, Evidence, found
from vlmlens.pitfalls.of_curve import of_curve
from vlmlens.pitfalls.planted import kept
from vlmlens.ui.fusion import VIEWS
from vlmlens.ui.fusion import pitfalls as view
from vlmlens.ui.fusion.pitfall_words import DETECTORS as WORDS

ROOT = Path(__file__).resolve().parents[2]


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.query_params.update({"view": "Pitfalls", **link})
    at.run().switch_page(str(ROOT / "app_pages" / "fusion.py"))
    at.query_params["view"] = "Pitfalls"
    return at.run()


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(markdown.value for markdown in at.markdown)


def test_every_detector_has_its_card_with_a_verdict_and_its_help(settle):
    at = settle(start())
    text = told(at)
    assert VIEWS["Pitfalls"].question in text
    assert "lab:concat has none of 4 pitfalls; of sinks it cannot be told" in text
    assert list(WORDS) == list(DETECTORS)
    for name, detector in DETECTORS.items():
        assert f"**{name.capitalize()}**" in text
        assert detector.question in text
    assert "n/a: lab:concat has no gates." in text
    assert text.count("-badge[") == len(DETECTORS) + 2  # and the pair's


@pytest.mark.parametrize("name", DETECTORS)
def test_a_pair_shows_what_the_library_finds(name, settle):
    at = settle(start(**{"pitfall-shown": name}))
    text = told(at)
    for ill in (True, False):
        case = kept(name, 0, ill)
        finding = found(DETECTORS[name], Evidence(case.vlm, case.probe, 0))
        assert case.told in text
        assert finding.sentence in text
    assert len(at.get("vega_lite_chart")) >= 2


def test_a_pitfall_that_is_found_leads_to_its_remedies(settle, monkeypatch):
    case = kept("dead gates", 0, True)
    monkeypatch.setattr(view.results, "model", lambda name: case.vlm)
    at = settle(start())
    text = told(at)
    assert re.search(r" has [a-z ]*dead gates", text)
    assert DETECTORS["dead gates"].advice in text
    at.button(key="train-against-dead gates").click().run()
    assert at.query_params["view"] == "Train"
    assert at.multiselect(key="train-remedies").value == ["higher rate"]


def test_what_was_not_measured_is_said_so(settle, monkeypatch, tmp_path):
    monkeypatch.setattr(view, "HOME", tmp_path)
    view._read.cache_clear()
    at = settle(start())
    told(at)
    infos = "\n".join(info.value for info in at.info)
    assert "not measured yet: `python benchmarks/pitfalls.py detectors`" in infos
    assert "not measured yet: `python benchmarks/pitfalls.py remedies`" in infos
    view._read.cache_clear()


def test_effects_need_two_seeds_and_are_judged_by_their_interval():
    experiments = {"x": {"quantity": "gap", "higher": True}}

    def rows(without, treated):
        arms = ((False, without), (True, treated))
        return [
            {"remedy": "x", "treated": arm, "seed": seed, "gap": value, "accuracy": 0.5}
            for arm, values in arms
            for seed, value in enumerate(values)
        ]

    table = {"experiments": experiments, "rows": rows([0.1, 0.12, 0.11], [0.3, 0.33, 0.31])}
    effect = view._effect(table, "x")
    assert effect["verdict"] == "improved"
    assert effect["accuracy_verdict"] == "no change"
    assert effect["difference"] == pytest.approx(0.2033, abs=1e-3)
    assert view._effect({"experiments": experiments, "rows": rows([0.1], [0.3])}, "x") is None
    unsteady = {"experiments": experiments, "rows": rows([0.1, 0.5, 0.2], [0.3, 0.1, 0.6])}
    assert view._effect(unsteady, "x")["verdict"] == "no change"


def test_a_run_is_judged_by_its_curve(settle, monkeypatch, tmp_path):
    monkeypatch.setenv("VLMLENS_RUNS", str(tmp_path))
    run = runs.start("first", Plan("gated", width=8, steps=2, batch=4, pool=4))
    for _ in run.train():
        pass
    expected = dict(of_curve(run.curve()))
    at = start()
    at.session_state["pitfall-runs"] = True
    at = settle(at.run())
    told(at)
    table = next(frame.value for frame in at.dataframe if "pitfall" in frame.value)
    assert list(table["run"].unique()) == ["first"]
    assert dict(zip(table["pitfall"], table["what it says"], strict=True)) == {
        name: finding.sentence for name, finding in expected.items()
    }
    assert expected["dead gates"].verdict == "cannot tell"  # two steps hardly open a gate
