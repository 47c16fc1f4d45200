"""Image shares of wirings beside a published table, and estimates beside the truth."""

import json
import math
from collections.abc import Mapping, Sequence

from vlmlens.charts.figure import AFTER, BEFORE, QUIET, Figure, figure, named_rows, rows

LINE = "M0,-1.4L0,1.4"


def shares(
    measured: Mapping[str, Sequence[float]],
    published: Mapping[str, float],
    ruler: str,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """One row a wiring: a dot for each training seed, the interval of their mean, the published figure as a line."""
    names = list(published)
    dots = [(place, value) for place, name in enumerate(names) for value in measured.get(name, ()) if value == value]
    absent = [place for place, name in enumerate(names) if not any(v == v for v in measured.get(name, ()))]
    axis = {
        "field": "share",
        "type": "quantitative",
        "title": "image share",
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"},
    }
    place = named_rows(names)
    kinds = ["measured here, one dot a seed", "published"]
    count = len(dots)
    points = {
        "data": rows(
            place=[p for p, _ in dots] + list(range(len(names))),
            share=[v for _, v in dots] + [published[name] for name in names],
            kind=[kinds[0]] * count + [kinds[1]] * len(names),
            wiring=[names[p] for p, _ in dots] + names,
        ),
        "mark": {"type": "point", "filled": True, "opacity": 0.85, "strokeWidth": 3},
        "encoding": {
            "x": axis,
            "y": place,
            "color": {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": [AFTER, BEFORE]}},
            "stroke": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": kinds, "range": ["transparent", BEFORE]},
            },
            "shape": {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": ["circle", LINE]}},
            "size": {
                "field": "kind",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": kinds, "range": [90, 240]},
            },
            "tooltip": [
                {"field": "wiring", "type": "nominal"},
                {"field": "kind", "type": "nominal"},
                {"field": "share", "type": "quantitative", "format": ".1%"},
            ],
        },
    }
    words = {
        "data": rows(place=absent, share=[0.03] * len(absent)),
        "mark": {"type": "text", "text": "n/a", "align": "left"},
        "encoding": {"x": axis, "y": place},
    }
    ends = [(names.index(name), *found) for name, found in (intervals or {}).items() if found[0] == found[0]]
    whiskers = {
        "data": rows(
            place=[p for p, _, _ in ends], low=[low for _, low, _ in ends], high=[high for _, _, high in ends]
        ),
        "mark": {"type": "rule", "strokeWidth": 2, "color": QUIET},
        "encoding": {"x": axis | {"field": "low"}, "x2": {"field": "high"}, "y": place},
    }
    told = f"Image shares ({ruler}): " + "; ".join(
        f"{name} {', '.join(f'{v:.2f}' for v in measured.get(name, ()))}, published {published[name]:.3f}"
        for name in names
    )
    return figure(
        {"layer": [*([whiskers] if ends else []), points, *([words] if absent else [])]}, told, 40 * len(names) + 60
    )


def against_truth(names: Sequence[str], true: Sequence[float], found: Sequence[Sequence[float]]) -> Figure:
    """One row a problem: the truth as a line, every repetition's estimate as a dot. Bits."""
    axis = {"field": "bits", "type": "quantitative", "title": "bits"}
    place = named_rows(names, labelLimit=220)
    pairs = [(index, value) for index, values in enumerate(found) for value in values if value == value]
    dots = {
        "data": rows(place=[p for p, _ in pairs], bits=[v for _, v in pairs]),
        "mark": {"type": "point", "filled": True, "size": 26, "opacity": 0.55, "color": AFTER},
        "encoding": {"x": axis, "y": place},
    }
    truth = {
        "data": rows(place=list(range(len(names))), bits=list(true), name=list(names)),
        "mark": {"type": "point", "shape": LINE, "size": 220, "strokeWidth": 3, "color": BEFORE},
        "encoding": {
            "x": axis,
            "y": place,
            "tooltip": [
                {"field": "name", "type": "nominal", "title": "problem"},
                {"field": "bits", "type": "quantitative", "format": ".3f", "title": "truth"},
            ],
        },
    }
    zero = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": QUIET, "strokeDash": [2, 2]},
        "encoding": {"x": {"datum": 0}},
    }
    told = "Truth and estimates in bits: " + "; ".join(
        f"{name}: true {value:.3f}" for name, value in zip(names, true, strict=True)
    )
    return figure({"layer": [zero, dots, truth]}, told, 24 * len(names) + 50)


def text_shares(values: Mapping[str, float], published: set[str]) -> Figure:
    """Text shares as bars, the largest on top; published ones in another colour."""
    names = sorted(values, key=lambda name: -values[name])
    kinds = ["published", "measured here"]
    body = {
        "data": rows(
            place=list(range(len(names))),
            share=[values[name] for name in names],
            kind=[kinds[0] if name in published else kinds[1] for name in names],
            name=names,
        ),
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "x": {
                "field": "share",
                "type": "quantitative",
                "title": "text share",
                "scale": {"domain": [0, 1]},
                "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"},
            },
            "y": {
                "field": "place",
                "type": "ordinal",
                "title": None,
                "axis": {"labelExpr": f"{json.dumps(names)}[datum.value]", "labelOverlap": False},
            },
            "color": {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": [BEFORE, AFTER]}},
            "tooltip": [
                {"field": "name", "type": "nominal"},
                {"field": "share", "type": "quantitative", "format": ".1%"},
            ],
        },
    }
    told = "Text shares: " + ", ".join(f"{name} {values[name]:.2f}" for name in names)
    return figure(body, told, 26 * len(names) + 80)


