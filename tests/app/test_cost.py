"""The Cost view without a browser: what it says is what the library computes."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.lab.compress import measured
from vlmlens.tokens.models import find
from vlmlens.ui.tokens import cost as view

ROOT = Path(__file__).resolve().parents[2]


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.query_params.update(link)
    at.run().switch_page(str(ROOT / "app_pages" / "tokens.py"))
    at.query_params["view"] = "Cost"
    return at.run()


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(markdown.value for markdown in at.markdown)


def test_it_says_what_the_library_counts_and_follows_its_widgets():
    at = start()
    said, found = told(at), find(view.DEFAULT)
    whole, fewer = found.cost(*view.USUAL, 64), found.cost(*view.USUAL, 64, image=64)
    assert f"**{whole.sequence.image} image tokens** of 1,024 x 768 px" in said
    assert f"**{view.flops(whole.total)}**" in said
    assert f"it takes {view.flops(fewer.total)}" in said
    assert "37,879,808" in said
    table = at.dataframe[0].value
    assert table["quantity"][0] == "image tokens"
    assert table["ratio"][0] == "9.00"

    at.selectbox(key="cost-model").set_value("qwen2-vl-2b")
    at.number_input(key="cost-width").set_value(448)
    at.number_input(key="cost-height").set_value(224)
    at.number_input(key="cost-other").set_value(128)
    said = told(at.run())
    assert "**128 image tokens** of 448 x 224 px" in said
    assert "The second budget is the same." in said


def test_a_shape_can_be_changed():
    at = start()
    at.toggle(key="cost-changed-llava-1.5-7b").set_value(True).run()
    at.number_input(key="cost-decoder-llava-1.5-7b-layers").set_value(16)
    said = told(at.run())
    real = find(view.DEFAULT)
    assert "LLaVA-1.5 7B, changed" in said
    assert f"**{view.flops(real.cost(*view.USUAL, 64).total)}**" not in said


def test_a_picture_that_a_family_refuses_is_a_sentence():
    at = start()
    at.selectbox(key="cost-model").set_value("qwen2-vl-2b")
    at.number_input(key="cost-width").set_value(20_000)
    at.number_input(key="cost-height").set_value(10)
    at.run()
    assert not at.exception
    assert any("200 times" in error.value for error in at.error)


@pytest.mark.parametrize("there", [False, True])
def test_the_labs_accuracy_is_measured_or_said_not_to_be(monkeypatch, there):
    if not there:
        monkeypatch.setattr("vlmlens.ui.tokens.cost_budgets.read", lambda: None)
    at = start()
    told(at)
    missing = any("not measured yet" in info.value for info in at.info)
    assert missing == (not there or measured.read() is None)


def test_this_machine_is_measured_when_asked(monkeypatch):
    from vlmlens.tokens.rate import Rate

    fixed = Rate("cpu", "float32", 1, 1e11, 0.5e11, 2e11, 9)
    monkeypatch.setattr(view, "measure", lambda progress: fixed)
    at = start()
    assert "GFLOP/s" not in told(at)
    next(button for button in at.button if button.label.startswith("Measure this")).click()
    said = told(at.run())
    seconds = fixed.seconds(find(view.DEFAULT).cost(*view.USUAL, 64).total)[0]
    assert f"at least {seconds:.2g} s" in said
    assert "seconds at the measured rate" in list(at.dataframe[0].value["quantity"])
