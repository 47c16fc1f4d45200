"""Curves of training hold the points they were given, on axes that two runs share and that do not jump."""

import io
import json
import math

import altair
import pytest
from PIL import Image

from vlmlens import charts
from vlmlens.charts.training import DASHES, LINES, MEASURES, MOST_LINES, Line

NAN = math.nan
SHORT = Line("a", [0, 10, 20], [0.1, 0.4, 0.7], [0.05, 0.3, 0.6], [0.2, 0.5, 0.8])
LONG = Line("b's", [0, 10, 20, 30], [0.2, NAN, 0.5, 0.6])


def points(figure: charts.Figure) -> list[dict]:
    return figure.spec["data"]["values"]


def y_of(figure: charts.Figure) -> dict:
    return next(part["encoding"]["y"] for part in figure.spec["layer"] if part["encoding"]["y"].get("field") == "value")


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("lines", [(), (SHORT,), (SHORT, LONG)], ids=["none", "one", "two"])
def test_it_is_vega_lite(measure, lines):
    figure = charts.training(measure, lines, 30, (0.5, "a level"))
    altair.Chart.from_dict(figure.spec, validate=True)
    json.dumps(figure.spec, allow_nan=False)
    assert MEASURES[measure].title[1:] in figure.told


@pytest.mark.parametrize("measure", ["accuracy", "gradients"])
def test_it_is_drawn(measure):
    figure = charts.training(measure, (SHORT, LONG), 30, (0.5, "a level"))
    assert Image.open(io.BytesIO(charts.export(figure, "png", "where it came from"))).width == 1600


def test_every_point_is_drawn_with_its_interval():
    drawn = points(charts.training("accuracy", (SHORT, LONG), 30))
    first = [row for row in drawn if row["line"] == "a"]
    assert [(r["step"], r["value"], r["low"], r["high"]) for r in first] == list(
        zip(SHORT.steps, SHORT.values, SHORT.low, SHORT.high, strict=True)
    )
    second = [row for row in drawn if row["line"] == "b's"]
    assert [r["value"] for r in second] == [0.2, None, 0.5, 0.6]
    assert {r["low"] for r in second} == {None}


@pytest.mark.parametrize("measure", ["accuracy", "image share", "gates"])
def test_a_part_of_the_whole_has_one_axis_whatever_it_shows(measure):
    few, many = charts.training(measure, (SHORT,), 30), charts.training(measure, (SHORT, LONG), 30)
    assert y_of(few)["scale"] == y_of(many)["scale"] == {"domain": [0.0, 1.0]}


def test_the_steps_axis_is_as_long_as_the_plan_and_not_as_what_was_done():
    for lines in ((), (SHORT,), (LONG,)):
        figure = charts.training("loss", lines, 400)
        assert figure.spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 400]


def test_a_loss_axis_begins_at_zero_and_holds_every_value():
    top = charts.training("loss", (Line("a", [0, 1], [5.5, 2.0]),), 10)
    assert y_of(top)["scale"]["domain"] == [0, 5.5]


def test_a_logarithm_goes_by_powers_of_ten_around_what_it_shows():
    scale = y_of(charts.training("gradients", (Line("new", [0, 1], [0.03, 4.0]),), 2))["scale"]
    assert scale == {"type": "log", "domain": [0.01, 10.0]}


def test_zero_has_no_place_on_a_logarithm():
    figure = charts.training("gradients", (Line("new", [0, 1, 2], [0.0, 1e-3, 1.0]),), 2)
    assert [row["value"] for row in points(figure)] == [None, 1e-3, 1.0]


def test_lines_are_told_apart_by_more_than_color_and_no_more_than_can_be():
    assert len(LINES) == len(DASHES) == MOST_LINES
    assert len({*LINES}) == len({str(dash) for dash in DASHES}) == MOST_LINES
    many = [Line(str(i), [0], [0.5]) for i in range(MOST_LINES + 1)]
    charts.training("accuracy", many[:-1], 10)
    with pytest.raises(ValueError, match="told apart"):
        charts.training("accuracy", many, 10)
