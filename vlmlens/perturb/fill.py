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
    times = max(1, radius // 8)  # a blur so wide needs no more pixels than this leaves, and takes far less time
    blurred = given.image.reduce(times).filter(ImageFilter.GaussianBlur(radius / times))
    blurred = blurred.resize(given.image.size, Image.Resampling.BICUBIC)
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