COLUMNS = 3  # of a legend of wirings, so that it fits half a page and a phone
WIRING_LOOKS = {  # shape: color, in the order of the wirings
    "circle": "#E69F00",
    "square": "#0072B2",
    "diamond": "#009E73",
    "triangle-up": "#CC79A7",
    "cross": "#D55E00",
    "triangle-down": "#56B4E9",
    "triangle-right": "#999999",
    "triangle-left": "#CC79A7",
    "wedge": "#009E73",
}


def by_wiring(
    values: Mapping[str, Sequence[float]],
    what: str,
    intervals: Mapping[str, tuple[float, float]],
    most: float = 1.0,
) -> Figure:
    """One row a wiring: a dot a training seed, the mean and its interval; wirings without a number say n/a.

    The axis ends at `most`; one that ends at 1 is a share or an accuracy.
    """
    names = list(values)
    known = {name: [value for value in found if value == value] for name, found in values.items()}
    axis = {"field": "value", "type": "quantitative", "title": what, "scale": {"domain": [0, most]}}
    if most == 1:
        axis["axis"] = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"}
    place = named_rows(names)
    dots = [(at, value) for at, name in enumerate(names) for value in known[name]]
    means = [(at, sum(known[name]) / len(known[name])) for at, name in enumerate(names) if known[name]]
    absent = [at for at, name in enumerate(names) if not known[name]]
    ends = [(names.index(name), *each) for name, each in intervals.items() if known[name] and each[0] == each[0]]
    layers = [
        {
            "data": rows(
                place=[at for at, _, _ in ends],
                low=[max(0.0, low) for _, low, _ in ends],
                high=[min(most, high) for _, _, high in ends],
            ),
            "mark": {"type": "rule", "strokeWidth": 3, "color": QUIET},
            "encoding": {"x": axis | {"field": "low"}, "x2": {"field": "high"}, "y": place},
        },
        {
            "data": rows(place=[at for at, _ in means], value=[value for _, value in means]),
            "mark": {"type": "point", "shape": LINE, "size": 240, "strokeWidth": 3, "color": BEFORE},
            "encoding": {"x": axis, "y": place},
        },
        {
            "data": rows(
                place=[at for at, _ in dots], value=[value for _, value in dots], wiring=[names[at] for at, _ in dots]
            ),
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 0.85, "color": AFTER},
            "encoding": {
                "x": axis,
                "y": place,
                "tooltip": [
                    {"field": "wiring", "type": "nominal"},
                    {"field": "value", "type": "quantitative", "title": what, "format": ".3f"},
                ],
            },
        },
        {
            "data": rows(place=absent, value=[0.0] * len(absent)),
            "mark": {"type": "text", "text": "n/a", "align": "left", "dx": 6},
            "encoding": {"x": axis, "y": place},
        },
    ]
    told = f"{what}: " + "; ".join(
        f"{name} {', '.join(f'{value:.2f}' for value in known[name]) or 'n/a'}" for name in names
    )
    return figure({"layer": layers}, told, 26 * len(names) + 56)


