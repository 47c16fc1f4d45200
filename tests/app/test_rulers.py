"""The Rulers view without a browser: what it says of what was measured, and a model put on the chart."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.rulers import RULERS
from vlmlens.rulers.table import shipped

ROOT = Path(__file__).resolve().parents[2]


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.query_params.update(link)
    at.run().switch_page(str(ROOT / "app_pages" / "fusion.py"))
    at.query_params["view"] = "Rulers"
    return settle(at.run())


def settle(at: AppTest) -> AppTest:
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


def test_it_opens_with_what_was_measured():
    at = start()
    said = told(at)
    assert "Another picture changes the answers of" in said
    assert all(f"**{name}**, made for {ruler.nature}" in said for name, ruler in RULERS.items())
    assert len(at.get("vega_lite_chart")) == 2
    truth = next(frame.value for frame in at.dataframe if "blind" in frame.value)
    assert list(truth["ruler"]) == ["the right share", *RULERS]
    for row in shipped().of("planted"):
        column = truth.set_index("ruler")[row.model.removeprefix("planted:")]
        for ruler in RULERS:
            assert (column[ruler] == "n/a") == (row.verdicts[ruler] == "n/a")
            if column[ruler] != "n/a":
                assert column[ruler].split()[1] == row.verdicts[ruler]


@pytest.mark.parametrize("ruler", ["attention", "donor behavior"])
def test_the_scatter_follows_its_ruler(ruler):
    at = start()
    at.selectbox(key="rulers-one").set_value(ruler).run()
    assert f"**{ruler}** and what really happens rank" in told(at)
    gone = [row.key for row in shipped().rows if row.share(ruler) != row.share(ruler)]
    captions = "\n".join(caption.value for caption in at.caption)
    assert (f"n/a by {ruler}" in captions) == bool(gone)


def test_a_model_is_put_on_the_chart_over_a_persons_picture():
    at = settle(start(model="planted:blind", **{"rulers-here": "true", "rulers-over": "my picture"}))
    said = told(at)
    assert "**planted:blind** over 13 pictures (this one and whole-picture changes of it)" in said
    assert "knocked out, the picture changes the answers by 0.00 bit" in said


def test_what_a_model_cannot_read_is_told_in_words():
    link = {"rulers-here": "true", "rulers-over": "my picture", "q": "what about the zebra?"}
    at = settle(start(model="lab:concat", **link))
    assert not at.exception
    assert any("zebra" in error.value for error in at.error)
    assert len(at.get("vega_lite_chart")) == 2, "what was measured before stays"
