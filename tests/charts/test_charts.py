"""Figures hold the numbers of the results they draw, and nothing else."""

import io

import numpy as np
import plotly.graph_objects as go
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


def test_answers_show_the_ranked_probabilities(trace):
    bar = charts.answers(trace).data[0]
    np.testing.assert_allclose(bar.x, [a.probability for a in trace.answers[: len(bar.x)]])


def test_budget_bars_are_the_shares_and_stack_to_one(trace):
    figure, result = charts.budget(budget(trace)), budget(trace)
    for index, bar in enumerate(figure.data):
        np.testing.assert_allclose(bar.y, result.share[:, index])
    np.testing.assert_allclose(np.sum([bar.y for bar in figure.data], axis=0), 1.0, atol=1e-6)


def test_layers_without_competition_say_so(model):
    trace = model("lab:txt2img").inspect(SCENE, "what color is the circle?")
    figure = charts.budget(budget(trace))
    assert [note.text for note in figure.layout.annotations] == ["n/a"] * len(budget(trace).labels)


def test_contribution_bars_are_the_shares(trace):
    figure, result = charts.contributions(contributions(trace)), contributions(trace)
    np.testing.assert_allclose(np.stack([bar.y for bar in figure.data], axis=1), result.share)


def test_the_causal_chart_shows_every_draw_and_a_fixed_axis():
    check = CausalCheck("red", (0,), 0.9, 0.2, (0.85, 0.9, 0.88, 0.91, 0.87))
    figure = charts.causal(check)
    assert tuple(figure.data[0].x) == check.elsewhere
    assert {trace.name: trace.x[0] for trace in figure.data[1:]} == {"before": 0.9, "region hidden": 0.2}
    assert tuple(figure.layout.xaxis.range) == (-0.03, 1.03)


def test_an_exported_figure_carries_where_it_came_from(trace):
    html = charts.export(charts.answers(trace), "html", charts.caption(trace)).decode()
    assert trace.model in html
    assert trace.picture_hash[:12] in html
    assert "cdn.plot.ly" not in html.split("<body>")[0]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_figures_are_drawn_as_files(trace, kind):
    data = charts.export(charts.answers(trace), kind, charts.caption(trace))
    if kind == "png":
        assert Image.open(io.BytesIO(data)).width == 1800
    else:
        assert data.startswith(b"<svg")


def test_the_overlay_is_transparent_where_nothing_was_attended():
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (10, 200, 30)).save(buffer, "PNG")
    grid = Grid.regular((1, 2), [0, 1], (20, 10))
    image = charts.overlay(buffer.getvalue(), grid, np.array([0.0, 0.5]))
    assert image.getpixel((3, 5)) == (10, 200, 30)
    assert image.getpixel((15, 5)) != (10, 200, 30)


def test_every_figure_has_a_transparent_ground(trace):
    for figure in (charts.answers(trace), charts.budget(budget(trace)), charts.budget(budget(trace), "rate")):
        assert isinstance(figure, go.Figure)
        assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
