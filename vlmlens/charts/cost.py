"""What passes cost, by part, one bar each; and what the lab's accuracy is where as large a share of tokens is kept."""

from collections.abc import Mapping, Sequence

from vlmlens.charts.figure import QUIET, SEGMENT_COLORS, Figure, Spec, figure, named_rows, rows
from vlmlens.lab.cards import Estimate
from vlmlens.tokens.cost import PARTS, Cost
from vlmlens.trace import Segment

TERA = 1e12
COLORS = dict(zip(PARTS, ("#E69F00", "#F0E442", "#56B4E9", "#D55E00", "#0072B2", "#999999"), strict=True))
ANSWER = SEGMENT_COLORS[Segment.ANSWER]
BAR, LEGEND, AXIS = 34, 84, 60  # pixels


def cost_parts(costs: Mapping[str, Cost], tall: int = BAR) -> Figure:
    """Operations of each cost, in TFLOP, its parts one after the other."""
    names = list(costs)
    cells = [(place, part) for place, name in enumerate(names) for part in PARTS if part in costs[name].flops]
    flops = [costs[names[place]].flops[part] for place, part in cells]
    data = rows(
        place=[place for place, _ in cells],
        name=[names[place] for place, _ in cells],
        part=[part for _, part in cells],
        order=[PARTS.index(part) for _, part in cells],
        tera=[value / TERA for value in flops],
        share=[value / costs[names[place]].total for value, (place, _) in zip(flops, cells, strict=True)],
    )
    encoding: Spec = {
        "y": named_rows(names, labelLimit=220),
        "x": {
            "field": "tera",
            "type": "quantitative",
            "stack": "zero",
            "title": "operations of one pass, TFLOP",
            "axis": {"format": "~g", "tickCount": 6},
        },
        "color": {
            "field": "part",
            "type": "nominal",
            "scale": {"domain": list(PARTS), "range": [COLORS[part] for part in PARTS]},
            "legend": {"columns": 2, "symbolType": "square"},
        },
        "order": {"field": "order", "type": "quantitative"},
        "tooltip": [
            {"field": "name", "type": "nominal", "title": "pass"},
            {"field": "part", "type": "nominal"},
            {"field": "tera", "type": "quantitative", "format": ".4~g", "title": "TFLOP"},
            {"field": "share", "type": "quantitative", "format": ".1%", "title": "of this pass"},
        ],
    }
    told = "; ".join(
        f"{name} {cost.total / TERA:.3g} TFLOP, of which "
        + ", ".join(f"{part} {value / cost.total:.0%}" for part, value in cost.flops.items())
        for name, cost in costs.items()
    )
    body = {"data": data, "mark": {"type": "bar", "stroke": "#00000030"}, "encoding": encoding}
    return figure(body, f"Operations of one pass by part: {told}", tall * len(names) + LEGEND + AXIS)


def scaled_accuracy(found: Sequence[tuple[str, Estimate | None]], floor: float, tall: int = BAR) -> Figure:
    """The lab's accuracy at the share of tokens that each named budget keeps; none where it was not measured so."""
    names = [name for name, _ in found]
    known = [(place, each) for place, (_, each) in enumerate(found) if each is not None]
    across: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": "accuracy in the lab, at the same share of tokens",
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"},
    }
    down = named_rows(names, labelLimit=220)
    data = rows(
        place=[place for place, _ in known],
        name=[names[place] for place, _ in known],
        value=[each.value for _, each in known],
        low=[each.low for _, each in known],
        high=[each.high for _, each in known],
        interval=[str(each) for _, each in known],
    )
    tooltip = [{"field": "name", "type": "nominal", "title": "budget"}, {"field": "interval", "type": "nominal"}]
    layers: list[Spec] = [
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "color": QUIET, "strokeDash": [3, 3]},
            "encoding": {"x": {"datum": floor}},
        },
        {
            "data": data,
            "mark": {"type": "rule", "strokeWidth": 3, "color": QUIET},
            "encoding": {"x": across | {"field": "low"}, "x2": {"field": "high"}, "y": down},
        },
        {
            "data": data,
            "mark": {
                "type": "point",
                "filled": True,
                "size": 90,
                "opacity": 1,
                "color": SEGMENT_COLORS[Segment.ANSWER],
            },
            "encoding": {"x": across, "y": down, "tooltip": tooltip},
        },
    ]
    told = ", ".join(f"{name} {each if each is not None else 'not measured'}" for name, each in found)
    return figure({"layer": layers}, f"Accuracy in the lab by budget: {told}", tall * len(names) + AXIS)
