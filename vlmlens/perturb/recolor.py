"""A thing in a region given another colour: its hue turned, or towards a colour; what lies around it stays."""

import numpy as np
from PIL import Image, ImageColor

from vlmlens.perturb.pixels import bounds, rounded
from vlmlens.perturb.row import Given, Option, Perturbation
from vlmlens.perturb.tone import turned

RING = 2  # pixels around the region that tell its ground
DISTINCT = 12  # grey levels between a thing and its ground; below, all of the region is the thing


def recolor(given: Given) -> Image.Image:
    left, top, right, bottom = bounds(given.region)
    around = max(0, left - RING), max(0, top - RING), right + RING, bottom + RING
    part = slice(around[1], around[3]), slice(around[0], around[2])
    pixels, region = np.array(given.image), given.region[part]
    before = pixels[part].astype(float)
    thing, share = _thing(before, region)
    if given.options["color"]:
        change = given.strength * (ImageColor.getrgb(given.options["color"])[:3] - thing)
    else:
        turn = turned(Image.fromarray(pixels[part]), given.strength * given.options["turn"])
        change = (np.asarray(turn) - before)[region]
    pixels[part][region] = rounded(before[region] + share[:, None] * change)
    return Image.fromarray(pixels)


def _thing(pixels: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colour of what stands out from the ground, and how much of each of the region's pixels it is, 0 to 1.

    The ground is the colour just outside the region. A mixture of both, as at a soft edge, is told by how far it lies
    on the way from ground to thing.
    """
    inside = pixels[region]  # [pixel, channel]
    whole = inside.mean(axis=0), np.ones(len(inside))
    if region.all():
        return whole
    ground = np.median(pixels[~region], axis=0)
    far = np.abs(inside - ground).max(axis=1)
    thing = np.median(inside[far >= 0.8 * far.max()], axis=0)
    way = thing - ground
    if np.abs(way).max() < DISTINCT:
        return whole
    return thing, ((inside - ground) @ way / (way @ way)).clip(0, 1)


ROWS = (
    Perturbation(
        "recolor",
        "Recolour",
        "What stands out in the region takes another colour; without one, its hue is turned.",
        "region",
        recolor,
        True,
        strength=1,
        options=(
            Option("color", "Colour", "color", ""),
            Option("turn", "Turn, of the circle of hues", "number", 0.5, -1, 1),
        ),
    ),
)
