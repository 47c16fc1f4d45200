"""What lessons draw: named bars with their doubt, and curves over something that is turned up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmlens.charts.figure import AFTER, BEFORE, NULL, QUIET, Figure, Spec, figure, named_rows, rows

ROW = 30  # pixels
LOOKS = {"before": BEFORE, "after": AFTER, "null": NULL, "image": "#E69F00", "text": "#0072B2", "both": "#009E73"}
DASHES = ([1, 0], [5, 3], [2, 2], [8, 3, 2, 3])


@dataclass(frozen=True)
class Bar:
    """One number, its 95 % interval or NaN where there is none. `look`: one of LOOKS; `kind`: what the legend says."""

    name: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    look: str = "before"
    kind: str = ""


def named_bars(found: Sequence[Bar], title: str, end: float | None = 1.0, percent: bool = True) -> Figure:
    """A row a bar, in their order, with the number at its end; the axis runs from 0 to `end`."""
    form = ".0%" if percent else ".2f"
    top = end if end is not None else max([0.01, *(x for bar in found for x in (bar.value, bar.high) if x == x)])
    kinds = list(dict.fromkeys(bar.kind for bar in found if bar.kind))
    data = rows(
        place=list(range(len(found))),
        name=[bar.name for bar in found],
        value=[bar.value for bar in found],
        low=[bar.low for bar in found],
        high=[bar.high for bar in found],
        kind=[bar.kind for bar in found],
        color=[LOOKS[bar.look] for bar in found],
        told=["n/a" if bar.value != bar.value else _said(bar.value, percent) for bar in found],
        after=[max([0.0, *(x for x in (bar.value, bar.high) if x == x)]) for bar in found],
    )
    x: Spec = {
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [0, 1.14 * top]},
        "axis": {"format": form, "tickCount": 5, "values": [round(top * part / 4, 3) for part in range(5)]},
    }
    y = named_rows([bar.name for bar in found], labelLimit=150)
    color: Spec = {"field": "color", "type": "nominal", "scale": None}
    if kinds:
        colors = [LOOKS[next(bar.look for bar in found if bar.kind == kind)] for kind in kinds]
        color = {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": colors}}
    tooltip = [
        {"field": "name", "type": "nominal"},
        *([{"field": "kind", "type": "nominal"}] if kinds else []),
        {"field": "value", "type": "quantitative", "format": ".3f", "title": title},
        {"field": "low", "type": "quantitative", "format": ".3f", "title": "from (95 %)"},
        {"field": "high", "type": "quantitative", "format": ".3f", "title": "to (95 %)"},
    ]
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "height": 15},
            "encoding": {"x": x | {"field": "value"}, "y": y, "color": color, "tooltip": tooltip},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2, "color": QUIET},
            "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 5},
            "encoding": {"x": x | {"field": "after"}, "y": y, "text": {"field": "told", "type": "nominal"}},
        },
    ]
    told = f"{title}: " + "; ".join(
        f"{bar.name}{f', {bar.kind}' if bar.kind else ''} {'n/a' if bar.value != bar.value else f'{bar.value:.3f}'}"
        + (f" ({bar.low:.3f} to {bar.high:.3f})" if bar.low == bar.low else "")
        for bar in found
    )
    return figure({"data": data, "layer": layers}, told, ROW * len(found) + (84 if kinds else 60))


@dataclass(frozen=True)
class Curve:
    """Values over places, with 95 % intervals where there are any."""

    name: str
    values: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    look: str = "before"


def dial_curves(
    places: Sequence[float],
    found: Sequence[Curve],
    x_title: str,
    y_title: str,
    end: float | None = 1.0,
    log: bool = False,
    lines: Mapping[str, float] | None = None,
) -> Figure:
    """Curves with their bands; `lines` are drawn across, dashed grey, each with its name."""
    names = [curve.name for curve in found]
    held = [x for curve in found for part in (curve.values, curve.high) for x in part if x == x]
    top = end if end is not None else max([0.01, *held])
    data = rows(
        what=[curve.name for curve in found for _ in places],
        place=list(places) * len(found),
        value=[float(x) for curve in found for x in curve.values],
        low=[float(x) for curve in found for x in (curve.low or [float("nan")] * len(places))],
        high=[float(x) for curve in found for x in (curve.high or [float("nan")] * len(places))],
    )
    x: Spec = {
        "field": "place",
        "type": "quantitative",
        "title": x_title,
        "scale": {"nice": False, **({"type": "log"} if log else {})},
        "axis": {"values": list(places), "grid": False, "labelOverlap": True, "format": "~g"},
    }
    y: Spec = {"type": "quantitative", "title": y_title, "scale": {"domain": [0, top]}, "axis": {"tickCount": 5}}
    legend = None if len(found) < 2 else {"labelLimit": 260, "columns": 2}
    colors = {"domain": names, "range": [LOOKS[curve.look] for curve in found]}
    color: Spec = {"field": "what", "type": "nominal", "scale": colors, "legend": legend}
    dash: Spec = {
        "field": "what",
        "type": "nominal",
        "legend": legend,
        "scale": {"domain": names, "range": [DASHES[i % len(DASHES)] for i in range(len(found))]},
    }
    layers: list[Spec] = [
        {
            "mark": {"type": "area", "opacity": 0.2},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": color | {"legend": None}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 50}},
            "encoding": {
                "x": x,
                "y": y | {"field": "value"},
                "color": color,
                "strokeDash": dash,
                "tooltip": [
                    {"field": "what", "type": "nominal"},
                    {"field": "place", "type": "quantitative", "title": x_title},
                    {"field": "value", "type": "quantitative", "format": ".3f", "title": y_title},
                    {"field": "low", "type": "quantitative", "format": ".3f", "title": "from (95 %)"},
                    {"field": "high", "type": "quantitative", "format": ".3f", "title": "to (95 %)"},
                ],
            },
        },
    ]
    for name, value in (lines or {}).items():
        at = {"data": rows(at=[value], name=[name])}
        level = {"y": y | {"field": "at"}}
        layers.append(at | {"mark": {"type": "rule", "color": QUIET, "strokeDash": [3, 3]}, "encoding": level})
        layers.append(
            at
            | {
                "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -2, "x": "width"},
                "encoding": level | {"text": {"field": "name", "type": "nominal"}},
            }
        )
    told = f"{y_title} by {x_title}: " + "; ".join(
        f"{curve.name} {curve.values[0]:.2f} to {curve.values[-1]:.2f}" for curve in found
    )
    return figure({"data": data, "layer": layers}, told, 270)


def _said(value: float, percent: bool) -> str:
    return f"{100 * value:.0f} %" if percent else f"{value:.2f}"
