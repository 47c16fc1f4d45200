"""The picture covered: by one colour, by a square, by another picture."""

from PIL import Image

from vlmlens.perturb.pixels import mean_color, plain
from vlmlens.perturb.row import Given, Option, Perturbation


def blank(given: Given) -> Image.Image:
    color = given.options["color"] or mean_color(given.image)
    return Image.blend(given.image, plain(given.image, color), given.strength)


def hide(given: Given) -> Image.Image:
    side = round(given.strength * min(given.image.size))
    left, top = (int(given.rng.integers(0, length - side + 1)) for length in given.image.size)
    hidden = given.image.copy()
    hidden.paste(mean_color(given.image), (left, top, left + side, top + side))
    return hidden


def donor(given: Given) -> Image.Image:
    assert given.donor is not None
    return Image.blend(given.image, given.donor, given.strength)


ROWS = (
    Perturbation(
        "blank",
        "Blank",
        "Faded to one colour, the mean of the picture unless another is given.",
        "whole",
        blank,
        strength=1,
        options=(Option("color", "Colour", "color", ""),),
    ),
    Perturbation(
        "hide", "Hide", "A growing square at a random place filled with the mean colour.", "whole", hide, stream=11
    ),
    Perturbation("donor", "Another picture", "Faded to another picture.", "whole", donor, needs_donor=True, strength=1),
)
