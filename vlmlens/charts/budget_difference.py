"""How a budget changed: the difference of each segment's share, layer by layer."""

import json

from vlmlens.charts.figure import SEGMENT_COLORS, Figure, figure, rows
from vlmlens.counterfactual import BudgetChange

HEIGHT = 212


def budget_difference(result: BudgetChange) -> Figure:
    """Bars up where a segment gained, down where it lost; of each layer they add up to nothing."""
    words = [segment.word for segment in result.segments]
    numbers = json.dumps([label.split(":")[0].removeprefix("layer ") for label in result.labels])
    places = list(range(len(result.labels)))
    body = {
        "data": rows(
            place=[place for place in places for _ in words],
            layer=[label for label in result.labels for _ in words],
            segment=words * len(result.labels),
            difference=result.difference.ravel().tolist(),
            before=result.before.ravel().tolist(),
            after=result.after.ravel().tolist(),
        ),
        "mark": "bar",
        "encoding": {
            "xOffset": {"field": "segment", "type": "nominal", "scale": {"domain": words}},
            "color": {
                "field": "segment",
                "type": "nominal",
                "scale": {"domain": words, "range": [SEGMENT_COLORS[s] for s in result.segments]},
            },
            "x": {
                "field": "place",
                "type": "ordinal",
                "title": "layer",
                "scale": {"domain": places},
                "axis": {"labelAngle": 0, "labelOverlap": True, "labelExpr": f"{numbers}[datum.value]"},
            },
            "y": {"field": "difference", "type": "quantitative", "title": f"change of the {result.ruler}"},
            "tooltip": [
                {"field": "layer", "type": "nominal"},
                {"field": "segment", "type": "nominal"},
                {"field": "before", "type": "quantitative", "format": ".3f"},
                {"field": "after", "type": "quantitative", "format": ".3f"},
                {"field": "difference", "type": "quantitative", "format": "+.3f"},
            ],
        },
    }
    return figure(body, f"Change of the {result.ruler} by layer and segment", HEIGHT)
