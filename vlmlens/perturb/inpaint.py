"""A hole filled from its rim: every pixel of it becomes the mean of its neighbours (Laplace's equation).

Solved from coarse to fine by conjugate gradients, each level starting from the one before: what a level must mend is
rough, and rough errors die in a few steps (cascadic multigrid, Bornemann and Deuflhard 1996). What OpenCV and
scikit-image offer was slower on the same holes, and OpenCV's does not continue a gradient.
"""

import numpy as np
from PIL import Image

from vlmlens.perturb.pixels import bounds, mean_color, plain, rounded

SMALL = 64  # unknowns that are solved without a coarser level
STEPS = 6  # of conjugate gradients on the finest level; twice as many on every coarser one, where they are cheap
MOST_STEPS = 96
LARGE = 2_000_000  # pixels around a hole above which a level only doubles the one before
CLOSE = 1e-3  # squared grey levels that are left, over all of the hole


def inpaint(image: Image.Image, hole: np.ndarray) -> Image.Image:
    """An RGB picture with the pixels of `hole` [height, width] made anew from those around.

    Where nothing is around, because all is hole, it becomes the mean colour.
    """
    if not hole.any():
        return image.copy()
    if hole.all():
        return plain(image, mean_color(image))
    left, top, right, bottom = bounds(hole)
    part = slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1)  # with the rim
    pixels = np.array(image)
    hole = hole[part]
    filled = _fill(pixels[part].transpose(2, 0, 1).astype(np.float32), hole, STEPS)
    pixels[part][hole] = rounded(filled[:, hole].T)
    return Image.fromarray(pixels)


def _fill(pixels: np.ndarray, hole: np.ndarray, steps: int) -> np.ndarray:
    """Pixels [channel, height, width] with values in the hole [height, width]; some pixels are known."""
    known = (~hole).astype(np.float32)
    if hole.sum() <= SMALL:
        start = np.broadcast_to((pixels * known).sum(axis=(1, 2), keepdims=True) / known.sum(), pixels.shape)
        return _descend(pixels, hole, start, MOST_STEPS)
    share = _halved(known[None])  # of 2 x 2 pixels that is known
    coarse = _halved(pixels * known) / np.maximum(share, 0.25)
    coarse = _fill(coarse, share[0] == 0, min(2 * steps, MOST_STEPS)) if share.min() == 0 else coarse
    height, width = hole.shape
    start = _doubled(_doubled(coarse, 1), 2)[:, :height, :width]
    return _descend(pixels, hole, start, steps) if hole.size <= LARGE else np.where(hole, start, pixels)


def _descend(pixels: np.ndarray, hole: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """Conjugate gradients from the start, one run a channel side by side: A v = b on the hole's pixels.

    A takes a value times its number of neighbours, less the unknown neighbours; b adds up the known ones.
    """
    inside = hole.astype(np.float32)
    degree = _neighbours(np.ones((1, *hole.shape), np.float32))
    values = np.where(hole, start, pixels)
    residual = (_neighbours(values) - degree * values) * inside
    direction = residual.copy()
    length = _dot(residual, residual)
    for _ in range(steps):
        if length.max() < CLOSE:
            break
        ahead = (degree * direction - _neighbours(direction)) * inside
        step = length / np.maximum(_dot(direction, ahead), 1e-12)
        values += step * direction
        residual -= step * ahead
        before, length = length, _dot(residual, residual)
        direction *= length / np.maximum(before, 1e-12)
        direction += residual
    return values


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("chw,chw->c", one, other)[:, None, None]


def _neighbours(values: np.ndarray) -> np.ndarray:
    """The sum of the pixels above, below, left and right, as far as there are any."""
    total = np.zeros_like(values)
    total[:, 1:] += values[:, :-1]
    total[:, :-1] += values[:, 1:]
    total[:, :, 1:] += values[:, :, :-1]
    total[:, :, :-1] += values[:, :, 1:]
    return total


def _halved(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; an odd side repeats its last row."""
    values = np.pad(values, ((0, 0), (0, values.shape[1] % 2), (0, values.shape[2] % 2)), "edge")
    rows = values[:, ::2] + values[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4


def _doubled(values: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many values along an axis, between the old ones."""
    values = np.moveaxis(values, axis, 0)
    before, after = np.concatenate([values[:1], values[:-1]]), np.concatenate([values[1:], values[-1:]])
    both = np.stack([0.75 * values + 0.25 * before, 0.75 * values + 0.25 * after], axis=1)
    return np.moveaxis(both.reshape(-1, *values.shape[1:]), 0, axis)
