"""Activation patching as a heatmap: layers by groups of positions, 0 in the middle of the colours."""

import json

import numpy as np

from vlmlens.attention import Patching
from vlmlens.charts.figure import Figure, Spec, figure, rows

CELL = 26  # pixels a row
ROUND = 130  # and for what stands above and below
MOST_NUMBERS = 12  # groups; with more, squares are too narrow for a number
MOST_LABELS = 24  # layers; with more, some go unnamed


def patching(result: Patching) -> Figure:
    """What each patch restores, or breaks. Grey, where the two runs do not differ."""
    numbers = json.dumps([label.split(":")[0].removeprefix("layer ") for label in result.labels])
    values = result.restored
    most = float(np.nanmax(np.abs(values), initial=1.0)) if result.conclusive else 1.0
    count, layers = len(result.groups), list(range(len(result.labels)))
    title = "restored" if result.direction == "restore" else "broken"
    data = rows(
        place=[layer for layer in layers for _ in result.groups],
        layer=[label for label in result.labels for _ in result.groups],
        group=list(result.groups) * len(layers),
        value=values.ravel().tolist(),
        odds=result.odds.ravel().tolist(),
    )
    encoding: Spec = {
        "x": {
            "field": "group",
            "type": "nominal",
            "title": None,
            "sort": None,
            "scale": {"padding": 0},
            "axis": {"labelAngle": 0 if count <= 7 else -60, "labelOverlap": True},
        },
        "y": {
            "field": "place",
            "type": "ordinal",
            "title": "entering layer",
            "scale": {"domain": layers, "padding": 0},
            "axis": {"labelExpr": f"{numbers}[datum.value]", "labelOverlap": len(layers) > MOST_LABELS},
        },
        "tooltip": [
            {"field": "layer", "type": "nominal"},
            {"field": "group", "type": "nominal"},
            {"field": "value", "type": "quantitative", "format": ".1%", "title": title},
            {"field": "odds", "type": "quantitative", "format": ".2f", "title": "log-odds, nats"},
        ],
    }
    squares = {
        "mark": {"type": "rect", "invalid": None},
        "encoding": {
            "color": {
                "condition": {"test": "datum.value === null", "value": "#80808040"},
                "field": "value",
                "type": "quantitative",
                "scale": {"domain": [-most, 0, most], "range": ["#2166ac", "#f7f7f7", "#b2182b"]},
                "legend": {"title": title, "format": ".0%", "gradientLength": 120},
            }
        },
    }
    written = {
        "mark": {"type": "text", "fontSize": 11},
        "encoding": {
            "text": {"field": "value", "type": "quantitative", "format": ".0%"},
            "color": {"condition": {"test": f"abs(datum.value) > {0.6 * most}", "value": "white"}, "value": "#222222"},
        },
    }
    body = {"data": data, "encoding": encoding, "layer": [squares, *([written] if count <= MOST_NUMBERS else [])]}
    return figure(body, f"Activation patching by layer and group. {result.sentence()}", CELL * len(layers) + ROUND)
