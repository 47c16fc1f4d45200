"""What is told of a picture: each patch as clear as the tokens that tell of it, the rest under a veil."""

import base64
from collections.abc import Sequence

import numpy as np

from vlmlens.charts.figure import Figure, Spec, figure, rows

VEIL = "#31333F"
SQUARE = "min(width, height)"  # pixels a side, however wide the column is


def survivors(picture: bytes, shares: np.ndarray, side: int, shows: Sequence[str] = (), height: int = 340) -> Figure:
    """`picture` (PNG) under a veil that is thin where much is told.

    shares: [token, patch], patches row by row, `side` a row. A patch with a token of its own lies open; elsewhere the
    veil's opacity is one less the root of the tokens' worth that tell of it, because a tenth must differ from nothing.
    `shows`: what each patch shows, for the hover.
    """
    told = shares.sum(0)
    across = np.arange(side * side)
    data = rows(
        left=(across % side).tolist(),
        right=(across % side + 1).tolist(),
        top=(across // side).tolist(),
        bottom=(across // side + 1).tolist(),
        veil=(1 - np.sqrt(np.clip(told, 0, 1))).round(4).tolist(),
        worth=told.round(4).tolist(),
        patch=[f"row {i // side + 1}, column {i % side + 1}" for i in across],
        shows=list(shows) or [""] * len(across),
    )

    scale: Spec = {"domain": [0, side], "range": [0, {"expr": SQUARE}], "nice": False}
    x: Spec = {"type": "quantitative", "axis": None, "scale": scale}
    y = x  # row 0 on top
    hover = [
        {"field": "patch", "type": "nominal"},
        {"field": "worth", "type": "quantitative", "format": ".2f", "title": "told in tokens' worth"},
    ]
    if shows:
        hover.append({"field": "shows", "type": "nominal"})
    base: Spec = {
        "data": {"values": [{"url": f"data:image/png;base64,{base64.b64encode(picture).decode()}"}]},
        "mark": {"type": "image", "width": {"expr": SQUARE}, "height": {"expr": SQUARE}, "aspect": False},
        "encoding": {"url": {"field": "url"}, "x": x | {"datum": side / 2}, "y": y | {"datum": side / 2}},
    }
    veil: Spec = {
        "data": data,
        "mark": {"type": "rect", "color": VEIL, "stroke": "#80808060", "strokeWidth": 0.5},
        "encoding": {
            "x": x | {"field": "left"},
            "x2": {"field": "right"},
            "y": y | {"field": "top"},
            "y2": {"field": "bottom"},
            "fillOpacity": {
                "field": "veil",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "range": [0, 0.9]},
                "legend": None,
            },
            "tooltip": hover,
        },
    }
    gone, whole = int((told < 1e-6).sum()), int((told > 1 - 1e-6).sum())
    alt = f"The picture in {len(shares)} tokens: {whole} patches lie open, of {gone} of {side * side} nothing is told"
    return figure({"layer": [base, veil]}, alt, height)
