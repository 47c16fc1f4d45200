"""The Allocation view without a browser: what it says is what the library computes, and bad input gives a sentence."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from vlmlens.picture import encode_png
from vlmlens.tokens import measured
from vlmlens.tokens.described import implications
from vlmlens.tokens.measured import OVERALL, PAIRS, Accuracy, Difference, Finding
from vlmlens.ui import jobs
from vlmlens.ui.source import Source

ROOT = Path(__file__).resolve().parents[2]


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.query_params.update(link)
    at.run().switch_page(str(ROOT / "app_pages" / "tokens.py"))
    at.query_params["view"] = "Allocation"
    return at.run()


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(each.value for each in (*at.markdown, *at.caption, *at.info))


def results(path: Path, value: float) -> Path:
    """A file as the benchmark writes it, in which every way is `value` better than its control."""
    rows = [Accuracy(144, name, 0.5, (0.4, 0.6), (0.5,), 130.0) for name in measured.METHODS]
    pairs = [Difference(OVERALL, *pair, value, (value - 0.01, value + 0.01), (), None) for pair in PAIRS]
    pairs.append(Difference(144, "sliders", "uniform", -0.02, (-0.03, -0.01), (), None))
    findings = [Finding("information", 0.4, (0.35, 0.45)), Finding("coupling", 0.8, (0.7, 0.9))]
    about = {"command": "c", "date": "d", "versions": {"torch": "2"}, "model": "lab:concat", "items": 9}
    about |= {"low": 1, "high": 64, "draws": 5, "adapters": [0, 1, 2]}
    parts = {"accuracies": rows, "differences": pairs, "scores": findings}
    path.write_text(json.dumps(about | {name: [asdict(each) for each in own] for name, own in parts.items()}))
    return path


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine takes longer than a page waits before it draws a bar."""
    monkeypatch.setattr(jobs, "PATIENCE", 60.0)


@pytest.fixture
def found(monkeypatch, tmp_path):
    """found(difference): the view finds these results; without a difference, none."""
    kept = measured.read

    def set_to(value=None):
        path = tmp_path / "allocation.json"
        if value is not None:
            results(path, value)
        monkeypatch.setattr("vlmlens.ui.tokens.allocation_measured.read", lambda: kept(path))

    return set_to


def test_it_opens_with_maps_budgets_answers_and_the_described_numbers(found):
    found()
    at = start()
    text = told(at)
    assert "tokens, 324 in all" in text
    assert "324 tokens, told in" in text
    assert "The minimum takes 36; relevance may move 288 (89%)" in text
    assert "of the picture and gets" in text
    assert "**In full**" in text
    assert "**Uniform, same total**" in text
    for line in implications():
        assert line in text
    assert "not measured yet. `python benchmarks/allocation.py --train`" in text
    assert len(at.get("bidi_component")) >= 4


def test_compress_is_uniform_and_a_total_is_kept(found):
    found()
    at = start(**{"allocation-total": "144"})
    at.slider(key="allocation-particularize").set_value(-1.0).run()
    text = told(at)
    assert "**Budget** 4 to 4 tokens, 144 in all" in text
    assert "All patches are alike, so allotted is uniform" in text


@pytest.mark.parametrize(("low", "high", "said"), [(10, 64, "choose a total from 360"), (9, 4, "minimum <= maximum")])
def test_bounds_that_cannot_hold_are_told(found, low, high, said):
    found()
    at = start(**{"allocation-low": str(low), "allocation-high": str(high)})
    assert not at.exception
    assert any(said in error.value for error in at.error)
    assert any("200 x 72" in each.value for each in at.markdown)  # the page goes on


@pytest.mark.parametrize("value", [0.05, -0.05, 0.0])
def test_the_measured_comparison_says_better_worse_or_that_it_cannot(found, value):
    found(value)
    text = told(start())
    wanted = {0.05: "answers better than uniform", -0.05: "answers worse than uniform", 0.0: "the numbers cannot say"}
    assert wanted[value] in text
    assert ("(but worse at 144 tokens)" in text) == (value >= 0)
    assert "information points away from it" in text
    assert "coupling finds it" in text


def test_a_photograph_of_one_color_is_taken_at_48_pixels_and_says_so(found):
    found()
    source = Source.of_file(encode_png(Image.new("RGB", (90, 60), (10, 200, 10))))
    text = told(start(picture=source.text))
    assert "no lab scene: it is taken at 48 pixels" in text
    assert "324 in all" in text


def test_a_question_that_the_lab_cannot_read_is_told(found):
    found()
    at = start(q="wherefore?")
    assert not at.exception
    assert at.error


def test_a_model_that_is_not_the_labs_gets_a_map_of_its_cells(found):
    found()
    at = start(model="planted:blind")
    text = told(at)
    assert "lab:concat answers here in its stead" in text
    assert "36 of 36 cells share 2,592 tokens" in text
    at.number_input(key="allocation-k").set_value(200).run()
    assert any("200 patches cannot be chosen from 36" in error.value for error in at.error)


def test_a_damaged_file_is_told_in_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "allocation.json").write_text("{")
    kept = measured.read
    monkeypatch.setattr("vlmlens.ui.tokens.allocation_measured.read", lambda: kept(tmp_path / "allocation.json"))
    assert any("damaged; measure again" in error.value for error in start().error)


def test_the_adapter_says_what_it_chose(found):
    found()
    assert "The adapter (training seed 0) chose compress - particularize" in told(start(**{"allocation-by": "adapter"}))
