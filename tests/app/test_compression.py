"""The Compression view without a browser: what it says is what was measured and what the compressor does."""

import json
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from vlmlens.lab.compress import COMPRESSORS, CompressedModel, measured
from vlmlens.lab.compress import weights as kept
from vlmlens.lab.compress.train import RECIPE, Trained
from vlmlens.lab.weights import LabName, load_wiring
from vlmlens.ui.tokens import VIEWS

ROOT = Path(__file__).resolve().parents[2]


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.query_params.update(link)
    at.run().switch_page(str(ROOT / "app_pages" / "tokens.py"))
    at.query_params["view"] = "Compression"
    return at.run()


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(markdown.value for markdown in at.markdown)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """Weights of every compressor as it begins: enough for what stands on the page, whatever it answers."""
    home = tmp_path_factory.mktemp("compress")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "HOME", home)
        for name, row in COMPRESSORS.items():
            torch.manual_seed(0)
            model = CompressedModel(row, load_wiring(LabName("concat")))
            kept.save_compressed(name, 0, Trained(model, RECIPE, 0.0, ()))
    return home


@pytest.fixture
def shown(monkeypatch, tmp_path, untrained):
    """shown(accuracy, weights): the view finds these results [compressor][tokens], and weights or none."""
    read = measured.read

    def set_to(accuracy=None, weights=True):
        path = tmp_path / "compression.json"
        if accuracy is not None:
            rows = [
                {
                    "compressor": name,
                    "seed": seed,
                    "only": None,
                    "accuracy": {keep: value + seed / 1000 for keep, value in own.items()},
                    "by_question": {keep: {"color": value, "count": value - 0.1} for keep, value in own.items()},
                }
                for name, own in accuracy.items()
                for seed in range(3)
            ]
            numbers = {"words": 5, "attention": 500, "fusing": 1000, "compressing": 200, "total": 1200}
            costs = [
                {"compressor": name, "tokens": keep, **numbers, "attention": 500 * int(keep)}
                for name, own in accuracy.items()
                for keep in own
            ]
            about = {"n": 2000, "asked": {"color": 1000, "count": 1000}, "floor": 0.5}
            path.write_text(json.dumps(about | {"rows": rows, "costs": costs}))
        monkeypatch.setattr("vlmlens.ui.tokens.compression.read", lambda: read(path))
        monkeypatch.setattr(kept, "HOME", untrained if weights else tmp_path / "none")

    return set_to


def test_without_weights_and_numbers_it_says_which_command_makes_them(shown):
    shown(weights=False)
    at = start()
    assert VIEWS["Compression"].question in told(at)
    said = [info.value for info in at.info]
    assert any("is not trained yet. `python benchmarks/compression.py --train` trains" in x for x in said)
    assert any("no compressor is measured yet" in x for x in said)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_every_compressor_answers_at_its_budgets(name, shown, settle):
    shown()
    at = settle(start(compressor=name))
    text = told(at)
    assert at.selectbox(key="compressor").value == name
    keep = 36 if name == "none" else 4
    if COMPRESSORS[name].selects:
        assert f"**{keep} of 36** patches stay" in text
    else:
        assert "no patch is left out" in text
    assert len(at.get("vega_lite_chart")) == 5  # the picture, and two questions to two compressors
    assert (
        "tells **1.00** of the same" in text or "**1.00**; 25 tokens each" in text or "**1.00**; 4 tokens each" in text
    )


def test_numbers_come_with_their_interval_and_what_they_are_compared_with(shown, settle):
    shown(
        {
            "none": {"36": 0.98},
            "q-former": {"36": 0.97, "4": 0.9},
            "random pruning": {"36": 0.97, "4": 0.6},
        }
    )
    at = settle(start(compressor="q-former"))
    text = told(at)
    assert "With **4 of 36** tokens **q-former** answers **0.901** [0.8" in text
    assert "(less) than with all patches" in text
    assert "+0.300" in text
    assert "(more) than with patches kept by chance" in text
    assert "weakest on **count**" in text
    assert any("Not measured yet: average pooling" in caption.value for caption in at.caption)
    frame = at.dataframe[0].value
    assert list(frame["compressor"]) == ["none", "q-former", "random pruning"]
    assert frame.set_index("compressor").loc["none", "4 tokens"] == "n/a"
    at.segmented_control(key="compression-across").set_value("attention").run()
    assert "**0.11** of what 36 tokens cost" in told(at)


def test_a_compressor_that_was_not_measured_says_so(shown, settle):
    shown({"none": {"36": 0.98}})
    assert "**q-former** with 4 tokens is not measured yet" in told(settle(start(compressor="q-former")))


def test_a_word_the_lab_does_not_know_is_one_sentence(shown, settle):
    shown()
    at = settle(start(q="where is the zebra?"))
    assert not at.exception
    assert all("Lab models know" in error.value for error in at.error)
    assert at.error


def test_the_budget_in_a_link_is_kept_and_an_impossible_one_is_not(shown, settle):
    shown()
    at = settle(start(compressor="q-former", **{"tokens-kept": "9"}))
    assert at.select_slider(key="tokens-kept").value == 9
    assert "In 9 tokens" in told(at)
    assert at.select_slider(key="tokens-kept").set_value(1).run() is at
    assert "In 1 token;" in told(settle(at))
    assert "In 4 tokens" in told(settle(start(compressor="q-former", **{"tokens-kept": "99"})))
