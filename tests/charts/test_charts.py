"""Figures hold the numbers of the results they draw, and nothing else."""

import io
import re
from dataclasses import replace

import altair
import numpy as np
import pytest
from PIL import Image

from vlmlens import charts
from vlmlens.attention import CausalCheck, budget, contributions
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.trace import Grid

SCENE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))


@pytest.fixture(scope="module")
def trace(model):
    return model("lab:concat").inspect(SCENE, "what color is the circle?")


def column(figure: charts.Figure, name: str, layer: int = 0) -> list:
    """One column of the data that a figure, or one of its layers, draws."""
    part = figure.spec if "data" in figure.spec else figure.spec["layer"][layer]
    return [row[name] for row in part["data"]["values"]]


def by_segment(figure: charts.Figure, segments: int) -> np.ndarray:
    """[layer, segment]"""
    return np.array(column(figure, "value"), float).reshape(-1, segments)


def test_answers_show_the_ranked_probabilities(trace):
    figure = charts.answers(trace)
    shown = trace.answers[: len(column(figure, "answer"))]
    assert column(figure, "answer") == [a.text for a in shown]
    assert column(figure, "probability") == [a.probability for a in shown]
    assert figure.told.startswith(f"Answers and their probabilities: {trace.answer} {shown[0].probability:.3f}")


def test_answers_that_read_alike_keep_a_bar_each(trace):
    twice = replace(trace, answers=(replace(trace.answers[0], text="it's"), replace(trace.answers[1], text="it's")))
    figure = charts.answers(twice)
    assert column(figure, "rank") == [0, 1]
    assert figure.spec["encoding"]["y"]["field"] == "rank"
    assert charts.export(figure, "svg", "").decode().count(">it's<") == 2


def test_budget_bars_are_the_shares_and_stack_to_one(trace):
    figure, result = charts.budget(budget(trace)), budget(trace)
    bars = by_segment(figure, len(result.segments))
    np.testing.assert_array_equal(bars, result.share)
    np.testing.assert_allclose(bars.sum(axis=1), 1.0, atol=1e-6)
    assert column(figure, "segment")[: len(result.segments)] == [segment.word for segment in result.segments]


def test_the_rate_is_drawn_from_zero_with_a_line_at_one(trace):
    figure, result = charts.budget(budget(trace), "rate"), budget(trace)
    np.testing.assert_array_equal(by_segment(figure, len(result.segments)), result.rate)
    assert figure.spec["layer"][1]["encoding"]["y"]["datum"] == 1


def test_layers_without_competition_say_so(model):
    trace = model("lab:txt2img").inspect(SCENE, "what color is the circle?")
    figure = charts.budget(budget(trace))
    assert figure.spec["layer"][1]["mark"]["text"] == "n/a"
    assert column(figure, "place", layer=1) == list(range(len(budget(trace).labels)))
    assert set(column(figure, "value")) == {None}


def test_contribution_bars_are_the_shares(trace):
    figure, result = charts.contributions(contributions(trace)), contributions(trace)
    np.testing.assert_array_equal(by_segment(figure, len(result.segments)), result.share)


def test_the_causal_chart_shows_every_draw_and_a_fixed_axis():
    check = CausalCheck("red", (0,), 0.9, 0.2, (0.85, 0.9, 0.88, 0.91, 0.87))
    figure = charts.causal(check)
    drawn = list(zip(column(figure, "kind", 1), column(figure, "probability", 1), strict=True))
    assert drawn == [*[("hidden elsewhere", p) for p in check.elsewhere], ("before", 0.9), ("region hidden", 0.2)]
    assert (column(figure, "low")[0], column(figure, "high")[0]) == check.interval
    assert figure.spec["layer"][1]["encoding"]["x"]["scale"]["domain"] == [-0.03, 1.03]


def every_figure(trace) -> dict[str, charts.Figure]:
    whole = CausalCheck("red", (0,), 0.9, 0.2, (0.85, 0.9, 0.88))
    return {
        "answers": charts.answers(trace),
        "share": charts.budget(budget(trace)),
        "rate": charts.budget(budget(trace), "rate"),
        "contributions": charts.contributions(contributions(trace)),
        "causal": charts.causal(whole),
        "causal, no other place": charts.causal(replace(whole, elsewhere=())),
    }


@pytest.mark.parametrize("name", ["lab:concat", "lab:txt2img", "lab:llava"])
def test_every_figure_is_vega_lite_by_its_own_schema(model, name):
    for figure in every_figure(model(name).inspect(SCENE, "what color is the circle?")).values():
        altair.Chart.from_dict(figure.spec, validate=True)
        assert figure.told


def test_an_exported_figure_carries_where_it_came_from(trace):
    html = charts.export(charts.answers(trace), "html", charts.caption(trace)).decode()
    assert trace.model in html
    assert trace.picture_hash[:12] in html
    assert not re.findall(r'<(?:script|link)[^>]+(?:src|href)="http', html)


def test_figures_are_drawn_as_files(trace):
    for name, figure in every_figure(trace).items():
        caption = charts.caption(trace)
        image = Image.open(io.BytesIO(charts.export(figure, "png", caption)))
        assert image.width == 1600, name
        drawn = np.asarray(image.convert("RGB"))
        assert (drawn[0] == 255).all(), "on white"
        assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20, "something is drawn"
        svg = charts.export(figure, "svg", caption).decode()
        assert svg.startswith("<svg")
        assert trace.picture_hash[:12] in svg
        assert charts.export(figure, "pdf", caption).startswith(b"%PDF")


def test_an_unknown_format_is_refused(trace):
    with pytest.raises(ValueError, match="gif"):
        charts.export(charts.answers(trace), "gif", "")


def test_the_overlay_is_transparent_where_nothing_was_attended():
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (10, 200, 30)).save(buffer, "PNG")
    grid = Grid.regular((1, 2), [0, 1], (20, 10))
    image = charts.overlay(buffer.getvalue(), grid, np.array([0.0, 0.5]))
    assert image.getpixel((3, 5)) == (10, 200, 30)
    assert image.getpixel((15, 5)) != (10, 200, 30)
