"""What grows with a dial: the use of the picture with longer text, the change of the answer with a fuller mask."""

from collections.abc import Mapping, Sequence
from typing import Any

from vlmlens.charts.figure import AFTER, BEFORE, SEGMENT_COLORS, Figure, Spec, figure, rows
from vlmlens.trace import Segment

HEIGHT = 210
USE = ("accuracy", "effect of the picture, bits")
LOOKS = ("share", "rate")


def context_use(details: Mapping[str, Any]) -> Figure:
    """Accuracy and the dependency on the picture, both 0 to 1, against the words of filler."""
    curves = {USE[0]: details["accuracy"], USE[1]: details["dependency_bits"]}
    return _curves(details["words"], curves, "words of filler", None, (BEFORE, AFTER), 1.0)


def context_attention(details: Mapping[str, Any]) -> Figure:
    """The picture's share of the answer's attention, and its rate, against the words of filler."""
    curves = {name: details[f"image_{name}"] for name in LOOKS}
    most = max([1.0, *(value for values in curves.values() for value in values if value == value)])
    image = SEGMENT_COLORS[Segment.IMAGE]
    return _curves(details["words"], curves, "words of filler", "image, of attention", (image, image), most)


def mask_dose(found: Mapping[float, float]) -> Figure:
    """How far the answer moves as the place that carries it is hidden in part."""
    most = max([0.1, *found.values()])
    return _curves(list(found), {"change": list(found.values())}, "how far hidden", "bits", (BEFORE, BEFORE), most)


def _curves(
    places: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    x_title: str,
    y_title: str | None,
    colours: tuple[str, str],
    most: float,
) -> Figure:
    curves = {name: values for name, values in curves.items() if len(values) and values[0] == values[0]}
    names = list(curves)
    data = rows(
        what=[name for name in names for _ in places],
        place=list(places) * len(names),
        value=[value for name in names for value in curves[name]],
    )
    x: Spec = {
        "field": "place",
        "type": "quantitative",
        "title": x_title,
        "scale": {"nice": False},
        "axis": {"values": [round(place, 2) for place in places], "format": ".2~f", "grid": False},
    }
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": y_title,
        "scale": {"domain": [0, most]},
        "axis": {"tickCount": 5},
    }
    one = len(names) < 2
    dashes = {"domain": names, "range": [[1, 0], [5, 3]][: len(names)]}
    colour = {"domain": names, "range": list(colours)[: len(names)]}
    line: Spec = {
        "mark": {"type": "line", "point": {"size": 50}, "strokeWidth": 2},
        "encoding": {
            "x": x,
            "y": y,
            "color": {"field": "what", "type": "nominal", "scale": colour, "legend": None if one else {}},
            "strokeDash": {"field": "what", "type": "nominal", "scale": dashes, "legend": None if one else {}},
            "tooltip": [
                {"field": "what", "type": "nominal"},
                {"field": "place", "type": "quantitative", "title": x_title},
                {"field": "value", "type": "quantitative", "format": ".3f"},
            ],
        },
    }
    told = f"By {x_title}: " + "; ".join(f"{n} {curves[n][0]:.2f} to {curves[n][-1]:.2f}" for n in names)
    return figure({"data": data, **line}, told, HEIGHT)
