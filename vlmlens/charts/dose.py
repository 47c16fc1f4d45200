"""Dose and response: probability by strength, with the flips between their two strengths."""

from vlmlens.charts.figure import AFTER, BEFORE, NULL, Figure, Spec, figure, rows
from vlmlens.counterfactual import Dose

HEIGHT = 230
LINES = ("the first answer", "the best answer there")


def dose(result: Dose) -> Figure:
    """What is known so far; the axes are those of the whole curve, so that it fills in and does not jump."""
    count = len(result.strengths)
    strengths = result.strengths.tolist()
    data = rows(
        strength=strengths * 2,
        line=[LINES[0]] * count + [LINES[1]] * count,
        answer=[result.answer] * count + list(result.best),
        probability=[*result.probability.tolist(), *result.best_probability.tolist()],
    )
    x: Spec = {"field": "strength", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "strength"}
    y: Spec = {"field": "probability", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "probability"}
    curves = {
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": x,
            "y": y,
            "color": {"field": "line", "type": "nominal", "scale": {"domain": list(LINES), "range": [BEFORE, AFTER]}},
            "strokeDash": {"field": "line", "type": "nominal", "scale": {"domain": list(LINES), "range": [[], [4, 3]]}},
            "tooltip": [
                {"field": "strength", "type": "quantitative", "format": ".3f"},
                {"field": "answer", "type": "nominal"},
                {"field": "probability", "type": "quantitative", "format": ".4f"},
            ],
        },
    }
    flips = {
        "data": rows(
            low=[flip.low for flip in result.flips],
            high=[flip.high for flip in result.flips],
            told=[f"{flip.before} → {flip.after}" for flip in result.flips],
        ),
        "mark": {"type": "rect", "color": NULL, "opacity": 0.35},
        "encoding": {
            "x": x | {"field": "low"},
            "x2": {"field": "high"},
            "tooltip": [{"field": "told", "type": "nominal", "title": "the answer changes"}],
        },
    }
    body = {"data": data, "layer": [*([flips] if result.flips else []), curves]}
    return figure(body, f"Probability by strength. {result.sentence()}", HEIGHT)
