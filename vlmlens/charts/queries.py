"""Where each learned query looks, as a small map each; and what the answer loses without it."""

from collections.abc import Sequence

import numpy as np

from vlmlens.attention.queries import QueryLooks
from vlmlens.charts.figure import AFTER, QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

A_ROW = 8  # maps side by side
CELL = 18  # pixels


def query_looks(found: QueryLooks, side: int, marked: Sequence[int] = (), shows: Sequence[str] = ()) -> Figure:
    """A map a query, a line of them a layer (two where there are many); outlined: the cells `marked`.

    side: cells a row of the picture. shows: what each cell shows, for the hover.
    """
    layers, queries, cells = found.looks.shape
    lines = -(-queries // A_ROW)
    down = cells // side
    layer, query, cell = (part.ravel() for part in np.indices(found.looks.shape))
    column = (query % A_ROW) * (side + 1) + cell % side
    row = (layer * lines + query // A_ROW) * (down + 2) + cell // side + 1
    shares = found.looks.ravel()
    names = [label.split(":")[0] for label in found.labels]
    data = rows(
        column=column.tolist(),
        row=row.tolist(),
        share=shares.tolist(),
        query=[f"query {q + 1}" for q in query],
        layer=[names[i] for i in layer],
        patch=[f"row {c // side + 1}, column {c % side + 1}" for c in cell],
        shows=[shows[int(c)] if shows else "" for c in cell],
        marked=[int(c) in set(marked) for c in cell],
    )
    wide, high = min(queries, A_ROW) * (side + 1) - 1, layers * lines * (down + 2)

    def axis(domain: int, field: str) -> Spec:
        return {
            "field": field,
            "type": "ordinal",
            "axis": None,
            "scale": {"domain": list(range(domain)), "paddingInner": 0, "paddingOuter": 0},
        }

    place = {"x": axis(wide, "column"), "y": axis(high, "row")}
    maps: Spec = {
        "mark": {"type": "rect", "stroke": QUIET, "strokeWidth": 0.3, "strokeOpacity": 0.5},
        "encoding": place
        | {
            "color": {
                "field": "share",
                "type": "quantitative",
                "scale": {"scheme": "inferno", "domain": [0, float(shares.max())]},
                "legend": {
                    "title": "share of the query's look",
                    "format": ".0%",
                    "orient": "bottom",
                    "gradientLength": 160,
                    "tickCount": 3,
                },
            },
            "tooltip": [
                {"field": "query", "type": "nominal"},
                {"field": "layer", "type": "nominal"},
                {"field": "share", "type": "quantitative", "format": ".1%", "title": "of its look"},
                {"field": "patch", "type": "nominal"},
                *([{"field": "shows", "type": "nominal", "title": "shows"}] if shows else []),
            ],
        },
    }
    outlined: Spec = {
        "transform": [{"filter": "datum.marked"}],
        "mark": {"type": "point", "shape": "circle", "filled": True, "size": 9, "color": "#56B4E9", "opacity": 1},
        "encoding": place,
    }
    titles: Spec = {
        "data": rows(
            column=[(q % A_ROW) * (side + 1) for _ in range(layers) for q in range(queries)],
            row=[(i * lines + q // A_ROW) * (down + 2) for i in range(layers) for q in range(queries)],
            text=[
                f"{names[i]}, q{q + 1}" if q % A_ROW == 0 else f"q{q + 1}"
                for i in range(layers)
                for q in range(queries)
            ],
        ),
        "mark": {"type": "text", "align": "left", "baseline": "middle", "dx": -4, "fontSize": 11},
        "encoding": place | {"text": {"field": "text", "type": "nominal"}},
    }
    told = f"Where {queries} queries look, in {layers} layers. " + "; ".join(
        f"query {q + 1} most at {data['values'][int(found.looks[-1, q].argmax())]['patch']}" for q in range(queries)
    )
    return figure({"data": data, "layer": [maps, outlined, titles]}, told, CELL * high + 80)


def query_use(found: QueryLooks) -> Figure:
    """Two bars a query: how much of it the answer reads, and what the answer loses when nobody reads it."""
    kinds = ["share of what the answer reads", "probability lost without it"]
    values = [*found.read.tolist(), *found.drop.tolist()]
    count = len(found.read)
    data = rows(
        query=[f"q{i + 1}" for i in range(count)] * 2,
        value=values,
        kind=[kinds[0]] * count + [kinds[1]] * count,
    )
    known = [value for value in values if value == value]
    body: Spec = {
        "data": data,
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                "field": "query",
                "type": "nominal",
                "title": None,
                "sort": [f"q{i + 1}" for i in range(count)],
                "axis": {"labelAngle": 0, "labelOverlap": False},
            },
            "xOffset": {"field": "kind", "type": "nominal", "scale": {"domain": kinds}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": [min(0.0, *known), 1]},
                "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2f"},
            },
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": kinds, "range": [SEGMENT_COLORS[Segment.LATENT], AFTER]},
                "legend": {"labelLimit": 300},
            },
            "tooltip": [
                {"field": "query", "type": "nominal"},
                {"field": "kind", "type": "nominal"},
                {"field": "value", "type": "quantitative", "format": ".3f"},
            ],
        },
    }
    told = "Read by the answer, and lost without it: " + "; ".join(
        f"query {i + 1} {found.read[i]:.2f}, {found.drop[i]:+.2f}" for i in range(count)
    )
    return figure(body, told, 190)
