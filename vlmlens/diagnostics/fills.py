"""Hiding parts of a picture: three fills of one strength dial, and places of equal size elsewhere."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from vlmlens.diagnostics.probe import Region as Boxes
from vlmlens.perturb import Region, apply

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom
FILLS = ("fill-mean", "fill-blur", "fill-donor")


def hide(
    image: Image.Image, boxes: Sequence[PixelBox], fill: str, donor: Image.Image, strength: float = 1.0
) -> Image.Image:
    """The picture with boxes filled; `strength` 0 leaves it as it is."""
    width, height = image.size
    corners = [((a / width, b / height), (c / width, d / height)) for a, b, c, d in boxes]
    region = Region("cells", tuple(point for pair in corners for point in pair))
    return apply(fill, image, strength, region=region, donor=donor).image


def in_pixels(region: Boxes, size: tuple[int, int]) -> list[PixelBox]:
    """Boxes of at least one pixel."""
    width, height = size
    found = []
    for left, top, right, bottom in region:
        x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
        found.append((x, y, max(x + 1, round(right * width)), max(y + 1, round(bottom * height))))
    return found


def elsewhere(boxes: Sequence[PixelBox], size: tuple[int, int], rng: np.random.Generator) -> list[PixelBox] | None:
    """For each box one of its size at a random other place, none touching another; None where none fits.

    Places are those of a lattice that the box itself is part of.
    """
    taken, found = list(boxes), []
    for box in boxes:
        width, height = box[2] - box[0], box[3] - box[1]
        free = [
            place
            for top in range(box[1] % height, size[1] - height + 1, height)
            for left in range(box[0] % width, size[0] - width + 1, width)
            if not any(_touch(place := (left, top, left + width, top + height), other) for other in taken)
        ]
        if not free:
            return None
        chosen = free[int(rng.integers(len(free)))]
        taken.append(chosen)
        found.append(chosen)
    return found


def _touch(one: PixelBox, other: PixelBox) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
