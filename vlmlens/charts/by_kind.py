"""Accuracy by kind of question: a dot and its interval, the bar that is asked for, what may be had without looking."""

import json
from collections.abc import Mapping

from vlmlens.charts.figure import AFTER, QUIET, Figure, Spec, figure, rows
from vlmlens.lab.cards import Estimate


def by_kind(found: Mapping[str, Estimate], bar: float, marked: str | None = None) -> Figure:
    """One row a kind. `bar` is drawn as a dashed line; a kind that is `marked` (a guess) says so."""
    kinds = list(found)
    across: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": "accuracy",
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"},
    }
    labels = [f"guess: {kind}" if kind == marked else kind for kind in kinds]
    down: Spec = {
        "field": "place",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": list(range(len(kinds)))},
        "axis": {"labelExpr": f"{json.dumps(labels, ensure_ascii=False)}[datum.value]", "grid": True},
    }
    data = rows(
        place=list(range(len(kinds))),
        kind=kinds,
        value=[each.value for each in found.values()],
        low=[each.low for each in found.values()],
        high=[each.high for each in found.values()],
        interval=[str(each) for each in found.values()],
        how=[each.how for each in found.values()],
    )
    layers: list[Spec] = [
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "color": QUIET, "strokeDash": [3, 3]},
            "encoding": {"x": {"datum": bar}},
        },
        {
            "data": data,
            "mark": {"type": "rule", "strokeWidth": 3, "color": QUIET},
            "encoding": {"x": across | {"field": "low"}, "x2": {"field": "high"}, "y": down},
        },
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": AFTER},
            "encoding": {
                "x": across,
                "y": down,
                "tooltip": [
                    {"field": "kind", "type": "nominal"},
                    {"field": "interval", "type": "nominal", "title": "accuracy"},
                    {"field": "how", "type": "nominal"},
                ],
            },
        },
    ]
    told = "Accuracy by kind of question: " + ", ".join(f"{kind} {each}" for kind, each in found.items())
    return figure({"layer": layers}, told, 24 * len(kinds) + 56)
