"""Accuracy against the tokens that a picture is told in, or against what they cost: a line a compressor."""

from collections.abc import Sequence
from dataclasses import dataclass

from vlmlens.charts.figure import AFTER, NULL, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

GROUPS = {  # colour and shape of a group of compressors
    "reads the words": (SEGMENT_COLORS[Segment.QUESTION], "circle"),
    "reads no word": (SEGMENT_COLORS[Segment.IMAGE], "triangle-up"),
    "control": (NULL, "square"),
}


@dataclass(frozen=True)
class Compressed:
    """One compressor at one budget."""

    compressor: str
    group: str  # one of GROUPS
    tokens: int
    across: float  # where it stands on the axis
    accuracy: float
    low: float
    high: float
    seeds: int


def compression(
    dots: Sequence[Compressed], marked: str, axis: str, floor: float | None = None, cost: bool = False
) -> Figure:
    """`marked` is drawn in vermilion, thick, with its interval as a band; the others with whiskers.

    `axis` names what is across; tokens on a root scale, costs (`cost`) on a logarithmic one. `floor`: the accuracy that
    needs no picture, drawn as a dashed line.
    """
    places = sorted({dot.across for dot in dots})
    scale: Spec = {"type": "log" if cost else "sqrt", "nice": False, "padding": 14}
    ticks: Spec = {"format": "~s", "tickCount": 5} if cost else {"values": places, "format": "d"}
    x: Spec = {
        "field": "across",
        "type": "quantitative",
        "title": axis,
        "scale": scale,
        "axis": ticks | {"grid": False},
    }
    y: Spec = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "accuracy",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]},
    }
    looks = list(GROUPS.items())
    color = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": [*GROUPS, marked], "range": [look[0] for _, look in looks] + [AFTER]},
        "legend": {"symbolOpacity": 1, "columns": 2},
    }
    shape = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": [*GROUPS, marked], "range": [look[1] for _, look in looks] + ["diamond"]},
    }
    hover = [
        {"field": "compressor", "type": "nominal"},
        {"field": "tokens", "type": "quantitative"},
        {"field": "accuracy", "type": "quantitative", "format": ".3f"},
        {"field": "low", "type": "quantitative", "format": ".3f", "title": "95 % from"},
        {"field": "high", "type": "quantitative", "format": ".3f", "title": "to"},
        {"field": "seeds", "type": "quantitative"},
    ]
    others = _layers([dot for dot in dots if dot.compressor != marked], None, x, y, color, shape, hover)
    own = _layers([dot for dot in dots if dot.compressor == marked], marked, x, y, color, shape, hover)
    layers = [*others, *own]
    if floor is not None:
        line: Spec = {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "strokeDash": [4, 4], "color": NULL},
            "encoding": {"y": {"datum": floor}},
        }
        layers.insert(0, line)
    by = {dot.compressor: [each for each in dots if each.compressor == dot.compressor] for dot in dots}
    told = f"Accuracy against {axis}: " + "; ".join(
        f"{name} " + ", ".join(f"{each.accuracy:.2f} with {each.tokens}" for each in own) for name, own in by.items()
    )
    return figure({"layer": layers}, told, 380)


def _layers(
    dots: Sequence[Compressed], marked: str | None, x: Spec, y: Spec, color: Spec, shape: Spec, hover: list[Spec]
) -> list[Spec]:
    """Line, interval and points of some compressors; a band for the one that is marked."""
    if not dots:
        return []
    data = rows(
        compressor=[dot.compressor for dot in dots],
        group=[marked or dot.group for dot in dots],
        tokens=[dot.tokens for dot in dots],
        across=[dot.across for dot in dots],
        accuracy=[dot.accuracy for dot in dots],
        low=[dot.low for dot in dots],
        high=[dot.high for dot in dots],
        seeds=[dot.seeds for dot in dots],
    )
    own = marked is not None
    ends = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": color}
    one = len({dot.across for dot in dots}) == 1
    interval: Spec = {
        "mark": {"type": "area", "opacity": 0.2} if own and not one else {"type": "rule", "opacity": 0.45},
        "encoding": ends,
    }
    line: Spec = {
        "mark": {"type": "line", "strokeWidth": 3 if own else 1.2, "opacity": 1 if own else 0.7},
        "encoding": {"x": x, "y": y, "color": color, "detail": {"field": "compressor"}},
    }
    points: Spec = {
        "mark": {"type": "point", "filled": True, "size": 90 if own else 45, "opacity": 1},
        "encoding": {"x": x, "y": y, "color": color, "shape": shape, "tooltip": hover},
    }
    return [{"data": data, "layer": [interval, line, points]}]
