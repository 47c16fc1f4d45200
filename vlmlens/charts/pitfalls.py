"""What a pitfall looks like in one model, and what a remedy moves. Ill and healthy share their axes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vlmlens.charts.figure import AFTER, BEFORE, QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

HEIGHT = 250
IMAGE, GATES = SEGMENT_COLORS[Segment.IMAGE], SEGMENT_COLORS[Segment.ANSWER]


def pitfall(name: str, details: Mapping[str, Any]) -> Figure:
    """What a finding of this detector rests on: rows of attention, two losses, gradients, gates, or likeness."""
    return _DRAWN[name](details)


def _rows(details: Mapping[str, Any]) -> Figure:
    table: Sequence[Sequence[float]] = details["rows"]
    told = (
        f"Attention of {len(table)} rows to {len(table[0])} keys, {details['label']}: the largest weight is "
        f"{max(map(max, table)):.2f}."
    )
    return _heat(table, "key", "row", "attention", told)


def _alike(details: Mapping[str, Any]) -> Figure:
    table: Sequence[Sequence[float]] = details["alike"]
    apart = [value for i, row in enumerate(table) for j, value in enumerate(row) if i != j]
    told = f"Cosines of {len(table)} pictures' features: from {min(apart):.3f} to {max(apart):.3f} between two of them."
    return _heat(table, "picture", "picture", "cosine", told)


def _heat(table: Sequence[Sequence[float]], across: str, down: str, what: str, told: str) -> Figure:
    """A table of shares or cosines on one scale, 0 to 1."""
    cells = [(i + 1, j + 1, value) for i, row in enumerate(table) for j, value in enumerate(row)]
    x, y = ([cell[side] for cell in cells] for side in (1, 0))

    def axis(field: str, title: str, count: int) -> Spec:
        ticks = sorted({1, count, *range(10, count - 2, 10)})
        return {"field": field, "type": "ordinal", "title": title, "axis": {"values": ticks, "labelAngle": 0}}

    body = {
        "data": rows(x=x, y=y, value=[cell[2] for cell in cells]),
        "mark": {"type": "rect", "strokeWidth": 0},
        "encoding": {
            "x": axis("x", across, len(table[0])),
            "y": axis("y", down, len(table)),
            "color": {
                "field": "value",
                "type": "quantitative",
                "title": what,
                "scale": {"domain": [0, 1], "clamp": True, "scheme": "inferno"},
                "legend": {"orient": "right", "gradientLength": 120, "title": what},
            },
            "tooltip": [
                {"field": "y", "type": "ordinal", "title": down},
                {"field": "x", "type": "ordinal", "title": across},
                {"field": "value", "type": "quantitative", "format": ".3f", "title": what},
            ],
        },
    }
    return figure(body, told, HEIGHT)


def _losses(details: Mapping[str, Any]) -> Figure:
    names, values = ["its own picture", "another picture"], [details["right"], details["blind"]]
    told = f"Right with {names[0]}: {values[0]:.0%}; with {names[1]}: {values[1]:.0%}."
    return _bars(names, values, "answers that are right", told, [AFTER, BEFORE], domain=(0, 1), form=".0%")


def _gradients(details: Mapping[str, Any]) -> Figure:
    names = [*(f"joining attention, layer {layer}" for layer in details["layers"]), "all other weights"]
    values = [max(value, 1e-14) for value in (*details["by_layer"], details["rest"])]
    told = "Size of the gradient: " + "; ".join(f"{n} {v:.2g}" for n, v in zip(names, values, strict=True))
    colors = [AFTER] * (len(names) - 1) + [QUIET]
    return _bars(names, values, "gradient, root mean square", told, colors, domain=(1e-12, 1), form=".1~e", log=True)


def _gates(details: Mapping[str, Any]) -> Figure:
    names = [f"layer {layer}" for layer in details["layers"]]
    told = "Gates of attention, |tanh|: " + "; ".join(
        f"{n} {v:.3g}" for n, v in zip(names, details["attention"], strict=True)
    )
    return _bars(names, details["attention"], "gate of attention, |tanh|", told, [GATES] * len(names), (0, 1), ".3~f")


def _bars(
    names: Sequence[str],
    values: Sequence[float],
    title: str,
    told: str,
    colors: Sequence[str],
    domain: tuple[float, float],
    form: str,
    log: bool = False,
) -> Figure:
    """One bar a name, its number beside it."""
    scale = {"domain": list(domain), "type": "log" if log else "linear", "clamp": True}
    ticks = [1e-12, 1e-8, 1e-4, 1] if log else [0, 0.25, 0.5, 0.75, 1]
    x = {
        "field": "value",
        "type": "quantitative",
        "title": title,
        "scale": scale,
        "axis": {"values": ticks, "format": ".0e" if log else form},
    }
    y = {
        "field": "place",
        "type": "ordinal",
        "title": None,
        "axis": {"labelExpr": f"{json.dumps(list(names))}[datum.value]", "labelLimit": 190},
    }
    data = rows(place=list(range(len(names))), value=list(values), name=list(names))
    color = {
        "field": "place",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(range(len(names))), "range": list(colors)},
    }
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.6}},
        "encoding": {"x": x, "y": y, "color": color} | ({"x2": {"datum": domain[0]}} if log else {}),
    }
    words = {
        "mark": {"type": "text", "align": "left", "dx": 4},
        "encoding": {"x": x, "y": y, "text": {"field": "value", "type": "quantitative", "format": form}},
    }
    return figure({"data": data, "layer": [bars, words]}, told, HEIGHT)


def remedy(without: Sequence[float], treated: Sequence[float], unit: str) -> Figure:
    """A quantity by training seed, without a remedy and with it; a line joins the two runs of a seed."""
    arms = ["without", "with"]
    seeds = range(len(without))
    data = rows(
        arm=[arms[0] for _ in seeds] + [arms[1] for _ in seeds],
        value=[*without, *treated],
        seed=[*seeds, *seeds],
    )
    x = {
        "field": "value",
        "type": "quantitative",
        "title": unit,
        "scale": {"zero": False, "nice": True},
    }
    y = {"field": "arm", "type": "nominal", "title": None, "sort": arms, "axis": {"grid": True}}
    lines = {
        "mark": {"type": "line", "color": QUIET, "opacity": 0.6},
        "encoding": {"x": x, "y": y, "detail": {"field": "seed", "type": "nominal"}, "order": {"field": "arm"}},
    }
    dots = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 0.9},
        "encoding": {
            "x": x,
            "y": y,
            "color": {
                "field": "arm",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": arms, "range": [BEFORE, AFTER]},
            },
            "tooltip": [
                {"field": "arm", "type": "nominal"},
                {"field": "seed", "type": "nominal", "title": "training seed"},
                {"field": "value", "type": "quantitative", "format": ".3f", "title": unit},
            ],
        },
    }

    def listed(values: Sequence[float]) -> str:
        return ", ".join(f"{value:.3g}" for value in values)

    told = f"{unit}, by seed: without {listed(without)}; with {listed(treated)}."
    return figure({"data": data, "layer": [lines, dots]}, told, 170)


_DRAWN = {
    "attention collapse": _rows,
    "sinks": _rows,
    "vision ignored": _losses,
    "vanishing gradients": _gradients,
    "dead gates": _gates,
    "collapsed vision encoder": _alike,
}
