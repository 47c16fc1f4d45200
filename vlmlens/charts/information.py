"""Bits: the four atoms as bars with their doubt, by layer as a stacked area, and the image share as a gauge."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmlens.charts.figure import AFTER, NULL, QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

if TYPE_CHECKING:
    from vlmlens.information import PID, Estimate, Share
    from vlmlens.information.published import Published

ATOMS = ("unique image", "unique text", "redundant", "synergistic")
ATOM_COLORS = {
    "unique image": SEGMENT_COLORS[Segment.IMAGE],
    "unique text": SEGMENT_COLORS[Segment.QUESTION],
    "redundant": "#CC79A7",
    "synergistic": "#009E73",
}
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # bits; an axis ends on one of these
TICK = "M0,-1.6L0,1.6"


def axis_end(most: float) -> float:
    """The end of an axis that holds `most`, the same for values alike, so that a growing chart seldom jumps."""
    return next((step for step in STEPS if step >= most), most)


def reach(found: "Estimate") -> float:
    """The largest number that `estimated` would draw, bits."""
    drawn = [x for t in found.terms for x in (t.value, t.high, t.plug_in, t.null_high) if x == x]
    return max(drawn)


def estimated(found: "Estimate", end: float | None = None) -> Figure:
    """The atoms with 95 % intervals. Grey behind: what shuffled answers would show; tick: plug-in, uncorrected.

    Args:
        end: of the axis, bits.
    """
    terms = found.terms
    end = end or axis_end(reach(found))
    data = rows(
        place=list(range(4)),
        atom=list(ATOMS),
        value=[t.value if t.status == "shown" else float("nan") for t in terms],
        low=[t.low for t in terms],
        high=[t.high for t in terms],
        null=[t.null_high for t in terms],
        plug_in=[t.plug_in for t in terms],
        note=[{"shown": "", "bracket": "bracket", "refused": "n/a: too few samples"}[t.status] for t in terms],
        start=[max(0.0, t.high) if t.status == "bracket" else max(t.plug_in, t.null_high) for t in terms],
    )
    layers: list[Spec] = [
        _mark({"type": "bar", "height": 24, "color": NULL, "opacity": 0.3}, "null"),
        _mark({"type": "bar", "height": 13}, "value") | {},
        _mark({"type": "rule", "strokeWidth": 2, "color": QUIET}, "low", x2="high"),
        _mark({"type": "point", "shape": TICK, "size": 90, "color": QUIET, "strokeWidth": 1.5}, "plug_in"),
        _mark({"type": "text", "align": "left", "dx": 6, "fontSize": 11}, "start")
        | {"transform": [{"filter": "datum.note != ''"}]},
    ]
    layers[1]["encoding"]["color"] = _color()
    layers[4]["encoding"]["text"] = {"field": "note", "type": "nominal"}
    told = "; ".join(
        f"{name} {t.value:.3f} ({t.low:.3f} to {t.high:.3f})" if t.status == "shown" else f"{name} {t.status}"
        for name, t in zip(ATOMS, terms, strict=True)
    )
    tooltip = [
        {"field": "atom", "type": "nominal"},
        *(
            {"field": name, "type": "quantitative", "format": ".3f", "title": title}
            for name, title in (
                ("value", "bits"),
                ("low", "from"),
                ("high", "to"),
                ("plug_in", "plug-in, uncorrected"),
                ("null", "shuffled answers reach"),
            )
        ),
    ]
    body = {"data": data, "encoding": _axes(end) | {"tooltip": tooltip}, "layer": layers}
    return figure(body, f"Bits over {found.n} samples: {told}", 170)


def exact(pid: "PID", end: float | None = None) -> Figure:
    """The atoms of a table that is known: no interval, for there is no doubt about it."""
    values = [float(x) for x in (pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic)]
    end = end or axis_end(max(*values, 0.05))
    bars = _mark({"type": "bar", "height": 16}, "value")
    bars["encoding"]["color"] = _color()
    words = _mark({"type": "text", "align": "left", "dx": 5}, "value")
    words["encoding"]["text"] = {"field": "value", "type": "quantitative", "format": ".3f"}
    told = ", ".join(f"{name} {value:.3f}" for name, value in zip(ATOMS, values, strict=True))
    body = {
        # Beyond its certified gap no atom is negative; what rounding leaves is drawn as nothing.
        "data": rows(place=list(range(4)), atom=list(ATOMS), value=[max(0.0, value) for value in values]),
        "encoding": _axes(1.12 * end),
        "layer": [bars, words],
    }
    return figure(body, f"Bits: {told}", 150)


def by_layer(points: Sequence[str], atoms: Sequence[Sequence[float]]) -> Figure:
    """A stacked area: bits of every atom ([point][atom]) at every reading point. What is refused is left out."""
    shown = [[max(0.0, x) if x == x else 0.0 for x in row] for row in atoms]
    body = {
        "data": rows(
            place=[place for place in range(len(points)) for _ in ATOMS],
            point=[point for point in points for _ in ATOMS],
            atom=list(ATOMS) * len(points),
            order=list(range(4)) * len(points),
            bits=[x for row in shown for x in row],
        ),
        "mark": {"type": "area", "interpolate": "linear", "line": True, "opacity": 0.75, "point": {"size": 20}},
        "encoding": {
            "x": {
                "field": "place",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": [0, max(1, len(points) - 1)], "nice": False},
                "axis": {
                    "values": list(range(len(points))),
                    "labelExpr": f"{json.dumps([_short(point) for point in points])}[datum.value]",
                    "grid": False,
                },
            },
            "y": {"field": "bits", "type": "quantitative", "title": "bits", "stack": "zero"},
            "color": _color(legend=True),
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [
                {"field": "point", "type": "nominal"},
                {"field": "atom", "type": "nominal"},
                {"field": "bits", "type": "quantitative", "format": ".3f"},
            ],
        },
    }
    ends = f"{points[0]} {sum(shown[0]):.2f}, {points[-1]} {sum(shown[-1]):.2f}" if points else "nothing"
    return figure(body, f"Bits by reading point; sums: {ends}", 240)


def gauge(share: "Share") -> Figure:
    """CI : CT, what is unique to the image against what is unique to the text; or why there is no such number."""
    known = share.value == share.value
    parts = [share.value, 1 - share.value] if known else []
    body: Spec = {
        "data": rows(
            side=["image", "text"][: len(parts)],
            start=[0.0, share.value][: len(parts)],
            end=[share.value, 1.0][: len(parts)],
        ),
        "layer": [
            {
                "mark": {"type": "bar", "height": 22},
                "encoding": {
                    "x": _share_axis("start"),
                    "x2": {"field": "end"},
                    "y": {"datum": 0, "type": "ordinal", "axis": None},
                    "color": {
                        "field": "side",
                        "type": "nominal",
                        "legend": None,
                        "scale": {"domain": ["image", "text"], "range": [ATOM_COLORS[atom] for atom in ATOMS[:2]]},
                    },
                },
            },
        ],
    }
    if known:
        doubt = {"x": _share_axis("low"), "x2": {"field": "high"}, "y": {"datum": 0, "type": "ordinal", "axis": None}}
        body["layer"].append(
            {
                "data": rows(low=[share.low], high=[share.high]),
                "mark": {"type": "rule", "strokeWidth": 3, "color": "#ffffff"},
                "encoding": doubt,
            }
        )
        body["layer"].append(
            {
                "data": rows(low=[share.low], high=[share.high]),
                "mark": {"type": "rule", "strokeWidth": 1.5, "color": "#222222"},
                "encoding": doubt,
            }
        )
        told = f"Image share {share.value:.2f} ({share.low:.2f} to {share.high:.2f})"
    else:
        told = f"Image share {share.why}"
        body["data"] = rows(x=[0.5])
        body["layer"] = [
            {
                "mark": {"type": "text", "text": "n/a", "fontSize": 13},
                "encoding": {"x": _share_axis("x"), "y": {"datum": 0, "type": "ordinal", "axis": None}},
            }
        ]
    return figure(body, told, 92)


def controls(found: "Published") -> Figure:
    """Image share of the protocol as published, and under every control: a dot a run."""
    names = list(dict.fromkeys(run.control for run in found.runs))
    known = [run for run in found.runs if run.image_share == run.image_share]
    absent = [name for name in names if not any(run.control == name for run in known)]
    place: Spec = {
        "field": "place",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": list(range(len(names)))},
        "axis": {"labelExpr": f"{json.dumps(names)}[datum.value]", "grid": True, "labelLimit": 220},
    }
    dots = {
        "data": rows(place=[names.index(run.control) for run in known], share=[run.image_share for run in known]),
        "mark": {"type": "point", "filled": True, "size": 80, "opacity": 0.8},
        "encoding": {
            "x": _share_axis("share"),
            "y": place,
            "color": {"condition": {"test": "datum.place == 0", "value": AFTER}, "value": NULL},
        },
    }
    words = {
        "data": rows(place=[names.index(name) for name in absent], share=[0.02] * len(absent)),
        "mark": {"type": "text", "text": "n/a: nothing unique", "align": "left"},
        "encoding": {"x": _share_axis("share"), "y": place},
    }
    told = "Image share by control: " + "; ".join(
        f"{name} {', '.join(f'{run.image_share:.2f}' for run in found.of(name))}" for name in names
    )
    return figure({"layer": [dots, *([words] if absent else [])]}, told, 34 * len(names) + 50)


def side_by_side(names: Sequence[str], atoms: Sequence[Sequence[float]]) -> Figure:
    """The atoms of several models stacked, a bar each ([model][atom], bits)."""
    body = {
        "data": rows(
            place=[place for place in range(len(names)) for _ in ATOMS],
            name=[name for name in names for _ in ATOMS],
            atom=list(ATOMS) * len(names),
            order=list(range(4)) * len(names),
            bits=[max(0.0, x) if x == x else 0.0 for row in atoms for x in row],
        ),
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "x": {"field": "bits", "type": "quantitative", "title": "bits", "stack": "zero"},
            "y": {
                "field": "place",
                "type": "ordinal",
                "title": None,
                "axis": {"labelExpr": f"{json.dumps(list(names))}[datum.value]"},
            },
            "color": _color(legend=True),
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [
                {"field": "name", "type": "nominal"},
                {"field": "atom", "type": "nominal"},
                {"field": "bits", "type": "quantitative", "format": ".3f"},
            ],
        },
    }
    told = "Bits: " + "; ".join(
        f"{name} {sum(x for x in row if x == x):.2f}" for name, row in zip(names, atoms, strict=True)
    )
    return figure(body, told, 34 * len(names) + 140)


def _mark(mark: Spec, x: str, x2: str | None = None) -> Spec:
    encoding: Spec = {"x": {"field": x, "type": "quantitative"}}
    if x2:
        encoding["x2"] = {"field": x2}
    return {"mark": mark | {"clip": True}, "encoding": encoding}


def _axes(end: float) -> Spec:
    return {
        "x": {"type": "quantitative", "title": "bits", "scale": {"domain": [0, end], "nice": False}},
        "y": {
            "field": "place",
            "type": "ordinal",
            "title": None,
            "axis": {"labelExpr": f"{json.dumps(ATOMS)}[datum.value]"},
        },
    }


def _color(legend: bool = False) -> Spec:
    scale = {"domain": list(ATOMS), "range": [ATOM_COLORS[atom] for atom in ATOMS]}
    found: Spec = {"field": "atom", "type": "nominal", "scale": scale}
    return found | {"legend": {"columns": 2, "title": None, "orient": "top"} if legend else None}


def _share_axis(field: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False},
        "title": "image share",
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%", "grid": False},
    }


def _short(point: str) -> str:
    return point.removeprefix("after ")
