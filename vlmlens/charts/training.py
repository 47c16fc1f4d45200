"""Curves over the steps of training: one run, its layers or groups, or several runs on the same axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vlmlens.charts.figure import AFTER, QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

HEIGHT = 210
MOST_LINES = 7  # that can still be told apart
LINES = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [12, 3], [1, 4])


@dataclass(frozen=True)
class Line:
    """One curve; not-a-number is left out. `low` and `high`, where given, are the ends of its 95 % interval.

    `color`: where the line means what a color means elsewhere.
    """

    name: str
    steps: Sequence[int]
    values: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    color: str = ""


@dataclass(frozen=True)
class Measure:
    """What a vertical axis shows. Without a `domain` it begins at 0 and ends at the largest value, `least` at least."""

    title: str
    format: str
    domain: tuple[float, float] | None = None
    least: float = 1.0
    log: bool = False
    color: str = AFTER  # of a single line


PART = (0.0, 1.0)
MEASURES = {
    "loss": Measure("loss, nats", ".2f"),
    "accuracy": Measure("held-out accuracy", ".0%", PART, color=SEGMENT_COLORS[Segment.ANSWER]),
    "image share": Measure("image share", ".0%", PART, color=SEGMENT_COLORS[Segment.IMAGE]),
    "gates": Measure("opening of the gate, |tanh|", ".2f", PART),
    "gradients": Measure("norm of the gradient", ".2~g", log=True),
}


def training(measure: str, lines: Sequence[Line], steps: int, level: tuple[float, str] | None = None) -> Figure:
    """`lines` of one of `MEASURES` over 0 to `steps`, with their intervals; `level`: a height to compare with, named.

    Raises ValueError for more lines than can be told apart.
    """
    if len(lines) > MOST_LINES:
        raise ValueError(f"{len(lines)} lines in one chart cannot be told apart; {MOST_LINES} can.")
    how = MEASURES[measure]
    names = [line.name for line in lines]
    usual = (how.color,) if len(lines) == 1 else LINES
    colors = [line.color or color for line, color in zip(lines, usual, strict=False)]
    legend: Spec | None = None if len(lines) < 2 else {"labelLimit": 220, "columns": 4}
    scale = {"domain": names, "range": colors}
    x: Spec = {
        "field": "step",
        "type": "quantitative",
        "title": "step",
        "scale": {"domain": [0, max(1, steps)], "nice": False},
        "axis": {"grid": False, "tickCount": 6},
    }
    known = [value for line in lines for value in line.values if _drawn(value, how)]
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": how.title,
        "scale": _scale(how, known),
        "axis": {"format": how.format, "tickCount": 5},
    }
    color: Spec = {"field": "line", "type": "nominal", "scale": scale, "legend": legend}
    dash = color | {"scale": {"domain": names, "range": list(DASHES[: len(lines)])}}
    ends: list[Spec] = [
        {"field": "low", "type": "quantitative", "format": how.format, "title": "95 % interval from"},
        {"field": "high", "type": "quantitative", "format": how.format, "title": "to"},
    ]
    widths = any(line.low for line in lines)
    tooltip: list[Spec] = [
        *([{"field": "line", "type": "nominal", "title": "curve"}] if len(lines) > 1 else []),
        {"field": "step", "type": "quantitative"},
        {"field": "value", "type": "quantitative", "format": ".3~g" if how.log else ".3f", "title": how.title},
        *(ends if widths else []),
    ]
    band: Spec = {
        "mark": {"type": "area", "opacity": 0.22},
        "encoding": {
            "x": x,
            "y": y | {"field": "low"},
            "y2": {"field": "high"},
            "color": color | {"legend": None},
        },
    }
    curve: Spec = {
        "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 18, "filled": True}},
        "encoding": {"x": x, "y": y, "color": color, "strokeDash": dash, "tooltip": tooltip},
    }
    layers = [*([band] if widths else []), curve]
    if level is not None:
        layers += _level(*level, y)
    return figure({"data": _data(lines, how), "layer": layers}, _told(how, lines), HEIGHT)


def _data(lines: Sequence[Line], how: Measure) -> Spec:
    """Every point of every line as one row."""
    missing = math.nan
    return rows(
        line=[line.name for line in lines for _ in line.steps],
        step=[int(step) for line in lines for step in line.steps],
        value=[value if _drawn(value, how) else missing for line in lines for value in line.values],
        low=[low for line in lines for low in (line.low or [missing] * len(line.steps))],
        high=[high for line in lines for high in (line.high or [missing] * len(line.steps))],
    )


def _drawn(value: float, how: Measure) -> bool:
    """Whether there is a place for it: a logarithm has none for zero."""
    return math.isfinite(value) and (value > 0 or not how.log)


def _scale(how: Measure, known: Sequence[float]) -> Spec:
    if how.domain is not None:
        return {"domain": list(how.domain)}
    if how.log:
        return {"type": "log"}
    return {"domain": [0, max([how.least, *known])], "nice": True}


def _level(height: float, name: str, y: Spec) -> list[Spec]:
    """A dashed rule with its name above its right end."""
    place = {"y": {"datum": height, "scale": y["scale"]}}
    data = {"values": [{}]}
    words = {"type": "text", "text": name, "align": "right", "baseline": "bottom", "dx": -4, "dy": -3}
    return [
        {"data": data, "mark": {"type": "rule", "color": QUIET, "strokeDash": [4, 3]}, "encoding": place},
        {"data": data, "mark": words, "encoding": place | {"x": {"value": "width"}}},
    ]


def _told(how: Measure, lines: Sequence[Line]) -> str:
    parts = []
    for line in lines:
        found = [(step, value) for step, value in zip(line.steps, line.values, strict=True) if math.isfinite(value)]
        ends = " to ".join(f"{value:.3g} at step {step}" for step, value in dict.fromkeys((*found[:1], *found[-1:])))
        parts.append(f"{line.name} {ends or 'nothing'}")
    return f"{how.title[0].upper()}{how.title[1:]} over the steps of training: " + ("; ".join(parts) or "nothing yet")
