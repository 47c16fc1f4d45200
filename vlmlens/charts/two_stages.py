"""The two stages of a Q-Former: accuracies of the variants over seeds, and what was lost on the way."""

import json
from collections.abc import Sequence

from vlmlens.charts.figure import AFTER, BEFORE, QUIET, Figure, Spec, figure, rows
from vlmlens.lab.two_stages import Found
from vlmlens.lab.two_stages_found import Summary

LOOKS = ("#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
BOUNDS = ("true description", "no description")


def variants(found: Sequence[Summary]) -> Figure:
    """A row a variant: a dot a seed, the mean as a line with its 95 % interval; bounds in another colour."""
    names = [row.variant for row in found]
    axis: Spec = {
        "type": "quantitative",
        "title": "accuracy on held-out pictures",
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"},
    }
    place: Spec = {
        "field": "place",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": list(range(len(names)))},
        "axis": {"labelExpr": f"{json.dumps(names)}[datum.value]", "grid": True, "labelLimit": 260},
    }
    kinds = ["what the reader is given", "a bound"]
    colour: Spec = {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": [AFTER, BEFORE]}}
    dots = [(i, value, row) for i, row in enumerate(found) for value in row.accuracies]

    def kind(row: Summary) -> str:
        return kinds[row.variant in BOUNDS]

    points: Spec = {
        "data": rows(
            place=[i for i, _, _ in dots],
            accuracy=[value for _, value, _ in dots],
            variant=[row.variant for _, _, row in dots],
            kind=[kind(row) for _, _, row in dots],
        ),
        "mark": {"type": "point", "filled": True, "size": 80, "opacity": 0.8},
        "encoding": {
            "x": axis | {"field": "accuracy"},
            "y": place,
            "color": colour,
            "shape": {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": ["circle", "diamond"]}},
            "tooltip": [
                {"field": "variant", "type": "nominal"},
                {"field": "accuracy", "type": "quantitative", "format": ".1%"},
            ],
        },
    }
    known = [(i, row) for i, row in enumerate(found) if row.low == row.low]
    whiskers: Spec = {
        "data": rows(place=[i for i, _ in known], low=[r.low for _, r in known], high=[r.high for _, r in known]),
        "mark": {"type": "rule", "strokeWidth": 2, "color": QUIET},
        "encoding": {"x": axis | {"field": "low"}, "x2": {"field": "high"}, "y": place},
    }
    told = "Accuracy by variant: " + "; ".join(f"{row.variant} {row.mean:.2f}" for row in found)
    return figure({"layer": [*([whiskers] if known else []), points]}, told, 32 * len(names) + 80)


def learning(runs: Sequence[Found], curves: Sequence[str], value: str, title: str, height: int = 210) -> Figure:
    """One value over the steps of these curves, a line a seed; several curves are told apart by colour."""
    points = [
        (name, run.seed, step, level)
        for name in curves
        for run in runs
        if name in run.curves and value in run.curves[name].values
        for step, level in zip(run.curves[name].steps, run.curves[name].values[value], strict=True)
    ]
    present = [name for name in curves if any(point[0] == name for point in points)]
    body: Spec = {
        "data": rows(
            curve=[point[0] for point in points],
            seed=[f"seed {point[1]}" for point in points],
            step=[point[2] for point in points],
            value=[point[3] for point in points],
        ),
        "mark": {"type": "line", "strokeWidth": 1.8, "opacity": 0.85, "point": {"size": 14}},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step", "axis": {"tickCount": 5}},
            "y": {"field": "value", "type": "quantitative", "title": title, "scale": {"domainMin": 0}},
            "detail": {"field": "seed", "type": "nominal"},
            "color": {
                "field": "curve",
                "type": "nominal",
                "scale": {"domain": present, "range": [LOOKS[i % len(LOOKS)] for i in range(len(present))]},
                "legend": {"columns": 1, "labelLimit": 320} if len(present) > 1 else None,
            },
            "strokeDash": {
                "field": "curve",
                "type": "nominal",
                "scale": {"domain": present, "range": [[1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3]]},
                "legend": None,
            },
            "tooltip": [
                {"field": "curve", "type": "nominal"},
                {"field": "seed", "type": "nominal"},
                {"field": "step", "type": "quantitative"},
                {"field": "value", "type": "quantitative", "format": ".3f", "title": title},
            ],
        },
    }
    ends = {name: [point[3] for point in points if point[0] == name][-1] for name in present}
    told = f"{value}, {title}, at the end: " + "; ".join(f"{name} {level:.2f}" for name, level in ends.items())
    return figure(body, told, height + (22 * len(present) if len(present) > 1 else 0))
