"""What image tokens buy: an answer's probability or accuracy by the share kept; the time that is left; who stays."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from vlmlens.charts.figure import AFTER, BEFORE, NULL, QUIET, Figure, Spec, figure, rows
from vlmlens.trace import Grid

HEIGHT = 250
LINES = {"attention": (AFTER, [1, 0]), "received": (BEFORE, [6, 3]), "random": (NULL, [2, 2])}
MOST = 2.0  # of the full pass: where the axis of what is saved ends
FADED = 0.86  # of the way to grey, for what leaves

Point = tuple[float, float, float, float]  # share, value, low, high; NaN where there is no interval


def by_share(found: Mapping[str, Sequence[Point]], value: str, band: str, marked: float | None = None) -> Figure:
    """A line a ranking, 0 to 1 by the share of image tokens kept, its interval a band. `marked` is a share.

    Args:
        found: ranking -> points; rankings without any are left out.
        value: what stands on the vertical axis.
        band: what the bands are, for the tooltip.
    """
    names = [name for name in LINES if found.get(name)]
    points = [(name, *point) for name in names for point in sorted(found[name])]
    columns = list(zip(*points, strict=True)) if points else [()] * 5
    data = rows(
        name=columns[0],
        share=columns[1],
        value=columns[2],
        low=columns[3],
        high=columns[4],
        interval=["" if low != low else f"{low:.3f} to {high:.3f}" for _, _, _, low, high in points],
    )
    x: Spec = {
        "field": "share",
        "type": "quantitative",
        "title": "image tokens kept",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "values": [0, 0.1, 0.25, 0.5, 0.75, 1], "grid": False},
    }
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": value,
        "scale": {"domain": [0, 1]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".2f"},
    }
    color = {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": names, "range": [LINES[n][0] for n in names]},
        "legend": {"symbolOpacity": 1, "symbolType": "stroke", "symbolStrokeWidth": 3},
    }
    dash = {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": names, "range": [LINES[n][1] for n in names]},
        "legend": None,
    }
    layers: list[Spec] = [
        {
            "data": data,
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "area", "opacity": 0.2},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": color},
        },
        {
            "data": data,
            "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 45, "filled": True}},
            "encoding": {
                "x": x,
                "y": y,
                "color": color,
                "strokeDash": dash,
                "tooltip": [
                    {"field": "name", "type": "nominal", "title": "ranked by"},
                    {"field": "share", "type": "quantitative", "format": ".0%", "title": "kept"},
                    {"field": "value", "type": "quantitative", "format": ".3f", "title": value},
                    {"field": "interval", "type": "nominal", "title": band},
                ],
            },
        },
    ]
    if marked is not None:
        layers.append(
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": QUIET, "strokeDash": [4, 4]},
                "encoding": {"x": {"datum": marked}},
            }
        )
    said = "; ".join(
        f"{name} " + ", ".join(f"{mean:.2f} at {share:.0%}" for share, mean, *_ in sorted(found[name], reverse=True))
        for name in names
    )
    return figure({"layer": layers}, f"{value.capitalize()} by image tokens kept: {said}", HEIGHT)


def saved(clock: tuple[float, float, float] | None, counted: float, formula: float) -> Figure:
    """The part of the full pass that a pruned one takes, by three rulers. `clock`: value, low, high; None: not run."""
    names = ["published formula", "operations counted", "this device's clock"]
    values = [formula, counted, np.nan if clock is None else clock[0]]
    ends = [(np.nan, np.nan), (np.nan, np.nan), (np.nan, np.nan) if clock is None else clock[1:]]
    most = min(MOST, max([1.2, *(value for value in (*values, ends[2][1]) if value == value)]))
    x: Spec = {
        "type": "quantitative",
        "title": "of the full model's (1 is all of it)",
        "scale": {"domain": [0, most], "nice": False},
        "axis": {"tickCount": 5},
    }
    y: Spec = {"field": "name", "type": "nominal", "title": None, "sort": names, "axis": {"labelLimit": 200}}
    data = rows(name=names, value=values, low=[low for low, _ in ends], high=[high for _, high in ends])
    layers: list[Spec] = [
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "color": QUIET, "strokeDash": [4, 4]},
            "encoding": {"x": x | {"datum": 1}},
        },
        {
            "data": data,
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "rule", "strokeWidth": 3, "color": QUIET, "clip": True},
            "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {
            "data": data,
            "transform": [{"filter": "isValid(datum.value)"}],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": AFTER, "clip": True},
            "encoding": {
                "x": x | {"field": "value"},
                "y": y,
                "tooltip": [
                    {"field": "name", "type": "nominal", "title": "by"},
                    {"field": "value", "type": "quantitative", "format": ".3f", "title": "part"},
                ],
            },
        },
    ]
    said = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, values, strict=True) if value == value)
    return figure({"layer": layers}, f"What a pruned pass takes of a full one: {said}", 150)


def who_stays(picture: Image.Image, grid: Grid, shown: np.ndarray) -> Image.Image:
    """A picture whose cells are faded and hatched as far as the decoder goes on without them; `shown` [cell], 0 to 1.

    What lies in no cell, outside a centre crop, say, is as it was.
    """
    base = picture.convert("RGB")
    width, height = base.size
    quiet = Image.blend(base.convert("L").convert("RGB"), Image.new("RGB", base.size, (150, 150, 150)), FADED)
    pen = ImageDraw.Draw(quiet)
    step = max(4, min(width, height) // 60)
    for start in range(-height, width, step):  # hatched, so that grey alone does not say it
        pen.line((start, height, start + height, 0), fill=(120, 120, 120), width=1)
    mask = np.full((height, width), 255, np.uint8)
    scale = np.array([width / grid.size[0], height / grid.size[1]] * 2)
    for box, part in zip(np.rint(grid.boxes * scale).astype(int), shown, strict=True):
        left, top, right, bottom = box
        mask[top:bottom, left:right] = round(255 * float(np.clip(part, 0, 1)))
    return Image.composite(base, quiet, Image.fromarray(mask))
