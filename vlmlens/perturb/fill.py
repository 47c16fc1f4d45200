"""A region filled with something else; strength is how opaque the filling is."""

import numpy as np
from PIL import Image, ImageFilter

from vlmlens.perturb.inpaint import inpaint
from vlmlens.perturb.pixels import bounds, mean_color, plain
from vlmlens.perturb.row import Given, Perturbation


def mean(given: Given) -> Image.Image:
    return Image.blend(given.image, plain(given.image, mean_color(given.image)), given.strength)


def blur(given: Given) -> Image.Image:
    left, top, right, bottom = bounds(given.region)
    radius = max(1, min(right - left, bottom - top) // 2)
    reach = 3 * radius  # of the filter: what lies further away cannot be felt
    part = left - reach, top - reach, right + reach, bottom + reach
    part = max(0, part[0]), max(0, part[1]), min(given.image.width, part[2]), min(given.image.height, part[3])
    blurred = given.image.copy()
    blurred.paste(given.image.crop(part).filter(ImageFilter.GaussianBlur(radius)), part[:2])
    return Image.blend(given.image, blurred, given.strength)


def noise(given: Given) -> Image.Image:
    pixels = np.array(given.image)
    where = given.region
    pixels[where] = given.rng.integers(0, 256, (int(where.sum()), 3), np.uint8)
    return Image.blend(given.image, Image.fromarray(pixels), given.strength)


def donor(given: Given) -> Image.Image:
    assert given.donor is not None
    return Image.blend(given.image, given.donor, given.strength)


def inpainted(given: Given) -> Image.Image:
    return Image.blend(given.image, inpaint(given.image, given.region), given.strength)


ROWS = (
    Perturbation(
        "fill-mean",
        "Fill: mean colour",
        "The region in the mean colour of the picture.",
        "region",
        mean,
        True,
        strength=1,
    ),
    Perturbation(
        "fill-blur",
        "Fill: blur",
        "The region blurred so far that only its rough colours are left.",
        "region",
        blur,
        True,
        strength=1,
    ),
    Perturbation(
        "fill-noise", "Fill: noise", "The region in random colours.", "region", noise, True, strength=1, stream=13
    ),
    Perturbation(
        "fill-donor",
        "Fill: another picture",
        "What another picture shows at the same place.",
        "region",
        donor,
        True,
        needs_donor=True,
        strength=1,
    ),
    Perturbation(
        "fill-inpaint",
        "Fill: from around",
        "The region made anew from the colours around it.",
        "region",
        inpainted,
        True,
        strength=1,
    ),
)
