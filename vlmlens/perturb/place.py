"""What a region shows put somewhere else: moved, copied, swapped, scaled. What moves out leaves a hole, inpainted."""

import numpy as np
from PIL import Image

from vlmlens.perturb.inpaint import inpaint
from vlmlens.perturb.pixels import bounds, rounded
from vlmlens.perturb.row import Given, Option, Perturbation

Window = tuple[slice, slice]  # rows, columns


def move(given: Given) -> Image.Image:
    """Strength is how far along the way."""
    across, down = (round(given.strength * length) for length in _way(given))
    if not across and not down:
        return given.image
    here, there, shape = _windows(given.region, across, down)
    pixels = np.array(inpaint(given.image, given.region))
    np.copyto(pixels[there], np.asarray(given.image)[here], where=shape)
    return Image.fromarray(pixels)


def copy(given: Given) -> Image.Image:
    """Strength is how opaque the copy is."""
    here, there, shape = _windows(given.region, *_way(given))
    before = np.asarray(given.image)
    pixels = before.copy()
    np.copyto(pixels[there], _mixed(before[there], before[here], given.strength), where=shape)
    return Image.fromarray(pixels)


def swap(given: Given) -> Image.Image:
    """Strength is how opaque each is at the other's place; where the two overlap, what is put at the target wins."""
    here, there, shape = _windows(given.region, *_way(given))
    before = np.asarray(given.image)
    pixels = before.copy()
    np.copyto(pixels[here], _mixed(before[here], before[there], given.strength), where=shape)
    np.copyto(pixels[there], _mixed(before[there], before[here], given.strength), where=shape)
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


def _windows(region: np.ndarray, across: int, down: int) -> tuple[Window, Window, np.ndarray]:
    """Where the region is, where it goes, and its shape there [height, width, 1], less what would leave the picture."""
    left, top, right, bottom = bounds(region)
    height, width = region.shape
    left, top = max(left, -across), max(top, -down)
    right, bottom = max(left, min(right, width - across)), max(top, min(bottom, height - down))
    here = slice(top, bottom), slice(left, right)
    there = slice(top + down, bottom + down), slice(left + across, right + across)
    return here, there, region[here][..., None]


def _mixed(old: np.ndarray, new: np.ndarray, strength: float) -> np.ndarray:
    return rounded(old + np.float32(strength) * (new.astype(np.float32) - old))


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
