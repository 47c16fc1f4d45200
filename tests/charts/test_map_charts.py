"""Figures of maps hold the numbers they draw, mark what was found, and are Vega-Lite by its own schema."""

from dataclasses import replace

import altair
import numpy as np
import pytest
from PIL import Image

from vlmlens import charts
from vlmlens.attention import CausalCheck, Contrast, Sweep
from vlmlens.attribution.faithfulness import Curves, Trust
from vlmlens.attribution.ground_truth import GroundTruth, Mean, Row, Score
from vlmlens.charts.overlay import diverging
from vlmlens.picture import encode_png
from vlmlens.trace import Grid


def column(figure: charts.Figure, name: str, layer: int | None = None) -> list:
    part = figure.spec if layer is None else figure.spec["layer"][layer]
    return [row[name] for row in part["data"]["values"]]


@pytest.fixture
def swept() -> Sweep:
    """Ten items; reading at layers 1 and 4 of five, nothing elsewhere; no edges in layer 0."""
    rng = np.random.default_rng(0)
    before = rng.uniform(0.8, 0.9, 10)
    after = np.repeat(before[:, None], 5, axis=1) * rng.uniform(0.999, 1.001, (10, 5))
    after[:, 1] *= 0.3
    after[:, 4] *= 0.6
    after[:, 0] = np.nan
    labels = tuple(f"layer {i}: self" for i in range(5))
    kept = np.ones((10, 5), bool)
    return Sweep("knockout", "image to last", 1, labels, tuple(range(5)), ("red",) * 10, before, after, kept, 0.002)


@pytest.fixture
def judged() -> Trust:
    rng = np.random.default_rng(1)
    curves = Curves(("blur", "knock-out"), np.array([0, 0.1, 0.2]), rng.random((21, 2, 3)), rng.random((21, 2, 3)))
    return Trust(curves, CausalCheck("red", (0, 1), 0.9, 0.3, (0.8, 0.9)))


@pytest.fixture
def table() -> GroundTruth:
    def score(value: float) -> Score:
        return Score(500, Mean(value, value - 0.05, value + 0.05), Mean(0.8, 0.75, 0.85))

    rows = [
        Row("lab:concat", name, score(hit), score(hit), None, "", None, None, {}, 1.0)
        for name, hit in (("raw", 0.6), ("chefer", 0.9))
    ]
    return GroundTruth("make", "today", "0", 500, 100, 400, 0.2, {"lab:concat": 1.0}, tuple(rows), (), ())


def test_a_sweep_shows_each_layer_with_its_interval_and_its_role(swept):
    figure = charts.sweep(swept)
    np.testing.assert_allclose(column(figure, "change")[1:], swept.change[1:])
    assert column(figure, "change")[0] is None  # no edges, no point
    assert column(figure, "role") == ["other", "fusion layer", "other", "other", "review layer"]
    low, high = swept.interval()
    np.testing.assert_allclose(column(figure, "low")[1:], low[1:])
    np.testing.assert_allclose(column(figure, "high")[1:], high[1:])
    assert column(figure, "low", 0) == [-swept.noise]
    assert swept.sentence() in figure.told


def test_one_question_has_no_whiskers(swept):
    parts = {name: getattr(swept, name)[:1] for name in ("answers", "before", "after", "kept")}
    one, many = charts.sweep(replace(swept, **parts)), charts.sweep(swept)
    assert len(one.spec["layer"]) == len(many.spec["layer"]) - 1


def test_distances_frame_the_pair_that_was_taken():
    distances = np.array([[0, 0.2, 0.7], [0.2, 0, 0.5], [0.7, 0.5, 0]])
    found = Contrast(("layer 1", "layer 2", "readout"), 0, 2, (0, 1), distances, np.zeros(4))
    figure = charts.distances(found)
    np.testing.assert_array_equal(np.array(column(figure, "distance", 0)).reshape(3, 3), distances)
    assert (column(figure, "early", 1), column(figure, "late", 1)) == ([0], [2])
    assert "layer 1 and readout: 0.70" in figure.told


def test_curves_show_the_map_and_where_random_maps_lie(judged):
    figure = charts.curves(judged)
    shown = np.array(column(figure, "probability")).reshape(2, 3)
    np.testing.assert_allclose(shown[0], judged.curves.deletion[0].mean(axis=0))
    np.testing.assert_allclose(shown[1], judged.curves.insertion[0].mean(axis=0))
    low = np.quantile(judged.curves.insertion[1:].mean(axis=1), 0.025, axis=0)
    np.testing.assert_allclose(np.array(column(figure, "low")).reshape(2, 3)[1], low)
    assert judged.verdict in figure.told


def test_hits_are_ranked_beside_chance(table):
    figure = charts.pointing(table, "lab:concat")
    assert column(figure, "method") == ["chefer", "raw"]
    assert column(figure, "hits") == [0.9, 0.6]
    assert column(figure, "chance", 0) == [0.2]


def test_every_figure_is_vega_lite_and_leaves_the_app(swept, judged, table):
    found = Contrast(("layer 1", "layer 2"), 0, 1, (0,), np.array([[0, 0.2], [0.2, 0]]), np.zeros(4))
    for figure in (
        charts.sweep(swept),
        charts.distances(found),
        charts.curves(judged),
        charts.pointing(table, "lab:concat"),
    ):
        altair.Chart.from_dict(figure.spec)
        assert b"where from" in charts.export(figure, "svg", "where from")


def test_a_signed_overlay_is_blue_below_red_above_and_clear_at_zero():
    blue, clear, red = diverging(np.array([-1.0, 0.0, 0.5]))
    assert blue[2] > blue[0]
    assert clear[3] == 0
    assert red[0] > red[2]
    assert red[3] < blue[3]
    picture = encode_png(Image.new("RGB", (40, 20), "white"))
    grid = Grid(np.array([[0, 0, 20, 20], [20, 0, 40, 20]], np.float32), np.arange(2), (40, 20), (1, 2))
    drawn = np.asarray(charts.overlay(picture, grid, np.array([-1.0, 1.0]), signed=True))
    assert drawn[10, 10, 2] > drawn[10, 10, 0]
    assert drawn[10, 30, 0] > drawn[10, 30, 2]
