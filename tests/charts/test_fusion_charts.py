"""Figures of wirings draw what was found, say n/a where nothing was, and are Vega-Lite by its own schema."""

import io
import json

import altair
import numpy as np
import pytest
from PIL import Image

from vlmlens import charts
from vlmlens.charts.wiring_diagram import BENDS
from vlmlens.lab.cards import BAR, over_seeds
from vlmlens.lab.diagram import diagram
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel

KINDS = {"color": over_seeds([1.0, 0.99, 1.0], 300), "relation": over_seeds([0.6], 200)}
FIGURES = {
    **{name: (lambda name=name: charts.wiring_diagram(diagram(LabModel(name)))) for name in WIRINGS},
    "by kind": lambda: charts.by_kind(KINDS, BAR, "relation"),
    "by wiring": lambda: charts.by_wiring({"concat": [0.5, 0.6], "late": []}, "accuracy", {"concat": (0.3, 0.8)}),
    "conditions of nine": lambda: charts.conditions({"as shipped": {name: [0.5] for name in WIRINGS}}, "accuracy"),
    "against published": lambda: charts.differences_to_published(
        ["behavior, color", "states, size"], [(0.1, -0.1, 0.3), (np.nan, np.nan, np.nan)], 0.168
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_it_is_vega_lite_and_is_drawn(name):
    figure = FIGURES[name]()
    altair.Chart.from_dict(figure.spec, validate=True)
    json.dumps(figure.spec, allow_nan=False)
    assert figure.told
    assert Image.open(io.BytesIO(charts.export(figure, "png", "where it came from"))).width == 1600


@pytest.mark.parametrize("name", WIRINGS)
def test_a_diagram_has_one_path_an_edge_from_the_keys_to_the_queries(name):
    found = diagram(LabModel(name))
    lanes = list(found.lanes)
    points = charts.wiring_diagram(found).spec["layer"][1]["data"]["values"]
    paths = {point["edge"] for point in points}
    wanted = {(layer, key, query) for layer, key, query in found.edges}
    assert len(paths) == len(wanted)
    for point in points:
        if point["step"] in (0, BENDS):
            layer = int(point["x"])
            ends = [query for at, key, query in wanted if at == layer and key == point["keys"]]
            rows = {lanes.index(query) if query else (len(lanes) - 1) / 2 for query in ends}
            assert point["y"] == lanes.index(point["keys"]) if point["step"] == 0 else point["y"] in rows


def test_a_kind_is_drawn_with_its_interval_and_the_guess_is_marked():
    figure = charts.by_kind(KINDS, BAR, "relation")
    drawn = figure.spec["layer"][1]["data"]["values"]
    for row, (kind, each) in zip(drawn, KINDS.items(), strict=True):
        assert (row["kind"], row["low"], row["value"], row["high"]) == (kind, each.low, each.value, each.high)
    assert "guess: relation" in json.dumps(figure.spec)


def test_nothing_measured_is_words_and_no_zero():
    for name in ("by wiring", "against published"):
        assert '"n/a"' in json.dumps(FIGURES[name]().spec)
    dots = FIGURES["by wiring"]().spec["layer"][2]["data"]["values"]
    assert {row["wiring"] for row in dots} == {"concat"}


def test_nine_wirings_look_different():
    spec = FIGURES["conditions of nine"]().spec["encoding"]
    looks = list(zip(spec["shape"]["scale"]["range"], spec["color"]["scale"]["range"], strict=True))
    assert len(looks) == len(set(looks)) == len(WIRINGS)