def differences_to_published(
    names: Sequence[str], found: Sequence[tuple[float, float, float]], effect: float
) -> Figure:
    """One row a reading: a difference of image shares with its interval, the published one as a dashed line."""
    across = {
        "field": "value",
        "type": "quantitative",
        "title": "img2txt less txt2img (blue: published)",
        "scale": {"domain": [-1, 1]},
    }
    place = named_rows(names, labelLimit=200)
    known = [(at, *each) for at, each in enumerate(found) if each[0] == each[0]]
    data = rows(
        place=[row[0] for row in known],
        value=[row[1] for row in known],
        low=[max(-1.0, row[2]) for row in known],
        high=[min(1.0, row[3]) for row in known],
        reading=[names[row[0]] for row in known],
    )
    absent = [at for at, each in enumerate(found) if each[0] != each[0]]
    layers = [
        {
            "data": rows(at=[0.0, effect], says=["no difference", "published"]),
            "mark": {"type": "rule", "strokeDash": [3, 3], "strokeWidth": 2},
            "encoding": {
                "x": {"field": "at", "type": "quantitative"},
                "color": {
                    "field": "says",
                    "type": "nominal",
                    "legend": None,
                    "scale": {"domain": ["no difference", "published"], "range": [QUIET, BEFORE]},
                },
            },
        },
        {
            "data": data,
            "mark": {"type": "rule", "strokeWidth": 3, "color": QUIET},
            "encoding": {"x": across | {"field": "low"}, "x2": {"field": "high"}, "y": place},
        },
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": AFTER},
            "encoding": {
                "x": across,
                "y": place,
                "tooltip": [
                    {"field": "reading", "type": "nominal"},
                    {"field": "value", "type": "quantitative", "title": "difference", "format": "+.3f"},
                    {"field": "low", "type": "quantitative", "format": "+.3f"},
                    {"field": "high", "type": "quantitative", "format": "+.3f"},
                ],
            },
        },
        {
            "data": rows(place=absent, value=[-0.97] * len(absent)),
            "mark": {"type": "text", "text": "n/a", "align": "left"},
            "encoding": {"x": across, "y": place},
        },
    ]
    told = f"Differences of image shares, published {effect:+.3f}: " + "; ".join(
        f"{name} {'n/a' if each[0] != each[0] else format(each[0], '+.3f')}"
        for name, each in zip(names, found, strict=True)
    )
    return figure({"layer": layers}, told, 22 * len(names) + 60)


def conditions(
    shares: Mapping[str, Mapping[str, Sequence[float]]], what: str = "behavioral image share", most: float = 1.0
) -> Figure:
    """Wirings under conditions: a row a condition, a mark a trained model ([condition][wiring]).

    The axis ends at `most`; one that ends at 1 is a share or an accuracy.
    """
    names = list(shares)
    wirings = list(dict.fromkeys(wiring for found in shares.values() for wiring in found))
    marks = [
        (place, wiring, value)
        for place, found in enumerate(shares.values())
        for wiring, values in found.items()
        for value in values
        if value == value
    ]
    body = {
        "data": rows(
            place=[place for place, _, _ in marks],
            condition=[names[place] for place, _, _ in marks],
            wiring=[wiring for _, wiring, _ in marks],
            share=[value for _, _, value in marks],
        ),
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 0.85},
        "encoding": {
            "x": {
                "field": "share",
                "type": "quantitative",
                "title": what,
                "scale": {"domain": [0, most]},
                "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"} if most == 1 else {},
            },
            "y": named_rows(names),
            "color": {
                "field": "wiring",
                "type": "nominal",
                "scale": {"domain": wirings, "range": list(WIRING_LOOKS.values())[: len(wirings)]},
                "legend": {"columns": COLUMNS},
            },
            "shape": {
                "field": "wiring",
                "type": "nominal",
                "scale": {"domain": wirings, "range": list(WIRING_LOOKS)[: len(wirings)]},
            },
            "tooltip": [
                {"field": "condition", "type": "nominal"},
                {"field": "wiring", "type": "nominal"},
                {"field": "share", "type": "quantitative", "title": what, "format": ".3f"},
            ],
        },
    }
    known = {place: [value for at, _, value in marks if at == place] for place in range(len(names))}
    told = f"{what}: " + "; ".join(
        f"{names[place]} {min(values):.2f} to {max(values):.2f}" for place, values in known.items() if values
    )
    return figure(body, told, 34 * len(names) + 50 + 20 * math.ceil(len(wirings) / COLUMNS))
