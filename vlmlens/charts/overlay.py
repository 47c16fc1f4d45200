"""The attention map over the picture, as a picture of the uploaded size."""

import io

import numpy as np
from PIL import Image, ImageDraw

from vlmlens.trace import Grid

# Inferno at nine points (van der Walt and Smith's scale, CC0), interpolated between.
_INFERNO = np.array(
    [
        (0, 0, 4),
        (33, 12, 74),
        (87, 16, 110),
        (137, 34, 106),
        (188, 55, 84),
        (227, 89, 51),
        (249, 140, 10),
        (249, 201, 50),
        (252, 255, 164),
    ],
    float,
)


_BELOW, _ABOVE = np.array((33, 102, 172), float), np.array((178, 24, 43), float)  # ColorBrewer's RdBu, at its ends


def diverging(fraction: np.ndarray) -> np.ndarray:
    """Fractions of the largest magnitude [...], -1 to 1, to uint8 [..., rgba]: blue below, red above, 0 transparent."""
    rgb = np.where(fraction[..., None] < 0, _BELOW, _ABOVE)
    alpha = 235 * np.sqrt(np.clip(np.abs(fraction), 0, 1))[..., None]
    return np.concatenate([rgb, alpha], axis=-1).astype(np.uint8)


def colour(fraction: np.ndarray) -> np.ndarray:
    """Fractions of the maximum [...] to uint8 [..., rgba]; opacity rises from 0: low attention shows the picture."""
    place = np.clip(fraction, 0, 1)[..., None] * (len(_INFERNO) - 1)
    below = np.minimum(place.astype(int), len(_INFERNO) - 2)[..., 0]
    rest = place - below[..., None]
    rgb = _INFERNO[below] * (1 - rest) + _INFERNO[below + 1] * rest
    alpha = 235 * np.sqrt(np.clip(fraction, 0, 1))[..., None]
    return np.concatenate([rgb, alpha], axis=-1).astype(np.uint8)


def overlay(
    picture: bytes, grid: Grid, values: np.ndarray, signed: bool = False, most: float | None = None
) -> Image.Image:
    """`picture` (as in a trace) with `values` [cell] drawn over their boxes, scaled to the largest magnitude.

    `most`: what the scale ends with instead, where several maps share one.
    """
    base = Image.open(io.BytesIO(picture)).convert("RGBA")
    scale = base.width / grid.size[0], base.height / grid.size[1]
    layer = Image.new("RGBA", base.size)
    pen = ImageDraw.Draw(layer)
    end = most or float(np.abs(values).max()) or 1.0
    for box, rgba in zip(grid.boxes, (diverging if signed else colour)(values / end), strict=True):
        left, top, right, bottom = (round(float(x) * scale[i % 2]) for i, x in enumerate(box))
        if right > left and bottom > top:
            pen.rectangle((left, top, right - 1, bottom - 1), fill=tuple(int(c) for c in rgba))
    return Image.alpha_composite(base, layer).convert("RGB")
