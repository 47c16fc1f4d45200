"""What is left of a picture when each patch may be told in so many samples?

A patch of 8 x 8 pixels with b tokens is told in r rows of c samples, r = floor(sqrt(b)), c = floor(b / r), 8 at most:
the square r x r where b is a square number. Of any other budget seven samples are lost at most; squares alone would
lose up to 14, and a comparison with a uniform picture, whose budget may be a square everywhere, would not be fair. Each
sample is the mean of its part of the patch; drawn again, each pixel is the mean of the samples that cover it, by area.
64 tokens give the patch back as it was, 1 its mean color. Models get the picture so drawn, of the size they know.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from vlmlens.lab.draw import PIXELS
from vlmlens.lab.vision import PATCH, PATCHES, SIDE

MOST = PATCH * PATCH  # tokens of a patch, with which every pixel is a sample


def samples(budget: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of samples for budgets of 1 to MOST, int [...] each."""
    budget = np.clip(np.asarray(budget, np.int64), 1, MOST)
    down = np.array([int(b**0.5 + 1e-9) for b in range(MOST + 1)])[budget]
    return down, np.minimum(budget // down, PATCH)


@cache
def operators() -> Tensor:
    """Along one side of a patch: to r samples and back, float32 [r - 1, pixel, pixel]; symmetric, rows sum to 1."""
    found = np.empty((PATCH, PATCH, PATCH))
    edges = np.arange(PATCH + 1)
    for r in range(1, PATCH + 1):
        cut = np.arange(r + 1) * PATCH / r
        sides = np.minimum(edges[1:], cut[1:, None]) - np.maximum(edges[:-1], cut[:-1, None])
        cover = sides.clip(0)  # [sample, pixel]: the length of a pixel that lies in a sample
        found[r - 1] = cover.T @ (cover * r / PATCH)
    return torch.from_numpy(found.astype(np.float32))


def patches_of(pixels: Tensor) -> Tensor:
    """Pixels [picture, y, x, rgb] to [picture, patch, rgb, y, x], float32."""
    cut = pixels.float().unflatten(1, (SIDE, PATCH)).unflatten(3, (SIDE, PATCH))
    return cut.permute(0, 1, 3, 5, 2, 4).flatten(1, 2)


def picture_of(patches: Tensor) -> Tensor:
    """The way back, [picture, y, x, rgb]."""
    cut = patches.unflatten(1, (SIDE, SIDE)).permute(0, 1, 4, 2, 5, 3)
    return cut.reshape(len(patches), PIXELS, PIXELS, 3)


def told(pixels: Tensor, budgets: np.ndarray) -> Tensor:
    """Pictures [picture, y, x, rgb] at the detail of `budgets` int [picture, patch]; float32, 0 to 255."""
    budgets = np.asarray(budgets)
    if budgets.shape != (len(pixels), PATCHES):
        raise ValueError(f"budgets: expected {(len(pixels), PATCHES)}, got {budgets.shape}")
    down, across = (torch.from_numpy(each - 1) for each in samples(budgets))
    fine = operators()
    return picture_of(fine[down][:, :, None] @ patches_of(pixels) @ fine[across][:, :, None])


def soft(pixels: Tensor, budgets: Tensor) -> Tensor:
    """The same, differentiable in budgets float [picture, patch]: between two levels of detail, their mixture.

    A level is r x r samples at r = sqrt(budget); what lies between two is mixed in proportion.
    """
    level = budgets.clamp(1, MOST).sqrt()
    below = level.detach().floor().clamp(1, PATCH - 1).long()
    part = (level - below)[:, :, None, None, None]
    cut = patches_of(pixels)
    fine = operators()
    one, other = (fine[index][:, :, None] @ cut @ fine[index][:, :, None] for index in (below - 1, below))
    return picture_of(one + part * (other - one))


def glance(pixels: Tensor, low: int) -> Tensor:
    """The picture at the minimum that every patch has anyway: what is known before tokens are shared out."""
    return told(pixels, np.full((len(pixels), PATCHES), low))
