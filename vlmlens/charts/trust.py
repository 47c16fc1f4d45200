"""Deletion and insertion: what taking patches away and putting them back does, for a map and for random ones."""

from typing import TYPE_CHECKING

import numpy as np

from vlmlens.charts.figure import AFTER, BEFORE, NULL, Figure, Spec, figure, rows

if TYPE_CHECKING:
    from vlmlens.attribution.faithfulness import Trust

HEIGHT = 230
WAYS = ("taken away, hottest first", "put back, hottest first")


def curves(result: "Trust") -> Figure:
    """The probability of the answer, mean over ways to remove a patch; grey: 95 of 100 random maps as smooth."""
    curves = result.curves
    both = [values.mean(axis=1) for values in (curves.deletion, curves.insertion)]  # [map, step] each
    bands = [np.quantile(values[1:], (0.025, 0.975), axis=0) for values in both]
    steps = len(curves.shares)
    data = rows(
        way=[way for way in WAYS for _ in range(steps)],
        share=curves.shares.tolist() * 2,
        probability=np.concatenate([values[0] for values in both]).tolist(),
        low=np.concatenate([band[0] for band in bands]).tolist(),
        high=np.concatenate([band[1] for band in bands]).tolist(),
    )
    x: Spec = {
        "field": "share",
        "type": "quantitative",
        "title": "share of the patches",
        "axis": {"format": ".0%", "tickCount": 5},
    }
    y: Spec = {
        "field": "probability",
        "type": "quantitative",
        "title": f"probability of “{result.check.answer}”",
        "scale": {"domain": [0, 1]},
    }
    colour: Spec = {"field": "way", "type": "nominal", "scale": {"domain": list(WAYS), "range": [AFTER, BEFORE]}}
    tooltip = [
        {"field": "share", "type": "quantitative", "format": ".0%", "title": "share of the patches"},
        {"field": "probability", "type": "quantitative", "format": ".3f", "title": "this map"},
        {"field": "low", "type": "quantitative", "format": ".3f", "title": "random maps, 2.5 %"},
        {"field": "high", "type": "quantitative", "format": ".3f", "title": "random maps, 97.5 %"},
    ]
    band: Spec = {
        "mark": {"type": "area", "color": NULL, "opacity": 0.25},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "detail": {"field": "way"}},
    }
    line: Spec = {
        "mark": {"type": "line", "point": True},
        "encoding": {"x": x, "y": y, "color": colour, "tooltip": tooltip},
    }
    told = f"Deletion and insertion curves of the map and of {result.draws} random ones: {result.verdict}"
    return figure({"data": data, "layer": [band, line]}, told, HEIGHT)
