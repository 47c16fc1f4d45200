"""How far layers look apart: Hellinger distances of their maps, with the pair that contrast took."""

import json

from vlmlens.attention import Contrast
from vlmlens.charts.figure import AFTER, Figure, figure, rows

HEIGHT = 250


def distances(result: Contrast) -> Figure:
    """Every pair of layers; framed: the early and the late one."""
    places = range(len(result.labels))
    short = [label.split(":")[0].removeprefix("layer ") for label in result.labels]
    numbers = f"{json.dumps(short)}[datum.value]"
    pairs = [(one, other) for one in places for other in places]

    def axis(field: str, title: str) -> dict[str, object]:
        look = {"labelAngle": 0, "labelOverlap": True, "labelExpr": numbers, "grid": False}
        scale = {"domain": list(places), "padding": 0}
        return {"field": field, "type": "ordinal", "title": title, "scale": scale, "axis": look}

    across, down = axis("late", "late layer"), axis("early", "early layer")
    squares = {
        "data": rows(
            early=[one for one, _ in pairs],
            late=[other for _, other in pairs],
            distance=[float(result.distances[pair]) for pair in pairs],
            names=[f"{result.labels[one]} and {result.labels[other]}" for one, other in pairs],
        ),
        "mark": {"type": "rect"},
        "encoding": {
            "x": across,
            "y": down,
            "color": {
                "field": "distance",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "scheme": "viridis"},
                "legend": {"title": "Hellinger distance", "gradientLength": 120},
            },
            "tooltip": [
                {"field": "names", "type": "nominal", "title": "layers"},
                {"field": "distance", "type": "quantitative", "format": ".3f"},
            ],
        },
    }
    chosen = {
        "data": rows(early=[result.early], late=[result.late]),
        "mark": {"type": "rect", "filled": False, "stroke": AFTER, "strokeWidth": 3},
        "encoding": {"x": across, "y": down},
    }
    far = float(result.distances[result.early, result.late])
    told = (
        f"Hellinger distances between layers; {result.labels[result.early]} and {result.labels[result.late]}: {far:.2f}"
    )
    return figure({"layer": [squares, chosen]}, told, HEIGHT)
