"""Which maps find the object: hits of the hottest patch, method by method, against chance."""

from vlmlens.attribution.ground_truth import GroundTruth
from vlmlens.charts.figure import BEFORE, QUIET, Figure, Spec, figure, rows

ROW = 24  # pixels a method


def pointing(table: GroundTruth, model: str) -> Figure:
    """Share of questions whose hottest patch lies on what was asked about, with 95 % intervals; line: chance."""
    found = sorted((row for row in table.rows if row.model == model), key=lambda row: -row.shown.pointing.value)
    names = [row.method for row in found]
    x: Spec = {
        "field": "hits",
        "type": "quantitative",
        "title": "hottest patch on what was asked about",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "tickCount": 5},
    }
    y: Spec = {"field": "method", "type": "nominal", "title": None, "sort": names, "axis": {"labelLimit": 200}}
    data = rows(
        method=names,
        hits=[row.shown.pointing.value for row in found],
        low=[row.shown.pointing.low for row in found],
        high=[row.shown.pointing.high for row in found],
        area=[row.shown.auc.value for row in found],
        questions=[row.shown.n for row in found],
    )
    whiskers: Spec = {
        "mark": {"type": "rule", "strokeWidth": 2, "color": BEFORE},
        "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
    }
    points: Spec = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": BEFORE},
        "encoding": {
            "x": x,
            "y": y,
            "tooltip": [
                {"field": "method", "type": "nominal"},
                {"field": "hits", "type": "quantitative", "format": ".1%"},
                {"field": "low", "type": "quantitative", "format": ".1%"},
                {"field": "high", "type": "quantitative", "format": ".1%"},
                {"field": "area", "type": "quantitative", "format": ".2f", "title": "area under the ROC curve"},
                {"field": "questions", "type": "quantitative"},
            ],
        },
    }
    chance: Spec = {
        "data": rows(chance=[table.chance]),
        "mark": {"type": "rule", "color": QUIET, "strokeDash": [4, 3]},
        "encoding": {"x": x | {"field": "chance"}},
    }
    told = f"Hits on {model}: " + ", ".join(f"{row.method} {row.shown.pointing.value:.2f}" for row in found)
    return figure({"data": data, "layer": [chance, whiskers, points]}, told, 60 + ROW * len(found))
