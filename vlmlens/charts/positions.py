"""Positional encodings: which pair belongs to which axis, what distance does to a score, what was measured of each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vlmlens.charts.figure import AFTER, BEFORE, NULL, QUIET, Figure, figure, rows
from vlmlens.lab.positions import AXES, Pair, Reach

AXIS_COLORS = {"time": NULL, "row": BEFORE, "column": AFTER}
BOARD_LOOKS = {"circle": BEFORE, "square": "#CC79A7", "triangle-up": AFTER}
FEW = 16  # pairs that leave room for their wavelengths


def allocation(pairs: Sequence[Pair]) -> Figure:
    """One cell a pair of dimensions, in the row of its axis; inside, where there is room, its wavelength in patches."""
    place = {
        "x": {
            "field": "pair",
            "type": "ordinal",
            "title": "pair of dimensions, in the head's order",
            "axis": {"labelAngle": 0, "labelOverlap": True},
        },
        "y": {"field": "axis", "type": "nominal", "title": None, "scale": {"domain": list(AXES)}},
    }
    data = rows(
        pair=list(range(1, len(pairs) + 1)),
        axis=[pair.axis for pair in pairs],
        wavelength=[pair.wavelength for pair in pairs],
        words=[f"{pair.wavelength:.0f}" if pair.wavelength >= 10 else f"{pair.wavelength:.1f}" for pair in pairs],
    )
    cells = {
        "mark": {"type": "rect", "cornerRadius": 2},
        "encoding": {
            **place,
            "color": {
                "field": "axis",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": list(AXES), "range": [AXIS_COLORS[axis] for axis in AXES]},
            },
            "opacity": {
                "field": "wavelength",
                "type": "quantitative",
                "legend": None,
                "scale": {"type": "log", "range": [1, 0.25]},
            },
            "tooltip": [
                {"field": "pair", "type": "ordinal"},
                {"field": "axis", "type": "nominal"},
                {"field": "wavelength", "type": "quantitative", "format": ".1f", "title": "wavelength, patches"},
            ],
        },
    }
    layers: list[dict[str, Any]] = [cells]
    if len(pairs) <= FEW:
        text = {"text": {"field": "words", "type": "nominal"}}
        layers.append({"mark": {"type": "text", "fontSize": 12}, "encoding": place | text})
    told = "Wavelengths in patches: " + "; ".join(
        f"{axis} {', '.join(f'{pair.wavelength:.1f}' for pair in pairs if pair.axis == axis) or 'none'}"
        for axis in AXES
    )
    return figure({"data": data, "layer": layers}, told, 170)


def reach_plane(found: Reach, row: int, column: int, title: str, scale: tuple[float, float] = (-1.0, 1.0)) -> Figure:
    """The mean score of every distance, rows down and columns across; the chosen distance is ringed.

    `scale` is what the colors run over: about a true zero, or from zero up.
    """
    count = len(found.offsets)
    axis = {"type": "ordinal", "axis": {"labelAngle": 0, "labelOverlap": True}}
    place = {
        "x": axis | {"field": "column", "title": "columns apart"},
        "y": axis | {"field": "row", "title": "rows apart"},
    }
    data = rows(
        row=[r for r in found.offsets for _ in range(count)],
        column=list(found.offsets) * count,
        score=[float(value) for value in found.mean.ravel()],
    )
    cells = {
        "data": data,
        "mark": {"type": "rect"},
        "encoding": {
            **place,
            "color": {
                "field": "score",
                "type": "quantitative",
                "title": title,
                "legend": {"orient": "right", "title": None, "gradientLength": 200},
                "scale": {"domain": list(scale), "scheme": "redblue" if scale[0] < 0 else "viridis"},
            },
            "tooltip": [
                {"field": "row", "title": "rows apart"},
                {"field": "column", "title": "columns apart"},
                {"field": "score", "type": "quantitative", "format": ".3f", "title": title},
            ],
        },
    }
    ring = {
        "data": rows(row=[row], column=[column]),
        "layer": [  # white around black: seen on every color
            {"mark": {"type": "rect", "fill": None, "stroke": stroke, "strokeWidth": wide}, "encoding": place}
            for stroke, wide in (("#FFFFFF", 5), ("#000000", 2))
        ],
    }
    known = row in found.offsets and column in found.offsets
    told = f"{title} by distance: from {found.mean.min():.2f} to {found.mean.max():.2f}"
    return figure({"layer": [cells, ring] if known else [cells]}, told, 330)


def reach_lines(found: Reach, row: int, column: int, title: str) -> Figure:
    """Along rows and along columns, the mean and the band between the fifth and the ninety-fifth percentile."""
    center = found.offsets.index(0)
    cuts: dict[str, tuple[int | slice, int | slice]] = {"row": (slice(None), center), "column": (center, slice(None))}
    part = range(center, len(found.offsets))

    def column_of(values: Any) -> list[float]:
        return [float(values[cut][i]) for cut in cuts.values() for i in part]

    x = {"field": "apart", "type": "quantitative", "title": "patches apart, along one axis", "axis": {"tickMinStep": 1}}
    y = {"type": "quantitative", "title": title, "scale": {"domain": [-1.0, 1.0]}}
    color = {
        "field": "axis",
        "type": "nominal",
        "scale": {"domain": list(cuts), "range": [AXIS_COLORS[axis] for axis in cuts]},
        "legend": {"symbolOpacity": 1},
    }
    data = rows(
        apart=[found.offsets[i] for _ in cuts for i in part],
        axis=[axis for axis in cuts for _ in part],
        mean=column_of(found.mean),
        low=column_of(found.low),
        high=column_of(found.high),
    )
    band = {
        "mark": {"type": "area", "opacity": 0.18},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": color},
    }
    dash = {"field": "axis", "type": "nominal", "scale": {"domain": list(cuts), "range": [[], [5, 3]]}}
    line = {
        "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 24}},
        "encoding": {
            "x": x,
            "y": y | {"field": "mean"},
            "color": color,
            "strokeDash": dash,
            "tooltip": [
                {"field": "axis", "type": "nominal"},
                {"field": "apart", "type": "quantitative", "title": "patches apart"},
                {"field": "mean", "type": "quantitative", "format": ".3f"},
                {"field": "low", "type": "quantitative", "format": ".3f", "title": "5 % below"},
                {"field": "high", "type": "quantitative", "format": ".3f", "title": "5 % above"},
            ],
        },
    }
    here = {
        "data": rows(apart=[abs(row), abs(column)], axis=["row", "column"]),
        "mark": {"type": "rule", "strokeWidth": 1, "strokeDash": [2, 2]},
        "encoding": {"x": x, "color": color},
    }
    told = f"{title} by distance, " + "; ".join(
        f"along {axis}s {', '.join(f'{found.mean[cut][i]:.2f}' for i in part)}" for axis, cut in cuts.items()
    )
    return figure({"layer": [{"data": data, "layer": [band, line]}, here]}, told, 330)


def encodings(
    found: Mapping[str, Mapping[str, Sequence[float]]],
    intervals: Mapping[str, Mapping[str, tuple[float, float]]],
    chance: float,
) -> Figure:
    """Accuracy of every encoding on every board ([encoding][board]): a dot a seed, the interval of their mean."""
    names, boards = list(found), list(dict.fromkeys(board for own in found.values() for board in own))
    places = [(name, board) for name in names for board in boards]
    dots = [(name, board, value) for name, board in places for value in found[name].get(board, ()) if value == value]
    ends = [(name, board, *intervals[name][board]) for name, board in places if board in intervals.get(name, {})]
    ends = [end for end in ends if end[2] == end[2]]
    absent = [(name, board) for name, board in places if not found[name].get(board)]
    y = {
        "y": {"field": "name", "type": "nominal", "title": None, "scale": {"domain": names}, "axis": {"grid": True}},
        "yOffset": {"field": "board", "type": "nominal", "scale": {"domain": boards, "paddingOuter": 0.4}},
    }
    x = {
        "type": "quantitative",
        "title": "accuracy",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]},
    }
    looks = list(BOARD_LOOKS.items())[: len(boards)]
    color = {"field": "board", "type": "nominal", "scale": {"domain": boards, "range": [look[1] for look in looks]}}
    shape = {"field": "board", "type": "nominal", "scale": {"domain": boards, "range": [look[0] for look in looks]}}
    points = {
        "data": rows(name=[d[0] for d in dots], board=[d[1] for d in dots], accuracy=[d[2] for d in dots]),
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.85},
        "encoding": {
            **y,
            "x": x | {"field": "accuracy"},
            "color": color,
            "shape": shape,
            "tooltip": [
                {"field": "name", "type": "nominal", "title": "positions"},
                {"field": "board", "type": "nominal"},
                {"field": "accuracy", "type": "quantitative", "format": ".1%"},
            ],
        },
    }
    whiskers = {
        "data": rows(
            name=[e[0] for e in ends], board=[e[1] for e in ends], low=[e[2] for e in ends], high=[e[3] for e in ends]
        ),
        "mark": {"type": "rule", "strokeWidth": 2, "color": QUIET},
        "encoding": {**y, "x": x | {"field": "low"}, "x2": {"field": "high"}},
    }
    words = {
        "data": rows(name=[a[0] for a in absent], board=[a[1] for a in absent], at=[0.01] * len(absent)),
        "mark": {"type": "text", "text": "n/a", "align": "left", "fontSize": 10},
        "encoding": {**y, "x": x | {"field": "at"}},
    }
    guess = {
        "data": {"values": [{"chance": chance}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": QUIET},
        "encoding": {
            "x": x | {"field": "chance"},
            "tooltip": [{"field": "chance", "type": "quantitative", "format": ".0%", "title": "without looking"}],
        },
    }
    layers = [guess, *([whiskers] if ends else []), *([points] if dots else []), *([words] if absent else [])]
    told = f"Accuracy, {json.dumps(round(chance, 2))} without looking: " + "; ".join(
        f"{name} {board} {', '.join(f'{v:.2f}' for v in found[name][board])}"
        for name, board in places
        if found[name].get(board)
    )
    return figure({"layer": layers}, told, 58 * len(names) + 70)
