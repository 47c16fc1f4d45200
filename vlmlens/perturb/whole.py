"""What each change does to a picture: (image, strength 0 to 1, generator) to an image of the same size."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

TILES = 3  # a side


def blur(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(strength * min(image.size) / 10))


def noise(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, float)
    return Image.fromarray((pixels + rng.normal(0, 127.5 * strength, pixels.shape)).clip(0, 255).astype(np.uint8))


def contrast(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(1 - strength)


def brightness(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1 - 0.8 * strength)


def grayscale(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Color(image).enhance(1 - strength)


def hue(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image.convert("HSV")).copy()
    pixels[..., 0] += np.uint8(round(128 * strength))  # wraps around the circle of 256
    return Image.fromarray(pixels, "HSV").convert("RGB")


def downscale(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    small = [max(1, round(side * (1 - 0.875 * strength))) for side in image.size]
    return image.resize((small[0], small[1]), Image.Resampling.BOX).resize(image.size, Image.Resampling.NEAREST)


def jpeg(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=round(95 - 93 * strength))
    return Image.open(file)


def rotate(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return image.rotate(90 * strength, Image.Resampling.BILINEAR, fillcolor=mean_color(image))


def flip(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image) if strength >= 0.5 else image


def shuffle(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    across, down = image.size[0] // TILES, image.size[1] // TILES
    corners = [(x * across, y * down) for y in range(TILES) for x in range(TILES)]
    moved = rng.permutation(len(corners))[: round(strength * len(corners))]
    shuffled = image.copy()
    for source, target in zip(moved, np.roll(moved, 1), strict=True):
        left, top = corners[source]
        shuffled.paste(image.crop((left, top, left + across, top + down)), corners[target])
    return shuffled


def hide(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    side = round(strength * min(image.size))
    left, top = (int(rng.integers(0, length - side + 1)) for length in image.size)
    hidden = image.copy()
    hidden.paste(mean_color(image), (left, top, left + side, top + side))
    return hidden


def mean_color(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = np.asarray(image, float).reshape(-1, 3).mean(axis=0).round().astype(int)
    return int(red), int(green), int(blue)
