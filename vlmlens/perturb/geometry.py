"""Pixels at other places of the picture: cropped, flipped, turned, shuffled."""

import numpy as np
from PIL import Image, ImageOps

from vlmlens.perturb.pixels import bounds, mean_color
from vlmlens.perturb.row import Given, Option, Perturbation

KEPT = 0.25  # of each side, by a full crop without a region


def crop(given: Given) -> Image.Image:
    """Nearer by degrees: strength is how far along from the whole picture to the part that is kept."""
    width, height = given.image.size
    sides = np.array([width, height])
    kept, centre = KEPT, sides / 2
    if given.where is not None:  # the least part of the picture's shape that holds the region
        left, top, right, bottom = bounds(given.where)
        kept = max((right - left) / width, (bottom - top) / height)
        centre = np.array([left + right, top + bottom]) / 2
    corner = (centre - kept * sides / 2).clip(0, (1 - kept) * sides) * given.strength
    opposite = (corner + (1 + given.strength * (kept - 1)) * sides).clip(0, sides)
    return given.image.resize((width, height), Image.Resampling.BICUBIC, (*corner.tolist(), *opposite.tolist()))


def flip(given: Given) -> Image.Image:
    if given.strength < 0.5:
        return given.image
    upside_down = given.options["axis"] == "up-down"
    return ImageOps.flip(given.image) if upside_down else ImageOps.mirror(given.image)


def rotate(given: Given) -> Image.Image:
    degrees = given.options["degrees"] * given.strength
    return given.image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=mean_color(given.image))


def shuffle(given: Given) -> Image.Image:
    """A growing part of the tiles goes round in a ring; what is left over at the right and below stays."""
    grid = given.options["grid"]
    across, down = given.image.width // grid, given.image.height // grid
    corners = [(x * across, y * down) for y in range(grid) for x in range(grid)]
    moved = given.rng.permutation(len(corners))[: round(given.strength * len(corners))]
    shuffled = given.image.copy()
    for source, target in zip(moved, np.roll(moved, 1), strict=True):
        left, top = corners[source]
        shuffled.paste(given.image.crop((left, top, left + across, top + down)), corners[target])
    return shuffled


ROWS = (
    Perturbation(
        "crop",
        "Crop",
        "The middle quarter, or the region, as large as the picture; towards it by degrees.",
        "whole",
        crop,
        beyond=True,
    ),
    Perturbation(
        "flip",
        "Flip",
        "Left and right exchanged, or up and down, from half strength on.",
        "whole",
        flip,
        strength=1,
        options=(Option("axis", "Exchange", "choice", "left-right", choices=("left-right", "up-down")),),
    ),
    Perturbation(
        "rotate",
        "Rotate",
        "Turned about its centre, up to 90 degrees or as many as are given.",
        "whole",
        rotate,
        options=(Option("degrees", "Degrees at most", "number", 90, -180, 180),),
    ),
    Perturbation(
        "shuffle",
        "Shuffle patches",
        "Cut into 3 x 3 tiles, or a finer grid, of which a growing part changes places.",
        "whole",
        shuffle,
        stream=10,
        options=(Option("grid", "Tiles a side", "whole", 3, 2, 64),),
    ),
)
