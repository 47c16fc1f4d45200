"""Rotary positions: queries and keys are turned, so that their scores depend on how far apart they are and on no more.

A head's dimensions go in pairs. Pair p of a token at position x is turned by the angle x * frequency[p] (Su et al.,
2021, eq. 34); where there are several axes, each pair belongs to one of them and turns with the position along it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Axis = Literal["time", "row", "column"]
AXES: tuple[Axis, ...] = ("time", "row", "column")

# Frequencies fall from 1 towards 1 / BASE. Language models take 10 000 and more; on a grid of a dozen patches most
# pairs would then never turn (Heo et al., 2024, take 100 for pictures).
BASE = 100.0


@dataclass(frozen=True)
class Pair:
    """Two dimensions of a head: the axis that turns them, in radians a step along it."""

    axis: Axis
    frequency: float

    @property
    def wavelength(self) -> float:
        """Steps after which the pair is back where it was."""
        return 2 * torch.pi / self.frequency


@dataclass(frozen=True, eq=False)
class Turn:
    """The turn of every pair at every position of a sequence."""

    cos: Tensor  # [position, pair]
    sin: Tensor  # [position, pair]

    def __call__(self, states: Tensor) -> Tensor:
        """Queries or keys [batch, head, position, width of a head], turned. Pair p is dimensions p and p + pairs."""
        one, other = states.chunk(2, dim=-1)
        return torch.cat([one * self.cos - other * self.sin, other * self.cos + one * self.sin], dim=-1)

    def at(self, index: slice | Sequence[int]) -> "Turn":
        """The same for some of the positions."""
        return Turn(self.cos[index], self.sin[index])


def turn(pairs: Sequence[Pair], where: Tensor) -> Turn:
    """The turn of `pairs` at positions `where` [position, axis], axes as in AXES."""
    frequency = torch.tensor([pair.frequency for pair in pairs], device=where.device)
    axis = torch.tensor([AXES.index(pair.axis) for pair in pairs], device=where.device)
    angle = where[:, axis] * frequency  # [position, pair]
    return Turn(angle.cos(), angle.sin())


def falling(count: int) -> list[float]:
    """`count` frequencies from 1 down towards 1 / BASE, evenly on a logarithmic scale."""
    return [BASE ** (-index / count) for index in range(count)]
