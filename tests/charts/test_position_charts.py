"""Figures of positional encodings hold the numbers they draw, say n/a where there are none, and are Vega-Lite."""

import io
import json

import altair
import numpy as np
import pytest
from PIL import Image

from vlmlens import charts
from vlmlens.lab.positions import POSITIONS, reach

SCORES = reach(POSITIONS["rotary2d"].pairs(8), 3, draws=20)
ACCURACY = {"none": {"3x3": (0.5, 0.52), "5x5": ()}, "rotary2d": {"3x3": (0.9, 0.94), "5x5": (0.8,)}}
INTERVALS = {"rotary2d": {"3x3": (0.85, 0.99), "5x5": (float("nan"), float("nan"))}}
FIGURES = {
    **{
        f"allocation, {name}, {count}": lambda name=name, count=count: charts.allocation(POSITIONS[name].pairs(count))
        for name in ("rotary2d", "interleaved", "chunked")
        for count in (8, 64)
    },
    "plane": lambda: charts.reach_plane(SCORES, 1, 2, "score"),
    "plane, from zero": lambda: charts.reach_plane(SCORES, 1, 2, "score", (0.0, 2.0)),
    "plane, chosen outside": lambda: charts.reach_plane(SCORES, 9, 2, "score"),
    "lines": lambda: charts.reach_lines(SCORES, 1, -2, "score"),
    "encodings": lambda: charts.encodings(ACCURACY, INTERVALS, 0.5),
    "encodings, nothing": lambda: charts.encodings({"none": {"3x3": ()}}, {}, 1 / 3),
}


@pytest.mark.parametrize("name", FIGURES)
def test_it_is_vega_lite_and_is_drawn(name):
    figure = FIGURES[name]()
    altair.Chart.from_dict(figure.spec, validate=True)
    json.dumps(figure.spec, allow_nan=False)
    assert figure.told
    assert Image.open(io.BytesIO(charts.export(figure, "png", "where it came from"))).width == 1600


def test_every_pair_is_drawn_in_the_row_of_its_axis():
    pairs = POSITIONS["interleaved"].pairs(8)
    drawn = charts.allocation(pairs).spec["data"]["values"]
    assert [row["axis"] for row in drawn] == [pair.axis for pair in pairs]
    assert [row["wavelength"] for row in drawn] == [pair.wavelength for pair in pairs]


def test_the_plane_has_rows_down_and_columns_across():
    drawn = charts.reach_plane(SCORES, 1, 2, "score").spec["layer"][0]["data"]["values"]
    assert {(row["row"], row["column"]): row["score"] for row in drawn} == {
        (r, c): SCORES.at(r, c)[0] for r in SCORES.offsets for c in SCORES.offsets
    }
    assert len(charts.reach_plane(SCORES, 9, 2, "score").spec["layer"]) == 1  # nothing to ring


def test_the_lines_are_cuts_through_the_plane():
    drawn = charts.reach_lines(SCORES, 1, 2, "score").spec["layer"][0]["data"]["values"]
    for row in drawn:
        at = (row["apart"], 0) if row["axis"] == "row" else (0, row["apart"])
        np.testing.assert_allclose((row["mean"], row["low"], row["high"]), SCORES.at(*at))


def test_accuracies_are_dots_intervals_whiskers_and_what_is_missing_words():
    layers = charts.encodings(ACCURACY, INTERVALS, 0.5).spec["layer"]
    values = [[tuple(row.values()) for row in layer["data"]["values"]] for layer in layers]
    assert values[0] == [(0.5,)]
    assert values[1] == [("rotary2d", "3x3", 0.85, 0.99)]
    assert ("rotary2d", "5x5", 0.8) in values[2]
    assert len(values[2]) == 5
    assert [row[:2] for row in values[3]] == [("none", "5x5")]
