"""Hiding parts of a picture: three fills of one strength dial, and places of equal size elsewhere."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageFilter

from vlmlens.diagnostics.probe import Region
from vlmlens.perturb.whole import mean_color

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom
BLUR = 0.15  # of the shorter side


def _mean(image: Image.Image, donor: Image.Image) -> Image.Image:
    return Image.new("RGB", image.size, mean_color(image))


def _blur(image: Image.Image, donor: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(BLUR * min(image.size)))


def _donor(image: Image.Image, donor: Image.Image) -> Image.Image:
    return donor.resize(image.size)


FILLS: dict[str, Callable[[Image.Image, Image.Image], Image.Image]] = {
    "mean colour": _mean,
    "blur": _blur,
    "donor": _donor,
}


def hide(
    image: Image.Image, boxes: Sequence[PixelBox], fill: str, donor: Image.Image, strength: float = 1.0
) -> Image.Image:
    """The picture with boxes filled; `strength` 0 leaves it as it is."""
    other = FILLS[fill](image, donor)
    changed = image.copy()
    for box in boxes:
        changed.paste(Image.blend(image.crop(box), other.crop(box), strength), box[:2])
    return changed


def in_pixels(region: Region, size: tuple[int, int]) -> list[PixelBox]:
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
