"""Figures of bits hold the numbers they draw, refuse where there are none, and are Vega-Lite by its own schema."""

import io
import json

import altair
import numpy as np
import pytest
from PIL import Image

from vlmlens import charts
from vlmlens.information import GATES, TRUTHS, Share, decompose, gate
from vlmlens.information.ablation import PUBLISHED
from vlmlens.information.estimate import of_samples
from vlmlens.information.published import AS_PUBLISHED, NOISE, Published, Row
from vlmlens.information.samples import Samples


def sampled(n: int):
    joint = TRUTHS["mixed"].joint(8)
    cells = np.random.default_rng(0).choice(joint.size, n, p=joint.ravel())
    return of_samples(Samples.of(*np.unravel_index(cells, joint.shape)))


def column(figure: charts.Figure, name: str, layer: int | None = None) -> list:
    part = figure.spec if layer is None else figure.spec["layer"][layer]
    return [row[name] for row in part["data"]["values"]]


KNOWN, UNKNOWN = Share(0.4, 0.3, 0.5, ""), Share(*[float("nan")] * 3, "n/a: too few samples")
RUN = Row(AS_PUBLISHED, 0.2, 0.3, 0.4, 0.1, 0.4, 12)
NOTHING = Row(NOISE, 0.0, 0.0, 1.0, 0.0, float("nan"), 12)
FIGURES = {
    "estimated": lambda: charts.estimated(sampled(2000)),
    "refused": lambda: charts.estimated(sampled(300)),
    "exact": lambda: charts.exact(decompose(gate("AND"))),
    "by layer": lambda: charts.by_layer(["before", "after layer 1"], [[0.1, 0.2, 0.3, float("nan")], [0, 1, 0, 0]]),
    "gauge": lambda: charts.gauge(KNOWN),
    "gauge, n/a": lambda: charts.gauge(UNKNOWN),
    "shares": lambda: charts.shares({"img2txt": [0.5, float("nan")], "concat": []}, PUBLISHED, "behaviour"),
    "text shares": lambda: charts.text_shares({"BLIP": 0.54, "lab:concat": 0.5}, {"BLIP"}),
    "side by side": lambda: charts.side_by_side(["a", "b's"], [[1, 0, 0, 0], [0.5, 0.25, float("nan"), 0.1]]),
    "conditions": lambda: charts.conditions({"as shipped": {"concat": [0.4, 0.5], "img2txt": [float("nan")]}}),
    "against truth": lambda: charts.against_truth(["a", "b"], [0.1, 0.2], [[0.1, 0.12], []]),
    "controls": lambda: charts.controls(Published((RUN, NOTHING))),
}


@pytest.mark.parametrize("name", FIGURES)
def test_it_is_vega_lite_and_is_drawn(name):
    figure = FIGURES[name]()
    altair.Chart.from_dict(figure.spec, validate=True)
    json.dumps(figure.spec, allow_nan=False)
    assert figure.told
    assert Image.open(io.BytesIO(charts.export(figure, "png", "where it came from"))).width == 1600


def test_an_estimate_is_drawn_with_its_interval_and_null():
    found = sampled(2000)
    figure = charts.estimated(found)
    for place, term in enumerate(found.terms):
        drawn = figure.spec["data"]["values"][place]
        assert (drawn["low"], drawn["high"], drawn["null"]) == (term.low, term.high, term.null_high)
        assert drawn["value"] == (term.value if term.status == "shown" else None)


def test_what_is_refused_is_no_bar_but_words():
    figure = charts.estimated(sampled(300))
    assert column(figure, "value") == [None] * 4
    assert column(figure, "note") == ["n/a: too few samples"] * 4


@pytest.mark.parametrize("name", GATES)
def test_a_known_table_is_drawn_as_it_is(name):
    np.testing.assert_allclose(column(charts.exact(decompose(gate(name))), "value"), GATES[name].truth, atol=1e-9)


def test_no_share_is_no_bar():
    assert "n/a" in json.dumps(charts.gauge(UNKNOWN).spec)
    assert "bar" not in json.dumps(charts.gauge(UNKNOWN).spec)
    assert column(charts.gauge(KNOWN), "end") == [0.4, 1.0]


def test_wirings_without_a_share_say_so():
    figure = charts.shares({"img2txt": [0.5]}, PUBLISHED, "behaviour")
    absent = [name for name in PUBLISHED if name != "img2txt"]
    assert len(figure.spec["layer"][1]["data"]["values"]) == len(absent)
