"""The causal check on one probability axis: before, hidden, and the same shape hidden elsewhere."""

from vlmlens.attention import CausalCheck
from vlmlens.charts.figure import AFTER, BEFORE, NULL, Figure, figure, rows

KINDS = ("before", "region hidden", "hidden elsewhere")
LINE = "M0,-1.4L0,1.4"  # an upright stroke, as a Vega symbol


def causal(check: CausalCheck) -> Figure:
    """Grey: the answer's probability with each other place hidden, and the interval of their mean."""
    others = len(check.elsewhere)
    axis = {
        "field": "probability",
        "type": "quantitative",
        "title": f"probability of “{check.answer}”",
        "scale": {"domain": [-0.03, 1.03], "nice": False},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2~f"},
    }
    # Dots are spread in height so that equal values stay visible.
    heights = [0.24 * (i % 5 - 2) / 2 for i in range(others)] + [0.0, 0.0]
    points = {
        "data": rows(
            probability=[*check.elsewhere, check.before, check.after],
            height=heights,
            kind=[KINDS[2]] * others + list(KINDS[:2]),
        ),
        "mark": {"type": "point", "filled": True, "opacity": 0.9, "strokeWidth": 3},
        "encoding": {
            "x": axis,
            "y": {"field": "height", "type": "quantitative", "scale": {"domain": [-0.5, 0.5]}, "axis": None},
            "color": {"field": "kind", "type": "nominal", "scale": _scale(BEFORE, AFTER, NULL)},
            "stroke": {"field": "kind", "type": "nominal", "scale": _scale(BEFORE, AFTER, "transparent")},
            "shape": {"field": "kind", "type": "nominal", "scale": _scale(LINE, "diamond", "circle")},
            "size": {"field": "kind", "type": "nominal", "scale": _scale(260, 150, 30)},
            "tooltip": [
                {"field": "kind", "type": "nominal"},
                {"field": "probability", "type": "quantitative", "format": ".3f"},
            ],
        },
    }
    low, high = check.interval
    band = {
        "data": rows(low=[low], high=[high]),
        "mark": {"type": "rect", "color": NULL, "opacity": 0.3},
        "encoding": {
            "x": axis | {"field": "low"},
            "x2": {"field": "high"},
            "y": {"datum": -0.32, "type": "quantitative", "axis": None},
            "y2": {"datum": 0.32},
        },
    }
    told = f"Probability of {check.answer}: before {check.before:.3f}, with the region hidden {check.after:.3f}"
    if others:
        told += f", with the same shape hidden elsewhere {low:.3f} to {high:.3f}"
    return figure({"layer": [*([band] if others else []), points]}, told, 142)


def _scale(*values: object) -> dict[str, object]:
    return {"domain": list(KINDS), "range": list(values)}
