"""Answers before and after, two bars each, with the best ones marked."""

import json
import math

from vlmlens.charts.figure import AFTER, BEFORE, Figure, figure, rows
from vlmlens.counterfactual import AnswerChange

RUNS = ("before", "after")
MOST = 6  # answers
MARK = " ◂ best"  # behind the number of the answer that a run gives


def paired_answers(result: AnswerChange) -> Figure:
    """The most probable answers of two runs; a flip shows as the mark on two different answers."""
    best = {"before": result.before.candidate, "after": result.after.candidate}
    pairs = result.pairs[:MOST]  # which begin with the best of both runs
    values = [value for pair in pairs for value in (pair.before, pair.after)]
    leads = [best[run] == pair.candidate for pair in pairs for run in RUNS]
    count = len(pairs)
    names = json.dumps([pair.text for pair in pairs])
    body = {
        "data": rows(
            rank=[rank for rank in range(count) for _ in RUNS],
            answer=[pair.text for pair in pairs for _ in RUNS],
            run=list(RUNS) * count,
            probability=values,
            told=["" if math.isnan(v) else f"{v:.3f}" + MARK * lead for v, lead in zip(values, leads, strict=True)],
        ),
        "encoding": {
            # By rank: two tokens can read alike, and are still two answers.
            "y": {
                "field": "rank",
                "type": "ordinal",
                "title": None,
                "axis": {"labelExpr": f"{names}[datum.value]"},
                "scale": {"paddingInner": 0.25},
            },
            "yOffset": {"field": "run", "type": "nominal", "scale": {"domain": list(RUNS)}},
            "x": {
                "field": "probability",
                "type": "quantitative",
                "scale": {"domain": [0, 1.3]},  # with room for the number and the mark
                "title": None,
                "axis": {"values": [0, 0.5, 1], "format": ".2~f"},
            },
            "tooltip": [
                {"field": "answer", "type": "nominal"},
                {"field": "run", "type": "nominal"},
                {"field": "probability", "type": "quantitative", "format": ".4f"},
            ],
        },
        "layer": [
            {
                "mark": "bar",
                "encoding": {
                    "color": {
                        "field": "run",
                        "type": "nominal",
                        "scale": {"domain": list(RUNS), "range": [BEFORE, AFTER]},
                    }
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 10},
                "encoding": {"text": {"field": "told", "type": "nominal"}},
            },
        ],
    }
    return figure(body, f"Answers before and after. {result.sentence()}", 34 * count + 46)
