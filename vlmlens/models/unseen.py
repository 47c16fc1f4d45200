"""Copies of a picture that nobody can tell from it: what a model makes of them is its noise."""

import numpy as np

from vlmlens.models.base import Picture, as_image

COPIES = 5


def barely_changed(picture: Picture) -> list[np.ndarray]:
    """The picture with noise of at most one grey level, a few times; uint8 [height, width, rgb] each."""
    image = np.asarray(as_image(picture), np.int16)
    rng = np.random.default_rng(0)
    return [(image + rng.integers(-1, 2, image.shape)).clip(0, 255).astype(np.uint8) for _ in range(COPIES)]
