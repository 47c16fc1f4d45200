"""Problems whose decomposition is known before any sample is drawn: what an estimator can be held against.

A truth is one row of `TRUTHS`: a joint distribution of any number of states from four on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STATES = 8  # of X1, X2 and Y


@dataclass(frozen=True)
class Truth:
    sentence: str
    joint: Callable[[int], np.ndarray]  # states -> probabilities [x1, x2, y]


def _independent(k: int) -> np.ndarray:
    return np.full((k, k, k), 1 / k**3)


def _copies(first: float, second: float) -> Callable[[int], np.ndarray]:
    """Two copies of Y, each drawn anew with its own probability."""

    def joint(k: int) -> np.ndarray:
        one, two = ((1 - noise) * np.eye(k) + noise / k for noise in (first, second))
        return np.einsum("ay,by->aby", one, two) / k

    return joint


def _function(output: Callable[[np.ndarray, np.ndarray, int], np.ndarray], noise: float) -> Callable[[int], np.ndarray]:
    """Even, independent sources; Y is a function of them, drawn anew with probability `noise`."""

    def joint(k: int) -> np.ndarray:
        x1, x2 = np.indices((k, k))
        return ((1 - noise) * np.eye(k)[output(x1, x2, k) % k] + noise / k) / k**2

    return joint


def _both(x1: np.ndarray, x2: np.ndarray, k: int) -> np.ndarray:
    return (x1 % 2) * (k // 2) + x2 % max(1, k // 2)


_tie = _copies(0.5, 0.5)
_unique = _function(lambda x1, x2, k: x1 + 0 * x2, 0.4)
_synergy = _function(lambda x1, x2, k: x1 + x2, 0.4)
_each = _function(_both, 0.3)

TRUTHS: dict[str, Truth] = {
    "independent": Truth("Nothing tells anything.", _independent),
    "redundant": Truth("Two equally noisy copies of the answer: a perfect tie, the hardest case.", _tie),
    "redundant, uneven": Truth("Two copies of the answer, one noisier.", _copies(0.3, 0.6)),
    "near tie": Truth("Two copies of the answer, one a little noisier.", _copies(0.5, 0.55)),
    "unique": Truth("The answer follows the first source, with noise.", _unique),
    "unique, weak": Truth("The same with much noise.", _function(lambda x1, x2, k: x1 + 0 * x2, 0.8)),
    "unique, both": Truth("Each source settles a part of the answer.", _each),
    "synergistic": Truth("Only both together tell (a sum modulo the number of states).", _synergy),
    "mixed": Truth(
        "All of these side by side.",
        lambda k: 0.25 * _tie(k) + 0.25 * _unique(k) + 0.2 * _synergy(k) + 0.3 * _each(k),
    ),
}
