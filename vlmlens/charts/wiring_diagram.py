"""A wiring as it was found in the modules: streams as lanes, layers as columns, an edge from what is read to who reads.

An edge has the color of the stream that it comes from. Under each runs a wider grey one, so that yellow is seen on
white too; it ends level, so that its arrowhead needs no turning.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from vlmlens.charts.figure import QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.lab.diagram import Attention, Diagram
from vlmlens.lab.fusion import Part
from vlmlens.trace import Segment

PART_COLORS: Mapping[Part, str] = {
    "image": SEGMENT_COLORS[Segment.IMAGE],
    "question": SEGMENT_COLORS[Segment.QUESTION],
    "latents": SEGMENT_COLORS[Segment.LATENT],
}
ANSWER = SEGMENT_COLORS[Segment.ANSWER]
PEOPLE_SAY: Mapping[Part, str] = {"image": "picture", "question": "words", "latents": "latents"}
BENDS = 12  # points along an edge
GAP = 0.13  # of a column, left free before and behind a node


def wiring_diagram(found: Diagram) -> Figure:
    """The diagram; hover an edge for its module, heads, sizes and gates."""
    lanes = list(found.lanes)
    place = {part: float(row) for row, part in enumerate(lanes)}
    answer = (len(lanes) - 1) / 2  # the answer stands beside the lanes, in their middle
    columns = found.layers + 2  # the states that enter each layer, those that leave the last, the answer
    across: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [-0.25, columns - 0.75], "nice": False},
        "axis": {
            "orient": "top",
            "grid": False,
            "values": [column + 0.5 for column in range(columns - 1)],
            "labelExpr": f"{json.dumps([*(f'layer {n + 1}' for n in range(found.layers)), 'readout'])}[datum.value-.5]",
            "labelOverlap": False,
        },
    }
    down: Spec = {
        "field": "y",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [len(lanes) - 0.5, -0.5], "nice": False},
        "axis": {
            "grid": False,
            "values": list(range(len(lanes))),
            "labelExpr": f"{json.dumps([[PEOPLE_SAY[p], str(found.lanes[p])] for p in lanes])}[datum.value]",
        },
    }
    edges = [_edge(n, found, attention, place, answer) for n, attention in enumerate(found.attentions)]
    paths = [point for edge in edges for point in edge]
    tips = [point for point in paths if point["step"] == BENDS]
    gated = [point for point in paths if point["step"] == BENDS // 2 and point["gate"]]
    color: Spec = {
        "field": "keys",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": lanes, "range": [PART_COLORS[part] for part in lanes]},
    }
    told = [
        {"field": "says", "type": "nominal", "title": "looks"},
        {"field": "module", "type": "nominal"},
        {"field": "heads", "type": "nominal", "title": "heads x width"},
        {"field": "sizes", "type": "nominal", "title": "queries x keys"},
        {"field": "gates", "type": "nominal", "title": "gates (attention, feed-forward)"},
    ]
    line: Spec = {"x": across, "y": down, "detail": {"field": "edge"}, "order": {"field": "step"}}
    nodes = [(float(column), place[part], part) for column in range(columns - 1) for part in lanes]
    layers = [
        {  # what a stream carries on whoever looks
            "data": rows(x=[0.0] * len(lanes), x2=[float(columns - 2)] * len(lanes), y=list(place.values())),
            "mark": {"type": "rule", "color": QUIET, "strokeDash": [1, 4], "strokeWidth": 1.5},
            "encoding": {"x": across, "x2": {"field": "x2"}, "y": down},
        },
        {"data": {"values": paths}, "mark": _line(5, QUIET), "encoding": line},
        {"data": {"values": paths}, "mark": _line(3), "encoding": line | {"color": color, "tooltip": told}},
        {
            "data": {"values": tips},
            "mark": {"type": "point", "shape": "triangle-right", "size": 130, "filled": True, "opacity": 1}
            | {"stroke": QUIET, "strokeWidth": 1, "xOffset": -3},
            "encoding": {"x": across, "y": down, "color": color, "tooltip": told},
        },
        {
            "data": rows(
                x=[x for x, _, _ in nodes],
                y=[y for _, y, _ in nodes],
                keys=[part for _, _, part in nodes],
                positions=[found.lanes[part] for _, _, part in nodes],
                stream=[PEOPLE_SAY[part] for _, _, part in nodes],
            ),
            "mark": {"type": "point", "size": 170, "filled": True, "opacity": 1, "stroke": QUIET, "strokeWidth": 1.5},
            "encoding": {
                "x": across,
                "y": down,
                "color": color,
                "tooltip": [{"field": "stream", "type": "nominal"}, {"field": "positions", "type": "quantitative"}],
            },
        },
        {
            "data": rows(x=[float(columns - 1)], y=[answer], words=["answer"], answers=[found.answers]),
            "mark": {"type": "point", "shape": "square", "size": 230, "filled": True, "opacity": 1, "color": ANSWER},
            "encoding": {"x": across, "y": down, "tooltip": [{"field": "answers", "type": "quantitative"}]},
        },
        {
            "data": rows(x=[float(columns - 1)], y=[answer], words=["answer"]),
            "mark": {"type": "text", "dy": 22},
            "encoding": {"x": across, "y": down, "text": {"field": "words"}},
        },
    ]
    if gated:
        layers.append(
            {
                "data": {"values": gated},
                "mark": {"type": "text", "dx": 34, "fontSize": 12},
                "encoding": {"x": across, "y": down, "text": {"field": "gate"}},
            }
        )
    return figure({"layer": layers}, f"Wiring, read from the modules: {found.sentence()}", 60 + 64 * len(lanes))


def _line(width: float, color: str | None = None) -> Spec:
    return {"type": "line", "strokeWidth": width, "strokeCap": "round"} | ({"color": color} if color else {})


def _edge(
    number: int, found: Diagram, attention: Attention, place: Mapping[Part, float], answer: float
) -> list[dict[str, Any]]:
    """The points of all edges of one attention: from the lanes it reads to the lanes that it writes."""
    points = []
    for group in attention.groups:
        for key in group.keys:
            for query in attention.queries or (None,):
                end = answer if query is None else place[query]
                heads = f"{group.heads} x {attention.head_width}"
                gates = "none" if attention.gates is None else ", ".join(f"{gate:.3f}" for gate in attention.gates)
                facts = {
                    "edge": f"{number}-{key}-{query}",
                    "keys": key,
                    "says": f"{'the answer' if query is None else PEOPLE_SAY[query]} at {PEOPLE_SAY[key]}",
                    "module": attention.module,
                    "heads": heads,
                    "sizes": f"{attention.rows} x {group.positions}",
                    "gates": gates,
                    "gate": "" if attention.gates is None else f"gate {attention.gates[0]:.2f}",
                }
                for step in range(BENDS + 1):
                    along = step / BENDS
                    bent = (1 - math.cos(math.pi * along)) / 2
                    points.append(
                        facts
                        | {
                            "step": step,
                            "x": attention.layer + GAP + (1 - 2 * GAP) * along,
                            "y": place[key] + (end - place[key]) * bent,
                        }
                    )
    return points
