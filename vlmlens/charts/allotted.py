"""Tokens shared out: accuracy against the total for every way to share it, and the budget of each patch in numbers."""

from collections.abc import Sequence

import numpy as np

from vlmlens.charts.figure import AFTER, BEFORE, NULL, Figure, Spec, figure, rows
from vlmlens.tokens.measured import METHODS, Accuracy

# A color, a dash and a shape each: never color alone.
_LOOKS = {
    "uniform": (BEFORE, [], "circle"),
    "random": (NULL, [2, 2], "cross"),
    "sliders": (AFTER, [], "square"),
    "adapter": ("#009E73", [], "diamond"),
    "adapter, shuffled": (NULL, [6, 3], "triangle-up"),
    "truth": ("#CC79A7", [1, 3], "triangle-down"),
}


def accuracy_by_total(found: Sequence[Accuracy]) -> Figure:
    """A line each way, its interval a rule at every total; the axis of accuracy is 0 to 1."""
    methods = [name for name in METHODS if any(each.method == name for each in found)]
    looks = [_LOOKS[name] for name in methods]
    totals = sorted({each.total for each in found})
    place = {name: index - (len(methods) - 1) / 2 for index, name in enumerate(methods)}
    data = rows(
        total=[each.total + 3.0 * place[each.method] for each in found],  # beside each other, so that rules are seen
        tokens=[each.total for each in found],
        way=[each.method for each in found],
        what=[METHODS[each.method] for each in found],
        accuracy=[each.value for each in found],
        low=[each.interval[0] for each in found],
        high=[each.interval[1] for each in found],
    )
    x: Spec = {
        "field": "total",
        "type": "quantitative",
        "title": "tokens of a picture",
        "scale": {"domain": [0, max(totals) * 1.06]},
        "axis": {"values": totals, "format": "d"},
    }
    y: Spec = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "accuracy",
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"},
    }
    color: Spec = {
        "field": "way",
        "type": "nominal",
        "scale": {"domain": methods, "range": [look[0] for look in looks]},
        "legend": {"columns": 3},
    }
    dash = {
        "field": "way",
        "type": "nominal",
        "scale": {"domain": methods, "range": [look[1] for look in looks]},
        "legend": None,
    }
    shape = {"field": "way", "type": "nominal", "scale": {"domain": methods, "range": [look[2] for look in looks]}}
    layers: list[Spec] = [
        {"mark": {"type": "line"}, "encoding": {"x": x, "y": y, "color": color, "strokeDash": dash}},
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": color},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "color": color,
                "shape": shape,
                "tooltip": [
                    {"field": "way", "type": "nominal"},
                    {"field": "what", "type": "nominal"},
                    {"field": "tokens", "type": "quantitative"},
                    {"field": "accuracy", "type": "quantitative", "format": ".3f"},
                    {"field": "low", "type": "quantitative", "format": ".3f"},
                    {"field": "high", "type": "quantitative", "format": ".3f"},
                ],
            },
        },
    ]
    told = "; ".join(
        f"{name}: " + ", ".join(f"{each.value:.2f} at {each.total}" for each in found if each.method == name)
        for name in methods
    )
    return figure({"data": data, "layer": layers}, f"Accuracy by tokens of a picture. {told}.", 340)


def budget_map(budgets: np.ndarray, shape: tuple[int, int]) -> Figure:
    """The tokens of every patch, a cell each with its number."""
    side: Spec = {"type": "ordinal", "axis": None}
    count = [int(value) for value in np.asarray(budgets).ravel()]
    most = max(count, default=1)
    data = rows(
        row=[index // shape[1] for index in range(len(count))],
        column=[index % shape[1] for index in range(len(count))],
        tokens=count,
    )
    place = {"x": side | {"field": "column"}, "y": side | {"field": "row"}}
    layers: list[Spec] = [
        {
            "mark": {"type": "rect"},
            "encoding": place
            | {
                "color": {
                    "field": "tokens",
                    "type": "quantitative",
                    "scale": {"scheme": "inferno", "domain": [0, most]},
                    "legend": {"title": "tokens"},
                },
                "tooltip": [{"field": name, "type": "quantitative"} for name in ("row", "column", "tokens")],
            },
        },
        {
            "mark": {"type": "text", "fontSize": 12},
            "encoding": place
            | {
                "text": {"field": "tokens", "type": "quantitative"},
                "color": {
                    "condition": {"test": f"datum.tokens > {0.6 * most}", "value": "#000000"},
                    "value": "#FFFFFF",
                },
            },
        },
    ]
    told = f"Tokens of {len(count)} patches: {sum(count):,} in all, {min(count, default=0)} to {most} a patch."
    return figure({"data": data, "layer": layers}, told, 320)
