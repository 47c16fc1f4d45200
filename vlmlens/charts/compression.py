"""Accuracy against the tokens that a picture is told in, or against what they cost: a line or a panel a compressor."""

from collections.abc import Sequence
from dataclasses import dataclass

from vlmlens.charts.figure import AFTER, NULL, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.lab.compress import COMPRESSORS
from vlmlens.lab.compress.measured import Measured
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


def group(name: str) -> str:
    """The group, of `GROUPS`, that a compressor is drawn in."""
    row = COMPRESSORS[name]
    return "control" if row.control else "reads the words" if row.query_aware else "reads no word"


def compressed(found: Measured, across: str = "tokens") -> list[Compressed]:
    """Every compressor at every budget that was measured.

    `across`: "tokens", or multiply-adds of "attention" in the fusion or of "everything"; what has no cost is left out.
    """
    made = []
    for name in found.compressors:
        for keep in found.budgets(name):
            each, cost = found.accuracy(name, keep), found.costs.get((name, keep))
            if each is None or (cost is None and across != "tokens"):
                continue
            place = {"tokens": keep} if cost is None else {"attention": cost.attention, "everything": cost.total}
            x = float(place.get(across, keep))
            made.append(Compressed(name, group(name), keep, x, each.value, each.low, each.high, each.seeds))
    return made


def compression(
    dots: Sequence[Compressed], marked: str, axis: str, floor: float | None = None, cost: bool = False
) -> Figure:
    """`marked` is drawn in vermilion, thick, with its interval as a band; the others with whiskers.

    `axis` names what is across; tokens on a root scale, costs (`cost`) on a logarithmic one. `floor`: the accuracy that
    needs no picture, drawn as a dashed line.
    """
    places = sorted({dot.across for dot in dots})
    scale: Spec = {"type": "log" if cost else "sqrt", "zero": False, "nice": False, "padding": 14}
    y = _upwards(dots, floor)
    ticks: Spec = {"format": "~s", "tickCount": 5} if cost else {"values": places, "format": "d"}
    x: Spec = {
        "field": "across",
        "type": "quantitative",
        "title": axis,
        "scale": scale,
        "axis": ticks | {"grid": False},
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
        layers.insert(0, _floor(floor, y))
    return figure({"layer": layers}, _told(dots, axis), 380)


def compression_panels(dots: Sequence[Compressed], control: str, floor: float | None = None) -> Figure:
    """Accuracy against tokens, a panel each compressor of several budgets: its line, its interval, the control in gray.

    For a file or a wide page: panels are three in a row. `dots` have tokens across.
    """
    several = {dot.compressor for dot in dots if any(o.compressor == dot.compressor and o != dot for o in dots)}
    own = [dot for dot in dots if dot.compressor in several and dot.compressor != control]
    beside = [dot for dot in dots if dot.compressor == control]
    x: Spec = {
        "field": "across",
        "type": "quantitative",
        "title": "image tokens",
        "scale": {"type": "sqrt", "zero": False, "nice": False, "padding": 6},
        "axis": {"values": sorted({dot.across for dot in dots}), "format": "d", "grid": False},
    }

    y = _upwards(dots, floor)

    def curve(color: str) -> list[Spec]:
        return [
            {
                "mark": {"type": "area", "opacity": 0.25, "color": color},
                "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
            },
            {"mark": {"type": "line", "color": color, "point": {"color": color}}, "encoding": {"x": x, "y": y}},
        ]

    layers: list[Spec] = [{"data": _data(beside), "layer": curve(NULL)}, *curve(AFTER)]
    if floor is not None:
        layers.insert(0, _floor(floor, y))
    facet: Spec = {
        "field": "compressor",
        "type": "nominal",
        "title": None,
        "sort": list(dict.fromkeys(dot.compressor for dot in own)),
        "header": {"labelFontSize": 12},
    }
    panel: Spec = {"width": 210, "height": 150, "layer": layers}
    return figure({"data": _data(own), "facet": facet, "columns": 3, "spec": panel}, _told(dots, "image tokens"), 600)


def _told(dots: Sequence[Compressed], axis: str) -> str:
    by = {dot.compressor: [each for each in dots if each.compressor == dot.compressor] for dot in dots}
    return f"Accuracy against {axis}: " + "; ".join(
        f"{name} " + ", ".join(f"{each.accuracy:.2f} with {each.tokens}" for each in own) for name, own in by.items()
    )


def _upwards(dots: Sequence[Compressed], floor: float | None) -> Spec:
    """Accuracy, from the quarter below everything that is drawn."""
    least = min([1.0 if floor is None else floor, *(dot.low for dot in dots)])
    ticks = [quarter / 4 for quarter in range(max(0, int(4 * least)), 5)]
    return {
        "field": "accuracy",
        "type": "quantitative",
        "title": "accuracy",
        "scale": {"domain": [ticks[0], 1]},
        "axis": {"format": ".0%", "values": ticks},
    }


def _floor(accuracy: float, y: Spec) -> Spec:
    """A dashed line at what needs no picture."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "strokeDash": [4, 4], "color": NULL},
        "encoding": {"y": {"datum": accuracy, "type": "quantitative", "scale": y["scale"]}},  # else it begins at zero
    }


def _data(dots: Sequence[Compressed], marked: str | None = None) -> Spec:
    return rows(
        compressor=[dot.compressor for dot in dots],
        group=[marked or dot.group for dot in dots],
        tokens=[dot.tokens for dot in dots],
        across=[dot.across for dot in dots],
        accuracy=[dot.accuracy for dot in dots],
        low=[dot.low for dot in dots],
        high=[dot.high for dot in dots],
        seeds=[dot.seeds for dot in dots],
    )


def _layers(
    dots: Sequence[Compressed], marked: str | None, x: Spec, y: Spec, color: Spec, shape: Spec, hover: list[Spec]
) -> list[Spec]:
    """Line, interval and points of some compressors; a band for the one that is marked."""
    if not dots:
        return []
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
    return [{"data": _data(dots, marked), "layer": [interval, line, points]}]
