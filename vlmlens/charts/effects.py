"""What hiding each word, and each part of the picture, costs an answer, before and after."""

import json

from vlmlens.charts.figure import AFTER, BEFORE, QUIET, Figure, figure, rows
from vlmlens.counterfactual import EffectChange

RUNS = ("before", "after")
ROW = 30  # pixels a part


def effects(result: EffectChange) -> Figure:
    """Two bars a part: right, what the answer loses without it; left, what it gains."""
    names = json.dumps([pair.name for pair in result.pairs])
    parts = list(range(len(result.pairs)))
    rival = f" against “{result.against}”" if result.against else ""
    nan = float("nan")
    values = [nan if value is None else value for pair in result.pairs for value in (pair.before, pair.after)]
    body = {
        "data": rows(
            part=[part for part in parts for _ in RUNS],
            name=[pair.name for pair in result.pairs for _ in RUNS],
            run=[run for _ in parts for run in RUNS],
            effect=values,
        ),
        "layer": [
            {
                "mark": "bar",
                "encoding": {
                    # By number: a word can stand in a question twice.
                    "y": {
                        "field": "part",
                        "type": "ordinal",
                        "title": None,
                        "scale": {"domain": parts, "paddingInner": 0.25},
                        "axis": {"labelExpr": f"{names}[datum.value]"},
                    },
                    "yOffset": {"field": "run", "type": "nominal", "scale": {"domain": list(RUNS)}},
                    "x": {
                        "field": "effect",
                        "type": "quantitative",
                        "title": f"what “{result.answer}”{rival} loses when this is hidden, nats",
                    },
                    "color": {
                        "field": "run",
                        "type": "nominal",
                        "scale": {"domain": list(RUNS), "range": [BEFORE, AFTER]},
                    },
                    "tooltip": [
                        {"field": "name", "type": "nominal", "title": "hidden"},
                        {"field": "run", "type": "nominal"},
                        {"field": "effect", "type": "quantitative", "format": "+.3f", "title": "loss, nats"},
                    ],
                },
            },
            {
                "data": rows(zero=[0]),
                "mark": {"type": "rule", "color": QUIET},
                "encoding": {"x": {"field": "zero", "type": "quantitative"}},
            },
        ],
    }
    return figure(body, f"Effects of words and parts of the picture. {result.sentence()}", ROW * len(parts) + 60)
