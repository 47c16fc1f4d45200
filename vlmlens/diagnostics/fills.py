"""Hiding parts of a picture: three fills of one strength dial, and places elsewhere that would change as much."""

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


def elsewhere(image: Image.Image, boxes: Sequence[PixelBox]) -> list[PixelBox] | None:
    """For each box one of its size that touches none of them and shows about as much; None where none fits.

    How much a box shows is how far its pixels lie from the picture's mean colour: where a thing is hidden, the control
    hides another thing, not the empty ground beside it.
    """
    pixels = np.asarray(image, float)
    energy = ((pixels - pixels.mean(axis=(0, 1))) ** 2).sum(axis=2)
    taken, found = list(boxes), []
    for box in boxes:
        width, height = box[2] - box[0], box[3] - box[1]
        lefts = range(box[0] % width, image.width - width + 1, width)
        tops = range(box[1] % height, image.height - height + 1, height)
        free = [
            (left, top, left + width, top + height)
            for top in tops
            for left in lefts
            if not any(_touch((left, top, left + width, top + height), other) for other in taken)
        ]
        if not free:
            return None
        own = _within(energy, box)
        best = min(free, key=lambda other: abs(_within(energy, other) - own))
        taken.append(best)
        found.append(best)
    return found


def _within(energy: np.ndarray, box: PixelBox) -> float:
    left, top, right, bottom = box
    return float(energy[top:bottom, left:right].mean())


def _touch(one: PixelBox, other: PixelBox) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
