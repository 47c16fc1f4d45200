"""Small things that several changes share: the mean colour, a blend, a region's bounds."""

import numpy as np
from PIL import Image, ImageStat


def mean_color(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = ImageStat.Stat(image).mean  # from histograms: faster than summing pixels
    return round(red), round(green), round(blue)


def plain(image: Image.Image, color: tuple[int, int, int] | str) -> Image.Image:
    """A picture of the same size in one colour."""
    return Image.new("RGB", image.size, color)


def rounded(pixels: np.ndarray) -> np.ndarray:
    """Floating values as bytes, cut at black and white."""
    return pixels.round().clip(0, 255).astype(np.uint8)


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is True, the last two exclusive, as Pillow's boxes are."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
