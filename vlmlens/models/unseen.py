"""Copies of a picture that nobody can tell from it: what a model makes of them is its noise."""

import numpy as np
from PIL import Image

COPIES = 5


def barely_changed(image: Image.Image) -> list[np.ndarray]:
    """The picture with noise of at most one grey level, a few times; uint8 [height, width, rgb] each."""
    pixels = np.asarray(image, np.int16)
    rng = np.random.default_rng(0)
    return [(pixels + rng.integers(-1, 2, pixels.shape)).clip(0, 255).astype(np.uint8) for _ in range(COPIES)]
