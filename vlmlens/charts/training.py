"""Curves over the steps of training: one run, its layers or groups, or several runs on the same axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vlmlens.charts.figure import AFTER, QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

HEIGHT = 210
LEGEND_ROW, COLUMNS = 20, 2
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
    "loss": Measure("loss, nats", ".2~f", least=3.5),
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
    legend: Spec | None = None if len(lines) < 2 else {"labelLimit": 200, "columns": COLUMNS, "symbolSize": 300}
    x: Spec = {
        "field": "step",
        "type": "quantitative",
        "title": "step",
        "scale": {"domain": [0, max(1, steps)], "nice": False},
        "axis": {"grid": False, "tickCount": 6},
    }
    y: Spec = {"field": "value", "type": "quantitative", "title": how.title, **_vertical(how, lines)}
    tooltip: list[Spec] = [
        {"field": "line", "type": "nominal", "title": "curve"},
        {"field": "step", "type": "quantitative"},
        {"field": "value", "type": "quantitative", "format": ".3~g" if how.log else ".3f", "title": how.title},
    ]
    layers: list[Spec] = []
    for line, color in zip(lines, colors, strict=True):
        if line.low:
            layers.append(
                {
                    "transform": [{"filter": {"field": "line", "equal": line.name}}],
                    "mark": {"type": "area", "opacity": 0.22, "color": color},
                    "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
                }
            )
            tooltip += [] if len(tooltip) > 3 else [_end("low", "95 % interval from", how), _end("high", "to", how)]
    told_apart = {
        channel: {"field": "line", "type": "nominal", "scale": {"domain": names, "range": looks}, "legend": legend}
        for channel, looks in (("color", colors), ("strokeDash", list(DASHES[: len(lines)])))
    }
    layers.append({"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, **told_apart}})
    for line, color in zip(lines, colors, strict=True):
        layers.append(
            {
                "transform": [{"filter": {"field": "line", "equal": line.name}}],
                "mark": {"type": "point", "filled": True, "size": 18, "opacity": 1, "color": color},
                "encoding": {"x": x, "y": y, "tooltip": tooltip},
            }
        )
    if level is not None:
        layers += _level(*level, y)
    rows_of_legend = -(-len(lines) // COLUMNS) if legend else 0
    body = {"data": _data(lines, how), "layer": layers}
    return figure(body, _told(how, lines), HEIGHT + LEGEND_ROW * rows_of_legend)


def _end(field: str, title: str, how: Measure) -> Spec:
    return {"field": field, "type": "quantitative", "format": how.format, "title": title}


def _vertical(how: Measure, lines: Sequence[Line]) -> Spec:
    """Scale and axis. A logarithm goes by whole powers of ten."""
    known = [value for line in lines for value in line.values if _drawn(value, how)]
    axis: Spec = {"format": how.format, "tickCount": 5}
    if how.domain is not None:
        return {"scale": {"domain": list(how.domain)}, "axis": axis | {"values": [0, 0.25, 0.5, 0.75, 1]}}
    if how.log:
        low = math.floor(math.log10(min(known, default=0.1)))
        high = max(low + 1, math.ceil(math.log10(max(known, default=1.0))))
        powers = [10.0**power for power in range(low, high + 1)]
        return {"scale": {"type": "log", "domain": [powers[0], powers[-1]]}, "axis": axis | {"values": powers}}
    return {"scale": {"domain": [0, max([how.least, *known])], "nice": True}, "axis": axis}


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


def _level(height: float, name: str, y: Spec) -> list[Spec]:
    """A dashed rule with its name above its right end."""
    place = {"y": {"datum": height, "scale": y["scale"]}}
    data: Spec = {"values": [{}]}
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
