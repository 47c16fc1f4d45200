"""A masking sweep: how the answer's probability changes with one layer masked, and which changes are real."""

import json

import numpy as np

from vlmlens.attention import Sweep
from vlmlens.charts.figure import AFTER, BEFORE, NULL, QUIET, Figure, Spec, figure, rows

HEIGHT = 250
PICKED = "picked"  # the selection's name: a layer of the chart, clicked
ROLES = ("fusion layer", "review layer", "other")
SHAPES, COLORS = ("circle", "diamond", "square"), (BEFORE, AFTER, NULL)


def sweep(result: Sweep) -> Figure:
    """Change by layer, with its interval over items; grey: what invisible noise does. A click picks a layer."""
    fusion, review = result.fusion_layers, result.review_layer
    roles = [ROLES[1 if layer == review else 0 if layer in fusion else 2] for layer in result.layers]
    low, high = result.interval()
    numbers = json.dumps([label.split(":")[0].removeprefix("layer ") for label in result.labels])
    most = max(0.05, float(np.nanmax(np.where(np.isnan(high), result.change, high))))
    x: Spec = {
        "field": "place",
        "type": "ordinal",
        "title": "layer that is masked",
        "scale": {"domain": list(range(len(result.layers)))},
        "axis": {"labelAngle": 0, "labelOverlap": True, "labelExpr": f"{numbers}[datum.value]"},
    }
    y: Spec = {
        "field": "change",
        "type": "quantitative",
        "title": "change of the probability",
        "scale": {"domain": [-1, most]},
        "axis": {"format": "+.0%", "tickCount": 5},
    }
    data = rows(
        place=list(range(len(result.layers))),
        layer=list(result.labels),
        number=list(result.layers),
        change=result.change.tolist(),
        low=low.tolist(),
        high=high.tolist(),
        same=result.accuracy.tolist(),
        role=roles,
        p=[float("nan")] * len(roles) if result.p_values is None else result.p_values.tolist(),
    )
    colour: Spec = {
        "field": "role",
        "type": "nominal",
        "scale": {"domain": list(ROLES), "range": list(COLORS)},
        "legend": {"values": [role for role in ROLES if role in roles]},
    }
    tooltip = [
        {"field": "layer", "type": "nominal"},
        {"field": "change", "type": "quantitative", "format": "+.1%", "title": "change of the probability"},
        {"field": "same", "type": "quantitative", "format": ".0%", "title": "answers that stay"},
        {"field": "role", "type": "nominal", "title": "role"},
        {"field": "p", "type": "quantitative", "format": ".4f", "title": "p, all layers together"},
    ]
    noise = {
        "data": rows(low=[-result.noise], high=[result.noise]),
        "mark": {"type": "rect", "color": NULL, "opacity": 0.35},
        "encoding": {"y": y | {"field": "low"}, "y2": {"field": "high"}},
    }
    zero = {"data": rows(zero=[0]), "mark": {"type": "rule", "color": QUIET}}
    zero["encoding"] = {"y": y | {"field": "zero"}}
    line = {"mark": {"type": "line", "color": QUIET, "strokeWidth": 1.5}, "encoding": {"x": x, "y": y}}
    whiskers = {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour},
    }
    points = {
        "mark": {"type": "point", "filled": True, "opacity": 1, "size": 130, "cursor": "pointer"},
        "params": [{"name": PICKED, "select": {"type": "point", "fields": ["number"], "on": "click", "nearest": True}}],
        "encoding": {
            "x": x,
            "y": y,
            "color": colour,
            "shape": {"field": "role", "type": "nominal", "scale": {"domain": list(ROLES), "range": list(SHAPES)}},
            "tooltip": tooltip,
        },
    }
    many = [whiskers] if len(result.before) > 1 else []
    body = {"data": data, "layer": [noise, zero, line, *many, points]}
    return figure(body, f"Change of the answer's probability by masked layer. {result.sentence()}", HEIGHT)
