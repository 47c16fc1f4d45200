"""What a region shows put somewhere else: moved, copied, swapped, scaled. What moves out leaves a hole, inpainted."""

import numpy as np
from PIL import Image

from vlmlens.perturb.inpaint import inpaint
from vlmlens.perturb.pixels import bounds, rounded
from vlmlens.perturb.row import Given, Option, Perturbation

Places = tuple[np.ndarray, np.ndarray]  # rows, columns


def move(given: Given) -> Image.Image:
    """Strength is how far along the way."""
    across, down = (round(given.strength * length) for length in _way(given))
    if not across and not down:
        return given.image
    here, there = _pairs(given.region, across, down)
    pixels = np.array(inpaint(given.image, given.region))
    pixels[there] = np.asarray(given.image)[here]
    return Image.fromarray(pixels)


def copy(given: Given) -> Image.Image:
    """Strength is how opaque the copy is."""
    here, there = _pairs(given.region, *_way(given))
    before = np.asarray(given.image)
    pixels = before.copy()
    pixels[there] = _mixed(before[there], before[here], given.strength)
    return Image.fromarray(pixels)


def swap(given: Given) -> Image.Image:
    """Strength is how opaque each is at the other's place; where the two overlap, what is put at the target wins."""
    here, there = _pairs(given.region, *_way(given))
    before = np.asarray(given.image)
    pixels = before.copy()
    pixels[here] = _mixed(before[here], before[there], given.strength)
    pixels[there] = _mixed(before[there], before[here], given.strength)
    return Image.fromarray(pixels)


def scale(given: Given) -> Image.Image:
    """Larger or smaller about its centre; half the strength is half the way, in equal ratios."""
    factor = given.options["factor"] ** given.strength
    left, top, right, bottom = bounds(given.region)
    size = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
    if size == (right - left, bottom - top):
        return given.image
    box = left, top, right, bottom
    scaled = given.image.crop(box).resize(size, Image.Resampling.BICUBIC)
    shape = Image.fromarray(given.region[top:bottom, left:right]).convert("L").resize(size, Image.Resampling.NEAREST)
    corner = (left + right - size[0]) // 2, (top + bottom - size[1]) // 2
    covered = Image.new("L", given.image.size)
    covered.paste(shape, corner)
    left_open = given.region & (np.asarray(covered) == 0)
    changed = inpaint(given.image, given.region) if left_open.any() else given.image.copy()
    changed.paste(scaled, corner, shape)
    return changed


def _way(given: Given) -> tuple[int, int]:
    """From the region's centre to the target, in pixels."""
    assert given.to is not None
    left, top, right, bottom = bounds(given.region)
    width, height = given.image.size
    return round(given.to[0] * width - (left + right) / 2), round(given.to[1] * height - (top + bottom) / 2)


def _pairs(region: np.ndarray, across: int, down: int) -> tuple[Places, Places]:
    """Where the region's pixels are and where they go, without those that would leave the picture."""
    rows, columns = np.nonzero(region)
    height, width = region.shape
    stay = (rows + down >= 0) & (rows + down < height) & (columns + across >= 0) & (columns + across < width)
    rows, columns = rows[stay], columns[stay]
    return (rows, columns), (rows + down, columns + across)


def _mixed(old: np.ndarray, new: np.ndarray, strength: float) -> np.ndarray:
    return rounded(old + strength * (new.astype(float) - old))


FACTOR = Option("factor", "Times", "number", 0.5, 0.1, 4)
ROWS = (
    Perturbation(
        "move",
        "Move",
        "What the region shows goes to another place; its old one is filled from around.",
        "region",
        move,
        True,
        True,
        beyond=True,
        strength=1,
    ),
    Perturbation(
        "copy", "Copy", "What the region shows is seen twice.", "region", copy, True, True, beyond=True, strength=1
    ),
    Perturbation(
        "swap",
        "Swap",
        "Two places of the region's shape show each other's content.",
        "region",
        swap,
        True,
        True,
        beyond=True,
        strength=1,
    ),
    Perturbation(
        "scale",
        "Scale",
        "What the region shows grows or shrinks in its place.",
        "region",
        scale,
        True,
        beyond=True,
        strength=1,
        options=(FACTOR,),
    ),
)
