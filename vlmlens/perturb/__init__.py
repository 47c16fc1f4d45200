"""Changes of a whole picture, one row each, found by name.

apply("blur", image, strength=0.5)      # the same size, the same for the same seed
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vlmlens.errors import PictureError
from vlmlens.perturb import whole

Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True)
class Perturbation:
    """One kind of change; `strength` 0 changes nothing that `apply` could not undo, 1 the most."""

    name: str
    sentence: str
    change: Change


PERTURBATIONS = {
    row.name: row
    for row in (
        Perturbation("blur", "Gaussian blur, up to a tenth of the shorter side.", whole.blur),
        Perturbation("noise", "Gaussian noise, up to a standard deviation of half the range.", whole.noise),
        Perturbation("contrast", "Contrast lowered, down to plain grey.", whole.contrast),
        Perturbation("brightness", "Darker, down to a fifth.", whole.brightness),
        Perturbation("grayscale", "Colour taken away.", whole.grayscale),
        Perturbation("hue", "All hues turned, up to half the circle.", whole.hue),
        Perturbation("downscale", "Fewer pixels, down to an eighth of each side.", whole.downscale),
        Perturbation("jpeg", "JPEG compression, down to quality 2.", whole.jpeg),
        Perturbation("rotate", "Turned about its centre, up to 90 degrees.", whole.rotate),
        Perturbation("flip", "Left and right exchanged from half strength on.", whole.flip),
        Perturbation("shuffle", "Cut into 3 x 3 tiles of which a growing part changes places.", whole.shuffle),
        Perturbation("hide", "A growing square at a random place filled with the mean colour.", whole.hide),
    )
}


def list_perturbations() -> tuple[Perturbation, ...]:
    return tuple(PERTURBATIONS.values())


def apply(name: str, image: Image.Image, strength: float = 0.5, seed: int = 0) -> Image.Image:
    """The picture after one change, RGB, of the same size. Raises PictureError for an unknown name or strength."""
    if name not in PERTURBATIONS:
        raise PictureError(f"There is no change called {name}; there are {', '.join(PERTURBATIONS)}.")
    if not 0 <= strength <= 1:
        raise PictureError(f"strength goes from 0 to 1, got {strength}.")
    rng = np.random.default_rng([seed, list(PERTURBATIONS).index(name)])
    return PERTURBATIONS[name].change(image.convert("RGB"), strength, rng).convert("RGB")


__all__ = ["PERTURBATIONS", "Perturbation", "apply", "list_perturbations"]
