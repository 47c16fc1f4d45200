"""Fine detail lost or drowned."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from vlmlens.perturb.row import Given, Perturbation

ROWS_AT_ONCE = 32  # of noise: a whole large picture of it would take gigabytes


def blur(given: Given) -> Image.Image:
    return given.image.filter(ImageFilter.GaussianBlur(given.strength * min(given.image.size) / 10))


def noise(given: Given) -> Image.Image:
    pixels = np.array(given.image)
    for first in range(0, len(pixels), ROWS_AT_ONCE):
        rows = pixels[first : first + ROWS_AT_ONCE]
        rows[:] = (rows + given.rng.normal(0, 127.5 * given.strength, rows.shape)).clip(0, 255)
    return Image.fromarray(pixels)


def downscale(given: Given) -> Image.Image:
    size = given.image.size
    width, height = (max(1, round(side * (1 - 0.875 * given.strength))) for side in size)
    return given.image.resize((width, height), Image.Resampling.BOX).resize(size, Image.Resampling.NEAREST)


def jpeg(given: Given) -> Image.Image:
    file = BytesIO()
    given.image.save(file, "JPEG", quality=round(95 - 93 * given.strength))
    return Image.open(file)


ROWS = (
    Perturbation("blur", "Blur", "Gaussian blur, up to a tenth of the shorter side.", "whole", blur),
    Perturbation(
        "noise", "Noise", "Gaussian noise, up to a standard deviation of half the range.", "whole", noise, stream=1
    ),
    Perturbation("downscale", "Downscale", "Fewer pixels, down to an eighth of each side.", "whole", downscale),
    Perturbation("jpeg", "JPEG", "JPEG compression, down to quality 2.", "whole", jpeg),
)
