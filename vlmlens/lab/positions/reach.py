"""How far an encoding reaches: what distance makes of the score between a query and a key that would match."""

from dataclasses import dataclass

import numpy as np
import torch

from vlmlens.lab.positions.encoding import Positions
from vlmlens.lab.positions.turn import AXES, Axis, Pair, turn

DRAWS = 400
LARGEST = 12  # patches, the largest distance that is shown


@dataclass(frozen=True, eq=False)
class Reach:
    """Scores over distances, as a share of the score at no distance. Without rotation all are 1."""

    offsets: tuple[int, ...]  # patches, from -n to n
    mean: np.ndarray  # [row offset, column offset], over draws
    low: np.ndarray  # [row offset, column offset], 5 % of the draws lie below
    high: np.ndarray  # [row offset, column offset], 5 % lie above

    def at(self, row: int, column: int) -> tuple[float, float, float]:
        """Mean and interval of one distance. Raises ValueError beyond those that were drawn."""
        place = self.offsets.index(row), self.offsets.index(column)
        return float(self.mean[place]), float(self.low[place]), float(self.high[place])


def reach(pairs: tuple[Pair, ...], largest: int, draws: int = DRAWS, seed: int = 0) -> Reach:
    """The score of a random vector with itself, set `row` and `column` patches apart, over its score at no distance.

    q is drawn from N(0, 1) in every dimension and is query and key both: a token that looks for its like. Then
    q . R(d) q / |q|^2 is the mean of cos(d * frequency) over pairs, weighted by what q has in each (Su et al., 2021,
    section 3.4.3). Query and key drawn apart would score 0 on average at every distance: a rotation prefers no distance
    until weights are learned.

    Args:
        pairs: which axis turns each pair of a head, and how fast; none: nothing turns.
        largest: the largest distance, in patches.
    """
    offsets = tuple(range(-largest, largest + 1))
    count = len(offsets)
    if not pairs:
        flat = np.ones((count, count))
        return Reach(offsets, flat, flat, flat)
    query = torch.randn(draws, 2 * len(pairs), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    where = torch.zeros(count * count, len(AXES), dtype=torch.float64)
    steps = torch.arange(-largest, largest + 1, dtype=torch.float64)
    where[:, AXES.index("row")] = steps.repeat_interleave(count)
    where[:, AXES.index("column")] = steps.repeat(count)
    key = turn(pairs, where)(query[:, None, None].expand(-1, 1, len(where), -1))[:, 0]  # [draw, offset, head]
    score = (key @ query[:, :, None])[..., 0] / query.square().sum(-1, keepdim=True)
    plane = score.reshape(draws, count, count).numpy()
    low, high = np.quantile(plane, [0.05, 0.95], axis=0)
    return Reach(offsets, plane.mean(0), low, high)


def similarity(places: np.ndarray, side: int) -> Reach:
    """The cosine of learned places, by the distance between them: mean, smallest and largest over all such pairs.

    places [side * side, width], row by row.
    """
    unit = places / np.linalg.norm(places, axis=1, keepdims=True)
    cosine = unit @ unit.T
    row, column = np.divmod(np.arange(side * side), side)
    offsets = tuple(range(1 - side, side))
    apart = row[None] - row[:, None] + side - 1, column[None] - column[:, None] + side - 1
    shape = (len(offsets), len(offsets))
    total, count = np.zeros(shape), np.zeros(shape)
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    np.add.at(total, apart, cosine)
    np.add.at(count, apart, 1)
    np.minimum.at(low, apart, cosine)
    np.maximum.at(high, apart, cosine)
    return Reach(offsets, total / count, low, high)


@dataclass(frozen=True)
class Band:
    """The frequencies that one axis was given."""

    axis: Axis
    pairs: int
    shortest: float  # wavelength in patches; infinite without pairs
    longest: float
    fast: bool  # whether a pair is among the fastest third of the head
    slow: bool  # and among the slowest


def bands(positions: Positions, count: int) -> tuple[Band, ...]:
    """What each axis that turns at all has of `count` pairs, on the head's own ladder of frequencies."""
    pairs = positions.pairs(count)
    ladder = sorted(pair.frequency for pair in pairs)
    if not ladder:
        return ()
    third = -(-len(ladder) // 3)
    slow, fast = ladder[third - 1], ladder[-third]
    found = []
    for axis in AXES:
        own = [pair for pair in pairs if pair.axis == axis]
        if own:
            waves, frequencies = [pair.wavelength for pair in own], [pair.frequency for pair in own]
            found.append(
                Band(axis, len(own), min(waves), max(waves), max(frequencies) >= fast, min(frequencies) <= slow)
            )
    return tuple(found)
