"""The Positions view without a browser: what it says is what the library computes, measured or not."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from vlmlens.lab.positions import POSITIONS, measured, reach
from vlmlens.ui.fusion import VIEWS

ROOT = Path(__file__).resolve().parents[2]


def start(**link: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    at.query_params.update(link)
    at.run().switch_page(str(ROOT / "app_pages" / "fusion.py"))
    at.query_params["view"] = "Positions"
    return at.run()


def told(at: AppTest) -> str:
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return "\n".join(markdown.value for markdown in at.markdown)


def results(path: Path, accuracy: dict[str, dict[int, float]], seeds: int = 3) -> Path:
    """A file as the benchmark writes it, with these accuracies [encoding][board], a thousandth apart by seed."""
    rows = [
        {
            "positions": name,
            "seed": seed,
            "found": [
                {"side": side, "fitted": fitted, "kind": kind, "axis": axis, "n": 500, "accuracy": value + seed / 1000}
                for side, value in own.items()
                for fitted in ((False, True) if side > 3 and POSITIONS[name].rotary else (False,))
                for kind in ("where", "relation")
                for axis in ("row", "column")
            ],
            "attention": np.ones((2, 5, 5)).tolist(),
        }
        for name, own in accuracy.items()
        for seed in range(seeds)
    ]
    about = {"command": "c", "date": "d", "versions": {"torch": "2"}, "wiring": "img2txt", "steps": 9, "board": 3}
    path.write_text(json.dumps(about | {"rows": rows}))
    return path


@pytest.fixture
def found(monkeypatch, tmp_path):
    """found(accuracy, seeds): the view finds these results; without accuracies, none."""
    kept = measured.read

    def set_to(accuracy=None, seeds=3):
        path = tmp_path / "accuracy.json"
        if accuracy is not None:
            results(path, accuracy, seeds)
        monkeypatch.setattr("vlmlens.ui.fusion.positions_measured.read", lambda: kept(path))

    return set_to


@pytest.mark.parametrize("name", POSITIONS)
def test_every_encoding_opens_with_its_score(name, found):
    found()
    at = start(positions=name)
    text = told(at)
    assert VIEWS["Positions"].question in text
    assert POSITIONS[name].sentence in "\n".join(caption.value for caption in at.caption)
    assert at.get("vega_lite_chart")
    if POSITIONS[name].rotary:
        assert f"**{reach(POSITIONS[name].pairs(8), 5).at(1, 2)[0]:.2f}** is left 1 row and 2 columns apart" in text
    assert any("not measured yet" in info.value for info in at.info)


def test_a_slider_changes_the_score(found):
    found()
    at = start(positions="chunked")
    at.slider(key="positions-row").set_value(4).run()
    at.slider(key="positions-column").set_value(0).run()
    assert f"**{reach(POSITIONS['chunked'].pairs(8), 5).at(4, 0)[0]:.2f}** is left 4 rows and 0 columns" in told(at)


def test_interleaved_and_chunked_are_told_apart(found):
    found()
    assert "Every axis has fast pairs" in told(start(positions="interleaved"))
    text = told(start(positions="chunked"))
    assert "column has no fast one" in text
    assert "time has no slow one" in text


def test_the_sentence_says_who_knows_who_keeps_and_who_guesses(found):
    found(
        {
            "none": {3: 0.5, 4: 0.5, 5: 0.5},
            "learned": {3: 0.95, 4: 0.8, 5: 0.6},
            "rotary2d": {3: 0.94, 4: 0.93, 5: 0.92},
        }
    )
    at = start(positions="rotary2d")
    text = told(at)
    assert "better than a guess: learned (0.95) and rotary2d (0.94); no better than a guess: none (0.50)" in text
    assert "on 5x5, as good, within five points: rotary2d (0.92); worse: learned (0.60)" in text
    frame = at.dataframe[0].value
    assert set(frame["positions"]) == set(POSITIONS)
    assert "n/a" in set(frame["relation"])  # what is not in the file
    assert any("not measured" in info.value for info in at.info) is False


def test_one_seed_is_inconclusive(found):
    found({"rotary2d": {3: 0.94, 5: 0.9}}, seeds=1)
    assert "inconclusive over so few seeds: rotary2d" in told(start(positions="rotary2d"))


def test_an_encoding_that_was_not_trained_says_so(found):
    found({"rotary2d": {3: 0.94, 5: 0.9}})
    assert any("what a model with none positions looks at" in info.value for info in start(positions="none").info)


def test_a_damaged_file_is_told_in_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "accuracy.json").write_text("{")
    kept = measured.read
    monkeypatch.setattr("vlmlens.ui.fusion.positions_measured.read", lambda: kept(tmp_path / "accuracy.json"))
    assert any("damaged; measure again" in error.value for error in start().error)


def test_an_unknown_encoding_in_a_link_opens_one_that_is_there(found):
    found()
    assert "is left" in told(start(positions="zebra"))
