"""The most probable answers as bars."""

import json

from vlmlens.charts.figure import NULL, SEGMENT_COLORS, Figure, figure, rows
from vlmlens.trace import Segment, Trace


def answers(trace: Trace, most: int = 4) -> Figure:
    """Answers with their probabilities, the most probable on top; the axis is always 0 to 1."""
    shown = trace.answers[:most]
    first = [True] + [False] * (len(shown) - 1)
    body = {
        "data": rows(
            rank=list(range(len(shown))),
            answer=[a.text for a in shown],
            probability=[a.probability for a in shown],
            first=first,
        ),
        "encoding": {
            # By rank: two tokens can read alike, and are still two answers.
            "y": {
                "field": "rank",
                "type": "ordinal",
                "title": None,
                "axis": {"labelExpr": f"{json.dumps([a.text for a in shown])}[datum.value]"},
            },
            "x": {
                "field": "probability",
                "type": "quantitative",
                "scale": {"domain": [0, 1.12]},
                "title": None,
                "axis": {"values": [0, 0.5, 1], "format": ".2~f"},
            },
            "tooltip": [
                {"field": "answer", "type": "nominal"},
                {"field": "probability", "type": "quantitative", "format": ".4f"},
            ],
        },
        "layer": [
            {
                "mark": "bar",
                "encoding": {
                    "color": {
                        "condition": {"test": "datum.first", "value": SEGMENT_COLORS[Segment.ANSWER]},
                        "value": NULL,
                    }
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"field": "probability", "type": "quantitative", "format": ".3f"}},
            },
        ],
    }
    told = "Answers and their probabilities: " + ", ".join(f"{a.text} {a.probability:.3f}" for a in shown)
    return figure(body, told, 24 * len(shown) + 22)
