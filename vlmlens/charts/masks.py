"""An attention mask as a picture that one can hover: rows ask, columns are looked at."""

import json
from collections.abc import Sequence

from vlmlens.charts.figure import AFTER, NULL, QUIET, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.lab.masks_told import Drawn
from vlmlens.trace import Segment

COLORS = {
    "query": SEGMENT_COLORS[Segment.LATENT],
    "picture token": SEGMENT_COLORS[Segment.IMAGE],
    "word": SEGMENT_COLORS[Segment.QUESTION],
}
NAMES = {"query": "looks at a query", "picture token": "looks at the picture", "word": "looks at a word"}
LEAST, MOST = 12, 23  # pixels of a cell


def mask(drawn: Drawn, small: bool = False) -> Figure:
    """A cell a pair, filled where the row may look at the column; hovering lights up its row and says why."""
    names = [[spot.label for spot in spots] for spots in (drawn.rows, drawn.columns)]
    pairs = [(i, j) for i in range(len(names[0])) for j in range(len(names[1]))]
    kinds = [kind for kind in COLORS if kind in {spot.kind for spot in drawn.columns}]
    data = rows(
        row=[i for i, _ in pairs],
        column=[j for _, j in pairs],
        kind=[drawn.columns[j].kind for _, j in pairs],
        may=[bool(drawn.seen[i, j]) for i, j in pairs],
        told=[drawn.told(i, j) for i, j in pairs],
    )

    def axis(side: int, title: str, **more: object) -> Spec:
        return {
            "type": "ordinal",
            "title": None if small else title,
            "scale": {"domain": list(range(len(names[side])))},
            "axis": {
                "labels": not small,
                "labelExpr": f"{json.dumps(names[side])}[datum.value]",
                "labelOverlap": False,
                "labelLimit": 80,
                "labelFontSize": 10 if max(map(len, names)) > 24 else 11,
                **more,
            },
        }

    x = axis(1, "who is looked at", labelAngle=-90, orient="top")
    y = axis(0, "who asks")
    filled: Spec = {
        "condition": {"test": "datum.may", "field": "kind", "type": "nominal", "scale": _scale(kinds), "legend": None},
        "value": "transparent",
    }
    cells: Spec = {
        "mark": {"type": "rect", "stroke": QUIET, "strokeWidth": 0.5, "strokeOpacity": 0.5, "cornerRadius": 1},
        "params": [
            {
                "name": "asking",
                "select": {"type": "point", "on": "pointerover", "fields": ["row"], "clear": "pointerout"},
            }
        ],
        "encoding": {
            "x": {"field": "column", **x},
            "y": {"field": "row", **y},
            "color": filled,
            "opacity": {"condition": {"param": "asking", "empty": True, "value": 0.95}, "value": 0.35},
            "tooltip": {"field": "told", "type": "nominal"},
        },
    }
    count = max(1, len(names[0]))
    cell = 8 if small else min(MOST, max(LEAST, 400 // count))
    many = f"{int(drawn.seen.sum())} of {drawn.seen.size} pairs may look"
    told = f"{drawn.mask.title}: {drawn.mask.sentence} {many}."
    return figure({"data": data, **cells}, told, cell * count + (10 if small else 110))


def _scale(kinds: Sequence[str]) -> Spec:
    return {"domain": list(kinds), "range": [COLORS[kind] for kind in kinds]}


def reached(words: Sequence[str], moved: Sequence[float], may: Sequence[bool]) -> Figure:
    """How far each word's state moved when a picture changed; in colour where the mask lets it see that picture."""
    kinds = ["may look at it", "may not"]
    data = rows(
        place=list(range(len(words))),
        word=list(words),
        moved=list(moved),
        kind=[kinds[0] if allowed else kinds[1] for allowed in may],
    )
    x: Spec = {
        "field": "place",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": list(range(len(words)))},
        "axis": {"labelExpr": f"{json.dumps(list(words))}[datum.value]", "labelAngle": -50, "labelOverlap": False},
    }
    y: Spec = {
        "field": "moved",
        "type": "quantitative",
        "title": "change of the word's state",
        "scale": {"domain": [0, max(0.05, *moved) if moved else 1]},
        "axis": {"format": ".0%", "tickCount": 4},
    }
    bars: Spec = {
        "mark": {"type": "bar", "width": {"band": 0.7}},
        "encoding": {
            "x": x,
            "y": y,
            "color": {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": [AFTER, NULL]}},
            "tooltip": [
                {"field": "word", "type": "nominal"},
                {"field": "moved", "type": "quantitative", "format": ".2%", "title": "change, of the state's length"},
                {"field": "kind", "type": "nominal", "title": "mask"},
            ],
        },
    }
    none: Spec = {
        "transform": [{"filter": "datum.moved == 0"}],
        "mark": {"type": "text", "text": "0", "dy": -7, "fontSize": 11},
        "encoding": {"x": x, "y": y},
    }
    told = "Change of each word's state: " + ", ".join(
        f"{word} {100 * value:.1f} %" for word, value in zip(words, moved, strict=True)
    )
    return figure({"data": data, "layer": [bars, none]}, told, 230)
