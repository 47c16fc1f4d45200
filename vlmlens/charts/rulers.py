"""The picture's share of the same models by every ruler, and each ruler against what a knock-out really does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmlens.charts.figure import Figure, Spec, figure, named_rows, rows

YOURS = "yours"
# Colour tells the family of a wiring, shape the wiring in it. Both are free on this axis: it has no sides to colour.
_FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "early": ("#E69F00", ("concat", "llava")),
    "mid": ("#0072B2", ("img2txt", "txt2img", "bidirectional", "gated", "qformer", "perceiver")),
    "late": ("#009E73", ("late", "contrastive")),
    "planted": ("#999999", ("planted", "hint", "padding")),
    YOURS: ("#D55E00", (YOURS,)),
}
_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")
LOOKS = {
    name: (color, shape) for color, names in _FAMILIES.values() for name, shape in zip(names, _SHAPES, strict=False)
}
ROW, MARK, HEAD = 46, 8, 110  # pixels: the least of a row, of a mark in it, of axis and legend


@dataclass(frozen=True)
class Mark:
    """One model, or the seeds of one wiring, by one ruler."""

    ruler: str
    name: str  # of the model
    look: str  # a key of LOOKS
    share: float
    low: float
    high: float
    told: str  # what the interval is of


def _look(names: Sequence[str]) -> tuple[Spec, Spec]:
    """Colour and shape of `look`, for the looks that are there."""
    there = [name for name in LOOKS if name in names]
    color, shape = (
        {
            "field": "look",
            "type": "nominal",
            "legend": {"columns": 3, "symbolSize": 70, "labelLimit": 110},
            "scale": {"domain": there, "range": [LOOKS[name][side] for name in there]},
        }
        for side in (0, 1)
    )
    return color, shape


def _share(field: str, title: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"},
    }


def by_ruler(marks: Sequence[Mark], rulers: Sequence[str], absent: Mapping[str, str]) -> Figure:
    """A row a ruler, a dot with its interval for every model; `absent` says why a ruler has no dot at all."""
    there = [mark for mark in marks if mark.share == mark.share]
    looks = [name for name in LOOKS if any(mark.look == name for mark in there)]
    place = named_rows([_lines(name) for name in rulers])
    # Side by side inside a row, in the order of the legend, so that marks of equal shares do not hide each other.
    beside = {"field": "look", "type": "nominal", "scale": {"domain": looks}}
    color, shape = _look(looks)
    data = rows(
        place=[rulers.index(mark.ruler) for mark in there],
        ruler=[mark.ruler for mark in there],
        name=[mark.name for mark in there],
        look=[mark.look for mark in there],
        share=[mark.share for mark in there],
        low=[mark.low for mark in there],
        high=[mark.high for mark in there],
        told=[mark.told for mark in there],
    )
    axis = _share("share", "image share")
    tooltip = [
        {"field": "name", "type": "nominal", "title": "model"},
        {"field": "ruler", "type": "nominal"},
        {"field": "share", "type": "quantitative", "format": ".3f"},
        {"field": "low", "type": "quantitative", "format": ".3f", "title": "from"},
        {"field": "high", "type": "quantitative", "format": ".3f", "title": "to"},
        {"field": "told", "type": "nominal", "title": "interval"},
    ]
    whiskers = {
        "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.7},
        "transform": [{"filter": "isValid(datum.low)"}],
        "encoding": {
            "x": axis | {"field": "low"},
            "x2": {"field": "high"},
            "y": place,
            "yOffset": beside,
            "color": color,
        },
    }
    dots = {
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.95},
        "encoding": {"x": axis, "y": place, "yOffset": beside, "color": color, "shape": shape, "tooltip": tooltip},
    }
    layers: list[Spec] = [whiskers, dots]
    if gone := [name for name in rulers if name in absent and not any(mark.ruler == name for mark in there)]:
        words = [f"n/a: {absent[name]}" for name in gone]
        layers.append(
            {
                "data": rows(place=[rulers.index(name) for name in gone], share=[0.01] * len(gone), words=words),
                "mark": {"type": "text", "align": "left", "limit": 420},
                "encoding": {"x": axis, "y": place, "text": {"field": "words"}},
            }
        )
    ranges = [(name, [mark.share for mark in there if mark.ruler == name]) for name in rulers]
    told = "Image shares by ruler: " + "; ".join(
        f"{name} {min(shares):.2f} to {max(shares):.2f}" for name, shares in ranges if shares
    )
    return figure({"data": data, "layer": layers}, told, max(ROW, MARK * len(looks) + 8) * len(rulers) + HEAD)


def _lines(name: str) -> list[str]:
    """A ruler's name in lines short enough for a phone."""
    words, lines = name.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > 16:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


@dataclass(frozen=True)
class Dot:
    """One model by one ruler, and what really happens to it."""

    name: str
    look: str
    effect: float
    share: float


def ruler_against_effect(dots: Sequence[Dot], ruler: str, effect: str, end: float = 1.0) -> Figure:
    """Every model: what really happens across, the ruler's share up; those without a share stand below the axis."""
    there = [dot for dot in dots if dot.share == dot.share]
    gone = [dot for dot in dots if dot.share != dot.share]
    color, shape = _look([dot.look for dot in dots])
    across = {
        "field": "effect",
        "type": "quantitative",
        "title": effect,
        "scale": {"domain": [0, end]},
        "axis": {"tickCount": 5},
    }
    tooltip = [
        {"field": "name", "type": "nominal", "title": "model"},
        {"field": "share", "type": "quantitative", "format": ".3f", "title": "image share"},
        {"field": "effect", "type": "quantitative", "format": ".3f", "title": effect},
    ]
    points = {
        "data": rows(
            name=[dot.name for dot in there],
            look=[dot.look for dot in there],
            effect=[dot.effect for dot in there],
            share=[dot.share for dot in there],
        ),
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 0.8},
        "encoding": {
            "x": across,
            "y": _share("share", f"image share by {ruler}"),
            "color": color,
            "shape": shape,
            "tooltip": tooltip,
        },
    }
    told = f"Image share by {ruler} against {effect}: " + "; ".join(
        f"{dot.name} {dot.share:.2f} at {dot.effect:.2f}" for dot in there
    )
    if gone:
        told += f"; without a share: {', '.join(dot.name for dot in gone)}"
    return figure(points, told, 380)
