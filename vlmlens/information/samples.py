"""Labelled samples as tables of counts: the whole, what is left of it, and what chance alone would have made of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmlens.information.solver import InformationError

BLOCKS = 10  # the jackknife leaves out one of these at a time


@dataclass(frozen=True, eq=False)
class Samples:
    """n draws of (x1, x2, y), each from 0 up to its number of states."""

    x1: np.ndarray  # int [n]
    x2: np.ndarray
    y: np.ndarray
    states: tuple[int, int, int]

    @classmethod
    def of(cls, x1: Any, x2: Any, y: Any) -> "Samples":
        """From three lists of labels of any kind; states are numbered in sorted order.

        Raises InformationError for lists of different lengths, or a target that never varies.
        """
        labels = [np.unique(np.asarray(side), return_inverse=True) for side in (x1, x2, y)]
        lengths = [len(np.atleast_1d(side)) for side in (x1, x2, y)]
        if len(set(lengths)) > 1:
            raise InformationError(f"x1, x2 and y are one sample each row; their lengths differ: {lengths}.")
        if len(labels[2][0]) < 2:
            raise InformationError(
                "y has one value only: where the answer never changes there is no information to decompose."
            )
        a, b, c = (found.ravel() for _, found in labels)
        return cls(a, b, c, (len(labels[0][0]), len(labels[1][0]), len(labels[2][0])))

    def __len__(self) -> int:
        return len(self.y)

    def table(self) -> np.ndarray:
        """Counts [x1, x2, y]."""
        return self._counts(self.x1, self.x2, self.y)

    def left_out(self) -> np.ndarray:
        """Counts without each tenth of the samples, [block, x1, x2, y]; the tenths are drawn, always the same."""
        order = np.random.default_rng(0).permutation(len(self))
        tenths = (order[block::BLOCKS] for block in range(BLOCKS))
        return self.table() - np.stack([self._counts(self.x1[t], self.x2[t], self.y[t]) for t in tenths])

    def shuffled(self, draws: int, rng: np.random.Generator, what: str = "y") -> np.ndarray:
        """Counts [draw, x1, x2, y] with one side permuted over the samples, so that it tells nothing."""
        side = {"x1": self.x1, "x2": self.x2, "y": self.y}
        return np.stack([self._counts(**(side | {what: rng.permutation(side[what])})) for _ in range(draws)])

    def tied(self, which: int, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Counts [draw, x, x, y] of two sources that are equally good, each as good as X1 (`which` 1) or X2 (2).

        Given y both are drawn alike and apart, so neither holds anything unique: what a decomposition of these counts
        calls unique is what sampling makes of a perfect tie.
        """
        pairs = self.table().sum(axis=2 - which).astype(float)  # [x, y]
        y = pairs.sum(axis=0)
        joint = np.einsum("ay,by->aby", pairs, pairs / y) / y.sum()
        return resampled(joint, len(self), draws, rng)

    def _counts(self, x1: np.ndarray, x2: np.ndarray, y: np.ndarray) -> np.ndarray:
        _, second, third = self.states
        found = np.bincount((x1 * second + x2) * third + y, minlength=int(np.prod(self.states)))
        return found.reshape(self.states)


def resampled(joint: np.ndarray, n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Counts [draw, ...] of n samples from a joint distribution, `draws` times."""
    return rng.multinomial(n, joint.ravel() / joint.sum(), size=draws).reshape(draws, *joint.shape)
