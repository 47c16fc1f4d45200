"""Colour and light of all pixels alike."""

import numpy as np
from PIL import Image, ImageEnhance

from vlmlens.perturb.row import Given, Perturbation


def contrast(given: Given) -> Image.Image:
    return ImageEnhance.Contrast(given.image).enhance(1 - given.strength)


def brightness(given: Given) -> Image.Image:
    return ImageEnhance.Brightness(given.image).enhance(1 - 0.8 * given.strength)


def grayscale(given: Given) -> Image.Image:
    return ImageEnhance.Color(given.image).enhance(1 - given.strength)


def hue(given: Given) -> Image.Image:
    return turned(given.image, given.strength / 2)


def turned(image: Image.Image, turn: float) -> Image.Image:
    """All hues moved along by `turn` of the circle; greys have none and stay."""
    pixels = np.array(image.convert("HSV"))
    pixels[..., 0] += np.uint8(round(256 * turn) % 256)  # wraps around the circle of 256
    return Image.fromarray(pixels, "HSV").convert("RGB")


ROWS = (
    Perturbation("contrast", "Contrast", "Contrast lowered, down to plain grey.", "whole", contrast),
    Perturbation("brightness", "Darkness", "Darker, down to a fifth.", "whole", brightness),
    Perturbation("grayscale", "Grayscale", "Colour taken away.", "whole", grayscale),
    Perturbation("hue", "Hue", "All hues turned, up to half the circle.", "whole", hue),
)
