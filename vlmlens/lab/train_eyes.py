"""Train the local eyes: on single cells, to name what stands there, from each patch and from a cell's four together.

train_eyes()                     # seeded, on the CPU, half a minute
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.draw import BACKGROUND, CELL_PIXELS, NOISE, tiles
from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.scenes import COLORS, HELD_OUT_PAIRS, SHAPES, SIZES
from vlmlens.lab.train import Recipe, Report, optimise
from vlmlens.lab.vision import WIDTH

EYES = Recipe(pool=40_000, steps=700, batch=512, rate=3e-3)
EMPTY = 0.15  # of the cells
KINDS = (len(COLORS) + 1, len(SHAPES) + 1, len(SIZES) + 1)  # the first of each: nothing


def cells(count: int, seed: int, novel_pairs: bool = False) -> tuple[Tensor, Tensor]:
    """Cells as drawn, with noise, and what they show: uint8 [cell, y, x, rgb], int [cell, (color, shape, size)].

    Pairs of color and shape that no training scene shows are left out, or with `novel_pairs` alone kept.
    """
    rng = np.random.default_rng([5, seed])
    pairs = [
        (c, s)
        for c, color in enumerate(COLORS)
        for s, shape in enumerate(SHAPES)
        if ((color, shape) in HELD_OUT_PAIRS) == novel_pairs
    ]
    pair = np.array(pairs)[rng.integers(len(pairs), size=count)]
    size, dx, dy = rng.integers(len(SIZES), size=count), *rng.integers(3, size=(2, count))
    drawn = tiles()[pair[:, 0], pair[:, 1], size, dx, dy].astype(np.int16)
    shown = np.column_stack([pair, size]) + 1
    empty = rng.random(count) < EMPTY
    drawn[empty], shown[empty] = BACKGROUND, 0
    drawn += rng.integers(-NOISE, NOISE + 1, drawn.shape, np.int8)
    return torch.from_numpy(np.clip(drawn, 0, 255).astype(np.uint8)), torch.from_numpy(shown)


def train_eyes(seed: int = 0, recipe: Recipe = EYES, report: Report = print) -> tuple[LocalEyes, dict[str, float]]:
    """The eyes, and the share of unseen cells whose color, shape and size can all be read from their four patches."""
    torch.manual_seed(seed)
    eyes, probe = LocalEyes(), nn.Linear(WIDTH, sum(KINDS))
    pixels, shown = cells(recipe.pool, seed)

    def guesses(features: Tensor) -> tuple[Tensor, ...]:
        return probe(features).split(KINDS, dim=-1)

    def loss_of(index: np.ndarray) -> Tensor:
        patches, wanted = eyes(pixels[index]), shown[index]  # [cell, 4, width]
        whole = [F.cross_entropy(guess, wanted[:, i]) for i, guess in enumerate(guesses(patches.mean(1)))]
        part = [
            F.cross_entropy(guess.flatten(0, 1), wanted[:, i].repeat_interleave(4))
            for i, guess in enumerate(guesses(patches))
        ]
        return torch.stack(whole + part).sum()

    def accuracy(pixels: Tensor, shown: Tensor) -> float:
        with torch.no_grad():
            right = [g.argmax(-1) == shown[:, i] for i, g in enumerate(guesses(eyes(pixels).mean(1)))]
        return round(torch.stack(right).all(0).float().mean().item(), 5)

    optimise([*eyes.parameters(), *probe.parameters()], recipe, len(pixels), seed, loss_of, report, "local eyes")
    found = {"unseen": accuracy(*cells(4000, 1000 + seed)), "never_seen_pairs": accuracy(*cells(1000, seed, True))}
    report(f"local eyes: cells of {CELL_PIXELS} pixels named rightly {found}")
    return eyes.requires_grad_(False).eval(), found
