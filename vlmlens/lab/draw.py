"""From a scene to pixels: the 48-pixel picture that the models get, and a crisp drawing of any size for people.

Both come from the same outlines. The small picture is put together from pre-drawn tiles, one a cell, because training
draws hundreds of thousands of them.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from vlmlens.lab.scenes import BOARD, COLORS, JITTER, SHAPES, SIZES, Scene, Thing

CELL_PIXELS = 16
PIXELS = BOARD * CELL_PIXELS  # side of the picture that the models get
NOISE = 10  # uniform in [-NOISE, NOISE] grey levels: a standard deviation of 6
OVERSAMPLE = 8

BACKGROUND = (236, 236, 232)
RGB = {
    "red": (214, 39, 40),
    "orange": (255, 140, 0),
    "yellow": (240, 215, 30),
    "green": (34, 150, 60),
    "cyan": (60, 200, 215),
    "blue": (35, 80, 200),
    "purple": (140, 60, 170),
    "black": (25, 25, 25),
}
RADIUS = {"small": 3.6, "large": 5.8}  # in pixels of the 48-pixel picture


def outline(shape: str, x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """Corners of a shape around (x, y); a circle is a polygon of 72."""
    corners = {"circle": 72, "square": 4, "triangle": 3, "star": 10}[shape]
    turn = {"circle": 0.0, "square": math.pi / 4, "triangle": -math.pi / 2, "star": -math.pi / 2}[shape]
    reach = {"circle": 1.0, "square": 1.2, "triangle": 1.2, "star": 1.2}[shape] * radius
    points = []
    for corner in range(corners):
        length = reach * (0.42 if shape == "star" and corner % 2 else 1.0)
        angle = turn + 2 * math.pi * corner / corners
        points.append((x + length * math.cos(angle), y + length * math.sin(angle)))
    return points


def draw(scene: Scene, side: int = 480) -> Image.Image:
    """The scene as a crisp RGB picture of `side` x `side` pixels, without noise."""
    scale = side * 2 / PIXELS  # drawn at twice the size and halved: smooth edges
    image = Image.new("RGB", (side * 2, side * 2), BACKGROUND)
    pen = ImageDraw.Draw(image)
    for thing in scene.things:
        x = (thing.column + 0.5) * CELL_PIXELS + thing.dx
        y = (thing.row + 0.5) * CELL_PIXELS + thing.dy
        corners = outline(thing.shape, x * scale, y * scale, RADIUS[thing.size] * scale)
        pen.polygon(corners, fill=RGB[thing.color])
    return image.resize((side, side), Image.Resampling.BOX)


@cache
def tiles() -> np.ndarray:
    """Every thing in every look: uint8 [color, shape, size, dx, dy, y, x, rgb]."""
    table = np.empty((len(COLORS), len(SHAPES), len(SIZES), 3, 3, CELL_PIXELS, CELL_PIXELS, 3), np.uint8)
    big = CELL_PIXELS * OVERSAMPLE
    for c, color in enumerate(COLORS):
        for s, shape in enumerate(SHAPES):
            for z, size in enumerate(SIZES):
                for i, dx in enumerate(JITTER):
                    for j, dy in enumerate(JITTER):
                        image = Image.new("RGB", (big, big), BACKGROUND)
                        x, y = (CELL_PIXELS / 2 + dx) * OVERSAMPLE, (CELL_PIXELS / 2 + dy) * OVERSAMPLE
                        corners = outline(shape, x, y, RADIUS[size] * OVERSAMPLE)
                        ImageDraw.Draw(image).polygon(corners, fill=RGB[color])
                        table[c, s, z, i, j] = np.asarray(
                            image.resize((CELL_PIXELS, CELL_PIXELS), Image.Resampling.BOX)
                        )
    return table


def tile(thing: Thing) -> np.ndarray:
    """uint8 [y, x, rgb], one cell."""
    look = COLORS.index(thing.color), SHAPES.index(thing.shape), SIZES.index(thing.size)
    result: np.ndarray = tiles()[(*look, JITTER.index(thing.dx), JITTER.index(thing.dy))]
    return result


def render_array(scene: Scene) -> np.ndarray:
    """The picture that the models get: uint8 [48, 48, rgb], noise included, the same for the same scene."""
    canvas = np.empty((PIXELS, PIXELS, 3), np.int16)
    canvas[:] = BACKGROUND
    for thing in scene.things:
        top, left = thing.row * CELL_PIXELS, thing.column * CELL_PIXELS
        canvas[top : top + CELL_PIXELS, left : left + CELL_PIXELS] = tile(thing)
    noise = np.random.default_rng(scene.noise_seed).integers(-NOISE, NOISE + 1, canvas.shape, np.int8)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def render(scene: Scene) -> Image.Image:
    """The picture that the models get, as a 48x48 RGB image."""
    return Image.fromarray(render_array(scene))


def render_batch(scenes: Sequence[Scene]) -> np.ndarray:
    """uint8 [scene, y, x, rgb]."""
    return np.stack([render_array(scene) for scene in scenes])


def resembles_a_scene(image: Image.Image) -> bool:
    """Whether a picture looks like the lab's own: mostly its background colour, and almost only its ten colours."""
    small = np.asarray(image.convert("RGB").resize((PIXELS, PIXELS), Image.Resampling.BOX), float)
    palette = np.array([BACKGROUND, *RGB.values()], float)
    distance = np.linalg.norm(small[:, :, None] - palette, axis=-1)  # [y, x, palette]
    near = distance.min(axis=-1) < 70  # noise and blended edges stay within this
    background = distance[..., 0] < 30
    return bool(background.mean() > 0.4 and near.mean() > 0.8)
